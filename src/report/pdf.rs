//! The report as a PDF: two A4 pages of real text and vector charts, the same figures as the page.

use anyhow::{Result, anyhow};
use lopdf::{Document, Object, Stream};
use printpdf::{
    Actions, BorderArray, Line, LinePoint, LinkAnnotation, Mm, OffsetDateTime, Op, PaintMode, PdfDocument, PdfFont,
    PdfPage, PdfSaveOptions, Polygon, PolygonRing, Pt, Rect,
};
use sha2::{Digest, Sha256};

use super::{
    chart::{
        Chart,
        pdf_backend::{self, point, write_text},
    },
    font::{self, Weight},
    html::{self, TILES},
    quality::{self, Level},
    table::{Table, tables},
};
use crate::{
    domain::{artifact::hex, report::DailyReport},
    template::{format, words},
};

const PAGE_WIDTH: f64 = 595.276;
const PAGE_HEIGHT: f64 = 841.89;
/// 15 mm.
const MARGIN: f64 = 42.52;
const LIVE: f64 = PAGE_WIDTH - 2.0 * MARGIN;
const GUTTER: f64 = 18.0;
const HALF: f64 = (LIVE - GUTTER) / 2.0;

type Ink = (u8, u8, u8);
const TEXT: Ink = (0x14, 0x18, 0x1F);
const MUTED: Ink = (0x56, 0x60, 0x70);
const RULE: Ink = (0xD9, 0xDE, 0xE5);
const ACCENT: Ink = (0x0B, 0x6E, 0x75);
const OK: Ink = (0x1B, 0x70, 0x44);
const WARN: Ink = (0x87, 0x53, 0x00);
const ALERT: Ink = (0xB3, 0x26, 0x1E);

/// A page being written, from the top down.
struct Sheet {
    ops: Vec<Op>,
    /// Points from the page's bottom to what was written last.
    y: f64,
}

impl Sheet {
    fn new() -> Sheet {
        Sheet {
            ops: Vec::new(),
            y: PAGE_HEIGHT - MARGIN,
        }
    }

    /// Text whose baseline begins at `x`, `down` points below [`Sheet::y`].
    fn text(&mut self, x: f64, down: f64, text: &str, weight: Weight, size: f64, (r, g, b): Ink) {
        write_text(
            &mut self.ops,
            x,
            self.y - down,
            text,
            weight,
            size,
            pdf_backend::rgb(r, g, b),
        );
    }

    /// Text that ends at `x`.
    fn text_to(&mut self, x: f64, down: f64, text: &str, weight: Weight, size: f64, ink: Ink) {
        let start = x - font::width(&font::showable(text), weight, size);
        self.text(start, down, text, weight, size, ink);
    }

    /// Text that leads to `url`.
    fn link(&mut self, x: f64, down: f64, text: &str, size: f64, url: &str) {
        let width = font::width(text, Weight::Regular, size);
        self.text(x, down, text, Weight::Regular, size, ACCENT);
        let (corner, extent) = (point(x, self.y - down - 0.4 * size), point(width, 1.4 * size));
        let area = Rect::from_xywh(corner.x, corner.y, extent.x, extent.y);
        let border = Some(BorderArray::Solid([0.0; 3]));
        let link = LinkAnnotation::new(area, Actions::Uri(url.to_owned()), border, None, None);
        self.ops.push(Op::LinkAnnotation { link });
    }

    fn rule(&mut self, x: f64, down: f64, width: f64) {
        let (r, g, b) = RULE;
        let points = [x, x + width]
            .map(|x| LinePoint {
                p: point(x, self.y - down),
                bezier: false,
            })
            .to_vec();
        self.ops.extend([
            Op::SetOutlineColor {
                col: pdf_backend::rgb(r, g, b),
            },
            Op::SetOutlineThickness { pt: Pt(0.75) },
            Op::DrawLine {
                line: Line {
                    points,
                    is_closed: false,
                },
            },
        ]);
    }

