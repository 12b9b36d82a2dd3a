//! How flows ended. It outlives them by [`KEPT`] and holds nothing that could be
//! used again.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    FlowId, TenantId,
    flow::{self, Status},
};

/// How long outcomes are kept.
pub const KEPT: TimeDelta = TimeDelta::days(90);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "flow_outcome")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub flow_id: FlowId,
    pub tenant_id: TenantId,
    pub provider: String,
    /// Whether there was a connection already.
    pub is_repair: bool,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// One of those that end a flow.
    pub status: Status,
    pub failure_code: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes how a flow ended.
pub async fn note(
    db: &impl ConnectionTrait,
    ended: &flow::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let code = ended.failure.as_ref().map(|failure| failure.code.as_str());
    let row = Model {
        flow_id: ended.id,
        tenant_id: ended.tenant_id,
        provider: ended.provider.clone(),
        is_repair: ended.connection_id.is_some(),
        began_at: ended.created_at,
        ended_at: now,
        status: ended.status,
        failure_code: code.map(str::to_owned),
    };
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::FlowId])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Provider, beginning and end of the last `limit` flows that made a connection,
/// whoever's they were.
pub async fn newest_successes(
    db: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<(String, DateTime<Utc>, DateTime<Utc>)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Provider, Column::BeganAt, Column::EndedAt])
        .filter(Column::Status.eq(Status::Connected))
        .filter(Column::IsRepair.eq(false))
        .order_by_desc(Column::EndedAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Forgets everything of a tenant.
pub async fn forget(db: &impl ConnectionTrait, tenant: TenantId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what ended before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::EndedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
