//! What is published: the files of a day, and the files of the site around them.

use anyhow::{Context, Result};
use chrono::{Datelike, NaiveDate, SecondsFormat};
use serde::Serialize;

use super::{
    all_time::AllTime,
    chart::whole,
    html::{self, Figure, Links, Neighbours, TILES},
    pdf,
    period::PeriodEntry,
    quality::{self, Level},
    table::tables,
    training::Training,
};
use crate::{
    domain::{
        artifact::{Artifact, media_type_of},
        report::{DailyReport, HeadlineKey},
        window::Period,
    },
    template::{
        Templates, assets, format,
        words::{self, Base},
    },
};

/// Days in the feed.
const FEED_DAYS: usize = 30;

/// What a feed without entries was changed at last.
const NEVER: &str = "1970-01-01T00:00:00Z";

/// Months of the index that are unfolded.
const OPEN_MONTHS: usize = 2;

/// What the site is made with.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Its pages' templates.
    pub templates: &'a Templates,
    /// The address where people open it, where that is known.
    pub url: Option<&'a str>,
    /// What those did at Peloton who asked to be shown; without it there is no page of training.
    training: Option<&'a Training>,
}

impl<'a> Site<'a> {
    /// A site made with `templates`, to be opened at `url`.
    #[must_use]
    pub fn new(templates: &'a Templates, url: Option<&'a str>) -> Site<'a> {
        let url = url.map(|url| url.trim_end_matches('/'));
        Site {
            templates,
            url,
            training: None,
        }
    }

    /// The same with a page of training, where there is something for it.
    #[must_use]
    pub fn with_training(self, training: Option<&'a Training>) -> Site<'a> {
        Site { training, ..self }
    }

    /// The address of the page of `day`, as a file that people keep elsewhere names it; without the site's address it is
    /// that of the page beside it.
    fn page_url(&self, day: NaiveDate) -> String {
        let path = "index.html";
        self.url
            .map_or(path.to_owned(), |url| format!("{url}/daily/{day}/{path}"))
    }
}

/// The files of one day, below `daily/<day>/`: the page, the PDF, the report as JSON, a CSV file a table.
///
/// # Errors
/// Something could not be rendered; the message says what.
pub fn daily_artifacts(report: &DailyReport, neighbours: Neighbours, site: Site<'_>) -> Result<Vec<Artifact>> {
    let path = |name: &str| format!("daily/{}/{name}", report.day);
    let artifact = |name: &str, bytes: Vec<u8>| Artifact {
        path: path(name),
        media_type: media_type_of(name),
        bytes,
    };
    let mut artifacts = vec![
        artifact(
            "index.html",
            html::page(report, neighbours, site.templates)?.into_bytes(),
        ),
        artifact("report.pdf", pdf::render(report, &site.page_url(report.day))?),
        artifact("report.json", json(report)?),
    ];
    for table in tables(report) {
        artifacts.push(artifact(&format!("{}.csv", table.name), table.csv().into_bytes()));
    }
    Ok(artifacts)
}

/// The report as JSON: all that its other files say.
///
/// # Errors
/// It could not be written as JSON.
pub fn json(report: &DailyReport) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(&public(report)).context("failed to write the report as JSON")?;
    json.push(b'\n');
    Ok(json)
}

/// The report without the names of towns that have too few riders to be shown.
fn public(report: &DailyReport) -> DailyReport {
    let mut public = report.clone();
    public.breakdowns.by_city.retain(|group| !group.is_suppressed);
    public
}

/// A day as the index lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayEntry {
    /// The day.
    pub day: NaiveDate,
    rides: i64,
    rides_shown: String,
    change: String,
    riders: String,
    duration: String,
    power: String,
    level: &'static str,
    is_restated: bool,
    /// What the day is looked for by, in small letters: `2026-11-21 saturday 21 november 2026`.
    sought_by: String,
    /// The summary in words.
    summary: String,
    /// When the day was over, or sealed again with something else.
    updated: String,
}

