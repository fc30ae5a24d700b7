//! `cron.toml`: the company's day, and what runs when. Text in, a validated [`Schedule`] out; every mistake at once.

mod cron;
mod peloton;
mod ping;
mod read;
mod value;
pub use value::parse_duration;

use std::{fmt, time::Duration};

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;

pub use self::{
    cron::CronText,
    peloton::{PELOTON_URL, PelotonAccount, TokenFrom},
    ping::PingUrl,
};
use crate::domain::{
    day::DayRule,
    heart_rate::AlertRule,
    window::{Period, Window},
};

/// The schedule the program was built with: the file `cron.toml` of the source tree.
pub const DEFAULT: &str = include_str!("../../../cron.toml");

/// What `cron.toml` says.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Where the company's days end.
    pub day: DayRule,
    /// When a heart rate is worth an alert.
    pub heart_rate: AlertRule,
    /// The jobs, in the file's order. Names are unique, `after` names exist and have no cycle.
    pub jobs: Vec<JobConfig>,
}

/// One `[[job]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// Unique; what the ledger and the command line call it.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// How long its windows are, unless it runs by the instant.
    pub every: Period,
    /// When it is due; without, as soon as everything in `after` has the window.
    pub cron: Option<CronText>,
    /// Jobs that must have succeeded for the same window first.
    pub after: Vec<String>,
    /// The zone `cron` is read in.
    pub timezone: Tz,
    /// How long a run may take before it is cancelled and counts as failed.
    pub timeout: Duration,
    /// How often a failed run is tried again.
    pub retries: u32,
    /// How long to wait between tries.
    pub backoff: Backoff,
    /// What happens with firings that nobody was there for.
    pub catch_up: CatchUp,
    /// Firings older than this are not made good.
    pub catch_up_window: TimeDelta,
    /// What happens with a firing while the job still runs.
    pub overlap: Overlap,
    /// A disabled job never runs by itself.
    pub enabled: bool,
    /// The time of day, in its zone, by which it must have done a day: the first after the day's end.
    pub deadline: Option<NaiveTime>,
    /// Whether somebody is mailed when it gives up or misses its deadline.
    pub notify_on_failure: bool,
    /// The environment variable with the address of its dead-man's switch.
    pub ping_url_env: Option<String>,
}

/// What a job does, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Seals a day.
    Compact,
    /// Makes one daily table from `jobs/<sql>.sql`.
    Transform {
        /// File name without `.sql`; the job's name unless set.
        sql: String,
    },
    /// Renders the day's report.
    Report {
        /// More heart-rate alerts than this in a day put a banner on top.
        alert_banner: u32,
    },
    /// Brings the site to where it is read.
    Publish,
    /// Puts the day's mail into the outbox.
    Notify {
        /// A day that is restated is mailed about once more when a figure moved by more than so many percent; never,
        /// where this is none.
        restate_percent: Option<u32>,
    },
    /// Sends what waits in the outbox.
    Send,
    /// Sends the mails about heart-rate alerts, which wait for no other.
    SendAlerts,
    /// Tells other programs of rides that ended: files, an SNS topic, a webhook.
    ExportRides,
    /// Writes the tables that analysts open.
    Extract {
        /// Whether there is a second extract that has personal columns.
        include_personal: bool,
    },
    /// Fetches new workouts from Peloton.
    Peloton {
        /// Whose.
        accounts: Vec<PelotonAccount>,
        /// Where its API is.
        api_url: String,
    },
    /// Deletes from the buffer what history holds.
    Prune {
        /// Sealed days that stay in the buffer.
        keep_days: u32,
        /// Days that the log lines of runs stay; that the runs were made stays for ever.
        keep_log_days: u32,
    },
    /// Copies the database.
    Backup {
        /// How many backups stay.
        keep: u32,
    },
}

impl Kind {
    /// The names accepted in `cron.toml`.
    pub const NAMES: [&str; 12] = [
        "compact",
        "transform",
        "report",
        "publish",
        "notify",
        "send",
        "send_alerts",
        "export_rides",
        "extract",
        "peloton",
        "prune",
        "backup",
    ];

    /// Its name in `cron.toml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Compact => "compact",
            Kind::Transform { .. } => "transform",
            Kind::Report { .. } => "report",
            Kind::Publish => "publish",
            Kind::Notify { .. } => "notify",
            Kind::Send => "send",
            Kind::SendAlerts => "send_alerts",
            Kind::ExportRides => "export_rides",
            Kind::Extract { .. } => "extract",
            Kind::Peloton { .. } => "peloton",
            Kind::Prune { .. } => "prune",
            Kind::Backup { .. } => "backup",
        }
    }

    /// Whether it can be of weeks and months as well as of days.
    #[must_use]
    pub fn spans_days(&self) -> bool {
        matches!(
            self,
            Kind::Report { .. } | Kind::Publish | Kind::Prune { .. } | Kind::Backup { .. }
        )
    }

    /// Whether a run of it is about business days and nothing else.
    #[must_use]
    pub fn needs_day(&self) -> bool {
        !matches!(
            self,
            Kind::Send
                | Kind::SendAlerts
                | Kind::ExportRides
                | Kind::Peloton { .. }
                | Kind::Prune { .. }
                | Kind::Backup { .. }
        )
    }

    /// The accounts at Peloton that it reads.
    #[must_use]
    pub fn peloton_accounts(&self) -> &[PelotonAccount] {
        match self {
            Kind::Peloton { accounts, .. } => accounts,
            _ => &[],
        }
    }

    /// Whether most runs of it only look whether there is something to do.
    #[must_use]
    pub fn is_often_idle(&self) -> bool {
        matches!(
            self,
            Kind::Send | Kind::SendAlerts | Kind::ExportRides | Kind::Peloton { .. }
        )
    }
}

