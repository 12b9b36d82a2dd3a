//! When a connection of a provider last failed for a reason that may be the
//! provider's.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*, sea_query::OnConflict};

use super::ConnectionId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_fault")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection_id: ConnectionId,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes that a connection failed.
pub async fn note(
    db: &impl ConnectionTrait,
    provider: &str,
    connection: ConnectionId,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        provider: Set(provider.to_owned()),
        connection_id: Set(connection),
        at: Set(at),
    };
    let latest = OnConflict::columns([Column::Provider, Column::ConnectionId])
        .update_column(Column::At)
        .to_owned();
    Entity::insert(row)
        .on_conflict(latest)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// How many connections of a provider have failed since `since`, as far as
/// `limit`.
pub async fn recent(
    db: &impl ConnectionTrait,
    provider: &str,
    since: DateTime<Utc>,
    limit: u64,
) -> Result<usize, DbErr> {
    let rows: Vec<ConnectionId> = Entity::find()
        .select_only()
        .column(Column::ConnectionId)
        .filter(Column::Provider.eq(provider))
        .filter(Column::At.gt(since))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.len())
}

/// Forgets what failed of a provider, once it works again.
pub async fn forget(db: &impl ConnectionTrait, provider: &str) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Provider.eq(provider))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what failed before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::At.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
