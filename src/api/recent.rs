//! What was ridden in the last hours: for staff, so no group is too small to be shown.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use poem_openapi::{Object, OpenApi, param::Query, payload::Json};

use super::{ApiContext, Tag, page, problem::Refusal};
use crate::{
    domain::{
        report::{AgeBand, Breakdowns, Group},
        rider::{AGE_BANDS, Gender},
    },
    store::query::{self, Activity, RecentFilter},
};

/// Hours that are looked back, where nobody says how many.
pub(super) const HOURS: u32 = 12;
/// Hours that are looked back at most.
const MAX_HOURS: u32 = 72;

/// The operation on the last hours.
pub(super) struct Recents {
    /// What it needs.
    pub(super) context: ApiContext,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Reports")]
impl Recents {
    /// Get what was ridden in the last hours
    ///
    /// Rides that began in them, those under way included as they stood some seconds ago. The page `/recent` shows the same.
    #[oai(path = "/recent", method = "get", operation_id = "get_recent")]
    async fn recent(
        &self,
        /// How many hours.
        #[oai(default = "default_hours", validator(minimum(value = "1"), maximum(value = "72")))]
        hours: Query<u32>,
        /// Only rides of riders of this gender.
        gender: Query<Option<page::Gender>>,
        /// Only rides of riders in this age band: `under 18`, `18–24`, …, `65+` or `unknown`.
        age_band: Query<Option<String>>,
    ) -> Result<Json<Recent>, Refusal> {
        let filter = filter(
            self.context.clock.now(),
            hours.0,
            gender.0.map(Gender::from),
            age_band.0.as_deref(),
        )?;
        let asked = filter.clone();
        let activity = self
            .context
            .read(move |store| query::recent_activity(store, &asked))
            .await?;
        Ok(Json(Recent::of(&filter, &activity)))
    }
}

fn default_hours() -> u32 {
    HOURS
}

/// The rides of the `hours` up to `now`, of some or all riders.
///
/// # Errors
/// A filter is none that is known, or the hours are too few or too many.
pub(super) fn filter(
    now: DateTime<Utc>,
    hours: u32,
    gender: Option<Gender>,
    age_band: Option<&str>,
) -> Result<RecentFilter, Refusal> {
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(Refusal::bad_request(format!(
            "`hours` is {hours}: give 1 to {MAX_HOURS}"
        )));
    }
    let age_band = age_band.map(|name| {
        // A hyphen is easier to type than a dash.
        let known = AGE_BANDS.into_iter().find(|band| *band == name.replace('-', "–"));
        known.ok_or_else(|| Refusal::unsuitable(format!("`age_band` is none of `{}`", AGE_BANDS.join("`, `"))))
    });
    Ok(RecentFilter {
        since: now - TimeDelta::hours(hours.into()),
        until: now,
        gender,
        age_band: age_band.transpose()?.map(str::to_owned),
    })
}

/// What was ridden in the last hours. Means are over rides that have the value.
#[derive(Debug, Clone, PartialEq, Object)]
pub(super) struct Recent {
    /// The earliest instant at which a ride began that counts.
    pub(super) since: DateTime<Utc>,
    /// The latest: now.
    pub(super) until: DateTime<Utc>,
    /// Rides.
    pub(super) rides: i64,
    /// Of those, under way.
    pub(super) riding: i64,
    /// Sum over rides.
    pub(super) duration_seconds: i64,
    /// Sum over rides.
    pub(super) energy_kilojoules: f64,
    /// Mean over rides of the ride's mean.
    pub(super) power_watts_mean: Option<f64>,
    /// Mean over rides of the ride's mean with hand contact.
    pub(super) heart_rate_bpm_mean: Option<f64>,
    /// Women, men, others, unknown: those that have rides.
    pub(super) by_gender: Vec<RecentGroup>,
    /// Youngest first, unknown last: those that have rides.
    pub(super) by_age_band: Vec<RecentGroup>,
    /// Every hour from the first to this one.
    pub(super) by_hour: Vec<RecentHour>,
}

/// What a group of riders rode.
#[derive(Debug, Clone, PartialEq, Object)]
pub(super) struct RecentGroup {
    /// The group.
    pub(super) name: String,
    /// Rides.
    pub(super) rides: i64,
    /// Sum over rides.
    pub(super) duration_seconds: i64,
}

/// The rides that began in an hour.
#[derive(Debug, Clone, PartialEq, Object)]
pub(super) struct RecentHour {
    /// The hour's first instant.
    pub(super) starts_at: DateTime<Utc>,
    /// Rides.
    pub(super) rides: i64,
}

impl Recent {
    /// Adds up what `filter` found.
    pub(super) fn of(filter: &RecentFilter, activity: &[Activity]) -> Self {
        let sum = |of: fn(&Activity) -> i64| activity.iter().map(of).sum();
        let mean = |of: fn(&Activity) -> (f64, i64)| {
            let (total, rides) = activity
                .iter()
                .map(of)
                .fold((0.0, 0), |(total, rides), (value, more)| (total + value, rides + more));
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
            (rides > 0).then(|| total / rides as f64)
        };
        let breakdowns = breakdowns(activity);
        Recent {
            since: filter.since,
            until: filter.until,
            rides: sum(|part| part.rides),
            riding: sum(|part| part.riding),
            duration_seconds: sum(|part| part.duration_seconds),
            energy_kilojoules: activity.iter().fold(0.0, |sum, part| sum + part.energy_kilojoules),
            power_watts_mean: mean(|part| part.power_watts),
            heart_rate_bpm_mean: mean(|part| part.heart_rate_bpm),
            by_gender: breakdowns.by_gender.iter().map(RecentGroup::from).collect(),
            by_age_band: breakdowns.by_age_band.iter().map(RecentGroup::from).collect(),
            by_hour: by_hour(filter, activity),
        }
    }
}

