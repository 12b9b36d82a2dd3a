//! The master key: what wraps the data keys.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures::future::BoxFuture;
use zeroize::Zeroizing;

use super::VaultError;
use crate::secret::{Secret, digest};

/// Wraps and unwraps data keys: a local key, or a key service.
pub trait KeyWrapper: Send + Sync {
    /// Which key this is; stored beside what it wrapped.
    fn id(&self) -> &str;
    /// Wraps a data key, bound to `context`.
    fn wrap<'a>(
        &'a self,
        context: [u8; 32],
        key: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<String, VaultError>>;
    /// Unwraps a data key that was wrapped with the same `context`.
    fn unwrap<'a>(
        &'a self,
        context: [u8; 32],
        wrapped: &'a str,
    ) -> BoxFuture<'a, Result<Zeroizing<[u8; 32]>, VaultError>>;
}

/// A master key held by this process: 256 bits from a file or the environment.
pub struct MasterKey {
    id: String,
    cipher: Aes256Gcm,
}

/// Why there is no usable master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not 32 bytes in base64.
    #[error("{origin} does not hold a master key: 32 bytes in base64 are needed")]
    Malformed {
        /// Where it came from.
        origin: String,
    },
    /// The file cannot be read, though it may exist.
    #[error("the master key file {} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not there. It is made only while nothing is sealed yet.
    #[error("the master key file {} is missing", .0.display())]
    Missing(PathBuf),
}

impl MasterKey {
    /// A key given as text; `origin` names the setting in messages.
    pub fn from_text(text: &Secret, origin: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed {
            origin: origin.into(),
        };
        let bytes = Zeroizing::new(
            BASE64
                .decode(text.expose().trim())
                .map_err(|_| malformed())?,
        );
        let bytes: Zeroizing<[u8; 32]> =
            Zeroizing::new(bytes.as_slice().try_into().map_err(|_| malformed())?);
        let mut fingerprint = digest(format!("linkwell master key {}", BASE64.encode(*bytes)));
        fingerprint.truncate(8);
        Ok(Self {
            id: format!("local:{}", hex(&fingerprint)),
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*bytes)),
        })
    }

    /// The key in a file.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::from_text(&Secret::new(text), &path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(MasterKeyError::Missing(path.into()))
            }
            Err(error) => Err(MasterKeyError::Unreadable {
                path: path.into(),
                error,
            }),
        }
    }

    /// Makes a new key file that only its owner can read, and uses it. A file
    /// that is there already, also one made at this moment, is never replaced.
    pub fn create_file(path: &Path) -> Result<Self, MasterKeyError> {
        let unreadable = |error| MasterKeyError::Unreadable {
            path: path.into(),
            error,
        };
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *bytes).map_err(|error| unreadable(error.into()))?;
        let text = Zeroizing::new(format!("{}\n", BASE64.encode(*bytes)));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => file
                .write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unreadable(error)),
        }
        Self::from_file(path)
    }
}

impl KeyWrapper for MasterKey {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap<'a>(
        &'a self,
        context: [u8; 32],
        key: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<String, VaultError>> {
        Box::pin(async move {
            let mut nonce = [0u8; 12];
            getrandom::fill(&mut nonce).map_err(|_| VaultError::Unopenable)?;
            let wrapped = self
                .cipher
                .encrypt(
                    &Nonce::from(nonce),
                    Payload {
                        msg: key,
                        aad: &context,
                    },
                )
                .map_err(|_| VaultError::Unopenable)?;
            Ok(format!(
                "{}.{}",
                BASE64.encode(nonce),
                BASE64.encode(wrapped)
            ))
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: [u8; 32],
        wrapped: &'a str,
    ) -> BoxFuture<'a, Result<Zeroizing<[u8; 32]>, VaultError>> {
        Box::pin(async move {
            let (nonce, wrapped) = wrapped.split_once('.').ok_or(VaultError::WrongMasterKey)?;
            let nonce: [u8; 12] = BASE64
                .decode(nonce)
                .ok()
                .and_then(|nonce| nonce.try_into().ok())
                .ok_or(VaultError::WrongMasterKey)?;
            let wrapped = BASE64
                .decode(wrapped)
                .map_err(|_| VaultError::WrongMasterKey)?;
            let key = self
                .cipher
                .decrypt(
                    &Nonce::from(nonce),
                    Payload {
                        msg: &wrapped,
                        aad: &context,
                    },
                )
                .map(Zeroizing::new)
                .map_err(|_| VaultError::WrongMasterKey)?;
            key.as_slice()
                .try_into()
                .map(Zeroizing::new)
                .map_err(|_| VaultError::WrongMasterKey)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
