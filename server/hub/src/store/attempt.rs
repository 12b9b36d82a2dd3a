//! How one attempt ended: to connect or repair an account, to renew or check
//! access, to clear what was kept, to run. It names a provider and a tenant,
//! and neither a person nor an account.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ExprTrait, IntoActiveModel, Iterable, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};

use super::TenantId;

/// How long it is kept.
pub const KEPT: TimeDelta = TimeDelta::days(90);
/// How many rows one INSERT carries: thirteen columns each, well below the number
/// of parameters either database takes.
const ROWS_PER_INSERT: usize = 500;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Tried {
    /// A person linked an account.
    #[sea_orm(string_value = "connect")]
    Connect,
    /// A person linked one anew.
    #[sea_orm(string_value = "repair")]
    Repair,
    /// Access was renewed.
    #[sea_orm(string_value = "refresh")]
    Refresh,
    /// The provider was asked whether it works.
    #[sea_orm(string_value = "check")]
    Check,
    /// A person ended a connection that did not work.
    #[sea_orm(string_value = "clear")]
    Clear,
    /// An automation used a connection.
    #[sea_orm(string_value = "run")]
    Run,
}

/// Whether somebody had to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AuthMode {
    /// Nobody: calls were enough.
    #[sea_orm(string_value = "http_only")]
    HttpOnly,
    /// Nobody: a browser without a window was enough.
    #[sea_orm(string_value = "headless_only")]
    HeadlessOnly,
    /// A person.
    #[sea_orm(string_value = "interactive_required")]
    InteractiveRequired,
}

/// What was done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Recovery {
    /// Access was renewed.
    #[sea_orm(string_value = "refresh")]
    Refresh,
    /// It was looked at again.
    #[sea_orm(string_value = "check")]
    Check,
    /// A person connected anew.
    #[sea_orm(string_value = "reconnect")]
    Reconnect,
    /// A person gave it up.
    #[sea_orm(string_value = "clear")]
    Clear,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: TenantId,
    pub at: DateTime<Utc>,
    pub provider: String,
    pub kind: Tried,
    pub auth_mode: AuthMode,
    pub failure_code: Option<String>,
    pub failure_detail: Option<String>,
    pub recovery: Option<Recovery>,
    /// Whether that helped; none where nothing had failed.
    pub recovered: Option<bool>,
    /// The how manieth it was of those that belong together.
    pub attempts: i32,
    /// From the first start to the end of the one that worked.
    pub time_to_success_ms: Option<i64>,
    /// From when it last worked to when it was known not to: at most so long.
    pub time_to_detect_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Those of a tenant after one, oldest first.
pub async fn after(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut rows = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .cursor_by(Column::Id);
    if let Some(after) = after {
        rows.after(after);
    }
    rows.first(limit).all(db).await
}

/// Adds rows; one that is there already, a run's, becomes what it is by now.
pub async fn put(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<(), DbErr> {
    let mut columns = Column::iter().filter(|column| !matches!(column, Column::Id | Column::At));
    let updated: Vec<Column> = columns.by_ref().collect();
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        Entity::insert_many::<ActiveModel, _>(rows)
            .on_conflict(
                OnConflict::column(Column::Id)
                    .update_columns(updated.clone())
                    .to_owned(),
            )
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// What a tenant's attempts of a period were, of one provider or of all.
pub async fn since(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    since: DateTime<Utc>,
    provider: Option<&str>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::At.gte(since))
        // Renewals and checks of what worked answer none of the questions, and
        // are by far the most.
        .filter(
            Column::Kind
                .is_not_in([Tried::Refresh, Tried::Check])
                .or(Column::FailureCode.is_not_null())
                .or(Column::Recovered.is_not_null()),
        )
        .order_by_desc(Column::At)
        .limit(limit);
    if let Some(provider) = provider {
        query = query.filter(Column::Provider.eq(provider));
    }
    query.all(db).await
}

/// Those of a kind with a provider since `since` that failed after the last that
/// worked, newest first.
pub async fn refused(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    provider: &str,
    kind: Tried,
    since: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Provider.eq(provider))
        .filter(Column::Kind.eq(kind))
        .filter(Column::At.gte(since))
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .all(db)
        .await?;
    let failed = |row: &Model| row.failure_code.is_some();
    Ok(rows.into_iter().take_while(failed).collect())
}

/// Forgets everything of a tenant.
pub async fn forget(db: &impl ConnectionTrait, tenant: TenantId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what was before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::At.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
