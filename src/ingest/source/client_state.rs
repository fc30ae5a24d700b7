//! What librdkafka knows without asking a broker, and the rdkafka crate does not tell.

use std::{
    ffi::{CStr, c_char},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings::{self, rd_kafka_resp_err_t},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};

/// The state of a consumer's client.
pub(super) struct ClientState<C: ConsumerContext> {
    consumer: Arc<BaseConsumer<C>>,
    topic: Box<CStr>,
}

impl<C: ConsumerContext> ClientState<C> {
    pub(super) fn new(consumer: Arc<BaseConsumer<C>>, topic: &CStr) -> Self {
        ClientState {
            consumer,
            topic: topic.into(),
        }
    }

    /// The end of a partition as the last fetch saw it; none before the first.
    pub(super) fn end_offset(&self, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, the topic is a C string, and the two places are ours.
        let error = unsafe {
            bindings::rd_kafka_get_watermark_offsets(
                self.consumer.client().native_ptr(),
                self.topic.as_ptr().cast::<c_char>(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        (error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }
}

/// Whether the consumer's own queue is empty. A poll does not say so: one that serves an event answers as if there had been
/// nothing.
pub(super) fn has_no_events<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    // SAFETY: the client is alive. A consumer in a group has such a queue, of which the reference is released again.
    unsafe {
        let queue = bindings::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if queue.is_null() {
            return true;
        }
        let length = bindings::rd_kafka_queue_length(queue);
        bindings::rd_kafka_queue_destroy(queue);
        length == 0
    }
}

/// Has the client's events served, of a consumer that was not subscribed yet: there are no messages. Answers the last error
/// among them.
pub(super) fn serve_events<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<KafkaError> {
    let mut last = None;
    loop {
        match consumer.poll(Duration::ZERO) {
            Some(polled) => last = polled.err().or(last),
            None if has_no_events(consumer) => return last,
            None => {}
        }
    }
}
