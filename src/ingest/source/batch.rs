//! Messages in batches, three times as fast as one by one: `rd_kafka_consume_batch_queue`, which the rdkafka crate does
//! not wrap. Assigned partitions are forwarded from the consumer's queue to one of our own, so that the consumer's
//! queue is left with events (rebalances, errors) and the crate's own `poll` serves those.

use std::{
    ffi::{CStr, c_char},
    ptr::NonNull,
    slice,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings::{self, rd_kafka_message_t, rd_kafka_queue_t, rd_kafka_resp_err_t, rd_kafka_timestamp_type_t},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

use super::RawMessage;

/// Messages taken by one call of librdkafka.
const BATCH_MAX: usize = 8_192;

/// A queue of our own that assigned partitions are forwarded to.
pub(super) struct BatchQueue<C: ConsumerContext> {
    queue: NonNull<rd_kafka_queue_t>,
    topic: Box<CStr>,
    forwarded: Vec<i32>,
    /// Filled and emptied within one call; here only to be allocated once.
    batch: Vec<*mut rd_kafka_message_t>,
    /// Keeps alive the client that the queue belongs to.
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: the queue is librdkafka's, whose functions may be called from any thread; `batch` holds no pointer between
// calls.
unsafe impl<C: ConsumerContext> Send for BatchQueue<C> {}

/// A message, or what went wrong with its partition.
pub(super) enum Taken<'a> {
    Message(RawMessage<'a>),
    /// The partition, and where it was being fetched.
    PartitionError(i32, i64, RDKafkaErrorCode),
}

impl<C: ConsumerContext> BatchQueue<C> {
    pub(super) fn new(consumer: Arc<BaseConsumer<C>>, topic: &CStr) -> Self {
        // SAFETY: the client is alive; librdkafka never answers null (it aborts when out of memory).
        let queue = unsafe { bindings::rd_kafka_queue_new(consumer.client().native_ptr()) };
        BatchQueue {
            queue: NonNull::new(queue).expect("librdkafka makes a queue or aborts"),
            topic: topic.into(),
            forwarded: Vec::new(),
            batch: Vec::with_capacity(BATCH_MAX),
            consumer,
        }
    }

    /// Forwards a partition's messages here: before it is assigned, so that none takes the old way, and at every poll,
    /// because librdkafka forgets it, some time after the call, when it stops and starts a partition.
    pub(super) fn forward(&mut self, partition: i32) {
        self.set_forwarding(partition, self.queue.as_ptr());
        if !self.forwarded.contains(&partition) {
            self.forwarded.push(partition);
        }
    }

    /// Waits up to `timeout` for a message, then takes what else is there, `max` messages at most. Returns how many.
    pub(super) fn take(&mut self, timeout: Duration, max: usize, mut each: impl FnMut(Taken<'_>)) -> usize {
        // librdkafka waits until a batch is full: so wait for one, and take the rest without waiting.
        let mut taken = self.take_batch(timeout, 1.min(max), &mut each);
        while taken > 0 && taken < max {
            let room = BATCH_MAX.min(max - taken);
            let more = self.take_batch(Duration::ZERO, room, &mut each);
            taken += more;
            if more < room {
                break;
            }
        }
        taken
    }

    fn take_batch(&mut self, timeout: Duration, size: usize, each: &mut impl FnMut(Taken<'_>)) -> usize {
        debug_assert!(size <= BATCH_MAX, "the buffer was allocated for this many");
        // Rounded up: whoever waits out the rest of a deadline would ask again and again in its last millisecond.
        let millis = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive, and `batch` has room for `size` pointers, of which librdkafka fills the first
        // `count`. A negative count is an error of the call as a whole, which wrote nothing.
        let count = unsafe {
            let count =
                bindings::rd_kafka_consume_batch_queue(self.queue.as_ptr(), millis, self.batch.as_mut_ptr(), size);
            let count = usize::try_from(count).unwrap_or(0);
            self.batch.set_len(count);
            count
        };
        for pointer in self.batch.drain(..) {
            let message = Message(pointer);
            each(message.read());
        }
        count
    }

    fn set_forwarding(&self, partition: i32, to: *mut rd_kafka_queue_t) {
        // SAFETY: the client is alive and the topic is a C string; the partition's queue is released again, and
        // librdkafka holds its own reference to `to` (null stops forwarding) for as long as it forwards.
        unsafe {
            let from = bindings::rd_kafka_queue_get_partition(
                self.consumer.client().native_ptr(),
                self.topic.as_ptr().cast::<c_char>(),
                partition,
            );
            if !from.is_null() {
                bindings::rd_kafka_queue_forward(from, to);
                bindings::rd_kafka_queue_destroy(from);
            }
        }
    }
}

impl<C: ConsumerContext> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        for partition in std::mem::take(&mut self.forwarded) {
            self.set_forwarding(partition, std::ptr::null_mut());
        }
        // What lies in the queue refers to partitions; the client cannot be closed while it does.
        while self.take_batch(Duration::ZERO, BATCH_MAX, &mut |_| {}) > 0 {}
        // SAFETY: this is the only owner of the queue, and nobody can use it after this.
        unsafe { bindings::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// A message of librdkafka's, given back when dropped.
struct Message(*mut rd_kafka_message_t);

impl Message {
    fn read(&self) -> Taken<'_> {
        // SAFETY: librdkafka gave us this message, which is ours until it is destroyed, after what is borrowed from it
        // here. Payload and key are null, or as many bytes as is said.
        unsafe {
            let message = &*self.0;
            if message.err != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Taken::PartitionError(message.partition, message.offset, message.err.into());
            }
            let bytes = |start: *mut std::ffi::c_void, length| {
                (!start.is_null()).then(|| slice::from_raw_parts(start.cast::<u8>().cast_const(), length))
            };
            let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp = bindings::rd_kafka_message_timestamp(self.0, &raw mut kind);
            Taken::Message(RawMessage {
                partition: message.partition,
                offset: message.offset,
                // Brokers before 0.10 have none, which comes as a zero.
                timestamp_millis: (timestamp > 0).then_some(timestamp),
                key: bytes(message.key, message.key_len),
                payload: bytes(message.payload, message.len).unwrap_or_default(),
            })
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the message is ours and is not used again.
        unsafe { bindings::rd_kafka_message_destroy(self.0) };
    }
}
