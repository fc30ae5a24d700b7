//! What other programs get when rides end, from the real binary: files, an SNS topic's message, a signed call.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use deloton::export::signature;
use serde_json::Value;

use crate::{
    program::{NOW, Sandbox, files_below, sample, wait_for},
    publish::Server,
};

const SECRET: &str = "a secret of this test";
const LATER: &str = "2026-05-07T08:05:00Z";
const ARN: &str = "arn:aws:sns:eu-west-2:000000000000:rides";

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    headers: BTreeMap<String, String>,
    body: String,
}

/// A server that keeps what it was asked and answers with the statuses it was told, then with 200; status 0 is silence.
#[derive(Clone, Default)]
struct Receiver {
    asked: Arc<Mutex<Vec<Asked>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
    url: String,
}

impl Receiver {
    fn start(answer: &'static str) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver {
            url: format!("http://{}", listener.local_addr().unwrap()),
            ..Receiver::default()
        };
        let serving = receiver.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(socket.unwrap(), answer));
            }
        });
        receiver
    }

    fn serve(&self, mut socket: TcpStream, answer: &str) {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        loop {
            let mut headers = BTreeMap::new();
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            assert!(line.starts_with("POST / "), "{line}");
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.split_once(':') else {
                    break;
                };
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            self.asked.lock().unwrap().push(Asked { headers, body });
            let status = self.statuses.lock().unwrap().pop_front().unwrap_or(200);
            if status == 0 {
                thread::sleep(Duration::from_secs(60));
                return;
            }
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            socket.write_all((head + answer).as_bytes()).unwrap();
        }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn then(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend(statuses);
    }
}

