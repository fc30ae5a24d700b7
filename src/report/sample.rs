//! Reports to try templates with: an ordinary day, and the days that break reports.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use super::{chart::whole, model::breakdowns};
use crate::domain::{
    day::DayRule,
    period_report::{PeriodHeadline, PeriodReport},
    report::{
        AgeBand, Bin, Breakdowns, DailyReport, DayCount, Group, Headline, HeadlineKey, Histogram, HourCount, Lines,
        Moved, Quality, Restatement,
    },
    window::{Period, Window},
};

/// The day of the ordinary report: a Tuesday.
pub(super) fn tuesday() -> NaiveDate {
    date(2025, 3, 4)
}

/// Makes a sample day.
type Day = fn() -> DailyReport;

/// Days that between them have everything a report can say, by name, the ordinary one first; no two of one date, so that
/// they make a site together.
pub(super) const DAYS: [(&str, Day); 8] = [
    ("ordinary", ordinary),
    ("one-ride", || moved(one_ride(), date(2025, 3, 1))),
    ("empty", || moved(empty(), date(2025, 3, 5))),
    ("alarming", alarming),
    ("busy", busy),
    ("restated", restated),
    ("short", short_day),
    ("long", long_day),
];

/// Weeks and months that between them have everything a report of one can say.
pub(super) fn periods() -> [PeriodReport; 3] {
    [week(), month(), empty_month()]
}

/// A week without its weekend, better than the one before, of which a day is missing.
pub(super) fn week() -> PeriodReport {
    let window = Period::Week.around(tuesday());
    let mut report = period(window, |day| (day < date(2025, 3, 8)).then_some(3_412), figures_of_week);
    let days = vec![ordinary().breakdowns; 5];
    report.breakdowns = breakdowns::together(&days);
    report.missing_days_before = vec![date(2025, 3, 2)];
    report
}

/// A headline of that week, and of the week before.
fn figures_of_week(key: HeadlineKey) -> Option<(f64, f64)> {
    Some(match key {
        HeadlineKey::Rides => (17_060.0, 13_648.0),
        HeadlineKey::Riders => (5_204.0, 4_870.0),
        HeadlineKey::NewRiders => (205.0, 187.0),
        HeadlineKey::DurationSeconds => (31_561_000.0, 25_100_000.0),
        HeadlineKey::EnergyKilojoules => (5_331_250.0, 4_260_000.0),
        HeadlineKey::PowerWattsMean => (186.6, 172.3),
        HeadlineKey::HeartRateBpmMean => (142.4, 141.8),
        HeadlineKey::LongestRideSeconds => (9_240.0, 9_900.0),
        HeadlineKey::PowerWattsMax => (1_204.0, 1_188.0),
    })
}

/// A month of large numbers without a gap.
fn month() -> PeriodReport {
    let rides = |day: NaiveDate| Some(100_000 - i64::from(day.day() % 7) * 4_000);
    let mut report = period(Period::Month.around(tuesday()), rides, figures_of_month);
    report.breakdowns = breakdowns::together(&vec![busy().breakdowns; 31]);
    report
}

/// A headline of that month, and of the month before.
fn figures_of_month(key: HeadlineKey) -> Option<(f64, f64)> {
    Some(match key {
        HeadlineKey::Rides => (2_876_543.0, 2_912_345.0),
        HeadlineKey::Riders => (1_204_118.0, 1_198_730.0),
        HeadlineKey::NewRiders => (31_408.0, 30_961.0),
        HeadlineKey::DurationSeconds => (5_321_604_550.0, 5_387_838_250.0),
        HeadlineKey::EnergyKilojoules => (898_919_687.0, 910_107_812.0),
        HeadlineKey::PowerWattsMean => (186.6, 184.2),
        HeadlineKey::HeartRateBpmMean => (142.4, 143.0),
        HeadlineKey::LongestRideSeconds => (86_399.0, 52_300.0),
        HeadlineKey::PowerWattsMax => (9_999.0, 1_204.0),
    })
}

/// A month of which nothing was ever sealed, nor of the one before.
pub(super) fn empty_month() -> PeriodReport {
    let window = Period::Month.around(date(2025, 2, 1));
    let mut report = period(window, |_| None, |_| None);
    report.missing_days_before = window.before().into_iter().flat_map(Window::days).collect();
    report
}

