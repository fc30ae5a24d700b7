//! The times that criterion's iterations took, kept for the bench's last line.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use criterion::Bencher;

/// The times of every iteration, warm-up too.
#[derive(Default)]
pub(crate) struct Times(RefCell<Vec<Duration>>);

#[allow(dead_code, reason = "each bench is a program of its own")]
impl Times {
    /// Has criterion measure `work` on what `prepare` makes, and keeps the times.
    pub(crate) fn take<T>(
        &self,
        bencher: &mut Bencher<'_>,
        mut prepare: impl FnMut() -> T,
        mut work: impl FnMut(&mut T),
    ) {
        bencher.iter_custom(|iterations| {
            (0..iterations)
                .map(|_| {
                    let mut input = prepare();
                    let started = Instant::now();
                    work(&mut input);
                    let took = started.elapsed();
                    self.0.borrow_mut().push(took);
                    took
                })
                .sum()
        });
    }

    /// Keeps a time that was taken elsewhere, and answers it.
    pub(crate) fn note(&self, took: Duration) -> Duration {
        self.0.borrow_mut().push(took);
        took
    }

    /// The middle one, in seconds; none where the bench was filtered out.
    pub(crate) fn median(&self) -> Option<f64> {
        self.percentile(50)
    }

    /// What `percent` of a hundred took no longer than, in seconds.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let mut times = self.0.borrow_mut();
        times.sort_unstable();
        times
            .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
            .map(Duration::as_secs_f64)
    }
}
