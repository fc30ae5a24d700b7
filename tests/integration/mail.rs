//! Mail from the day's numbers to a server that takes SES's calls, or to a folder; and what the ledger says of it.

use std::{
    collections::VecDeque,
    fs,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sesv2::config::{Credentials, SharedCredentialsProvider};
use deloton::{
    clock::Clock,
    domain::{
        cancel::{Cancel, Why},
        report::DailyReport,
        run::JobStatus,
    },
    jobs::{
        notify::{Addresses, For, notify},
        send::{self, Sender, Turns},
    },
    notify::{Notifier, Ses, render::DailyMail},
    store::{
        Store,
        outbox::{self, MailState, Which},
    },
    template::Templates,
};
use mail_parser::MessageParser;
use poem::{Endpoint, Request, Response, Server, endpoint::make, http::StatusCode, listener::TcpAcceptor};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::program::{DAYS, Sandbox, wait_for};

/// What the server answers: a status, an error code and a text; or nothing at all, whether or not it took the mail.
#[derive(Clone, Copy)]
enum Answer {
    Taken,
    Refused(u16, &'static str, &'static str),
    Silence,
    TakenInSilence,
}

/// A service that takes SES's `SendEmail`, answers as told, and keeps what it was sent.
struct FakeSes {
    url: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    taken: Arc<Mutex<Vec<Value>>>,
    /// Calls that came in, whatever was answered.
    calls: Arc<AtomicUsize>,
}

impl FakeSes {
    fn start(runtime: &Runtime) -> FakeSes {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, taken) = (
            Arc::<Mutex<VecDeque<Answer>>>::default(),
            Arc::<Mutex<Vec<Value>>>::default(),
        );
        let calls = Arc::<AtomicUsize>::default();
        let endpoint = endpoint(Arc::clone(&answers), Arc::clone(&taken), Arc::clone(&calls));
        runtime.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_std(listener).unwrap())
                .run(endpoint)
                .await
                .unwrap();
        });
        FakeSes {
            url,
            answers,
            taken,
            calls,
        }
    }

    fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }
}

fn endpoint(
    answers: Arc<Mutex<VecDeque<Answer>>>,
    taken: Arc<Mutex<Vec<Value>>>,
    calls: Arc<AtomicUsize>,
) -> impl Endpoint + 'static {
    make(move |mut request: Request| {
        let (answers, taken, calls) = (Arc::clone(&answers), Arc::clone(&taken), Arc::clone(&calls));
        async move {
            assert_eq!(
                (request.method().as_str(), request.uri().path()),
                ("POST", "/v2/email/outbound-emails")
            );
            assert!(request.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256"));
            let body: Value = serde_json::from_slice(&request.take_body().into_vec().await.unwrap()).unwrap();
            let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Taken);
            if matches!(answer, Answer::Taken | Answer::TakenInSilence) {
                taken.lock().unwrap().push(body);
            }
            calls.fetch_add(1, Ordering::SeqCst);
            match answer {
                Answer::Taken => {
                    let id = format!("ses-{}", taken.lock().unwrap().len());
                    json_response(StatusCode::OK, &json!({ "MessageId": id })).finish()
                }
                Answer::Refused(status, code, message) => {
                    json_response(StatusCode::from_u16(status).unwrap(), &json!({ "message": message }))
                        .header("x-amzn-errortype", code)
                        .finish()
                }
                Answer::Silence | Answer::TakenInSilence => {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    Response::default()
                }
            }
        }
    })
}

fn json_response(status: StatusCode, body: &Value) -> JsonBuilder {
    JsonBuilder(
        Response::builder().status(status).content_type("application/json"),
        body.to_string(),
    )
}

struct JsonBuilder(poem::ResponseBuilder, String);

impl JsonBuilder {
    fn header(self, name: &str, value: &str) -> Self {
        JsonBuilder(self.0.header(name, value), self.1)
    }

    fn finish(self) -> Response {
        self.0.body(self.1)
    }
}

fn sdk(url: &str) -> SdkConfig {
    let timeouts = aws_config::timeout::TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(1))
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .endpoint_url(url)
        .timeout_config(timeouts)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "key", "secret", None, None, "test",
        )))
        .build()
}

