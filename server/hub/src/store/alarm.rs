//! One trouble of one connection, from the event that began it to the event that
//! ended it. Of each cause a connection has one at a time.
//!
//! Alarms follow events, in their transaction: what was raised and is over does
//! not stay in anybody's sight, and what is wrong is nobody's secret.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait, TryInsertResult,
    entity::prelude::*,
};

use super::{
    AlarmId, ConnectionId, PersonId, TenantId, connect_link, connection, event, mail, member,
    notice, watcher,
};
use crate::{
    certificate::Whose,
    failure::{Failure, FailureCode},
};

/// How long the mail about an alarm waits: what heals meanwhile needs none.
pub const MAIL_AFTER: TimeDelta = TimeDelta::minutes(15);

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Cause {
    /// It fails for a reason that may heal by itself.
    #[sea_orm(string_value = "degraded")]
    Degraded,
    /// A person has to do something.
    #[sea_orm(string_value = "action_required")]
    ActionRequired,
    /// It works, and will end soon.
    #[sea_orm(string_value = "expiring")]
    Expiring,
}

impl Cause {
    /// Every cause there is.
    const ALL: [Self; 3] = [Self::Degraded, Self::ActionRequired, Self::Expiring];
}

/// How an alarm ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Ending {
    /// The connection works again.
    #[sea_orm(string_value = "works")]
    Works,
    /// It turned out to be worse: another alarm took its place.
    #[sea_orm(string_value = "replaced")]
    Replaced,
    /// A person ended the connection.
    #[sea_orm(string_value = "disconnected")]
    Disconnected,
    /// A person lets the connection rest.
    #[sea_orm(string_value = "paused")]
    Paused,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alarm")]
#[expect(missing_docs, reason = "columns; the table is described above")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AlarmId,
    pub tenant_id: TenantId,
    pub connection_id: ConnectionId,
    pub cause: Cause,
    /// Connection and cause, until it has ended.
    #[sea_orm(unique)]
    pub open_for: Option<String>,
    /// What was wrong when it was raised.
    pub failure: Option<Failure>,
    pub raised_at: DateTime<Utc>,
    /// When the admins were told, because nobody did anything.
    pub escalated_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ending: Option<Ending>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
#[expect(missing_docs, reason = "queries name their joins themselves")]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Raises and withdraws what an event means, in its transaction.
pub async fn follow(
    db: &impl ConnectionTrait,
    new: &event::New,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let Some(connection) = new.connection else {
        return Ok(());
    };
    match event::name(new.kind).as_str() {
        "connection.degraded" => raise(db, new, connection, Cause::Degraded, now).await,
        "connection.action_required" => {
            let milder = [Cause::Degraded];
            withdraw(db, connection, &milder, Ending::Replaced, now).await?;
            raise(db, new, connection, Cause::ActionRequired, now).await
        }
        // Nothing is left that could heal, or end.
        "connection.cleared" => {
            let milder = [Cause::Degraded, Cause::Expiring];
            withdraw(db, connection, &milder, Ending::Replaced, now).await?;
            raise(db, new, connection, Cause::ActionRequired, now).await
        }
        "connection.expiring" => raise(db, new, connection, Cause::Expiring, now).await,
        // Told once everything about it is well.
        "connection.healed" | "connection.reconnected" => {
            withdraw(db, connection, &Cause::ALL, Ending::Works, now).await
        }
        // What was asked for is there: nothing else is wrong with what works.
        "connection.scopes_changed" if new.data.scopes_lost.is_empty() => {
            let open = open_of(db, new.tenant, connection).await?;
            let is_grant = |alarm: &Model| {
                let failure = alarm.failure.as_ref();
                alarm.cause == Cause::Degraded
                    && failure.is_some_and(|one| one.code == FailureCode::PermissionMissing)
            };
            match open.iter().any(is_grant) {
                true => withdraw(db, connection, &[Cause::Degraded], Ending::Works, now).await,
                false => Ok(()),
            }
        }
        "connection.paused" => withdraw(db, connection, &Cause::ALL, Ending::Paused, now).await,
        "connection.disconnected" => {
            withdraw(db, connection, &Cause::ALL, Ending::Disconnected, now).await
        }
        _ => Ok(()),
    }
}

