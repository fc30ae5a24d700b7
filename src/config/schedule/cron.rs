//! A cron expression as written and as understood.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use croner::{
    Cron, JobType,
    parser::{CronParser, Seconds, Year},
};

/// A cron expression. It speaks of wall clocks: which instants it means is the scheduler's business.
///
/// Five fields, or six with the seconds first; `@daily` and its like; `L`, `W`, `#`; names of days and months. A day
/// of month *and* a day of week must both match (`0 8 1-7 * MON` is the first Monday of each month).
#[derive(Debug, Clone)]
pub struct CronText {
    text: String,
    cron: Cron,
    is_every_date: bool,
}

impl PartialEq for CronText {
    /// The rest follows from the text.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl CronText {
    /// Understands `text`.
    ///
    /// # Errors
    /// What is wrong with it: not a cron expression, or a date that never comes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build()
            .parse(text);
        let cron = parsed.map_err(|error| {
            let why = error.to_string();
            format!(
                "`{text}` is not a cron expression ({}); five fields are minute hour day month weekday, six have seconds \
                 first, e.g. `20 0 * * *` for 00:20 every day",
                why.trim_end_matches('.')
            )
        })?;
        // Eight years hold every date on every weekday that matters: a leap day, and each first and last of a month.
        let first = NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date");
        let is_every_date = first.iter_days().take(8 * 366).all(|date| {
            cron.pattern.month_match(date.month()).unwrap_or(false)
                && cron
                    .pattern
                    .day_match(date.year(), date.month(), date.day())
                    .unwrap_or(false)
        });
        let expression = CronText {
            text: text.to_owned(),
            cron,
            is_every_date,
        };
        match expression.next(DateTime::UNIX_EPOCH.naive_utc(), true) {
            Some(_) => Ok(expression),
            None => Err(format!("`{text}` never comes: there is no such date")),
        }
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it fires more than once on the days it fires.
    #[must_use]
    pub fn is_sub_day(&self) -> bool {
        self.cron.determine_job_type() == JobType::IntervalWildcard
    }

    /// Whether it fires in every hour of the days it fires on.
    #[must_use]
    pub fn is_every_hour(&self) -> bool {
        (0..24).all(|hour| self.cron.pattern.hour_match(hour).unwrap_or(false))
    }

    /// Whether it fires on every date.
    #[must_use]
    pub fn is_every_date(&self) -> bool {
        self.is_every_date
    }

    /// The first wall-clock time it means after `local`, or at it when `inclusive`.
    #[must_use]
    pub fn next(&self, local: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        // croner sees a clock that never changes: its own handling of doubled times can answer with the past.
        self.cron
            .find_next_occurrence(&whole_second(local), inclusive)
            .ok()
            .map(|at| at.naive_utc())
    }

    /// The last wall-clock time it means at or before `local`.
    #[must_use]
    pub fn previous(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron
            .find_previous_occurrence(&whole_second(local), true)
            .ok()
            .map(|at| at.naive_utc())
    }
}

/// croner keeps fractions of a second through its search: give it none.
fn whole_second(local: NaiveDateTime) -> DateTime<Utc> {
    DateTime::from_timestamp(local.and_utc().timestamp(), 0)
        .expect("a date in range stays in range without its fraction")
}
