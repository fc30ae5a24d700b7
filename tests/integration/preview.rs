//! `deloton report preview`: what whoever edits templates sees, and when.

use std::{fs, path::Path, time::Duration};

use crate::program::{DAYS, Running, Sandbox, free_address, get, wait_for};

fn start(sandbox: &Sandbox, more: &[&str]) -> (Running, String) {
    let address = free_address();
    let running = sandbox.start(&[&["report", "preview", "--listen", &address], more].concat());
    wait_for(
        "preview",
        Duration::from_secs(30),
        || running.log(),
        || get(&address, "/state"),
    );
    (running, address)
}

/// How the preview stands.
fn state(address: &str) -> serde_json::Value {
    let (status, text) = get(address, "/state").unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A part's version and what is in it.
fn part(address: &str, name: &str) -> (String, String) {
    let part = &state(address)["parts"][name];
    let text = |key: &str| part[key].as_str().unwrap_or_else(|| panic!("no `{name}`")).to_owned();
    let (status, content) = get(address, &format!("/{}", text("path"))).unwrap();
    assert_eq!(status, 200, "{content}");
    (text("version"), content)
}

/// Copies the templates of the repository into the sandbox.
fn copy_templates(sandbox: &Sandbox) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for (name, bytes) in crate::program::files_below(&own) {
        sandbox.write(&format!("own/{name}"), bytes);
    }
}

#[test]
fn an_edited_template_is_seen_a_broken_one_is_told_of_and_a_mended_one_is_seen_again() {
    let sandbox = Sandbox::new();
    copy_templates(&sandbox);
    let page = sandbox.path("own/report/daily.html");
    let original = fs::read_to_string(&page).unwrap();
    let (_preview, address) = start(&sandbox, &["--templates-dir", "own", "--sample", "ordinary"]);
    assert_eq!(state(&address)["problems"], serde_json::json!([]));
    let (first, html) = part(&address, "page");
    assert!(html.contains("Tuesday 4 March 2025"), "{html}");
    let pdf_version = state(&address)["parts"]["pdf"]["version"].clone();

    let edited = original.replace("<h2>Other figures</h2>", "<h2>What else there is</h2>");
    assert_ne!(edited, original);
    fs::write(&page, &edited).unwrap();
    let (second, html) = part(&address, "page");
    assert_ne!(first, second);
    assert!(html.contains("What else there is"), "{html}");
    // What does not depend on it is not reloaded.
    assert_eq!(state(&address)["parts"]["pdf"]["version"], pdf_version);

    let line = edited
        .lines()
        .position(|line| line.contains("What else there is"))
        .unwrap()
        + 1;
    fs::write(&page, edited.replace("What else there is", "{{ no_such_thing }}")).unwrap();
    let broken = state(&address);
    let problem = &broken["problems"][0];
    assert!(
        problem["file"].as_str().unwrap().ends_with("report/daily.html"),
        "{broken}"
    );
    assert_eq!(problem["line"], line);
    assert!(
        problem["text"].as_str().unwrap().contains("{{ no_such_thing }}"),
        "{broken}"
    );
    assert!(
        problem["message"].as_str().unwrap().contains("no_such_thing"),
        "{broken}"
    );
    // The page is still the one before, and the mail, which does not need it, is there.
    assert_eq!(part(&address, "page"), (second.clone(), html));
    assert!(part(&address, "mail").1.contains("Tuesday 4 March 2025"));

    // One that cannot even be parsed is no different.
    fs::write(&page, edited.replace("What else there is", "{% if %}")).unwrap();
    assert_eq!(state(&address)["problems"][0]["line"], line);

    fs::write(&page, &edited).unwrap();
    assert_eq!(state(&address)["problems"], serde_json::json!([]));
    assert_eq!(part(&address, "page").0, second);
}

#[test]
fn the_mail_is_shown_with_its_image_its_subject_and_its_text() {
    let sandbox = Sandbox::new();
    copy_templates(&sandbox);
    let (_preview, address) = start(&sandbox, &["--templates-dir", "own"]);
    let (version, html) = part(&address, "mail");
    assert!(html.contains("src=\"chart.png\"") && !html.contains("cid:"), "{html}");
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut image = agent.get(format!("http://{address}/mail/chart.png")).call().unwrap();
    assert_eq!(image.headers()["content-type"], "image/png");
    assert!(image.body_mut().read_to_vec().unwrap().starts_with(b"\x89PNG"));
    let subject = state(&address)["subject"].as_str().unwrap().to_owned();
    assert!(subject.contains("3,412 rides"), "{subject}");
    assert!(part(&address, "text").1.contains("Rides: 3,412"));

    fs::write(sandbox.path("own/email/daily_report/subject.txt"), "Another subject").unwrap();
    assert_eq!(state(&address)["subject"], "Another subject");
    assert_eq!(part(&address, "mail").0, version, "the body is the same");
}

#[test]
fn a_reported_day_is_shown_while_a_server_has_its_database() {
    let sandbox = Sandbox::with_sample();
    let day = DAYS[1];
    sandbox.succeed(&["run", "report", "--day", day]);
    let (_server, _) = sandbox.serve(&["--source", "none"]);
    let (_preview, address) = start(&sandbox, &["--day", day]);
    assert_eq!(state(&address)["what"], "Wednesday 6 May 2026");
    let made = fs::read_to_string(sandbox.data().join(format!("reports/{day}/rides-per-hour.csv"))).unwrap();
    let shown = get(&address, &format!("/daily/{day}/rides-per-hour.csv")).unwrap();
    assert_eq!(shown, (200, made));
    // A sheet of the page is there under the name that the page gives it.
    let (_, html) = part(&address, "page");
    let sheet = html
        .split("href=\"../../static/site.")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let (status, css) = get(&address, &format!("/static/site.{sheet}")).unwrap();
    assert!(status == 200 && css.contains(".tiles"), "{css}");
}

#[test]
fn what_cannot_be_previewed_is_refused_with_what_to_do() {
    let sandbox = Sandbox::new();
    let refused = sandbox.fail(&["report", "preview", "--day", DAYS[0]]);
    assert!(
        refused.contains(&format!("deloton run report --day {}", DAYS[0])),
        "{refused}"
    );
    let refused = sandbox.fail(&["report", "preview", "--sample", "list"]);
    for name in ["ordinary", "empty", "one-ride", "restated"] {
        assert!(refused.contains(name), "{refused}");
    }
    let refused = sandbox.fail(&["report", "preview", "--templates-dir", "nowhere"]);
    assert!(
        refused.contains("`nowhere`") && refused.contains("--templates-dir"),
        "{refused}"
    );
    let refused = sandbox.fail(&["report", "preview", "--listen", "0.0.0.0:8090"]);
    assert!(
        refused.contains("refusing") && refused.contains("127.0.0.1:8090"),
        "{refused}"
    );
}
