//! Recomputing a ledger: whether every entry is what was written, and all of
//! them are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::{
    Ledger,
    checkpoint::{Kind, Signed},
    commitment, seal,
};
use crate::{
    Result,
    hub::Hub,
    store::{TenantId, audit_chain, audit_entry, audit_personal, deletion, tenant},
};

/// How many entries are read at once.
const BATCH: u64 = 500;

/// What recomputing one ledger found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose ledger it is; [`TenantId::HUB`] for the hub's own.
    pub tenant: TenantId,
    /// The last entry that was read.
    pub entries: i64,
    /// How many signed checkpoints it was compared with.
    pub checkpoints: usize,
    /// The first entry that is not what it was.
    pub bad: Option<Bad>,
    /// How many entries were lost when a backup was restored, which was signed.
    pub lost_by_restore: i64,
}

/// The first entry that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its number.
    pub seq: i64,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there, although later ones are or were.
    Missing,
    /// It does not follow the one before it.
    OutOfOrder,
    /// What it says was changed.
    Changed,
    /// What stands beside it about persons was changed, and not wiped.
    PersonChanged,
    /// It is another one than was signed.
    OtherThanSigned(DateTime<Utc>),
    /// It was signed, and is not there: the end was cut off, or an older state
    /// of the database was put in place.
    GoneSince(DateTime<Utc>),
    /// The head of the chain names another one.
    NotTheHead,
    /// The key that entries are authenticated with is gone, or is another one.
    NoKey,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::OutOfOrder => f.write_str("does not follow the entry before it"),
            Self::Changed => f.write_str("was changed"),
            Self::PersonChanged => f.write_str("is attributed to somebody else than was written"),
            Self::OtherThanSigned(at) => write!(f, "is another one than was signed at {at}"),
            Self::GoneSince(at) => write!(
                f,
                "is missing, and what was signed at {at} had it: the end was cut off, or an older database was put in place"
            ),
            Self::NotTheHead => f.write_str("is not what the head of the ledger says"),
            Self::NoKey => f.write_str("cannot be recomputed: the ledger's key is gone"),
        }
    }
}

/// How far a chain was walked.
struct Walked {
    last: i64,
    hash: Vec<u8>,
    bad: Option<Bad>,
}

