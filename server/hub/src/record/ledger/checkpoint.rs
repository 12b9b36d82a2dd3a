//! The second place: signed heads of the ledgers, and what was deleted, in
//! files outside of the database that are only ever appended to.
//!
//! A chain alone proves that nothing in it was changed. That its end was not
//! cut off, and that the whole database is not an older one, is proven by what
//! was signed and kept elsewhere. What was deleted is signed as well: whoever may
//! write into these files deletes nothing by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, crypto,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Deed, Entry, Who,
    verify::{Bad, Why, expected},
};
use crate::{
    Error, Result,
    hub::Hub,
    people::ed25519,
    store::{Reach, TenantId, audit_chain, audit_entry, deletion, tenant},
    vault::VaultError,
};

const CHECKPOINTS: &str = "checkpoints.jsonl";
const DELETIONS: &str = "deletions.jsonl";
/// How often a ledger is recomputed from its beginning: what was changed long after it
/// was checked is found then.
const WHOLE_EVERY: TimeDelta = TimeDelta::days(1);

/// Why a head was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Some minutes had passed.
    Checkpoint,
    /// A backup was put in place: of what was signed, nothing after this entry is
    /// there any more.
    Restore,
}

/// The head of a ledger at a moment, signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Signed {
    pub kind: Kind,
    pub tenant: TenantId,
    pub seq: i64,
    #[serde(with = "text")]
    pub hash: Vec<u8>,
    /// Of a restore, the last entry that is there: those between were never signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<i64>,
    pub at: DateTime<Utc>,
    /// Ed25519 over [`Signed::message`], in base64url.
    pub signature: String,
}

impl Signed {
    /// What is signed: its fields in lines.
    pub fn message(&self) -> String {
        let kind = match self.kind {
            Kind::Checkpoint => "checkpoint",
            Kind::Restore => "restore",
        };
        let head = self.head.map(|head| format!("\n{head}"));
        format!(
            "linkwell audit {kind}\n{}\n{}\n{}\n{}{}",
            self.tenant,
            self.seq,
            BASE64.encode(&self.hash),
            self.at.timestamp_micros(),
            head.unwrap_or_default()
        )
    }
}

/// A deletion as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// What was deleted.
    #[serde(flatten)]
    pub deletion: deletion::Model,
    /// Ed25519 over what was deleted, in base64url; none in lines of before they were
    /// signed, which are worth nothing by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Noted {
    fn message(deletion: &deletion::Model) -> String {
        let id = |id: Option<uuid::Uuid>| id.unwrap_or_default();
        format!(
            "linkwell deletion\n{}\n{}\n{}\n{}\n{}",
            deletion.id,
            deletion.tenant_id,
            id(deletion.connection_id.map(|id| id.0)),
            id(deletion.person_id.map(|id| id.0)),
            deletion.at.timestamp_micros()
        )
    }

    /// Whether this hub has signed it.
    pub(in crate::record) fn is_right(&self, key: &DecodingKey) -> bool {
        let message = Self::message(&self.deletion);
        let right = self.signature.as_ref().map(|signature| {
            crypto::verify(signature, message.as_bytes(), key, Algorithm::EdDSA).unwrap_or(false)
        });
        right.unwrap_or(false)
    }
}

/// What was signed last of each tenant, as far as it has to be there still.
type Newest = BTreeMap<TenantId, Signed>;

/// Bytes in base64url.
mod text {
    use super::{BASE64, Engine};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text).map_err(D::Error::custom)
    }
}

/// The directory of what stands outside of the database.
pub struct Witness {
    directory: PathBuf,
    /// None before it was read from the file.
    newest: Mutex<Option<Newest>>,
    /// When this process last recomputed each ledger from its beginning.
    whole: Mutex<BTreeMap<TenantId, DateTime<Utc>>>,
}

