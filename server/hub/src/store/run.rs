//! One use of a connection by an automation. Rows of paused ones are the queue
//! of what goes on by itself: each is looked at when its time has come, or when
//! something happened to its connection.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ExprTrait, IntoActiveModel, Iterable, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use super::{ApiKeyId, ConnectionId, RunId, TenantId};
use crate::failure::Failure;

/// How long runs are kept after they ended, or were last heard of.
pub const KEPT: TimeDelta = TimeDelta::days(30);

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A token was lent for it, and it is under way.
    #[sea_orm(string_value = "allowed")]
    Allowed,
    /// It waits until what stopped it is gone.
    #[sea_orm(string_value = "paused")]
    Paused,
    /// What stopped it is gone, and it may go on.
    #[sea_orm(string_value = "resumed")]
    Resumed,
    /// The host application said that it worked.
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    /// The host application said that it did not.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// The host application no longer wants it.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl Status {
    /// As it is stored, answered and asked for: `paused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Read from that word.
    pub fn read(word: &str) -> Option<Self> {
        Self::iter().find(|one| one.as_str() == word)
    }

    /// Whether nothing comes after it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RunId,
    pub tenant_id: TenantId,
    pub connection_id: ConnectionId,
    pub provider: String,
    /// The key that asked.
    pub api_key_id: ApiKeyId,
    /// What the host application calls it.
    pub action: String,
    pub writes: bool,
    /// Space-separated.
    #[sea_orm(column_type = "Text")]
    pub scopes_needed: String,
    /// What the host application knows it by.
    pub correlation_id: Option<String>,
    /// Digest of the key that makes a request one however often it is sent, and
    /// of the request.
    pub idempotency_hash: Option<Vec<u8>>,
    pub request_hash: Option<Vec<u8>>,
    pub status: Status,
    /// The policy that stopped it last, if one did.
    pub policy: Option<String>,
    /// What stopped it last, or how it failed.
    pub failure: Option<Failure>,
    /// How often it was paused.
    pub pauses: i32,
    /// Whether it ever waited for a person.
    pub needed_person: bool,
    /// When it is looked at next; none unless it is paused.
    pub look_at: Option<DateTime<Utc>>,
    /// How often it was looked at since it is paused.
    pub looks: i32,
    pub created_at: DateTime<Utc>,
    pub paused_at: Option<DateTime<Utc>>,
    pub resumed_at: Option<DateTime<Utc>>,
    /// When a token was lent for it first.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds a run; false when the same request made one already.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    let added = Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::TenantId, Column::ApiKeyId, Column::IdempotencyHash])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(added, sea_orm::TryInsertResult::Inserted(1)))
}

/// The run that an earlier request with this key made.
pub async fn asked_before(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    key: ApiKeyId,
    hash: &[u8],
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::ApiKeyId.eq(key))
        .filter(Column::IdempotencyHash.eq(hash.to_vec()))
        .one(db)
        .await
}

/// A run, only if it is the tenant's.
pub async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: RunId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(db)
        .await
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those of this connection.
    pub connection: Option<ConnectionId>,
    /// Only those that this policy stopped last.
    pub policy: Option<String>,
}

/// The tenant's runs, newest first, after `after`.
pub async fn page(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    filter: &Filter,
    after: Option<RunId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(connection) = filter.connection {
        query = query.filter(Column::ConnectionId.eq(connection));
    }
    if let Some(policy) = &filter.policy {
        query = query.filter(Column::Policy.eq(policy));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after));
    }
    query.all(db).await
}

/// A place in the order in which runs were asked for. Ids alone are not that
/// order: of two processes the clocks differ, and within a millisecond ids are
/// drawn.
pub type Place = (DateTime<Utc>, RunId);

/// The paused runs of a connection after `after`, in the order in which they
/// were asked for.
pub async fn paused(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    after: Option<Place>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Status.eq(Status::Paused))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some((at, id)) = after {
        let same = Column::CreatedAt.eq(at).and(Column::Id.gt(id));
        query = query.filter(Column::CreatedAt.gt(at).or(same));
    }
    query.all(db).await
}

