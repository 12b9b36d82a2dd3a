//! Uses of connections by automations: a run is lent a token, or is paused with
//! a reason and goes on by itself when that is gone.
//!
//! | What | Where |
//! |---|---|
//! | asked for, gone on with, ended | here |
//! | what stops a run: its connection, or a policy | [`stop`] |
//! | the policies themselves | [`policies`] |
//! | paused runs that go on | [`resume`] |
//! | looked at, switched | [`list`] |

mod list;
pub mod policies;
mod resume;
mod stop;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::Set;

pub use list::{PolicyStanding, RunsOfPolicies};

use crate::{
    Error, Result,
    connect::Listed,
    failure::{Failure, FailureCode},
    hub::Hub,
    lend::{Borrower, Lent},
    people::{Authority, Host, Scope},
    secret::Secret,
    store::{
        ConnectionId, RunId, TenantId,
        event::{self, Kind},
        run::{self, Status},
        words,
    },
    text::is_deceptive,
};
use stop::Stop;
pub(crate) use stop::{DISCONNECTED, NEEDED_BY_RUN, RULE, needed_by, needs};

/// The longest name of an action, in characters.
const LONGEST_ACTION: usize = 100;
/// The longest word the host application knows a run by, in characters.
const LONGEST_CORRELATION: usize = 200;
/// The most scopes a run may need.
const MOST_SCOPES: usize = 50;
/// How many runs of one tenant may wait. Beyond that a host application hears
/// that no more are taken, instead of filling the hub with what is not done.
const MOST_WAITING: u64 = 10_000;
/// After how long it is worth asking again then.
const FULL: Duration = Duration::from_secs(60);
/// When a run that was just paused is looked at first, should nothing be heard of
/// its connection.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(5);

/// What a host application wants to do.
pub struct NewRun<'a> {
    /// What it calls it: `orders.update`.
    pub action: &'a str,
    /// Whether it changes something at the provider.
    pub writes: bool,
    /// The scopes it cannot do without.
    pub scopes: &'a [String],
    /// What it knows the run by.
    pub correlation_id: Option<&'a str>,
    /// What makes it one run, however often it is asked for.
    pub idempotency_key: Option<&'a str>,
}

/// What became of asking.
pub struct Ran {
    /// The run as it is now.
    pub run: run::Model,
    /// The token, where the run may go on.
    pub lent: Option<Lent>,
    /// Its connection, where no token was lent.
    pub listed: Option<Listed>,
    /// Whether the same was asked before.
    pub again: bool,
}

/// How a host application says a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It worked.
    Succeeded,
    /// It did not; the host application may know a failure code for it.
    Failed(Option<Failure>),
    /// It is no longer wanted.
    Cancelled,
}

impl Hub {
    /// Begins a run: lends the token of the borrower's connection for it, or
    /// pauses it.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`] without such a connection,
    /// [`Error::Invalid`] with what cannot be accepted.
    pub async fn begin_run(&self, borrower: Borrower, new: NewRun<'_>) -> Result<Ran> {
        let host = borrower.host().clone();
        host.may(Scope::TokensRead)?;
        let Authority::Key(key) = host.authority() else {
            return Err(Error::NotFound);
        };
        new.accept()?;
        let listed = self.one(host.tenant(), borrower.connection()).await?;
        let now = self.clock.now();
        let row = run::Model {
            id: RunId::new(),
            tenant_id: host.tenant(),
            connection_id: listed.connection.id,
            provider: listed.connection.provider.clone(),
            api_key_id: key,
            action: new.action.trim().to_owned(),
            writes: new.writes,
            scopes_needed: new.scopes.join(" "),
            correlation_id: new.correlation_id().map(str::to_owned),
            idempotency_hash: new.idempotency_key.map(|key| Secret::new(key).digest()),
            request_hash: Some(new.digest(listed.connection.id)),
            status: Status::Resumed,
            policy: None,
            failure: None,
            pauses: 0,
            needed_person: false,
            look_at: None,
            looks: 0,
            created_at: now,
            paused_at: None,
            resumed_at: None,
            started_at: None,
            finished_at: None,
        };
        if let Some(hash) = &row.idempotency_hash
            && let Some(before) =
                run::asked_before(self.store.db(), host.tenant(), key, hash).await?
        {
            return self.ask_again(borrower, &row, before).await;
        }
        self.accept_scopes(&listed, new.scopes)?;
        let listed = self.tried(listed).await?;
        if let Some(stop) = self.stops(&listed, &row).await? {
            return self
                .begin_paused(borrower, &listed, paused(row, stop, now))
                .await;
        }
        // Written before the token is handed out: no automation uses one of
        // which nobody knows.
        let begun = run::Model {
            status: Status::Allowed,
            started_at: Some(now),
            ..row
        };
        if !run::insert(self.store.db(), begun.clone()).await? {
            return self.asked_meanwhile(borrower, &begun).await;
        }
        let id = begun.id;
        match self.lend_to(borrower, &listed, begun).await {
            Ok((run, lent)) => self.ran(run, lent, false).await,
            Err(error) => {
                // Whoever asked hears that nothing was begun, and asks again.
                run::take_back(self.store.db(), id).await?;
                Err(error)
            }
        }
    }

