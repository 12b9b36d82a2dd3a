//! The audit ledger: what was done, by whom and to what, for good.
//!
//! Each tenant has a chain of entries, and the hub has one of its own for what
//! belongs to no tenant. An entry is written inside the transaction of what it
//! tells: without it nothing is done. Its hash is an HMAC over everything in
//! it and over the hash before, under a key that is sealed like any secret of
//! the tenant: who can write to the database and does not have the master key
//! cannot change, insert, reorder or remove an entry unseen. What only leaves
//! the end out is seen by the [signed checkpoints](checkpoint) outside.
//!
//! Who a person is and where they were stand beside the chain; the entry has
//! only a salted digest of it. Wiping a person leaves the chain whole.

pub mod checkpoint;
mod deed;
pub mod read;
pub mod verify;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::{ConnectionTrait, DbErr};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use deed::{Deed, Outcome, Target};

use super::origin::{Denied, Origin};
use crate::{
    Error, Result,
    hub::Hub,
    people::{Authority, By, Guest, Host, Member},
    secret::Secret,
    store::{
        ApiKeyId, ConnectLinkId, Owner, PersonId, Reach, TenantId, audit_chain,
        audit_entry::{self, Model as Row},
        audit_personal, tenant,
    },
    vault::{NewKey, Place, VaultError},
};

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person.
    Person(PersonId),
    /// A host application.
    Key(ApiKeyId),
    /// Who came by a link.
    Guest(ConnectLinkId),
    /// Somebody who is not known, or not yet.
    Stranger,
    /// The hub by itself.
    Hub,
    /// The operator at the command line.
    Operator,
}

impl Actor {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person(_) => "person",
            Self::Key(_) => "key",
            Self::Guest(_) => "guest",
            Self::Stranger => "stranger",
            Self::Hub => "hub",
            Self::Operator => "operator",
        }
    }

    /// What stands in the chain itself: a person does not.
    fn id(self) -> Option<Uuid> {
        match self {
            Self::Key(key) => Some(key.0),
            Self::Guest(link) => Some(link.0),
            Self::Person(_) | Self::Stranger | Self::Hub | Self::Operator => None,
        }
    }
}

/// Who did something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    actor: Actor,
    origin: Origin,
}

impl Who {
    /// The hub itself, on behalf of nobody.
    pub(crate) fn hub() -> Self {
        Self::here(Actor::Hub)
    }

    /// The operator.
    pub(crate) fn operator() -> Self {
        Self::here(Actor::Operator)
    }

    /// Whose flow or draft it is.
    pub(crate) fn owner(owner: Owner) -> Self {
        Self::here(match owner {
            Owner::Person(person) => Actor::Person(person),
            Owner::Link(link) => Actor::Guest(link),
        })
    }

    /// Somebody in the request that this runs for.
    pub(crate) fn here(actor: Actor) -> Self {
        Self {
            actor,
            origin: Origin::current(),
        }
    }

    pub(crate) fn of(actor: Actor, origin: &Origin) -> Self {
        Self {
            actor,
            origin: origin.clone(),
        }
    }

    /// The person, if it is one.
    pub(crate) fn person(&self) -> Option<PersonId> {
        match self.actor {
            Actor::Person(person) => Some(person),
            _ => None,
        }
    }
}

impl From<&Member> for Who {
    fn from(member: &Member) -> Self {
        Self::of(Actor::Person(member.person()), member.origin())
    }
}

impl From<&Host> for Who {
    fn from(host: &Host) -> Self {
        let actor = match host.authority() {
            Authority::Key(key) => Actor::Key(key),
            Authority::Person(person, _) => Actor::Person(person),
        };
        Self::of(actor, host.origin())
    }
}

impl From<&Guest> for Who {
    fn from(guest: &Guest) -> Self {
        Self::of(Actor::Guest(guest.link()), guest.origin())
    }
}

impl From<By<'_>> for Who {
    fn from(by: By<'_>) -> Self {
        match by {
            By::Member(member) => member.into(),
            By::Host(host) => host.into(),
            By::Guest(guest) => guest.into(),
        }
    }
}

/// An entry before it has a number.
pub(crate) struct Entry {
    who: Who,
    deed: Deed,
    target: Option<Target>,
    outcome: Outcome,
    detail: Option<String>,
}

impl Entry {
    /// That somebody did this.
    pub fn new(who: impl Into<Who>, deed: Deed) -> Self {
        Self {
            who: who.into(),
            deed,
            target: None,
            outcome: Outcome::Done,
            detail: None,
        }
    }

    /// To what.
    pub fn on(self, target: impl Into<Target>) -> Self {
        Self {
            target: Some(target.into()),
            ..self
        }
    }

