//! The plan as a table of cases in the language of `case.rs`. What must come of a case:
//!
//! ```text
//! due JOB WINDOW REASON [xN]
//! wait JOB WINDOW: on what
//! ```

use chrono::{NaiveDate, TimeDelta};

use super::{
    case::{Case, expect, instant},
    *,
};

const CHAIN: &str = r#"
    [[job]]
    name = "compact"
    kind = "compact"
    cron = "20 0 * * *"
    [[job]]
    name = "totals"
    kind = "transform"
    after = ["compact"]
    [[job]]
    name = "report"
    kind = "report"
    after = ["totals"]
    [[job]]
    name = "mail"
    kind = "notify"
    cron = "0 7 * * *"
    after = ["report"]
    catch_up = "last"
    catch_up_window = "1d"
"#;

const COMPACT: &str = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\n";

#[track_caller]
fn case(schedule: &str, text: &str) {
    expect(schedule, text, planned);
}

fn planned(case: &Case) -> Vec<String> {
    let plan = plan(&case.schedule, &case.view, case.stream, case.now);
    let due = plan.due.iter().map(|due| {
        let tries = if due.attempt > 1 {
            format!(" x{}", due.attempt)
        } else {
            String::new()
        };
        format!("due {} {} {}{tries}", due.job, due.window, due.reason.name())
    });
    due.chain(
        plan.waiting
            .iter()
            .map(|w| format!("wait {} {}: {}", w.job, w.window, w.on)),
    )
    .collect()
}

#[test]
fn a_firing_is_about_the_day_that_ended_last() {
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        now 2026-01-06T00:19:59Z
        =>",
    );
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        now 2026-01-06T00:20:00Z
        =>
        due compact 2026-01-05 schedule
        wait totals 2026-01-05: waits for compact
        wait report 2026-01-05: waits for totals",
    );
}

#[test]
fn the_chain_follows_link_by_link_and_the_mail_waits_for_its_hour() {
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        now 2026-01-06T00:30:00Z
        =>
        due totals 2026-01-05 schedule
        wait report 2026-01-05: waits for totals",
    );
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        ok totals 2026-01-05 2026-01-06T00:21:00Z
        ok report 2026-01-05 2026-01-06T00:22:00Z
        now 2026-01-06T06:59:59Z
        =>",
    );
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        ok totals 2026-01-05 2026-01-06T00:21:00Z
        ok report 2026-01-05 2026-01-06T00:22:00Z
        now 2026-01-06T07:00:00Z
        =>
        due mail 2026-01-05 schedule",
    );
}

#[test]
fn cron_and_after_are_due_when_both_hold() {
    case(
        CHAIN,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        ok totals 2026-01-05 2026-01-06T00:21:00Z
        now 2026-01-06T07:30:00Z
        =>
        due report 2026-01-05 schedule
        wait mail 2026-01-05: waits for report",
    );
}

#[test]
fn the_first_sight_starts_a_history_but_days_with_rows_are_covered_however_old() {
    case(
        CHAIN,
        "seen 2026-01-06T09:00:00Z
        rows 2024-02-29 2026-01-05 2026-01-06
        now 2026-01-06T09:00:00Z
        =>
        due compact 2024-02-29 catch_up
        due compact 2026-01-05 catch_up
        wait totals 2024-02-29: waits for compact
        wait report 2024-02-29: waits for totals
        wait totals 2026-01-05: waits for compact
        wait report 2026-01-05: waits for totals",
    );
    // A table added later covers what was compacted before; a mail added later mails nothing old.
    case(
        CHAIN,
        "seen 2026-01-01T09:00:00Z
        seen 2026-01-06T09:00:00Z totals
        seen 2026-01-06T09:00:00Z mail
        ok compact 2026-01-04..2026-01-05 2026-01-05T00:20:00Z
        up 2026-01-06T09:00:00Z
        now 2026-01-06T09:00:00Z
        =>
        due compact 2026-01-01 catch_up
        due compact 2026-01-02 catch_up
        due compact 2026-01-03 catch_up
        due totals 2026-01-04 catch_up
        due totals 2026-01-05 catch_up
        wait totals 2026-01-01: waits for compact
        wait report 2026-01-01: waits for totals
        wait totals 2026-01-02: waits for compact
        wait report 2026-01-02: waits for totals
        wait totals 2026-01-03: waits for compact
        wait report 2026-01-03: waits for totals
        wait report 2026-01-04: waits for totals
        wait report 2026-01-05: waits for totals",
    );
}