impl JobConfig {
    /// Whether its window is an instant: `send`, `send_alerts`, `export_rides`, `peloton`, and whatever fires more often than daily.
    #[must_use]
    pub fn is_sub_day(&self) -> bool {
        self.kind.is_often_idle() || self.cron.as_ref().is_some_and(CronText::is_sub_day)
    }

    /// The window of it that `asked` means: a day means the week or the month it is in, where the job makes those.
    #[must_use]
    pub fn window_of(&self, asked: Window) -> Option<Window> {
        match asked {
            Window::Instant(_) => self.is_sub_day().then_some(asked),
            _ if self.is_sub_day() => None,
            Window::Day(day) => Some(self.every.around(day)),
            Window::Week(_) | Window::Month(_) => (asked.period() == Some(self.every)).then_some(asked),
        }
    }

    /// When it is due, for people: its cron text, its `after`, or both.
    #[must_use]
    pub fn when(&self) -> String {
        let after = || format!("after {}", self.after.join(", "));
        match &self.cron {
            Some(cron) if self.after.is_empty() => cron.text().to_owned(),
            Some(cron) => format!("{} and {}", cron.text(), after()),
            None => after(),
        }
    }
}

/// Waits between tries: a random time up to `initial` × 2ⁿ, at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub initial: TimeDelta,
    /// Upper bound of every wait.
    pub max: TimeDelta,
}

/// What happens with firings that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Every one is made good.
    All,
    /// Only the newest counts.
    Last,
    /// Only firings that the program was up for count.
    None,
}

/// What happens with a firing while an earlier run of the job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It is dropped.
    Skip,
    /// It runs afterwards.
    Queue,
    /// The earlier run is cancelled; then it runs.
    Cancel,
}

impl Schedule {
    /// Reads `text`; `file` is what messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScheduleError> {
        read::read(text).map_err(|problems| ScheduleError {
            file: file.to_owned(),
            problems,
        })
    }

    /// The schedule compiled in.
    ///
    /// # Errors
    /// None that a test would let pass.
    pub fn compiled_in() -> Result<Self, ScheduleError> {
        Schedule::parse(DEFAULT, "cron.toml (compiled in)")
    }

    /// The job called `name`.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&JobConfig> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// The accounts at Peloton that are read by themselves.
    pub fn peloton_accounts(&self) -> impl Iterator<Item = &PelotonAccount> {
        let jobs = self.jobs.iter().filter(|job| job.enabled);
        jobs.flat_map(|job| job.kind.peloton_accounts())
    }

    /// The job that sends the mails about heart-rate alerts, if it runs by itself.
    #[must_use]
    pub fn alerts_job(&self) -> Option<&JobConfig> {
        self.jobs.iter().find(|job| job.enabled && job.kind == Kind::SendAlerts)
    }

    /// The job called `name`, or a message that names the nearest one.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn require(&self, name: &str) -> Result<&JobConfig, UnknownJob> {
        self.job(name).ok_or_else(|| UnknownJob {
            name: name.to_owned(),
            hint: nearest(name, self.jobs.iter().map(|job| job.name.as_str())).map(str::to_owned),
            known: self
                .jobs
                .iter()
                .map(|job| job.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Everything that must have a window before `name` does, nearest to the source first; `name` itself is last.
    #[must_use]
    pub fn upstream_first(&self, name: &str) -> Vec<&JobConfig> {
        fn visit<'s>(schedule: &'s Schedule, name: &str, order: &mut Vec<&'s JobConfig>) {
            if order.iter().any(|job| job.name == name) {
                return;
            }
            if let Some(job) = schedule.job(name) {
                for upstream in &job.after {
                    visit(schedule, upstream, order);
                }
                order.push(job);
            }
        }
        let mut order = Vec::new();
        visit(self, name, &mut order);
        order
    }
}

/// A job that `cron.toml` does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownJob {
    name: String,
    hint: Option<String>,
    known: String,
}

impl std::error::Error for UnknownJob {}

impl fmt::Display for UnknownJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron.toml has no job `{}`", self.name)?;
        match &self.hint {
            Some(hint) => write!(f, "; did you mean `{hint}`?"),
            None => write!(f, "; it has {}", self.known),
        }
    }
}

/// Everything that is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    file: String,
    /// In the file's order.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::error::Error for ScheduleError {}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = if self.problems.len() == 1 {
            "mistake"
        } else {
            "mistakes"
        };
        write!(f, "{} has {} {things}:", self.file, self.problems.len())?;
        for Problem { line, column, message } in &self.problems {
            write!(f, "\n  {}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

/// The known spelling that `text` probably was meant to be.
fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&text.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|&(likeness, _)| likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
