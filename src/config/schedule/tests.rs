use super::*;

fn problems(text: &str) -> String {
    Schedule::parse(text, "cron.toml").unwrap_err().to_string()
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_the_nearest_spelling() {
    let text = r#"
[day]
timezone = "Europe/Lodnon"
ends_at = "25:00"
latness = "15m"

[defaults]
retries = -1
backoff = { initial = "1h", max = "1m" }
catch_up = "newest"

[[job]]
name = "compact"
kind = "compakt"
crn = "20 0 * * *"

[[job]]
name = "tables"
kind = "transform"
cron = "61 * * * *"
after = ["compcat", "report"]
params = { sgl = "x" }

[[job]]
name = "report"
kind = "report"
after = ["tables"]
timeout = "15 minutes"

[[job]]
name = "report"
kind = "prune"
cron = "0 0 31 2 *"

[[job]]
name = "hourly"
kind = "publish"
cron = "@hourly"

[[job]]
name = "../etc"
kind = "transform"

[[job]]
kind = "send"
cron = "*/5 * * * * *"
after = ["hourly"]

[[job]]
name = "idle"
kind = "backup"
enabled = "yes"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    cron.toml has 21 mistakes:
      cron.toml:3:12: `timezone`: there is no time zone `Europe/Lodnon`; did you mean `Europe/London`?
      cron.toml:4:11: `ends_at`: `25:00` is not a time of day, e.g. `"16:45"`
      cron.toml:5:1: `[day]` has no key `latness`; did you mean `lateness`?
      cron.toml:8:11: `retries`: expected a whole number from 0 to 100
      cron.toml:9:35: `max` is the upper bound of every wait: it cannot be less than `initial`
      cron.toml:10:12: `catch_up`: `newest` is none of `all`, `last`, `none`
      cron.toml:13:8: job `compact` would never run: give it `cron`, `after`, or both
      cron.toml:14:8: `kind`: there is no `compakt`; did you mean `compact`?
      cron.toml:15:1: a job has no key `crn`; did you mean `cron`?
      cron.toml:20:8: `cron`: `61 * * * *` is not a cron expression (number out of bounds); five fields are minute hour day month weekday, six have seconds first, e.g. `20 0 * * *` for 00:20 every day
      cron.toml:21:10: `tables` after `report` after `tables` is a circle: none of them could ever run
      cron.toml:21:10: there is no job `compcat` to come after; did you mean `compact`?
      cron.toml:22:12: `params` of a `transform` job has no key `sgl`; did you mean `sql`?
      cron.toml:28:11: `timeout`: `15 minutes` is not a length of time; write `30s`, `15m`, `2h`, `7d` or `1h30m`
      cron.toml:31:8: two jobs are called `report`: rename one
      cron.toml:33:8: `cron`: `0 0 31 2 *` never comes: there is no such date
      cron.toml:38:8: a `publish` job makes one business day: it cannot run more often than daily
      cron.toml:41:8: `name`: `../etc` is not a name: use up to 64 of a–z, 0–9, `_` and `-`
      cron.toml:44:1: this job has no `name`
      cron.toml:50:8: job `idle` would never run: give it `cron`, `after`, or both
      cron.toml:52:11: `enabled`: expected true or false, not a string
    "#);
}

#[test]
fn broken_toml_is_told_with_its_place_too() {
    insta::assert_snapshot!(problems("[day\ntimezone = \"UTC\"\n[[job]]\nname = compact\n"), @r"
    cron.toml has 2 mistakes:
      cron.toml:1:5: unclosed table, expected `]`
      cron.toml:4:8: string values must be quoted, expected literal string
    ");
    insta::assert_snapshot!(problems("[job]\nname = \"x\"\n"), @r"
    cron.toml has 1 mistake:
      cron.toml:1:1: jobs are a list: write `[[job]]`, not `[job]`
    ");
}

#[test]
fn circles_are_refused_and_named_once() {
    let text = r#"
[[job]]
name = "a"
kind = "transform"
after = ["b"]
[[job]]
name = "b"
kind = "transform"
after = ["c"]
[[job]]
name = "c"
kind = "transform"
after = ["a"]
[[job]]
name = "d"
kind = "transform"
after = ["d"]
"#;
    insta::assert_snapshot!(problems(text), @r"
    cron.toml has 2 mistakes:
      cron.toml:5:10: `a` after `b` after `c` after `a` is a circle: none of them could ever run
      cron.toml:17:10: `d` after `d` is a circle: none of them could ever run
    ");
}

#[test]
fn a_knot_of_circles_is_one_mistake() {
    let shipped = DEFAULT.replace("cron = \"20 0 * * *\"", "after = [\"publish\"]");
    let told = problems(&shipped);
    assert!(told.starts_with("cron.toml has 1 mistake:"), "{told}");
    assert!(
        told.contains("`compact` after `publish` after `report` after"),
        "{told}"
    );
}

#[test]
fn what_is_no_cron_expression_is_told_with_the_nearest_spelling() {
    let wrong = |text: &str| CronText::parse(text).unwrap_err();
    assert_eq!(wrong("@dayly"), "there is no `@dayly`; did you mean `@daily`?");
    assert_eq!(
        wrong("@noon"),
        "there is no `@noon`: it is one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@hourly`, or five fields"
    );
    assert!(wrong("0 8 * * MOO").starts_with("`MOO` in `0 8 * * MOO` is no day of the week; did you mean `MON`?"));
    assert!(wrong("0 8 1 Jann *").starts_with("`Jann` in `0 8 1 Jann *` is no month; did you mean `Jan`?"));
    assert!(wrong("0 8 * *").starts_with("`0 8 * *` has 4 fields"));
    assert!(wrong("0 8 * * MONDAY").contains("did you mean `MON`?"));
    assert!(wrong("").starts_with("`` has 0 fields"));
    for right in [
        "0 8 L * *",
        "0 8 15W * *",
        "0 8 * * MON#2",
        "0 8 * jan-Mar fri",
        "0 8 * * FRIL",
    ] {
        assert!(CronText::parse(right).is_ok(), "{right}");
    }
}

#[test]
fn a_day_of_month_with_a_day_of_week_means_dates_that_are_both() {
    let first_mondays = CronText::parse("0 8 1-7 * MON").unwrap();
    let start = "2026-01-01T00:00:00".parse().unwrap();
    let first = first_mondays.next(start, true).unwrap();
    let second = first_mondays.next(first, false).unwrap();
    assert_eq!(
        [first, second].map(|at| at.date().to_string()),
        ["2026-01-05", "2026-02-02"]
    );
    let narrows = |text: &str| CronText::parse(text).unwrap().has_day_and_weekday();
    assert!(narrows("0 8 1-7 * MON") && narrows("0 0 8 1-7 * MON"));
    assert!(!narrows("0 8 1-7 * *") && !narrows("0 8 * * MON") && !narrows("0 8 ? * MON") && !narrows("@weekly"));
}

#[test]
fn a_job_of_no_kind_has_the_rest_of_it_looked_at() {
    let text = "[[job]]\nname = \"report\"\nkind = \"raport\"\nafter = [\"compcat\"]\n\
                [[job]]\nname = \"compact\"\nkind = \"compact\"\ncron = \"20 0 * * *\"\n";
    insta::assert_snapshot!(problems(text), @r"
    cron.toml has 2 mistakes:
      cron.toml:3:8: `kind`: there is no `raport`; did you mean `report`?
      cron.toml:4:10: there is no job `compcat` to come after; did you mean `compact`?
    ");
}

#[test]
fn the_shipped_file_is_right_and_has_the_companys_day() {
    let schedule = Schedule::parse(DEFAULT, "cron.toml").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(schedule.day, DayRule::default());
    let notify = schedule.job("notify").unwrap();
    assert_eq!(
        (notify.catch_up, notify.after.as_slice()),
        (CatchUp::Last, &["publish".to_owned()][..])
    );
    assert!(schedule.job("send").unwrap().is_sub_day());
    assert_eq!(
        schedule.job("prune").unwrap().kind,
        Kind::Prune {
            keep_days: 2,
            keep_log_days: 90
        }
    );
    let before_report: Vec<_> = schedule
        .upstream_first("report")
        .iter()
        .map(|job| job.name.as_str())
        .collect();
    assert_eq!(before_report.first(), Some(&"compact"));
    assert_eq!(before_report.len(), 15);
}

#[test]
fn the_older_systems_hours_can_be_had_as_the_file_says() {
    let text = DEFAULT
        .replace("ends_at = \"00:00\"", "ends_at = \"16:45\"")
        .replace("lateness = \"15m\"", "lateness = \"0s\"")
        .replace("cron = \"20 0 * * *\"", "cron = \"45 16 * * *\"");
    let schedule = Schedule::parse(&text, "cron.toml").unwrap();
    assert_eq!(schedule.day.ends_at.to_string(), "16:45:00");
    assert_eq!(schedule.day.lateness, TimeDelta::zero());
}

#[test]
fn a_table_is_added_with_four_lines_and_its_file_is_named_after_it() {
    let text = format!("{DEFAULT}\n[[job]]\nname = \"my_table\"\nkind = \"transform\"\nafter = \"compact\"\n");
    let schedule = Schedule::parse(&text, "cron.toml").unwrap();
    assert_eq!(
        schedule.job("my_table").unwrap().kind,
        Kind::Transform {
            sql: "my_table".to_owned()
        }
    );
    assert_eq!(schedule.job("my_table").unwrap().timeout, Duration::from_secs(900));
}

#[test]
fn cron_has_five_fields_or_six_and_names_and_last_days() {
    for good in [
        "20 0 * * *",
        "*/5 * * * * *",
        "@daily",
        "@monthly",
        "0 8 L * *",
        "0 8 * * MON-FRI",
        "0 0 29 2 *",
    ] {
        assert!(CronText::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "* * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 24 * * *",
        "0 0 0 1 1 * 2026",
        "noon",
        "@dayly",
    ] {
        assert!(CronText::parse(bad).is_err(), "{bad}");
    }
    let first_monday = CronText::parse("0 8 1-7 * MON").unwrap();
    let from = chrono::NaiveDate::from_ymd_opt(2026, 9, 8)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap();
    assert_eq!(
        first_monday.next(from, false).unwrap().to_string(),
        "2026-10-05 08:00:00"
    );
    assert!(CronText::parse("0 8 * * *").unwrap().is_every_date());
    assert!(!CronText::parse("0 8 L * *").unwrap().is_every_date());
    assert!(!CronText::parse("0 8 * * MON-SAT").unwrap().is_every_date());
    assert!(CronText::parse("0 0,12 * * *").unwrap().is_sub_day());
    assert!(!CronText::parse("30 0 12 * * *").unwrap().is_sub_day());
}

#[test]
fn an_unknown_job_is_answered_with_the_nearest_name() {
    let schedule = Schedule::parse(DEFAULT, "cron.toml").unwrap();
    let error = schedule.require("daily_total").unwrap_err().to_string();
    assert_eq!(
        error,
        "cron.toml has no job `daily_total`; did you mean `daily_totals`?"
    );
}

#[test]
fn weeks_and_months_are_made_of_days_and_by_those_jobs_that_can() {
    let text = r#"
[[job]]
name = "compact"
kind = "compact"
cron = "20 0 * * *"
every = "weak"
[[job]]
name = "weekly"
kind = "report"
every = "week"
cron = "0 6 * * MON"
after = ["compact"]
[[job]]
name = "weekly_site"
kind = "publish"
every = "week"
after = ["weekly"]
[[job]]
name = "daily_site"
kind = "publish"
after = ["weekly"]
[[job]]
name = "monthly"
kind = "report"
every = "month"
after = ["compact"]
[[job]]
name = "mail"
kind = "notify"
every = "week"
cron = "0 7 * * MON"
[[job]]
name = "backup"
kind = "backup"
every = "month"
cron = "0 * * * *"
"#;
    insta::assert_snapshot!(problems(text), @r"
    cron.toml has 5 mistakes:
      cron.toml:6:9: `every`: there is no `weak`; did you mean `week`?
      cron.toml:21:10: `weekly` makes weeks: a job of days cannot come `after` it
      cron.toml:26:10: `compact` makes days: give a job of months that comes after it a `cron`, which says when
      cron.toml:30:9: a `notify` job has no weeks: only report, publish, prune and backup jobs do
      cron.toml:35:9: a job that runs by the instant has no days, weeks or months: leave `every` out
    ");
}

/// The lines of cron.toml that show how workouts are fetched, as they are once somebody takes the `#` away.
fn peloton_example() -> String {
    let lines = DEFAULT.lines().skip_while(|line| !line.contains("# [[job]]"));
    let lines = lines.take_while(|line| line.starts_with('#')).map(|line| &line[1..]);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_of_accounts_at_peloton_is_right_and_off() {
    assert_eq!(Schedule::compiled_in().unwrap().peloton_accounts().count(), 0);
    let schedule = Schedule::parse(&peloton_example(), "cron.toml").unwrap();
    let accounts: Vec<_> = schedule.peloton_accounts().collect();
    assert_eq!(accounts.len(), 2);
    assert_eq!(
        accounts[0].token,
        TokenFrom::Variable("PELOTON_BEARER_TOKEN".to_owned())
    );
    assert!(matches!(accounts[1].token, TokenFrom::File(_)));
    assert!(schedule.jobs[0].is_sub_day());
}

#[test]
fn accounts_at_peloton_that_cannot_be_meant_are_refused() {
    let refused = |from: &str, to: &str| {
        let text = peloton_example();
        assert!(text.contains(from), "{text}");
        problems(&text.replace(from, to))
    };
    assert!(refused("cron = \"40 * * * *\"", "cron = \"*/30 * * * *\"").contains("once an hour"));
    let accounts = peloton_example();
    let accounts = &accounts[accounts.find("accounts").unwrap()..accounts.rfind('}').unwrap()];
    assert!(refused(accounts, "accounts = [] ").contains("expected a list like"));
    assert!(refused("accounts = ", "api_url = \"ftp://x.example\", accounts = ").contains("`https://`"));
    assert!(refused("token_env", "password").contains("an account has no key `password`"));
    assert!(refused("rider = \"Ben\"", "rider = \"ANN\"").contains("`ANN` is there twice"));
    assert!(refused("token_file = ", "token_env = \"X\", token_file = ").contains("either `token_env`"));
    for token in [
        "token_env = \"PELOTON_BEARER_TOKEN\"",
        "token_file = \"secrets/ben.json\"",
    ] {
        let text = peloton_example()
            .replace("token_env = \"PELOTON_BEARER_TOKEN\"", token)
            .replace("token_file = \"secrets/ben.json\"", token);
        let refused = problems(&text);
        assert!(
            refused.contains("`Ben` has the token of `Ann`") && refused.contains("cron.toml:9:"),
            "{refused}"
        );
    }
}

#[test]
fn an_account_at_peloton_is_read_by_one_job_alone() {
    let first = peloton_example();
    let second = |rider: &str, token: &str, enabled: bool| {
        let job = format!(
            "\n[[job]]\nname = \"again\"\nkind = \"peloton\"\ncron = \"10 * * * *\"\nenabled = {enabled}\n\
             params = {{ accounts = [{{ rider = \"{rider}\", token_env = \"{token}\" }}] }}\n"
        );
        Schedule::parse(&format!("{first}{job}"), "cron.toml").map_err(|error| error.to_string())
    };
    for (rider, token) in [("ANN", "OTHER"), ("Cem", "PELOTON_BEARER_TOKEN")] {
        let refused = second(rider, token, true).unwrap_err();
        let line = first.lines().count() + 2;
        assert!(
            refused.contains(&format!("cron.toml:{line}:"))
                && refused.contains(&format!(
                    "the account of `{rider}`, or one with its token, is read by `peloton` already"
                )),
            "{refused}"
        );
        second(rider, token, false).unwrap();
    }
    second("Cem", "OTHER", true).unwrap();
}
