use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read,
    path::Path,
};

use chrono::NaiveDate;
use roxmltree::{Document, Node};
use tempfile::TempDir;
use zip::ZipArchive;

use super::*;
use crate::extract::table::{Column, Kind, Spread};

/// The table `rides` with its columns, in their order.
pub(in crate::extract) fn rides_table() -> Table {
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

/// What a package holds.
struct Package {
    document: String,
    /// The files with rows, by their paths.
    rows: BTreeMap<String, Vec<u8>>,
}

fn opened(path: &Path) -> Package {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().to_owned(), bytes);
    }
    let document = path.file_stem().unwrap().to_string_lossy() + ".twb";
    Package {
        document: String::from_utf8(files.remove(&*document).unwrap()).unwrap(),
        rows: files,
    }
}

const WORKBOOKS: [&str; 2] = ["deloton-leaderboards.twbx", "deloton-rides.twbx"];

/// The two workbooks over 30 rides of one day and 20 of the next.
fn both() -> [Package; 2] {
    let folder = TempDir::new().unwrap();
    let days = [day_file(folder.path(), 1, 30), day_file(folder.path(), 2, 20)];
    write_workbooks(&rides_table(), &days, true, folder.path()).unwrap();
    WORKBOOKS.map(|name| opened(&folder.path().join(name)))
}

fn elements<'a>(of: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    of.descendants().filter(move |node| node.has_tag_name(name))
}

fn attributes<'a>(of: Node<'a, 'a>, element: &'static str, name: &'static str) -> BTreeSet<&'a str> {
    elements(of, element).filter_map(|node| node.attribute(name)).collect()
}

/// The names in brackets that are in the text: `[a].[b]` has two.
fn bracketed(text: &str) -> Vec<String> {
    text.split('[')
        .skip(1)
        .map(|rest| format!("[{}]", rest.split(']').next().unwrap()))
        .collect()
}

/// Every place below `node` in which the document says how a field is used, `[source].[none:gender:nk]`.
fn uses<'a>(node: Node<'a, 'a>) -> Vec<&'a str> {
    node.descendants()
        .flat_map(|node| node.attributes().map(|a| a.value()).chain(node.text()))
        .flat_map(|text| text.split(['(', ')', ' ']))
        .filter(|text| text.starts_with("[federated.deloton].["))
        .collect()
}

#[test]
fn every_field_that_a_formula_takes_exists() {
    for package in both() {
        let document = Document::parse(&package.document).unwrap();
        let source = elements(document.root(), "datasources").next().unwrap();
        let fields = attributes(source, "column", "name");
        let mut formulas = 0;
        for calculation in elements(document.root(), "calculation") {
            let formula = calculation.attribute("formula").unwrap();
            for field in bracketed(formula) {
                assert!(
                    fields.contains(field.as_str()),
                    "{formula} takes {field}, which is no field"
                );
            }
            assert_eq!(formula.matches('(').count(), formula.matches(')').count(), "{formula}");
            assert_eq!(formula.matches('\'').count() % 2, 0, "{formula}");
            assert_eq!(formula.contains("CASE"), formula.ends_with(" END"), "{formula}");
            formulas += 1;
        }
        assert!(formulas > 20);
    }
}

#[test]
fn every_sheet_and_dashboard_declares_the_fields_that_it_uses() {
    for package in both() {
        let document = Document::parse(&package.document).unwrap();
        let source = elements(document.root(), "datasources").next().unwrap();
        let fields = attributes(source, "column", "name");
        let places = elements(document.root(), "worksheet").chain(elements(document.root(), "dashboard"));
        for place in places {
            let name = place.attribute("name").unwrap();
            let declared = attributes(place, "column-instance", "name");
            let columns = attributes(place, "column", "name");
            assert!(columns.is_subset(&fields), "{name}: {columns:?}");
            assert!(
                attributes(place, "column-instance", "column").is_subset(&columns),
                "{name}"
            );
            for calculation in elements(place, "calculation") {
                for field in bracketed(calculation.attribute("formula").unwrap()) {
                    assert!(columns.contains(field.as_str()), "{name}: {field} is not declared");
                }
            }
            for used in uses(place) {
                let pill = used.split_once("].").unwrap().1;
                assert!(declared.contains(pill), "{name}: {pill} is not declared");
            }
            for level in attributes(place, "groupfilter", "level") {
                assert!(declared.contains(level), "{name}: {level} is not declared");
            }
        }
    }
}

