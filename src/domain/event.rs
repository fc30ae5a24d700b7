//! What a bike says: one event per log line.

/// Microseconds since 1970 on the log's clock, zone already applied.
pub type LogInstant = i64;

/// One log line, understood. Borrowed from the line where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// `--------- beginning of main`: the bike is done with the ride before.
    BeginningOfMain,
    /// `--------- beginning of a new ride`
    BeginningOfRide,
    /// `2022-07-06 23:29:35.435798 mendoza v9: Getting user data from server..`
    GettingUserData {
        /// The line's stamp.
        at: LogInstant,
    },
    /// `2022-07-06 23:29:35.935822 mendoza v9: [SYSTEM] data = {"user_id":100,…,"bike_serial":"SN0000",…}`
    System {
        /// The line's stamp.
        at: LogInstant,
        /// The JSON text.
        json: &'a str,
    },
    /// `2022-07-06 23:29:36.435842 mendoza v9: [INFO]: Ride - duration = 1.0; resistance = 30`
    Ride {
        /// The line's stamp.
        at: LogInstant,
        /// The bike's own counter.
        second: i32,
        /// Bike units; none where the line was cut off before it.
        resistance: Option<i32>,
    },
    /// `2022-07-06 23:29:36.935860 mendoza v9: [INFO]: Telemetry - hrt = 61; rpm = 31; power = 6.415`
    Telemetry {
        /// The line's stamp.
        at: LogInstant,
        /// Beats a minute, 0 without contact; none where the line was cut off before it.
        heart_rate_bpm: Option<i32>,
        /// Revolutions a minute.
        cadence_rpm: Option<i32>,
        /// Watts.
        power_watts: Option<f64>,
    },
}

impl Event<'_> {
    /// The line's stamp; markers have none.
    #[must_use]
    pub fn at(&self) -> Option<LogInstant> {
        match *self {
            Event::BeginningOfMain | Event::BeginningOfRide => None,
            Event::GettingUserData { at }
            | Event::System { at, .. }
            | Event::Ride { at, .. }
            | Event::Telemetry { at, .. } => Some(at),
        }
    }
}
