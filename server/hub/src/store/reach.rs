//! Whose rows a piece of work may reach.
//!
//! On PostgreSQL every table of tenants is guarded by row-level security: a row is
//! there only for whoever named its tenant in the setting `linkwell.tenant`. Each
//! task carries its [`Reach`], and the pool writes it into a connection whenever
//! the task takes one. A query that forgets its tenant finds nothing of another's.
//!
//! A request reaches nothing until somebody has shown who they are, and then their
//! tenant. What the hub does for all tenants says so, with [`Reach::every`]. Work
//! that is spawned begins without a reach and is given one.

use std::{borrow::Cow, future::Future};

use sea_orm::sqlx::{self, Executor, PgConnection, Postgres, pool::PoolOptions};

use super::TenantId;

tokio::task_local! {
    static HERE: Reach;
}

/// The tenants whose rows a task may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(Cow<'static, str>);

impl Reach {
    /// No tenant's.
    pub const fn nothing() -> Self {
        Self(Cow::Borrowed(""))
    }

    /// Those of all tenants: for the hub's own work, and for finding out who
    /// somebody is.
    pub const fn every() -> Self {
        Self(Cow::Borrowed("every"))
    }

    /// Those of these tenants.
    pub fn of(tenants: impl IntoIterator<Item = TenantId>) -> Self {
        let ids: Vec<_> = tenants.into_iter().map(|id| id.to_string()).collect();
        Self(Cow::Owned(ids.join(",")))
    }

    /// Runs `work` with this reach. What it spawns is outside, and so is a
    /// transaction that was begun before.
    pub async fn around<T>(self, work: impl Future<Output = T>) -> T {
        HERE.scope(self, work).await
    }

    /// The same for what does not wait.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        HERE.sync_scope(self.clone(), work)
    }

    /// `work` with the reach that is here, to be spawned.
    pub fn along<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let here = HERE.try_with(Self::clone);
        async move {
            match here {
                Ok(here) => here.around(work).await,
                Err(_) => work.await,
            }
        }
    }
}

/// What a task reaches that was given no reach: nothing. That is a mistake of ours,
/// and is said.
pub(super) fn forgotten() -> Reach {
    tracing::error!("a task uses the database and was given no reach; it reaches no tenant");
    Reach::nothing()
}

/// Has the pool write the reach of whoever takes a connection into it.
/// `otherwise` is that of tasks that were given none.
pub(super) fn guard(
    options: PoolOptions<Postgres>,
    otherwise: fn() -> Reach,
) -> PoolOptions<Postgres> {
    // Called in the task that wants the connection.
    let here = move || HERE.try_with(Reach::clone).unwrap_or_else(|_| otherwise());
    options
        .after_connect(move |connection, _| Box::pin(write(connection, here())))
        .before_acquire(move |connection, _| {
            let reach = here();
            Box::pin(async move { write(connection, reach).await.map(|()| true) })
        })
}

async fn write(connection: &mut PgConnection, reach: Reach) -> Result<(), sqlx::Error> {
    let set = sqlx::query("SELECT set_config('linkwell.tenant', $1, false)");
    connection.execute(set.bind(reach.0)).await.map(|_| ())
}
