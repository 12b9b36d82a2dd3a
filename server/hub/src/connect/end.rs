//! Giving a grant back.

use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};

use crate::{
    Error, Result,
    dialect::{self, Tokens},
    hub::Hub,
    people::{Action, Host, Member, Scope},
    record::{Deed, Entry, Outcome, Who},
    store::{
        ConnectionId, Reach, TenantId,
        connection::{self, Revocation},
        credential,
        event::{self, Kind},
        refresh_attempt, sync_run,
    },
    vault::{Place, VaultError},
};

/// How long a disconnection may be under way before the housekeeping ends it.
const UNFINISHED: TimeDelta = TimeDelta::minutes(2);

impl Hub {
    /// Ends a connection: nothing is renewed or lent any more, the grant is
    /// given back at the provider, and the sealed tokens are destroyed. What
    /// became of the grant is stored and answered.
    pub async fn disconnect(&self, member: &Member, id: ConnectionId) -> Result<Revocation> {
        member.may(Action::Connect)?;
        self.end(member.tenant(), member.into(), id).await
    }

    /// Ends a connection and deletes it with everything that is known of it.
    pub async fn delete(&self, host: &Host, id: ConnectionId) -> Result<()> {
        host.may(Scope::ConnectionsWrite)?;
        host.may_by_role(Action::DeleteConnection)?;
        self.end_for_good(host.tenant(), host.into(), id).await
    }

    /// Ends a connection and forgets it, because its person said so at the
    /// provider.
    pub(crate) async fn erase(&self, tenant: TenantId, id: ConnectionId) -> Result<()> {
        self.end_for_good(tenant, Who::hub(), id).await
    }

    /// Ends a connection, if it has not ended yet, and deletes it with everything
    /// that is known of it.
    pub async fn remove(&self, member: &Member, id: ConnectionId) -> Result<()> {
        member.may(Action::DeleteConnection)?;
        self.end_for_good(member.tenant(), member.into(), id).await
    }

    /// Ends a connection and deletes it, both or, when the process dies, the rest in
    /// a later round: whoever asked for it may be gone before it is done.
    async fn end_for_good(&self, tenant: TenantId, who: Who, id: ConnectionId) -> Result<()> {
        let hub = self.clone();
        let ending = async move {
            let row = connection::of_tenant(hub.store.db(), tenant, id).await?;
            row.ok_or(Error::NotFound)?;
            let deletion = hub.note_connection(tenant, id).await?;
            hub.end(tenant, who.clone(), id).await?;
            hub.erase_connection(&deletion, id, who).await
        };
        self.keeper
            .tasks
            .spawn(Reach::every().around(ending))
            .await
            .map_err(|_| Error::Conflict("deleting was interrupted"))?
    }

    pub(crate) async fn end(
        &self,
        tenant: TenantId,
        who: Who,
        id: ConnectionId,
    ) -> Result<Revocation> {
        let connection = connection::of_tenant(self.store.db(), tenant, id)
            .await?
            .ok_or(Error::NotFound)?;
        if let Some(revocation) = connection.revocation {
            return Ok(revocation);
        }
        // Giving a broken one up is something people do about it.
        if who.person().is_some() {
            self.attempt_of_clearing(&connection).await?;
        }
        // First and by itself: whatever happens at the provider, from now on
        // nothing is lent.
        let ledger = self.ledger(tenant).await?;
        let is_first = connection.disconnected_at.is_none();
        let mut change = connection.into_active_model();
        change.disconnected_at = Set(Some(self.clock.now()));
        let transaction = self.store.begin().await?;
        let connection = change.update(&transaction).await?;
        if is_first {
            let entry = Entry::new(who.clone(), Deed::ConnectionDisconnected).on(id);
            let entry = entry.saying(connection.provider.clone());
            ledger.append(&transaction, entry).await?;
        }
        transaction.commit().await?;
        let hub = self.clone();
        // What ends along with it may be another tenant's.
        let finishing = async move { hub.finish_disconnect(connection, who).await };
        self.keeper
            .tasks
            .spawn(Reach::every().around(finishing))
            .await
            .map_err(|_| Error::Conflict("disconnecting was interrupted"))?
    }

