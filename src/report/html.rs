//! The page of one day.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::Serialize;

use super::{
    chart::{Chart, Charted, sparkline},
    quality::{self, Check},
    table::{Table, tables},
};
use crate::{
    domain::report::{DailyReport, Headline, HeadlineKey},
    template::{
        Templates, assets, format,
        words::{self, Base},
    },
};

/// Charts across two thirds of the page, in CSS pixels: fits the column at 1120.
pub(super) const WIDE: (u32, u32) = (686, 280);
/// Charts across half of the page.
const HALF: (u32, u32) = (500, 264);
/// The map: as high as two others, and narrow enough for a phone. There it is the same drawing.
const MAP: (u32, u32) = (344, 640);
/// Cards of half the page, in the order they are read.
const CARDS: [Chart; 7] = [
    Chart::Gender,
    Chart::Ages,
    Chart::Power,
    Chart::HeartRate,
    Chart::Areas,
    Chart::Zones,
    Chart::Channels,
];
/// Charts on a phone of 360 pixels, within its margins.
pub(super) const PHONE: (u32, u32) = (296, 232);

/// The figures that open the page as tiles; the others follow in a list.
pub(super) const TILES: [HeadlineKey; 4] = [
    HeadlineKey::Rides,
    HeadlineKey::Riders,
    HeadlineKey::DurationSeconds,
    HeadlineKey::PowerWattsMean,
];

/// The days with a report beside this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// The newest report before.
    pub previous: Option<NaiveDate>,
    /// The oldest report after.
    pub next: Option<NaiveDate>,
}

/// What every page of the site gives `base.html`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Links {
    /// Way back to the site's root: empty there, else ending in a slash.
    root: &'static str,
    css: String,
    icon: String,
    home: String,
}

impl Links {
    pub(super) fn from(root: &'static str) -> Links {
        let asset = |name: &str| format!("{root}static/{}", assets::hashed_name(name));
        Links {
            root,
            css: asset("site.css"),
            icon: asset("icon.svg"),
            home: format!("{root}index.html"),
        }
    }
}

/// A headline as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    pub(super) label: &'static str,
    pub(super) value: String,
    /// Changes, each naming its base.
    pub(super) changes: Vec<String>,
    /// What is usual and its band, e.g. `3,046 (2,810–3,290)`.
    pub(super) usual: Option<String>,
    pub(super) spark: String,
}

/// A chart with its table, as pages show it.
#[derive(Debug, Serialize)]
pub(super) struct ChartView {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) subtitle: String,
    pub(super) wide: String,
    /// Drawn anew for a phone; none where one drawing does for both.
    pub(super) phone: Option<String>,
    pub(super) table: Table,
}

#[derive(Debug, Serialize)]
struct DayPage<'a> {
    links: Links,
    report: &'a DailyReport,
    sentences: Vec<String>,
    /// What is unlike other days about this one: a clock change, a restatement.
    notes: Vec<String>,
    data_level: &'static str,
    tiles: Vec<Figure>,
    figures: Vec<Figure>,
    days: ChartView,
    hours: ChartView,
    charts: Vec<ChartView>,
    cities: Table,
    has_cities: bool,
    comparisons: Table,
    checks: Vec<Check>,
    reconciliation: String,
    previous: Option<NaiveDate>,
    next: Option<NaiveDate>,
}

