//! The two kinds of CSV: Peloton's own export, and the eight columns of the older system. Columns are found by their names,
//! in any order; each line is read by itself, so that one that is broken breaks no other.

use super::{
    METRES_PER_MILE, NO_RIDER, Told, UnknownFile, Unsaid,
    columns::{Columns, EXPORT, OLDER_SYSTEM},
    peloton_id, time,
};
use crate::domain::workout::{Figure, Figures, Kind, Source, Workout, discipline, plausible};

/// A text in quotes goes on over so many lines at most; else a quote is missing.
const MOST_LINES: usize = 8;

/// Makes a workout of a row.
type ReadRow = fn(&Row<'_>, &Unsaid<'_>) -> Result<Workout, String>;

pub(super) fn read(bytes: &[u8], unsaid: &Unsaid<'_>) -> Result<Told, UnknownFile> {
    let mut lines = Lines::new(bytes);
    let header = lines.next().and_then(|(_, record)| record.ok()).unwrap_or_default();
    let columns = Columns::of(&header)?;
    let (row, expected): (ReadRow, &[&str]) = if columns.has("workout timestamp") && columns.has("fitness discipline") {
        // No row says it: one word for all of them.
        unsaid.rider_name.ok_or(UnknownFile(NO_RIDER.to_owned()))?;
        (of_export, &EXPORT)
    } else if columns.has("workout_id") && columns.has("class_title") && columns.has("date") {
        (of_older_system, &OLDER_SYSTEM)
    } else {
        return Err(unknown(&header));
    };
    let mut told = Told {
        remarks: columns.surprises(&header, expected).into_iter().collect(),
        ..Told::default()
    };
    for (line, record) in lines {
        let workout = record.and_then(|fields| {
            if fields.len() != header.len() {
                return Err(format!(
                    "it has {} columns, and the header {}",
                    fields.len(),
                    header.len()
                ));
            }
            row(
                &Row {
                    columns: &columns,
                    fields: &fields,
                },
                unsaid,
            )
        });
        let workout = workout.and_then(|workout| plausible(workout, unsaid.now));
        told.take(format!("line {line}"), workout);
    }
    Ok(told)
}

/// The records of a file, each with the line it begins in; lines without anything are none.
struct Lines<'b> {
    lines: Vec<&'b [u8]>,
    at: usize,
}

impl<'b> Lines<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        // Old machines end lines with nothing but `\r`.
        let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
        Lines {
            lines: bytes.split_inclusive(|byte| *byte == end).collect(),
            at: 0,
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = (usize, Result<Vec<String>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.lines.get(self.at)?.trim_ascii().is_empty() {
            self.at += 1;
        }
        let first = self.at;
        let is_open = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        let mut record = self.lines[first].to_vec();
        let mut length = 1;
        while is_open(&record) && length < MOST_LINES && first + length < self.lines.len() {
            record.extend_from_slice(self.lines[first + length]);
            length += 1;
        }
        let fields = if is_open(&record) {
            length = 1;
            Err("a quote is opened and not closed".to_owned())
        } else {
            split(&record)
        };
        self.at = first + length;
        Some((first + 1, fields))
    }
}

/// What is wrong with a first line that is of neither kind.
fn unknown(header: &[String]) -> UnknownFile {
    let semicolons = match header {
        [line] if line.contains(';') => "; its columns are separated by `;`: save it with commas",
        _ => "",
    };
    UnknownFile(format!(
        "its first line is neither that of Peloton's “Download Workouts” (`Workout Timestamp,…`) nor that of the older \
         system (`workout_id,date,…`), and it is no JSON{semicolons}"
    ))
}

fn split(record: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(record).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let fields = reader.records().next().transpose().map_err(|error| error.to_string())?;
    Ok(fields.iter().flatten().map(str::to_owned).collect())
}

struct Row<'r> {
    columns: &'r Columns,
    fields: &'r [String],
}

