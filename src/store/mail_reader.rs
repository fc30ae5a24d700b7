//! Who is mailed: the token in each reader's own unsubscribe links, and who unsubscribed.
//!
//! A token is 128 random bits, made when an address is first mailed and kept: the links in old mails go on working, and no
//! address can be read from one. It is drawn rather than computed from the address with a secret, since such a secret
//! would have to be guarded and could never be changed, and an address would still have to be looked up.

use std::{thread, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use duckdb::{Connection, OptionalExt, Row, ToSql, params};

use super::{Doing, Result, StoreError, is_conflict};

/// How often a reader whom another thread adds in the same moment is looked for once more, and after how long.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// Someone who is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The address, in lower case.
    pub address: String,
    /// Since when no notices are wanted; none where they are.
    pub unsubscribed_at: Option<DateTime<Utc>>,
}

/// The token of the unsubscribe links in mails to `address`; the same for ever.
///
/// # Errors
/// When the database cannot be read or written, or the system has no random numbers.
pub fn token(connection: &Connection, address: &str) -> Result<String> {
    let address = known_as(address);
    let find = || {
        connection
            .query_row(
                "select token from ops.mail_reader where address = ?",
                params![address],
                |row| row.get(0),
            )
            .optional()
            .doing(|| "failed to look up who is mailed".to_owned())
    };
    if let Some(token) = find()? {
        return Ok(token);
    }
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        StoreError::Inconsistent(format!(
            "the system has no random numbers for unsubscribe links: {error}"
        ))
    })?;
    let drawn: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut tries = 0;
    loop {
        let added = execute(
            connection,
            "insert into ops.mail_reader (address, token) values (?1, ?2) on conflict do nothing",
            params![address, drawn],
        );
        // Where another thread added the same reader in the same moment, that one's is kept; it may take a moment more
        // until it is seen.
        match (find()?, added) {
            (Some(token), _) => return Ok(token),
            (None, Err(error)) if tries == TRIES => return Err(error),
            (None, _) => thread::sleep(PAUSE),
        }
        tries += 1;
    }
}

/// The reader whose links have `token`.
///
/// # Errors
/// When the database cannot be read.
pub fn find(connection: &Connection, token: &str) -> Result<Option<Reader>> {
    connection
        .query_row(
            "select address, epoch_us(unsubscribed_at) from ops.mail_reader where token = ?",
            params![token],
            reader,
        )
        .optional()
        .doing(|| "failed to look up whose unsubscribe link it is".to_owned())
}

/// Whether notices are not to go to `address`.
///
/// # Errors
/// When the database cannot be read.
pub fn is_unsubscribed(connection: &Connection, address: &str) -> Result<bool> {
    connection
        .query_row(
            "select count(*) > 0 from ops.mail_reader where address = ? and unsubscribed_at is not null",
            params![known_as(address)],
            |row| row.get(0),
        )
        .doing(|| "failed to look up who unsubscribed".to_owned())
}

/// Sends no more notices to `address`, whether or not it was ever mailed; false where none were sent before.
///
/// # Errors
/// When the database cannot be written.
pub fn unsubscribe(connection: &Connection, address: &str, now: DateTime<Utc>) -> Result<bool> {
    token(connection, address)?;
    let changed = execute(
        connection,
        "update ops.mail_reader set unsubscribed_at = ?2::timestamptz where address = ?1 and unsubscribed_at is null",
        params![known_as(address), now.to_rfc3339_opts(SecondsFormat::Micros, true)],
    )?;
    Ok(changed > 0)
}

/// Sends notices to `address` again; false where it had not unsubscribed.
///
/// # Errors
/// When the database cannot be written.
pub fn resubscribe(connection: &Connection, address: &str) -> Result<bool> {
    let changed = execute(
        connection,
        "update ops.mail_reader set unsubscribed_at = null where address = ?1 and unsubscribed_at is not null",
        params![known_as(address)],
    )?;
    Ok(changed > 0)
}

/// Everybody who unsubscribed, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub fn unsubscribed(connection: &Connection) -> Result<Vec<Reader>> {
    let read = || -> duckdb::Result<Vec<Reader>> {
        let mut statement = connection.prepare(
            "select address, epoch_us(unsubscribed_at) from ops.mail_reader
             where unsubscribed_at is not null order by unsubscribed_at desc, address",
        )?;
        statement.query_map([], reader)?.collect()
    };
    read().doing(|| "failed to list who unsubscribed".to_owned())
}

/// One address however it is spelt: nobody has two that differ in case alone.
fn known_as(address: &str) -> String {
    address.trim().to_ascii_lowercase()
}

fn reader(row: &Row<'_>) -> duckdb::Result<Reader> {
    Ok(Reader {
        address: row.get(0)?,
        unsubscribed_at: row.get::<_, Option<i64>>(1)?.and_then(DateTime::from_timestamp_micros),
    })
}

/// Carries out a statement; where another thread changed the same reader in the same moment, once more.
fn execute(connection: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Result<usize> {
    let mut done = connection.execute(sql, parameters);
    while done.as_ref().is_err_and(is_conflict) {
        done = connection.execute(sql, parameters);
    }
    done.doing(|| "failed to note who is mailed".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::store::fixture::open;

    #[test]
    fn a_reader_keeps_one_token_that_says_nothing_of_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let connection = store.connection().unwrap();
        let ceo = token(&connection, "ceo@x.example").unwrap();
        assert_eq!(ceo, token(&connection, " CEO@x.Example").unwrap());
        assert_ne!(ceo, token(&connection, "cto@x.example").unwrap());
        assert!(
            ceo.len() == 32 && ceo.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{ceo}"
        );
        let found = find(&connection, &ceo).unwrap().unwrap();
        assert_eq!((found.address.as_str(), found.unsubscribed_at), ("ceo@x.example", None));
        assert_eq!(find(&connection, "ceo@x.example").unwrap(), None);
        let other = tempfile::tempdir().unwrap();
        let other = open(&other);
        assert_ne!(
            ceo,
            token(&other.connection().unwrap(), "ceo@x.example").unwrap(),
            "it is not made of the address"
        );
    }

    #[test]
    fn threads_that_meet_a_reader_at_once_give_the_same_token() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let tokens: HashSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| token(&store.connection().unwrap(), "ceo@x.example").unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(tokens.len(), 1);
    }

    #[test]
    fn who_unsubscribes_stays_so_until_that_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let connection = store.connection().unwrap();
        let now = store.clock().now();
        assert!(unsubscribe(&connection, "Never@Mailed.example", now).unwrap());
        assert!(!unsubscribe(&connection, "never@mailed.example", now).unwrap(), "again");
        assert!(is_unsubscribed(&connection, "NEVER@mailed.example").unwrap());
        assert!(!is_unsubscribed(&connection, "other@mailed.example").unwrap());
        let listed = unsubscribed(&connection).unwrap();
        assert_eq!(listed[0].address, "never@mailed.example");
        assert_eq!(listed[0].unsubscribed_at, Some(now));
        assert!(resubscribe(&connection, "never@mailed.example").unwrap());
        assert!(!resubscribe(&connection, "never@mailed.example").unwrap());
        assert!(unsubscribed(&connection).unwrap().is_empty());
    }
}
