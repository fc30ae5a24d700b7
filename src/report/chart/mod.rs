//! The report's charts, each drawn once over plotters' generic backend: inline SVG for the page, vector operations for
//! the PDF, a PNG for the mail. Bars begin at zero, nothing is a pie, and every chart says in words what it shows.

mod areas;
mod bars;
mod canvas;
mod days;
mod gender;
mod histogram;
mod hours;
mod lines;
pub mod pdf_backend;
mod ranges;
mod spark;
mod svg_backend;
mod trace;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea};
use printpdf::Op;

use self::{
    canvas::{Canvas, Drawn, PLOTTERS_FONT_FACTOR, Scale, colour},
    pdf_backend::PdfBackend,
    svg_backend::{Shapes, SvgBackend},
};
use crate::{
    domain::{
        period_report::PeriodReport,
        report::{Breakdowns, DailyReport, DayCount, HeadlineKey, Histogram, HourCount},
        window::Period,
    },
    template::{
        format,
        words::{self, Usual},
    },
};

pub use self::{
    areas::area_name,
    bars::{group_name, zone_name},
    gender::gender_name,
    lines::{Line, MOST_LINES, lines},
    ranges::{Range, ranges},
    spark::sparkline,
    trace::{Measure, trace},
};

/// SVG: four units a pixel keep strokes and positions fine although plotters only knows whole ones.
const SVG: Scale = Scale {
    units: 4.0,
    font_factor: PLOTTERS_FONT_FACTOR,
    text_drop: 0.091,
};
/// PDF: see [`pdf_backend::UNITS`]; text sits as in SVG.
const PDF: Scale = Scale {
    units: pdf_backend::UNITS,
    font_factor: PLOTTERS_FONT_FACTOR,
    text_drop: 0.091,
};
/// PNG: drawn at four times the size it is shown at, then halved, because plotters' bitmaps have rough edges. Its font
/// sizes are heights from descender to ascender: 1.21 em in Inter.
const PNG: Scale = Scale {
    units: 4.0,
    font_factor: 1.21,
    text_drop: 0.244,
};

/// What charts are drawn of: a day, a week or a month.
#[derive(Debug, Clone, Copy)]
pub struct Charted<'a> {
    /// How long it is.
    pub period: Period,
    /// Rides in it.
    pub rides: i64,
    /// Sum of their durations.
    pub duration_seconds: f64,
    /// The days that rides per day are drawn of, oldest first; the last one is in it.
    pub days: &'a [DayCount],
    /// What is usual for the rides of such a day.
    pub usual: Option<Usual>,
    /// Its hours; only a day has them.
    pub hours: &'a [HourCount],
    /// The zone of the hours.
    pub timezone: &'a str,
    /// Who rode, how and where.
    pub breakdowns: &'a Breakdowns,
}

impl<'a> From<&'a DailyReport> for Charted<'a> {
    fn from(report: &'a DailyReport) -> Self {
        let duration = report.headline(HeadlineKey::DurationSeconds);
        Charted {
            period: Period::Day,
            rides: report.rides(),
            duration_seconds: duration.and_then(|duration| duration.value).unwrap_or(0.0),
            days: &report.rides_per_day,
            usual: report.headline(HeadlineKey::Rides).and_then(words::usual),
            hours: &report.rides_per_hour,
            timezone: &report.timezone,
            breakdowns: &report.breakdowns,
        }
    }
}

impl<'a> From<&'a PeriodReport> for Charted<'a> {
    fn from(report: &'a PeriodReport) -> Self {
        let duration = report.headline(HeadlineKey::DurationSeconds);
        Charted {
            period: report.window.period().unwrap_or(Period::Day),
            rides: report.rides_per_day.iter().filter_map(|day| day.rides).sum(),
            duration_seconds: duration.and_then(|duration| duration.value).unwrap_or(0.0),
            days: &report.rides_per_day,
            usual: None,
            hours: &[],
            timezone: "",
            breakdowns: &report.breakdowns,
        }
    }
}

impl Charted<'_> {
    /// Said where there is nothing to draw.
    fn no_rides(&self) -> String {
        match self.period {
            Period::Day => "No rides on this day".to_owned(),
            period => format!("No rides in this {}", period.name()),
        }
    }
}

