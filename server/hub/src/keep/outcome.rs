//! How a try to refresh ended, written down: by compare-and-swap on fence and
//! version, and in the [spool](super::spool) when the database cannot take it.

use chrono::{DateTime, Utc};
use fail::fail_point;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{
    alarm::told_in_time,
    ends::refresh_end,
    recovery::UNCLEAR,
    refresh::{Renewal, Try, place},
    schedule::{self, Life},
    spool::Entry,
};
use crate::{
    Error, Result,
    catalog::RefreshMode,
    dialect::{Grant, Tokens},
    failure::{Failure, FailureCode},
    hub::Hub,
    record::Renewed,
    secret::Secret,
    store::{
        AttemptId, PersonId,
        attempt::Tried,
        connection, credential,
        event::{self, Kind},
        node, refresh_attempt, run, sync_run, words,
    },
};

impl Hub {
    pub(super) async fn store_renewed(
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
                self.note_renewed(&row, &ready);
                self.changes.nudge(row.tenant_id);
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
            Ok(false) => self.superseded(row, &ready, &grant, entry).await,
            Err(error) => {
                tracing::error!(
                    connection.id = %row.connection_id, %error,
                    "a renewed token could not be stored and goes to the spool"
                );
                self.spool.keep(&entry);
                fail_point!("refresh::after_spool", |_| std::process::abort());
                self.note_renewed(&row, &ready);
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
        }
    }

    fn note_renewed(&self, row: &credential::Model, ready: &Try<'_>) {
        let known = row.failure.as_ref().map(|failure| (failure, row.failed_at));
        self.meters
            .refreshed(&ready.connection.provider, Renewed::Renewed);
        let attempts = row.failures.saturating_add(1);
        self.attempt_of_keeping(&ready.connection, Tried::Refresh, known, None, attempts);
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
        let refreshes = matches!(
            ready.provider.refresh.mode,
            RefreshMode::RefreshToken | RefreshMode::Mint
        );
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
        let refresh_expires_at = refresh_end(
            row,
            &ready.provider.refresh,
            grant.refresh_expires_at,
            previous_refresh_sealed.is_some(),
            life.obtained_at,
        );
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
            refresh_expires_at,
            next_refresh_at: schedule::due_at(
                life,
                refresh_expires_at,
                &ready.provider.refresh,
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
        match &ready.connection.failure {
            None => {
                change.last_ok_at = Set(Some(now));
                change.next_check_at = Set(Some(schedule::check_after_proof(
                    &ready.connection,
                    ready.provider.check_every(),
                    now,
                )));
            }
            // What a check found only a check takes back: tokens are given out
            // elsewhere than where they are used. That one was is reason to ask.
            Some(failure) if is_doubted_by_renewal(failure.code) => {
                let told_to_wait = ready.connection.is_told_to_wait(now);
                if !told_to_wait && ready.connection.paused_at.is_none() {
                    change.next_check_at = Set(Some(now));
                }
            }
            Some(_) => {}
        }
        if let Some(certificate) = ready.app.certificate(ready.provider) {
            change.certificate = Set(Some(certificate));
        }
        if let Some(scopes) = &grant.scopes {
            change.scopes_granted = Set(Some(scopes.join(" ")));
        }
        if !grant.variables.is_empty() {
            let mut variables = ready.connection.variables.clone();
            variables.0.extend(grant.variables.clone());
            change.variables = Set(variables);
        }
        change.update(&transaction).await?;
        self.tell_scopes(&transaction, &ready.connection, grant.scopes.as_deref())
            .await?;
        self.settle_alarm(
            &transaction,
            row.tenant_id,
            row.connection_id,
            Some(Kind::ConnectionRefreshed),
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
                self.spool.keep(&entry);
                self.drain_spool().await?;
                Ok(Renewal::Current(Box::new(renewed(row, entry))))
            }
        }
    }

