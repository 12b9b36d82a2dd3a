//! When a whole provider is in trouble: many of its connections fail alike, of
//! whatever tenant. Then that is told once instead of each connection's trouble,
//! one connection is tried every so often instead of all, and the first that
//! works ends it. Counted in the database, so that every process knows.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::Need;
use crate::{
    Result,
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{Action, Member},
    store::{
        ConnectionId, connection, credential,
        event::{self, Kind},
        provider_fault, provider_trouble,
    },
};

/// What happened longer ago says nothing about now.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// How many connections have to fail, at least.
const MANY: usize = 5;
/// How many are looked at, at most.
const ENOUGH: u64 = 500;
/// How often one is tried while its provider is in trouble.
pub const TRY_EVERY: TimeDelta = TimeDelta::seconds(30);

/// Whether so many failing connections, beside so many that worked, mean that
/// the trouble is the provider's.
fn is_the_providers(failing: usize, working: usize) -> bool {
    failing >= MANY && failing > working
}

/// Whether a failure may be the provider's trouble rather than a connection's.
fn may_be_the_providers(failure: &Failure) -> bool {
    matches!(
        failure.code,
        FailureCode::NetworkOrTimeout | FailureCode::ProviderLimitedOrDown
    )
}

impl Hub {
    /// Notes that a connection failed, and whether its provider is in trouble
    /// now. In the transaction that stores the failure.
    pub(super) async fn note_fault(
        &self,
        db: &impl ConnectionTrait,
        connection: &connection::Model,
        failure: &Failure,
    ) -> Result<()> {
        let provider = connection.provider.as_str();
        let known = self.catalog.get(provider);
        if !may_be_the_providers(failure) || !known.is_some_and(|one| one.is_one_place()) {
            return Ok(());
        }
        let now = self.clock.now();
        let since = now - WINDOW;
        provider_fault::note(db, provider, connection.id, now).await?;
        let failing = provider_fault::recent(db, provider, since, ENOUGH).await?;
        if failing < MANY {
            return Ok(());
        }
        let working = connection::working(db, provider, since, ENOUGH).await?;
        if is_the_providers(failing, working)
            && provider_trouble::open(db, provider, now, now + TRY_EVERY).await?
        {
            tracing::warn!(provider = %provider, failing, working, "a provider is in trouble");
            self.tell_of_provider(db, provider, Kind::ProviderDegraded)
                .await?;
        }
        Ok(())
    }

    /// Notes that a connection works, and so does its provider. In the
    /// transaction that stores the success.
    pub(super) async fn note_success(
        &self,
        db: &impl ConnectionTrait,
        provider: &str,
    ) -> Result<()> {
        if provider_trouble::close(db, provider).await? {
            provider_fault::forget(db, provider).await?;
            // What waits for its turn need not wait any longer.
            let now = self.clock.now();
            connection::bring_failed_forward(db, provider, now).await?;
            credential::bring_failed_forward(db, provider, now).await?;
            tracing::info!(provider = %provider, "a provider works again");
            self.tell_of_provider(db, provider, Kind::ProviderHealed)
                .await?;
        }
        Ok(())
    }

    /// The providers in trouble that a member's organisation has connections of,
    /// each with the connection that was linked first.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn providers_in_trouble(
        &self,
        member: &Member,
    ) -> Result<Vec<(String, ConnectionId)>> {
        member.may(Action::Look)?;
        let troubled = provider_trouble::all(self.store.db()).await?;
        if troubled.is_empty() {
            return Ok(Vec::new());
        }
        let own = connection::all_of_tenant(self.store.db(), member.tenant()).await?;
        let first = |provider: String| {
            let mut living = own
                .iter()
                .filter(|row| row.disconnected_at.is_none() && row.paused_at.is_none());
            let row = living.find(|row| row.provider == provider)?;
            Some((provider, row.id))
        };
        Ok(troubled.into_keys().filter_map(first).collect())
    }

    async fn tell_of_provider(
        &self,
        db: &impl ConnectionTrait,
        provider: &str,
        kind: Kind,
    ) -> Result<()> {
        for tenant in connection::tenants_of_provider(db, provider).await? {
            let new = event::New {
                tenant,
                kind,
                connection: None,
                person: None,
                data: event::Data {
                    provider: Some(provider.to_owned()),
                    ..Default::default()
                },
            };
            event::append(db, new, self.clock.now()).await?;
            self.changes.nudge(tenant);
        }
        Ok(())
    }

    /// Tries one connection of each provider in trouble whose time has come, and
    /// answers the providers that are in trouble.
    pub(super) async fn try_troubled(&self) -> Result<Vec<String>> {
        let db = self.store.db();
        let troubled = provider_trouble::all(db).await?;
        let now = self.clock.now();
        for row in troubled.values().filter(|row| row.next_try_at <= now) {
            if provider_trouble::claim(db, row, now + TRY_EVERY).await? {
                self.try_one(&row.provider, now).await?;
            }
        }
        let still = provider_trouble::all(db).await?;
        Ok(still.into_keys().collect())
    }

    /// Tries the connection of a provider that is next: a renewal that failed,
    /// else a check.
    async fn try_one(&self, provider: &str, now: DateTime<Utc>) -> Result<()> {
        let db = self.store.db();
        if let Some(due) = credential::next_failed(db, provider, now).await? {
            credential::bring_forward(db, &due, now).await?;
            self.renew_due(&due).await;
            return Ok(());
        }
        let next = connection::Entity::find()
            .filter(connection::Column::Provider.eq(provider))
            .filter(connection::Column::DisconnectedAt.is_null())
            .filter(connection::Column::NextCheckAt.is_not_null())
            .order_by_asc(connection::Column::NextCheckAt)
            .one(db)
            .await?;
        match next {
            Some(connection) => self.check_claimed(connection).await,
            // Nobody is left to ask.
            None => {
                let transaction = self.store.begin().await?;
                self.note_success(&transaction, provider).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    pub(super) async fn renew_due(&self, due: &credential::Due) {
        let id = due.connection_id;
        if let Err(error) = &*self.renew(id, &due.slot, Need::Due).await {
            tracing::error!(connection.id = %id, %error, "a due refresh did not run");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_fail_alike_are_the_providers_trouble() {
        assert!(is_the_providers(5, 0));
        assert!(!is_the_providers(4, 0), "too few to tell");
        assert!(!is_the_providers(50, 50), "as many work");
        assert!(is_the_providers(51, 50));
    }
}
