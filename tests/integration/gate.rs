//! What is not fit to be read is not published, and the site stays as it was.

use std::{fs, path::Path};

use crate::program::{DAYS, Sandbox, files_below};

/// A published site whose next edition has the second day.
fn published() -> Sandbox {
    let sandbox = Sandbox::with_sample();
    sandbox.succeed(&["run", "publish", "--day", DAYS[0]]);
    sandbox.succeed(&["run", "report", "--day", DAYS[1]]);
    sandbox
}

/// Changes a file of the second day's report.
fn change(sandbox: &Sandbox, name: &str, change: impl Fn(String) -> String) {
    let file = sandbox.path(&format!("data/reports/{}/{name}", DAYS[1]));
    let text = fs::read_to_string(&file).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing was changed");
    fs::write(file, changed).unwrap();
}

/// Tries to publish; answers why that failed. Not a byte of the site may be another than before.
fn refused(sandbox: &Sandbox) -> String {
    let site = sandbox.path("data/site");
    let before = files_below(&site);
    let said = sandbox.fail(&["run", "publish", "--day", DAYS[1]]);
    assert!(said.contains("keeps its present edition"), "{said}");
    assert!(files_below(&site) == before, "the site was changed");
    said
}

#[test]
fn a_link_that_leads_nowhere_keeps_the_edition_and_once_mended_it_is_published() {
    let sandbox = published();
    change(&sandbox, "index.html", |page| {
        page.replace("href=\"report.pdf\"", "href=\"rapport.pdf\"")
    });
    let said = refused(&sandbox);
    assert!(said.contains("links to `rapport.pdf`, which does not exist"), "{said}");
    let ledger =
        sandbox.rows("select outcome, error from ops.job_run where job = 'publish' order by started_at desc limit 1");
    assert!(
        ledger[0].contains("failed") && ledger[0].contains("rapport.pdf"),
        "{ledger:?}"
    );

    sandbox.succeed(&["run", "report", "--day", DAYS[1]]);
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    assert!(Path::new(&sandbox.path(&format!("data/site/daily/{}/index.html", DAYS[1]))).exists());
}

#[test]
fn a_page_that_loads_from_elsewhere_is_not_published() {
    let sandbox = published();
    change(&sandbox, "index.html", |page| {
        page.replace(
            "</head>",
            "<script src=\"https://cdn.example/chart.js\"></script></head>",
        )
    });
    let said = refused(&sandbox);
    assert!(
        said.contains("links to `https://cdn.example/chart.js`, which is another host's"),
        "{said}"
    );
}

#[test]
fn a_page_of_an_earlier_version_is_published_with_what_it_loads_also_on_a_new_site() {
    let sandbox = published();
    let style = |page: &str| {
        page.split('"')
            .find(|part| part.contains("static/site."))
            .unwrap()
            .to_owned()
    };
    let static_folder = sandbox.path("data/reports/static");
    let page = fs::read_to_string(sandbox.path(&format!("data/reports/{}/index.html", DAYS[0]))).unwrap();
    let present = style(&page).rsplit('/').next().unwrap().to_owned();
    // As if another version had rendered the first day.
    fs::write(static_folder.join("site.00000000.css"), "body { margin: 0 }").unwrap();
    let path = sandbox.path(&format!("data/reports/{}/index.html", DAYS[0]));
    fs::write(&path, page.replace(&present, "site.00000000.css")).unwrap();
    fs::remove_dir_all(sandbox.path("data/site")).unwrap();
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    for sheet in ["site.00000000.css", &present] {
        assert!(
            Path::new(&sandbox.path(&format!("data/site/static/{sheet}"))).exists(),
            "{sheet}"
        );
    }
}

#[test]
fn a_page_may_lead_to_other_hosts_when_it_is_asked_to() {
    let sandbox = published();
    change(&sandbox, "index.html", |page| {
        page.replace(
            "</main>",
            "<p><a href=\"https://deloton.example/help\">Help</a></p></main>",
        )
    });
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
}

#[test]
fn what_points_to_a_person_is_not_published_and_not_repeated() {
    let sandbox = published();
    let rider = sandbox
        .rows("select forename, surname, street, email_address as mail from rider where street is not null limit 1");
    let rider: serde_json::Value = serde_json::from_str(&rider[0]).unwrap();
    let of = |name: &str| rider[name].as_str().unwrap().to_owned();
    let ride = sandbox.rows("select ride_id::varchar as id from ride limit 1");
    let ride: serde_json::Value = serde_json::from_str(&ride[0]).unwrap();
    let name = format!("{}&#32;{}", of("forename"), of("surname").to_uppercase());
    for (personal, what) in [
        (name, "the name of a rider"),
        (of("street"), "the street of a rider"),
        (of("mail"), "a mail address"),
        (ride["id"].as_str().unwrap().to_owned(), "the id of a ride"),
    ] {
        change(&sandbox, "index.html", |page| {
            page.replace(
                "</main>",
                &format!("<p title=\"{personal}\">Best of the day</p></main>"),
            )
        });
        let said = refused(&sandbox);
        assert!(
            said.contains(&format!("`daily/{}/index.html` has {what}", DAYS[1])),
            "{said}"
        );
        assert!(!said.contains(&of("surname")) && !said.contains(&personal), "{said}");
        sandbox.succeed(&["run", "report", "--day", DAYS[1]]);
    }
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
}