pub(crate) fn decode_base64(text: &str) -> Vec<u8> {
    let sextet = |byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let sextets: Vec<u8> = text.bytes().filter(|&byte| byte != b'=').map(sextet).collect();
    let chunk = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, &sextet| bits << 6 | u32::from(sextet)) << (6 * (4 - chunk.len()));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    };
    sextets.chunks(4).flat_map(chunk).collect()
}

/// A store, the day's mail and who gets it.
struct Office {
    folder: tempfile::TempDir,
    store: Store,
    runtime: Runtime,
    templates: Templates,
    report: DailyReport,
    to: Vec<String>,
    turns: Turns,
}

impl Office {
    fn open() -> Office {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::Fixed("2026-11-22T06:00:00Z".parse().unwrap());
        let headline = json!({
            "key": "rides", "value": 3412.0, "day_before": 3000.0, "week_before": 3046.0, "seven_day_mean": null,
            "mean_28_days": null, "stddev_28_days": null, "last_28_days": [3412.0]
        });
        let report = json!({
            "day": "2026-11-21", "starts_at": "2026-11-21T00:00:00Z", "ends_at": "2026-11-22T00:00:00Z",
            "timezone": "Europe/London", "hours_in_day": 24, "seal_count": 1, "headlines": [headline],
            "rides_per_day": [], "rides_per_hour": [], "by_gender": [], "by_age_band": [], "by_city": [],
            "power_per_ride": { "bin_width": 20.0, "bins": [], "median": null, "rides": 0 },
            "heart_rate_per_ride": { "bin_width": 5.0, "bins": [], "median": null, "rides": 0 },
            "quality": {
                "readings": 1, "dropout_seconds": 0, "flagged_readings": 0, "partial_rides": 0, "idle_rides": 0,
                "rejected_lines": 0, "alerts": 0
            }
        });
        Office {
            store: Store::open(folder.path(), clock).unwrap(),
            runtime: Runtime::new().unwrap(),
            templates: Templates::load(None).unwrap(),
            report: serde_json::from_value(report).unwrap(),
            to: ["ceo@x.example", "cto@x.example"].map(str::to_owned).to_vec(),
            turns: Turns::default(),
            folder,
        }
    }

    fn notify(&self, notifier: &Notifier) -> Result<std::collections::BTreeMap<&'static str, u64>, String> {
        let (pdf, chart_png) = (b"%PDF-1.7".as_slice(), b"\x89PNG".as_slice());
        let mail = DailyMail {
            report: &self.report,
            pdf,
            chart_png,
            page_url: None,
            index_url: None,
        };
        let addresses = Addresses {
            from: "Deloton <reports@x.example>",
            to: &self.to,
            public_url: None,
        };
        let sender = Sender {
            by: &|_| notifier,
            runtime: self.runtime.handle(),
            cancel: &Cancel::default(),
            turns: &self.turns,
        };
        notify(
            &self.store,
            sender,
            &self.templates,
            &mail,
            addresses,
            For::FirstReaders,
        )
        .map(|status| status.counts)
        .map_err(|error| format!("{error:#}"))
    }

    fn send(&self, notifier: &Notifier, cancel: &Cancel) -> anyhow::Result<JobStatus> {
        let sender = Sender {
            by: &|_| notifier,
            runtime: self.runtime.handle(),
            cancel,
            turns: &self.turns,
        };
        send::send(&self.store, Which::Other, sender)
    }

    fn counts(&self) -> Vec<(MailState, u64)> {
        let counts = outbox::counts(&self.store.connection().unwrap(), None).unwrap();
        counts.iter().map(|count| (count.state, count.mails)).collect()
    }
}

#[test]
fn the_daily_mail_reaches_each_recipient_once() {
    let office = Office::open();
    let ses = FakeSes::start(&office.runtime);
    let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), None));
    assert_eq!(office.notify(&notifier).unwrap()["mails_sent"], 2);
    let again = office.notify(&notifier).unwrap();
    assert_eq!(
        (again["mails_queued"], again["mails_known"], again["mails_sent"]),
        (0, 2, 0)
    );
    assert_eq!(office.counts(), [(MailState::Sent, 2)]);

    let taken = ses.taken();
    assert_eq!(taken.len(), 2);
    let mut recipients = Vec::new();
    for call in &taken {
        let raw = decode_base64(call["Content"]["Raw"]["Data"].as_str().unwrap());
        let mail = MessageParser::default().parse(&raw).unwrap();
        let to = mail.to().unwrap().first().unwrap().address().unwrap().to_owned();
        assert_eq!(call["Destination"]["ToAddresses"], json!([to]));
        assert_eq!(
            mail.subject().unwrap().replace('\u{202f}', " "),
            "Deloton, Sat 21 Nov: 3,412 rides (▲ 12 %)"
        );
        assert_eq!(
            mail.attachments().filter(|part| part.contents() == b"%PDF-1.7").count(),
            1
        );
        recipients.push(to);
    }
    recipients.sort();
    assert_eq!(recipients, office.to);
    let listed = outbox::list(&office.store.connection().unwrap(), Some(MailState::Sent), 10).unwrap();
    assert!(
        listed
            .iter()
            .all(|mail| mail.detail.as_ref().unwrap().starts_with("ses-"))
    );
}

