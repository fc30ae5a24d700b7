//! What time it is: the one place that asks the machine.

use chrono::{DateTime, Utc};

/// The program's clock. Everything that needs the present instant is handed one, so that tests and replays can
/// fix it (`--now`).
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// An instant that never moves.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The present instant, UTC.
    #[must_use]
    pub fn now(self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            Clock::System => Utc::now(),
            Clock::Fixed(instant) => instant,
        }
    }
}
