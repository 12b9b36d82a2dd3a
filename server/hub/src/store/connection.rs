//! One linked account of one tenant: who it is and what was found of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    Condition, ExprTrait, FromJsonQueryResult, Iterable, JoinType, QueryOrder, QuerySelect,
    QueryTrait, entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use super::{ConnectionId, PersonId, TenantId, credential, failing, watcher};
use crate::{
    certificate::Certificate,
    failure::{Failure, FailureCode},
};

/// What fills an entry's `{variables}`: a shop's name, a realm, an API host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Variables(pub BTreeMap<String, String>);

/// What the host application calls the columns it reads; only it understands it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Mapping(pub serde_json::Map<String, serde_json::Value>);

/// How often the host application wants a connection to be read.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum SyncFrequency {
    /// Only when it is asked for.
    #[default]
    #[sea_orm(string_value = "manual")]
    Manual,
    /// Every hour.
    #[sea_orm(string_value = "hourly")]
    Hourly,
    /// Every day.
    #[sea_orm(string_value = "daily")]
    Daily,
    /// Every week.
    #[sea_orm(string_value = "weekly")]
    Weekly,
}

impl SyncFrequency {
    /// As it is stored and sent: `daily`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    /// Read from that word.
    pub fn read(word: &str) -> Option<Self> {
        Self::iter().find(|one| one.as_str() == word)
    }
}

/// What became of the grant at the provider when the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The provider confirmed it.
    #[sea_orm(string_value = "revoked")]
    Revoked,
    /// The provider no longer knew the grant.
    #[sea_orm(string_value = "already_gone")]
    AlreadyGone,
    /// The provider has no way; a person removes the app there.
    #[sea_orm(string_value = "by_hand")]
    ByHand,
    /// It was asked and did not confirm; a person removes the app there.
    #[sea_orm(string_value = "failed")]
    Failed,
}

impl Revocation {
    /// The word that is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::AlreadyGone => "already_gone",
            Self::ByHand => "by_hand",
            Self::Failed => "failed",
        }
    }
}

/// What people and systems were last told of a connection's trouble and has not
/// been withdrawn since, the mildest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum, Serialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// It works and ends soon: `connection.expiring`.
    #[sea_orm(string_value = "expiring")]
    Expiring,
    /// It fails for a reason that may heal: `connection.degraded`.
    #[sea_orm(string_value = "degraded")]
    Degraded,
    /// Somebody has to act: `connection.action_required`.
    #[sea_orm(string_value = "action_required")]
    ActionRequired,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connection")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectionId,
    pub tenant_id: TenantId,
    pub provider: String,
    /// The account's identity at the provider; unknown until it was asked.
    pub external_id: Option<String>,
    /// The provider's name for the account.
    pub account_label: String,
    /// The person's name for it.
    pub display_name: Option<String>,
    pub variables: Variables,
    /// Space-separated.
    #[sea_orm(column_type = "Text")]
    pub scopes_asked: String,
    /// Space-separated; none when the provider does not say.
    #[sea_orm(column_type = "Text", nullable)]
    pub scopes_granted: Option<String>,
    pub created_by: Option<PersonId>,
    pub created_at: DateTime<Utc>,
    /// When a call with this connection's token last succeeded.
    pub last_ok_at: Option<DateTime<Utc>>,
    /// What the last check found wrong, until one finds it right.
    pub failure: Option<Failure>,
    /// Since when that is so.
    pub failed_at: Option<DateTime<Utc>>,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub revocation: Option<Revocation>,
    pub sync_frequency: SyncFrequency,
    pub mapping: Mapping,
    /// What its key opens, where keys tell: `test`, `live`.
    pub environment: Option<String>,
    /// When it is checked next; whoever checks it moves this on first.
    pub next_check_at: Option<DateTime<Utc>>,
    /// When the provider last said who the account is.
    pub asked_at: Option<DateTime<Utc>>,
    /// Checks in a row that failed; of what was rejected, how often it was.
    pub check_failures: i32,
    pub alarm: Option<Alarm>,
    /// Since when a person lets it rest.
    pub paused_at: Option<DateTime<Utc>>,
    /// What the last answer stood on.
    pub certificate: Option<Certificate>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What a person calls this connection.
    pub fn name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.account_label)
    }

    /// Whether the provider said how long not to ask about it, and that is not
    /// over at `now`.
    pub fn is_told_to_wait(&self, now: DateTime<Utc>) -> bool {
        let told = self.failure.as_ref().and_then(|failure| failure.retry_at);
        told.is_some_and(|until| now < until)
    }
}

