//! Renders a week's or a month's report into `reports/weekly/<week>/` or `reports/monthly/<month>/` of the data folder.
//!
//! 1. Render it from the daily tables of its days.
//! 2. Render the ones before and after it again, since they link to it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    publish::files_below,
    report::{self, write_artifacts, write_static},
};
use crate::{
    domain::{
        period_report::PeriodReport,
        run::JobStatus,
        window::{Period, Window},
    },
    publish::Item,
    report::{
        period::{self, Beside, PeriodEntry, folder_of},
        period_model,
    },
    store::Store,
    template::Templates,
};

/// Renders the report of `window`. The status counts the `days` it is made of, the `days_missing`, and the `bytes`
/// written.
///
/// # Errors
/// When a daily table cannot be read, or something cannot be rendered or written.
pub fn run(store: &Store, templates: &Templates, window: Window) -> Result<JobStatus> {
    let folder = report::folder(store.data_dir());
    let made = period_model::build(store, window)?;
    let missing = made.missing_days.len() as u64;
    let days = made.rides_per_day.len() as u64;
    let mut rendered = rendered(&folder, window.period().context("an instant has no report")?)?;
    rendered.insert(window);
    let mut bytes = write_static(&folder)? + write(&folder, &made, &rendered, templates)?;
    let Beside { previous, next } = beside(&rendered, window);
    for other in [previous, next].into_iter().flatten() {
        if let Some(report) = read_report(&folder, other)? {
            bytes += write(&folder, &report, &rendered, templates)?;
        }
    }
    Ok(JobStatus::done()
        .count("days", days - missing)
        .count("days_missing", missing)
        .count("bytes", bytes))
}

/// Renders those of `windows` again that have no report any more, as after a restore; those that cannot be made are left
/// out, with a warning.
///
/// # Errors
/// When the reports' folder cannot be read or written.
pub fn put_back(store: &Store, templates: &Templates, windows: &BTreeSet<Window>) -> Result<()> {
    for window in missing(store.data_dir(), windows)? {
        store.check()?;
        if let Err(error) = run(store, templates, window) {
            tracing::warn!("the report of {window} is gone and cannot be made again: {error:#}");
        }
    }
    Ok(())
}

/// Those of `windows` that have no report any more.
///
/// # Errors
/// When the reports' folder cannot be read.
pub fn missing(data_dir: &Path, windows: &BTreeSet<Window>) -> Result<Vec<Window>> {
    let folder = report::folder(data_dir);
    let mut there = rendered(&folder, Period::Week)?;
    there.extend(rendered(&folder, Period::Month)?);
    Ok(windows.difference(&there).copied().collect())
}

/// The files of every rendered week and month, and how the site's index lists them.
///
/// # Errors
/// When one of them cannot be read.
pub fn site(data_dir: &Path) -> Result<(Vec<Item>, Vec<PeriodEntry>)> {
    let folder = report::folder(data_dir);
    let (mut items, mut entries) = (Vec::new(), Vec::new());
    for period in [Period::Week, Period::Month] {
        for window in rendered(&folder, period)? {
            items.extend(files_below(
                &place(&folder, window),
                &format!("{}/{window}/", folder_of(period)),
            )?);
            entries.extend(read_report(&folder, window)?.as_ref().map(PeriodEntry::of));
        }
    }
    Ok((items, entries))
}

/// Where the files of a window are.
fn place(folder: &Path, window: Window) -> PathBuf {
    folder
        .join(folder_of(window.period().unwrap_or(Period::Day)))
        .join(window.to_string())
}

/// The report of a week or a month that was rendered, as its JSON has it; none where it was not.
///
/// # Errors
/// When the file is damaged.
pub fn read_report(folder: &Path, window: Window) -> Result<Option<PeriodReport>> {
    let path = place(folder, window).join("report.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_slice(&text).map(Some).with_context(|| {
        format!(
            "`{}` is damaged; delete its folder, and make it again with `deloton run` and the job that made it, for {window}",
            path.display()
        )
    })
}

fn write(folder: &Path, report: &PeriodReport, rendered: &BTreeSet<Window>, templates: &Templates) -> Result<u64> {
    write_artifacts(
        folder,
        period::artifacts(report, beside(rendered, report.window), templates)?,
    )
}

fn beside(rendered: &BTreeSet<Window>, window: Window) -> Beside {
    Beside {
        previous: rendered.range(..window).next_back().copied(),
        next: rendered.iter().find(|other| **other > window).copied(),
    }
}

/// The windows of that length that were rendered.
fn rendered(folder: &Path, period: Period) -> Result<BTreeSet<Window>> {
    let folder = folder.join(folder_of(period));
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let reading = || format!("cannot read `{}`", folder.display());
    let mut windows = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let window = entry.file_name().to_str().and_then(|name| name.parse::<Window>().ok());
        let is_whole = entry.path().join("report.json").exists();
        windows.extend(window.filter(|window| is_whole && window.period() == Some(period)));
    }
    Ok(windows)
}