/// One chart of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// Rides a day: over the last 28 in the report of a day.
    Days,
    /// Rides by the hour they began in, with what is usual.
    Hours,
    /// Shares of rides and time by gender.
    Gender,
    /// Rides by age band, in the genders' colours.
    Ages,
    /// Rides by mean power.
    Power,
    /// Rides by mean heart rate.
    HeartRate,
    /// Time by heart-rate zone.
    Zones,
    /// Rides by how the rider came to us.
    Channels,
    /// A map of rides by postcode area.
    Areas,
}

impl Chart {
    /// Every chart, in the order they are read.
    pub const ALL: [Chart; 9] = [
        Chart::Days,
        Chart::Hours,
        Chart::Gender,
        Chart::Ages,
        Chart::Power,
        Chart::HeartRate,
        Chart::Zones,
        Chart::Channels,
        Chart::Areas,
    ];

    /// Name in ids and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Chart::Days => "rides-per-day",
            Chart::Hours => "rides-per-hour",
            Chart::Gender => "gender",
            Chart::Ages => "age",
            Chart::Power => "power",
            Chart::HeartRate => "heart-rate",
            Chart::Zones => "heart-rate-zones",
            Chart::Channels => "channel",
            Chart::Areas => "postcode-area",
        }
    }

    /// What is measured.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Chart::Days => "Rides per day",
            Chart::Hours => "Rides by hour",
            Chart::Gender => "Rides and time by gender",
            Chart::Ages => "Rides by age and gender",
            Chart::Power => "Mean power of a ride",
            Chart::HeartRate => "Mean heart rate of a ride",
            Chart::Zones => "Time by heart rate zone",
            Chart::Channels => "Rides by channel",
            Chart::Areas => "Rides by postcode area",
        }
    }

    /// Measure, unit, period and how many rides it rests on.
    #[must_use]
    pub fn subtitle<'a>(self, of: impl Into<Charted<'a>>) -> String {
        let of = of.into();
        let few = |rides: i64| if (1..30).contains(&rides) { ", few rides" } else { "" };
        let over = |rides: i64| {
            let noun = if rides == 1 { "ride" } else { "rides" };
            format!("{} {noun}{}", format::count(whole(rides)), few(rides))
        };
        let bins_of = |histogram: &Histogram, width: u8, unit: &str| {
            format!(
                "Rides in bins of {width}{}{unit}, {}",
                format::THIN,
                over(histogram.rides)
            )
        };
        match self {
            Chart::Days => {
                let day = |day: Option<&DayCount>| day.map_or(String::new(), |day| format::date_short(day.day));
                let last = day(of.days.last());
                match of.period {
                    Period::Day => format!("Rides, {} days to {last}", of.days.len()),
                    Period::Week | Period::Month => format!("Rides, {} to {last}", day(of.days.first())),
                }
            }
            Chart::Hours => format!(
                "Rides begun in each hour, {}, {}",
                local_zone(of.timezone),
                over(of.rides)
            ),
            Chart::Gender => format!("Share of rides and of time ridden, {}", over(of.rides)),
            Chart::Ages => format!("Rides by the rider's age, {}", over(of.rides)),
            Chart::Zones => "Time with hand contact, by share of the maximum for the age".to_owned(),
            Chart::Channels => format!("Rides by how the rider came to us, {}", over(of.rides)),
            Chart::Areas => match of.period {
                Period::Day => "Where riders live; outlined: fewer than five riders".to_owned(),
                Period::Week | Period::Month => {
                    "Where riders live; outlined: fewer than five riders on some day".to_owned()
                }
            },
            Chart::Power => bins_of(&of.breakdowns.power_per_ride, 20, "W"),
            Chart::HeartRate => bins_of(&of.breakdowns.heart_rate_per_ride, 5, "bpm"),
        }
    }

    /// What the chart shows, in a sentence, for those who do not see it.
    #[must_use]
    pub fn description<'a>(self, of: impl Into<Charted<'a>>) -> String {
        let of = of.into();
        if self != Chart::Days && of.rides == 0 {
            return format!("{}.", of.no_rides());
        }
        match self {
            Chart::Days => days::describe(of.days, of.usual),
            Chart::Hours => hours::describe(&of),
            Chart::Gender => gender::describe_gender(&of),
            Chart::Ages => bars::describe_ages(of.breakdowns),
            Chart::Zones => bars::describe_zones(of.breakdowns),
            Chart::Channels => bars::describe_channels(of.breakdowns),
            Chart::Areas => areas::describe(&of),
            Chart::Power => histogram::describe(&of.breakdowns.power_per_ride, "W"),
            Chart::HeartRate => histogram::describe(&of.breakdowns.heart_rate_per_ride, "bpm"),
        }
    }

    /// The chart as an inline SVG of `width` × `height` CSS pixels; `id` is unique in its document. Colours are those of
    /// the light theme, as attributes that a style sheet overrides by value.
    ///
    /// # Errors
    /// Plotters could not draw it.
    pub fn svg<'a>(self, of: impl Into<Charted<'a>>, id: &str, width: u32, height: u32) -> Result<String> {
        let of = of.into();
        let mut shapes = Shapes::default();
        let backend = SvgBackend {
            shapes: &mut shapes,
            size: units((width, height), SVG),
        };
        self.draw(&of, backend, SVG, 12.0)
            .with_context(|| format!("failed to draw `{}`", self.name()))?;
        Ok(svg_document(
            &shapes.finish(),
            id,
            (width, height),
            self.title(),
            &self.description(of),
        ))
    }

    /// The chart as PDF operations in the rectangle whose top left corner is (`left`, `top`), points from the bottom
    /// left of the page, `width` × `height` points.
    ///
    /// # Errors
    /// Plotters could not draw it.
    pub fn pdf<'a>(
        self,
        of: impl Into<Charted<'a>>,
        ops: &mut Vec<Op>,
        left: f64,
        top: f64,
        size: (u32, u32),
    ) -> Result<()> {
        ops.push(Op::SaveGraphicsState);
        let backend = PdfBackend {
            ops,
            left,
            top,
            size: units(size, PDF),
        };
        self.draw(&of.into(), backend, PDF, 8.0)
            .with_context(|| format!("failed to draw `{}`", self.name()))?;
        ops.push(Op::RestoreGraphicsState);
        Ok(())
    }

    /// The chart as a PNG for a mail: `width` × `height` CSS pixels at twice the density, opaque white with padding.
    ///
    /// # Errors
    /// Plotters could not draw it, or the image could not be encoded.
    pub fn png<'a>(self, of: impl Into<Charted<'a>>, width: u32, height: u32) -> Result<Vec<u8>> {
        const PADDING: u32 = 16;
        let (columns, rows) = units((width, height), PNG);
        let mut pixels = vec![0xFF; columns as usize * rows as usize * 3];
        let backend = BitMapBackend::with_buffer(&mut pixels, (columns, rows));
        let area = backend.into_drawing_area();
        #[expect(clippy::cast_possible_truncation, reason = "four is a whole number")]
        let padding = (f64::from(PADDING) * PNG.units) as i32;
        area.fill(&colour::SURFACE).map_err(|error| anyhow!("{error}"))?;
        let inner = area.margin(padding, padding, padding, padding);
        self.draw_on(&of.into(), &Canvas::new(inner, PNG, 14.0))
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("failed to draw `{}`", self.name()))?;
        area.present().map_err(|error| anyhow!("{error}"))?;
        drop(area);
        halved_png(&pixels, columns, rows).with_context(|| format!("failed to encode `{}` as PNG", self.name()))
    }

    fn draw<DB: DrawingBackend>(self, of: &Charted<'_>, backend: DB, scale: Scale, em: f64) -> Result<()> {
        let area = backend.into_drawing_area();
        self.draw_on(of, &Canvas::new(area.clone(), scale, em))
            .map_err(|error| anyhow!("{error}"))?;
        area.present().map_err(|error| anyhow!("{error}"))
    }

    fn draw_on<DB: DrawingBackend>(self, of: &Charted<'_>, canvas: &Canvas<DB>) -> Drawn<DB> {
        if self != Chart::Days && of.rides == 0 {
            return canvas.nothing(&of.no_rides());
        }
        match self {
            Chart::Days => days::draw(canvas, of.days, of.usual),
            Chart::Hours => hours::draw(canvas, of),
            Chart::Gender => gender::draw_gender(canvas, of),
            Chart::Ages => bars::draw_ages(canvas, of),
            Chart::Zones => bars::draw_zones(canvas, of.breakdowns),
            Chart::Channels => bars::draw_channels(canvas, of),
            Chart::Areas => areas::draw(canvas, of.breakdowns),
            Chart::Power => histogram::draw(canvas, &of.breakdowns.power_per_ride, 20.0, "W"),
            Chart::HeartRate => histogram::draw(canvas, &of.breakdowns.heart_rate_per_ride, 5.0, "bpm"),
        }
    }
}

