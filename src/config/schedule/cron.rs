//! A cron expression as written and as understood.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use croner::{
    Cron, JobType,
    parser::{CronParser, Seconds, Year},
};

use super::value::suggestion;

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
        let cron = parsed.map_err(|error| slip(text).unwrap_or_else(|| in_our_words(text, &error.to_string())))?;
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

    /// Whether it has both a day of month and a day of week, which must match together.
    #[must_use]
    pub fn has_day_and_weekday(&self) -> bool {
        let fields: Vec<&str> = self.text.split_whitespace().rev().collect();
        let narrows = |field: Option<&&str>| field.is_some_and(|field| !matches!(*field, "*" | "?"));
        narrows(fields.first()) && narrows(fields.get(2))
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

    /// Whether less than an hour lies between two of its firings.
    #[must_use]
    pub fn is_more_often_than_hourly(&self) -> bool {
        let first = self.next(DateTime::UNIX_EPOCH.naive_utc(), true);
        // Minutes and seconds are the same in every hour that it fires in: a day of firings has every distance.
        let firings = std::iter::successors(first, |at| self.next(*at, false)).take(25);
        let firings: Vec<NaiveDateTime> = firings.collect();
        firings.windows(2).any(|pair| pair[1] - pair[0] < TimeDelta::hours(1))
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

const NICKNAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const FIELDS: &str = "five fields are minute hour day month weekday, six have seconds first, e.g. `20 0 * * *` for 00:20 every \
                      day";

/// What a slip of the finger was in `text`, which is no cron expression, and what was meant.
fn slip(text: &str) -> Option<String> {
    if text.starts_with('@') {
        let hint = suggestion(text, NICKNAMES);
        let known = || NICKNAMES.map(|name| format!("`{name}`")).join(", ");
        return Some(if hint.is_empty() {
            format!("there is no `{text}`: it is one of {}, or five fields", known())
        } else {
            format!("there is no `{text}`{hint}")
        });
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if !(5..=6).contains(&fields.len()) {
        let count = fields.len();
        let s = if count == 1 { "" } else { "s" };
        return Some(format!("`{text}` has {count} field{s}; {FIELDS}"));
    }
    let mut from_the_end = fields.iter().rev();
    let named = [("day of the week", &WEEKDAYS[..]), ("month", &MONTHS[..])];
    named.into_iter().find_map(|(what, known)| {
        let words = from_the_end.next()?.split(|c: char| !c.is_alphabetic());
        // Single letters mean last days and the like.
        let mut words = words.filter(|word| word.len() > 1);
        // `FRIL` is the last Friday.
        let is_known = |word: &str| {
            let word = word.to_uppercase();
            let mut names = known.iter().map(|name| name.to_uppercase());
            names.any(|name| word == name || word == name + "L")
        };
        let word = words.find(|word| !is_known(word))?;
        let hint = suggestion(word, known.iter().copied());
        Some(format!("`{word}` in `{text}` is no {what}{hint}"))
    })
}

/// What croner found wrong, without the words that only its authors need.
fn in_our_words(text: &str, error: &str) -> String {
    let why = error.trim_start_matches("Component error: ").trim_end_matches('.');
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    let why = first.unwrap_or_default() + letters.as_str();
    format!("`{text}` is not a cron expression ({why}); {FIELDS}")
}

/// croner keeps fractions of a second through its search: give it none.
fn whole_second(local: NaiveDateTime) -> DateTime<Utc> {
    DateTime::from_timestamp(local.and_utc().timestamp(), 0)
        .expect("a date in range stays in range without its fraction")
}
