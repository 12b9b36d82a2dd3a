//! An address where a tenant's system is told of events.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ExprTrait, IntoActiveModel, QueryOrder,
    entity::prelude::*,
    sea_query::Func,
};

use super::{PersonId, TenantId, WebhookId, delivery, event, tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookId,
    pub tenant_id: TenantId,
    #[sea_orm(column_type = "Text")]
    pub url: String,
    /// The kinds of events it is told of, space-separated; none means all.
    #[sea_orm(column_type = "Text")]
    pub kinds: String,
    /// What messages are signed with.
    #[sea_orm(column_type = "Text")]
    pub secret_sealed: String,
    /// The secret before it, with which messages are signed, too, until
    /// `previous_until`.
    #[sea_orm(column_type = "Text", nullable)]
    pub previous_sealed: Option<String>,
    pub previous_until: Option<DateTime<Utc>>,
    /// Counts the secrets.
    pub version: i64,
    /// The number of the newest event that was queued for it.
    pub told_seq: i64,
    /// How often in a row it did not take a message.
    pub failures: i32,
    /// Nothing is sent before this.
    pub paused_until: Option<DateTime<Utc>>,
    pub last_ok_at: Option<DateTime<Utc>>,
    /// Why it did not take the last message, until it takes one.
    pub problem: Option<String>,
    pub failed_at: Option<DateTime<Utc>>,
    /// When it said that it is gone for good.
    pub ended_at: Option<DateTime<Utc>>,
    pub created_by: Option<PersonId>,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether it wants to hear of this kind.
    pub fn wants(&self, kind: event::Kind) -> bool {
        let name = event::name(kind);
        self.kinds.is_empty() || self.kinds.split(' ').any(|wanted| wanted == name)
    }
}

/// A webhook, only if it is the tenant's.
pub async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: WebhookId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(db)
        .await
}

/// The tenant's webhooks, oldest first.
pub async fn all_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Up to which event everything is queued that the tenant's webhooks want; none
/// when there are none that are told.
pub async fn all_queued(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Option<i64>, DbErr> {
    use sea_orm::QuerySelect;
    let lowest: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Column::ToldSeq.min(), "lowest")
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::EndedAt.is_null())
        .into_tuple()
        .one(db)
        .await?;
    Ok(lowest.flatten())
}

/// Adds a webhook.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Writes the next secret of a webhook; none when it has another than `before`.
pub async fn replace_secret(
    db: &impl ConnectionTrait,
    before: &Model,
    change: ActiveModel,
) -> Result<Option<Model>, DbErr> {
    let rows = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(before.id))
        .filter(Column::TenantId.eq(before.tenant_id))
        .filter(Column::Version.eq(before.version))
        .exec_with_returning(db)
        .await?;
    Ok(rows.into_iter().next())
}

/// Takes a webhook away with all that waits for it; false when it is not the
/// tenant's.
pub async fn delete(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: WebhookId,
) -> Result<bool, DbErr> {
    let gone = Entity::delete_many()
        .filter(Column::Id.eq(id))
        .filter(Column::TenantId.eq(tenant))
        .exec(db)
        .await?;
    if gone.rows_affected == 0 {
        return Ok(false);
    }
    delivery::Entity::delete_many()
        .filter(delivery::Column::WebhookId.eq(id))
        .exec(db)
        .await?;
    Ok(true)
}

/// Those of any tenant for which events have not been queued yet.
pub async fn behind(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .inner_join_tenant()
        .filter(Column::EndedAt.is_null())
        .filter(
            Expr::col((tenant::Entity, tenant::Column::EventSeq))
                .gt(Expr::col((Entity, Column::ToldSeq))),
        )
        .all(db)
        .await
}

trait WithTenant {
    fn inner_join_tenant(self) -> Self;
}

impl WithTenant for Select<Entity> {
    fn inner_join_tenant(self) -> Self {
        use sea_orm::{QuerySelect, sea_query::JoinType};
        let relation = Entity::belongs_to(tenant::Entity)
            .from(Column::TenantId)
            .to(tenant::Column::Id)
            .into();
        self.join(JoinType::InnerJoin, relation)
    }
}

/// Notes that events up to `seq` are queued, if nobody did meanwhile.
pub async fn told(
    db: &impl ConnectionTrait,
    id: WebhookId,
    before: i64,
    seq: i64,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ToldSeq, Expr::value(seq))
        .filter(Column::Id.eq(id))
        .filter(Column::ToldSeq.eq(before))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes that it took a message. Many are noted at once, so nothing that was
/// read before is written back, and a rest that was asked for with another goes on.
pub async fn took(
    db: &impl ConnectionTrait,
    id: WebhookId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let fine = ActiveModel {
        failures: Set(0),
        last_ok_at: Set(Some(now)),
        problem: Set(None),
        failed_at: Set(None),
        ..Default::default()
    };
    Entity::update_many()
        .set(fine)
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Notes that it did not take a message; the row as it is then, if there still
/// is one.
pub async fn refused(
    db: &impl ConnectionTrait,
    id: WebhookId,
    problem: &str,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let since = Func::coalesce([Expr::col(Column::FailedAt), Expr::value(now)]);
    let rows = Entity::update_many()
        .col_expr(Column::Failures, Expr::col(Column::Failures).add(1))
        .col_expr(Column::FailedAt, since.into())
        .col_expr(Column::Problem, Expr::value(problem))
        .filter(Column::Id.eq(id))
        .exec_with_returning(db)
        .await?;
    Ok(rows.into_iter().next())
}

/// Ends its rest.
pub async fn wake(db: &impl ConnectionTrait, id: WebhookId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(
            Column::PausedUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Leaves it alone until `until`, or for good.
pub async fn rest(
    db: &impl ConnectionTrait,
    id: WebhookId,
    paused_until: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
) -> Result<(), DbErr> {
    let rests = ActiveModel {
        paused_until: paused_until.map_or(NotSet, |until| Set(Some(until))),
        ended_at: ended_at.map_or(NotSet, |at| Set(Some(at))),
        ..Default::default()
    };
    Entity::update_many()
        .set(rests)
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}
