//! The walk through the file: every key is looked at, every mistake is noted, nothing stops at the first.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use chrono::TimeDelta;
use chrono_tz::Tz;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Backoff, CatchUp, CronText, JobConfig, Kind, Overlap, PELOTON_URL, PelotonAccount, Problem, Schedule,
    peloton::accounts,
    value::{
        boolean, choice, duration, identifier, integer, plain, positive_duration, string, suggestion, time_of_day,
        variable, zone,
    },
};
use crate::{
    config::settings::web_address,
    domain::{
        day::DayRule,
        heart_rate::{self, AlertRule},
        window::Period,
    },
};

const TOP_KEYS: [&str; 4] = ["day", "heart_rate", "defaults", "job"];
const DAY_KEYS: [&str; 3] = ["timezone", "ends_at", "lateness"];
const DEFAULT_KEYS: [&str; 8] = [
    "timezone",
    "timeout",
    "retries",
    "backoff",
    "catch_up",
    "catch_up_window",
    "overlap",
    "notify_on_failure",
];
const JOB_KEYS: [&str; 17] = [
    "name",
    "kind",
    "every",
    "cron",
    "after",
    "enabled",
    "params",
    "timezone",
    "timeout",
    "retries",
    "backoff",
    "catch_up",
    "catch_up_window",
    "overlap",
    "deadline",
    "notify_on_failure",
    "ping_url_env",
];

/// What `[defaults]` and `[[job]]` share.
#[derive(Clone, Copy)]
struct Common {
    timezone: Tz,
    timeout: Duration,
    retries: u32,
    backoff: Backoff,
    catch_up: CatchUp,
    catch_up_window: TimeDelta,
    overlap: Overlap,
    notify_on_failure: bool,
}

/// A job as read, with where its parts stand, for what only the whole file can tell.
struct Draft {
    job: JobConfig,
    name_at: Range<usize>,
    after_at: Vec<Range<usize>>,
}

