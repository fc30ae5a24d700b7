//! The sample in, the published tree and the sent mail out, compared file by file with `tests/golden`. Run with
//! `UPDATE_GOLDEN=1` to have the expected files written anew; look at what changed before committing it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use mail_parser::{MessageParser, MimeHeaders as _};

use crate::program::{DAYS, Sandbox, files_below, rows};

const SITE_URL: &str = "https://reports.deloton.example";
const RECIPIENTS: [&str; 2] = ["ceo@deloton.example", "board@deloton.example"];

/// What has no text to compare: it is there, under this name.
const ONLY_THERE: &str = "(not text)\n";

/// The sample, published and mailed.
fn published() -> Sandbox {
    let sandbox = Sandbox::with_sample();
    for day in DAYS {
        sandbox.succeed(&["run", "publish", "--day", day]);
    }
    let mut notify = vec![
        "run",
        "notify",
        "--day",
        DAYS[1],
        "--mail",
        "outbox",
        "--site-url",
        SITE_URL,
    ];
    RECIPIENTS.iter().for_each(|to| notify.extend(["--mail-to", to]));
    sandbox.succeed(&notify);
    sandbox
}

#[test]
fn the_sample_becomes_the_site_and_the_mail_that_were_agreed() {
    let sandbox = published();
    let mut actual = site(&sandbox);
    actual.extend(mails(&sandbox));
    compare(&actual, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
}

#[test]
fn nothing_published_or_mailed_tells_who_rode() {
    let sandbox = published();
    let store = sandbox.store();
    let personal = rows(
        &store,
        "select unnest([name, email_address, address, street, postcode, date_of_birth::varchar,
            strftime(date_of_birth, '%d/%m/%Y'), (epoch_ms(date_of_birth::timestamp))::varchar]) as text from rider
         union select ride_id::varchar from ride",
    );
    let personal: BTreeSet<String> = personal.iter().filter_map(|row| text_of(row)).collect();
    let names = rows(&store, "select unnest([forename, surname]) as text from rider");
    let names: BTreeSet<String> = names.iter().filter_map(|row| text_of(row)).collect();
    assert!(
        personal.len() > 100 && names.len() > 20,
        "{} {}",
        personal.len(),
        names.len()
    );

    let mut texts = site(&sandbox);
    texts.extend(mails(&sandbox));
    for (path, text) in &texts {
        for personal in &personal {
            assert!(!text.contains(personal), "`{path}` contains `{personal}`");
        }
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        for name in &names {
            assert!(!words.contains(name.as_str()), "`{path}` contains the name `{name}`");
        }
    }
    // The bytes as well, whatever they are.
    for (path, bytes) in files_below(&sandbox.data().join("site")) {
        for personal in &personal {
            let found = memchr::memmem::find(&bytes, personal.as_bytes());
            assert_eq!(found, None, "`{path}` contains `{personal}`");
        }
    }
}

/// The one value of a row.
fn text_of(row: &str) -> Option<String> {
    let row: serde_json::Value = serde_json::from_str(row).unwrap();
    row["text"].as_str().map(str::to_owned).filter(|text| !text.is_empty())
}

/// The published files as text.
fn site(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let files = files_below(&sandbox.data().join("site"));
    let assets: Vec<(String, String)> = files.iter().filter_map(|(path, _)| without_hash(path)).collect();
    let plain = |text: &str| {
        let text = text.replace("\r\n", "\n");
        assets
            .iter()
            .fold(text, |text, (hashed, plain)| text.replace(hashed, plain))
    };
    let mut texts = BTreeMap::new();
    // What the publisher keeps for itself has tests of its own.
    for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with('_')) {
        let path = path.as_str();
        let (name, text) = match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
            _ if path.starts_with("static/") => (path.to_owned(), ONLY_THERE.to_owned()),
            "pdf" => (format!("{path}.txt"), pdf_text(bytes)),
            "html" | "csv" | "json" | "xml" | "txt" => (path.to_owned(), plain(std::str::from_utf8(bytes).unwrap())),
            _ => (path.to_owned(), ONLY_THERE.to_owned()),
        };
        texts.insert(format!("site/{}", plain(&name)), text);
    }
    texts
}

/// `app.d79c52f1.css` and `app.css`: a changed style sheet is not another page.
fn without_hash(path: &str) -> Option<(String, String)> {
    let name = path.strip_prefix("static/")?.rsplit('/').next()?;
    let hash = name
        .split('.')
        .find(|part| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((name.to_owned(), name.replacen(&format!(".{hash}"), "", 1)))
}

fn pdf_text(bytes: &[u8]) -> String {
    let document = lopdf::Document::load_mem(bytes).unwrap();
    let pages: Vec<u32> = document.get_pages().keys().copied().collect();
    let text = document.extract_text(&pages).unwrap();
    let lines = text.lines().map(str::trim_end);
    lines.map(|line| format!("{line}\n")).collect()
}

/// The sent mails, each in its parts.
fn mails(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (path, bytes) in files_below(&sandbox.data().join("outbox")) {
        let day = path.split('/').next().unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let to = mail.to().unwrap().first().unwrap().address().unwrap();
        let from = mail.from().unwrap().first().unwrap().address().unwrap();
        let mut head = format!("From: {from}\nTo: {to}\nSubject: {}\n", mail.subject().unwrap());
        for attachment in mail.attachments() {
            let name = attachment.attachment_name().unwrap_or("-");
            let kind = attachment.content_type().unwrap();
            head.push_str(&format!("{name}: {}/{}\n", kind.ctype(), kind.subtype().unwrap()));
        }
        let folder = format!("mail/{day}/{to}");
        let parts = [
            ("head.txt", head),
            ("body.txt", mail.body_text(0).unwrap().replace("\r\n", "\n")),
            ("body.html", mail.body_html(0).unwrap().replace("\r\n", "\n")),
        ];
        texts.extend(parts.map(|(name, text)| (format!("{folder}/{name}"), text)));
    }
    assert_eq!(texts.len(), 3 * RECIPIENTS.len());
    texts
}

fn compare(actual: &BTreeMap<String, String>, folder: &Path) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks for the expected files to be written"
    )]
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        if folder.exists() {
            fs::remove_dir_all(folder).unwrap();
        }
        for (name, text) in actual {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        return;
    }
    let expected: BTreeMap<String, String> = files_below(folder)
        .into_iter()
        .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
        .collect();
    let names: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    let differences: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            let path = PathBuf::from("tests/golden").join(name);
            match (expected.get(name), actual.get(name)) {
                (Some(_), None) => Some(format!("{}: is not made any more", path.display())),
                (None, _) => Some(format!("{}: is made and was not expected", path.display())),
                (Some(expected), Some(actual)) => {
                    first_difference(expected, actual).map(|difference| format!("{}: {difference}", path.display()))
                }
            }
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{}\nif that is meant, UPDATE_GOLDEN=1 writes the expected files anew",
        differences.join("\n")
    );
}

/// The first lines that differ, with their number.
fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut old, mut new, mut number) = (expected.lines(), actual.lines(), 1);
    let short = |line: Option<&str>| line.map_or("(end)".to_owned(), |line| line.chars().take(300).collect());
    loop {
        let (before, after) = (old.next(), new.next());
        if before != after || before.is_none() {
            let (before, after) = (short(before), short(after));
            return Some(format!("line {number}\n  expected {before}\n  but was  {after}"));
        }
        number += 1;
    }
}
