//! Stops asking when a password was rejected three times in a row: providers
//! lock accounts that somebody guesses at, and a person who mistypes should
//! not lose theirs to us.
//!
//! Kept in memory, per process: what is lost with it is one more round of three.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    failure::{Failure, FailureCode},
    store::TenantId,
};

/// The detail of a failure that comes from here and not from the provider.
pub const STOPPED_AFTER_THREE: &str = "stopped_after_three";

/// How many rejections are enough.
const ENOUGH: u32 = 3;
/// How long they are remembered, from the last one on.
const REMEMBERED: TimeDelta = TimeDelta::minutes(15);
/// The most accounts that are remembered; the oldest go first.
const MOST: usize = 10_000;

/// Until when nobody is asked again about what was rejected so often in a row, at
/// last at `last`; none when it may be asked about at `now`.
pub(crate) fn stopped_until(
    times: u32,
    last: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let until = last + REMEMBERED;
    (times >= ENOUGH && now < until).then_some(until)
}

/// What is said instead of asking.
pub(crate) fn stopped(until: DateTime<Utc>) -> Failure {
    Failure::told(FailureCode::CredentialsRejected, STOPPED_AFTER_THREE).with_retry_at(Some(until))
}

/// The rejections of late.
#[derive(Default)]
pub struct Rejections(Mutex<HashMap<Whose, Rejected>>);

/// A tenant and the digest of an account.
type Whose = (TenantId, Vec<u8>);

struct Rejected {
    times: u32,
    last: DateTime<Utc>,
}

impl Rejections {
    /// Until when nobody is asked about this account, if so.
    pub(super) fn stopped(
        &self,
        tenant: TenantId,
        account: &[u8],
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let rejected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = rejected.get(&(tenant, account.to_vec()))?;
        stopped_until(one.times, one.last, now)
    }

    /// One more rejection.
    pub(super) fn count(&self, tenant: TenantId, account: Vec<u8>, now: DateTime<Utc>) {
        let mut rejected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.retain(|_, one| now < one.last + REMEMBERED);
        if rejected.len() >= MOST {
            let oldest = rejected.iter().min_by_key(|(_, one)| one.last);
            let oldest = oldest.map(|(whose, _)| whose.clone());
            oldest.and_then(|whose| rejected.remove(&whose));
        }
        let first = Rejected {
            times: 0,
            last: now,
        };
        let one = rejected.entry((tenant, account)).or_insert(first);
        one.times += 1;
        one.last = now;
    }

    /// It was accepted: the row is over.
    pub(super) fn forget(&self, tenant: TenantId, account: &[u8]) {
        let mut rejected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.remove(&(tenant, account.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_are_enough_for_a_quarter_of_an_hour() {
        let (rejections, tenant) = (Rejections::default(), TenantId::new());
        let start: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
        let at = |minutes| start + TimeDelta::minutes(minutes);
        let stopped = |minutes| rejections.stopped(tenant, b"ana", at(minutes));
        for minute in 0..3 {
            assert_eq!(stopped(minute), None);
            rejections.count(tenant, b"ana".to_vec(), at(minute));
        }
        assert_eq!(stopped(3), Some(at(17)));
        assert_eq!(stopped(17), None);
        // Others are not concerned.
        assert_eq!(rejections.stopped(tenant, b"bo", at(3)), None);
        assert_eq!(rejections.stopped(TenantId::new(), b"ana", at(3)), None);

        rejections.forget(tenant, b"ana");
        assert_eq!(stopped(3), None);
        // Far apart is not in a row.
        for minute in [20, 40, 60, 80] {
            rejections.count(tenant, b"ana".to_vec(), at(minute));
        }
        assert_eq!(stopped(81), None);
    }
}
