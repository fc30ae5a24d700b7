//! The schema's versions. A database that is empty gets every migration; one of an older version those that it lacks,
//! after a copy of it was put aside; one of a version that this program does not know is refused.

use std::path::Path;

use duckdb::Connection;

use super::{Doing, Result, StoreError, refused};
use crate::clock::Clock;

/// The migrations, oldest first; the schema's version is how many of them a file has seen.
const MIGRATIONS: [&str; 18] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_several_consumers.sql"),
    include_str!("migrations/0003_rider_limits.sql"),
    include_str!("migrations/0004_rejected_lines.sql"),
    include_str!("migrations/0005_line_counts.sql"),
    include_str!("migrations/0006_troubles_told.sql"),
    include_str!("migrations/0007_run_logs.sql"),
    include_str!("migrations/0008_first_reports.sql"),
    include_str!("migrations/0009_ride_minima.sql"),
    include_str!("migrations/0010_mailed_reports.sql"),
    include_str!("migrations/0011_counted_offsets.sql"),
    include_str!("migrations/0012_mail_readers.sql"),
    include_str!("migrations/0013_one_mail_however_spelt.sql"),
    include_str!("migrations/0014_api_keys.sql"),
    include_str!("migrations/0015_erasures.sql"),
    include_str!("migrations/0016_rider_totals.sql"),
    include_str!("migrations/0017_workouts.sql"),
    include_str!("migrations/0018_peloton_failures.sql"),
];

/// The schema version this program reads and writes.
#[must_use]
pub fn known_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("migrations are few")
}

/// Brings the database to [`known_version`].
pub(super) fn migrate(connection: &Connection, path: &Path, clock: Clock) -> Result<()> {
    migrate_to(known_version(), connection, path, clock)
}

fn migrate_to(known: i32, connection: &Connection, path: &Path, clock: Clock) -> Result<()> {
    let display = || path.display().to_string();
    connection
        .execute_batch(
            "create table if not exists main.schema_version (version integer not null, migrated_at timestamptz not null)",
        )
        .map_err(|source| refused(source, |source| StoreError::Open { path: display(), source }))?;
    let found: i32 = connection
        .query_row("select coalesce(max(version), 0) from main.schema_version", [], |row| {
            row.get(0)
        })
        .doing(|| format!("cannot read the schema version of `{}`", display()))?;
    if found > known {
        return Err(StoreError::Newer {
            path: display(),
            found,
            known,
        });
    }
    if found > 0 && found < known {
        let aside = path.with_extension(format!("of-version-{found}.duckdb"));
        connection
            .execute_batch("checkpoint")
            .doing(|| format!("cannot checkpoint `{}`", display()))?;
        std::fs::copy(path, &aside)
            .doing(|| format!("cannot put a copy of `{}` aside before migrating it", display()))?;
    }
    for (version, sql) in (1..)
        .zip(MIGRATIONS)
        .filter(|&(version, _)| version > found && version <= known)
    {
        let record = format!(
            "insert into main.schema_version values ({version}, '{}')",
            clock.now().to_rfc3339()
        );
        connection
            .execute_batch(&format!("begin; {sql}; {record}; commit;"))
            .doing(|| format!("cannot migrate `{}` to schema version {version}", display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::batch::Counts,
        store::{Store, fixture, open_file},
    };

    #[test]
    fn what_an_earlier_version_stored_is_all_there_after_migrating() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deloton.duckdb");
        let clock = Clock::Fixed(fixture::at(fixture::NOW));
        let old = open_file(&path).unwrap();
        migrate_to(4, &old, &path, clock).unwrap();
        old.execute_batch(
            "insert into ops.stream values
                 ('cluster', 'deloton', 0, 12, now(), now(), 12, 5, 5, 1, 1, 0, 0, 0, 0, 5, 0, null),
                 ('cluster', 'deloton', 1, 7, null, now(), 7, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, null);
             insert into daily.ride (ride_id, bike_serial, started_at, is_partial, duration_seconds, reading_count,
                 energy_kilojoules, dropout_seconds, flagged_readings, alert_count)
             values (uuid(), 'SN1', now(), true, 5, 5, 0.25, 0, 0, 0);
             insert into daily.rejected_line (source, topic, partition, \"offset\", received_at, raw, reason)
             select 'cluster', 'deloton', 1, range, now(), 'x'::blob, 'no value' from range(7)",
        )
        .unwrap();
        drop(old);

        let store = Store::open(folder.path(), clock).unwrap();
        let accounts = store.reconciliation().unwrap();
        let of = |partition| {
            accounts
                .iter()
                .find(|account| account.partition == partition)
                .unwrap()
                .counts
        };
        let rejected = Counts {
            messages: 7,
            rejected_lines: 7,
            ..Counts::default()
        };
        assert_eq!((of(0).messages, of(0).accounted_for(), of(0).readings), (12, 12, 5));
        assert_eq!(of(1), rejected);
        assert_eq!(fixture::number(&store, "select count(*) from daily.rejected_line"), 7);
        assert_eq!(fixture::number(&store, "select reading_count from ride"), 5);
        assert!(folder.path().join("deloton.of-version-4.duckdb").exists());
    }
}
