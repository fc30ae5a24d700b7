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

use anyhow::Result;

use crate::{
    domain::{report::DailyReport, window::Window},
    template::Templates,
};

/// What is wrong with the report's templates: the site is rendered from sample days.
pub fn check(templates: &Templates) -> Vec<anyhow::Error> {
    let days = sample::days();
    let neighbours = |report: &DailyReport| html::Neighbours {
        previous: report.day.pred_opt(),
        next: report.day.succ_opt().filter(|_| report.rides() > 0),
    };
    let mut all = site::Reported::default();
    days.iter().rev().cloned().for_each(|report| all.add(report));
    let pages = days
        .iter()
        .map(|report| html::page(report, neighbours(report), templates).map(drop));
    let beside = |window: Window| period::Beside {
        previous: window.before(),
        next: None,
    };
    let periods = sample::periods();
    let period_entries: Vec<_> = periods.iter().map(period::PeriodEntry::of).collect();
    let period_pages = periods
        .iter()
        .map(|report| period::page(report, beside(report.window), templates).map(drop));
    let site_url = Some("https://site.example");
    let around = |days, periods| site::site_artifacts(days, periods, templates, site_url).map(drop);
    pages
        .chain(period_pages)
        .chain([
            around(&all, &period_entries[..]),
            around(&site::Reported::default(), &[]),
        ])
        .filter_map(Result::err)
        .collect()
}

/// Days to try templates with: between them they have everything that a report can say.
#[must_use]
pub fn sample_days() -> Vec<DailyReport> {
    sample::days().into()
}