/// The chart of the daily mail: rides per day, as a PNG.
///
/// # Errors
/// As for [`Chart::png`].
pub fn of_mail(report: &DailyReport) -> Result<Vec<u8>> {
    Chart::Days.png(report, 600, 280)
}

/// A count as a number to draw or write.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn whole(count: i64) -> f64 {
    count as f64
}

/// A place in a list as a number to draw.
#[expect(clippy::cast_precision_loss, reason = "lists stay far below 2^53")]
fn index(place: usize) -> f64 {
    place as f64
}

/// The zone's city, as people say it: `London time`.
fn local_zone(timezone: &str) -> String {
    let city = timezone.rsplit('/').next().unwrap_or(timezone).replace('_', " ");
    if city == "UTC" { city } else { format!("{city} time") }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sheet is a few thousand units wide"
)]
fn units((width, height): (u32, u32), scale: Scale) -> (u32, u32) {
    (
        (f64::from(width) * scale.units) as u32,
        (f64::from(height) * scale.units) as u32,
    )
}

/// The shapes as an SVG that is named for assistive technology and sized in CSS pixels.
fn svg_document(shapes: &str, id: &str, (width, height): (u32, u32), title: &str, description: &str) -> String {
    let (columns, rows) = units((width, height), SVG);
    format!(
        "<svg class=\"chart\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {columns} {rows}\" fill=\"none\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{shapes}</svg>",
        escaped(title),
        escaped(description),
    )
}