#[test]
fn files_of_a_day_that_say_different_things_are_not_published() {
    let sandbox = published();
    let other = |name: &str| fs::read(sandbox.path(&format!("data/reports/{}/{name}", DAYS[0]))).unwrap();
    let pdf = sandbox.path(&format!("data/reports/{}/report.pdf", DAYS[1]));
    fs::write(&pdf, other("report.pdf")).unwrap();
    let said = refused(&sandbox);
    assert!(
        said.contains(&format!("`report.pdf` of {} does not say `Rides: ", DAYS[1])),
        "{said}"
    );
    assert!(!said.contains("`index.html`"), "only the PDF is wrong: {said}");

    sandbox.succeed(&["run", "report", "--day", DAYS[1]]);
    change(&sandbox, "index.html", |page| page.replace("Energy", "Energy in watts"));
    let said = refused(&sandbox);
    assert!(
        said.contains(&format!("`index.html` of {} does not say `Energy: ", DAYS[1])),
        "{said}"
    );
}

#[test]
fn a_day_whose_json_alone_changed_is_compared_with_its_page() {
    let sandbox = published();
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    change(&sandbox, "report.json", |json| {
        json.replacen("\"value\": ", "\"value\": 7", 1)
    });
    let said = refused(&sandbox);
    assert!(said.contains("`index.html`") && said.contains("`report.pdf`"), "{said}");
}

#[test]
fn a_mail_template_that_contradicts_the_report_is_found_before_the_mail_goes_out() {
    let sandbox = published();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for (name, bytes) in files_below(&shipped) {
        sandbox.write(&format!("templates/{name}"), bytes);
    }
    let body = sandbox.path("templates/email/daily_report/body.txt");
    let text = fs::read_to_string(&body).unwrap();
    fs::write(
        &body,
        text.replace(
            "{{ headline | label }}: {{ headline | figure }}",
            "{{ headline | label }}: 0",
        ),
    )
    .unwrap();
    let said = sandbox.fail(&["run", "publish", "--day", DAYS[1]]);
    assert!(
        said.contains(&format!("`the mail.txt` of {} does not say `Rides: ", DAYS[1])),
        "{said}"
    );
}

#[test]
fn a_page_too_heavy_for_a_phone_is_not_published() {
    let sandbox = published();
    change(&sandbox, "index.html", |page| {
        page.replace("</main>", &format!("<p>{}</p></main>", "heavy ".repeat(20_000)))
    });
    let said = refused(&sandbox);
    assert!(
        said.contains("bytes with its style sheet and its font, of at most 150000"),
        "{said}"
    );
}

#[test]
fn editions_are_listed_and_put_back_from_the_command_line_and_through_a_server() {
    let sandbox = published();
    sandbox.succeed(&["run", "publish", "--day", DAYS[1]]);
    let said = sandbox.succeed(&["site"]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[1].trim_start().starts_with('2') && lines[1].ends_with("what is on the site now"),
        "{said}"
    );

    let pages = || {
        let mut pages = files_below(&sandbox.path("data/site"));
        pages.retain(|(path, _)| !path.starts_with('_'));
        pages
    };
    let second = pages();
    let said = sandbox.succeed(&["site", "rollback", "1"]);
    assert!(said.contains("edition 3 is what edition 1 was"), "{said}");
    assert!(!sandbox.path(&format!("data/site/daily/{}", DAYS[1])).exists());
    assert!(sandbox.fail(&["site", "rollback", "9"]).contains("has no edition 9"));

    let (mut server, address) = sandbox.serve(&["--source", "none"]);
    let said = sandbox.succeed(&["site", "rollback", "2"]);
    assert!(said.contains("edition 4 is what edition 2 was"), "{said}");
    assert!(pages() == second);
    for own in ["_manifest.json", "_editions/1.json", "_lock"] {
        let (status, _) = crate::program::get(&address, &format!("/reports/{own}")).unwrap();
        assert_eq!(status, 404, "{own}");
    }
    server.kill();
    assert!(sandbox.succeed(&["site", "editions"]).contains("edition 2 again"));
}
