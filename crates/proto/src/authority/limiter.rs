//! Limits per source: wrong product keys and requests. The number of sources remembered is bounded;
//! past it, the one idle for longest is forgotten.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

use crate::limits::{
    AUTHORITY_REQUESTS_PER_SOURCE_MINUTE, KEY_TRIES_PER_SOURCE_MINUTE, LIMITER_SOURCES_MAX,
};
use crate::reason::{Refusal, authority, key};
use crate::time::{Span, Timestamp};

/// The time in which tries and requests count.
const MINUTE: Span = Span::from_minutes(1);

/// Where something comes from: an IPv4 address or an IPv6 /64, since whoever has one address of a
/// /64 has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source([u8; 8]);

impl Source {
    /// The source of an address; an IPv4 address written in IPv6 is an IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        let mut bytes = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                // ::/64 holds no public address, so that the two families do not meet.
                bytes[4..].copy_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => bytes.copy_from_slice(&v6.octets()[..8]),
        }
        Self(bytes)
    }
}

/// Counts wrong product keys: after [`KEY_TRIES_PER_SOURCE_MINUTE`] within any 60 seconds a source
/// is refused, whatever key it brings. Right keys are never counted.
#[derive(Debug, Default)]
pub struct GuessLimiter(Sources<VecDeque<Timestamp>>);

impl GuessLimiter {
    /// Refuses a source that has guessed too often; call it before a key is opened.
    ///
    /// # Errors
    /// `TOO_MANY_TRIES`.
    pub fn check(&mut self, source: Source, now: Timestamp) -> Result<(), Refusal> {
        let Some(tries) = self.0.get(source) else {
            return Ok(());
        };
        // A clock set back must not lock a source out for longer than the window.
        tries.retain(|at| now.distance(*at) < MINUTE);
        if tries.len() < KEY_TRIES_PER_SOURCE_MINUTE as usize {
            return Ok(());
        }
        let detail = format!("{KEY_TRIES_PER_SOURCE_MINUTE} a minute are allowed");
        Err(Refusal::new(key::TOO_MANY_TRIES, detail))
    }

    /// Counts a key that the authority does not know.
    pub fn wrong(&mut self, source: Source, now: Timestamp) {
        let tries = self.0.touch(source);
        tries.push_back(now);
        while tries.len() > KEY_TRIES_PER_SOURCE_MINUTE as usize {
            tries.pop_front();
        }
    }
}

/// Counts requests: [`AUTHORITY_REQUESTS_PER_SOURCE_MINUTE`] in each minute that begins with the
/// first of them.
#[derive(Debug, Default)]
pub struct RateLimiter(Sources<(Timestamp, u32)>);

impl RateLimiter {
    /// Counts a request and refuses it when there were too many.
    ///
    /// # Errors
    /// `TOO_MANY_REQUESTS`.
    pub fn admit(&mut self, source: Source, now: Timestamp) -> Result<(), Refusal> {
        let (begin, count) = self.0.touch(source);
        if now.distance(*begin) >= MINUTE {
            (*begin, *count) = (now, 0);
        }
        if *count >= AUTHORITY_REQUESTS_PER_SOURCE_MINUTE {
            let detail = format!("{AUTHORITY_REQUESTS_PER_SOURCE_MINUTE} a minute are allowed");
            return Err(Refusal::new(authority::TOO_MANY_REQUESTS, detail));
        }
        *count += 1;
        Ok(())
    }
}

/// What is remembered of each source, the one touched last at the end of the order.
#[derive(Debug, Default)]
struct Sources<T> {
    of: HashMap<Source, (u64, T)>,
    order: BTreeMap<u64, Source>,
    next: u64,
}

impl<T: Default> Sources<T> {
    fn get(&mut self, source: Source) -> Option<&mut T> {
        self.of.get_mut(&source).map(|(_, value)| value)
    }

    fn touch(&mut self, source: Source) -> &mut T {
        let stamp = self.next;
        self.next += 1;
        match self.of.get(&source) {
            Some((old, _)) => {
                self.order.remove(old);
            }
            None if self.of.len() >= LIMITER_SOURCES_MAX => {
                if let Some((_, idle)) = self.order.pop_first() {
                    self.of.remove(&idle);
                }
            }
            None => {}
        }
        self.order.insert(stamp, source);
        let entry = self.of.entry(source).or_default();
        entry.0 = stamp;
        &mut entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn ten_wrong_keys_in_any_minute_and_no_more() {
        let (mut limiter, who) = (GuessLimiter::default(), source("192.0.2.1"));
        for second in 0..10 {
            limiter.check(who, at(second)).unwrap();
            limiter.wrong(who, at(second));
        }
        let refusal = limiter.check(who, at(59)).unwrap_err();
        assert_eq!(refusal.reason, key::TOO_MANY_TRIES);
        limiter.check(source("192.0.2.2"), at(59)).unwrap();
        limiter.check(who, at(60)).unwrap(); // the first has left the window
        limiter.wrong(who, at(60));
        assert!(limiter.check(who, at(60)).is_err());
        limiter.check(who, Timestamp::from_seconds(5)).unwrap(); // the clock was set back
    }

    #[test]
    fn requests_are_limited_by_the_minute() {
        let (mut limiter, who) = (RateLimiter::default(), source("2001:db8::1"));
        for _ in 0..AUTHORITY_REQUESTS_PER_SOURCE_MINUTE {
            limiter.admit(who, at(0)).unwrap();
        }
        assert!(limiter.admit(who, at(59)).is_err());
        assert!(limiter.admit(source("2001:db8::2"), at(59)).is_err());
        limiter.admit(source("2001:db8:0:1::1"), at(59)).unwrap();
        limiter.admit(who, at(60)).unwrap();
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("::1"), source("192.0.2.1"));
    }

    #[test]
    fn the_source_idle_for_longest_is_forgotten_first() {
        let mut sources = Sources::<u32>::default();
        let numbered = |n: usize| Source((n as u64).to_be_bytes());
        for n in 0..LIMITER_SOURCES_MAX {
            *sources.touch(numbered(n)) = 1;
        }
        sources.touch(numbered(0));
        sources.touch(numbered(LIMITER_SOURCES_MAX));
        assert_eq!(sources.of.len(), LIMITER_SOURCES_MAX);
        assert_eq!(sources.order.len(), LIMITER_SOURCES_MAX);
        assert!(sources.get(numbered(0)).is_some());
        assert!(sources.get(numbered(1)).is_none());
    }
}