impl Witness {
    /// Uses `directory`, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            newest: Mutex::default(),
            whole: Mutex::default(),
        })
    }

    /// Everything that was signed, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read, or one of its lines is no checkpoint.
    pub fn checkpoints(&self) -> io::Result<Vec<Signed>> {
        self.lines(CHECKPOINTS)
    }

    /// Everything that was deleted, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read, or one of its lines is no deletion.
    pub fn deletions(&self) -> io::Result<Vec<Noted>> {
        self.lines(DELETIONS)
    }

    /// Notes a deletion, signed; it is on disk when this returns.
    pub(in crate::record) fn note_deletion(
        &self,
        signer: &EncodingKey,
        deletion: &deletion::Model,
    ) -> Result<()> {
        let noted = Noted {
            deletion: deletion.clone(),
            signature: Some(signature(&Noted::message(deletion), signer)?),
        };
        self.append(DELETIONS, &noted).map_err(unusable)
    }

    /// Whether a ledger is to be recomputed from its beginning now.
    pub(super) fn is_whole_due(&self, tenant: TenantId, now: DateTime<Utc>) -> bool {
        let last = lock(&self.whole).get(&tenant).copied();
        last.is_none_or(|at| at + WHOLE_EVERY <= now)
    }

    /// Notes that it was.
    pub(super) fn whole_at(&self, tenant: TenantId, now: DateTime<Utc>) {
        lock(&self.whole).insert(tenant, now);
    }

    fn append(&self, name: &str, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.file(name)?;
        // What a crash cut short stays a line of its own.
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.insert(0, b'\n');
            }
        }
        file.write_all(&text)?;
        file.sync_all()
    }

    /// A line that was cut short by a crash is skipped; it was never reported as
    /// written. Where the power went, the file may be as long as it was to become and
    /// hold zeros where nothing was written yet: they are no part of a line.
    fn lines<T: DeserializeOwned>(&self, name: &str) -> io::Result<Vec<T>> {
        let text = match fs::read_to_string(self.directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = Vec::new();
        for (number, line) in whole.lines().enumerate() {
            let line = line.trim_matches('\0');
            match serde_json::from_str(line) {
                Ok(line) => lines.push(line),
                // Half of a line or nothing of it, and the rest of the file after it.
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    let number = number + 1;
                    let what = format!("line {number} of {name} cannot be read: {error}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
            }
        }
        Ok(lines)
    }

    fn file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.directory.join(name))
    }
}

impl Hub {
    /// One round of the background: recomputes what was written to each ledger
    /// since the last one, once a day all of it, and signs the heads of those that
    /// are whole. Answers how many were signed. One that cannot be opened holds up
    /// no other.
    ///
    /// # Errors
    /// When the database, the vault or the directory of checkpoints fails; the
    /// first error of several.
    pub async fn sign_checkpoints(&self) -> Result<usize> {
        let newest = self.newest_signed().await?;
        let (mut signed, mut failed, mut still) = (0, None, Vec::new());
        for head in audit_chain::all(self.store.db()).await? {
            let tenant = head.tenant_id;
            match self.sign_head(&head, newest.get(&tenant)).await {
                Ok(Round::Signed) => signed += 1,
                Ok(Round::Still) => still.push(tenant),
                Ok(Round::Nothing) => {}
                Err(error) if error.is_away() => return Err(error),
                Err(error) => {
                    tracing::error!(tenant.id = %tenant, %error, "a ledger was not signed");
                    failed.get_or_insert(error);
                }
            }
        }
        audit_chain::still(self.store.db(), &still, self.clock.now()).await?;
        failed.map_or(Ok(signed), Err)
    }

