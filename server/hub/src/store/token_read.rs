//! Who read which token, written in batches.

use chrono::{DateTime, Utc};
use sea_orm::{QuerySelect, entity::prelude::*};
use uuid::Uuid;

use super::{ApiKeyId, ConnectionId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token_read")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: TenantId,
    pub api_key_id: ApiKeyId,
    pub connection_id: ConnectionId,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// When the token of each connection was last read.
pub async fn latest(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connections: &[ConnectionId],
) -> Result<Vec<(ConnectionId, DateTime<Utc>)>, DbErr> {
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find()
        .select_only()
        .column(Column::ConnectionId)
        .column_as(Column::At.max(), "at")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::ConnectionId.is_in(connections.iter().copied()))
        .group_by(Column::ConnectionId)
        .into_tuple()
        .all(db)
        .await
}
