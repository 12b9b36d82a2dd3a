//! Proving that a connection works, by asking the provider who it is.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{
    Need, Renewal,
    alarm::told_in_time,
    health::{is_stale, leaves_token_usable},
    outcome::stands,
    schedule,
};
use crate::{
    Error, Result,
    catalog::Provider,
    connect::{Listed, rejections},
    dialect::{Identity, ProviderApp, TOKEN_EXPIRED},
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{By, Wanted},
    record::{Deed, Entry},
    secret::Secret,
    store::{ConnectionId, Reach, attempt::Tried, connection, credential, event::Kind, is_taken},
    vault::Place,
};

/// How long a process may be at a check: longer than any call takes.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// Why a connection is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Somebody wants to know.
    Asked,
    /// Nobody waits for the answer.
    Background,
}

/// What came of a check that somebody asked for.
pub struct Checked {
    /// How the connection is then.
    pub listed: Listed,
    /// Why nothing was sent to the provider, and until when, if nothing was.
    pub waits: Option<Failure>,
}

/// What came of asking a provider.
enum Probe {
    /// It answered, or its silence is one.
    Answered(Result<Identity, Failure>),
    /// A renewal on the way failed, which is stored with the credential already.
    NotRenewed,
    /// Nothing was sent: why, and until when.
    Waits(Failure),
}

/// Whether a failure may be gone a moment later: but not when the provider said
/// how long to wait.
fn is_hiccup(failure: &Failure) -> bool {
    use FailureCode::{NetworkOrTimeout, ProviderLimitedOrDown};
    matches!(failure.code, NetworkOrTimeout | ProviderLimitedOrDown) && failure.retry_at.is_none()
}

/// Until when a connection's password is not sent again, because it was rejected
/// too often already.
fn stopped_until(connection: &connection::Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let last = connection
        .failed_at
        .filter(|_| connection.failure.as_ref().is_some_and(is_rejected))?;
    let times = u32::try_from(connection.check_failures).unwrap_or(0);
    rejections::stopped_until(times, last, now)
}

fn is_rejected(failure: &Failure) -> bool {
    failure.code == FailureCode::CredentialsRejected
}

impl Hub {
    /// Asks the provider whether the connection works, now. What it answers is
    /// stored; it is an outcome, not an error. It is not asked before the time it
    /// named, nor with what it has rejected three times.
    pub async fn check(&self, by: impl Into<By<'_>>, id: ConnectionId) -> Result<Checked> {
        let by = by.into();
        by.may_connect()?;
        let connection = connection::of_tenant(self.store.db(), by.tenant(), id)
            .await?
            .filter(|connection| connection.disconnected_at.is_none())
            .ok_or(Error::NotFound)?;
        self.limits.want(by.tenant(), Wanted::Check)?;
        // Before anything is sent to the provider in their name.
        let entry = Entry::new(by, Deed::CheckAsked).on(id);
        let entry = entry.saying(connection.provider.clone());
        self.record(by.tenant(), entry).await?;
        let now = self.clock.now();
        let told = connection
            .failure
            .clone()
            .filter(|_| connection.is_told_to_wait(now));
        let waits = match stopped_until(&connection, now)
            .map(rejections::stopped)
            .or(told)
        {
            Some(failure) => Some(failure),
            None => match self.probe(&connection, Cause::Asked).await? {
                Probe::Answered(outcome) => {
                    self.note_check(connection, outcome, Cause::Asked).await?;
                    None
                }
                Probe::NotRenewed => None,
                Probe::Waits(failure) => Some(failure),
            },
        };
        let listed = self.one(by.tenant(), id).await?;
        Ok(Checked { listed, waits })
    }

    /// Checks a connection because its time has come, unless another process
    /// does.
    pub(super) async fn check_claimed(&self, connection: connection::Model) -> Result<()> {
        let now = self.clock.now();
        if !connection::claim_check(self.store.db(), &connection, now + LEASE).await? {
            return Ok(());
        }
        let due = connection.next_check_at.filter(|due| *due <= now);
        self.check_now(connection).await?;
        if let Some(due) = due {
            self.meters.check_lagged(self.clock.now() - due);
        }
        Ok(())
    }

