//! `deloton status`: where everything stands, for the engineer on call; what needs a person comes first.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::words::{counted, grouped, lines, run_command};
use crate::{
    app::FileStanding,
    domain::{
        batch::Gap,
        day::DayRule,
        live::StreamState,
        run::{JobOverview, Outcome},
        window::Window,
    },
    peloton::token::TokenStanding,
    scheduler::plan::{Plan, Reason, WaitingOn, times},
    store::{
        disk::size,
        outbox::{MailState, StateCount},
        status::{Status, StreamStatus},
        stream::PartitionAccount,
    },
};

/// A log's clock further on than this is wrong.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Below this a disk is about to be full.
const LITTLE_ROOM: u64 = 2_000_000_000;

/// Open rides without a reading for this long are odd.
const QUIET: TimeDelta = TimeDelta::minutes(10);

/// Show where everything stands: the stream, rides, history, jobs, mail, room.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
pub struct StatusArgs {
    /// Account for every message instead: by partition, what each of them was, and whether that adds up.
    #[arg(long)]
    pub reconcile: bool,
}

/// What there is to show.
#[derive(Debug, Clone)]
pub struct Standing<'s> {
    /// What the store says.
    pub status: &'s Status,
    /// What the scheduler says.
    pub jobs: &'s [JobOverview],
    /// What the scheduler is about to do, and what it does not do by itself any more.
    pub plan: &'s Plan,
    /// Windows that were not done by their job's deadline and are not yet.
    pub late: &'s [(String, Window)],
    /// How the schedule's file stands, where there is one.
    pub schedule: Option<FileStanding>,
    /// The tokens of the accounts at Peloton that are read.
    pub peloton: &'s [TokenStanding],
    /// What the consumer says, where it runs in this process.
    pub stream: Option<&'s StreamState>,
    /// The present.
    pub now: DateTime<Utc>,
    /// The company's day; its zone is what times are shown in.
    pub day: DayRule,
}

/// Writes it.
///
/// # Errors
/// When `out` cannot be written.
pub fn status(_: &StatusArgs, standing: &Standing<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let warnings = warnings(standing);
    if !warnings.is_empty() {
        writeln!(out, "needs a look")?;
        for warning in warnings {
            writeln!(out, "  ! {warning}")?;
        }
        writeln!(out)?;
    }
    streams(standing, out)?;
    rides(standing, out)?;
    jobs(standing, out)?;
    if !standing.peloton.is_empty() {
        writeln!(out, "peloton")?;
        for account in standing.peloton {
            field(out, &account.rider_name, &account.words)?;
        }
        writeln!(out)?;
    }
    rest(standing.status, out)?;
    Ok(())
}