/// Reads the file; every mistake, in the file's order.
pub(super) fn read(text: &str) -> Result<Schedule, Vec<Problem>> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    for error in syntax {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.note(&error.span().unwrap_or(0..0), message);
    }
    if !reader.problems.is_empty() {
        // What a file that is not TOML means is a guess; guesses are no help.
        return Err(reader.finish());
    }
    let schedule = reader.schedule(document.get_ref());
    if reader.problems.is_empty() {
        Ok(schedule)
    } else {
        Err(reader.finish())
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn note(&mut self, at: &Range<usize>, message: impl Into<String>) {
        self.problems.push((at.start, message.into()));
    }

    fn finish(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        let text = self.text;
        let place = |(offset, message): (usize, String)| {
            let before = text.get(..offset).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            Problem {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                message,
            }
        };
        self.problems.into_iter().map(place).collect()
    }

    fn schedule(&mut self, top: &DeTable<'_>) -> Schedule {
        self.refuse_unknown(top, &TOP_KEYS, "the file");
        let day = self
            .table(top, "day")
            .map_or_else(DayRule::default, |table| self.day(table));
        let heart_rate = self
            .table(top, "heart_rate")
            .map_or_else(AlertRule::default, |table| self.heart_rate(table));
        let mut common = Common {
            timezone: day.timezone,
            timeout: Duration::from_secs(15 * 60),
            retries: 3,
            backoff: Backoff {
                initial: TimeDelta::seconds(30),
                max: TimeDelta::minutes(30),
            },
            catch_up: CatchUp::All,
            catch_up_window: TimeDelta::days(7),
            overlap: Overlap::Queue,
            notify_on_failure: true,
        };
        if let Some(table) = self.table(top, "defaults") {
            self.refuse_unknown(table, &DEFAULT_KEYS, "`[defaults]`");
            common = self.common(table, common);
        }
        let mut drafts = Vec::new();
        if let Some(value) = top.get("job") {
            match value.get_ref().as_array() {
                Some(array) => {
                    for item in array.iter() {
                        match item.get_ref().as_table() {
                            Some(table) => drafts.extend(self.job(table, item.span(), common)),
                            None => self.note(&item.span(), "a job is a table: write `[[job]]`"),
                        }
                    }
                }
                None => self.note(&value.span(), "jobs are a list: write `[[job]]`, not `[job]`"),
            }
        }
        self.across(&drafts);
        Schedule {
            day,
            heart_rate,
            jobs: drafts.into_iter().map(|draft| draft.job).collect(),
        }
    }

    fn day(&mut self, table: &DeTable<'_>) -> DayRule {
        self.refuse_unknown(table, &DAY_KEYS, "`[day]`");
        let default = DayRule::default();
        DayRule {
            timezone: self.take(table, "timezone", zone).unwrap_or(default.timezone),
            ends_at: self.take(table, "ends_at", time_of_day).unwrap_or(default.ends_at),
            lateness: self.take(table, "lateness", duration).unwrap_or(default.lateness),
        }
    }

    fn heart_rate(&mut self, table: &DeTable<'_>) -> AlertRule {
        self.refuse_unknown(table, &heart_rate::KEYS, "`[heart_rate]`");
        let mut rule = AlertRule::default();
        for key in heart_rate::KEYS {
            self.take(table, key, |value| rule.set(key, &plain(value)));
        }
        rule
    }

    fn common(&mut self, table: &DeTable<'_>, default: Common) -> Common {
        Common {
            timezone: self.take(table, "timezone", zone).unwrap_or(default.timezone),
            timeout: self
                .take(table, "timeout", |value| {
                    let span = positive_duration(value)?;
                    span.to_std().map_err(|_| "out of range".to_owned())
                })
                .unwrap_or(default.timeout),
            retries: self
                .take(table, "retries", |value| integer(value, 0, 100))
                .unwrap_or(default.retries),
            backoff: self.backoff(table, default.backoff),
            catch_up: self
                .take(table, "catch_up", |value| {
                    choice(
                        value,
                        &[("all", CatchUp::All), ("last", CatchUp::Last), ("none", CatchUp::None)],
                    )
                })
                .unwrap_or(default.catch_up),
            catch_up_window: self
                .take(table, "catch_up_window", positive_duration)
                .unwrap_or(default.catch_up_window),
            overlap: self
                .take(table, "overlap", |value| {
                    choice(
                        value,
                        &[
                            ("skip", Overlap::Skip),
                            ("queue", Overlap::Queue),
                            ("cancel", Overlap::Cancel),
                        ],
                    )
                })
                .unwrap_or(default.overlap),
            notify_on_failure: self
                .take(table, "notify_on_failure", boolean)
                .unwrap_or(default.notify_on_failure),
        }
    }

    fn backoff(&mut self, table: &DeTable<'_>, default: Backoff) -> Backoff {
        let Some(inner) = self.table(table, "backoff") else {
            return default;
        };
        self.refuse_unknown(inner, &["initial", "max"], "`backoff`");
        let initial = self
            .take(inner, "initial", positive_duration)
            .unwrap_or(default.initial);
        let max = self
            .take(inner, "max", positive_duration)
            .unwrap_or(default.max.max(initial));
        if max < initial
            && let Some(value) = inner.get("max")
        {
            self.note(
                &value.span(),
                "`max` is the upper bound of every wait: it cannot be less than `initial`",
            );
        }
        Backoff { initial, max }
    }

    fn job(&mut self, table: &DeTable<'_>, at: Range<usize>, common: Common) -> Option<Draft> {
        self.refuse_unknown(table, &JOB_KEYS, "a job");
        let common = self.common(table, common);
        let name = self.required(table, &at, "name", identifier);
        let kind_name = self.required(table, &at, "kind", |value| {
            let names: Vec<_> = Kind::NAMES.iter().map(|&name| (name, name)).collect();
            choice(value, &names)
        });
        let cron = self.take(table, "cron", |value| CronText::parse(string(value)?));
        let every = self
            .take(table, "every", |value| {
                choice(
                    value,
                    &[Period::Day, Period::Week, Period::Month].map(|period| (period.name(), period)),
                )
            })
            .unwrap_or(Period::Day);
        let enabled = self.take(table, "enabled", boolean).unwrap_or(true);
        let deadline = self.take(table, "deadline", time_of_day);
        let ping_url_env = self.take(table, "ping_url_env", variable);
        let (after, after_at) = self.after(table);
        // Whatever follows needs to know which job it is; its own keys have been looked at by now.
        let name = name?;
        // Of a kind that there is not, one that may have whatever a job can have: the rest is looked at all the same.
        let kind = kind_name.map_or(Kind::Backup { keep: 1 }, |kind| self.kind(table, kind, &name));
        let name_at = table.get("name").map_or(at, Spanned::span);
        if !table.contains_key("cron") && !table.contains_key("after") {
            self.note(
                &name_at,
                format!("job `{name}` would never run: give it `cron`, `after`, or both"),
            );
        }
        let job = JobConfig {
            name,
            kind,
            every,
            cron,
            after,
            timezone: common.timezone,
            timeout: common.timeout,
            retries: common.retries,
            backoff: common.backoff,
            catch_up: common.catch_up,
            catch_up_window: common.catch_up_window,
            overlap: common.overlap,
            enabled,
            deadline,
            notify_on_failure: common.notify_on_failure,
            ping_url_env,
        };
        if let Some(value) = table
            .get("every")
            .filter(|_| every != Period::Day && !job.kind.spans_days())
        {
            self.note(
                &value.span(),
                format!(
                    "a `{}` job has no {}s: only report, publish, prune and backup jobs do",
                    job.kind.name(),
                    every.name()
                ),
            );
        }
        if let (Kind::Peloton { .. }, Some(cron), Some(value)) = (&job.kind, &job.cron, table.get("cron"))
            && cron.is_more_often_than_hourly()
        {
            self.note(
                &value.span(),
                "Peloton has locked accounts that were read more often than once an hour: let an hour lie between two runs",
            );
        }
        if job.is_sub_day() {
            let cron_at = table.get("cron").map_or(name_at.clone(), Spanned::span);
            if job.kind.needs_day() {
                self.note(
                    &cron_at,
                    format!(
                        "a `{}` job makes one business day: it cannot run more often than daily",
                        job.kind.name()
                    ),
                );
            }
            if let Some(value) = table.get("after") {
                self.note(
                    &value.span(),
                    "a job that runs by the instant has no day to come `after`",
                );
            }
            if let Some(value) = table.get("every").filter(|_| job.kind.spans_days()) {
                self.note(
                    &value.span(),
                    "a job that runs by the instant has no days, weeks or months: leave `every` out",
                );
            }
            if let Some(value) = table.get("deadline") {
                self.note(
                    &value.span(),
                    "a job that runs by the instant makes no day that could be late: leave `deadline` out",
                );
            }
        }
        Some(Draft { job, name_at, after_at })
    }

    fn after(&mut self, table: &DeTable<'_>) -> (Vec<String>, Vec<Range<usize>>) {
        let Some(value) = table.get("after") else {
            return Default::default();
        };
        let items: Vec<_> = match value.get_ref() {
            DeValue::String(_) => vec![value],
            DeValue::Array(array) => array.iter().collect(),
            _ => {
                self.note(
                    &value.span(),
                    "`after` is a list of job names, e.g. `after = [\"compact\"]`",
                );
                return Default::default();
            }
        };
        if items.is_empty() {
            self.note(&value.span(), "`after` is empty: leave it out, or name a job");
        }
        let mut names = Vec::new();
        for item in items {
            match string(item.get_ref()) {
                Ok(name) => names.push((name.to_owned(), item.span())),
                Err(message) => self.note(&item.span(), format!("`after`: {message}")),
            }
        }
        names.into_iter().unzip()
    }

    fn kind(&mut self, table: &DeTable<'_>, kind: &str, name: &str) -> Kind {
        let keys: &[&str] = match kind {
            "transform" => &["sql"],
            "report" => &["alert_banner"],
            "notify" => &["restate_percent"],
            "extract" => &["include_personal"],
            "peloton" => &["accounts", "api_url"],
            "prune" => &["keep_days", "keep_log_days"],
            "backup" => &["keep"],
            _ => &[],
        };
        let nothing = DeTable::new();
        let params = self.table(table, "params").unwrap_or(&nothing);
        self.refuse_unknown(params, keys, &format!("`params` of a `{kind}` job"));
        match kind {
            "compact" => Kind::Compact,
            "transform" => Kind::Transform {
                sql: self.take(params, "sql", identifier).unwrap_or_else(|| name.to_owned()),
            },
            "report" => Kind::Report {
                alert_banner: self
                    .take(params, "alert_banner", |value| integer(value, 0, u32::MAX))
                    .unwrap_or(5),
            },
            "publish" => Kind::Publish,
            "notify" => Kind::Notify {
                restate_percent: self.take(params, "restate_percent", |value| integer(value, 0, 1_000)),
            },
            "send" => Kind::Send,
            "send_alerts" => Kind::SendAlerts,
            "export_rides" => Kind::ExportRides,
            "extract" => Kind::Extract {
                include_personal: self.take(params, "include_personal", boolean).unwrap_or(false),
            },
            "peloton" => Kind::Peloton {
                accounts: self.take(params, "accounts", accounts).unwrap_or_default(),
                api_url: self
                    .take(params, "api_url", |value| {
                        Ok(web_address(string(value)?)?.trim_end_matches('/').to_owned())
                    })
                    .unwrap_or_else(|| PELOTON_URL.to_owned()),
            },
            "prune" => Kind::Prune {
                keep_days: self
                    .take(params, "keep_days", |value| integer(value, 0, 3650))
                    .unwrap_or(2),
                keep_log_days: self
                    .take(params, "keep_log_days", |value| integer(value, 1, 36_500))
                    .unwrap_or(90),
            },
            _ => Kind::Backup {
                keep: self.take(params, "keep", |value| integer(value, 1, 3650)).unwrap_or(7),
            },
        }
    }

    /// What only the whole file can tell: names used twice, names nobody has, circles.
    fn across(&mut self, drafts: &[Draft]) {
        let mut seen: BTreeMap<&str, &Draft> = BTreeMap::new();
        for draft in drafts {
            if seen.contains_key(draft.job.name.as_str()) {
                self.note(
                    &draft.name_at,
                    format!("two jobs are called `{}`: rename one", draft.job.name),
                );
            } else {
                seen.insert(&draft.job.name, draft);
            }
        }
        self.one_job_an_account(drafts);
        for draft in drafts {
            for (name, at) in draft.job.after.iter().zip(&draft.after_at) {
                match seen.get(name.as_str()) {
                    Some(upstream) if upstream.job.is_sub_day() => self.note(
                        at,
                        format!("`{name}` runs by the instant and never makes a day: nothing can come `after` it"),
                    ),
                    Some(upstream) => self.lengths(&draft.job, &upstream.job, at),
                    None => {
                        let hint = suggestion(name, seen.keys().copied());
                        self.note(at, format!("there is no job `{name}` to come after{hint}"));
                    }
                }
            }
        }
        let after = |name: &str| {
            seen.get(name)
                .map(|draft| draft.job.after.as_slice())
                .unwrap_or_default()
        };
        let mut told: Vec<String> = Vec::new();
        for draft in drafts {
            let start = draft.job.name.as_str();
            if told.iter().any(|name| name == start) {
                continue;
            }
            if let Some(circle) = circle_through(start, after) {
                let at = draft.after_at.first().cloned().unwrap_or_else(|| draft.name_at.clone());
                let path = circle
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(" after ");
                self.note(
                    &at,
                    format!("{path} after `{start}` is a circle: none of them could ever run"),
                );
                // Jobs with several ways back to themselves are in several circles: one is enough to find the mistake.
                let is_in_the_knot = |name: &&str| before(name, after).contains(start);
                let knot = before(start, after).into_iter().filter(is_in_the_knot);
                told.extend(knot.map(str::to_owned));
            }
        }
    }

    /// Each of two jobs keeps to the hour for itself alone.
    fn one_job_an_account(&mut self, drafts: &[Draft]) {
        let mut read: Vec<(&PelotonAccount, &str)> = Vec::new();
        for draft in drafts.iter().filter(|draft| draft.job.enabled) {
            for account in draft.job.kind.peloton_accounts() {
                if let Some((_, by)) = read.iter().find(|(other, _)| account.is_that_of(other)) {
                    let rider_name = &account.rider_name;
                    self.note(
                        &draft.name_at,
                        format!(
                            "the account of `{rider_name}`, or one with its token, is read by `{by}` already, and Peloton has locked accounts that were \
                             read more often than once an hour: take it out of one of them"
                        ),
                    );
                }
            }
            let accounts = draft.job.kind.peloton_accounts().iter();
            read.extend(accounts.map(|account| (account, draft.job.name.as_str())));
        }
    }

    /// What comes after another job is made of its windows: they are the same, or days.
    fn lengths(&mut self, job: &JobConfig, upstream: &JobConfig, at: &Range<usize>) {
        let (own, theirs) = (job.every, upstream.every);
        if own == theirs {
            return;
        }
        if theirs != Period::Day {
            self.note(
                at,
                format!(
                    "`{}` makes {}s: a job of {}s cannot come `after` it",
                    upstream.name,
                    theirs.name(),
                    own.name()
                ),
            );
        } else if job.cron.is_none() {
            self.note(
                at,
                format!(
                    "`{}` makes days: give a job of {}s that comes after it a `cron`, which says when",
                    upstream.name,
                    own.name()
                ),
            );
        }
    }

    fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[&str], place: &str) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let hint = suggestion(key.get_ref(), known.iter().copied());
                let known = if known.is_empty() {
                    "nothing".to_owned()
                } else {
                    known.join(", ")
                };
                let hint = if hint.is_empty() {
                    format!("; it knows {known}")
                } else {
                    hint
                };
                self.note(&key.span(), format!("{place} has no key `{}`{hint}", key.get_ref()));
            }
        }
    }

    fn table<'d>(&mut self, table: &'d DeTable<'_>, key: &str) -> Option<&'d DeTable<'d>> {
        let value = table.get(key)?;
        let inner = value.get_ref().as_table();
        if inner.is_none() {
            self.note(
                &value.span(),
                format!("`{key}` is a table, not a {}", value.get_ref().type_str()),
            );
        }
        inner
    }

    fn take<'d, T>(
        &mut self,
        table: &'d DeTable<'_>,
        key: &str,
        parse: impl FnOnce(&'d DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let value = table.get(key)?;
        match parse(value.get_ref()) {
            Ok(parsed) => Some(parsed),
            Err(message) => {
                self.note(&value.span(), format!("`{key}`: {message}"));
                None
            }
        }
    }

    fn required<'d, T>(
        &mut self,
        table: &'d DeTable<'_>,
        at: &Range<usize>,
        key: &str,
        parse: impl FnOnce(&'d DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !table.contains_key(key) {
            self.note(at, format!("this job has no `{key}`"));
        }
        self.take(table, key, parse)
    }
}

/// Everything that must run before `start` does.
fn before<'n>(start: &str, after: impl Fn(&str) -> &'n [String]) -> BTreeSet<&'n str> {
    let mut found = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        for upstream in after(name) {
            if found.insert(upstream.as_str()) {
                open.push(upstream);
            }
        }
    }
    found
}

/// The way from `start` back to itself, if there is one.
fn circle_through<'n>(start: &'n str, after: impl Fn(&str) -> &'n [String]) -> Option<Vec<String>> {
    let mut visited: Vec<&str> = Vec::new();
    let mut ways: Vec<Vec<&str>> = vec![vec![start]];
    while let Some(way) = ways.pop() {
        for name in after(way.last().expect("a way has a start")) {
            if name == start {
                return Some(way.into_iter().map(str::to_owned).collect());
            }
            if !visited.contains(&name.as_str()) {
                visited.push(name);
                ways.push(way.iter().copied().chain([name.as_str()]).collect());
            }
        }
    }
    None
}
