//! Reading a tenant's ledger, with the names its people know.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Deed, Entry};
use crate::{
    Result,
    hub::Hub,
    people::{Action, Member},
    store::{
        PersonId, TenantId, api_key, audit_chain,
        audit_entry::{self, Wanted},
        audit_personal, connection, member, webhook,
    },
};

/// An entry as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub seq: i64,
    /// When it was.
    pub at: DateTime<Utc>,
    /// The kind of actor: `person`, `key`, `guest`, `stranger`, `hub`, `operator`.
    pub actor: String,
    /// Its id, of a person or a key.
    pub actor_id: Option<String>,
    /// What it is called, when it still is.
    pub actor_name: Option<String>,
    /// The deed as it is stored.
    pub deed: String,
    /// The kind of thing it was done to.
    pub target: Option<String>,
    /// Its id.
    pub target_id: Option<String>,
    /// What it is called, when it still is.
    pub target_name: Option<String>,
    /// `done`, `denied` or `failed`.
    pub outcome: String,
    /// A word about it.
    pub detail: Option<String>,
    /// The network it came from; none when it was wiped, or there is none.
    pub address: Option<String>,
}

/// How far a ledger was recomputed by the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The last entry that is right.
    pub seq: i64,
    /// When that was found; none when it was not looked yet.
    pub at: Option<DateTime<Utc>>,
    /// The first entry that is not.
    pub broken: Option<i64>,
    /// Since when it should have been looked at, or signed, and was not.
    pub late_since: Option<DateTime<Utc>>,
}

/// How long a ledger may be unverified: a few rounds of the background.
const LATE: TimeDelta = TimeDelta::minutes(15);

/// What things are called in one tenant.
struct Names {
    people: HashMap<PersonId, String>,
    things: BTreeMap<String, String>,
}

impl Hub {
    /// The tenant's entries that are wanted, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn audit(&self, member: &Member, wanted: &Wanted, limit: u64) -> Result<Vec<Line>> {
        member.may(Action::ReadLedger)?;
        let names = self.names(member.tenant()).await?;
        self.lines(member.tenant(), wanted, limit, &names).await
    }

    /// How far the tenant's ledger was recomputed.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn audit_checked(&self, member: &Member) -> Result<Checked> {
        member.may(Action::ReadLedger)?;
        let (db, tenant) = (self.store.db(), member.tenant());
        let row = audit_chain::get(db, tenant).await?;
        let at = row.as_ref().and_then(|row| row.checked_at);
        let since = match at {
            Some(at) => Some(at),
            None => {
                let first = audit_entry::numbered(db, tenant, 1).await?;
                first.and_then(|row| DateTime::from_timestamp_micros(row.at_us))
            }
        };
        Ok(Checked {
            seq: row.as_ref().map_or(0, |row| row.checked_seq),
            at,
            broken: row.and_then(|row| row.broken_seq),
            late_since: since.filter(|at| *at + LATE < self.clock.now()),
        })
    }

    /// Notes that the entries that are wanted leave the hub, as `format`. The
    /// pages of them are read by [`Hub::audit`].
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn begin_audit_export(&self, member: &Member, format: &'static str) -> Result<()> {
        member.may(Action::ExportLedger)?;
        let entry = Entry::new(member, Deed::LedgerExported).saying(format);
        self.record(member.tenant(), entry).await
    }

    async fn names(&self, tenant: TenantId) -> Result<Names> {
        let db = self.store.db();
        let people = member::names(db, tenant).await?.into_iter();
        let connections = connection::all_of_tenant(db, tenant).await?.into_iter();
        let keys = api_key::all_of_tenant(db, tenant).await?.into_iter();
        let webhooks = webhook::all_of_tenant(db, tenant).await?.into_iter();
        let things = connections
            .map(|row| (row.id.to_string(), row.name().to_owned()))
            .chain(keys.map(|row| (row.id.to_string(), row.name)))
            .chain(webhooks.map(|row| (row.id.to_string(), row.url)));
        Ok(Names {
            people: people.map(|(id, name, _)| (id, name)).collect(),
            things: things.collect(),
        })
    }

    async fn lines(
        &self,
        tenant: TenantId,
        wanted: &Wanted,
        limit: u64,
        names: &Names,
    ) -> Result<Vec<Line>> {
        let db = self.store.db();
        let rows = audit_entry::wanted(db, tenant, wanted, limit).await?;
        let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let beside = audit_personal::between(db, tenant, oldest.seq, newest.seq).await?;
        let mut beside: HashMap<i64, _> = beside.into_iter().map(|row| (row.seq, row)).collect();
        let line = |row: audit_entry::Model| {
            let beside = beside.remove(&row.seq);
            let person = |id: Option<PersonId>| id.and_then(|id| names.people.get(&id).cloned());
            let doer = beside.as_ref().and_then(|beside| beside.person_id);
            let subject = beside.as_ref().and_then(|beside| beside.subject_id);
            let actor_id = row.actor_id.map(|id| id.to_string());
            let thing = |id: &Option<String>| names.things.get(id.as_ref()?).cloned();
            Line {
                seq: row.seq,
                at: DateTime::from_timestamp_micros(row.at_us).unwrap_or_default(),
                actor_name: person(doer).or_else(|| thing(&actor_id)),
                actor_id: doer.map(|id| id.to_string()).or(actor_id),
                actor: row.actor,
                deed: row.deed,
                target_name: person(subject).or_else(|| thing(&row.target_id)),
                target: row.target,
                target_id: subject.map(|id| id.to_string()).or(row.target_id),
                outcome: row.outcome,
                detail: row.detail,
                address: beside.and_then(|beside| beside.address),
            }
        };
        Ok(rows.into_iter().map(line).collect())
    }
}
