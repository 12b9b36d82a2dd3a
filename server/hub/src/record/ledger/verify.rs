//! Recomputing a ledger: whether every entry is what was written, and all of
//! them are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::{
    Deed, Ledger,
    checkpoint::{Kind, Signed},
    commitment, seal,
};
use crate::{
    Result,
    hub::Hub,
    record::erasure,
    store::{TenantId, audit_chain, audit_entry, audit_personal, tenant},
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
    /// How many entries say no more who it was, because persons were erased.
    pub wiped: u64,
    /// When the first entry was written that no checkpoint has signed yet.
    pub unsigned_since: Option<DateTime<Utc>>,
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
    /// It says no more who it was, and more do not than erasures have wiped.
    PersonRemoved {
        /// How many say it no more.
        silent: u64,
        /// How many were wiped.
        wiped: u64,
    },
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
            Self::PersonRemoved { silent, wiped } => write!(
                f,
                "and later ones say no more who it was: {silent} do not, and {wiped} were wiped by erasures"
            ),
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
    /// When the first entry after what was signed was written.
    unsigned_since: Option<DateTime<Utc>>,
    who: WhoIsGone,
}

/// Who is no more beside the entries, and how much of it erasures have wiped.
#[derive(Default)]
struct WhoIsGone {
    /// Until then erasures did not say how much they wiped, in microseconds.
    uncounted_until: i64,
    first: Option<i64>,
    silent: u64,
    wiped: u64,
}

impl Walked {
    /// Nothing yet after entry `last`, which has this hash.
    fn from(last: i64, hash: Vec<u8>, uncounted_until: i64) -> Self {
        Self {
            last,
            hash,
            bad: None,
            unsigned_since: None,
            who: WhoIsGone {
                uncounted_until,
                ..WhoIsGone::default()
            },
        }
    }
}

impl WhoIsGone {
    fn note(&mut self, row: &audit_entry::Model, beside: Option<&audit_personal::Model>) {
        if row.personal.is_some() && beside.is_none() && row.at_us > self.uncounted_until {
            self.first.get_or_insert(row.seq);
            self.silent += 1;
        }
        let erased = [Deed::PersonErased, Deed::DeletionRepeated];
        if erased.iter().any(|deed| deed.as_str() == row.deed) {
            self.wiped += erasure::wiped(row.detail.as_deref()).unwrap_or_default();
        }
    }

