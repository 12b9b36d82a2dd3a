//! How attempts end, for the figures: remembered in memory, written in batches,
//! and not at all where the tenant does not want it. A crash loses what was not
//! written yet, half a second's worth; nothing else depends on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::{
    Result,
    failure::{Failure, FailureCode},
    hub::Hub,
    keep,
    people::{Action, Member},
    record::{Deed, Entry},
    store::{
        Reach, Store, TenantId,
        attempt::{self, AuthMode, Model, Recovery, Tried},
        connection, flow, flow_outcome, run, switched_off, tenant,
    },
};

/// How long after one that was refused another belongs to it.
const TOGETHER: TimeDelta = TimeDelta::hours(1);
/// How many are remembered while the database cannot be written. The oldest go
/// first: figures are not worth the memory of a process that is in trouble.
const MOST_REMEMBERED: usize = 50_000;
/// The longest detail that is kept, in characters.
const LONGEST_DETAIL: usize = 100;
/// How many rows the figures of a period are made from at the most.
const MOST_ROWS: u64 = 200_000;
/// How many days the figures may be of.
pub const PERIODS: [i64; 3] = [7, 30, 90];

/// One attempt that ended.
pub(crate) struct New {
    pub tenant: TenantId,
    pub provider: String,
    pub kind: Tried,
    pub auth_mode: AuthMode,
    pub failure: Option<Failure>,
    pub recovery: Option<Recovery>,
    pub recovered: Option<bool>,
    pub attempts: i32,
    pub time_to_success_ms: Option<i64>,
    pub time_to_detect_ms: Option<i64>,
}

impl New {
    /// One that needed nobody, with nothing more to say of it.
    pub fn by_itself(tenant: TenantId, provider: &str, kind: Tried) -> Self {
        Self {
            tenant,
            provider: provider.to_owned(),
            kind,
            auth_mode: AuthMode::HttpOnly,
            failure: None,
            recovery: None,
            recovered: None,
            attempts: 1,
            time_to_success_ms: None,
            time_to_detect_ms: None,
        }
    }
}

/// What is to be written of attempts.
#[derive(Clone, Default)]
pub struct AttemptLog(Arc<Mutex<Vec<Model>>>);

impl AttemptLog {
    fn note(&self, row: Model) {
        let mut pending = self.pending();
        if pending.len() >= MOST_REMEMBERED {
            pending.drain(..MOST_REMEMBERED / 10);
        }
        pending.push(row);
    }

    /// Writes what is remembered, of the tenants that want it. What cannot be
    /// written stays remembered.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn flush(&self, store: &Store) -> Result<usize, DbErr> {
        let batch = std::mem::take(&mut *self.pending());
        if batch.is_empty() {
            return Ok(0);
        }
        let written = Reach::every().around(write(store, &batch)).await;
        if written.is_err() {
            self.pending().splice(0..0, batch);
        }
        written
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<Model>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(store: &Store, batch: &[Model]) -> Result<usize, DbErr> {
    let unwilling = switched_off::Entity::find()
        .filter(switched_off::Column::What.eq(switched_off::METRICS))
        .all(store.db())
        .await?;
    // A run is told several times: what was told last counts. In the order of their
    // ids: two processes that tell of the same ones wait for each other in no circle.
    let mut rows: BTreeMap<Uuid, &Model> = BTreeMap::new();
    for row in batch {
        rows.insert(row.id, row);
    }
    let transaction = store.begin().await?;
    // What is told of one that was deleted meanwhile would stay for ever.
    let told_of: BTreeSet<TenantId> = batch.iter().map(|row| row.tenant_id).collect();
    let living = tenant::living(&transaction, told_of).await?;
    let rows: Vec<Model> = rows
        .into_values()
        .filter(|row| living.contains(&row.tenant_id))
        .filter(|row| unwilling.iter().all(|off| off.tenant_id != row.tenant_id))
        .cloned()
        .collect();
    let count = rows.len();
    attempt::put(&transaction, rows).await?;
    transaction.commit().await?;
    Ok(count)
}

fn ms(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from).num_milliseconds().max(0)
}

impl Hub {
    /// Notes how an attempt ended.
    pub(crate) fn attempt(&self, new: New) {
        self.attempts
            .note(row(Uuid::now_v7(), self.clock.now(), new));
    }

