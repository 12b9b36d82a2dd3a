//! When a token is renewed, as pure functions.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    catalog::{RefreshMode, oauth::Refresh},
    failure::FailureCode,
    store::{ConnectionId, connection},
};

/// The lead is a quarter of the lifetime, and at most this.
const LONGEST_LEAD: TimeDelta = TimeDelta::hours(30);
/// The lead is at least this, unless half the lifetime is shorter.
const SHORTEST_LEAD: TimeDelta = TimeDelta::minutes(5);
/// A token this young is not renewed again.
pub const TOO_YOUNG: TimeDelta = TimeDelta::seconds(30);
/// First wait after a failure that heals itself; doubled each time.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(30);
/// How long a provider is not asked who an account is because its token could be
/// renewed: an account can be closed, and its renewals go on.
const LONGEST_UNASKED: TimeDelta = TimeDelta::days(1);
/// Longest wait after a failure that heals itself.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(30);

/// What is known of a token's life.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// When it was obtained.
    pub obtained_at: DateTime<Utc>,
    /// When it ends; none when nobody says.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether there is a refresh token.
    pub refreshable: bool,
}

/// When a token is to be renewed by itself; none when it is not.
///
/// The end of the token, or of what renews it where using that moves
/// `refresh_ends` on and it comes sooner, minus a lead of 30 hours or a quarter of the lifetime, whichever
/// is smaller (at least 5 minutes, at most half the lifetime), minus up to a
/// fifth of the lead so that tokens which end together are not renewed
/// together. `spread` is the connection's place in that fifth, 0 to 1.
pub fn due_at(
    life: Life,
    refresh_ends: Option<DateTime<Utc>>,
    policy: &Refresh,
    spread: f64,
) -> Option<DateTime<Utc>> {
    let renewable = match policy.mode {
        RefreshMode::RefreshToken | RefreshMode::Mint => life.refreshable,
        RefreshMode::Exchange => true,
        RefreshMode::None => false,
    };
    if !renewable {
        return None;
    }
    let rolls = policy.mode == RefreshMode::RefreshToken && !policy.refresh_absolute;
    let ends = [life.expires_at, refresh_ends.filter(|_| rolls)];
    let before = |end: DateTime<Utc>| {
        let lifetime = (end - life.obtained_at).max(TimeDelta::zero());
        let lead = LONGEST_LEAD
            .min(lifetime / 4)
            .max(SHORTEST_LEAD)
            .max(policy.lead.unwrap_or_default())
            .min(lifetime / 2);
        let jitter = fraction(lead / 5, spread);
        end - lead - jitter
    };
    let by_expiry = ends.into_iter().flatten().map(before).min();
    // Not earlier than the provider renews it.
    let opens = policy
        .not_before
        .and_then(|window| Some(life.expires_at? - window));
    let by_expiry = by_expiry.map(|due| due.max(opens.unwrap_or(due)));
    let by_habit = [policy.every, policy.keepalive]
        .into_iter()
        .flatten()
        .map(|interval| life.obtained_at + interval - fraction(interval / 10, spread))
        .min();
    let due = match (by_expiry, by_habit) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b)?,
    };
    Some(due.max(life.obtained_at + TOO_YOUNG))
}

/// When to try again after `failures` failures in a row, at `now`; none when
/// trying again would change nothing. A provider's own wish counts more, if it
/// is later.
pub fn retry_at(
    code: FailureCode,
    failures: i32,
    wish: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    spread: f64,
) -> Option<DateTime<Utc>> {
    let wait = match code {
        // Mended by us, with a new version.
        FailureCode::ConnectorAuthSelectorChanged => TimeDelta::hours(1),
        code if code.is_transient() => {
            let doubled = FIRST_WAIT * (1 << (failures - 1).clamp(0, 6));
            let wait = doubled.min(LONGEST_WAIT);
            wait - fraction(wait / 5, spread)
        }
        // Mended by the operator, or at the provider: looked at again without
        // being asked, rarely enough to be no burden.
        FailureCode::AppConfigInvalid => TimeDelta::hours(1),
        // Asking whose account it is signs nobody in.
        FailureCode::AdminApprovalRequired
        | FailureCode::RefusedByProvider
        | FailureCode::CheckpointOrSuspiciousLogin => TimeDelta::days(1),
        _ => return None,
    };
    Some((now + wait).max(wish.unwrap_or(now)))
}

/// When a connection is checked next that was found working at `now`: up to a
/// tenth of the time early, so that those that were linked together are not
/// checked together; and when its token has ended, if nothing renews it.
pub fn check_after(
    id: ConnectionId,
    every: TimeDelta,
    ends_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let due = now + every - fraction(every / 10, spread(id, now.timestamp()));
    match ends_at {
        Some(end) if end > now => due.min(end),
        _ => due,
    }
}

/// When a connection is checked whose account the provider has not named yet: in
/// two to five minutes, so that those that are brought together are not checked
/// together.
pub fn first_check(id: ConnectionId, now: DateTime<Utc>) -> DateTime<Utc> {
    let spread = spread(id, now.timestamp());
    now + TimeDelta::minutes(2) + fraction(TimeDelta::minutes(3), spread)
}

/// The same after something else than a check has shown that it works, such as a
/// renewal: no call is needed. But the account itself is asked once a day.
pub fn check_after_proof(
    connection: &connection::Model,
    every: TimeDelta,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let after = check_after(connection.id, every, None, now);
    let at_the_latest = match connection.asked_at {
        Some(asked) => asked + every.max(LONGEST_UNASKED),
        None => connection.next_check_at.unwrap_or(after),
    };
    after.min(at_the_latest.max(now))
}

