//! Rides that were asked for lately, so that the next who asks for one of them need not wait for the database.

use std::sync::{Mutex, MutexGuard};

use hashlink::LruCache;
use uuid::Uuid;

use super::{lock, query::RideRow};

/// Rides that are remembered; of more, those that were asked for last. They take some 4 MB.
const RIDES: usize = 10_000;

/// What the database says of some rides. Whoever changes rides has them forgotten once that is committed.
pub(super) struct KnownRides(Mutex<Known>);

struct Known {
    rides: LruCache<Uuid, RideRow>,
    /// How often rides were forgotten.
    changes: u64,
}

/// The moment before a ride is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(u64);

impl Default for KnownRides {
    fn default() -> Self {
        KnownRides(Mutex::new(Known {
            rides: LruCache::new(RIDES),
            changes: 0,
        }))
    }
}

impl KnownRides {
    /// A ride, if it is remembered.
    pub(super) fn get(&self, ride_id: Uuid) -> Option<RideRow> {
        self.lock().rides.get(&ride_id).cloned()
    }

    /// To be taken before a ride is read that is to be remembered.
    pub(super) fn moment(&self) -> Moment {
        Moment(self.lock().changes)
    }

    /// Remembers a ride that was read since `moment`, unless rides have changed since then: it may be one of them.
    pub(super) fn remember(&self, ride: &RideRow, Moment(since): Moment) {
        let mut known = self.lock();
        if known.changes == since {
            known.rides.insert(ride.ride_id, ride.clone());
        }
    }

    /// Forgets rides that have changed.
    pub(super) fn forget<'r>(&self, rides: impl Iterator<Item = &'r Uuid>) {
        let mut known = self.lock();
        known.changes += 1;
        if known.rides.is_empty() {
            return;
        }
        for ride_id in rides {
            known.rides.remove(ride_id);
        }
    }

    /// Forgets all rides.
    pub(super) fn forget_all(&self) {
        let mut known = self.lock();
        known.changes += 1;
        known.rides.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::query::{RideFilter, fixture, rides};

    #[test]
    fn a_ride_that_changed_while_it_was_read_is_not_remembered() {
        let (_folder, store) = fixture::store();
        let (ride, _) = rides(&store, &RideFilter::default(), 1).unwrap().remove(0);
        let known = KnownRides::default();
        let moment = known.moment();
        known.forget(std::iter::once(&ride.ride_id));
        known.remember(&ride, moment);
        assert_eq!(known.get(ride.ride_id), None);
        known.remember(&ride, known.moment());
        assert_eq!(known.get(ride.ride_id), Some(ride));
    }
}
