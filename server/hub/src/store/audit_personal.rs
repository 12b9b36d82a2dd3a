//! Who an audit entry is about and where they were: beside the chain, which
//! holds only its salted digest, so that it can be wiped and the chain stays
//! whole.

use std::collections::BTreeSet;

use sea_orm::{Condition, IntoActiveModel, PaginatorTrait, QuerySelect, entity::prelude::*};

use super::{PersonId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_personal")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub salt: Vec<u8>,
    /// Who did it.
    pub person_id: Option<PersonId>,
    /// To whom it was done.
    pub subject_id: Option<PersonId>,
    /// The network the request came from: `203.0.113.0/24`.
    pub address: Option<String>,
    /// A digest of what the browser called itself.
    pub agent: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds what stands beside an entry.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// What stands beside the tenant's entries from number `first` to `last`.
pub async fn between(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    first: i64,
    last: i64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.between(first, last))
        .all(db)
        .await
}

/// Where something stands about a person.
pub async fn tenants_about(
    db: &impl ConnectionTrait,
    person: PersonId,
) -> Result<BTreeSet<TenantId>, DbErr> {
    let tenants: Vec<TenantId> = Entity::find()
        .filter(about(person))
        .select_only()
        .column(Column::TenantId)
        .distinct()
        .into_tuple()
        .all(db)
        .await?;
    Ok(tenants.into_iter().collect())
}

/// How many entries of a tenant have something about a person beside them.
pub async fn count(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(about(person))
        .count(db)
        .await
}

/// Wipes what stands about a person beside a tenant's entries.
pub async fn wipe(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::TenantId.eq(tenant))
        .filter(about(person))
        .exec(db)
        .await
        .map(|_| ())
}

/// Wipes it wherever it stands.
pub async fn wipe_everywhere(db: &impl ConnectionTrait, person: PersonId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(about(person))
        .exec(db)
        .await
        .map(|_| ())
}

/// Who did something, or had it done to them.
fn about(person: PersonId) -> Condition {
    Condition::any()
        .add(Column::PersonId.eq(person))
        .add(Column::SubjectId.eq(person))
}
