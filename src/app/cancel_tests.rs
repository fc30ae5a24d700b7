//! A run of a job of the program that is no longer wanted ends.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use super::*;
use crate::domain::{cancel::Why, run::Outcome};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
}

const SLOW: &str = "
    [[job]]
    name = \"slow\"
    kind = \"transform\"
    cron = \"0 3 * * *\"
    timeout = \"1s\"
";

/// One statement that takes hours.
const HOURS: &str = "select count(*) as pairs
    from range(100000000) as one (x), range(100000000) as other (y)
    where (x * y) % 7 = 3 and :day is not null";

/// Of an empty database.
fn empty(folder: &tempfile::TempDir, runtime: &tokio::runtime::Runtime) -> App {
    let data = folder.path().display().to_string();
    App::open(
        Cli::parse_from(["deloton", "--data-dir", &data]).settings,
        runtime.handle(),
    )
    .unwrap()
}

#[test]
fn who_waits_to_extract_ends_with_the_run_that_asked_for_it_and_with_the_program() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let app = empty(&folder, &runtime);
    let all = Extract {
        which: jobs::extract::Which::All,
        to: None,
        include_personal: false,
    };
    app.extract(&all, &mut |_, _, _| Ok(())).unwrap();
    let (cancel, schedule) = (Cancel::default(), app.schedule());
    let turn = app.services.extracting.lock().unwrap();
    thread::scope(|scope| {
        let of_run = scope.spawn(|| app.services.extract_again(&schedule, &cancel).is_err());
        app.extract_again_soon();
        let of_program = scope.spawn(|| app.keep_extracting_again());
        thread::sleep(Duration::from_millis(500));
        let waited = !of_run.is_finished() && !of_program.is_finished();
        cancel.raise(Why::TimedOut);
        app.stop_extracting();
        let patience = Instant::now();
        while !(of_run.is_finished() && of_program.is_finished()) && patience.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(10));
        }
        let ended = of_run.is_finished() && of_program.is_finished();
        drop(turn);
        assert!(waited && ended && of_run.join().unwrap());
    });
}

#[test]
fn a_table_that_takes_longer_than_its_timeout_is_interrupted_within_its_statement() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cron.toml"), SLOW).unwrap();
    std::fs::create_dir(path("jobs")).unwrap();
    std::fs::write(path("jobs/slow.sql"), HOURS).unwrap();
    let (data, cron, jobs) = (path("data"), path("cron.toml"), path("jobs"));
    let words = ["deloton", "--data-dir", &data, "--cron", &cron, "--jobs-dir", &jobs];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = App::open(Cli::parse_from(words).settings, runtime.handle()).unwrap();

    let begun = Instant::now();
    let ended = app.runner.run_now("slow", "2026-01-05".parse().unwrap()).unwrap();
    assert_eq!(ended[0].outcome, Outcome::Failed);
    let error = ended[0].error.as_deref().unwrap();
    assert!(
        error.starts_with("took longer than its timeout of 1 s: ") && error.contains("INTERRUPT"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    // The connection that was interrupted is as good as any other.
    assert!(app.store.days_with_rows().unwrap().is_empty());
}
