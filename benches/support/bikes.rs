//! Bikes that write to a broker.

use std::{io::Write as _, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord},
};

fn producer(brokers: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "5")
        .create()
        .unwrap()
}

/// Writes lines of bikes.
pub(crate) struct Bikes {
    pub(crate) producer: BaseProducer,
    payload: Vec<u8>,
}

impl Bikes {
    /// Bikes that write to these brokers.
    pub(crate) fn new(brokers: &str) -> Self {
        Bikes {
            producer: producer(brokers),
            payload: Vec::new(),
        }
    }

    /// Has what was written delivered, as far as that takes no time.
    pub(crate) fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    fn line(&mut self, serial: &str, at: DateTime<Utc>, stamp: &str, text: std::fmt::Arguments<'_>) {
        self.payload.clear();
        write!(self.payload, "{{\"log\": \"{stamp} mendoza v9: {text}\\n\"}}").unwrap();
        let mut record = BaseRecord::to("deloton")
            .key(serial)
            .payload(&self.payload)
            .timestamp(at.timestamp_millis());
        while let Err((_, back)) = self.producer.send(record) {
            self.producer.poll(Duration::from_millis(1));
            record = back;
        }
    }

    /// Rider `rider`, of the given number of years, gets on.
    pub(crate) fn header(&mut self, serial: &str, rider: u64, years: i64, at: DateTime<Utc>) {
        let stamp = stamp(at);
        let born = (at - TimeDelta::days(366 * years)).timestamp_millis();
        self.line(serial, at, &stamp, format_args!("Getting user data from server.."));
        self.line(serial, at, &stamp, format_args!(
            "[SYSTEM] data = {{\\\"user_id\\\":{rider},\\\"name\\\":\\\"Rider {rider}\\\",\\\"gender\\\":\\\"female\\\",\
             \\\"date_of_birth\\\":{born},\\\"email_address\\\":\\\"{serial}@riders.deloton.com\\\",\
             \\\"bike_serial\\\":\\\"{serial}\\\"}}"
        ));
    }

    /// A second's two lines.
    pub(crate) fn second(&mut self, serial: &str, second: u64, bpm: u64, watts: f64, at: DateTime<Utc>, stamp: &str) {
        self.line(
            serial,
            at,
            stamp,
            format_args!("[INFO]: Ride - duration = {second}.0; resistance = 30"),
        );
        self.line(
            serial,
            at,
            stamp,
            format_args!("[INFO]: Telemetry - hrt = {bpm}; rpm = 60; power = {watts}"),
        );
    }
}

/// An instant as the log has it.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
