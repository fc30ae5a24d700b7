//! What each file of `jobs/` says of a handful of rides, row by row. The rides are those that older systems got
//! wrong: ages on the upper edge of a band, a heart rate of zero, joules taken for watts, rides taken for riders, a
//! rider without a gender, a ride across midnight, a day without rides.

use chrono::NaiveDate;

use super::{sql_files, transform};
use crate::{
    clock::Clock,
    store::{Store, daily_table, daily_table::ChangedTypes},
};

/// Riders 1 to 5 are 24, 34, 44, 54 and 64 on 2026-01-02, each the day after the birthday; 6 turns 18 that day; 7 has
/// neither gender, birth date nor address.
const RIDERS: &str = "create or replace view rider as select * from (values
    (1, 'female', date '2002-01-01', 'Bethan', 'LS', 'direct'), (2, 'male', date '1992-01-01', 'Bethan', 'LS', ' Direct'),
    (3, 'male', date '1982-01-01', 'Bethan', 'LS', 'offline'), (4, 'male', date '1972-01-01', 'Wilkinsonshire', 'E', 'offline'),
    (5, 'other', date '1962-01-01', 'Wilkinsonshire', 'E', 'direct'), (6, 'female', date '2008-01-02', 'Wilkinsonshire', 'E', null),
    (7, 'unknown', null, null, null, null)) as t(rider_id, gender, date_of_birth, town, postcode_area, original_source)";

/// They are as they always were.
const RIDERS_OF_DAY: &str = "create or replace view rider_of_day as
    select rider.*, business_day, min(started_at) as first_ride_at from ride inner join rider using (rider_id) group by all";

/// Of each ride a second at its mean heart rate, one without contact, and one at its highest.
const READINGS: &str = "create or replace view reading as
    select ride_id, business_day, 1 as second, cast(heart_rate_bpm_mean as integer) as heart_rate_bpm, false as is_dropout,
        1500e0 as power_watts
    from ride where heart_rate_bpm_mean is not null
    union all
    select ride_id, business_day, 2, null, true, 100e0 from ride
    union all
    select ride_id, business_day, 3, heart_rate_bpm_max, false, null from ride where heart_rate_bpm_max is not null";

/// Columns: day, rider, start, seconds, readings, kJ, W mean, W max, bpm mean, bpm max, dropouts, end reason, partial.
/// Rider 1 rides twice on 2026-01-02, the first time across midnight; rider 2 never touches the sensor; one ride has
/// no rider; one is still open. Rider 3 rode the day before.
const RIDES: &str = "create or replace view ride as select t.*, row_number() over () as ride_id, 80e0 as cadence_rpm_mean, 100 as cadence_rpm_max,
    30e0 as resistance_mean, 170 as resistance_max,
    case when watts_max > 2000 then 1 else 0 end as flagged_readings, case when bpm_max > 190 then 1 else 0 end as alert_count,
    kilojoules::double as energy_kilojoules,
    watts_mean::double as power_watts_mean, watts_max::double as power_watts_max,
    bpm_mean::double as heart_rate_bpm_mean, bpm_max as heart_rate_bpm_max
