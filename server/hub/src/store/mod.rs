//! Rows and their queries: one file per table, on SQLite or PostgreSQL.
//!
//! Rows hold facts. What follows from them (a status, a due time's meaning) is
//! computed above, by pure functions. No transaction spans a network call.

use std::time::Duration;

use sea_orm::sqlx::{
    self, Connection, Executor, SqliteConnection, sqlite::SqliteTransactionManager,
};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sqlx_core::transaction::TransactionManager;

pub mod alarm;
pub mod api_key;
pub mod attempt;
pub mod audit_chain;
pub mod audit_entry;
pub mod audit_personal;
mod away;
pub mod connect_link;
pub mod connection;
pub mod credential;
pub mod data_key;
pub mod deletion;
pub mod delivery;
pub mod draft;
pub mod erase;
pub mod event;
mod failing;
pub mod flow;
pub mod flow_outcome;
pub mod idempotent_request;
mod ids;
pub mod mail;
pub mod mail_choice;
pub mod member;
pub mod node;
pub mod notice;
mod owner;
pub mod person;
pub mod provider_app;
pub mod provider_fault;
pub mod provider_pace;
pub mod provider_trouble;
pub mod push_message;
mod reach;
pub mod refresh_attempt;
pub mod run;
pub mod session;
pub mod signing_key;
pub mod switched_off;
pub mod sync_run;
pub mod tenant;
pub mod token_read;
pub mod watcher;
pub mod webhook;
pub mod wish;

pub use away::{is_away, is_deadlock};
pub use ids::*;
pub use owner::Owner;
pub use reach::Reach;

/// The database: one pool, shared by everything that reads or writes rows.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
}

/// How long a statement waits for SQLite's single writer, or for a free
/// connection of the pool.
const PATIENCE: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the pool. `sqlite::memory:` is one connection that lives as long
    /// as the store; a SQLite file is opened in WAL mode with full
    /// synchronisation, because a rotated refresh token that was reported as
    /// stored must survive a power cut.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_else(url, reach::forgotten).await
    }

    /// The same, where tasks that were given no reach have the answered one: a test
    /// is a task that nobody spawned.
    pub async fn open_else(url: &str, otherwise: fn() -> Reach) -> Result<Self, DbErr> {
        let memory = url.contains(":memory:");
        let mut options = ConnectOptions::new(url);
        options
            .sqlx_logging(false)
            .acquire_timeout(PATIENCE)
            .set_application_name("linkwell")
            .max_connections(if memory { 1 } else { 8 })
            .test_before_acquire(false)
            .map_sqlx_postgres_pool_opts(move |pool| reach::guard(pool, otherwise))
            .map_sqlx_sqlite_pool_opts(|pool| {
                pool.after_release(|used, _| Box::pin(end_transaction(used)))
            })
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .busy_timeout(PATIENCE)
                    .create_if_missing(true)
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "FULL")
                    // What is deleted is overwritten, and not only left out.
                    .pragma("secure_delete", "ON")
            });
        if memory {
            options
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None);
        }
        Ok(Self {
            db: Database::connect(options).await?,
        })
    }

    /// Wraps a pool that is open already.
    pub fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    /// The pool, for reads that need no transaction.
    pub fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// The pool, to hang a statement counter on before it is shared.
    pub fn db_mut(&mut self) -> &mut DatabaseConnection {
        &mut self.db
    }

    /// Begins a short write transaction; dropped without a commit, it is rolled
    /// back. SQLite takes its write lock at once, so that a read inside cannot
    /// go stale.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.db
            .begin_with_options(TransactionOptions {
                isolation_level: None::<IsolationLevel>,
                access_mode: None::<AccessMode>,
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            })
            .await
    }

    /// The database's own clock, so that several processes agree on leases.
    pub async fn time(&self) -> Result<chrono::DateTime<chrono::Utc>, DbErr> {
        let expression = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS t"
            }
            _ => "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) AS t",
        };
        let row = self
            .db
            .query_one_raw(sea_orm::Statement::from_string(
                self.db.get_database_backend(),
                expression,
            ))
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("time".into()))?;
        chrono::DateTime::from_timestamp_micros(row.try_get("", "t")?)
            .ok_or_else(|| DbErr::Type("the database's time is outside the calendar".into()))
    }

    /// After a deletion: on SQLite, writes the log into the database and empties
    /// it, so that nothing is left of what was deleted. When a reader is in the
    /// way, a later one does it. PostgreSQL does the like by itself, in time.
    pub async fn scrub(&self) {
        if self.db.get_database_backend() == DbBackend::Sqlite {
            let emptied = self
                .db
                .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)");
            let _ = emptied.await;
        }
    }

    /// Whether the database lets this hub pass by the guard over rows of tenants:
    /// PostgreSQL does, when the role is a superuser or has BYPASSRLS.
    pub async fn is_unguarded(&self) -> Result<bool, DbErr> {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return Ok(false);
        }
        let role = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
        let role = sea_orm::Statement::from_string(DbBackend::Postgres, role);
        match self.db.query_one_raw(role).await? {
            Some(row) => row.try_get_by_index(0),
            None => Ok(false),
        }
    }

    /// Whether the database takes writes: a PostgreSQL that another is to take over
    /// from, or is still to take over, answers and takes none. Used by readiness.
    pub async fn takes_writes(&self) -> Result<bool, DbErr> {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return self.db.execute_unprepared("SELECT 1").await.map(|_| true);
        }
        let read_only = "SELECT current_setting('transaction_read_only')::boolean";
        let read_only = sea_orm::Statement::from_string(DbBackend::Postgres, read_only);
        match self.db.query_one_raw(read_only).await? {
            Some(row) => row.try_get_by_index::<bool>(0).map(|read_only| !read_only),
            None => Ok(false),
        }
    }
}

