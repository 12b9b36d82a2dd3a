//! Keeping connections alive: renewing tokens, checking that they work, and
//! saying how they are.
//!
//! One token's life passes through here once: [`Hub::refresh_due`] or a lender
//! asks for [`Hub::renew`], [`refresh`] speaks the protocol, [`outcome`] writes
//! down how it ended, [`schedule`] decides when next, [`health`] says what it means.
//! What is due is found in rounds ([`round`]) within each provider's budget
//! ([`pace`]); what is told of it is decided in one place ([`alarm`]).

mod alarm;
mod along;
mod breaker;
mod check;
mod control;
pub mod ends;
pub mod health;
mod outcome;
mod pace;
mod push;
mod recovery;
mod refresh;
mod repair;
mod rest;
mod round;
mod sample;
pub mod schedule;
pub mod spool;
mod sync;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::NaiveDate;
use futures::{FutureExt, future::BoxFuture, future::Shared};
use tokio_util::task::TaskTracker;

pub use breaker::TRY_EVERY;
pub use check::Checked;
pub use control::{Kept, KeptPage, Mends, Part, Stored};
pub use push::Heard;
pub use refresh::{Need, Renewal};
pub use repair::CLEARED;
pub use round::Round;

use crate::{
    Result,
    hub::Hub,
    store::{
        ConnectionId, Reach, attempt, connect_link, credential, delivery, draft, event, flow,
        flow_outcome, idempotent_request, provider_fault, push_message, refresh_attempt, run,
        sync_run, tenant,
    },
};

/// What one process needs to keep tokens fresh: which refreshes it has under
/// way.
#[derive(Default)]
pub struct Keeper {
    under_way: Mutex<HashMap<(ConnectionId, String), Flight>>,
    /// Refreshes outlive the request that asked for them: an answer that is on
    /// its way must be stored. Shutdown waits for these.
    pub tasks: TaskTracker,
    /// On which day this process has forgotten old events.
    events_swept: Mutex<Option<NaiveDate>>,
}

type Flight = Shared<BoxFuture<'static, Arc<Result<Renewal>>>>;

/// How long finished refresh attempts and ended flows are kept, in days.
const KEEP_DAYS: i64 = 7;
/// How long it is kept how readings ended, in days.
const KEEP_SYNCS_DAYS: i64 = 30;

impl Hub {
    /// Renews one credential if it needs it. Any number of callers in this
    /// process share one attempt; other processes are kept out by its lease.
    pub(crate) async fn renew(
        &self,
        id: ConnectionId,
        slot: &str,
        need: Need,
    ) -> Arc<Result<Renewal>> {
        loop {
            let mut joined = true;
            let flight = {
                let mut under_way = self
                    .keeper
                    .under_way
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                under_way
                    .entry((id, slot.to_owned()))
                    .or_insert_with(|| {
                        joined = false;
                        self.take_off(id, slot.to_owned(), need)
                    })
                    .clone()
            };
            let outcome = flight.await;
            // The flight that was joined may have been asked a weaker question
            // and have found nothing to do.
            let unanswered = match (need, &*outcome) {
                (Need::Repair, Ok(Renewal::Failed(_) | Renewal::Waits(_))) => true,
                (Need::Rejected { version }, Ok(Renewal::Current(row))) => row.version <= version,
                _ => false,
            };
            if !(joined && unanswered) {
                return outcome;
            }
        }
    }

    fn take_off(&self, id: ConnectionId, slot: String, need: Need) -> Flight {
        let hub = self.clone();
        // Whoever asked found the connection in their tenant. A failure may be the
        // provider's trouble, which is counted over all tenants.
        let task = self.keeper.tasks.spawn(Reach::every().around(async move {
            let outcome = hub.renew_once(id, &slot, need).await;
            hub.keeper
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(id, slot));
            Arc::new(outcome)
        }));
        async move {
            task.await.unwrap_or_else(|_| {
                Arc::new(Err(crate::Error::Conflict("the refresh was interrupted")))
            })
        }
        .boxed()
        .shared()
    }

    /// Takes up what an earlier process of this data directory left when it
    /// died: answers in its spool, and leases nobody will give back. To be
    /// called before the hub says it is ready.
    pub async fn take_up(&self) -> Result<()> {
        self.drain_spool().await?;
        for node in self.spool.nodes() {
            credential::release_leases(self.store.db(), node).await?;
            sync_run::release_leases(self.store.db(), node).await?;
        }
        Ok(())
    }

    /// One round of housekeeping: sessions, flows and attempts that have ended.
    pub async fn sweep(&self) -> Result<()> {
        let now = self.clock.now();
        let before = now - chrono::TimeDelta::days(KEEP_DAYS);
        crate::store::session::delete_expired(self.store.db(), now.timestamp()).await?;
        draft::sweep(self.store.db(), now).await?;
        self.attempts_left().await?;
        flow::sweep(self.store.db(), before).await?;
        connect_link::sweep(self.store.db(), before).await?;
        let readings = now - chrono::TimeDelta::days(KEEP_SYNCS_DAYS);
        sync_run::sweep(self.store.db(), readings).await?;
        run::sweep(self.store.db(), now - run::KEPT).await?;
        attempt::sweep(self.store.db(), now - attempt::KEPT).await?;
        refresh_attempt::sweep(self.store.db(), before).await?;
        provider_fault::sweep(self.store.db(), before).await?;
        flow_outcome::sweep(self.store.db(), now - flow_outcome::KEPT).await?;
        push_message::sweep(self.store.db(), before).await?;
        let forgotten = now - idempotent_request::KEPT;
        idempotent_request::sweep(self.store.db(), forgotten).await?;
        delivery::sweep(self.store.db(), now - crate::tell::KEPT).await?;
        self.sweep_notices().await?;
        self.sweep_events().await?;
        self.rotate_signing_keys().await?;
        Ok(())
    }

    /// Forgets old events, once a day: it is looked at all there are.
    async fn sweep_events(&self) -> Result<()> {
        let now = self.clock.now();
        let today = Some(now.date_naive());
        let swept = || self.keeper.events_swept.lock();
        if *swept().unwrap_or_else(PoisonError::into_inner) == today {
            return Ok(());
        }
        for tenant in tenant::ids(self.store.db()).await? {
            event::sweep(self.store.db(), tenant, now).await?;
        }
        *swept().unwrap_or_else(PoisonError::into_inner) = today;
        Ok(())
    }
}