    /// Notes how a run stands; the last time it is told counts.
    pub(crate) fn attempt_of_run(&self, run: &run::Model) {
        let new = New {
            auth_mode: match run.needed_person {
                true => AuthMode::InteractiveRequired,
                false => AuthMode::HttpOnly,
            },
            failure: run.failure.clone(),
            recovered: (run.pauses > 0).then_some(run.resumed_at.is_some()),
            attempts: run.pauses + 1,
            time_to_success_ms: (run.status == run::Status::Succeeded)
                .then_some(run.finished_at)
                .flatten()
                .map(|end| ms(run.created_at, end)),
            ..New::by_itself(run.tenant_id, &run.provider, Tried::Run)
        };
        self.attempts.note(row(run.id.0, run.created_at, new));
    }

    /// Notes how a flow ended: a person linked an account, or did not.
    pub(crate) async fn attempt_of_flow(&self, ended: &flow::Model) -> Result<()> {
        let new = self.of_flow(ended, "cancelled").await?;
        self.attempt(new);
        Ok(())
    }

    /// Notes the flows that nobody came back from: each once, whichever process
    /// finds it first, for the flow's id is the attempt's. To be called now and
    /// then; what a stopped hub missed is found for a day.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn attempts_left(&self) -> Result<usize> {
        let now = self.clock.now();
        let since = now - TimeDelta::days(1);
        let left = flow::left(self.store.db(), since, now).await?;
        for flow in &left {
            let new = self.of_flow(flow, "left").await?;
            self.attempts.note(row(flow.id.0, flow.expires_at, new));
        }
        Ok(left.len())
    }

    /// What is told of a flow; `given_up` is why it came to nothing when that is
    /// not known better.
    async fn of_flow(&self, ended: &flow::Model, given_up: &'static str) -> Result<New> {
        let works = ended.status == flow::Status::Connected;
        // Those before it that belong to it: the same person's for the same,
        // back to one that worked.
        let mut earlier = flow::Entity::find()
            .filter(flow::owned(ended.tenant_id, ended.owner()))
            .filter(flow::Column::Provider.eq(&ended.provider))
            .filter(flow::Column::CreatedAt.lte(ended.created_at))
            .filter(flow::Column::Id.ne(ended.id))
            .order_by_desc(flow::Column::CreatedAt);
        earlier = match ended.connection_id {
            Some(id) => earlier.filter(flow::Column::ConnectionId.eq(id)),
            None => earlier.filter(flow::Column::ConnectionId.is_null()),
        };
        let earlier = earlier.all(self.store.db()).await?;
        let same: Vec<_> = earlier
            .iter()
            .take_while(|flow| flow.status != flow::Status::Connected)
            .collect();
        let first = same.last().map_or(ended.created_at, |flow| flow.created_at);
        let repairs = ended.connection_id.is_some();
        let given_up = || Failure::told(FailureCode::ConsentDeniedOrAbandoned, given_up);
        Ok(New {
            auth_mode: AuthMode::InteractiveRequired,
            failure: match works {
                true => None,
                false => Some(ended.failure.clone().unwrap_or_else(given_up)),
            },
            recovery: repairs.then_some(Recovery::Reconnect),
            recovered: repairs.then_some(works),
            attempts: i32::try_from(same.len())
                .unwrap_or(i32::MAX)
                .saturating_add(1),
            time_to_success_ms: works.then(|| ms(first, self.clock.now())),
            ..New::by_itself(
                ended.tenant_id,
                &ended.provider,
                match repairs {
                    true => Tried::Repair,
                    false => Tried::Connect,
                },
            )
        })
    }

    /// Notes how entered keys were taken, that were `begun` to be entered then. Those
    /// that were refused just before belong to the same attempt.
    pub(crate) async fn attempt_of_entering(
        &self,
        tenant: TenantId,
        provider: &str,
        repairs: bool,
        begun: DateTime<Utc>,
        failure: Option<Failure>,
    ) -> Result<()> {
        let kind = match repairs {
            true => Tried::Repair,
            false => Tried::Connect,
        };
        self.attempts.flush(&self.store).await?;
        let (now, db) = (self.clock.now(), self.store.db());
        let refused = attempt::refused(db, tenant, provider, kind, now - TOGETHER).await?;
        let first = refused.last().map_or(begun, |row| row.at.min(begun));
        self.attempt(New {
            auth_mode: AuthMode::InteractiveRequired,
            recovery: repairs.then_some(Recovery::Reconnect),
            recovered: repairs.then_some(failure.is_none()),
            attempts: i32::try_from(refused.len())
                .unwrap_or(i32::MAX)
                .saturating_add(1),
            time_to_success_ms: failure.is_none().then(|| ms(first, now)),
            failure,
            ..New::by_itself(tenant, provider, kind)
        });
        Ok(())
    }

    /// Notes how a renewal or a check ended, given what was known before it.
    pub(crate) fn attempt_of_keeping(
        &self,
        connection: &connection::Model,
        kind: Tried,
        before: Option<(&Failure, Option<DateTime<Utc>>)>,
        outcome: Option<&Failure>,
        attempts: i32,
    ) {
        let now = self.clock.now();
        let was_final = before.is_some_and(|(failure, _)| !failure.code.is_transient());
        // The moment from which a person is needed, and not each time after it.
        let breaks = outcome.is_some_and(|failure| !failure.code.is_transient()) && !was_final;
        let failed_at = before.and_then(|(_, at)| at);
        self.attempt(New {
            auth_mode: match breaks {
                true => AuthMode::InteractiveRequired,
                false => AuthMode::HttpOnly,
            },
            failure: outcome.cloned(),
            recovery: before.map(|_| match kind {
                Tried::Refresh => Recovery::Refresh,
                _ => Recovery::Check,
            }),
            recovered: before.map(|_| outcome.is_none()),
            attempts,
            time_to_success_ms: match outcome {
                None => failed_at.map(|at| ms(at, now)),
                Some(_) => None,
            },
            time_to_detect_ms: match breaks {
                true => connection.last_ok_at.map(|at| ms(at, now)),
                false => None,
            },
            ..New::by_itself(connection.tenant_id, &connection.provider, kind)
        });
    }

    /// Notes that a person ended a connection that did not work, and how often
    /// it was tried to repair it before.
    pub(crate) async fn attempt_of_clearing(&self, connection: &connection::Model) -> Result<()> {
        use sea_orm::PaginatorTrait;
        let health = self.one(connection.tenant_id, connection.id).await?.health;
        let Some(failure) = health.failure.filter(|one| !one.code.is_transient()) else {
            return Ok(());
        };
        // That it was cleared was counted when it was.
        if failure.detail == keep::CLEARED {
            return Ok(());
        }
        let mut repairs = flow::Entity::find()
            .filter(flow::Column::TenantId.eq(connection.tenant_id))
            .filter(flow::Column::ConnectionId.eq(connection.id));
        if let Some(since) = health.since {
            repairs = repairs.filter(flow::Column::CreatedAt.gte(since));
        }
        let repairs = repairs.count(self.store.db()).await?;
        self.attempt(New {
            auth_mode: AuthMode::InteractiveRequired,
            failure: Some(failure),
            recovery: Some(Recovery::Clear),
            attempts: i32::try_from(repairs).unwrap_or(i32::MAX),
            ..New::by_itself(connection.tenant_id, &connection.provider, Tried::Clear)
        });
        Ok(())
    }

    /// The figures of the last `days`, of one provider or of all.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn figures(
        &self,
        member: &Member,
        days: i64,
        provider: Option<&str>,
    ) -> Result<Figures> {
        member.may(Action::SeeMetrics)?;
        let now = self.clock.now();
        let since = now - TimeDelta::days(days);
        let db = self.store.db();
        let rows = attempt::since(db, member.tenant(), since, provider, MOST_ROWS).await?;
        let off = switched_off::of_tenant(db, member.tenant()).await?;
        Ok(Figures {
            recorded: off.iter().all(|row| row.what != switched_off::METRICS),
            ..Figures::of(&rows)
        })
    }

    /// Says whether attempts are recorded. Where they are not, what was is
    /// forgotten.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn record_attempts(&self, member: &Member, on: bool) -> Result<()> {
        member.may(Action::SeeMetrics)?;
        let deed = match on {
            true => Deed::RecordingSwitchedOn,
            false => Deed::RecordingSwitchedOff,
        };
        let entry = Entry::new(member, deed).on(member.tenant());
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        self.switch(&transaction, member, switched_off::METRICS, on)
            .await?;
        if !on {
            attempt::forget(&transaction, member.tenant()).await?;
            flow_outcome::forget(&transaction, member.tenant()).await?;
        }
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(())
    }
}

