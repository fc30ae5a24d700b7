//! The daily mail through SES servers that nobody here wrote, handed back by them and read by a library that is not the
//! one that wrote it. `make test-peers` starts them and says where they are; without that these tests say why they are
//! skipped.

use std::{fs, time::Duration};

use mail_parser::{Message, MessageParser, MimeHeaders};
use serde_json::Value;

use crate::{
    mail::decode_base64,
    program::{DAYS, Said, Sandbox, skipped},
};

/// Where the server is that `variable` names; nothing where it was not started.
fn server(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "what `make test-peers` says")]
    let url = std::env::var(variable).ok();
    if url.is_none() {
        skipped(&format!(
            "no SES server was started ({variable} is not set); `make test-peers` starts one"
        ));
    }
    url
}

/// A sender and a recipient that no earlier run of these tests used.
fn addresses() -> [String; 2] {
    let host = format!("p{}.example", std::process::id());
    [format!("reports@{host}"), format!("ceo@{host}")]
}

/// Runs the job that mails the day's report through the server at `url`.
fn notify(sandbox: &Sandbox, url: &str) -> Said {
    let [from, to] = addresses();
    let mut command = sandbox.command(&["run", "notify", "--day", DAYS[0], "--mail", "ses"]);
    command
        .args(["--mail-from", &format!("Deloton <{from}>"), "--mail-to", &to])
        .args([
            "--aws-endpoint-url",
            url,
            "--public-url",
            "https://bikes.deloton.example",
        ])
        .args(["--site-url", "https://reports.deloton.example"])
        .envs([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-2"),
        ]);
    let output = command.output().unwrap();
    Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .proxy(None)
        .build()
        .into()
}

fn get(url: &str) -> Value {
    let mut answer = agent().get(url).call().unwrap();
    serde_json::from_reader(answer.body_mut().as_reader()).unwrap()
}

/// The report's PDF, as the report job made it.
fn pdf(sandbox: &Sandbox) -> Vec<u8> {
    fs::read(sandbox.data().join("reports").join(DAYS[0]).join("report.pdf")).unwrap()
}

/// What a reader reads: who it is from, what it is about, both texts with the figures and links.
fn assert_reads_well(mail: &Message<'_>) {
    let [from, to] = addresses();
    assert_eq!(mail.from().unwrap().first().unwrap().address(), Some(from.as_str()));
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some(to.as_str()));
    assert_eq!(mail.subject(), Some("Deloton, Tue 5 May: 34 rides"));
    for part in [mail.body_text(0).unwrap(), mail.body_html(0).unwrap()] {
        for words in [
            "Mean heart rate",
            "112\u{202f}bpm",
            "https://reports.deloton.example/daily/2026-05-05/index.html",
            "https://bikes.deloton.example/unsubscribe/",
        ] {
            assert!(part.contains(words), "{words} is missing in {part}");
        }
    }
}

#[test]
fn moto_takes_the_mail_of_a_verified_sender_alone_and_hands_it_back_as_it_was() {
    let Some(url) = server("DELOTON_TEST_AWS") else { return };
    let sandbox = Sandbox::with_sample();
    let refused = notify(&sandbox, &url);
    assert!(
        !refused.status.success() && refused.err.contains("verify the sender's domain"),
        "{refused:?}"
    );
    let [from, to] = addresses();
    let scope = "AWS4-HMAC-SHA256 Credential=key/20260507/eu-west-2/ses/aws4_request, SignedHeaders=host, Signature=0";
    agent()
        .post(format!("{url}/v2/email/identities"))
        .header("authorization", scope)
        .send_json(serde_json::json!({ "EmailIdentity": from.split_once('@').unwrap().1 }))
        .unwrap();
    // As its operator goes on then.
    let dead = sandbox.succeed(&["outbox", "list", "--state", "dead"]);
    let id = dead.split_whitespace().next().unwrap();
    sandbox.succeed(&["outbox", "resend", id]);
    let sent = notify(&sandbox, &url);
    assert!(sent.status.success(), "{sent:?}");

    let state = get(&format!("{url}/moto-api/data.json"));
    let messages = state["ses"]["RawMessage"].as_array().unwrap();
    let ours: Vec<&Value> = messages
        .iter()
        .filter(|message| message["destinations"][0] == to.as_str())
        .collect();
    let [ours] = ours.as_slice() else {
        panic!("{} mails", ours.len())
    };
    let raw = ours["raw_data"].as_str().unwrap();
    assert_eq!(raw, sandbox.succeed(&["outbox", "show", id]), "not a byte is another");
    let mail = MessageParser::default().parse(raw.as_bytes()).unwrap();
    assert_reads_well(&mail);
    let attached = mail
        .attachments()
        .find(|part| part.attachment_name() == Some("deloton-2026-05-05.pdf"));
    assert!(
        attached.unwrap().contents() == pdf(&sandbox),
        "the PDF is not the report's"
    );
    assert_eq!(
        mail.message_id().unwrap(),
        format!("{id}@{}", from.split_once('@').unwrap().1)
    );
    let field = |name: &str| {
        mail.header_raw(name)
            .map(|text| text.split_whitespace().collect::<String>())
    };
    let link = field("List-Unsubscribe").unwrap();
    assert!(
        link.starts_with("<https://bikes.deloton.example/unsubscribe/") && link.ends_with('>'),
        "{link}"
    );
    assert_eq!(
        field("List-Unsubscribe-Post").as_deref(),
        Some("List-Unsubscribe=One-Click")
    );
    let chart = mail
        .attachments()
        .find(|part| part.content_id() == Some("chart"))
        .unwrap();
    assert!(chart.contents().starts_with(b"\x89PNG") && mail.body_html(0).unwrap().contains("cid:chart"));
}

#[test]
fn another_ses_server_takes_the_mail_apart_as_it_was_put_together() {
    let Some(url) = server("DELOTON_TEST_SES") else { return };
    let sandbox = Sandbox::with_sample();
    let sent = notify(&sandbox, &url);
    assert!(sent.status.success(), "{sent:?}");
    let store = get(&format!("{url}/store"));
    let [_, to] = addresses();
    let ours = |mail: &&Value| mail["destination"]["to"][0] == to.as_str();
    let mail = store["emails"].as_array().unwrap().iter().find(ours).unwrap();
    assert_eq!(mail["subject"], "Deloton, Tue 5 May: 34 rides");
    let parts: Vec<(&str, &str, &str)> = mail["attachments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let word = |name: &str| part[name].as_str().unwrap();
            (word("filename"), word("contentType"), word("contentDisposition"))
        })
        .collect();
    assert_eq!(
        parts,
        [
            ("chart.png", "image/png", "inline"),
            ("deloton-2026-05-05.pdf", "application/pdf", "attachment")
        ]
    );
    assert_eq!(mail["attachments"][0]["cid"], "chart");
    let attached = decode_base64(mail["attachments"][1]["content"].as_str().unwrap());
    assert!(attached == pdf(&sandbox), "the PDF is not the report's");

    // Put together anew by that server's library, it reads the same; but for files, which that encodes once too often.
    let id = mail["messageId"].as_str().unwrap();
    let anew = get(&format!("{url}/get-emlContent?messageId={id}"));
    let bytes: Vec<u8> = serde_json::from_value(anew["body"]["data"].clone()).unwrap();
    assert_reads_well(&MessageParser::default().parse(&bytes).unwrap());
    let listed = sandbox.succeed(&["outbox", "list", "--state", "sent"]);
    assert!(listed.contains(id), "the ledger has the server's id {id}: {listed}");
}