from (values
    (date '2026-01-02', 1, timestamptz '2026-01-01 23:55:00Z', 600, 600, 30.0, 50.0, 700.0, 120.0, 150, 10, 'marker', false),
    (date '2026-01-02', 1, timestamptz '2026-01-02 08:14:59Z', 500, 498, 35.0, 70.0, 800.0, 140.0, 160, 0, 'marker', false),
    (date '2026-01-02', 2, timestamptz '2026-01-02 08:15:00Z', 520, 520, 26.0, 50.0, 600.0, null, null, 520, 'marker', false),
    (date '2026-01-02', 3, timestamptz '2026-01-02 08:45:00Z', 520, 520, 31.2, 60.0, 1485.0, 124.9, 170, 0, 'next_ride', false),
    (date '2026-01-02', 4, timestamptz '2026-01-02 09:00:00Z', 520, 520, 10.0, 19.9, 100.0, 125.0, 191, 0, 'marker', false),
    (date '2026-01-02', 5, timestamptz '2026-01-02 09:30:00Z', 520, 520, 10.4, 20.0, 2400.0, 130.0, 140, 0, 'idle', false),
    (date '2026-01-02', 6, timestamptz '2026-01-02 10:00:00Z', 200, 200, 0.0, null, null, 110.0, 120, 0, 'marker', false),
    (date '2026-01-02', 7, timestamptz '2026-01-02 10:30:00Z', 100, 100, 5.0, 50.0, 90.0, 100.0, 110, 0, 'marker', false),
    (date '2026-01-02', null, timestamptz '2026-01-02 11:00:00Z', 520, 220, 11.0, 50.0, 300.0, 105.0, 120, 0, 'marker', true),
    (date '2026-01-01', 3, timestamptz '2026-01-01 12:00:00Z', 900, 900, 99.0, 110.0, 1500.0, 150.0, 180, 0, 'marker', false),
    (null, 4, timestamptz '2026-01-02 23:59:00Z', 30, 30, 1.0, 33.0, 50.0, 90.0, 95, 0, null, false)
) as t(business_day, rider_id, started_at, duration_seconds, reading_count, kilojoules, watts_mean, watts_max,
    bpm_mean, bpm_max, dropout_seconds, end_reason, is_partial)";

struct Fixture {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Clock::Fixed("2026-01-05T06:00:00Z".parse().unwrap())).unwrap();
        let fixture = Fixture { store, _folder: folder };
        for view in [RIDERS, RIDES, RIDERS_OF_DAY, READINGS] {
            fixture.store.connection().unwrap().execute_batch(view).unwrap();
        }
        fixture
    }

    /// Runs the table for the day; its rows, `a|b|c` each, without `business_day`, and how many the run counted.
    fn run(&self, table: &str, day: &str) -> Vec<String> {
        let day: NaiveDate = day.parse().unwrap();
        let status = transform::run(&self.store, None, table, day, ChangedTypes::Refuse).unwrap();
        let rows = self.query(&format!(
            "select * exclude (business_day) from historical.{table} where business_day = '{day}'"
        ));
        assert_eq!(status.counts["rows"], rows.len() as u64);
        rows
    }

    fn query(&self, sql: &str) -> Vec<String> {
        let connection = self.store.connection().unwrap();
        let sql = format!("select coalesce(cast(columns(*) as varchar), '-') from ({sql}) order by all");
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let fields: Vec<String> = (0..row.as_ref().column_count()).map(|i| row.get(i).unwrap()).collect();
            lines.push(fields.join("|"));
        }
        lines
    }
}

const DAY: &str = "2026-01-02";
const EMPTY_DAY: &str = "2025-12-24";

#[test]
fn every_file_is_one_select_the_database_understands() {
    let fixture = Fixture::new();
    let names = sql_files::names(None).unwrap();
    assert_eq!(names.len(), 13, "{names:?}");
    for name in names {
        daily_table::check(&fixture.store, &sql_files::load(None, &name).unwrap()).unwrap();
    }
}

#[test]
fn totals_count_people_once_and_leave_out_what_was_not_measured() {
    let fixture = Fixture::new();
    let columns = "rides, riders, new_riders, duration_seconds, longest_ride_seconds, round(energy_kilojoules, 3)";
    fixture.run("daily_totals", DAY);
    // Seven riders in nine rides; rider 3 is not new. The open ride is nowhere.
    assert_eq!(
        fixture.query(&format!("select {columns} from historical.daily_totals")),
        ["9|7|6|4000|600|158.6"]
    );
    let power = "select round(power_watts_mean, 4), power_watts_median, power_watts_max, rides_with_power";
    // (50 + 70 + 50 + 60 + 19.9 + 20 + 50 + 50) / 8 watts, not joules; the ride without power is not a zero.
    assert_eq!(
        fixture.query(&format!("{power} from historical.daily_totals")),
        ["46.2375|50.0|2400.0|8"]
    );
    let heart = "select round(heart_rate_bpm_mean, 4), heart_rate_bpm_median, rides_with_heart_rate";
    // (120 + 140 + 124.9 + 125 + 130 + 110 + 100 + 105) / 8; between 120 and 124.9 for the median.
    assert_eq!(
        fixture.query(&format!("{heart} from historical.daily_totals")),
        ["119.3625|122.45|8"]
    );
}

