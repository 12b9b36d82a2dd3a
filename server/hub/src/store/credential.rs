//! The sealed secret of a connection, with the facts that decide when it is
//! renewed and the lease that lets one process at a time do so.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, Condition, ExprTrait, FromQueryResult, JoinType, Order, QueryOrder,
    QuerySelect, entity::prelude::*, sea_query::NullOrdering,
};

use super::{ApiKeyId, ConnectionId, NodeId, TenantId, api_key, connection, failing};
use crate::failure::{Failure, FailureCode};

/// The slot of the token every connection has. A provider that answers with a
/// second token (Slack's user token) fills a second slot.
pub const MAIN: &str = "main";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection_id: ConnectionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: String,
    pub tenant_id: TenantId,
    #[sea_orm(column_type = "Text")]
    pub access_sealed: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub refresh_sealed: Option<String>,
    /// The refresh token before this one, until this one has worked.
    #[sea_orm(column_type = "Text", nullable)]
    pub previous_refresh_sealed: Option<String>,
    pub token_type: String,
    pub obtained_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// Raised by every change of the secret, and bound into its seal.
    pub version: i64,
    pub next_refresh_at: Option<DateTime<Utc>>,
    pub lease_owner: Option<NodeId>,
    pub lease_until: Option<DateTime<Utc>>,
    /// Raised by every lease, so that a late holder cannot write.
    pub fence: i64,
    /// Refreshes that failed since the last one that worked.
    pub failures: i32,
    pub failure: Option<Failure>,
    /// Since when that is so.
    pub failed_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether a refresh has failed for good: only a person can mend it.
    pub fn is_dead(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| !failure.code.is_transient())
    }
}

/// One slot of a connection.
pub async fn get(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    slot: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((connection, slot.to_owned()))
        .one(db)
        .await
}

/// Every slot of a connection.
pub async fn of_connection(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::ConnectionId.eq(connection))
        .order_by_asc(Column::Slot)
        .all(db)
        .await
}

/// A credential that is due, with what decides whether it may be renewed now.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[expect(missing_docs, reason = "columns of the tables they come from")]
pub struct Due {
    pub connection_id: ConnectionId,
    pub slot: String,
    pub provider: String,
}

/// Which credentials are due, those that end first at the front, but none of the providers
/// in `resting`. Nothing is claimed here: [`take_lease`] lets one process at a
/// time act on a row.
pub async fn due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    resting: &BTreeSet<String>,
    limit: u64,
) -> Result<Vec<Due>, DbErr> {
    let mut query = of_providers()
        .filter(Column::NextRefreshAt.lte(now))
        .filter(unleased(now))
        // Where not all can be renewed at once, those that end first are.
        .order_by_with_nulls(Column::ExpiresAt, Order::Asc, NullOrdering::Last)
        .order_by_asc(Column::NextRefreshAt)
        .limit(limit);
    if !resting.is_empty() {
        query = query.filter(connection::Column::Provider.is_not_in(resting));
    }
    query.into_model::<Due>().all(db).await
}

/// The credential of a provider that failed with one of `codes` and is tried
/// again first, but none of `tried`, and none before the time it was told.
pub async fn next_failed(
    db: &impl ConnectionTrait,
    provider: &str,
    codes: &[FailureCode],
    tried: &[ConnectionId],
    now: DateTime<Utc>,
) -> Result<Option<Due>, DbErr> {
    let may_be_asked = Condition::any()
        .add(failing::has_no_wish((Entity, Column::Failure)))
        .add(Column::NextRefreshAt.lte(now));
    of_providers()
        .filter(connection::Column::Provider.eq(provider))
        .filter(failing::is_one_of((Entity, Column::Failure), codes))
        .filter(Column::NextRefreshAt.is_not_null())
        .filter(Column::ConnectionId.is_not_in(tried.iter().copied()))
        .filter(may_be_asked)
        .filter(unleased(now))
        .order_by_asc(Column::NextRefreshAt)
        .into_model::<Due>()
        .one(db)
        .await
}