#[test]
fn dashboards_show_sheets_that_exist_and_buttons_lead_to_dashboards() {
    for package in both() {
        let document = Document::parse(&package.document).unwrap();
        let sheets = attributes(document.root(), "worksheet", "name");
        let dashboards = attributes(document.root(), "dashboard", "name");
        let windows: BTreeMap<String, &str> = elements(document.root(), "window")
            .map(|window| {
                let id = elements(window, "simple-id").next().unwrap();
                (
                    id.attribute("uuid").unwrap().to_owned(),
                    window.attribute("name").unwrap(),
                )
            })
            .collect();
        let mut shown = BTreeSet::new();
        for dashboard in elements(document.root(), "dashboard") {
            let name = dashboard.attribute("name").unwrap();
            let on_it = attributes(dashboard, "zone", "name");
            let leads_to: BTreeSet<&str> = attributes(dashboard, "button", "action")
                .into_iter()
                .map(|action| windows[action.split('"').nth(1).unwrap()])
                .collect();
            let mut others = dashboards.clone();
            others.remove(name);
            assert!(on_it.is_subset(&sheets), "{name}: {on_it:?}");
            assert!(!on_it.is_empty(), "{name} shows nothing");
            assert_eq!(leads_to, others, "{name}");
            shown.extend(on_it);
        }
        assert_eq!(shown, sheets, "every sheet is on a dashboard");
        let first = elements(document.root(), "window").next().unwrap();
        assert_eq!(first.attribute("maximized"), Some("true"));
    }
}

#[test]
fn zones_fill_their_dashboard_and_do_not_overlap() {
    fn edge(zone: Node<'_, '_>, name: &str) -> u32 {
        zone.attribute(name).unwrap().parse().unwrap()
    }
    fn right(zone: Node<'_, '_>) -> u32 {
        edge(zone, "x") + edge(zone, "w")
    }
    fn bottom(zone: Node<'_, '_>) -> u32 {
        edge(zone, "y") + edge(zone, "h")
    }
    for package in both() {
        let document = Document::parse(&package.document).unwrap();
        for dashboard in elements(document.root(), "dashboard") {
            let ids: Vec<_> = elements(dashboard, "zone")
                .filter_map(|zone| zone.attribute("id"))
                .collect();
            assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
            for zone in elements(dashboard, "zone") {
                let inside: Vec<_> = zone.children().filter(|node| node.has_tag_name("zone")).collect();
                assert!(
                    edge(zone, "w") >= 10_000 && edge(zone, "h") >= 5_000 || zone.attribute("type-v2") == Some("empty")
                );
                for (index, one) in inside.iter().enumerate() {
                    assert!(edge(*one, "x") >= edge(zone, "x") && edge(*one, "y") >= edge(zone, "y"));
                    assert!(right(*one) <= right(zone) && bottom(*one) <= bottom(zone), "{one:?}");
                    for other in &inside[index + 1..] {
                        let apart = right(*one) <= edge(*other, "x") || bottom(*one) <= edge(*other, "y");
                        assert!(apart, "{one:?} and {other:?}");
                    }
                }
                if let (Some(first), Some(last)) = (inside.first(), inside.last()) {
                    let ends = (edge(*first, "x"), edge(*first, "y"), right(*last), bottom(*last));
                    assert_eq!(ends, (edge(zone, "x"), edge(zone, "y"), right(zone), bottom(zone)));
                }
            }
        }
    }
}

