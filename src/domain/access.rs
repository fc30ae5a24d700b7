//! Who may do what, and what people who may not know riders see of them.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::artifact::hex;

/// What an API key is for; a later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees what is counted over riders, and bikes being ridden by pseudonyms.
    Viewer,
    /// Sees rides and riders by their numbers, without names, addresses and dates of birth.
    Analyst,
    /// Sees and does everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Analyst, Role::Admin];

    /// The name used on the command line and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = Role::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| "expected `viewer`, `analyst` or `admin`".to_owned())
    }
}

/// Names riders for those who may not know who they are: the same name for the same rider, from which nobody without the
/// secret can tell the rider's number.
#[derive(Clone)]
pub struct Pseudonyms {
    secret: [u8; 32],
}

impl Pseudonyms {
    /// Those that `secret` makes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Pseudonyms { secret }
    }

    /// A rider's, `Rider K7Q4-MZ2X`.
    #[must_use]
    pub fn of(&self, rider_id: i64) -> String {
        self.made_of(&rider_id.to_be_bytes())
    }

    /// That of a rider who has a name and no number, however it is spelt.
    #[must_use]
    pub fn of_name(&self, rider_name: &str) -> String {
        self.made_of(format!("name {}", rider_name.to_lowercase()).as_bytes())
    }

    /// The key, in hex, of other pseudonyms: those of one `purpose` tell nothing of another's.
    #[must_use]
    pub fn key_of(&self, purpose: &str) -> String {
        hex(&self.digest(format!("key {purpose}").as_bytes()))
    }

    fn made_of(&self, rider: &[u8]) -> String {
        /// Letters and digits that nobody takes for one another.
        const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digest = self.digest(rider);
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        let letters: String = digest[..8].iter().map(letter).collect();
        format!("Rider {}-{}", &letters[..4], &letters[4..])
    }

    fn digest(&self, of: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length");
        mac.update(of);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_riders_own_and_of_this_secret() {
        let pseudonyms = Pseudonyms::new([7; 32]);
        let names: std::collections::HashSet<_> = (0..10_000).map(|rider| pseudonyms.of(rider)).collect();
        assert_eq!(names.len(), 10_000);
        assert_eq!(pseudonyms.of(306), Pseudonyms::new([7; 32]).of(306));
        assert_ne!(pseudonyms.of(306), Pseudonyms::new([8; 32]).of(306));
        assert_eq!(pseudonyms.of(306).len(), "Rider K7Q4-MZ2X".len());
    }

    #[test]
    fn a_later_role_may_do_more() {
        assert!(Role::ALL.is_sorted() && Role::Admin > Role::Viewer);
        assert!(Role::ALL.iter().all(|role| role.name().parse() == Ok(*role)));
    }
}
