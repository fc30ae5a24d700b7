//! The way to the database: everybody who wants a connection goes through, and it can be shut once all have come back.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::{Result, lock};
use crate::domain::cancel::Cancel;

/// How often whoever waits looks whether they still want to go through.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Counts who is inside.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Connections that are out.
    inside: usize,
    is_shut: bool,
}

impl Turnstile {
    /// Waits until the way is open, and goes through.
    ///
    /// # Errors
    /// When the run that it is for is cancelled meanwhile.
    pub(super) fn enter(&self, cancel: Option<&Cancel>) -> Result<()> {
        let mut state = lock(&self.state);
        while state.is_shut {
            cancel.map_or(Ok(()), Cancel::check)?;
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.inside += 1;
        Ok(())
    }

    /// Comes back.
    pub(super) fn leave(&self) {
        lock(&self.state).inside -= 1;
        self.changed.notify_all();
    }

    /// Shuts the way as soon as everybody has come back. None where somebody does not within `patience`: who is inside may
    /// need another connection to come to an end.
    pub(super) fn shut(&self, patience: Duration) -> Option<Shut<'_>> {
        let mut state = lock(&self.state);
        state.is_shut = true;
        let shut = Shut { turnstile: self };
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |state| state.inside > 0);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        (!waited.timed_out()).then_some(shut)
    }
}

/// The way is shut until this is dropped.
pub(super) struct Shut<'t> {
    turnstile: &'t Turnstile,
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        lock(&self.turnstile.state).is_shut = false;
        self.turnstile.changed.notify_all();
    }
}