impl DayEntry {
    /// The entry of `report`.
    #[must_use]
    pub fn of(report: &DailyReport) -> DayEntry {
        let figure = |key| {
            report.headline(key).map_or(format::NOTHING.to_owned(), |headline| {
                words::figure(key, headline.value)
            })
        };
        let change = report
            .headline(HeadlineKey::Rides)
            .and_then(|rides| words::change(rides, Base::DayBefore, report.day))
            .map(|change| {
                change
                    .replace(" on the day before", "")
                    .replace("as the day before", "same")
            });
        let level = if report.quality.has_many_alerts {
            Level::Alert
        } else {
            quality::data_level(report)
        };
        DayEntry {
            day: report.day,
            rides: report.rides(),
            rides_shown: format::count(whole(report.rides())),
            change: change.unwrap_or_default(),
            riders: figure(HeadlineKey::Riders),
            duration: figure(HeadlineKey::DurationSeconds),
            power: figure(HeadlineKey::PowerWattsMean),
            level: level.key(),
            is_restated: report.seal_count > 1,
            sought_by: format!("{} {}", report.day, format::date_long(report.day)).to_lowercase(),
            summary: words::summary(report).join(" "),
            updated: report
                .restatement
                .as_ref()
                .map_or(report.ends_at, |restatement| restatement.restated_at)
                .to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

/// All days that have a report.
#[derive(Debug, Default)]
pub struct Reported {
    entries: Vec<DayEntry>,
    latest: Option<DailyReport>,
    all_time: AllTime,
}

impl Reported {
    /// Adds a day; they come oldest first.
    pub fn add(&mut self, report: DailyReport) {
        self.entries.push(DayEntry::of(&report));
        self.all_time.add(&report);
        self.latest = Some(report);
    }
}

/// A row of the index: a day, with a report or without.
#[derive(Debug, Serialize)]
struct Row<'a> {
    day: NaiveDate,
    entry: Option<&'a DayEntry>,
    /// Rides as a share of the index's busiest day, in per cent.
    bar: f64,
}

#[derive(Debug, Serialize)]
struct Month<'a> {
    first: NaiveDate,
    rides: i64,
    is_open: bool,
    rows: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Latest<'a> {
    report: &'a DailyReport,
    sentences: Vec<String>,
    tiles: Vec<Figure>,
}

/// What `feed.xml` is made of.
#[derive(Debug, Serialize)]
struct Feed<'a> {
    /// Newest first.
    entries: Vec<&'a DayEntry>,
    /// The newest change of all.
    updated: &'a str,
    /// Ends in a slash; empty where the site has no address that is known.
    base: String,
}

/// What `sitemap.xml` is made of.
#[derive(Debug, Serialize)]
struct Sitemap<'a> {
    base: String,
    days: &'a [DayEntry],
    periods: &'a [PeriodEntry],
}

#[derive(Debug, Serialize)]
struct IndexPage<'a> {
    links: Links,
    /// The script that finds days.
    find: String,
    latest: Option<Latest<'a>>,
    has_training: bool,
    /// Reports of weeks and of months, where there are some.
    periods: Vec<Periods<'a>>,
    months: Vec<Month<'a>>,
    day_count: usize,
}

/// The reports of one length, newest first.
#[derive(Debug, Serialize)]
struct Periods<'a> {
    name: &'static str,
    one: &'static str,
    entries: Vec<&'a PeriodEntry>,
}

/// What of `static/` the site's pages ask for; the rest is the server's own.
fn is_of_the_site(asset: &str) -> bool {
    matches!(asset, "site.css" | "icon.svg" | "find.js") || asset.starts_with("fonts/")
}

/// The files that pages load, under names that tell their contents.
pub fn static_artifacts() -> impl Iterator<Item = Artifact> {
    let of_the_site = assets::all().iter().filter(|asset| is_of_the_site(&asset.name));
    of_the_site.map(|asset| Artifact {
        path: format!("static/{}", asset.hashed_name),
        media_type: media_type_of(&asset.name),
        bytes: asset.bytes.clone(),
    })
}

