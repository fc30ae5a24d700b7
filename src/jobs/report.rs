//! Renders a day's report into `reports/<day>/` of the data folder: page, PDF, JSON, CSV.
//!
//! What its first report says is kept: a restated one says what moved.
//!
//! 1. Where the day says something else than before, render those of the days after it again that are compared with it.
//! 2. Where it had no report, render the days before and after it again, since they link to it.
//! 3. Render the day. Last: a run that was cut short leaves what the day said before, so that the next one does all again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{ErrorKind, Write as _},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::{Datelike, Days, NaiveDate};

use super::{parallel::in_parts, period_report, publish::files_below};
use crate::{
    domain::{artifact::Artifact, report::DailyReport, run::JobStatus},
    publish::Item,
    report::{
        html::Neighbours,
        model::{HISTORY_DAYS, ReportRule, Tables},
        site::{self, Reported, Site, daily_artifacts, site_artifacts, static_artifacts},
    },
    store::{
        Store,
        report::{FirstReport, keep_first_report},
    },
};

/// Days whose tables are read together.
const DAYS_AT_ONCE: i32 = 64;

/// Renders the report of `day`, and again those that it bears on. The status counts its `rides`, the `bytes` written,
/// and the `reports_compared_anew`: those of later days whose comparisons changed.
///
/// # Errors
/// When a daily table is missing, naming the job to run; when something cannot be rendered or written.
pub fn run(store: &Store, rule: &ReportRule, site: Site<'_>, day: NaiveDate) -> Result<JobStatus> {
    let folder = folder(store.data_dir());
    let tables = Tables::read(store, day, day)?;
    let report = tables.report(rule, day)?;
    let rides = report.rides();
    if rule.day.finished_at(day) <= store.clock().now() && !tables.has_first_report(day) {
        keep_first(store, &report)?;
    }
    let rendered = Rendered::find(&folder)?;
    let is_compared_anew = match read_report(&folder, day) {
        Ok(before) => before.is_none_or(|before| !compare_alike(&before, &report)),
        // It is about to be written anew.
        Err(_) => true,
    };
    let mut reports = BTreeMap::from([(day, report)]);
    if is_compared_anew {
        let later: Vec<_> = rendered
            .within(day + Days::new(1)..=day + Days::new(HISTORY_DAYS))
            .collect();
        // Their own runs are where it is a failure that one cannot be made.
        for (later, report) in build_all(store, rule, &later, "stays as it is, although its days before changed")? {
            if site::json(&report)? != read(&folder, later)?.unwrap_or_default() {
                reports.insert(later, report);
            }
        }
    }
    let bytes = write(store, &reports, site)?;
    #[expect(clippy::cast_sign_loss, reason = "a count of rides")]
    Ok(JobStatus::done()
        .count("rides", rides as u64)
        .count("reports_compared_anew", reports.len() as u64 - 1)
        .count("bytes", bytes))
}

/// Whether two reports of a day say the same of what other days are compared with.
fn compare_alike(before: &DailyReport, now: &DailyReport) -> bool {
    let hours = |report: &DailyReport| -> Vec<_> {
        let hours = report.rides_per_hour.iter();
        hours.map(|hour| (hour.starts_at, hour.rides)).collect()
    };
    before.figures() == now.figures() && hours(before) == hours(now)
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
    let folder = folder(data_dir);
    let rendered = Rendered::find(&folder)?;
    Ok(days.iter().copied().filter(|&day| !rendered.has(day)).collect())
}

/// Renders the reports of `days` from the store, and leaves out those that cannot be made, with a warning: one old day
/// must not keep all others from being read.
///
/// # Errors
/// When something cannot be rendered or written.
pub fn put_back(store: &Store, rule: &ReportRule, site: Site<'_>, days: &[NaiveDate]) -> Result<()> {
    let reports = build_all(store, rule, days, "is gone and cannot be made again")?;
    write(store, &reports, site).map(drop)
}

/// The reports of `days`, which are in order, without those that cannot be made: of these it warns that they are `left`.
fn build_all(
    store: &Store,
    rule: &ReportRule,
    days: &[NaiveDate],
    left: &str,
) -> Result<BTreeMap<NaiveDate, DailyReport>> {
    let mut reports = BTreeMap::new();
    let warn = |day: NaiveDate, error: &anyhow::Error| tracing::warn!("the report of {day} {left}: {error:#}");
    // Days of some weeks are read together: to ask for one takes as long as to ask for them.
    for days in
        days.chunk_by(|first, next| first.num_days_from_ce() / DAYS_AT_ONCE == next.num_days_from_ce() / DAYS_AT_ONCE)
    {
        store.check()?;
        let (first, last) = (days[0], days[days.len() - 1]);
        match Tables::read(store, first, last) {
            Ok(tables) => {
                for &day in days {
                    match tables.report(rule, day) {
                        Ok(report) => drop(reports.insert(day, report)),
                        Err(error) => warn(day, &error),
                    }
                }
            }
            Err(error) => days.iter().for_each(|&day| warn(day, &error)),
        }
    }
    Ok(reports)
}