fn period(
    window: Window,
    rides: impl Fn(NaiveDate) -> Option<i64>,
    figures: impl Fn(HeadlineKey) -> Option<(f64, f64)>,
) -> PeriodReport {
    let (first_day, last_day) = window.span().expect("a week and a month have days");
    let headline = |key| PeriodHeadline {
        key,
        value: figures(key).map(|(value, _)| value),
        before: figures(key).map(|(_, before)| before),
    };
    PeriodReport {
        window,
        first_day,
        last_day,
        headlines: super::model::HEADLINES.map(headline).into(),
        rides_per_day: window.days().map(|day| DayCount { day, rides: rides(day) }).collect(),
        breakdowns: Breakdowns::default(),
        missing_days: window.days().filter(|&day| rides(day).is_none()).collect(),
        missing_days_before: Vec::new(),
    }
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("it is in the calendar")
}

fn headline(key: HeadlineKey, value: f64, earlier: impl Fn(u64) -> Option<f64>) -> Headline {
    let before: Vec<Option<f64>> = (1..28).rev().map(&earlier).collect();
    let mean = |values: &[Option<f64>]| {
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let mean_28 = mean(&before);
    let stddev = mean_28.filter(|_| before.iter().flatten().count() > 1).map(|mean| {
        let known: Vec<f64> = before.iter().flatten().copied().collect();
        (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (known.len() as f64 - 1.0)).sqrt()
    });
    Headline {
        key,
        value: Some(value),
        day_before: earlier(1),
        week_before: earlier(7),
        seven_day_mean: mean(&before[before.len() - 7..]),
        mean_28_days: mean_28,
        stddev_28_days: stddev,
        last_28_days: before.into_iter().chain([Some(value)]).collect(),
    }
}

fn group(name: &str, rides: i64) -> Group {
    Group {
        name: name.to_owned(),
        is_suppressed: false,
        rides: Some(rides),
        riders: Some(rides * 4 / 5),
        duration_seconds: Some(rides * 1_850),
        energy_kilojoules: Some(rides as f64 * 312.5),
    }
}

pub(super) fn suppressed(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        is_suppressed: true,
        rides: None,
        riders: None,
        duration_seconds: None,
        energy_kilojoules: None,
    }
}

fn hours(day: NaiveDate, rides: impl Fn(u32) -> i64) -> (DateTime<Utc>, DateTime<Utc>, i64, Vec<HourCount>) {
    let span = DayRule::default().span(day);
    let hours = (0..span.hours()).map(|place| {
        let starts_at = span.start + TimeDelta::hours(place);
        let hour = starts_at.with_timezone(&Tz::Europe__London).hour();
        HourCount {
            starts_at,
            hour,
            rides: rides(hour),
            usual: Some(rides(hour) as f64 * 0.9 + 3.0),
        }
    });
    (span.start, span.end, span.hours(), hours.collect())
}

fn normal_bins(from: f64, width: f64, count: i32, rides: f64) -> Vec<Bin> {
    (0..count)
        .map(|place| {
            let z = (f64::from(place) - f64::from(count) * 0.45) / (f64::from(count) * 0.17);
            Bin {
                from: from + width * f64::from(place),
                rides: (rides * (-z * z / 2.0).exp()).round() as i64,
            }
        })
        .collect()
}

const AGE_BANDS: [(&str, i64); 8] = [
    ("under 18", 21),
    ("18–24", 402),
    ("25–34", 1_010),
    ("35–44", 884),
    ("45–54", 601),
    ("55–64", 322),
    ("65+", 131),
    ("unknown", 41),
];