/// A number from 0 to 1 that stays the same for one connection and version.
pub fn spread(id: ConnectionId, version: i64) -> f64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new()
        .chain_update(id.0.as_bytes())
        .chain_update(version.to_be_bytes())
        .finalize();
    f64::from(u32::from_be_bytes([
        digest[0], digest[1], digest[2], digest[3],
    ])) / f64::from(u32::MAX)
}

fn fraction(of: TimeDelta, part: f64) -> TimeDelta {
    TimeDelta::milliseconds((of.num_milliseconds() as f64 * part.clamp(0.0, 1.0)) as i64)
}

/// How long before its end a token is no longer lent without renewing it: one
/// minute, or a quarter of a shorter life.
pub fn lending_margin(life: Life) -> TimeDelta {
    match life.expires_at {
        Some(end) => TimeDelta::minutes(1).min((end - life.obtained_at).max(TimeDelta::zero()) / 4),
        None => TimeDelta::zero(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: &str, more: &str) -> Refresh {
        toml::from_str(&format!(
            "mode = \"{mode}\"\ntoken_lifetime = \"unknown\"\n{more}"
        ))
        .expect("a policy")
    }

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn life(lifetime: TimeDelta) -> Life {
        Life {
            obtained_at: start(),
            expires_at: Some(start() + lifetime),
            refreshable: true,
        }
    }

    /// How long before the end a token of this lifetime is renewed.
    fn lead(lifetime: TimeDelta, spread: f64) -> TimeDelta {
        let due = due_at(life(lifetime), None, &policy("refresh_token", ""), spread).unwrap();
        start() + lifetime - due
    }

    #[test]
    fn the_lead_is_a_quarter_within_its_bounds() {
        assert_eq!(lead(TimeDelta::hours(1), 0.0), TimeDelta::minutes(15));
        assert_eq!(lead(TimeDelta::days(60), 0.0), TimeDelta::hours(30));
        assert_eq!(lead(TimeDelta::minutes(15), 0.0), TimeDelta::minutes(5));
        assert_eq!(lead(TimeDelta::minutes(6), 0.0), TimeDelta::minutes(3));
        assert_eq!(lead(TimeDelta::hours(1), 1.0), TimeDelta::minutes(18));
    }

    #[test]
    fn a_provider_may_ask_for_more_or_refuse_early() {
        let more = policy("refresh_token", "lead = \"25m\"");
        assert_eq!(
            due_at(life(TimeDelta::hours(1)), None, &more, 0.0),
            Some(start() + TimeDelta::minutes(35))
        );
        let late = policy("refresh_token", "not_before = \"30s\"");
        assert_eq!(
            due_at(life(TimeDelta::minutes(10)), None, &late, 0.0),
            Some(start() + TimeDelta::seconds(570))
        );
    }

    #[test]
    fn without_a_way_or_an_end_nothing_is_due() {
        let endless = Life {
            expires_at: None,
            ..life(TimeDelta::hours(1))
        };
        let due = |life, mode| due_at(life, None, &policy(mode, ""), 0.0);
        assert_eq!(due(endless, "refresh_token"), None);
        assert_eq!(due(life(TimeDelta::hours(1)), "none"), None);
        let no_token = Life {
            refreshable: false,
            ..life(TimeDelta::hours(1))
        };
        assert_eq!(due(no_token, "refresh_token"), None);
        assert!(due(no_token, "exchange").is_some());
    }

    #[test]
    fn what_renews_it_is_used_before_its_own_end_where_that_moves_it_on() {
        let year = life(TimeDelta::days(365));
        let due = |life, ends, more| {
            let ends = Some(start() + ends);
            due_at(life, ends, &policy("refresh_token", more), 0.0).map(|at| at - start())
        };
        let (hours, days) = (TimeDelta::hours, TimeDelta::days);
        assert_eq!(due(year, days(30), ""), Some(days(30) - hours(30)));
        let endless = Life {
            expires_at: None,
            ..year
        };
        assert_eq!(due(endless, days(30), ""), Some(days(30) - hours(30)));
        // Where it comes later, or where no use moves it, it changes nothing.
        let usual = Some(days(365) - hours(30));
        assert_eq!(due(year, days(400), ""), usual);
        assert_eq!(due(year, days(30), "refresh_absolute = true"), usual);
        // Nor does it have a provider asked that refuses.
        let late = "not_before = \"1d\"";
        assert_eq!(due(year, days(30), late), Some(days(364)));
    }

    #[test]
    fn waits_double_up_to_half_an_hour_and_honour_the_provider() {
        let code = FailureCode::ProviderLimitedOrDown;
        let wait = |failures| retry_at(code, failures, None, start(), 0.0).unwrap() - start();
        assert_eq!(wait(1), TimeDelta::seconds(30));
        assert_eq!(wait(3), TimeDelta::minutes(2));
        assert_eq!(wait(50), TimeDelta::minutes(30));
        let wish = start() + TimeDelta::hours(2);
        assert_eq!(retry_at(code, 1, Some(wish), start(), 0.0), Some(wish));
        let dead = FailureCode::GrantRevokedOrExpired;
        assert_eq!(retry_at(dead, 1, None, start(), 0.0), None);
    }
}
