//! The objects of the API. Numbers are numbers, times are RFC 3339 in UTC, units are in names; what has no value is
//! null.

mod best;
mod summary;
mod workout;

pub use best::Best;
pub use summary::{ExpandedRide, RideSummary};
pub use workout::{Workout, WorkoutKind};

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object, types::Example};
use uuid::Uuid;

use crate::{
    domain::{
        self,
        access::{Pseudonyms, Role},
        heart_rate::{Limits, OwnLimits},
        rider::age_at,
        run::{AskedRun, JobOverview},
    },
    store::{
        query::{self, ledger},
        rejected::Rejected,
    },
};

/// Declares `$list`, a page of `$item`s.
macro_rules! list {
    ($(#[$doc:meta] $list:ident of $item:ty;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Object)]
        pub struct $list {
            /// The page's items.
            pub items: Vec<$item>,
            /// Give it as `cursor` to get the next page; null on the last one.
            pub next: Option<String>,
        }
    )*};
}

list! {
    /// A page of rides, newest first.
    RideList of Ride;
    /// A page of rides with every reading, newest first.
    ExpandedRideList of ExpandedRide;
    /// A page of readings, in order.
    ReadingList of Reading;
    /// A page of rides and how long they were, longest first.
    RideDurationList of RideDuration;
    /// A page of riders.
    RiderList of Rider;
    /// A rider's best figures, by their names.
    BestList of Best;
    /// Places, best first.
    PlaceList of Place;
    /// Towns, most rides first.
    CityList of City;
    /// A page of heart-rate alerts, newest first.
    AlertList of Alert;
    /// A page of days, newest first.
    ReportList of Report;
    /// A page of workouts, newest first.
    WorkoutList of Workout;
    /// The jobs, in the order of the schedule.
    JobList of Job;
    /// A page of runs, newest first.
    JobRunList of JobRun;
    /// A page of rejected lines, newest first.
    RejectedLineList of RejectedLine;
    /// Rejected lines with their texts.
    RejectedTextList of RejectedText;
}

/// One ride: from the bike's header to its end.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(example)]
pub struct Ride {
    /// The same for the same log lines on any machine; later rides have greater ids.
    pub ride_id: Uuid,
    /// The day the ride ended in, in the company's zone; null while it is being ridden.
    pub business_day: Option<NaiveDate>,
    /// The bike.
    pub bike_serial: String,
    /// Null where the bike never said who rides.
    pub rider_id: Option<i64>,
    /// When the rider signed in.
    pub started_at: DateTime<Utc>,
    /// The last reading's instant; null while it is being ridden.
    pub ended_at: Option<DateTime<Utc>>,
    /// `marker`: the bike said so; `next_ride`: the next one began; `idle`: 60 s without a line.
    pub end_reason: Option<String>,
    /// The beginning was never received.
    pub is_partial: bool,
    /// The bike's own counter at the end.
    pub duration_seconds: i32,
    /// Distinct seconds received.
    pub reading_count: i32,
    /// Work done.
    pub energy_kilojoules: f64,
    /// Mean over readings.
    pub power_watts_mean: Option<f64>,
    /// Lowest of any second.
    pub power_watts_min: Option<f64>,
    /// Highest of any second.
    pub power_watts_max: Option<f64>,
    /// Mean over readings with hand contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Lowest with hand contact.
    pub heart_rate_bpm_min: Option<i32>,
    /// Highest with hand contact.
    pub heart_rate_bpm_max: Option<i32>,
    /// Seconds without hand contact.
    pub dropout_seconds: i32,
    /// Mean over readings.
    pub cadence_rpm_mean: Option<f64>,
    /// Lowest of any second.
    pub cadence_rpm_min: Option<i32>,
    /// Highest of any second.
    pub cadence_rpm_max: Option<i32>,
    /// Mean over readings; bike units, not a percentage.
    pub resistance_mean: Option<f64>,
    /// Lowest of any second; bike units.
    pub resistance_min: Option<i32>,
    /// Highest of any second; bike units.
    pub resistance_max: Option<i32>,
    /// Readings outside the plausible bounds: kept, never deleted.
    pub flagged_readings: i32,
    /// Heart-rate alerts raised.
    pub alert_count: i32,
}