/// A connection, only if it is the tenant's.
pub async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(db)
        .await
}

/// Every connection of the tenant.
pub async fn all_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Those of the tenant among `ids`.
pub async fn some_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    ids: Vec<ConnectionId>,
) -> Result<Vec<Model>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Id.is_in(ids))
        .all(db)
        .await
}

/// Connections whose check is due, the longest due first, but none of
/// `resting`. Nothing is claimed here: see [`claim_check`].
pub async fn due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    resting: &BTreeSet<String>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::NextCheckAt.lte(now))
        .filter(Column::DisconnectedAt.is_null())
        .filter(Column::PausedAt.is_null())
        .order_by_asc(Column::NextCheckAt)
        .limit(limit);
    if !resting.is_empty() {
        query = query.filter(Column::Provider.is_not_in(resting));
    }
    query.all(db).await
}

/// Puts the check of a connection off until `until`, for whoever checks it now;
/// false when another process was faster. Should that process die, the check is
/// due again then.
pub async fn claim_check(
    db: &impl ConnectionTrait,
    row: &Model,
    until: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let claimed = Entity::update_many()
        .col_expr(Column::NextCheckAt, Expr::value(until))
        .filter(Column::Id.eq(row.id))
        .filter(Column::NextCheckAt.eq(row.next_check_at))
        .exec(db)
        .await?;
    Ok(claimed.rows_affected == 1)
}

/// The connection of a provider that is asked next whether the provider works:
/// those that failed with one of `codes` at the front, and none whose trouble is
/// its own, is being renewed, or was told how long to wait; none of `tried`.
pub async fn next_to_try(
    db: &impl ConnectionTrait,
    provider: &str,
    codes: &[FailureCode],
    tried: &[ConnectionId],
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let failure = || (Entity, Column::Failure);
    let may_tell = Condition::any()
        .add(Column::Failure.is_null())
        .add(failing::is_one_of(failure(), codes));
    let may_be_asked = Condition::any()
        .add(Column::Failure.is_null())
        .add(failing::has_no_wish(failure()))
        .add(Column::NextCheckAt.lte(now));
    let not_renewed = credential::Entity::find()
        .select_only()
        .column(credential::Column::ConnectionId)
        .filter(credential::Column::Slot.eq(credential::MAIN))
        .filter(credential::Column::Failure.is_not_null());
    Entity::find()
        .filter(Column::Provider.eq(provider))
        .filter(Column::DisconnectedAt.is_null())
        .filter(Column::PausedAt.is_null())
        .filter(Column::NextCheckAt.is_not_null())
        .filter(Column::Id.is_not_in(tried.iter().copied()))
        .filter(Column::Id.not_in_subquery(not_renewed.into_query()))
        .filter(may_tell)
        .filter(may_be_asked)
        .order_by_asc(Column::Failure.is_null())
        .order_by_asc(Column::NextCheckAt)
        .one(db)
        .await
}

/// Has what failed of a provider, and what somebody waits for, checked now that is
/// checked again later, unless it was told how long to wait.
pub async fn bring_failed_forward(
    db: &impl ConnectionTrait,
    provider: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let waited_for = watcher::Entity::find()
        .select_only()
        .column(watcher::Column::ConnectionId)
        .into_query();
    let failed_or_waited_for = Condition::any()
        .add(Column::Failure.is_not_null())
        .add(Column::Id.in_subquery(waited_for));
    Entity::update_many()
        .col_expr(Column::NextCheckAt, Expr::value(now))
        .filter(Column::Provider.eq(provider))
        .filter(failed_or_waited_for)
        .filter(failing::has_no_wish((Entity, Column::Failure)))
        .filter(Column::NextCheckAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// Has those of a tenant checked now that failed with `code`, of these providers.
pub async fn bring_forward(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    providers: &[&str],
    code: FailureCode,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextCheckAt, Expr::value(now))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Provider.is_in(providers.iter().copied()))
        .filter(failing::is_one_of((Entity, Column::Failure), &[code]))
        .filter(Column::NextCheckAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// How many connections of a provider have worked since `since`, as far as
/// `limit`.
pub async fn working(
    db: &impl ConnectionTrait,
    provider: &str,
    since: DateTime<Utc>,
    limit: u64,
) -> Result<usize, DbErr> {
    let rows: Vec<ConnectionId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Provider.eq(provider))
        .filter(Column::LastOkAt.gt(since))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.len())
}

