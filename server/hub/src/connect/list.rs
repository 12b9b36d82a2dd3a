//! Looking at connections and flows, and naming them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::Change;

use crate::{
    Error, Result,
    hub::Hub,
    keep::health::{Health, Status, health, may_heal},
    people::{Action, By, Host, Member, Scope},
    store::{ConnectionId, Owner, TenantId, connection, credential, event, flow, provider_trouble},
};

/// Providers in trouble, by id.
pub type Troubles = std::collections::BTreeMap<String, provider_trouble::Model>;

/// A connection with how it is.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its facts.
    pub connection: connection::Model,
    /// What follows from them.
    pub health: Health,
}

/// A flow as its opener sees it.
#[derive(Clone, Debug)]
pub struct FlowView {
    /// Its facts.
    pub flow: flow::Model,
    /// Whether its time is up although nobody ended it.
    pub expired: bool,
    /// The name of the connection it repairs, if it repairs one.
    pub repairs: Option<String>,
}

/// A piece of the tenant's list.
pub struct Page {
    /// The connections, newest first.
    pub connections: Vec<Listed>,
    /// After which one the next page begins; none on the last.
    pub next: Option<ConnectionId>,
}

impl Hub {
    /// The tenant's connections, newest first.
    pub async fn connections(&self, member: &Member) -> Result<Vec<Listed>> {
        member.may(Action::Look)?;
        self.listed(member.tenant()).await
    }

    /// A page of them for a host application: those with `status`, after
    /// `after`. One statement, however many there are, and one more where
    /// something fails that may heal.
    pub async fn connections_of_host(
        &self,
        host: &Host,
        status: Option<Status>,
        after: Option<ConnectionId>,
        limit: usize,
    ) -> Result<Page> {
        host.may(Scope::ConnectionsRead)?;
        // A status is no column: which rows have it is known once they are read.
        let rows_limit = status.is_none().then_some(limit as u64 + 1);
        let rows = connection::page(self.store.db(), host.tenant(), after, rows_limit).await?;
        let may_matter = rows.iter().any(|(row, all)| may_heal(row, all));
        let troubles = self.troubles_if(may_matter).await?;
        let mut connections: Vec<_> = rows
            .into_iter()
            .map(|(connection, credentials)| self.with_health(connection, &credentials, &troubles))
            .filter(|listed| status.is_none_or(|status| listed.health.status == status))
            .collect();
        let is_last = connections.len() <= limit;
        connections.truncate(limit);
        Ok(Page {
            next: match is_last {
                true => None,
                false => connections.last().map(|listed| listed.connection.id),
            },
            connections,
        })
    }

    /// One connection of the tenant.
    pub async fn connection(&self, member: &Member, id: ConnectionId) -> Result<Listed> {
        member.may(Action::Look)?;
        self.one(member.tenant(), id).await
    }

    /// The same for a host application.
    pub async fn connection_of_host(&self, host: &Host, id: ConnectionId) -> Result<Listed> {
        host.may(Scope::ConnectionsRead)?;
        self.one(host.tenant(), id).await
    }

    /// What happened to a connection, newest first, at most `limit` entries.
    pub async fn history(
        &self,
        member: &Member,
        id: ConnectionId,
        limit: u64,
    ) -> Result<Vec<event::Model>> {
        self.connection(member, id).await?;
        Ok(event::of_connection(self.store.db(), id, limit).await?)
    }

    /// Gives a connection a person's name; an empty one takes it away.
    pub async fn rename(&self, member: &Member, id: ConnectionId, name: &str) -> Result<()> {
        let change = Change {
            display_name: Some(name.to_owned()),
            ..Change::default()
        };
        let changed = self.change(member, id, change).await;
        changed.map(|_| ()).map_err(|error| match error {
            // What the form calls it.
            Error::Invalid(mut problems) => {
                problems
                    .iter_mut()
                    .for_each(|one| one.field = "name".into());
                Error::Invalid(problems)
            }
            error => error,
        })
    }

