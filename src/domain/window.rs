//! Windows: the spans of time that runs are about, and what the run ledger calls them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, IsoWeek, Months, NaiveDate, Utc, Weekday};
use serde::{Deserialize, Serialize};

/// What a run is about: the business days it produces, or the instant it was due at.
///
/// Windows sort by kind, then by time; those of one kind never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Window {
    /// A business day.
    Day(NaiveDate),
    /// An ISO week: the seven business days from Monday on.
    Week(Week),
    /// The business days of a calendar month.
    Month(Month),
    /// An instant, for jobs that run more often than daily.
    Instant(DateTime<Utc>),
}

/// How long the windows of a job are that makes business days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A business day.
    Day,
    /// An ISO week.
    Week,
    /// A calendar month.
    Month,
}

/// An ISO week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Week {
    monday: NaiveDate,
}

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

impl Period {
    /// Its name in `cron.toml` and for people: `day`, `week`, `month`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }

    /// The window of this length that `day` is in.
    #[must_use]
    pub fn around(self, day: NaiveDate) -> Window {
        match self {
            Period::Day => Window::Day(day),
            Period::Week => Window::Week(Week::of(day)),
            Period::Month => Window::Month(Month::of(day)),
        }
    }

    /// The newest window of this length that is over when `day` is.
    #[must_use]
    pub fn last_over(self, day: NaiveDate) -> Window {
        let around = self.around(day);
        match around.span() {
            Some((first, last)) if last > day => self.around(first - Days::new(1)),
            _ => around,
        }
    }
}

impl Window {
    /// The day, where the window is one.
    #[must_use]
    pub fn day(self) -> Option<NaiveDate> {
        match self {
            Window::Day(day) => Some(day),
            Window::Week(_) | Window::Month(_) | Window::Instant(_) => None,
        }
    }

    /// The instant, where the window is one.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Window::Instant(at) => Some(at),
            Window::Day(_) | Window::Week(_) | Window::Month(_) => None,
        }
    }

    /// How long it is; none of an instant.
    #[must_use]
    pub fn period(self) -> Option<Period> {
        match self {
            Window::Day(_) => Some(Period::Day),
            Window::Week(_) => Some(Period::Week),
            Window::Month(_) => Some(Period::Month),
            Window::Instant(_) => None,
        }
    }

    /// The first and the last of its business days; none of an instant.
    #[must_use]
    pub fn span(self) -> Option<(NaiveDate, NaiveDate)> {
        match self {
            Window::Day(day) => Some((day, day)),
            Window::Week(week) => Some((week.monday, week.monday + Days::new(6))),
            Window::Month(month) => Some((month.first, month.first + Months::new(1) - Days::new(1))),
            Window::Instant(_) => None,
        }
    }

    /// Its business days, oldest first; none of an instant.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> + use<> {
        let span = self.span().into_iter();
        span.flat_map(|(first, last)| first.iter_days().take_while(move |&day| day <= last))
    }

    /// What of a job whose windows are `every` long belongs to it: the window itself, or each of its days.
    pub fn parts(self, every: Period) -> impl Iterator<Item = Window> + use<> {
        let is_same = self.period() == Some(every);
        let days = (!is_same).then(|| self.days().map(Window::Day));
        is_same.then_some(self).into_iter().chain(days.into_iter().flatten())
    }

    /// The window of the same length before it; none of an instant.
    #[must_use]
    pub fn before(self) -> Option<Window> {
        let (first, _) = self.span()?;
        Some(self.period()?.around(first - Days::new(1)))
    }

    /// The window of the same length after it; none of an instant.
    #[must_use]
    pub fn after(self) -> Option<Window> {
        let (_, last) = self.span()?;
        Some(self.period()?.around(last + Days::new(1)))
    }

    /// The window and those of its length that follow, up to `last`.
    pub fn up_to(self, last: Window) -> impl Iterator<Item = Window> {
        std::iter::successors(Some(self), |window| window.after()).take_while(move |&window| window <= last)
    }
}

