//! How often the API may be called: a budget per key, and one per tenant for all
//! of its keys together. And how often a tenant may have providers asked, by
//! whatever way: sign-ins begun, what was entered tested, connections checked.
//!
//! Budgets are kept in memory, per process. They are wide: they are there so
//! that one program that runs wild does not take the others' turn.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::keyed::DefaultKeyedStateStore,
};
use uuid::Uuid;

use super::{Authority, Host, throttle::HubTime};
use crate::{Error, clock::Clock, store::TenantId};

/// How many times a key's budget a tenant has.
const KEYS_PER_TENANT: u32 = 5;

/// What a budget's window is.
const WINDOW: Duration = Duration::from_secs(60);

/// What share of a key's budget of calls a tenant has for what asks a provider.
const SIGN_INS: u32 = 50;
const TESTS: u32 = 100;
const CHECKS: u32 = 50;
/// How often a minute each of these may be in any case.
const AT_LEAST: u32 = 20;

/// How many calls pass between two sweeps of budgets that are full again.
const SWEEP_EVERY: u32 = 4096;

type Budget<K> = RateLimiter<K, DefaultKeyedStateStore<K>, HubTime, StateInformationMiddleware>;

/// What has a provider asked because somebody wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A sign-in is begun.
    SignIn,
    /// What was entered is tested.
    Test,
    /// A connection is checked, repaired or looked into.
    Check,
}

/// All budgets.
pub struct Limits {
    sign_ins: Budget<TenantId>,
    tests: Budget<TenantId>,
    checks: Budget<TenantId>,
    of_caller: Budget<Uuid>,
    of_tenant: Budget<TenantId>,
    per_minute: NonZeroU32,
    time: HubTime,
    calls: AtomicU32,
}

/// What is left of one budget after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `key` or `tenant`.
    pub name: &'static str,
    /// How many calls fit into a window.
    pub quota: u32,
    /// How long the window is, in seconds.
    pub window_s: u64,
    /// How many calls are left now.
    pub remaining: u32,
    /// After how many seconds all of them are there again.
    pub reset_s: u64,
}

/// What the budgets say about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The key's budget, then the tenant's.
    pub policies: [Policy; 2],
    /// How long to wait, where one of them is used up.
    pub wait: Option<Duration>,
}

impl Limits {
    /// Full budgets of so many calls a minute for each key, measured with
    /// `clock`.
    pub fn new(per_minute: NonZeroU32, clock: Clock) -> Self {
        let time = HubTime(clock);
        let share = |of: u32| {
            let share = (per_minute.get() / of).max(AT_LEAST);
            budget(NonZeroU32::new(share).expect("more than nothing"), &time)
        };
        Self {
            sign_ins: share(SIGN_INS),
            tests: share(TESTS),
            checks: share(CHECKS),
            of_caller: budget(per_minute, &time),
            of_tenant: budget(tenants(per_minute), &time),
            per_minute,
            time,
            calls: AtomicU32::new(0),
        }
    }

    /// Counts what has a provider asked for a tenant.
    ///
    /// # Errors
    /// [`Error::TooMuch`] when the tenant's budget is used up: others' is not
    /// concerned.
    pub(crate) fn want(&self, tenant: TenantId, wanted: Wanted) -> Result<(), Error> {
        self.sweep();
        let (budget, why) = match wanted {
            Wanted::SignIn => (
                &self.sign_ins,
                "Your organisation began very many sign-ins within a minute",
            ),
            Wanted::Test => (
                &self.tests,
                "Your organisation tested very many keys or passwords within a minute",
            ),
            Wanted::Check => (
                &self.checks,
                "Your organisation had very many connections checked within a minute",
            ),
        };
        budget.check_key(&tenant).map(drop).map_err(|until| {
            let wait = until.wait_time_from(self.time.now());
            Error::TooMuch { why, wait }
        })
    }

    fn sweep(&self) {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.of_caller.retain_recent();
            for budget in [&self.of_tenant, &self.sign_ins, &self.tests, &self.checks] {
                budget.retain_recent();
            }
        }
    }

    /// Counts a call. A caller whose own budget is used up takes nothing from
    /// the tenant's.
    pub fn spend(&self, host: &Host) -> Allowance {
        self.sweep();
        let caller = match host.authority() {
            Authority::Key(key) => key.0,
            Authority::Person(person, _) => person.0,
        };
        let mut wait = None;
        let mut count = |name, quota: NonZeroU32, state: Result<StateSnapshot, Duration>| {
            let remaining = match state {
                Ok(state) => state.remaining_burst_capacity(),
                Err(until) => {
                    wait = Some(until);
                    0
                }
            };
            policy(name, quota.get(), remaining)
        };
        let now = self.time.now();
        let own = self.of_caller.check_key(&caller);
        let own = own.map_err(|until| until.wait_time_from(now));
        let is_spent = own.is_err();
        let own = count("key", self.per_minute, own);
        let quota = tenants(self.per_minute);
        let of_tenant = match is_spent {
            true => policy("tenant", quota.get(), quota.get()),
            false => {
                let state = self.of_tenant.check_key(&host.tenant());
                count(
                    "tenant",
                    quota,
                    state.map_err(|until| until.wait_time_from(now)),
                )
            }
        };
        Allowance {
            policies: [own, of_tenant],
            wait,
        }
    }
}

fn policy(name: &'static str, quota: u32, remaining: u32) -> Policy {
    let window_s = WINDOW.as_secs();
    let used = u64::from(quota.saturating_sub(remaining));
    Policy {
        name,
        quota,
        window_s,
        remaining,
        reset_s: (used * window_s).div_ceil(u64::from(quota)),
    }
}

fn tenants(per_minute: NonZeroU32) -> NonZeroU32 {
    per_minute.saturating_mul(NonZeroU32::new(KEYS_PER_TENANT).expect("more than nothing"))
}

fn budget<K: Clone + Eq + std::hash::Hash>(per_minute: NonZeroU32, time: &HubTime) -> Budget<K> {
    RateLimiter::new(
        Quota::per_minute(per_minute),
        DefaultKeyedStateStore::default(),
        time.clone(),
    )
}
