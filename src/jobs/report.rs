//! Renders a day's report into `reports/<day>/` of the data folder: page, PDF, JSON, CSV.
//!
//! 1. Render the day.
//! 2. Render the days before and after it again, since they link to it.
//! 3. Render those of the days after it again that are compared with it and now say something else: it may have been
//!    restated.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};

use crate::{
    domain::{artifact::Artifact, day::DayRule, report::DailyReport, run::JobStatus},
    report::{
        html::Neighbours,
        model::{self, HISTORY_DAYS},
        site::{self, DayEntry, daily_artifacts, site_artifacts},
    },
    store::Store,
    template::Templates,
};

/// What says that a day is rendered; written after its other files.
const REPORT: &str = "report.json";

/// Renders the report of `day`, and again those that it bears on. The status counts its `rides`, the `bytes` written,
/// and the `reports_compared_anew`: those of later days whose comparisons changed.
///
/// # Errors
/// When a daily table is missing, naming the job to run; when something cannot be rendered or written.
pub fn run(store: &Store, rule: &DayRule, templates: &Templates, day: NaiveDate) -> Result<JobStatus> {
    let folder = folder(store.data_dir());
    let report = model::build(store, rule, day)?;
    // Only days that have a page can be linked to: one that is sealed may never be reported.
    let mut days = rendered_days(&folder)?;
    days.push(day);
    let beside = neighbours(&days, day);
    let mut bytes = write_day(&folder, &report, beside, templates)?;
    let mut compared_anew = 0;
    for &other in days.iter().filter(|&&other| other != day) {
        let anew = changed_by(&folder, store, rule, day, other)?;
        compared_anew += u64::from(anew.is_some());
        let links_here = [beside.previous, beside.next].contains(&Some(other));
        let report = match anew {
            None if links_here => read_report(&folder, other)?,
            anew => anew,
        };
        if let Some(report) = report {
            bytes += write_day(&folder, &report, neighbours(&days, other), templates)?;
        }
    }
    #[expect(clippy::cast_sign_loss, reason = "a count of rides")]
    Ok(JobStatus::done()
        .count("rides", report.rides() as u64)
        .count("reports_compared_anew", compared_anew)
        .count("bytes", bytes))
}

/// The report of `other` as it is to be now, if it is compared with `day` and its rendered one says something else.
fn changed_by(
    folder: &Path,
    store: &Store,
    rule: &DayRule,
    day: NaiveDate,
    other: NaiveDate,
) -> Result<Option<DailyReport>> {
    if other <= day || other > day + Days::new(HISTORY_DAYS) {
        return Ok(None);
    }
    let report = match model::build(store, rule, other) {
        Ok(report) => report,
        // Its own run is where that is a failure.
        Err(error) => {
            tracing::warn!("the report of {other} stays as it is, although it is compared with {day}: {error:#}");
            return Ok(None);
        }
    };
    let path = folder.join(other.to_string()).join(REPORT);
    let rendered = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok((site::json(&report)? != rendered).then_some(report))
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
    let path = folder.join(day.to_string()).join(REPORT);
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
    let mut artifacts = daily_artifacts(report, neighbours, templates)?;
    artifacts.sort_by_key(|artifact| artifact.path.ends_with(REPORT));
    for artifact in artifacts {
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
        days.extend(day.filter(|_| entry.path().join(REPORT).exists()));
    }
    days.sort_unstable();
    Ok(days)
}
