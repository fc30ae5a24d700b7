//! What the commands about the schedule write.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{
    backfill::{BackfillArgs, Only, backfill},
    check::{Check, CheckArgs, check},
    output::{Output, Progress},
    plan::{Mails, PlanArgs, plan},
    run::{RunArgs, run},
};
use crate::{
    clock::Clock,
    config::schedule::Schedule,
    domain::run::{JobStatus, Outcome},
    scheduler::{
        Job, Options, Run, Runner,
        plan::{LedgerView, Stream},
    },
    store::{
        Store,
        ledger::{JobRow, LastRun},
    },
};

const SCHEDULE: &str = r#"
    [defaults]
    retries = 0
    [[job]]
    name = "compact"
    kind = "compact"
    cron = "20 0 * * *"
    [[job]]
    name = "report"
    kind = "report"
    after = ["compact"]
    [[job]]
    name = "mail"
    kind = "notify"
    cron = "0 7 * * *"
    after = ["report"]
    catch_up = "last"
    [[job]]
    name = "prune"
    kind = "prune"
    cron = "30 1 * * *"
"#;

fn now() -> DateTime<Utc> {
    "2026-01-06T00:30:00Z".parse().unwrap()
}

/// A runner whose jobs succeed, but for compact of the days in `failing`.
fn runner(folder: &tempfile::TempDir, failing: &Arc<Mutex<Vec<String>>>) -> Runner {
    let schedule = Schedule::parse(SCHEDULE, "cron.toml").unwrap();
    let store = Store::open(folder.path(), Clock::Fixed(now())).unwrap();
    let job = |name: &str| {
        let (failing, fails) = (Arc::clone(failing), name == "compact");
        let job = move |run: &Run| {
            anyhow::ensure!(
                !(fails && failing.lock().unwrap().contains(&run.window.to_string())),
                "the disk is full"
            );
            Ok(JobStatus::done().count("rides", 3))
        };
        (name.to_owned(), Arc::new(job) as Arc<dyn Job>)
    };
    let jobs: BTreeMap<_, _> = schedule.jobs.iter().map(|config| job(&config.name)).collect();
    Runner::new(
        schedule,
        store,
        Clock::Fixed(now()),
        jobs,
        || Stream::CAUGHT_UP,
        Options::default(),
    )
    .unwrap()
}

/// The same, with rides on each of the first five days of January.
fn runner_of_days(folder: &tempfile::TempDir, failing: &Arc<Mutex<Vec<String>>>) -> Runner {
    let store = Store::open(folder.path(), Clock::Fixed(now())).unwrap();
    let rides = "insert into daily.ride (ride_id, business_day, bike_serial, started_at, is_partial, duration_seconds,
        reading_count, energy_kilojoules, dropout_seconds, flagged_readings, alert_count)
        select uuid(), '2026-01-01'::date + day::integer, 'SN0', '2026-01-01T10:00:00Z', false, 9, 9, 1, 0, 0, 0
        from range(5) as days (day)";
    store.connection().unwrap().execute_batch(rides).unwrap();
    runner(folder, failing)
}

