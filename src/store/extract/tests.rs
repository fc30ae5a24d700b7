use super::*;
use crate::domain::cancel::{Cancel, Why};
use crate::{domain::rider::BROAD_AGE_BANDS, store::fixture::open};

/// A store with a sealed Sunday in spring, on which London's clocks are changed at one, and riders by their numbers.
struct Sunday {
    store: Store,
    _folder: tempfile::TempDir,
}

const DAY: &str = "2026-03-29";

impl Sunday {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sunday = Sunday {
            store: open(&folder),
            _folder: folder,
        };
        sunday.execute(&format!(
            "insert into ops.sealed_day values ('{DAY}', '2026-03-30', 0, 0, 1)"
        ));
        sunday
    }

    fn execute(&self, sql: &str) {
        self.store.connection().unwrap().execute_batch(sql).unwrap();
    }

    fn ride(&self, rider_id: &str, started_at: &str) {
        self.execute(&format!(
            "insert into historical.ride by name select uuid() as ride_id, date '{DAY}' as business_day, 'SN1' as bike_serial,
                {rider_id} as rider_id, timestamptz '{started_at}' as started_at, started_at as ended_at,
                'marker' as end_reason, false as is_partial, 60 as duration_seconds, 60 as reading_count,
                1.0 as energy_kilojoules, 0 as dropout_seconds, 0 as flagged_readings, 0 as alert_count"
        ));
    }

    fn rider(&self, rider_id: i64, valid_from: &str, valid_to: &str, born_on: &str, town: &str) {
        self.execute(&format!(
            "insert into historical.rider by name select {rider_id} as rider_id, timestamptz '{valid_from}' as valid_from,
                {valid_to}::timestamptz as valid_to, '' as gender, date '{born_on}' as date_of_birth, '{town}' as town"
        ));
    }

    /// What an extract has left where others come upon it.
    fn left_behind(&self) -> i64 {
        let connection = self.store.connection().unwrap();
        connection
            .query_row(
                "select (select count(*) from duckdb_variables()) + (select count(*) from duckdb_tables() where temporary)
                    + (select count(*) from duckdb_databases() where database_name = 'extracting')",
                [],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// A column of the day's rides, in the order in which they are written.
    fn values(&self, column: &str) -> Vec<String> {
        self.values_of("rides", column)
    }

    /// A column of a table, of what is in it of the day.
    fn values_of(&self, table: &str, column: &str) -> Vec<String> {
        let columns = Columns {
            timezone: Tz::Europe__London,
            personal: &[],
            include_personal: true,
        };
        let extracting = self.store.begin_extract(columns).unwrap();
        let day = DAY.parse().unwrap();
        extracting.stage(&[day]).unwrap();
        let worker = extracting.worker().unwrap();
        let table = extracting.tables().iter().find(|found| found.name == table).unwrap();
        let day = (table.rows == Rows::ByDay).then_some(day);
        extracting.gather(&worker, table, day).unwrap();
        let sql = format!("select coalesce({column}::varchar, 'none') from temp.extracted");
        let mut statement = worker.connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(duckdb::Result::unwrap).collect()
    }
}

#[test]
fn a_ride_has_the_age_band_of_the_day_it_began_on() {
    let sunday = Sunday::new();
    let riders = [
        ("2008-03-30", "< 18"),
        ("2008-03-29", "18–24"),
        ("2001-03-30", "18–24"),
        ("2001-03-29", "25–34"),
        ("1991-03-29", "35–44"),
        ("1981-03-29", "45–54"),
        ("1971-03-30", "45–54"),
        ("1971-03-29", "55+"),
        ("2030-01-01", "unknown"),
    ];
    for (rider_id, (born_on, _)) in (1..).zip(riders) {
        sunday.rider(rider_id, "2026-01-01 00:00:00Z", "null", born_on, "Leeds");
        sunday.ride(&rider_id.to_string(), &format!("{DAY} 08:0{rider_id}:00Z"));
    }
    sunday.ride("null", &format!("{DAY} 09:00:00Z"));
    let expected: Vec<_> = riders.iter().map(|(_, band)| *band).chain(["unknown"]).collect();
    assert_eq!(sunday.values("age_band"), expected);
    let mut in_order = expected;
    in_order.dedup();
    assert_eq!(in_order, BROAD_AGE_BANDS, "the workbooks go by these");
    assert_eq!(sunday.values("age_years")[..2], ["17", "18"]);
    assert_eq!(sunday.values("rider").last().map(String::as_str), Some("none"));
}

#[test]
fn a_rider_without_a_ride_of_a_sealed_day_has_the_age_band_of_their_newest_one() {
    let sunday = Sunday::new();
    sunday.rider(7, "2026-01-01 00:00:00Z", "null", "2008-03-30", "Leeds");
    sunday.rider(8, "2026-01-01 00:00:00Z", "null", "2008-03-30", "Leeds");
    sunday.ride("7", &format!("{DAY} 08:00:00Z"));
    sunday.execute(
        "insert into daily.ride by name select * replace (uuid() as ride_id, 8 as rider_id, date '2026-03-30' as business_day,
            timestamptz '2026-03-30 08:00:00Z' as started_at) from historical.ride;
         insert into historical.rider_total by name select rider_id, 1 as rides, started_at as last_ride_at from historical.ride",
    );
    let band_of = |rider: &str| {
        let riders = sunday.values_of("riders", "rider_id");
        let at = riders.iter().position(|found| found == rider).unwrap();
        sunday.values_of("riders", "age_band").swap_remove(at)
    };
    assert_eq!((&*band_of("7"), &*band_of("8")), ("< 18", "18–24"));
}

