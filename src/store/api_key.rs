//! The API's keys. A key is 256 random bits, shown once and kept as a hash; all of them are in memory too, so that a
//! request asks the database nothing.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use duckdb::{Connection, OptionalExt, params};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Doing, Result, Store, StoreError, lock, value};
use crate::domain::access::Role;

/// What a key begins with, so that programs that look for secrets in texts find it.
const PREFIX: &str = "deloton_";

/// How finely the last use of a key is noted.
const LAST_USE_WITHIN: TimeDelta = TimeDelta::hours(1);

/// What is known of a key, but for the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its first part, by which people name it.
    pub key_id: String,
    /// What it is for, in its maker's words.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused; none that never is.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedKey {
    /// It is none of ours.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Every key there is.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys {
    keys: BTreeMap<String, (ApiKey, [u8; 32])>,
}

impl ApiKeys {
    /// The key that `presented` is.
    ///
    /// # Errors
    /// Why it is refused. Who has not the whole key is told no more than that it is unknown.
    pub fn find(&self, presented: &str, now: DateTime<Utc>) -> Result<&ApiKey, RefusedKey> {
        let id = presented.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (key, kept) = id.and_then(|(id, _)| self.keys.get(id)).ok_or(RefusedKey::Unknown)?;
        // Compared in constant time: how long it takes tells nothing of how much was right.
        if !bool::from(hash(presented).ct_eq(kept)) {
            return Err(RefusedKey::Unknown);
        }
        usable(key, now)
    }

    /// The key of that id, as a signed-in browser names it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn by_id(&self, key_id: &str, now: DateTime<Utc>) -> Result<&ApiKey, RefusedKey> {
        let (key, _) = self.keys.get(key_id).ok_or(RefusedKey::Unknown)?;
        usable(key, now)
    }

    /// Whether callers need a key: one was made and not revoked. That it has expired opens no door.
    #[must_use]
    pub fn are_needed(&self) -> bool {
        self.keys.values().any(|(key, _)| key.revoked_at.is_none())
    }

    /// Every key, in the order in which they were made.
    #[must_use]
    pub fn list(&self) -> Vec<&ApiKey> {
        let mut keys: Vec<_> = self.keys.values().map(|(key, _)| key).collect();
        keys.sort_by_key(|key| (key.created_at, &key.key_id));
        keys
    }
}

fn usable(key: &ApiKey, now: DateTime<Utc>) -> Result<&ApiKey, RefusedKey> {
    if key.revoked_at.is_some() {
        return Err(RefusedKey::Revoked);
    }
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(RefusedKey::Expired);
    }
    Ok(key)
}

impl Store {
    /// Every key there is. The same `Arc` until something changes.
    #[must_use]
    pub fn api_keys(&self) -> Arc<ApiKeys> {
        Arc::clone(&lock(&self.inner.api_keys))
    }

