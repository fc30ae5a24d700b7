//! The list of what was erased, beside the database: a backup from before has in it what was erased since, and when it is put
//! back the list says what is to be erased once more.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use duckdb::Connection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Doing, Result, StoreError,
    erasure::{self, list},
};
use crate::domain::erasure::{Erasure, IfAbsent, Subject};

/// The list's file name in the data folder; one JSON object a line. A restore leaves it where it is.
pub(super) const NAME: &str = "erased.jsonl";

/// One line: the number of a rider or the id of a ride, and no word of who that was.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    erasure_id: Uuid,
    subject: Subject,
    erased_at: DateTime<Utc>,
    asked_by: String,
}

/// Writes an erasure down that the database has, unless it is.
pub(super) fn write_down(data_dir: &Path, erasure: &Erasure) -> Result<()> {
    let (path, lines) = read(data_dir)?;
    if lines.iter().any(|line| line.erasure_id == erasure.erasure_id) {
        return Ok(());
    }
    let line = Line {
        erasure_id: erasure.erasure_id,
        subject: erasure.subject,
        erased_at: erasure.erased_at,
        asked_by: erasure.asked_by.clone(),
    };
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(&text)?;
        file.sync_all()
    };
    write().doing(|| format!("cannot write down in `{}` what was erased", path.display()))
}

/// At the start: what only the database knows is written down, and what only the list knows is erased, as the database is
/// older than that.
pub(super) fn bring_together(connection: &Connection, data_dir: &Path) -> Result<()> {
    let (path, lines) = read(data_dir)?;
    let known = list(connection, false)?;
    let listed: HashSet<Uuid> = lines.iter().map(|line| line.erasure_id).collect();
    let unlisted = known.iter().filter(|erasure| !listed.contains(&erasure.erasure_id));
    unlisted
        .into_iter()
        .try_for_each(|erasure| write_down(data_dir, erasure))?;
    let known: HashSet<Uuid> = known.iter().map(|erasure| erasure.erasure_id).collect();
    for line in lines.into_iter().filter(|line| !known.contains(&line.erasure_id)) {
        let doing = || format!("cannot erase once more what `{}` lists", path.display());
        let again = erasure::begun(line.erasure_id, line.subject, line.erased_at, line.asked_by);
        connection.execute_batch("begin").doing(doing)?;
        erasure::erase(connection, again, IfAbsent::Bury)?;
        connection.execute_batch("commit").doing(doing)?;
        tracing::warn!("{} is erased once more: the database is older than that", line.subject);
    }
    Ok(())
}

fn read(data_dir: &Path) -> Result<(PathBuf, Vec<Line>)> {
    let path = data_dir.join(NAME);
    let text = match File::open(&path).and_then(io::read_to_string) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.doing(|| format!("cannot read `{}`", path.display()))?,
    };
    // A line that was being written when the program was killed: the database has it.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        fs::write(&path, &text[..whole]).doing(|| format!("cannot mend the end of `{}`", path.display()))?;
    }
    let line = |(place, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            StoreError::Inconsistent(format!(
                "line {} of `{}`, the list of what was erased, is damaged: {error}; mend or remove that line",
                place + 1,
                path.display()
            ))
        })
    };
    let lines = text[..whole].lines().enumerate().map(line).collect::<Result<_>>()?;
    Ok((path, lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{open, ride, seen};

    #[test]
    fn an_older_database_that_is_put_back_has_what_was_erased_since_erased_once_more() {
        let folder = tempfile::tempdir().unwrap();
        let (store, elsewhere) = (open(&folder), tempfile::tempdir().unwrap());
        let first = ride(&store, "2026-01-05T09:00:00Z", 30);
        ride(&store, "2026-01-05T11:00:00Z", 20);
        store.seal("2026-01-05".parse().unwrap()).unwrap();
        let backup = store.backup(elsewhere.path()).unwrap();
        let subject = Subject::Ride(first.id());
        store.erase(subject, "the test", IfAbsent::Refuse).unwrap().unwrap();
        store.seal("2026-01-05".parse().unwrap()).unwrap();
        let expected = seen(&store);
        drop(store);
        let now = "2026-01-11T12:00:00Z".parse().unwrap();
        crate::store::backup::restore(&backup.folder, folder.path(), true, now).unwrap();
        let store = open(&folder);
        store.seal("2026-01-05".parse().unwrap()).unwrap();
        assert_eq!(seen(&store), expected);
        assert_eq!(
            store.unfinished_erasures().unwrap().len(),
            1,
            "its files and bytes go again"
        );
        drop(store);
        assert_eq!(open(&folder).erasures().unwrap().len(), 1, "and once is enough");
    }

    #[test]
    fn a_list_that_was_cut_short_is_made_whole_from_the_database_and_a_damaged_one_is_refused_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let rides = ["2026-01-05T09:00:00Z", "2026-01-05T11:00:00Z"].map(|at| ride(&store, at, 5));
        for told in &rides {
            store
                .erase(Subject::Ride(told.id()), "the test", IfAbsent::Refuse)
                .unwrap()
                .unwrap();
        }
        drop(store);
        let path = folder.path().join(NAME);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 20]).unwrap();
        drop(open(&folder));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        fs::write(&path, whole.replacen('{', "[", 1)).unwrap();
        let refused = crate::store::Store::open(folder.path(), crate::clock::Clock::System);
        let told = refused.err().unwrap().to_string();
        assert!(told.contains("line 1 of") && told.contains(NAME), "{told}");
    }
}
