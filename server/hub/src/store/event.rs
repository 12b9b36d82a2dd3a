//! Facts others may react to, numbered per tenant without gaps.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait, FromJsonQueryResult, Iterable, Order, QueryOrder, QuerySelect,
    QueryTrait,
    entity::prelude::*,
    sea_query::{Alias, Func, Query, SelectStatement, WindowStatement},
};
use serde::{Deserialize, Serialize};

use super::{
    ConnectLinkId, ConnectionId, EventId, FlowId, PersonId, RunId, SyncRunId, TenantId, connection,
    delivery, tenant, webhook,
};
use crate::{certificate::Whose, failure::Failure};

/// How long events are kept.
pub const KEPT: TimeDelta = TimeDelta::days(365);
/// How long those are kept that are of interest at the moment only.
pub const MOMENT_KEPT: TimeDelta = TimeDelta::days(30);
/// How many of a connection are kept however old they are: its page shows them.
const NEWEST_KEPT: i64 = 20;
/// How many are forgotten in one statement.
const SWEPT_AT_ONCE: u64 = 2_000;

/// What says when a person signed in to a connection.
pub const BY_PERSON: [Kind; 2] = [Kind::ConnectionCreated, Kind::ConnectionReconnected];
/// What says what went wrong with a connection.
pub const WENT_WRONG: [Kind; 2] = [Kind::ConnectionDegraded, Kind::ConnectionActionRequired];
/// What is not in a connection's history: renewals and readings that worked and what
/// automations did would push out what matters.
const NOT_SHOWN: [Kind; 7] = [
    Kind::FlowChanged,
    Kind::HelpAsked,
    Kind::SyncCompleted,
    Kind::ConnectionChanged,
    Kind::ConnectionRefreshed,
    Kind::RunPaused,
    Kind::RunResumed,
];

/// What happened, one per transition and never per attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    #[sea_orm(string_value = "connection.created")]
    #[serde(rename = "connection.created")]
    ConnectionCreated,
    #[sea_orm(string_value = "connection.reconnected")]
    #[serde(rename = "connection.reconnected")]
    ConnectionReconnected,
    #[sea_orm(string_value = "connection.refreshed")]
    #[serde(rename = "connection.refreshed")]
    ConnectionRefreshed,
    #[sea_orm(string_value = "connection.degraded")]
    #[serde(rename = "connection.degraded")]
    ConnectionDegraded,
    #[sea_orm(string_value = "connection.action_required")]
    #[serde(rename = "connection.action_required")]
    ConnectionActionRequired,
    #[sea_orm(string_value = "connection.healed")]
    #[serde(rename = "connection.healed")]
    ConnectionHealed,
    #[sea_orm(string_value = "connection.checked")]
    #[serde(rename = "connection.checked")]
    ConnectionChecked,
    #[sea_orm(string_value = "connection.expiring")]
    #[serde(rename = "connection.expiring")]
    ConnectionExpiring,
    #[sea_orm(string_value = "connection.scopes_changed")]
    #[serde(rename = "connection.scopes_changed")]
    ConnectionScopesChanged,
    #[sea_orm(string_value = "connection.paused")]
    #[serde(rename = "connection.paused")]
    ConnectionPaused,
    #[sea_orm(string_value = "connection.resumed")]
    #[serde(rename = "connection.resumed")]
    ConnectionResumed,
    #[sea_orm(string_value = "provider.degraded")]
    #[serde(rename = "provider.degraded")]
    ProviderDegraded,
    #[sea_orm(string_value = "provider.healed")]
    #[serde(rename = "provider.healed")]
    ProviderHealed,
    #[sea_orm(string_value = "connection.renamed")]
    #[serde(rename = "connection.renamed")]
    ConnectionRenamed,
    #[sea_orm(string_value = "connection.cleared")]
    #[serde(rename = "connection.cleared")]
    ConnectionCleared,
    #[sea_orm(string_value = "connection.disconnected")]
    #[serde(rename = "connection.disconnected")]
    ConnectionDisconnected,
    #[sea_orm(string_value = "connection.deleted")]
    #[serde(rename = "connection.deleted")]
    ConnectionDeleted,
    #[sea_orm(string_value = "sync.completed")]
    #[serde(rename = "sync.completed")]
    SyncCompleted,
    #[sea_orm(string_value = "sync.failed")]
    #[serde(rename = "sync.failed")]
    SyncFailed,
    #[sea_orm(string_value = "connection.changed")]
    #[serde(rename = "connection.changed")]
    ConnectionChanged,
    #[sea_orm(string_value = "run.paused")]
    #[serde(rename = "run.paused")]
    RunPaused,
    #[sea_orm(string_value = "run.resumed")]
    #[serde(rename = "run.resumed")]
    RunResumed,
    #[sea_orm(string_value = "flow.changed")]
    #[serde(rename = "flow.changed")]
    FlowChanged,
    /// Somebody asks the event's person for help with a connection.
    #[sea_orm(string_value = "help.asked")]
    #[serde(rename = "help.asked")]
    HelpAsked,
}

