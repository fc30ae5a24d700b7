//! A year of rides, as sealing leaves a database: made by rule, so that it is the same on every machine.

use std::{fs, path::Path, time::Instant};

use chrono::{Days, NaiveDate};
use deloton::{
    clock::Clock,
    store::{Doing as _, Store},
};

/// The first day.
pub(crate) const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2025, 1, 1).expect("a day of the calendar");
pub(crate) const RIDES_A_DAY: u32 = 165_000;
pub(crate) const RIDERS: u32 = 1_000_000;

/// Changed where the rows are: what an earlier version made is made anew.
const VERSION: &str = "1";

/// Opens the store of `folder`, which has so many days; makes them if they are not there, which takes about a second each.
pub(crate) fn open(folder: &Path, days: u32) -> Store {
    let made = folder.join(format!(
        "version-{VERSION}-days-{days}-schema-{}",
        deloton::store::migrate::known_version()
    ));
    if !made.exists() {
        fs::remove_dir_all(folder).ok();
        let store = Store::open(folder, Clock::System).unwrap();
        make(&store, days);
        fs::write(&made, "").unwrap();
    }
    Store::open(folder, Clock::System).unwrap()
}

fn make(store: &Store, days: u32) {
    let began = Instant::now();
    let connection = store.connection().unwrap();
    let run = |sql: &str| {
        let sql = sql
            .replace("$riders", &RIDERS.to_string())
            .replace("$rides", &RIDES_A_DAY.to_string());
        let done = connection.execute_batch(&sql).doing(|| "cannot make a year".to_owned());
        done.unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)));
    };
    run(include_str!("year_riders.sql"));
    for day in FIRST_DAY.iter_days().take(days as usize) {
        let sealed = format!("insert into ops.sealed_day values ('{day}', date '{day}' + 1, {RIDES_A_DAY}, 0, 1);");
        run(&format!(
            "begin; {}; {sealed} commit;",
            include_str!("year_rides.sql").replace("$day", &format!("'{day}'"))
        ));
        if day.to_string().ends_with("-01") {
            eprintln!("made until {day}, after {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    run("create temp table recounted_rider as select range as rider_id from range(1, $riders + 1);");
    run(include_str!("../../src/store/sql/recount_riders.sql"));
    run("drop table recounted_rider; checkpoint;");
}

/// The last day.
pub(crate) fn last_day(days: u32) -> NaiveDate {
    FIRST_DAY + Days::new(u64::from(days) - 1)
}
