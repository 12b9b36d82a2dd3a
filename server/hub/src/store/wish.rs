//! What people missed in the catalog. The same wish of the same person is one.

use chrono::{DateTime, Utc};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

use super::{PersonId, TenantId, is_taken};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wish")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub text: String,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes a wish; one that was noted before stays as it is.
pub async fn note(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    match Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
    {
        Err(error) if !is_taken(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The newest wishes of a tenant, at most `limit`.
pub async fn newest(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_desc(Column::At)
        .limit(limit)
        .all(db)
        .await
}

/// How many wishes a person has noted.
pub async fn count(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .count(db)
        .await
}
