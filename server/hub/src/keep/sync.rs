//! Reading connections, every so often or because somebody asked: the same
//! request as a [sample](super::sample), of which only is told whether it worked
//! and how much there was. The host application reads the data itself.
//!
//! The rows are the queue, as they are for renewals: losing a tick loses nothing,
//! and of several processes exactly one runs what is due.

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{health::Status, schedule};
use crate::{
    Error, Result,
    catalog::Provider,
    dialect::Sample,
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{Action, By, Host, Member, Scope},
    record::{Deed, Entry},
    store::{
        ConnectionId, SyncRunId,
        connection::{self, SyncFrequency},
        event::{self, Kind},
        sync_run::{self, Cause, Outcome},
    },
};

/// How long a process may be at a run: far more than a request may take.
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// How often a run is tried before it counts as failed, where trying may help.
const TRIES: i32 = 3;
/// How often a run that waits looks whether its connection was mended, should
/// it not have been told.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(15);
/// How many runs one process has under way at once.
const PARALLEL: usize = 8;
/// How many due runs are looked at in one go.
const BATCH: u64 = 100;

/// How long from one reading to the next; none without a schedule.
fn interval(frequency: SyncFrequency) -> Option<TimeDelta> {
    match frequency {
        SyncFrequency::Manual => None,
        SyncFrequency::Hourly => Some(TimeDelta::hours(1)),
        SyncFrequency::Daily => Some(TimeDelta::days(1)),
        SyncFrequency::Weekly => Some(TimeDelta::weeks(1)),
    }
}

/// When a connection is read next that was read at `last`: up to a tenth of the
/// time early, so that those that were set up together are not read together.
/// One that was never read is read now.
fn next_at(
    frequency: SyncFrequency,
    id: ConnectionId,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let interval = interval(frequency)?;
    let Some(last) = last else {
        return Some(now);
    };
    let spread = schedule::spread(id, last.timestamp());
    let early = (interval / 10).num_milliseconds() as f64 * spread;
    Some((last + interval - TimeDelta::milliseconds(early as i64)).max(now))
}

impl Hub {
    /// Puts down when a connection is read next, after its schedule changed. A
    /// run that somebody asked for, or that is under way, stays.
    pub(crate) async fn plan_sync(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        connection: &connection::Model,
    ) -> Result<()> {
        let (id, now) = (connection.id, self.clock.now());
        sync_run::forget_scheduled(db, id, now).await?;
        let last = sync_run::last_end(db, id).await?;
        let due = next_at(connection.sync_frequency, id, last, now);
        if let (Some(due), None) = (due, connection.disconnected_at) {
            let row = sync_run::Model::new(connection.tenant_id, id, Cause::Schedule, due, now);
            sync_run::insert(db, row).await?;
        }
        Ok(())
    }

    /// Has a connection read as soon as a process comes to it, which takes a few
    /// seconds. One that is under way already is answered instead.
    ///
    /// # Errors
    /// [`Error::Failed`] when a person has to mend the connection first.
    pub async fn ask_sync(
        &self,
        by: impl Into<By<'_>>,
        id: ConnectionId,
    ) -> Result<sync_run::Model> {
        let by = by.into();
        by.may_connect()?;
        let listed = self.one(by.tenant(), id).await?;
        match (listed.health.status, listed.health.failure) {
            (Status::Disconnected, _) => return Err(Error::NotFound),
            (Status::Paused, _) => return Err(Error::Paused),
            (Status::ActionNeeded | Status::WaitingForAdmin, Some(failure)) => {
                return Err(failure.into());
            }
            _ => {}
        }
        let now = self.clock.now();
        let ledger = self.ledger(by.tenant()).await?;
        let transaction = self.store.begin().await?;
        let run = match sync_run::open(&transaction, id).await? {
            Some(run) if run.is_under_way(now) => run,
            Some(run) => {
                let mut change = run.into_active_model();
                change.cause = Set(Cause::Asked);
                change.due_at = Set(now);
                change.paused_at = Set(None);
                change.update(&transaction).await?
            }
            None => {
                let run = sync_run::Model::new(by.tenant(), id, Cause::Asked, now, now);
                if !sync_run::insert(&transaction, run.clone()).await? {
                    return Err(Error::Conflict("another reading was asked for just now"));
                }
                run
            }
        };
        let entry = Entry::new(by, Deed::ReadingAsked).on(id);
        let entry = entry.saying(listed.connection.provider);
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        self.changes.nudge(by.tenant());
        Ok(run)
    }

