//! Signed-in browsers. A cookie names the key that was given at `/login` and until when it is good, signed with a secret of
//! this data folder; the key itself is asked for again at each request, so that one that was revoked lets nobody in.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use poem::{Request, http::header};
use sha2::Sha256;

/// The cookie's name.
pub(super) const COOKIE: &str = "deloton_session";

/// How long a browser stays signed in.
const LASTS: TimeDelta = TimeDelta::days(7);

/// Signs browsers in and knows them again.
pub(super) struct Sessions {
    secret: [u8; 32],
    /// Cookies are for TLS only.
    is_secure: bool,
}

impl Sessions {
    /// With the secret of `data_dir`, which is drawn the first time. Without that file everybody signs in anew.
    ///
    /// # Errors
    /// When it can neither be read nor written.
    pub(super) fn open(data_dir: &Path, is_secure: bool) -> anyhow::Result<Self> {
        let path = data_dir.join("session.secret");
        let kept = fs::read(&path).ok().and_then(|kept| kept.try_into().ok());
        let secret = match kept {
            Some(secret) => secret,
            None => {
                let mut drawn = [0; 32];
                getrandom::fill(&mut drawn).map_err(|error| anyhow!("the system has no random numbers: {error}"))?;
                let mut options = fs::OpenOptions::new();
                let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
                file.and_then(|mut file| file.write_all(&drawn))
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
                drawn
            }
        };
        Ok(Sessions { secret, is_secure })
    }

    /// The `Set-Cookie` that signs a browser in with a key.
    pub(super) fn begin(&self, key_id: &str, now: DateTime<Utc>) -> String {
        let ends = (now + LASTS).timestamp();
        let signature = self.signature(key_id, ends).finalize().into_bytes();
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        self.cookie(&format!("{key_id}.{ends}.{signature}"), LASTS)
    }

    /// The `Set-Cookie` that signs a browser out.
    pub(super) fn end(&self) -> String {
        self.cookie("", TimeDelta::zero())
    }

    fn cookie(&self, value: &str, lasts: TimeDelta) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let lasts = lasts.num_seconds();
        format!("{COOKIE}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}")
    }

    /// The key with which the request's browser signed in.
    pub(super) fn key_id(&self, request: &Request, now: DateTime<Utc>) -> Option<String> {
        let cookies = request.headers().get_all(header::COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'));
        let value = cookies.find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
        let mut parts = value.split('.');
        let (key_id, ends, signature) = (parts.next()?, parts.next()?.parse::<i64>().ok()?, parts.next()?);
        let bytes: Vec<u8> = (0..signature.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(signature.get(at..at + 2)?, 16).ok())
            .collect::<Option<_>>()?;
        // Compared in constant time.
        self.signature(key_id, ends).verify_slice(&bytes).ok()?;
        (now.timestamp() < ends).then(|| key_id.to_owned())
    }

    fn signature(&self, key_id: &str, ends: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length");
        mac.update(format!("{key_id}.{ends}").as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(cookie: &str) -> Request {
        Request::builder()
            .header("cookie", format!("a=b; {cookie}; c=d"))
            .finish()
    }

    #[test]
    fn a_browser_is_known_until_its_time_is_over_and_by_no_other_cookie() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::open(folder.path(), true).unwrap();
        let now = DateTime::UNIX_EPOCH;
        let set = sessions.begin("0a1b2c3d", now);
        assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let known = |cookie: &str, now| {
            let again = Sessions::open(folder.path(), true).unwrap();
            again.key_id(&with_cookie(cookie), now)
        };
        assert_eq!(known(&cookie, now).as_deref(), Some("0a1b2c3d"), "after a restart, too");
        assert_eq!(known(&cookie, now + LASTS), None);
        for wrong in [
            cookie.replace("0a1b2c3d", "0a1b2c3e"),
            cookie.replace('.', ".9"),
            cookie[..cookie.len() - 2].to_owned(),
            format!("{COOKIE}="),
            format!("{COOKIE}=0a1b2c3d.99999999999."),
            format!("{COOKIE}=0a1b2c3d.99999999999.é"),
        ] {
            assert_eq!(known(&wrong, now), None, "{wrong}");
        }
        let other = tempfile::tempdir().unwrap();
        let elsewhere = Sessions::open(other.path(), false).unwrap();
        assert_eq!(elsewhere.key_id(&with_cookie(&cookie), now), None);
        assert!(!elsewhere.end().contains("Secure") && elsewhere.end().contains("Max-Age=0"));
    }
}
