//! The head of a tenant's chain of audit entries, and the key it is sealed with.

use chrono::{DateTime, Utc};
use sea_orm::{ExprTrait, IntoActiveModel, entity::prelude::*};

use super::TenantId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_chain")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    /// [`TenantId::HUB`] for what belongs to no tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// What entries are authenticated with.
    #[sea_orm(column_type = "Text")]
    pub key_sealed: String,
    /// The number of the newest entry; 0 when there is none.
    pub seq: i64,
    /// The hash of the newest entry; empty when there is none.
    pub hash: Vec<u8>,
    /// How far the background has recomputed the chain, and when.
    pub checked_seq: i64,
    pub checked_at: Option<DateTime<Utc>>,
    /// The first entry it found wrong.
    pub broken_seq: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many chains one statement changes.
const BATCH: usize = 500;

/// A tenant's chain, if it has begun.
pub async fn get(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(tenant).one(db).await
}

/// Every chain.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().all(db).await
}

/// Begins a chain, unless another process was faster.
pub async fn begin(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::TenantId])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Takes the next number. It locks the head until the commit, so that entries
/// stand in the order in which they are committed. Answers the number and the
/// hash of the entry before; [`DbErr::RecordNotFound`] when the chain is no more.
pub async fn advance(db: &impl ConnectionTrait, tenant: TenantId) -> Result<(i64, Vec<u8>), DbErr> {
    let rows = Entity::update_many()
        .col_expr(Column::Seq, Expr::col(Column::Seq).add(1))
        .filter(Column::TenantId.eq(tenant))
        .exec_with_returning(db)
        .await?;
    let head = rows.into_iter().next();
    let head = head.ok_or_else(|| DbErr::RecordNotFound("the head of a ledger".into()))?;
    Ok((head.seq, head.hash))
}

/// Makes an entry that was written the head.
pub async fn close(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    hash: Vec<u8>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Hash, Expr::value(hash))
        .filter(Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .map(|_| ())
}

/// Notes that these chains are still as they were.
pub async fn still(
    db: &impl ConnectionTrait,
    tenants: &[TenantId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in tenants.chunks(BATCH) {
        Entity::update_many()
            .col_expr(Column::CheckedAt, Expr::value(now))
            .filter(Column::TenantId.is_in(some.iter().copied()))
            .exec(db)
            .await?;
    }
    Ok(())
}

/// Notes how far the chain was recomputed.
pub async fn checked(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    seq: i64,
    broken: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::CheckedSeq, Expr::value(seq))
        .col_expr(Column::CheckedAt, Expr::value(now))
        .col_expr(Column::BrokenSeq, Expr::value(broken))
        .filter(Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .map(|_| ())
}