/// Ends what is left of a transaction on a connection that comes back to the pool;
/// one where that cannot be done is closed.
///
/// SQLite ends a transaction by itself when the disk is full. The driver hears that
/// there is none to be rolled back, and counts it as open ever after: what the next
/// ones on that connection write would be nested in it, and be kept from the disk and
/// everybody else, together with the one lock for writing.
async fn end_transaction(used: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if used.is_in_transaction() {
        // The rollback is on its way, most likely.
        used.ping().await?;
    }
    if used.is_in_transaction() {
        tracing::warn!("a transaction was ended by the database itself");
        // Begun once more, it can be rolled back; where it is open still, this fails.
        let _ = used.execute("BEGIN").await;
        let _ = SqliteTransactionManager::rollback(used).await;
    }
    Ok(!used.is_in_transaction())
}

/// Whether `error` says that a unique value was taken already.
pub fn is_taken(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
    )
}

/// Space-separated words, as scopes are stored (arrays differ per database).
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_after_a_full_disk_is_written() {
        let file = std::env::temp_dir().join(format!("linkwell-store-{}.db", ConnectionId::new()));
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let open = async || Store::open_else(&url, Reach::every).await.unwrap();
        let store = open().await;
        let run = "CREATE TABLE line (number INTEGER)";
        store.db().execute_unprepared(run).await.unwrap();
        // As SQLite does when there is no room: nobody asked for it.
        let ended = store.begin().await.unwrap();
        ended.execute_unprepared("ROLLBACK").await.unwrap();
        drop(ended);
        let line = "INSERT INTO line VALUES (1)";
        for _ in 0..20 {
            let dropped = store.begin().await.unwrap();
            dropped.execute_unprepared(line).await.unwrap();
            drop(dropped);
            let kept = store.begin().await.unwrap();
            kept.execute_unprepared(line).await.unwrap();
            kept.commit().await.unwrap();
        }
        let count = "SELECT count(*) FROM line";
        let count = sea_orm::Statement::from_string(DbBackend::Sqlite, count);
        let other = open().await;
        let row = other.db().query_one_raw(count).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 20);
        other.db().execute_unprepared(line).await.unwrap();
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
        }
    }
}
