//! The refresh protocol: exactly one call per token across processes, and no
//! rotation lost.
//!
//! 1. One flight per credential in this process ([`Hub::renew`]).
//! 2. A lease in the database, with a fence, and the intent to send, committed
//!    together *before* anything is sent: a database that cannot write means
//!    that no token is spent.
//! 3. The call, shorter than the lease.
//! 4. The [outcome](super::outcome), by compare-and-swap on fence and version.
//!    When the database cannot take it, the sealed answer goes to the
//!    [spool](super::spool).
//! 5. A try whose fate is unknown stays on record; [`super::recovery`] says
//!    when the token may be presented again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fail::fail_point;
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::{
    outcome::stands,
    recovery::{self, OpenAttempt, UNCLEAR},
    repair,
    schedule::{self, Life},
};
use crate::{
    Error, Result,
    catalog::{Provider, RefreshMode},
    dialect::{ProviderApp, RefreshAnswer},
    failure::{Failure, FailureCode},
    hub::Hub,
    secret::Secret,
    store::{AttemptId, ConnectionId, connection, credential, node, refresh_attempt},
    vault::Place,
};

/// How long one process may hold a credential. Longer than the longest call
/// to a provider (20 s) with room for both commits.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long a caller waits for another process that holds the lease.
const OTHERS_PATIENCE: Duration = Duration::from_secs(25);
/// How often it looks whether the other is done.
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// How often the background tries to empty the spool.
const SPOOL_IS_TRIED: TimeDelta = TimeDelta::seconds(10);

/// Detail of a refusal that has to be repeated before it is believed.
const REFUSED_ONCE: &str = "refused_once";

/// Why a credential is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its time has come.
    Due,
    /// Somebody wants a token that works now.
    Now,
    /// Somebody wants it mended, although its last refresh failed and its time
    /// has not come again.
    Repair,
    /// A call with it was rejected although its time had not come: renew it
    /// unless somebody has done so since this version.
    Rejected {
        /// The version that was rejected.
        version: i64,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Renewal {
    /// The credential as it is now stored: renewed, or found not to need it.
    Current(Box<credential::Model>),
    /// It could not be renewed. The token itself may still work.
    Failed(Failure),
    /// It could not be renewed before, and nobody was asked this time: when that
    /// is done again, if it is, is in it.
    Waits(Failure),
}

/// Everything a try needs, read before anything is promised.
pub(super) struct Try<'a> {
    pub connection: connection::Model,
    pub provider: &'a Provider,
    pub app: ProviderApp,
    pub presented: Secret,
}

enum Claim {
    /// The lease is ours and the intent is on record.
    Mine {
        row: Box<credential::Model>,
        attempt: AttemptId,
        /// Earlier tries with the same token have an unknown fate.
        ambiguous: bool,
    },
    /// Another process holds the lease.
    Held,
    /// A try whose fate is unknown forbids another one before this time.
    Wait(DateTime<Utc>),
}

