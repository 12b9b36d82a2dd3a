//! Deleting for good: connections and whole tenants, with a proof that is kept,
//! and once more from every backup that is older than the deletion.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Deed, Entry, Ledger, Outcome, Who, ledger::checkpoint::unusable};
use crate::{
    Error, Result,
    hub::Hub,
    people::{Action, Member},
    store::{
        ConnectionId, Reach, TenantId, alarm, audit_chain, connection, data_key, deletion, erase,
        event::{self, Kind},
        member, tenant,
    },
};

/// How many connections are given back at once.
const PARALLEL: usize = 8;
/// How many ids one statement asks for.
const BATCH: usize = 500;

/// How often a transaction that erases is begun when it and others wait for each other.
const TRIES: usize = 5;

/// Does a transaction that erases again when the database undid it, because it and
/// another waited for each other: what touches so many rows may meet anything.
pub(super) async fn unless_deadlocked<T, W>(work: impl Fn() -> W) -> Result<T>
where
    W: Future<Output = Result<T>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match work().await {
            Err(error) if error.is_deadlock() && tries < TRIES => {}
            done => return done,
        }
    }
}

impl Hub {
    /// Deletes an organisation with everything it has here: gives back its
    /// accounts at their providers, destroys its data key, with which whatever
    /// is sealed in any copy of the database cannot be opened any more, and
    /// then deletes its rows, and its members who are in no other.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for `name`, which is to be the
    /// organisation's.
    pub async fn delete_tenant(&self, member: &Member, name: &str) -> Result<()> {
        member.may(Action::DeleteTenant)?;
        if name.trim() != member.tenant_name() {
            let what = format!("Type the name as it is written: {}", member.tenant_name());
            return Err(Error::invalid("name", what));
        }
        let tenant = member.tenant();
        let hub = self.clone();
        let who = Who::from(member);
        // Whoever asked for it may be gone before it is done.
        let deleting = async move {
            hub.give_all_back(tenant, &who).await?;
            let deletion = hub.deletion(tenant, None);
            hub.witness.note_deletion(&deletion).map_err(unusable)?;
            hub.erase_tenant(deletion, who, Deed::TenantDeleted).await
        };
        // The hub's own ledger tells of it, and its people may be in others.
        self.keeper
            .tasks
            .spawn(Reach::every().around(deleting))
            .await
            .map_err(|_| Error::Conflict("deleting was interrupted"))?
    }

    async fn give_all_back(&self, tenant: TenantId, who: &Who) -> Result<()> {
        let connections = connection::all_of_tenant(self.store.db(), tenant).await?;
        futures::stream::iter(connections)
            .for_each_concurrent(PARALLEL, |row| async move {
                if let Err(error) = self.end(tenant, who.clone(), row.id).await {
                    tracing::warn!(
                        connection.id = %row.id, %error,
                        "a connection of a deleted organisation was not given back"
                    );
                }
            })
            .await;
        Ok(())
    }

    async fn erase_tenant(&self, deletion: deletion::Model, who: Who, deed: Deed) -> Result<()> {
        let tenant = deletion.tenant_id;
        let ledger = self.ledger(TenantId::HUB).await?;
        // First the key, by itself: whatever comes between, what is sealed
        // stays sealed.
        let (deletion, who) = (&deletion, &who);
        unless_deadlocked(|| self.destroy_key(&ledger, deletion, who, deed)).await?;
        self.vault.forget(tenant);
        self.close_ledger(tenant);

        unless_deadlocked(|| self.erase_rows_of(tenant)).await?;
        self.changes.nudge(tenant);
        self.store.scrub().await;
        tracing::info!(tenant.id = %tenant, "an organisation was deleted");
        Ok(())
    }