#[test]
fn a_day_without_rides_has_zeros_for_counts_and_nothing_for_means() {
    let fixture = Fixture::new();
    assert_eq!(fixture.run("daily_totals", EMPTY_DAY), ["0|0|0|0|-|0.0|-|-|-|0|-|-|0"]);
    assert_eq!(fixture.run("daily_quality", EMPTY_DAY), ["0|0|0|0|0|0|0"]);
    for table in [
        "daily_by_hour",
        "daily_by_age_band",
        "daily_by_gender",
        "daily_by_city",
        "leaderboard",
    ] {
        assert_eq!(fixture.run(table, EMPTY_DAY), [""; 0], "{table}");
    }
    for table in ["daily_power_histogram", "daily_heart_rate_histogram"] {
        assert_eq!(fixture.run(table, EMPTY_DAY), [""; 0], "{table}");
    }
}

#[test]
fn hours_are_utc_hours_of_the_start_and_midnight_is_crossed_backwards() {
    assert_eq!(
        Fixture::new().run("daily_by_hour", DAY),
        [
            "2026-01-01 23:00:00+00|1|1|600|30.0|0|0|0|1",
            "2026-01-02 08:00:00+00|3|3|1540|92.2|1|1|0|1",
            "2026-01-02 09:00:00+00|2|2|1040|20.4|1|0|1|0",
            "2026-01-02 10:00:00+00|2|2|300|5.0|1|0|1|0",
            "2026-01-02 11:00:00+00|1|0|520|11.0|1|0|0|0",
        ]
    );
}

#[test]
fn the_upper_edge_of_a_band_is_in_the_band() {
    let fixture = Fixture::new();
    fixture.run("daily_by_age_band", DAY);
    assert_eq!(
        fixture.query("select age_band, rides, riders, duration_seconds from historical.daily_by_age_band"),
        [
            // Rider 6 on the 18th birthday, and rider 1 twice.
            "18–24|3|2|1300",
            "25–34|1|1|520",
            "35–44|1|1|520",
            "45–54|1|1|520",
            "55–64|1|1|520",
            "unknown|2|1|620",
        ]
    );
}

#[test]
fn age_and_gender_together_add_up_to_each() {
    let fixture = Fixture::new();
    for table in ["daily_by_age_and_gender", "daily_by_age_band", "daily_by_gender"] {
        fixture.run(table, DAY);
    }
    for by in ["age_band", "gender"] {
        let sums = |table: &str| {
            let figures = "sum(rides), sum(duration_seconds), round(sum(energy_kilojoules), 6)";
            fixture.query(&format!("select {by}, {figures} from historical.{table} group by {by}"))
        };
        let one = if by == "gender" {
            "daily_by_gender"
        } else {
            "daily_by_age_band"
        };
        assert_eq!(sums("daily_by_age_and_gender"), sums(one));
    }
}

#[test]
fn channels_and_areas_are_those_of_the_riders_and_nobody_is_left_out() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run("daily_by_channel", DAY),
        ["direct|4|3|2140|101.4", "offline|2|2|1040|41.2", "unknown|3|2|820|16.0"]
    );
    assert_eq!(
        fixture.run("daily_by_postcode_area", DAY),
        ["E|3|3|1240|20.4", "LS|4|3|2140|122.2", "unknown|2|1|620|16.0"]
    );
}

