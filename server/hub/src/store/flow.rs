//! One attempt to make, extend or repair a connection. It ends; it is never
//! reused.

use chrono::{DateTime, Utc};
use sea_orm::{Condition, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{
    ConnectLinkId, ConnectionId, FlowId, Owner, PersonId, TenantId, connection::Variables,
};
use crate::failure::Failure;

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The person is at the provider.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// The person came back; code and account are being checked.
    #[sea_orm(string_value = "checking")]
    Checking,
    /// Another account signed in than the connection belongs to; the person
    /// decides.
    #[sea_orm(string_value = "other_account")]
    OtherAccount,
    /// The consent opened several organisations; the person chooses one.
    #[sea_orm(string_value = "choosing")]
    Choosing,
    /// It made or repaired a connection.
    #[sea_orm(string_value = "connected")]
    Connected,
    /// It ended with a failure.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// The person ended it on our side.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl Status {
    /// Whether a flow in this state has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Connected | Self::Failed | Self::Cancelled)
    }

    /// The word that is stored, sent and compared.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Checking => "checking",
            Self::OtherAccount => "other_account",
            Self::Choosing => "choosing",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "flow")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FlowId,
    pub tenant_id: TenantId,
    /// Nobody's when a link is its owner.
    pub person_id: PersonId,
    /// Digest of the browser session it was started in.
    pub session_hash: Vec<u8>,
    pub provider: String,
    /// A random word the opener chose, to follow the flow before it knows its
    /// id; only ever looked up together with the person.
    pub handle: Option<String>,
    /// The connection to repair or extend; none makes a new one.
    pub connection_id: Option<ConnectionId>,
    #[sea_orm(unique)]
    pub state_hash: Vec<u8>,
    /// Digest of the PKCE verifier, which is only in the browser's cookie.
    pub verifier_hash: Option<Vec<u8>>,
    pub variables: Variables,
    /// Space-separated.
    #[sea_orm(column_type = "Text")]
    pub scopes: String,
    pub redirect_uri: String,
    /// Whether it was opened in a window of its own.
    pub popup: bool,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub consumed_at: Option<DateTime<Utc>>,
    pub status: Status,
    pub result_connection_id: Option<ConnectionId>,
    pub failure: Option<Failure>,
    /// The sealed grant of another account, while the person decides.
    #[sea_orm(column_type = "Text", nullable)]
    pub held_sealed: Option<String>,
    /// The link by which it was started, if it was.
    pub link_id: Option<ConnectLinkId>,
}

impl Model {
    /// Whose it is.
    pub fn owner(&self) -> Owner {
        Owner::of(self.person_id, self.link_id)
    }
}

/// The flows of one owner.
pub fn owned(tenant: TenantId, owner: Owner) -> Condition {
    Condition::all()
        .add(Column::TenantId.eq(tenant))
        .add(Column::PersonId.eq(owner.person_id()))
        .add(match owner.link() {
            Some(link) => Column::LinkId.eq(link),
            None => Column::LinkId.is_null(),
        })
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Takes a flow out of circulation: one statement, so that of any number of
/// callbacks with one state exactly one goes on.
pub async fn consume(
    db: &impl ConnectionTrait,
    state_hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    Ok(Entity::update_many()
        .col_expr(Column::ConsumedAt, Expr::value(now))
        .col_expr(Column::Status, Expr::value(Status::Checking))
        .filter(Column::StateHash.eq(state_hash))
        .filter(Column::ConsumedAt.is_null())
        .filter(Column::Status.eq(Status::Waiting))
        .filter(Column::ExpiresAt.gt(now))
        .exec_with_returning(db)
        .await?
        .pop())
}

/// Somebody's flow by the word its opener chose.
pub async fn by_handle(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    owner: Owner,
    handle: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(owned(tenant, owner))
        .filter(Column::Handle.eq(handle))
        .order_by_desc(Column::CreatedAt)
        .one(db)
        .await
}

/// Somebody's flows that are still under way.
pub async fn under_way(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(owned(tenant, owner))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::Status.is_in([
            Status::Waiting,
            Status::Checking,
            Status::OtherAccount,
            Status::Choosing,
        ]))
        .order_by_desc(Column::CreatedAt)
        .all(db)
        .await
}

/// The flows that ended between `since` and `now` because nobody came back, that
/// nobody tried again after, and that are not recorded yet.
pub async fn left(
    db: &impl ConnectionTrait,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    use sea_orm::sea_query::{Alias, ExprTrait, Query};
    let recorded = super::attempt::Column::Id;
    let recorded = Query::select()
        .expr(Expr::val(1))
        .from(super::attempt::Entity)
        .and_where(
            Expr::col((super::attempt::Entity, recorded)).eq(Expr::col((Entity, Column::Id))),
        )
        .to_owned();
    let later = Alias::new("later");
    let same = |column: Column| Expr::col((later.clone(), column)).eq(Expr::col((Entity, column)));
    let again = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, later.clone())
        .and_where(same(Column::TenantId))
        .and_where(same(Column::PersonId))
        .and_where(same(Column::Provider))
        .and_where(
            Expr::col((later.clone(), Column::CreatedAt))
                .gt(Expr::col((Entity, Column::CreatedAt))),
        )
        .to_owned();
    Entity::find()
        .filter(Column::ExpiresAt.gt(since))
        .filter(Column::ExpiresAt.lte(now))
        .filter(Column::Status.is_in([Status::Waiting, Status::OtherAccount, Status::Choosing]))
        .filter(Expr::exists(recorded).not())
        .filter(Expr::exists(again).not())
        .order_by_asc(Column::ExpiresAt)
        .all(db)
        .await
}

/// Forgets flows that expired before `before`, and with them anything held.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
