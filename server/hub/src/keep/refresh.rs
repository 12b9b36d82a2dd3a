//! The refresh protocol: exactly one call per token across processes, and no
//! rotation lost.
//!
//! 1. One flight per credential in this process ([`Hub::renew`]).
//! 2. A lease in the database, with a fence, and the intent to send, committed
//!    together *before* anything is sent: a database that cannot write means
//!    that no token is spent.
//! 3. The call, shorter than the lease.
//! 4. The outcome by compare-and-swap on fence and version. When the database
//!    cannot take it, the sealed answer goes to the [spool](super::spool).
//! 5. A try whose fate is unknown stays on record; [`super::recovery`] says
//!    when the token may be presented again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fail::fail_point;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use super::{
    recovery::{self, OpenAttempt, UNCLEAR},
    schedule::{self, Life},
    spool::Entry,
};
use crate::{
    Error, Result,
    catalog::{Provider, RefreshMode},
    dialect::{Grant, ProviderApp, RefreshAnswer, Tokens},
    failure::{Failure, FailureCode},
    hub::Hub,
    secret::Secret,
    store::{
        AttemptId, ConnectionId, connection, credential,
        event::{self, Kind},
        node, refresh_attempt,
    },
    vault::Place,
};

/// How long one process may hold a credential. Longer than the longest call
/// to a provider (20 s) with room for both commits.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long a caller waits for another process that holds the lease.
const OTHERS_PATIENCE: Duration = Duration::from_secs(25);
/// How often it looks whether the other is done.
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// Detail of a refusal that has to be repeated before it is believed.
const REFUSED_ONCE: &str = "refused_once";

/// Why a credential is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its time has come.
    Due,
    /// Somebody wants a token that works now.
    Now,
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
}