#[test]
fn zones_are_shares_of_the_maximum_for_the_age_and_count_only_contact() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run("daily_heart_rate_zones", DAY),
        [
            // Rider 6 is 18, with 110 and 120 bpm of 195.4; rider 1, of 24, has 120, 140, 150 and 160 of 191.2; rider 4, of
            // 54, has 125 and 191 of 170.2.
            "unknown|2|1|4|3.0",
            "z1|1|1|1|1.5",
            "z2|2|2|2|1.5",
            "z3|5|4|5|6.0",
            "z4|2|2|2|0.0",
            "z5|2|2|2|0.0",
        ]
    );
}

#[test]
fn every_whole_age_is_in_exactly_one_band() {
    let fixture = Fixture::new();
    let connection = fixture.store.connection().unwrap();
    connection
        .execute_batch(
            "create or replace view rider as
             select age as rider_id, 'male' as gender, 'x' as town, (date '2026-01-02' - to_years(age::integer))::date as date_of_birth
             from range(0, 120) as t(age);
             create or replace view ride as
             select date '2026-01-02' as business_day, age as rider_id, timestamptz '2026-01-02 09:00:00Z' as started_at,
                1 as duration_seconds, 1.0 as energy_kilojoules, 1.0 as power_watts_mean, 1.0 as heart_rate_bpm_mean
             from range(0, 120) as t(age)",
        )
        .unwrap();
    fixture.run("daily_by_age_band", DAY);
    assert_eq!(
        fixture.query("select age_band, riders from historical.daily_by_age_band"),
        [
            "18–24|7",
            "25–34|10",
            "35–44|10",
            "45–54|10",
            "55–64|10",
            "65+|55",
            "under 18|18"
        ]
    );
    // A day before the birthday everybody is a year younger; the one not born yet has no age.
    connection
        .execute_batch(
            "create or replace view rider as select age as rider_id, 'male' as gender, 'x' as town,
        (date '2026-01-03' - to_years(age::integer))::date as date_of_birth from range(0, 120) as t(age)",
        )
        .unwrap();
    fixture.run("daily_by_age_band", DAY);
    assert_eq!(
        fixture.query("select age_band, riders from historical.daily_by_age_band"),
        [
            "18–24|7",
            "25–34|10",
            "35–44|10",
            "45–54|10",
            "55–64|10",
            "65+|54",
            "under 18|18",
            "unknown|1"
        ]
    );
}

#[test]
fn nobody_is_left_out_for_a_missing_gender_or_town() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run("daily_by_gender", DAY),
        [
            "female|3|2|1300|65.0|60.0|123.33333333333333",
            "male|3|3|1560|67.2|43.3|124.95",
            "other|1|1|520|10.4|20.0|130.0",
            "unknown|2|1|620|16.0|50.0|102.5",
        ]
        .map(str::to_owned)
    );
    fixture.run("daily_by_city", DAY);
    assert_eq!(
        fixture.query("select city, rides, riders from historical.daily_by_city"),
        ["Bethan|4|3", "Wilkinsonshire|3|3", "unknown|2|1"]
    );
}

