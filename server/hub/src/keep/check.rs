//! Proving that a connection works, by asking the provider who it is.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{Need, Renewal, outcome::transition};
use crate::{
    Error, Result,
    catalog::Provider,
    connect::Listed,
    dialect::{Identity, ProviderApp, TOKEN_EXPIRED},
    failure::{Failure, FailureCode},
    hub::Hub,
    people::By,
    secret::Secret,
    store::{
        ConnectionId,
        attempt::Tried,
        connection, credential,
        event::{self, Kind},
        is_taken,
    },
    vault::Place,
};

impl Hub {
    /// Asks the provider whether the connection works, now. What it answers is
    /// stored; it is an outcome, not an error. How the connection is then is
    /// answered.
    pub async fn check(&self, by: impl Into<By<'_>>, id: ConnectionId) -> Result<Listed> {
        let by = by.into();
        by.may_connect()?;
        let connection = connection::of_tenant(self.store.db(), by.tenant(), id)
            .await?
            .filter(|connection| connection.disconnected_at.is_none())
            .ok_or(Error::NotFound)?;
        self.check_now(connection).await?;
        self.one(by.tenant(), id).await
    }

    pub(crate) async fn check_now(&self, connection: connection::Model) -> Result<()> {
        match self.probe(&connection).await? {
            Some(outcome) => self.record_check(connection, outcome).await,
            None => Ok(()),
        }
    }

    /// Asks the provider whether a connection works, without making anybody
    /// wait for the answer.
    pub(super) fn check_soon(&self, connection: connection::Model) {
        let hub = self.clone();
        self.keeper.tasks.spawn(async move {
            let id = connection.id;
            let checked = match hub.probe(&connection).await {
                Ok(Some(outcome)) => hub.record_check(connection, outcome).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = checked {
                tracing::error!(connection.id = %id, %error, "a check did not run");
            }
        });
    }

    /// What the provider answered; none when a renewal on the way failed, which
    /// is stored with the credential already.
    async fn probe(
        &self,
        connection: &connection::Model,
    ) -> Result<Option<Result<Identity, Failure>>> {
        let Some(provider) = self.catalog.get(&connection.provider) else {
            let failure = Failure::told(FailureCode::AppConfigInvalid, "provider_not_in_catalog");
            return Ok(Some(Err(failure)));
        };
        let row = match &*self.renew(connection.id, credential::MAIN, Need::Now).await {
            Ok(Renewal::Current(row)) => row.clone(),
            Ok(Renewal::Failed(_)) => return Ok(None),
            Err(Error::NotFound) => return Err(Error::NotFound),
            Err(error) => {
                tracing::error!(connection.id = %connection.id, %error, "a check could not start");
                let failure = Failure::inferred(FailureCode::HubInternal, "check_not_started");
                return Ok(Some(Err(failure)));
            }
        };
        match self.ask_identity(connection, provider, &row).await? {
            Err(failure) if failure.detail == TOKEN_EXPIRED => {
                // Rejected before its time: one renewal, one more question.
                let need = Need::Rejected {
                    version: row.version,
                };
                match &*self.renew(connection.id, credential::MAIN, need).await {
                    Ok(Renewal::Current(newer)) if newer.version > row.version => self
                        .ask_identity(connection, provider, newer)
                        .await
                        .map(Some),
                    Ok(Renewal::Failed(_)) => Ok(None),
                    _ => Ok(Some(Err(failure))),
                }
            }
            answer => Ok(Some(answer)),
        }
    }

    async fn ask_identity(
        &self,
        connection: &connection::Model,
        provider: &Provider,
        row: &credential::Model,
    ) -> Result<Result<Identity, Failure>> {
        let (token, app) = self.access_of(provider, row).await?;
        let known = connection.external_id.clone().map(|id| Identity {
            id,
            label: connection.account_label.clone(),
            granted_scopes: None,
            variables: Default::default(),
        });
        Ok(self
            .dialect
            .identify(
                provider,
                &app,
                &connection.variables.0,
                &token,
                known.as_ref(),
            )
            .await)
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
        let before = connection.failure.clone();
        let kind = match &outcome {
            Ok(_) if before.is_some() => Some(Kind::ConnectionHealed),
            Ok(_) => Some(Kind::ConnectionChecked),
            Err(failure) => transition(before.as_ref(), failure),
        };
        match self.write_check(&connection, &outcome, kind).await {
            // The account belongs to another connection already; this one
            // works all the same and stays without an identity of its own.
            Err(Error::Database(error)) if is_taken(&error) => {
                let nameless = outcome.map(|identity| Identity {
                    id: String::new(),
                    ..identity
                });
                self.write_check(&connection, &nameless, kind).await
            }
            written => written,
        }
    }

    async fn write_check(
        &self,
        connection: &connection::Model,
        outcome: &Result<Identity, Failure>,
        kind: Option<Kind>,
    ) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        let mut change = connection.clone().into_active_model();
        let mut data = event::Data::default();
        match outcome {
            Ok(identity) => {
                change.last_ok_at = Set(Some(now));
                change.failure = Set(None);
                change.failed_at = Set(None);
                change.account_label = Set(identity.label.clone());
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
                change.failure = Set(Some(failure.clone()));
                change.failed_at = Set(Some(now));
                data.failure = Some(failure.clone());
            }
        }
        change.update(&transaction).await?;
        if let Some(kind) = kind {
            self.tell(&transaction, connection, kind, data).await?;
        }
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