    /// Lends the token of a run that is under way. What keeps it pauses the run,
    /// also where that is our own trouble: one that is said to be under way and
    /// has no token is one that nobody looks after.
    async fn lend_to(
        &self,
        borrower: Borrower,
        listed: &Listed,
        row: run::Model,
    ) -> Result<(run::Model, Option<Lent>)> {
        let stop = match self.lend(borrower).await {
            Ok(Ok(lent)) => {
                self.note_run(&row);
                return Ok((row, Some(lent)));
            }
            Ok(Err(withheld)) => withheld.failure.into(),
            Err(Error::Paused) => Stop::resting(),
            Err(error) => {
                tracing::error!(run.id = %row.id, %error, "no token could be lent to a run");
                Failure::inferred(FailureCode::HubInternal, "not_lent").into()
            }
        };
        Ok((self.pause_run(listed, row, stop).await?, None))
    }

    /// A scope that the provider cannot be asked for is one that a run would
    /// wait for in vain, unless the connection has it.
    fn accept_scopes(&self, listed: &Listed, needed: &[String]) -> Result<()> {
        let connection = &listed.connection;
        let Some(provider) = self.catalog.get(&connection.provider) else {
            return Ok(());
        };
        let granted = words(connection.scopes_granted.as_deref().unwrap_or_default());
        let is_known = |name: &&String| provider.scope(name).is_some() || granted.contains(name);
        match needed.iter().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(unknown) => Err(Error::invalid(
                "scopes",
                format!("{} has no permission called {unknown}", provider.name()),
            )),
        }
    }

    /// Whether one more run of a tenant may wait.
    async fn has_room(&self, tenant: TenantId) -> Result<()> {
        match run::waiting(self.store.db(), tenant, MOST_WAITING).await? {
            waiting if waiting < MOST_WAITING => Ok(()),
            _ => Err(Error::TooMuch {
                why: "Ten thousand runs of your organisation wait already: mend what they wait for, or cancel some",
                wait: FULL,
            }),
        }
    }

    /// What became of asking. The connection is read anew: what is said of it
    /// counts this run, too.
    async fn ran(&self, run: run::Model, lent: Option<Lent>, again: bool) -> Result<Ran> {
        let listed = match &lent {
            Some(_) => None,
            None => Some(self.one(run.tenant_id, run.connection_id).await?),
        };
        Ok(Ran {
            run,
            lent,
            listed,
            again,
        })
    }

    async fn begin_paused(
        &self,
        borrower: Borrower,
        listed: &Listed,
        run: run::Model,
    ) -> Result<Ran> {
        self.has_room(run.tenant_id).await?;
        let transaction = self.store.begin().await?;
        if !run::insert(&transaction, run.clone()).await? {
            transaction.rollback().await?;
            return self.asked_meanwhile(borrower, &run).await;
        }
        self.tell_run(&transaction, listed, Kind::RunPaused, &run)
            .await?;
        transaction.commit().await?;
        self.note_run(&run);
        self.changes.nudge(run.tenant_id);
        self.ran(run, None, false).await
    }

    /// Which connection a run is about, for whoever is to borrow its token.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn run_of_key(&self, host: &Host, id: RunId) -> Result<run::Model> {
        host.may(Scope::TokensRead)?;
        let found = run::of_tenant(self.store.db(), host.tenant(), id).await?;
        found.ok_or(Error::NotFound)
    }

    /// Goes on with a run: lends the token again, or for the first time since it
    /// was paused. What stops it by now pauses it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is over.
    pub async fn go_on(&self, borrower: Borrower, row: run::Model) -> Result<Ran> {
        borrower.host().may(Scope::TokensRead)?;
        if row.status.is_over() {
            return Err(Error::Conflict("the run is over"));
        }
        let mut row = row;
        if row.status == Status::Paused {
            let listed = self.one(row.tenant_id, row.connection_id).await?;
            let listed = self.tried(listed).await?;
            match self.stops(&listed, &row).await? {
                Some(stop) => {
                    if self.look_later(&listed, &row, stop).await? {
                        self.changes.nudge(row.tenant_id);
                    }
                }
                // All that wait for the same, in their order.
                None => {
                    self.resume_of(row.tenant_id, row.connection_id).await?;
                }
            }
            let now = run::of_tenant(self.store.db(), row.tenant_id, row.id).await?;
            row = now.ok_or(Error::NotFound)?;
        }
        let listed = self.one(row.tenant_id, row.connection_id).await?;
        if row.status == Status::Paused {
            return self.ran(row, None, true).await;
        }
        if let Some(stop) = self.stops(&listed, &row).await? {
            let row = self.pause_run(&listed, row, stop).await?;
            return self.ran(row, None, true).await;
        }
        let started_at = row.started_at.unwrap_or_else(|| self.clock.now());
        let change = run::ActiveModel {
            started_at: Set(Some(started_at)),
            ..Default::default()
        };
        if !run::go(self.store.db(), &row, Status::Allowed, change).await? {
            return Err(Error::Conflict("the run changed meanwhile; ask again"));
        }
        let before = row.clone();
        row.status = Status::Allowed;
        row.started_at = Some(started_at);
        match self.lend_to(borrower, &listed, row.clone()).await {
            Ok((row, lent)) => self.ran(row, lent, true).await,
            Err(error) => {
                // It is to be gone on with, as before.
                let change = run::ActiveModel {
                    started_at: Set(before.started_at),
                    ..Default::default()
                };
                run::go(self.store.db(), &row, before.status, change).await?;
                Err(error)
            }
        }
    }

    /// Notes how a run ended. The same said twice is said once.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] when it
    /// ended otherwise, or was never begun.
    pub async fn end_run(&self, host: &Host, id: RunId, end: End) -> Result<run::Model> {
        let row = self.run_of_key(host, id).await?;
        let to = match end {
            End::Succeeded => Status::Succeeded,
            End::Failed(_) => Status::Failed,
            End::Cancelled => Status::Cancelled,
        };
        if row.status == to {
            return Ok(row);
        }
        if row.status.is_over() {
            return Err(Error::Conflict("the run ended otherwise"));
        }
        if row.started_at.is_none() && to != Status::Cancelled {
            return Err(Error::Conflict("the run was not begun: no token was lent"));
        }
        let failure = match end {
            End::Failed(failure) => failure,
            _ => None,
        };
        let change = run::ActiveModel {
            finished_at: Set(Some(self.clock.now())),
            failure: match failure {
                Some(failure) => Set(Some(failure)),
                None => Default::default(),
            },
            ..Default::default()
        };
        if !run::go(self.store.db(), &row, to, change).await? {
            return Err(Error::Conflict("the run changed meanwhile; ask again"));
        }
        let ended = run::of_tenant(self.store.db(), row.tenant_id, row.id).await?;
        self.changes.nudge(row.tenant_id);
        let ended = ended.ok_or(Error::NotFound)?;
        self.note_run(&ended);
        Ok(ended)
    }

    async fn ask_again(
        &self,
        borrower: Borrower,
        asked: &run::Model,
        before: run::Model,
    ) -> Result<Ran> {
        if before.request_hash != asked.request_hash {
            return Err(Error::invalid(
                "Idempotency-Key",
                "Another request was sent with this key; use a new one",
            ));
        }
        if before.status.is_over() {
            return self.ran(before, None, true).await;
        }
        self.go_on(borrower, before).await
    }

    /// Another request with the same key was faster.
    async fn asked_meanwhile(&self, borrower: Borrower, asked: &run::Model) -> Result<Ran> {
        let hash = asked.idempotency_hash.as_deref().unwrap_or_default();
        let (tenant, key) = (asked.tenant_id, asked.api_key_id);
        let before = run::asked_before(self.store.db(), tenant, key, hash).await?;
        let before = before.ok_or(Error::Conflict("the same request is under way"))?;
        self.ask_again(borrower, asked, before).await
    }

    /// What needs nobody is tried before anybody is waited for: a connection that
    /// nobody has proven yet is checked, and one that seems broken for good climbs
    /// the ladder of repairs.
    async fn tried(&self, listed: Listed) -> Result<Listed> {
        let Listed {
            connection, health, ..
        } = &listed;
        if connection.disconnected_at.is_some() || connection.paused_at.is_some() {
            return Ok(listed);
        }
        let (tenant, id) = (connection.tenant_id, connection.id);
        match &health.failure {
            None if connection.last_ok_at.is_none() => self.check_now(listed.connection).await?,
            Some(failure) if !failure.code.is_transient() => {
                self.heals_alone(tenant, id).await?;
            }
            _ => return Ok(listed),
        }
        self.one(tenant, id).await
    }

    /// Pauses a run that was under way.
    async fn pause_run(&self, listed: &Listed, row: run::Model, stop: Stop) -> Result<run::Model> {
        self.has_room(row.tenant_id).await?;
        let now = self.clock.now();
        let after = paused(row.clone(), stop, now);
        let change = run::ActiveModel {
            policy: Set(after.policy.clone()),
            failure: Set(after.failure.clone()),
            pauses: Set(after.pauses),
            needed_person: Set(after.needed_person),
            look_at: Set(after.look_at),
            looks: Set(0),
            paused_at: Set(after.paused_at),
            resumed_at: Set(None),
            ..Default::default()
        };
        let transaction = self.store.begin().await?;
        if !run::go(&transaction, &row, Status::Paused, change).await? {
            transaction.rollback().await?;
            return Err(Error::Conflict("the run changed meanwhile; ask again"));
        }
        self.tell_run(&transaction, listed, Kind::RunPaused, &after)
            .await?;
        transaction.commit().await?;
        self.note_run(&after);
        self.changes.nudge(row.tenant_id);
        Ok(after)
    }

    /// For the figures.
    pub(super) fn note_run(&self, row: &run::Model) {
        self.meters.ran(&row.provider, row.status);
        self.attempt_of_run(row);
    }

    async fn tell_run(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        listed: &Listed,
        kind: Kind,
        row: &run::Model,
    ) -> Result<()> {
        let failure = match kind {
            Kind::RunPaused => row.failure.clone(),
            _ => None,
        };
        // It may fail for longer than the run waits.
        let since = match &failure {
            Some(failure) if row.policy.is_none() => Some(self.told_on(listed, failure).since),
            _ => None,
        };
        let data = event::Data {
            failure,
            since,
            used_by: Some(row.id),
            correlation: row.correlation_id.clone(),
            ..Default::default()
        };
        self.tell(db, &listed.connection, kind, data).await
    }
}