    fn bad(&self) -> Option<Bad> {
        let (silent, wiped) = (self.silent, self.wiped);
        let seq = self.first.filter(|_| silent > wiped)?;
        Some(Bad {
            seq,
            why: Why::PersonRemoved { silent, wiped },
        })
    }
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
        let mut tenants: BTreeSet<TenantId> = audit_chain::all(db)
            .await?
            .into_iter()
            .map(|row| row.tenant_id)
            .chain(signed.iter().map(|signed| signed.tenant))
            .chain(tenant::ids(db).await?)
            .collect();
        let of =
            |tenant| -> Vec<&Signed> { signed.iter().filter(|it| it.tenant == tenant).collect() };
        let uncounted_until = self.uncounted_until().await?;
        // Nothing but the hub's own ledger, as far as it is right, says that another
        // was deleted.
        let of_hub = of(TenantId::HUB);
        let hub = self.verify_ledger(TenantId::HUB, &of_hub, uncounted_until);
        let hub = hub.await?;
        let told = [Deed::TenantDeleted, Deed::DeletionRepeated].map(Deed::as_str);
        let told = audit_entry::targets(db, TenantId::HUB, &told, hub.entries).await?;
        let deleted: BTreeSet<TenantId> = told.iter().filter_map(|id| id.parse().ok()).collect();
        tenants.retain(|tenant| !deleted.contains(tenant) && only.is_none_or(|it| it == *tenant));
        let mut reports = Vec::new();
        for tenant in tenants {
            reports.push(match tenant {
                TenantId::HUB => hub.clone(),
                tenant => {
                    self.verify_ledger(tenant, &of(tenant), uncounted_until)
                        .await?
                }
            });
        }
        Ok(reports)
    }

    /// Until when erasures did not say how many entries they wiped: what is gone of
    /// before proves nothing.
    async fn uncounted_until(&self) -> Result<i64> {
        let db = self.store.db();
        let erased = [Deed::PersonErased, Deed::DeletionRepeated].map(Deed::as_str);
        let person = audit_entry::last_silent(db, &erased, "person").await?;
        let deleted = [Deed::TenantDeleted, Deed::DeletionRepeated].map(Deed::as_str);
        let tenant = audit_entry::last_silent(db, &deleted, "tenant").await?;
        Ok(person.max(tenant).unwrap_or_default())
    }

    async fn verify_ledger(
        &self,
        tenant: TenantId,
        signed: &[&Signed],
        uncounted_until: i64,
    ) -> Result<Report> {
        let (expected, lost_by_restore) = expected(signed);
        let db = self.store.db();
        let mut report = Report {
            tenant,
            entries: 0,
            checkpoints: expected.len(),
            bad: None,
            lost_by_restore,
            wiped: 0,
            unsigned_since: None,
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
        let from = Walked::from(0, Vec::new(), uncounted_until);
        let walked = self.walk(&ledger, from, &head, &expected).await?;
        report.entries = walked.last;
        report.wiped = walked.who.wiped;
        report.unsigned_since = walked.unsigned_since;
        report.bad = walked.bad.or_else(|| walked.who.bad());
        Ok(report)
    }

    /// Recomputes what was written since the last time, or all of it, for the
    /// background. Answers the head when all of it is right, or what is not.
    pub(super) async fn verify_newest(
        &self,
        head: &audit_chain::Model,
        all: bool,
    ) -> Result<Result<(i64, Vec<u8>), Bad>> {
        let db = self.store.db();
        let tenant = head.tenant_id;
        let ledger = self.ledger(tenant).await?;
        let from = match head.checked_seq {
            from if all || from > head.seq => 0,
            from => from,
        };
        let (before, uncounted_until) = match from {
            0 => (Some(Vec::new()), self.uncounted_until().await?),
            from => {
                let row = audit_entry::numbered(db, tenant, from).await?;
                (row.map(|row| row.hash), 0)
            }
        };
        let Some(hash) = before else {
            return Ok(Err(Bad {
                seq: from,
                why: Why::Missing,
            }));
        };
        let from = Walked::from(from, hash, uncounted_until);
        let is_whole = from.last == 0;
        let walked = self.walk(&ledger, from, head, &BTreeMap::new()).await?;
        // Part of a ledger may tell of what was wiped in the rest.
        let gone = walked.who.bad().filter(|_| is_whole);
        Ok(match walked.bad.or(gone) {
            Some(bad) => Err(bad),
            None => Ok((walked.last, walked.hash)),
        })
    }

    async fn walk(
        &self,
        ledger: &Ledger,
        mut walked: Walked,
        head: &audit_chain::Model,
        expected: &BTreeMap<i64, &Signed>,
    ) -> Result<Walked> {
        let (db, tenant) = (self.store.db(), ledger.tenant);
        let newest = expected.last_key_value().map_or(0, |(seq, _)| *seq);
        let mut at_head = (walked.last == head.seq).then(|| walked.hash.clone());
        loop {
            let rows = audit_entry::after(db, tenant, walked.last, BATCH).await?;
            let Some(last) = rows.last().map(|row| row.seq) else {
                break;
            };
            let beside = audit_personal::between(db, tenant, walked.last + 1, last).await?;
            let beside: BTreeMap<i64, _> = beside.into_iter().map(|row| (row.seq, row)).collect();
            for row in rows {
                let seq = walked.last + 1;
                let beside = beside.get(&seq);
                let why = wrong(ledger.key(), &row, seq, &walked.hash, beside)
                    .or_else(|| other_than_signed(&row, expected.get(&seq).copied()));
                if let Some(why) = why {
                    walked.bad = Some(Bad { seq, why });
                    return Ok(walked);
                }
                walked.who.note(&row, beside);
                if seq > newest && walked.unsigned_since.is_none() {
                    walked.unsigned_since = DateTime::from_timestamp_micros(row.at_us);
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
pub(super) fn expected<'s>(signed: &[&'s Signed]) -> (BTreeMap<i64, &'s Signed>, i64) {
    let mut expected = BTreeMap::new();
    let mut lost = 0;
    for signed in signed {
        if signed.kind == Kind::Restore {
            let newest = expected.last_key_value().map_or(0, |(seq, _)| *seq);
            lost += (newest - signed.head.unwrap_or(signed.seq)).max(0);
            expected.split_off(&(signed.seq + 1));
            expected.remove(&signed.seq);
        }
        if signed.seq > 0 {
            expected.entry(signed.seq).or_insert(*signed);
        }
    }
    (expected, lost)
}
