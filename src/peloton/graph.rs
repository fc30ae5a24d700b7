//! The course of a workout, as the API answers it.

use serde::Deserialize;
use serde_json::Value;

use super::METRES_PER_MILE;
use crate::domain::workout::{
    Figure, Figures, MOST_SECONDS,
    graph::{Graph, Measured, Metric, resample},
};

#[derive(Debug, Deserialize)]
struct ApiGraph {
    duration: Option<f64>,
    #[serde(default)]
    seconds_since_pedaling_start: Vec<i32>,
    #[serde(default)]
    average_summaries: Vec<ApiSummary>,
    #[serde(default)]
    summaries: Vec<ApiSummary>,
    #[serde(default)]
    metrics: Vec<ApiMetric>,
}

#[derive(Debug, Deserialize)]
struct ApiSummary {
    slug: Option<String>,
    display_unit: Option<String>,
    value: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct ApiMetric {
    slug: Option<String>,
    display_unit: Option<String>,
    average_value: Option<f64>,
    #[serde(default)]
    values: Vec<Option<f64>>,
    #[serde(default)]
    alternatives: Vec<ApiMetric>,
}

/// The course of a workout, on steps of `step_seconds`. Where it was is not looked at.
pub(super) fn graph(answer: &Value, step_seconds: i32) -> Result<Graph, String> {
    let answer = ApiGraph::deserialize(answer).map_err(|error| format!("it is no performance graph: {error}"))?;
    // Steps are made of these: whatever a broken answer says must not fill the memory.
    let duration = answer.duration.unwrap_or(0.0);
    if !(0.0..=f64::from(MOST_SECONDS)).contains(&duration) {
        return Err(format!(
            "its `duration` would be {duration} s, and is between 0 and {MOST_SECONDS}"
        ));
    }
    let seconds = &answer.seconds_since_pedaling_start;
    if let Some(second) = seconds.iter().find(|second| !(0..=MOST_SECONDS).contains(*second)) {
        return Err(format!(
            "it has a second {second}, and is between 0 and {MOST_SECONDS} long"
        ));
    }
    // A tread's speed is an alternative of its pace.
    let metrics = || {
        answer
            .metrics
            .iter()
            .flat_map(|metric| std::iter::once(metric).chain(&metric.alternatives))
    };
    let mut measured: Vec<(Metric, Measured)> = Vec::new();
    let mut impossible = Vec::new();
    let mut figures = Figures::default();
    for metric in metrics() {
        if metric.slug.as_deref() == Some("pace") {
            let scale = metric.display_unit.as_deref().and_then(pace);
            figures.set(Figure::Pace, scaled(metric.average_value, scale));
        }
        let Some((kind, scale)) = metric_of(metric) else {
            continue;
        };
        let values = seconds.iter().zip(&metric.values);
        let (possible, other): (Measured, Measured) = values
            .filter_map(|(second, value)| Some((*second, (*value)? * scale)))
            .partition(|(_, value)| kind.bounds().contains(value));
        measured.push((kind, possible));
        if !other.is_empty() {
            impossible.push((kind, other.len()));
        }
        let mean = match kind {
            Metric::HeartRate => Figure::HeartRate,
            Metric::Incline => Figure::Incline,
            _ => continue,
        };
        figures.set(mean, metric.average_value);
    }
    for summary in answer.average_summaries.iter().chain(&answer.summaries) {
        let unit = summary.display_unit.as_deref().unwrap_or_default();
        let (figure, scale) = match summary.slug.as_deref() {
            Some("avg_output") => (Figure::Power, Some(1.0)),
            Some("avg_cadence") => (Figure::Cadence, Some(1.0)),
            Some("avg_resistance") => (Figure::Resistance, percent(unit)),
            Some("avg_speed") => (Figure::Speed, speed(unit)),
            Some("avg_pace") => (Figure::Pace, pace(unit)),
            Some("distance") => (Figure::Distance, distance(unit)),
            Some("calories") => (Figure::Energy, Some(1.0)),
            _ => continue,
        };
        figures.set(figure, scaled(summary.value, scale).or(figures.get(figure)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is a day at most")]
    let duration = duration as i32;
    let (samples, coverage) = resample(&measured, duration, step_seconds);
    figures.set(Figure::GraphCoverage, Some(coverage));
    Ok(Graph {
        samples,
        figures,
        impossible,
    })
}

fn scaled(value: Option<f64>, scale: Option<f64>) -> Option<f64> {
    value.zip(scale).map(|(value, scale)| value * scale)
}

fn metric_of(metric: &ApiMetric) -> Option<(Metric, f64)> {
    let unit = metric.display_unit.as_deref().unwrap_or_default();
    Some(match metric.slug.as_deref()? {
        "output" => (Metric::Power, 1.0),
        "cadence" => (Metric::Cadence, 1.0),
        "resistance" => (Metric::Resistance, percent(unit)?),
        "speed" => (Metric::Speed, speed(unit)?),
        "heart_rate" => (Metric::HeartRate, 1.0),
        "incline" => (Metric::Incline, 1.0),
        "stroke_rate" => (Metric::StrokeRate, 1.0),
        _ => return None,
    })
}

/// Percent of a unit of resistance; a level is none.
fn percent(unit: &str) -> Option<f64> {
    (unit == "%").then_some(1.0)
}

/// Metres a second of a unit of speed.
fn speed(unit: &str) -> Option<f64> {
    match unit {
        "mph" => Some(METRES_PER_MILE / 3600.0),
        "kph" | "km/h" => Some(1000.0 / 3600.0),
        _ => None,
    }
}

/// Seconds a kilometre of a unit of pace, which has tenths and hundredths of a minute.
fn pace(unit: &str) -> Option<f64> {
    match unit {
        "min/mi" => Some(60.0 * 1000.0 / METRES_PER_MILE),
        "min/km" => Some(60.0),
        _ => None,
    }
}

/// Metres of a unit of distance.
fn distance(unit: &str) -> Option<f64> {
    match unit {
        "mi" => Some(METRES_PER_MILE),
        "km" => Some(1000.0),
        "m" => Some(1.0),
        _ => None,
    }
}
