//! The company's clocks around a day. The database could ask for the zone ride by ride; of 60 million that alone takes minutes.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;

/// How far the clocks are ahead of UTC around a day, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clocks {
    /// When they are changed.
    pub(super) changes_at: DateTime<Utc>,
    /// Before that.
    pub(super) before: i32,
    /// From then on.
    pub(super) after: i32,
}

/// The clocks of `timezone` from two days before `day` to two days after it, in which they are changed once at most.
pub(super) fn clocks(timezone: Tz, day: NaiveDate) -> Clocks {
    let at = |second: i64| {
        let instant = DateTime::from_timestamp(second, 0).unwrap_or_default();
        let offset = timezone.offset_from_utc_datetime(&instant.naive_utc());
        offset.fix().local_minus_utc()
    };
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let (mut from, mut to) = (midnight(day - Days::new(2)), midnight(day + Days::new(3)));
    let (before, after) = (at(from), at(to));
    while before != after && to - from > 1 {
        let middle = from + (to - from) / 2;
        if at(middle) == before {
            from = middle;
        } else {
            to = middle;
        }
    }
    let changes_at = DateTime::from_timestamp(to, 0).unwrap_or_default();
    Clocks {
        changes_at,
        before,
        after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_london(day: &str) -> (i32, i32, String) {
        let Clocks {
            changes_at,
            before,
            after,
        } = clocks(Tz::Europe__London, day.parse().unwrap());
        (before, after, changes_at.to_rfc3339())
    }

    #[test]
    fn clocks_are_changed_at_the_second_that_the_law_says() {
        for day in ["2026-03-28", "2026-03-29", "2026-03-30"] {
            assert_eq!(
                of_london(day),
                (0, 3600, "2026-03-29T01:00:00+00:00".to_owned()),
                "{day}"
            );
        }
        assert_eq!(
            of_london("2026-10-25"),
            (3600, 0, "2026-10-25T01:00:00+00:00".to_owned())
        );
    }

    #[test]
    fn on_other_days_they_are_the_same_before_and_after() {
        assert!(matches!(of_london("2026-07-01"), (3600, 3600, _)));
        assert!(matches!(of_london("2026-01-05"), (0, 0, _)));
    }
}
