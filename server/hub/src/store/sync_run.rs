//! One reading of a connection: to come, under way, or over. The rows are the
//! queue: a run is due at a time, is claimed with a lease, and has ended once it
//! has an outcome. A connection has one that has not ended at most.

use chrono::{DateTime, Utc};
use sea_orm::{Condition, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{ConnectionId, NodeId, SyncRunId, TenantId};
use crate::failure::Failure;

/// Why a run takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its connection is read every so often.
    #[sea_orm(string_value = "schedule")]
    Schedule,
    /// Somebody asked for it.
    #[sea_orm(string_value = "asked")]
    Asked,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was read.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// It was not, after every try.
    #[sea_orm(string_value = "failed")]
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SyncRunId,
    pub tenant_id: TenantId,
    pub connection_id: ConnectionId,
    /// The connection again, until the run has ended.
    #[sea_orm(unique)]
    pub open_for: Option<ConnectionId>,
    pub cause: Cause,
    pub due_at: DateTime<Utc>,
    /// Since when it waits for the connection to be mended.
    pub paused_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub tries: i32,
    pub outcome: Option<Outcome>,
    /// How much was read; never what.
    pub row_count: Option<i32>,
    pub column_count: Option<i32>,
    pub failure: Option<Failure>,
    pub lease_owner: Option<NodeId>,
    pub lease_until: Option<DateTime<Utc>>,
    pub fence: i64,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// A run that is due at `due_at`.
    pub fn new(
        tenant: TenantId,
        connection: ConnectionId,
        cause: Cause,
        due_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: SyncRunId::new(),
            tenant_id: tenant,
            connection_id: connection,
            open_for: Some(connection),
            cause,
            due_at,
            paused_at: None,
            started_at: None,
            finished_at: None,
            tries: 0,
            outcome: None,
            row_count: None,
            column_count: None,
            failure: None,
            lease_owner: None,
            lease_until: None,
            fence: 0,
            created_at: now,
        }
    }

    /// Whether some process is at it.
    pub fn is_under_way(&self, now: DateTime<Utc>) -> bool {
        self.outcome.is_none() && self.lease_until.is_some_and(|until| now < until)
    }
}

fn unleased(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(Column::LeaseUntil.is_null())
        .add(Column::LeaseUntil.lt(now))
}

/// Adds a run; false when the connection has one that has not ended.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    let added = Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::OpenFor])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(added, sea_orm::TryInsertResult::Inserted(1)))
}

/// The run of a connection that has not ended.
pub async fn open(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::OpenFor.eq(connection))
        .one(db)
        .await
}

/// Runs that are due and that nobody is at, the longest due first.
pub async fn due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Outcome.is_null())
        .filter(Column::DueAt.lte(now))
        .filter(unleased(now))
        .order_by_asc(Column::DueAt)
        .limit(limit)
        .all(db)
        .await
}

/// Takes the lease of a run that is still as it was read, and starts it; none
/// when another process was faster.
pub async fn claim(
    db: &impl ConnectionTrait,
    row: &Model,
    owner: NodeId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    Ok(Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(owner))
        .col_expr(Column::LeaseUntil, Expr::value(until))
        .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
        .col_expr(Column::StartedAt, Expr::value(now))
        .col_expr(Column::PausedAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .filter(Column::Id.eq(row.id))
        .filter(Column::Fence.eq(row.fence))
        .filter(Column::Outcome.is_null())
        .filter(unleased(now))
        .exec_with_returning(db)
        .await?
        .pop())
}

/// Writes what became of a run, if the lease is still the one it was claimed
/// with; false when it is not.
pub async fn settle(
    db: &impl ConnectionTrait,
    claimed: &Model,
    mut change: ActiveModel,
) -> Result<bool, DbErr> {
    change.lease_owner = sea_orm::ActiveValue::Set(None);
    change.lease_until = sea_orm::ActiveValue::Set(None);
    let written = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(claimed.id))
        .filter(Column::Fence.eq(claimed.fence))
        .filter(Column::Outcome.is_null())
        .exec(db)
        .await?;
    Ok(written.rows_affected == 1)
}

/// Puts a run off that nobody is at: its connection has to be mended first.
pub async fn pause(
    db: &impl ConnectionTrait,
    row: &Model,
    now: DateTime<Utc>,
    look_again: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::PausedAt, Expr::value(row.paused_at.unwrap_or(now)))
        .col_expr(Column::DueAt, Expr::value(look_again))
        .filter(Column::Id.eq(row.id))
        .filter(Column::Fence.eq(row.fence))
        .filter(Column::DueAt.eq(row.due_at))
        .filter(unleased(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// Lets the run go on that waited for this connection to be mended: once,
/// however many were missed.
pub async fn resume(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(now))
        .filter(Column::OpenFor.eq(connection))
        .filter(Column::PausedAt.is_not_null())
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what was to come of a connection and has not begun.
pub async fn forget_open(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::OpenFor.eq(connection))
        .filter(unleased(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what its schedule had in store for a connection.
pub async fn forget_scheduled(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::OpenFor.eq(connection))
        .filter(Column::Cause.eq(Cause::Schedule))
        .filter(unleased(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// When the last run of a connection ended.
pub async fn last_end(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    let last = Entity::find()
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::FinishedAt.is_not_null())
        .order_by_desc(Column::FinishedAt)
        .one(db)
        .await?;
    Ok(last.and_then(|run| run.finished_at))
}

/// Forgets every run of a connection.
pub async fn forget(db: &impl ConnectionTrait, connection: ConnectionId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await
        .map(|_| ())
}

/// Every run of a tenant.
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

/// The runs of a connection, newest first, after `after`.
pub async fn page(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    after: Option<SyncRunId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::ConnectionId.eq(connection))
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after));
    }
    query.all(db).await
}

/// Gives back the leases of a node whose process has died.
pub async fn release_leases(db: &impl ConnectionTrait, owner: NodeId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::LeaseOwner.eq(owner))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets runs that ended before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::FinishedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
