//! One file per job kind: what a run does for its window, in named steps. When it runs is the scheduler's business.

pub mod notify;
pub mod publish;
pub mod send;