impl From<query::RideRow> for Ride {
    fn from(ride: query::RideRow) -> Self {
        Ride {
            ride_id: ride.ride_id,
            business_day: ride.business_day,
            bike_serial: ride.bike_serial,
            rider_id: ride.rider_id,
            started_at: ride.started_at,
            ended_at: ride.ended_at,
            end_reason: ride.end_reason,
            is_partial: ride.is_partial,
            duration_seconds: ride.duration_seconds,
            reading_count: ride.reading_count,
            energy_kilojoules: ride.energy_kilojoules,
            power_watts_mean: ride.power_watts_mean,
            power_watts_min: ride.power_watts_min,
            power_watts_max: ride.power_watts_max,
            heart_rate_bpm_mean: ride.heart_rate_bpm_mean,
            heart_rate_bpm_min: ride.heart_rate_bpm_min,
            heart_rate_bpm_max: ride.heart_rate_bpm_max,
            dropout_seconds: ride.dropout_seconds,
            cadence_rpm_mean: ride.cadence_rpm_mean,
            cadence_rpm_min: ride.cadence_rpm_min,
            cadence_rpm_max: ride.cadence_rpm_max,
            resistance_mean: ride.resistance_mean,
            resistance_min: ride.resistance_min,
            resistance_max: ride.resistance_max,
            flagged_readings: ride.flagged_readings,
            alert_count: ride.alert_count,
        }
    }
}

impl Example for Ride {
    /// A real one: bike SN0000 on the evening of 6 July 2022 UTC, which in London is the 7th.
    fn example() -> Self {
        let started_at = DateTime::from_timestamp_micros(1_657_150_175_435_798).unwrap_or_default();
        Ride {
            ride_id: domain::ride::ride_id("SN0000", started_at),
            business_day: NaiveDate::from_ymd_opt(2022, 7, 7),
            bike_serial: "SN0000".to_owned(),
            rider_id: Some(100),
            started_at,
            ended_at: DateTime::from_timestamp_micros(1_657_150_673_444_906),
            end_reason: Some("idle".to_owned()),
            is_partial: false,
            duration_seconds: 498,
            reading_count: 498,
            energy_kilojoules: 29.087886,
            power_watts_mean: Some(58.40941),
            power_watts_min: Some(0.0),
            power_watts_max: Some(792.063078),
            heart_rate_bpm_mean: Some(109.172131),
            heart_rate_bpm_min: Some(55),
            heart_rate_bpm_max: Some(155),
            dropout_seconds: 10,
            cadence_rpm_mean: Some(50.638554),
            cadence_rpm_min: Some(0),
            cadence_rpm_max: Some(143),
            resistance_mean: Some(41.678715),
            resistance_min: Some(0),
            resistance_max: Some(170),
            flagged_readings: 0,
            alert_count: 0,
        }
    }
}

/// One second of a ride. What the bike did not say is null.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Reading {
    /// The bike's own counter, from 1.
    pub second: i32,
    /// When, on the log's clock.
    pub recorded_at: DateTime<Utc>,
    /// Beats a minute; null without hand contact.
    pub heart_rate_bpm: Option<i32>,
    /// The sensor had no hand contact.
    pub is_dropout: bool,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units, not a percentage.
    pub resistance: Option<i32>,
    /// Outside the plausible bounds.
    pub is_flagged: bool,
}

impl From<query::ReadingRow> for Reading {
    fn from(reading: query::ReadingRow) -> Self {
        Reading {
            second: reading.second,
            recorded_at: reading.recorded_at,
            heart_rate_bpm: reading.heart_rate_bpm,
            is_dropout: reading.is_dropout,
            power_watts: reading.power_watts,
            cadence_rpm: reading.cadence_rpm,
            resistance: reading.resistance,
            is_flagged: reading.is_flagged,
        }
    }
}