/// The page `daily/<day>/index.html`.
///
/// # Errors
/// A chart could not be drawn, or the template does not fit; the message says which.
pub fn page(report: &DailyReport, neighbours: Neighbours, templates: &Templates) -> Result<String> {
    let figure = |key: &HeadlineKey| report.headline(*key).map(|headline| figure(headline, report.day));
    let others = report
        .headlines
        .iter()
        .map(|headline| headline.key)
        .filter(|key| !TILES.contains(key));
    let (of, tables) = (Charted::from(report), tables(report));
    let cities = table_named("city", &tables);
    let view = DayPage {
        links: Links::from("../../"),
        report,
        sentences: words::summary(report),
        notes: notes(report),
        data_level: quality::data_level(report).key(),
        tiles: TILES.iter().filter_map(figure).collect::<Result<_>>()?,
        figures: others.filter_map(|key| figure(&key)).collect::<Result<_>>()?,
        days: chart(Chart::Days, &of, &tables, WIDE)?,
        hours: chart(Chart::Hours, &of, &tables, WIDE)?,
        charts: cards(&of, &tables)?,
        has_cities: !cities.rows.is_empty(),
        cities,
        comparisons: table_named("headlines", &tables),
        checks: quality::checks(report),
        reconciliation: quality::reconciliation(&report.quality),
        previous: neighbours.previous,
        next: neighbours.next,
    };
    templates
        .render("report/daily.html", &view)
        .with_context(|| format!("failed to render the page of {}", report.day))
}

/// A headline with its changes and its sparkline.
pub(super) fn figure(headline: &Headline, day: NaiveDate) -> Result<Figure> {
    let bases = [Base::DayBefore, Base::WeekBefore];
    let usual = words::usual(headline).map(|usual| {
        let mean = words::figure_short(headline.key, Some(usual.mean));
        format!("{mean} ({})", usual_band(headline.key, usual))
    });
    Ok(Figure {
        label: words::label(headline.key),
        value: words::figure_short(headline.key, headline.value),
        changes: bases
            .into_iter()
            .filter_map(|base| words::change(headline, base, day))
            .collect(),
        usual,
        spark: sparkline(&headline.last_28_days, 96, 24)?,
    })
}

