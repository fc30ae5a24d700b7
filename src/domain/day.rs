//! The business day: which instants belong to which day, in the company's zone.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Serialize;

/// How instants map to business days: a day ends at `ends_at` local time in `timezone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRule {
    /// The company's zone.
    pub timezone: Tz,
    /// Local time at which a day ends and the next begins. Midnight by default; `16:45` means that what
    /// happens after a quarter to five counts for tomorrow.
    pub ends_at: NaiveTime,
    /// How long after its end a day waits for late lines before it counts as finished.
    pub lateness: TimeDelta,
}

impl Default for DayRule {
    fn default() -> Self {
        DayRule {
            timezone: Tz::Europe__London,
            ends_at: NaiveTime::MIN,
            lateness: TimeDelta::minutes(15),
        }
    }
}

/// A half-open span of time, `start <= t < end`, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// First instant in the span.
    pub start: DateTime<Utc>,
    /// First instant after the span.
    pub end: DateTime<Utc>,
}

impl Span {
    /// Whole hours in the span: 24 on most days, 23 or 25 where the clocks change.
    #[must_use]
    pub fn hours(self) -> i64 {
        (self.end - self.start).num_hours()
    }

    /// Whether `instant` lies in the span.
    #[must_use]
    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }
}

impl DayRule {
    /// The business day that `instant` belongs to.
    #[must_use]
    pub fn day_of(&self, instant: DateTime<Utc>) -> NaiveDate {
        let date = instant.with_timezone(&self.timezone).date_naive();
        // A clock change can put the end of a day before or after where the date alone says: look at the neighbours.
        [date.pred_opt(), Some(date), date.succ_opt()]
            .into_iter()
            .flatten()
            .find(|&day| self.span(day).contains(instant))
            .unwrap_or(date)
    }

    /// The span of business day `day`: 23, 24 or 25 hours.
    #[must_use]
    pub fn span(&self, day: NaiveDate) -> Span {
        let starts_on = if self.ends_at == NaiveTime::MIN {
            day
        } else {
            day - Days::new(1)
        };
        Span {
            start: self.boundary(starts_on),
            end: self.boundary(starts_on + Days::new(1)),
        }
    }

    /// The instant from which `day` may be sealed, if ingest has caught up.
    #[must_use]
    pub fn finished_at(&self, day: NaiveDate) -> DateTime<Utc> {
        self.span(day).end + self.lateness
    }

    /// The newest day whose `finished_at` is not after `now`.
    #[must_use]
    pub fn last_finished(&self, now: DateTime<Utc>) -> NaiveDate {
        let mut day = self.day_of(now);
        while self.finished_at(day) > now {
            day = day - Days::new(1);
        }
        day
    }

    /// `ends_at` on `date` as an instant. A time that the clocks skip is the instant right after the gap; a time
    /// that occurs twice is its first occurrence.
    fn boundary(&self, date: NaiveDate) -> DateTime<Utc> {
        let mut local = date.and_time(self.ends_at);
        loop {
            if let Some(instant) = self.timezone.from_local_datetime(&local).earliest() {
                return instant.with_timezone(&Utc);
            }
            local += TimeDelta::minutes(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_summer_evening_in_utc_is_the_next_day_in_london() {
        let rule = DayRule::default();
        assert_eq!(rule.day_of(at("2022-07-06T23:29:36Z")), date("2022-07-07"));
        assert_eq!(rule.day_of(at("2022-12-06T23:29:36Z")), date("2022-12-06"));
    }

    #[test]
    fn days_have_23_24_or_25_hours_and_leave_no_gap() {
        let rule = DayRule::default();
        assert_eq!(rule.span(date("2026-03-29")).hours(), 23);
        assert_eq!(rule.span(date("2026-07-01")).hours(), 24);
        assert_eq!(rule.span(date("2026-10-25")).hours(), 25);
        let mut day = date("2026-01-01");
        while day < date("2027-01-01") {
            let next = day + Days::new(1);
            assert_eq!(rule.span(day).end, rule.span(next).start);
            assert_eq!(rule.day_of(rule.span(day).start), day);
            assert_eq!(rule.day_of(rule.span(day).end - TimeDelta::microseconds(1)), day);
            day = next;
        }
    }

    #[test]
    fn a_day_that_ends_in_the_afternoon_takes_the_evening_before() {
        let rule = DayRule {
            ends_at: NaiveTime::from_hms_opt(16, 45, 0).unwrap(),
            ..DayRule::default()
        };
        assert_eq!(rule.day_of(at("2026-01-05T16:44:59Z")), date("2026-01-05"));
        assert_eq!(rule.day_of(at("2026-01-05T16:45:00Z")), date("2026-01-06"));
    }

    #[test]
    fn a_boundary_inside_a_gap_or_an_overlap_still_belongs_to_one_day() {
        // Clocks go 01:00 -> 02:00 on 2026-03-29 and 02:00 -> 01:00 on 2026-10-25.
        let rule = DayRule {
            ends_at: NaiveTime::from_hms_opt(1, 30, 0).unwrap(),
            ..DayRule::default()
        };
        for text in ["2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            let day = rule.day_of(at(text));
            assert!(rule.span(day).contains(at(text)), "{text}");
        }
    }

    #[test]
    fn a_day_is_finished_a_quarter_of_an_hour_after_its_end() {
        let rule = DayRule::default();
        assert_eq!(rule.last_finished(at("2026-01-05T00:14:59Z")), date("2026-01-03"));
        assert_eq!(rule.last_finished(at("2026-01-05T00:15:00Z")), date("2026-01-04"));
    }
}
