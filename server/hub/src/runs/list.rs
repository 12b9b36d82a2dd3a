//! Looking at runs and policies, and switching policies.

use sea_orm::ConnectionTrait;

use super::{policies::Source, stop::needed_by};
use crate::{
    Error, Result,
    connect::Listed,
    hub::Hub,
    people::{Action, Host, Member, Scope},
    record::{Deed, Entry, Target},
    store::{
        ConnectionId, PersonId, RunId, TenantId,
        run::{self, Status},
        switched_off,
    },
};

/// How a policy stands in a tenant.
pub struct PolicyStanding {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub title: String,
    /// Where it comes from.
    pub source: Source,
    /// Who switched it off, and when; none while it is on.
    pub off: Option<(Option<PersonId>, chrono::DateTime<chrono::Utc>)>,
    /// How many runs wait because of it.
    pub waiting: i64,
    /// How many of those that are kept it stopped, and went on since.
    pub went_on: i64,
}

/// Every policy, with the runs they stopped last.
pub struct RunsOfPolicies {
    /// Each policy.
    pub policies: Vec<PolicyStanding>,
    /// The newest runs that one of them stopped.
    pub stopped: Vec<run::Model>,
}

impl Hub {
    /// The tenant's runs for a host application, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn runs_of_host(
        &self,
        host: &Host,
        filter: &run::Filter,
        after: Option<RunId>,
        limit: u64,
    ) -> Result<Vec<run::Model>> {
        host.may(Scope::ConnectionsRead)?;
        let tenant = host.tenant();
        Ok(run::page(self.store.db(), tenant, filter, after, limit).await?)
    }

    /// One run for a host application.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn run_of_host(&self, host: &Host, id: RunId) -> Result<run::Model> {
        host.may(Scope::ConnectionsRead)?;
        let found = run::of_tenant(self.store.db(), host.tenant(), id).await?;
        found.ok_or(Error::NotFound)
    }

    /// The tenant's runs for its people, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn runs(
        &self,
        member: &Member,
        filter: &run::Filter,
        after: Option<RunId>,
        limit: u64,
    ) -> Result<Vec<run::Model>> {
        member.may(Action::Look)?;
        let tenant = member.tenant();
        Ok(run::page(self.store.db(), tenant, filter, after, limit).await?)
    }

    /// How many runs wait for a connection of the tenant.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn paused_runs(&self, member: &Member, id: ConnectionId) -> Result<i64> {
        member.may(Action::Look)?;
        let counts = run::paused_counts(self.store.db(), member.tenant(), Some(id)).await?;
        Ok(counts.first().map_or(0, |(_, count)| *count))
    }

    /// Adds the scopes that paused runs need and their connections have not, of
    /// each connection that some run waits for that way: all are looked at, or
    /// `only` one.
    pub(crate) async fn look_for_needs(
        &self,
        tenant: TenantId,
        only: Option<ConnectionId>,
        listed: &mut [&mut Listed],
    ) -> Result<()> {
        for (id, scopes, failure) in run::needed(self.store.db(), tenant, only).await? {
            let waits = failure.is_some_and(|failure| !needed_by(&failure).is_empty());
            let of_it = listed.iter_mut().find(|one| one.connection.id == id);
            let Some(one) = of_it.filter(|_| waits) else {
                continue;
            };
            for scope in self.missing_for(one, &scopes) {
                if !one.needed.contains(&scope) {
                    one.needed.push(scope);
                }
            }
        }
        Ok(())
    }

    /// Every policy and the runs it stopped.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn policies_of(&self, member: &Member, newest: u64) -> Result<RunsOfPolicies> {
        member.may(Action::ManagePolicies)?;
        let db = self.store.db();
        let tenant = member.tenant();
        let off = switched_off::of_tenant(db, tenant).await?;
        let counts = run::stopped_counts(db, tenant).await?;
        let count = |name: &str, waits: bool| {
            let own = counts.iter().filter(|(policy, ..)| policy == name);
            own.filter(|(_, status, _)| (*status == Status::Paused) == waits)
                .map(|(.., count)| count)
                .sum()
        };
        let policies: Vec<_> = self
            .policies
            .iter()
            .map(|policy| PolicyStanding {
                waiting: count(&policy.name, true),
                went_on: count(&policy.name, false),
                off: off
                    .iter()
                    .find(|row| row.what == policy.name && policy.source == Source::Shipped)
                    .map(|row| (row.person_id, row.at)),
                name: policy.name.clone(),
                title: policy.title.clone(),
                source: policy.source,
            })
            .collect();
        let stopped = run::stopped(db, tenant, newest).await?;
        Ok(RunsOfPolicies { policies, stopped })
    }

    /// Switches a shipped policy off or on for the tenant. What it had stopped
    /// is looked at anew.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] for one that cannot be switched.
    pub async fn switch_policy(&self, member: &Member, name: &str, on: bool) -> Result<()> {
        member.may(Action::ManagePolicies)?;
        let policy = self.policies.switchable(name).ok_or(Error::NotFound)?;
        let deed = match on {
            true => Deed::PolicySwitchedOn,
            false => Deed::PolicySwitchedOff,
        };
        let entry = Entry::new(member, deed).on(Target::Policy(policy.name.clone()));
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        self.switch(&transaction, member, &policy.name, on).await?;
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(())
    }

    /// Switches something off or on inside the transaction of who wants it.
    pub(crate) async fn switch(
        &self,
        db: &impl ConnectionTrait,
        member: &Member,
        what: &str,
        on: bool,
    ) -> Result<()> {
        let (tenant, now): (TenantId, _) = (member.tenant(), self.clock.now());
        match on {
            true => switched_off::remove(db, tenant, what).await?,
            false => {
                let row = switched_off::Model {
                    tenant_id: tenant,
                    what: what.to_owned(),
                    person_id: Some(member.person()),
                    at: now,
                };
                switched_off::add(db, row).await?;
            }
        }
        Ok(run::wake_tenant(db, tenant, now).await?)
    }
}