async fn raise(
    db: &impl ConnectionTrait,
    new: &event::New,
    connection: ConnectionId,
    cause: Cause,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let failure = new.data.failure.clone();
    let added = insert(db, new.tenant, connection, cause, failure, now).await?;
    match (cause, &new.data.failure) {
        // It may be open for somebody's wish only.
        (Cause::Degraded, Some(failure)) => {
            call_if_theirs(db, new.tenant, connection, failure, now).await
        }
        (Cause::Degraded, None) => Ok(()),
        (_, failure) => {
            let Some(row) = added else {
                return Ok(());
            };
            let is_apps = new.data.certificate == Some(Whose::App)
                || (failure.as_ref()).is_some_and(|one| one.code == FailureCode::AppConfigInvalid);
            call(db, &row, is_apps, now).await
        }
    }
}

/// The alarm, unless it is open already.
async fn insert(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connection: ConnectionId,
    cause: Cause,
    failure: Option<Failure>,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let row = Model {
        id: AlarmId::new(),
        tenant_id: tenant,
        connection_id: connection,
        open_for: Some(format!("{connection}:{}", cause.to_value())),
        cause,
        failure,
        raised_at: now,
        escalated_at: None,
        ended_at: None,
        ending: None,
    };
    let added = Entity::insert(row.clone().into_active_model())
        .on_conflict_do_nothing_on([Column::OpenFor])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(added, TryInsertResult::Inserted(1)).then_some(row))
}

/// Tells of trouble that may heal by itself and has not for long, if anybody can
/// do something about it; once, however often it is called. What nobody can do
/// anything about is there to be seen, and calls nobody.
pub async fn call_if_theirs(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connection: ConnectionId,
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if failure.code.is_others() {
        return Ok(());
    }
    let open = open_of(db, tenant, connection).await?;
    match open.iter().find(|alarm| alarm.cause == Cause::Degraded) {
        Some(alarm) if !notice::is_called(db, alarm.id).await? => call(db, alarm, false, now).await,
        _ => Ok(()),
    }
}

/// Tells whoever can do something about an alarm: about the provider app the
/// admins, because nobody else may change it.
async fn call(
    db: &impl ConnectionTrait,
    alarm: &Model,
    is_apps: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let people = match is_apps {
        true => admins(db, alarm.tenant_id).await?,
        false => concerned(db, alarm.tenant_id, alarm.connection_id).await?,
    };
    let due = now + MAIL_AFTER;
    for person in people {
        notice::add(db, alarm, person, notice::Reason::Trouble, None, now).await?;
        mail::queue(db, mail::Kind::Alarm, alarm, person, None, due, now).await?;
    }
    Ok(())
}

