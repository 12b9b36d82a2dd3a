//! Rounds of the background: what is due is renewed and checked, as fast as each
//! provider app's budget allows, and of a provider in trouble only one at a time.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::pace::Call;
use crate::{
    Result,
    hub::Hub,
    store::{connection, credential, provider_trouble},
};

/// How many calls one process has under way at once.
const PARALLEL: usize = 16;
/// How many due rows are looked at in one go.
const BATCH: u64 = 200;

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How many rows were acted upon.
    pub seen: usize,
    /// Whether something that is due has to wait for its provider app's budget:
    /// it may go on in a second.
    pub held_back: bool,
}

impl Hub {
    /// Renews every credential that is due.
    ///
    /// # Errors
    /// Only when the database does not answer; a provider's failure is an
    /// outcome that is stored.
    pub async fn refresh_due(&self) -> Result<Round> {
        let mut round = Round::default();
        let mut resting: BTreeSet<String> = self.try_troubled().await?.into_iter().collect();
        loop {
            let now = self.clock.now();
            let due = credential::due(self.store.db(), now, &resting, BATCH).await?;
            let is_last = (due.len() as u64) < BATCH;
            let (may, tired) = self
                .within_budget(due, Call::Renewal, |due| &due.provider)
                .await?;
            round.seen += may.len();
            futures::stream::iter(may)
                .for_each_concurrent(PARALLEL, |due| async move {
                    self.renew_due(&due).await;
                })
                .await;
            round.held_back |= !tired.is_empty();
            resting.extend(tired);
            if is_last {
                return Ok(round);
            }
            // Some may have come into trouble by what was just tried.
            resting.extend(provider_trouble::all(self.store.db()).await?.into_keys());
        }
    }

    /// Checks every connection that is due.
    ///
    /// # Errors
    /// Only when the database does not answer; what a provider says is an outcome
    /// that is stored.
    pub async fn check_due(&self) -> Result<Round> {
        let mut round = Round::default();
        let troubled = provider_trouble::all(self.store.db()).await?;
        let mut resting: BTreeSet<String> = troubled.into_keys().collect();
        loop {
            let now = self.clock.now();
            let due = connection::due(self.store.db(), now, &resting, BATCH).await?;
            let is_last = (due.len() as u64) < BATCH;
            let (may, tired) = self
                .within_budget(due, Call::Check, |due| &due.provider)
                .await?;
            round.seen += may.len();
            futures::stream::iter(may)
                .for_each_concurrent(PARALLEL, |due| async move {
                    let id = due.id;
                    if let Err(error) = self.check_claimed(due).await {
                        tracing::error!(connection.id = %id, %error, "a due check did not run");
                    }
                })
                .await;
            round.held_back |= !tired.is_empty();
            resting.extend(tired);
            if is_last {
                return Ok(round);
            }
            resting.extend(provider_trouble::all(self.store.db()).await?.into_keys());
        }
    }
}
