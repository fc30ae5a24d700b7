//! A line of the log: never a panic, nothing impossible, and the same whatever line was read before.
#![no_main]

use chrono_tz::Tz;
use deloton_fuzz::{domain::event::Event, ingest::parse::Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for zone in [Tz::UTC, Tz::Europe__London] {
        let mut used = Parser::new(zone);
        for line in text.lines() {
            let event = used.parse(line);
            assert_eq!(event, Parser::new(zone).parse(line));
            match event {
                Ok(Event::Ride { second, resistance, .. }) => {
                    assert!((0..=172_800).contains(&second));
                    assert!(resistance.is_none_or(|value| (0..10_000).contains(&value)));
                }
                Ok(Event::Telemetry {
                    heart_rate_bpm,
                    cadence_rpm,
                    power_watts,
                    ..
                }) => {
                    for value in [heart_rate_bpm, cadence_rpm] {
                        assert!(value.is_none_or(|value| (0..10_000).contains(&value)));
                    }
                    assert!(power_watts.is_none_or(|watts| watts.is_finite() && watts >= 0.0));
                }
                _ => {}
            }
        }
    }
});
