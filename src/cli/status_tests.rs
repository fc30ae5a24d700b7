use super::*;
use crate::{
    domain::run::LastOverview,
    scheduler::plan::{Due, Waiting},
    store::status::SealedDays,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn written(status: &Status, jobs: &[JobOverview], stream: Option<&StreamState>) -> String {
    written_of(status, jobs, stream, &Plan::default(), &[])
}

fn written_of(
    status: &Status,
    jobs: &[JobOverview],
    stream: Option<&StreamState>,
    plan: &Plan,
    late: &[(String, Window)],
) -> String {
    let mut out = Vec::new();
    let standing = Standing {
        status,
        jobs,
        plan,
        late,
        schedule: None,
        peloton: &[],
        stream,
        now: at("2026-07-10T12:00:00Z"),
        day: DayRule::default(),
    };
    super::status(&StatusArgs::default(), &standing, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn partition(source: &str, partition: i32, flushed_at: &str) -> StreamStatus {
    StreamStatus {
        source: source.to_owned(),
        topic: "deloton".to_owned(),
        partition,
        next_offset: 1_234_567,
        log_clock: Some(at("2026-07-10T11:59:57Z")),
        flushed_at: at(flushed_at),
        messages: 1_234_567,
        readings: 600_000,
        duplicate_readings: 1,
        duplicate_lines: 2,
        rejected_lines: 1,
    }
}

fn job(name: &str, last: Option<(&str, Outcome)>) -> JobOverview {
    JobOverview {
        name: name.to_owned(),
        every: Some(crate::domain::window::Period::Day),
        kind: "compact",
        when: "20 0 * * *".to_owned(),
        enabled: true,
        next_run_at: Some(at("2026-07-10T23:20:00Z")),
        running: None,
        last_run: last.map(|(window, outcome)| LastOverview {
            window: window.parse().unwrap(),
            outcome,
            attempt: 4,
            started_at: at("2026-07-09T23:20:00Z"),
            finished_at: None,
        }),
        last_idle_at: None,
        idle_runs: 0,
    }
}

#[test]
fn a_folder_without_a_database_reads_as_empty() {
    insta::assert_snapshot!(written(&Status::default(), &[], None), @r"
    stream
      nothing was ever read: `deloton serve` reads Kafka, `deloton consume --from-file` a file

    rides
      open            0
      newest reading  none yet
      in the buffer   0 rides, 0 readings
      sealed          none yet

    jobs
      job  last run  about  outcome  next

    mail and room
      mails           none
      ride exports    none
      database        0 B
      lake            0 B
      disk free       not known
      newest backup   none; `deloton backup` takes one
    ");
}

#[test]
fn a_quiet_night_needs_nobody() {
    let status = Status {
        streams: vec![
            partition("cluster-2", 1, "2026-07-10T11:59:59Z"),
            partition("cluster-2", 0, "2026-07-10T11:59:58Z"),
            partition("cluster-1", 0, "2026-07-01T00:00:00Z"),
        ],
        open_rides: 24,
        newest_reading_at: Some(at("2026-07-10T11:59:57Z")),
        buffer_rides: 1_000,
        buffer_readings: 500_000,
        sealed: Some(SealedDays {
            first: "2026-07-02".parse().unwrap(),
            last: "2026-07-08".parse().unwrap(),
            count: 7,
            rides: 6_543,
        }),
        late_days: vec!["2026-07-08".parse().unwrap()],
        outbox: vec![StateCount {
            state: MailState::Sent,
            mails: 7,
            exports: 12,
        }],
        database_bytes: 52_000_000,
        lake_bytes: 120_000_000,
        disk_free_bytes: Some(50_000_000_000),
        newest_backup: Some("2026-07-10T01-00-00Z".to_owned()),
        ..Status::default()
    };
    let mut send = job("send", None);
    send.last_idle_at = Some(at("2026-07-10T11:59:55Z"));
    send.idle_runs = 17_280;
    let mut report = job("report", Some(("2026-07-09", Outcome::Succeeded)));
    (report.next_run_at, report.when) = (None, "after daily_totals, daily_by_hour".to_owned());
    let jobs = [job("compact", Some(("2026-07-09", Outcome::Succeeded))), report, send];
    let stream = StreamState {
        is_connected: true,
        lag_messages: Some(7),
        trouble: None,
    };
    insta::assert_snapshot!(written(&status, &jobs, Some(&stream)), @r"
    stream
      lag             7 messages
      topic           deloton of cluster-2
      partition  next offset  log clock   stored   messages  readings  duplicate readings  duplicate lines  rejected lines
              0    1,234,567    3 s ago  2 s ago  1,234,567   600,000                   1                2               1
              1    1,234,567    3 s ago  1 s ago  1,234,567   600,000                   1                2               1
      earlier         1 partition of other sources: 1,234,567 messages: 600,000 readings, 1 duplicate reading, 2 duplicate lines, 1 rejected line

    rides
      open            24
      newest reading  2026-07-10 12:59:57 BST (3 s ago)
      in the buffer   1,000 rides, 500,000 readings
      sealed          7 days, 2026-07-02 to 2026-07-08, with 6,543 rides
      to seal again   2026-07-08, when compact is due next

    jobs
      job      last run  about       outcome                       next
      compact  12 h ago  2026-07-09  succeeded                     2026-07-11 00:20:00 BST (in 11 h)
      report   12 h ago  2026-07-09  succeeded                     after daily_totals, …
      send     5 s ago   -           nothing to do (17,280 times)  2026-07-11 00:20:00 BST (in 11 h)

    mail and room
      mails           7 sent
      ride exports    12 sent
      database        52.0 MB
      lake            120.0 MB
      disk free       50.0 GB
      newest backup   2026-07-10T01-00-00Z
    ");
}

#[test]
fn what_needs_a_person_comes_first_with_what_to_do() {
    let status = Status {
        open_rides: 1,
        newest_reading_at: Some(at("2026-07-10T09:00:00Z")),
        rejected_lines: 1,
        outbox: vec![
            StateCount {
                state: MailState::Dead,
                mails: 1,
                exports: 0,
            },
            StateCount {
                state: MailState::Unknown,
                mails: 1,
                exports: 1,
            },
        ],
        disk_free_bytes: Some(800_000_000),
        ..Status::default()
    };
    let mut send = job("send", Some(("2026-07-10T11:00:00Z", Outcome::Abandoned)));
    send.every = None;
    let jobs = [
        job("leaderboard", Some(("2026-07-09", Outcome::Failed))),
        job("report", None),
        job("backup", None),
        send,
    ];
    let waiting = |job: &str, window: &str, on| Waiting {
        job: job.to_owned(),
        window: window.parse().unwrap(),
        on,
    };
    let (gave_up, again_at) = (WaitingOn::GaveUp { attempts: 4 }, at("2026-07-10T12:03:00Z"));
    let plan = Plan {
        due: vec![Due {
            job: "backup".to_owned(),
            window: "2026-07-09".parse().unwrap(),
            scheduled_at: at("2026-07-10T02:00:00Z"),
            attempt: 2,
            reason: Reason::Abandoned,
        }],
        waiting: vec![
            waiting("leaderboard", "2026-07-07", gave_up.clone()),
            waiting("leaderboard", "2026-07-08", gave_up.clone()),
            waiting("report", "2026-07-08", gave_up),
            waiting(
                "report",
                "2026-07-09",
                WaitingOn::Retry {
                    at: again_at,
                    attempts: 2,
                },
            ),
        ],
    };
    let late = ["2026-07-07", "2026-07-08"].map(|day| ("notify".to_owned(), day.parse().unwrap()));
    let trouble = Some("the brokers cannot be reached".to_owned());
    let stream = StreamState {
        is_connected: false,
        lag_messages: None,
        trouble,
    };
    let text = written_of(&status, &jobs, Some(&stream), &plan, &late);
    let (first, rest) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(first, @r"
    needs a look
      ! the brokers cannot be reached
      ! 800.0 MB are left on the data folder's disk: make room, or lower `keep_days` and `keep` in cron.toml
      ! 1 ride is open, and nothing has arrived for 3 h: does the consumer run, and do the bikes reach Kafka?
      ! `leaderboard` failed for 2026-07-07, 2026-07-08 and is not tried again by itself: `deloton backfill leaderboard --from 2026-07-07 --to 2026-07-08 --only failed` tries now
      ! `report` failed for 2026-07-08 and is not tried again by itself: `deloton run report --day 2026-07-08` tries now
      ! `report` failed 2 times for 2026-07-09: it is tried again at 2026-07-10 13:03:00 BST, `deloton run report --day 2026-07-09` tries now
      ! `backup` was cut short for 2026-07-09 at try 1: `deloton serve` tries again at once, as does `deloton run backup --day 2026-07-09`
      ! `send` was cut short at 2026-07-10 12:00:00 BST: it fires again at 2026-07-11 00:20:00 BST, `deloton run send` tries now
      ! `notify` has missed its deadline for 2026-07-07, 2026-07-08: `deloton plan` says what it waits for, `deloton run notify --day 2026-07-08` does it now
      ! 2 messages may or may not have been sent: decide with `deloton outbox`
      ! 1 message could not be sent: see why, and resend, with `deloton outbox`
      ! 1 line could not be understood: `deloton rejected list` shows them with the reason
    ");
    assert!(rest.starts_with("stream\n  lag             not known yet\n"), "{rest}");
}

#[test]
fn a_log_that_is_ahead_of_time_needs_a_look() {
    let told = |log_clock| {
        let streams = vec![StreamStatus {
            log_clock: Some(at(log_clock)),
            ..partition("cluster", 2, "2026-07-10T11:59:59Z")
        }];
        let status = Status {
            streams,
            ..Status::default()
        };
        written(&status, &[], None)
    };
    assert!(!told("2026-07-10T12:00:30Z").contains("--log-timezone"));
    let said = told("2026-07-10T16:00:00Z");
    assert!(
        said.contains("the log's clock in partition 2 of deloton is ahead (in 4 h): check `--log-timezone`"),
        "{said}"
    );
}

#[test]
fn a_token_that_needs_a_person_is_on_top_with_what_to_do() {
    let account = |rider_name: &str, words: &str, needs_a_person| TokenStanding {
        rider_name: rider_name.to_owned(),
        job: "peloton".to_owned(),
        words: words.to_owned(),
        needs_a_person,
        paused_until: None,
    };
    let peloton = [
        account(
            "Ann",
            "the token expired on 2026-07-09 08:00 UTC: sign in and put a new one there",
            true,
        ),
        account("Ben", "the token is good until 2026-07-12 08:00 UTC", false),
    ];
    let standing = Standing {
        status: &Status::default(),
        jobs: &[],
        plan: &Plan::default(),
        late: &[],
        schedule: None,
        peloton: &peloton,
        stream: None,
        now: at("2026-07-10T12:00:00Z"),
        day: DayRule::default(),
    };
    let mut out = Vec::new();
    super::status(&StatusArgs::default(), &standing, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let (top, rest) = text.split_once("\n\n").unwrap();
    assert!(
        top.contains("Ann's account at Peloton: the token expired") && top.contains("put a new one there"),
        "{text}"
    );
    assert!(!top.contains("Ben") && rest.contains("good until 2026-07-12"), "{text}");
}

#[test]
fn a_pause_that_peloton_wishes_for_is_not_to_be_tried_away() {
    let account = |rider_name: &str, paused_until: Option<&str>| TokenStanding {
        rider_name: rider_name.to_owned(),
        job: "peloton".to_owned(),
        words: "the token is good until 2026-07-12 08:00 UTC".to_owned(),
        needs_a_person: false,
        paused_until: paused_until.map(at),
    };
    let failed = JobOverview {
        every: None,
        kind: "peloton",
        ..job("peloton", Some(("2026-07-10T11:40:00Z", Outcome::Failed)))
    };
    let headline = |peloton: &[TokenStanding]| {
        let standing = Standing {
            status: &Status::default(),
            jobs: std::slice::from_ref(&failed),
            plan: &Plan::default(),
            late: &[],
            schedule: None,
            peloton,
            stream: None,
            now: at("2026-07-10T12:00:00Z"),
            day: DayRule::default(),
        };
        super::warnings(&standing).join("\n")
    };
    let (ann, ben) = (account("Ann", Some("2026-07-10T14:00:00Z")), account("Ben", None));
    let paused = "Ann's account is not read before 2026-07-10 15:00:00 BST, as Peloton wishes";
    let alone = headline(std::slice::from_ref(&ann));
    assert!(
        alone.contains(paused) && !alone.contains("now"),
        "no command helps before: {alone}"
    );
    let both = headline(&[ann, ben.clone()]);
    assert!(
        both.contains(paused) && both.contains("`deloton run peloton` tries the others now"),
        "{both}"
    );
    let of_another_job = TokenStanding {
        job: "again".to_owned(),
        ..account("Cem", Some("2026-07-10T14:00:00Z"))
    };
    assert!(headline(&[ben, of_another_job]).ends_with(", `deloton run peloton` tries now"));
}