fn args(from: &str, to: &str, only: Only) -> BackfillArgs {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    BackfillArgs {
        job: "report".to_owned(),
        from,
        to,
        only,
        dry_run: false,
        reverse: false,
        mail: false,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn written(command: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<()>) -> String {
    let mut out = Vec::new();
    let result = command(&mut out);
    let mut text = String::from_utf8(out).unwrap();
    if let Err(error) = result {
        text += &format!("error: {error:#}\n");
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn run_makes_what_is_missing_and_tells_each_run() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(Mutex::new(vec!["2026-01-01".to_owned()]));
    let runner = runner(&folder, &failing);
    let asked = |job: &str, day: Option<&str>| {
        let args = RunArgs {
            job: job.to_owned(),
            day: day.map(|day| day.parse().unwrap()),
            dry_run: false,
            wait: false,
            no_wait: false,
            mail: false,
        };
        written(|out| run(&args, &runner, out))
    };
    insta::assert_snapshot!(asked("report", None), @r"
    compact                      2026-01-05           done: 3 rides
    report                       2026-01-05           done: 3 rides
    ");
    insta::assert_snapshot!(asked("report", Some("2026-01-01")), @r"
    compact                      2026-01-01           failed
    error: `report` was not run for 2026-01-01: `compact`, which it comes after, failed: the disk is full
    ");
    insta::assert_snapshot!(asked("compact", Some("2026-01-01")), @r"
    compact                      2026-01-01           failed
    error: `compact` failed for 2026-01-01: the disk is full
    ");
}

#[test]
fn a_run_that_nobody_waits_for_is_known_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let runner = runner(&folder, &Arc::default());
    let args = RunArgs {
        job: "report".to_owned(),
        day: Some("2026-01-05".parse().unwrap()),
        dry_run: false,
        wait: false,
        no_wait: true,
        mail: false,
    };
    let text = written(|out| run(&args, &runner, out));
    let id = text.rsplit(' ').next().unwrap().trim().parse().unwrap();
    assert!(
        text.starts_with("report                       2026-01-05           asked for: run "),
        "{text}"
    );
    let until = Instant::now() + Duration::from_secs(20);
    let is_done = || {
        let view = runner.view().unwrap();
        let last = view.last("report", "2026-01-05".parse().unwrap());
        last.is_some_and(|last| last.done.is_some())
    };
    while !is_done() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let store = Store::open(folder.path(), Clock::Fixed(now())).unwrap();
    assert_eq!(store.job_run(id).unwrap().unwrap().job, "report");
}

#[test]
fn run_seals_a_day_again_that_late_rides_came_in_for_before_what_is_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let asked = || {
        let args = RunArgs {
            job: "report".to_owned(),
            day: Some("2026-01-05".parse().unwrap()),
            dry_run: false,
            wait: false,
            no_wait: false,
            mail: false,
        };
        let runner = runner(&folder, &Arc::default());
        written(|out| run(&args, &runner, out))
    };
    let report = "report                       2026-01-05           done: 3 rides\n";
    assert!(asked().starts_with("compact "));
    assert_eq!(asked(), report, "nothing is missing before it");
    let late = "insert into ops.sealed_day values ('2026-01-05', now(), 17, 17, 1);
        insert into ops.changed_day values ('2026-01-05')";
    let store = Store::open(folder.path(), Clock::Fixed(now())).unwrap();
    store.connection().unwrap().execute_batch(late).unwrap();
    drop(store);
    assert_eq!(
        asked(),
        format!("compact                      2026-01-05           done: 3 rides\n{report}")
    );
}

#[test]
fn backfill_does_the_missing_days_and_carries_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(Mutex::new(vec!["2026-01-02".to_owned()]));
    let runner = runner_of_days(&folder, &failing);
    insta::assert_snapshot!(written(|out| backfill(&args("2026-01-01", "2026-01-03", Only::Missing), &runner, out)), @r"
    compact                      2026-01-01           done: 3 rides
    report                       2026-01-01           done: 3 rides
    compact                      2026-01-02           failed: the disk is full
    compact                      2026-01-03           done: 3 rides
    report                       2026-01-03           done: 3 rides
    error: 1 of 3 days failed (2026-01-02); run them again with `deloton backfill report --from 2026-01-01 --to 2026-01-03 --only missing`
    ");
    failing.lock().unwrap().clear();
    let dry = BackfillArgs {
        dry_run: true,
        reverse: true,
        ..args("2026-01-01", "2026-01-04", Only::Missing)
    };
    insta::assert_snapshot!(written(|out| backfill(&dry, &runner, out)), @r"
    compact                      2026-01-04           would run
    report                       2026-01-04           would run
    compact                      2026-01-02           would run
    report                       2026-01-02           would run
    2 days
    ");
    insta::assert_snapshot!(written(|out| backfill(&args("2026-01-01", "2026-01-03", Only::Missing), &runner, out)), @r"
    compact                      2026-01-02           done: 3 rides
    report                       2026-01-02           done: 3 rides
    1 day
    ");
}

#[test]
fn days_without_rides_are_passed_over_unless_all_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let runner = runner_of_days(&folder, &Arc::default());
    let told = |only| written(|out| backfill(&args("2025-12-30", "2026-01-01", only), &runner, out));
    insta::assert_snapshot!(told(Only::Missing), @r"
    compact                      2026-01-01           done: 3 rides
    report                       2026-01-01           done: 3 rides
    1 day; 2 days without rides passed over, `--only all` makes them too
    ");
    assert!(told(Only::All).ends_with("3 days\n"));
}

#[test]
fn a_backfill_says_how_far_it_is() {
    #[derive(Default)]
    struct Watched(Vec<(u64, u64, String)>);
    impl io::Write for Watched {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Output for Watched {
        fn progress(&mut self, Progress { done, all, at, .. }: Progress) {
            self.0.push((done, all, at));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let runner = runner_of_days(&folder, &Arc::default());
    let mut watched = Watched::default();
    backfill(&args("2026-01-01", "2026-01-02", Only::Missing), &runner, &mut watched).unwrap();
    let told = [
        (0, 2, "report 2026-01-01".to_owned()),
        (1, 2, "report 2026-01-02".to_owned()),
        (2, 2, String::new()),
    ];
    assert_eq!(watched.0, told);
}

#[test]
fn the_command_that_a_failed_backfill_names_runs_the_days_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let failing: Arc<Mutex<Vec<String>>> = Arc::default();
    let runner = runner_of_days(&folder, &failing);
    let all = BackfillArgs {
        job: "compact".to_owned(),
        reverse: true,
        ..args("2026-01-01", "2026-01-03", Only::All)
    };
    written(|out| backfill(&all, &runner, out));
    failing.lock().unwrap().push("2026-01-02".to_owned());
    let text = written(|out| backfill(&all, &runner, out));
    let remedy = "`deloton backfill compact --from 2026-01-01 --to 2026-01-03 --only failed --reverse`";
    assert!(text.contains(remedy), "{text}");
    failing.lock().unwrap().clear();
    let failed = BackfillArgs {
        only: Only::Failed,
        ..all
    };
    insta::assert_snapshot!(written(|out| backfill(&failed, &runner, out)), @r"
    compact                      2026-01-02           done: 3 rides
    1 day
    ");
}

#[test]
fn backfill_never_mails_unless_told_and_does_no_unfinished_day() {
    let folder = tempfile::tempdir().unwrap();
    let runner = runner(&folder, &Arc::default());
    let mail = BackfillArgs {
        job: "mail".to_owned(),
        ..args("2026-01-01", "2026-01-01", Only::All)
    };
    assert!(written(|out| backfill(&mail, &runner, out)).contains("say --with-mail"));
    let told = BackfillArgs { mail: true, ..mail };
    assert!(written(|out| backfill(&told, &runner, out)).contains("mail"));
    let today = args("2026-01-05", "2026-01-06", Only::All);
    assert!(written(|out| backfill(&today, &runner, out)).contains("the last finished day is 2026-01-05"));
}

#[test]
fn plan_shows_what_is_due_what_waits_and_which_mail_would_go_out() {
    let folder = tempfile::tempdir().unwrap();
    let runner = runner(&folder, &Arc::default());
    let store = Store::open(folder.path(), Clock::Fixed(now()));
    drop(store);
    let mut view = runner.view().unwrap();
    view.days_with_rows.insert("2026-01-05".parse().unwrap());
    let args = PlanArgs { at: None, until: None };
    let mails = Mails {
        report_to: vec!["ceo@x.example".to_owned()],
        ..Mails::default()
    };
    let text = written(|out| plan(&args, &runner.schedule(), &view, Stream::CAUGHT_UP, &mails, now(), out));
    insta::assert_snapshot!(text, @r"
    at 2026-01-06 00:30:00 GMT

    due now
      compact                      2026-01-05           missed at 2026-01-06 00:20:00 GMT

    waiting
      report                       2026-01-05           waits for compact

    next, until 2026-01-07 00:30:00 GMT
      prune                        2026-01-05           2026-01-06 01:30:00 GMT
      mail                         2026-01-05           2026-01-06 07:00:00 GMT  after report  (a mail goes out)
      compact                      2026-01-06           2026-01-07 00:20:00 GMT
      report                       2026-01-06           2026-01-07 00:20:00 GMT  after compact

    mails
      the report of 2026-01-05 to ceo@x.example (2026-01-06 07:00:00 GMT)
    ");
}

#[test]
fn plan_shows_which_mails_were_sent_which_wait_and_who_is_told_of_failures() {
    let schedule = SCHEDULE.replace("catch_up = \"last\"", "catch_up = \"last\"\ndeadline = \"07:30\"");
    let schedule = Schedule::parse(&schedule, "cron.toml").unwrap();
    let jobs = ["compact", "report", "mail"].map(|job| JobRow {
        job: job.to_owned(),
        first_seen_at: "2026-01-04T12:00:00Z".parse().unwrap(),
        idle_runs: 0,
        last_idle_at: None,
        failures_told_at: None,
        deadlines_told_until: None,
    });
    let view = LedgerView::new(jobs.into(), Vec::new(), now());
    let mails = Mails {
        failures_to: vec!["ops@x.example".to_owned(), "on-call@x.example".to_owned()],
        reported: ["2026-01-06".parse().unwrap()].into(),
        waiting: 2,
        ..Mails::default()
    };
    let args = PlanArgs {
        at: Some("2026-01-06T07:31:00Z".parse().unwrap()),
        until: Some("2026-01-07T12:00:00Z".parse().unwrap()),
    };
    let text = written(|out| plan(&args, &schedule, &view, Stream::CAUGHT_UP, &mails, now(), out));
    let (_, next) = text.split_once("next, until ").unwrap();
    insta::assert_snapshot!(next, @r"
    2026-01-07 12:00:00 GMT
      compact                      2026-01-06           2026-01-07 00:20:00 GMT
      report                       2026-01-06           2026-01-07 00:20:00 GMT  after compact
      prune                        2026-01-06           2026-01-07 01:30:00 GMT
      mail                         2026-01-06           2026-01-07 07:00:00 GMT  after report  by 2026-01-07 07:30:00 GMT

    mails
      the report of 2026-01-05 to nobody, as --mail-to is not set (waits for report)
      the report of 2026-01-06 was mailed and nobody gets it twice; should it have moved past `restate_percent`, they are told
      what went wrong to ops@x.example, on-call@x.example (now): `mail` is late for 2026-01-04; `mail` is late for 2026-01-05
      2 messages in the outbox (with the next run that sends)
    ");
}

#[test]
fn plan_promises_no_mail_of_what_gave_up_and_foretells_the_deadline_that_it_will_miss() {
    let schedule = SCHEDULE.replace("catch_up = \"last\"", "catch_up = \"last\"\ndeadline = \"07:30\"");
    let schedule = Schedule::parse(&schedule, "cron.toml").unwrap();
    let jobs = ["compact", "report", "mail"].map(|job| JobRow {
        job: job.to_owned(),
        first_seen_at: at("2026-01-05T12:00:00Z"),
        idle_runs: 0,
        last_idle_at: None,
        failures_told_at: (job == "compact").then(|| at("2026-01-06T00:22:00Z")),
        deadlines_told_until: None,
    });
    let failed = LastRun {
        job: "compact".to_owned(),
        window: "2026-01-05".parse().unwrap(),
        attempt: 1,
        failures: 1,
        outcome: Outcome::Failed,
        scheduled_at: at("2026-01-06T00:25:00Z"),
        started_at: at("2026-01-06T00:25:00Z"),
        finished_at: Some(at("2026-01-06T00:26:00Z")),
        done_started_at: None,
        done_finished_at: None,
        is_firing: true,
    };
    let view = LedgerView::new(jobs.into(), vec![failed], now());
    let mails = Mails {
        report_to: vec!["ceo@x.example".to_owned()],
        failures_to: vec!["ops@x.example".to_owned()],
        ..Mails::default()
    };
    let args = PlanArgs { at: None, until: None };
    let text = written(|out| plan(&args, &schedule, &view, Stream::CAUGHT_UP, &mails, now(), out));
    let (_, waiting) = text.split_once("waiting\n").unwrap();
    insta::assert_snapshot!(waiting, @r"
      compact                      2026-01-05           failed once, not tried again by itself; run `deloton run compact --day 2026-01-05`
      report                       2026-01-05           waits for compact

    next, until 2026-01-07 00:30:00 GMT
      prune                        2026-01-05           2026-01-06 01:30:00 GMT
      mail                         2026-01-05           2026-01-06 07:00:00 GMT  after report  by 2026-01-06 07:30:00 GMT  (no mail goes out)
      compact                      2026-01-06           2026-01-07 00:20:00 GMT
      report                       2026-01-06           2026-01-07 00:20:00 GMT  after compact

    mails
      the report of 2026-01-05 does not go out: `compact` failed once, not tried again by itself; run `deloton run compact --day 2026-01-05`
      what goes wrong to ops@x.example (2026-01-06 06:22:00 GMT, unless somebody mends it): `compact` failed for 2026-01-05
      what goes wrong to ops@x.example (2026-01-06 07:30:00 GMT, unless somebody mends it): `mail` is late for 2026-01-05
    ");
}

#[test]
fn plan_says_that_a_mail_after_a_disabled_job_does_not_go_out() {
    let told = |disabled: &str, made: &[(&str, Outcome)]| {
        let schedule = SCHEDULE.replace(
            &format!("name = \"{disabled}\""),
            &format!("name = \"{disabled}\"\n    enabled = false"),
        );
        let schedule = Schedule::parse(&schedule, "cron.toml").unwrap();
        let jobs = schedule.jobs.iter().map(|job| JobRow {
            job: job.name.clone(),
            first_seen_at: at("2026-01-05T12:00:00Z"),
            idle_runs: 0,
            last_idle_at: None,
            failures_told_at: None,
            deadlines_told_until: None,
        });
        let ran = made.iter().map(|&(job, outcome)| LastRun {
            job: job.to_owned(),
            window: "2026-01-05".parse().unwrap(),
            attempt: 1,
            failures: 0,
            outcome,
            scheduled_at: at("2026-01-06T00:20:00Z"),
            started_at: at("2026-01-06T00:20:00Z"),
            finished_at: Some(at("2026-01-06T00:21:00Z")),
            done_started_at: Some(at("2026-01-06T00:20:00Z")),
            done_finished_at: Some(at("2026-01-06T00:21:00Z")),
            is_firing: true,
        });
        let view = LedgerView::new(jobs.collect(), ran.collect(), now());
        let mails = Mails::default();
        let args = PlanArgs { at: None, until: None };
        let text = written(|out| plan(&args, &schedule, &view, Stream::CAUGHT_UP, &mails, now(), out));
        text.split_once("mails\n").unwrap().1.to_owned()
    };
    let held =
        "the report of 2026-01-05 does not go out: `report` is disabled; run `deloton run report --day 2026-01-05`";
    assert!(told("report", &[]).contains(held), "{}", told("report", &[]));
    let done = Outcome::Succeeded;
    let made = told("compact", &[("compact", done), ("report", done)]);
    assert!(made.contains("the report of 2026-01-05 to nobody"), "{made}");
}

#[test]
fn firings_of_a_job_that_runs_by_the_minute_are_one_line_with_their_count() {
    let schedule = |catch_up: &str| {
        let text = format!(
            "[[job]]\nname = \"send\"\nkind = \"send\"\ncron = \"* * * * *\"\ncatch_up = \"{catch_up}\"\ncatch_up_window = \"1h\"\n\
             [[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 2 * * *\"\ncatch_up = \"last\"\n"
        );
        Schedule::parse(&text, "cron.toml").unwrap()
    };
    let seen_at: DateTime<Utc> = "2026-01-03T00:00:00Z".parse().unwrap();
    let jobs = ["send", "backup"].map(|job| JobRow {
        job: job.to_owned(),
        first_seen_at: seen_at,
        idle_runs: 0,
        last_idle_at: None,
        failures_told_at: None,
        deadlines_told_until: None,
    });
    let view = LedgerView::new(jobs.into(), Vec::new(), now());
    let told = |catch_up: &str| {
        let args = PlanArgs {
            at: None,
            until: Some("2026-01-06 00:30".parse().unwrap()),
        };
        written(|out| {
            plan(
                &args,
                &schedule(catch_up),
                &view,
                Stream::CAUGHT_UP,
                &Mails::default(),
                now(),
                out,
            )
        })
    };
    insta::assert_snapshot!(told("all"), @r#"
    at 2026-01-06 00:30:00 GMT

    due now
      send                         60 firings           missed at 2026-01-05 23:31:00 GMT, and later
      backup                       2026-01-04           missed at 2026-01-05 02:00:00 GMT

    missed, and not made good
      send                         2026-01-03 00:01:00 GMT to 2026-01-05 23:30:00 GMT (4,290 firings): older than its catch_up_window
      backup                       2026-01-02 to 2026-01-03 (2 days): catch_up = "last": only the newest counts

    next, until 2026-01-06 00:30:00 GMT

    mails
      none
    "#);
    insta::assert_snapshot!(told("last"), @r#"
    at 2026-01-06 00:30:00 GMT

    due now
      send                         2026-01-06 00:30:00 GMT since 2026-01-06 00:30:00 GMT
      backup                       2026-01-04           missed at 2026-01-05 02:00:00 GMT

    missed, and not made good
      send                         2026-01-03 00:01:00 GMT to 2026-01-06 00:29:00 GMT (4,349 firings): catch_up = "last": only the newest counts
      backup                       2026-01-02 to 2026-01-03 (2 days): catch_up = "last": only the newest counts

    next, until 2026-01-06 00:30:00 GMT

    mails
      none
    "#);
}

#[test]
fn a_plan_that_would_end_before_it_begins_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let runner = runner(&folder, &Arc::default());
    let args = PlanArgs {
        at: Some("2026-01-07".parse().unwrap()),
        until: Some("2026-01-06 23:59".parse().unwrap()),
    };
    let (view, mails) = (runner.view().unwrap(), Mails::default());
    let text = written(|out| plan(&args, &runner.schedule(), &view, Stream::CAUGHT_UP, &mails, now(), out));
    assert_eq!(
        text,
        "error: the plan cannot end before it begins: --until is 2026-01-06 23:59:00 GMT, and it begins at 2026-01-07 00:00:00 \
         GMT (--at)\n"
    );
}

#[test]
fn check_goes_on_after_a_schedule_that_is_wrong_and_says_what_dates_a_day_with_a_weekday_means() {
    let checked = |schedule: &str| {
        let sql = Check {
            what: "SQL files",
            run: &|_| Err(vec!["leaderboard.sql: no table `rids`".to_owned()]),
        };
        let schedule = Schedule::parse(schedule, "cron.toml").map_err(anyhow::Error::from);
        written(|out| check(&CheckArgs::default(), schedule, now(), &[sql], out))
    };
    insta::assert_snapshot!(checked("[[job]]\nname = \"backup\"\nkind = \"bakcup\"\ncron = \"@dayly\"\n"), @r"
    schedule: wrong, as is said at the end
    SQL files: 1 wrong
      leaderboard.sql: no table `rids`
    error: 1 thing to put right, listed above, and these: cron.toml has 2 mistakes:
      cron.toml:3:8: `kind`: there is no `bakcup`; did you mean `backup`?
      cron.toml:4:8: `cron`: there is no `@dayly`; did you mean `@daily`?
    ");
    assert!(checked("").starts_with("schedule: no jobs: nothing would ever run"));
    let both = checked("[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 3 1-7 * MON\"\n");
    let dates = "`backup`: `0 3 1-7 * MON` runs on dates that match both its day of month and its day of week, next on \
                 2026-02-02, 2026-03-02, 2026-04-06\n";
    assert!(both.contains(dates), "{both}");
}

#[test]
fn check_names_the_tables_that_come_late_into_the_extracts() {
    let shipped = include_str!("../../cron.toml");
    let checked = |schedule: &str| {
        let schedule = Schedule::parse(schedule, "cron.toml").map_err(anyhow::Error::from);
        written(|out| check(&CheckArgs::default(), schedule, now(), &[], out))
    };
    let late = "`extract` does not wait for it";
    assert!(!checked(shipped).contains(late));
    let mine = "[[job]]\nname = \"mine\"\nkind = \"transform\"\nafter = [\"compact\"]\n";
    let text = checked(&format!("{shipped}\n{mine}"));
    assert!(text.contains(&format!("`mine`: {late}")), "{text}");
    assert_eq!(text.matches(late).count(), 1);
}

#[test]
fn check_tells_every_clock_change_a_job_falls_into_and_what_else_is_wrong() {
    let sql = Check {
        what: "SQL files",
        run: &|_| Ok(9),
    };
    let templates = Check {
        what: "templates",
        run: &|_| Err(vec!["base.html:3: unclosed tag".to_owned()]),
    };
    let schedule = Ok(Schedule::parse(SCHEDULE, "cron.toml").unwrap());
    let text = written(|out| check(&CheckArgs::default(), schedule, now(), &[sql, templates], out));
    insta::assert_snapshot!(text, @r"
    schedule: 4 jobs, fine
    SQL files: 9, fine
    templates: 1 wrong
      base.html:3: unclosed tag
    clock changes until 2029:
      `prune`: 2026-03-29 01:30:00 is skipped in Europe/London: runs once, at 2026-03-29 02:00:00 BST
      `prune`: 2026-10-25 01:30:00 occurs twice in Europe/London: runs once, the first time, at 2026-10-25 01:30:00 BST
      `prune`: 2027-03-28 01:30:00 is skipped in Europe/London: runs once, at 2027-03-28 02:00:00 BST
      `prune`: 2027-10-31 01:30:00 occurs twice in Europe/London: runs once, the first time, at 2027-10-31 01:30:00 BST
      `prune`: 2028-03-26 01:30:00 is skipped in Europe/London: runs once, at 2028-03-26 02:00:00 BST
      `prune`: 2028-10-29 01:30:00 occurs twice in Europe/London: runs once, the first time, at 2028-10-29 01:30:00 BST
    error: 1 thing to put right, listed above
    ");
}

#[test]
fn check_counts_the_times_of_a_job_that_a_clock_change_takes_or_doubles() {
    let text =
        "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0,20,40 1 * * SUN\"\ntimezone = \"Europe/London\"\n";
    let schedule = Ok(Schedule::parse(text, "cron.toml").unwrap());
    let text = written(|out| check(&CheckArgs::default(), schedule, now(), &[], out));
    let lines: Vec<_> = text.lines().skip(2).take(2).collect();
    assert_eq!(
        lines,
        [
            "  `backup`: 2026-03-29 01:00:00 and 2 more until the clocks have changed are skipped in Europe/London: runs \
             once for all of them, at 2026-03-29 02:00:00 BST",
            "  `backup`: 2026-10-25 01:00:00 and 2 more occur twice in Europe/London: runs once for each, the first time, \
             from 2026-10-25 01:00:00 BST on",
        ]
    );
}
