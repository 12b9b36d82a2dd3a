//! One person's being told of an alarm, in the hub: why they are, and whether
//! they have read it.

use chrono::{DateTime, Utc};
use sea_orm::{
    ExprTrait, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*,
};

use super::{AlarmId, NoticeId, PersonId, TenantId, alarm};

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Reason {
    /// They look after the connection.
    #[sea_orm(string_value = "trouble")]
    Trouble,
    /// Nobody who looks after it did anything for a day.
    #[sea_orm(string_value = "unattended")]
    Unattended,
    /// Somebody who may not repair it asks them to.
    #[sea_orm(string_value = "asked")]
    Asked,
    /// It works again, which they wanted to know.
    #[sea_orm(string_value = "works")]
    Works,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NoticeId,
    pub tenant_id: TenantId,
    pub person_id: PersonId,
    pub alarm_id: AlarmId,
    pub reason: Reason,
    /// Who asked.
    pub by_person_id: Option<PersonId>,
    pub at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Tells a person of an alarm; false when they were told for this reason before.
pub async fn add(
    db: &impl ConnectionTrait,
    alarm: &alarm::Model,
    person: PersonId,
    reason: Reason,
    by: Option<PersonId>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = Model {
        id: NoticeId::new(),
        tenant_id: alarm.tenant_id,
        person_id: person,
        alarm_id: alarm.id,
        reason,
        by_person_id: by,
        at: now,
        read_at: None,
        ended_at: None,
    };
    let added = Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::AlarmId, Column::PersonId, Column::Reason])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(added, sea_orm::TryInsertResult::Inserted(1)))
}

/// Withdraws what everybody was told of an alarm.
pub async fn end(
    db: &impl ConnectionTrait,
    alarm: AlarmId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::EndedAt.is_null())
        .exec(db)
        .await
        .map(|_| ())
}

fn standing(tenant: TenantId, person: PersonId) -> Select<Entity> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::EndedAt.is_null())
}

/// What a person is told now, newest first.
pub async fn of_person(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    standing(tenant, person)
        .order_by_desc(Column::At)
        .limit(limit)
        .all(db)
        .await
}

/// The same of what they are told for one of these reasons.
pub async fn for_reasons(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    reasons: &[Reason],
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    standing(tenant, person)
        .filter(Column::Reason.is_in(reasons.iter().copied()))
        .order_by_desc(Column::At)
        .limit(limit)
        .all(db)
        .await
}

/// What a person was told before `at`, for one of these reasons, and is over
/// since.
pub async fn over_since(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    reasons: &[Reason],
    at: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::Reason.is_in(reasons.iter().copied()))
        .filter(Column::At.lte(at))
        .filter(Column::EndedAt.gte(at))
        .all(db)
        .await
}

/// Whether a person is told of an alarm, for whatever reason.
pub async fn is_told(
    db: &impl ConnectionTrait,
    alarm: AlarmId,
    person: PersonId,
) -> Result<bool, DbErr> {
    Entity::find()
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::PersonId.eq(person))
        .filter(Column::EndedAt.is_null())
        .exists(db)
        .await
}

/// The alarms that called whoever looks after their connection.
pub fn called() -> sea_orm::sea_query::SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::AlarmId)
        .filter(Column::Reason.eq(Reason::Trouble))
        .into_query()
}

/// Whether an alarm called somebody.
pub async fn is_called(db: &impl ConnectionTrait, alarm: AlarmId) -> Result<bool, DbErr> {
    Entity::find()
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::Reason.eq(Reason::Trouble))
        .exists(db)
        .await
}

/// How many troubles a person has not read about.
pub async fn unread(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<i64, DbErr> {
    let count = standing(tenant, person)
        .filter(Column::ReadAt.is_null())
        .select_only()
        .column_as(Expr::col(Column::AlarmId).count_distinct(), "n")
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or_default())
}

/// Notes that a person has read everything there is at `now`.
pub async fn read_all(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::ReadAt, Expr::value(now))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::ReadAt.is_null())
        .exec(db)
        .await?;
    // What works again has been said, and is not said twice.
    Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::Reason.eq(Reason::Works))
        .filter(Column::EndedAt.is_null())
        .exec(db)
        .await
        .map(|_| ())
}

/// Who was asked about an alarm, by whom and when.
pub async fn asked(db: &impl ConnectionTrait, alarms: Vec<AlarmId>) -> Result<Vec<Model>, DbErr> {
    if alarms.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find()
        .filter(Column::AlarmId.is_in(alarms))
        .filter(Column::Reason.eq(Reason::Asked))
        .all(db)
        .await
}

/// How often a person has asked since `after`.
pub async fn count_asked_by(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    by: PersonId,
    after: DateTime<Utc>,
) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::ByPersonId.eq(by))
        .filter(Column::At.gt(after))
        .count(db)
        .await
}

/// Whether a person was told, for one of these reasons, before `before` of what
/// is wrong still.
pub async fn concerned_by(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    reasons: &[Reason],
    before: DateTime<Utc>,
) -> Result<bool, DbErr> {
    standing(tenant, person)
        .filter(Column::Reason.is_in(reasons.iter().copied()))
        .filter(Column::At.lte(before))
        .filter(Column::AlarmId.in_subquery(open_alarms()))
        .exists(db)
        .await
}

fn open_alarms() -> sea_orm::sea_query::SelectStatement {
    alarm::Entity::find()
        .select_only()
        .column(alarm::Column::Id)
        .filter(alarm::Column::EndedAt.is_null())
        .into_query()
}

/// Everybody who was told before `before` of what is wrong still, each with their
/// tenant.
pub async fn concerned(
    db: &impl ConnectionTrait,
    before: DateTime<Utc>,
) -> Result<Vec<(TenantId, PersonId)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::TenantId)
        .column(Column::PersonId)
        .distinct()
        .filter(Column::EndedAt.is_null())
        .filter(Column::At.lte(before))
        .filter(Column::AlarmId.in_subquery(open_alarms()))
        .into_tuple()
        .all(db)
        .await
}
