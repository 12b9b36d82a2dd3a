//! The second place: signed heads of the ledgers, and what was deleted, in
//! files outside of the database that are only ever appended to.
//!
//! A chain alone proves that nothing in it was changed. That its end was not
//! cut off, and that the whole database is not an older one, is proven by what
//! was signed and kept elsewhere.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, crypto,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Deed, Entry, Who};
use crate::{
    Error, Result,
    hub::Hub,
    people::ed25519,
    store::{TenantId, audit_chain, audit_entry, deletion},
    vault::VaultError,
};

const CHECKPOINTS: &str = "checkpoints.jsonl";
const DELETIONS: &str = "deletions.jsonl";

/// Why a head was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Some minutes had passed.
    Checkpoint,
    /// A backup was put in place, and what was signed after this head is lost.
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
        format!(
            "linkwell audit {kind}\n{}\n{}\n{}\n{}",
            self.tenant,
            self.seq,
            BASE64.encode(&self.hash),
            self.at.timestamp_micros()
        )
    }
}

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
    /// The newest number that was signed for each tenant, by this process.
    newest: Mutex<HashMap<TenantId, i64>>,
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
    pub fn deletions(&self) -> io::Result<Vec<deletion::Model>> {
        self.lines(DELETIONS)
    }

    /// Notes a deletion; it is on disk when this returns.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn note_deletion(&self, deletion: &deletion::Model) -> io::Result<()> {
        self.append(DELETIONS, deletion)
    }

    pub(super) fn deleted_tenants(&self) -> Result<Vec<TenantId>> {
        let all = self.deletions().map_err(unusable)?.into_iter();
        let whole = all.filter(deletion::Model::is_of_tenant);
        Ok(whole.map(|deletion| deletion.tenant_id).collect())
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

    /// A line that was cut short by a crash is skipped when it is the last; it
    /// was never reported as written.
    fn lines<T: DeserializeOwned>(&self, name: &str) -> io::Result<Vec<T>> {
        let text = match fs::read_to_string(self.directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = Vec::new();
        for (number, line) in whole.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(line) => lines.push(line),
                // Half of a line, and the rest of the file after it.
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

    fn newest(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, i64>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// One round of the background: recomputes what was written to each ledger
    /// since the last one, and signs the heads of those that are whole. Answers
    /// how many were signed. One that cannot be opened holds up no other.
    ///
    /// # Errors
    /// When the database, the vault or the directory of checkpoints fails; the
    /// first error of several.
    pub async fn sign_checkpoints(&self) -> Result<usize> {
        let (mut signed, mut failed) = (0, None);
        for head in audit_chain::all(self.store.db()).await? {
            match self.sign_head(&head).await {
                Ok(is_signed) => signed += usize::from(is_signed),
                Err(error) if error.is_away() => return Err(error),
                Err(error) => {
                    tracing::error!(tenant.id = %head.tenant_id, %error, "a ledger was not signed");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(signed), Err)
    }

    async fn sign_head(&self, head: &audit_chain::Model) -> Result<bool> {
        let known = self.witness.newest().get(&head.tenant_id).copied();
        if head.seq == 0 || (known == Some(head.seq) && head.checked_seq == head.seq) {
            return Ok(false);
        }
        let Some((seq, hash)) = self.verify_newest(head).await? else {
            return Ok(false);
        };
        self.sign(Kind::Checkpoint, head.tenant_id, seq, hash)
            .await?;
        Ok(true)
    }

    /// Says in every ledger that a backup was put in place, and signs where
    /// each of them goes on. To be called once, by who restores.
    ///
    /// # Errors
    /// As for [`Hub::sign_checkpoints`].
    pub async fn record_restore(&self) -> Result<()> {
        self.checkpoint_signer().await?;
        // Nothing can be said in a ledger that nobody can open any more.
        self.delete_keyless().await?;
        for head in audit_chain::all(self.store.db()).await? {
            let (tenant, seq) = (head.tenant_id, head.seq);
            let newest = audit_entry::numbered(self.store.db(), tenant, seq).await?;
            let hash = newest.map(|row| row.hash).unwrap_or_default();
            self.sign(Kind::Restore, tenant, seq, hash).await?;
            let entry = Entry::new(Who::operator(), Deed::LedgerRestored);
            self.record(tenant, entry).await?;
        }
        Ok(())
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
        let public = self.checkpoint_key().await?;
        let key = DecodingKey::from_ed_components(&public).map_err(|_| VaultError::Unopenable)?;
        for signed in &all {
            let message = signed.message();
            let right = crypto::verify(
                &signed.signature,
                message.as_bytes(),
                &key,
                Algorithm::EdDSA,
            );
            if !right.unwrap_or(false) {
                tracing::error!(
                    tenant.id = %signed.tenant, audit.seq = signed.seq, at = %signed.at,
                    "a checkpoint has another signature"
                );
                return Err(Error::Conflict(
                    "a checkpoint was not signed by this hub: it was changed, or the hub's ledger was replaced",
                ));
            }
        }
        Ok(all)
    }

    async fn sign(&self, kind: Kind, tenant: TenantId, seq: i64, hash: Vec<u8>) -> Result<()> {
        let mut signed = Signed {
            kind,
            tenant,
            seq,
            hash,
            at: self.clock.now(),
            signature: String::new(),
        };
        let message = signed.message();
        signed.signature = crypto::sign(
            message.as_bytes(),
            &self.checkpoint_signer().await?,
            Algorithm::EdDSA,
        )
        .map_err(|_| VaultError::Unopenable)?;
        self.witness
            .append(CHECKPOINTS, &signed)
            .map_err(unusable)?;
        self.witness.newest().insert(tenant, seq);
        Ok(())
    }

    /// The key that signs, made from that of the hub's own ledger.
    async fn checkpoint_signer(&self) -> Result<EncodingKey> {
        let ledger = self.ledger(TenantId::HUB).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(ledger.key()).expect("an HMAC takes any key");
        mac.update(b"linkwell audit checkpoints 1");
        let seed = Zeroizing::new(mac.finalize().into_bytes().to_vec());
        Ok(ed25519(&seed))
    }
}

pub(crate) fn unusable(error: io::Error) -> Error {
    tracing::error!(%error, "the directory of checkpoints and deletions cannot be used");
    Error::Conflict("the directory of checkpoints and deletions cannot be used")
}
