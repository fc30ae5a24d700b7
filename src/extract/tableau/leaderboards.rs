//! The leaderboards: ten dashboards, each with the twenty riders who have most of one measure.

use super::{
    field::Shape,
    layout::{Dashboard, Zone},
    look::Ink,
    measures,
    package::Contents,
    rides,
    sheet::{Filter, Keeps, Sheet},
    source::{DataSource, Rows},
    workbook::Workbook,
};
use crate::extract::table::Table;

/// How many places a board has; riders who share the last are all on it.
const PLACES: u8 = 20;
const START: &str = "Start";

/// A leaderboard.
struct Board {
    name: &'static str,
    /// The measure that riders are ranked by.
    measure: &'static str,
    /// What a ride has to be within to count, and the column that says how far that reaches.
    range: (&'static str, &'static str, f64),
    /// What the ranks are of.
    meaning: &'static str,
}

const fn board(
    name: &'static str,
    measure: &'static str,
    range: (&'static str, &'static str, f64),
    meaning: &'static str,
) -> Board {
    Board {
        name,
        measure,
        range,
        meaning,
    }
}

const DURATION: (&str, &str, f64) = ("duration_minutes", "duration_seconds", 60.0);

const fn column(name: &'static str) -> (&'static str, &'static str, f64) {
    (name, name, 1.0)
}

const BOARDS: [Board; 10] = [
    board("Rides", "rides", DURATION, "How many rides each rider has"),
    board(
        "Total time",
        "time_total",
        DURATION,
        "How long each rider has ridden, all rides together",
    ),
    board(
        "Longest ride",
        "time_longest",
        DURATION,
        "How long each rider's longest ride is",
    ),
    board(
        "Highest heart rate",
        "heart_rate_highest",
        column("heart_rate_bpm_max"),
        "The highest heart rate in any of the rider's rides",
    ),
    board(
        "Highest cadence",
        "cadence_highest",
        column("cadence_rpm_max"),
        "The highest cadence in any of the rider's rides",
    ),
    board(
        "Highest power",
        "power_highest",
        column("power_watts_max"),
        "The highest power in any of the rider's rides",
    ),
    board(
        "Highest resistance",
        "resistance_highest",
        column("resistance_max"),
        "The highest resistance in any of the rider's rides, in the bike's own units",
    ),
    board(
        "Mean heart rate",
        "heart_rate_average",
        column("heart_rate_bpm_mean"),
        "The mean heart rate of each rider's rides",
    ),
    board(
        "Mean cadence",
        "cadence_average",
        column("cadence_rpm_mean"),
        "The mean cadence of each rider's rides",
    ),
    board(
        "Mean power",
        "power_average",
        column("power_watts_mean"),
        "The mean power of each rider's rides",
    ),
];

/// `deloton-leaderboards`.
pub(super) fn workbook(table: &Table, rows: Rows, contents: &Contents) -> Workbook {
    let source = DataSource::new(table, rows, measures::fields());
    let names: Vec<String> = std::iter::once(START)
        .chain(BOARDS.iter().map(|board| board.name))
        .map(str::to_owned)
        .collect();
    let mut sheets = rides::totals(&source, contents);
    sheets.push(rides::per_day(&source, contents));
    let mut dashboards = vec![rides::overview(
        START,
        "Leaderboards",
        "The riders who have most, in ten measures. Every board shows the rides that are chosen beside it.",
        &names,
        &source,
        contents,
    )];
    for board in &BOARDS {
        let sheet = board.sheet(&source, contents);
        dashboards.push(board.dashboard(&sheet, &names, &source));
        sheets.push(sheet);
    }
    Workbook {
        name: "deloton-leaderboards",
        source,
        sheets,
        dashboards,
    }
}

impl Board {
    fn sheet(&self, source: &DataSource, contents: &Contents) -> Sheet {
        let measure = source.field(self.measure);
        let rider = source.field("rider").itself();
        let (ranged, column, divisor) = self.range;
        let (least, most) = contents.range(column);
        let mut filters = measures::shared_filters(source, contents);
        filters.extend([
            Filter {
                pill: source.field(ranged).itself(),
                keeps: Keeps::Between(
                    (least / divisor).floor().to_string(),
                    (most / divisor).ceil().to_string(),
                ),
                group: None,
            },
            Filter {
                pill: rider.clone(),
                keeps: Keeps::Known,
                group: None,
            },
            // Ranks are counted after all other filters: the board has its places whatever is chosen.
            Filter {
                pill: measure.rank(Shape::Continuous),
                keeps: Keeps::Between("1".to_owned(), PLACES.to_string()),
                group: None,
            },
        ]);
        Sheet {
            rows: vec![measure.rank(Shape::Ordinal), rider],
            columns: vec![measure.total()],
            text: vec![measure.total()],
            bare_axes: vec![measure.total()],
            filters,
            ..Sheet::new(
                &format!("{}, ranked", self.name),
                &format!("{}: the first {PLACES} places", self.name),
            )
        }
    }

    fn dashboard(&self, sheet: &Sheet, names: &[String], source: &DataSource) -> Dashboard {
        let heading = vec![
            (Ink::Heading, self.name.to_owned()),
            (
                Ink::Note,
                format!(
                    "{}. Equal values share a place. Riders are pseudonyms, the same in every extract.",
                    self.meaning
                ),
            ),
        ];
        let ranged = source.field(self.range.0).itself();
        let controls = rides::controls(&sheet.name, source, vec![Zone::filter(&sheet.name, ranged).px(90)]);
        rides::page(
            self.name,
            heading,
            names,
            Zone::row(vec![Zone::sheet(&sheet.name), controls]),
        )
    }
}
