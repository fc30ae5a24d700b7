//! What a company asks of its rides: when, who, how hard and where.

use super::{
    field::{Field, Pill, Shape},
    layout::{Dashboard, Zone},
    look::Ink,
    measures,
    package::Contents,
    sheet::{Axis, Filter, Keeps, Mark, Sheet, Sort},
    source::{DataSource, Rows},
    workbook::Workbook,
};
use crate::{domain::rider::BROAD_AGE_BANDS, extract::table::Table, template::format};

const START: &str = "Overview";
const PER_DAY: &str = "Rides each day";
/// The figures of the first dashboard: (sheet, measure).
const TOTALS: [(&str, &str); 4] = [
    ("Rides in all", "rides"),
    ("Riders in all", "riders"),
    ("Time in all", "time_total"),
    ("Mean power of all", "power_average"),
];

/// `deloton-rides`.
pub(super) fn workbook(table: &Table, rows: Rows, contents: &Contents) -> Workbook {
    let mut fields = measures::fields();
    fields.extend(tiles());
    let source = DataSource::new(table, rows, fields);
    let names: Vec<String> = [START, "Days", "Hours", "Riders", "Map"].map(str::to_owned).into();
    let mut sheets = totals(&source, contents);
    sheets.push(per_day(&source, contents));
    let mut dashboards = vec![overview(
        START,
        "Rides",
        "When people ride, who they are, how hard they ride and where they live.",
        &names,
        &source,
        contents,
    )];
    for (name, note, made) in [
        (
            "Days",
            "By business day: the company's day in which a ride ended.",
            days(&source),
        ),
        (
            "Hours",
            "By the hour in which rides began, in the company's time zone.",
            hours(&source),
        ),
        ("Riders", "By what riders say of themselves.", riders(&source)),
        (
            "Map",
            "By the letters that riders' postcodes begin with; each area of the United Kingdom is one tile.",
            map(&source),
        ),
    ] {
        let Made {
            sheets: more,
            body,
            legend,
        } = made;
        let heading = vec![(Ink::Heading, name.to_owned()), (Ink::Note, note.to_owned())];
        let controls = controls(&more[0].name, &source, legend.into_iter().collect());
        dashboards.push(page(name, heading, &names, Zone::row(vec![body, controls])));
        sheets.extend(more.into_iter().map(|sheet| Sheet {
            filters: [measures::shared_filters(&source, contents), sheet.filters].concat(),
            ..sheet
        }));
    }
    Workbook {
        name: "deloton-rides",
        source,
        sheets,
        dashboards,
    }
}

/// A dashboard: a heading above, the other dashboards at the left, and what it shows.
pub(super) fn page(name: &str, heading: Vec<(Ink, String)>, names: &[String], body: Zone) -> Dashboard {
    Dashboard {
        name: name.to_owned(),
        zone: Zone::column(vec![
            Zone::text(heading).px(80),
            Zone::row(vec![Zone::navigation(names, name), body]),
        ]),
    }
}

/// The controls at the right: of the filters that all sheets share, and further ones.
pub(super) fn controls(sheet: &str, source: &DataSource, further: Vec<Zone>) -> Zone {
    let mut zones = vec![
        Zone::filter(sheet, source.field("business_day").continuous()).px(90),
        Zone::filter(sheet, source.field("gender").itself()).px(150),
        Zone::filter(sheet, source.field("age_band").itself()).px(220),
    ];
    zones.extend(further);
    zones.push(Zone::space());
    Zone::column(zones).px(200)
}

/// The sheets of the first dashboard's figures.
pub(super) fn totals(source: &DataSource, contents: &Contents) -> Vec<Sheet> {
    TOTALS
        .iter()
        .map(|(name, measure)| {
            let measure = source.field(measure);
            Sheet {
                mark: Mark::Text,
                text: vec![measure.total()],
                text_size: 24,
                filters: measures::shared_filters(source, contents),
                ..Sheet::new(name, &measure.caption)
            }
        })
        .collect()
}

