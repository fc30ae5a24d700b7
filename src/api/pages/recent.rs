//! The last hours: what was ridden, by whom and when, and the rides themselves. All of it is there without scripts.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{
    Response, handler,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Page, clock, person, show};
use crate::{
    api::{
        ApiContext,
        access::Caller,
        naming::Naming,
        page::cut,
        problem::Refusal,
        recent::{HOURS, Recent, breakdowns, filter},
    },
    domain::{
        day::DayRule,
        report::{Breakdowns, HourCount},
        rider::{AGE_BANDS, Gender},
        window::Period,
    },
    report::chart::{Chart, Charted, gender_name, group_name},
    store::{
        Store,
        query::{self, Activity, RecentFilter, RecentRide},
    },
    template::format,
};

/// Rides on one page.
const RIDES: u32 = 50;
/// How many hours may be chosen from.
const SPANS: [u32; 7] = [1, 3, 6, 12, 24, 48, 72];
/// Charts on a desk and on a phone, in CSS pixels.
const WIDE: (u32, u32) = (1072, 240);
const HALF: (u32, u32) = (500, 264);
const PHONE: (u32, u32) = (296, 232);

/// What the address asks for. A form sends what was not chosen as nothing.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::api) struct Asked {
    hours: Option<u32>,
    gender: Option<String>,
    age_band: Option<String>,
    before: Option<Uuid>,
}

/// What there is to show.
pub(super) struct Found {
    pub(super) filter: RecentFilter,
    pub(super) hours: u32,
    pub(super) activity: Vec<Activity>,
    pub(super) rides: Vec<RecentRide>,
    /// The last ride, where there are older ones.
    pub(super) next: Option<Uuid>,
}

/// What was ridden in the last hours.
#[handler]
pub(in crate::api) async fn recent_page(
    context: Data<&ApiContext>,
    caller: Data<&Caller>,
    asked: Query<Asked>,
) -> poem::Result<Response> {
    let chosen = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (hours, gender, age_band) = (
        asked.hours.unwrap_or(HOURS),
        chosen(&asked.gender),
        chosen(&asked.age_band),
    );
    let gender = gender.map(|name| {
        Gender::from_name(&name).ok_or_else(|| Refusal::bad_request(format!("there is no gender `{name}` to choose")))
    });
    let filter = filter(context.clock.now(), hours, gender.transpose()?, age_band.as_deref())?;
    let (wanted, before) = (filter.clone(), asked.before);
    let found = move |store: &Store| {
        let activity = query::recent_activity(store, &wanted)?;
        Ok((activity, query::recent_rides(store, &wanted, before, RIDES + 1)?))
    };
    let (activity, mut rides) = context.read(found).await?;
    let next = cut(&mut rides, RIDES).map(|last| last.ride_id);
    let found = Found {
        filter,
        hours,
        activity,
        rides,
        next,
    };
    let page =
        page(&found, context.day_rule, &Naming::of(&context, &caller)).map_err(|error| Refusal::internal(&error))?;
    show(&context, &page)
}

/// The page of what was found.
///
/// # Errors
/// A chart could not be drawn.
pub(super) fn page(found: &Found, rule: DayRule, naming: &Naming) -> anyhow::Result<Page> {
    let Found {
        filter,
        hours,
        activity,
        rides,
        next,
    } = found;
    let recent = Recent::of(filter, activity);
    let choice =
        |value: &str, label: &str, is_chosen: bool| json!({ "value": value, "label": label, "is_chosen": is_chosen });
    let spans = SPANS
        .into_iter()
        .chain((!SPANS.contains(hours)).then_some(*hours))
        .map(|span| {
            let label = if span == 1 {
                "the last hour".to_owned()
            } else {
                format!("the last {span} hours")
            };
            choice(&span.to_string(), &label, span == *hours)
        });
    let genders =
        Gender::ALL.map(|gender| choice(gender.name(), gender_name(gender.name()), filter.gender == Some(gender)));
    let bands = AGE_BANDS.map(|band| choice(band, &group_name(band), filter.age_band.as_deref() == Some(band)));
    let local = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&rule.timezone).format("%-d %b %H:%M").to_string();
    let rows = rides.iter().map(|ride| {
        json!({
            "page": naming.of_one(Some(ride.ride_id)).map(|ride_id| format!("/ride/{ride_id}")), "bike": ride.bike_serial, "is_open": ride.is_open,
            "rider": naming.label(ride.rider_id, ride.name.as_deref()),
            "who": who(ride),
            "started": local(ride.started_at), "duration": clock(ride.duration_seconds),
            "energy_kilojoules": ride.energy_kilojoules, "power_watts": ride.power_watts_mean,
            "heart_rate_bpm": ride.heart_rate_bpm_mean, "alerts": ride.alert_count,
        })
    });
    let charts = if recent.rides == 0 {
        Vec::new()
    } else {
        charts(&recent, &breakdowns(activity), rule)?
    };
    Ok(Page {
        template: "live/recent.html",
        values: json!({
            "hours": hours, "spans": spans.collect::<Vec<_>>(), "genders": genders, "bands": bands,
            "is_filtered": filter.gender.is_some() || filter.age_band.is_some(),
            "since": local(filter.since), "until": local(filter.until),
            "rides": recent.rides, "riding": recent.riding, "duration_seconds": recent.duration_seconds,
            "energy_kilojoules": recent.energy_kilojoules, "power_watts_mean": recent.power_watts_mean,
            "heart_rate_bpm_mean": recent.heart_rate_bpm_mean, "charts": charts,
            "rows": rows.collect::<Vec<_>>(), "older": next.map(|before| older(found, before)),
        }),
    })
}

