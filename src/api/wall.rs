//! The live wall's feed: server-sent events, each frame made once for however many browsers watch.
//!
//! Frames are numbered. A stream that has had the frame before gets what changed since (`delta`); one that is new, or so
//! slow that it missed a frame, gets everything (`snapshot`). So what waits for a slow browser is never more than one frame.
//! Both are JSON of the same shape:
//!
//! ```text
//! { "riding": 24,                bikes being ridden
//!   "connected": true,           whether lines can be received
//!   "rides": [[ID, BIKE, LABEL, LOWER, UPPER], …]     rides that are new, or whose limits are
//!   "seconds": [[ID, AGE, SECOND, BPM, WATTS, RPM, RESISTANCE, KILOJOULES, ZONE, STANDING], …]
//!   "gone": [ID, …] }            rides that are over
//! ```
//!
//! ID is a ride's number in this feed, LABEL what its rider is called, LOWER and UPPER are the limits, AGE is the reading's
//! in seconds, ZONE 0 to 5 (0: not known), STANDING a place in [`STANDINGS`]. What is not known is null.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};
use poem::{Body, Response, handler, http::header, web::Data};
use tokio::sync::watch;
use uuid::Uuid;

use super::{ApiContext, access::Caller, naming::Naming};
use crate::{
    clock::Clock,
    domain::{
        access::Role,
        heart_rate::{Direction, Limit, Standing, Zone},
        live::{LiveBike, LiveBoard, LiveRide},
    },
};

/// How often a frame is made. With what passes before the board knows of a reading, it is on the screen within a second.
const FRAME_EVERY: Duration = Duration::from_millis(500);

/// The standings, each written as its place in this list; `live.js` has the same.
const STANDINGS: [Standing; 7] = [
    Standing::Unlimited,
    Standing::NoContact,
    Standing::Within,
    Standing::Leaving(Direction::High),
    Standing::Leaving(Direction::Low),
    Standing::Outside(Direction::High),
    Standing::Outside(Direction::Low),
];

/// Makes frames while anyone watches.
pub(super) struct Feed {
    live: Arc<LiveBoard>,
    clock: Clock,
    /// A receiver to hand out clones of, while frames are made.
    frames: Arc<Mutex<Option<watch::Receiver<Arc<Frame>>>>>,
}

impl Feed {
    pub(super) fn new(context: &ApiContext) -> Self {
        Feed {
            live: Arc::clone(&context.live),
            clock: context.clock,
            frames: Arc::default(),
        }
    }

