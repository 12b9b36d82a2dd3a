//! A tenant's own client id and secret for a provider.

use chrono::{DateTime, Utc};
use sea_orm::{IntoActiveModel, entity::prelude::*};

use super::{TenantId, connection::Variables};
use crate::certificate::Certificate;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_app")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The catalog's app id: several products may share one registration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub app: String,
    pub client_id: String,
    #[sea_orm(column_type = "Text")]
    pub client_secret_sealed: String,
    /// Bound into the seal; raised when the secret is replaced.
    pub version: i32,
    pub updated_at: DateTime<Utc>,
    /// What the entry wants from the operator besides: `variable`s that are
    /// `from = "app"`.
    pub settings: Variables,
    /// The certificate in the secret, where it has one.
    pub certificate: Option<Certificate>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A tenant's own values for an app.
pub async fn get(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    app: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((tenant, app.to_owned())).one(db).await
}

/// All of a tenant's own values.
pub async fn of_tenant(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .all(db)
        .await
}

/// Every tenant's own values for an app.
pub async fn of_app(db: &impl ConnectionTrait, app: &str) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::App.eq(app)).all(db).await
}

/// Adds values; false when there are some already.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    match Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if super::is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces the values that were read at `version`; false when they are not
/// the same any more.
pub async fn replace(db: &impl ConnectionTrait, row: Model, version: i32) -> Result<bool, DbErr> {
    let replaced = Entity::update_many()
        .col_expr(Column::ClientId, Expr::value(row.client_id))
        .col_expr(
            Column::ClientSecretSealed,
            Expr::value(row.client_secret_sealed),
        )
        .col_expr(Column::Version, Expr::value(row.version))
        .col_expr(Column::Settings, Expr::value(row.settings))
        .col_expr(Column::UpdatedAt, Expr::value(row.updated_at))
        .col_expr(Column::Certificate, Expr::value(row.certificate))
        .filter(Column::TenantId.eq(row.tenant_id))
        .filter(Column::App.eq(row.app))
        .filter(Column::Version.eq(version))
        .exec(db)
        .await?;
    Ok(replaced.rows_affected == 1)
}

/// Forgets values; false when there are none.
pub async fn delete(db: &impl ConnectionTrait, tenant: TenantId, app: &str) -> Result<bool, DbErr> {
    let deleted = Entity::delete_by_id((tenant, app.to_owned()))
        .exec(db)
        .await?;
    Ok(deleted.rows_affected == 1)
}
