//! The daily report as numbers and rows: built once from the daily tables, rendered as HTML, PDF, JSON and CSV. No
//! text for people, no rounding, no markup, and nothing that points to a person.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// Days with rides that a mean over the days before needs: a whole week, so that every weekday is in it. With fewer, what
/// is usual is not known yet.
pub const MIN_HISTORY_DAYS: usize = 7;

/// Breakdown groups of fewer riders than this are not shown, nor what would reveal them.
pub const MIN_GROUP_RIDERS: i64 = 5;

/// Everything the report of one business day says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DailyReport {
    /// The business day.
    pub day: NaiveDate,
    /// First instant of the day, UTC.
    pub starts_at: DateTime<Utc>,
    /// First instant after the day, UTC.
    pub ends_at: DateTime<Utc>,
    /// The company's zone, e.g. `Europe/London`.
    pub timezone: String,
    /// Length of the day: 23, 24 or 25.
    pub hours_in_day: i64,
    /// How often the day was sealed; more than once means restated.
    pub seal_count: i64,
    /// What moved since the first report; none where nothing did, or where that report is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restatement: Option<Restatement>,
    /// Headline figures in the order they are shown.
    pub headlines: Vec<Headline>,
    /// The last 28 days up to and including this one, oldest first.
    pub rides_per_day: Vec<DayCount>,
    /// One entry an hour of the day, in order; 23 or 25 of them where the clocks change.
    pub rides_per_hour: Vec<HourCount>,
    /// Who rode, how and where.
    #[serde(flatten)]
    pub breakdowns: Breakdowns,
    /// How good the day's data is.
    pub quality: Quality,
}

/// Who rode, how and where: what is told of groups of rides, of a day as well as of a week or a month.
///
/// Of a day, a group is not shown that has fewer than [`MIN_GROUP_RIDERS`] riders, or that would reveal such a one. Of several
/// days, one is shown where each of them that has rides shows it: its figures are the sums of those, so they tell nothing
/// that the days do not. How many different riders that were is not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Breakdowns {
    /// Rides and time by gender: female, male, other, unknown.
    pub by_gender: Vec<Group>,
    /// Rides and time by age band, youngest first, unknown last.
    pub by_age_band: Vec<Group>,
    /// Rides, time and energy by age band and gender together: the bands of `by_age_band`, with the genders in the order of
    /// `by_gender`.
    pub by_age_and_gender: Vec<AgeBand>,
    /// Rides and time by town, most rides first; at most ten. None of several days.
    pub by_city: Vec<Group>,
    /// Rides by how the rider came to us, most rides first, unknown last.
    pub by_channel: Vec<Group>,
    /// Rides by postcode area, most rides first: only areas of enough riders are in it, and what is unknown.
    pub by_postcode_area: Vec<Group>,
    /// Time by heart-rate zone, the lightest first, unknown last. A group's rides are those with any second in the zone.
    pub heart_rate_zones: Vec<Group>,
    /// Rides by their mean power, bins of 20 W.
    pub power_per_ride: Histogram,
    /// Rides by their mean heart rate with contact, bins of 5 bpm.
    pub heart_rate_per_ride: Histogram,
}

impl DailyReport {
    /// The headlines' figures.
    #[must_use]
    pub fn figures(&self) -> Vec<(HeadlineKey, Option<f64>)> {
        let figures = self.headlines.iter();
        figures.map(|headline| (headline.key, headline.value)).collect()
    }

    /// The headline called `key`.
    #[must_use]
    pub fn headline(&self, key: HeadlineKey) -> Option<&Headline> {
        self.headlines.iter().find(|headline| headline.key == key)
    }

    /// Rides on the day.
    #[must_use]
    pub fn rides(&self) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a count of rides is a whole number far below 2^53"
        )]
        self.headline(HeadlineKey::Rides)
            .and_then(|headline| headline.value)
            .map_or(0, |value| value as i64)
    }
}

/// That a day was sealed anew after it was reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restatement {
    /// When it was sealed last, UTC.
    pub restated_at: DateTime<Utc>,
    /// The headlines that are not what they were, in the order they are shown.
    pub moved: Vec<Moved>,
}

impl Restatement {
    /// Figures that say how much was ridden; an extreme or a handful of new riders moves by chance.
    const WEIGHTY: [HeadlineKey; 5] = [
        HeadlineKey::Rides,
        HeadlineKey::Riders,
        HeadlineKey::DurationSeconds,
        HeadlineKey::EnergyKilojoules,
        HeadlineKey::PowerWattsMean,
    ];

    /// The largest move of a figure that says how much was ridden, as a share of what it was.
    #[must_use]
    pub fn largest_move(&self) -> f64 {
        let weighty = self.moved.iter().filter(|moved| Self::WEIGHTY.contains(&moved.key));
        let share = |moved: &Moved| match (moved.before, moved.after) {
            (Some(before), Some(after)) if before != 0.0 => ((after - before) / before).abs(),
            _ => f64::INFINITY,
        };
        weighty.map(share).fold(0.0, f64::max)
    }
}

/// A headline that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// What it measures.
    pub key: HeadlineKey,
    /// What the report said that it is compared with: a page with the first, a mail with the last that was mailed.
    pub before: Option<f64>,
    /// What it is now.
    pub after: Option<f64>,
}

impl Moved {
    /// Which of the `headlines` are not what they were.
    #[must_use]
    pub fn since(before: &[(HeadlineKey, Option<f64>)], headlines: &[Headline]) -> Vec<Self> {
        let moved = headlines.iter().filter_map(|headline| {
            let (_, before) = before.iter().find(|(key, _)| *key == headline.key)?;
            Moved::between(headline.key, *before, headline.value)
        });
        moved.collect()
    }

