//! What somebody is told, as a table of cases in the language of `case.rs`. What must come of a case:
//!
//! ```text
//! late JOB DAY DEADLINE: how it stands
//! failed JOB WINDOW xTRIES [TIMES times]
//! cut short JOB WINDOW xTIMES
//! ```

use super::{
    case::{Case, expect},
    *,
};

const CHAIN: &str = r#"
    [[job]]
    name = "compact"
    kind = "compact"
    cron = "20 0 * * *"
    [[job]]
    name = "report"
    kind = "report"
    after = ["compact"]
    deadline = "01:30"
    [[job]]
    name = "mail"
    kind = "notify"
    cron = "0 7 * * *"
    after = ["report"]
    catch_up = "last"
    deadline = "07:30"
"#;

const SEND: &str = r#"
    [[job]]
    name = "send"
    kind = "send"
    cron = "*/5 * * * * *"
    retries = 0
    catch_up = "last"
"#;

#[track_caller]
fn case(schedule: &str, text: &str) {
    expect(schedule, text, told);
}

fn told(case: &Case) -> Vec<String> {
    let told = untold(&case.schedule, &case.view, case.stream, case.now);
    let told = told.iter().map(|Trouble { job, window, what }| match what {
        What::Late { deadline, why } => format!("late {job} {window} {}: {why}", deadline.format("%dT%H:%M")),
        What::GaveUp { attempts, times: 1, .. } => format!("failed {job} {window} x{attempts}"),
        What::GaveUp { attempts, times, .. } => format!("failed {job} {window} x{attempts} {times} times"),
        What::CutShort { times, .. } => format!("cut short {job} {window} x{times}"),
    });
    told.collect()
}