fn row(id: Uuid, at: DateTime<Utc>, new: New) -> Model {
    let (code, detail) = new
        .failure
        .map(|failure| (failure.code.as_str().to_owned(), failure.detail))
        .unzip();
    Model {
        id,
        tenant_id: new.tenant,
        at,
        provider: new.provider,
        kind: new.kind,
        auth_mode: new.auth_mode,
        failure_code: code,
        failure_detail: detail.map(|detail| detail.chars().take(LONGEST_DETAIL).collect()),
        recovery: new.recovery,
        recovered: new.recovered,
        attempts: new.attempts,
        time_to_success_ms: new.time_to_success_ms,
        time_to_detect_ms: new.time_to_detect_ms,
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Of these
    pub of: u64,
    /// it was so with these.
    pub these: u64,
}

impl Share {
    fn count(&mut self, is: bool) {
        self.of += 1;
        self.these += u64::from(is);
    }
}

/// Half of them took no longer than this, and nine of ten no longer than that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many there were.
    pub count: usize,
    /// In milliseconds.
    pub half: i64,
    /// In milliseconds.
    pub nine_of_ten: i64,
}

impl Spread {
    /// By the nearest rank.
    fn of(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        let rank = |percent: usize| {
            let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(at).copied().unwrap_or_default()
        };
        Self {
            count: times.len(),
            half: rank(50),
            nine_of_ten: rank(90),
        }
    }
}

