//! The board of bikes being ridden: what ingest last heard of each. In memory only; the store has the truth, this has the
//! present.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    heart_rate::{Limits, Standing, Zone},
    rider::Gender,
};

/// Seconds kept of each ride: as many as may not be in the store yet, should it be busy.
const TRACE_SECONDS: usize = 60;
/// Bikes shown at once. More are ridden and recorded all the same; they are only not shown.
const MAX_BIKES: usize = 100_000;

/// Who rides which bike: what does not change from second to second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRide {
    /// The bike.
    pub bike_serial: String,
    /// The ride under way.
    pub ride_id: Uuid,
    /// None where the header was never seen.
    pub rider_id: Option<i64>,
    /// The rider's name as received, for the screen of those who may see it.
    pub name: Option<String>,
    /// The rider's age in years at the start of the ride.
    pub age: Option<i32>,
    /// See [`Gender`].
    pub gender: Gender,
    /// Height, cm.
    pub height_cm: Option<i32>,
    /// Weight, kg.
    pub weight_kg: Option<i32>,
    /// When the ride began.
    pub started_at: DateTime<Utc>,
    /// The heart-rate limits of its rider.
    pub limits: Limits,
}

/// The newest second of a ride under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveSecond {
    /// When its reading was taken, on the log's clock.
    pub at: DateTime<Utc>,
    /// The bike's own counter.
    pub second: i32,
    /// Beats a minute; none without contact.
    pub heart_rate_bpm: Option<i32>,
    /// How the ride stands to the limits.
    pub standing: Standing,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units.
    pub resistance: Option<i32>,
    /// Since the ride began.
    pub energy_kilojoules: f64,
    /// The highest of any second so far, watts.
    pub power_watts_max: Option<f64>,
}

/// A bike being ridden.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveBike {
    /// Who rides it.
    pub ride: Arc<LiveRide>,
    /// Its newest second.
    pub now: LiveSecond,
    /// Grows with each change of the board: greater than at any change before.
    pub changed: u64,
}

impl LiveBike {
    /// The heart-rate zone it is in; none without contact, or where the age is not known.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        Some(Zone::of(self.now.heart_rate_bpm?, self.ride.age?))
    }
}

/// How the stream of log lines stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamState {
    /// Whether lines can be received at all.
    pub is_connected: bool,
    /// Messages in the log that were not consumed yet; none while unknown.
    pub lag_messages: Option<u64>,
    /// What is wrong, in words, while something is.
    pub trouble: Option<String>,
}

/// The board. Updated by ingest, read by the API; every operation holds a lock for no longer than it takes to copy numbers.
#[derive(Debug, Default)]
pub struct LiveBoard {
    board: RwLock<Board>,
}

#[derive(Debug, Default)]
struct Board {
    bikes: HashMap<String, Tracked>,
    changes: u64,
    stream: StreamState,
}

#[derive(Debug)]
struct Tracked {
    bike: LiveBike,
    trace: VecDeque<LiveSecond>,
}