    async fn sign_head(&self, head: &audit_chain::Model, newest: Option<&Signed>) -> Result<Round> {
        let (db, tenant, now) = (self.store.db(), head.tenant_id, self.clock.now());
        if let Some(signed) = newest
            && let Some(bad) = self.not_as_signed(head, signed).await?
        {
            self.mark_broken(head, bad).await?;
            return Ok(Round::Nothing);
        }
        let is_signed = newest.is_some_and(|signed| signed.seq == head.seq);
        let is_checked = head.checked_seq == head.seq && head.broken_seq.is_none();
        let is_whole_due = self.witness.is_whole_due(tenant, now);
        if !is_whole_due && is_checked && (is_signed || head.seq == 0) {
            return Ok(Round::Still);
        }
        let (seq, hash) = match self.verify_newest(head, is_whole_due).await? {
            Ok(walked) => walked,
            Err(bad) => {
                self.mark_broken(head, bad).await?;
                return Ok(Round::Nothing);
            }
        };
        let is_new = seq > 0 && newest.is_none_or(|signed| signed.seq != seq);
        if is_new {
            self.sign(Kind::Checkpoint, tenant, (seq, hash), None)
                .await?;
        }
        // After it was signed: what cannot be signed is not seen as verified.
        audit_chain::checked(db, tenant, seq, None, now).await?;
        if is_whole_due {
            self.witness.whole_at(tenant, now);
        }
        Ok(match is_new {
            true => Round::Signed,
            false => Round::Nothing,
        })
    }

    /// What is wrong with a ledger in which the entry that was signed last is not
    /// there, or is another one.
    async fn not_as_signed(
        &self,
        head: &audit_chain::Model,
        signed: &Signed,
    ) -> Result<Option<Bad>> {
        if signed.seq == 0 {
            return Ok(None);
        }
        if head.seq < signed.seq {
            return Ok(Some(Bad {
                seq: head.seq + 1,
                why: Why::GoneSince(signed.at),
            }));
        }
        let row = audit_entry::numbered(self.store.db(), head.tenant_id, signed.seq).await?;
        let why = match row {
            None => Why::Missing,
            Some(row) if row.hash != signed.hash => Why::OtherThanSigned(signed.at),
            Some(_) => return Ok(None),
        };
        Ok(Some(Bad {
            seq: signed.seq,
            why,
        }))
    }

    async fn mark_broken(&self, head: &audit_chain::Model, bad: Bad) -> Result<()> {
        let (tenant, seq) = (head.tenant_id, bad.seq);
        tracing::error!(
            tenant.id = %tenant, audit.seq = seq, why = %bad.why,
            "the audit ledger was tampered with; it is not signed any more"
        );
        let sound = (seq - 1).min(head.seq);
        let now = self.clock.now();
        Ok(audit_chain::checked(self.store.db(), tenant, sound, Some(seq), now).await?)
    }

    /// Says in every ledger that a backup was put in place, and signs up to where
    /// each of them is as it was signed. To be called once, by who restores.
    ///
    /// Where data keys are missing it is refused, see [`Hub::keyless`], unless
    /// `delete_keyless` says that their organisations were deleted.
    ///
    /// # Errors
    /// [`Error::Conflict`] then; as for [`Hub::sign_checkpoints`].
    pub async fn record_restore(&self, delete_keyless: bool) -> Result<()> {
        let key = self.checkpoint_verifier().await?;
        // Nothing can be said in a ledger that nobody can open any more.
        match delete_keyless {
            true => self.delete_keyless().await?,
            false if !self.keyless().await?.is_empty() => {
                return Err(Error::Conflict("data keys are missing"));
            }
            false => {}
        }
        let db = self.store.db();
        // No number of an event is given twice: whoever has asked as far as one that
        // was lost goes on with what happens from now on. Seconds are ahead of every
        // count that did not begin with them, and of what was restored before.
        tenant::number_events_from(db, self.clock.now().timestamp()).await?;
        // What another hub signed says nothing of this one's ledgers.
        let mut all = self.witness.checkpoints().map_err(unusable)?;
        all.retain(|signed| signed.is_right(&key));
        let chains = audit_chain::all(db).await?.into_iter();
        let heads: BTreeMap<TenantId, i64> = chains.map(|row| (row.tenant_id, row.seq)).collect();
        let mut tenants: BTreeSet<TenantId> = heads.keys().copied().collect();
        // Whose ledger was begun after the backup has none.
        tenants.extend(all.iter().map(|signed| signed.tenant));
        for tenant in tenants {
            let theirs: Vec<&Signed> = all.iter().filter(|it| it.tenant == tenant).collect();
            let head = heads.get(&tenant).copied();
            let mut since = (0, Vec::new());
            for (seq, signed) in expected(&theirs).0.into_iter().rev() {
                let row = audit_entry::numbered(db, tenant, seq).await?;
                if row.is_some_and(|row| row.hash == signed.hash) {
                    since = (seq, signed.hash.clone());
                    break;
                }
            }
            self.sign(Kind::Restore, tenant, since, Some(head.unwrap_or_default()))
                .await?;
            if head.is_some() {
                let entry = Entry::new(Who::operator(), Deed::LedgerRestored);
                self.record(tenant, entry).await?;
            }
        }
        Ok(())
    }

