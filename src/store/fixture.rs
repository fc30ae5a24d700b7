//! Rides for tests, written the way ingest writes them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{
        batch::{Batch, Begun, Counts, Position, StreamId},
        day::DayRule,
        heart_rate::{Alert, Direction, Formula, LimitSource, Raised, Warned},
        ride::{EndReason, Reading, Ride, Totals, ride_id},
        rider::{Gender, Rider},
    },
    store::Store,
};

/// The tests' present.
pub(crate) const NOW: &str = "2026-01-10T12:00:00Z";

pub(crate) fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(folder.path(), Clock::Fixed(at(NOW))).unwrap()
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A ride of bike `SN1` as ingest would tell it, second by second.
#[derive(Clone)]
pub(crate) struct Told {
    started_at: DateTime<Utc>,
    totals: Totals,
    last_at: Option<DateTime<Utc>>,
    weight_kg: i32,
    is_new: bool,
    source: &'static str,
}

impl Told {
    pub(crate) fn new(started_at: &str) -> Self {
        Told {
            started_at: at(started_at),
            totals: Totals::default(),
            last_at: None,
            weight_kg: 70,
            is_new: true,
            source: "cluster",
        }
    }

    pub(crate) fn weighing(self, weight_kg: i32) -> Self {
        Told { weight_kg, ..self }
    }

    /// Told by another stream.
    pub(crate) fn by(self, source: &'static str) -> Self {
        Told { source, ..self }
    }

    pub(crate) fn stream(&self) -> StreamId {
        StreamId {
            source: self.source.to_owned(),
            ..stream()
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        ride_id("SN1", self.started_at)
    }

    /// Writes `seconds` more, the first of them `pause` after the last, and how the ride stands then.
    pub(crate) fn flush(&mut self, store: &Store, seconds: i32, pause: TimeDelta, end: Option<EndReason>) {
        let mut batch = Batch::default();
        for _ in 0..seconds {
            let second = self.totals.duration_seconds + 1;
            let pause = if batch.readings.is_empty() {
                pause
            } else {
                TimeDelta::zero()
            };
            let at = self.last_at.unwrap_or(self.started_at) + TimeDelta::seconds(1) + pause;
            let reading = Reading {
                ride_id: self.id(),
                second,
                at: at.timestamp_micros(),
                resistance: Some(30),
                heart_rate_bpm: Some(100 + second),
                is_dropout: false,
                cadence_rpm: Some(60),
                power_watts: Some(50.5),
                is_flagged: false,
                has_ride_line: true,
                has_telemetry_line: true,
            };
            self.totals.add(&reading);
            self.last_at = Some(at);
            batch.readings.push(reading);
        }
        let ended_at = self.last_at.filter(|_| end.is_some());
        batch.rides.push(Ride {
            ride_id: self.id(),
            business_day: ended_at.map(|at| DayRule::default().day_of(at)),
            bike_serial: "SN1".to_owned(),
            rider_id: Some(7),
            started_at: self.started_at,
            ended_at,
            end_reason: end,
            is_partial: false,
            totals: self.totals,
            alert_count: 1,
        });
        if std::mem::take(&mut self.is_new) {
            batch.begun.push(Begun {
                ride_id: self.id(),
                partition: 0,
                is_again: false,
            });
            batch.riders.push((self.rider(), self.started_at.timestamp_micros()));
            batch.alerts.push(self.alert());
        }
        let counts = Counts {
            messages: i64::from(2 * seconds),
            ride_lines: i64::from(seconds),
            telemetry_lines: i64::from(seconds),
            readings: i64::from(seconds),
            ..Counts::default()
        };
        let next_offset = i64::from(2 * self.totals.duration_seconds);
        batch.positions.insert(
            0,
            Position {
                missing_offsets: 0,
                next_offset,
                log_clock: None,
                counts: [(DayRule::default().day_of(self.started_at), counts)].into(),
            },
        );
        store.flush(&self.stream(), &batch, &DayRule::default()).unwrap();
    }

    fn rider(&self) -> Rider {
        Rider {
            rider_id: 7,
            name: Some("Mr Rider Seven".to_owned()),
            gender: Gender::Male,
            address: None,
            date_of_birth: None,
            email_address: None,
            height_cm: Some(180),
            weight_kg: Some(self.weight_kg),
            account_created_on: None,
            original_source: None,
        }
    }

    fn alert(&self) -> Alert {
        Alert {
            ride_id: self.id(),
            rider_id: 7,
            raised_at: self.started_at.timestamp_micros(),
            second: 1,
            raised: Raised {
                direction: Direction::High,
                level: 1,
                heart_rate_bpm: 190,
                limit_bpm: 180,
                limit_source: LimitSource::Formula(Formula::Tanaka),
                sustained_seconds: 10,
                since_second: 1,
            },
            warned: Warned::default(),
            mail: None,
        }
    }
}

/// Tells a whole ride of `seconds`.
pub(crate) fn ride(store: &Store, started_at: &str, seconds: i32) -> Told {
    let mut told = Told::new(started_at);
    told.flush(store, seconds, TimeDelta::zero(), Some(EndReason::Marker));
    told
}

pub(crate) fn stream() -> StreamId {
    StreamId {
        source: "cluster".to_owned(),
        topic: "deloton".to_owned(),
    }
}

/// The rows of a query, one text each.
pub(crate) fn rows(store: &Store, sql: &str) -> Vec<String> {
    let connection = store.connection().unwrap();
    let mut statement = connection
        .prepare(&format!("select cast(row_to_json(t) as varchar) from ({sql}) t"))
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Everything that people see of rides, readings and riders.
pub(crate) fn seen(store: &Store) -> [Vec<String>; 3] {
    [
        "from ride order by ride_id",
        "from reading order by ride_id, second",
        "from rider order by rider_id",
    ]
    .map(|sql| rows(store, sql))
}

/// One number.
pub(crate) fn number(store: &Store, sql: &str) -> i64 {
    store
        .connection()
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}
