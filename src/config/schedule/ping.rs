//! Where a job's dead-man's switch is. The address is a secret: whoever knows it can keep an alarm from being raised. So
//! cron.toml has the name of the environment variable that holds it.

use std::fmt;

use super::{JobConfig, Schedule};

/// The address of a dead-man's switch. It shows itself to nobody who does not ask for the [`secret`](Self::secret).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PingUrl(String);

impl PingUrl {
    /// The address, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_address = text.starts_with("https://") || text.starts_with("http://");
        is_address.then(|| PingUrl(text.to_owned()))
    }

    /// The address itself, for the call alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingUrl(…)")
    }
}

impl JobConfig {
    /// Where its dead-man's switch is; none where it has none, or where the environment does not say.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is `config`")]
    pub fn ping_url(&self) -> Option<PingUrl> {
        let variable = self.ping_url_env.as_deref()?;
        std::env::var(variable).ok().as_deref().and_then(PingUrl::parse)
    }
}

impl Schedule {
    /// Which dead-man's switches have no address in the environment, a line each.
    #[must_use]
    pub fn ping_problems(&self) -> Vec<String> {
        let jobs = self.jobs.iter().filter(|job| job.enabled && job.ping_url().is_none());
        jobs.filter_map(|job| {
            let (name, variable) = (&job.name, job.ping_url_env.as_ref()?);
            Some(format!(
                "the dead-man's switch of job `{name}` has no address: give it in the environment as {variable}, with \
                 https:// in front, or take `ping_url_env` out of cron.toml"
            ))
        })
        .collect()
    }
}