/// What needs a person, and what that person can do.
fn warnings(standing: &Standing<'_>) -> Vec<String> {
    let Standing { status, now, .. } = *standing;
    let mut warnings = Vec::new();
    warnings.extend(standing.stream.and_then(|stream| stream.trouble.clone()));
    if let Some(free) = status.disk_free_bytes.filter(|&free| free < LITTLE_ROOM) {
        warnings.push(format!(
            "{} are left on the data folder's disk: make room, or lower `keep_days` and `keep` in cron.toml",
            size(free)
        ));
    }
    if let Some(newest) = status
        .newest_reading_at
        .filter(|&at| status.open_rides > 0 && now - at > QUIET)
    {
        warnings.push(format!(
            "{} {} open, and nothing has arrived for {}: does the consumer run, and do the bikes reach Kafka?",
            counted(status.open_rides, "ride"),
            if status.open_rides == 1 { "is" } else { "are" },
            span(now - newest)
        ));
    }
    if let Some(FileStanding {
        path,
        taken_at,
        refused: Some(refused),
    }) = &standing.schedule
    {
        warnings.push(format!(
            "`{}` was edited and is refused; what it was at {} stays in force: {}",
            path.display(),
            standing.local(*taken_at),
            refused.why
        ));
    }
    let tokens = standing.peloton.iter().filter(|account| account.needs_a_person);
    warnings.extend(tokens.map(|account| format!("{}'s account at Peloton: {}", account.rider_name, account.words)));
    warnings.extend(failures(standing));
    warnings.extend(deadlines(standing));
    for (state, what, then) in [
        (
            MailState::Unknown,
            "may or may not have been sent",
            "decide with `deloton outbox`",
        ),
        (
            MailState::Dead,
            "could not be sent",
            "see why, and resend, with `deloton outbox`",
        ),
    ] {
        if let Some(count) = status.outbox.iter().find(|count| count.state == state) {
            let messages = counted(count.mails + count.exports, "message");
            warnings.push(format!("{messages} {what}: {then}"));
        }
    }
    // As a bike's clock may, by some seconds.
    for stream in &status.streams {
        if let Some(clock) = stream.log_clock.filter(|&clock| clock - now > AHEAD) {
            warnings.push(format!(
                "the log's clock in partition {} of {} is ahead ({}): check `--log-timezone`, or the bikes' clocks",
                stream.partition,
                stream.topic,
                ago(clock, now)
            ));
        }
    }
    for account in &status.gaps {
        for gap in &account.gaps {
            warnings.push(gone(account, gap));
        }
    }
    if status.rejected_lines > 0 {
        let lines = counted(status.rejected_lines, "line");
        warnings.push(format!(
            "{lines} could not be understood: `deloton rejected list` shows them with the reason"
        ));
    }
    if status.unfinished_erasures > 0 {
        let erasures = counted(status.unfinished_erasures, "erasure");
        warnings.push(format!(
            "{erasures} not finished: `deloton erase --list` shows them; `deloton serve` goes on with them"
        ));
    }
    warnings
}

/// What failed or was cut short, a line for each job: first what nothing is done about unless a person does.
fn failures(standing: &Standing<'_>) -> Vec<String> {
    let Plan { due, waiting } = standing.plan;
    let mut warnings = Vec::new();
    for job in standing.jobs {
        let name = &job.name;
        if job.every.is_none() {
            warnings.extend(failed_instant(standing, job));
            continue;
        }
        let of_job = || waiting.iter().filter(|waiting| waiting.job == *name);
        let gave_up = of_job().filter(|waiting| matches!(waiting.on, WaitingOn::GaveUp { .. }));
        let gave_up: Vec<Window> = gave_up.map(|waiting| waiting.window).collect();
        if let (Some(first), Some(last)) = (gave_up.first(), gave_up.last()) {
            let command = match first.span().zip(last.span()) {
                Some(((from, _), (_, to))) if first != last => {
                    format!("deloton backfill {name} --from {from} --to {to} --only failed")
                }
                _ => run_command(name, *first),
            };
            warnings.push(format!(
                "`{name}` failed for {} and is not tried again by itself: `{command}` tries now",
                listed(&gave_up)
            ));
        }
        for waiting in of_job() {
            let (how, at) = match waiting.on {
                WaitingOn::Retry { at, attempts } => (format!("failed {} for {}", times(attempts), waiting.window), at),
                WaitingOn::Turn {
                    behind,
                    failures,
                    cut_short,
                } if failures + cut_short > 0 => {
                    let how = if failures > 0 { "failed" } else { "was cut short" };
                    warnings.push(format!(
                        "`{name}` {how} for {}: it is tried again after its run of {behind}, which goes on",
                        waiting.window
                    ));
                    continue;
                }
                WaitingOn::CutShort { at, times } => (
                    format!("was cut short for {}, {times} times by now", waiting.window),
                    at,
                ),
                _ => continue,
            };
            warnings.push(format!(
                "`{name}` {how}: it is tried again at {}, `{}` tries now",
                standing.local(at),
                run_command(name, waiting.window)
            ));
        }
        let again = |reason| matches!(reason, Reason::Retry | Reason::Abandoned);
        for due in due.iter().filter(|due| due.job == *name && again(due.reason)) {
            let how = if due.reason == Reason::Retry {
                "failed"
            } else {
                "was cut short"
            };
            warnings.push(format!(
                "`{name}` {how} for {} at try {}: `deloton serve` tries again at once, as does `{}`",
                due.window,
                due.attempt - 1,
                run_command(name, due.window)
            ));
        }
    }
    warnings
}

