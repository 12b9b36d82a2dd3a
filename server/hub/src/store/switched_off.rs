//! What a tenant has switched off of what is on for everybody.

use chrono::{DateTime, Utc};
use sea_orm::{IntoActiveModel, entity::prelude::*};

use super::{PersonId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "switched_off")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// A policy's name, or [`METRICS`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub what: String,
    /// Who did it.
    pub person_id: Option<PersonId>,
    pub at: DateTime<Utc>,
}

/// Recording how attempts ended. No policy can be called so: it has a dot.
pub const METRICS: &str = "record.attempts";

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Everything the tenant has switched off.
pub async fn of_tenant(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .all(db)
        .await
}

/// Switches something off; once is enough.
pub async fn add(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::TenantId, Column::What])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Switches it on again.
pub async fn remove(db: &impl ConnectionTrait, tenant: TenantId, what: &str) -> Result<(), DbErr> {
    Entity::delete_by_id((tenant, what.to_owned()))
        .exec(db)
        .await
        .map(|_| ())
}