/// Connections with paused runs that are to be looked at, the one that has
/// waited longest for it first.
pub async fn due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<(TenantId, ConnectionId)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::TenantId, Column::ConnectionId])
        .filter(Column::Status.eq(Status::Paused))
        .filter(Column::LookAt.lte(now))
        .group_by(Column::TenantId)
        .group_by(Column::ConnectionId)
        .order_by_asc(Column::LookAt.min())
        .order_by_asc(Column::ConnectionId)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Has the paused runs of a connection looked at now: something happened to it.
pub async fn wake(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LookAt, Expr::value(now))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Status.eq(Status::Paused))
        .exec(db)
        .await
        .map(|_| ())
}

/// The same for every connection of a tenant: its rules changed.
pub async fn wake_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LookAt, Expr::value(now))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Status.eq(Status::Paused))
        .exec(db)
        .await
        .map(|_| ())
}

/// Puts the next look at a paused run off; false when somebody else has looked
/// meanwhile, or has it looked at.
pub async fn look_again(
    db: &impl ConnectionTrait,
    row: &Model,
    change: ActiveModel,
) -> Result<bool, DbErr> {
    let put_off = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(row.id))
        .filter(Column::Status.eq(Status::Paused))
        // Whoever woke it meanwhile is heard.
        .filter(Column::LookAt.eq(row.look_at))
        .exec(db)
        .await?;
    Ok(put_off.rows_affected == 1)
}

/// Takes back a run that was begun and that nothing was lent for.
pub async fn take_back(db: &impl ConnectionTrait, id: RunId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(Status::Allowed))
        .exec(db)
        .await
        .map(|_| ())
}

/// Moves a run on, if it still stands as it was read; false when it does not:
/// of any number of processes exactly one does it.
pub async fn go(
    db: &impl ConnectionTrait,
    row: &Model,
    to: Status,
    mut change: ActiveModel,
) -> Result<bool, DbErr> {
    change.status = Set(to);
    if to != Status::Paused {
        change.look_at = Set(None);
    }
    let moved = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(row.id))
        .filter(Column::Status.eq(row.status))
        .exec(db)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// How many runs of a tenant are paused, as far as `enough`.
pub async fn waiting(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    enough: u64,
) -> Result<u64, DbErr> {
    let some = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Status.eq(Status::Paused))
        .limit(enough);
    some.count(db).await
}

/// How many runs of each connection of a tenant are paused; of `only` one.
pub async fn paused_counts(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    only: Option<ConnectionId>,
) -> Result<Vec<(ConnectionId, i64)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::ConnectionId)
        .column_as(Column::Id.count(), "count")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Status.eq(Status::Paused))
        .apply_if(only, |query, id| query.filter(Column::ConnectionId.eq(id)))
        .group_by(Column::ConnectionId)
        .into_tuple()
        .all(db)
        .await
}

/// What paused runs of a tenant that a policy stops need, and why they wait: by
/// connection, each only once; of `only` one.
pub async fn needed(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    only: Option<ConnectionId>,
) -> Result<Vec<(ConnectionId, String, Option<Failure>)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::ConnectionId, Column::ScopesNeeded, Column::Failure])
        .distinct()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Status.eq(Status::Paused))
        .filter(Column::Policy.is_not_null())
        .filter(Column::ScopesNeeded.ne(""))
        .apply_if(only, |query, id| query.filter(Column::ConnectionId.eq(id)))
        .into_tuple()
        .all(db)
        .await
}

/// The runs of a connection that wait: paused, or told to go on.
pub async fn waiting_of(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
) -> Result<Vec<RunId>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Status.is_in([Status::Paused, Status::Resumed]))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// How many runs each policy stopped last, and how many of them wait still.
pub async fn stopped_counts(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<(String, Status, i64)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Policy, Column::Status])
        .column_as(Column::Id.count(), "count")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Policy.is_not_null())
        .group_by(Column::Policy)
        .group_by(Column::Status)
        .into_tuple()
        .all(db)
        .await
}

/// The newest runs that a policy stopped.
pub async fn stopped(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Policy.is_not_null())
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// Forgets every run of a connection.
pub async fn forget(db: &impl ConnectionTrait, connection: ConnectionId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets runs that ended before `before`, and those that nobody said anything
/// of since; never one that waits.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    let under_way = Column::Status.is_in([Status::Allowed, Status::Resumed]);
    Entity::delete_many()
        .filter(
            Column::FinishedAt
                .lt(before)
                .or(under_way.and(Column::CreatedAt.lt(before))),
        )
        .exec(db)
        .await
        .map(|_| ())
}