/// The newest run of a job by the instant, where it failed: the next firing may go well.
fn failed_instant(standing: &Standing<'_>, job: &JobOverview) -> Option<String> {
    let last = job.last_run.as_ref()?;
    let how = match last.outcome {
        Outcome::Failed => "failed",
        Outcome::Abandoned => "was cut short",
        Outcome::Running | Outcome::Succeeded => return None,
    };
    let next = job.next_run_at.map_or_else(
        || "it does not fire again".to_owned(),
        |at| format!("it fires again at {}", standing.local(at)),
    );
    let accounts: Vec<_> = standing
        .peloton
        .iter()
        .filter(|account| account.job == job.name)
        .collect();
    let mut paused = Vec::new();
    for account in &accounts {
        if let Some(until) = account.paused_until {
            let (rider, until) = (&account.rider_name, standing.local(until));
            paused.push(format!(
                "{rider}'s account is not read before {until}, as Peloton wishes"
            ));
        }
    }
    let run = run_command(&job.name, last.window);
    let now = match paused.len() {
        0 => format!("{next}, `{run}` tries now"),
        some if some < accounts.len() => format!("{}; {next}, `{run}` tries the others now", paused.join(", ")),
        _ => format!("{}; {next}", paused.join(", ")),
    };
    let at = last.window.instant();
    let at = at.map_or_else(|| last.window.to_string(), |at| standing.local(at));
    Some(format!("`{}` {how} at {at}: {now}", job.name))
}

/// What is not done although its deadline has passed, a line for each job.
fn deadlines(standing: &Standing<'_>) -> Vec<String> {
    let jobs = standing.late.chunk_by(|(one, _), (other, _)| one == other);
    let told = jobs.map(|of_job| {
        let (job, newest) = &of_job[of_job.len() - 1];
        let windows: Vec<Window> = of_job.iter().map(|(_, window)| *window).collect();
        format!(
            "`{job}` has missed its deadline for {}: `deloton plan` says what it waits for, `{}` does it now",
            listed(&windows),
            run_command(job, *newest)
        )
    });
    told.collect()
}