    /// That it did not come to pass.
    pub fn ended(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// A word of ours about it, such as a provider's id: never anybody's data.
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// The keys of the chains that this process has opened, and what was denied a
/// moment ago.
#[derive(Default)]
pub struct Ledgers {
    keys: RwLock<HashMap<TenantId, Key>>,
    denied: RwLock<HashMap<Denied, i64>>,
}

type Key = Arc<Zeroizing<Vec<u8>>>;

/// The ledger of one tenant, opened before the transaction that writes to it:
/// its key is sealed, and the vault may have to read the database.
pub(crate) struct Ledger {
    hub: Hub,
    tenant: TenantId,
    key: Key,
}

/// The ledger of a tenant that is being made.
pub(crate) struct NewLedger {
    data_key: NewKey,
    chain: audit_chain::Model,
    ledger: Ledger,
}

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// The same denial is written once in this time: who tries again and again
/// fills no disk.
const DENIED_EVERY: TimeDelta = TimeDelta::minutes(1);

impl Ledger {
    /// Writes an entry inside the transaction of what it tells. To be called
    /// last: it locks the tenant's chain until the commit.
    pub async fn append(&self, db: &impl ConnectionTrait, entry: Entry) -> Result<(), DbErr> {
        let Entry {
            who,
            deed,
            target,
            outcome,
            detail,
        } = entry;
        let (seq, prev_hash) = match audit_chain::advance(db, self.tenant).await {
            // It was deleted meanwhile, maybe by another process, and its key with it.
            Err(error @ DbErr::RecordNotFound(_)) => {
                self.hub.close_ledger(self.tenant);
                return Err(error);
            }
            advanced => advanced?,
        };
        let personal = self.personal(seq, &who, target.as_ref())?;
        let mut row = Row {
            tenant_id: self.tenant,
            seq,
            at_us: self.hub.clock.now().timestamp_micros(),
            actor: who.actor.as_str().to_owned(),
            actor_id: who.actor.id(),
            deed: deed.as_str().to_owned(),
            target: target.as_ref().map(|target| target.kind().to_owned()),
            target_id: target.as_ref().and_then(Target::id),
            outcome: outcome.as_str().to_owned(),
            detail,
            personal: personal.as_ref().map(commitment),
            prev_hash,
            hash: Vec::new(),
        };
        row.hash = seal(&self.key, &row);
        audit_chain::close(db, self.tenant, row.hash.clone()).await?;
        audit_entry::insert(db, row).await?;
        if let Some(personal) = personal {
            audit_personal::insert(db, personal).await?;
        }
        Ok(())
    }

    /// What stands beside the entry, when anything does.
    fn personal(
        &self,
        seq: i64,
        who: &Who,
        target: Option<&Target>,
    ) -> Result<Option<audit_personal::Model>, DbErr> {
        let subject = target.and_then(Target::person);
        let person = who.person();
        let (address, agent) = (who.origin.address(), who.origin.agent());
        if person.is_none() && subject.is_none() && address.is_none() && agent.is_none() {
            return Ok(None);
        }
        let mut salt = vec![0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| DbErr::Custom("no randomness".into()))?;
        Ok(Some(audit_personal::Model {
            tenant_id: self.tenant,
            seq,
            salt,
            person_id: person,
            subject_id: subject,
            address: address.map(str::to_owned),
            agent: agent.map(<[u8]>::to_vec),
        }))
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl NewLedger {
    /// Begins the ledger inside the transaction that makes its tenant.
    pub async fn begin(self, db: &impl ConnectionTrait) -> Result<Ledger, DbErr> {
        self.data_key.store(db).await?;
        audit_chain::begin(db, self.chain).await?;
        Ok(self.ledger)
    }
}

impl Hub {
    /// Opens a tenant's ledger, which is begun when there is none yet.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant is no more; when the database or the
    /// vault fails.
    pub(crate) async fn ledger(&self, tenant: TenantId) -> Result<Ledger> {
        let known = read(&self.ledgers.keys).get(&tenant).cloned();
        if let Some(key) = known {
            return Ok(self.opened(tenant, key));
        }
        let row = match audit_chain::get(self.store.db(), tenant).await? {
            Some(row) => row,
            None => {
                // With a key of its own a deleted tenant would be there again.
                let is_there = tenant == TenantId::HUB
                    || tenant::get(self.store.db(), tenant).await?.is_some();
                if !is_there {
                    return Err(Error::NotFound);
                }
                let (row, _) = self.new_chain(tenant).await?;
                // Another process may have been faster; its key counts.
                audit_chain::begin(self.store.db(), row).await?;
                let row = audit_chain::get(self.store.db(), tenant).await?;
                row.ok_or(Error::NotFound)?
            }
        };
        let key = self.vault.open(place(tenant), &row.key_sealed).await?;
        let key = BASE64.decode(key.expose()).map(Zeroizing::new);
        let key = Arc::new(key.map_err(|_| VaultError::Unopenable)?);
        write(&self.ledgers.keys).insert(tenant, key.clone());
        Ok(self.opened(tenant, key))
    }

    /// The ledger of a tenant that is about to be made, with a data key of its
    /// own. Nothing is stored yet.
    pub(crate) async fn new_ledger(&self, tenant: TenantId) -> Result<NewLedger> {
        let data_key = self.vault.new_key(tenant).await?;
        let (chain, key) = self.new_chain(tenant).await?;
        Ok(NewLedger {
            data_key,
            chain,
            ledger: self.opened(tenant, key),
        })
    }

    /// Writes one entry by itself, where what it tells is no row.
    pub(crate) async fn record(&self, tenant: TenantId, entry: Entry) -> Result<()> {
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        ledger.append(&transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// Writes down what a request was denied. To be called when it has been
    /// answered.
    pub async fn record_denied(&self, origin: &Origin) {
        for denied in origin.take_denied() {
            let now = self.clock.now();
            let is_new = {
                let mut seen = write(&self.ledgers.denied);
                let since = (now - DENIED_EVERY).timestamp_micros();
                seen.retain(|_, at| *at > since);
                let key = denied.clone();
                seen.insert(key, now.timestamp_micros()).is_none()
            };
            if !is_new {
                continue;
            }
            let entry = Entry::new(Who::of(denied.actor, origin), Deed::ActionDenied)
                .ended(Outcome::Denied)
                .saying(denied.wanted);
            let written = self.record(denied.tenant, entry);
            if let Err(error) = Reach::of([denied.tenant]).around(written).await {
                tracing::error!(%error, "a denial could not be written to the ledger");
            }
        }
    }

    /// Forgets the key of a tenant that is no more.
    pub(crate) fn close_ledger(&self, tenant: TenantId) {
        write(&self.ledgers.keys).remove(&tenant);
    }

    async fn new_chain(&self, tenant: TenantId) -> Result<(audit_chain::Model, Key)> {
        let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
        getrandom::fill(&mut key).map_err(|_| VaultError::Unopenable)?;
        let text = Secret::new(BASE64.encode(&*key));
        let row = audit_chain::Model {
            tenant_id: tenant,
            key_sealed: self.vault.seal(place(tenant), &text).await?,
            seq: 0,
            hash: Vec::new(),
            checked_seq: 0,
            checked_at: None,
            broken_seq: None,
        };
        Ok((row, Arc::new(key)))
    }

    fn opened(&self, tenant: TenantId, key: Key) -> Ledger {
        Ledger {
            hub: self.clone(),
            tenant,
            key,
        }
    }
}

/// The hash of an entry: everything in it, then the hash before it.
fn seal(key: &[u8], row: &Row) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes keys of any length");
    mac.update(&canonical(row));
    mac.update(&row.prev_hash);
    mac.finalize().into_bytes().to_vec()
}

/// An entry as bytes. Every part is preceded by its length, and what is not
/// there differs from what is empty: no two entries are alike.
fn canonical(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let actor_id = row.actor_id.as_ref().map(|id| &id.as_bytes()[..]);
    let (seq, at) = (row.seq.to_be_bytes(), row.at_us.to_be_bytes());
    for part in [
        Some(&b"linkwell audit 1"[..]),
        Some(row.tenant_id.0.as_bytes()),
        Some(&seq),
        Some(&at),
        Some(row.actor.as_bytes()),
        actor_id,
        Some(row.deed.as_bytes()),
        row.target.as_deref().map(str::as_bytes),
        row.target_id.as_deref().map(str::as_bytes),
        Some(row.outcome.as_bytes()),
        row.detail.as_deref().map(str::as_bytes),
        row.personal.as_deref(),
    ] {
        put(&mut bytes, part);
    }
    bytes
}

/// The salted digest of what stands beside an entry.
fn commitment(personal: &audit_personal::Model) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let id = |person: &Option<PersonId>| person.map(|person| person.0.into_bytes());
    let (person, subject) = (id(&personal.person_id), id(&personal.subject_id));
    for part in [
        Some(&personal.salt[..]),
        person.as_ref().map(|id| &id[..]),
        subject.as_ref().map(|id| &id[..]),
        personal.address.as_deref().map(str::as_bytes),
        personal.agent.as_deref(),
    ] {
        put(&mut bytes, part);
    }
    Sha256::digest(&bytes).to_vec()
}

fn put(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    let Some(part) = part else {
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        return;
    };
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn place(tenant: TenantId) -> Place<'static> {
    Place {
        tenant,
        subject: Uuid::nil(),
        field: "audit_chain.key".into(),
        version: 1,
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
