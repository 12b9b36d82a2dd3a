//! One e-mail to one person: waiting, sent, withdrawn or given up. The rows are
//! the outbox. They say what a mail is about and never what it says: that is
//! written when it is sent, from how things are then.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, Condition, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
};

use super::{AlarmId, MailId, PersonId, TenantId, alarm};

/// How many are asked about in one statement.
const MOST_ASKED: usize = 500;

/// What a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Kind {
    /// Something needs a person.
    #[sea_orm(string_value = "alarm")]
    Alarm,
    /// Nobody did anything for a day.
    #[sea_orm(string_value = "unattended")]
    Unattended,
    /// Somebody asks for it to be repaired.
    #[sea_orm(string_value = "asked")]
    Asked,
    /// What a mail was sent about works again.
    #[sea_orm(string_value = "solved")]
    Solved,
    /// What somebody waited for works again.
    #[sea_orm(string_value = "works")]
    Works,
    /// Everything that is still wrong.
    #[sea_orm(string_value = "digest")]
    Digest,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum State {
    /// It is to be sent, for the first time or again.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// The mail server took it.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// It was over, or not wanted, before it was sent.
    #[sea_orm(string_value = "withdrawn")]
    Withdrawn,
    /// The mail server did not take it, for good or for too long.
    #[sea_orm(string_value = "given_up")]
    GivenUp,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    pub tenant_id: TenantId,
    pub person_id: PersonId,
    pub alarm_id: Option<AlarmId>,
    pub kind: Kind,
    /// Who asked.
    pub by_person_id: Option<PersonId>,
    /// What it is, so that it is queued once.
    #[sea_orm(unique)]
    pub once: String,
    pub state: State,
    /// When it is to be sent; while it is being sent, when another may try.
    pub due_at: DateTime<Utc>,
    pub tries: i32,
    pub first_try_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub problem: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Queues a mail about an alarm; one that was queued before stays as it is.
pub async fn queue(
    db: &impl ConnectionTrait,
    kind: Kind,
    alarm: &alarm::Model,
    person: PersonId,
    by: Option<PersonId>,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let once = format!("{} {} {person}", kind.to_value(), alarm.id);
    let row = new(kind, (alarm.tenant_id, person), once, due_at, now);
    let row = Model {
        alarm_id: Some(alarm.id),
        by_person_id: by,
        ..row
    };
    insert(db, row).await
}

/// Queues a person's digest of a day.
pub async fn queue_digest(
    db: &impl ConnectionTrait,
    (tenant, person): (TenantId, PersonId),
    day: chrono::NaiveDate,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let once = digest_of((tenant, person), day);
    insert(db, new(Kind::Digest, (tenant, person), once, now, now)).await
}

fn digest_of((tenant, person): (TenantId, PersonId), day: chrono::NaiveDate) -> String {
    format!("digest {tenant} {person} {day}")
}

/// Those of `people` whose digest of a day was not queued yet.
pub async fn without_digest(
    db: &impl ConnectionTrait,
    people: Vec<(TenantId, PersonId)>,
    day: chrono::NaiveDate,
) -> Result<Vec<(TenantId, PersonId)>, DbErr> {
    let mut without = Vec::new();
    for some in people.chunks(MOST_ASKED) {
        let queued: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Once)
            .filter(Column::Once.is_in(some.iter().map(|whose| digest_of(*whose, day))))
            .into_tuple()
            .all(db)
            .await?;
        let queued: HashSet<String> = queued.into_iter().collect();
        let has_none = |whose: &&(TenantId, PersonId)| !queued.contains(&digest_of(**whose, day));
        without.extend(some.iter().filter(has_none));
    }
    Ok(without)
}

