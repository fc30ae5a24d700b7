//! Taking in a whole file.

use std::{
    collections::{HashMap, HashSet},
    io::{self, ErrorKind},
    path::Path,
};

use super::{
    pipeline::Pipeline,
    sessionize::Rules,
    source::{RawMessage, file::FileSource},
    writer::Writer,
};
use crate::{
    domain::batch::{Counts, StoredPosition, StreamId},
    store::Store,
};
use anyhow::Context as _;

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
    /// Business days of its rides in the buffer, oldest first, with all that is stored of these rides.
    pub days: Vec<(chrono::NaiveDate, i64, i64)>,
    /// Those of its rides that have no header.
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
    ingest(store, rules, zone, &stream, |each| {
        source.read(|message, bytes| {
            if message.offset % 65_536 == 0 {
                progress(bytes, size);
            }
            each(message)?;
            Ok(true)
        })
    })?;
    let counts = store.stream_counts(&stream)?;
    let rides = store.ride_days(&stream)?;
    Ok(FileSummary {
        messages: counts.messages - before,
        counts,
        days: rides.days,
        partial_rides: rides.partial,
    })
}

/// Takes in every message that `read` hands over, as a stream of one partition that ends: what is left open at its end
/// closes by the idle rule.
///
/// # Errors
/// See [`ingest_file`].
pub fn ingest(
    store: &Store,
    rules: Rules,
    zone: chrono_tz::Tz,
    stream: &StreamId,
    read: impl FnOnce(&mut dyn FnMut(RawMessage<'_>) -> anyhow::Result<()>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let day_rule = rules.day;
    let mut pipeline = Pipeline::new(rules, zone).of_the_past();
    let stored = store
        .positions(stream)?
        .into_iter()
        .find(|stored| stored.partition == 0);
    let from = pipeline.assign(&stored.unwrap_or_else(|| StoredPosition::beginning(0)))?;
    let mut writer = Writer::start(store.clone(), stream.clone(), day_rule, None)?;
    let now = store.clock().now();
    if !pipeline.is_replaying(0) {
        reconcile(store, stream, &mut pipeline, 0)?;
    }
    let outcome = read(&mut |message| {
        if message.offset < from {
            return Ok(());
        }
        let was_replaying = pipeline.is_replaying(0);
        pipeline.message(message, now);
        if was_replaying && !pipeline.is_replaying(0) {
            reconcile(store, stream, &mut pipeline, 0)?;
        }
        if pipeline.is_full() {
            writer.write(pipeline.take_batch(|_| true)?)?;
        }
        Ok(())
    });
    if !writer.is_writing() {
        return outcome.context("what was stored until then stays, and the next time goes on from there");
    }
    // What is cut short has told all that it ever will; what could not be read this time goes on the next.
    let is_damaged = |error: &anyhow::Error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        causes.any(|cause| {
            matches!(
                cause.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
            )
        })
    };
    if outcome.as_ref().err().is_none_or(is_damaged) {
        pipeline.close_all(0);
    }
    let messages = pipeline.next_offset(0).unwrap_or(0);
    if messages > 0 {
        writer.write(pipeline.take_batch(|_| true)?)?;
    }
    writer.finish()?;
    outcome.with_context(|| {
        format!(
            "`{}` was taken in only in part: the first {messages} messages are stored",
            stream.topic
        )
    })
}

/// After a restart: corrects the open rides by what the store holds of them, and ends those that the store has under way
/// and the state does not, since the log lost their lines.
pub(super) fn reconcile(
    store: &Store,
    stream: &StreamId,
    pipeline: &mut Pipeline,
    partition: i32,
) -> anyhow::Result<()> {
    let day_rule = pipeline.rules().day;
    let pending = pipeline.pending_by_ride();
    let Some(sessions) = pipeline.sessions_mut(partition) else {
        return Ok(());
    };
    let open: HashSet<_> = sessions.open_rides().map(|ride| ride.ride_id).collect();
    let facts: HashMap<_, _> = store
        .ride_facts(&open)?
        .into_iter()
        .map(|(ride, readings, alerts)| (ride, (readings, alerts)))
        .collect();
    let mut differing = Vec::new();
    let mut raised: HashMap<_, Vec<_>> = HashMap::new();
    for (ride, alert) in store.raised_alerts(&open)? {
        raised.entry(ride).or_default().push(alert);
    }
    for ride in sessions.open_rides_mut() {
        raised
            .remove(&ride.ride_id)
            .into_iter()
            .flatten()
            .for_each(|alert| ride.recall(alert));
        let &(readings, alerts) = facts.get(&ride.ride_id).unwrap_or(&(0, 0));
        ride.alert_count = alerts;
        let stored = ride.totals.reading_count - pending.get(&ride.ride_id).copied().unwrap_or(0);
        if readings != stored {
            differing.push(ride.ride_id);
        }
    }
    store.share_rides(stream, partition, &differing)?;
    let mut orphans = store.open_rides_of(stream, partition)?;
    orphans.retain(|ride| !open.contains(ride));
    store.close_rides(&orphans, &day_rule)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::open;

    #[test]
    fn where_the_store_cannot_be_written_its_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        store
            .connection()
            .unwrap()
            .execute_batch("drop table daily.rejected_line")
            .unwrap();
        let stream = StreamId {
            source: "file".to_owned(),
            topic: "rides".to_owned(),
        };
        let told = ingest(&store, Rules::default(), chrono_tz::UTC, &stream, |each| {
            for offset in 0..100_000 {
                each(RawMessage {
                    partition: 0,
                    offset,
                    timestamp_millis: None,
                    key: None,
                    payload: b"nonsense",
                })?;
            }
            Ok(())
        });
        let told = format!("{:#}", told.unwrap_err());
        assert!(
            told.contains("rejected_line") && told.contains("goes on from there"),
            "{told}"
        );
    }
}