impl Hub {
    pub(super) async fn renew_once(
        &self,
        id: ConnectionId,
        slot: &str,
        need: Need,
    ) -> Result<Renewal> {
        let give_up = tokio::time::Instant::now() + OTHERS_PATIENCE;
        loop {
            let Some(row) = credential::get(self.store.db(), id, slot).await? else {
                return Err(Error::NotFound);
            };
            let insists = need == Need::Repair && self.may_insist(&row).await?;
            if let Some(settled) = self.settled(&row, need, insists) {
                return Ok(settled);
            }
            if !self.spool.is_empty() {
                let failure = Failure::inferred(FailureCode::HubInternal, "spool_not_empty");
                let soon = self.clock.now() + SPOOL_IS_TRIED;
                return Ok(Renewal::Waits(failure.with_retry_at(Some(soon))));
            }
            let ready = match self.prepare_try(&row).await? {
                Ok(ready) => ready,
                // Nothing was promised yet: there is no attempt to finish.
                Err(failure) => return self.record_failure(&row, None, failure).await,
            };
            match self.claim(&row, &ready).await? {
                Claim::Mine {
                    row,
                    attempt,
                    ambiguous,
                } => {
                    fail_point!("refresh::after_intent", |_| std::process::abort());
                    return self.send(*row, attempt, ambiguous, ready).await;
                }
                Claim::Wait(until) => {
                    let failure =
                        Failure::inferred(FailureCode::NetworkOrTimeout, "outcome_unknown")
                            .with_retry_at(Some(until));
                    return Ok(Renewal::Waits(failure));
                }
                Claim::Held if tokio::time::Instant::now() >= give_up => {
                    let failure =
                        Failure::inferred(FailureCode::NetworkOrTimeout, "refresh_elsewhere");
                    return Ok(Renewal::Waits(failure));
                }
                Claim::Held => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Whether a renewal that failed may be tried again although its time has not
    /// come: where that may help, the provider did not say how long to wait, and
    /// the last try has rested.
    async fn may_insist(&self, row: &credential::Model) -> Result<bool> {
        let now = self.clock.now();
        let is_worth_it = row.failure.as_ref().is_some_and(|failure| {
            repair::may_help(failure) && failure.retry_at.is_none_or(|until| until <= now)
        });
        if !is_worth_it {
            return Ok(false);
        }
        let last = refresh_attempt::latest(self.store.db(), row.connection_id, &row.slot).await?;
        Ok(last.is_none_or(|at| at + repair::REST <= now))
    }

    /// What can be said without asking the provider; nothing of what failed when
    /// somebody `insists`.
    fn settled(&self, row: &credential::Model, need: Need, insists: bool) -> Option<Renewal> {
        let now = self.clock.now();
        let life = life_of(row);
        let usable = row
            .expires_at
            .is_none_or(|end| now < end - schedule::lending_margin(life));
        let fresh = match need {
            Need::Due => row.next_refresh_at.is_none_or(|due| due > now),
            Need::Now | Need::Repair => usable && row.failure.is_none(),
            Need::Rejected { version } => {
                row.version > version || now < row.obtained_at + schedule::TOO_YOUNG
            }
        };
        if fresh && row.failure.is_none() {
            return Some(Renewal::Current(Box::new(row.clone())));
        }
        let failure = row.failure.clone()?;
        match row.next_refresh_at {
            _ if insists => None,
            None => Some(Renewal::Waits(failure)),
            Some(next) if next > now => Some(Renewal::Waits(failure.with_retry_at(Some(next)))),
            Some(_) => None,
        }
    }

    async fn prepare_try(&self, row: &credential::Model) -> Result<Result<Try<'_>, Failure>> {
        let connection = connection::of_tenant(self.store.db(), row.tenant_id, row.connection_id)
            .await?
            .filter(|connection| connection.disconnected_at.is_none())
            .ok_or(Error::NotFound)?;
        let Some(provider) = self.catalog.get(&connection.provider) else {
            return Ok(Err(Failure::told(
                FailureCode::AppConfigInvalid,
                "provider_not_in_catalog",
            )));
        };
        let (sealed, field) = match provider.refresh.mode {
            RefreshMode::RefreshToken | RefreshMode::Mint => {
                (row.refresh_sealed.as_ref(), "refresh")
            }
            RefreshMode::Exchange => (Some(&row.access_sealed), "access"),
            RefreshMode::None => (None, "refresh"),
        };
        let Some(sealed) = sealed else {
            return Ok(Err(Failure::inferred(
                FailureCode::GrantRevokedOrExpired,
                "ended_without_refresh_token",
            )));
        };
        let Some(app) = self.provider_app(row.tenant_id, provider).await? else {
            return Ok(Err(Failure::told(
                FailureCode::AppConfigInvalid,
                "provider_app_missing",
            )));
        };
        let presented = self
            .vault
            .open(place(row, field, row.version), sealed)
            .await?;
        Ok(Ok(Try {
            connection,
            provider,
            app,
            presented,
        }))
    }

    /// Takes the lease and records the intent, in one commit.
    async fn claim(&self, row: &credential::Model, ready: &Try<'_>) -> Result<Claim> {
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        let Some(mine) =
            credential::take_lease(&transaction, row, self.spool.node(), now, now + LEASE).await?
        else {
            return Ok(Claim::Held);
        };
        let mut open = Vec::new();
        for attempt in refresh_attempt::open(&transaction, &mine).await? {
            let spool_empty_at = node::Entity::find_by_id(attempt.node_id)
                .one(&transaction)
                .await?
                .map(|node| node.spool_empty_at);
            open.push(OpenAttempt {
                attempt,
                spool_empty_at,
            });
        }
        let rotation = &ready.provider.refresh.rotation;
        if let Err(until) = recovery::may_present_again(&open, rotation, &self.spool.nodes(), now) {
            let failure = Failure::inferred(FailureCode::NetworkOrTimeout, "outcome_unknown");
            let failure = failure.with_retry_at(Some(until));
            let (failure, since) = stands(mine.failure.as_ref(), mine.failed_at, &failure, now);
            credential::compare_and_swap(
                &transaction,
                mine.connection_id,
                &mine.slot,
                mine.version,
                Some(mine.fence),
                credential::ActiveModel {
                    failure: Set(Some(failure)),
                    failed_at: Set(Some(since)),
                    next_refresh_at: Set(Some(until)),
                    ..Default::default()
                },
            )
            .await?;
            transaction.commit().await?;
            return Ok(Claim::Wait(until));
        }
        let attempt = refresh_attempt::begin(
            &transaction,
            &mine,
            ready.presented.digest(),
            self.spool.node(),
            now,
        )
        .await?;
        fail_point!("refresh::before_intent", |_| std::process::abort());
        transaction.commit().await?;
        Ok(Claim::Mine {
            row: Box::new(mine),
            attempt,
            ambiguous: !open.is_empty(),
        })
    }

    async fn send(
        &self,
        row: credential::Model,
        attempt: AttemptId,
        ambiguous: bool,
        ready: Try<'_>,
    ) -> Result<Renewal> {
        let started = std::time::Instant::now();
        let answer = self
            .dialect
            .refresh(
                ready.provider,
                &ready.app,
                &ready.connection.variables.0,
                &ready.presented,
            )
            .await;
        fail_point!("refresh::after_answer", |_| std::process::abort());
        let (outcome, detail) = match &answer {
            RefreshAnswer::Renewed(_) => ("renewed", String::new()),
            RefreshAnswer::Refused(failure) => ("refused", failure.detail.clone()),
            RefreshAnswer::NotSent(failure) => ("not_sent", failure.detail.clone()),
            RefreshAnswer::Unclear(failure) => (UNCLEAR, failure.detail.clone()),
            RefreshAnswer::Later(failure) => ("later", failure.detail.clone()),
        };
        tracing::info!(
            connection.id = %row.connection_id,
            provider = %ready.provider.id,
            refresh.outcome = outcome,
            refresh.detail = detail,
            duration_ms = started.elapsed().as_millis() as u64,
            "refresh {outcome}"
        );
        match answer {
            RefreshAnswer::Renewed(grant) => self.store_renewed(row, ready, grant).await,
            RefreshAnswer::Refused(failure) => {
                self.record_refused(row, attempt, ambiguous, ready, failure)
                    .await
            }
            RefreshAnswer::NotSent(failure) | RefreshAnswer::Later(failure) => {
                self.record_failure(&row, Some((attempt, outcome)), failure)
                    .await
            }
            RefreshAnswer::Unclear(failure) => self.record_unclear(row, attempt, failure).await,
        }
    }

    async fn record_refused(
        &self,
        row: credential::Model,
        attempt: AttemptId,
        ambiguous: bool,
        ready: Try<'_>,
        mut failure: Failure,
    ) -> Result<Renewal> {
        // Another process may have rotated between our read and our lease.
        if let Some(winner) = credential::get(self.store.db(), row.connection_id, &row.slot)
            .await?
            .filter(|winner| winner.version > row.version)
        {
            return Ok(Renewal::Current(Box::new(winner)));
        }
        let grant_is_gone = failure.code == FailureCode::GrantRevokedOrExpired;
        if grant_is_gone
            && let Some(previous) = self.previous_in_grace(&row, ready.provider).await?
            && let RefreshAnswer::Renewed(grant) = self
                .dialect
                .refresh(
                    ready.provider,
                    &ready.app,
                    &ready.connection.variables.0,
                    &previous,
                )
                .await
        {
            return self.store_renewed(row, ready, grant).await;
        }
        if grant_is_gone && let Some(wait) = ready.provider.refresh.confirm_after {
            let repeated = row
                .failure
                .as_ref()
                .is_some_and(|earlier| earlier.detail == REFUSED_ONCE);
            if !repeated {
                failure = Failure {
                    detail: REFUSED_ONCE.into(),
                    code: FailureCode::ProviderLimitedOrDown,
                    ..failure
                }
                .with_retry_at(Some(self.clock.now() + wait));
            }
        } else if grant_is_gone && ambiguous {
            // An earlier try may have rotated the token without our learning
            // the new one. It is counted and shown, never silent.
            failure.detail = "lost_rotation".into();
            tracing::error!(
                connection.id = %row.connection_id, provider = %ready.provider.id,
                "a rotated token was lost"
            );
        }
        self.record_failure(&row, Some((attempt, "refused")), failure)
            .await
    }

    /// The refresh token before the refused one, where the provider still takes
    /// it: its answer may have reached us and not itself.
    async fn previous_in_grace(
        &self,
        row: &credential::Model,
        provider: &Provider,
    ) -> Result<Option<Secret>> {
        let rotation = &provider.refresh.rotation;
        let in_grace = rotation.until_replacement_used
            || rotation
                .grace
                .is_some_and(|grace| self.clock.now() < row.obtained_at + grace);
        match &row.previous_refresh_sealed {
            Some(sealed) if in_grace => {
                let place = place(row, "previous_refresh", row.version);
                Ok(Some(self.vault.open(place, sealed).await?))
            }
            _ => Ok(None),
        }
    }
}

pub(super) fn place<'a>(row: &credential::Model, field: &'a str, version: i64) -> Place<'a> {
    Place::credential(row.tenant_id, row.connection_id, &row.slot, field, version)
}

pub(crate) fn life_of(row: &credential::Model) -> Life {
    Life {
        obtained_at: row.obtained_at,
        expires_at: row.expires_at,
        refreshable: row.refresh_sealed.is_some(),
    }
}