#[test]
fn a_ride_that_went_on_after_its_day_was_sealed_is_in_one_table_only() {
    let sunday = Sunday::new();
    sunday.ride("null", &format!("{DAY} 22:50:00Z"));
    for ride in ["ride_id", "uuid()"] {
        sunday.execute(&format!(
            "insert into daily.ride by name select * replace ({ride} as ride_id, date '2026-03-30' as business_day)
                from historical.ride"
        ));
    }
    // What is looked for among the rides of history goes by the newest of these.
    sunday.store.refresh_views().unwrap();
    let (sealed, unsealed) = (sunday.values("ride_id"), sunday.values_of("daily/rides", "ride_id"));
    assert_eq!((sealed.len(), unsealed.len()), (1, 1));
    assert_ne!(sealed, unsealed);
}

#[test]
fn a_ride_has_its_rider_as_they_were_then() {
    let sunday = Sunday::new();
    let noon = format!("{DAY} 12:00:00Z");
    sunday.rider(
        7,
        &format!("{DAY} 08:00:00Z"),
        &format!("'{noon}'"),
        "1990-01-01",
        "Leeds",
    );
    sunday.rider(7, &noon, "null", "1990-01-01", "York");
    for hour in ["07", "11", "12", "13"] {
        sunday.ride("7", &format!("{DAY} {hour}:00:00Z"));
    }
    assert_eq!(
        sunday.values("city"),
        ["Leeds", "Leeds", "York", "York"],
        "the first description holds for what was before it"
    );
    let riders = sunday.values("rider");
    assert!(riders.iter().all(|rider| *rider == riders[0]), "{riders:?}");
}

#[test]
fn local_times_are_right_on_the_day_on_which_clocks_are_changed() {
    let sunday = Sunday::new();
    for minute in ["00:59:59", "01:00:00", "22:30:00"] {
        sunday.ride("null", &format!("{DAY} {minute}Z"));
    }
    assert_eq!(
        sunday.values("started_local"),
        ["00:59:59", "02:00:00", "23:30:00"].map(|time| format!("{DAY} {time}"))
    );
    assert_eq!(sunday.values("hour_of_day"), ["0", "2", "23"]);
    assert_eq!(sunday.values("weekday"), ["7", "7", "7"]);
}

#[test]
fn whoever_has_the_connection_next_finds_neither_the_key_nor_the_rows() {
    let sunday = Sunday::new();
    sunday.ride("null", &format!("{DAY} 08:00:00Z"));
    sunday.values("ride");
    assert_eq!(sunday.left_behind(), 0);
}

#[test]
fn an_extract_that_was_cancelled_leaves_nothing_and_gives_the_threads_back() {
    let sunday = Sunday::new();
    let threads = || -> i64 {
        let connection = sunday.store.connection().unwrap();
        connection
            .query_row("select current_setting('threads')", [], |row| row.get(0))
            .unwrap()
    };
    let before = threads();
    let cancel = Cancel::default();
    let columns = Columns {
        timezone: Tz::Europe__London,
        personal: &[],
        include_personal: false,
    };
    let extracting = sunday.store.cancelled_by(&cancel).begin_extract(columns).unwrap();
    let shared_out = extracting.give_each_worker_a_thread().unwrap();
    let worker = extracting.worker().unwrap();
    extracting
        .gather(&worker, &extracting.tables()[0], Some(DAY.parse().unwrap()))
        .unwrap();
    assert_eq!(threads(), 1);
    cancel.raise(Why::Shutdown);
    drop((worker, shared_out));
    drop(extracting);
    assert_eq!(threads(), before);
    assert_eq!(sunday.left_behind(), 0);
}
