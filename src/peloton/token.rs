//! The bearer token of an account: given by its owner, never made from a password. One from a file may be renewed, with the
//! refresh token beside it.

use std::{fs, io::Write, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use crate::{
    config::schedule::{PelotonAccount, TokenFrom},
    domain::workout::Failure,
};

/// Where tokens are renewed, unless the file says otherwise.
const TOKEN_URL: &str = "https://auth.onepeloton.com/oauth/token";

/// What is to be done about one that is good no longer. Runs are mailed, and where a token is may say whose it is: cron.toml
/// and `standing` name that.
pub(super) const REMEDY: &str = "sign in at members.onepeloton.com and put a new token where cron.toml says";

/// The token of an account. It shows itself to nobody: it has no `Debug`.
pub struct Token {
    access: String,
    from: TokenFrom,
    /// What else the file has.
    rest: Map<String, Value>,
}

/// What it takes to renew a token.
pub(super) struct Renewal {
    pub(super) url: String,
    pub(super) body: Value,
}

impl Token {
    /// Reads the token of `account`.
    ///
    /// # Errors
    /// When there is none, or it cannot be one, in words for whoever is to bring a new one.
    pub fn read(account: &PelotonAccount) -> Result<Self, String> {
        let (access, rest) = match &account.token {
            TokenFrom::Variable(_) => {
                let access = account.token.from_environment();
                (access.ok_or("there is no token in the environment")?, Map::new())
            }
            TokenFrom::File(path) => {
                let rest = read_file(path)?;
                let access = rest.get("access_token").and_then(Value::as_str);
                (access.ok_or("the token file has no `access_token`")?.to_owned(), rest)
            }
        };
        let access = one_word(access.trim().trim_start_matches("Bearer "))
            .ok_or("the token is none: it is one word of letters, digits and dots")?;
        Ok(Token {
            access: access.to_owned(),
            from: account.token.clone(),
            rest,
        })
    }

    /// The token itself, for the call alone.
    pub(super) fn secret(&self) -> &str {
        &self.access
    }

    /// When it ends, as it says itself; not known of one that is no JWT.
    pub(super) fn expires_at(&self) -> Option<DateTime<Utc>> {
        let payload = URL_SAFE_NO_PAD.decode(self.access.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        super::time::unix(claims.get("exp")?.as_i64()?)
    }

    /// Whether it can be renewed without its owner.
    fn is_renewable(&self) -> bool {
        self.renewal().is_some()
    }

    pub(super) fn renewal(&self) -> Option<Renewal> {
        let text = |key: &str| self.rest.get(key).and_then(Value::as_str);
        let body = json!({
            "grant_type": "refresh_token",
            "client_id": text("client_id")?,
            "refresh_token": text("refresh_token")?,
        });
        Some(Renewal {
            url: text("token_url").unwrap_or(TOKEN_URL).to_owned(),
            body,
        })
    }

    /// A place for what renewing it is answered with. It is made before: by then the old refresh token is good no longer.
    pub(super) fn reserve(&self) -> Result<Option<NamedTempFile>, String> {
        let TokenFrom::File(path) = &self.from else {
            return Ok(None);
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let reserved = tempfile::Builder::new().prefix(".").tempfile_in(folder);
        reserved
            .map(Some)
            .map_err(|error| format!("the folder of the token file cannot be written: {}", error.kind()))
    }

    /// Takes over what renewing it was answered with, in the file too.
    pub(super) fn renewed(&mut self, answer: &Value, reserved: Option<NamedTempFile>) -> Result<(), String> {
        let told = |key: &str| answer.get(key).and_then(Value::as_str).and_then(one_word);
        let access =
            told("access_token").ok_or("renewing the token was answered with none, or with what can be none")?;
        access.clone_into(&mut self.access);
        for key in ["access_token", "refresh_token"] {
            if let Some(word) = told(key) {
                self.rest.insert(key.to_owned(), word.into());
            }
        }
        let (TokenFrom::File(path), Some(reserved)) = (&self.from, reserved) else {
            return Ok(());
        };
        write_file(reserved, path, &self.rest).map_err(|error| {
            // The error itself may name the folder.
            format!(
                "the token was renewed and cannot be written to its file: {}",
                error.kind()
            )
        })
    }

    /// How it stands, in words, and whether it needs a person.
    fn standing(&self, now: DateTime<Utc>) -> (String, bool) {
        let Some(expires_at) = self.expires_at() else {
            return ("the token does not say when it expires".to_owned(), false);
        };
        let at = expires_at.format("%Y-%m-%d %H:%M UTC");
        if self.is_renewable() && expires_at <= now {
            (format!("the token expired on {at}; the next run renews it"), false)
        } else if self.is_renewable() {
            (format!("the token is good until {at}, and renewed by itself"), false)
        } else if expires_at <= now {
            (format!("the token expired on {at}: {REMEDY}"), true)
        } else if expires_at - now < TimeDelta::days(1) {
            (format!("the token expires on {at}: {REMEDY}"), true)
        } else {
            (format!("the token is good until {at}"), false)
        }
    }
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenStanding {
    /// Whose account it is.
    pub rider_name: String,
    /// How its token stands, and why it was not read last, in words.
    pub words: String,
    /// Somebody has to bring a new one, now or before tomorrow.
    pub needs_a_person: bool,
    /// The job that reads it.
    pub job: String,
    /// Nobody reads it before, for Peloton wishes so.
    pub paused_until: Option<DateTime<Utc>>,
}

/// How the token of an account, which `job` reads, stands at `now`, and why the account was not read when it was tried last.
#[must_use]
pub fn standing(account: &PelotonAccount, job: &str, failure: Option<&Failure>, now: DateTime<Utc>) -> TokenStanding {
    let (mut words, mut needs_a_person) =
        Token::read(account).map_or_else(|why| (why, true), |token| token.standing(now));
    if let Some(failure) = failure {
        let tried_at = failure.failed_at.format("%Y-%m-%d %H:%M UTC");
        words = format!("{words}; not read when it was tried on {tried_at}: {}", failure.reason);
        needs_a_person |= failure.needs_a_person;
    }
    if needs_a_person {
        words += &match &account.token {
            TokenFrom::Variable(name) => format!("; its place is in the environment as {name}"),
            TokenFrom::File(path) => format!("; its place is `{}`", path.display()),
        };
    }
    TokenStanding {
        rider_name: account.rider_name.clone(),
        job: job.to_owned(),
        words,
        needs_a_person,
        paused_until: failure
            .and_then(|failure| failure.not_before)
            .filter(|until| *until > now),
    }
}

/// What can be a token: it goes into a header.
fn one_word(text: &str) -> Option<&str> {
    (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then_some(text)
}

fn read_file(path: &Path) -> Result<Map<String, Value>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read the token file: {error}"))?;
    // What the parser says may have a piece of the token in it.
    serde_json::from_str(&text).map_err(|_| {
        r#"the token file is no JSON object like {"access_token": "…", "refresh_token": "…", "client_id": "…"}"#
            .to_owned()
    })
}

/// Aside and renamed, for its owner alone: a token that was half written would be lost.
fn write_file(mut aside: NamedTempFile, path: &Path, content: &Map<String, Value>) -> std::io::Result<()> {
    aside.write_all(&serde_json::to_vec_pretty(content)?)?;
    aside.as_file().sync_all()?;
    aside.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_token_that_can_be_none_takes_the_place_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.json");
        let kept = || serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap();
        let old = json!({"access_token": "old", "refresh_token": "first", "client_id": "c"});
        fs::write(&path, old.to_string()).unwrap();
        let account = PelotonAccount {
            rider_name: "Ann".to_owned(),
            token: TokenFrom::File(path.clone()),
        };
        let mut token = Token::read(&account).unwrap();
        for access in [
            json!("new\ntoken"),
            json!("new token"),
            json!("n\u{e9}w"),
            json!(""),
            json!(5),
            Value::Null,
        ] {
            let reserved = token.reserve().unwrap();
            let answer = json!({"access_token": access, "refresh_token": "next"});
            assert!(token.renewed(&answer, reserved).is_err(), "{answer}");
            assert_eq!((token.secret(), kept()), ("old", old.clone()), "{answer}");
        }
        let reserved = token.reserve().unwrap();
        let answer = json!({"access_token": "new", "refresh_token": ""});
        token.renewed(&answer, reserved).unwrap();
        assert_eq!(token.secret(), "new");
        assert_eq!(
            kept(),
            json!({"access_token": "new", "refresh_token": "first", "client_id": "c"}),
            "nothing is renewed with an empty one"
        );
    }
}
