//! Which readings warn, and whom.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    domain::{
        batch::StoredPosition,
        heart_rate::{Alert, Direction, OwnLimits, Standing},
        live::{LiveBike, LiveBoard},
    },
    ingest::source::RawMessage,
};

fn start() -> DateTime<Utc> {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

/// A bike whose clock is `stamps_off`, and whose messages get to Kafka as they are written and to us `delay` later.
struct Bike {
    pipeline: Pipeline,
    stamps_off: TimeDelta,
    delay: TimeDelta,
    offset: i64,
    second: i64,
}

impl Bike {
    fn new(pipeline: Pipeline) -> Self {
        let mut pipeline = pipeline;
        pipeline.assign(&StoredPosition::beginning(0)).unwrap();
        Bike {
            pipeline,
            stamps_off: TimeDelta::zero(),
            delay: TimeDelta::zero(),
            offset: 0,
            second: 0,
        }
    }

    fn live() -> Self {
        Bike::new(Pipeline::new(Rules::default(), Tz::UTC))
    }

    fn write(&mut self, text: &str) {
        let at = start() + TimeDelta::seconds(self.second);
        let stamp = (at + self.stamps_off).format("%Y-%m-%d %H:%M:%S%.6f");
        let payload = serde_json::json!({ "log": format!("{stamp} mendoza v9: {text}\n") }).to_string();
        let raw = RawMessage {
            partition: 0,
            offset: self.offset,
            timestamp_millis: Some(at.timestamp_millis()),
            key: Some(b"SN1"),
            payload: payload.as_bytes(),
        };
        self.pipeline.message(raw, at + self.delay);
        self.offset += 1;
    }

    /// Rider 7 gets on; born in 1980, if anybody knows.
    fn header(&mut self, born: &str) -> &mut Self {
        self.write("Getting user data from server..");
        self.write(&format!(
            r#"[SYSTEM] data = {{"user_id":7,"name":"Mr Bo Ek","gender":"male",{born}"email_address":"bo@riders.se","bike_serial":"SN1"}}"#
        ));
        self
    }

    fn ride(&mut self, seconds: i64, bpm: i32) -> &mut Self {
        for _ in 0..seconds {
            self.second += 1;
            self.write(&format!("[INFO]: Ride - duration = {}.0; resistance = 30", self.second));
            self.write(&format!("[INFO]: Telemetry - hrt = {bpm}; rpm = 60; power = 50.0"));
        }
        self
    }

    fn alerts(&mut self) -> Vec<Alert> {
        self.pipeline.take_batch(|_| false).unwrap().alerts
    }
}

/// 1 January 1980: 46 years, an upper limit of 176 and a lower one of 47.
const BORN: &str = r#""date_of_birth":315532800000,"#;

#[test]
fn an_alert_knows_whom_it_warns_and_by_which_limit() {
    let mut bike = Bike::live();
    bike.header(BORN).ride(20, 150).ride(10, 190);
    let alerts = bike.alerts();
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:?}")
    };
    assert_eq!((alert.rider_id, alert.second, alert.raised.limit_bpm), (7, 30, 176));
    assert_eq!(alert.raised.limit_source.name(), "tanaka");
    let warned = &alert.warned;
    assert_eq!(
        (warned.forename.as_deref(), warned.age, warned.email_address.as_deref()),
        (Some("Bo"), Some(46), Some("bo@riders.se"))
    );
}

#[test]
fn the_live_board_flags_a_ride_in_the_second_that_raises_its_alert() {
    let (mut bike, board) = (Bike::live(), LiveBoard::new());
    let shown = |bike: &mut Bike| {
        let rule = bike.pipeline.rules().alerts;
        bike.pipeline.open_rides_mut().for_each(|ride| ride.show(&board, &rule));
        board.bike("SN1").unwrap().0
    };
    bike.header(BORN).ride(20, 150);
    for second in 21..=30 {
        bike.ride(1, 190);
        let now = shown(&mut bike).now;
        let is_raised = !bike.alerts().is_empty();
        assert_eq!((now.second, is_raised), (second, second == 30));
        let standing = if is_raised {
            Standing::Outside
        } else {
            Standing::Leaving
        };
        assert_eq!(now.standing, standing(Direction::High), "second {second}");
    }
    // A limit of their own is shown from the next second on.
    let own = OwnLimits {
        upper_bpm: Some(195),
        ..OwnLimits::default()
    };
    bike.pipeline.set_rider_limits(Arc::new(RiderLimits::from([(7, own)])));
    bike.ride(1, 190);
    let LiveBike { ride, now, .. } = shown(&mut bike);
    assert_eq!((ride.name.as_deref(), ride.age), (Some("Mr Bo Ek"), Some(46)));
    assert_eq!(
        (ride.limits.upper.map(|limit| limit.bpm), now.standing),
        (Some(195), Standing::Within)
    );
}

