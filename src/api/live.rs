//! The live feed: one frame a second, made once for however many browsers watch.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::stream;
use poem::{
    handler,
    web::{
        Data,
        sse::{Event, SSE},
    },
};
use poem_openapi::types::ToJSON;
use tokio::sync::watch;

use super::{
    ApiContext,
    schema::{Riding, RidingList, RidingTrace},
};

/// How often a frame is made.
const FRAME_EVERY: Duration = Duration::from_secs(1);

/// Every bike being ridden, now.
pub(super) fn riding(context: &ApiContext) -> RidingList {
    let now = context.clock.now();
    let bikes = context
        .live
        .snapshot()
        .into_iter()
        .map(|(serial, bike)| Riding::at(serial, bike, now, context.store.pseudonyms()));
    RidingList {
        items: bikes.collect(),
        next: None,
    }
}

/// One bike being ridden and the last minutes of its ride.
pub(super) fn trace(context: &ApiContext, bike_serial: &str) -> Option<RidingTrace> {
    let (bike, trace) = context.live.bike(bike_serial)?;
    Some(RidingTrace {
        riding: Riding::at(
            bike_serial.to_owned(),
            bike,
            context.clock.now(),
            context.store.pseudonyms(),
        ),
        second: trace.iter().map(|point| point.second).collect(),
        heart_rate_bpm: trace.iter().map(|point| point.heart_rate_bpm).collect(),
        power_watts: trace.iter().map(|point| point.power_watts).collect(),
        cadence_rpm: trace.iter().map(|point| point.cadence_rpm).collect(),
        resistance: trace.iter().map(|point| point.resistance).collect(),
    })
}

/// Makes frames while anyone watches. A browser that is slow gets the newest frame next, never a queue of old ones.
pub(super) struct Feed {
    context: ApiContext,
    frames: Mutex<Option<watch::Receiver<Arc<str>>>>,
}

impl Feed {
    pub(super) fn new(context: &ApiContext) -> Self {
        Feed {
            context: context.clone(),
            frames: Mutex::default(),
        }
    }

    /// The frames from now on; starts making them for the first one who watches.
    fn watch(&self) -> watch::Receiver<Arc<str>> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        // A receiver of our own is kept to hand out clones of, so the maker stops when it is the only one left.
        if let Some(frames) = frames.as_ref().filter(|frames| frames.has_changed().is_ok()) {
            return frames.clone();
        }
        let (sender, receiver) = watch::channel(frame(&self.context));
        *frames = Some(receiver.clone());
        let context = self.context.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(FRAME_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            while sender.receiver_count() > 1 {
                ticks.tick().await;
                if sender.send(frame(&context)).is_err() {
                    break;
                }
            }
        });
        receiver
    }
}

fn frame(context: &ApiContext) -> Arc<str> {
    riding(context).to_json_string().into()
}

/// The bikes being ridden, every second, as events whose data is what `/api/v1/live` answers.
#[handler]
pub(super) fn events(feed: Data<&Arc<Feed>>) -> SSE {
    let mut frames = feed.watch();
    // The first frame is sent at once, however long it has been lying there.
    frames.mark_changed();
    let events = stream::unfold(frames, |mut frames| async move {
        frames.changed().await.ok()?;
        let frame = frames.borrow_and_update().to_string();
        Some((Event::message(frame), frames))
    });
    SSE::new(events).keep_alive(Duration::from_secs(15))
}