    async fn finish_disconnect(
        &self,
        connection: connection::Model,
        who: Who,
    ) -> Result<Revocation> {
        let ledger = self.ledger(connection.tenant_id).await?;
        let revocation = self.revoke(&connection).await?;
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        credential::destroy(&transaction, connection.id).await?;
        refresh_attempt::forget(&transaction, connection.id).await?;
        let mut change = connection.clone().into_active_model();
        change.revocation = Set(Some(revocation));
        change.failure = Set(None);
        change.failed_at = Set(None);
        change.alarm = Set(None);
        change.paused_at = Set(None);
        change.next_check_at = Set(None);
        change.update(&transaction).await?;
        sync_run::forget_open(&transaction, connection.id, now).await?;
        event::append(
            &transaction,
            event::New {
                tenant: connection.tenant_id,
                kind: Kind::ConnectionDisconnected,
                connection: Some(connection.id),
                person: who.person(),
                data: event::Data {
                    status: Some(revocation.as_str().into()),
                    ..Default::default()
                },
            },
            now,
        )
        .await?;
        let outcome = match revocation {
            Revocation::Failed => Outcome::Failed,
            _ => Outcome::Done,
        };
        let entry = Entry::new(who, Deed::GrantReturned).on(connection.id);
        let entry = entry.ended(outcome).saying(revocation.as_str());
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        self.changes.nudge(connection.tenant_id);
        if revocation == Revocation::Revoked {
            self.end_along(&connection).await?;
        }
        Ok(revocation)
    }

    async fn revoke(&self, connection: &connection::Model) -> Result<Revocation> {
        let Some(provider) = self.catalog.get(&connection.provider) else {
            return Ok(Revocation::ByHand);
        };
        let app = match self.provider_app(connection.tenant_id, provider).await {
            Ok(Some(app)) => app,
            Ok(None) => return Ok(Revocation::ByHand),
            Err(error) if is_unopenable(&error) => return Ok(Revocation::Failed),
            Err(error) => return Err(error),
        };
        let mut outcome = Revocation::AlreadyGone;
        for row in credential::of_connection(self.store.db(), connection.id).await? {
            let place = |field| {
                Place::credential(
                    row.tenant_id,
                    row.connection_id,
                    &row.slot,
                    field,
                    row.version,
                )
            };
            let opened = async {
                let access = self.vault.open(place("access"), &row.access_sealed).await?;
                let refresh = match &row.refresh_sealed {
                    Some(sealed) => Some(self.vault.open(place("refresh"), sealed).await?),
                    None => None,
                };
                Ok((access, refresh))
            };
            let (access_token, refresh_token) = match opened.await {
                Ok(tokens) => tokens,
                // Nobody can give that back any more; what is left of it can end.
                Err(error) if is_unopenable(&error) => {
                    tracing::warn!(
                        connection.id = %connection.id, provider = %provider.id, %error,
                        "what does not open cannot be given back"
                    );
                    if row.slot == credential::MAIN {
                        outcome = Revocation::Failed;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let tokens = Tokens {
                access_token: &access_token,
                refresh_token: refresh_token.as_ref(),
            };
            let answer = self
                .dialect
                .revoke(provider, &app, &connection.variables.0, &tokens)
                .await;
            tracing::info!(
                connection.id = %connection.id, provider = %provider.id, ?answer,
                "grant given back"
            );
            if row.slot == credential::MAIN {
                outcome = match answer {
                    dialect::Revocation::Revoked => Revocation::Revoked,
                    dialect::Revocation::AlreadyGone => Revocation::AlreadyGone,
                    dialect::Revocation::NotSupported { .. } => Revocation::ByHand,
                    dialect::Revocation::Failed(_) => Revocation::Failed,
                };
            }
        }
        Ok(outcome)
    }

    /// Ends the disconnections that a crash left half-way. One that cannot be ended
    /// holds up no other.
    ///
    /// # Errors
    /// The first of several.
    pub async fn finish_disconnects(&self) -> Result<()> {
        let unfinished = connection::Entity::find()
            .filter(connection::Column::DisconnectedAt.lt(self.clock.now() - UNFINISHED))
            .filter(connection::Column::Revocation.is_null())
            .all(self.store.db())
            .await?;
        let mut failed = None;
        for connection in unfinished {
            let id = connection.id;
            if let Err(error) = self.finish_disconnect(connection, Who::hub()).await {
                tracing::error!(connection.id = %id, %error, "a disconnection could not be ended");
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Whether something sealed will not open the next time either.
fn is_unopenable(error: &Error) -> bool {
    matches!(
        error,
        Error::Vault(VaultError::Unopenable | VaultError::WrongMasterKey)
    )
}