impl Week {
    /// The week that `day` is in.
    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        Week {
            monday: day.week(Weekday::Mon).first_day(),
        }
    }

    fn iso(self) -> IsoWeek {
        self.monday.iso_week()
    }
}

impl Month {
    /// The month that `day` is in.
    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        Month {
            first: day - Days::new(u64::from(day.day0())),
        }
    }
}

impl fmt::Display for Window {
    /// The ledger's key: `2026-11-21`, `2026-W47`, `2026-11`, or an RFC 3339 instant to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Window::Day(day) => day.to_string(),
            Window::Week(week) => format!("{}-W{:02}", week.iso().year(), week.iso().week()),
            Window::Month(month) => month.first.format("%Y-%m").to_string(),
            Window::Instant(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        f.pad(&text)
    }
}

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAWindow(String);

impl std::error::Error for NotAWindow {}

impl fmt::Display for NotAWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no day like 2026-11-21, no week like 2026-W47, no month like 2026-11, and no instant like \
             2026-11-21T07:00:00Z",
            self.0
        )
    }
}

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let window = match (text.len(), text.split_once("-W")) {
            (8, Some((year, week))) => year
                .parse()
                .ok()
                .zip(week.parse().ok())
                .and_then(|(year, week)| NaiveDate::from_isoywd_opt(year, week, Weekday::Mon))
                .map(|monday| Window::Week(Week { monday })),
            (7, _) => format!("{text}-01")
                .parse()
                .ok()
                .map(|first| Window::Month(Month { first })),
            (10, _) => text.parse().ok().map(Window::Day),
            _ => text.parse().ok().map(Window::Instant),
        };
        window
            .filter(|window| window.period().is_none() || window.to_string() == text)
            .ok_or_else(|| NotAWindow(text.to_owned()))
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl TryFrom<String> for Window {
    type Error = NotAWindow;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_window_reads_back_as_it_is_written() {
        for text in ["2026-11-21", "2026-W47", "2026-W01", "2026-11", "2026-11-21T07:00:05Z"] {
            assert_eq!(window(text).to_string(), text);
        }
        for text in [
            "2026-W54",
            "2026-W00",
            "2026-13",
            "2026-11-31",
            "+026-W47",
            "2026-w47",
            "11-2026",
            "",
            "today",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_week_belongs_to_the_year_of_its_thursday() {
        for (text, week) in [
            ("2026-01-01", "2026-W01"),
            ("2025-12-29", "2026-W01"),
            ("2026-11-22", "2026-W47"),
            ("2026-12-31", "2026-W53"),
            ("2027-01-03", "2026-W53"),
            ("2027-01-04", "2027-W01"),
        ] {
            assert_eq!(Period::Week.around(day(text)), window(week), "{text}");
        }
    }

    #[test]
    fn a_window_has_its_days_and_the_one_before_ends_where_it_begins() {
        let days = |text: &str| window(text).days().count();
        assert_eq!(
            (days("2026-W47"), days("2026-11"), days("2028-02"), days("2026-11-21")),
            (7, 30, 29, 1)
        );
        assert_eq!(window("2026-W47").span(), Some((day("2026-11-16"), day("2026-11-22"))));
        assert_eq!(window("2027-01").before(), Some(window("2026-12")));
        assert_eq!(window("2027-W01").before(), Some(window("2026-W53")));
        assert_eq!(window("2026-11-21T07:00:00Z").before(), None);
    }

    #[test]
    fn a_window_is_over_when_its_last_day_is() {
        let last = |period: Period, text: &str| period.last_over(day(text)).to_string();
        assert_eq!(last(Period::Day, "2026-11-21"), "2026-11-21");
        assert_eq!(last(Period::Week, "2026-11-21"), "2026-W46");
        assert_eq!(last(Period::Week, "2026-11-22"), "2026-W47");
        assert_eq!(last(Period::Month, "2026-11-29"), "2026-10");
        assert_eq!(last(Period::Month, "2026-11-30"), "2026-11");
    }
}
