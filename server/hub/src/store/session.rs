//! One signed-in (or about to be) browser, keyed by the digest of its cookie.

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    /// SHA-256 of the cookie's value: a leaked table opens no session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id_hash: Vec<u8>,
    /// JSON.
    #[sea_orm(column_type = "Text")]
    pub data: String,
    /// Seconds since the epoch.
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Inserts a new session; false when the identifier is taken.
pub async fn create(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    match Entity::insert(active(row)).exec_without_returning(db).await {
        Ok(_) => Ok(true),
        Err(error) if super::is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a session, whether it was there or not.
pub async fn save(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(active(row))
        .on_conflict(
            OnConflict::column(Column::IdHash)
                .update_columns([Column::Data, Column::ExpiresAt])
                .to_owned(),
        )
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// A session that has not expired at `now` (seconds since the epoch).
pub async fn load(
    db: &impl ConnectionTrait,
    id_hash: Vec<u8>,
    now: i64,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id_hash)
        .filter(Column::ExpiresAt.gt(now))
        .one(db)
        .await
}

/// Ends a session.
pub async fn delete(db: &impl ConnectionTrait, id_hash: Vec<u8>) -> Result<(), DbErr> {
    Entity::delete_by_id(id_hash).exec(db).await.map(|_| ())
}

/// Sweeps the sessions that had expired by `now` (seconds since the epoch).
pub async fn delete_expired(db: &impl ConnectionTrait, now: i64) -> Result<u64, DbErr> {
    let swept = Entity::delete_many()
        .filter(Column::ExpiresAt.lte(now))
        .exec(db)
        .await?;
    Ok(swept.rows_affected)
}

fn active(row: Model) -> ActiveModel {
    ActiveModel {
        id_hash: Set(row.id_hash),
        data: Set(row.data),
        expires_at: Set(row.expires_at),
    }
}
