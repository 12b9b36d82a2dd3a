//! What happened: events for others to react to, who read which token, and
//! figures.

pub mod attempt;
mod meters;
pub mod once;

pub use attempt::AttemptLog;
pub use meters::{Meters, Reached, Renewed};

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::{
    hub::Hub,
    people::Member,
    store::{ApiKeyId, ConnectionId, Store, TenantId, api_key, event, tenant, token_read},
};

/// Wakes those who watch a tenant, after something of it was committed. Only a
/// nudge: what changed is read from the events, so that a watcher in another
/// process misses nothing, it only hears of it a second later.
#[derive(Clone)]
pub struct Changes(broadcast::Sender<TenantId>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(256).0)
    }
}

impl Changes {
    /// Says that something of the tenant was committed.
    pub fn nudge(&self, tenant: TenantId) {
        // Nobody watching is fine.
        let _ = self.0.send(tenant);
    }

    /// Hears the nudges from now on.
    pub fn watch(&self) -> broadcast::Receiver<TenantId> {
        self.0.subscribe()
    }
}

/// One reading of a token by a host application.
struct TokenRead {
    tenant: TenantId,
    key: ApiKeyId,
    connection: ConnectionId,
    at: DateTime<Utc>,
}

/// Reads are remembered in memory and written in batches: lending a token
/// writes nothing. [`ReadLog::flush`] is called within a second of a read, and
/// at shutdown.
#[derive(Clone, Default)]
pub struct ReadLog(Arc<ReadLogInner>);

#[derive(Default)]
struct ReadLogInner {
    pending: Mutex<Vec<TokenRead>>,
    some: Notify,
}

impl ReadLog {
    pub(crate) fn note(
        &self,
        tenant: TenantId,
        key: ApiKeyId,
        connection: ConnectionId,
        at: DateTime<Utc>,
    ) {
        self.pending().push(TokenRead {
            tenant,
            key,
            connection,
            at,
        });
        self.0.some.notify_one();
    }

    /// Waits until there is something to write.
    pub async fn some(&self) {
        self.0.some.notified().await;
    }

    /// Writes what is remembered. What cannot be written stays remembered.
    pub async fn flush(&self, store: &Store) -> Result<usize, DbErr> {
        let batch = std::mem::take(&mut *self.pending());
        if batch.is_empty() {
            return Ok(0);
        }
        match write(store, &batch).await {
            Ok(()) => Ok(batch.len()),
            Err(error) => {
                self.pending().splice(0..0, batch);
                self.0.some.notify_one();
                Err(error)
            }
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<TokenRead>> {
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many rows one INSERT carries: five columns each, well below the number
/// of parameters either database takes.
const ROWS_PER_INSERT: usize = 500;

async fn write(store: &Store, batch: &[TokenRead]) -> Result<(), DbErr> {
    let transaction = store.begin().await?;
    for rows in batch.chunks(ROWS_PER_INSERT) {
        token_read::Entity::insert_many(rows.iter().map(|read| token_read::ActiveModel {
            id: Set(Uuid::now_v7()),
            tenant_id: Set(read.tenant),
            api_key_id: Set(read.key),
            connection_id: Set(read.connection),
            at: Set(read.at),
        }))
        .exec_without_returning(&transaction)
        .await?;
    }
    let mut newest = std::collections::HashMap::new();
    for read in batch {
        newest.insert(read.key, read.at);
    }
    for (key, at) in newest {
        api_key::Entity::update_many()
            .col_expr(api_key::Column::LastUsedAt, Expr::value(at))
            .filter(api_key::Column::Id.eq(key))
            .exec(&transaction)
            .await?;
    }
    transaction.commit().await
}

impl Hub {
    /// The tenant's events after number `after`, oldest first.
    pub async fn events_after(
        &self,
        member: &Member,
        after: i64,
    ) -> crate::Result<Vec<event::Model>> {
        Ok(event::after(self.store.db(), member.tenant(), after, 500).await?)
    }

    /// The number of the tenant's newest event; 0 when there is none.
    pub async fn newest_event(&self, member: &Member) -> crate::Result<i64> {
        Ok(tenant::event_seq(self.store.db(), member.tenant()).await?)
    }
}
