//! After a restore people read what they read before, without anybody doing anything.

use std::{fs, time::Duration};

use crate::program::{DAYS, Sandbox, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

/// The site, without what the publisher keeps for itself.
fn site(sandbox: &Sandbox) -> Vec<(String, String)> {
    let mut site = sandbox.hashes("site");
    site.retain(|(path, _)| !path.starts_with('_'));
    site
}

/// Starts a server and stops it when it has made the site what it is to be.
#[track_caller]
fn serve_until_site_is(sandbox: &Sandbox, expected: &[(String, String)]) {
    let (mut server, _) = sandbox.serve(&["--source", "none", "--mail-to", "ceo@deloton.example"]);
    wait_for(
        "site",
        PATIENCE,
        || server.log(),
        || (site(sandbox) == expected).then_some(()),
    );
    server.signal("TERM");
    server.wait(PATIENCE);
}

#[test]
fn after_a_restore_the_next_start_puts_the_site_back_and_mails_nobody() {
    let original = Sandbox::with_sample();
    for day in DAYS {
        original.succeed(&["run", "notify", "--day", day, "--mail-to", "ceo@deloton.example"]);
    }
    let (site_before, reports) = (site(&original), original.hashes("reports"));
    assert!(!site_before.is_empty());
    let backups = original.path("backups");
    original.succeed(&["backup", "--to", &backups.display().to_string()]);
    let backup = fs::read_dir(backups).unwrap().next().unwrap().unwrap().path();

    let restored = Sandbox::new();
    let said = restored.succeed(&["restore", &backup.display().to_string()]);
    assert!(said.contains("publishes the site again"), "{said}");
    serve_until_site_is(&restored, &site_before);
    assert!(restored.hashes("outbox").is_empty(), "these days were mailed before");

    // The mails themselves are in the database, and what is said of their files is true.
    let list = restored.succeed(&["outbox", "list"]);
    assert_eq!(
        list.matches("no longer there; `show` prints the mail").count(),
        2,
        "{list}"
    );
    let of_report = list.lines().find(|line| line.contains("daily_report")).unwrap();
    let id = of_report.split_whitespace().next().unwrap();
    let mail = restored.succeed(&["outbox", "show", id]);
    assert!(
        mail.contains("Subject: ") && mail.contains("ceo@deloton.example"),
        "{mail}"
    );
    let list = original.succeed(&["outbox", "list"]);
    assert!(!list.contains("no longer there"), "{list}");

    // The same where what can be made again was deleted: reports come from the store.
    for folder in ["site", "reports"] {
        fs::remove_dir_all(restored.data().join(folder)).unwrap();
    }
    serve_until_site_is(&restored, &site_before);
    assert_eq!(restored.hashes("reports"), reports);
    fs::remove_dir_all(restored.data().join("reports").join(DAYS[0])).unwrap();
    restored.succeed(&["run", "publish", "--day", DAYS[1]]);
    assert_eq!(restored.hashes("reports"), reports);
}
