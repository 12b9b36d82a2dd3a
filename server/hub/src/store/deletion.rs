//! What was deleted for good, so that it is deleted again from a backup that
//! was made before.

use chrono::{DateTime, Utc};
use sea_orm::{IntoActiveModel, entity::prelude::*};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ConnectionId, PersonId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "deletion")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: TenantId,
    /// The connection, when it was one.
    pub connection_id: Option<ConnectionId>,
    /// The person, when it was what the tenant knew of one; with
    /// [`TenantId::HUB`] everything there was of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether it was a person's whole account, and not what one tenant knew of
    /// them: it is noted as the hub's own.
    pub fn is_of_account(&self) -> bool {
        self.person_id.is_some() && self.tenant_id == TenantId::HUB
    }
}

/// Every deletion.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().all(db).await
}

/// Notes a deletion, unless it is noted already.
pub async fn note(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::Id])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}