    fn frame(&mut self, x: f64, width: f64, height: f64) {
        let (r, g, b) = RULE;
        let corners = [(x, 0.0), (x + width, 0.0), (x + width, height), (x, height)];
        let points = corners
            .map(|(x, down)| LinePoint {
                p: point(x, self.y - down),
                bezier: false,
            })
            .to_vec();
        let polygon = Polygon {
            rings: vec![PolygonRing { points }],
            mode: PaintMode::Stroke,
            ..Polygon::default()
        };
        self.ops.extend([
            Op::SetOutlineColor {
                col: pdf_backend::rgb(r, g, b),
            },
            Op::SetOutlineThickness { pt: Pt(0.75) },
            Op::DrawPolygon { polygon },
        ]);
    }

    /// A chart under its title and subtitle, its top left corner at `x`; moves nothing.
    fn chart(&mut self, kind: Chart, report: &DailyReport, x: f64, size: (u32, u32)) -> Result<()> {
        let width = f64::from(size.0);
        self.text(x, 12.0, kind.title(), Weight::SemiBold, 12.0, TEXT);
        let subtitle = font::fitted(&kind.subtitle(report), Weight::Regular, 8.0, width);
        self.text(x, 23.0, &subtitle, Weight::Regular, 8.0, MUTED);
        kind.pdf(report, &mut self.ops, x, self.y - CHART_HEAD, size)
    }
}

/// Whole points of a length.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few hundred points, never negative"
)]
fn points(length: f64) -> u32 {
    length.max(0.0) as u32
}

/// Nothing but the footer is below this, points from the page's bottom.
const FOOT: f64 = MARGIN + 14.0;
/// Height of a chart's title and subtitle.
const CHART_HEAD: f64 = 32.0;

/// The report of one day as a PDF file, whose pages link to `page_url`.
///
/// # Errors
/// A chart could not be drawn, or the document could not be written.
pub fn render(report: &DailyReport, page_url: &str) -> Result<Vec<u8>> {
    let sheets = [first_page(report)?, second_page(report)?];
    let count = sheets.len();
    let pages = sheets.into_iter().enumerate().map(|(place, mut sheet)| {
        footer(&mut sheet, report, page_url, place + 1, count);
        PdfPage::new(Mm(210.0), Mm(297.0), sheet.ops)
    });
    let pages: Vec<PdfPage> = pages.collect();

    let title = format!("Deloton daily report, {}", format::date_long(report.day));
    let mut document = PdfDocument::new(&title);
    for weight in [Weight::Regular, Weight::SemiBold] {
        let font = PdfFont::new(weight.face().clone());
        document.resources.fonts.map.insert(pdf_backend::font_id(weight), font);
    }
    // The day's end, not the time of rendering: the same report is the same file.
    let date = OffsetDateTime::from_unix_timestamp(report.ends_at.timestamp())
        .map_err(|error| anyhow!("the end of {} is no date for a PDF: {error}", report.day))?;
    let info = &mut document.metadata.info;
    info.author = "Deloton".to_owned();
    info.creator = "Deloton".to_owned();
    info.producer = "Deloton".to_owned();
    info.subject = words::summary(report).join(" ");
    (info.creation_date, info.modification_date, info.metadata_date) = (date, date, date);
    document.with_pages(pages);
    finish(&document)
}

