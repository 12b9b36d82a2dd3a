//! One organisation.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::TenantId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TenantId,
    #[sea_orm(unique)]
    pub name: String,
    /// Number of the tenant's newest event; see [`super::event::append`].
    pub event_seq: i64,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The tenant of that name, if there is one.
pub async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Name.eq(name)).one(db).await
}

/// The number of the tenant's newest event; 0 when there is none.
pub async fn event_seq(db: &impl ConnectionTrait, id: TenantId) -> Result<i64, DbErr> {
    let row = Entity::find_by_id(id).one(db).await?;
    Ok(row.map_or(0, |tenant| tenant.event_seq))
}

/// Has the events of every tenant numbered from `seq` on, where they are not so far.
pub async fn number_events_from(db: &impl ConnectionTrait, seq: i64) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::EventSeq, Expr::value(seq))
        .filter(Column::EventSeq.lt(seq))
        .exec(db)
        .await
        .map(|_| ())
}

/// Waits until nobody else appends events of the tenant, and keeps others from it
/// until the transaction ends.
pub async fn lock(db: &impl ConnectionTrait, id: TenantId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::EventSeq, Expr::col(Column::EventSeq))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Adds a tenant.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: TenantId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::insert(ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        event_seq: Set(0),
        created_at: Set(now),
    })
    .exec_without_returning(db)
    .await
    .map(|_| ())
}

/// The tenant, if it is there.
pub async fn get(db: &impl ConnectionTrait, id: TenantId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Those of these tenants that are there.
pub async fn living(
    db: &impl ConnectionTrait,
    ids: BTreeSet<TenantId>,
) -> Result<BTreeSet<TenantId>, DbErr> {
    let rows = Entity::find().filter(Column::Id.is_in(ids)).all(db).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Every tenant.
pub async fn ids(db: &impl ConnectionTrait) -> Result<Vec<TenantId>, DbErr> {
    let rows = Entity::find().all(db).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
