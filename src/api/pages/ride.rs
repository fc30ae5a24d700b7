//! One ride: what it came to, its traces second by second, its zones, and what is to be known of its data. All of it is
//! there without scripts; with them the traces share a cursor.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{
    IntoResponse, Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, Path},
};
use poem_openapi::types::ToJSON;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Page, clock, nothing_here, person, show};
use crate::{
    api::{ApiContext, access::Caller, guard::wants_page, naming::Naming, problem::Refusal, schema::Reading},
    domain::{
        day::DayRule,
        heart_rate::{Limits, Zone},
        report::{Breakdowns, Group},
        rider::age_at,
        window::Period,
    },
    report::chart::{Chart, Charted, Measure, trace},
    store::{
        Store,
        query::{self, AlertFilter, AlertRow, ReadingRow, RideRow, RiderTotals},
    },
    template::format,
};

/// Readings of one ride at most: more than a day's.
const READINGS: u32 = 100_000;
/// Alerts of one rider that are looked through for those of the ride.
const ALERTS: u32 = 1_000;
/// Traces, in CSS pixels.
const TRACE: (u32, u32) = (1072, 148);
/// The zones' bars, on a desk and on a phone.
const ZONES: [(u32, u32); 2] = [(500, 200), (296, 200)];

/// Whether a browser asks for the page of a ride. The same path is an older one of the API, for everyone else.
pub(in crate::api) fn is_of_a_ride(request: &Request) -> bool {
    wants_page(request) && request.uri().path().starts_with("/ride/") && request.uri().query().is_none()
}

/// What there is to show.
pub(super) struct Found {
    pub(super) ride: RideRow,
    pub(super) rider: Option<RiderTotals>,
    pub(super) limits: Limits,
    pub(super) readings: Vec<ReadingRow>,
    pub(super) alerts: Vec<AlertRow>,
}

/// One ride.
#[handler]
pub(in crate::api) async fn ride_page(
    context: Data<&ApiContext>,
    caller: Data<&Caller>,
    ride_id: Path<String>,
) -> poem::Result<Response> {
    let Some((ride, readings)) = ride_and_readings(&context, &ride_id).await? else {
        return nothing_here(&context);
    };
    let rider_id = ride.rider_id;
    let of_rider = move |store: &Store| {
        let Some(rider_id) = rider_id else {
            return Ok((None, Vec::new()));
        };
        let of_rider = AlertFilter {
            rider_id: Some(rider_id),
            ..AlertFilter::default()
        };
        Ok((query::rider(store, rider_id)?, query::alerts(store, &of_rider, ALERTS)?))
    };
    let (rider, mut alerts) = context.read(of_rider).await?;
    alerts.retain(|alert| alert.ride_id == ride.ride_id);
    alerts.reverse();
    let own = rider_id.and_then(|rider_id| context.store.rider_limits().get(&rider_id).copied());
    let limits = rider.as_ref().map(|rider| {
        let rule = context.alert_rule;
        rule.limits(age(rider, &ride), rider.gender, own.unwrap_or_default())
    });
    let limits = limits.unwrap_or_default();
    let found = Found {
        ride,
        rider,
        limits,
        readings,
        alerts,
    };
    let page =
        page(&found, context.day_rule, &Naming::of(&context, &caller)).map_err(|error| Refusal::internal(&error))?;
    show(&context, &page)
}

/// A ride's seconds, for a spreadsheet.
#[handler]
pub(in crate::api) async fn ride_seconds_csv(
    context: Data<&ApiContext>,
    ride_id: Path<String>,
) -> poem::Result<Response> {
    let Some((ride, readings)) = ride_and_readings(&context, &ride_id).await? else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    Ok(download(&ride, "csv", csv(&readings)))
}

/// A ride's seconds, as the API has them but all at once.
#[handler]
pub(in crate::api) async fn ride_seconds_json(
    context: Data<&ApiContext>,
    ride_id: Path<String>,
) -> poem::Result<Response> {
    let Some((ride, readings)) = ride_and_readings(&context, &ride_id).await? else {
        return Ok(StatusCode::NOT_FOUND.into());
    };
    let items: Vec<_> = readings.into_iter().map(Reading::from).collect();
    Ok(download(&ride, "json", items.to_json_string()))
}

async fn ride_and_readings(context: &ApiContext, ride_id: &str) -> Result<Option<(RideRow, Vec<ReadingRow>)>, Refusal> {
    let Ok(ride_id) = ride_id.parse::<Uuid>() else {
        return Ok(None);
    };
    let found = move |store: &Store| {
        let Some(ride) = query::ride_by_id(store, ride_id)? else {
            return Ok(None);
        };
        let readings = query::readings(store, &ride, i32::MIN, READINGS)?;
        Ok(Some((ride, readings)))
    };
    context.read(found).await
}