/// A busy Tuesday with four weeks of history.
pub(super) fn ordinary() -> DailyReport {
    let day = tuesday();
    let wave = |back: u64, size: f64| {
        let weekday = f64::from((day - Days::new(back)).weekday().number_from_monday());
        Some((size * (1.0 - 0.035 * (weekday - 3.0).abs() + 0.04 * ((back * 7 % 5) as f64 - 2.0) / 2.0)).round())
    };
    let (starts_at, ends_at, hours_in_day, rides_per_hour) = hours(day, |hour| match hour {
        0..=4 => 12,
        5 => 80,
        6 => 290,
        7 => 352,
        8 => 210,
        9..=11 => 110,
        12 => 190,
        13 => 150,
        14..=15 => 84,
        16 => 130,
        17 => 260,
        18 => 391,
        19 => 370,
        20 => 240,
        21 => 120,
        22 => 60,
        _ => 25,
    });
    DailyReport {
        day,
        starts_at,
        ends_at,
        timezone: "Europe/London".to_owned(),
        hours_in_day,
        seal_count: 1,
        restatement: None,
        headlines: vec![
            headline(HeadlineKey::Rides, 3_412.0, |back| wave(back, 3_010.0)),
            headline(HeadlineKey::Riders, 2_871.0, |back| wave(back, 2_540.0)),
            headline(HeadlineKey::NewRiders, 41.0, |back| wave(back, 38.0)),
            headline(HeadlineKey::DurationSeconds, 6_312_200.0, |back| {
                wave(back, 5_600_000.0)
            }),
            headline(HeadlineKey::EnergyKilojoules, 1_066_250.0, |back| wave(back, 940_000.0)),
            headline(HeadlineKey::PowerWattsMean, 186.6, |back| wave(back, 184.0)),
            headline(HeadlineKey::HeartRateBpmMean, 142.4, |back| wave(back, 141.0)),
            headline(HeadlineKey::LongestRideSeconds, 9_240.0, |back| wave(back, 8_900.0)),
            headline(HeadlineKey::PowerWattsMax, 1_204.0, |back| wave(back, 1_150.0)),
        ],
        rides_per_day: (0..28)
            .rev()
            .map(|back| DayCount {
                day: day - Days::new(back),
                rides: if back == 0 {
                    Some(3_412)
                } else {
                    wave(back, 3_010.0).map(|rides| rides as i64)
                },
            })
            .collect(),
        rides_per_hour,
        breakdowns: Breakdowns {
            by_gender: vec![
                group("female", 1_622),
                group("male", 1_702),
                group("other", 41),
                group("unknown", 47),
            ],
            by_age_band: AGE_BANDS.map(|(band, rides)| group(band, rides)).into(),
            by_age_and_gender: AGE_BANDS
                .into_iter()
                .map(|(band, rides)| AgeBand {
                    name: band.to_owned(),
                    genders: vec![
                        group("female", rides * 45 / 100),
                        group("male", rides * 52 / 100),
                        suppressed("other"),
                        suppressed("unknown"),
                    ],
                })
                .collect(),
            by_channel: vec![
                group("direct", 1_402),
                group("google ads", 911),
                group("social media", 604),
                group("offline", 448),
                group("unknown", 47),
            ],
            by_postcode_area: [
                ("M", 205),
                ("LS", 171),
                ("G", 150),
                ("SW", 96),
                ("ZE", 12),
                ("QQ", 9),
                ("unknown", 47),
            ]
            .map(|(area, rides)| group(area, rides))
            .into(),
            heart_rate_zones: vec![
                group("z1", 702),
                group("z2", 1_911),
                group("z3", 2_304),
                group("z4", 1_201),
                group("z5", 212),
                suppressed("unknown"),
            ],
            by_city: [
                "London",
                "Manchester",
                "Leeds",
                "Glasgow",
                "Birmingham",
                "Bristol",
                "Cardiff",
                "York",
                "Bath",
                "Hull",
            ]
            .iter()
            .enumerate()
            .map(|(place, name)| group(name, 620 / (place as i64 + 1) + 20))
            .collect(),
            power_per_ride: Histogram {
                bin_width: 20.0,
                bins: normal_bins(60.0, 20.0, 16, 520.0),
                median: Some(183.2),
                rides: 3_412,
            },
            heart_rate_per_ride: Histogram {
                bin_width: 5.0,
                bins: normal_bins(85.0, 5.0, 22, 330.0),
                median: Some(141.7),
                rides: 3_398,
            },
        },
        quality: Quality {
            readings: 6_302_118,
            dropout_seconds: 214_080,
            flagged_readings: 312,
            partial_rides: 6,
            idle_rides: 118,
            lines: Lines {
                received: 12_618_944,
                ride: 6_301_987,
                telemetry: 6_302_010,
                rider: 6_824,
                marker: 3_412,
                duplicate: 2_807,
                tombstoned: 0,
                rejected: 1_904,
            },
            alerts: 3,
            has_many_alerts: false,
        },
    }
}

/// A day on which nobody rode, in the middle of history.
pub(super) fn empty() -> DailyReport {
    let mut report = ordinary();
    for headline in &mut report.headlines {
        let counts = matches!(
            headline.key,
            HeadlineKey::Rides
                | HeadlineKey::Riders
                | HeadlineKey::NewRiders
                | HeadlineKey::DurationSeconds
                | HeadlineKey::EnergyKilojoules
        );
        headline.value = counts.then_some(0.0);
        headline.last_28_days[27] = headline.value;
    }
    report.rides_per_day[27].rides = Some(0);
    report.rides_per_hour.iter_mut().for_each(|hour| hour.rides = 0);
    report.breakdowns.by_gender.clear();
    report.breakdowns.by_age_band.clear();
    report.breakdowns.by_city.clear();
    report.breakdowns.by_age_and_gender.clear();
    report.breakdowns.by_channel.clear();
    report.breakdowns.by_postcode_area.clear();
    report.breakdowns.heart_rate_zones.clear();
    report.breakdowns.power_per_ride = Histogram {
        bin_width: 20.0,
        ..Histogram::default()
    };
    report.breakdowns.heart_rate_per_ride = Histogram {
        bin_width: 5.0,
        ..Histogram::default()
    };
    report.quality = Quality::default();
    report
}