#[test]
fn a_day_with_rows_waits_for_the_firing_after_its_end() {
    case(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        rows 2026-01-05
        now 2026-01-06T00:17:00Z
        =>",
    );
}

#[test]
fn a_day_waits_for_late_lines_and_for_ingest() {
    let at_midnight = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"@daily\"\n";
    case(
        at_midnight,
        "seen 2026-01-05T12:00:00Z
        now 2026-01-06T00:00:00Z
        =>
        wait compact 2026-01-05: the day is not finished before 2026-01-06T00:15:00Z",
    );
    case(
        at_midnight,
        "seen 2026-01-05T12:00:00Z
        stream 2026-01-05T23:59:59Z
        now 2026-01-06T00:15:00Z
        =>
        wait compact 2026-01-05: ingest has read up to 2026-01-05T23:59:59Z, the day ends at 2026-01-06T00:00:00Z",
    );
    case(
        at_midnight,
        "seen 2026-01-05T12:00:00Z
        stream 2026-01-06T00:00:00Z
        now 2026-01-06T00:15:00Z
        =>
        due compact 2026-01-05 schedule",
    );
}

#[test]
fn what_was_made_before_the_day_was_over_is_made_again() {
    case(
        CHAIN,
        "seen 2026-01-05T10:00:00Z
        ok compact 2026-01-05 2026-01-05T16:00:00Z
        now 2026-01-05T17:00:00Z
        =>",
    );
    case(
        CHAIN,
        "seen 2026-01-05T10:00:00Z
        ok compact 2026-01-05 2026-01-05T16:00:00Z
        ok totals 2026-01-05 2026-01-05T16:02:00Z
        now 2026-01-06T00:20:00Z
        =>
        due compact 2026-01-05 schedule
        wait totals 2026-01-05: waits for compact
        wait report 2026-01-05: waits for totals",
    );
}

#[test]
fn catch_up_says_which_missed_firings_are_made_good() {
    let backup = |policy: &str| {
        format!(
            "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 2 * * *\"\ncatch_up = \"{policy}\"\ncatch_up_window = \"3d\"\n"
        )
    };
    let given = "seen 2026-01-01T12:00:00Z
        ok backup 2026-01-01 2026-01-02T02:00:00Z
        up 2026-01-09T12:00:00Z
        now 2026-01-09T12:00:00Z
        => ";
    case(
        &backup("all"),
        &format!(
            "{given}
        due backup 2026-01-06 catch_up
        due backup 2026-01-07 catch_up
        due backup 2026-01-08 catch_up"
        ),
    );
    case(
        &backup("last"),
        &format!(
            "{given}
        due backup 2026-01-08 catch_up"
        ),
    );
    case(&backup("none"), given);
    let awake = "seen 2026-01-01T12:00:00Z
        up 2026-01-09T01:59:59Z
        now 2026-01-09T02:00:00Z
        =>
        due backup 2026-01-08 schedule";
    case(&backup("none"), awake);
}

#[test]
fn after_a_week_off_every_day_is_reported_and_one_mail_goes_out() {
    case(
        CHAIN,
        "seen 2026-01-01T12:00:00Z
        ok compact 2026-01-01..2026-01-03 2026-01-02T00:20:00Z
        ok totals 2026-01-01..2026-01-03 2026-01-02T00:21:30Z
        ok report 2026-01-01..2026-01-03 2026-01-02T00:23:00Z
        up 2026-01-05T12:00:00Z
        now 2026-01-05T12:00:00Z
        =>
        due compact 2026-01-04 catch_up
        wait totals 2026-01-04: waits for compact
        wait report 2026-01-04: waits for totals
        wait mail 2026-01-04: waits for report",
    );
}