impl Hub {
    /// The tenant of that name, for the operator's command line.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn tenant_named(&self, name: &str) -> Result<TenantId> {
        let row = tenant::by_name(self.store.db(), name.trim()).await?;
        row.map(|row| row.id).ok_or(crate::Error::NotFound)
    }

    /// What a tenant is called, for the operator's command line.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tenant_name(&self, id: TenantId) -> Result<Option<String>> {
        let row = tenant::get(self.store.db(), id).await?;
        Ok(row.map(|row| row.name))
    }

    /// Recomputes every ledger there is or was signed, or only that of `only`.
    ///
    /// # Errors
    /// When the database, the vault or the checkpoints cannot be read. What is
    /// wrong with a ledger is no error.
    pub async fn verify_ledgers(&self, only: Option<TenantId>) -> Result<Vec<Report>> {
        let signed = self.signed().await?;
        let db = self.store.db();
        let mut deleted: BTreeSet<TenantId> = deletion::all(db)
            .await?
            .into_iter()
            .filter(|deletion| deletion.is_of_tenant())
            .map(|deletion| deletion.tenant_id)
            .collect();
        deleted.extend(self.witness.deleted_tenants()?);
        let mut tenants: BTreeSet<TenantId> = audit_chain::all(db)
            .await?
            .into_iter()
            .map(|row| row.tenant_id)
            .chain(signed.iter().map(|signed| signed.tenant))
            .chain(tenant::ids(db).await?)
            .collect();
        tenants.retain(|tenant| !deleted.contains(tenant) && only.is_none_or(|it| it == *tenant));
        let mut reports = Vec::new();
        for tenant in tenants {
            let signed: Vec<&Signed> = signed.iter().filter(|it| it.tenant == tenant).collect();
            reports.push(self.verify_ledger(tenant, &signed).await?);
        }
        Ok(reports)
    }

    async fn verify_ledger(&self, tenant: TenantId, signed: &[&Signed]) -> Result<Report> {
        let (expected, lost_by_restore) = expected(signed);
        let db = self.store.db();
        let mut report = Report {
            tenant,
            entries: 0,
            checkpoints: expected.len(),
            bad: None,
            lost_by_restore,
        };
        let begun = !audit_entry::after(db, tenant, 0, 1).await?.is_empty();
        let Some(head) = audit_chain::get(db, tenant).await? else {
            // A tenant nobody has done anything in yet.
            let gone = begun || !expected.is_empty();
            report.bad = gone.then_some(Bad {
                seq: 1,
                why: Why::NoKey,
            });
            return Ok(report);
        };
        // Read anew: a key in memory may be that of the ledger before.
        self.close_ledger(tenant);
        let Ok(ledger) = self.ledger(tenant).await else {
            report.bad = Some(Bad {
                seq: 1,
                why: Why::NoKey,
            });
            return Ok(report);
        };
        let walked = self.walk(&ledger, 0, Vec::new(), &head, &expected).await?;
        report.entries = walked.last;
        report.bad = walked.bad;
        Ok(report)
    }

    /// Recomputes what was written since the last time, for the background.
    /// Answers the head when all of it is right.
    pub(super) async fn verify_newest(
        &self,
        head: &audit_chain::Model,
    ) -> Result<Option<(i64, Vec<u8>)>> {
        let db = self.store.db();
        let tenant = head.tenant_id;
        let ledger = self.ledger(tenant).await?;
        let from = head.checked_seq;
        let before = match from {
            0 => Some(Vec::new()),
            from => audit_entry::numbered(db, tenant, from)
                .await?
                .map(|row| row.hash),
        };
        let walked = match before {
            Some(hash) => {
                let none = BTreeMap::new();
                self.walk(&ledger, from, hash, head, &none).await?
            }
            None => Walked {
                last: from - 1,
                hash: Vec::new(),
                bad: Some(Bad {
                    seq: from,
                    why: Why::Missing,
                }),
            },
        };
        let broken = walked.bad.as_ref().map(|bad| bad.seq);
        let sound = broken.map_or(walked.last, |bad| (bad - 1).min(walked.last));
        audit_chain::checked(db, tenant, sound, broken, self.clock.now()).await?;
        if let Some(bad) = walked.bad {
            tracing::error!(
                tenant.id = %tenant, audit.seq = bad.seq, why = %bad.why,
                "the audit ledger was tampered with; it is not signed any more"
            );
            return Ok(None);
        }
        Ok(Some((walked.last, walked.hash)))
    }

    async fn walk(
        &self,
        ledger: &Ledger,
        from: i64,
        hash: Vec<u8>,
        head: &audit_chain::Model,
        expected: &BTreeMap<i64, &Signed>,
    ) -> Result<Walked> {
        let (db, tenant) = (self.store.db(), ledger.tenant);
        let mut walked = Walked {
            last: from,
            hash,
            bad: None,
        };
        let mut at_head = (from == head.seq).then(|| walked.hash.clone());
        loop {
            let rows = audit_entry::after(db, tenant, walked.last, BATCH).await?;
            let Some(last) = rows.last().map(|row| row.seq) else {
                break;
            };
            let beside = audit_personal::between(db, tenant, walked.last + 1, last).await?;
            let beside: BTreeMap<i64, _> = beside.into_iter().map(|row| (row.seq, row)).collect();
            for row in rows {
                let seq = walked.last + 1;
                let why = wrong(ledger.key(), &row, seq, &walked.hash, beside.get(&seq))
                    .or_else(|| other_than_signed(&row, expected.get(&seq).copied()));
                if let Some(why) = why {
                    walked.bad = Some(Bad { seq, why });
                    return Ok(walked);
                }
                walked.last = seq;
                walked.hash = row.hash;
                if seq == head.seq {
                    at_head = Some(walked.hash.clone());
                }
            }
        }
        let gone = expected.range(walked.last + 1..).next();
        let why = if let Some((_, signed)) = gone {
            Some((walked.last + 1, Why::GoneSince(signed.at)))
        } else if head.seq > walked.last {
            Some((walked.last + 1, Why::Missing))
        } else if at_head.is_none_or(|hash| hash != head.hash) {
            Some((head.seq.max(1), Why::NotTheHead))
        } else {
            None
        };
        walked.bad = why.map(|(seq, why)| Bad { seq, why });
        Ok(walked)
    }
}

/// What is wrong with a row that is to be entry `seq` after the one with `before`.
fn wrong(
    key: &[u8],
    row: &audit_entry::Model,
    seq: i64,
    before: &[u8],
    beside: Option<&audit_personal::Model>,
) -> Option<Why> {
    if row.seq != seq {
        return Some(Why::Missing);
    }
    if !bool::from(seal(key, row).ct_eq(&row.hash)) {
        return Some(Why::Changed);
    }
    if row.prev_hash != before {
        return Some(Why::OutOfOrder);
    }
    // Wiped is fine; other than it was is not.
    let changed = beside.is_some_and(|beside| row.personal != Some(commitment(beside)));
    changed.then_some(Why::PersonChanged)
}

fn other_than_signed(row: &audit_entry::Model, signed: Option<&Signed>) -> Option<Why> {
    let signed = signed.filter(|signed| signed.hash != row.hash)?;
    Some(Why::OtherThanSigned(signed.at))
}

/// What was signed and has to be there still; and how much a restore is known
/// to have lost. A restore takes back what was signed after it; nothing else does:
/// of two that sign the same number the first stands, or an end that was cut off and
/// written anew would be signed over.
fn expected<'s>(signed: &[&'s Signed]) -> (BTreeMap<i64, &'s Signed>, i64) {
    let mut expected = BTreeMap::new();
    let mut lost = 0;
    for signed in signed {
        if signed.kind == Kind::Restore {
            let newest = expected.last_key_value().map_or(0, |(seq, _)| *seq);
            lost += (newest - signed.seq).max(0);
            expected.split_off(&(signed.seq + 1));
            expected.remove(&signed.seq);
        }
        if signed.seq > 0 {
            expected.entry(signed.seq).or_insert(*signed);
        }
    }
    (expected, lost)
}