impl LiveBoard {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        LiveBoard::default()
    }

    /// Takes the newest second of a bike. Whose ride it is is asked for only where that may have changed: where
    /// `has_changed`, and at the first second.
    pub fn update(
        &self,
        bike_serial: &str,
        ride_id: Uuid,
        now: LiveSecond,
        has_changed: bool,
        ride: impl FnOnce() -> LiveRide,
    ) {
        let mut board = self.write();
        board.changes += 1;
        let (riding, changed) = (board.bikes.len(), board.changes);
        match board.bikes.get_mut(bike_serial) {
            Some(tracked) => {
                let is_another = tracked.bike.ride.ride_id != ride_id;
                if is_another {
                    tracked.trace.clear();
                }
                if is_another || has_changed {
                    tracked.bike.ride = Arc::new(ride());
                }
                // A ride that came back from a restart is shown once more.
                tracked.trace.pop_back_if(|last| last.second == now.second);
                if tracked.trace.len() >= TRACE_SECONDS {
                    tracked.trace.pop_front();
                }
                tracked.trace.push_back(now);
                (tracked.bike.now, tracked.bike.changed) = (now, changed);
            }
            None if riding < MAX_BIKES => {
                let ride = Arc::new(ride());
                let tracked = Tracked {
                    bike: LiveBike { ride, now, changed },
                    trace: VecDeque::from([now]),
                };
                board.bikes.insert(bike_serial.to_owned(), tracked);
            }
            None => {}
        }
    }

    /// Rides that are not under way any more leave the board.
    pub fn retain(&self, is_under_way: impl Fn(Uuid) -> bool) {
        self.write()
            .bikes
            .retain(|_, tracked| is_under_way(tracked.bike.ride.ride_id));
    }

    /// Says how the stream stands.
    pub fn set_stream(&self, stream: StreamState) {
        self.write().stream = stream;
    }

    /// How the stream stands.
    #[must_use]
    pub fn stream(&self) -> StreamState {
        self.read().stream.clone()
    }

    /// Bikes being ridden.
    #[must_use]
    pub fn riding(&self) -> usize {
        self.read().bikes.len()
    }

    /// The instant of the newest reading of any bike.
    #[must_use]
    pub fn newest_reading_at(&self) -> Option<DateTime<Utc>> {
        self.read().bikes.values().map(|tracked| tracked.bike.now.at).max()
    }

    /// Every bike, in the order of their names.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LiveBike> {
        let mut bikes: Vec<_> = self.read().bikes.values().map(|tracked| tracked.bike.clone()).collect();
        bikes.sort_unstable_by(|one, other| one.ride.bike_serial.cmp(&other.ride.bike_serial));
        bikes
    }

    /// One bike and the last seconds of its ride, oldest first: at least those that may not be in the store yet.
    #[must_use]
    pub fn bike(&self, bike_serial: &str) -> Option<(LiveBike, Vec<LiveSecond>)> {
        let board = self.read();
        let tracked = board.bikes.get(bike_serial)?;
        Some((tracked.bike.clone(), tracked.trace.iter().copied().collect()))
    }

    /// A panic while the lock was held leaves at worst one bike's last second missing.
    fn read(&self) -> RwLockReadGuard<'_, Board> {
        self.board.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Board> {
        self.board.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    /// Second `second` of a ride that began at nine.
    pub(crate) fn second(second: i32) -> LiveSecond {
        LiveSecond {
            at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(i64::from(second)),
            second,
            heart_rate_bpm: Some(100),
            standing: Standing::Within,
            power_watts: Some(50.5),
            cadence_rpm: Some(60),
            resistance: Some(30),
            energy_kilojoules: 1.0,
            power_watts_max: Some(60.0),
        }
    }

    /// A ride of a rider of 43.
    pub(crate) fn ride(bike_serial: &str, ride_id: Uuid) -> LiveRide {
        LiveRide {
            bike_serial: bike_serial.to_owned(),
            ride_id,
            rider_id: Some(1),
            name: Some("Ann Other".to_owned()),
            age: Some(43),
            gender: Gender::Female,
            height_cm: Some(170),
            weight_kg: Some(70),
            started_at: DateTime::UNIX_EPOCH,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(board: &LiveBoard, bike: &str, ride: u128, second: i32) {
        let ride_id = Uuid::from_u128(ride);
        board.update(bike, ride_id, sample::second(second), false, || {
            sample::ride(bike, ride_id)
        });
    }

    #[test]
    fn a_bike_is_on_the_board_from_its_first_reading_to_its_end() {
        let board = LiveBoard::new();
        update(&board, "SN2", 1, 1);
        update(&board, "SN1", 2, 1);
        update(&board, "SN2", 1, 2);
        let bikes: Vec<_> = board
            .snapshot()
            .into_iter()
            .map(|bike| (bike.ride.bike_serial.clone(), bike.now.second, bike.changed))
            .collect();
        assert_eq!(bikes, [("SN1".to_owned(), 1, 2), ("SN2".to_owned(), 2, 3)]);
        board.retain(|ride| ride != Uuid::from_u128(1));
        assert_eq!(board.riding(), 1);
        assert!(board.bike("SN2").is_none());
    }

    #[test]
    fn the_trace_keeps_the_last_minute_of_this_ride_only() {
        let board = LiveBoard::new();
        for second in 1..=100 {
            update(&board, "SN1", 1, second);
        }
        let (_, trace) = board.bike("SN1").unwrap();
        assert_eq!((trace.len(), trace[0].second, trace[59].second), (60, 41, 100));
        update(&board, "SN1", 2, 1);
        assert_eq!(board.bike("SN1").unwrap().1.len(), 1);
    }

    #[test]
    fn who_rides_is_asked_for_again_only_when_it_has_changed() {
        let board = LiveBoard::new();
        update(&board, "SN1", 1, 1);
        let renamed = || LiveRide {
            name: None,
            ..sample::ride("SN1", Uuid::from_u128(1))
        };
        board.update("SN1", Uuid::from_u128(1), sample::second(2), false, renamed);
        assert!(board.bike("SN1").unwrap().0.ride.name.is_some());
        board.update("SN1", Uuid::from_u128(1), sample::second(3), true, renamed);
        assert_eq!(board.bike("SN1").unwrap().0.ride.name, None);
    }
}
