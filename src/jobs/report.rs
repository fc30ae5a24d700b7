//! Renders a day's report into `reports/<day>/` of the data folder: page, PDF, JSON, CSV.
//!
//! 1. Render the day. What its first report says is kept: a restated one says what moved.
//! 2. Render the days before and after it again, since they link to it.
//! 3. Render those of the days after it again that are compared with it and now say something else: it may have been
//!    restated.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};

use super::{period_report, publish::files_below};
use crate::{
    domain::{artifact::Artifact, report::DailyReport, run::JobStatus},
    publish::Item,
    report::{
        html::Neighbours,
        model::{self, HISTORY_DAYS, ReportRule},
        site::{self, Reported, daily_artifacts, site_artifacts},
    },
    store::{
        Store,
        report::{FirstReport, keep_first_report},
    },
    template::Templates,
};

/// Renders the report of `day`, and again those that it bears on. The status counts its `rides`, the `bytes` written,
/// and the `reports_compared_anew`: those of later days whose comparisons changed.
///
/// # Errors
/// When a daily table is missing, naming the job to run; when something cannot be rendered or written.
pub fn run(store: &Store, rule: &ReportRule, templates: &Templates, day: NaiveDate) -> Result<JobStatus> {
    let folder = folder(store.data_dir());
    let report = model::build(store, rule, day)?;
    let rides = report.rides();
    if rule.day.finished_at(day) <= store.clock().now() {
        keep_first(store, &report)?;
    }
    let mut reports = BTreeMap::from([(day, report)]);
    for later in rendered_days(&folder)?.range(day + Days::new(1)..=day + Days::new(HISTORY_DAYS)) {
        store.check()?;
        match model::build(store, rule, *later) {
            Ok(report) if site::json(&report)? != read(&folder, *later)?.unwrap_or_default() => {
                reports.insert(*later, report);
            }
            Ok(_) => {}
            // Its own run is where that is a failure.
            Err(error) => {
                tracing::warn!("the report of {later} stays as it is, although it is compared with {day}: {error:#}");
            }
        }
    }
    let bytes = write(store, &reports, templates)?;
    #[expect(clippy::cast_sign_loss, reason = "a count of rides")]
    Ok(JobStatus::done()
        .count("rides", rides as u64)
        .count("reports_compared_anew", reports.len() as u64 - 1)
        .count("bytes", bytes))
}

/// Keeps what the first report of a day says, so that a restated one can say what moved.
fn keep_first(store: &Store, report: &DailyReport) -> Result<()> {
    let first = FirstReport {
        seal_count: report.seal_count,
        figures: report.figures(),
    };
    Ok(keep_first_report(store, report.day, &first)?)
}

/// Those of `days` that have no report any more, as after a restore.
///
/// # Errors
/// When the reports' folder cannot be read.
pub fn missing(data_dir: &Path, days: &BTreeSet<NaiveDate>) -> Result<Vec<NaiveDate>> {
    let rendered = rendered_days(&folder(data_dir))?;
    Ok(days.difference(&rendered).copied().collect())
}

/// Renders the reports of `days` from the store, and leaves out those that cannot be made, with a warning: one old day
/// must not keep all others from being read.
///
/// # Errors
/// When something cannot be rendered or written.
pub fn put_back(store: &Store, rule: &ReportRule, templates: &Templates, days: &[NaiveDate]) -> Result<()> {
    let mut reports = BTreeMap::new();
    for &day in days {
        store.check()?;
        match model::build(store, rule, day) {
            Ok(report) => drop(reports.insert(day, report)),
            Err(error) => tracing::warn!("the report of {day} is gone and cannot be made again: {error:#}"),
        }
    }
    write(store, &reports, templates).map(drop)
}

/// Everything that is published: every rendered day, week and month, and the site around them.
///
/// # Errors
/// When a rendered day cannot be read, or the index cannot be rendered.
pub fn site(data_dir: &Path, templates: &Templates, site_url: Option<&str>) -> Result<Vec<Item>> {
    let folder = folder(data_dir);
    let (mut items, periods) = period_report::site(data_dir)?;
    let mut days = Reported::default();
    for day in rendered_days(&folder)? {
        items.extend(files_below(&folder.join(day.to_string()), &format!("daily/{day}/"))?);
        if let Some(report) = read_report(&folder, day)? {
            days.add(report);
        }
    }
    let around = site_artifacts(&days, &periods, templates, site_url)?;
    items.extend(around.into_iter().map(Item::Rendered));
    Ok(items)
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
    let Some(text) = read(folder, day)? else {
        return Ok(None);
    };
    serde_json::from_slice(&text).map(Some).with_context(|| {
        format!(
            "`{}` is damaged; render it again with `deloton run report --day {day}`",
            json_of(folder, day).display()
        )
    })
}

fn read(folder: &Path, day: NaiveDate) -> Result<Option<Vec<u8>>> {
    let path = json_of(folder, day);
    match fs::read(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// What says that a day is rendered; written after its other files.
fn json_of(folder: &Path, day: NaiveDate) -> PathBuf {
    folder.join(day.to_string()).join("report.json")
}

/// Writes `reports`, and again the days before and after each, since they link to it. Answers the bytes.
fn write(store: &Store, reports: &BTreeMap<NaiveDate, DailyReport>, templates: &Templates) -> Result<u64> {
    let folder = &folder(store.data_dir());
    // Only days that have a page can be linked to: one that is sealed may never be reported.
    let mut days = rendered_days(folder)?;
    days.extend(reports.keys());
    let mut bytes = 0;
    for (day, report) in reports {
        store.check()?;
        bytes += write_day(folder, report, neighbours(&days, *day), templates)?;
    }
    let beside = reports.keys().map(|day| neighbours(&days, *day));
    let mut beside: BTreeSet<_> = beside
        .flat_map(|beside| [beside.previous, beside.next])
        .flatten()
        .collect();
    beside.retain(|day| !reports.contains_key(day));
    for day in beside {
        store.check()?;
        if let Some(report) = read_report(folder, day)? {
            bytes += write_day(folder, &report, neighbours(&days, day), templates)?;
        }
    }
    Ok(bytes)
}

fn neighbours(days: &BTreeSet<NaiveDate>, day: NaiveDate) -> Neighbours {
    Neighbours {
        previous: days.range(..day).next_back().copied(),
        next: days.range(day + Days::new(1)..).next().copied(),
    }
}

/// Writes a day's files. Answers the bytes.
fn write_day(folder: &Path, report: &DailyReport, neighbours: Neighbours, templates: &Templates) -> Result<u64> {
    write_artifacts(folder, daily_artifacts(report, neighbours, templates)?)
}

/// Writes files aside and renames them, so that a reader finds each whole; `report.json` last, which says that all are
/// there. Those of a day are at the top of `folder`. Answers the bytes.
pub(super) fn write_artifacts(folder: &Path, mut artifacts: Vec<Artifact>) -> Result<u64> {
    let mut bytes = 0;
    artifacts.sort_by_key(|artifact| artifact.path.ends_with("/report.json"));
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

/// Days that were rendered.
fn rendered_days(folder: &Path) -> Result<BTreeSet<NaiveDate>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let reading = || format!("cannot read `{}`", folder.display());
    let mut days = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let name = entry.with_context(reading)?.file_name();
        let day = name.to_str().and_then(|name| name.parse::<NaiveDate>().ok());
        days.extend(day.filter(|&day| json_of(folder, day).exists()));
    }
    Ok(days)
}