#[test]
fn riders_are_counted_as_they_were_described_when_their_first_ride_of_the_day_began_however_late_it_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed("2026-01-05T06:00:00Z".parse().unwrap())).unwrap();
    // Moves in the midst of 2026-01-02 and with the first ride of 2026-01-03, of which the header is in the buffer still.
    let moves = "insert into historical.rider by name select *, 'male' as gender, 'direct' as original_source from (values
            (7, timestamptz '2026-01-01 09:00:00Z', timestamptz '2026-01-02 09:00:00Z', 'Bethan', 'LS', date '1962-01-01'),
            (7, timestamptz '2026-01-02 09:00:00Z', null, 'Wilkinsonshire', 'E', date '1992-01-01')
        ) as t(rider_id, valid_from, valid_to, town, postcode_area, date_of_birth);
        insert into daily.rider by name select * from (values
            (7, timestamptz '2026-01-02 09:00:00Z', 'Wilkinsonshire', 'E', date '1992-01-01', 'male', 'direct'),
            (7, timestamptz '2026-01-03 09:00:00Z', 'Norton', 'YO', date '1992-01-01', 'female', 'offline')
        ) as t(rider_id, seen_at, town, postcode_area, date_of_birth, gender, original_source);
        insert into historical.ride by name select uuid() as ride_id, started_at::date as business_day, 'SN1' as bike_serial,
            7 as rider_id, started_at, started_at as ended_at, 'marker' as end_reason, false as is_partial,
            60 as duration_seconds, 60 as reading_count, 1.0 as energy_kilojoules, 0 as dropout_seconds, 0 as flagged_readings,
            0 as alert_count
        from (values (timestamptz '2026-01-01 08:59:59Z'), (timestamptz '2026-01-02 08:59:59Z'),
            (timestamptz '2026-01-02 09:00:00Z'), (timestamptz '2026-01-03 09:00:00Z')) as t(started_at)";
    store.connection().unwrap().execute_batch(moves).unwrap();
    let fixture = Fixture { store, _folder: folder };
    let of_days = |table: &str, column: &str| {
        for day in ["2026-01-01", "2026-01-02", "2026-01-03"] {
            fixture.run(table, day);
        }
        fixture.query(&format!(
            "select business_day, {column}, rides, riders from historical.{table}"
        ))
    };
    let expected = |groups: [&str; 3]| {
        let [first, second, third] = groups;
        [
            format!("2026-01-01|{first}|1|1"),
            format!("2026-01-02|{second}|2|1"),
            format!("2026-01-03|{third}|1|1"),
        ]
    };
    let tables = [
        ("daily_by_city", "city", ["Bethan", "Bethan", "Norton"]),
        ("daily_by_postcode_area", "postcode_area", ["LS", "LS", "YO"]),
        ("daily_by_age_band", "age_band", ["55–64", "55–64", "25–34"]),
        ("daily_by_gender", "gender", ["male", "male", "female"]),
        ("daily_by_age_and_gender", "gender", ["male", "male", "female"]),
        ("daily_by_channel", "channel", ["direct", "direct", "offline"]),
    ];
    for (table, column, groups) in tables {
        assert_eq!(of_days(table, column), expected(groups), "{table}");
    }
}

#[test]
fn the_leaderboard_has_one_row_a_known_rider() {
    let rows = Fixture::new().run("leaderboard", DAY);
    assert_eq!(rows.len(), 7);
    assert_eq!(
        rows[0],
        "1|2|1100|600|65.0|800.0|60.0|2|160|130.0|2|100|80.0|2|170|30.0|2"
    );
    // Rider 2 never touched the sensor: nothing, rather than zero.
    assert_eq!(rows[1], "2|1|520|520|26.0|600.0|50.0|1|-|-|0|100|80.0|1|170|30.0|1");
}

#[test]
fn bins_hold_their_lower_edge() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run("daily_power_histogram", DAY),
        ["0|1|1", "20|1|1", "40|4|3", "60|2|2"]
    );
    assert_eq!(
        fixture.run("daily_heart_rate_histogram", DAY),
        [
            "100|1|1", "105|1|0", "110|1|1", "120|2|2", "125|1|1", "130|1|1", "140|1|1"
        ]
    );
}

#[test]
fn quality_counts_what_was_flagged_without_leaving_it_out() {
    assert_eq!(Fixture::new().run("daily_quality", DAY), ["3698|302|530|1|1|1|1"]);
}

#[test]
fn running_again_changes_nothing() {
    let fixture = Fixture::new();
    for table in sql_files::names(None).unwrap() {
        fixture.run(&table, "2026-01-01");
        let first = fixture.run(&table, DAY);
        assert_eq!(fixture.run(&table, DAY), first, "{table}");
        let days = fixture.query(&format!("select distinct business_day from historical.{table}"));
        assert_eq!(days, ["2026-01-01", DAY], "{table}");
    }
}
