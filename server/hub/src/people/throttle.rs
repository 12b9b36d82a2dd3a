//! How often somebody may try to sign in.
//!
//! Four budgets, so that guessing is slow and yet nobody can lock out the
//! owner of an account by guessing at it:
//!
//! | Who | At once | Then |
//! |---|---|---|
//! | one address, at one account | 10 | one per 30 s |
//! | one address, at all accounts | 30 | one per 2 s |
//! | everybody, at one account, from browsers that never signed in to it | 40 | one per minute |
//! | a browser that signed in to the account before | 10 | one per 30 s |
//!
//! The last one stands alone: whatever others do, it is not used up. Budgets
//! are kept in memory, per process, for e-mail addresses as typed: they answer
//! alike whether the account exists or not.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{Error, Result, clock::Clock};

/// How many tries pass between two sweeps of budgets that are full again.
const SWEEP_EVERY: u32 = 1024;

/// Where a try comes from: an IPv4 address, or the /64 that one IPv6 customer has.
type Network = IpAddr;

/// An e-mail address as it is compared.
type Account = String;

type Budget<K> = RateLimiter<K, DefaultKeyedStateStore<K>, HubTime, NoOpMiddleware<Nanos>>;

/// The four budgets.
pub struct Throttle {
    at_account: Budget<(Network, Account)>,
    from_network: Budget<Network>,
    of_account: Budget<Account>,
    known: Budget<String>,
    time: HubTime,
    tries: AtomicU32,
}

impl Throttle {
    /// Full budgets, measured with `clock`.
    pub fn new(clock: Clock) -> Self {
        let time = HubTime(clock);
        Self {
            at_account: budget(10, Duration::from_secs(30), &time),
            from_network: budget(30, Duration::from_secs(2), &time),
            of_account: budget(40, Duration::from_secs(60), &time),
            known: budget(10, Duration::from_secs(30), &time),
            time,
            tries: AtomicU32::new(0),
        }
    }

    /// Counts a try by a stranger. The narrowest budget comes first, so that
    /// one address cannot use up an account's.
    ///
    /// # Errors
    /// [`Error::Throttled`] when a budget is used up.
    pub fn stranger(&self, account: &str, address: IpAddr) -> Result<()> {
        self.sweep();
        let network = network(address);
        self.spend(&self.at_account, &(network, account.to_owned()))?;
        self.spend(&self.from_network, &network)?;
        self.spend(&self.of_account, &account.to_owned())
    }

    /// Counts a try by somebody we met before: a browser that signed in, or a
    /// person who is signed in.
    ///
    /// # Errors
    /// [`Error::Throttled`] when the budget is used up.
    pub fn known(&self, who: &str) -> Result<()> {
        self.sweep();
        self.spend(&self.known, &who.to_owned())
    }

    fn spend<K: Clone + Eq + Hash>(&self, budget: &Budget<K>, key: &K) -> Result<()> {
        budget
            .check_key(key)
            .map_err(|until| Error::Throttled(until.wait_time_from(self.time.now())))
    }

    /// Forgets full budgets: they say nothing, and the keys are anybody's to make up.
    fn sweep(&self) {
        if self.tries.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.at_account.retain_recent();
            self.from_network.retain_recent();
            self.of_account.retain_recent();
            self.known.retain_recent();
        }
    }
}

fn budget<K: Clone + Eq + Hash>(at_once: u32, then: Duration, time: &HubTime) -> Budget<K> {
    let at_once = NonZeroU32::new(at_once).expect("a budget of more than nothing");
    let quota = Quota::with_period(then)
        .expect("a period of more than nothing")
        .allow_burst(at_once);
    RateLimiter::new(quota, DefaultKeyedStateStore::default(), time.clone())
}

fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// The hub's clock, as governor reads it: nanoseconds since the epoch.
#[derive(Clone)]
pub(super) struct HubTime(pub(super) Clock);

impl governor::clock::Clock for HubTime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let micros = u64::try_from(self.0.now().timestamp_micros()).unwrap_or(0);
        Nanos::from(micros.saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn throttle() -> (Throttle, Clock) {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        (Throttle::new(clock.clone()), clock)
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    fn passes(result: &Result<()>) -> bool {
        match result {
            Ok(()) => true,
            Err(Error::Throttled(wait)) => {
                assert!(*wait > Duration::ZERO && *wait <= Duration::from_secs(60));
                false
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn one_address_has_ten_tries_at_an_account_and_then_one_per_half_minute() {
        let (throttle, clock) = throttle();
        let tries = |n: usize| {
            (0..n)
                .filter(|_| passes(&throttle.stranger("ana@example.com", address(1))))
                .count()
        };
        assert_eq!(tries(100), 10);
        clock.advance(TimeDelta::seconds(29));
        assert_eq!(tries(100), 0);
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(tries(100), 1);
        assert!(passes(&throttle.stranger("ana@example.com", address(2))));
        clock.advance(TimeDelta::hours(1));
        assert_eq!(tries(100), 10);
    }

    #[test]
    fn credential_stuffing_from_one_address_is_capped() {
        let (throttle, clock) = throttle();
        // A thousand tries a minute over 200 accounts, for ten minutes.
        let mut passed = 0;
        for second in 0..600 {
            for n in 0..17 {
                let account = format!("person{}@example.com", (second * 17 + n) % 200);
                passed += usize::from(passes(&throttle.stranger(&account, address(1))));
            }
            clock.advance(TimeDelta::seconds(1));
        }
        assert!((300..=330).contains(&passed), "{passed}");
    }

    #[test]
    fn asvs_6_3_1_many_addresses_share_an_accounts_budget_but_never_a_known_browsers() {
        let (throttle, _) = throttle();
        let passed = (0..5_000)
            .filter(|n| passes(&throttle.stranger("ana@example.com", address(*n))))
            .count();
        assert_eq!(passed, 40);
        assert!(passes(&throttle.known("the owner's browser")));
    }

    #[test]
    fn one_address_cannot_use_up_the_accounts_budget() {
        let (throttle, _) = throttle();
        for _ in 0..1_000 {
            let _ = throttle.stranger("ana@example.com", address(1));
        }
        let others = (2..1_000)
            .filter(|n| passes(&throttle.stranger("ana@example.com", address(*n))))
            .count();
        assert_eq!(others, 30, "40 less the 10 of the first address");
    }

    #[test]
    fn a_customers_whole_network_is_one_address() {
        let same: [IpAddr; 2] = [
            "2001:db8::1".parse().unwrap(),
            "2001:db8::ffff:2".parse().unwrap(),
        ];
        assert_eq!(network(same[0]), network(same[1]));
        assert_ne!(
            network(same[0]),
            network("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), address(1));
        assert_ne!(network(address(1)), network(address(2)));
    }

    #[test]
    fn full_budgets_are_forgotten() {
        let (throttle, clock) = throttle();
        for n in 0..SWEEP_EVERY - 1 {
            let _ = throttle.stranger(&format!("{n}@example.com"), address(n));
        }
        assert!(throttle.of_account.len() > 1_000);
        clock.advance(TimeDelta::hours(1));
        let _ = throttle.stranger("ana@example.com", address(1));
        assert!(throttle.of_account.len() <= 1);
    }
}
