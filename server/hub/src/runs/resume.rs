//! Paused runs go on by themselves: when something happened to their connection,
//! when a rule changed, and now and then should nobody have said so.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::Set;

use super::stop::Stop;
use crate::{
    Error, Result,
    connect::Listed,
    hub::Hub,
    store::{
        ConnectionId, TenantId,
        event::Kind,
        run::{self, Status},
        tenant,
    },
};

/// How many connections are read in one go, and how many runs of each.
const BATCH: u64 = 100;
/// The longest time between two looks at a paused run.
const RAREST_LOOK: TimeDelta = TimeDelta::minutes(15);

/// When a run that is still stopped is looked at next: 10 s, 20 s, 40 s …
fn next_look(looks: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    let wait = TimeDelta::seconds(10 << looks.clamp(0, 10));
    now + wait.min(RAREST_LOOK)
}

impl Hub {
    /// One round of the background: lets every paused run go on that nothing
    /// stops any more. Answers how many did.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resume_runs(&self) -> Result<usize> {
        let mut resumed = 0;
        let mut seen = BTreeSet::new();
        loop {
            let due = run::due(self.store.db(), self.clock.now(), BATCH).await?;
            let is_last = (due.len() as u64) < BATCH;
            let before = seen.len();
            for (tenant, connection) in due {
                // One that is woken all the time has its turn once a round, like
                // every other.
                if seen.insert(connection) {
                    resumed += self.resume_of(tenant, connection).await?;
                }
            }
            if is_last || seen.len() == before {
                return Ok(resumed);
            }
        }
    }

    /// The same for one connection: every run of it that waits, in their order,
    /// for one that is not due may come before one that is.
    pub(super) async fn resume_of(&self, tenant: TenantId, id: ConnectionId) -> Result<usize> {
        let mut resumed = 0;
        let mut after = None;
        loop {
            let paused = run::paused(self.store.db(), id, after, BATCH).await?;
            let is_last = (paused.len() as u64) < BATCH;
            after = paused.last().map(|row| (row.created_at, row.id));
            resumed += self.resume_batch(tenant, id, paused).await?;
            if is_last {
                return Ok(resumed);
            }
        }
    }

    async fn resume_batch(
        &self,
        tenant: TenantId,
        id: ConnectionId,
        paused: Vec<run::Model>,
    ) -> Result<usize> {
        let listed = match self.one(tenant, id).await {
            Err(Error::NotFound) => {
                run::forget(self.store.db(), id).await?;
                return Ok(0);
            }
            listed => listed?,
        };
        let now = self.clock.now();
        let mut free = Vec::new();
        let mut is_news = false;
        for row in paused {
            match self.stops(&listed, &row).await? {
                None => free.push(row),
                Some(stop) => is_news |= self.look_later(&listed, &row, stop).await?,
            }
        }
        if is_news {
            self.changes.nudge(tenant);
        }
        if free.is_empty() {
            return Ok(0);
        }
        // In one transaction and behind the tenant's counter of events: of two
        // processes the second finds nothing left, and the order is the runs'.
        let transaction = self.store.begin().await?;
        tenant::lock(&transaction, tenant).await?;
        let mut resumed = 0;
        let mut went = Vec::new();
        for row in &free {
            let change = run::ActiveModel {
                resumed_at: Set(Some(now)),
                ..Default::default()
            };
            if run::go(&transaction, row, Status::Resumed, change).await? {
                self.tell_run(&transaction, &listed, Kind::RunResumed, row)
                    .await?;
                resumed += 1;
                went.push(run::Model {
                    status: Status::Resumed,
                    resumed_at: Some(now),
                    ..row.clone()
                });
            }
        }
        transaction.commit().await?;
        went.iter().for_each(|row| self.note_run(row));
        if resumed > 0 {
            self.changes.nudge(tenant);
            tracing::info!(connection.id = %id, runs = resumed, "paused runs go on");
        }
        Ok(resumed)
    }

    /// What stops it may be another thing by now: it is what is shown, and is
    /// told where it is another reason. Answers whether it is.
    pub(super) async fn look_later(
        &self,
        listed: &Listed,
        row: &run::Model,
        stop: Stop,
    ) -> Result<bool> {
        let now = self.clock.now();
        let is_news = stop.is_news_to(row);
        let is_due = row.look_at.is_none_or(|at| at <= now);
        if !is_news && !is_due {
            return Ok(false);
        }
        let after = run::Model {
            look_at: Some(next_look(row.looks, now)),
            looks: row.looks.saturating_add(1),
            needed_person: row.needed_person || stop.needs_person(),
            policy: stop.policy,
            failure: Some(stop.failure),
            ..row.clone()
        };
        let change = run::ActiveModel {
            look_at: Set(after.look_at),
            looks: Set(after.looks),
            needed_person: Set(after.needed_person),
            policy: Set(after.policy.clone()),
            failure: Set(after.failure.clone()),
            ..Default::default()
        };
        if !is_news {
            run::look_again(self.store.db(), row, change).await?;
            return Ok(false);
        }
        let transaction = self.store.begin().await?;
        // Of two processes that see it, one tells.
        if !run::look_again(&transaction, row, change).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        self.tell_run(&transaction, listed, Kind::RunPaused, &after)
            .await?;
        transaction.commit().await?;
        self.attempt_of_run(&after);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_and_never_cease() {
        let now: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(next_look(0, now), now + TimeDelta::seconds(10));
        assert_eq!(next_look(2, now), now + TimeDelta::seconds(40));
        for looks in 7..100 {
            assert_eq!(next_look(looks, now), now + RAREST_LOOK);
        }
    }
}
