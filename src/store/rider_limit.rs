//! What was settled for single riders. All of it is in memory too, so that ingest asks nobody.

use std::sync::Arc;

use duckdb::{Connection, params};

use super::{Doing, Result, Store, lock, value};
use crate::domain::heart_rate::{OwnLimits, RiderLimits};

impl Store {
    /// What was settled for which rider, as it stands. The same `Arc` until something changes.
    #[must_use]
    pub fn rider_limits(&self) -> Arc<RiderLimits> {
        Arc::clone(&lock(&self.inner.rider_limits))
    }

    /// Settles something for a rider, in place of what was settled before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_rider_limits(&self, rider_id: i64, own: OwnLimits) -> Result<()> {
        self.change_rider_limits(rider_id, Some(own)).map(drop)
    }

    /// Forgets what was settled for a rider; false where nothing was.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn clear_rider_limits(&self, rider_id: i64) -> Result<bool> {
        self.change_rider_limits(rider_id, None)
    }

    fn change_rider_limits(&self, rider_id: i64, own: Option<OwnLimits>) -> Result<bool> {
        // Held to the end: what is in memory is what is in the database.
        let mut known = lock(&self.inner.rider_limits);
        let doing = || format!("cannot change the heart-rate limits of rider {rider_id}");
        self.transaction(doing, |connection| {
            match own {
                None => connection.execute("delete from ops.rider_limit where rider_id = ?", [rider_id]),
                Some(own) => connection.execute(
                    "insert or replace into ops.rider_limit values (?, ?, ?, ?, ?)",
                    params![
                        rider_id,
                        own.lower_bpm,
                        own.upper_bpm,
                        own.is_mailed,
                        value::timestamp(self.clock().now())
                    ],
                ),
            }
            .doing(doing)
        })?;
        let mut changed = RiderLimits::clone(&known);
        let before = match own {
            None => changed.remove(&rider_id),
            Some(own) => changed.insert(rider_id, own),
        };
        *known = Arc::new(changed);
        Ok(before.is_some())
    }
}

/// Everything that was settled.
pub(super) fn read(connection: &Connection) -> Result<RiderLimits> {
    let doing = || "cannot read the riders' own heart-rate limits".to_owned();
    let mut statement = connection
        .prepare("select rider_id, lower_bpm, upper_bpm, is_mailed from ops.rider_limit")
        .doing(doing)?;
    let rows = statement
        .query_map([], |row| {
            let own = OwnLimits {
                lower_bpm: row.get(1)?,
                upper_bpm: row.get(2)?,
                is_mailed: row.get(3)?,
            };
            Ok((row.get(0)?, own))
        })
        .doing(doing)?;
    rows.collect::<duckdb::Result<_>>().doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::open;

    #[test]
    fn what_is_settled_for_a_rider_is_known_at_once_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let upper = |bpm| OwnLimits {
            upper_bpm: Some(bpm),
            ..OwnLimits::default()
        };
        let store = open(&folder);
        let before = store.rider_limits();
        store.set_rider_limits(7, upper(150)).unwrap();
        store.set_rider_limits(7, upper(160)).unwrap();
        store.set_rider_limits(8, upper(170)).unwrap();
        assert!(store.clear_rider_limits(8).unwrap() && !store.clear_rider_limits(8).unwrap());
        assert!(before.is_empty(), "whoever has the old ones keeps them");
        let expected = RiderLimits::from([(7, upper(160))]);
        assert_eq!(*store.rider_limits(), expected);
        drop(store);
        assert_eq!(*open(&folder).rider_limits(), expected);
    }
}