/// A rider as their newest sign-in described them, and what their rides add up to. Who it is is null but for
/// administrators.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Rider {
    /// The company's number for the person.
    pub rider_id: i64,
    /// What the rider is called before those who may not know who it is.
    pub pseudonym: String,
    /// First names; for administrators.
    pub forename: Option<String>,
    /// Family name; for administrators.
    pub surname: Option<String>,
    /// Mail address; for administrators.
    pub email_address: Option<String>,
    /// Address in full; for administrators.
    pub address: Option<String>,
    /// Date of birth; for administrators.
    pub date_of_birth: Option<NaiveDate>,
    /// Age today, in whole years.
    pub age: Option<i32>,
    /// `female`, `male`, `other` or `unknown`.
    pub gender: String,
    /// The town of the address.
    pub town: Option<String>,
    /// The letters the postcode begins with.
    pub postcode_area: Option<String>,
    /// Height.
    pub height_cm: Option<i32>,
    /// Weight.
    pub weight_kg: Option<i32>,
    /// When the account was made.
    pub account_created_on: Option<NaiveDate>,
    /// How the rider came to us.
    pub original_source: Option<String>,
    /// Rides, one under way included.
    pub rides: i64,
    /// Sum over rides.
    pub duration_seconds: i64,
    /// Sum over rides.
    pub energy_kilojoules: f64,
    /// Mean over rides of the ride's mean with contact.
    pub heart_rate_bpm_mean: Option<f64>,
    /// Highest of any second.
    pub heart_rate_bpm_max: Option<i32>,
    /// Mean over rides of the ride's mean.
    pub power_watts_mean: Option<f64>,
    /// Highest of any second.
    pub power_watts_max: Option<f64>,
    /// Duration of the longest ride.
    pub longest_ride_seconds: Option<i32>,
    /// Start of the first ride.
    pub first_ride_at: Option<DateTime<Utc>>,
    /// Start of the newest ride.
    pub last_ride_at: Option<DateTime<Utc>>,
}

impl Rider {
    /// The rider with their age at `now`.
    #[must_use]
    pub fn at(rider: query::RiderTotals, now: DateTime<Utc>, pseudonyms: &Pseudonyms) -> Self {
        Rider {
            rider_id: rider.rider_id,
            pseudonym: pseudonyms.of(rider.rider_id),
            forename: rider.forename,
            surname: rider.surname,
            email_address: rider.email_address,
            address: rider.address,
            age: rider.date_of_birth.and_then(|born| age_at(born, now)),
            date_of_birth: rider.date_of_birth,
            gender: rider.gender.name().to_owned(),
            town: rider.town,
            postcode_area: rider.postcode_area,
            height_cm: rider.height_cm,
            weight_kg: rider.weight_kg,
            account_created_on: rider.account_created_on,
            original_source: rider.original_source,
            rides: rider.rides,
            duration_seconds: rider.duration_seconds,
            energy_kilojoules: rider.energy_kilojoules,
            heart_rate_bpm_mean: rider.heart_rate_bpm_mean,
            heart_rate_bpm_max: rider.heart_rate_bpm_max,
            power_watts_mean: rider.power_watts_mean,
            power_watts_max: rider.power_watts_max,
            longest_ride_seconds: rider.longest_ride_seconds,
            first_ride_at: rider.first_ride_at,
            last_ride_at: rider.last_ride_at,
        }
    }

    /// What somebody of that role may know of them.
    #[must_use]
    pub fn seen_by(self, role: Role) -> Self {
        if role >= Role::Admin {
            return self;
        }
        Rider {
            forename: None,
            surname: None,
            email_address: None,
            address: None,
            date_of_birth: None,
            ..self
        }
    }
}

/// A heart rate that stayed outside of a rider's limits.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Alert {
    /// The ride.
    pub ride_id: Uuid,
    /// The day the ride ended in, in the company's zone; null while it is being ridden.
    pub business_day: Option<NaiveDate>,
    /// The rider.
    pub rider_id: i64,
    /// The instant of the reading that raised it, on the log's clock.
    pub raised_at: DateTime<Utc>,
    /// That reading's second.
    pub second: i32,
    /// `high`: above the upper limit; `low`: below the lower one.
    pub direction: String,
    /// 1 for the first of its ride and direction, 2 when it worsened, and so on.
    pub level: i32,
    /// What was measured.
    pub heart_rate_bpm: i32,
    /// The limit.
    pub limit_bpm: i32,
    /// Where the limit comes from: a formula's name, `age and gender`, or `rider` where it was set for the rider.
    pub limit_source: String,
    /// Seconds with contact outside the limit until then.
    pub sustained_seconds: i32,
    /// Where the mail to the rider stands: `waiting`, `sending`, `sent`, `dead`, `unknown` or `discarded`; null where
    /// nobody was mailed, as the bike knows no address or the rider wants no mails.
    pub mail_state: Option<String>,
}

