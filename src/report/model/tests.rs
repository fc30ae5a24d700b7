//! Rides in, report out: the daily tables between them are filled by the files of `jobs/`.

use super::{breakdowns::ZONES, *};
use crate::{
    clock::Clock,
    domain::{report::Histogram, rider::AGE_BANDS},
    report::period_model,
    store::{
        daily_table::{ChangedTypes, materialise},
        sql_file::SqlFile,
    },
};

const JOBS: [(&str, &str); 12] = [
    ("daily_totals", include_str!("../../../jobs/daily_totals.sql")),
    ("daily_by_hour", include_str!("../../../jobs/daily_by_hour.sql")),
    ("daily_by_gender", include_str!("../../../jobs/daily_by_gender.sql")),
    ("daily_by_age_band", include_str!("../../../jobs/daily_by_age_band.sql")),
    (
        "daily_by_age_and_gender",
        include_str!("../../../jobs/daily_by_age_and_gender.sql"),
    ),
    ("daily_by_city", include_str!("../../../jobs/daily_by_city.sql")),
    ("daily_by_channel", include_str!("../../../jobs/daily_by_channel.sql")),
    (
        "daily_by_postcode_area",
        include_str!("../../../jobs/daily_by_postcode_area.sql"),
    ),
    (
        "daily_heart_rate_zones",
        include_str!("../../../jobs/daily_heart_rate_zones.sql"),
    ),
    (
        "daily_power_histogram",
        include_str!("../../../jobs/daily_power_histogram.sql"),
    ),
    (
        "daily_heart_rate_histogram",
        include_str!("../../../jobs/daily_heart_rate_histogram.sql"),
    ),
    ("daily_quality", include_str!("../../../jobs/daily_quality.sql")),
];

struct Fixture {
    store: Store,
    day_rule: DayRule,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Riders 1 to 20: odd ones are women of 30 from Bethan, even ones men of 40 from Norton, but 20 is neither and
    /// of unknown age and town.
    fn new(timezone: chrono_tz::Tz) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::Fixed("2026-12-01T06:00:00Z".parse().unwrap())).unwrap();
        let fixture = Fixture {
            store,
            day_rule: DayRule {
                timezone,
                ..DayRule::default()
            },
            _folder: folder,
        };
        fixture.execute(
            "drop view ride; create table ride as from daily.ride;
             create or replace view rider as
             select
                id as rider_id,
                case when id = 20 then 'other' when id % 2 = 1 then 'female' else 'male' end as gender,
                case when id % 2 = 1 then date '1996-01-01' when id < 20 then date '1986-01-01' end as date_of_birth,
                case when id % 2 = 1 then 'Bethan' when id < 20 then 'Norton' end as town,
                case when id % 2 = 1 then 'LS' when id < 16 then 'YO' end as postcode_area,
                case when id % 2 = 1 then 'Direct' when id < 20 then 'google ads' end as original_source
             from range(1, 21) as t(id);
             create or replace view rider_of_day as
             select rider.*, business_day, min(started_at) as first_ride_at
             from ride inner join rider using (rider_id) group by all;
             -- Ten seconds of each ride, at its mean.
             create or replace view reading as
             select
                ride.business_day, ride.ride_id, second, cast(ride.heart_rate_bpm_mean as integer) as heart_rate_bpm,
                false as is_dropout, ride.power_watts_mean as power_watts
             from ride cross join range(10) as t(second)",
        );
        fixture
    }

    fn execute(&self, sql: &str) {
        self.store.connection().unwrap().execute_batch(sql).unwrap();
    }

    /// A ride of 500 s and 25 kJ for each of `riders`, begun at `start`, of `watts` and 100 bpm more than the rider's number.
    fn ride(&self, start: &str, riders: std::ops::RangeInclusive<i64>, watts: f64) {
        let ended_at = start.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(500);
        let day = self.day_rule.day_of(ended_at);
        self.execute(&format!(
            "insert into ride by name
             select
                uuid() as ride_id, date '{day}' as business_day, 'SN0000' as bike_serial, id as rider_id,
                timestamptz '{start}' as started_at, timestamptz '{ended_at}' as ended_at, 'marker' as end_reason,
                false as is_partial, 500 as duration_seconds, 499 as reading_count, 25.0 as energy_kilojoules,
                {watts} as power_watts_mean, {watts} * 10 as power_watts_max, 100.0 + id as heart_rate_bpm_mean,
                100 as heart_rate_bpm_min, 150 as heart_rate_bpm_max, 5 as dropout_seconds, 0 as flagged_readings,
                0 as alert_count
             from range({}, {}) as t(id)",
            riders.start(),
            riders.end() + 1
        ));
    }

    /// Fills the daily tables of `days`.
    fn run(&self, days: &[&str]) {
        for day in days {
            for (name, text) in JOBS {
                self.run_one(name, text, day);
            }
        }
    }

    fn run_one(&self, name: &str, text: &str, day: &str) {
        let file = SqlFile::new(name, name, text).unwrap();
        materialise(&self.store, &file, day.parse().unwrap(), ChangedTypes::Refuse).unwrap();
    }

    fn rule(&self) -> ReportRule {
        ReportRule {
            day: self.day_rule,
            ..ReportRule::default()
        }
    }

    /// A ride by each of `riders` on each of the `days` before the 2nd of February 2026, and their daily tables.
    fn rides_before(&self, days: i64, riders: std::ops::RangeInclusive<i64>) {
        let day: NaiveDate = "2026-02-02".parse().unwrap();
        for back in 1..=days {
            let day = (day - TimeDelta::days(back)).to_string();
            self.ride(&format!("{day}T18:00:00Z"), riders.clone(), 50.0);
            self.run(&[&day]);
        }
    }

    fn build(&self, day: &str) -> DailyReport {
        build(&self.store, &self.rule(), day.parse().unwrap()).unwrap()
    }
}