/// The first day of all, with one ride.
pub(super) fn one_ride() -> DailyReport {
    let mut report = ordinary();
    for headline in &mut report.headlines {
        *headline = Headline {
            key: headline.key,
            value: match headline.key {
                HeadlineKey::Rides | HeadlineKey::Riders | HeadlineKey::NewRiders => Some(1.0),
                HeadlineKey::DurationSeconds | HeadlineKey::LongestRideSeconds => Some(5_040.0),
                HeadlineKey::HeartRateBpmMean => None,
                _ => headline.value,
            },
            day_before: None,
            week_before: None,
            seven_day_mean: None,
            mean_28_days: None,
            stddev_28_days: None,
            last_28_days: vec![None; 28],
        };
        headline.last_28_days[27] = headline.value;
    }
    let last = report.rides_per_day.len() - 1;
    for (place, count) in report.rides_per_day.iter_mut().enumerate() {
        count.rides = (place == last).then_some(1);
    }
    for hour in &mut report.rides_per_hour {
        hour.rides = i64::from(hour.hour == 18);
        hour.usual = None;
    }
    report.breakdowns.by_gender = ["female", "male", "other", "unknown"].map(suppressed).to_vec();
    report.breakdowns.by_age_band = ["18–24", "25–34", "unknown"].map(suppressed).to_vec();
    report.breakdowns.by_city = vec![suppressed("Leeds")];
    report.breakdowns.by_age_and_gender.clear();
    report.breakdowns.by_channel = vec![suppressed("direct")];
    report.breakdowns.by_postcode_area.clear();
    report.breakdowns.heart_rate_zones.clear();
    report.breakdowns.power_per_ride = Histogram {
        bin_width: 20.0,
        bins: vec![Bin { from: 180.0, rides: 1 }],
        median: Some(186.6),
        rides: 1,
    };
    report.breakdowns.heart_rate_per_ride = Histogram {
        bin_width: 5.0,
        ..Histogram::default()
    };
    report.quality = Quality {
        readings: 5_040,
        dropout_seconds: 5_040,
        ..Quality::default()
    };
    report
}

/// A day with too many heart-rate alerts, whose lines are neither complete nor all readable.
fn alarming() -> DailyReport {
    let mut report = on(date(2025, 3, 6));
    report.seal_count = 2;
    report.quality.alerts = 6;
    report.quality.has_many_alerts = true;
    report.quality.partial_rides = report.rides();
    report.quality.lines.rejected += 1_284_322;
    report.quality.lines.received += 1_284_322 + 50_318;
    report
}