    /// Notes a deletion outside of the database; it is on disk when this returns.
    ///
    /// # Errors
    /// When the database, the vault or the directory fails.
    pub async fn note_deletion(&self, deletion: &deletion::Model) -> Result<()> {
        let signer = self.checkpoint_signer().await?;
        self.witness.note_deletion(&signer, deletion)
    }

    /// The public key by which checkpoints can be checked, in base64url.
    ///
    /// # Errors
    /// When the database or the vault fails.
    pub async fn checkpoint_key(&self) -> Result<String> {
        let public = Jwk::from_encoding_key(&self.checkpoint_signer().await?, Algorithm::EdDSA);
        match public.map(|key| key.algorithm) {
            Ok(AlgorithmParameters::OctetKeyPair(public)) => Ok(public.x),
            _ => Err(VaultError::Unopenable.into()),
        }
    }

    /// Every checkpoint, each with a right signature.
    pub(super) async fn signed(&self) -> Result<Vec<Signed>> {
        let all = self.witness.checkpoints().map_err(unusable)?;
        let key = self.checkpoint_verifier().await?;
        for signed in &all {
            signed.expect_right(&key)?;
        }
        Ok(all)
    }

    /// What was signed last of each tenant; read from the file once, so that a
    /// process that starts on an older database does not sign it anew.
    async fn newest_signed(&self) -> Result<Newest> {
        if let Some(newest) = &*lock(&self.witness.newest) {
            return Ok(newest.clone());
        }
        let all = self.witness.checkpoints().map_err(unusable)?;
        let key = self.checkpoint_verifier().await?;
        let mut tenants: BTreeMap<TenantId, Vec<&Signed>> = BTreeMap::new();
        for signed in &all {
            // Of the many others the newest alone is looked at.
            if signed.kind == Kind::Restore {
                signed.expect_right(&key)?;
            }
            tenants.entry(signed.tenant).or_default().push(signed);
        }
        let mut newest = Newest::new();
        for (tenant, theirs) in tenants {
            if let Some((_, signed)) = expected(&theirs).0.pop_last() {
                signed.expect_right(&key)?;
                newest.insert(tenant, signed.clone());
            }
        }
        *lock(&self.witness.newest) = Some(newest.clone());
        Ok(newest)
    }

    async fn sign(
        &self,
        kind: Kind,
        tenant: TenantId,
        (seq, hash): (i64, Vec<u8>),
        head: Option<i64>,
    ) -> Result<()> {
        let mut signed = Signed {
            kind,
            tenant,
            seq,
            hash,
            head,
            at: self.clock.now(),
            signature: String::new(),
        };
        let signer = self.checkpoint_signer().await?;
        signed.signature = signature(&signed.message(), &signer)?;
        self.witness
            .append(CHECKPOINTS, &signed)
            .map_err(unusable)?;
        if let Some(newest) = &mut *lock(&self.witness.newest) {
            newest.insert(tenant, signed);
        }
        Ok(())
    }