/// The answers to the five questions, by provider or by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether attempts are recorded.
    pub recorded: bool,
    /// How many runs needed nobody, by provider.
    pub unattended: BTreeMap<String, Share>,
    /// Why a person was needed: how often, by failure code.
    pub causes: BTreeMap<String, u64>,
    /// How many first attempts at a repair worked, by provider.
    pub first_repairs: BTreeMap<String, Share>,
    /// How long it took people to connect or repair, by provider.
    pub times: BTreeMap<String, Spread>,
    /// How many gave a broken connection up before any repair, of those that
    /// did something about it, by provider.
    pub cleared_first: BTreeMap<String, Share>,
    /// How long it took to notice that a connection broke, at most.
    pub detection: Spread,
}

impl Figures {
    fn of(rows: &[Model]) -> Self {
        let mut figures = Self::default();
        let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut detection = Vec::new();
        for row in rows {
            let provider = || row.provider.clone();
            let needed = row.auth_mode == AuthMode::InteractiveRequired;
            detection.extend(row.time_to_detect_ms);
            match row.kind {
                Tried::Run => figures
                    .unattended
                    .entry(provider())
                    .or_default()
                    .count(!needed),
                Tried::Refresh | Tried::Check => {
                    if let (true, Some(code)) = (needed, &row.failure_code) {
                        *figures.causes.entry(code.clone()).or_default() += 1;
                    }
                }
                Tried::Repair | Tried::Connect => {
                    if let Some(time) = row.time_to_success_ms {
                        times.entry(provider()).or_default().push(time);
                    }
                    if row.kind == Tried::Repair && row.attempts == 1 {
                        let works = row.recovered == Some(true);
                        figures
                            .first_repairs
                            .entry(provider())
                            .or_default()
                            .count(works);
                        figures
                            .cleared_first
                            .entry(provider())
                            .or_default()
                            .count(false);
                    }
                }
                // Who tried to repair it before is counted by that.
                Tried::Clear if row.attempts == 0 => figures
                    .cleared_first
                    .entry(provider())
                    .or_default()
                    .count(true),
                Tried::Clear => {}
            }
        }
        figures.times = times
            .into_iter()
            .map(|(provider, times)| (provider, Spread::of(times)))
            .collect();
        figures.detection = Spread::of(detection);
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_by_the_nearest_rank() {
        assert_eq!(Spread::of(vec![]), Spread::default());
        let one = Spread::of(vec![7]);
        assert_eq!((one.half, one.nine_of_ten), (7, 7));
        let ten = Spread::of((1..=10).rev().collect());
        assert_eq!((ten.count, ten.half, ten.nine_of_ten), (10, 5, 9));
    }
}