/// The tenant's connection to a provider that was linked first, of those that
/// neither ended nor rest: of those that failed with one of `codes` and nothing
/// else, if there are any, and of those with another failure only if there are
/// no others.
pub async fn first_living(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    provider: &str,
    codes: &[FailureCode],
) -> Result<Option<ConnectionId>, DbErr> {
    let alike = || failing::is_one_of((Entity, Column::Failure), codes);
    let renewal_alike =
        || failing::is_one_of((credential::Entity, credential::Column::Failure), codes);
    let renewals = |failed: Expr| {
        credential::Entity::find()
            .select_only()
            .column(credential::Column::ConnectionId)
            .filter(credential::Column::TenantId.eq(tenant))
            .filter(credential::Column::Failure.is_not_null())
            .filter(failed)
            .into_query()
    };
    // A row without a failure has no code to compare, which is neither true nor false.
    let failed = || Column::Failure.is_not_null();
    let fails_alike = failed()
        .and(alike())
        .or(Column::Id.in_subquery(renewals(renewal_alike())));
    let fails_otherwise = failed()
        .and(alike().not())
        .or(Column::Id.in_subquery(renewals(renewal_alike().not())));
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Provider.eq(provider))
        .filter(Column::DisconnectedAt.is_null())
        .filter(Column::PausedAt.is_null())
        .order_by_asc(fails_otherwise)
        .order_by_desc(fails_alike)
        .order_by_asc(Column::Id)
        .into_tuple()
        .one(db)
        .await
}

/// The tenants that have connections to a provider.
pub async fn tenants_of_provider(
    db: &impl ConnectionTrait,
    provider: &str,
) -> Result<Vec<TenantId>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::TenantId)
        .distinct()
        .filter(Column::Provider.eq(provider))
        .filter(Column::DisconnectedAt.is_null())
        .into_tuple()
        .all(db)
        .await
}

/// The tenant's connection to that account of that provider.
pub async fn of_account(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    provider: &str,
    external_id: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Provider.eq(provider))
        .filter(Column::ExternalId.eq(external_id))
        .one(db)
        .await
}

/// The connections of a tenant with their credentials, newest first, after
/// `after` and about `limit` of them: one statement. An id tells its time, so
/// that a page stays where it is while others are made and deleted.
pub async fn page(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    after: Option<ConnectionId>,
    limit: Option<u64>,
) -> Result<Vec<(Model, Vec<credential::Model>)>, DbErr> {
    let to_credentials = credential::Entity::belongs_to(Entity)
        .from(credential::Column::ConnectionId)
        .to(Column::Id);
    let to_credentials: RelationDef = to_credentials.into();
    let mut query = Entity::find()
        .join(JoinType::LeftJoin, to_credentials.rev())
        .filter(Column::TenantId.eq(tenant))
        .order_by_desc(Column::Id)
        .order_by_asc(credential::Column::Slot);
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after));
    }
    if let Some(limit) = limit {
        // A connection has at most two credentials, so that these rows have at
        // least `limit` connections whole.
        query = query.limit(2 * limit);
    }
    let rows = query.select_also(credential::Entity).all(db).await?;
    let mut page: Vec<(Model, Vec<credential::Model>)> = Vec::new();
    for (connection, credential) in rows {
        match page.last_mut() {
            Some((last, credentials)) if last.id == connection.id => credentials.extend(credential),
            _ => page.push((connection, credential.into_iter().collect())),
        }
    }
    if let Some(limit) = limit {
        page.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(page)
}
