//! The report of a week or a month as numbers, made of what the daily tables say of its days.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    report::{Breakdowns, DayCount, HeadlineKey},
    window::Window,
};

/// Everything the report of a week or a month says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodReport {
    /// The week or the month.
    pub window: Window,
    /// Its first business day.
    pub first_day: NaiveDate,
    /// Its last business day.
    pub last_day: NaiveDate,
    /// Headline figures in the order they are shown.
    pub headlines: Vec<PeriodHeadline>,
    /// Every day of it, oldest first.
    pub rides_per_day: Vec<DayCount>,
    /// Who rode, how and where, on all of its days together.
    #[serde(flatten)]
    pub breakdowns: Breakdowns,
    /// Days of it that were never sealed: nothing of them is in any figure.
    pub missing_days: Vec<NaiveDate>,
    /// Days that are missing of the window before.
    pub missing_days_before: Vec<NaiveDate>,
}

/// A figure and what it was in the window of the same length before; none where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeriodHeadline {
    /// What it measures.
    pub key: HeadlineKey,
    /// The window's figure.
    pub value: Option<f64>,
    /// The figure of the window before.
    pub before: Option<f64>,
}

impl PeriodReport {
    /// The headline called `key`.
    #[must_use]
    pub fn headline(&self, key: HeadlineKey) -> Option<&PeriodHeadline> {
        self.headlines.iter().find(|headline| headline.key == key)
    }
}