    /// The token may have been rotated: the attempt stays open, so that a
    /// refusal after it is understood.
    pub(super) async fn record_unclear(
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

    pub(super) async fn record_failure(
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
        // What is stored says only what the provider said: when is in the row.
        let wish = failure.retry_at.and(next);
        let failure = failure.with_retry_at(wish);
        let (stands, since) = stands(row.failure.as_ref(), row.failed_at, &failure, now);
        let next = told_in_time(next, &stands, since, now);
        let transaction = self.store.begin().await?;
        let stored = credential::compare_and_swap(
            &transaction,
            row.connection_id,
            &row.slot,
            row.version,
            Some(row.fence),
            credential::ActiveModel {
                failures: Set(failures),
                failure: Set(Some(stands.clone())),
                failed_at: Set(Some(since)),
                next_refresh_at: Set(next),
                ..Default::default()
            },
        )
        .await?;
        if let Some((attempt, outcome)) = finished {
            refresh_attempt::finish(&transaction, attempt, outcome, now).await?;
        }
        let connection = match stored {
            true => connection::of_tenant(&transaction, row.tenant_id, row.connection_id).await?,
            false => None,
        };
        if let Some(connection) = &connection {
            self.note_fault(&transaction, connection, &failure).await?;
            let otherwise = row.failure.is_none().then_some(Kind::ConnectionChanged);
            self.settle_alarm(&transaction, row.tenant_id, connection.id, otherwise)
                .await?;
        }
        transaction.commit().await?;
        if let Some(connection) = &connection {
            self.meters.refreshed(
                &connection.provider,
                match failure.code.is_transient() {
                    true => Renewed::Retrying,
                    false => Renewed::Refused,
                },
            );
            let before = row.failure.as_ref().map(|known| (known, row.failed_at));
            let now_known = Some(&failure);
            self.attempt_of_keeping(connection, Tried::Refresh, before, now_known, failures);
        }
        self.changes.nudge(row.tenant_id);
        Ok(Renewal::Failed(stands.with_retry_at(next)))
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
                self.settle_alarm(&transaction, entry.tenant, entry.connection, None)
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

    /// Tells that a connection's permissions are others than before, if they are.
    pub(crate) async fn tell_scopes(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        before: &connection::Model,
        granted: Option<&[String]>,
    ) -> Result<()> {
        let (Some(before_granted), Some(granted)) = (&before.scopes_granted, granted) else {
            return Ok(());
        };
        let had = words(before_granted);
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            let gone = all.iter().filter(|scope| !others.contains(scope));
            gone.cloned().collect()
        };
        let data = event::Data {
            scopes_gained: without(granted, &had),
            scopes_lost: without(&had, granted),
            ..Default::default()
        };
        if data.scopes_gained.is_empty() && data.scopes_lost.is_empty() {
            return Ok(());
        }
        self.tell(db, before, Kind::ConnectionScopesChanged, data)
            .await
    }

    /// Appends an event of a connection, by nobody in particular.
    pub(crate) async fn tell(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        connection: &connection::Model,
        kind: Kind,
        data: event::Data,
    ) -> Result<()> {
        self.tell_as(db, connection, kind, None, data).await
    }

    /// The same by a person: the one place for what follows from an event in the
    /// same transaction.
    pub(crate) async fn tell_as(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        connection: &connection::Model,
        kind: Kind,
        person: Option<PersonId>,
        data: event::Data,
    ) -> Result<()> {
        if matches!(kind, Kind::ConnectionHealed | Kind::ConnectionResumed) {
            sync_run::resume(db, connection.id, self.clock.now()).await?;
        }
        // Also what did not break may bring what a run waits for: permissions.
        let may_free = [
            Kind::ConnectionHealed,
            Kind::ConnectionResumed,
            Kind::ConnectionRefreshed,
            Kind::ConnectionChecked,
        ];
        if may_free.contains(&kind) {
            run::wake(db, connection.id, self.clock.now()).await?;
        }
        event::append(
            db,
            event::New {
                tenant: connection.tenant_id,
                kind,
                connection: Some(connection.id),
                person,
                data,
            },
            self.clock.now(),
        )
        .await?;
        Ok(())
    }
}

/// What is wrong after another failure, and since when: what only a person can
/// mend is not taken back by a disturbance, which says nothing about it, and is
/// not newer for being found again.
pub(super) fn stands(
    before: Option<&Failure>,
    since: Option<DateTime<Utc>>,
    now_wrong: &Failure,
    now: DateTime<Utc>,
) -> (Failure, DateTime<Utc>) {
    let Some(before) = before else {
        return (now_wrong.clone(), now);
    };
    let since = since.unwrap_or(now);
    match (before.code.is_transient(), now_wrong.code.is_transient()) {
        (false, true) => {
            let stands = before.clone().with_retry_at(now_wrong.retry_at);
            (stands, since)
        }
        (true, true) => (now_wrong.clone(), since),
        (false, false) if before.code == now_wrong.code => (now_wrong.clone(), since),
        (_, false) => (now_wrong.clone(), now),
    }
}

/// Whether a renewal that works is reason to ask again about what a check found.
fn is_doubted_by_renewal(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::GrantRevokedOrExpired
            | FailureCode::SessionExpired
            | FailureCode::AppConfigInvalid
    )
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
