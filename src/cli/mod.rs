//! One file per command.

pub mod backfill;
pub mod backup;
pub mod check;
pub mod plan;
pub mod restore;
pub mod run;
pub mod status;
