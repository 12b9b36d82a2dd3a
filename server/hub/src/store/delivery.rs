//! One event for one webhook: waiting, delivered, or given up.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ExprTrait, IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Alias, IntoIden, Query},
};

use super::{ConnectionId, TenantId, WebhookId, webhook};

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum State {
    /// It is to be sent, for the first time or again.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// It was taken.
    #[sea_orm(string_value = "delivered")]
    Delivered,
    /// It was not taken for too long.
    #[sea_orm(string_value = "given_up")]
    GivenUp,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook_id: WebhookId,
    /// The event's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub tenant_id: TenantId,
    /// What is told of one connection is told in order.
    pub connection_id: Option<ConnectionId>,
    pub state: State,
    pub tries: i32,
    /// When it is to be sent; while it is being sent, when another may try.
    pub next_try_at: DateTime<Utc>,
    pub first_try_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// What the last try was answered.
    pub status: Option<i32>,
    pub problem: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Queues deliveries; one that is there already stays as it is.
pub async fn queue(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let there = sea_orm::sea_query::OnConflict::columns([Column::WebhookId, Column::Seq])
        .do_nothing()
        .to_owned();
    Entity::insert_many(rows.into_iter().map(IntoActiveModel::into_active_model))
        .on_conflict(there)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Those of any tenant that are to be told of something at `now`: they neither rest
/// nor have ended.
pub async fn webhooks_due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<WebhookId>, DbErr> {
    waiting(now)
        .select_only()
        .column(Column::WebhookId)
        .distinct()
        .into_tuple()
        .all(db)
        .await
}

/// What is to be sent to a webhook at `now`, the longest due first. Of one
/// connection only the oldest.
pub async fn due(
    db: &impl ConnectionTrait,
    webhook: WebhookId,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let earlier = Alias::new("earlier").into_iden();
    let of_earlier = |column: Column| Expr::col((earlier.clone(), column));
    let of_this = |column: Column| Expr::col((Entity, column));
    let one_before = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, earlier.clone())
        .and_where(of_earlier(Column::WebhookId).eq(of_this(Column::WebhookId)))
        .and_where(of_earlier(Column::ConnectionId).eq(of_this(Column::ConnectionId)))
        .and_where(of_earlier(Column::State).eq(State::Waiting))
        .and_where(of_earlier(Column::Seq).lt(of_this(Column::Seq)))
        .to_owned();
    waiting(now)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Expr::exists(one_before).not())
        .order_by_asc(Column::NextTryAt)
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// What waits and is due, but where the webhook rests or has ended.
fn waiting(now: DateTime<Utc>) -> Select<Entity> {
    let resting = Query::select()
        .column(webhook::Column::Id)
        .from(webhook::Entity)
        .cond_where(
            sea_orm::Condition::any()
                .add(webhook::Column::EndedAt.is_not_null())
                .add(webhook::Column::PausedUntil.gt(now)),
        )
        .to_owned();
    Entity::find()
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::NextTryAt.lte(now))
        .filter(Column::WebhookId.not_in_subquery(resting))
}

/// Takes a delivery for oneself until `until`; false when somebody else did.
pub async fn claim(
    db: &impl ConnectionTrait,
    row: &Model,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextTryAt, Expr::value(until))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .col_expr(
            Column::FirstTryAt,
            Expr::value(row.first_try_at.unwrap_or(now)),
        )
        .filter(Column::WebhookId.eq(row.webhook_id))
        .filter(Column::Seq.eq(row.seq))
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::Tries.eq(row.tries))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// How many of a webhook are in each state that matters: waiting, given up.
pub async fn counts(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<(WebhookId, State, i64)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::WebhookId)
        .column(Column::State)
        .column_as(Expr::col(Column::Seq).count(), "n")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::State.ne(State::Delivered))
        .group_by(Column::WebhookId)
        .group_by(Column::State)
        .into_tuple()
        .all(db)
        .await
}

/// Has everything of a webhook sent again that was given up.
pub async fn revive(
    db: &impl ConnectionTrait,
    webhook: WebhookId,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let again = ActiveModel {
        state: Set(State::Waiting),
        next_try_at: Set(now),
        first_try_at: Set(None),
        ended_at: Set(None),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(again)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::State.eq(State::GivenUp))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Takes out of a webhook's queue what comes after event number `after`.
pub async fn forget_after(
    db: &impl ConnectionTrait,
    webhook: WebhookId,
    after: i64,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Seq.gt(after))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what ended before `before`.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::EndedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
