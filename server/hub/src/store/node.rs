//! One data directory. A refresh attempt whose fate is unknown may have left
//! its answer in the spool of the node that sent it.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

use super::NodeId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NodeId,
    /// When the node last started with nothing left in its spool.
    pub spool_empty_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Records that the node has started and its spool holds nothing.
pub async fn report_spool_empty(
    db: &impl ConnectionTrait,
    id: NodeId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::insert(ActiveModel {
        id: Set(id),
        spool_empty_at: Set(now),
    })
    .on_conflict(
        OnConflict::column(Column::Id)
            .update_column(Column::SpoolEmptyAt)
            .to_owned(),
    )
    .exec_without_returning(db)
    .await
    .map(|_| ())
}
