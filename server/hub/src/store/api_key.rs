//! One key of a host application: stored hashed, shown once, revocable.

use chrono::{DateTime, Utc};
use sea_orm::{Condition, ExprTrait, IntoActiveModel, QueryOrder, entity::prelude::*};

use super::{ApiKeyId, PersonId, TenantId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    pub tenant_id: TenantId,
    pub name: String,
    #[sea_orm(unique)]
    pub secret_hash: Vec<u8>,
    /// The last four characters, so that a person can tell keys apart.
    pub hint: String,
    /// Space-separated.
    pub scopes: String,
    pub created_by: Option<PersonId>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Where people may be sent back to after a connect link; space-separated.
    #[sea_orm(column_type = "Text")]
    pub return_origins: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How a key was named by who showed it.
#[derive(Clone, Debug)]
pub enum Named {
    /// By itself: its digest.
    Secret(Vec<u8>),
    /// By a token that was made from it.
    Id(ApiKeyId),
}

impl Named {
    /// The living key of that name.
    pub(super) fn condition(self) -> Condition {
        let named = match self {
            Self::Secret(hash) => Expr::col((Entity, Column::SecretHash)).eq(hash),
            Self::Id(id) => Expr::col((Entity, Column::Id)).eq(id),
        };
        Condition::all()
            .add(named)
            .add(Expr::col((Entity, Column::RevokedAt)).is_null())
    }
}

/// The living key of that name.
pub async fn shown(db: &impl ConnectionTrait, named: Named) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(named.condition()).one(db).await
}

/// Adds a key.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The keys of a tenant that are not revoked, newest first.
pub async fn living(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::RevokedAt.is_null())
        .order_by_desc(Column::Id)
        .all(db)
        .await
}

/// The keys of a tenant, also those that were revoked.
pub async fn all_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Ends a key; false when there is no living one with that id.
pub async fn revoke(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: ApiKeyId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(revoked.rows_affected == 1)
}