/// Writes the document, with the language that printpdf knows nothing of and an id from the content where printpdf
/// would draw a random one.
fn finish(document: &PdfDocument) -> Result<Vec<u8>> {
    let mut warnings = Vec::new();
    let options = PdfSaveOptions {
        optimize: false, // it is compressed below
        ..PdfSaveOptions::default()
    };
    let mut file = printpdf::to_lopdf_doc(document, &options, &mut warnings);
    // Page languages and Unicode text came after the version that printpdf writes.
    file.version = "1.7".to_owned();
    let catalog = file
        .catalog_mut()
        .map_err(|error| anyhow!("the PDF has no catalog: {error}"))?;
    catalog.set("Lang", Object::string_literal("en-GB"));
    let info = file.trailer.get(b"Info").and_then(Object::as_reference);
    let info = info.and_then(|id| file.get_dictionary_mut(id));
    // It is no PDF/X, which is for print shops.
    info.map_err(|error| anyhow!("the PDF has no information: {error}"))?
        .remove(b"GTS_PDFXVersion");
    name_links(&mut file)?;
    let mut hash = Sha256::new();
    for object in file.objects.values() {
        match object {
            Object::Stream(stream) => hash.update(&stream.content),
            object => hash.update(format!("{object:?}")),
        }
    }
    let id = Object::string_literal(hex(&hash.finalize()[..16]));
    file.trailer.set("ID", vec![id.clone(), id]);
    for object in file.objects.values_mut() {
        if let Object::Stream(stream) = object
            && stream.allows_compression
        {
            compress(stream);
        }
    }
    let mut bytes = Vec::new();
    file.save_to(&mut bytes)
        .map_err(|error| anyhow!("failed to write the PDF: {error}"))?;
    Ok(bytes)
}

/// Gives each link a name that its page refers to it by, as the format asks for: printpdf writes them into the page.
fn name_links(file: &mut Document) -> Result<()> {
    for sheet in file.get_pages().into_values() {
        let links = file
            .get_dictionary_mut(sheet)
            .and_then(|sheet| sheet.get_mut(b"Annots"));
        let links = links.and_then(Object::as_array_mut).map(std::mem::take);
        let links = links.map_err(|error| anyhow!("a page of the PDF has no list of links: {error}"))?;
        let names: Vec<Object> = links.into_iter().map(|link| file.add_object(link).into()).collect();
        file.get_dictionary_mut(sheet)
            .map_err(|error| anyhow!("a page of the PDF is none: {error}"))?
            .set("Annots", names);
    }
    Ok(())
}

/// Compresses a stream where that makes it smaller.
fn compress(stream: &mut Stream) {
    let compressed = match font::deflated_face(&stream.content) {
        Some(face) => face.to_vec(),
        None => font::deflated(&stream.content),
    };
    if compressed.len() < stream.content.len() {
        stream.dict.set("Filter", "FlateDecode");
        stream.set_content(compressed);
    }
}

fn footer(sheet: &mut Sheet, report: &DailyReport, page_url: &str, page: usize, of: usize) {
    sheet.y = MARGIN;
    sheet.rule(MARGIN, -4.0, LIVE);
    let left = format!("Deloton daily report · {}", format::date_long(report.day));
    sheet.text(MARGIN, 8.0, &left, Weight::Regular, 8.0, MUTED);
    let end = MARGIN + font::width(&left, Weight::Regular, 8.0);
    sheet.link(end + GUTTER, 8.0, "Open the page, with tables and files", 8.0, page_url);
    sheet.text_to(
        MARGIN + LIVE,
        8.0,
        &format!("page {page} of {of}"),
        Weight::Regular,
        8.0,
        MUTED,
    );
}

