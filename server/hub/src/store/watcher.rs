//! Who wants to know when a connection works again.

use chrono::{DateTime, Utc};
use sea_orm::{IntoActiveModel, entity::prelude::*};

use super::{ConnectionId, PersonId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "watcher")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection_id: ConnectionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    pub tenant_id: TenantId,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes that a person wants to know; once is enough.
pub async fn add(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::ConnectionId, Column::PersonId])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Which of a tenant's connections a person waits for.
pub async fn of_person(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<Vec<ConnectionId>, DbErr> {
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.connection_id).collect())
}

/// Everybody who waited for a connection; nobody waits any more.
pub async fn take(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
) -> Result<Vec<PersonId>, DbErr> {
    let waiting = Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec_with_returning(db)
        .await?;
    Ok(waiting.into_iter().map(|row| row.person_id).collect())
}