#[test]
fn a_failure_is_tried_again_and_then_left_to_a_person() {
    let retrying = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\nretries = 2\n\
        backoff = { initial = \"1s\", max = \"10m\" }\n[[job]]\nname = \"totals\"\nkind = \"transform\"\nafter = [\"compact\"]\n";
    case(
        retrying,
        "seen 2026-01-05T12:00:00Z
        failed compact 2026-01-05 2026-01-06T00:20:00Z
        now 2026-01-06T00:21:01Z
        =>
        due compact 2026-01-05 retry x2
        wait totals 2026-01-05: waits for compact",
    );
    case(
        retrying,
        "seen 2026-01-05T12:00:00Z
        failed compact 2026-01-05 2026-01-06T00:20:00Z x3
        now 2026-01-06T12:00:00Z
        =>
        wait compact 2026-01-05: failed 3 times, not tried again by itself
        wait totals 2026-01-05: waits for compact",
    );
}

#[test]
fn a_failure_waits_before_it_is_tried_again_within_its_bound() {
    let compact = &Schedule::parse(COMPACT, "cron.toml").unwrap().jobs[0];
    let waits: Vec<_> = (1..40)
        .map(|day| {
            let window = Window::Day(NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::Days::new(day));
            let (first, third) = (backoff(compact, window, 1), backoff(compact, window, 3));
            assert!(first >= TimeDelta::zero() && first <= TimeDelta::seconds(30), "{first}");
            assert!(third <= TimeDelta::seconds(120), "{third}");
            assert!(backoff(compact, window, 90) <= TimeDelta::minutes(30));
            first
        })
        .collect();
    let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(
        *shortest < TimeDelta::seconds(8) && *longest > TimeDelta::seconds(22),
        "jitter is full: {shortest} {longest}"
    );
}

#[test]
fn failure_of_one_stops_only_what_comes_after_it() {
    let two =
        format!("{CHAIN}\n[[job]]\nname = \"cities\"\nkind = \"transform\"\nafter = [\"compact\"]\nretries = 0\n");
    case(
        &two,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        failed cities 2026-01-05 2026-01-06T00:21:00Z
        now 2026-01-06T01:00:00Z
        =>
        due totals 2026-01-05 schedule
        wait report 2026-01-05: waits for totals
        wait cities 2026-01-05: failed once, not tried again by itself",
    );
}

#[test]
fn a_run_cut_short_is_due_again() {
    case(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        abandoned compact 2026-01-05 2026-01-06T00:20:00Z
        now 2026-01-06T00:21:00Z
        =>
        due compact 2026-01-05 abandoned x2",
    );
}

#[test]
fn a_run_cut_short_costs_no_try_and_comes_slower_each_time() {
    case(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        abandoned compact 2026-01-05 2026-01-06T00:20:00Z x3
        failed compact 2026-01-05 2026-01-06T00:30:00Z x4
        now 2026-01-06T12:00:00Z
        =>
        due compact 2026-01-05 retry x5",
    );
    case(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        abandoned compact 2026-01-05 2026-01-06T00:20:00Z x3
        failed compact 2026-01-05 2026-01-06T00:30:00Z x4
        abandoned compact 2026-01-05 2026-01-06T00:40:00Z x5
        failed compact 2026-01-05 2026-01-06T00:50:00Z x6
        failed compact 2026-01-05 2026-01-06T01:00:00Z x7
        failed compact 2026-01-05 2026-01-06T01:10:00Z x8
        now 2026-01-06T12:00:00Z
        =>
        wait compact 2026-01-05: failed 4 times, not tried again by itself",
    );
    let case = Case::read(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        abandoned compact 2026-01-05 2026-01-06T00:20:00Z x3
        now 2026-01-06T00:21:00Z",
    );
    let plan = plan(&case.schedule, &case.view, case.stream, case.now);
    assert!(
        matches!(plan.waiting[0].on, WaitingOn::CutShort { at, times: 3 } if at > case.now),
        "{plan:?}"
    );
}

#[test]
fn a_running_window_is_not_started_twice() {
    case(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        running compact 2026-01-05 2026-01-06T00:20:00Z
        now 2026-01-06T00:21:00Z
        =>
        wait compact 2026-01-05: running since 2026-01-06T00:20:00Z",
    );
}

#[test]
fn a_day_made_again_runs_its_chain_again_but_never_mails_twice() {
    let done = "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        ok totals 2026-01-05 2026-01-06T00:22:00Z
        ok report 2026-01-05 2026-01-06T00:24:00Z
        ok mail 2026-01-05 2026-01-06T07:00:00Z";
    case(
        CHAIN,
        &format!(
            "{done}
        now 2026-01-06T09:00:00Z
        =>"
        ),
    );
    case(
        CHAIN,
        &format!(
            "{done}
        ok compact 2026-01-05 2026-01-06T08:00:00Z
        now 2026-01-06T09:00:00Z
        =>
        due totals 2026-01-05 restate
        wait report 2026-01-05: waits for totals"
        ),
    );
    case(
        CHAIN,
        &format!(
            "{done}
        ok compact 2026-01-05 2026-01-06T08:00:00Z
        ok totals 2026-01-05 2026-01-06T08:02:00Z
        now 2026-01-06T09:00:00Z
        =>
        due report 2026-01-05 restate"
        ),
    );
    case(
        CHAIN,
        &format!(
            "{done}
        ok compact 2026-01-05 2026-01-06T08:00:00Z
        ok totals 2026-01-05 2026-01-06T08:02:00Z
        ok report 2026-01-05 2026-01-06T08:04:00Z
        now 2026-01-06T09:00:00Z
        =>"
        ),
    );
}

#[test]
fn a_mail_that_looks_again_is_due_when_its_day_was_made_again_unless_that_is_long_past() {
    let looks = CHAIN.replace(
        "kind = \"notify\"",
        "kind = \"notify\"\n    params = { restate_percent = 10 }",
    );
    let given = |now: &str| {
        format!(
            "seen 2026-01-05T12:00:00Z
            ok compact 2026-01-05 2026-01-06T00:20:00Z
            ok totals 2026-01-05 2026-01-06T00:22:00Z
            ok mail 2026-01-05 2026-01-06T07:00:00Z
            ok report 2026-01-05 2026-01-06T09:00:00Z
            now {now}
            =>"
        )
    };
    case(
        &looks,
        &(given("2026-01-06T09:02:00Z") + "\ndue mail 2026-01-05 restate"),
    );
    case(CHAIN, &given("2026-01-06T09:02:00Z"));
    let plan = |now: &str| planned(&Case::read(&looks, given(now).trim_end_matches("=>")));
    let about_the_day = |plan: Vec<String>| plan.iter().any(|line| line.contains("mail 2026-01-05"));
    assert!(about_the_day(plan("2026-01-12T23:00:00Z")) && !about_the_day(plan("2026-01-13T00:01:00Z")));
}

#[test]
fn late_rides_for_a_sealed_day_seal_it_again_at_the_next_firing() {
    let given = "seen 2026-01-04T12:00:00Z
        ok compact 2026-01-04..2026-01-05 2026-01-05T00:20:00Z
        late 2026-01-04";
    case(
        COMPACT,
        &format!(
            "{given}
        now 2026-01-06T00:19:00Z
        =>"
        ),
    );
    case(
        COMPACT,
        &format!(
            "{given}
        now 2026-01-06T00:22:00Z
        =>
        due compact 2026-01-04 restate"
        ),
    );
    // Sealed again, and late still: not before the next firing, so that nothing turns in circles.
    case(
        COMPACT,
        &format!(
            "{given}
        ok compact 2026-01-04 2026-01-06T00:22:00Z
        now 2026-01-06T12:00:00Z
        =>"
        ),
    );
}

#[test]
fn days_are_made_once_each_across_clock_changes() {
    for (zone, cron) in [
        ("Europe/London", "30 1 * * *"),
        ("America/New_York", "30 2 * * *"),
        ("America/New_York", "0 19 * * *"),
    ] {
        let schedule =
            format!("[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"{cron}\"\ntimezone = \"{zone}\"\n");
        let schedule = Schedule::parse(&schedule, "cron.toml").unwrap();
        let job = &schedule.jobs[0];
        let (from, until) = (instant("2026-01-01T12:00:00Z"), instant("2027-01-01T12:00:00Z"));
        let fired = calendar::firings(&schedule.day, job, job.cron.as_ref().unwrap(), from, until);
        let mut days: Vec<_> = fired.iter().map(|(window, _)| window.day().unwrap()).collect();
        days.dedup();
        let all: Vec<_> = days[0].iter_days().take(days.len()).collect();
        assert_eq!(days, all, "{cron} in {zone}");
        assert!(days.len() >= 365);
    }
}

/// A report of each week, made of the days' totals, and what follows it.
const WEEKLY: &str = r#"
    [[job]]
    name = "compact"
    kind = "compact"
    cron = "20 0 * * *"
    [[job]]
    name = "totals"
    kind = "transform"
    after = ["compact"]
    [[job]]
    name = "weekly"
    kind = "report"
    every = "week"
    cron = "0 6 * * MON"
    after = ["totals"]
    [[job]]
    name = "site"
    kind = "publish"
    every = "week"
    after = ["weekly"]
"#;

#[test]
fn a_week_is_made_at_the_first_firing_after_its_last_day_is() {
    // The week of Monday, 5 to Sunday, 11 January.
    let given = |days: &str, now: &str| {
        format!(
            "seen 2026-01-05T00:30:00Z
            ok compact {days} 2026-01-06T00:20:00Z
            ok totals {days} 2026-01-06T00:22:00Z
            now {now}
            =>"
        )
    };
    case(WEEKLY, &given("2026-01-05..2026-01-10", "2026-01-11T12:00:00Z"));
    case(WEEKLY, &given("2026-01-05..2026-01-11", "2026-01-12T05:59:59Z"));
    case(
        WEEKLY,
        &(given("2026-01-05..2026-01-11", "2026-01-12T06:00:00Z")
            + "due weekly 2026-W02 schedule
            wait site 2026-W02: waits for weekly"),
    );
    case(
        WEEKLY,
        &(given("2026-01-05..2026-01-10", "2026-01-12T06:00:00Z")
            + "due compact 2026-01-11 schedule
            wait totals 2026-01-11: waits for compact
            wait weekly 2026-W02: waits for totals
            wait site 2026-W02: waits for weekly"),
    );
}

#[test]
fn a_week_waits_for_its_end_and_for_the_firing_that_seals_its_last_day() {
    let early = WEEKLY.replace("0 6 * * MON", "5 0 * * MON");
    let given = |now: &str| {
        format!(
            "seen 2026-01-05T00:30:00Z
            ok compact 2026-01-05..2026-01-10 2026-01-06T00:20:00Z
            ok totals 2026-01-05..2026-01-10 2026-01-06T00:22:00Z
            now {now}
            =>"
        )
    };
    case(
        &early,
        &(given("2026-01-12T00:10:00Z")
            + "wait weekly 2026-W02: the week is not finished before 2026-01-12T00:15:00Z
            wait site 2026-W02: the week is not finished before 2026-01-12T00:15:00Z"),
    );
    case(
        &early,
        &(given("2026-01-12T00:16:00Z")
            + "wait weekly 2026-W02: waits for totals
            wait site 2026-W02: waits for weekly"),
    );
}

#[test]
fn a_week_is_made_of_the_days_there_are_and_again_when_one_of_them_is() {
    let given = "seen 2026-01-12T05:00:00Z
        ok compact 2026-01-07 2026-01-12T05:10:00Z
        ok totals 2026-01-07 2026-01-12T05:12:00Z";
    case(
        WEEKLY,
        &format!(
            "{given}
            now 2026-01-12T06:00:00Z
            =>
            due weekly 2026-W02 schedule
            wait site 2026-W02: waits for weekly"
        ),
    );
    let done = format!(
        "{given}
        ok weekly 2026-W02 2026-01-12T06:00:00Z
        ok site 2026-W02 2026-01-12T06:02:00Z"
    );
    case(WEEKLY, &format!("{done}\nnow 2026-01-12T09:00:00Z\n=>"));
    case(
        WEEKLY,
        &format!(
            "{done}
            ok totals 2026-01-07 2026-01-12T08:00:00Z
            now 2026-01-12T09:00:00Z
            =>
            due weekly 2026-W02 restate
            wait site 2026-W02: waits for weekly"
        ),
    );
    // Nothing was made of any of its days: there is nothing to report.
    case(
        WEEKLY,
        "seen 2026-01-12T05:00:00Z
        now 2026-01-12T06:00:00Z
        =>",
    );
}

#[test]
fn weeks_and_months_of_days_that_have_rows_are_made_however_old() {
    let given = "seen 2026-01-14T09:00:00Z
        rows 2022-07-07
        ok compact 2022-07-07 2026-01-14T09:00:00Z
        ok totals 2022-07-07 2026-01-14T09:02:00Z
        now 2026-01-14T09:05:00Z
        =>";
    case(
        WEEKLY,
        &format!(
            "{given}
            due weekly 2022-W27 catch_up
            wait site 2022-W27: waits for weekly"
        ),
    );
    let monthly = WEEKLY.replace("week\"", "month\"").replace("0 6 * * MON", "0 6 1 * *");
    case(
        &monthly,
        &format!(
            "{given}
            due weekly 2022-07 catch_up
            wait site 2022-07: waits for weekly"
        ),
    );
}

#[test]
fn a_week_that_failed_is_tried_again_and_missed_weeks_are_told() {
    case(
        WEEKLY,
        "seen 2026-01-11T12:00:00Z
        ok compact 2026-01-11 2026-01-12T00:20:00Z
        ok totals 2026-01-11 2026-01-12T00:22:00Z
        failed weekly 2026-W02 2026-01-12T06:00:00Z x4
        now 2026-01-12T09:00:00Z
        =>
        wait weekly 2026-W02: failed 4 times, not tried again by itself
        wait site 2026-W02: waits for weekly",
    );
    let backup = "[[job]]\nname = \"backup\"\nkind = \"backup\"\nevery = \"week\"\ncron = \"0 2 * * MON\"\ncatch_up = \"last\"\n";
    let away = Case::read(
        backup,
        "seen 2025-12-15T00:30:00Z
        up 2026-01-19T09:00:00Z
        now 2026-01-19T09:00:00Z",
    );
    assert_eq!(planned(&away), ["due backup 2026-W03 catch_up"]);
    let plan = plan(&away.schedule, &away.view, away.stream, away.now);
    let missed = missed(&away.schedule, &away.view, &plan, away.now);
    assert_eq!(
        (missed[0].from.to_string(), missed[0].to.to_string(), missed[0].count),
        ("2025-W50".to_owned(), "2026-W02".to_owned(), 5)
    );
}

#[test]
fn a_time_in_the_gap_runs_once_right_after_it_and_a_doubled_time_once() {
    let backup = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"30 1 * * *\"\n";
    case(
        backup,
        "seen 2026-03-28T12:00:00Z
        now 2026-03-29T00:59:59Z
        =>",
    );
    case(
        backup,
        "seen 2026-03-28T12:00:00Z
        now 2026-03-29T01:00:00Z
        =>
        due backup 2026-03-28 schedule",
    );
    case(
        backup,
        "seen 2026-10-24T12:00:00Z
        ok backup 2026-10-24 2026-10-25T00:30:00Z
        now 2026-10-25T01:30:00Z
        =>",
    );
}

const SEND: &str =
    "[[job]]\nname = \"send\"\nkind = \"send\"\ncron = \"*/5 * * * * *\"\ncatch_up = \"last\"\nretries = 1\n";

#[test]
fn jobs_by_the_instant_make_good_the_newest_firing_only() {
    case(
        SEND,
        "seen 2025-01-01T00:00:00Z
        idle send 2025-01-02T00:00:00Z
        up 2026-01-06T00:00:01Z
        now 2026-01-06T00:00:04Z
        =>
        due send 2026-01-06T00:00:00Z catch_up",
    );
    case(
        SEND,
        "seen 2026-01-05T00:00:00Z
        idle send 2026-01-06T00:00:00Z
        now 2026-01-06T00:00:04Z
        =>",
    );
    case(
        SEND,
        "seen 2026-01-05T00:00:00Z
        idle send 2026-01-06T00:00:00Z
        now 2026-01-06T00:00:05Z
        =>
        due send 2026-01-06T00:00:05Z schedule",
    );
}

#[test]
fn all_firings_by_the_instant_are_made_good_when_asked() {
    let all = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 */6 * * *\"\ncatch_up_window = \"1d\"\n";
    case(
        all,
        "seen 2026-01-01T00:00:00Z
        up 2026-01-09T07:00:00Z
        now 2026-01-09T07:00:00Z
        =>
        due backup 2026-01-08T12:00:00Z catch_up
        due backup 2026-01-08T18:00:00Z catch_up
        due backup 2026-01-09T00:00:00Z catch_up
        due backup 2026-01-09T06:00:00Z catch_up",
    );
}

#[test]
fn a_clock_set_back_does_not_silence_jobs_by_the_instant() {
    case(
        SEND,
        "seen 2026-01-05T00:00:00Z
        idle send 2026-01-06T01:00:00Z
        now 2026-01-06T00:00:05Z
        =>
        due send 2026-01-06T00:00:05Z schedule",
    );
}

const BACKUP: &str = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 */6 * * *\"\n";

#[test]
fn a_clock_set_back_runs_nothing_again() {
    let given = |up: &str, now: &str| {
        format!(
            "seen 2026-01-01T00:00:00Z
            ok backup 2026-01-06T06:00:00Z 2026-01-06T06:00:00Z
            ok backup 2026-01-06T12:00:00Z 2026-01-06T12:00:00Z
            up {up}
            now {now}
            =>"
        )
    };
    case(BACKUP, &given("2026-01-02T00:00:00Z", "2026-01-06T11:59:50Z"));
    case(BACKUP, &given("2026-01-06T03:00:00Z", "2026-01-06T06:00:10Z"));
    case(
        BACKUP,
        &(given("2026-01-06T03:00:00Z", "2026-01-06T18:00:00Z") + "due backup 2026-01-06T18:00:00Z schedule"),
    );
}

#[test]
fn a_run_by_hand_answers_no_firing() {
    case(
        BACKUP,
        "seen 2026-01-05T12:30:00Z
        up 2026-01-06T07:00:00Z
        asked backup 2026-01-06T07:01:00Z
        now 2026-01-06T07:05:00Z
        =>
        due backup 2026-01-05T18:00:00Z catch_up
        due backup 2026-01-06T00:00:00Z catch_up
        due backup 2026-01-06T06:00:00Z catch_up",
    );
}

#[test]
fn a_failure_that_a_clock_stamped_before_it_was_set_back_still_waits() {
    let case = Case::read(
        COMPACT,
        "seen 2026-01-05T12:00:00Z
        failed compact 2026-01-05 2026-01-06T04:00:00Z x3
        up 2026-01-06T00:30:00Z
        now 2026-01-06T00:30:00Z",
    );
    let plan = plan(&case.schedule, &case.view, case.stream, case.now);
    assert!(
        matches!(plan.waiting[0].on, WaitingOn::Retry { at, .. } if at > case.now),
        "{plan:?}"
    );
}

#[test]
fn overlap_decides_about_firings_while_the_job_runs() {
    let send = |overlap: &str| format!("{SEND}overlap = \"{overlap}\"\n");
    let running = "seen 2026-01-05T00:00:00Z
        running send 2026-01-06T00:00:00Z 2026-01-06T00:00:00Z
        now 2026-01-06T00:00:31Z
        =>
        wait send 2026-01-06T00:00:00Z: running since 2026-01-06T00:00:00Z";
    case(&send("skip"), running);
    case(&send("queue"), running);
    case(
        &send("cancel"),
        &running.replace("=>", "=>\n due send 2026-01-06T00:00:30Z schedule"),
    );
    let ended = "seen 2026-01-05T00:00:00Z
        ok send 2026-01-06T00:00:00Z 2026-01-06T00:00:00Z
        now 2026-01-06T00:01:02Z
        =>";
    // It ran until 00:01:00; that firing passed meanwhile.
    case(&send("skip"), ended);
    case(
        &send("queue"),
        &format!(
            "{ended}
        due send 2026-01-06T00:01:00Z schedule"
        ),
    );
}

#[test]
fn a_disabled_job_is_never_due_and_what_comes_after_it_waits() {
    let disabled = CHAIN.replace("name = \"totals\"", "name = \"totals\"\n    enabled = false");
    case(
        &disabled,
        "seen 2026-01-05T12:00:00Z
        ok compact 2026-01-05 2026-01-06T00:20:00Z
        now 2026-01-06T07:30:00Z
        =>
        wait mail 2026-01-05: waits for report",
    );
}

#[test]
fn four_hundred_days_off_are_planned_from_what_is_there() {
    let case = Case::read(
        &format!("{CHAIN}{SEND}"),
        "seen 2025-01-01T00:00:00Z
        rows 2025-01-02..2026-02-05
        up 2026-02-06T12:00:00Z
        now 2026-02-06T12:00:00Z",
    );
    let plan = plan(&case.schedule, &case.view, case.stream, case.now);
    let due = |job: &str| plan.due.iter().filter(|due| due.job == job).count();
    assert_eq!((due("compact"), due("send"), due("mail")), (400, 1, 0));
    assert_eq!(
        plan.waiting.iter().filter(|waiting| waiting.job == "report").count(),
        400
    );
    assert_eq!(plan.waiting.iter().filter(|waiting| waiting.job == "mail").count(), 1);
}

#[test]
fn what_comes_next_is_told_with_its_day_and_its_hour() {
    let schedule = Schedule::parse(&format!("{CHAIN}{SEND}"), "cron.toml").unwrap();
    let runs = next_runs(
        &schedule,
        instant("2026-07-05T12:00:00Z"),
        instant("2026-07-06T12:00:00Z"),
    );
    let told: Vec<_> = runs
        .iter()
        .map(|run| format!("{} {} {}", run.job, run.window, run.at.format("%d %H:%M:%S")))
        .collect();
    assert_eq!(
        told,
        [
            "send 2026-07-05T12:00:05Z 05 12:00:05",
            "compact 2026-07-05 05 23:20:00",
            "totals 2026-07-05 05 23:20:00",
            "report 2026-07-05 05 23:20:00",
            "mail 2026-07-05 06 06:00:00",
        ]
    );
}

#[test]
fn what_was_missed_for_good_is_told_with_the_reason() {
    let case = Case::read(
        CHAIN,
        "seen 2026-01-01T12:00:00Z
        up 2026-01-06T12:00:00Z
        now 2026-01-06T12:00:00Z",
    );
    let plan = plan(&case.schedule, &case.view, case.stream, case.now);
    let told: Vec<_> = missed(&case.schedule, &case.view, &plan, case.now)
        .into_iter()
        .map(|missed| {
            format!(
                "{} {}..{} {:?}: {}",
                missed.job, missed.from, missed.to, missed.count, missed.why
            )
        })
        .collect();
    assert_eq!(
        told,
        ["mail 2026-01-01..2026-01-04 4: catch_up = \"last\": only the newest counts"]
    );
}

#[test]
fn the_shipped_schedule_mails_at_seven_and_reports_after_midnight() {
    let schedule = Schedule::parse(crate::config::schedule::DEFAULT, "cron.toml").unwrap();
    let runs = next_runs(
        &schedule,
        instant("2026-01-05T12:00:00Z"),
        instant("2026-01-06T12:00:00Z"),
    );
    let at = |job: &str| {
        runs.iter()
            .find(|run| run.job == job)
            .map(|run| run.at.to_rfc3339())
            .unwrap()
    };
    assert_eq!(at("compact"), "2026-01-06T00:20:00+00:00");
    assert_eq!(at("publish"), "2026-01-06T00:20:00+00:00");
    assert_eq!(at("notify"), "2026-01-06T07:00:00+00:00");
}

#[test]
fn a_job_that_comes_after_one_with_a_firing_to_come_is_made_with_it_on_its_first_day() {
    let schedule = "[[job]]\nname = \"prune\"\nkind = \"prune\"\ncron = \"11 3 * * *\"\n\
        [[job]]\nname = \"backup\"\nkind = \"backup\"\nafter = [\"prune\"]\nevery = \"day\"\n";
    let given = |done: &str, now: &str| format!("seen 2026-01-06T02:00:00Z\n{done}\nnow {now}\n=>");
    case(schedule, &given("", "2026-01-06T03:10:00Z"));
    case(
        schedule,
        &(given("", "2026-01-06T03:11:00Z") + "due prune 2026-01-05 schedule\nwait backup 2026-01-05: waits for prune"),
    );
    let done = "ok prune 2026-01-05 2026-01-06T03:11:00Z";
    case(
        schedule,
        &(given(done, "2026-01-06T03:12:30Z") + "due backup 2026-01-05 schedule"),
    );
    // What had fired before it was first seen is none of its business.
    let earlier = "ok prune 2026-01-04 2026-01-05T03:11:00Z";
    case(schedule, &given(earlier, "2026-01-06T03:10:00Z"));
}

#[test]
fn days_that_wait_behind_another_say_for_which_and_what_became_of_them() {
    let queued = COMPACT.to_owned() + "overlap = \"queue\"\n";
    case(
        &queued,
        "seen 2026-01-01T12:00:00Z
        rows 2026-01-03 2026-01-04 2026-01-05
        failed compact 2026-01-03 2026-01-06T00:20:00Z x2
        running compact 2026-01-04 2026-01-06T00:20:00Z
        now 2026-01-06T06:00:00Z
        =>
        wait compact 2026-01-01: waits for its run of 2026-01-04
        wait compact 2026-01-02: waits for its run of 2026-01-04
        wait compact 2026-01-03: failed 2 times, waits for its run of 2026-01-04
        wait compact 2026-01-04: running since 2026-01-06T00:20:00Z
        wait compact 2026-01-05: waits for its run of 2026-01-04",
    );
}

#[test]
fn a_firing_that_was_cut_short_is_made_although_a_newer_one_was_where_each_counts() {
    let given = "seen 2026-01-06T00:00:00Z
        abandoned backup 2026-01-06T06:00:00Z 2026-01-06T06:00:00Z
        ok backup 2026-01-06T12:00:00Z 2026-01-06T12:00:00Z
        now 2026-01-06T13:00:00Z
        =>";
    case(BACKUP, &format!("{given}due backup 2026-01-06T06:00:00Z abandoned x2"));
    case(&format!("{BACKUP}catch_up = \"last\"\n"), given);
}
