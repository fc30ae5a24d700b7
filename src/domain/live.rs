//! The board of bikes being ridden: what ingest last heard of each, and the last minutes of it for a chart. In memory
//! only; the store has the truth, this has the present.

use std::{
    collections::{HashMap, VecDeque},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Seconds of a ride kept for its chart.
pub const TRACE_SECONDS: usize = 600;
/// Seconds kept of each ride however many bikes there are.
const TRACE_SECONDS_MIN: usize = 60;
/// Points kept over all bikes: about 100 MB.
const TRACE_POINTS: usize = 4_000_000;
/// Bikes shown at once. More are ridden and recorded all the same; they are only not shown.
const MAX_BIKES: usize = 100_000;

/// What is known of one bike being ridden, as of its newest reading.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveBike {
    /// The ride under way.
    pub ride_id: Uuid,
    /// None where the header was never seen.
    pub rider_id: Option<i64>,
    /// The rider's first name, for the screen of those who may see it.
    pub forename: Option<String>,
    /// The rider's age in years at the start of the ride.
    pub age: Option<i32>,
    /// When the ride began.
    pub started_at: DateTime<Utc>,
    /// When its newest reading was taken, on the log's clock.
    pub at: DateTime<Utc>,
    /// The bike's own counter.
    pub second: i32,
    /// Beats a minute; none without contact.
    pub heart_rate_bpm: Option<i32>,
    /// Beats a minute above which an alert is raised; none where no limit is known.
    pub heart_rate_limit_bpm: Option<i32>,
    /// Watts.
    pub power_watts: Option<f64>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i32>,
    /// Bike units.
    pub resistance: Option<i32>,
    /// Since the ride began.
    pub energy_kilojoules: f64,
}

/// One second of a live chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TracePoint {
    /// The bike's own counter.
    pub second: i32,
    /// Beats a minute; none without contact.
    pub heart_rate_bpm: Option<i16>,
    /// Watts.
    pub power_watts: Option<f32>,
    /// Revolutions a minute.
    pub cadence_rpm: Option<i16>,
    /// Bike units.
    pub resistance: Option<i16>,
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

/// The board. Updated by ingest, read by the API; every operation is a map look-up under a lock held for no longer.
#[derive(Debug, Default)]
pub struct LiveBoard {
    board: RwLock<Board>,
}

#[derive(Debug, Default)]
struct Board {
    bikes: HashMap<String, Tracked>,
    stream: StreamState,
}

#[derive(Debug)]
struct Tracked {
    now: LiveBike,
    trace: VecDeque<TracePoint>,
}

impl LiveBoard {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        LiveBoard::default()
    }

    /// Takes the newest reading of `bike`. Another ride than before starts a new trace.
    pub fn update(&self, bike: &str, now: LiveBike) {
        let mut board = self.write();
        let riding = board.bikes.len();
        let capacity = (TRACE_POINTS / riding.max(1)).clamp(TRACE_SECONDS_MIN, TRACE_SECONDS);
        let point = TracePoint::of(&now);
        match board.bikes.get_mut(bike) {
            Some(tracked) => {
                if tracked.now.ride_id != now.ride_id {
                    tracked.trace.clear();
                }
                // A ride that came back from a restart is shown once more.
                tracked.trace.pop_back_if(|last| last.second == point.second);
                while tracked.trace.len() >= capacity {
                    tracked.trace.pop_front();
                }
                tracked.trace.push_back(point);
                tracked.now = now;
            }
            None if riding < MAX_BIKES => {
                board.bikes.insert(
                    bike.to_owned(),
                    Tracked {
                        now,
                        trace: VecDeque::from([point]),
                    },
                );
            }
            None => {}
        }
    }

    /// Rides that are not under way any more leave the board.
    pub fn retain(&self, is_under_way: impl Fn(Uuid) -> bool) {
        self.write()
            .bikes
            .retain(|_, tracked| is_under_way(tracked.now.ride_id));
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

    /// Every bike and its newest reading, in the order of the bikes' names.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(String, LiveBike)> {
        let mut bikes: Vec<_> = self
            .read()
            .bikes
            .iter()
            .map(|(bike, tracked)| (bike.clone(), tracked.now.clone()))
            .collect();
        bikes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        bikes
    }

    /// One bike's newest reading and the last [`TRACE_SECONDS`] of its ride, oldest first.
    #[must_use]
    pub fn bike(&self, bike: &str) -> Option<(LiveBike, Vec<TracePoint>)> {
        self.read()
            .bikes
            .get(bike)
            .map(|tracked| (tracked.now.clone(), tracked.trace.iter().copied().collect()))
    }

    /// A panic while the lock was held leaves at worst one bike's last second missing.
    fn read(&self) -> RwLockReadGuard<'_, Board> {
        self.board.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Board> {
        self.board.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TracePoint {
    fn of(now: &LiveBike) -> Self {
        fn small(value: Option<i32>) -> Option<i16> {
            value.and_then(|value| i16::try_from(value).ok())
        }
        TracePoint {
            second: now.second,
            heart_rate_bpm: small(now.heart_rate_bpm),
            #[expect(clippy::cast_possible_truncation, reason = "a chart needs no more than seven digits")]
            power_watts: now.power_watts.map(|watts| watts as f32),
            cadence_rpm: small(now.cadence_rpm),
            resistance: small(now.resistance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bike_at(ride: u128, second: i32) -> LiveBike {
        let started_at: DateTime<Utc> = "2026-11-22T09:00:00Z".parse().unwrap();
        LiveBike {
            ride_id: Uuid::from_u128(ride),
            rider_id: Some(1),
            forename: None,
            age: Some(43),
            started_at,
            at: started_at + chrono::TimeDelta::seconds(i64::from(second)),
            second,
            heart_rate_bpm: Some(100),
            heart_rate_limit_bpm: Some(178),
            power_watts: Some(50.5),
            cadence_rpm: Some(60),
            resistance: Some(30),
            energy_kilojoules: 1.0,
        }
    }

    #[test]
    fn a_bike_is_on_the_board_from_its_first_reading_to_its_end() {
        let board = LiveBoard::new();
        board.update("SN2", bike_at(1, 1));
        board.update("SN1", bike_at(2, 1));
        board.update("SN2", bike_at(1, 2));
        let bikes: Vec<_> = board
            .snapshot()
            .into_iter()
            .map(|(bike, now)| (bike, now.second))
            .collect();
        assert_eq!(bikes, [("SN1".to_owned(), 1), ("SN2".to_owned(), 2)]);
        board.retain(|ride| ride != Uuid::from_u128(1));
        assert_eq!(board.riding(), 1);
        assert!(board.bike("SN2").is_none());
    }

    #[test]
    fn the_trace_keeps_the_last_ten_minutes_of_this_ride_only() {
        let board = LiveBoard::new();
        for second in 1..=700 {
            board.update("SN1", bike_at(1, second));
        }
        let (_, trace) = board.bike("SN1").unwrap();
        assert_eq!((trace.len(), trace[0].second, trace[599].second), (600, 101, 700));
        board.update("SN1", bike_at(2, 1));
        assert_eq!(board.bike("SN1").unwrap().1.len(), 1);
    }
}