impl From<&Group> for RecentGroup {
    fn from(group: &Group) -> Self {
        RecentGroup {
            name: group.name.clone(),
            rides: group.rides.unwrap_or(0),
            duration_seconds: group.duration_seconds.unwrap_or(0),
        }
    }
}

fn by_hour(filter: &RecentFilter, activity: &[Activity]) -> Vec<RecentHour> {
    let hour = TimeDelta::hours(1);
    let first = filter.since.duration_trunc(hour).unwrap_or(filter.since);
    std::iter::successors(Some(first), |at| Some(*at + hour))
        .take_while(|at| *at <= filter.until)
        .map(|starts_at| RecentHour {
            starts_at,
            rides: activity
                .iter()
                .filter(|part| part.starts_at == starts_at)
                .map(|part| part.rides)
                .sum(),
        })
        .collect()
}

/// Who rode, as charts are drawn of it.
pub(super) fn breakdowns(activity: &[Activity]) -> Breakdowns {
    let genders = Gender::ALL.map(Gender::name);
    let by_gender = groups(activity, &genders, |part| &part.gender);
    let by_age_band = groups(activity, &AGE_BANDS, |part| &part.age_band);
    let by_age_and_gender = by_age_band.iter().map(|band| {
        let of_band = activity.iter().filter(|part| part.age_band == band.name).cloned();
        AgeBand {
            name: band.name.clone(),
            genders: groups(&of_band.collect::<Vec<_>>(), &genders, |part| &part.gender),
        }
    });
    Breakdowns {
        by_age_and_gender: by_age_and_gender.collect(),
        by_gender,
        by_age_band,
        ..Breakdowns::default()
    }
}

/// What each of the `names` comes to, of those that have rides.
fn groups(activity: &[Activity], names: &[&str], name: fn(&Activity) -> &str) -> Vec<Group> {
    let group = |of: &&str| {
        let parts = || activity.iter().filter(|part| name(part) == *of);
        Group {
            name: (*of).to_owned(),
            is_suppressed: false,
            rides: Some(parts().map(|part| part.rides).sum()),
            riders: None,
            duration_seconds: Some(parts().map(|part| part.duration_seconds).sum()),
            energy_kilojoules: Some(parts().fold(0.0, |sum, part| sum + part.energy_kilojoules)),
        }
    };
    let groups = names.iter().map(group);
    groups.filter(|group| group.rides > Some(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(hour: i64, gender: &str, age_band: &str, rides: i64, watts: Option<f64>) -> Activity {
        Activity {
            starts_at: DateTime::UNIX_EPOCH + TimeDelta::hours(hour),
            gender: gender.to_owned(),
            age_band: age_band.to_owned(),
            rides,
            riding: 0,
            duration_seconds: 100 * rides,
            energy_kilojoules: 10.0,
            power_watts: watts.map_or((0.0, 0), |watts| (watts, 1)),
            heart_rate_bpm: (0.0, 0),
        }
    }

    #[test]
    fn the_last_hours_add_up_by_gender_age_and_hour_and_what_was_not_measured_is_no_zero() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(210);
        let filter = filter(now, 3, None, None).ok().unwrap();
        let activity = [
            part(0, "male", "18–24", 1, Some(100.0)),
            part(2, "female", "18–24", 2, None),
            part(2, "male", "unknown", 1, Some(200.0)),
        ];
        let recent = Recent::of(&filter, &activity);
        assert_eq!((recent.rides, recent.duration_seconds), (4, 400));
        assert_eq!(
            (recent.power_watts_mean, recent.heart_rate_bpm_mean),
            (Some(150.0), None)
        );
        let named =
            |groups: &[RecentGroup]| -> Vec<_> { groups.iter().map(|of| (of.name.clone(), of.rides)).collect() };
        assert_eq!(
            named(&recent.by_gender),
            [("female".to_owned(), 2), ("male".to_owned(), 2)]
        );
        assert_eq!(
            named(&recent.by_age_band),
            [("18–24".to_owned(), 3), ("unknown".to_owned(), 1)]
        );
        let hours: Vec<_> = recent.by_hour.iter().map(|hour| hour.rides).collect();
        assert_eq!(hours, [1, 0, 3, 0], "the hour that goes on too");
    }

    #[test]
    fn a_filter_that_is_not_known_is_refused_by_name() {
        let now = DateTime::UNIX_EPOCH;
        assert!(filter(now, 73, None, None).is_err() && filter(now, 0, None, None).is_err());
        assert!(filter(now, 1, None, Some("18–25")).is_err());
        let band = filter(now, 1, Some(Gender::Female), Some("18-24"))
            .ok()
            .unwrap()
            .age_band;
        assert_eq!(band.as_deref(), Some("18–24"));
    }
}