impl From<query::AlertRow> for Alert {
    fn from(alert: query::AlertRow) -> Self {
        Alert {
            ride_id: alert.ride_id,
            business_day: alert.business_day,
            rider_id: alert.rider_id,
            raised_at: alert.raised_at,
            second: alert.second,
            direction: alert.direction,
            level: alert.level,
            heart_rate_bpm: alert.heart_rate_bpm,
            limit_bpm: alert.limit_bpm,
            limit_source: alert.limit_source,
            sustained_seconds: alert.sustained_seconds,
            mail_state: alert.mail_state,
        }
    }
}

/// A rider's heart-rate limits: those that hold, and what was set for the rider.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct RiderLimits {
    /// The rider.
    pub rider_id: i64,
    /// Above this for long enough raises an alert; null where no limit is known.
    pub upper_bpm: Option<i32>,
    /// Where it comes from: a formula's name, or `rider` where it was set.
    pub upper_source: Option<String>,
    /// Below this for long enough raises an alert; null where no limit is known.
    pub lower_bpm: Option<i32>,
    /// Where it comes from: `age and gender`, or `rider` where it was set.
    pub lower_source: Option<String>,
    /// The upper limit that was set for the rider.
    pub own_upper_bpm: Option<i32>,
    /// The lower limit that was set for the rider.
    pub own_lower_bpm: Option<i32>,
    /// Whether the rider is mailed about alerts.
    pub is_mailed: bool,
}

impl RiderLimits {
    /// What holds and what was set.
    #[must_use]
    pub fn of(rider_id: i64, own: OwnLimits, limits: Limits) -> Self {
        RiderLimits {
            rider_id,
            upper_bpm: limits.upper.map(|limit| limit.bpm),
            upper_source: limits.upper.map(|limit| limit.source.name().to_owned()),
            lower_bpm: limits.lower.map(|limit| limit.bpm),
            lower_source: limits.lower.map(|limit| limit.source.name().to_owned()),
            own_upper_bpm: own.upper_bpm,
            own_lower_bpm: own.lower_bpm,
            is_mailed: own.is_mailed,
        }
    }
}

/// Limits to set for a rider. A side that is left out, or null, is as for everybody.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(deny_unknown_fields)]
pub struct RiderLimitsUpdate {
    /// Alert above this.
    pub upper_bpm: Option<i32>,
    /// Alert below this.
    pub lower_bpm: Option<i32>,
    /// Whether the rider wants mails about alerts.
    #[oai(default = "default_is_mailed")]
    pub is_mailed: bool,
}

fn default_is_mailed() -> bool {
    true
}

/// A ride and how long it was.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct RideDuration {
    /// The ride.
    pub ride_id: Uuid,
    /// The bike's own counter at its end.
    pub duration_seconds: i32,
}

/// What a leaderboard ranks riders by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Measure {
    /// Rides completed.
    Rides,
    /// Time ridden, seconds.
    Duration,
    /// Longest ride, seconds.
    LongestRide,
    /// Work done, kilojoules.
    Energy,
    /// Mean over rides of mean power, watts.
    PowerMean,
    /// Highest power, watts.
    PowerMax,
    /// Mean over rides of mean heart rate, beats a minute.
    HeartRateMean,
    /// Highest heart rate, beats a minute.
    HeartRateMax,
    /// Mean over rides of mean cadence, revolutions a minute.
    CadenceMean,
    /// Highest cadence, revolutions a minute.
    CadenceMax,
}

impl Measure {
    /// The name in the store's query and the unit of its figures.
    pub(super) fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Measure::Rides => ("rides", "rides"),
            Measure::Duration => ("duration", "seconds"),
            Measure::LongestRide => ("longest_ride", "seconds"),
            Measure::Energy => ("energy", "kilojoules"),
            Measure::PowerMean => ("power_mean", "watts"),
            Measure::PowerMax => ("power_max", "watts"),
            Measure::HeartRateMean => ("heart_rate_mean", "bpm"),
            Measure::HeartRateMax => ("heart_rate_max", "bpm"),
            Measure::CadenceMean => ("cadence_mean", "rpm"),
            Measure::CadenceMax => ("cadence_max", "rpm"),
        }
    }
}

/// A place on the leaderboard.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Place {
    /// 1 for the best. Equal figures share a rank, and the ranks they take are skipped after them: 1, 2, 2, 4.
    pub rank: i64,
    /// The rider; null for viewers.
    pub rider_id: Option<i64>,
    /// Their name; for administrators.
    pub name: Option<String>,
    /// What they are called before those who may not know who they are; the same on every board.
    pub pseudonym: String,
    /// The figure, in `unit`.
    pub value: f64,
    /// The figure's unit.
    pub unit: String,
    /// Rides it is taken over.
    pub rides: i64,
}

