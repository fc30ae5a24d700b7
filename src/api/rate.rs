//! How much one caller may ask: requests of a key, and wrong keys from an address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hashlink::LruCache;
use poem::http::{HeaderMap, HeaderValue};

const MINUTE: Duration = Duration::from_secs(60);

/// The requests of each key in its running minute. There are as many entries as keys.
pub(super) struct Quotas {
    per_minute: u32,
    minutes: Mutex<HashMap<String, (Instant, u32)>>,
}

/// What is left of a key's minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) remaining: u32,
    pub(super) resets_in_seconds: u64,
}

impl Quotas {
    pub(super) fn new(per_minute: u32) -> Self {
        Quotas {
            per_minute,
            minutes: Mutex::default(),
        }
    }

    /// Takes a request of a key.
    ///
    /// # Errors
    /// It has none left.
    pub(super) fn take(&self, key_id: &str, now: Instant) -> Result<Standing, Standing> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if !minutes.contains_key(key_id) {
            minutes.insert(key_id.to_owned(), (now, 0));
        }
        let (since, taken) = minutes.get_mut(key_id).expect("it was put there if it was missing");
        if now.duration_since(*since) >= MINUTE {
            (*since, *taken) = (now, 0);
        }
        let resets_in = MINUTE.saturating_sub(now.duration_since(*since));
        let standing = |remaining| Standing {
            remaining,
            resets_in_seconds: resets_in.as_secs_f64().ceil() as u64,
        };
        if *taken >= self.per_minute {
            return Err(standing(0));
        }
        *taken += 1;
        Ok(standing(self.per_minute - *taken))
    }

    /// Says in an answer how a key stands (draft-ietf-httpapi-ratelimit-headers).
    pub(super) fn tell(&self, standing: Standing, headers: &mut HeaderMap) {
        let policy = format!("\"minute\";q={};w=60", self.per_minute);
        let left = format!("\"minute\";r={};t={}", standing.remaining, standing.resets_in_seconds);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Wrong keys by the address they came from. Some are free; from then on each is answered a second after the one before,
/// however many are tried at once, until [`PATIENCE`](Self::PATIENCE) is over. A good key is never held up, as others may
/// share its address, and clears what wrong ones have piled up there.
pub(super) struct Guesses {
    /// Until when the answers that are promised take.
    until: Mutex<LruCache<IpAddr, Instant>>,
}

impl Default for Guesses {
    fn default() -> Self {
        Guesses {
            until: Mutex::new(LruCache::new(Self::ADDRESSES)),
        }
    }
}

impl Guesses {
    /// The longest queue.
    pub(super) const PATIENCE: Duration = Duration::from_secs(10);
    /// Addresses that are remembered; the one that has been quiet for longest is forgotten.
    const ADDRESSES: usize = 4_096;
    const EACH: Duration = Duration::from_secs(1);
    const FREE: u32 = 5;

    /// Counts a wrong key: how long its answer is to wait, or none where it is not even to be told that it was wrong.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let free = Self::EACH * Self::FREE;
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = until.get(&network_of(address)).copied().unwrap_or(now).max(now) + Self::EACH;
        let wait = queue.duration_since(now).saturating_sub(free);
        if wait > Self::PATIENCE {
            return None;
        }
        until.insert(network_of(address), queue);
        Some(wait)
    }

    /// Counts a good key.
    pub(super) fn right(&self, address: IpAddr) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.remove(&network_of(address));
    }
}

/// An address, or of IPv6 the network: one household has very many.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !0 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_requests_each_minute_and_takes_nobody_elses() {
        let quotas = Quotas::new(3);
        let start = Instant::now();
        let left = |key: &str, at| quotas.take(key, at).map(|standing| standing.remaining);
        assert_eq!(
            [left("a", start), left("a", start), left("a", start)],
            [Ok(2), Ok(1), Ok(0)]
        );
        let refused = quotas.take("a", start + MINUTE / 4).unwrap_err();
        assert_eq!((refused.remaining, refused.resets_in_seconds), (0, 45));
        assert_eq!(left("b", start), Ok(2));
        assert_eq!(left("a", start + MINUTE), Ok(2));
    }

    #[test]
    fn wrong_keys_are_answered_one_a_second_after_some_that_are_free() {
        let guesses = Guesses::default();
        let (address, now) = (IpAddr::from([10, 0, 0, 1]), Instant::now());
        let wrong = |at| guesses.wrong(address, at).map(|wait| wait.as_secs());
        let waits: Vec<_> = (0..8).map(|_| wrong(now).unwrap()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 3]);
        let refused = (0..20).filter(|_| wrong(now).is_none()).count();
        assert_eq!(refused, 13, "the queue is 10 s long and no longer");
        assert_eq!(guesses.wrong(IpAddr::from([10, 0, 0, 2]), now), Some(Duration::ZERO));
        assert_eq!(wrong(now + Duration::from_secs(30)), Some(0), "it passes");
        guesses.wrong(address, now);
        guesses.right(address);
        assert_eq!(wrong(now), Some(0), "a good key clears it");
    }

    #[test]
    fn addresses_of_one_network_count_together_and_memory_is_bounded() {
        let guesses = Guesses::default();
        let now = Instant::now();
        let address = |network: u128, host: u128| IpAddr::V6(Ipv6Addr::from(network << 64 | host));
        for host in 0..20 {
            guesses.wrong(address(1, host), now);
        }
        assert_eq!(guesses.wrong(address(1, 77), now), None);
        for network in 2..20_000 {
            guesses.wrong(address(network, 0), now);
        }
        let remembered = guesses.until.lock().unwrap().len();
        assert_eq!(remembered, Guesses::ADDRESSES);
    }
}
