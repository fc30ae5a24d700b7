//! Extracts in Tableau's own format, and without it. `tools/test-tableau` runs what needs `hyperd`, by the name of this module.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    extract::{extracts, made, stamps, text, with_mine},
    program::{DAYS, Sandbox, files_below, skipped},
};

/// Tableau's program, where `make test-tableau` has fetched it.
fn hyperd() -> Option<String> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tableau/lib");
    let pythons = fs::read_dir(&python).into_iter().flatten();
    let programs = pythons.map(|python| {
        let packages = python.unwrap().path().join("site-packages");
        packages.join("tableauhyperapi/bin/hyper/hyperd")
    });
    let found = programs.into_iter().find(|program| program.exists());
    if found.is_none() {
        skipped(&format!(
            "there is no hyperd below `{}`; `make test-tableau` fetches it",
            python.display()
        ));
    }
    found.map(|program| program.display().to_string())
}

/// The files in Tableau's own format, and the data sources over them.
fn hyper(sandbox: &Sandbox) -> Vec<String> {
    let files = files_below(&extracts(sandbox)).into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.ends_with(".hyper") || path.ends_with(".tdsx"))
        .collect()
}

#[test]
fn with_a_hyperd_every_table_is_a_hyper_file_and_what_is_unchanged_is_not_written_again() {
    let Some(hyperd) = hyperd() else { return };
    let sandbox = made();
    // Longer than the whole numbers of that format.
    with_mine(
        &sandbox,
        "select sum(9223372036854775807) as added from ride where business_day = :day",
    );
    sandbox.succeed(&["run", "mine", "--day", DAYS[0]]);
    sandbox.succeed(&["extract", "--hyperd", &hyperd]);
    let written = hyper(&sandbox);
    for table in ["rides", "leaderboard", "riders", "daily_totals", "mine"] {
        for ending in ["hyper", "tdsx"] {
            assert!(
                written.contains(&format!("tableau/{table}.{ending}")),
                "{table}: {written:?}"
            );
        }
    }
    let before = stamps(&sandbox);
    let said = sandbox.succeed(&["extract", "--hyperd", &hyperd]);
    assert!(said.starts_with("nothing is new"), "{said}");
    sandbox.succeed(&["extract", "--day", DAYS[0], "--hyperd", &hyperd]);
    let after = stamps(&sandbox);
    assert_eq!(
        after["tableau/rides.hyper"], before["tableau/rides.hyper"],
        "the same rows once more"
    );
}

#[test]
fn without_a_hyperd_a_line_says_what_to_install_and_nothing_is_left_that_nobody_keeps_up_to_date() {
    let sandbox = made();
    let files = ["tableau/rides.hyper", "tableau/rides.tdsx"];
    let mut manifest: serde_json::Value = serde_json::from_str(&text(&sandbox, "manifest.json")).unwrap();
    // As one with a hyperd leaves it.
    for path in files {
        fs::write(extracts(&sandbox).join(path), "").unwrap();
        manifest["files"][path] = manifest["files"]["tableau/riders.csv"].clone();
    }
    fs::write(extracts(&sandbox).join("manifest.json"), manifest.to_string()).unwrap();
    let said = sandbox.succeed(&["extract"]);
    assert!(said.contains("pip install tableauhyperapi"), "{said}");
    assert_eq!(hyper(&sandbox), [""; 0]);
}

#[test]
fn of_a_table_that_is_left_out_there_is_no_hyper_file_either() {
    let Some(hyperd) = hyperd() else { return };
    let sandbox = Sandbox::with_sample();
    let cron = with_mine(
        &sandbox,
        "select 1::hugeint as large from ride where business_day = :day",
    );
    sandbox.succeed(&["run", "mine", "--day", DAYS[0], "--cron", &cron]);
    sandbox.succeed(&["extract", "--cron", &cron, "--hyperd", &hyperd]);
    let of_mine = || {
        hyper(&sandbox)
            .into_iter()
            .filter(|path| path.contains("/mine."))
            .count()
    };
    assert_eq!(of_mine(), 2);
    // More than any type of a file holds.
    let too_large = "update historical.mine set large = 170141183460469231731687303715884105727";
    sandbox.store().connection().unwrap().execute_batch(too_large).unwrap();
    let said = sandbox.fail(&["extract", "--cron", &cron, "--hyperd", &hyperd]);
    assert!(said.contains("`mine` ("), "{said}");
    assert_eq!(of_mine(), 0);
    assert!(hyper(&sandbox).contains(&"tableau/riders.hyper".to_owned()));
}

#[test]
fn a_hyperd_that_dies_is_started_again_for_the_next_table() {
    let Some(hyperd) = hyperd() else { return };
    let sandbox = made();
    // The first one is killed with the first file that it has begun.
    let dying = sandbox.write(
        "hyperd",
        format!(
            "#!/bin/sh\n\
             if mkdir '{folder}/died' 2>/dev/null; then\n\
             (while kill -0 $$ && ! [ -e '{aside}'/.hyper*/made.hyper ]; do sleep 0.001; done; kill -KILL $$) >/dev/null 2>&1 &\n\
             fi\n\
             exec '{hyperd}' \"$@\"\n",
            folder = sandbox.path("").display(),
            aside = extracts(&sandbox).join("_aside/tableau").display(),
        ),
    );
    fs::set_permissions(&dying, fs::Permissions::from_mode(0o755)).unwrap();
    let said = sandbox.fail(&["extract", "--hyperd", &dying]);
    assert_eq!(said.matches(".hyper` (").count(), 1, "{said}");
    let written = hyper(&sandbox);
    assert!(written.len() > 10, "{written:?}");
}