impl Kind {
    /// Whether systems outside hear of it. A flow, and being asked for help, is
    /// between the hub and one person, a check that changed nothing is no news, and a
    /// hiccup is only drawn.
    pub fn is_told(self) -> bool {
        !matches!(
            self,
            Self::FlowChanged | Self::HelpAsked | Self::ConnectionChecked | Self::ConnectionChanged
        )
    }

    /// Whether it is of interest at the moment only: the next of its kind says as
    /// much.
    fn is_of_the_moment(self) -> bool {
        matches!(
            self,
            Self::ConnectionRefreshed
                | Self::ConnectionChecked
                | Self::ConnectionChanged
                | Self::FlowChanged
        )
    }

    /// Every kind that systems outside may hear of.
    pub fn told() -> impl Iterator<Item = Self> {
        Self::iter().filter(|kind| kind.is_told())
    }
}

/// A kind as it is written: `connection.healed`.
pub fn name(kind: Kind) -> String {
    sea_orm::ActiveEnum::to_value(&kind)
}

/// What an event carries besides its subject; never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Data {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowId>,
    /// The handle the opener of a flow chose for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The link by which it was done, and what the host application knows its
    /// person by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<ConnectLinkId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The provider it is about, where it is not about one connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Since when it fails, where that was before the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// When the access ends, and why then: `approval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_because: Option<String>,
    /// Whose certificate it is that ends, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Whose>,
    /// The permissions that came and went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_gained: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_lost: Vec<String>,
    /// The reading it is about, and how much there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<SyncRunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<i32>,
    /// The use by an automation it is about, and what the host application
    /// knows that by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The uses that waited for the connection, and ended with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs_ended: Vec<RunId>,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub id: EventId,
    pub kind: Kind,
    pub connection_id: Option<ConnectionId>,
    /// Who did it; none when the hub did.
    pub person_id: Option<PersonId>,
    pub data: Data,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An event before it has a number.
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct New {
    pub tenant: TenantId,
    pub kind: Kind,
    pub connection: Option<ConnectionId>,
    pub person: Option<PersonId>,
    pub data: Data,
}

/// Appends an event inside the transaction of the fact it tells.
///
/// Raising the tenant's counter locks its row until the commit, so numbers are
/// given in commit order: a reader that has seen number n will never find a
/// smaller one appear later.
pub async fn append(db: &impl ConnectionTrait, new: New, now: DateTime<Utc>) -> Result<i64, DbErr> {
    let seq = tenant::Entity::update_many()
        .col_expr(
            tenant::Column::EventSeq,
            Expr::col(tenant::Column::EventSeq).add(1),
        )
        .filter(tenant::Column::Id.eq(new.tenant))
        .exec_with_returning(db)
        .await?
        .first()
        .map(|tenant| tenant.event_seq)
        .ok_or_else(|| DbErr::RecordNotFound("tenant of an event".into()))?;
    // Whoever appends an event, its alarm is raised or withdrawn with it.
    super::alarm::follow(db, &new, now).await?;
    Entity::insert(ActiveModel {
        tenant_id: Set(new.tenant),
        seq: Set(seq),
        id: Set(EventId::new()),
        kind: Set(new.kind),
        connection_id: Set(new.connection),
        person_id: Set(new.person),
        data: Set(new.data),
        at: Set(now),
    })
    .exec_without_returning(db)
    .await?;
    Ok(seq)
}