fn download(ride: &RideRow, extension: &str, body: String) -> Response {
    let media_type = if extension == "csv" {
        "text/csv; charset=utf-8"
    } else {
        "application/json"
    };
    let name = format!("attachment; filename=\"ride-{}.{extension}\"", ride.ride_id);
    body.with_content_type(media_type)
        .with_header(header::CONTENT_DISPOSITION, name)
        .into_response()
}

fn csv(readings: &[ReadingRow]) -> String {
    let mut text =
        "second,recorded_at,power_watts,heart_rate_bpm,cadence_rpm,resistance,is_dropout,is_flagged\r\n".to_owned();
    let shown = |value: Option<i32>| value.map_or(String::new(), |value| value.to_string());
    for reading in readings {
        let power = reading.power_watts.map_or(String::new(), |watts| watts.to_string());
        write!(
            text,
            "{},{},{power},{},{},{},{},{}\r\n",
            reading.second,
            reading.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            shown(reading.heart_rate_bpm),
            shown(reading.cadence_rpm),
            shown(reading.resistance),
            reading.is_dropout,
            reading.is_flagged,
        )
        .expect("a String takes whatever is written");
    }
    text
}

/// The rider's age when the ride began.
fn age(rider: &RiderTotals, ride: &RideRow) -> Option<i32> {
    age_at(rider.date_of_birth?, ride.started_at)
}

/// The page of what was found.
///
/// # Errors
/// A chart could not be drawn.
pub(super) fn page(found: &Found, rule: DayRule, naming: &Naming) -> anyhow::Result<Page> {
    let Found {
        ride,
        rider,
        limits,
        readings,
        alerts,
    } = found;
    let local = |at: DateTime<Utc>| at.with_timezone(&rule.timezone).format("%-d %B %Y, %H:%M").to_string();
    let age = rider.as_ref().and_then(|rider| age(rider, ride));
    let name = rider.as_ref().and_then(|rider| rider.name.as_deref());
    let facts = rider.as_ref().map(|rider| {
        let unit = |value: Option<i32>, unit| value.map(|value| format::with_unit(&value.to_string(), unit));
        let age = age.map(|age| format!("{age} years"));
        let facts = [
            age,
            Some(person(rider.gender).to_owned()),
            unit(rider.height_cm, "cm"),
            unit(rider.weight_kg, "kg"),
        ];
        facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    });
    let bike = utf8_percent_encode(&ride.bike_serial, NON_ALPHANUMERIC);
    let live = ride.ended_at.is_none().then(|| format!("/live?bike={bike}"));
    Ok(Page {
        template: "live/ride.html",
        values: json!({
            "ride_id": ride.ride_id, "bike": ride.bike_serial, "live": live,
            "rider": naming.label(ride.rider_id, name), "facts": facts,
            "started": local(ride.started_at), "ended": ride.ended_at.map(local),
            "duration": clock(ride.duration_seconds), "energy_kilojoules": ride.energy_kilojoules,
            "power_watts_mean": ride.power_watts_mean, "power_watts_max": ride.power_watts_max,
            "heart_rate_bpm_mean": ride.heart_rate_bpm_mean, "heart_rate_bpm_min": ride.heart_rate_bpm_min,
            "heart_rate_bpm_max": ride.heart_rate_bpm_max, "cadence_rpm_mean": ride.cadence_rpm_mean,
            "resistance_mean": ride.resistance_mean,
            "lower": limits.lower.map(|limit| limit.bpm), "upper": limits.upper.map(|limit| limit.bpm),
            "alerts": alerts.iter().map(alert).collect::<Vec<_>>(), "notes": notes(ride),
            "traces": traces(readings, *limits)?, "zones": zones(readings, age)?,
            "minutes": minutes(readings), "columns": columns(readings).to_string(),
        }),
    })
}

fn alert(alert: &AlertRow) -> String {
    let side = if alert.direction == "high" { "above" } else { "below" };
    format!(
        "At {} the heart rate was {}{}bpm, {side} the limit of {}{}bpm, for {}{}s.",
        clock(alert.second),
        alert.heart_rate_bpm,
        format::THIN,
        alert.limit_bpm,
        format::THIN,
        alert.sustained_seconds,
        format::THIN,
    )
}

