//! That a run is no longer wanted: told by whoever started it, heard by whoever does its work.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A flag that says a run is no longer wanted, and why. Cheap to clone; every clone is the same flag.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Default)]
struct Flag {
    why: AtomicU8,
    interrupts: Mutex<Vec<(u64, Interrupt)>>,
    registered: AtomicU64,
}

/// Ends one long step from another thread. It must not block.
type Interrupt = Box<dyn Fn() + Send>;

/// Why a run is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It took longer than it may.
    TimedOut = 1,
    /// Its next firing came.
    Superseded = 2,
    /// The program is about to end.
    Shutdown = 3,
}

/// A run was cancelled, and has ended between two of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped between two steps")]
pub struct Cancelled;

impl Cancel {
    /// Whether the run is no longer wanted.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.why().is_some()
    }

    /// Why the run is no longer wanted.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        match self.0.why.load(Ordering::Relaxed) {
            1 => Some(Why::TimedOut),
            2 => Some(Why::Superseded),
            3 => Some(Why::Shutdown),
            _ => None,
        }
    }

    /// Raises the flag and interrupts the step under way; the first reason stays.
    pub fn raise(&self, why: Why) {
        // The flag carries no other data, and whoever raises it later has lost: no ordering needed, no result either.
        self.0
            .why
            .compare_exchange(0, why as u8, Ordering::Relaxed, Ordering::Relaxed)
            .ok();
        self.interrupt();
    }

    /// Interrupts what goes on although the flag is raised: a step may have begun just then.
    pub fn interrupt(&self) {
        for (_, interrupt) in self.interrupts().iter() {
            interrupt();
        }
    }

    /// Ends a run that is no longer wanted: `cancel.check()?` between steps.
    ///
    /// # Errors
    /// When it was cancelled.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_raised() { Err(Cancelled) } else { Ok(()) }
    }

    /// Locks `mutex`, unless the run is cancelled before it is its turn.
    ///
    /// # Errors
    /// When it was cancelled.
    pub fn lock<'m, T>(&self, mutex: &'m Mutex<T>) -> Result<MutexGuard<'m, T>, Cancelled> {
        /// Whoever waits looks this often.
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        loop {
            match mutex.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    self.check()?;
                    thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    /// Has `interrupt` called when the run is cancelled, until the answer is dropped.
    #[must_use]
    pub fn interrupts_with(&self, interrupt: impl Fn() + Send + 'static) -> Interruptible {
        let id = self.0.registered.fetch_add(1, Ordering::Relaxed);
        self.interrupts().push((id, Box::new(interrupt)));
        Interruptible {
            cancel: self.clone(),
            id,
        }
    }

    fn interrupts(&self) -> MutexGuard<'_, Vec<(u64, Interrupt)>> {
        self.0.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.why()).finish()
    }
}

/// A step that is interrupted when its run is cancelled; not any more once this is dropped.
pub struct Interruptible {
    cancel: Cancel,
    id: u64,
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        self.cancel.interrupts().retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_lock_has_it_in_turn_or_hears_that_the_run_is_cancelled() {
        let (cancel, mutex) = (Cancel::default(), Mutex::new(1));
        let held = mutex.lock().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel.lock(&mutex).map(|value| *value));
            thread::sleep(Duration::from_millis(20));
            drop(held);
            assert_eq!(waiting.join().unwrap(), Ok(1));
        });
        let held = mutex.lock().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel.lock(&mutex).map(|value| *value));
            cancel.raise(Why::TimedOut);
            assert_eq!(waiting.join().unwrap(), Err(Cancelled));
        });
        drop(held);
    }
}