impl Row<'_> {
    /// What is in a column; none where it is empty or not there.
    fn text(&self, column: &str) -> Option<&str> {
        let place = self.columns.place(column)?;
        self.fields
            .get(place)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn owned(&self, column: &str) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    fn required(&self, column: &str) -> Result<&str, String> {
        self.text(column).ok_or_else(|| format!("it has no `{column}`"))
    }

    /// A number that is not negative; a `%` behind it is left out.
    fn number(&self, column: &str) -> Result<Option<f64>, String> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let value = text.trim_end_matches('%').trim().parse().ok();
        let value = value.filter(|value: &f64| value.is_finite() && *value >= 0.0);
        value
            .map(Some)
            .ok_or_else(|| format!("its `{column}` is no number: `{text}`"))
    }

    /// Minutes as seconds; none where there is no length.
    fn minutes(&self, column: &str) -> Result<Option<i32>, String> {
        match self.text(column) {
            None | Some("None") => Ok(None),
            Some(text) => {
                let minutes = text.parse().ok().filter(|minutes: &i32| *minutes >= 0);
                let seconds = minutes.and_then(|minutes| minutes.checked_mul(60));
                seconds
                    .map(Some)
                    .ok_or_else(|| format!("its `{column}` are no minutes: `{text}`"))
            }
        }
    }

    /// How many metres the unit of a column has.
    fn metres(&self, column: &str, units: [(&str, f64); 4]) -> Result<f64, String> {
        let unit = self.columns.unit(column);
        let known = units.iter().find(|(name, _)| *name == unit);
        known
            .map(|(_, metres)| *metres)
            .ok_or_else(|| format!("the unit `{unit}` of `{column}` is not known"))
    }
}

fn of_export(row: &Row<'_>, unsaid: &Unsaid<'_>) -> Result<Workout, String> {
    let discipline = discipline(row.required("fitness discipline")?);
    let class_type = row.owned("type");
    let title = row.owned("title");
    let instructor = row.owned("instructor name");
    let is_live = match row.text("live/on-demand") {
        None => None,
        Some("Live") => Some(true),
        Some("On Demand") => Some(false),
        Some(other) => {
            return Err(format!(
                "its `live/on-demand` is neither `Live` nor `On Demand`: `{other}`"
            ));
        }
    };
    let is_taught = instructor.is_some() || is_live.is_some() || class_type.is_some();
    let kind = match (&title, class_type.as_deref()) {
        (_, Some("Scenic Ride")) => Kind::Scenic,
        (Some(title), None) if !is_taught && discipline == "cycling" => Kind::of_untaught_ride(title),
        _ if !is_taught => Kind::Freestyle,
        _ => Kind::Class,
    };
    let class_aired_at = row
        .text("class timestamp")
        .map(|text| time::of_export(text, unsaid))
        .transpose()?;
    Ok(Workout {
        rider_name: unsaid.rider_name.ok_or(NO_RIDER)?.to_owned(),
        peloton_workout_id: None,
        source: Source::Export,
        start: time::of_export(row.required("workout timestamp")?, unsaid)?,
        discipline,
        kind,
        class_type,
        title,
        instructor,
        class_seconds: row.minutes("length")?,
        ridden_seconds: None,
        is_live,
        class_aired_at: class_aired_at.map(|aired| aired.at),
        is_personal_record: None,
        leaderboard: None,
        figures: figures(row)?,
    })
}