fn first_page(report: &DailyReport) -> Result<Sheet> {
    let mut sheet = Sheet::new();
    sheet.text(MARGIN, 12.0, "Deloton", Weight::SemiBold, 12.0, ACCENT);
    let (badge, ink) = match quality::data_level(report) {
        Level::Ok => ("✓ Data complete", OK),
        Level::Warn | Level::Alert => ("! Check the data, page 2", WARN),
    };
    sheet.text_to(MARGIN + LIVE, 12.0, badge, Weight::SemiBold, 9.5, ink);
    sheet.text(
        MARGIN,
        44.0,
        &format::date_long(report.day),
        Weight::SemiBold,
        24.0,
        TEXT,
    );
    sheet.y -= 62.0;

    let sentences = words::summary(report).join(" ");
    for line in wrapped(&sentences, Weight::Regular, 12.0, LIVE) {
        sheet.text(MARGIN, 12.0, &line, Weight::Regular, 12.0, TEXT);
        sheet.y -= 17.0;
    }
    sheet.y -= 4.0;
    let alerts = report.quality.has_many_alerts.then(|| match report.quality.alerts {
        1 => "1 heart-rate alert was raised.".to_owned(),
        alerts => format!("{alerts} heart-rate alerts were raised."),
    });
    let notes = html::notes(report).into_iter().map(|note| (note, MUTED));
    for (note, ink) in alerts.map(|alerts| (alerts, ALERT)).into_iter().chain(notes) {
        for line in wrapped(&note, Weight::Regular, 9.5, LIVE) {
            sheet.text(MARGIN, 10.0, &line, Weight::Regular, 9.5, ink);
            sheet.y -= 13.0;
        }
    }
    sheet.y -= 10.0;

    tiles(&mut sheet, report)?;
    sheet.y -= 22.0;
    // Both charts share what the sentences leave.
    let height = ((sheet.y - FOOT - 22.0) / 2.0 - CHART_HEAD).min(200.0);
    let size = (points(LIVE), points(height));
    sheet.chart(Chart::Days, report, MARGIN, size)?;
    sheet.y -= CHART_HEAD + height + 22.0;
    sheet.chart(Chart::Hours, report, MARGIN, size)?;
    Ok(sheet)
}

/// Four tiles, and the other figures in a row under them.
fn tiles(sheet: &mut Sheet, report: &DailyReport) -> Result<()> {
    const HEIGHT: f64 = 74.0;
    const GAP: f64 = 8.0;
    let width = (LIVE - 3.0 * GAP) / 4.0;
    for (place, key) in (0u8..).zip(TILES) {
        let Some(headline) = report.headline(key) else { continue };
        let figure = html::figure(headline, report.day)?;
        let x = MARGIN + f64::from(place) * (width + GAP);
        sheet.frame(x, width, HEIGHT);
        let inner = width - 14.0;
        sheet.text(x + 7.0, 15.0, figure.label, Weight::Regular, 9.5, MUTED);
        sheet.text(x + 7.0, 38.0, &figure.value, Weight::SemiBold, 18.0, TEXT);
        for (line, change) in (0u8..).zip(&figure.changes) {
            let size = 8.0 * (inner / font::width(change, Weight::Regular, 8.0)).min(1.0);
            sheet.text(
                x + 7.0,
                53.0 + 11.0 * f64::from(line),
                change,
                Weight::Regular,
                size,
                MUTED,
            );
        }
    }
    sheet.y -= HEIGHT + 10.0;
    let others: Vec<_> = report
        .headlines
        .iter()
        .filter(|headline| !TILES.contains(&headline.key))
        .collect();
    let mut x = MARGIN;
    for headline in others {
        let figure = words::figure(headline.key, headline.value);
        sheet.text(x, 8.0, words::label(headline.key), Weight::Regular, 8.0, MUTED);
        sheet.text(x, 22.0, &figure, Weight::SemiBold, 12.0, TEXT);
        let changes = html::figure(headline, report.day)?.changes;
        for (line, change) in (0u8..).zip(&changes) {
            let size = 7.0 * ((LIVE / 5.0 - 6.0) / font::width(change, Weight::Regular, 7.0)).min(1.0);
            sheet.text(x, 33.0 + 9.0 * f64::from(line), change, Weight::Regular, size, MUTED);
        }
        x += LIVE / 5.0;
    }
    sheet.y -= 42.0;
    Ok(())
}