    /// The readings of a connection, newest first: at most `limit`, after `after`.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn syncs_of_host(
        &self,
        host: &Host,
        id: ConnectionId,
        after: Option<SyncRunId>,
        limit: u64,
    ) -> Result<Vec<sync_run::Model>> {
        host.may(Scope::ConnectionsRead)?;
        self.one(host.tenant(), id).await?;
        Ok(sync_run::page(self.store.db(), id, after, limit).await?)
    }

    /// The newest readings of a connection, for its page.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn syncs(&self, member: &Member, id: ConnectionId) -> Result<Vec<sync_run::Model>> {
        member.may(Action::Look)?;
        self.one(member.tenant(), id).await?;
        Ok(sync_run::page(self.store.db(), id, None, 2).await?)
    }

    /// One round of the background: reads every connection that is due. Answers
    /// how many were looked at.
    ///
    /// # Errors
    /// Only when the database does not answer; what a provider says is an outcome
    /// that is stored.
    pub async fn sync_due(&self) -> Result<usize> {
        let mut seen = 0;
        loop {
            let due = sync_run::due(self.store.db(), self.clock.now(), BATCH).await?;
            let batch = due.len();
            futures::stream::iter(due)
                .for_each_concurrent(PARALLEL, |run| async move {
                    let id = run.connection_id;
                    if let Err(error) = self.run_sync(run).await {
                        tracing::error!(connection.id = %id, %error, "a due reading did not run");
                    }
                })
                .await;
            seen += batch;
            if (batch as u64) < BATCH {
                return Ok(seen);
            }
        }
    }

    async fn run_sync(&self, run: sync_run::Model) -> Result<()> {
        let (id, now) = (run.connection_id, self.clock.now());
        let listed = match self.one(run.tenant_id, id).await {
            Err(Error::NotFound) => return Ok(sync_run::forget(self.store.db(), id).await?),
            listed => listed?,
        };
        match listed.health.status {
            Status::Disconnected => {
                return Ok(sync_run::forget_open(self.store.db(), id, now).await?);
            }
            Status::ActionNeeded | Status::WaitingForAdmin | Status::Paused => {
                return Ok(sync_run::pause(self.store.db(), &run, now, now + LOOK_AGAIN).await?);
            }
            Status::Connected | Status::Retrying | Status::NotChecked => {}
        }
        let (node, until) = (self.spool.node(), now + LEASE);
        let claimed = sync_run::claim(self.store.db(), &run, node, now, until).await?;
        let Some(run) = claimed else {
            return Ok(());
        };
        match self.sample_of(&listed.connection, None).await {
            Ok(sample) => self.end_sync(run, listed.connection, Ok(sample)).await,
            Err(Error::NotFound) => Ok(sync_run::forget(self.store.db(), id).await?),
            Err(Error::Failed(failure)) => {
                self.end_sync(run, listed.connection, Err(*failure)).await
            }
            Err(error) => {
                tracing::error!(connection.id = %id, %error, "a reading failed inside the hub");
                let failure = Failure::inferred(FailureCode::HubInternal, "sync_not_run");
                self.end_sync(run, listed.connection, Err(failure)).await
            }
        }
    }

    /// Writes down how a try ended, and when the next one is.
    async fn end_sync(
        &self,
        run: sync_run::Model,
        connection: connection::Model,
        outcome: Result<Sample, Failure>,
    ) -> Result<()> {
        let (id, now) = (connection.id, self.clock.now());
        if let Err(failure) = &outcome
            && run.tries < TRIES
            && failure.code.is_transient()
        {
            let spread = schedule::spread(id, i64::from(run.tries));
            let again = schedule::retry_at(failure.code, run.tries, failure.retry_at, now, spread);
            let change = sync_run::ActiveModel {
                due_at: Set(again.unwrap_or(now + LOOK_AGAIN)),
                failure: Set(Some(failure.clone())),
                ..Default::default()
            };
            sync_run::settle(self.store.db(), &run, change).await?;
            return Ok(());
        }
        let count = |many: usize| i32::try_from(many).unwrap_or(i32::MAX);
        let read = outcome
            .as_ref()
            .ok()
            .map(|sample| (count(sample.rows.len()), count(sample.columns.len())));
        let failure = outcome.err();
        let transaction = self.store.begin().await?;
        let change = sync_run::ActiveModel {
            open_for: Set(None),
            outcome: Set(Some(match failure {
                None => Outcome::Completed,
                Some(_) => Outcome::Failed,
            })),
            finished_at: Set(Some(now)),
            row_count: Set(read.map(|(rows, _)| rows)),
            column_count: Set(read.map(|(_, columns)| columns)),
            failure: Set(failure.clone()),
            ..Default::default()
        };
        // Whoever came after the lease had ended tells what became of it.
        if !sync_run::settle(&transaction, &run, change).await? {
            return Ok(());
        }
        // As it is by now: its schedule may have changed meanwhile.
        let mut current = connection::of_tenant(&transaction, connection.tenant_id, id).await?;
        if let Some(row) = current.take() {
            current = Some(match (&failure, &row.failure, row.paused_at) {
                // Reading it has shown that it works: no check is needed.
                (None, None, None) => {
                    let every = self.catalog.get(&row.provider).map(Provider::check_every);
                    let every = every.unwrap_or(TimeDelta::days(1));
                    let next = schedule::check_after_proof(&row, every, now);
                    let mut change = row.into_active_model();
                    change.last_ok_at = Set(Some(now));
                    change.next_check_at = Set(Some(next));
                    change.update(&transaction).await?
                }
                _ => row,
            });
        }
        if let Some(current) = &current {
            self.plan_sync(&transaction, current).await?;
        }
        let kind = match failure {
            None => Kind::SyncCompleted,
            Some(_) => Kind::SyncFailed,
        };
        let data = event::Data {
            run: Some(run.id),
            rows: read.map(|(rows, _)| rows),
            columns: read.map(|(_, columns)| columns),
            failure: failure.clone(),
            ..Default::default()
        };
        self.tell(&transaction, &connection, kind, data).await?;
        transaction.commit().await?;
        self.changes.nudge(connection.tenant_id);
        tracing::info!(
            connection.id = %id, sync.id = %run.id, event = ?kind,
            failure.code = failure.as_ref().map(|failure| failure.code.as_str()),
            "a connection was read"
        );
        // What trying again would not help may be the connection's own trouble:
        // a check says so, and the next reading waits until it is mended.
        match (failure, current) {
            (Some(failure), Some(current)) if !failure.code.is_transient() => {
                self.check_now(current).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_comes_a_little_early_and_never_in_the_past() {
        let now: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
        let ids: Vec<_> = (0..50).map(|_| ConnectionId::new()).collect();
        for (frequency, interval) in [
            (SyncFrequency::Hourly, TimeDelta::hours(1)),
            (SyncFrequency::Daily, TimeDelta::days(1)),
            (SyncFrequency::Weekly, TimeDelta::weeks(1)),
        ] {
            let mut all = std::collections::BTreeSet::new();
            for id in &ids {
                let due = next_at(frequency, *id, Some(now), now).unwrap();
                assert!(
                    due <= now + interval && due >= now + interval * 9 / 10,
                    "{due}"
                );
                all.insert(due);
                assert_eq!(next_at(frequency, *id, None, now), Some(now));
                let long_ago = Some(now - interval * 3);
                assert_eq!(next_at(frequency, *id, long_ago, now), Some(now), "once");
            }
            assert!(all.len() > 40, "they are spread");
        }
        assert_eq!(next_at(SyncFrequency::Manual, ids[0], Some(now), now), None);
    }
}