/// `2026-11-07, 2026-11-08 and 2 more`: the first few.
fn listed(windows: &[Window]) -> String {
    const MOST: usize = 7;
    let shown: Vec<String> = windows.iter().take(MOST).map(ToString::to_string).collect();
    match windows.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Writes what became of every message, and whether that adds up.
///
/// # Errors
/// When it does not, or `out` cannot be written.
pub fn reconcile(accounts: &[PartitionAccount], out: &mut dyn Write) -> anyhow::Result<()> {
    let header = [
        "partition",
        "messages",
        "ride",
        "telemetry",
        "user data",
        "SYSTEM",
        "marker",
        "duplicate",
        "deleted",
        "rejected",
        "difference",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    for account in accounts {
        let counts = &account.counts;
        rows.push([
            format!(
                "{} of {}, {}",
                account.partition,
                account.stream.topic,
                short(&account.stream.source)
            ),
            count(counts.messages),
            count(counts.ride_lines),
            count(counts.telemetry_lines),
            count(counts.user_data_lines),
            count(counts.system_lines),
            count(counts.marker_lines),
            count(counts.duplicate_lines),
            count(counts.tombstoned_lines),
            count(counts.rejected_lines),
            (counts.messages - counts.accounted_for()).to_string(),
        ]);
    }
    table(out, &rows, Align::Right)?;
    for account in accounts {
        for gap in &account.gaps {
            writeln!(out, "  {}", gone(account, gap))?;
        }
        if account.missing_offsets > 0 {
            writeln!(
                out,
                "  partition {} of {}: {} had no message, as transactions and log compaction leave them; an ordinary topic \
                 has none",
                account.partition,
                account.stream.topic,
                counted(account.missing_offsets.unsigned_abs(), "offset"),
            )?;
        }
    }
    let wrong: Vec<_> = accounts
        .iter()
        .filter(|account| account.counts.messages != account.counts.accounted_for())
        .collect();
    match wrong.first() {
        None => {
            let messages = accounts
                .iter()
                .map(|account| account.counts.messages.unsigned_abs())
                .sum();
            Ok(writeln!(
                out,
                "every one of {} is accounted for",
                counted(messages, "message")
            )?)
        }
        Some(first) => anyhow::bail!(
            "{} of partition {} of `{}` are not accounted for: this is a mistake in the program; keep the database, and \
             report it",
            counted(
                (first.counts.messages - first.counts.accounted_for()).unsigned_abs(),
                "message"
            ),
            first.partition,
            first.stream.topic
        ),
    }
}

/// A gap in words.
fn gone(account: &PartitionAccount, gap: &Gap) -> String {
    let of = format!("partition {} of {}", account.partition, account.stream.topic);
    if gap.to < gap.from {
        format!(
            "{of}: the log was made anew: {} was expected, and it ends before that; it was read from {}",
            gap.from, gap.to
        )
    } else {
        format!(
            "{of}: {} ({} to {}) were gone before they could be read",
            counted((gap.to - gap.from).unsigned_abs(), "message"),
            gap.from,
            gap.to - 1
        )
    }
}

fn short(source: &str) -> String {
    source.chars().take(12).collect()
}

fn count(value: i64) -> String {
    grouped(value.unsigned_abs())
}

fn streams(standing: &Standing<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let Standing { status, now, .. } = *standing;
    writeln!(out, "stream")?;
    if let Some(stream) = standing.stream {
        let lag = stream
            .lag_messages
            .map_or("not known yet".to_owned(), |lag| counted(lag, "message"));
        field(out, "lag", &lag)?;
    }
    let Some(newest) = status.streams.first() else {
        writeln!(
            out,
            "  nothing was ever read: `deloton serve` reads Kafka, `deloton consume --from-file` a file"
        )?;
        return writeln!(out);
    };
    let of_newest = |stream: &&StreamStatus| stream.source == newest.source && stream.topic == newest.topic;
    let (mut current, earlier): (Vec<_>, Vec<_>) = status.streams.iter().partition(of_newest);
    current.sort_by_key(|stream| stream.partition);
    field(out, "topic", &format!("{} of {}", newest.topic, newest.source))?;
    let header = [
        "partition",
        "next offset",
        "log clock",
        "stored",
        "messages",
        "readings",
        "duplicate readings",
        "duplicate lines",
        "rejected lines",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(current.iter().map(|stream| {
        [
            stream.partition.to_string(),
            grouped(stream.next_offset.unsigned_abs()),
            stream.log_clock.map_or("-".to_owned(), |at| ago(at, now)),
            ago(stream.flushed_at, now),
            grouped(stream.messages),
            grouped(stream.readings),
            grouped(stream.duplicate_readings),
            grouped(stream.duplicate_lines),
            grouped(stream.rejected_lines),
        ]
    }));
    table(out, &rows, Align::Right)?;
    if !earlier.is_empty() {
        let sum = |figure: fn(&StreamStatus) -> u64| earlier.iter().map(|stream| figure(stream)).sum();
        let earlier = format!(
            "{} of other sources: {}: {}",
            counted(earlier.len() as u64, "partition"),
            counted(sum(|stream| stream.messages), "message"),
            lines(
                sum(|stream| stream.readings),
                sum(|stream| stream.duplicate_readings),
                sum(|stream| stream.duplicate_lines),
                sum(|stream| stream.rejected_lines)
            )
        );
        field(out, "earlier", &earlier)?;
    }
    writeln!(out)
}

fn rides(standing: &Standing<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let Standing { status, now, .. } = *standing;
    writeln!(out, "rides")?;
    field(out, "open", &grouped(status.open_rides))?;
    let newest = status.newest_reading_at.map_or("none yet".to_owned(), |at| {
        format!("{} ({})", standing.local(at), ago(at, now))
    });
    field(out, "newest reading", &newest)?;
    let buffer = format!(
        "{}, {}",
        counted(status.buffer_rides, "ride"),
        counted(status.buffer_readings, "reading")
    );
    field(out, "in the buffer", &buffer)?;
    let sealed = status.sealed.map_or("none yet".to_owned(), |days| {
        let (count, rides) = (counted(days.count, "day"), counted(days.rides, "ride"));
        if days.first == days.last {
            format!("{count}, {}, with {rides}", days.first)
        } else {
            format!("{count}, {} to {}, with {rides}", days.first, days.last)
        }
    });
    field(out, "sealed", &sealed)?;
    if !status.late_days.is_empty() {
        let days: Vec<String> = status.late_days.iter().map(ToString::to_string).collect();
        field(
            out,
            "to seal again",
            &format!("{}, when compact is due next", days.join(", ")),
        )?;
    }
    writeln!(out)
}

fn jobs(standing: &Standing<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let Standing { now, .. } = *standing;
    writeln!(out, "jobs")?;
    let mut rows = vec![["job", "last run", "about", "outcome", "next"].map(str::to_owned)];
    rows.extend(standing.jobs.iter().map(|job| {
        let dash = || "-".to_owned();
        let last = job.last_run.as_ref();
        let began = last.map(|last| last.started_at).max(job.last_idle_at);
        let outcome = match (&job.running, last) {
            (Some(_), _) => "running".to_owned(),
            (None, Some(last)) if Some(last.started_at) >= job.last_idle_at => last.outcome.name().to_owned(),
            (None, _) if job.last_idle_at.is_some() => format!("nothing to do ({} times)", grouped(job.idle_runs)),
            (None, _) => dash(),
        };
        let next = match job.next_run_at {
            _ if !job.enabled => "disabled".to_owned(),
            Some(at) => format!("{} ({})", standing.local(at), ahead(at, now)),
            None => job
                .when
                .split_once(',')
                .map_or(job.when.clone(), |(first, _)| format!("{first}, …")),
        };
        [
            job.name.clone(),
            began.map_or_else(dash, |at| ago(at, now)),
            last.map_or_else(dash, |last| last.window.to_string()),
            outcome,
            next,
        ]
    }));
    table(out, &rows, Align::Left)?;
    if let Some(file) = &standing.schedule {
        writeln!(
            out,
            "  by {} as of {}",
            file.path.display(),
            standing.local(file.taken_at)
        )?;
    }
    writeln!(out)
}

fn rest(status: &Status, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "mail and room")?;
    let states = |of: fn(&StateCount) -> u64| {
        let counts = status.outbox.iter().filter(|count| of(count) > 0);
        let states: Vec<String> = counts
            .map(|count| format!("{} {}", grouped(of(count)), count.state.name()))
            .collect();
        if states.is_empty() {
            "none".to_owned()
        } else {
            states.join(", ")
        }
    };
    field(out, "mails", &states(|count| count.mails))?;
    if status.unsubscribed > 0 {
        let words = format!("{}: `deloton outbox unsubscribed`", grouped(status.unsubscribed));
        field(out, "unsubscribed", &words)?;
    }
    field(out, "ride exports", &states(|count| count.exports))?;
    field(out, "database", &size(status.database_bytes))?;
    field(out, "lake", &size(status.lake_bytes))?;
    field(
        out,
        "disk free",
        &status.disk_free_bytes.map_or("not known".to_owned(), size),
    )?;
    field(
        out,
        "newest backup",
        status
            .newest_backup
            .as_deref()
            .unwrap_or("none; `deloton backup` takes one"),
    )
}

impl Standing<'_> {
    fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.day.timezone)
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }
}

fn field(out: &mut dyn Write, name: &str, value: &str) -> std::io::Result<()> {
    writeln!(out, "  {name:<16}{value}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(out: &mut dyn Write, rows: &[[String; N]], align: Align) -> std::io::Result<()> {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        writeln!(out, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match now - at {
        age if age < TimeDelta::zero() => ahead(at, now),
        age if age < TimeDelta::seconds(1) => "now".to_owned(),
        age => format!("{} ago", span(age)),
    }
}

fn ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("in {}", span((at - now).max(TimeDelta::zero())))
}

/// A span of time in its largest unit of which there are at least two, or in seconds.
fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
