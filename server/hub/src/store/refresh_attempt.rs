//! One try to renew a token, recorded before anything is sent, so that a crash
//! in between leaves a trace.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{AttemptId, ConnectionId, NodeId, credential};

/// How far a try came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Phase {
    /// It may have reached the provider; its answer is not stored.
    #[sea_orm(string_value = "sending")]
    Sending,
    /// Its fate is known.
    #[sea_orm(string_value = "done")]
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_attempt")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    pub connection_id: ConnectionId,
    pub slot: String,
    pub fence: i64,
    pub version: i64,
    /// SHA-256 of what was presented, to tell tries with the same token apart
    /// from others without storing it.
    pub fingerprint: Vec<u8>,
    /// Whose spool may hold the answer.
    pub node_id: NodeId,
    pub phase: Phase,
    pub outcome: Option<String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Records the intent to send.
pub async fn begin(
    db: &impl ConnectionTrait,
    credential: &credential::Model,
    fingerprint: Vec<u8>,
    node: NodeId,
    now: DateTime<Utc>,
) -> Result<AttemptId, DbErr> {
    let id = AttemptId::new();
    Entity::insert(ActiveModel {
        id: Set(id),
        connection_id: Set(credential.connection_id),
        slot: Set(credential.slot.clone()),
        fence: Set(credential.fence),
        version: Set(credential.version),
        fingerprint: Set(fingerprint),
        node_id: Set(node),
        phase: Set(Phase::Sending),
        outcome: Set(None),
        started_at: Set(now),
        finished_at: Set(None),
    })
    .exec_without_returning(db)
    .await?;
    Ok(id)
}

/// The tries with this secret whose fate is unknown, oldest first.
pub async fn open(
    db: &impl ConnectionTrait,
    credential: &credential::Model,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::ConnectionId.eq(credential.connection_id))
        .filter(Column::Slot.eq(&credential.slot))
        .filter(Column::Version.eq(credential.version))
        .filter(Column::Phase.eq(Phase::Sending))
        .order_by_asc(Column::StartedAt)
        .all(db)
        .await
}

/// When a slot of a connection was last tried to be renewed, if that is known.
pub async fn latest(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    slot: &str,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::StartedAt)
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::Slot.eq(slot))
        .order_by_desc(Column::StartedAt)
        .into_tuple()
        .one(db)
        .await
}

/// Records the fate of a try.
pub async fn finish(
    db: &impl ConnectionTrait,
    id: AttemptId,
    outcome: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    settle(db, Column::Id.eq(id).into(), outcome, now).await
}

/// Records the fate of every open try with one secret: once it was replaced or
/// given up, none of them can matter any more.
pub async fn finish_all(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    slot: &str,
    outcome: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let condition = sea_orm::Condition::all()
        .add(Column::ConnectionId.eq(connection))
        .add(Column::Slot.eq(slot))
        .add(Column::Phase.eq(Phase::Sending));
    settle(db, condition, outcome, now).await
}

async fn settle(
    db: &impl ConnectionTrait,
    condition: sea_orm::Condition,
    outcome: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Phase, Expr::value(Phase::Done))
        .col_expr(Column::Outcome, Expr::value(outcome))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(condition)
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets tries that ended before `before`; open ones are kept.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Phase.eq(Phase::Done))
        .filter(Column::FinishedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets every try for a connection.
pub async fn forget(db: &impl ConnectionTrait, connection: ConnectionId) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await
        .map(|_| ())
}