#[test]
fn without_recipients_nothing_is_queued() {
    let office = Office {
        to: Vec::new(),
        ..Office::open()
    };
    assert!(
        office
            .notify(&Notifier::outbox(office.folder.path().join("outbox")))
            .unwrap()
            .is_empty()
    );
    assert!(office.counts().is_empty());
}

#[test]
fn the_override_address_gets_every_mail() {
    let office = Office::open();
    let ses = FakeSes::start(&office.runtime);
    let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), Some("test@x.example".to_owned())));
    office.notify(&notifier).unwrap();
    assert_eq!(ses.taken().len(), 2);
    assert!(
        ses.taken()
            .iter()
            .all(|call| call["Destination"]["ToAddresses"] == json!(["test@x.example"]))
    );
}

#[test]
fn what_ses_answers_decides_what_becomes_of_a_mail() {
    let unverified =
        "Email address is not verified. The following identities failed the check in region EU-WEST-2: ceo@x.example";
    for (answer, state, words) in [
        (
            Answer::Refused(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
            MailState::Waiting,
            "slow down",
        ),
        (
            Answer::Refused(429, "TooManyRequestsException", "Daily message quota exceeded."),
            MailState::Waiting,
            "quota",
        ),
        (
            Answer::Refused(400, "LimitExceededException", "limit"),
            MailState::Waiting,
            "quota",
        ),
        (
            Answer::Refused(400, "SendingPausedException", "paused"),
            MailState::Waiting,
            "paused",
        ),
        (
            Answer::Refused(403, "AccessDeniedException", "no"),
            MailState::Waiting,
            "ses:SendEmail",
        ),
        (
            Answer::Refused(503, "ServiceUnavailable", "later"),
            MailState::Waiting,
            "slow down",
        ),
        (
            Answer::Refused(400, "MessageRejected", unverified),
            MailState::Dead,
            "sandbox",
        ),
        (
            Answer::Refused(400, "MailFromDomainNotVerifiedException", "no"),
            MailState::Dead,
            "verify",
        ),
        // As the service's gateway names errors, and as its older interface calls them.
        (
            Answer::Refused(
                429,
                "TooManyRequestsException:http://internal.amazon.com/coral/com.amazonaws.services.email/",
                "Maximum sending rate exceeded.",
            ),
            MailState::Waiting,
            "slow down",
        ),
        (
            Answer::Refused(400, "Throttling", "Maximum sending rate exceeded."),
            MailState::Waiting,
            "slow down",
        ),
        (
            Answer::Refused(400, "Throttling", "Daily message quota exceeded."),
            MailState::Waiting,
            "quota",
        ),
        (
            Answer::Refused(429, "", "Too many requests"),
            MailState::Waiting,
            "slow down",
        ),
        (
            Answer::Refused(400, "AccountSuspendedException", "suspended"),
            MailState::Waiting,
            "paused",
        ),
        (
            Answer::Refused(403, "SignatureDoesNotMatch", "Signature expired"),
            MailState::Waiting,
            "denied access",
        ),
        (
            Answer::Refused(413, "", "Request entity too large"),
            MailState::Dead,
            "413",
        ),
        (
            Answer::Refused(400, "MessageRejected", "Message contains a virus."),
            MailState::Dead,
            "rejected the content",
        ),
        (
            Answer::Refused(400, "BadRequestException", "bad"),
            MailState::Dead,
            "BadRequestException",
        ),
        (
            Answer::Refused(500, "InternalServiceError", "oops"),
            MailState::Unknown,
            "may or may not",
        ),
        (Answer::Silence, MailState::Unknown, "may or may not"),
        (Answer::TakenInSilence, MailState::Unknown, "may or may not"),
    ] {
        let office = Office {
            to: vec!["ceo@x.example".to_owned()],
            ..Office::open()
        };
        let ses = FakeSes::start(&office.runtime);
        ses.answer([answer]);
        let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), None));
        let error = office.notify(&notifier).unwrap_err();
        assert!(
            error.contains(words) && error.contains("deloton outbox"),
            "{words}: {error}"
        );
        assert!(!error.contains("ceo@"), "an address is personal: {error}");
        assert_eq!(office.counts(), [(state, 1)], "{words}");
        // Asked again at once, nothing goes out a second time, and the run does not pretend that it did.
        assert!(office.notify(&notifier).is_err());
        assert_eq!(ses.calls.load(Ordering::SeqCst), 1, "{words}");
        // A person decides, and then it goes.
        let connection = office.store.connection().unwrap();
        let id = outbox::list(&connection, None, 1).unwrap()[0].message_id;
        assert!(outbox::resend(&connection, id).unwrap());
        assert_eq!(
            office.send(&notifier, &Cancel::default()).unwrap().counts["mails_sent"],
            1
        );
    }
}

