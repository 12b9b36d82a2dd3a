//! Looking at connections and flows, and naming them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::Change;

use crate::{
    Error, Result,
    hub::Hub,
    keep::health::{Health, Status, health, may_heal},
    people::{Action, By, Host, Member, Scope},
    prompt::{Cause, is_about_app},
    store::{
        ConnectionId, Owner, TenantId, connection, credential, event, flow, provider_app,
        provider_trouble, run,
    },
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
    /// How many runs wait for it. They are counted where something is said of
    /// it, and nowhere else.
    pub paused_runs: i64,
    /// Scopes that it lacks and runs wait for; looked up for members.
    pub needed: Vec<String>,
    /// Whether only whoever runs this hub can change its provider app; looked up
    /// where that is what is wrong.
    pub is_operators_app: bool,
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
    /// Whether only whoever runs this hub can change its provider app; looked up
    /// where that is what it failed of.
    pub is_operators_app: bool,
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
    /// `after`. Two statements, however many there are, and up to three more
    /// where something fails.
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
        self.look_around(host.tenant(), &mut connections).await?;
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
        let failure = flow.failure.as_ref();
        let is_operators_app = match failure.is_some_and(is_about_app) {
            true => {
                let own = provider_app::of_tenant(self.store.db(), flow.tenant_id).await?;
                self.is_operators_app(&flow.provider, &own)
            }
            false => false,
        };
        Ok(FlowView {
            is_operators_app,
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
        let mut credentials = HashMap::<_, Vec<_>>::new();
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
        let mut listed: Vec<_> = connections
            .into_iter()
            .map(|connection| {
                let rows = credentials.remove(&connection.id).unwrap_or_default();
                self.with_health(connection, &rows, &troubles)
            })
            .collect();
        self.look_around(tenant, &mut listed).await?;
        Ok(listed)
    }

    /// The tenant's connections that these runs use, by id.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn connections_of_runs(
        &self,
        host: &Host,
        runs: &[run::Model],
    ) -> Result<HashMap<ConnectionId, Listed>> {
        host.may(Scope::TokensRead)
            .or_else(|_| host.may(Scope::ConnectionsRead))?;
        let waits = runs.iter().filter(|run| run.failure.is_some());
        let ids = waits.map(|run| run.connection_id).collect();
        self.some(host.tenant(), ids).await
    }

    /// Those of the tenant among `ids`, by id.
    pub(crate) async fn some(
        &self,
        tenant: TenantId,
        mut ids: Vec<ConnectionId>,
    ) -> Result<HashMap<ConnectionId, Listed>> {
        let db = self.store.db();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut tokens = HashMap::<_, Vec<_>>::new();
        let rows = credential::Entity::find()
            .filter(credential::Column::TenantId.eq(tenant))
            .filter(credential::Column::ConnectionId.is_in(ids.clone()))
            .all(db)
            .await?;
        for row in rows {
            tokens.entry(row.connection_id).or_default().push(row);
        }
        let rows = connection::some_of_tenant(db, tenant, ids).await?;
        let may_matter = rows.iter().any(|row| {
            let of_it = tokens.get(&row.id);
            may_heal(row, of_it.map_or(&[], Vec::as_slice))
        });
        let troubles = self.troubles_if(may_matter).await?;
        let listed = rows.into_iter().map(|row| {
            let of_it = tokens.remove(&row.id).unwrap_or_default();
            (row.id, self.with_health(row, &of_it, &troubles))
        });
        let mut listed: HashMap<_, _> = listed.collect();
        self.look_around(tenant, listed.values_mut()).await?;
        Ok(listed)
    }

    pub(crate) async fn one(&self, tenant: TenantId, id: ConnectionId) -> Result<Listed> {
        let connection = connection::of_tenant(self.store.db(), tenant, id)
            .await?
            .ok_or(Error::NotFound)?;
        let rows = credential::of_connection(self.store.db(), id).await?;
        let troubles = self.troubles_if(may_heal(&connection, &rows)).await?;
        let mut listed = self.with_health(connection, &rows, &troubles);
        self.look_around(tenant, std::slice::from_mut(&mut listed))
            .await?;
        Ok(listed)
    }

    /// Adds what is said of connections besides their health: what runs that wait
    /// need of them, how many wait for what is wrong, and whose provider app it
    /// is. One statement where nothing is said.
    pub(crate) async fn look_around<'a>(
        &self,
        tenant: TenantId,
        listed: impl IntoIterator<Item = &'a mut Listed>,
    ) -> Result<()> {
        let (db, now) = (self.store.db(), self.clock.now());
        let mut listed: Vec<_> = listed.into_iter().collect();
        let only = match &listed[..] {
            [] => return Ok(()),
            [one] => Some(one.connection.id),
            _ => None,
        };
        self.look_for_needs(tenant, only, &mut listed).await?;
        let causes = listed.into_iter();
        let causes = causes.filter_map(|one| Some((Cause::of(one, now)?, one)));
        let mut said: Vec<_> = causes.collect();
        if said.iter().any(|(cause, _)| cause.failure().is_some()) {
            let paused = run::paused_counts(db, tenant, only).await?;
            let paused: HashMap<_, _> = paused.into_iter().collect();
            for (_, one) in &mut said {
                one.paused_runs = paused.get(&one.connection.id).copied().unwrap_or(0);
            }
        }
        said.retain(|(cause, _)| cause.is_about_app());
        if said.is_empty() {
            return Ok(());
        }
        let own = provider_app::of_tenant(db, tenant).await?;
        for (_, one) in said {
            one.is_operators_app = self.is_operators_app(&one.connection.provider, &own);
        }
        Ok(())
    }

    /// Whether the app of a provider is the operator's, for a tenant that has
    /// entered `own`.
    pub(crate) fn is_operators_app(&self, provider: &str, own: &[provider_app::Model]) -> bool {
        self.catalog.get(provider).is_some_and(|entry| {
            let app = &entry.app_id;
            self.operator_apps.contains_key(app) && !own.iter().any(|row| row.app == *app)
        })
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
        Listed {
            connection,
            health,
            paused_runs: 0,
            needed: Vec::new(),
            is_operators_app: false,
        }
    }
}