/// Has a credential that is tried again later tried again now.
pub async fn bring_forward(
    db: &impl ConnectionTrait,
    due: &Due,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextRefreshAt, Expr::value(now))
        .filter(key(due.connection_id, &due.slot))
        .filter(Column::NextRefreshAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// The same with all that failed of a provider and was not told how long to wait.
pub async fn bring_failed_forward(
    db: &impl ConnectionTrait,
    provider: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use sea_orm::sea_query::Query;
    let its = Query::select()
        .column(connection::Column::Id)
        .from(connection::Entity)
        .and_where(connection::Column::Provider.eq(provider))
        .to_owned();
    Entity::update_many()
        .col_expr(Column::NextRefreshAt, Expr::value(now))
        .filter(Column::ConnectionId.in_subquery(its))
        .filter(Column::Failure.is_not_null())
        .filter(failing::has_no_wish((Entity, Column::Failure)))
        .filter(Column::NextRefreshAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// The same with those of a tenant that failed with `code`, of these providers.
pub async fn bring_tenants_forward(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    providers: &[&str],
    code: FailureCode,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use sea_orm::sea_query::Query;
    let its = Query::select()
        .column(connection::Column::Id)
        .from(connection::Entity)
        .and_where(connection::Column::TenantId.eq(tenant))
        .and_where(connection::Column::Provider.is_in(providers.iter().copied()))
        .to_owned();
    Entity::update_many()
        .col_expr(Column::NextRefreshAt, Expr::value(now))
        .filter(Column::ConnectionId.in_subquery(its))
        .filter(failing::is_one_of((Entity, Column::Failure), &[code]))
        .filter(Column::NextRefreshAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

fn of_providers() -> sea_orm::Select<Entity> {
    let to_connection = Entity::belongs_to(connection::Entity)
        .from(Column::ConnectionId)
        .to(connection::Column::Id);
    let to_connection: RelationDef = to_connection.into();
    Entity::find()
        .select_only()
        .columns([Column::ConnectionId, Column::Slot])
        .column(connection::Column::Provider)
        .join(JoinType::InnerJoin, to_connection)
}

fn unleased(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(Column::LeaseUntil.is_null())
        .add(Column::LeaseUntil.lt(now))
}

/// Takes the lease of a credential that nobody holds and that is still at
/// `version`. Answers the row with its new fence, or none when another process
/// was faster.
pub async fn take_lease(
    db: &impl ConnectionTrait,
    row: &Model,
    owner: NodeId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    Ok(Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(owner))
        .col_expr(Column::LeaseUntil, Expr::value(until))
        .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
        .filter(key(row.connection_id, &row.slot))
        .filter(Column::Version.eq(row.version))
        .filter(unleased(now))
        .exec_with_returning(db)
        .await?
        .pop())
}

/// Gives back the leases of a node whose process has died.
pub async fn release_leases(db: &impl ConnectionTrait, owner: NodeId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::LeaseOwner.eq(owner))
        .exec(db)
        .await
        .map(|_| ())
}

/// Writes what a refresh changed, if the lease (`fence`) and the secret
/// (`version`) are still the ones it started from. False when they are not.
pub async fn compare_and_swap(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    slot: &str,
    version: i64,
    fence: Option<i64>,
    mut change: ActiveModel,
) -> Result<bool, DbErr> {
    change.lease_owner = Set(None);
    change.lease_until = Set(None);
    let mut update = Entity::update_many()
        .set(change)
        .filter(key(connection, slot))
        .filter(Column::Version.eq(version));
    if let Some(fence) = fence {
        update = update.filter(Column::Fence.eq(fence));
    }
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// Destroys what is stored of a connection: overwritten before it is deleted, so
/// that a page the database keeps for reuse holds nothing.
pub async fn destroy(db: &impl ConnectionTrait, connection: ConnectionId) -> Result<(), DbErr> {
    let none = || Expr::value(None::<String>);
    Entity::update_many()
        .col_expr(Column::AccessSealed, Expr::value(""))
        .col_expr(Column::RefreshSealed, none())
        .col_expr(Column::PreviousRefreshSealed, none())
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await?;
    Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await
        .map(|_| ())
}

fn key(connection: ConnectionId, slot: &str) -> Condition {
    Condition::all()
        .add(Column::ConnectionId.eq(connection))
        .add(Column::Slot.eq(slot))
}

/// All that lending a token needs, read in one statement.
#[derive(Debug, FromQueryResult)]
#[expect(missing_docs, reason = "columns of the tables they come from")]
pub struct Lendable {
    pub key_id: ApiKeyId,
    pub key_tenant: TenantId,
    pub key_scopes: String,
    pub provider: Option<String>,
    pub account_label: Option<String>,
    pub display_name: Option<String>,
    pub external_id: Option<String>,
    pub scopes_granted: Option<String>,
    pub variables: Option<connection::Variables>,
    pub check_failure: Option<Failure>,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub paused_at: Option<DateTime<Utc>>,
    pub access_sealed: Option<String>,
    pub refreshable: Option<bool>,
    pub token_type: Option<String>,
    pub obtained_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub version: Option<i64>,
    pub failure: Option<Failure>,
}

/// The key of that name and, if it is the key's tenant's, the credential.
/// One SELECT: the hot path.
pub async fn lendable(
    db: &impl ConnectionTrait,
    key: api_key::Named,
    connection_id: ConnectionId,
    slot: &str,
) -> Result<Option<Lendable>, DbErr> {
    use sea_orm::sea_query::{Expr, Query};
    let statement = Query::select()
        .expr_as(Expr::col((api_key::Entity, api_key::Column::Id)), "key_id")
        .expr_as(
            Expr::col((api_key::Entity, api_key::Column::TenantId)),
            "key_tenant",
        )
        .expr_as(
            Expr::col((api_key::Entity, api_key::Column::Scopes)),
            "key_scopes",
        )
        .column((connection::Entity, connection::Column::Provider))
        .column((connection::Entity, connection::Column::AccountLabel))
        .column((connection::Entity, connection::Column::DisplayName))
        .column((connection::Entity, connection::Column::ExternalId))
        .column((connection::Entity, connection::Column::ScopesGranted))
        .column((connection::Entity, connection::Column::Variables))
        .expr_as(
            Expr::col((connection::Entity, connection::Column::Failure)),
            "check_failure",
        )
        .column((connection::Entity, connection::Column::DisconnectedAt))
        .column((connection::Entity, connection::Column::PausedAt))
        .column((Entity, Column::AccessSealed))
        .expr_as(
            Expr::col((Entity, Column::RefreshSealed)).is_not_null(),
            "refreshable",
        )
        .column((Entity, Column::TokenType))
        .column((Entity, Column::ObtainedAt))
        .column((Entity, Column::ExpiresAt))
        .column((Entity, Column::Version))
        .expr_as(Expr::col((Entity, Column::Failure)), "failure")
        .from(api_key::Entity)
        .join(
            JoinType::LeftJoin,
            connection::Entity,
            Expr::col((connection::Entity, connection::Column::TenantId))
                .equals((api_key::Entity, api_key::Column::TenantId))
                .and(Expr::col((connection::Entity, connection::Column::Id)).eq(connection_id)),
        )
        .join(
            JoinType::LeftJoin,
            Entity,
            Expr::col((Entity, Column::ConnectionId))
                .equals((connection::Entity, connection::Column::Id))
                .and(Expr::col((Entity, Column::Slot)).eq(slot)),
        )
        .cond_where(key.condition())
        .to_owned();
    Lendable::find_by_statement(db.get_database_backend().build(&statement))
        .one(db)
        .await
}