#[test]
fn a_day_that_is_not_done_by_its_deadline_is_told_however_it_stands() {
    let until = |done: &str, now: &str| {
        format!(
            "seen 2026-01-05T12:00:00Z
            {done}
            now {now}
            =>"
        )
    };
    case(CHAIN, &until("", "2026-01-06T01:29:59Z"));
    case(
        CHAIN,
        &(until("", "2026-01-06T07:30:01Z")
            + "late report 2026-01-05 06T01:30: waits for compact
            late mail 2026-01-05 06T07:30: waits for report"),
    );
    case(
        CHAIN,
        &(until(
            "ok compact 2026-01-05 2026-01-06T00:20:00Z
            running report 2026-01-05 2026-01-06T00:21:00Z",
            "2026-01-06T01:31:00Z",
        ) + "late report 2026-01-05 06T01:30: running since 2026-01-06T00:21:00Z"),
    );
    let done = "ok compact 2026-01-05 2026-01-06T00:20:00Z
        ok report 2026-01-05 2026-01-06T00:21:00Z
        ok mail 2026-01-05 2026-01-06T07:00:00Z";
    case(CHAIN, &until(done, "2026-01-06T12:00:00Z"));
    // A day that is made again was done in time, however long that takes.
    let again = format!("{done}\nrunning report 2026-01-05 2026-01-06T08:00:00Z");
    case(CHAIN, &until(&again, "2026-01-06T12:00:00Z"));
    // What was made by hand before the day was over is not what was asked for.
    case(
        CHAIN,
        &(until(
            "ok compact 2026-01-05 2026-01-05T20:00:00Z
            ok report 2026-01-05 2026-01-05T20:10:00Z",
            "2026-01-06T01:31:00Z",
        ) + "late report 2026-01-05 06T01:30: waits for compact"),
    );
}

#[test]
fn a_deadline_is_told_once_and_after_days_off_all_together() {
    case(
        CHAIN,
        "seen 2026-01-01T12:00:00Z
        up 2026-01-05T09:00:00Z
        told deadlines report 2026-01-04T01:30:00Z
        now 2026-01-05T09:00:00Z
        =>
        late report 2026-01-04 05T01:30: waits for compact
        late mail 2026-01-01 02T07:30: it never began
        late mail 2026-01-02 03T07:30: it never began
        late mail 2026-01-03 04T07:30: it never began
        late mail 2026-01-04 05T07:30: waits for report",
    );
    case(
        CHAIN,
        "seen 2025-01-01T12:00:00Z
        up 2026-01-05T09:00:00Z
        told deadlines report 2026-01-05T01:30:00Z
        told deadlines mail 2026-01-05T07:30:00Z
        now 2026-01-05T09:00:00Z
        =>",
    );
}

#[test]
fn a_deadline_before_the_first_sight_or_of_a_day_that_nobody_asked_for_is_none() {
    for seen in ["07:10", "03:00"] {
        // The second: before the mail's hour, but the day it would be about had been sealed by nobody.
        let text = format!("seen 2026-01-06T{seen}:00Z\nnow 2026-01-06T12:00:00Z\n=>");
        case(CHAIN, &text);
    }
    let disabled = CHAIN.replace("deadline", "enabled = false\ndeadline");
    case(
        &disabled,
        "seen 2026-01-01T12:00:00Z
        now 2026-01-06T12:00:00Z
        =>",
    );
    let on_weekdays =
        "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 2 * * TUE-SAT\"\ndeadline = \"03:00\"\n";
    // 2026-01-04 is a Sunday, and 2026-01-05 is over on Tuesday.
    case(
        on_weekdays,
        "seen 2026-01-03T12:00:00Z
        now 2026-01-06T03:01:00Z
        =>
        late backup 2026-01-05 06T03:00: it never began",
    );
}

#[test]
fn the_first_deadline_after_the_first_sight_counts_for_a_day_that_has_rows() {
    // Compact's hour had passed already: it makes the day all the same, and the mail has its hour before it.
    let given = |more: &str, now: &str| format!("seen 2026-01-06T06:00:00Z\nrows 2026-01-05\n{more}\nnow {now}\n=>\n");
    case(CHAIN, &given("", "2026-01-06T07:30:00Z"));
    case(
        CHAIN,
        &(given("", "2026-01-06T07:31:00Z") + "late mail 2026-01-05 06T07:30: waits for report"),
    );
    // Sealed, and gone from the buffer.
    let sealed = given(
        "ok compact 2026-01-05 2026-01-06T06:00:00Z\nfailed report 2026-01-05 2026-01-06T06:01:00Z x9\n\
         told failures report 2026-01-06T06:05:00Z",
        "2026-01-06T07:31:00Z",
    );
    case(
        CHAIN,
        &(sealed.replace("rows 2026-01-05\n", "") + "late mail 2026-01-05 06T07:30: waits for report"),
    );
    // The mail's own hour had passed: nobody is to send it by itself.
    let later = given("", "2026-01-06T12:00:00Z").replace("T06:00:00Z", "T07:10:00Z");
    case(CHAIN, &later);
}

#[test]
fn a_week_has_its_deadline_after_its_end() {
    let weekly = "[[job]]\nname = \"backup\"\nkind = \"backup\"\nevery = \"week\"\ncron = \"0 2 * * MON\"\ndeadline = \"03:00\"\n";
    let given = |now: &str| format!("seen 2026-01-09T12:00:00Z\nnow {now}\n=>");
    case(weekly, &given("2026-01-12T03:00:00Z"));
    case(
        weekly,
        &(given("2026-01-12T03:00:01Z") + "late backup 2026-W02 12T03:00: it never began"),
    );
}

#[test]
fn a_deadline_in_a_gap_is_right_after_it_and_a_day_that_ends_at_noon_has_its_own() {
    let at = |text: &str, day: &str| {
        let schedule = Schedule::parse(text, "cron.toml").unwrap();
        let job = &schedule.jobs[0];
        deadline_of(&schedule.day, job, day.parse().unwrap()).map(|at| at.to_rfc3339())
    };
    let backup = "[[job]]\nname = \"backup\"\nkind = \"backup\"\ncron = \"0 1 * * *\"\ndeadline = \"01:30\"\n";
    assert_eq!(at(backup, "2026-03-28").unwrap(), "2026-03-29T01:00:00+00:00");
    assert_eq!(at(backup, "2026-10-24").unwrap(), "2026-10-25T00:30:00+00:00");
    let noon = format!("[day]\nends_at = \"12:00\"\n{}", backup.replace("01:30", "12:30"));
    assert_eq!(at(&noon, "2026-01-05").unwrap(), "2026-01-05T12:30:00+00:00");
    assert_eq!(
        at(&noon.replace("12:30", "11:30"), "2026-01-05").unwrap(),
        "2026-01-06T11:30:00+00:00"
    );
}

#[test]
fn a_job_that_gave_up_is_told_at_once_and_what_follows_in_six_hours_together() {
    let compact = "[[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\nretries = 2\n";
    let given = |tries: &str, told: &str, now: &str| {
        format!(
            "seen 2026-01-01T12:00:00Z
            failed compact 2026-01-05 2026-01-06T00:20:00Z {tries}
            failed compact 2026-01-04 2026-01-06T02:20:00Z x3
            {told}
            now {now}
            =>"
        )
    };
    case(
        compact,
        &(given("x2", "", "2026-01-06T02:22:00Z") + "failed compact 2026-01-04 x3"),
    );
    case(
        compact,
        &(given("x3", "", "2026-01-06T02:22:00Z")
            + "failed compact 2026-01-04 x3
            failed compact 2026-01-05 x3"),
    );
    let told = "told failures compact 2026-01-06T00:21:00Z";
    case(compact, &given("x3", told, "2026-01-06T02:22:00Z"));
    case(
        compact,
        &(given("x3", told, "2026-01-06T06:21:00Z") + "failed compact 2026-01-04 x3"),
    );
    // In the meantime it went well.
    case(
        compact,
        &given(
            "x3",
            &format!("{told}\nok compact 2026-01-04 2026-01-06T04:00:00Z"),
            "2026-01-06T06:21:00Z",
        ),
    );
    // Of another winter, or stamped by a clock that was set back since.
    case(compact, &given("x3", "", "2026-03-06T06:21:00Z"));
    case(
        compact,
        &(given(
            "x2",
            "told failures compact 2027-01-01T00:00:00Z",
            "2026-01-06T02:22:00Z",
        ) + "failed compact 2026-01-04 x3"),
    );
}

#[test]
fn failures_by_the_instant_are_counted_and_forgotten_when_one_goes_well() {
    let failed = "seen 2026-01-05T00:00:00Z
        failed send 2026-01-06T00:00:00Z 2026-01-06T00:00:00Z
        failed send 2026-01-06T00:01:05Z 2026-01-06T00:01:05Z
        failed send 2026-01-06T00:02:10Z 2026-01-06T00:02:10Z";
    case(
        SEND,
        &format!(
            "{failed}
            now 2026-01-06T00:03:12Z
            =>
            failed send 2026-01-06T00:02:10Z x1 3 times"
        ),
    );
    case(
        SEND,
        &format!(
            "{failed}
            idle send 2026-01-06T00:03:15Z
            now 2026-01-06T00:03:17Z
            =>"
        ),
    );
}

#[test]
fn a_run_that_is_cut_short_again_and_again_is_told_though_it_is_tried_again() {
    let given = |tries: &str| {
        format!(
            "seen 2026-01-05T12:00:00Z
            abandoned compact 2026-01-05 2026-01-06T00:20:00Z {tries}
            now 2026-01-06T00:30:00Z
            =>"
        )
    };
    case(CHAIN, &given("x2"));
    case(CHAIN, &(given("x3") + "cut short compact 2026-01-05 x3"));
}

#[test]
fn a_job_by_the_instant_whose_every_firing_fails_is_told_although_none_was_tried_again() {
    let failing = SEND.replace("retries = 0", "retries = 3");
    let firings = |count: usize| {
        let one = |second: usize| format!("failed send 2026-01-06T00:00:{second:02}Z 2026-01-06T00:00:{second:02}Z\n");
        let ran: String = (0..count).map(|place| one(place * 5)).collect();
        format!("seen 2026-01-05T12:00:00Z\n{ran}now 2026-01-06T00:03:00Z\n=>")
    };
    case(&failing, &firings(3));
    case(&failing, &(firings(4) + "failed send 2026-01-06T00:00:15Z x1 4 times"));
}
