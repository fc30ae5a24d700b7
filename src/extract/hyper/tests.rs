use std::fs;

use chrono::NaiveDate;
use duckdb::Connection;
use tempfile::TempDir;

use super::*;
use crate::extract::{
    table::{Column, Kind, Spread, Table},
    tableau::DayFile,
};

/// The one that `make test-tableau` installs.
pub(super) fn hyperd() -> Hyperd {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tableau");
    Hyperd::find(None, &[installed]).unwrap()
}

fn table() -> Table {
    let columns = [
        ("ride", Kind::Text),
        ("business_day", Kind::Date),
        ("started_at", Kind::Instant),
        ("is_partial", Kind::Boolean),
        ("duration_seconds", Kind::Integer),
        ("power_watts_mean", Kind::Number),
    ];
    Table {
        name: "rides".to_owned(),
        grain: String::new(),
        spread: Spread::ByDay,
        columns: columns.map(|(name, kind)| Column::new(name, kind)).into(),
    }
}

/// The Parquet file of a day with `rides` rides of `seconds` each.
fn day_file(folder: &Path, number: u32, rides: u32, seconds: u32) -> DayFile {
    let day = NaiveDate::from_ymd_opt(2026, 7, number).unwrap();
    let path = folder.join(format!("date={day}.parquet"));
    let statement = format!(
        "copy (select day::varchar || '-' || n as ride, day as business_day, timestamptz '{day} 18:00:00+01' as started_at, \
         n = 1 as is_partial, {seconds}::bigint as duration_seconds, case when n > 1 then n / 4 end::double as power_watts_mean \
         from (select date '{day}' as day, unnest(range(1, {rides} + 1))::integer as n)) to '{}' (format parquet)",
        path.display()
    );
    Connection::open_in_memory().unwrap().execute_batch(&statement).unwrap();
    DayFile { day, path }
}

/// All rows of the `rides.hyper` of a folder, in order.
fn rows(server: &mut Server, folder: &Path) -> Vec<Vec<Option<String>>> {
    let path = folder.join("rides.hyper");
    let path = path.display();
    server
        .run("attach", &format!("attach database \"{path}\" as read"))
        .unwrap();
    let rows = server
        .rows("read", "select * from read.\"Extract\".\"Extract\" order by 1")
        .unwrap();
    server.run("detach", "detach database read").unwrap();
    rows
}