/// A town that riders live in.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct City {
    /// Its name.
    pub name: String,
    /// Riders who live there.
    pub riders: i64,
    /// Their rides.
    pub rides: i64,
}

impl From<query::City> for City {
    fn from(city: query::City) -> Self {
        City {
            name: city.name,
            riders: city.riders,
            rides: city.rides,
        }
    }
}

/// A finished day and where its report is.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Report {
    /// The business day.
    pub day: NaiveDate,
    /// Rides that ended in it.
    pub rides: i64,
    /// Their readings.
    pub readings: i64,
    /// When the day was closed last.
    pub sealed_at: DateTime<Utc>,
    /// More than once: its figures moved after late lines or a deletion.
    pub seal_count: i32,
    /// What is published of it; empty before anything is.
    pub links: Vec<Link>,
}

/// Where something is published.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Link {
    /// `html`, `pdf`, `json`, `csv`, …
    pub format: String,
    /// Its address.
    pub href: String,
}

/// A job of the schedule.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Job {
    /// Its name in `cron.toml`.
    pub name: String,
    /// What it does: `compact`, `transform`, `report`, …
    pub kind: String,
    /// How long its windows are: `day`, `week` or `month`; null of a job that runs by the instant.
    pub every: Option<String>,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When it will next be due: of one that follows other jobs, not before this; null of one that is disabled.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The newest firing that found nothing to do; null where there was none.
    pub last_idle_at: Option<DateTime<Utc>>,
    /// How many firings found nothing to do, ever; they are not among its runs.
    pub idle_runs: u64,
    /// The newest run; null before the first.
    pub last_run: Option<JobRun>,
}

impl Job {
    /// A job and its newest run.
    #[must_use]
    pub fn of(job: JobOverview, last_run: Option<ledger::JobRun>) -> Self {
        Job {
            name: job.name,
            kind: job.kind.to_owned(),
            every: job.every.map(|every| every.name().to_owned()),
            enabled: job.enabled,
            next_run_at: job.next_run_at,
            last_idle_at: job.last_idle_at,
            idle_runs: job.idle_runs,
            last_run: last_run.map(JobRun::from),
        }
    }
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct JobRun {
    /// The run.
    pub run_id: Uuid,
    /// The job's name.
    pub job: String,
    /// The business day (`2026-11-21`), ISO week (`2026-W47`), month (`2026-11`) or instant it was about.
    pub window: String,
    /// 1 for the first try.
    pub attempt: i32,
    /// Why it ran.
    pub reason: String,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// When it began; of one that has not, when it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it ended; null while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `abandoned`; `waiting` of one that was asked for and has not begun.
    pub outcome: String,
    /// What it did, in counts.
    pub counts: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<String>,
}

impl From<ledger::JobRun> for JobRun {
    fn from(run: ledger::JobRun) -> Self {
        JobRun {
            run_id: run.run_id,
            job: run.job,
            window: run.window,
            attempt: run.attempt,
            reason: run.reason,
            scheduled_at: run.scheduled_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            outcome: run.outcome,
            counts: run.counts.and_then(|counts| serde_json::from_str(&counts).ok()),
            error: run.error,
        }
    }
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct AskedJobRun {
    /// The run; it is in the list of the job's runs when it has begun.
    pub run_id: Uuid,
    /// The job's name.
    pub job: String,
    /// The business day, ISO week, month or instant it is about.
    pub window: String,
    /// Where to look how it goes.
    pub href: String,
}

impl From<AskedRun> for AskedJobRun {
    fn from(run: AskedRun) -> Self {
        AskedJobRun {
            href: format!("/api/v1/runs/{}", run.run_id),
            run_id: run.run_id,
            job: run.job,
            window: run.window.to_string(),
        }
    }
}

impl From<AskedRun> for ledger::JobRun {
    /// As the ledger would have it: none of its times is known yet but that it was asked for.
    fn from(run: AskedRun) -> Self {
        ledger::JobRun {
            run_id: run.run_id,
            job: run.job,
            window: run.window.to_string(),
            attempt: 1,
            reason: "manual".to_owned(),
            scheduled_at: run.asked_at,
            started_at: run.asked_at,
            finished_at: None,
            outcome: if run.refused.is_some() { "failed" } else { "waiting" }.to_owned(),
            counts: None,
            error: run.refused,
        }
    }
}

/// A run of a job with what it logged.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct JobRunDetail {
    /// The run.
    #[oai(flatten)]
    pub run: JobRun,
    /// What it logged, oldest first; nothing of a run that a crash cut short.
    pub log: Vec<LogLine>,
}

/// A line that a run logged.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The sentence, and its fields as `name=value`.
    pub message: String,
}

