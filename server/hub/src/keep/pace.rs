//! How fast the background calls a provider app: a budget of calls a second that
//! every process draws from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Result, catalog::Provider, hub::Hub, store::provider_pace};

/// How far ahead renewals may use the budget up.
const RENEWALS_AHEAD: TimeDelta = TimeDelta::seconds(1);
/// The same for checks: they take what renewals leave, and leave most of it.
const CHECKS_AHEAD: TimeDelta = TimeDelta::milliseconds(250);
/// How often a draw is tried when another process draws at the same moment.
const TRIES: usize = 5;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Keeping a token alive.
    Renewal,
    /// Looking whether a connection works.
    Check,
}

/// How many of `wanted` calls may be made, and until when the budget is spoken
/// for then. `free_at` is until when it was.
fn draw(
    free_at: DateTime<Utc>,
    per_second: u16,
    ahead: TimeDelta,
    wanted: usize,
    now: DateTime<Utc>,
) -> (usize, DateTime<Utc>) {
    let each = TimeDelta::microseconds(1_000_000 / i64::from(per_second.max(1)));
    let from = free_at.max(now);
    let room = (now + ahead - from).max(TimeDelta::zero());
    // Even the slowest app may be called once in a while.
    let room = match from == now {
        true => room.max(each),
        false => room,
    };
    let fits = room.num_microseconds().unwrap_or(0) / each.num_microseconds().unwrap_or(1).max(1);
    let granted = wanted.min(usize::try_from(fits).unwrap_or(0));
    let taken = each * i32::try_from(granted).unwrap_or(i32::MAX);
    (granted, from + taken)
}

impl Hub {
    /// Draws `wanted` calls from the budget of a provider's app. Answers how many
    /// may be made now.
    async fn draw(&self, provider: &Provider, call: Call, wanted: usize) -> Result<usize> {
        let ahead = match call {
            Call::Renewal => RENEWALS_AHEAD,
            Call::Check => CHECKS_AHEAD,
        };
        let (db, app) = (self.store.db(), provider.app_id.as_str());
        for _ in 0..TRIES {
            let before = provider_pace::of(db, app).await?;
            let now = self.clock.now();
            let free_at = before.as_ref().map_or(now, |before| before.free_at);
            let (granted, after) = draw(free_at, provider.calls_per_second(), ahead, wanted, now);
            if granted == 0 || provider_pace::raise(db, app, before.as_ref(), after).await? {
                return Ok(granted);
            }
        }
        Ok(0)
    }

    /// Those of `due` whose apps have budget left, and the providers that have
    /// none. What the catalog no longer has costs nobody a call.
    pub(super) async fn within_budget<T>(
        &self,
        due: Vec<T>,
        call: Call,
        provider_of: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, Vec<String>)> {
        let mut wanted: BTreeMap<String, (usize, &Provider)> = BTreeMap::new();
        for one in &due {
            if let Some(provider) = self.catalog.get(provider_of(one)) {
                let entry = wanted.entry(provider.app_id.clone());
                entry.or_insert((0, provider)).0 += 1;
            }
        }
        let mut granted = BTreeMap::new();
        for (app, (wanted, provider)) in wanted {
            granted.insert(app, self.draw(provider, call, wanted).await?);
        }
        let (mut may, mut resting) = (Vec::new(), Vec::new());
        for one in due {
            let app = self.catalog.get(provider_of(&one)).map(|one| &one.app_id);
            match app.and_then(|app| granted.get_mut(app)) {
                Some(0) => resting.push(provider_of(&one).to_owned()),
                Some(left) => {
                    *left -= 1;
                    may.push(one);
                }
                None => may.push(one),
            }
        }
        Ok((may, resting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_and_comes_back() {
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let renewals = |free_at, now| draw(free_at, 50, RENEWALS_AHEAD, 1_000, now);
        let (first, free_at) = renewals(now, now);
        assert_eq!(first, 50);
        assert_eq!(renewals(free_at, now).0, 0);
        let (half, free_at) = renewals(free_at, now + TimeDelta::milliseconds(500));
        assert_eq!(half, 25);
        // However long nobody called: no more than one second at once.
        assert_eq!(renewals(free_at, now + TimeDelta::hours(1)).0, 50);
    }

    #[test]
    fn checks_take_what_renewals_leave() {
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let (checks, free_at) = draw(now, 40, CHECKS_AHEAD, 1_000, now);
        assert_eq!(checks, 10);
        assert_eq!(draw(free_at, 40, CHECKS_AHEAD, 1, now).0, 0);
        assert_eq!(draw(free_at, 40, RENEWALS_AHEAD, 1_000, now).0, 30);
    }

    #[test]
    fn the_slowest_app_is_called_once_in_a_while() {
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let (one, free_at) = draw(now, 1, CHECKS_AHEAD, 9, now);
        assert_eq!(one, 1);
        let later = now + TimeDelta::milliseconds(900);
        assert_eq!(draw(free_at, 1, CHECKS_AHEAD, 9, later).0, 0);
        let later = now + TimeDelta::seconds(1);
        assert_eq!(draw(free_at, 1, CHECKS_AHEAD, 9, later).0, 1);
    }
}
