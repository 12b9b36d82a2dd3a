//! A provider that fails for many connections at once, until one works again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_trouble")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    pub since: DateTime<Utc>,
    /// When one connection is tried again; whoever tries moves this on first.
    pub next_try_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The providers in trouble, by id.
pub async fn all(db: &impl ConnectionTrait) -> Result<BTreeMap<String, Model>, DbErr> {
    let rows = Entity::find().all(db).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.provider.clone(), row))
        .collect())
}

/// The trouble of one provider.
pub async fn of(db: &impl ConnectionTrait, provider: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(provider.to_owned()).one(db).await
}

/// Notes that a provider is in trouble; false when that was known.
pub async fn open(
    db: &impl ConnectionTrait,
    provider: &str,
    now: DateTime<Utc>,
    next_try_at: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        provider: Set(provider.to_owned()),
        since: Set(now),
        next_try_at: Set(next_try_at),
    };
    let added = Entity::insert(row)
        .on_conflict_do_nothing_on([Column::Provider])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(added, sea_orm::TryInsertResult::Inserted(1)))
}

/// Notes that a provider works again; false when that was known.
pub async fn close(db: &impl ConnectionTrait, provider: &str) -> Result<bool, DbErr> {
    let gone = Entity::delete_by_id(provider.to_owned()).exec(db).await?;
    Ok(gone.rows_affected == 1)
}

/// Puts the next try off until `until`, for whoever tries now; false when
/// another process was faster.
pub async fn claim(
    db: &impl ConnectionTrait,
    row: &Model,
    until: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let claimed = Entity::update_many()
        .col_expr(Column::NextTryAt, Expr::value(until))
        .filter(Column::Provider.eq(&row.provider))
        .filter(Column::NextTryAt.eq(row.next_try_at))
        .exec(db)
        .await?;
    Ok(claimed.rows_affected == 1)
}
