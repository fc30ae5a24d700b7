//! From one [`DailyReport`] to what people look at: charts, the page, the PDF, the site. Renderers are pure: the same
//! report gives the same bytes, and nothing here reads a clock or a database.

pub mod all_time;
pub mod chart;
pub mod font;
pub mod html;
pub mod model;
pub mod pdf;
pub mod period;
pub mod period_model;
pub mod quality;
mod sample;
pub mod site;
pub mod table;
pub mod training;
mod training_sample;

use anyhow::Result;

use self::site::Site;
use crate::{
    domain::{artifact::Artifact, period_report::PeriodReport, report::DailyReport, window::Window},
    template::Templates,
};

/// What is wrong with the report's templates: the site is rendered from sample days.
pub fn check(templates: &Templates) -> Vec<anyhow::Error> {
    let empty = site::site_artifacts(&site::Reported::default(), &[], Site::new(templates, Some(SAMPLE_URL)));
    samples(templates).chain([empty]).filter_map(Result::err).collect()
}

/// Where the sample site thinks that it is.
const SAMPLE_URL: &str = "https://site.example";

/// The files of each sample day and period, and those around them.
fn samples(templates: &Templates) -> impl Iterator<Item = Result<Vec<Artifact>>> {
    let site = Site::new(templates, Some(SAMPLE_URL));
    let days = sample_days();
    let neighbours = |report: &DailyReport| html::Neighbours {
        previous: report.day.pred_opt(),
        next: report.day.succ_opt().filter(|_| report.rides() > 0),
    };
    let mut all = site::Reported::default();
    days.iter().rev().cloned().for_each(|report| all.add(report));
    let beside = |window: Window| period::Beside {
        previous: window.before(),
        next: None,
    };
    let periods = sample::periods();
    let period_entries: Vec<_> = periods.iter().map(period::PeriodEntry::of).collect();
    let training = training_sample::workouts();
    let around = site::site_artifacts(&all, &period_entries, site.with_training(Some(&training)));
    let days = days
        .into_iter()
        .map(move |report| site::daily_artifacts(&report, neighbours(&report), site));
    let periods = periods
        .into_iter()
        .map(move |report| period::artifacts(&report, beside(report.window), templates));
    days.chain(periods).chain([around])
}

/// A whole site of the sample days, weeks and months, to look at.
///
/// # Errors
/// Something could not be rendered; the message says what.
pub fn sample_site(templates: &Templates, site_url: &str) -> Result<Vec<Artifact>> {
    let site = Site::new(templates, Some(site_url));
    let mut days = sample_days();
    days.sort_by_key(|report| report.day);
    let mut all = site::Reported::default();
    let mut artifacts = Vec::new();
    for (place, report) in days.iter().enumerate() {
        let neighbours = html::Neighbours {
            previous: place.checked_sub(1).map(|place| days[place].day),
            next: days.get(place + 1).map(|next| next.day),
        };
        artifacts.extend(site::daily_artifacts(report, neighbours, site)?);
        all.add(report.clone());
    }
    let periods = sample::periods();
    for report in &periods {
        artifacts.extend(period::artifacts(report, period::Beside::default(), templates)?);
    }
    let entries: Vec<_> = periods.iter().map(period::PeriodEntry::of).collect();
    let training = training_sample::workouts();
    artifacts.extend(site::site_artifacts(
        &all,
        &entries,
        site.with_training(Some(&training)),
    )?);
    Ok(artifacts)
}

/// Days to try templates with: between them they have everything that a report can say.
#[must_use]
pub fn sample_days() -> Vec<DailyReport> {
    sample::DAYS.map(|(_, day)| day()).into()
}

/// What the sample days are called.
pub fn sample_names() -> impl Iterator<Item = &'static str> {
    sample::DAYS.into_iter().map(|(name, _)| name)
}

/// The sample day called `name`.
#[must_use]
pub fn sample_day(name: &str) -> Option<DailyReport> {
    let found = sample::DAYS.iter().find(|(other, _)| *other == name);
    found.map(|(_, day)| day())
}

/// Weeks and months to try templates with.
#[must_use]
pub fn sample_periods() -> Vec<PeriodReport> {
    sample::periods().into()
}