/// The run, as it is once `stop` has paused it.
fn paused(row: run::Model, stop: Stop, now: DateTime<Utc>) -> run::Model {
    run::Model {
        status: Status::Paused,
        needed_person: row.needed_person || stop.needs_person(),
        policy: stop.policy,
        failure: Some(stop.failure),
        pauses: row.pauses + 1,
        look_at: Some(now + FIRST_LOOK),
        looks: 0,
        paused_at: Some(now),
        resumed_at: None,
        ..row
    }
}

impl NewRun<'_> {
    fn accept(&self) -> Result<()> {
        let refuse = |field, problem: &str| Err(Error::invalid(field, problem));
        let is_line = |text: &str, longest: usize| {
            let length = text.trim().chars().count();
            length <= longest && !text.chars().any(is_deceptive)
        };
        if self.action.trim().is_empty() || !is_line(self.action, LONGEST_ACTION) {
            return refuse("action", "Use one line of 1 to 100 characters");
        }
        if self
            .correlation_id
            .is_some_and(|word| !is_line(word, LONGEST_CORRELATION))
        {
            return refuse("correlation_id", "Use one line of at most 200 characters");
        }
        let is_scope = |scope: &String| {
            (1..=200).contains(&scope.len()) && scope.chars().all(|c| c.is_ascii_graphic())
        };
        if self.scopes.len() > MOST_SCOPES || !self.scopes.iter().all(is_scope) {
            return refuse(
                "scopes",
                "Use at most 50 scopes, as the provider calls them",
            );
        }
        Ok(())
    }

    /// As it is stored: what was measured.
    fn correlation_id(&self) -> Option<&str> {
        let word = self.correlation_id.map(str::trim);
        word.filter(|word| !word.is_empty())
    }

    fn digest(&self, connection: ConnectionId) -> Vec<u8> {
        let told = format!(
            "{connection}\n{}\n{}\n{}\n{}",
            self.action.trim(),
            self.writes,
            self.scopes.join(" "),
            self.correlation_id().unwrap_or_default(),
        );
        Secret::new(told).digest()
    }
}
