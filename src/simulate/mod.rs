//! The bikes: a seeded, faithful stand-in for the fleet.
//!
//! One seed means the same bytes on any machine: all chance comes from `dice` (`ChaCha8`) and all arithmetic is exact
//! IEEE (`+ - * /` and square roots, no library functions that differ between platforms).
//!
//! ```text
//! population  who rides            ┐
//! programme   what the bike asks   ├ ride: the lines of one ride ─ fleet: all bikes, in time order ─ faults ─ envelope
//! schedule    when a bike is used  ┘                                             broker: live, over Kafka's protocol
//! ```

pub mod broker;
mod dice;
pub mod envelope;
pub mod faults;
pub mod fleet;
mod names;
pub mod population;
mod programme;
pub mod ride;
mod schedule;

pub use faults::{FaultCounts, Faults, FaultyLines};
pub use fleet::{Fleet, FleetConfig, Lines, SimLine};
