//! The schema's versions. A database that is empty gets every migration; one of an older version those that it lacks,
//! after a copy of it was put aside; one of a version that this program does not know is refused.

use std::path::Path;

use duckdb::Connection;

use super::{Doing, Result, StoreError, refused};
use crate::clock::Clock;

/// The migrations, oldest first; the schema's version is how many of them a file has seen.
const MIGRATIONS: [&str; 10] = [
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
];

/// The schema version this program reads and writes.
#[must_use]
pub fn known_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("migrations are few")
}

/// Brings the database to [`known_version`].
pub(super) fn migrate(connection: &Connection, path: &Path, clock: Clock) -> Result<()> {
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
    if found > known_version() {
        return Err(StoreError::Newer {
            path: display(),
            found,
            known: known_version(),
        });
    }
    if found > 0 && found < known_version() {
        let aside = path.with_extension(format!("before-version-{}.duckdb", known_version()));
        connection
            .execute_batch("checkpoint")
            .doing(|| format!("cannot checkpoint `{}`", display()))?;
        std::fs::copy(path, &aside)
            .doing(|| format!("cannot put a copy of `{}` aside before migrating it", display()))?;
    }
    for (version, sql) in (1..).zip(MIGRATIONS).filter(|&(version, _)| version > found) {
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