#[test]
fn a_clock_that_is_hours_off_neither_silences_an_alert_nor_quarantines_a_line() {
    for hours in [-13, -1, 5, 14] {
        let mut bike = Bike::live();
        bike.stamps_off = TimeDelta::hours(hours);
        bike.header(BORN).ride(10, 190);
        let batch = bike.pipeline.take_batch(|_| false).unwrap();
        assert_eq!((batch.alerts.len(), batch.rejected.len()), (1, 0), "{hours} hours");
    }
    let mut bike = Bike::live();
    bike.stamps_off = TimeDelta::hours(25);
    bike.header(BORN).ride(10, 190);
    let batch = bike.pipeline.take_batch(|_| false).unwrap();
    assert_eq!(
        (batch.alerts.len(), batch.rejected.len()),
        (0, 22),
        "no zone is so far off"
    );
}

#[test]
fn what_has_waited_in_kafka_warns_only_if_it_still_holds_when_we_have_caught_up() {
    let late = TimeDelta::minutes(6);
    let mut bike = Bike::live();
    bike.delay = late;
    bike.header(BORN).ride(60, 190);
    assert_eq!(bike.alerts(), []);
    bike.delay = TimeDelta::zero();
    bike.ride(1, 190);
    assert_eq!(bike.alerts().len(), 1, "still too high, and now it is news");
    let mut bike = Bike::live();
    bike.delay = late;
    bike.header(BORN).ride(60, 190);
    bike.delay = TimeDelta::zero();
    bike.ride(60, 150);
    assert_eq!(bike.alerts(), [], "it is over");
}

#[test]
fn a_file_warns_nobody() {
    let mut bike = Bike::new(Pipeline::new(Rules::default(), Tz::UTC).of_the_past());
    bike.header(BORN).ride(60, 190);
    assert_eq!(bike.alerts(), []);
}

#[test]
fn a_rider_who_is_taken_over_was_warned_by_the_former_owner() {
    let taken_over = StoredPosition {
        taken_over_until: Some(62),
        ..StoredPosition::beginning(0)
    };
    // Of what is long over there is no alert, whoever has read it.
    let mut bike = Bike::live();
    bike.pipeline.assign(&taken_over).unwrap();
    bike.delay = TimeDelta::hours(27);
    bike.header(BORN).ride(60, 190);
    assert_eq!(bike.alerts(), []);
    let mut bike = Bike::live();
    bike.pipeline.assign(&taken_over).unwrap();
    bike.header(BORN).ride(60, 190);
    // It is kept with the ride, which is ours now; nobody is mailed again.
    let alerts = bike.alerts();
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:?}")
    };
    assert_eq!(alert.warned.email_address, None);
}

#[test]
fn a_limit_set_for_the_rider_holds_in_the_middle_of_a_ride_and_without_an_age() {
    let own = |own| Arc::new(RiderLimits::from([(7, own)]));
    let mut bike = Bike::live();
    bike.header("").ride(30, 190);
    assert_eq!(bike.alerts(), [], "nobody knows this rider's age");
    let upper = OwnLimits {
        upper_bpm: Some(160),
        ..OwnLimits::default()
    };
    bike.pipeline.set_rider_limits(own(upper));
    bike.ride(10, 170);
    let alerts = bike.alerts();
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:?}")
    };
    assert_eq!(
        (alert.raised.limit_bpm, alert.raised.limit_source.name()),
        (160, "rider")
    );
    // Whoever wants no mails is shown and recorded all the same.
    bike.pipeline.set_rider_limits(own(OwnLimits {
        is_mailed: false,
        lower_bpm: Some(60),
        ..upper
    }));
    bike.ride(10, 50);
    let alerts = bike.alerts();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].warned.email_address, None);
}