fn second_page(report: &DailyReport) -> Result<Sheet> {
    /// Most towns beside the map.
    const TOWNS: usize = 5;
    let mut sheet = Sheet::new();
    let right = MARGIN + HALF + GUTTER;
    for (left_chart, right_chart, height) in [
        (Chart::Gender, Chart::Ages, 114),
        (Chart::Power, Chart::HeartRate, 90),
        (Chart::Zones, Chart::Channels, 80),
    ] {
        let size = (points(HALF), height);
        sheet.chart(left_chart, report, MARGIN, size)?;
        sheet.chart(right_chart, report, right, size)?;
        sheet.y -= CHART_HEAD + f64::from(size.1) + 16.0;
    }
    let all = tables(report);
    let named = |name: &str| all.iter().find(|table| table.name == name);
    sheet.chart(
        Chart::Areas,
        report,
        MARGIN,
        (points(HALF), points(sheet.y - FOOT - CHART_HEAD)),
    )?;
    if let Some(quality) = named("data-quality") {
        let mut down = table(&mut sheet, "Data quality", quality, &[0, 1, 3], right) + 14.0;
        for line in wrapped(&quality::reconciliation(&report.quality), Weight::Regular, 8.0, HALF) {
            sheet.text(right, down, &line, Weight::Regular, 8.0, MUTED);
            down += 10.0;
        }
        sheet.y -= down + 8.0;
    }
    if let Some(cities) = named("city") {
        let mut cities = cities.clone();
        // The footer stays free, however much the data's quality took.
        let fits = (1..=TOWNS).rev().find(|&rows| sheet.y - table_height(rows) >= FOOT);
        cities.rows.truncate(fits.unwrap_or(0));
        table(&mut sheet, "Towns with most rides", &cities, &[0, 1, 2], right);
    }
    Ok(sheet)
}

/// Height of a row of a table.
const ROW: f64 = 15.0;

/// Height of a table with its title and its head.
fn table_height(rows: usize) -> f64 {
    18.0 + ROW * (1.0 + f64::from(u32::try_from(rows).unwrap_or(u32::MAX)))
}

/// A table of the given columns in half the page's width; moves nothing. Answers its height.
fn table(sheet: &mut Sheet, title: &str, table: &Table, columns: &[usize], x: f64) -> f64 {
    let top = sheet.y;
    sheet.text(x, 12.0, title, Weight::SemiBold, 12.0, TEXT);
    sheet.y -= 18.0;
    // The first column takes what the others leave.
    let numbers = 52.0;
    let edge = |place: usize| x + HALF - numbers * f64::from(u8::try_from(columns.len() - 1 - place).unwrap_or(0));
    for (place, &column) in columns.iter().enumerate() {
        let label = table.columns[column].label;
        if place == 0 {
            sheet.text(x, 11.0, label, Weight::Regular, 8.0, MUTED);
        } else {
            sheet.text_to(edge(place), 11.0, label, Weight::Regular, 8.0, MUTED);
        }
    }
    sheet.y -= ROW;
    for row in &table.rows {
        sheet.rule(x, 0.0, HALF);
        for (place, &column) in columns.iter().enumerate() {
            let shown = &row[column].shown;
            if place == 0 {
                let room = edge(1) - numbers - x;
                let shown = font::fitted(shown, Weight::Regular, 9.5, room + numbers - 40.0);
                sheet.text(x, 11.0, &shown, Weight::Regular, 9.5, TEXT);
            } else {
                sheet.text_to(edge(place), 11.0, shown, Weight::Regular, 9.5, TEXT);
            }
        }
        sheet.y -= ROW;
    }
    if table.rows.is_empty() {
        sheet.text(x, 11.0, "No town with five riders", Weight::Regular, 9.5, MUTED);
    }
    let height = top - sheet.y;
    sheet.y = top;
    height
}

