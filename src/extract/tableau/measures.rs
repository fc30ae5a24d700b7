//! What the workbooks measure, and the filters that all of their sheets share.

use super::{
    field::{Field, number_format},
    package::Contents,
    sheet::{Filter, Keeps},
    source::DataSource,
};

/// (name, caption, formula, unit, decimals, meaning)
type Measure = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    usize,
    &'static str,
);

const MEASURES: [Measure; 14] = [
    ("rides", "Rides", "COUNT([ride])", "", 0, "How many rides"),
    (
        "riders",
        "Riders",
        "COUNTD([rider])",
        "",
        0,
        "How many riders have a ride",
    ),
    (
        "time_total",
        "Total time",
        "SUM([duration_seconds]) / 3600",
        "h",
        1,
        "How long all rides are together",
    ),
    (
        "time_longest",
        "Longest ride",
        "MAX([duration_seconds]) / 60",
        "min",
        1,
        "How long the longest ride is",
    ),
    (
        "energy_total",
        "Total energy",
        "SUM([energy_kilojoules])",
        "kJ",
        0,
        "Work done in all rides",
    ),
    (
        "heart_rate_highest",
        "Highest heart rate reached",
        "MAX([heart_rate_bpm_max])",
        "bpm",
        0,
        "The highest of all rides",
    ),
    (
        "cadence_highest",
        "Highest cadence reached",
        "MAX([cadence_rpm_max])",
        "rpm",
        0,
        "The highest of all rides",
    ),
    (
        "power_highest",
        "Highest power reached",
        "MAX([power_watts_max])",
        "W",
        0,
        "The highest of all rides",
    ),
    (
        "resistance_highest",
        "Highest resistance reached",
        "MAX([resistance_max])",
        "",
        0,
        "The highest of all rides, in the bike's own units",
    ),
    (
        "heart_rate_average",
        "Mean heart rate of rides",
        "AVG([heart_rate_bpm_mean])",
        "bpm",
        1,
        "The mean of the rides' means",
    ),
    (
        "cadence_average",
        "Mean cadence of rides",
        "AVG([cadence_rpm_mean])",
        "rpm",
        1,
        "The mean of the rides' means",
    ),
    (
        "power_average",
        "Mean power of rides",
        "AVG([power_watts_mean])",
        "W",
        1,
        "The mean of the rides' means",
    ),
    (
        "resistance_average",
        "Mean resistance of rides",
        "AVG([resistance_mean])",
        "",
        1,
        "The mean of the rides' means, in the bike's own units",
    ),
    (
        "duration_minutes",
        "Duration in minutes",
        "[duration_seconds] / 60",
        "min",
        1,
        "How long the ride is",
    ),
];

/// The measures as fields.
pub(super) fn fields() -> Vec<Field> {
    MEASURES
        .iter()
        .map(|(name, caption, formula, unit, places, meaning)| {
            Field::measure(name, caption, formula, number_format(unit, *places), meaning)
        })
        .collect()
}

/// Gender, age band and day, the same on every sheet of a workbook.
pub(super) fn shared_filters(source: &DataSource, contents: &Contents) -> Vec<Filter> {
    let (first, last) = contents.days;
    vec![
        Filter {
            pill: source.field("age_band").itself(),
            keeps: Keeps::All,
            group: Some(1),
        },
        Filter {
            pill: source.field("gender").itself(),
            keeps: Keeps::All,
            group: Some(2),
        },
        Filter {
            pill: source.field("business_day").continuous(),
            keeps: Keeps::Between(format!("#{first}#"), format!("#{last}#")),
            group: Some(3),
        },
    ]
}