    /// The frames from now on; starts making them for the first one who watches.
    fn watch(&self) -> watch::Receiver<Arc<Frame>> {
        let mut frames = locked(&self.frames);
        if let Some(frames) = frames.as_ref() {
            return frames.clone();
        }
        let mut maker = Maker::new(Arc::clone(&self.live), self.clock);
        let (sender, receiver) = watch::channel(Arc::new(maker.frame()));
        *frames = Some(receiver.clone());
        let kept = Arc::clone(&self.frames);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(FRAME_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let mut kept = locked(&kept);
                // Nobody can begin to watch meanwhile: whoever comes next finds that nothing is being made.
                if sender.receiver_count() == 1 {
                    *kept = None;
                    return;
                }
                drop(kept);
                sender.send_replace(Arc::new(maker.frame()));
            }
        });
        receiver
    }

    /// The events of one browser: everything, then what changes, for as long as it `may` watch.
    fn events<M: Fn() -> bool>(&self, naming: Naming, may: M) -> impl Stream<Item = Result<Bytes, io::Error>> + use<M> {
        let mut frames = self.watch();
        // The first frame is sent at once, however long it has been lying there.
        frames.mark_changed();
        stream::unfold(
            (frames, naming, may, None),
            |(mut frames, naming, may, last)| async move {
                frames.changed().await.ok().filter(|()| may())?;
                let frame = Arc::clone(&frames.borrow_and_update());
                let event = frame.event(&naming, last);
                Some((Ok(event), (frames, naming, may, Some(frame.number))))
            },
        )
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bikes being ridden, as server-sent events.
#[handler]
pub(super) fn events(feed: Data<&Arc<Feed>>, context: Data<&ApiContext>, caller: Data<&Caller>) -> Response {
    let (store, clock, key_id) = (context.store.clone(), context.clock, caller.key_id.clone());
    // A key that is revoked or expires ends what it opened.
    let may = move || {
        let keys = store.api_keys();
        key_id
            .as_ref()
            .map_or(!keys.are_needed(), |key_id| keys.by_id(key_id, clock.now()).is_ok())
    };
    let events = feed.events(Naming::of(&context, &caller), may);
    Response::builder()
        .content_type("text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        // Some proxies collect answers before they pass them on, unless they are told not to.
        .header("x-accel-buffering", "no")
        .body(Body::from_bytes_stream(events))
}

/// Compares the board with what it was a frame ago.
struct Maker {
    live: Arc<LiveBoard>,
    clock: Clock,
    /// Each ride's number and the rider as they were told of.
    told: HashMap<Uuid, (u32, Arc<LiveRide>)>,
    next_id: u32,
    number: u64,
    /// The newest change of the board that was told of.
    changed: u64,
}

impl Maker {
    fn new(live: Arc<LiveBoard>, clock: Clock) -> Self {
        Maker {
            live,
            clock,
            told: HashMap::new(),
            next_id: 0,
            number: 0,
            changed: 0,
        }
    }

    fn frame(&mut self) -> Frame {
        let bikes = self.live.snapshot();
        let riding: HashSet<Uuid> = bikes.iter().map(|bike| bike.ride.ride_id).collect();
        let over = self.told.extract_if(|ride_id, _| !riding.contains(ride_id));
        let gone = over.map(|(_, (id, _))| id).collect();
        let newest = bikes.iter().map(|bike| bike.changed).max().unwrap_or(0);
        let since = self.changed;
        self.changed = newest.max(since);
        self.number += 1;
        let told = |bike: LiveBike| {
            let (id, is_new) = self.told_as(&bike.ride);
            let has_moved = bike.changed > since;
            Told {
                id,
                is_new,
                has_moved,
                bike,
            }
        };
        let rides = bikes.into_iter().map(told).collect();
        Frame {
            number: self.number,
            rides,
            gone,
            now: self.clock.now(),
            is_connected: self.live.stream().is_connected,
            events: [const { [const { OnceLock::new() }; 2] }; Role::ALL.len()],
        }
    }

    /// The ride's number, and whether its rider is to be told of: at first, and when something about them has changed.
    fn told_as(&mut self, ride: &Arc<LiveRide>) -> (u32, bool) {
        match self.told.get_mut(&ride.ride_id) {
            Some((id, known)) => {
                let is_new = !Arc::ptr_eq(known, ride);
                *known = Arc::clone(ride);
                (*id, is_new)
            }
            None => {
                self.next_id += 1;
                self.told.insert(ride.ride_id, (self.next_id, Arc::clone(ride)));
                (self.next_id, true)
            }
        }
    }
}

/// A ride, and what of it is new in a frame.
struct Told {
    id: u32,
    bike: LiveBike,
    is_new: bool,
    has_moved: bool,
}

/// The wall at an instant, and what has changed since the frame before. It is written out when the first stream asks.
struct Frame {
    number: u64,
    rides: Vec<Told>,
    gone: Vec<u32>,
    now: DateTime<Utc>,
    is_connected: bool,
    /// By [`Role`]; everything, and what has changed.
    events: [[OnceLock<Bytes>; 2]; Role::ALL.len()],
}

impl Frame {
    /// The event for a stream that had frame `last` last.
    fn event(&self, naming: &Naming, last: Option<u64>) -> Bytes {
        let is_delta = last.is_some_and(|last| last + 1 == self.number);
        let event = &self.events[naming.role() as usize][usize::from(is_delta)];
        event.get_or_init(|| self.written(naming, is_delta).into()).clone()
    }

    fn written(&self, naming: &Naming, is_delta: bool) -> String {
        let name = if is_delta { "delta" } else { "snapshot" };
        let (riding, is_connected) = (self.rides.len(), self.is_connected);
        let mut text = String::with_capacity(128 + riding * 64);
        text += &format!("event: {name}\ndata: {{\"riding\":{riding},\"connected\":{is_connected},\"rides\":");
        let rides = || self.rides.iter();
        list(
            &mut text,
            rides().filter(|told| told.is_new || !is_delta),
            |text, told| {
                write_ride(text, told.id, &told.bike.ride, naming);
            },
        );
        text += ",\"seconds\":";
        list(
            &mut text,
            rides().filter(|told| told.has_moved || !is_delta),
            |text, told| {
                write_second(text, told.id, &told.bike, self.now);
            },
        );
        text += ",\"gone\":";
        let gone = self.gone.iter().filter(|_| is_delta);
        list(&mut text, gone, |text, id| *text += &id.to_string());
        text += "}\n\n";
        text
    }
}

fn list<T>(text: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    text.push('[');
    for (place, item) in items.enumerate() {
        if place > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}

fn write_ride(text: &mut String, id: u32, ride: &LiveRide, naming: &Naming) {
    let label = naming.label(ride.rider_id, ride.name.as_deref());
    let bpm = |limit: Option<Limit>| limit.map(|limit| limit.bpm);
    let values = (
        id,
        &ride.bike_serial,
        label,
        bpm(ride.limits.lower),
        bpm(ride.limits.upper),
    );
    *text += &serde_json::to_string(&values).expect("numbers and texts are always JSON");
}

fn write_second(text: &mut String, id: u32, bike: &LiveBike, now: DateTime<Utc>) {
    let newest = bike.now;
    let age = (now - newest.at).num_seconds().max(0);
    let standing = STANDINGS
        .iter()
        .position(|known| *known == newest.standing)
        .unwrap_or(0);
    let values = (
        id,
        age,
        newest.second,
        newest.heart_rate_bpm,
        newest.power_watts.map(tenths),
        newest.cadence_rpm,
        newest.resistance,
        tenths(newest.energy_kilojoules),
        bike.zone().map_or(0, Zone::number),
        standing,
    );
    *text += &serde_json::to_string(&values).expect("numbers are always JSON");
}

/// To one decimal: that is what is shown.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{access::Pseudonyms, live::sample};

    fn naming(role: Role) -> Naming {
        Naming::new(role, Pseudonyms::new([7; 32]))
    }

    fn board(bikes: u32) -> Arc<LiveBoard> {
        let board = Arc::new(LiveBoard::new());
        (1..=bikes).for_each(|bike| ride(&board, bike, 1));
        board
    }

    fn ride(board: &LiveBoard, bike: u32, second: i32) {
        let (serial, ride_id) = (format!("SN{bike}"), Uuid::from_u128(bike.into()));
        board.update(&serial, ride_id, sample::second(second), false, || {
            sample::ride(&serial, ride_id)
        });
    }

    fn maker(board: &Arc<LiveBoard>) -> Maker {
        Maker::new(
            Arc::clone(board),
            Clock::Fixed(DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(10)),
        )
    }

    /// The event's name and its data.
    fn read(event: &[u8]) -> (String, Value) {
        let event = std::str::from_utf8(event).unwrap();
        let (name, data) = event.trim_end().split_once('\n').unwrap();
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), data)
    }

    #[test]
    fn the_first_frame_tells_everything_and_the_next_what_has_changed() {
        let board = board(2);
        let mut maker = maker(&board);
        let (name, data) = read(&maker.frame().event(&naming(Role::Admin), None));
        assert_eq!((name.as_str(), &data["riding"]), ("snapshot", &json!(2)));
        assert_eq!(data["rides"][0], json!([1, "SN1", "Ann Other", null, null]));
        assert_eq!(data["seconds"][0], json!([1, 9, 1, 100, 50.5, 60, 30, 1.0, 1, 2]));

        ride(&board, 2, 2);
        ride(&board, 3, 1);
        board.retain(|ride| ride != Uuid::from_u128(1));
        let (name, data) = read(&maker.frame().event(&naming(Role::Admin), Some(1)));
        assert_eq!((name.as_str(), &data["gone"]), ("delta", &json!([1])));
        let seconds: Vec<_> = data["seconds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (&row[0], &row[2]))
            .collect();
        assert_eq!(seconds, [(&json!(2), &json!(2)), (&json!(3), &json!(1))]);
        assert_eq!(data["rides"], json!([[3, "SN3", "Ann Other", null, null]]));
        let (_, data) = read(&maker.frame().event(&naming(Role::Admin), Some(2)));
        assert_eq!(
            (&data["seconds"], &data["rides"], &data["gone"]),
            (&json!([]), &json!([]), &json!([]))
        );
    }

    #[test]
    fn names_are_told_only_to_who_may_read_them() {
        let mut maker = maker(&board(1));
        let frame = maker.frame();
        let label = |role| read(&frame.event(&naming(role), None)).1["rides"][0][2].clone();
        assert_eq!(label(Role::Admin), "Ann Other");
        assert_eq!(label(Role::Analyst), "Rider 1");
        assert_eq!(label(Role::Viewer), Pseudonyms::new([7; 32]).of(1));
    }

    #[test]
    fn a_stream_that_missed_a_frame_is_told_everything_and_nothing_waits_for_it() {
        let board = board(3);
        let mut maker = maker(&board);
        let frames: Vec<_> = (0..3).map(|_| maker.frame()).collect();
        assert_eq!(read(&frames[2].event(&naming(Role::Admin), Some(2))).0, "delta");
        let (name, data) = read(&frames[2].event(&naming(Role::Admin), Some(1)));
        assert_eq!(
            (name.as_str(), data["seconds"].as_array().unwrap().len()),
            ("snapshot", 3)
        );
        // Written once, however many ask.
        let event = || frames[2].event(&naming(Role::Admin), Some(2)).as_ptr();
        assert_eq!(event(), event());
    }

    #[tokio::test]
    async fn a_slow_browser_skips_frames_and_a_quick_one_gets_each() {
        let feed = Feed {
            live: board(1),
            clock: Clock::System,
            frames: Arc::default(),
        };
        let mut quick = Box::pin(feed.events(naming(Role::Admin), || true));
        let mut slow = Box::pin(feed.events(naming(Role::Admin), || true));
        let mut names = Vec::new();
        for _ in 0..4 {
            names.push(read(&quick.next().await.unwrap().unwrap()).0);
        }
        assert_eq!(names, ["snapshot", "delta", "delta", "delta"]);
        // The newest one at once, then nothing until there is a newer.
        assert_eq!(read(&slow.next().await.unwrap().unwrap()).0, "snapshot");
        assert_eq!(read(&slow.next().await.unwrap().unwrap()).0, "delta");

        // Nothing is made while nobody watches, and everything is told to who comes back.
        drop((quick, slow));
        tokio::time::sleep(2 * FRAME_EVERY).await;
        assert!(locked(&feed.frames).is_none());
        let mut back = Box::pin(feed.events(naming(Role::Admin), || true));
        assert_eq!(read(&back.next().await.unwrap().unwrap()).0, "snapshot");
    }
}