/// `text` in lines no wider than `width`.
fn wrapped(text: &str, weight: Weight, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if font::width(&format!("{line} {word}"), weight, size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const PAGE_URL: &str = "https://reports.example/daily/2025-03-04/index.html";

    fn read(report: &DailyReport) -> (Document, String) {
        let bytes = render(report, PAGE_URL).unwrap();
        assert!(bytes.len() < 200_000, "{} bytes", bytes.len());
        let document = Document::load_mem(&bytes).unwrap();
        let pages: Vec<u32> = document.get_pages().keys().copied().collect();
        let text = document.extract_text(&pages).unwrap();
        (document, text)
    }

    #[test]
    fn the_text_carries_every_headline_as_the_page_writes_it() {
        let report = sample::ordinary();
        let (_, text) = read(&report);
        for headline in &report.headlines {
            let label = words::label(headline.key);
            let figure = if TILES.contains(&headline.key) {
                words::figure_short(headline.key, headline.value)
            } else {
                words::figure(headline.key, headline.value)
            };
            assert!(text.contains(label), "no `{label}` in: {text}");
            assert!(text.contains(&figure), "no `{figure}` for `{label}` in: {text}");
        }
        for expected in [
            "Tuesday 4 March 2025",
            "Rides were high: 3,412,",
            "▲\u{202f}22\u{202f}% on the day before",
        ] {
            assert!(text.contains(expected), "no `{expected}` in: {text}");
        }
    }

    #[test]
    fn days_that_break_reports_are_two_numbered_pages_too() {
        for report in [
            sample::empty(),
            sample::one_ride(),
            sample::long_day(),
            sample::short_day(),
        ] {
            let (document, text) = read(&report);
            assert_eq!(document.get_pages().len(), 2);
            assert!(text.contains("page 1 of 2") && text.contains("page 2 of 2"), "{text}");
            assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        }
        let (_, text) = read(&sample::empty());
        assert!(
            text.contains("No rides were recorded on Tuesday 4 March 2025."),
            "{text}"
        );
    }

    #[test]
    fn each_sheet_leads_to_the_page_where_it_says_so() {
        let (document, text) = read(&sample::ordinary());
        assert_eq!(text.matches("Open the page").count(), 2, "{text}");
        for sheet in document.get_pages().into_values() {
            let links = document.get_page_annotations(sheet).unwrap();
            let [link] = links.as_slice() else { panic!("{links:?}") };
            let action = link.get(b"A").and_then(Object::as_dict).unwrap();
            assert_eq!(action.get(b"URI").unwrap().as_str().unwrap(), PAGE_URL.as_bytes());
            let corners = link.get(b"Rect").and_then(Object::as_array).unwrap();
            let corners: Vec<f32> = corners.iter().map(|corner| corner.as_float().unwrap()).collect();
            let [left, low, right, high] = corners[..] else {
                panic!("{corners:?}")
            };
            // Within the footer, and no more than a line.
            assert!(left > 200.0 && right < 500.0 && left + 80.0 < right, "{corners:?}");
            assert!(low > 20.0 && high < 56.0 && low + 8.0 < high, "{corners:?}");
        }
    }

    #[test]
    fn the_file_says_what_it_is_and_when_its_day_ended() {
        let (document, _) = read(&sample::ordinary());
        assert_eq!(
            document.catalog().unwrap().get(b"Lang").unwrap().as_str().unwrap(),
            b"en-GB"
        );
        let id = document.trailer.get(b"Info").unwrap().as_reference().unwrap();
        let info = document.get_dictionary(id).unwrap();
        let text = |key: &[u8]| lopdf::decode_text_string(info.get(key).unwrap()).unwrap();
        assert_eq!(text(b"Title"), "Deloton daily report, Tuesday 4 March 2025");
        assert_eq!(text(b"Author"), "Deloton");
        assert!(
            text(b"CreationDate").starts_with("D:20250305000000"),
            "{}",
            text(b"CreationDate")
        );
    }

    #[test]
    fn names_that_the_faces_cannot_show_and_towns_of_few_riders_do_no_harm() {
        let mut report = sample::ordinary();
        report.breakdowns.by_city[0].name = "上海 (Shanghai)".to_owned();
        report.breakdowns.by_city[9] = sample::suppressed("Little Snoring");
        let (_, text) = read(&report);
        assert!(text.contains("?? (Shanghai)"), "{text}");
        assert!(!text.contains("Little Snoring"), "{text}");
    }

    #[test]
    fn lines_are_broken_between_words_only() {
        let lines = wrapped("Rides were as usual: 3,412.", Weight::Regular, 12.0, 80.0);
        assert!(
            lines.len() > 1
                && lines
                    .iter()
                    .all(|line| font::width(line, Weight::Regular, 12.0) <= 80.0)
        );
        assert_eq!(lines.join(" "), "Rides were as usual: 3,412.");
    }
}
