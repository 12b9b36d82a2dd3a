//! One link with which a host application lets one of its own people connect an
//! account, without one here, or with which an e-mail lets its reader repair a
//! connection. It is found by a secret that is stored hashed, is opened in one
//! browser, and is used up by one success.

use chrono::{DateTime, Utc};
use sea_orm::{Condition, IntoActiveModel, QuerySelect, QueryTrait, entity::prelude::*};

use super::{AlarmId, ApiKeyId, ConnectLinkId, ConnectionId, PersonId, TenantId, api_key};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_link")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectLinkId,
    pub tenant_id: TenantId,
    /// The key it was made with, and ends with; [`ApiKeyId::NONE`] of an e-mail.
    pub api_key_id: ApiKeyId,
    #[sea_orm(unique)]
    pub secret_hash: Vec<u8>,
    /// Space-separated.
    #[sea_orm(column_type = "Text")]
    pub providers: String,
    /// The connection to reconnect; none makes a new one.
    pub connection_id: Option<ConnectionId>,
    /// Where its person goes afterwards.
    #[sea_orm(column_type = "Text", nullable)]
    pub return_to: Option<String>,
    /// What the host application knows its person by.
    pub reference: Option<String>,
    /// Digest of what the one browser has that opened it.
    #[sea_orm(unique)]
    pub browser_hash: Option<Vec<u8>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub opened_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
    pub result_connection_id: Option<ConnectionId>,
    /// The person it was mailed to, and the alarm it ends with.
    pub person_id: Option<PersonId>,
    pub alarm_id: Option<AlarmId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether somebody may still connect with it.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.used_at.is_none() && now < self.expires_at
    }
}

/// Adds a link.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Links whose key has not been revoked, and those of e-mails.
fn living() -> Select<Entity> {
    let keys = api_key::Entity::find()
        .select_only()
        .column(api_key::Column::Id)
        .filter(api_key::Column::RevokedAt.is_null());
    let is_known = Column::ApiKeyId.in_subquery(keys.into_query());
    Entity::find().filter(
        Condition::any()
            .add(is_known)
            .add(Column::AlarmId.is_not_null()),
    )
}

/// The link of that secret.
pub async fn by_secret(
    db: &impl ConnectionTrait,
    secret_hash: Vec<u8>,
) -> Result<Option<Model>, DbErr> {
    living()
        .filter(Column::SecretHash.eq(secret_hash))
        .one(db)
        .await
}

/// The link that was opened in this browser.
pub async fn of_browser(
    db: &impl ConnectionTrait,
    browser_hash: Vec<u8>,
) -> Result<Option<Model>, DbErr> {
    living()
        .filter(Column::BrowserHash.eq(browser_hash))
        .one(db)
        .await
}

/// A link, only if it is the tenant's.
pub async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: ConnectLinkId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(db)
        .await
}

/// Gives a link to one browser; false when another has it, or it has ended. One
/// statement, so that of two browsers exactly one gets it. What was mailed goes on
/// in the browser it was opened in last: people begin on the phone.
pub async fn bind(
    db: &impl ConnectionTrait,
    id: ConnectLinkId,
    browser_hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let bound = Entity::update_many()
        .col_expr(Column::BrowserHash, Expr::value(browser_hash))
        .col_expr(Column::OpenedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(
            Condition::any()
                .add(Column::BrowserHash.is_null())
                .add(Column::AlarmId.is_not_null()),
        )
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(db)
        .await?;
    Ok(bound.rows_affected == 1)
}

/// Uses a link up, inside the transaction that saves what it was for; none when
/// it was used before or has ended.
pub async fn use_up(
    db: &impl ConnectionTrait,
    id: ConnectLinkId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    Ok(Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .col_expr(Column::ResultConnectionId, Expr::value(connection))
        .filter(Column::Id.eq(id))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec_with_returning(db)
        .await?
        .pop())
}

/// Ends the links that were mailed about an alarm.
pub async fn end_of_alarm(
    db: &impl ConnectionTrait,
    alarm: AlarmId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(now))
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets links that ended before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