#[test]
fn each_board_ranks_riders_and_is_filtered_by_gender_age_day_and_value() {
    let [boards, _] = both();
    let document = Document::parse(&boards.document).unwrap();
    let ranked: Vec<_> = elements(document.root(), "worksheet")
        .filter(|sheet| sheet.attribute("name").unwrap().ends_with(", ranked"))
        .collect();
    assert_eq!(ranked.len(), 10);
    for sheet in ranked {
        let name = sheet.attribute("name").unwrap();
        let rows = elements(sheet, "rows").next().unwrap().text().unwrap();
        assert!(
            rows.contains("[rank:usr:") && rows.ends_with("[none:rider:nk])"),
            "{name}: {rows}"
        );
        // The four that one chooses by, that the rider is known, and that the place is on the board.
        let filters: Vec<_> = elements(sheet, "filter").collect();
        assert_eq!(filters.len(), 6, "{name}");
        let place = filters.last().unwrap();
        assert!(place.attribute("column").unwrap().contains("[rank:"), "{name}");
        let ends: Vec<_> = place.children().filter_map(|end| end.text()).map(str::trim).collect();
        assert!(ends.contains(&"1") && ends.contains(&"20"), "{name}: {ends:?}");
        let dashboard = elements(document.root(), "dashboard")
            .find(|dashboard| attributes(*dashboard, "zone", "name").contains(name))
            .unwrap();
        let controls: Vec<_> = elements(dashboard, "zone")
            .filter_map(|zone| zone.attribute("param"))
            .collect();
        let controls: Vec<_> = controls.iter().filter(|param| param.starts_with('[')).collect();
        assert_eq!(controls.len(), 4, "{name}: {controls:?}");
        for filter in &filters[..4] {
            let column = filter.attribute("column").unwrap();
            assert!(
                controls.iter().any(|param| **param == column),
                "{name}: no control for {column}"
            );
        }
    }
}

#[test]
fn fields_have_captions_of_their_own_types_units_and_folders() {
    for package in both() {
        let document = Document::parse(&package.document).unwrap();
        let source = elements(document.root(), "datasource").next().unwrap();
        let fields: Vec<_> = source.children().filter(|node| node.has_tag_name("column")).collect();
        let captions: BTreeSet<_> = fields.iter().filter_map(|field| field.attribute("caption")).collect();
        assert_eq!(captions.len(), fields.len(), "a caption is there twice");
        let field = |name| {
            fields
                .iter()
                .find(|field| field.attribute("name") == Some(name))
                .unwrap()
        };
        let power = field("[power_watts_mean]");
        assert_eq!(power.attribute("datatype"), Some("real"));
        assert_eq!(power.attribute("aggregation"), Some("Avg"));
        assert_eq!(power.attribute("default-format"), Some("n#,##0\" W\";-#,##0\" W\""));
        assert_eq!(field("[business_day]").attribute("datatype"), Some("date"));
        assert_eq!(field("[hour_of_day]").attribute("role"), Some("dimension"));
        assert_eq!(field("[rides]").attribute("datatype"), Some("integer"));
        let sorted = attributes(source, "folder-item", "name");
        assert!(
            fields
                .iter()
                .all(|field| sorted.contains(field.attribute("name").unwrap()))
        );
    }
}

#[test]
fn the_columns_of_the_csv_are_told_in_its_order_and_with_their_types() {
    let [boards, _] = both();
    let document = Document::parse(&boards.document).unwrap();
    let relation = elements(document.root(), "relation").next().unwrap();
    assert_eq!(relation.attribute("table"), Some("[rides#csv]"));
    let told: Vec<_> = elements(relation, "column")
        .map(|column| column.attribute("name").unwrap())
        .collect();
    let csv = String::from_utf8(boards.rows["Data/rides.csv"].clone()).unwrap();
    assert_eq!(told.join(","), csv.lines().next().unwrap());
    assert_eq!(
        csv.lines().filter(|line| line.starts_with("ride,")).count(),
        1,
        "one line of headings"
    );
    assert_eq!(csv.lines().count(), 51);
    let types = attributes(relation, "column", "datatype");
    assert_eq!(
        types,
        ["boolean", "date", "datetime", "integer", "real", "string"].into()
    );
}