/// The tenant's events after number `after`, oldest first, at most `limit`.
pub async fn after(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    after: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.gt(after))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// The tenant's event of that number, if it is still there.
pub async fn numbered(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    seq: i64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find_by_id((tenant, seq)).all(db).await
}

/// The same of what systems outside are told.
pub async fn told_after(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    after: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.gt(after))
        .filter(Column::Kind.is_in(Kind::told()))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// The number of the newest event of these kinds of each connection.
fn newest_of<const N: usize>(tenant: TenantId, kinds: [Kind; N]) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column_as(Column::Seq.max(), "seq")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Kind.is_in(kinds))
        .group_by(Column::ConnectionId)
}

/// The newest event of each connection, for each group of kinds by itself.
pub async fn latest<const N: usize>(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connections: &[ConnectionId],
    groups: &[[Kind; N]],
) -> Result<Vec<Model>, DbErr> {
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    let newest = groups.iter().fold(Condition::any(), |any, kinds| {
        let numbers = newest_of(tenant, *kinds)
            .filter(Column::ConnectionId.is_in(connections.iter().copied()));
        any.add(Column::Seq.in_subquery(numbers.into_query()))
    });
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(newest)
        .all(db)
        .await
}

/// The newest events of a connection that its history shows, newest first.
pub async fn of_connection(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Kind.is_not_in(NOT_SHOWN))
        .order_by_desc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// Forgets what is older at `now` than it is kept. Kept are what a webhook has still
/// to be told, and what a connection's page shows.
pub async fn sweep(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let of_the_moment = Kind::iter().filter(|kind| kind.is_of_the_moment());
    let old = Condition::any().add(Column::At.lt(now - KEPT)).add(
        Condition::all()
            .add(Column::Kind.is_in(of_the_moment))
            .add(Column::At.lt(now - MOMENT_KEPT)),
    );
    let waiting = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Seq)
        .filter(delivery::Column::TenantId.eq(tenant))
        .filter(delivery::Column::State.ne(delivery::State::Delivered));
    let queued = webhook::all_queued(db, tenant).await?.unwrap_or(i64::MAX);
    let kept = [
        waiting.into_query(),
        shown(tenant),
        newest_of(tenant, BY_PERSON).into_query(),
        newest_of(tenant, WENT_WRONG).into_query(),
    ];
    let over = kept.into_iter().fold(
        Entity::find()
            .select_only()
            .column(Column::Seq)
            .filter(Column::TenantId.eq(tenant))
            .filter(Column::Seq.lte(queued))
            .filter(old),
        |rows, kept| rows.filter(Column::Seq.not_in_subquery(kept)),
    );
    // A little at a time: others write, too.
    let over = over.order_by_asc(Column::Seq).limit(SWEPT_AT_ONCE);
    loop {
        let numbers: Vec<i64> = over.clone().into_tuple().all(db).await?;
        let found = numbers.len() as u64;
        if found > 0 {
            Entity::delete_many()
                .filter(Column::TenantId.eq(tenant))
                .filter(Column::Seq.is_in(numbers))
                .exec(db)
                .await?;
        }
        if found < SWEPT_AT_ONCE {
            return Ok(());
        }
    }
}

/// The numbers of what the pages of a tenant's connections show.
fn shown(tenant: TenantId) -> SelectStatement {
    let there = connection::Entity::find()
        .select_only()
        .column(connection::Column::Id)
        .filter(connection::Column::TenantId.eq(tenant))
        .into_query();
    let (nth, ranked) = (Alias::new("nth"), Alias::new("ranked"));
    let by_age = WindowStatement::partition_by(Column::ConnectionId)
        .order_by(Column::Seq, Order::Desc)
        .to_owned();
    let of_each = Query::select()
        .column(Column::Seq)
        .expr_window_as(Func::cust("ROW_NUMBER"), by_age, nth.clone())
        .from(Entity)
        .and_where(Column::TenantId.eq(tenant))
        .and_where(Column::ConnectionId.in_subquery(there))
        .and_where(Column::Kind.is_not_in(NOT_SHOWN))
        .to_owned();
    Query::select()
        .column(Column::Seq)
        .from_subquery(of_each, ranked)
        .and_where(Expr::col(nth).lte(NEWEST_KEPT))
        .to_owned()
}
