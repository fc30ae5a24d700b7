//! Extracts of many rides, 165,000 a day of a million riders: all of them, and then one day more.
//!
//! Yardstick: the database's own COPY of the same days' rides into the same two formats, a day at a time, with no rider joined,
//! no pseudonym made and nothing written down. `DELOTON_BENCH_DAYS=365` makes it 60 million rides, for which it takes 25 GB.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/memory.rs"]
mod memory;
#[path = "support/verdict.rs"]
mod verdict;
#[path = "support/year.rs"]
mod year;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use deloton::{
    clock::Clock,
    config::{schedule::Schedule, settings::Location},
    domain::cancel::Cancel,
    extract::place::Place,
    jobs::extract::{Order, Which, run},
    store::Store,
};
use tokio::runtime::Runtime;
use verdict::verdict;

/// Where the database is kept, and how many days it has, where those are not [`DAYS`].
const FOLDER: &str = "DELOTON_BENCH_YEAR";
const DAYS_WANTED: &str = "DELOTON_BENCH_DAYS";
const DAYS: u32 = 14;

/// What the command lets the database hold in memory.
const MEMORY_LIMIT: &str = deloton::cli::extract::MEMORY_LIMIT;

fn main() {
    if let Some([folder, into]) = memory::arguments() {
        let store = Store::open(Path::new(&folder), Clock::System).unwrap();
        extract(&store, Path::new(&into));
        memory::report_peak();
        return;
    }
    let days = env::var_os(DAYS_WANTED).map_or(DAYS, |days| days.to_str().unwrap().parse().unwrap());
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = env::var_os(FOLDER).map_or_else(|| temporary.path().join("year"), PathBuf::from);
    let into = temporary.path().join("extracts");
    drop(year::open(&folder, days));

    let began = Instant::now();
    let memory = memory::peak_of_child(&[&folder, &into]);
    let all = began.elapsed();
    let sizes = ["csv", "parquet"].map(|ending| size_of(&into, ending));

    let store = year::open(&folder, days);
    let last = year::last_day(days);
    let date_of = |ending: &str| into.join(format!("tableau/rides/date={last}.{ending}"));
    fs::remove_file(date_of("csv")).unwrap();
    let day = extract(&store, &into);
    assert!(date_of("csv").exists());
    let idle = extract(&store, &into);
    fs::remove_dir_all(&into).unwrap();
    let bare = copy_bare(&store, days, &into);

    let rides = f64::from(days * year::RIDES_A_DAY);
    verdict(
        &format!(
            "extract: {:.1} M rides as CSV ({}) and Parquet ({}) in {:.0} s, {memory} resident; a year of 60 M in {:.0} s; one \
             day of them {:.1} s; nothing new {:.1} s",
            rides / 1e6,
            sizes[0],
            sizes[1],
            all.as_secs_f64(),
            (all - day).as_secs_f64() * 365.0 / f64::from(days) + day.as_secs_f64(),
            day.as_secs_f64(),
            idle.as_secs_f64(),
        ),
        "60 M in 3 min and 1 GiB, a day in 5 s",
        &[
            format!("bare COPY of the same rides: {:.0} s", bare.as_secs_f64()),
            format!("ratio {:.2}", bare.as_secs_f64() / all.as_secs_f64()),
        ],
    );
}

/// Writes what is new; answers how long that took.
fn extract(store: &Store, into: &Path) -> Duration {
    store.limit_memory(MEMORY_LIMIT).unwrap();
    let runtime = Runtime::new().unwrap();
    let began = Instant::now();
    let place = runtime.block_on(Place::open(&Location::Directory(into.to_owned()), None, into));
    let order = Order {
        place: &place,
        which: Which::Changed,
        include_personal: false,
        schedule: &Schedule::compiled_in().unwrap(),
        hyperd: None,
        jobs_dir: None,
        runtime: runtime.handle(),
        cancel: &Cancel::default(),
    };
    run(store, order, &mut |_, _, _| Ok(())).unwrap();
    began.elapsed()
}

/// What is the least that it could take.
fn copy_bare(store: &Store, days: u32, into: &Path) -> Duration {
    fs::create_dir_all(into).unwrap();
    let connection = store.connection().unwrap();
    let began = Instant::now();
    for day in year::FIRST_DAY.iter_days().take(days as usize) {
        for (ending, format) in [
            ("parquet", "format parquet, compression zstd"),
            ("csv", "format csv, header"),
        ] {
            let to = into.join(format!("date={day}.{ending}"));
            let copy = format!(
                "copy (select * from historical.ride where business_day = '{day}' order by ride_id) to '{}' ({format})",
                to.display()
            );
            connection.execute_batch(&copy).unwrap();
        }
    }
    began.elapsed()
}

fn size_of(folder: &Path, ending: &str) -> String {
    fn add(folder: &Path, ending: &str) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let size = |path: PathBuf| match path.is_dir() {
            true => add(&path, ending),
            false if path.extension().is_some_and(|found| found == ending) => fs::metadata(path).unwrap().len(),
            false => 0,
        };
        entries.map(size).sum()
    }
    format!("{:.1} GB", add(folder, ending) as f64 / 1e9)
}