fn usual_band(key: HeadlineKey, usual: words::Usual) -> String {
    let (low, high) = (
        words::figure_short(key, Some(usual.low)),
        words::figure_short(key, Some(usual.high)),
    );
    // One unit is enough: `180–192 W`.
    match (low.split_once(format::THIN), high.split_once(format::THIN)) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

/// What is unlike other days about this one.
pub(super) fn notes(report: &DailyReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.hours_in_day != 24 {
        let change = if report.hours_in_day > 24 { "back" } else { "forward" };
        notes.push(format!(
            "This day had {} hours: the clocks went {change}.",
            report.hours_in_day
        ));
    }
    notes.extend(words::restated(report));
    notes
}

/// The charts of who rode and how.
pub(super) fn cards(of: &Charted<'_>, tables: &[Table]) -> Result<Vec<ChartView>> {
    let size = |kind| if kind == Chart::Areas { MAP } else { HALF };
    CARDS
        .into_iter()
        .map(|kind| chart(kind, of, tables, size(kind)))
        .collect()
}

/// A chart, and the one of its name among the `tables`.
pub(super) fn chart(kind: Chart, of: &Charted<'_>, tables: &[Table], (width, height): (u32, u32)) -> Result<ChartView> {
    let name = kind.name();
    // Bands and areas on a phone need the height, not the width.
    let phone = match kind {
        Chart::Ages => (PHONE.0, 288),
        _ => PHONE,
    };
    Ok(ChartView {
        name,
        title: kind.title(),
        subtitle: kind.subtitle(*of),
        wide: kind.svg(*of, name, width, height)?,
        phone: match kind {
            Chart::Areas => None,
            _ => Some(kind.svg(*of, &format!("{name}-phone"), phone.0, phone.1)?),
        },
        table: table_named(name, tables),
    })
}

fn table_named(name: &str, tables: &[Table]) -> Table {
    let table = tables.iter().find(|table| table.name == name);
    table.expect("every chart has a table of its name").clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rendered(report: &DailyReport) -> String {
        page(report, Neighbours::default(), &Templates::load(None).unwrap()).unwrap()
    }

    /// The page's text without its elements, as a reader goes through it; narrow spaces written as `_`.
    fn text(html: &str) -> String {
        let mut out = String::new();
        let mut rest = html;
        while let Some((before, after)) = rest.split_once('<') {
            out += before;
            out.push(' ');
            rest = after.split_once('>').map_or("", |(_, rest)| rest);
        }
        (out + rest)
            .replace(format::THIN, "_")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_page_opens_with_the_days_figures_and_what_they_are_compared_with() {
        let text = text(&rendered(&sample::ordinary()));
        for expected in [
            "Tuesday 4 March 2025",
            "Rides were high: 3,412,",
            "above the usual",
            "3,412",
            "2,871",
            "1,753_h",
            "187_W",
            "on the day before",
            "last week",
            "142_bpm",
            "1,066_MJ",
            "2_h_34_min",
            "1,204_W",
        ] {
            assert!(text.contains(expected), "`{expected}` is not in: {text}");
        }
    }

    #[test]
    fn no_page_shows_a_number_that_is_none() {
        let reports = [
            sample::ordinary(),
            sample::empty(),
            sample::one_ride(),
            sample::long_day(),
            sample::short_day(),
        ];
        for report in reports {
            let html = rendered(&report);
            for wrong in ["NaN", "inf", "null", "None", "undefined", "-0"] {
                let found = text(&html).split(' ').any(|word| word == wrong);
                assert!(!found, "{}: {wrong}", report.day);
            }
            assert!(!html.contains("NaN"), "{}", report.day);
            assert!(html.len() < 150_000, "{} bytes", html.len());
        }
    }

    #[test]
    fn an_empty_day_says_so_and_keeps_its_charts() {
        let text = text(&rendered(&sample::empty()));
        assert!(
            text.contains("No rides were recorded on Tuesday 4 March 2025."),
            "{text}"
        );
        assert!(text.contains("No rides on this day"), "{text}");
    }

    #[test]
    fn a_first_day_is_not_compared_and_small_groups_are_not_shown() {
        let text = text(&rendered(&sample::one_ride()));
        assert!(
            text.contains("One ride was recorded; there are no earlier days to compare with."),
            "{text}"
        );
        assert!(text.contains("not shown"), "{text}");
        assert!(!text.contains('▲') && !text.contains('▼'), "{text}");
    }

    #[test]
    fn days_of_23_and_25_hours_show_every_hour() {
        let long = rendered(&sample::long_day());
        assert!(text(&long).contains("This day had 25 hours: the clocks went back."));
        assert_eq!(long.matches("<th scope=\"row\">01:00</th>").count(), 2);
        let short = rendered(&sample::short_day());
        assert!(text(&short).contains("This day had 23 hours: the clocks went forward."));
        assert_eq!(short.matches("<th scope=\"row\">01:00</th>").count(), 0);
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let mut report = sample::ordinary();
        report.breakdowns.by_city[0].name = "<img src=x onerror=alert(1)>".to_owned();
        report.breakdowns.by_age_band[0].name = "\"><script>alert(2)</script>".to_owned();
        report.breakdowns.by_gender[2].name = "</title><script>alert(3)</script>".to_owned();
        let html = rendered(&report);
        assert!(
            !html.contains("<img") && !html.contains("<script"),
            "an element came through"
        );
        assert!(html.contains("&lt;img"));
    }

    #[test]
    fn nothing_is_asked_of_another_host_and_links_spell_their_page() {
        let neighbours = Neighbours {
            previous: NaiveDate::from_ymd_opt(2025, 3, 3),
            next: NaiveDate::from_ymd_opt(2025, 3, 5),
        };
        let html = page(&sample::ordinary(), neighbours, &Templates::load(None).unwrap()).unwrap();
        let links: Vec<&str> = html
            .split(" href=\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"'))
            .map(|(link, _)| link)
            .collect();
        assert!(links.contains(&"../2025-03-03/index.html") && links.contains(&"../2025-03-05/index.html"));
        for link in links {
            assert!(!link.contains("//") && !link.starts_with('/'), "{link}");
            let file = link.split('#').next().unwrap();
            assert!(file.is_empty() || file.contains('.') && !file.ends_with('/'), "{link}");
        }
        assert!(!html.contains(" src=\"http") && !html.contains("url(http"));
    }

    #[test]
    fn the_same_report_gives_the_same_page() {
        assert_eq!(rendered(&sample::ordinary()), rendered(&sample::ordinary()));
    }
}