    /// The key that signs, made from that of the hub's own ledger.
    pub(in crate::record) async fn checkpoint_signer(&self) -> Result<EncodingKey> {
        // A request reaches its own tenant alone.
        let ledger = self.ledger(TenantId::HUB);
        let ledger = Reach::of([TenantId::HUB]).around(ledger).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(ledger.key()).expect("an HMAC takes any key");
        mac.update(b"linkwell audit checkpoints 1");
        let seed = Zeroizing::new(mac.finalize().into_bytes().to_vec());
        Ok(ed25519(&seed))
    }

    /// The key that checks what it signed.
    pub(in crate::record) async fn checkpoint_verifier(&self) -> Result<DecodingKey> {
        let public = self.checkpoint_key().await?;
        let key = DecodingKey::from_ed_components(&public);
        Ok(key.map_err(|_| VaultError::Unopenable)?)
    }
}

/// What a round did with a ledger.
enum Round {
    Signed,
    /// It is as it was checked and signed.
    Still,
    Nothing,
}

impl Signed {
    fn is_right(&self, key: &DecodingKey) -> bool {
        let message = self.message();
        let right = crypto::verify(&self.signature, message.as_bytes(), key, Algorithm::EdDSA);
        right.unwrap_or(false)
    }

    fn expect_right(&self, key: &DecodingKey) -> Result<()> {
        if self.is_right(key) {
            return Ok(());
        }
        tracing::error!(
            tenant.id = %self.tenant, audit.seq = self.seq, at = %self.at,
            "a checkpoint has another signature"
        );
        Err(Error::Conflict(
            "a checkpoint was not signed by this hub: it was changed, or the hub's ledger was replaced",
        ))
    }
}

fn signature(message: &str, signer: &EncodingKey) -> Result<String> {
    let signature = crypto::sign(message.as_bytes(), signer, Algorithm::EdDSA);
    Ok(signature.map_err(|_| VaultError::Unopenable)?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn unusable(error: io::Error) -> Error {
    tracing::error!(%error, "the directory of checkpoints and deletions cannot be used");
    Error::Conflict("the directory of checkpoints and deletions cannot be used")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn numbered(seq: i64) -> Signed {
        Signed {
            kind: Kind::Checkpoint,
            tenant: TenantId::HUB,
            seq,
            hash: vec![1, 2, 3],
            head: None,
            at: DateTime::UNIX_EPOCH,
            signature: "signature".into(),
        }
    }

    #[test]
    fn what_a_power_cut_leaves_is_no_line_and_what_else_cannot_be_read_is_told() {
        let name = format!("linkwell-checkpoints-{}", crate::store::ConnectionId::new());
        let directory = Directory(std::env::temp_dir().join(name));
        let witness = Witness::open(&directory.0).unwrap();
        let file = directory.0.join(CHECKPOINTS);
        let read = || -> io::Result<Vec<i64>> {
            let all = witness.checkpoints()?;
            Ok(all.iter().map(|signed| signed.seq).collect())
        };
        let leave = |bytes: &[u8]| {
            let mut file = OpenOptions::new().append(true).open(&file).unwrap();
            file.write_all(bytes).unwrap();
        };
        let append = |seq| witness.append(CHECKPOINTS, &numbered(seq)).unwrap();

        append(1);
        // Zeros at the end, and what is appended after them.
        leave(&[0; 40]);
        assert_eq!(read().unwrap(), [1]);
        append(2);
        assert_eq!(read().unwrap(), [1, 2]);
        // Half of a line, and zeros where its other half was to be.
        leave(b"{\"kind\":\"check");
        leave(&[0; 40]);
        append(3);
        assert_eq!(read().unwrap(), [1, 2, 3]);
        // Zeros before a line that is whole.
        leave(&[0; 40]);
        leave(&serde_json::to_vec(&numbered(4)).unwrap());
        leave(b"\n");
        append(5);
        assert_eq!(read().unwrap(), [1, 2, 3, 4, 5]);

        leave(b"nonsense\n");
        append(6);
        let refused = read().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        assert!(refused.to_string().contains("line 8"), "{refused}");
    }
}