fn figures(row: &Row<'_>) -> Result<Figures, String> {
    let (mile, kilometre) = (METRES_PER_MILE, 1000.0);
    let scaled = |column: &str, units: [(&str, f64); 4], seconds: f64| -> Result<Option<f64>, String> {
        let Some(value) = row.number(column)? else {
            return Ok(None);
        };
        Ok(Some(value * row.metres(column, units)? / seconds))
    };
    let distance = [
        ("mi", mile),
        ("miles", mile),
        ("km", kilometre),
        ("kilometers", kilometre),
    ];
    let speed = [("mph", mile), ("mi/h", mile), ("kph", kilometre), ("km/h", kilometre)];
    Ok(Figures::default()
        .with(Figure::TotalOutput, row.number("total output")?)
        .with(Figure::Power, row.number("avg. watts")?)
        .with(Figure::Resistance, row.number("avg. resistance")?)
        .with(Figure::Cadence, row.number("avg. cadence")?)
        .with(Figure::Speed, scaled("avg. speed", speed, 3600.0)?)
        .with(Figure::Distance, scaled("distance", distance, 1.0)?)
        .with(Figure::Energy, row.number("calories burned")?)
        .with(Figure::HeartRate, row.number("avg. heartrate")?)
        .with(Figure::Incline, row.number("avg. incline")?)
        .with(Figure::Pace, pace(row)?))
}

/// Seconds a kilometre, from minutes a mile or a kilometre: `9.5`, or `9:30`.
fn pace(row: &Row<'_>) -> Result<Option<f64>, String> {
    let column = "avg. pace";
    let minutes = match row.text(column).and_then(|text| text.split_once(':')) {
        None => row.number(column)?,
        Some((minutes, seconds)) => {
            let parsed = minutes
                .parse::<u32>()
                .ok()
                .zip(seconds.parse::<u32>().ok().filter(|seconds| *seconds < 60));
            let (minutes, seconds) =
                parsed.ok_or_else(|| format!("its `{column}` is no time: `{minutes}:{seconds}`"))?;
            Some(f64::from(minutes) + f64::from(seconds) / 60.0)
        }
    };
    let Some(minutes) = minutes else { return Ok(None) };
    let (mile, kilometre) = (METRES_PER_MILE, 1000.0);
    let metres = row.metres(
        column,
        [
            ("min/mi", mile),
            ("min/mile", mile),
            ("min/km", kilometre),
            ("min/kilometer", kilometre),
        ],
    )?;
    Ok(Some(minutes * 60.0 * 1000.0 / metres))
}

fn of_older_system(row: &Row<'_>, unsaid: &Unsaid<'_>) -> Result<Workout, String> {
    let text = row.required("date")?;
    let at = time::wall_clock(text, &["%Y-%m-%d %H:%M:%S"])
        .ok_or_else(|| format!("`{text}` is no time like `2024-03-01 18:05:59`"))?;
    let class_type = row.required("class_type")?;
    let title = row.owned("class_title");
    // It called whatever has no class the game; titles tell some of it apart. No bike, no game.
    let (discipline, kind) = match class_type {
        "lanebreak" => (
            "cycling".to_owned(),
            Kind::of_untaught_ride(title.as_deref().unwrap_or_default()),
        ),
        other => (discipline(other), Kind::Class),
    };
    // Whatever is not pedalled had an output of 0.
    let is_pedalled = matches!(discipline.as_str(), "cycling" | "bike_bootcamp");
    let output = row
        .number("total_output_kj")?
        .filter(|output| is_pedalled || *output > 0.0);
    Ok(Workout {
        rider_name: row.text("rider_name").or(unsaid.rider_name).ok_or(NO_RIDER)?.to_owned(),
        peloton_workout_id: Some(peloton_id(row.required("workout_id")?)?.to_owned()),
        source: Source::OlderSystem,
        start: time::to_the_second(at.and_utc(), unsaid.timezone.unwrap_or(unsaid.fallback)),
        discipline,
        kind,
        class_type: None,
        title,
        // Written where there was none, and where it did not know the name.
        instructor: row.owned("instructor").filter(|name| name != "no instructor"),
        // A class by distance had a length of 0.
        class_seconds: row.minutes("length_min")?.filter(|seconds| *seconds > 0),
        ridden_seconds: None,
        is_live: None,
        class_aired_at: None,
        is_personal_record: None,
        leaderboard: None,
        figures: Figures::default().with(Figure::TotalOutput, output),
    })
}
