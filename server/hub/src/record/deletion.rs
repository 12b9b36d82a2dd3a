//! Deleting for good: connections and whole tenants, with a proof that is kept,
//! and once more from every backup that is older than the deletion.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    Deed, Entry, Ledger, Outcome, Who,
    erasure::{Erasing, erase_from},
    ledger::checkpoint::unusable,
};
use crate::{
    Error, Result,
    hub::Hub,
    people::{Action, Member},
    store::{
        ConnectionId, Reach, TenantId, alarm, audit_chain, connection, data_key, deletion, erase,
        event::{self, Kind},
        member, run, tenant,
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
            hub.note_deletion(&deletion).await?;
            hub.erase_tenant(tenant, Some(&deletion), who, Deed::TenantDeleted)
                .await
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

    /// `deletion` is what notes that it is to be done again, should it come back.
    async fn erase_tenant(
        &self,
        tenant: TenantId,
        deletion: Option<&deletion::Model>,
        who: Who,
        deed: Deed,
    ) -> Result<()> {
        let ledger = self.ledger(TenantId::HUB).await?;
        // First the key, by itself: whatever comes between, what is sealed
        // stays sealed.
        let entry = || {
            let entry = Entry::new(who.clone(), deed).on(tenant);
            entry.saying("its data key was destroyed")
        };
        unless_deadlocked(|| self.destroy_key(&ledger, tenant, deletion, entry())).await?;
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
        tenant: TenantId,
        deletion: Option<&deletion::Model>,
        entry: Entry,
    ) -> Result<()> {
        let transaction = self.store.begin().await?;
        data_key::Entity::delete_many()
            .filter(data_key::Column::TenantId.eq(tenant))
            .exec(&transaction)
            .await?;
        if let Some(deletion) = deletion {
            deletion::note(&transaction, deletion.clone()).await?;
        }
        ledger.append(&transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    async fn erase_rows_of(&self, tenant: TenantId) -> Result<()> {
        let db = self.store.db();
        let mut people = BTreeMap::new();
        for row in member::all(db, tenant).await? {
            let mut ledgers = self.ledgers_about(row.person_id, &BTreeSet::new()).await?;
            ledgers.remove(&tenant);
            people.insert(row.person_id, ledgers);
        }
        let transaction = self.store.begin().await?;
        erase::lock_tenant(&transaction, tenant).await?;
        let connections = connection::all_of_tenant(&transaction, tenant).await?;
        for row in connections {
            erase::connection(&transaction, row.id).await?;
        }
        erase::tenant(&transaction, tenant).await?;
        for (person, ledgers) in people {
            if member::anywhere(&transaction, person).await? {
                continue;
            }
            let erasing = Erasing {
                person,
                leaving: BTreeSet::new(),
                whole: true,
                who: Who::hub(),
                deed: Deed::PersonErased,
            };
            erase_from(&transaction, &ledgers, &erasing).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The organisations whose data key is not there, with their names: they came
    /// back with data that is older than the keys it was restored with, and were
    /// deleted since; or the keys are older than the data, and theirs are missing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keyless(&self) -> Result<BTreeMap<TenantId, String>> {
        let db = self.store.db();
        let keys = data_key::Entity::find().all(db).await?;
        let opened: BTreeSet<TenantId> = keys.iter().map(|key| key.tenant_id).collect();
        let mut keyless = BTreeMap::new();
        // Who has a ledger had a key: it is sealed with it.
        for chain in audit_chain::all(db).await? {
            let tenant = chain.tenant_id;
            if tenant != TenantId::HUB && !opened.contains(&tenant) {
                let row = tenant::get(db, tenant).await?;
                let name = row.map_or_else(|| tenant.to_string(), |row| row.name);
                keyless.insert(tenant, name);
            }
        }
        Ok(keyless)
    }

    /// Deletes them. It is not noted as a deletion: with the right keys they may be
    /// restored again.
    pub(super) async fn delete_keyless(&self) -> Result<()> {
        for tenant in self.keyless().await?.into_keys() {
            self.erase_tenant(tenant, None, Who::hub(), Deed::DeletionRepeated)
                .await?;
        }
        Ok(())
    }

    /// Notes that a connection is going to be deleted.
    pub(crate) async fn note_connection(
        &self,
        tenant: TenantId,
        id: ConnectionId,
    ) -> Result<deletion::Model> {
        let deletion = self.deletion(tenant, Some(id));
        self.note_deletion(&deletion).await?;
        Ok(deletion)
    }

    /// Deletes every row of a connection that has ended, as was noted.
    pub(crate) async fn erase_connection(
        &self,
        deletion: &deletion::Model,
        id: ConnectionId,
        who: Who,
    ) -> Result<()> {
        self.erase_rows(deletion, id, who, Deed::ConnectionDeleted)
            .await
    }

    async fn erase_rows(
        &self,
        deletion: &deletion::Model,
        id: ConnectionId,
        who: Who,
        deed: Deed,
    ) -> Result<()> {
        let tenant = deletion.tenant_id;
        let ledger = self.ledger(tenant).await?;
        self.forget_answers(tenant, id).await?;
        let who = &who;
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
        // Whoever waits for them to go on has to hear that they never will.
        let runs_ended = run::waiting_of(&transaction, id).await?;
        erase::connection(&transaction, id).await?;
        let new = event::New {
            tenant,
            kind: Kind::ConnectionDeleted,
            connection: Some(id),
            person: None,
            data: event::Data {
                runs_ended,
                ..Default::default()
            },
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
        let inside = deletion::all(db).await?;
        let outside = self.noted_outside(&inside).await?;
        let mut repeated = 0;
        let mut people = Vec::new();
        let (mut connections, mut tenants) = (Vec::new(), Vec::new());
        let all = inside.into_iter().map(|it| (it, true));
        for (deletion, is_inside) in all.chain(outside.into_iter().map(|it| (it, false))) {
            match (deletion.person_id, deletion.connection_id) {
                // See there: one that is inside is done.
                (Some(_), _) if is_inside => {}
                (Some(_), _) => people.push(deletion),
                // The hub's own is no tenant's.
                (None, _) if deletion.tenant_id == TenantId::HUB => {}
                (None, Some(_)) => connections.push((deletion, is_inside)),
                (None, None) => tenants.push((deletion, is_inside)),
            }
        }
        for (deletion, is_inside) in tenants {
            let tenant = deletion.tenant_id;
            let sealed = data_key::Entity::find().filter(data_key::Column::TenantId.eq(tenant));
            let is_back =
                tenant::get(db, tenant).await?.is_some() || sealed.one(db).await?.is_some();
            if is_back {
                self.erase_tenant(tenant, Some(&deletion), Who::hub(), Deed::DeletionRepeated)
                    .await?;
                repeated += 1;
            } else if !is_inside {
                // The ledger of the hub is of an older day, too: it has to tell why
                // that of the tenant is not there.
                let ledger = self.ledger(TenantId::HUB).await?;
                let transaction = self.store.begin().await?;
                deletion::note(&transaction, deletion).await?;
                let entry = Entry::new(Who::hub(), Deed::DeletionRepeated).on(tenant);
                ledger
                    .append(&transaction, entry.saying("it was not there"))
                    .await?;
                transaction.commit().await?;
            }
        }
        for some in connections.chunks(BATCH) {
            let ids = some.iter().filter_map(|(it, _)| it.connection_id);
            let rows = connection::Entity::find()
                .filter(connection::Column::Id.is_in(ids))
                .all(db)
                .await?;
            let back: BTreeSet<ConnectionId> = rows.iter().map(|row| row.id).collect();
            let is_ending = |row: &&connection::Model| {
                row.disconnected_at.is_some() && row.revocation.is_none()
            };
            let ending = rows.iter().filter(is_ending).map(|row| row.id);
            let ending: BTreeSet<ConnectionId> = ending.collect();
            for (deletion, is_inside) in some {
                // Being ended, the grant is given back first: a later round deletes it.
                let Some(id) = deletion.connection_id.filter(|id| !ending.contains(id)) else {
                    continue;
                };
                if back.contains(&id) {
                    self.erase_rows(deletion, id, Who::hub(), Deed::DeletionRepeated)
                        .await?;
                    repeated += 1;
                } else if !is_inside {
                    deletion::note(db, deletion.clone()).await?;
                }
            }
        }
        // Accounts before what a tenant knew of them: that goes along.
        people.sort_by_key(|deletion| (!deletion.is_of_account(), deletion.id));
        repeated += self.repeat_erasures(people).await?;
        if repeated > 0 {
            tracing::warn!(
                deletions = repeated,
                "what was deleted had come back with a backup, and was deleted again"
            );
        }
        Ok(repeated)
    }

    /// The deletions that are noted outside of the database and not inside, each
    /// with a right signature: whoever can add a line to a file deletes nothing by
    /// it. What is noted inside alone is noted outside, too.
    async fn noted_outside(&self, inside: &[deletion::Model]) -> Result<Vec<deletion::Model>> {
        let outside = self.witness.deletions().map_err(unusable)?;
        // By another process, or before such lines were signed.
        let signed: BTreeSet<Uuid> = outside
            .iter()
            .filter(|noted| noted.signature.is_some())
            .map(|noted| noted.deletion.id)
            .collect();
        for deletion in inside.iter().filter(|it| !signed.contains(&it.id)) {
            self.note_deletion(deletion).await?;
        }
        let inside: BTreeSet<Uuid> = inside.iter().map(|deletion| deletion.id).collect();
        let key = self.checkpoint_verifier().await?;
        let (mut right, mut wrong) = (BTreeMap::new(), BTreeSet::new());
        for noted in outside {
            let id = noted.deletion.id;
            if inside.contains(&id) {
                continue;
            }
            match noted.is_right(&key) {
                true => {
                    right.insert(id, noted.deletion);
                }
                false => {
                    wrong.insert(id);
                }
            }
        }
        wrong.retain(|id| !right.contains_key(id));
        if !wrong.is_empty() {
            tracing::error!(
                lines = wrong.len(),
                "some of deletions.jsonl was not signed by this hub, and is not followed"
            );
        }
        Ok(right.into_values().collect())
    }
}
