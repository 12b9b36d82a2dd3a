//! Requests that carried an idempotency key, each with what it was answered.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{IntoActiveModel, entity::prelude::*};

use super::{TenantId, is_taken};

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotent_request")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The API key, or the person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub caller_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_hash: Vec<u8>,
    /// Digest of method, address and body: sealed, for a password can be guessed
    /// from it.
    #[sea_orm(column_type = "Text")]
    pub request_sealed: String,
    /// None while the request is under way.
    pub status: Option<i16>,
    #[sea_orm(column_type = "Text", nullable)]
    pub answer_sealed: Option<String>,
    pub started_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The key of a row.
pub type Key = (TenantId, Uuid, Vec<u8>);

/// Notes that a request is under way; false when one with this key was before.
pub async fn begin(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    match Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is known of a request.
pub async fn get(db: &impl ConnectionTrait, key: Key) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(key).one(db).await
}

/// Notes what a request was answered.
pub async fn finish(
    db: &impl ConnectionTrait,
    key: Key,
    status: i16,
    answer_sealed: String,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::AnswerSealed, Expr::value(answer_sealed))
        .filter(Column::TenantId.eq(key.0))
        .filter(Column::CallerId.eq(key.1))
        .filter(Column::KeyHash.eq(key.2))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets a request, if it is the one that started then.
pub async fn forget(
    db: &impl ConnectionTrait,
    key: Key,
    started_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::TenantId.eq(key.0))
        .filter(Column::CallerId.eq(key.1))
        .filter(Column::KeyHash.eq(key.2))
        .filter(Column::StartedAt.eq(started_at))
        .exec(db)
        .await
        .map(|_| ())
}

/// Those of a tenant that were answered.
pub async fn answered(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::AnswerSealed.is_not_null())
        .all(db)
        .await
}

/// Forgets what started before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::StartedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
