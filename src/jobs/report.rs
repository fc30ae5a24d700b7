//! Renders a day's report into `reports/<day>/` of the data folder: page, PDF, JSON, CSV. The pages of the days before
//! and after are rendered again, since they link to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use crate::{
    domain::{artifact::Artifact, report::DailyReport, run::JobStatus},
    report::{
        html::Neighbours,
        model::{self, ReportRule},
        site::{DayEntry, daily_artifacts, site_artifacts},
    },
    store::Store,
    template::Templates,
};

/// Renders the report of `day`.
///
/// # Errors
/// When a daily table is missing, naming the job to run; when something cannot be rendered or written.
pub fn run(store: &Store, rule: &ReportRule, templates: &Templates, day: NaiveDate) -> Result<JobStatus> {
    let folder = folder(store.data_dir());
    let report = model::build(store, rule, day)?;
    // Only days that have a page can be linked to: one that is sealed may never be reported.
    let mut days = rendered_days(&folder)?;
    days.push(day);
    let mut bytes = write_day(&folder, &report, neighbours(&days, day), templates)?;
    let beside = neighbours(&days, day);
    for neighbour in [beside.previous, beside.next].into_iter().flatten() {
        if let Some(report) = read_report(&folder, neighbour)? {
            bytes += write_day(&folder, &report, neighbours(&days, neighbour), templates)?;
        }
    }
    #[expect(clippy::cast_sign_loss, reason = "a count of rides")]
    Ok(JobStatus::done()
        .count("rides", report.rides() as u64)
        .count("bytes", bytes))
}

/// Everything that is published: every rendered day and the site around them.
///
/// # Errors
/// When a rendered day cannot be read, or the index cannot be rendered.
pub fn site(data_dir: &Path, templates: &Templates) -> Result<Vec<Artifact>> {
    let folder = folder(data_dir);
    let mut artifacts = super::publish::artifacts_below(&folder)?;
    let mut entries = Vec::new();
    let mut latest = None;
    for day in rendered_days(&folder)? {
        if let Some(report) = read_report(&folder, day)? {
            entries.push(DayEntry::of(&report));
            latest = Some(report);
        }
    }
    for artifact in &mut artifacts {
        artifact.path = format!("daily/{}", artifact.path);
    }
    artifacts.extend(site_artifacts(&entries, latest.as_ref(), templates)?);
    Ok(artifacts)
}

/// Where rendered reports rest.
#[must_use]
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("reports")
}

/// The report of a rendered day, as its JSON has it; none where the day was not rendered.
///
/// # Errors
/// When the file is damaged.
pub fn read_report(folder: &Path, day: NaiveDate) -> Result<Option<DailyReport>> {
    let path = folder.join(day.to_string()).join("report.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    serde_json::from_slice(&text).map(Some).with_context(|| {
        format!(
            "`{}` is damaged; render it again with `deloton run report --day {day}`",
            path.display()
        )
    })
}

fn neighbours(days: &[NaiveDate], day: NaiveDate) -> Neighbours {
    Neighbours {
        previous: days.iter().copied().filter(|&other| other < day).max(),
        next: days.iter().copied().filter(|&other| other > day).min(),
    }
}

/// Writes a day's files aside and renames them, so that a reader finds each whole. Answers the bytes.
fn write_day(folder: &Path, report: &DailyReport, neighbours: Neighbours, templates: &Templates) -> Result<u64> {
    let mut bytes = 0;
    for artifact in daily_artifacts(report, neighbours, templates)? {
        let path = folder.join(artifact.path.strip_prefix("daily/").unwrap_or(&artifact.path));
        // Hidden, so that one left behind by a crash is never published.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = path.with_file_name(format!(".{name}"));
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&aside, &artifact.bytes))
            .and_then(|()| fs::rename(&aside, &path))
            .with_context(|| format!("cannot write `{}`; is the disk full?", path.display()))?;
        bytes += artifact.bytes.len() as u64;
    }
    Ok(bytes)
}

/// Days that were rendered, oldest first.
fn rendered_days(folder: &Path) -> Result<Vec<NaiveDate>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut days = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read `{}`", folder.display()))?;
        let day = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<NaiveDate>().ok());
        days.extend(day.filter(|_| entry.path().join("report.json").exists()));
    }
    days.sort_unstable();
    Ok(days)
}
