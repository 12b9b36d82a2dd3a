//! What happened: events for others to react to, who read which token, the
//! [`ledger`] of what was done, and figures.

pub mod attempt;
mod deletion;
mod erasure;
pub mod export;
pub mod ledger;
mod meters;
pub mod once;
mod origin;

pub use attempt::AttemptLog;
pub use meters::{Meters, Reached, Renewed};

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

pub use self::{ledger::Ledgers, ledger::checkpoint::Witness, origin::Origin};
pub(crate) use self::{
    ledger::{Actor, Deed, Entry, Ledger, Outcome, Target, Who},
    origin::Denied,
};
use crate::{
    Error, Result,
    hub::Hub,
    people::Member,
    store::{ApiKeyId, ConnectionId, Reach, TenantId, api_key, event, tenant, token_read},
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
    origin: Origin,
}

/// Reads are remembered in memory and written in batches: lending a token
/// writes nothing. [`Hub::flush_reads`] is called within a second of a read, and
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
        origin: &Origin,
    ) {
        self.pending().push(TokenRead {
            tenant,
            key,
            connection,
            at,
            origin: origin.clone(),
        });
        self.0.some.notify_one();
    }

    /// Waits until there is something to write.
    pub async fn some(&self) {
        self.0.some.notified().await;
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

/// Writes the reads of one tenant.
async fn write(hub: &Hub, tenant: TenantId, reads: &[TokenRead]) -> Result<()> {
    // One entry of the ledger for all reads of one token by one key from one place.
    let mut groups: Vec<(&TokenRead, usize)> = Vec::new();
    // In the order of their ids: two processes that write for the same keys never
    // wait for each other in a circle.
    let mut newest = BTreeMap::new();
    for read in reads {
        newest.insert(read.key, read.at);
        let same = |(one, _): &&mut (&TokenRead, usize)| {
            one.key == read.key && one.connection == read.connection && one.origin == read.origin
        };
        match groups.iter_mut().find(same) {
            Some((_, times)) => *times += 1,
            None => groups.push((read, 1)),
        }
    }
    let ledger = hub.ledger(tenant).await?;
    let transaction = hub.store.begin().await?;
    for rows in reads.chunks(ROWS_PER_INSERT) {
        token_read::Entity::insert_many(rows.iter().map(|read| token_read::ActiveModel {
            id: Set(Uuid::now_v7()),
            tenant_id: Set(tenant),
            api_key_id: Set(read.key),
            connection_id: Set(read.connection),
            at: Set(read.at),
        }))
        .exec_without_returning(&transaction)
        .await?;
    }
    for (key, at) in newest {
        api_key::Entity::update_many()
            .col_expr(api_key::Column::LastUsedAt, Expr::value(at))
            .filter(api_key::Column::TenantId.eq(tenant))
            .filter(api_key::Column::Id.eq(key))
            .exec(&transaction)
            .await?;
    }
    for (read, times) in groups {
        let who = Who::of(Actor::Key(read.key), &read.origin);
        let entry = Entry::new(who, Deed::SecretLent).on(read.connection);
        let times = match times {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        ledger.append(&transaction, entry.saying(times)).await?;
    }
    Ok(transaction.commit().await?)
}

impl Hub {
    /// Writes which tokens were read, each tenant's by themselves: what cannot be
    /// written of one stays remembered, and holds up no other's. Nothing is written
    /// of a tenant that was deleted. Answers how many reads were written.
    ///
    /// # Errors
    /// When the database or the vault fails; the first error of several.
    pub async fn flush_reads(&self) -> Result<usize> {
        Reach::every().around(self.flush_all_reads()).await
    }

    async fn flush_all_reads(&self) -> Result<usize> {
        let mut tenants: BTreeMap<TenantId, Vec<TokenRead>> = BTreeMap::new();
        for read in std::mem::take(&mut *self.reads.pending()) {
            tenants.entry(read.tenant).or_default().push(read);
        }
        let (mut written, mut left, mut failed) = (0, Vec::new(), None);
        for (tenant, reads) in tenants {
            // Not asked again and again while the database is away.
            if failed.as_ref().is_some_and(Error::is_away) {
                left.extend(reads);
                continue;
            }
            let Err(error) = write(self, tenant, &reads).await else {
                written += reads.len();
                continue;
            };
            match tenant::get(self.store.db(), tenant).await {
                Ok(None) => tracing::warn!(
                    tenant.id = %tenant, reads = reads.len(),
                    "reads of tokens of an organisation that was deleted meanwhile are not written"
                ),
                _ => {
                    tracing::error!(tenant.id = %tenant, %error, "token reads were not written");
                    left.extend(reads);
                    failed.get_or_insert(error);
                }
            }
        }
        if !left.is_empty() {
            self.reads.pending().splice(0..0, left);
            self.reads.0.some.notify_one();
        }
        failed.map_or(Ok(written), Err)
    }

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