/// Everything a try needs, read before anything is promised.
struct Try<'a> {
    connection: connection::Model,
    provider: &'a Provider,
    app: ProviderApp,
    presented: Secret,
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
            if let Some(settled) = self.settled(&row, need) {
                return Ok(settled);
            }
            if !self.spool.is_empty() {
                let failure = Failure::inferred(FailureCode::HubInternal, "spool_not_empty");
                return Ok(Renewal::Failed(failure));
            }
            let ready = match self.prepare_try(&row).await? {
                Ok(ready) => ready,
                Err(failure) => return self.record_unsent(&row, failure).await,
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
                    return Ok(Renewal::Failed(failure));
                }
                Claim::Held if tokio::time::Instant::now() >= give_up => {
                    let failure =
                        Failure::inferred(FailureCode::NetworkOrTimeout, "refresh_elsewhere");
                    return Ok(Renewal::Failed(failure));
                }
                Claim::Held => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// What can be said without asking the provider.
    fn settled(&self, row: &credential::Model, need: Need) -> Option<Renewal> {
        let now = self.clock.now();
        let life = life_of(row);
        let usable = row
            .expires_at
            .is_none_or(|end| now < end - schedule::lending_margin(life));
        let fresh = match need {
            Need::Due => row.next_refresh_at.is_none_or(|due| due > now),
            Need::Now => usable && row.failure.is_none(),
            Need::Rejected { version } => {
                row.version > version || now < row.obtained_at + schedule::TOO_YOUNG
            }
        };
        if fresh && row.failure.is_none() {
            return Some(Renewal::Current(Box::new(row.clone())));
        }
        let failure = row.failure.clone()?;
        match row.next_refresh_at {
            None => Some(Renewal::Failed(failure)),
            Some(next) if next > now => Some(Renewal::Failed(failure.with_retry_at(Some(next)))),
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
        let (sealed, field) = match provider.oauth().refresh.mode {
            RefreshMode::RefreshToken => (row.refresh_sealed.as_ref(), "refresh"),
            RefreshMode::Exchange => (Some(&row.access_sealed), "access"),
            RefreshMode::None => (None, "refresh"),
        };
        let Some(sealed) = sealed else {
            return Ok(Err(Failure::inferred(
                FailureCode::GrantRevokedOrExpired,
                "ended_without_refresh_token",
            )));
        };
        let Some(app) = self.provider_app(row.tenant_id, &provider.app_id).await? else {
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
        let rotation = &ready.provider.oauth().refresh.rotation;
        if let Err(until) = recovery::may_present_again(&open, rotation, &self.spool.nodes(), now) {
            let failure = Failure::inferred(FailureCode::NetworkOrTimeout, "outcome_unknown");
            credential::compare_and_swap(
                &transaction,
                mine.connection_id,
                &mine.slot,
                mine.version,
                Some(mine.fence),
                credential::ActiveModel {
                    failure: Set(Some(failure.with_retry_at(Some(until)))),
                    failed_at: Set(Some(now)),
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

    async fn store_renewed(
        &self,
        row: credential::Model,
        ready: Try<'_>,
        grant: Grant,
    ) -> Result<Renewal> {
        let entry = self.seal_renewed(&row, &ready, &grant).await?;
        fail_point!("refresh::after_seal", |_| std::process::abort());
        match self.commit_renewed(&row, &ready, &grant, &entry).await {
            Ok(true) => {
                fail_point!("refresh::after_commit", |_| std::process::abort());
                self.changes.nudge(row.tenant_id);
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
            Ok(false) => self.superseded(row, &ready, &grant, entry).await,
            Err(error) => {
                tracing::error!(
                    connection.id = %row.connection_id, %error,
                    "a renewed token could not be stored and goes to the spool"
                );
                self.spool.append(&entry).map_err(spool_failed)?;
                fail_point!("refresh::after_spool", |_| std::process::abort());
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
        }
    }

    async fn seal_renewed(
        &self,
        row: &credential::Model,
        ready: &Try<'_>,
        grant: &Grant,
    ) -> Result<Entry> {
        let version = row.version + 1;
        let seal = async |field, secret: &Secret| {
            self.vault.seal(place(row, field, version), secret).await
        };
        let refreshes = ready.provider.oauth().refresh.mode == RefreshMode::RefreshToken;
        let (refresh_sealed, previous_refresh_sealed) = match &grant.refresh_token {
            Some(new) => {
                let previous = match refreshes && new.expose() != ready.presented.expose() {
                    true => Some(seal("previous_refresh", &ready.presented).await?),
                    false => None,
                };
                (Some(seal("refresh", new).await?), previous)
            }
            // An answer without a refresh token means that the old one stays.
            None if refreshes => (Some(seal("refresh", &ready.presented).await?), None),
            None => (None, None),
        };
        let life = Life {
            obtained_at: self.clock.now(),
            expires_at: grant.expires_at,
            refreshable: refresh_sealed.is_some(),
        };
        Ok(Entry {
            tenant: row.tenant_id,
            connection: row.connection_id,
            slot: row.slot.clone(),
            version: row.version,
            access_sealed: seal("access", &grant.access_token).await?,
            refresh_sealed,
            previous_refresh_sealed,
            token_type: grant.token_type.clone(),
            obtained_at: life.obtained_at,
            expires_at: grant.expires_at,
            refresh_expires_at: grant.refresh_expires_at.or(row.refresh_expires_at),
            next_refresh_at: schedule::due_at(
                life,
                &ready.provider.oauth().refresh,
                schedule::spread(row.connection_id, version),
            ),
        })
    }

    async fn commit_renewed(
        &self,
        row: &credential::Model,
        ready: &Try<'_>,
        grant: &Grant,
        entry: &Entry,
    ) -> Result<bool> {
        fail_point!("refresh::commit_fails", |_| Err(Error::Conflict(
            "as a test wants it"
        )));
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        let stored = credential::compare_and_swap(
            &transaction,
            row.connection_id,
            &row.slot,
            row.version,
            Some(row.fence),
            change_of(entry),
        )
        .await?;
        if !stored {
            return Ok(false);
        }
        refresh_attempt::finish_all(&transaction, row.connection_id, &row.slot, "renewed", now)
            .await?;
        let mut change = ready.connection.clone().into_active_model();
        change.last_ok_at = Set(Some(now));
        // A grant that renews is a grant that lives, whatever a check found.
        change.failure = Set(None);
        change.failed_at = Set(None);
        if let Some(scopes) = &grant.scopes {
            change.scopes_granted = Set(Some(scopes.join(" ")));
        }
        if !grant.variables.is_empty() {
            let mut variables = ready.connection.variables.clone();
            variables.0.extend(grant.variables.clone());
            change.variables = Set(variables);
        }
        change.update(&transaction).await?;
        let healed = row.failure.is_some() || ready.connection.failure.is_some();
        self.tell(
            &transaction,
            &ready.connection,
            if healed {
                Kind::ConnectionHealed
            } else {
                Kind::ConnectionRefreshed
            },
            event::Data::default(),
        )
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The row is no longer what the refresh started from. If the connection
    /// was ended meanwhile, the new grant must not live on unowned; if only the
    /// lease was lost, the answer still counts unless somebody else won.
    async fn superseded(
        &self,
        row: credential::Model,
        ready: &Try<'_>,
        grant: &Grant,
        entry: Entry,
    ) -> Result<Renewal> {
        match credential::get(self.store.db(), row.connection_id, &row.slot).await? {
            None => {
                let tokens = Tokens {
                    access_token: &grant.access_token,
                    refresh_token: grant.refresh_token.as_ref(),
                };
                self.dialect
                    .revoke(
                        ready.provider,
                        &ready.app,
                        &ready.connection.variables.0,
                        &tokens,
                    )
                    .await;
                Err(Error::NotFound)
            }
            Some(winner) if winner.version > row.version => Ok(Renewal::Current(Box::new(winner))),
            Some(_) => {
                self.spool.append(&entry).map_err(spool_failed)?;
                self.drain_spool().await?;
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
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
        if grant_is_gone && let Some(wait) = ready.provider.oauth().refresh.confirm_after {
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
        let rotation = &provider.oauth().refresh.rotation;
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

    /// The token may have been rotated: the attempt stays open, so that a
    /// refusal after it is understood.
    async fn record_unclear(
        &self,
        row: credential::Model,
        attempt: AttemptId,
        failure: Failure,
    ) -> Result<Renewal> {
        refresh_attempt::ActiveModel {
            id: Set(attempt),
            outcome: Set(Some(UNCLEAR.into())),
            ..Default::default()
        }
        .update(self.store.db())
        .await?;
        self.record_failure(&row, None, failure).await
    }

    /// A failure found before anything was promised: there is no lease.
    async fn record_unsent(&self, row: &credential::Model, failure: Failure) -> Result<Renewal> {
        self.record_failure(row, None, failure).await
    }

    async fn record_failure(
        &self,
        row: &credential::Model,
        finished: Option<(AttemptId, &str)>,
        failure: Failure,
    ) -> Result<Renewal> {
        let now = self.clock.now();
        let failures = row.failures + 1;
        let next = schedule::retry_at(
            failure.code,
            failures,
            failure.retry_at,
            now,
            schedule::spread(row.connection_id, i64::from(failures)),
        );
        let failure = failure.with_retry_at(next);
        let transaction = self.store.begin().await?;
        let stored = credential::compare_and_swap(
            &transaction,
            row.connection_id,
            &row.slot,
            row.version,
            Some(row.fence),
            credential::ActiveModel {
                failures: Set(failures),
                failure: Set(Some(failure.clone())),
                failed_at: Set(Some(now)),
                next_refresh_at: Set(next),
                ..Default::default()
            },
        )
        .await?;
        if let Some((attempt, outcome)) = finished {
            refresh_attempt::finish(&transaction, attempt, outcome, now).await?;
        }
        if stored
            && let Some(kind) = transition(row.failure.as_ref(), &failure)
            && let Some(connection) =
                connection::of_tenant(&transaction, row.tenant_id, row.connection_id).await?
        {
            let data = event::Data {
                failure: Some(failure.clone()),
                ..Default::default()
            };
            self.tell(&transaction, &connection, kind, data).await?;
        }
        transaction.commit().await?;
        self.changes.nudge(row.tenant_id);
        Ok(Renewal::Failed(failure))
    }

    /// Writes what waits in the spool to the database, and says so when
    /// nothing is left. To be called at the start and while it is not empty.
    pub async fn drain_spool(&self) -> Result<()> {
        let entries = self.spool.entries().map_err(spool_failed)?;
        for entry in &entries {
            let transaction = self.store.begin().await?;
            let stored = credential::compare_and_swap(
                &transaction,
                entry.connection,
                &entry.slot,
                entry.version,
                None,
                change_of(entry),
            )
            .await?;
            if stored {
                refresh_attempt::finish_all(
                    &transaction,
                    entry.connection,
                    &entry.slot,
                    "spooled",
                    self.clock.now(),
                )
                .await?;
            }
            transaction.commit().await?;
            tracing::warn!(
                connection.id = %entry.connection, spool.stored = stored,
                "a token from the spool was written to the database"
            );
            self.changes.nudge(entry.tenant);
        }
        self.spool.clear(&entries).map_err(spool_failed)?;
        for node in self.spool.nodes() {
            node::report_spool_empty(self.store.db(), node, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Appends an event of a connection, by nobody in particular.
    pub(crate) async fn tell(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        connection: &connection::Model,
        kind: Kind,
        data: event::Data,
    ) -> Result<()> {
        event::append(
            db,
            event::New {
                tenant: connection.tenant_id,
                kind,
                connection: Some(connection.id),
                person: None,
                data,
            },
            self.clock.now(),
        )
        .await?;
        Ok(())
    }
}

/// The event a failure is, given what was known: one per transition.
pub(super) fn transition(before: Option<&Failure>, now: &Failure) -> Option<Kind> {
    let was_final = before.map(|failure| !failure.code.is_transient());
    match (was_final, now.code.is_transient()) {
        (Some(true), false) | (Some(_), true) => None,
        (None, true) => Some(Kind::ConnectionDegraded),
        (None | Some(false), false) => Some(Kind::ConnectionActionRequired),
    }
}

fn place<'a>(row: &credential::Model, field: &'a str, version: i64) -> Place<'a> {
    Place::credential(row.tenant_id, row.connection_id, &row.slot, field, version)
}

pub(crate) fn life_of(row: &credential::Model) -> Life {
    Life {
        obtained_at: row.obtained_at,
        expires_at: row.expires_at,
        refreshable: row.refresh_sealed.is_some(),
    }
}

fn change_of(entry: &Entry) -> credential::ActiveModel {
    credential::ActiveModel {
        access_sealed: Set(entry.access_sealed.clone()),
        refresh_sealed: Set(entry.refresh_sealed.clone()),
        previous_refresh_sealed: Set(entry.previous_refresh_sealed.clone()),
        token_type: Set(entry.token_type.clone()),
        obtained_at: Set(entry.obtained_at),
        expires_at: Set(entry.expires_at),
        refresh_expires_at: Set(entry.refresh_expires_at),
        version: Set(entry.version + 1),
        next_refresh_at: Set(entry.next_refresh_at),
        failures: Set(0),
        failure: Set(None),
        failed_at: Set(None),
        ..Default::default()
    }
}

fn renewed(row: credential::Model, entry: Entry) -> credential::Model {
    credential::Model {
        access_sealed: entry.access_sealed,
        refresh_sealed: entry.refresh_sealed,
        previous_refresh_sealed: entry.previous_refresh_sealed,
        token_type: entry.token_type,
        obtained_at: entry.obtained_at,
        expires_at: entry.expires_at,
        refresh_expires_at: entry.refresh_expires_at,
        version: entry.version + 1,
        next_refresh_at: entry.next_refresh_at,
        lease_owner: None,
        lease_until: None,
        failures: 0,
        failure: None,
        failed_at: None,
        ..row
    }
}

fn spool_failed(error: std::io::Error) -> Error {
    tracing::error!(%error, "the spool directory cannot be used");
    Error::Conflict("the spool directory cannot be used")
}
