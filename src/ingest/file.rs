//! Taking in a whole file.

use std::{collections::HashSet, path::Path};

use uuid::Uuid;

use super::{
    pipeline::Pipeline,
    sessionize::Rules,
    source::{RawMessage, file::FileSource},
    writer::Writer,
};
use crate::{
    domain::batch::{Counts, StreamId},
    store::Store,
};

/// A flush of one DuckDB row group is the efficient size.
pub(super) const FLUSH_READINGS: usize = 122_880;

/// Rejected lines are kept whole, so many of them are a batch of their own.
pub(super) const FLUSH_REJECTED: usize = 10_000;

/// DuckDB keeps what it wrote in memory, up to its limit, for whoever reads next. A process that takes in a file and ends
/// has nobody to keep it for.
pub const MEMORY_LIMIT: &str = "256MB";

/// What came of a file.
#[derive(Debug, Clone, Default)]
pub struct FileSummary {
    /// Everything stored of the file, now or by earlier calls.
    pub counts: Counts,
    /// Messages taken in by this call; 0 where the file was known.
    pub messages: i64,
    /// Business days of the rides that this call met, oldest first, with all that is stored of these rides and of their
    /// readings.
    pub days: Vec<(chrono::NaiveDate, i64, i64)>,
    /// Those of these rides that have no header.
    pub partial_rides: i64,
}

/// Takes in the whole file at `path`, from where an earlier call was cut off. `progress` hears the bytes read.
///
/// # Errors
/// When the file cannot be read or the store cannot be written. What was stored until then stays, and calling again
/// goes on from there.
pub fn ingest_file(
    store: &Store,
    rules: Rules,
    zone: chrono_tz::Tz,
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<FileSummary> {
    let source = FileSource::open(path)?;
    // By its content, whatever it was called then.
    let known = store
        .streams()?
        .into_iter()
        .find(|known| known.source == source.identity());
    let stream = known.unwrap_or_else(|| StreamId {
        source: source.identity().to_owned(),
        topic: source.name(),
    });
    let size = source.size_bytes();
    let before = store.stream_counts(&stream)?.messages;
    let rides = ingest(store, rules, zone, &stream, |each| {
        source.read(|message, bytes| {
            if message.offset % 65_536 == 0 {
                progress(bytes, size);
            }
            each(message)?;
            Ok(true)
        })
    })?;
    let counts = store.stream_counts(&stream)?;
    let rides = store.ride_days(&rides)?;
    Ok(FileSummary {
        messages: counts.messages - before,
        counts,
        days: rides.days,
        partial_rides: rides.partial,
    })
}

/// Takes in every message that `read` hands over, as a stream of one partition that ends: what is left open at its end
/// closes by the idle rule. Answers the rides it met.
///
/// # Errors
/// See [`ingest_file`].
pub fn ingest(
    store: &Store,
    rules: Rules,
    zone: chrono_tz::Tz,
    stream: &StreamId,
    read: impl FnOnce(&mut dyn FnMut(RawMessage<'_>) -> anyhow::Result<()>) -> anyhow::Result<()>,
) -> anyhow::Result<HashSet<Uuid>> {
    let mut pipeline = Pipeline::new(rules, zone);
    let stored = store
        .positions(stream)?
        .into_iter()
        .find(|(partition, ..)| *partition == 0);
    let (next, checkpoint) = stored.map_or((0, None), |(_, next, checkpoint)| (next, checkpoint));
    let from = pipeline.assign(0, next, checkpoint.as_ref())?;
    let mut writer = Writer::start(store.clone(), stream.clone())?;
    let now = store.clock().now();
    // An earlier call that was cut off may have left rides open that another file had told of before.
    let mut known = if pipeline.is_replaying(0) {
        HashSet::new()
    } else {
        reconcile(store, &mut pipeline, 0)?
    };
    let mut rides = HashSet::new();
    let mut batch_of = |pipeline: &mut Pipeline| {
        let batch = pipeline.take_batch(true)?;
        rides.extend(batch.rides.iter().map(|ride| ride.ride_id));
        anyhow::Ok(batch)
    };
    read(&mut |message| {
        if message.offset < from {
            return Ok(());
        }
        let was_replaying = pipeline.is_replaying(0);
        pipeline.message(message, now);
        if was_replaying && !pipeline.is_replaying(0) {
            known = reconcile(store, &mut pipeline, 0)?;
        }
        if pipeline.pending_readings() >= FLUSH_READINGS || pipeline.pending_rejected() >= FLUSH_REJECTED {
            writer.write(batch_of(&mut pipeline)?, std::mem::take(&mut known))?;
        }
        Ok(())
    })?;
    pipeline.close_all(0);
    if pipeline.next_offset(0).is_some_and(|offset| offset > 0) {
        writer.write(batch_of(&mut pipeline)?, known)?;
    }
    writer.finish()?;
    Ok(rides)
}

/// After a restart: corrects the open rides by what the store holds of them, and answers those of which it holds
/// readings that the state does not.
pub(super) fn reconcile(store: &Store, pipeline: &mut Pipeline, partition: i32) -> anyhow::Result<HashSet<Uuid>> {
    let Some(sessions) = pipeline.sessions_mut(partition) else {
        return Ok(HashSet::new());
    };
    let open: Vec<_> = sessions.open_rides().map(|ride| ride.ride_id).collect();
    let facts = store.ride_facts(&open)?;
    let mut overlapping = HashSet::new();
    for ride in sessions.open_rides_mut() {
        if let Some((_, readings, alerts)) = facts.iter().find(|(id, ..)| *id == ride.ride_id) {
            ride.alert_count = *alerts;
            ride.overlaps_store |= *readings != ride.totals.reading_count;
        }
        if ride.overlaps_store {
            overlapping.insert(ride.ride_id);
        }
    }
    Ok(overlapping)
}
