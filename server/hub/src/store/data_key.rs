//! A data key of the vault, wrapped by the master key.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DataKeyId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "data_key")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DataKeyId,
    pub tenant_id: TenantId,
    /// Which master key wrapped it.
    pub wrapper: String,
    #[sea_orm(column_type = "Text")]
    pub wrapped: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