    /// A flow the member started, by the word its opener chose.
    pub async fn flow(&self, member: &Member, handle: &str) -> Result<FlowView> {
        let owner = Owner::Person(member.person());
        let flow = flow::by_handle(self.store.db(), member.tenant(), owner, handle)
            .await?
            .ok_or(Error::NotFound)?;
        self.view(flow).await
    }

    /// A flow they started, by its id.
    pub async fn flow_by_id(
        &self,
        by: impl Into<By<'_>>,
        id: crate::store::FlowId,
    ) -> Result<FlowView> {
        let by = by.into();
        let flow = flow::Entity::find_by_id(id)
            .filter(flow::owned(by.tenant(), by.owner()?))
            .one(self.store.db())
            .await?
            .ok_or(Error::NotFound)?;
        self.view(flow).await
    }

    /// The member's flows that are still under way, newest first.
    pub async fn flows_under_way(&self, member: &Member) -> Result<Vec<flow::Model>> {
        let (now, owner) = (self.clock.now(), Owner::Person(member.person()));
        Ok(flow::under_way(self.store.db(), member.tenant(), owner, now).await?)
    }

    async fn view(&self, flow: flow::Model) -> Result<FlowView> {
        let repairs = match flow.connection_id {
            Some(id) => connection::of_tenant(self.store.db(), flow.tenant_id, id).await?,
            None => None,
        };
        Ok(FlowView {
            expired: flow.status == flow::Status::Waiting && flow.expires_at <= self.clock.now(),
            repairs: repairs.map(|connection| connection.name().to_owned()),
            flow,
        })
    }

    pub(super) async fn listed(&self, tenant: TenantId) -> Result<Vec<Listed>> {
        let connections = connection::Entity::find()
            .filter(connection::Column::TenantId.eq(tenant))
            .order_by_desc(connection::Column::CreatedAt)
            .all(self.store.db())
            .await?;
        let mut credentials = std::collections::HashMap::<_, Vec<_>>::new();
        let rows = credential::Entity::find()
            .filter(credential::Column::TenantId.eq(tenant))
            .all(self.store.db())
            .await?;
        for row in rows {
            credentials.entry(row.connection_id).or_default().push(row);
        }
        let may_matter = connections.iter().any(|row| {
            let own = credentials.get(&row.id);
            may_heal(row, own.map_or(&[], Vec::as_slice))
        });
        let troubles = self.troubles_if(may_matter).await?;
        Ok(connections
            .into_iter()
            .map(|connection| {
                let rows = credentials.remove(&connection.id).unwrap_or_default();
                self.with_health(connection, &rows, &troubles)
            })
            .collect())
    }

    pub(crate) async fn one(&self, tenant: TenantId, id: ConnectionId) -> Result<Listed> {
        let connection = connection::of_tenant(self.store.db(), tenant, id)
            .await?
            .ok_or(Error::NotFound)?;
        let rows = credential::of_connection(self.store.db(), id).await?;
        let troubles = self.troubles_if(may_heal(&connection, &rows)).await?;
        Ok(self.with_health(connection, &rows, &troubles))
    }

    /// The same, unless it does not matter: none of those that are looked at
    /// fails for a reason that may be its provider's.
    pub(crate) async fn troubles_if(&self, may_matter: bool) -> Result<Troubles> {
        match may_matter {
            true => self.troubles().await,
            false => Ok(Troubles::new()),
        }
    }

    /// The providers in trouble, by id.
    pub async fn troubles(&self) -> Result<Troubles> {
        Ok(provider_trouble::all(self.store.db()).await?)
    }

    pub(crate) fn with_health(
        &self,
        connection: connection::Model,
        rows: &[credential::Model],
        troubles: &Troubles,
    ) -> Listed {
        let provider = self.catalog.get(&connection.provider);
        let trouble = troubles.get(&connection.provider);
        let health = health(&connection, rows, provider, trouble, self.clock.now());
        Listed { connection, health }
    }
}