/// What is to be known of the ride's data; nothing where it is complete.
fn notes(ride: &RideRow) -> Vec<String> {
    let missing = ride.duration_seconds - ride.reading_count;
    let of = |count: i32, what: &str| {
        (count > 0).then(|| format!("{} {what}", format::with_unit(&format::count(f64::from(count)), "s")))
    };
    let notes = [
        ride.is_partial
            .then(|| "The beginning was never received, so nobody knows who rode.".to_owned()),
        of(missing, "were never received."),
        of(
            ride.dropout_seconds,
            "without hand contact: they are in no heart-rate figure.",
        ),
        of(
            ride.flagged_readings,
            "outside the plausible bounds: kept, and counted.",
        ),
        (ride.end_reason.as_deref() == Some("idle"))
            .then(|| "The bike sent no mark of the end: it ended after a minute without a line.".to_owned()),
    ];
    notes.into_iter().flatten().collect()
}

fn value_of(measure: Measure, reading: &ReadingRow) -> Option<f64> {
    match measure {
        Measure::Power => reading.power_watts,
        Measure::HeartRate => reading.heart_rate_bpm.map(f64::from),
        Measure::Cadence => reading.cadence_rpm.map(f64::from),
        Measure::Resistance => reading.resistance.map(f64::from),
    }
}

fn traces(readings: &[ReadingRow], limits: Limits) -> anyhow::Result<Vec<Value>> {
    let seconds: Vec<i32> = readings.iter().map(|reading| reading.second).collect();
    let drawn = |measure: Measure| {
        let values: Vec<_> = readings.iter().map(|reading| value_of(measure, reading)).collect();
        let limits: Vec<f64> = match measure {
            Measure::HeartRate => [limits.lower, limits.upper]
                .into_iter()
                .flatten()
                .map(|limit| f64::from(limit.bpm))
                .collect(),
            _ => Vec::new(),
        };
        let svg = trace(measure, &seconds, &values, &limits, TRACE)?;
        Ok(json!({ "name": measure.name(), "title": measure.title(), "svg": svg, "has_limits": !limits.is_empty() }))
    };
    Measure::ALL.into_iter().map(drawn).collect()
}

/// The time in each zone; none where the age is not known, or nothing was measured.
fn zones(readings: &[ReadingRow], age: Option<i32>) -> anyhow::Result<Option<[String; 2]>> {
    let Some(age) = age else { return Ok(None) };
    let measured = readings.iter().filter_map(|reading| reading.heart_rate_bpm);
    let zones: Vec<Zone> = measured.map(|bpm| Zone::of(bpm, age)).collect();
    if zones.is_empty() {
        return Ok(None);
    }
    let group = |zone: Zone| Group {
        name: zone.name().to_owned(),
        is_suppressed: false,
        rides: None,
        riders: None,
        duration_seconds: i64::try_from(zones.iter().filter(|found| **found == zone).count()).ok(),
        energy_kilojoules: None,
    };
    let breakdowns = Breakdowns {
        heart_rate_zones: Zone::ALL.map(group).into(),
        ..Breakdowns::default()
    };
    let of = Charted {
        period: Period::Day,
        rides: 1,
        duration_seconds: 0.0,
        days: &[],
        usual: None,
        hours: &[],
        timezone: "",
        breakdowns: &breakdowns,
    };
    let [wide, phone] = ZONES;
    Ok(Some([
        Chart::Zones.svg(of, "zones", wide.0, wide.1)?,
        Chart::Zones.svg(of, "zones-phone", phone.0, phone.1)?,
    ]))
}

/// Means of each minute, for who does not see the traces.
fn minutes(readings: &[ReadingRow]) -> Vec<Value> {
    let minute = |reading: &ReadingRow| (reading.second - 1).div_euclid(60);
    let parts = readings.chunk_by(|one, other| minute(one) == minute(other));
    parts
        .map(|part| {
            let mean = |measure: Measure| {
                let values: Vec<f64> = part.iter().filter_map(|reading| value_of(measure, reading)).collect();
                #[expect(clippy::cast_precision_loss, reason = "a minute has sixty seconds")]
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            };
            json!({
                "from": clock(minute(&part[0]) * 60), "power_watts": mean(Measure::Power),
                "heart_rate_bpm": mean(Measure::HeartRate), "cadence_rpm": mean(Measure::Cadence),
                "resistance": mean(Measure::Resistance),
            })
        })
        .collect()
}

/// The seconds, column by column, as `charts.js` takes them.
fn columns(readings: &[ReadingRow]) -> Value {
    fn column<T: serde::Serialize>(readings: &[ReadingRow], of: impl Fn(&ReadingRow) -> T) -> Vec<T> {
        readings.iter().map(of).collect()
    }
    json!({
        "second": column(readings, |reading| reading.second),
        "power_watts": column(readings, |reading| reading.power_watts),
        "heart_rate_bpm": column(readings, |reading| reading.heart_rate_bpm),
        "cadence_rpm": column(readings, |reading| reading.cadence_rpm),
        "resistance": column(readings, |reading| reading.resistance),
    })
}