/// Rides by business day.
pub(super) fn per_day(source: &DataSource, contents: &Contents) -> Sheet {
    Sheet {
        filters: measures::shared_filters(source, contents),
        ..daily(source, PER_DAY, "Rides each day", "rides", Mark::Bar)
    }
}

/// The first dashboard: what the workbook is, what it holds, and its totals.
pub(super) fn overview(
    name: &str,
    title: &str,
    meaning: &str,
    names: &[String],
    source: &DataSource,
    contents: &Contents,
) -> Dashboard {
    let figures = TOTALS.map(|(sheet, _)| Zone::sheet(sheet)).into();
    let body = Zone::column(vec![
        Zone::text(vec![(Ink::Body, contents.sentence())]).px(60),
        Zone::row(figures).px(120),
        Zone::sheet(PER_DAY),
    ]);
    let heading = vec![(Ink::Heading, title.to_owned()), (Ink::Note, meaning.to_owned())];
    let controls = controls(PER_DAY, source, Vec::new());
    page(name, heading, names, Zone::row(vec![body, controls]))
}

/// The sheets of a dashboard and how they lie.
struct Made {
    sheets: Vec<Sheet>,
    body: Zone,
    legend: Option<Zone>,
}

fn days(source: &DataSource) -> Made {
    let sheets = vec![
        daily(source, "Riders each day", "Riders each day", "riders", Mark::Bar),
        daily(source, "Energy each day", "Energy each day", "energy_total", Mark::Bar),
        daily(
            source,
            "Mean power each day",
            "Mean power each day",
            "power_average",
            Mark::Line,
        ),
        daily(
            source,
            "Mean heart rate each day",
            "Mean heart rate each day",
            "heart_rate_average",
            Mark::Line,
        ),
    ];
    below(sheets)
}

fn hours(source: &DataSource) -> Made {
    let hour = source.field("hour_of_day").itself();
    let rides = source.field("rides").total();
    below(vec![
        Sheet {
            rows: vec![rides.clone()],
            columns: vec![hour.clone()],
            ..Sheet::new("Rides by hour", "Rides by hour")
        },
        Sheet {
            rows: vec![source.field("weekday").itself()],
            columns: vec![hour],
            mark: Mark::Square,
            colour: Some(rides.clone()),
            text: vec![rides],
            ..Sheet::new("Rides by weekday and hour", "Rides by weekday and hour")
        },
    ])
}

fn riders(source: &DataSource) -> Made {
    let rides = source.field("rides").total();
    let gender = source.field("gender").itself();
    let age = source.field("age_band").itself();
    let ages = || Sort::Values(age.clone(), BROAD_AGE_BANDS.into());
    let bars = |name: &str, rows: Vec<Pill>, measure: &Pill| Sheet {
        rows,
        columns: vec![measure.clone()],
        text: vec![measure.clone()],
        bare_axes: vec![measure.clone()],
        ..Sheet::new(name, name)
    };
    let channel = source.field("source").itself();
    let sheets = vec![
        Sheet {
            colour: Some(gender.clone()),
            ..bars("Rides by gender", vec![gender.clone()], &rides)
        },
        Sheet {
            sorts: vec![ages()],
            ..bars("Rides by age", vec![age.clone()], &rides)
        },
        Sheet {
            sorts: vec![ages()],
            colour: Some(gender.clone()),
            ..bars(
                "Mean power by age and gender",
                vec![age.clone(), gender],
                &source.field("power_average").total(),
            )
        },
        Sheet {
            sorts: vec![Sort::Most(channel.clone(), rides.clone())],
            ..bars("Rides by channel", vec![channel], &rides)
        },
    ];
    let zone = |sheet: &Sheet| Zone::sheet(&sheet.name);
    let body = Zone::row(vec![
        Zone::column(vec![zone(&sheets[0]).px(200), zone(&sheets[1]), zone(&sheets[3])]),
        zone(&sheets[2]),
    ]);
    Made {
        sheets,
        body,
        legend: None,
    }
}