/// Who looks after a connection: who connected it, else the admins.
async fn concerned(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<Vec<PersonId>, DbErr> {
    let row = connection::of_tenant(db, tenant, id).await?;
    if let Some(owner) = row.and_then(|row| row.created_by)
        && member::membership(db, owner, tenant).await?.is_some()
    {
        return Ok(vec![owner]);
    }
    admins(db, tenant).await
}

/// Who may change the settings of a tenant.
pub async fn admins(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<PersonId>, DbErr> {
    use member::Role::{Admin, Owner};
    let everybody = member::names(db, tenant).await?;
    let admins = everybody
        .into_iter()
        .filter(|(_, _, role)| matches!(role, Admin | Owner));
    Ok(admins.map(|(person, ..)| person).collect())
}

/// Raises what calls nobody: for somebody who wants to know when a provider works
/// again that is in trouble as a whole, or who asks for a permission that is
/// missing while everything else works.
pub async fn raise_quietly(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connection: ConnectionId,
    failure: Failure,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let cause = Cause::Degraded;
    insert(db, tenant, connection, cause, Some(failure), now)
        .await
        .map(|_| ())
}

/// Ends alarms of a connection: nobody is told of them any more, links to repair
/// it do nothing more, and who had mail hears that it is over.
pub async fn withdraw(
    db: &impl ConnectionTrait,
    connection: ConnectionId,
    causes: &[Cause],
    ending: Ending,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let ended = Entity::update_many()
        .set(ActiveModel {
            open_for: Set(None),
            ended_at: Set(Some(now)),
            ending: Set(Some(ending)),
            ..Default::default()
        })
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::EndedAt.is_null())
        .filter(Column::Cause.is_in(causes.iter().copied()))
        .exec_with_returning(db)
        .await?;
    let mut hear = Vec::new();
    for alarm in &ended {
        notice::end(db, alarm.id, now).await?;
        connect_link::end_of_alarm(db, alarm.id, now).await?;
        for told in mail::withdraw(db, alarm.id, now).await? {
            if ending == Ending::Works {
                mail::queue(db, mail::Kind::Solved, alarm, told, None, now, now).await?;
                hear.push(told);
            }
        }
    }
    let works = ended.iter().rfind(|alarm| alarm.cause != Cause::Expiring);
    match (ending, works) {
        (Ending::Works, Some(alarm)) => {
            for person in watcher::take(db, connection).await? {
                notice::add(db, alarm, person, notice::Reason::Works, None, now).await?;
                // One mail that it works is enough.
                if !hear.contains(&person) {
                    mail::queue(db, mail::Kind::Works, alarm, person, None, now, now).await?;
                }
            }
        }
        (Ending::Disconnected, _) => {
            watcher::take(db, connection).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Forgets everything about the alarms of a connection. What people were told
/// names the alarm, and not the connection.
pub async fn forget(db: &impl ConnectionTrait, connection: ConnectionId) -> Result<(), DbErr> {
    let of_it = || {
        Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ConnectionId.eq(connection))
            .into_query()
    };
    notice::Entity::delete_many()
        .filter(notice::Column::AlarmId.in_subquery(of_it()))
        .exec(db)
        .await?;
    mail::Entity::delete_many()
        .filter(mail::Column::AlarmId.in_subquery(of_it()))
        .exec(db)
        .await?;
    connect_link::Entity::delete_many()
        .filter(connect_link::Column::AlarmId.in_subquery(of_it()))
        .exec(db)
        .await?;
    watcher::take(db, connection).await?;
    Entity::delete_many()
        .filter(Column::ConnectionId.eq(connection))
        .exec(db)
        .await
        .map(|_| ())
}

/// What is wrong in a tenant now, newest first.
pub async fn open(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::EndedAt.is_null())
        .order_by_desc(Column::RaisedAt)
        .limit(limit)
        .all(db)
        .await
}

/// What is wrong with a connection now, the worst first.
pub async fn open_of(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Vec<Model>, DbErr> {
    let mut rows = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::ConnectionId.eq(connection))
        .filter(Column::EndedAt.is_null())
        .all(db)
        .await?;
    rows.sort_by_key(|row| match row.cause {
        Cause::ActionRequired => 0,
        Cause::Degraded => 1,
        Cause::Expiring => 2,
    });
    Ok(rows)
}

/// An alarm, only if it is the tenant's.
pub async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    id: AlarmId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(db)
        .await
}

/// Those of the tenant among `ids`.
pub async fn some_of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    ids: Vec<AlarmId>,
) -> Result<Vec<Model>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Id.is_in(ids))
        .all(db)
        .await
}

/// What nobody has ended since `before`, and no admin was told of.
pub async fn unattended(
    db: &impl ConnectionTrait,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EscalatedAt.is_null())
        .filter(Column::RaisedAt.lte(before))
        .filter(Column::EndedAt.is_null())
        // Of what calls nobody there is nobody who did nothing.
        .filter(Column::Id.in_subquery(notice::called()))
        .limit(limit)
        .all(db)
        .await
}

/// Notes that the admins are told; false when another process did, or it ended.
pub async fn escalate(
    db: &impl ConnectionTrait,
    id: AlarmId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::EscalatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EscalatedAt.is_null())
        .filter(Column::EndedAt.is_null())
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Forgets alarms that ended before `before`, and what people were told of them.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<(), DbErr> {
    let old = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::EndedAt.lt(before))
        .into_query();
    notice::Entity::delete_many()
        .filter(notice::Column::AlarmId.in_subquery(old))
        .exec(db)
        .await?;
    Entity::delete_many()
        .filter(Column::EndedAt.lt(before))
        .exec(db)
        .await
        .map(|_| ())
}