fn london() -> Fixture {
    Fixture::new(chrono_tz::Europe::London)
}

fn hours_with_rides(report: &DailyReport) -> Vec<(usize, u32, i64)> {
    let hours = report.rides_per_hour.iter().enumerate();
    hours
        .filter(|(_, hour)| hour.rides > 0)
        .map(|(index, hour)| (index, hour.hour, hour.rides))
        .collect()
}

#[test]
fn a_report_of_a_day_with_history() {
    let fixture = london();
    fixture.ride("2026-01-26T09:00:00Z", 1..=4, 40.0);
    fixture.rides_before(8, 1..=6);
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    fixture.ride("2026-02-02T18:59:00Z", 1..=7, 105.0);
    fixture.run(&["2026-02-02"]);
    fixture.execute(
        "insert into ops.sealed_day values ('2026-02-02', '2026-02-03 00:20:00Z', 27, 13473, 2),
            ('2026-02-01', '2026-02-02 00:20:00Z', 6, 2994, 1);
         insert into ops.line_count
         values ('s', 't', 0, '2026-02-01', 9, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0),
            ('s', 't', 0, '2026-02-02', 103, 40, 39, 4, 3, 2, 8, 1, 6, 42, 1),
            ('s', 't', 1, '2026-02-02', 200, 100, 100, 0, 0, 0, 0, 0, 0, 100, 0),
            ('s', 't', 1, null, 7, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0)",
    );
    let report = fixture.build("2026-02-02");
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn headlines_are_compared_with_days_that_had_rides() {
    let fixture = london();
    fixture.ride("2026-01-24T09:00:00Z", 1..=12, 120.0);
    fixture.run(&["2026-01-24"]);
    fixture.rides_before(8, 1..=4);
    fixture.execute("delete from ride where business_day = '2026-01-31'");
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    fixture.run(&["2026-01-31", "2026-02-02"]);
    let report = fixture.build("2026-02-02");
    let rides = report.headline(HeadlineKey::Rides).unwrap();
    assert_eq!(
        (rides.value, rides.day_before, rides.week_before),
        (Some(20.0), Some(4.0), Some(4.0))
    );
    // The 31st had no rides: it is on the sparkline as zero, and in no mean.
    assert_eq!((rides.seven_day_mean, rides.mean_28_days), (Some(4.0), Some(5.0)));
    assert_eq!(rides.stddev_28_days, Some(8.0_f64.sqrt()));
    assert_eq!(rides.last_28_days.len(), 28);
    assert_eq!(rides.last_28_days[24..], [Some(4.0), Some(0.0), Some(4.0), Some(20.0)]);
    let power = report.headline(HeadlineKey::PowerWattsMean).unwrap();
    assert_eq!(
        (power.value, power.seven_day_mean, power.last_28_days[25]),
        (Some(60.0), Some(50.0), None)
    );
    assert_eq!(report.headline(HeadlineKey::NewRiders).unwrap().value, Some(8.0));
    assert_eq!(
        report.headline(HeadlineKey::EnergyKilojoules).unwrap().value,
        Some(500.0)
    );
}

#[test]
fn what_is_usual_is_said_from_the_eighth_day_with_rides_on() {
    let compared = |days_before: i64| {
        let fixture = london();
        fixture.rides_before(days_before, 1..=4);
        fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
        fixture.run(&["2026-02-02"]);
        let report = fixture.build("2026-02-02");
        let rides = report.headline(HeadlineKey::Rides).unwrap();
        assert_eq!(rides.day_before, Some(4.0), "one day is compared with one day");
        [
            rides.seven_day_mean,
            rides.mean_28_days,
            rides.stddev_28_days.map(|_| 4.0),
            report.rides_per_hour[18].usual,
        ]
    };
    assert_eq!(compared(6), [None; 4]);
    assert_eq!(compared(7), [Some(4.0); 4]);
}

#[test]
fn a_week_of_few_days_with_rides_has_no_mean() {
    let fixture = london();
    fixture.rides_before(14, 1..=4);
    fixture.execute("delete from ride where business_day between '2026-01-26' and '2026-01-29'");
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    fixture.run(&["2026-01-26", "2026-01-27", "2026-01-28", "2026-01-29", "2026-02-02"]);
    let report = fixture.build("2026-02-02");
    let rides = report.headline(HeadlineKey::Rides).unwrap();
    assert_eq!((rides.seven_day_mean, rides.mean_28_days), (None, Some(4.0)));
}

#[test]
fn many_alerts_are_more_than_the_schedule_says() {
    let fixture = london();
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    fixture.execute("update ride set alert_count = 1 where rider_id <= 3");
    fixture.run(&["2026-02-02"]);
    let has_many = |alert_banner| {
        let rule = ReportRule {
            alert_banner,
            ..fixture.rule()
        };
        let report = build(&fixture.store, &rule, "2026-02-02".parse().unwrap()).unwrap();
        assert_eq!(report.quality.alerts, 3);
        report.quality.has_many_alerts
    };
    assert!(has_many(2) && !has_many(3));
}

#[test]
fn a_first_day_has_nothing_to_be_compared_with() {
    let fixture = london();
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    fixture.run(&["2026-02-02"]);
    let report = fixture.build("2026-02-02");
    assert_eq!(report.seal_count, 0);
    for headline in &report.headlines {
        assert!(headline.value.is_some());
        let compared = [
            headline.day_before,
            headline.week_before,
            headline.seven_day_mean,
            headline.mean_28_days,
        ];
        assert_eq!((compared, headline.stddev_28_days), ([None; 4], None));
    }
    assert!(report.rides_per_hour.iter().all(|hour| hour.usual.is_none()));
    assert!(report.rides_per_day[..27].iter().all(|day| day.rides.is_none()));
}

#[test]
fn a_day_without_rides_has_a_report() {
    let fixture = london();
    fixture.rides_before(7, 1..=6);
    fixture.run(&["2026-02-02"]);
    let report = fixture.build("2026-02-02");
    assert_eq!(report.rides(), 0);
    assert_eq!(report.headline(HeadlineKey::PowerWattsMean).unwrap().value, None);
    assert_eq!(report.headline(HeadlineKey::Rides).unwrap().day_before, Some(6.0));
    assert_eq!(
        (
            report.breakdowns.by_gender.len(),
            report.breakdowns.by_age_band.len(),
            report.breakdowns.by_city.len()
        ),
        (0, 0, 0)
    );
    assert_eq!(
        report.breakdowns.power_per_ride,
        Histogram {
            bin_width: 20.0,
            ..Histogram::default()
        }
    );
    assert_eq!(report.rides_per_hour.len(), 24);
    assert_eq!(report.rides_per_hour[18].usual, Some(6.0));
    assert_eq!(report.rides_per_hour[17].usual, Some(0.0));
}

#[test]
fn what_was_not_filled_is_named_with_the_run_that_fills_it() {
    let fixture = london();
    fixture.ride("2026-02-02T09:10:00Z", 1..=20, 60.0);
    let error = || {
        build(&fixture.store, &fixture.rule(), "2026-02-02".parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    for (name, text) in JOBS {
        let message = error();
        assert!(
            message.contains(&format!("`deloton run {name} --day 2026-02-02`")),
            "{message}"
        );
        // A table that is there but has nothing of the day is no better than none.
        fixture.run_one(name, text, "2026-02-01");
        assert_eq!(error(), message);
        fixture.run_one(name, text, "2026-02-02");
    }
    assert_eq!(fixture.build("2026-02-02").rides(), 20);
}

#[test]
fn a_day_of_23_hours_lacks_one_and_a_day_of_25_has_one_twice() {
    let fixture = london();
    // 00:30 and 02:30 in London on the day the clocks go forward: the hours follow each other.
    fixture.ride("2026-03-29T00:30:00Z", 1..=1, 50.0);
    fixture.ride("2026-03-29T01:30:00Z", 1..=2, 50.0);
    fixture.ride("2026-03-29T22:30:00Z", 1..=3, 50.0);
    // 01:30 twice on the day they go back; the first of them is the hour before in UTC.
    fixture.ride("2026-10-25T00:30:00Z", 1..=1, 50.0);
    fixture.ride("2026-10-25T01:30:00Z", 1..=3, 50.0);
    fixture.ride("2026-10-25T23:30:00Z", 1..=5, 50.0);
    fixture.ride("2026-10-26T01:30:00Z", 1..=2, 50.0);
    for day in 19..25 {
        fixture.ride(&format!("2026-10-{day}T00:30:00Z"), 1..=2, 50.0);
        fixture.run(&[&format!("2026-10-{day}")]);
    }
    fixture.run(&["2026-03-29", "2026-10-25", "2026-10-26"]);
    let spring = fixture.build("2026-03-29");
    assert_eq!((spring.hours_in_day, spring.rides_per_hour.len()), (23, 23));
    assert_eq!(hours_with_rides(&spring), [(0, 0, 1), (1, 2, 2), (22, 23, 3)]);
    let autumn = fixture.build("2026-10-25");
    assert_eq!((autumn.hours_in_day, autumn.rides_per_hour.len()), (25, 25));
    assert_eq!(hours_with_rides(&autumn), [(1, 1, 1), (2, 1, 3), (24, 23, 5)]);
    assert_eq!(
        fixture.build("2026-10-26").rides_per_hour[1].usual,
        Some(2.0),
        "the mean of every hour called 01, of the 25th both"
    );
}

#[test]
fn a_ride_across_midnight_counts_in_the_first_hour_of_its_day() {
    let fixture = london();
    fixture.ride("2026-02-01T23:55:00Z", 1..=1, 50.0);
    fixture.ride("2026-02-02T23:50:00Z", 1..=1, 50.0);
    fixture.run(&["2026-02-02"]);
    let report = fixture.build("2026-02-02");
    assert_eq!(report.rides(), 2);
    assert_eq!(hours_with_rides(&report), [(0, 0, 1), (23, 23, 1)]);
}

#[test]
fn hours_count_from_the_start_of_the_day_in_zones_off_the_hour() {
    let fixture = Fixture::new(chrono_tz::Asia::Kolkata);
    // The day is 18:30 to 18:30 UTC; 19:29 is 00:59 and 19:30 is 01:00 in Kolkata.
    fixture.ride("2026-02-01T18:30:00Z", 1..=1, 50.0);
    fixture.ride("2026-02-01T19:29:00Z", 1..=2, 50.0);
    fixture.ride("2026-02-01T19:30:00Z", 1..=4, 50.0);
    fixture.run(&["2026-02-02"]);
    assert_eq!(hours_with_rides(&fixture.build("2026-02-02")), [(0, 0, 3), (1, 1, 4)]);

    let mut fixture = london();
    fixture.day_rule.ends_at = chrono::NaiveTime::from_hms_opt(16, 45, 0).unwrap();
    fixture.ride("2026-02-01T16:50:00Z", 1..=1, 50.0);
    fixture.ride("2026-02-01T17:44:00Z", 1..=2, 50.0);
    fixture.ride("2026-02-02T16:30:00Z", 1..=4, 50.0);
    fixture.run(&["2026-02-02"]);
    assert_eq!(
        hours_with_rides(&fixture.build("2026-02-02")),
        [(0, 16, 3), (23, 15, 4)]
    );
}

#[test]
fn a_week_shows_the_groups_that_each_of_its_days_with_rides_shows() {
    let fixture = london();
    fixture.ride("2026-02-02T09:00:00Z", 1..=19, 45.0);
    fixture.ride("2026-02-03T09:00:00Z", 1..=19, 59.0);
    fixture.ride("2026-02-03T10:00:00Z", 11..=19, 100.0);
    let days = ["2026-02-02", "2026-02-03", "2026-02-04", "2026-02-05"];
    let leaderboard = include_str!("../../../jobs/leaderboard.sql");
    let week = || {
        fixture.run(&days);
        for day in days {
            fixture.run_one("leaderboard", leaderboard, day);
        }
        period_model::build(&fixture.store, "2026-W06".parse().unwrap()).unwrap()
    };
    // The 4th and the 5th have no rides, which costs no group its figures.
    let of = week().breakdowns;
    let shown = |groups: &[crate::domain::report::Group]| -> Vec<_> {
        let shown = groups
            .iter()
            .filter_map(|group| Some((group.name.clone(), group.rides?)));
        shown.collect()
    };
    let named = |name: &str, rides: i64| (name.to_owned(), rides);
    assert_eq!(shown(&of.by_gender), [named("female", 25), named("male", 22)]);
    // Two men live nowhere that is known: what the areas lack would be theirs, so the men’s area is not named either.
    assert_eq!(shown(&of.by_postcode_area), [named("LS", 25)]);
    assert_eq!(shown(&of.by_channel), [named("direct", 25), named("google ads", 22)]);
    assert_eq!(of.by_gender[0].duration_seconds, Some(25 * 500));
    assert!(
        of.by_gender.iter().all(|group| group.riders.is_none()),
        "nobody counted them"
    );
    let band = of.by_age_and_gender.iter().find(|band| band.name == "25–34").unwrap();
    assert_eq!(shown(&band.genders), [named("female", 25)]);
    let bins: Vec<_> = of.power_per_ride.bins.iter().map(|bin| (bin.from, bin.rides)).collect();
    assert_eq!(bins, [(40.0, 38), (60.0, 0), (80.0, 0), (100.0, 9)]);
    assert_eq!((of.power_per_ride.rides, of.power_per_ride.median), (47, None));

    // Three men on the 4th: what the week has more than the other days would be theirs, and the women's too.
    fixture.ride("2026-02-04T09:00:00Z", 1..=6, 45.0);
    fixture.execute("delete from ride where business_day = '2026-02-04' and rider_id = 5");
    let of = week().breakdowns;
    assert_eq!((shown(&of.by_gender), shown(&of.by_postcode_area)), (vec![], vec![]));
    assert!(of.by_gender.iter().all(|group| group.energy_kilojoules.is_none()));
    // How often people rode with which power is told of every day.
    assert_eq!(of.power_per_ride.rides, 52);
}

#[test]
fn a_week_names_the_run_that_fills_what_a_day_of_it_lacks() {
    let fixture = london();
    fixture.ride("2026-02-02T09:00:00Z", 1..=19, 45.0);
    fixture.run(&["2026-02-01", "2026-02-02"]);
    fixture.run_one(
        "leaderboard",
        include_str!("../../../jobs/leaderboard.sql"),
        "2026-02-02",
    );
    fixture.execute("delete from historical.daily_by_channel where business_day = '2026-02-02'");
    let error = period_model::build(&fixture.store, "2026-W06".parse().unwrap()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`deloton run daily_by_channel --day 2026-02-02`"),
        "{error:#}"
    );
}

#[test]
fn histograms_fill_the_bins_between_and_have_the_true_median() {
    let fixture = london();
    fixture.ride("2026-02-02T09:00:00Z", 1..=3, 45.0);
    fixture.ride("2026-02-02T10:00:00Z", 1..=2, 59.9);
    fixture.ride("2026-02-02T11:00:00Z", 1..=1, 100.0);
    fixture.run(&["2026-02-02"]);
    let power = fixture.build("2026-02-02").breakdowns.power_per_ride;
    let bins: Vec<_> = power.bins.iter().map(|bin| (bin.from, bin.rides)).collect();
    assert_eq!(bins, [(40.0, 5), (60.0, 0), (80.0, 0), (100.0, 1)]);
    assert_eq!((power.bin_width, power.rides, power.median), (20.0, 6, Some(52.45)));
}

#[test]
fn nothing_of_a_small_group_can_be_worked_out() {
    let fixture = london();
    fixture.ride("2026-02-02T09:00:00Z", 1..=20, 45.0);
    fixture.run(&["2026-02-02"]);
    let report = fixture.build("2026-02-02");
    let of = |groups: &[crate::domain::report::Group]| -> Vec<(String, Option<i64>)> {
        groups.iter().map(|group| (group.name.clone(), group.riders)).collect()
    };
    // Ten women, nine men, one other: the men go with the one.
    let expected = [("female", Some(10)), ("male", None), ("other", None), ("unknown", None)];
    assert_eq!(
        of(&report.breakdowns.by_gender),
        expected.map(|(name, riders)| (name.to_owned(), riders))
    );
    assert_eq!(of(&report.breakdowns.by_city), [("Bethan".to_owned(), Some(10))]);
    // Seven men of YO, three of no area: with two that are not told, neither can be.
    assert_eq!(of(&report.breakdowns.by_postcode_area), [("LS".to_owned(), Some(10))]);
    assert_eq!(of(&report.breakdowns.by_channel), [("direct".to_owned(), Some(10))]);
    // Women of 30 at 101 to 119 bpm of 187, men of 40 at 102 to 118 of 180: nine in z1, ten in z2. The age of the other is
    // not known, and the nine go with that one.
    let zones = report.breakdowns.heart_rate_zones.iter();
    let zones: Vec<_> = zones
        .map(|zone| (zone.name.as_str(), zone.riders, zone.duration_seconds))
        .collect();
    let shown = |zone| {
        if zone == "z2" {
            (Some(10), Some(100))
        } else {
            (None, None)
        }
    };
    let expected = ZONES.map(|zone| (zone, shown(zone).0, shown(zone).1));
    assert_eq!(zones, expected);
    let women_of_30 = report
        .breakdowns
        .by_age_and_gender
        .iter()
        .find(|band| band.name == "25–34")
        .unwrap();
    assert_eq!(of(&women_of_30.genders)[0], ("female".to_owned(), Some(10)));
    let shown = report
        .breakdowns
        .by_age_and_gender
        .iter()
        .flat_map(|band| &band.genders);
    assert_eq!(shown.filter(|cell| !cell.is_suppressed).count(), 1);
    let bands: Vec<_> = report
        .breakdowns
        .by_age_band
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(bands, AGE_BANDS);
    assert_eq!(
        report.headline(HeadlineKey::Riders).unwrap().value,
        Some(20.0),
        "headlines are never suppressed"
    );
}