/// The files around the days: the index, the page of all time, the feed, the style sheet and what it needs, and, where the
/// site's address is known, a map for search engines: that must spell addresses out. `periods` are the weeks and months that
/// have a report.
///
/// # Errors
/// One of them could not be rendered; the message says which, and why.
pub fn site_artifacts(days: &Reported, periods: &[PeriodEntry], site: Site<'_>) -> Result<Vec<Artifact>> {
    let templates = site.templates;
    let Reported {
        entries,
        latest,
        all_time,
    } = days;
    let mut artifacts: Vec<Artifact> = static_artifacts().collect();
    let page = IndexPage {
        links: Links::from(""),
        find: format!("static/{}", assets::hashed_name("find.js")),
        latest: latest.as_ref().map(latest_card).transpose()?,
        has_training: site.training.is_some(),
        periods: by_length(periods),
        months: months(entries),
        day_count: entries.len(),
    };
    let html = templates
        .render("report/index.html", &page)
        .context("failed to render the site's index")?;
    artifacts.push(Artifact::text("index.html", media_type_of("index.html"), html));
    let all_time = all_time.page(templates)?;
    artifacts.push(Artifact::text(
        "all-time/index.html",
        media_type_of("index.html"),
        all_time,
    ));
    if let Some(training) = site.training {
        artifacts.extend(training.artifacts(templates)?);
    }

    let base = site.url.map(|url| format!("{url}/"));
    let newest = entries.iter().rev().take(FEED_DAYS).collect();
    let feed = Feed {
        entries: newest,
        updated: entries
            .iter()
            .map(|entry| entry.updated.as_str())
            .max()
            .unwrap_or(NEVER),
        base: base.clone().unwrap_or_default(),
    };
    let feed = templates
        .render("report/feed.xml", &feed)
        .context("failed to render the site's feed")?;
    artifacts.push(Artifact::text("feed.xml", media_type_of("feed.xml"), feed));
    if let Some(base) = base {
        let days = entries;
        let map = templates
            .render("report/sitemap.xml", &Sitemap { base, days, periods })
            .context("failed to render the site's map")?;
        artifacts.push(Artifact::text("sitemap.xml", media_type_of("sitemap.xml"), map));
    }
    Ok(artifacts)
}

fn latest_card(report: &DailyReport) -> Result<Latest<'_>> {
    let tiles = TILES.iter().filter_map(|key| report.headline(*key));
    Ok(Latest {
        report,
        sentences: words::summary(report),
        tiles: tiles
            .map(|headline| html::figure(headline, report.day))
            .collect::<Result<_>>()?,
    })
}

/// Weeks and months, newest first.
fn by_length(entries: &[PeriodEntry]) -> Vec<Periods<'_>> {
    let of = |name, one, period| {
        let own = entries.iter().filter(|entry| entry.window.period() == Some(period));
        let mut entries: Vec<_> = own.collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.window));
        Periods { name, one, entries }
    };
    let both = [of("Weeks", "Week", Period::Week), of("Months", "Month", Period::Month)].into_iter();
    both.filter(|periods| !periods.entries.is_empty()).collect()
}

/// Every day from the newest to the oldest, by month; a day without a report is listed as such.
fn months(entries: &[DayEntry]) -> Vec<Month<'_>> {
    let mut sorted: Vec<&DayEntry> = entries.iter().collect();
    sorted.sort_by_key(|entry| std::cmp::Reverse(entry.day));
    let busiest = sorted.iter().map(|entry| entry.rides).max().unwrap_or(0).max(1);
    let mut months: Vec<Month<'_>> = Vec::new();
    let mut expected: Option<NaiveDate> = None;
    for entry in sorted {
        while let Some(day) = expected.filter(|day| *day > entry.day) {
            push(
                &mut months,
                Row {
                    day,
                    entry: None,
                    bar: 0.0,
                },
            );
            expected = Some(day - chrono::Days::new(1));
        }
        let bar = (whole(entry.rides) / whole(busiest) * 1000.0).round() / 10.0;
        push(
            &mut months,
            Row {
                day: entry.day,
                entry: Some(entry),
                bar,
            },
        );
        expected = Some(entry.day - chrono::Days::new(1));
    }
    months
}