/// The address of the rides before one.
fn older(found: &Found, before: Uuid) -> String {
    let chosen = [
        ("gender", found.filter.gender.map(Gender::name)),
        ("age_band", found.filter.age_band.as_deref()),
    ];
    let chosen = chosen.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let chosen: String = chosen
        .map(|(name, value)| format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("/recent?hours={}{chosen}&before={before}#list", found.hours)
}

/// `43, woman`, as far as it is known.
fn who(ride: &RecentRide) -> String {
    let age = ride.age.map(|age| format!("{age}, ")).unwrap_or_default();
    format!("{age}{}", person(ride.gender))
}

/// Rides by hour, gender and age, each with its table.
fn charts(recent: &Recent, breakdowns: &Breakdowns, rule: DayRule) -> anyhow::Result<Vec<Value>> {
    let hours: Vec<HourCount> = recent
        .by_hour
        .iter()
        .map(|hour| HourCount {
            starts_at: hour.starts_at,
            hour: chrono::Timelike::hour(&hour.starts_at.with_timezone(&rule.timezone)),
            rides: hour.rides,
            usual: None,
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^53")]
    let of = Charted {
        period: Period::Day,
        rides: recent.rides,
        duration_seconds: recent.duration_seconds as f64,
        days: &[],
        usual: None,
        hours: &hours,
        timezone: rule.timezone.name(),
        breakdowns,
    };
    let clock = |hour: &HourCount| {
        hour.starts_at
            .with_timezone(&rule.timezone)
            .format("%a %H:%M")
            .to_string()
    };
    let by_hour = hours
        .iter()
        .map(|hour| json!([clock(hour), format::count(hour.rides as f64)]));
    let group = |name: String, rides: Option<i64>, seconds: Option<i64>| {
        let number = |value: Option<i64>| value.unwrap_or(0) as f64;
        json!([name, format::count(number(rides)), format::duration(number(seconds))])
    };
    let by_gender = breakdowns
        .by_gender
        .iter()
        .map(|of| group(gender_name(&of.name).to_owned(), of.rides, of.duration_seconds));
    let by_age = breakdowns
        .by_age_band
        .iter()
        .map(|of| group(group_name(&of.name), of.rides, of.duration_seconds));
    let chart = |kind: Chart, size: (u32, u32), columns: &[&str], rows: Vec<Value>| -> anyhow::Result<Value> {
        Ok(json!({
            "name": kind.name(), "title": kind.title(), "subtitle": kind.subtitle(of),
            "wide": kind.svg(of, kind.name(), size.0, size.1)?,
            "phone": kind.svg(of, &format!("{}-phone", kind.name()), PHONE.0, PHONE.1)?,
            "columns": columns, "rows": rows,
        }))
    };
    Ok(vec![
        chart(Chart::Hours, WIDE, &["Hour", "Rides"], by_hour.collect())?,
        chart(Chart::Gender, HALF, &["Gender", "Rides", "Time"], by_gender.collect())?,
        chart(Chart::Ages, HALF, &["Age", "Rides", "Time"], by_age.collect())?,
    ])
}