/// The map, made of marks: it is drawn without a network, and no area is too small to be seen.
fn map(source: &DataSource) -> Made {
    let rides = source.field("rides");
    let area = source.field("postcode_area").itself();
    let across = source.field("tile_column").continuous();
    let down = source.field("tile_row").continuous();
    let places = TILES.lines().skip(1).filter_map(tile);
    let (last_column, last_row) = places.fold((0, 0), |(column, row), tile| (column.max(tile.1), row.max(tile.2)));
    let axis = |pill: &Pill, scope, last: u32, is_reversed| Axis {
        pill: pill.clone(),
        scope,
        from: -1.0,
        to: f64::from(last) + 1.0,
        is_reversed,
    };
    let known = Filter {
        pill: area.clone(),
        keeps: Keeps::Known,
        group: None,
    };
    let sheets = vec![
        Sheet {
            rows: vec![down.clone()],
            columns: vec![across.clone()],
            mark: Mark::Square,
            mark_size: Some(3.0),
            colour: Some(rides.total()),
            text: vec![area.clone()],
            filters: vec![known.clone()],
            axes: vec![
                axis(&across, "cols", last_column, false),
                axis(&down, "rows", last_row, true),
            ],
            bare_axes: vec![across, down],
            ..Sheet::new("Rides by postcode area", "Rides by postcode area")
        },
        Sheet {
            rows: vec![rides.rank(Shape::Ordinal), area],
            columns: vec![rides.total()],
            text: vec![rides.total()],
            bare_axes: vec![rides.total()],
            filters: vec![
                known,
                Filter {
                    pill: rides.rank(Shape::Continuous),
                    keeps: Keeps::Between("1".to_owned(), "15".to_owned()),
                    group: None,
                },
            ],
            ..Sheet::new("Areas with most rides", "Areas with most rides")
        },
    ];
    let body = Zone::row(vec![Zone::sheet(&sheets[0].name), Zone::sheet(&sheets[1].name).px(260)]);
    let legend = Some(Zone::legend(&sheets[0].name, rides.total()).px(90));
    Made { sheets, body, legend }
}

/// The sheets below each other, all of one height.
fn below(sheets: Vec<Sheet>) -> Made {
    let body = Zone::column(sheets.iter().map(|sheet| Zone::sheet(&sheet.name)).collect());
    Made {
        sheets,
        body,
        legend: None,
    }
}

fn daily(source: &DataSource, name: &str, title: &str, measure: &str, mark: Mark) -> Sheet {
    Sheet {
        rows: vec![source.field(measure).total()],
        columns: vec![source.field("business_day").continuous()],
        mark,
        ..Sheet::new(name, title)
    }
}

/// The postcode areas: area, name, column and row from the top left.
const TILES: &str = include_str!("../../../assets/uk_postcode_areas.csv");

/// (area, column, row)
fn tile(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.rsplitn(3, ',');
    let row = fields.next()?.trim().parse().ok()?;
    let column = fields.next()?.parse().ok()?;
    Some((fields.next()?.split(',').next()?, column, row))
}

/// Where each area's tile lies.
fn tiles() -> [Field; 2] {
    let formula = |place: fn((&str, u32, u32)) -> u32| {
        let whens: String = TILES
            .lines()
            .skip(1)
            .filter_map(tile)
            .map(|tile| format!(" WHEN '{}' THEN {}", tile.0, place(tile)))
            .collect();
        format!("CASE [postcode_area]{whens} END")
    };
    [
        Field::place(
            "tile_column",
            "Map column",
            formula(|tile| tile.1),
            "The tile's place from the left",
        ),
        Field::place(
            "tile_row",
            "Map row",
            formula(|tile| tile.2),
            "The tile's place from the top",
        ),
    ]
}

impl Contents {
    /// What the workbook holds, as a sentence.
    fn sentence(&self) -> String {
        let (first, last) = self.days;
        let days = if first == last {
            format::date_long(first)
        } else {
            format!("{} to {}", format::date_long(first), format::date_long(last))
        };
        let rest = if self.is_all {
            ""
        } else {
            " These are the newest days; earlier ones are in the files beside this workbook."
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of rides")]
        let rides = format::count(self.rides as f64);
        format!("{rides} rides, {days}.{rest}")
    }
}