impl JobRunDetail {
    /// A run and its log.
    #[must_use]
    pub fn of(run: ledger::JobRun, log: Vec<crate::domain::run::LogLine>) -> Self {
        let line = |line: crate::domain::run::LogLine| LogLine {
            at: line.at,
            level: line.level,
            message: line.message,
        };
        JobRunDetail {
            run: run.into(),
            log: log.into_iter().map(line).collect(),
        }
    }
}

/// Where the pipeline stands, from the bikes to the people.
#[derive(Debug, Clone, PartialEq, Object)]
pub struct Status {
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// The program's version.
    pub version: String,
    /// The business day it is.
    pub today: NaiveDate,
    /// Bikes being ridden.
    pub riding: u64,
    /// Whether log lines can be received.
    pub stream_is_connected: bool,
    /// What is wrong with the stream, while something is.
    pub stream_trouble: Option<String>,
    /// Messages that wait in the log; null while unknown.
    pub lag_messages: Option<u64>,
    /// Messages consumed, ever.
    pub messages: u64,
    /// Partitions seen.
    pub partitions: u64,
    /// The newest reading's instant.
    pub newest_reading_at: Option<DateTime<Utc>>,
    /// When the buffer was written last.
    pub flushed_at: Option<DateTime<Utc>>,
    /// Rides in the buffer.
    pub buffer_rides: u64,
    /// Of those, under way.
    pub open_rides: u64,
    /// Readings in the buffer.
    pub buffer_readings: u64,
    /// Lines that could not be understood, kept for a person to look at.
    pub rejected_lines: u64,
    /// Days in history.
    pub sealed_days: u64,
    /// The newest of them.
    pub last_sealed_day: Option<NaiveDate>,
    /// Rides in history.
    pub sealed_rides: u64,
    /// When the report site was published last.
    pub published_at: Option<DateTime<Utc>>,
    /// Mails whose fate is not known yet.
    pub mails_waiting: u64,
    /// Mails, ever.
    pub mails: u64,
    /// Jobs under way.
    pub jobs_running: u64,
}

/// A line that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct RejectedLine {
    /// The topic, or the file's name.
    pub topic: String,
    /// Partition; 0 in a file.
    pub partition: i32,
    /// Offset; in a file the lines before it.
    pub offset: i64,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Why it was set aside.
    pub reason: String,
    /// The bike it came from; null where that is not known.
    pub bike_serial: Option<String>,
}

impl From<Rejected> for RejectedLine {
    fn from(line: Rejected) -> Self {
        RejectedLine {
            topic: line.topic,
            partition: line.partition,
            offset: line.offset,
            received_at: line.received_at,
            reason: line.reason,
            bike_serial: line.bike_serial,
        }
    }
}

/// A rejected line and what it says. May be personal.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct RejectedText {
    /// The line.
    #[oai(flatten)]
    pub line: RejectedLine,
    /// Its text; bytes that are none are replaced.
    pub text: String,
}

/// What came of reading rejected lines once more.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct Replayed {
    /// Lines that are in place now.
    pub lines: i64,
    /// Readings that were not there at all.
    pub readings: i64,
    /// Readings that lacked one of their two lines.
    pub completed_readings: i64,
    /// Lines of seconds that were there already.
    pub duplicate_lines: i64,
    /// Lines that still cannot be read.
    pub refused: i64,
    /// Sealed days that have changed, and are sealed again.
    pub days: Vec<NaiveDate>,
}

impl From<domain::batch::Replayed> for Replayed {
    fn from(replayed: domain::batch::Replayed) -> Self {
        Replayed {
            lines: replayed.counts.messages,
            readings: replayed.counts.readings,
            completed_readings: replayed.completed_readings,
            duplicate_lines: replayed.counts.duplicate_lines,
            refused: replayed.refused,
            days: replayed.days.into_iter().collect(),
        }
    }
}