#[test]
fn the_days_that_are_packed_stand_on_the_first_page_and_whether_there_are_earlier_ones() {
    let folder = TempDir::new().unwrap();
    let days = [2, 3].map(|number| day_file(folder.path(), number, 10));
    let packed = |is_all| {
        write_workbooks(&rides_table(), &days, is_all, folder.path()).unwrap();
        let package = opened(&folder.path().join(WORKBOOKS[0]));
        let csv = String::from_utf8(package.rows["Data/rides.csv"].clone()).unwrap();
        (csv.lines().count() - 1, package.document)
    };
    let (rides, document) = packed(false);
    assert_eq!(rides, 20);
    assert!(document.contains("20 rides, Monday 2 March 2026 to Tuesday 3 March 2026. These are the newest days;"));
    assert!(document.contains("<min>#2026-03-02#</min>"));
    let (rides, document) = packed(true);
    assert_eq!(rides, 20);
    assert!(!document.contains("newest days"));
}

#[test]
fn the_value_range_of_a_board_is_that_of_the_rides() {
    let [boards, _] = both();
    let document = Document::parse(&boards.document).unwrap();
    let range = |column: &str| {
        let filter = elements(document.root(), "filter")
            .find(|filter| filter.attribute("column").unwrap().contains(column))
            .unwrap();
        ["min", "max"].map(|end| elements(filter, end).next().unwrap().text().unwrap().to_owned())
    };
    assert_eq!(range("[none:duration_minutes:"), ["1", "30"]);
    assert_eq!(
        range("[none:power_watts_max:"),
        ["101", "131"],
        "to whole numbers, outwards"
    );
}

#[test]
fn the_same_rides_give_the_same_file() {
    let bytes = || {
        let folder = TempDir::new().unwrap();
        let days = [day_file(folder.path(), 1, 3)];
        write_workbooks(&rides_table(), &days, true, folder.path()).unwrap();
        let left = folder.path().read_dir().unwrap().count();
        assert_eq!(left, 3, "nothing is left beside the day's file and the workbooks");
        WORKBOOKS.map(|name| fs::read(folder.path().join(name)).unwrap())
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_file_with_other_columns_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("date=2026-03-01.csv");
    fs::write(&path, "ride,name\nx,y\n").unwrap();
    let error = write_workbooks(&rides_table(), &[DayFile { day: day(1), path }], true, folder.path()).unwrap_err();
    assert!(error.to_string().contains("date=2026-03-01.csv"), "{error}");
}

#[test]
fn the_map_has_every_postcode_area_at_a_place_of_its_own() {
    let [_, rides] = both();
    let document = Document::parse(&rides.document).unwrap();
    let places = |name: &str| -> BTreeMap<String, u32> {
        let column = elements(document.root(), "column")
            .find(|column| column.attribute("name") == Some(name))
            .unwrap();
        let formula = elements(column, "calculation")
            .next()
            .unwrap()
            .attribute("formula")
            .unwrap();
        let whens = formula.split(" WHEN '").skip(1).map(|when| {
            let (area, place) = when.split_once("' THEN ").unwrap();
            (area.to_owned(), place.split(' ').next().unwrap().parse().unwrap())
        });
        whens.collect()
    };
    let (columns, rows) = (places("[tile_column]"), places("[tile_row]"));
    assert_eq!(columns.len(), 124);
    let tiles: BTreeSet<_> = columns.iter().map(|(area, column)| (*column, rows[area])).collect();
    assert_eq!(tiles.len(), 124);
}

#[test]
fn text_is_escaped() {
    let element = Element::new("run")
        .attr("caption", "\"<1>\" & 'more'")
        .text("< 18 & <b>");
    let text = String::from_utf8(element.document().unwrap()).unwrap();
    let document = Document::parse(&text).unwrap();
    assert_eq!(document.root_element().attribute("caption"), Some("\"<1>\" & 'more'"));
    assert_eq!(document.root_element().text(), Some("< 18 & <b>"));
}
