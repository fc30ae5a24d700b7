use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read,
    path::Path,
};

use chrono::NaiveDate;
use roxmltree::{Document, Node};
use zip::ZipArchive;

use super::*;
use crate::extract::table::{Column, Kind, Spread};

/// The table `rides` with its columns, in their order.
fn rides_table() -> Table {
    let columns = [
        ("ride", Kind::Text),
        ("rider", Kind::Text),
        ("bike", Kind::Text),
        ("business_day", Kind::Date),
        ("started_at", Kind::Instant),
        ("ended_at", Kind::Instant),
        ("started_local", Kind::Instant),
        ("hour_of_day", Kind::Integer),
        ("weekday", Kind::Integer),
        ("gender", Kind::Text),
        ("age_band", Kind::Text),
        ("city", Kind::Text),
        ("postcode_area", Kind::Text),
        ("source", Kind::Text),
        ("end_reason", Kind::Text),
        ("is_partial", Kind::Boolean),
        ("duration_seconds", Kind::Integer),
        ("reading_count", Kind::Integer),
        ("energy_kilojoules", Kind::Number),
        ("power_watts_mean", Kind::Number),
        ("power_watts_max", Kind::Number),
        ("heart_rate_bpm_mean", Kind::Number),
        ("heart_rate_bpm_min", Kind::Integer),
        ("heart_rate_bpm_max", Kind::Integer),
        ("dropout_seconds", Kind::Integer),
        ("cadence_rpm_mean", Kind::Number),
        ("cadence_rpm_max", Kind::Integer),
        ("resistance_mean", Kind::Number),
        ("resistance_max", Kind::Integer),
        ("flagged_readings", Kind::Integer),
        ("alert_count", Kind::Integer),
    ];
    Table {
        name: "rides".to_owned(),
        grain: "One row is one ride.".to_owned(),
        spread: Spread::ByDay,
        columns: columns.map(|(name, kind)| Column::new(name, kind)).into(),
    }
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, number).unwrap()
}

/// A day's CSV of `count` rides; ride `n` lasts `n` minutes and peaks at 100 + `n` watts.
fn day_file(folder: &Path, number: u32, count: u32) -> DayFile {
    let table = rides_table();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let mut text = names.join(",") + "\n";
    for n in 1..=count {
        let row: Vec<String> = names
            .iter()
            .map(|name| match *name {
                "ride" => format!("ride-{number}-{n}"),
                "rider" => format!("rider-{n}"),
                "business_day" => day(number).to_string(),
                "gender" => "female".to_owned(),
                "age_band" => "18–24".to_owned(),
                "postcode_area" => "LS".to_owned(),
                "duration_seconds" => (n * 60).to_string(),
                "power_watts_max" => format!("{}.5", 100 + n),
                _ => String::new(),
            })
            .collect();
        text += &(row.join(",") + "\n");
    }
    let path = folder.join(format!("date={}.csv", day(number)));
    fs::write(&path, text).unwrap();
    DayFile { day: day(number), path }
}

#[test]
#[ignore = "for looking"]
fn dump() {
    let folder = Path::new("/tmp/tab/out");
    fs::create_dir_all(folder).unwrap();
    let days = [day_file(folder, 1, 30), day_file(folder, 2, 20)];
    write_workbooks(&rides_table(), &days, MOST_RIDES, folder).unwrap();
}