    pub(crate) async fn check_now(&self, connection: connection::Model) -> Result<()> {
        let now = self.clock.now();
        let next = match stopped_until(&connection, now) {
            // Only a person can enter another one.
            Some(_) => None,
            None => match self.probe(&connection, Cause::Background).await {
                Ok(Probe::Answered(outcome)) => {
                    return self.record_check(connection, outcome).await;
                }
                // Its renewal failed, which is told and tried again by itself.
                Ok(Probe::NotRenewed | Probe::Waits(_)) => {
                    let every = self.check_every(&connection);
                    Some(schedule::check_after(connection.id, every, None, now))
                }
                Err(Error::NotFound) => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        let mut change = connection.into_active_model();
        change.next_check_at = Set(next);
        change.update(self.store.db()).await?;
        Ok(())
    }

    fn check_every(&self, connection: &connection::Model) -> TimeDelta {
        let provider = self.catalog.get(&connection.provider);
        provider.map_or(TimeDelta::days(1), Provider::check_every)
    }

    /// Asks the provider whether a connection works, without making anybody
    /// wait for the answer.
    pub(super) fn check_soon(&self, connection: connection::Model) {
        let hub = self.clone();
        let checking = async move {
            let id = connection.id;
            if let Err(error) = hub.check_now(connection).await {
                tracing::error!(connection.id = %id, %error, "a check did not run");
            }
        };
        self.keeper.tasks.spawn(Reach::every().around(checking));
    }

    /// Asks with what is stored, renewed where it is time for that. A renewal that
    /// fails says nothing about a token that has not ended.
    async fn probe(&self, connection: &connection::Model, cause: Cause) -> Result<Probe> {
        let Some(provider) = self.catalog.get(&connection.provider) else {
            let failure = Failure::told(FailureCode::AppConfigInvalid, "provider_not_in_catalog");
            return Ok(Probe::Answered(Err(failure)));
        };
        let (id, slot) = (connection.id, credential::MAIN);
        let need = match cause {
            Cause::Asked => self.need_of_asking(id).await?,
            Cause::Background => Need::Now,
        };
        let renewal = self.renew(id, slot, need).await;
        let row = match &*renewal {
            Ok(Renewal::Current(row)) => row.clone(),
            Ok(Renewal::Failed(failure) | Renewal::Waits(failure)) => {
                match self.still_usable(id, failure).await? {
                    Some(row) => Box::new(row),
                    None if matches!(*renewal, Ok(Renewal::Failed(_))) => {
                        return Ok(Probe::NotRenewed);
                    }
                    None => return Ok(Probe::Waits(failure.clone())),
                }
            }
            Err(Error::NotFound) => return Err(Error::NotFound),
            Err(error) => {
                tracing::error!(connection.id = %id, %error, "a check could not start");
                let failure = Failure::inferred(FailureCode::HubInternal, "check_not_started");
                return Ok(Probe::Answered(Err(failure)));
            }
        };
        match self.ask_identity(connection, provider, &row).await? {
            Err(failure) if failure.detail == TOKEN_EXPIRED => {
                // Rejected before its time: one renewal, one more question.
                let need = Need::Rejected {
                    version: row.version,
                };
                match &*self.renew(id, slot, need).await {
                    Ok(Renewal::Current(newer)) if newer.version > row.version => self
                        .ask_identity(connection, provider, newer)
                        .await
                        .map(Probe::Answered),
                    Ok(Renewal::Failed(_) | Renewal::Waits(_)) => Ok(Probe::NotRenewed),
                    _ => Ok(Probe::Answered(Err(failure))),
                }
            }
            answer => Ok(Probe::Answered(answer)),
        }
    }

    /// What somebody who asks how a connection is has a right to: what may heal is
    /// tried again before its time, what was refused for good is not.
    async fn need_of_asking(&self, id: ConnectionId) -> Result<Need> {
        let row = credential::get(self.store.db(), id, credential::MAIN).await?;
        let failure = row.and_then(|row| row.failure);
        Ok(
            match failure.is_some_and(|failure| failure.code.is_transient()) {
                true => Need::Repair,
                false => Need::Now,
            },
        )
    }

    /// The token of a connection whose renewal failed, where it works all the same.
    async fn still_usable(
        &self,
        id: ConnectionId,
        failure: &Failure,
    ) -> Result<Option<credential::Model>> {
        if !leaves_token_usable(failure.code) {
            return Ok(None);
        }
        let now = self.clock.now();
        let row = credential::get(self.store.db(), id, credential::MAIN).await?;
        Ok(row.filter(|row| row.expires_at.is_none_or(|end| now < end)))
    }

    async fn ask_identity(
        &self,
        connection: &connection::Model,
        provider: &Provider,
        row: &credential::Model,
    ) -> Result<Result<Identity, Failure>> {
        let (token, app) = self.access_of(provider, row).await?;
        let asked = || self.ask(connection, provider, &app, &token);
        match asked().await {
            // A hiccup says nothing about the connection, and asking twice
            // changes nothing.
            Err(failure) if is_hiccup(&failure) => Ok(asked().await),
            answer => Ok(answer),
        }
    }

    async fn ask(
        &self,
        connection: &connection::Model,
        provider: &Provider,
        app: &ProviderApp,
        token: &Secret,
    ) -> Result<Identity, Failure> {
        let known = connection.external_id.clone().map(|id| Identity {
            id,
            label: connection.account_label.clone(),
            granted_scopes: None,
            variables: Default::default(),
            certificate: None,
        });
        let variables = &connection.variables.0;
        self.dialect
            .identify(provider, app, variables, token, known.as_ref())
            .await
    }

    /// What calls carry, and the provider app behind it.
    pub(super) async fn access_of(
        &self,
        provider: &Provider,
        row: &credential::Model,
    ) -> Result<(Secret, ProviderApp)> {
        let place = Place::credential(
            row.tenant_id,
            row.connection_id,
            &row.slot,
            "access",
            row.version,
        );
        let token = self.vault.open(place, &row.access_sealed).await?;
        let app = match provider.authorize() {
            Some(_) => self.provider_app(row.tenant_id, provider).await?,
            None => None,
        };
        Ok((token, app.unwrap_or_else(ProviderApp::none)))
    }

    pub(super) async fn record_check(
        &self,
        connection: connection::Model,
        outcome: Result<Identity, Failure>,
    ) -> Result<()> {
        self.note_check(connection, outcome, Cause::Background)
            .await
    }

    async fn note_check(
        &self,
        connection: connection::Model,
        outcome: Result<Identity, Failure>,
        cause: Cause,
    ) -> Result<()> {
        let outcome = match outcome {
            Err(failure) if failure.detail == TOKEN_EXPIRED => Err(Failure {
                code: FailureCode::GrantRevokedOrExpired,
                ..failure
            }),
            Ok(identity)
                if connection
                    .external_id
                    .as_ref()
                    .is_some_and(|id| *id != identity.id) =>
            {
                Err(
                    Failure::told(FailureCode::AccountOrTargetMismatch, "other_account")
                        .with_text(&identity.label),
                )
            }
            outcome => outcome,
        };
        // It may be the provider's trouble, which is counted over all tenants.
        let written = self.write_check(&connection, &outcome, cause);
        match Reach::every().around(written).await {
            // The account belongs to another connection already; this one
            // works all the same and stays without an identity of its own.
            Err(Error::Database(error)) if is_taken(&error) => {
                let nameless = outcome.map(|identity| Identity {
                    id: String::new(),
                    ..identity
                });
                let written = self.write_check(&connection, &nameless, cause);
                Reach::every().around(written).await
            }
            written => written,
        }
    }

    async fn write_check(
        &self,
        connection: &connection::Model,
        outcome: &Result<Identity, Failure>,
        cause: Cause,
    ) -> Result<()> {
        let now = self.clock.now();
        let (id, every) = (connection.id, self.check_every(connection));
        let transaction = self.store.begin().await?;
        let mut change = connection.clone().into_active_model();
        let was_wrong = connection.failure.as_ref();
        match outcome {
            Ok(identity) => {
                change.last_ok_at = Set(Some(now));
                change.asked_at = Set(Some(now));
                change.failure = Set(None);
                change.failed_at = Set(None);
                change.check_failures = Set(0);
                let ends_at = credential::get(&transaction, id, credential::MAIN)
                    .await?
                    .filter(|row| row.next_refresh_at.is_none())
                    .and_then(|row| row.expires_at);
                let next = schedule::check_after(id, every, ends_at, now);
                change.next_check_at = Set(Some(next));
                change.account_label = Set(identity.label.clone());
                change.certificate = Set(identity.certificate);
                if !identity.id.is_empty() {
                    change.external_id = Set(Some(identity.id.clone()));
                }
                if let Some(scopes) = &identity.granted_scopes {
                    change.scopes_granted = Set(Some(scopes.join(" ")));
                }
                let mut variables = connection.variables.clone();
                variables.0.extend(identity.variables.clone());
                change.variables = Set(variables);
            }
            Err(failure) => {
                let was_rejected = was_wrong.is_some_and(is_rejected);
                let failures = match (was_rejected, is_rejected(failure)) {
                    (false, true) => 1,
                    // A disturbance in between is no rejection.
                    (true, false) => connection.check_failures,
                    _ => connection.check_failures + 1,
                };
                let wish = failure.retry_at;
                let spread = schedule::spread(id, i64::from(failures));
                let next = match was_rejected && failure.code.is_transient() {
                    // It stands, and is not sent again by itself.
                    true => None,
                    false => schedule::retry_at(failure.code, failures, wish, now, spread),
                };
                // It says only what the provider said: when is in the row.
                let failure = failure.clone().with_retry_at(wish.and(next));
                let (stands, since) = stands(was_wrong, connection.failed_at, &failure, now);
                let next = told_in_time(next, &stands, since, now);
                // When it may be sent again counts from when it last was.
                let since = if is_rejected(&failure) { now } else { since };
                change.check_failures = Set(failures);
                change.failure = Set(Some(stands));
                change.failed_at = Set(Some(since));
                change.next_check_at = Set(next);
            }
        }
        if connection.paused_at.is_some() {
            change.next_check_at = Set(None);
        }
        let was_proven = connection
            .last_ok_at
            .is_some_and(|at| !is_stale(at, every, now));
        change.update(&transaction).await?;
        let otherwise = match outcome {
            Ok(_) if cause == Cause::Asked => Some(Kind::ConnectionChecked),
            Ok(_) if was_wrong.is_none() && was_proven => None,
            Err(_) if was_wrong.is_some() => None,
            _ => Some(Kind::ConnectionChanged),
        };
        match outcome {
            Ok(identity) => {
                let granted = identity.granted_scopes.as_deref();
                self.tell_scopes(&transaction, connection, granted).await?;
            }
            Err(failure) => self.note_fault(&transaction, connection, failure).await?,
        }
        self.settle_alarm(&transaction, connection.tenant_id, id, otherwise)
            .await?;
        transaction.commit().await?;
        self.changes.nudge(connection.tenant_id);
        let known = connection.failure.as_ref();
        let before = known.map(|failure| (failure, connection.failed_at));
        let failure = outcome.as_ref().err();
        let proven = connection.last_ok_at.map(|at| now - at);
        self.meters
            .checked(&connection.provider, failure.is_none(), proven);
        self.attempt_of_keeping(connection, Tried::Check, before, failure, 1);
        Ok(())
    }
}
