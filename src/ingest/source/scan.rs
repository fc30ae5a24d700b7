//! Reads around in a partition with a client of its own, off the group's path.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::RawMessage;

/// How long a broker may take to answer a question.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a range of a partition's offsets, in order, until `each` answers false. Fails when `stop` is raised.
pub(super) fn scan(
    consumer: &BaseConsumer,
    stop: &AtomicBool,
    topic: &str,
    partition: i32,
    range: Range<i64>,
    each: &mut dyn FnMut(&RawMessage<'_>) -> bool,
) -> anyhow::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(range.start))
        .context("an offset is none")?;
    consumer
        .assign(&list)
        .with_context(|| format!("cannot read partition {partition}"))?;
    let mut last_heard = Instant::now();
    let read = loop {
        if stop.load(Ordering::Relaxed) {
            break Err(anyhow::anyhow!("told to stop"));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.partition() != partition || message.offset() < range.start => {}
            Some(Ok(message)) => {
                last_heard = Instant::now();
                let raw = RawMessage {
                    partition,
                    offset: message.offset(),
                    timestamp_millis: message.timestamp().to_millis().filter(|&millis| millis > 0),
                    key: message.key(),
                    payload: message.payload().unwrap_or_default(),
                };
                if raw.offset >= range.end || !each(&raw) || raw.offset + 1 >= range.end {
                    break Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break Ok(()),
            Some(Err(error)) if error.rdkafka_error_code() == Some(Code::AutoOffsetReset) => {
                break Err(anyhow::Error::new(error).context("the log moved on while it was read"));
            }
            _ if last_heard.elapsed() > 2 * ANSWER_TIMEOUT => {
                break Err(anyhow::anyhow!(
                    "no broker answered for {} s",
                    2 * ANSWER_TIMEOUT.as_secs()
                ));
            }
            _ => {}
        }
    };
    consumer.unassign().context("cannot stop reading")?;
    read
}