    async fn destroy_key(
        &self,
        ledger: &Ledger,
        deletion: &deletion::Model,
        who: &Who,
        deed: Deed,
    ) -> Result<()> {
        let tenant = deletion.tenant_id;
        let transaction = self.store.begin().await?;
        data_key::Entity::delete_many()
            .filter(data_key::Column::TenantId.eq(tenant))
            .exec(&transaction)
            .await?;
        deletion::note(&transaction, deletion.clone()).await?;
        let entry = Entry::new(who.clone(), deed).on(tenant);
        ledger.append(&transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    async fn erase_rows_of(&self, tenant: TenantId) -> Result<()> {
        let transaction = self.store.begin().await?;
        erase::lock_tenant(&transaction, tenant).await?;
        let people = member::all(&transaction, tenant).await?;
        let connections = connection::all_of_tenant(&transaction, tenant).await?;
        for row in connections {
            erase::connection(&transaction, row.id).await?;
        }
        erase::tenant(&transaction, tenant).await?;
        for row in people {
            if !member::anywhere(&transaction, row.person_id).await? {
                erase::person(&transaction, row.person_id).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Deletes who came back with a backup of data that is older than the keys it
    /// was restored with: their own key was destroyed since. Answers how many
    /// those are.
    pub(super) async fn delete_keyless(&self) -> Result<usize> {
        let db = self.store.db();
        let keys = data_key::Entity::find().all(db).await?;
        let opened: BTreeSet<TenantId> = keys.iter().map(|key| key.tenant_id).collect();
        let mut deleted = 0;
        // Who has a ledger had a key: it is sealed with it.
        let had = audit_chain::all(db).await?.into_iter();
        for tenant in had.map(|chain| chain.tenant_id) {
            if tenant == TenantId::HUB || opened.contains(&tenant) {
                continue;
            }
            let deletion = self.deletion(tenant, None);
            self.witness.note_deletion(&deletion).map_err(unusable)?;
            self.erase_tenant(deletion, Who::hub(), Deed::DeletionRepeated)
                .await?;
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Deletes every row of a connection that has ended.
    pub(crate) async fn erase_connection(
        &self,
        tenant: TenantId,
        who: Who,
        id: ConnectionId,
    ) -> Result<()> {
        let deletion = self.deletion(tenant, Some(id));
        self.witness.note_deletion(&deletion).map_err(unusable)?;
        self.erase_rows(deletion, id, who, Deed::ConnectionDeleted)
            .await
    }

    async fn erase_rows(
        &self,
        deletion: deletion::Model,
        id: ConnectionId,
        who: Who,
        deed: Deed,
    ) -> Result<()> {
        let tenant = deletion.tenant_id;
        let ledger = self.ledger(tenant).await?;
        let (deletion, who) = (&deletion, &who);
        unless_deadlocked(|| self.erase_rows_once(&ledger, deletion, id, who, deed)).await?;
        self.changes.nudge(tenant);
        self.store.scrub().await;
        Ok(())
    }

    async fn erase_rows_once(
        &self,
        ledger: &Ledger,
        deletion: &deletion::Model,
        id: ConnectionId,
        who: &Who,
        deed: Deed,
    ) -> Result<()> {
        let tenant = deletion.tenant_id;
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        let row = connection::of_tenant(&transaction, tenant, id).await?;
        let provider = row.map(|row| row.provider).unwrap_or_default();
        deletion::note(&transaction, deletion.clone()).await?;
        alarm::forget(&transaction, id).await?;
        erase::connection(&transaction, id).await?;
        let new = event::New {
            tenant,
            kind: Kind::ConnectionDeleted,
            connection: Some(id),
            person: None,
            data: event::Data::default(),
        };
        event::append(&transaction, new, now).await?;
        let entry = Entry::new(who.clone(), deed).on(id).ended(Outcome::Done);
        ledger.append(&transaction, entry.saying(provider)).await?;
        Ok(transaction.commit().await?)
    }

    fn deletion(
        &self,
        tenant_id: TenantId,
        connection_id: Option<ConnectionId>,
    ) -> deletion::Model {
        deletion::Model {
            id: Uuid::now_v7(),
            tenant_id,
            connection_id,
            person_id: None,
            at: self.clock.now(),
        }
    }

    /// Deletes again what was deleted and is there all the same: the database
    /// was restored from a backup, or a deletion was interrupted. To be called
    /// before the hub says it is ready. Answers how many deletions that were.
    ///
    /// # Errors
    /// When the database, the vault or the directory of deletions fails.
    pub async fn repeat_deletions(&self) -> Result<usize> {
        let db = self.store.db();
        let outside = self.witness.deletions().map_err(unusable)?;
        let inside = deletion::all(db).await?;
        // What another process noted in the database belongs into our file, too.
        let known: BTreeSet<Uuid> = outside.iter().map(|deletion| deletion.id).collect();
        for deletion in inside.iter().filter(|it| !known.contains(&it.id)) {
            self.witness.note_deletion(deletion).map_err(unusable)?;
        }
        let all: BTreeMap<Uuid, _> = outside
            .into_iter()
            .chain(inside)
            .map(|deletion| (deletion.id, deletion))
            .collect();
        let mut repeated = 0;
        let (people, things): (Vec<_>, Vec<_>) =
            all.into_values().partition(|it| it.person_id.is_some());
        let (connections, tenants): (Vec<_>, Vec<_>) = things
            .into_iter()
            .partition(|it| it.connection_id.is_some());
        for deletion in tenants {
            let tenant = deletion.tenant_id;
            let sealed = data_key::Entity::find().filter(data_key::Column::TenantId.eq(tenant));
            let is_back =
                tenant::get(db, tenant).await?.is_some() || sealed.one(db).await?.is_some();
            if is_back {
                self.erase_tenant(deletion, Who::hub(), Deed::DeletionRepeated)
                    .await?;
                repeated += 1;
            }
        }
        for some in connections.chunks(BATCH) {
            let ids = some.iter().filter_map(|deletion| deletion.connection_id);
            let back: BTreeSet<ConnectionId> = connection::Entity::find()
                .filter(connection::Column::Id.is_in(ids))
                .all(db)
                .await?
                .into_iter()
                .map(|row| row.id)
                .collect();
            for deletion in some {
                if let Some(id) = deletion.connection_id.filter(|id| back.contains(id)) {
                    let deletion = deletion.clone();
                    self.erase_rows(deletion, id, Who::hub(), Deed::DeletionRepeated)
                        .await?;
                    repeated += 1;
                }
            }
        }
        repeated += self.repeat_erasures(people).await?;
        if repeated > 0 {
            tracing::warn!(
                deletions = repeated,
                "what was deleted had come back with a backup, and was deleted again"
            );
        }
        Ok(repeated)
    }
}
