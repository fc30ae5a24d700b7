//! Work on many items by all cores.

use std::{num::NonZero, panic, thread};

/// What `work` answers of parts of `items`, a part for each core, in their order. A part that panics is a panic here.
pub(super) fn in_parts<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(workers).max(1));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| work(part))).collect();
        let answers = running.into_iter().map(|worker| worker.join());
        answers
            .map(|answer| answer.unwrap_or_else(|panic| panic::resume_unwind(panic)))
            .collect()
    })
}
