//! Whose accounts at Peloton are read. A token is a secret: cron.toml names the environment variable or the file that has
//! it, and a password is asked for nowhere.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::value::{string, suggestion, variable};
use crate::domain::workout::name_key;

/// Where Peloton's API is.
pub const PELOTON_URL: &str = "https://api.onepeloton.com";

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PelotonAccount {
    /// Whose it is: what their workouts are stored under.
    pub rider_name: String,
    /// Where the token is.
    pub token: TokenFrom,
}

/// Where a bearer token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFrom {
    /// In this environment variable.
    Variable(String),
    /// In this file, a JSON object that may have a refresh token too.
    File(PathBuf),
}

impl PelotonAccount {
    /// Whether both are of one rider, or have one token.
    pub(super) fn is_that_of(&self, other: &PelotonAccount) -> bool {
        name_key(&self.rider_name) == name_key(&other.rider_name) || self.token == other.token
    }
}

impl TokenFrom {
    /// The token that is in the environment; none where it is not, or is in a file.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is `config`")]
    pub fn from_environment(&self) -> Option<String> {
        match self {
            TokenFrom::Variable(name) => std::env::var(name).ok().filter(|token| !token.trim().is_empty()),
            TokenFrom::File(_) => None,
        }
    }
}

/// The accounts of a `peloton` job.
pub(super) fn accounts(value: &DeValue<'_>) -> Result<Vec<PelotonAccount>, String> {
    const SHAPE: &str = "expected a list like [{ rider = \"Ann\", token_env = \"PELOTON_BEARER_TOKEN\" }]";
    let items = value.as_array().ok_or(SHAPE)?;
    if items.is_empty() {
        return Err(SHAPE.to_owned());
    }
    let mut accounts: Vec<PelotonAccount> = Vec::new();
    for item in items.iter() {
        let account = account(item.get_ref().as_table().ok_or(SHAPE)?)?;
        let (rider_name, token) = (&account.rider_name, &account.token);
        if accounts
            .iter()
            .any(|other| name_key(&other.rider_name) == name_key(rider_name))
        {
            return Err(format!("`{rider_name}` is there twice: a rider has one account"));
        }
        if let Some(other) = accounts.iter().find(|other| other.token == *token) {
            return Err(format!(
                "`{rider_name}` has the token of `{}`: each account has its own",
                other.rider_name
            ));
        }
        accounts.push(account);
    }
    Ok(accounts)
}

fn account(table: &DeTable<'_>) -> Result<PelotonAccount, String> {
    const KEYS: [&str; 3] = ["rider", "token_env", "token_file"];
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.get_ref().as_ref())) {
        return Err(format!(
            "an account has no key `{}`{}",
            key.get_ref(),
            suggestion(key.get_ref(), KEYS)
        ));
    }
    let text = |key: &str| table.get(key).map(|value| string(value.get_ref())).transpose();
    let rider_name = text("rider")?.map(str::trim).filter(|name| !name.is_empty());
    let token = match (table.get("token_env"), text("token_file")?) {
        (Some(name), None) => TokenFrom::Variable(variable(name.get_ref())?),
        (None, Some(path)) => TokenFrom::File(path.into()),
        _ => return Err("an account has either `token_env`, the name of a variable, or `token_file`".to_owned()),
    };
    Ok(PelotonAccount {
        rider_name: rider_name.ok_or("an account has a `rider`, a name")?.to_owned(),
        token,
    })
}