/// Everything that is published: every rendered day, week and month, and the site around them.
///
/// # Errors
/// When a rendered day cannot be read, or the index cannot be rendered.
pub fn items(data_dir: &Path, site: Site<'_>) -> Result<Vec<Item>> {
    let folder = folder(data_dir);
    let (mut items, periods) = period_report::site(data_dir)?;
    let mut days = Reported::default();
    for day in Rendered::find(&folder)?.all() {
        items.extend(files_below(&folder.join(day.to_string()), &format!("daily/{day}/"))?);
        if let Some(report) = read_report(&folder, day)? {
            days.add(report);
        }
    }
    let around = site_artifacts(&days, &periods, site)?;
    // Pages that an earlier version rendered load what it had.
    let earlier = files_below(&folder.join("static"), "static/")?;
    let is_earlier = |item: &Item| around.iter().all(|artifact| artifact.path != item.path());
    items.extend(earlier.into_iter().filter(is_earlier));
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

/// Writes `reports`, the oldest last, and before them the days before and after those that are new, since they link to
/// them. Answers the bytes.
fn write(store: &Store, reports: &BTreeMap<NaiveDate, DailyReport>, site: Site<'_>) -> Result<u64> {
    let folder = &folder(store.data_dir());
    let mut bytes = write_static(folder)?;
    let mut rendered = Rendered::find(folder)?;
    let new: BTreeSet<_> = reports.keys().copied().filter(|&day| !rendered.has(day)).collect();
    // Only days that have a page can be linked to: one that is sealed may never be reported.
    rendered.coming = new.clone();
    let beside = new.iter().map(|&day| rendered.beside(day));
    let mut beside: BTreeSet<_> = beside
        .flat_map(|beside| [beside.previous, beside.next])
        .flatten()
        .collect();
    beside.retain(|day| !reports.contains_key(day));
    for day in beside {
        store.check()?;
        if let Some(report) = read_report(folder, day)? {
            bytes += write_day(folder, &report, rendered.beside(day), site)?;
        }
    }
    let mut reports: Vec<&DailyReport> = reports.values().collect();
    let first = (!reports.is_empty()).then(|| reports.remove(0));
    let write = |reports: &[&DailyReport]| {
        let written = reports.iter().map(|report| {
            store.check()?;
            write_day(folder, report, rendered.beside(report.day), site)
        });
        written.sum::<Result<u64>>()
    };
    bytes += in_parts(&reports, write).into_iter().sum::<Result<u64>>()?;
    bytes += write(first.as_slice())?;
    Ok(bytes)
}

/// Writes a day's files. Answers the bytes.
fn write_day(folder: &Path, report: &DailyReport, neighbours: Neighbours, site: Site<'_>) -> Result<u64> {
    write_artifacts(folder, daily_artifacts(report, neighbours, site)?)
}

/// Writes what pages load beside them: it is published as long as they are, also when later versions load something else.
pub(super) fn write_static(folder: &Path) -> Result<u64> {
    let new = static_artifacts().filter(|artifact| !folder.join(&artifact.path).exists());
    write_artifacts(folder, new.collect())
}

/// Writes files aside and renames them, so that a reader finds each whole, also when the power fails; `report.json` last,
/// which says that all are there. Those of a day are at the top of `folder`. Answers the bytes.
pub(super) fn write_artifacts(folder: &Path, mut artifacts: Vec<Artifact>) -> Result<u64> {
    let (mut bytes, mut folders) = (0, BTreeSet::new());
    artifacts.sort_by_key(|artifact| {
        (
            artifact.path.ends_with("/report.json"),
            !artifact.path.starts_with("static/"),
        )
    });
    for artifact in artifacts {
        let path = folder.join(artifact.path.strip_prefix("daily/").unwrap_or(&artifact.path));
        // Hidden, so that one left behind by a crash is never published.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = path.with_file_name(format!(".{name}"));
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::File::create(&aside))
            .and_then(|mut file| file.write_all(&artifact.bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&aside, &path))
            .with_context(|| format!("cannot write `{}`; is the disk full?", path.display()))?;
        folders.extend(path.parent().map(Path::to_owned));
        bytes += artifact.bytes.len() as u64;
    }
    for written in folders {
        fs::File::open(&written)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot write `{}`; is the disk full?", written.display()))?;
    }
    Ok(bytes)
}

/// Days that were rendered. A folder whose files are not all there is found to be none when it is asked for: there may be
/// thousands, and few are.
struct Rendered<'a> {
    folder: &'a Path,
    folders: BTreeSet<NaiveDate>,
    /// Those that are about to be.
    coming: BTreeSet<NaiveDate>,
}

impl<'a> Rendered<'a> {
    fn find(folder: &'a Path) -> Result<Self> {
        let mut folders = BTreeSet::new();
        if folder.exists() {
            let reading = || format!("cannot read `{}`", folder.display());
            for entry in fs::read_dir(folder).with_context(reading)? {
                let name = entry.with_context(reading)?.file_name();
                folders.extend(name.to_str().and_then(|name| name.parse::<NaiveDate>().ok()));
            }
        }
        Ok(Rendered {
            folder,
            folders,
            coming: BTreeSet::new(),
        })
    }

    fn has(&self, day: NaiveDate) -> bool {
        self.coming.contains(&day) || self.folders.contains(&day) && json_of(self.folder, day).exists()
    }

    fn all(&self) -> impl Iterator<Item = NaiveDate> {
        self.folders.iter().copied().filter(|&day| self.has(day))
    }

    fn within(&self, days: RangeInclusive<NaiveDate>) -> impl Iterator<Item = NaiveDate> {
        self.folders.range(days).copied().filter(|&day| self.has(day))
    }

    /// The days that the page of `day` links to.
    fn beside(&self, day: NaiveDate) -> Neighbours {
        let before =
            [&self.folders, &self.coming].map(|days| days.range(..day).rev().copied().find(|&day| self.has(day)));
        let after = day + Days::new(1);
        let after = [&self.folders, &self.coming].map(|days| days.range(after..).copied().find(|&day| self.has(day)));
        Neighbours {
            previous: before.into_iter().flatten().max(),
            next: after.into_iter().flatten().min(),
        }
    }
}