    /// Makes a key. The text is the key itself, which is kept nowhere.
    ///
    /// # Errors
    /// When the database cannot be written, or the system has no random numbers.
    pub fn new_api_key(
        &self,
        role: Role,
        name: Option<String>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(ApiKey, String)> {
        let key_id = hex(&random::<4>()?);
        let text = format!("{PREFIX}{key_id}_{}", hex(&random::<32>()?));
        let key = ApiKey {
            key_id,
            name,
            role,
            created_at: self.clock().now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        self.change_api_keys(|keys| {
            keys.keys.insert(key.key_id.clone(), (key.clone(), hash(&text)));
            Some(key.key_id.clone())
        })?;
        Ok((key, text))
    }

    /// Refuses a key from now on; false where there is none of that id that was not revoked before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn revoke_api_key(&self, key_id: &str) -> Result<bool> {
        let now = self.clock().now();
        self.change_api_keys(|keys| {
            let (key, _) = keys.keys.get_mut(key_id).filter(|(key, _)| key.revoked_at.is_none())?;
            key.revoked_at = Some(now);
            Some(key_id.to_owned())
        })
    }

    /// Makes a key like another, which is good for `overlap` more. None where there is no such key that may still be used.
    ///
    /// # Errors
    /// When the database cannot be written, or the system has no random numbers.
    pub fn rotate_api_key(&self, key_id: &str, overlap: TimeDelta) -> Result<Option<(ApiKey, String)>> {
        let now = self.clock().now();
        let known = self.api_keys();
        let Ok(old) = known.by_id(key_id, now) else {
            return Ok(None);
        };
        let expires_at = old.expires_at.map(|at| now + (at - old.created_at));
        let made = self.new_api_key(old.role, old.name.clone(), expires_at)?;
        let ends_at = now + overlap;
        self.change_api_keys(|keys| {
            let (key, _) = keys.keys.get_mut(key_id)?;
            key.expires_at = Some(key.expires_at.map_or(ends_at, |at| at.min(ends_at)));
            Some(key_id.to_owned())
        })?;
        Ok(Some(made))
    }

    /// Whether a use of the key now is worth noting: the noted one is more than an hour old.
    #[must_use]
    pub fn api_key_use_is_news(&self, key: &ApiKey) -> bool {
        let now = self.clock().now();
        key.last_used_at.is_none_or(|at| now - at >= LAST_USE_WITHIN)
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn note_api_key_use(&self, key_id: &str) -> Result<()> {
        let now = self.clock().now();
        self.change_api_keys(|keys| {
            let (key, _) = keys.keys.get_mut(key_id)?;
            key.last_used_at = Some(now);
            Some(key_id.to_owned())
        })
        .map(drop)
    }

    /// Changes one key in the database and in memory: the one whose id `change` answers, if any.
    fn change_api_keys(&self, change: impl FnOnce(&mut ApiKeys) -> Option<String>) -> Result<bool> {
        // Held to the end: what is in memory is what is in the database.
        let mut known = lock(&self.inner.api_keys);
        let mut changed = ApiKeys::clone(&known);
        let Some(key_id) = change(&mut changed) else {
            return Ok(false);
        };
        let (key, hash) = &changed.keys[&key_id];
        let doing = || format!("cannot change the API key `{key_id}`");
        self.transaction(doing, |connection| {
            connection
                .execute("delete from ops.api_key where key_id = ?", [&key.key_id])
                .doing(doing)?;
            connection
                .execute(
                    "insert into ops.api_key values (?, ?, ?, ?, ?, ?, ?, ?)",
                    params![
                        key.key_id,
                        key.name,
                        key.role.name(),
                        &hash[..],
                        value::timestamp(key.created_at),
                        key.expires_at.map(value::timestamp),
                        key.revoked_at.map(value::timestamp),
                        key.last_used_at.map(value::timestamp),
                    ],
                )
                .doing(doing)
        })?;
        *known = Arc::new(changed);
        Ok(true)
    }
}

/// Every key of the database.
pub(super) fn read(connection: &Connection) -> Result<ApiKeys> {
    let doing = || "cannot read the API keys".to_owned();
    let mut statement = connection
        .prepare(
            "select key_id, name, role, hash, epoch_us(created_at), epoch_us(expires_at), epoch_us(revoked_at),
                 epoch_us(last_used_at)
             from ops.api_key",
        )
        .doing(doing)?;
    let rows = statement
        .query_map([], |row| {
            let at = |column| {
                let micros: Option<i64> = row.get(column)?;
                Ok::<_, duckdb::Error>(micros.and_then(DateTime::from_timestamp_micros))
            };
            let (role, hash): (String, Vec<u8>) = (row.get(2)?, row.get(3)?);
            let key = ApiKey {
                key_id: row.get(0)?,
                name: row.get(1)?,
                // What this program does not know may do least.
                role: role.parse().unwrap_or(Role::Viewer),
                created_at: at(4)?.unwrap_or_default(),
                expires_at: at(5)?,
                revoked_at: at(6)?,
                last_used_at: at(7)?,
            };
            Ok((key, hash))
        })
        .doing(doing)?;
    let mut keys = ApiKeys::default();
    for row in rows {
        let (key, hash) = row.doing(doing)?;
        let hash = hash.try_into().map_err(|_| {
            StoreError::Inconsistent(format!("the hash of the API key `{}` is not of 32 bytes", key.key_id))
        })?;
        keys.keys.insert(key.key_id.clone(), (key, hash));
    }
    Ok(keys)
}

/// What pseudonyms are made with; drawn the first time.
pub(super) fn pseudonym_secret(connection: &Connection) -> Result<[u8; 32]> {
    let doing = || "cannot read what pseudonyms are made with".to_owned();
    let kept: Option<Vec<u8>> = connection
        .query_row("select secret from ops.pseudonym_secret", [], |row| row.get(0))
        .optional()
        .doing(doing)?;
    if let Some(kept) = kept {
        return kept
            .try_into()
            .map_err(|_| StoreError::Inconsistent("what pseudonyms are made with is not of 32 bytes".to_owned()));
    }
    let drawn = random::<32>()?;
    connection
        .execute("insert into ops.pseudonym_secret values (?)", params![&drawn[..]])
        .doing(doing)?;
    Ok(drawn)
}

pub(super) fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Inconsistent(format!("the system has no random numbers: {error}")))?;
    Ok(bytes)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::open;