#[test]
fn a_cancelled_run_sends_no_further_mail_and_knows_what_became_of_each() {
    let office = Office::open();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    office
        .notify(&Notifier::Ses(Ses::new(&sdk(&format!("http://{free}")), None)))
        .unwrap_err();
    let waiting = office.counts();
    let ses = FakeSes::start(&office.runtime);
    let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), None));
    let cancel = Cancel::default();
    cancel.raise(Why::TimedOut);
    assert!(office.send(&notifier, &cancel).is_err());
    assert!(ses.taken().is_empty());
    assert_eq!(office.counts(), waiting);
}

#[test]
fn a_service_that_is_down_keeps_mail_waiting() {
    let office = Office::open();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let notifier = Notifier::Ses(Ses::new(&sdk(&format!("http://{free}")), None));
    let error = office.notify(&notifier).unwrap_err();
    assert!(
        error.contains("SES could not be reached") && error.contains("2 waiting"),
        "{error}"
    );
    assert_eq!(office.counts(), [(MailState::Waiting, 2)]);
}

#[test]
fn a_dead_mail_does_not_stop_the_others() {
    let office = Office::open();
    let ses = FakeSes::start(&office.runtime);
    ses.answer([Answer::Refused(400, "MessageRejected", "virus"), Answer::Taken]);
    let error = office
        .notify(&Notifier::Ses(Ses::new(&sdk(&ses.url), None)))
        .unwrap_err();
    assert!(error.contains("1 dead"), "{error}");
    assert_eq!(office.counts(), [(MailState::Sent, 1), (MailState::Dead, 1)]);
}

#[test]
fn a_crash_between_call_and_answer_is_shown_and_not_repeated() {
    let office = Office {
        to: vec!["ceo@x.example".to_owned()],
        ..Office::open()
    };
    let ses = FakeSes::start(&office.runtime);
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Queued, then claimed by a process that ends before it hears an answer.
    office
        .notify(&Notifier::Ses(Ses::new(&sdk(&format!("http://{down}")), None)))
        .unwrap_err();
    let connection = office.store.connection().unwrap();
    outbox::resend(&connection, outbox::list(&connection, None, 1).unwrap()[0].message_id).unwrap();
    let now = office.store.clock().now();
    assert!(outbox::claim(&connection, Which::Other, now).unwrap().is_some());
    assert_eq!(outbox::recover(&connection, None, now).unwrap(), 1);

    let error = office
        .notify(&Notifier::Ses(Ses::new(&sdk(&ses.url), None)))
        .unwrap_err();
    assert!(error.contains("1 unknown"), "{error}");
    assert!(ses.taken().is_empty());
}

#[test]
fn a_mail_whose_end_could_not_be_recorded_is_shown_at_the_next_run() {
    let office = Office::open();
    let ses = FakeSes::start(&office.runtime);
    let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), None));
    office.notify(&notifier).unwrap();
    // As if it had left with the disk full: it stayed marked as being sent.
    let connection = office.store.connection().unwrap();
    let id = outbox::list(&connection, None, 1).unwrap()[0].message_id;
    outbox::resend(&connection, id).unwrap();
    outbox::claim(&connection, Which::Other, office.store.clock().now())
        .unwrap()
        .unwrap();
    office.send(&notifier, &Cancel::default()).unwrap();
    let (mail, _) = outbox::get(&connection, id).unwrap().unwrap();
    assert_eq!(mail.state, MailState::Unknown);
    assert_eq!(ses.taken().len(), 2);
}