/// A sandbox with settings, in which the sample was taken in.
struct Ended {
    sandbox: Sandbox,
    settings: Vec<(&'static str, String)>,
}

impl Ended {
    fn with(settings: &[(&'static str, &str)]) -> Ended {
        let ended = Ended {
            sandbox: Sandbox::in_real_time(),
            settings: settings.iter().map(|&(name, value)| (name, value.to_owned())).collect(),
        };
        assert!(
            ended
                .at(NOW, &["consume", "--from-file", &sample().to_string_lossy()])
                .0
        );
        ended
    }

    fn command(&self, now: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command(arguments);
        command.args(["--now", now]);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Runs a command at that time: whether it went well, and what it said.
    fn at(&self, now: &str, arguments: &[&str]) -> (bool, String) {
        let output = self.command(now, arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn export(&self, now: &str) -> (bool, String) {
        self.at(now, &["run", "export_rides"])
    }

    /// The rides that are news, by their id: day, readings, rider.
    fn news(&self) -> BTreeMap<String, Value> {
        let sql = "select ride_id, business_day, reading_count, rider_id, bike_serial from ride
                   where ended_at >= timestamptz '2026-05-06 08:00:00+00'";
        let rows = self.sandbox.rows(sql);
        rows.iter()
            .map(|row| serde_json::from_str::<Value>(row).unwrap())
            .map(|ride| (ride["ride_id"].as_str().unwrap().to_owned(), ride))
            .collect()
    }
}

#[test]
fn each_ride_that_ends_leaves_two_files_that_only_their_owner_may_read() {
    let ended = Ended::with(&[]);
    let (done, said) = ended.export(NOW);
    assert!(done, "{said}");
    let news = ended.news();
    assert!(news.len() > 5, "the sample has rides of the last day");
    let older = ended
        .sandbox
        .rows("from ride where ended_at < timestamptz '2026-05-06 08:00:00+00'");
    assert!(!older.is_empty(), "and older ones, of which nobody is told");
    let exports = ended.sandbox.data().join("exports");
    let files: BTreeMap<_, _> = files_below(&exports).into_iter().collect();
    assert_eq!(files.len(), 2 * news.len());
    for (id, ride) in &news {
        let folder = format!("rides/date={}/{id}", ride["business_day"].as_str().unwrap());
        let text = |name: &str| String::from_utf8(files[&format!("{folder}/{name}")].clone()).unwrap();
        let (seconds, user) = (text("ride_info.csv"), text("user_info.csv"));
        let mut lines = seconds.lines();
        assert_eq!(
            lines.next().unwrap(),
            "user_id,ride_id,date,time,duration,resistance,heart_rate,rpm,power"
        );
        assert_eq!(lines.count() as i64, ride["reading_count"].as_i64().unwrap(), "{id}");
        let mut lines = user.lines();
        assert_eq!(
            lines.next().unwrap(),
            "user_id,name,gender,address,date_of_birth,email_address,height_cm,weight_kg,account_create_date,\
             bike_serial,original_source,max_hr"
        );
        match &ride["rider_id"] {
            Value::Null => assert_eq!(lines.next(), None),
            rider => assert!(lines.next().unwrap().starts_with(&format!("{rider},"))),
        }
        let mode = |name: &str| {
            std::fs::metadata(exports.join(&folder).join(name))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!((mode("ride_info.csv") & 0o77, mode("user_info.csv") & 0o77), (0, 0));
    }
    let (done, said) = ended.export(LATER);
    assert!(done, "{said}");
    assert!(
        ended.at(LATER, &["outbox", "list"]).1.contains("no mails"),
        "mails are not drowned in them"
    );
}

#[test]
fn files_go_to_a_bucket_where_that_is_set() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let ended = Ended::with(&[
        ("DELOTON_EXPORTS", "s3://site/private"),
        ("DELOTON_AWS_ENDPOINT_URL", &server.url),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let (done, said) = ended.export(NOW);
    assert!(done, "{said}");
    let found: BTreeSet<_> = files_below(&server.root.path().join("site/private"))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.ends_with(".csv"))
        .collect();
    let expected = ended.news().into_iter().flat_map(|(id, ride)| {
        let day = ride["business_day"].as_str().unwrap().to_owned();
        ["ride", "user"].map(|name| format!("rides/date={day}/{id}/{name}_info.csv"))
    });
    assert_eq!(found, expected.collect());
    assert!(!ended.sandbox.data().join("exports").exists());
}

#[test]
fn an_sns_topic_is_told_of_each_ride_with_a_key_of_its_own() {
    let answer = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                  <MessageId>m-1</MessageId></PublishResult></PublishResponse>";
    let sns = Receiver::start(answer);
    let ended = Ended::with(&[
        ("DELOTON_SNS_TOPIC_ARN", ARN),
        ("DELOTON_AWS_ENDPOINT_URL", &sns.url),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let (done, said) = ended.export(NOW);
    assert!(done, "{said}");
    let told: Vec<BTreeMap<String, String>> = sns.asked().iter().map(|asked| form(&asked.body)).collect();
    let news = ended.news();
    assert_eq!(told.len(), news.len());
    let mut keys = BTreeSet::new();
    for call in &told {
        assert_eq!((call["Action"].as_str(), call["TopicArn"].as_str()), ("Publish", ARN));
        let message: Value = serde_json::from_str(&call["Message"]).unwrap();
        assert!(news.contains_key(message["ride"]["ride_id"].as_str().unwrap()));
        assert!(
            call.values().any(|value| value == message["id"].as_str().unwrap()),
            "as an attribute too"
        );
        keys.insert(message["id"].as_str().unwrap().to_owned());
        for file in message["files"].as_array().unwrap() {
            assert!(
                ended
                    .sandbox
                    .data()
                    .parent()
                    .unwrap()
                    .join(file.as_str().unwrap())
                    .exists(),
                "{file}"
            );
        }
    }
    assert_eq!(keys.len(), told.len());
}

/// `a=b&c=d%20e`, decoded.
fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn with_webhook(receiver: &Receiver) -> Ended {
    Ended::with(&[
        ("DELOTON_WEBHOOK_URL", &receiver.url),
        ("DELOTON_WEBHOOK_SECRET", SECRET),
    ])
}

#[test]
fn a_webhook_is_called_with_a_signature_and_again_until_it_takes_the_call() {
    let receiver = Receiver::start("");
    let ended = with_webhook(&receiver);
    receiver.then(&[503]);
    let (done, said) = ended.export(NOW);
    assert!(!done && said.contains("answered with status 503"), "{said}");
    assert_eq!(receiver.asked().len(), 1, "one that is busy is left alone");
    let (done, said) = ended.export(LATER);
    assert!(done, "{said}");
    let asked = receiver.asked();
    let news = ended.news();
    assert_eq!(asked.len(), 1 + news.len());
    let mut told = BTreeMap::<String, Vec<String>>::new();
    for call in &asked {
        let timestamp = &call.headers["x-deloton-timestamp"];
        let expected = signature(SECRET, timestamp.parse().unwrap(), call.body.as_bytes());
        assert_eq!(call.headers["x-deloton-signature"], format!("sha256={expected}"));
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(call.headers["idempotency-key"], body["id"].as_str().unwrap());
        assert_eq!(
            (&body["event"], &body["ended_before"]),
            (&Value::from("ride_ended"), &Value::from(false))
        );
        let ride = body["ride"]["ride_id"].as_str().unwrap();
        assert_eq!(body["ride"]["reading_count"], news[ride]["reading_count"]);
        told.entry(ride.to_owned())
            .or_default()
            .push(call.headers["idempotency-key"].clone());
    }
    assert_eq!(told.len(), news.len());
    let twice: Vec<_> = told.values().filter(|keys| keys.len() == 2).collect();
    assert!(
        twice.len() == 1 && twice[0][0] == twice[0][1],
        "the same call has the same key"
    );
}

#[test]
fn a_call_cut_off_by_a_kill_is_made_again_with_the_same_key() {
    let receiver = Receiver::start("");
    let ended = with_webhook(&receiver);
    receiver.then(&[0]);
    let mut killed = ended.command(NOW, &["run", "export_rides"]).spawn().unwrap();
    wait_for("a call", Duration::from_secs(60), String::new, || {
        (!receiver.asked().is_empty()).then_some(())
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (done, said) = ended.export(LATER);
    assert!(done, "{said}");
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1 + ended.news().len());
    let same: Vec<_> = asked[1..]
        .iter()
        .filter(|call| call.headers["idempotency-key"] == asked[0].headers["idempotency-key"])
        .collect();
    assert!(same.len() == 1 && same[0].body == asked[0].body);
    let left = ended
        .sandbox
        .rows("select state, count(*) as n from ops.outbox group by all order by all");
    assert_eq!(left.len(), 1, "everything was sent: {left:?}");
}

#[test]
fn a_webhook_without_a_secret_and_files_below_the_site_are_refused() {
    let sandbox = Sandbox::new();
    let said = sandbox.fail(&["run", "export_rides", "--webhook-url", "https://example.org/rides"]);
    assert!(said.contains("DELOTON_WEBHOOK_SECRET"), "{said}");
    let said = sandbox.fail(&["run", "export_rides", "--exports", "data/site/rides"]);
    assert!(said.contains("personal") && said.contains("--exports"), "{said}");
}
