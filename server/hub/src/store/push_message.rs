//! Messages of providers that were acted upon, so that none is believed twice.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_message")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id_hash: Vec<u8>,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes a message; false when it was noted before.
pub async fn note(
    db: &impl ConnectionTrait,
    id_hash: Vec<u8>,
    at: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        id_hash: Set(id_hash),
        at: Set(at),
    };
    match Entity::insert(row).exec_without_returning(db).await {
        Ok(_) => Ok(true),
        Err(error) if super::is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a message was noted before.
pub async fn seen(db: &impl ConnectionTrait, id_hash: &[u8]) -> Result<bool, DbErr> {
    let row = Entity::find_by_id(id_hash.to_vec()).one(db).await?;
    Ok(row.is_some())
}

/// Forgets messages noted before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::At.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
