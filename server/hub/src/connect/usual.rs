//! How long connecting usually takes: what the provider's file says, until the
//! hub knows better.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    Hub, Result,
    store::{Reach, flow_outcome},
};

/// Newest flows that are looked at.
const NEWEST: u64 = 500;
/// With fewer of one provider, chance decides.
const ENOUGH: usize = 5;

/// The usual times of providers.
#[derive(Clone, Debug, Default)]
pub struct UsualTimes(BTreeMap<String, TimeDelta>);

impl UsualTimes {
    /// How long connecting this provider took half of the people at most; none
    /// while too few did.
    pub fn of(&self, provider: &str) -> Option<TimeDelta> {
        self.0.get(provider).copied()
    }
}

impl FromIterator<(String, TimeDelta)> for UsualTimes {
    fn from_iter<T: IntoIterator<Item = (String, TimeDelta)>>(taken: T) -> Self {
        let mut by_provider = BTreeMap::<String, Vec<TimeDelta>>::new();
        for (provider, time) in taken {
            by_provider.entry(provider).or_default().push(time);
        }
        let known = by_provider
            .into_iter()
            .filter(|(_, times)| times.len() >= ENOUGH)
            .map(|(provider, mut times)| {
                times.sort();
                (provider, times[times.len() / 2])
            });
        Self(known.collect())
    }
}

impl Hub {
    /// How long connecting took people on this hub lately.
    ///
    /// # Errors
    /// The database's.
    pub async fn usual_times(&self) -> Result<UsualTimes> {
        // Of everybody, and nobody's: only how long it took is answered.
        let newest = flow_outcome::newest_successes(self.store.db(), NEWEST);
        let newest = Reach::every().around(newest).await?;
        let taken = newest.into_iter();
        Ok(taken
            .map(|(provider, began, ended)| (provider, ended - began))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_person_does_not_make_a_provider_slow() {
        let taken = [20, 22, 600, 21, 19].map(|s| ("shop".to_owned(), TimeDelta::seconds(s)));
        let few = taken[1..].iter().cloned().collect::<UsualTimes>();
        assert_eq!(few.of("shop"), None);
        let enough = taken.into_iter().collect::<UsualTimes>();
        assert_eq!(enough.of("shop"), Some(TimeDelta::seconds(21)));
    }
}