#[test]
fn without_hyperd_one_line_says_what_to_install() {
    let error = Hyperd::find(None, &[]).unwrap_err().to_string();
    assert!(error.contains("pip install tableauhyperapi"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let error = Hyperd::find(Some(Path::new("/no/hyperd")), &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("/no/hyperd") && error.contains("--hyperd"), "{error}");
}

#[test]
fn hyperd_is_found_where_pip_and_debian_install_it() {
    for packages in ["lib/python3.11/site-packages", "lib/python3/dist-packages"] {
        let prefix = TempDir::new().unwrap();
        let program = prefix.path().join(packages).join("tableauhyperapi/bin/hyper/hyperd");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "").unwrap();
        let elsewhere = PathBuf::from("/no/such/prefix");
        let found = Hyperd::find(None, &[elsewhere, prefix.path().to_owned()]).unwrap();
        assert_eq!(found.program, program);
    }
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn rows_arrive_with_their_types_and_instants_in_utc() {
    let folder = TempDir::new().unwrap();
    let days = [day_file(folder.path(), 1, 2, 60)];
    let mut server = hyperd().start().unwrap();
    server.write_days(&table(), &days, &[], folder.path()).unwrap();
    let some = |values: [&str; 5]| values.map(|value| Some(value.to_owned())).to_vec();
    let mut first = some(["2026-07-01-1", "2026-07-01", "2026-07-01 17:00:00", "t", "60"]);
    first.push(None);
    let mut second = some(["2026-07-01-2", "2026-07-01", "2026-07-01 17:00:00", "f", "60"]);
    second.push(Some("0.5".to_owned()));
    assert_eq!(rows(&mut server, folder.path()), [first, second]);
    assert!(folder.path().join("rides.tdsx").exists());
}

/// Both ways to the same days: on from the file of `folder`, and into a folder with nothing in it.
fn written_on_and_anew(folder: &Path, days: &[DayFile], changed: &[NaiveDate]) -> [Vec<Vec<Option<String>>>; 2] {
    let mut server = hyperd().start().unwrap();
    let anew = TempDir::new().unwrap();
    [(folder, changed), (anew.path(), &[])].map(|(folder, changed)| {
        server.write_days(&table(), days, changed, folder).unwrap();
        rows(&mut server, folder)
    })
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn writing_what_changed_gives_what_writing_everything_gives() {
    let folder = TempDir::new().unwrap();
    let days = [1, 2, 3].map(|day| day_file(folder.path(), day, 3, 60));
    let [first, _] = written_on_and_anew(folder.path(), &days[..2], &[]);
    assert_eq!(first.len(), 6);
    // A day has come.
    let [on, anew] = written_on_and_anew(folder.path(), &days, &[]);
    assert_eq!((on.len(), &on), (9, &anew));
    // The second day is restated with as many rides, then the third with more, then the first is gone.
    day_file(folder.path(), 2, 3, 90);
    let [on, anew] = written_on_and_anew(folder.path(), &days, &[days[1].day]);
    assert_eq!((on.len(), &on), (9, &anew));
    day_file(folder.path(), 3, 5, 60);
    let [on, anew] = written_on_and_anew(folder.path(), &days, &[]);
    assert_eq!((on.len(), &on), (11, &anew));
    let [on, anew] = written_on_and_anew(folder.path(), &days[1..], &[]);
    assert_eq!((on.len(), &on), (8, &anew));
    let hidden = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().starts_with('.');
    assert!(!folder.path().read_dir().unwrap().any(hidden), "nothing is left aside");
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn a_day_that_has_come_is_added_without_reading_the_others() {
    let folder = TempDir::new().unwrap();
    let days = [1, 2].map(|day| day_file(folder.path(), day, 3, 60));
    written_on_and_anew(folder.path(), &days[..1], &[]);
    // As many rides, which nobody says are others.
    day_file(folder.path(), 1, 3, 90);
    let [on, anew] = written_on_and_anew(folder.path(), &days, &[]);
    let seconds = |rows: &[Vec<Option<String>>]| rows[0][4].clone().unwrap();
    assert_eq!(
        (on.len(), seconds(&on), seconds(&anew)),
        (6, "60".to_owned(), "90".to_owned())
    );
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn what_is_gone_is_nowhere_in_the_file() {
    let folder = TempDir::new().unwrap();
    let days = [1, 2].map(|day| day_file(folder.path(), day, 500, 60));
    let holds = |ride: &[u8]| {
        let bytes = fs::read(folder.path().join("rides.hyper")).unwrap();
        bytes.windows(ride.len()).any(|window| window == ride)
    };
    written_on_and_anew(folder.path(), &days, &[]);
    assert!(holds(b"2026-07-01-77"));
    written_on_and_anew(folder.path(), &days[1..], &[]);
    assert!(holds(b"2026-07-02-77") && !holds(b"2026-07-01-77"));
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn a_file_with_other_columns_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let (mut table, mut server) = (table(), hyperd().start().unwrap());
    let days = [day_file(folder.path(), 1, 2, 60)];
    server.write_days(&table, &days, &[], folder.path()).unwrap();
    table.columns.remove(3);
    server.write_days(&table, &days, &[], folder.path()).unwrap();
    let widths: Vec<usize> = rows(&mut server, folder.path()).iter().map(Vec::len).collect();
    assert_eq!(widths, [5, 5]);
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn a_whole_table_is_replaced() {
    let folder = TempDir::new().unwrap();
    let mut server = hyperd().start().unwrap();
    for rides in [3, 2] {
        let file = day_file(folder.path(), 1, rides, 60);
        server.write_whole(&table(), &file.path, folder.path()).unwrap();
        assert_eq!(rows(&mut server, folder.path()).len(), rides as usize);
    }
}

#[test]
#[ignore = "needs hyperd, which `make test-tableau` fetches"]
fn a_parquet_file_that_is_none_is_named_and_nothing_is_put_into_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("broken.parquet");
    fs::write(&path, "not parquet").unwrap();
    let days = [DayFile {
        day: NaiveDate::default(),
        path,
    }];
    let error = hyperd()
        .start()
        .unwrap()
        .write_days(&table(), &days, &[], folder.path())
        .unwrap_err();
    assert!(error.to_string().contains("broken.parquet"), "{error}");
    let left: Vec<_> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["broken.parquet"]);
}