fn new(
    kind: Kind,
    (tenant_id, person_id): (TenantId, PersonId),
    once: String,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Model {
    Model {
        id: MailId::new(),
        tenant_id,
        person_id,
        alarm_id: None,
        kind,
        by_person_id: None,
        once,
        state: State::Waiting,
        due_at,
        tries: 0,
        first_try_at: None,
        created_at: now,
        ended_at: None,
        problem: None,
    }
}

async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::Once])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Takes back the mails about an alarm that were not sent. Answers who has had
/// one.
pub async fn withdraw(
    db: &impl ConnectionTrait,
    alarm: AlarmId,
    now: DateTime<Utc>,
) -> Result<Vec<PersonId>, DbErr> {
    let about = [Kind::Alarm, Kind::Unattended, Kind::Asked];
    Entity::update_many()
        .set(ended(State::Withdrawn, now))
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::Kind.is_in(about))
        .filter(Column::State.eq(State::Waiting))
        .exec(db)
        .await?;
    Entity::find()
        .select_only()
        .column(Column::PersonId)
        .distinct()
        .filter(Column::AlarmId.eq(alarm))
        .filter(Column::Kind.is_in(about))
        .filter(Column::State.eq(State::Sent))
        .into_tuple()
        .all(db)
        .await
}

fn ended(state: State, now: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        state: Set(state),
        ended_at: Set(Some(now)),
        ..Default::default()
    }
}

/// What is to be sent at `now`, the longest due first.
pub async fn due(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// Takes a mail for oneself until `until`; false when somebody else did, or it
/// was taken back.
pub async fn claim(
    db: &impl ConnectionTrait,
    row: &Model,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(until))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .col_expr(
            Column::FirstTryAt,
            Expr::value(row.first_try_at.unwrap_or(now)),
        )
        .filter(Column::Id.eq(row.id))
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::Tries.eq(row.tries))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes that the mail server took it, also when it was taken back meanwhile.
pub async fn sent(db: &impl ConnectionTrait, id: MailId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let change = ActiveModel {
        problem: Set(None),
        ..ended(State::Sent, now)
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Notes that it is not sent.
pub async fn end(
    db: &impl ConnectionTrait,
    id: MailId,
    state: State,
    problem: Option<String>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let change = ActiveModel {
        problem: Set(problem),
        ..ended(state, now)
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Waiting))
        .exec(db)
        .await
        .map(|_| ())
}

/// Notes when it is tried again.
pub async fn retry(
    db: &impl ConnectionTrait,
    id: MailId,
    at: DateTime<Utc>,
    problem: String,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(at))
        .col_expr(Column::Problem, Expr::value(problem))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Waiting))
        .exec(db)
        .await
        .map(|_| ())
}

/// When a person was sent their last digest.
pub async fn last_digest(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    let last = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::Kind.eq(Kind::Digest))
        .filter(Column::State.eq(State::Sent))
        .order_by_desc(Column::EndedAt)
        .one(db)
        .await?;
    Ok(last.and_then(|row| row.ended_at))
}

/// Who was sent a digest that was queued after `since`, each with their tenant.
pub async fn had_digest(
    db: &impl ConnectionTrait,
    since: DateTime<Utc>,
) -> Result<Vec<(TenantId, PersonId)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::TenantId)
        .column(Column::PersonId)
        .distinct()
        .filter(Column::State.eq(State::Sent))
        // Never before it was queued, and there is an index.
        .filter(Column::DueAt.gte(since))
        .filter(Column::Kind.eq(Kind::Digest))
        .into_tuple()
        .all(db)
        .await
}

/// Those among `alarms` of which a person is mailed that they are over.
pub async fn told_solved(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    person: PersonId,
    alarms: Vec<AlarmId>,
) -> Result<Vec<AlarmId>, DbErr> {
    let told: Vec<Option<AlarmId>> = Entity::find()
        .select_only()
        .column(Column::AlarmId)
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::PersonId.eq(person))
        .filter(Column::AlarmId.is_in(alarms))
        .filter(Column::Kind.eq(Kind::Solved))
        .filter(Column::State.is_in([State::Waiting, State::Sent]))
        .into_tuple()
        .all(db)
        .await?;
    Ok(told.into_iter().flatten().collect())
}

/// The newest mail that the server did not take, if the newest of all was such.
pub async fn newest_tried(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Option<Model>, DbErr> {
    // What nobody wanted any more was not tried.
    let tried = Condition::any()
        .add(Column::State.ne(State::Withdrawn))
        .add(Column::Problem.is_not_null());
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::FirstTryAt.is_not_null())
        .filter(tried)
        .order_by_desc(Column::FirstTryAt)
        .one(db)
        .await
}

/// Takes back everything that would be due at `now`: there is no mail server.
pub async fn drop_due(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update_many()
        .set(ended(State::Withdrawn, now))
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::DueAt.lte(now))
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