    #[test]
    fn a_key_is_known_by_all_of_its_text_and_kept_only_as_a_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        assert!(!store.api_keys().are_needed());
        let (key, text) = store
            .new_api_key(Role::Analyst, Some("Tableau".to_owned()), None)
            .unwrap();
        let now = store.clock().now();
        let reopened = {
            drop(store);
            open(&folder)
        };
        let keys = reopened.api_keys();
        assert!(keys.are_needed());
        assert_eq!(keys.find(&text, now), Ok(&key));
        let secret = text.rsplit('_').next().unwrap();
        assert_eq!(secret.len(), 64);
        for wrong in [
            text.replace(secret, &"0".repeat(64)),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            text.to_uppercase(),
            secret.to_owned(),
            String::new(),
        ] {
            assert_eq!(keys.find(&wrong, now), Err(RefusedKey::Unknown), "{wrong}");
        }
        drop((keys, reopened));
        let stored = std::fs::read(folder.path().join("deloton.duckdb")).unwrap();
        assert!(!stored.windows(64).any(|bytes| bytes == secret.as_bytes()));
    }

    #[test]
    fn a_key_ends_when_it_expires_is_revoked_or_was_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let now = store.clock().now();
        let day = TimeDelta::days(1);
        let (_, short) = store.new_api_key(Role::Viewer, None, Some(now + day)).unwrap();
        assert!(store.api_keys().find(&short, now).is_ok());
        assert_eq!(store.api_keys().find(&short, now + day), Err(RefusedKey::Expired));
        assert!(store.api_keys().are_needed(), "that all have expired opens no door");

        let (old, text) = store.new_api_key(Role::Admin, None, Some(now + day * 30)).unwrap();
        let (new, rotated) = store.rotate_api_key(&old.key_id, day).unwrap().unwrap();
        assert_eq!((new.role, new.expires_at), (Role::Admin, old.expires_at));
        let later = now + day;
        assert!(store.api_keys().find(&text, now).is_ok());
        assert_eq!(store.api_keys().find(&text, later), Err(RefusedKey::Expired));
        assert!(store.api_keys().find(&rotated, later).is_ok());

        assert!(store.revoke_api_key(&new.key_id).unwrap());
        assert!(!store.revoke_api_key(&new.key_id).unwrap() && !store.revoke_api_key("none").unwrap());
        assert_eq!(store.api_keys().find(&rotated, now), Err(RefusedKey::Revoked));
        assert_eq!(store.rotate_api_key(&new.key_id, day).unwrap(), None);
        assert_eq!(open_again(store, &folder).find(&rotated, now), Err(RefusedKey::Revoked));
    }

    fn open_again(store: Store, folder: &tempfile::TempDir) -> Arc<ApiKeys> {
        drop(store);
        open(folder).api_keys()
    }

    #[test]
    fn the_last_use_is_noted_to_the_hour() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let (key, _) = store.new_api_key(Role::Viewer, None, None).unwrap();
        assert!(store.api_key_use_is_news(&key));
        store.note_api_key_use(&key.key_id).unwrap();
        let keys = store.api_keys();
        assert!(!store.api_key_use_is_news(keys.list()[0]));
        assert_eq!(keys.list()[0].last_used_at, Some(store.clock().now()));
    }
}
