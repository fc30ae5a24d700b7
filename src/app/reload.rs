//! `cron.toml` while the program runs: an edited file is taken over as a whole, or refused as a whole, and the old one
//! stays.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{bail, ensure};
use chrono::{DateTime, Utc};

use super::{App, announces_rides, sql_problems};
use crate::config::schedule::{JobConfig, Schedule};

/// The file of the schedule, and what became of it.
pub struct ScheduleFile {
    path: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What the schedule in force was read from.
    in_force: String,
    taken_at: DateTime<Utc>,
    /// The file as it was found last. It is judged when it is found twice alike: it may have been half written.
    found: Result<String, String>,
    refused: Option<Refused>,
}

/// An edited schedule that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When it was found.
    pub at: DateTime<Utc>,
    /// Everything that is wrong with it.
    pub why: String,
    found: Result<String, String>,
}

/// How the file of the schedule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStanding {
    /// The file.
    pub path: PathBuf,
    /// When what is in force was read.
    pub taken_at: DateTime<Utc>,
    /// What is in the file now, where that was refused.
    pub refused: Option<Refused>,
}

impl ScheduleFile {
    /// The file at `path`, from which `text` is in force.
    pub(super) fn new(path: PathBuf, text: String, now: DateTime<Utc>) -> Self {
        let seen = Seen {
            found: Ok(text.clone()),
            in_force: text,
            taken_at: now,
            refused: None,
        };
        ScheduleFile {
            path,
            seen: Mutex::new(seen),
        }
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> FileStanding {
        let seen = self.lock();
        FileStanding {
            path: self.path.clone(),
            taken_at: seen.taken_at,
            refused: seen.refused.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Looks whether the file of the schedule was edited. What is in it is taken over, or refused and the old one stays;
    /// either is logged once.
    pub fn reload_schedule(&self) {
        let Some(file) = &self.schedule_file else { return };
        let found = std::fs::read_to_string(&file.path).map_err(|error| format!("it cannot be read: {error}"));
        let mut seen = file.lock();
        let is_settled = seen.found == found;
        seen.found.clone_from(&found);
        if !is_settled || seen.refused.as_ref().is_some_and(|refused| refused.found == found) {
            return;
        }
        let name = file.path.display();
        if found.as_ref() == Ok(&seen.in_force) {
            if seen.refused.take().is_some() {
                tracing::info!("`{name}` is what is in force again");
            }
            return;
        }
        let taken = match &found {
            Ok(text) => self.take_over(text, &name.to_string()),
            Err(why) => Err(anyhow::anyhow!("{why}")),
        };
        let now = self.clock.now();
        match (taken, found) {
            (Ok(changes), Ok(text)) => {
                tracing::info!("`{name}` was edited and is in force: {changes}");
                seen.in_force = text;
                seen.taken_at = now;
                seen.refused = None;
            }
            (Err(error), found) => {
                let why = format!("{error:#}");
                tracing::error!("`{name}` was edited and is refused, what was in force stays: {why}");
                seen.refused = Some(Refused { at: now, why, found });
            }
            (Ok(_), Err(_)) => {}
        }
    }

    /// Goes by the schedule in `text` from now on; says what changed.
    fn take_over(&self, text: &str, name: &str) -> anyhow::Result<String> {
        let (old, new) = (self.schedule(), Schedule::parse(text, name)?);
        // The consumer has sorted rides into days, and warned riders, by what these said when it began.
        ensure!(
            new.day == old.day && new.heart_rate == old.heart_rate,
            "`[day]` and `[heart_rate]` take effect at a start: restart the program, or put them back"
        );
        ensure!(
            announces_rides(&new) == announces_rides(&old),
            "whether rides are exported takes effect at a start: restart the program, or put the `export_rides` job back"
        );
        let problems = [
            new.ping_problems(),
            sql_problems(&new, self.services.jobs_dir.as_deref()),
        ]
        .concat();
        if !problems.is_empty() {
            bail!("{}", problems.join("; "));
        }
        let changes = changes(&old.jobs, &new.jobs);
        let jobs = self.services.jobs_of(&new);
        self.runner.replace(new, jobs)?;
        Ok(changes)
    }
}

/// What is different, by the jobs' names.
fn changes(old: &[JobConfig], new: &[JobConfig]) -> String {
    let by_name = |jobs: &[JobConfig]| -> BTreeMap<String, JobConfig> {
        jobs.iter().map(|job| (job.name.clone(), job.clone())).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let names = |jobs: Vec<&String>, what: &str| {
        let names: Vec<_> = jobs.into_iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let parts = [
        names(new.keys().filter(|name| !old.contains_key(*name)).collect(), "new:"),
        names(old.keys().filter(|name| !new.contains_key(*name)).collect(), "gone:"),
        names(
            new.iter()
                .filter(|(name, job)| old.get(*name).is_some_and(|old| old != *job))
                .map(|(name, _)| name)
                .collect(),
            "changed:",
        ),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "its jobs are as they were".to_owned()
    } else {
        parts.join("; ")
    }
}
