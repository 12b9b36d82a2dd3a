//! Who an audit entry is about and where they were: beside the chain, which
//! holds only its salted digest, so that it can be wiped and the chain stays
//! whole.

use sea_orm::{Condition, IntoActiveModel, entity::prelude::*};

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

/// Wipes what stands about a person, in every chain. Answers how many entries
/// that were.
pub async fn wipe(db: &impl ConnectionTrait, person: PersonId) -> Result<u64, DbErr> {
    let theirs = Condition::any()
        .add(Column::PersonId.eq(person))
        .add(Column::SubjectId.eq(person));
    let wiped = Entity::delete_many().filter(theirs).exec(db).await?;
    Ok(wiped.rows_affected)
}