/// Text inside an SVG element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Halves an RGB image by averaging, and encodes it.
fn halved_png(pixels: &[u8], columns: u32, rows: u32) -> Result<Vec<u8>> {
    let (width, height) = (columns / 2, rows / 2);
    let stride = columns as usize * 3;
    let mut small = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height as usize {
        for x in 0..width as usize {
            for channel in 0..3 {
                let at = 2 * y * stride + 2 * x * 3 + channel;
                let sum: u16 = [at, at + 3, at + stride, at + stride + 3]
                    .iter()
                    .map(|&i| u16::from(pixels[i]))
                    .sum();
                small.push(u8::try_from(sum / 4).expect("the mean of four bytes is a byte"));
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.write_header()?.write_image_data(&small)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::report::Bin, report::sample};

    fn svg(kind: Chart, report: &DailyReport) -> String {
        kind.svg(report, "x", 500, 260).unwrap()
    }

    /// The separate shapes of a style, `fill="#0B6E75"`, each as its path data from after the `M` on.
    fn shapes<'a>(svg: &'a str, style: &'a str) -> impl Iterator<Item = &'a str> {
        svg.split("<path ")
            .skip(1)
            .filter(move |path| path.starts_with(style))
            .flat_map(|path| {
                let (_, data) = path.split_once(" d=\"M").unwrap();
                data.split_once('"').unwrap().0.split('M')
            })
    }

    /// Heights of the filled rectangles of a colour, in backend units.
    fn heights(svg: &str, colour: &str) -> Vec<i64> {
        shapes(svg, &format!("fill=\"{colour}\""))
            .map(|rect| {
                let (_, rest) = rect.split_once('v').unwrap();
                rest.split_once('h').unwrap().0.parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn columns_are_as_high_as_their_counts_from_zero() {
        let mut report = sample::ordinary();
        let bin = |from, rides| Bin { from, rides };
        report.breakdowns.power_per_ride.bins = vec![bin(100.0, 100), bin(120.0, 400), bin(140.0, 200)];
        let heights = heights(&svg(Chart::Power, &report), "#0B6E75");
        assert_eq!(heights.len(), 3);
        assert!(
            (heights[1] - 4 * heights[0]).abs() <= 4 && (heights[2] - 2 * heights[0]).abs() <= 2,
            "{heights:?}"
        );
    }

    #[test]
    fn a_ride_far_off_is_told_and_does_not_squeeze_the_others() {
        let drawn = |far_off: i64| {
            let mut report = sample::ordinary();
            let rides = [20; 9].into_iter().chain([0; 30]).chain([far_off]);
            let bins = rides.zip(0u8..).map(|(rides, step)| Bin {
                from: 20.0 * f64::from(step),
                rides,
            });
            report.breakdowns.power_per_ride.bins = bins.collect();
            let svg = svg(Chart::Power, &report).replace(format::THIN, "_");
            svg.split_once("</desc>").unwrap().1.to_owned()
        };
        let cut = drawn(2);
        assert!(cut.contains("2 rides above 180_W") && !cut.contains("800_W"), "{cut}");
        let whole = drawn(20);
        assert!(!whole.contains("rides above") && whole.contains("800_W"), "{whole}");
    }

    #[test]
    fn what_lies_beyond_the_plot_and_the_median_never_share_a_place() {
        let mut report = sample::ordinary();
        let rides = [20; 9].into_iter().chain([0; 30]).chain([2]);
        let bins = rides.zip(0u8..).map(|(rides, step)| Bin {
            from: 20.0 * f64::from(step),
            rides,
        });
        report.breakdowns.power_per_ride.bins = bins.collect();
        report.breakdowns.power_per_ride.median = Some(100.0);
        let height_of = |svg: &str, words: &str| {
            let (before, _) = svg.split_once(words).unwrap();
            let text = before.rsplit("<text ").next().unwrap();
            text.split("y=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        for (width, are_beside) in [(900, true), (180, false)] {
            let svg = Chart::Power.svg(&report, "x", width, 260).unwrap();
            let drawn = svg.split_once("</desc>").unwrap().1;
            let rows = (height_of(drawn, "2 rides above"), height_of(drawn, "median "));
            assert_eq!(rows.0 == rows.1, are_beside, "{width}: {rows:?}");
        }
    }

    #[test]
    fn an_hour_that_occurs_twice_is_drawn_twice_and_one_that_is_skipped_is_not() {
        assert_eq!(heights(&svg(Chart::Hours, &sample::ordinary()), "#0B6E75").len(), 24);
        assert_eq!(heights(&svg(Chart::Hours, &sample::long_day()), "#0B6E75").len(), 25);
        assert_eq!(heights(&svg(Chart::Hours, &sample::short_day()), "#0B6E75").len(), 23);
    }

    #[test]
    fn a_day_without_data_breaks_the_line_instead_of_falling_to_zero() {
        let mut report = sample::ordinary();
        let lines = |report: &DailyReport| shapes(&svg(Chart::Days, report), "stroke=\"#0B6E75\"").count();
        assert_eq!(lines(&report), 1);
        report.rides_per_day[10].rides = None;
        assert_eq!(lines(&report), 2);
    }

    #[test]
    fn shares_are_of_all_rides_even_where_groups_are_not_shown() {
        let mut report = sample::ordinary();
        report.breakdowns.by_gender[2] = sample::suppressed("other");
        report.breakdowns.by_gender[3] = sample::suppressed("unknown");
        let text = Chart::Gender.description(&report).replace(format::THIN, "_");
        assert!(text.contains("women 48_%, men 50_%, not shown 2.6_%"), "{text}");
    }

    #[test]
    fn every_chart_names_itself_and_says_what_it_shows() {
        let reports = [
            sample::ordinary(),
            sample::empty(),
            sample::one_ride(),
            sample::long_day(),
        ];
        for (report, kind) in reports.iter().flat_map(|report| Chart::ALL.map(|kind| (report, kind))) {
            let svg = svg(kind, report);
            assert!(svg.contains("role=\"img\"") && svg.contains("aria-labelledby=\"x-t x-d\""));
            assert!(svg.contains(&format!("<title id=\"x-t\">{}</title>", kind.title())));
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
            assert!(kind.description(report).len() > 10);
        }
    }

    #[test]
    fn the_mails_chart_is_an_opaque_png_of_twice_the_density() {
        let bytes = Chart::Days.png(&sample::ordinary(), 300, 140).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(
            (frame.width, frame.height, frame.color_type),
            (600, 280, png::ColorType::Rgb)
        );
        let accents = pixels.chunks(3).filter(|pixel| *pixel == [0x0B, 0x6E, 0x75]).count();
        assert!(accents > 100, "{accents} pixels of the line");
    }
}