fn push<'a>(months: &mut Vec<Month<'a>>, row: Row<'a>) {
    let first = row.day.with_day(1).unwrap_or(row.day);
    if months.last().is_none_or(|month| month.first != first) {
        let is_open = months.len() < OPEN_MONTHS;
        months.push(Month {
            first,
            rides: 0,
            is_open,
            rows: Vec::new(),
        });
    }
    if let Some(month) = months.last_mut() {
        month.rides += row.entry.map_or(0, |entry| entry.rides);
        month.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::sample;

    fn templates() -> Templates {
        Templates::load(None).unwrap()
    }

    fn named<'a>(artifacts: &'a [Artifact], path: &str) -> &'a Artifact {
        artifacts
            .iter()
            .find(|artifact| artifact.path == path)
            .unwrap_or_else(|| panic!("no `{path}`"))
    }

    fn text(artifact: &Artifact) -> &str {
        std::str::from_utf8(&artifact.bytes).unwrap()
    }

    #[test]
    fn a_day_is_a_page_a_pdf_its_json_and_a_csv_file_a_table() {
        let report = sample::ordinary();
        let artifacts = daily_artifacts(&report, Neighbours::default(), Site::new(&templates(), None)).unwrap();
        let json = named(&artifacts, "daily/2025-03-04/report.json");
        let read: DailyReport = serde_json::from_slice(&json.bytes).unwrap();
        assert_eq!((read.day, read.rides()), (report.day, 3_412));
        assert_eq!(read.rides_per_hour, report.rides_per_hour);
        assert_eq!(read.breakdowns.by_city, report.breakdowns.by_city);
        let page = text(named(&artifacts, "daily/2025-03-04/index.html"));
        // Every file beside the page is linked from it, and everything it links to beside it exists.
        for artifact in artifacts
            .iter()
            .filter(|artifact| !artifact.path.ends_with("index.html"))
        {
            let name = artifact.path.rsplit('/').next().unwrap();
            assert!(page.contains(&format!("href=\"{name}\"")), "{name} is not linked");
        }
        let csv = text(named(&artifacts, "daily/2025-03-04/rides-per-hour.csv"));
        assert!(
            csv.starts_with("starts_at,rides,usual_rides\r\n2025-03-04T00:00:00+00:00,12,13.8"),
            "{csv}"
        );
        assert_eq!(csv.lines().count(), 25);
        let csv = text(named(&artifacts, "daily/2025-03-04/headlines.csv"));
        assert!(csv.contains("\r\nrides,3412,"), "{csv}");
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        let render = || {
            daily_artifacts(
                &sample::ordinary(),
                Neighbours::default(),
                Site::new(&templates(), None),
            )
            .unwrap()
        };
        let (first, second) = (render(), render());
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first.path, second.path);
            assert!(first.bytes == second.bytes, "{} differs", first.path);
        }
    }

    fn site_of(days: impl IntoIterator<Item = DailyReport>, site_url: Option<&str>) -> Vec<Artifact> {
        let mut all = Reported::default();
        days.into_iter().for_each(|day| all.add(day));
        site_artifacts(&all, &[], Site::new(&templates(), site_url)).unwrap()
    }

    #[test]
    fn suppressed_groups_have_no_figures_in_any_file() {
        let mut report = sample::ordinary();
        report.breakdowns.by_gender[2] = sample::suppressed("other");
        report.breakdowns.by_gender[3] = sample::suppressed("unknown");
        report.breakdowns.by_city[9] = sample::suppressed("Little Snoring");
        let artifacts = daily_artifacts(&report, Neighbours::default(), Site::new(&templates(), None)).unwrap();
        let csv = text(named(&artifacts, "daily/2025-03-04/gender.csv"));
        assert!(csv.contains("\r\nother,,,,,true\r\n"), "{csv}");
        for artifact in &artifacts {
            // The PDF's text is compressed: its test is in `pdf`.
            let text = String::from_utf8_lossy(&artifact.bytes);
            assert!(
                !text.contains("Little Snoring"),
                "{} names a town of few riders",
                artifact.path
            );
        }
    }

    #[test]
    fn the_index_lists_every_day_newest_first_and_the_missing_ones() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let artifacts = site_of(
            ["2025-02-27", "2025-03-01", "2025-03-02", "2025-03-04"].map(|text| sample::on(day(text))),
            None,
        );
        let html = text(named(&artifacts, "index.html"));
        let places: Vec<usize> = ["2025-03-04", "2025-03-02", "2025-03-01", "2025-02-27"]
            .iter()
            .map(|day| {
                html.find(&format!(
                    "<a href=\"daily/{day}/index.html\">{}",
                    format::date_medium(day.parse().unwrap())
                ))
                .unwrap()
            })
            .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(html.matches("no report").count(), 2, "3 March and 28 February");
        assert!(html.contains("March 2025") && html.contains("February 2025"));
    }

    #[test]
    fn weeks_and_months_are_listed_above_the_days() {
        let periods: Vec<_> = sample::periods().iter().map(PeriodEntry::of).collect();
        let mut days = Reported::default();
        days.add(sample::ordinary());
        let artifacts = site_artifacts(&days, &periods, Site::new(&templates(), None)).unwrap();
        let html = text(named(&artifacts, "index.html"));
        let places = [
            "weekly/2025-W10/index.html",
            "monthly/2025-02/index.html",
            "daily/2025-03-04/index.html",
        ]
        .map(|path| html.rfind(path).unwrap_or_else(|| panic!("`{path}` is not linked")));
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn an_empty_site_still_opens() {
        let artifacts = site_of([], None);
        assert!(text(named(&artifacts, "index.html")).contains("No report yet"));
        assert!(text(named(&artifacts, "feed.xml")).contains("<updated>1970"));
    }

    #[test]
    fn the_feed_and_the_map_name_each_page_once() {
        let days = || [1, 2, 3].map(|day| sample::on(NaiveDate::from_ymd_opt(2025, 3, day).unwrap()));
        let mut restated = sample::ordinary();
        restated.headlines[0].value = Some(1.0);
        let artifacts = site_of(
            days().into_iter().chain([restated]),
            Some("https://reports.example/all/"),
        );
        let feed = text(named(&artifacts, "feed.xml"));
        let order: Vec<_> = feed
            .match_indices("<title>")
            .map(|(at, _)| &feed[at + 7..at + 14])
            .collect();
        assert_eq!(order, ["Deloton", "Tuesday", "Monday ", "Sunday ", "Saturda"]);
        assert!(feed.contains("<title>Tuesday 4 March 2025: 1 ride</title>"), "{feed}");
        assert!(feed.contains(r#"href="https://reports.example/all/daily/2025-03-04/index.html""#));
        let map = text(named(&artifacts, "sitemap.xml"));
        assert_eq!(map.matches("<loc>https://reports.example/all/").count(), 6);
        // Addresses that are not known are relative in a feed, and a map needs them whole.
        let artifacts = site_of(days(), None);
        assert!(text(named(&artifacts, "feed.xml")).contains(r#"href="daily/2025-03-03/index.html""#));
        assert!(artifacts.iter().all(|artifact| artifact.path != "sitemap.xml"));
    }

    #[test]
    fn every_static_file_a_page_asks_for_is_published_under_its_hash() {
        let artifacts = site_of([sample::ordinary()], None);
        let paths: BTreeSet<&str> = artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
        let html = text(named(&artifacts, "index.html"));
        let asked: Vec<&str> = html
            .split("\"static/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert!(asked.len() >= 2, "{asked:?}");
        for name in asked {
            assert!(paths.contains(format!("static/{name}").as_str()), "{name}");
        }
        let fonts = paths.iter().filter(|path| path.starts_with("static/fonts/")).count();
        let statics = paths.iter().filter(|path| path.starts_with("static/")).count();
        assert_eq!(statics, fonts + 3, "nothing of the server's own: {paths:?}");
    }
}