#[test]
fn two_who_send_at_once_take_turns_and_neither_takes_a_mail_for_lost() {
    let office = Office::open();
    let ses = FakeSes::start(&office.runtime);
    let notifier = Notifier::Ses(Ses::new(&sdk(&ses.url), None));
    std::thread::scope(|scope| {
        let ticks = scope.spawn(|| (0..50).all(|_| office.send(&notifier, &Cancel::default()).is_ok()));
        office.notify(&notifier).unwrap();
        assert!(ticks.join().unwrap());
    });
    assert_eq!(office.counts(), [(MailState::Sent, 2)]);
    assert_eq!(ses.taken().len(), 2);
}

#[test]
fn a_laptop_finds_its_mail_in_a_folder() {
    let office = Office::open();
    let outbox = office.folder.path().join("outbox");
    assert_eq!(office.notify(&Notifier::outbox(&outbox)).unwrap()["mails_sent"], 2);
    let files: Vec<_> = fs::read_dir(outbox.join("2026-11-21"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2);
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("daily_report-") && name.ends_with(".eml"), "{name}");
        let bytes = fs::read(&file).unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert!(mail.body_html(0).unwrap().contains("cid:chart"));
        assert!(name.contains(mail.message_id().unwrap().split('@').next().unwrap()));
    }
}

/// The steps of a send: queued, claimed, handed over, settled. What is answered tells between which two of them the program
/// is when it is killed, with one mail or with the second of two.
#[test]
fn killed_between_any_two_steps_of_sending_nobody_gets_a_mail_twice() {
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "publish", "--day", DAYS[0]]);
    let runtime = Runtime::new().unwrap();
    for (number, (answers, decision)) in [
        // Claimed and not handed over; the second is queued and not claimed.
        (&[Answer::Silence][..], "resend"),
        // Handed over and not settled; likewise.
        (&[Answer::TakenInSilence], "discard"),
        // The first is settled, the second claimed and not handed over.
        (&[Answer::Taken, Answer::Silence], "resend"),
        // The first is settled, the second handed over and not settled.
        (&[Answer::Taken, Answer::TakenInSilence], "discard"),
    ]
    .into_iter()
    .enumerate()
    {
        let ses = FakeSes::start(&runtime);
        ses.answer(answers.iter().copied());
        let recipients = ["one", "two"].map(|name| format!("{name}{number}@readers.example"));
        let notify = || {
            let mut command = sandbox.command(&["run", "notify", "--day", DAYS[0], "--mail", "ses"]);
            command.args(["--mail-from", "reports@x.example", "--aws-endpoint-url", &ses.url]);
            recipients.iter().for_each(|to| {
                command.args(["--mail-to", to]);
            });
            command.envs([
                ("AWS_ACCESS_KEY_ID", "key"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_REGION", "eu-west-2"),
            ]);
            command
        };
        let mut running = sandbox.start_command(notify());
        wait_for(
            "call",
            Duration::from_secs(60),
            || running.log(),
            || (ses.calls.load(Ordering::SeqCst) == answers.len()).then_some(()),
        );
        assert!(running.kill(), "case {number}: {}", running.log());

        // Started again: the mail of which nobody knows is not sent, all others are, and the run does not hide it.
        let again = notify().output().unwrap();
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(
            !again.status.success() && said.contains("1 unknown"),
            "case {number}: {said}"
        );
        let listed = sandbox.succeed(&["outbox", "list", "--state", "unknown"]);
        assert_eq!(listed.lines().count(), 1, "case {number}: {listed}");
        let status = sandbox.succeed(&["status"]);
        assert!(
            status.contains("1 message may or may not have been sent"),
            "case {number}: {status}"
        );
        let id = listed.split_whitespace().next().unwrap();
        sandbox.succeed(&["outbox", decision, id]);
        let last = notify().output().unwrap();
        let said = String::from_utf8_lossy(&last.stderr);
        assert!(last.status.success(), "case {number}: {said}");

        let mut got: Vec<String> = ses
            .taken()
            .iter()
            .map(|call| call["Destination"]["ToAddresses"][0].as_str().unwrap().to_owned())
            .collect();
        got.sort();
        assert_eq!(got, recipients, "case {number}");
    }
}
