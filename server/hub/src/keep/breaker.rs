//! When a whole provider is in trouble: many of its connections fail alike, of
//! whatever tenant. Then that is told once instead of each connection's trouble,
//! and one connection is tried every so often instead of all. When it works, a
//! handful are, and when more of those work than fail, the trouble is over: one
//! that got through by chance ends nothing. Counted in the database, so that every
//! process knows.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, EntityTrait};

use super::{Need, Renewal, health::worst};
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

/// What may be the provider's trouble rather than a connection's.
const PROVIDERS: [FailureCode; 2] = [
    FailureCode::NetworkOrTimeout,
    FailureCode::ProviderLimitedOrDown,
];

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
        // How long to wait is told to one account, whose limit it is.
        let may_be_its = PROVIDERS.contains(&failure.code) && failure.retry_at.is_none();
        if !may_be_its || !known.is_some_and(|one| one.is_one_place()) {
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

    /// Notes that a provider works again.
    async fn end_trouble(&self, provider: &str) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        if provider_trouble::close(&transaction, provider).await? {
            provider_fault::forget(&transaction, provider).await?;
            // What waits for its turn need not wait any longer.
            connection::bring_failed_forward(&transaction, provider, now).await?;
            credential::bring_failed_forward(&transaction, provider, now).await?;
            tracing::info!(provider = %provider, "a provider works again");
            self.tell_of_provider(&transaction, provider, Kind::ProviderHealed)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The providers in trouble that a member's organisation has connections of,
    /// each with the connection that shows it best: the one that was linked first,
    /// of those that fail for a reason that may be the provider's.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn providers_in_trouble(
        &self,
        member: &Member,
    ) -> Result<Vec<(String, ConnectionId)>> {
        member.may(Action::Look)?;
        let db = self.store.db();
        let codes = FailureCode::ALL.into_iter();
        let codes: Vec<_> = codes.filter(|code| code.is_transient()).collect();
        let mut its = Vec::new();
        for provider in provider_trouble::all(db).await?.into_keys() {
            let first = connection::first_living(db, member.tenant(), &provider, &codes).await?;
            its.extend(first.map(|id| (provider, id)));
        }
        Ok(its)
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

    /// Tries each provider in trouble whose time has come, and answers those that
    /// are in trouble then.
    pub(super) async fn try_troubled(&self) -> Result<Vec<String>> {
        let db = self.store.db();
        let troubled = provider_trouble::all(db).await?;
        let now = self.clock.now();
        for row in troubled.values().filter(|row| row.next_try_at <= now) {
            if provider_trouble::claim(db, row, now + TRY_EVERY).await? {
                self.try_provider(&row.provider).await?;
            }
        }
        let still = provider_trouble::all(db).await?;
        Ok(still.into_keys().collect())
    }

    /// Tries one connection of a provider, and a handful as long as more of them
    /// work than fail. The trouble is over then, or when nobody is left to ask.
    async fn try_provider(&self, provider: &str) -> Result<()> {
        let (mut tried, mut working, mut failing) = (Vec::new(), 0, 0);
        while tried.len() < MANY {
            let Some(id) = self.try_one(provider, &tried).await? else {
                break;
            };
            tried.push(id);
            match self.wrong_with(id).await? {
                None => working += 1,
                Some(failure) if PROVIDERS.contains(&failure.code) => failing += 1,
                // Its own trouble says nothing about the provider.
                Some(_) => {}
            }
            if failing > 0 && failing >= working {
                return Ok(());
            }
        }
        match working > failing || tried.is_empty() {
            true => self.end_trouble(provider).await,
            false => Ok(()),
        }
    }

    /// Tries the connection of a provider that is next, but none of `tried`: a
    /// renewal that failed, else a check. None when nobody is left to ask.
    async fn try_one(
        &self,
        provider: &str,
        tried: &[ConnectionId],
    ) -> Result<Option<ConnectionId>> {
        let (db, now) = (self.store.db(), self.clock.now());
        let due = credential::next_failed(db, provider, &PROVIDERS, tried, now).await?;
        let (id, next) = match due {
            Some(due) => {
                credential::bring_forward(db, &due, now).await?;
                let row = match self.renew_due(&due).await {
                    // What a check found wrong, only a check can find right.
                    true => connection::Entity::find_by_id(due.connection_id)
                        .one(db)
                        .await?
                        .filter(|row| row.failure.is_some()),
                    false => None,
                };
                (due.connection_id, row)
            }
            None => {
                let row = connection::next_to_try(db, provider, &PROVIDERS, tried, now).await?;
                let Some(row) = row else {
                    return Ok(None);
                };
                (row.id, Some(row))
            }
        };
        if let Some(row) = next.filter(|row| !row.is_told_to_wait(now)) {
            self.check_claimed(row).await?;
        }
        Ok(Some(id))
    }

    /// What is wrong with a connection now; nothing with one that was deleted.
    async fn wrong_with(&self, id: ConnectionId) -> Result<Option<Failure>> {
        let db = self.store.db();
        let Some(row) = connection::Entity::find_by_id(id).one(db).await? else {
            return Ok(None);
        };
        let credentials = credential::of_connection(db, id).await?;
        Ok(worst(&row, &credentials).map(|(failure, _)| failure))
    }

    /// Renews a credential whose time has come, and answers whether it is.
    pub(super) async fn renew_due(&self, due: &credential::Due) -> bool {
        let id = due.connection_id;
        match &*self.renew(id, &due.slot, Need::Due).await {
            Ok(renewal) => matches!(renewal, Renewal::Current(_)),
            Err(error) => {
                tracing::error!(connection.id = %id, %error, "a due refresh did not run");
                false
            }
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