    /// The figure's move, where it is more than what adding up in another order comes to.
    #[must_use]
    pub fn between(key: HeadlineKey, before: Option<f64>, after: Option<f64>) -> Option<Self> {
        let is_same = match (before, after) {
            (Some(before), Some(after)) => (after - before).abs() <= 1e-6 * before.abs().max(after.abs()),
            (before, after) => before.is_none() && after.is_none(),
        };
        (!is_same).then_some(Moved { key, before, after })
    }
}

/// What a headline measures. The unit is in the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadlineKey {
    /// Rides that ended in the day.
    Rides,
    /// Distinct riders of those rides.
    Riders,
    /// Riders whose first ride ever is among them.
    NewRiders,
    /// Sum of the rides' durations.
    DurationSeconds,
    /// Sum of the rides' energy.
    EnergyKilojoules,
    /// Mean over rides of the ride's mean power.
    PowerWattsMean,
    /// Mean over rides of the ride's mean heart rate with contact.
    HeartRateBpmMean,
    /// Duration of the longest ride.
    LongestRideSeconds,
    /// Highest power of any second.
    PowerWattsMax,
}

/// One figure and what it is compared with. All in the unit of its key; none where there is nothing to measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// What it measures.
    pub key: HeadlineKey,
    /// The day's figure.
    pub value: Option<f64>,
    /// The day before's.
    pub day_before: Option<f64>,
    /// The same weekday's, a week before.
    pub week_before: Option<f64>,
    /// Mean over those of the seven days before that have rides; none for fewer than four, or where what is usual is not
    /// known.
    pub seven_day_mean: Option<f64>,
    /// Mean over those of the 28 days before that have rides; none for fewer than [`MIN_HISTORY_DAYS`].
    pub mean_28_days: Option<f64>,
    /// Standard deviation over the same days.
    pub stddev_28_days: Option<f64>,
    /// The 28 days up to and including this one, oldest first, for a sparkline.
    pub last_28_days: Vec<Option<f64>>,
}

/// A day and its rides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayCount {
    /// The day.
    pub day: NaiveDate,
    /// Its rides; none where the day was never sealed, which is not the same as no rides.
    pub rides: Option<i64>,
}

/// An hour of the day and the rides that began in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HourCount {
    /// First instant of the hour, UTC.
    pub starts_at: DateTime<Utc>,
    /// Its local name, `00` to `23`.
    pub hour: u32,
    /// Rides that began in it.
    pub rides: i64,
    /// Mean over the 28 days before of the hour of that name; none where fewer than [`MIN_HISTORY_DAYS`] of them have
    /// rides.
    pub usual: Option<f64>,
}

/// One group of a breakdown. The figures are none where the group was suppressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, e.g. `female`, `25–34`, `unknown`.
    pub name: String,
    /// Suppressed: it, or a group that it would reveal, has fewer riders than [`MIN_GROUP_RIDERS`].
    pub is_suppressed: bool,
    /// Rides.
    pub rides: Option<i64>,
    /// Distinct riders; none of several days, where they are not known.
    pub riders: Option<i64>,
    /// Sum of durations.
    pub duration_seconds: Option<i64>,
    /// Sum of energy.
    pub energy_kilojoules: Option<f64>,
}

/// An age band's genders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgeBand {
    /// The band's name.
    pub name: String,
    /// The genders in it.
    pub genders: Vec<Group>,
}

/// Counts of rides in bins of equal width.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Width of a bin, in the unit of what is counted.
    pub bin_width: f64,
    /// Every bin from the lowest to the highest that has rides, empty ones between included.
    pub bins: Vec<Bin>,
    /// Median over rides; none without rides, and of several days.
    pub median: Option<f64>,
    /// Rides that have the value.
    pub rides: i64,
}

/// One bin: `from <= x < from + bin_width`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower edge.
    pub from: f64,
    /// Rides in it.
    pub rides: i64,
}

/// How the lines received for a day were accounted for: those stamped within it, and those without a stamp that came
/// among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// All of them.
    pub received: i64,
    /// Ride lines of distinct seconds.
    pub ride: i64,
    /// Telemetry lines of distinct seconds.
    pub telemetry: i64,
    /// Lines that announce or bring what is known of a rider.
    pub rider: i64,
    /// Marks of a ride's beginning or end.
    pub marker: i64,
    /// Lines of a second that was there already.
    pub duplicate: i64,
    /// Lines of rides or riders that were deleted.
    pub tombstoned: i64,
    /// Lines that could not be understood.
    pub rejected: i64,
}

impl Lines {
    /// Lines received and not met among the kinds; anything but zero is a defect.
    #[must_use]
    pub fn unaccounted(&self) -> i64 {
        let kinds = self.ride + self.telemetry + self.rider + self.marker;
        self.received - kinds - self.duplicate - self.tombstoned - self.rejected
    }
}

/// How good the day's data is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Readings of the day's rides.
    pub readings: i64,
    /// Of those, without hand contact.
    pub dropout_seconds: i64,
    /// Of those, outside the plausible bounds.
    pub flagged_readings: i64,
    /// Rides joined midway.
    pub partial_rides: i64,
    /// Rides without an end marker.
    pub idle_rides: i64,
    /// What became of the lines received for the day.
    #[serde(default)]
    pub lines: Lines,
    /// Heart-rate alerts raised. None are for readings that were taken in long after the ride.
    pub alerts: i64,
    /// Whether these are more than the schedule's `alert_banner`: then the page says so first.
    #[serde(default)]
    pub has_many_alerts: bool,
}