/// A day of 100,000 rides and more: large numbers, long names, riders everywhere.
fn busy() -> DailyReport {
    const TIMES: i64 = 30;
    let mut report = on(date(2025, 3, 7));
    let times = |value: f64| value * whole(TIMES);
    for headline in &mut report.headlines {
        let adds_up = matches!(
            headline.key,
            HeadlineKey::Rides
                | HeadlineKey::Riders
                | HeadlineKey::NewRiders
                | HeadlineKey::DurationSeconds
                | HeadlineKey::EnergyKilojoules
        );
        if adds_up {
            let known = [
                &mut headline.value,
                &mut headline.day_before,
                &mut headline.week_before,
                &mut headline.seven_day_mean,
                &mut headline.mean_28_days,
                &mut headline.stddev_28_days,
            ];
            let all = known.into_iter().chain(&mut headline.last_28_days).flatten();
            all.for_each(|value| *value = times(*value));
        }
    }
    for rides in report.rides_per_day.iter_mut().filter_map(|day| day.rides.as_mut()) {
        *rides *= TIMES;
    }
    for hour in &mut report.rides_per_hour {
        hour.rides *= TIMES;
        hour.usual = hour.usual.map(times);
    }
    report.breakdowns.by_city[0].name = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch".to_owned();
    report.breakdowns.by_city[1].name = "Newcastle-under-Lyme and Stoke-on-Trent".to_owned();
    report.breakdowns.by_channel[1].name = "recommended by a friend, a colleague or a physiotherapist".to_owned();
    report.breakdowns.by_postcode_area = AREAS
        .split(' ')
        .zip(0_i64..)
        .map(|(area, place)| group(area, 300 - 2 * place))
        .collect();
    let groups = [
        &mut report.breakdowns.by_gender,
        &mut report.breakdowns.by_age_band,
        &mut report.breakdowns.by_city,
        &mut report.breakdowns.by_channel,
        &mut report.breakdowns.by_postcode_area,
        &mut report.breakdowns.heart_rate_zones,
    ];
    let genders = report
        .breakdowns
        .by_age_and_gender
        .iter_mut()
        .flat_map(|band| &mut band.genders);
    for group in groups.into_iter().flatten().chain(genders) {
        let counts = [&mut group.rides, &mut group.riders, &mut group.duration_seconds];
        counts.into_iter().flatten().for_each(|count| *count *= TIMES);
        group.energy_kilojoules = group.energy_kilojoules.map(times);
    }
    for histogram in [
        &mut report.breakdowns.power_per_ride,
        &mut report.breakdowns.heart_rate_per_ride,
    ] {
        histogram.rides *= TIMES;
        histogram.bins.iter_mut().for_each(|bin| bin.rides *= TIMES);
    }
    let Quality {
        readings,
        dropout_seconds,
        flagged_readings,
        lines,
        ..
    } = &mut report.quality;
    let counts = [
        readings,
        dropout_seconds,
        flagged_readings,
        &mut lines.received,
        &mut lines.ride,
        &mut lines.telemetry,
        &mut lines.rider,
        &mut lines.marker,
        &mut lines.duplicate,
        &mut lines.rejected,
    ];
    counts.into_iter().for_each(|count| *count *= TIMES);
    report
}

/// Postcode areas with riders on the busy day, most first.
const AREAS: &str = "SW SE N NW E W EC WC M B LS G S L NE BS CF EH NG LE CV SO PO RG OX CB NR IP BN ME CT TN GU KT CR BR DA \
                     RM IG EN HA UB TW SL HP AL WD SG LU MK NN PE LN DN HU YO HG BD HX HD WF OL BL WN WA CH CW ST TF WV \
                     DY WR HR GL SN BA TA EX PL TQ TR DT BH SP";

/// A day that was made again, as rides of it came in late.
fn restated() -> DailyReport {
    let mut report = on(date(2025, 3, 8));
    let before = |key, less: f64| {
        let after = report.headline(key).and_then(|headline| headline.value);
        Moved::between(key, after.map(|value| value - less), after)
    };
    let moved = [
        before(HeadlineKey::Rides, 128.0),
        before(HeadlineKey::Riders, 97.0),
        before(HeadlineKey::DurationSeconds, 236_800.0),
        before(HeadlineKey::EnergyKilojoules, 40_000.0),
        before(HeadlineKey::PowerWattsMean, 1.4),
    ];
    let moved = moved.into_iter().flatten().collect();
    let restated_at = report.ends_at + TimeDelta::hours(33);
    report.seal_count = 3;
    report.restatement = Some(Restatement { restated_at, moved });
    report
}

/// An ordinary day of 25 hours.
pub(super) fn long_day() -> DailyReport {
    on(date(2025, 10, 26))
}

/// An ordinary day of 23 hours, whose heart rates end at 150: there, at the edge, the axis has its last label.
pub(super) fn short_day() -> DailyReport {
    let mut report = on(date(2025, 3, 30));
    report.breakdowns.heart_rate_per_ride.bins = normal_bins(80.0, 5.0, 14, 330.0);
    report.breakdowns.heart_rate_per_ride.median = Some(112.0);
    report
}

/// The ordinary day's figures on another day.
pub(super) fn on(day: NaiveDate) -> DailyReport {
    moved(ordinary(), day)
}

/// The same figures on another day, each hour's in the hour of its name.
fn moved(report: DailyReport, day: NaiveDate) -> DailyReport {
    let (starts_at, ends_at, hours_in_day, mut rides_per_hour) = hours(day, |_| 0);
    for hour in &mut rides_per_hour {
        let own = report.rides_per_hour.iter().find(|own| own.hour == hour.hour);
        (hour.rides, hour.usual) = own.map_or((0, None), |own| (own.rides, own.usual));
    }
    let days = (0..28).rev().map(|back| day - Days::new(back));
    let rides_per_day = days.zip(&report.rides_per_day).map(|(day, count)| DayCount {
        day,
        rides: count.rides,
    });
    DailyReport {
        day,
        starts_at,
        ends_at,
        hours_in_day,
        rides_per_hour,
        rides_per_day: rides_per_day.collect(),
        ..report
    }
}
