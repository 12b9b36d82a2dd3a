//! Sealing: envelope encryption with a data key per tenant.
//!
//! A sealed value is the text `v1.a256gcm.<data key>.<nonce>.<ciphertext>`,
//! AES-256-GCM with a nonce drawn inside [`Vault::seal`]. Its associated data
//! binds it to format, data key, tenant, subject, field and version, so a
//! ciphertext moved to another row, column or version does not open. Data keys
//! are wrapped by a [`KeyWrapper`] and live unwrapped only in memory.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, RwLock},
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    clock::Clock,
    secret::Secret,
    store::{ConnectionId, DataKeyId, Reach, Store, TenantId, credential, data_key},
};

mod master;

pub use master::{KeyWrapper, MasterKey, MasterKeyError};

const FORMAT: &str = "v1";
const ALGORITHM: &str = "a256gcm";
const NONCE_BYTES: usize = 12;

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The value is damaged, or was sealed for another place. Which of the two
    /// is not told: the difference helps only an attacker.
    #[error("a sealed value does not open")]
    Unopenable,
    /// The data key cannot be unwrapped with the master key at hand.
    #[error("a data key does not open with this master key")]
    WrongMasterKey,
    /// The data key's row is missing or could not be read.
    #[error("a data key could not be read: {0}")]
    Storage(#[from] sea_orm::DbErr),
    /// The key service did not wrap or unwrap.
    #[error("the key service failed: {0}")]
    KeyService(String),
}

/// Where a sealed value belongs. A value opens only with the place it was
/// sealed for.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Whose data key seals it.
    pub tenant: TenantId,
    /// The row: a connection, a flow, nil when the tenant itself.
    pub subject: Uuid,
    /// The column, or the meaning of the value.
    pub field: Cow<'a, str>,
    /// The row's version of the secret.
    pub version: i64,
}

impl<'a> Place<'a> {
    /// A field of a connection's credential.
    pub fn credential(
        tenant: TenantId,
        connection: ConnectionId,
        slot: &str,
        field: &'a str,
        version: i64,
    ) -> Self {
        Self {
            tenant,
            subject: connection.0,
            field: match slot {
                credential::MAIN => field.into(),
                slot => format!("{slot}.{field}").into(),
            },
            version,
        }
    }

    /// Every part is preceded by its length, so that no two places have the
    /// same associated data.
    fn associated_data(&self, key: DataKeyId) -> Vec<u8> {
        let mut data = Vec::with_capacity(96);
        for part in [
            FORMAT.as_bytes(),
            ALGORITHM.as_bytes(),
            key.0.as_bytes(),
            self.tenant.0.as_bytes(),
            self.subject.as_bytes(),
            self.field.as_bytes(),
            &self.version.to_be_bytes(),
        ] {
            data.extend_from_slice(&(part.len() as u32).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

struct DataKey {
    id: DataKeyId,
    tenant: TenantId,
    cipher: Aes256Gcm,
}

/// A data key that seals already and is not stored yet.
pub struct NewKey(data_key::Model);

impl NewKey {
    /// Stores it.
    pub async fn store(self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        data_key::Entity::insert(self.0.into_active_model())
            .exec_without_returning(db)
            .await
            .map(|_| ())
    }
}

/// Seals and opens values; shared by everything that keeps a secret.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    wrapper: Arc<dyn KeyWrapper>,
    opened: RwLock<HashMap<DataKeyId, Arc<DataKey>>>,
    newest: RwLock<HashMap<TenantId, DataKeyId>>,
}

impl Vault {
    /// A vault whose data keys are wrapped by `wrapper`.
    pub fn new(store: Store, clock: Clock, wrapper: Arc<dyn KeyWrapper>) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            wrapper,
            opened: RwLock::default(),
            newest: RwLock::default(),
        }))
    }

    /// Proves that the master key at hand opens what is stored. To be called
    /// before the hub says it is ready.
    ///
    /// # Errors
    /// [`VaultError::WrongMasterKey`] when it does not.
    pub async fn prove_master_key(&self) -> Result<(), VaultError> {
        let oldest = data_key::Entity::find()
            .order_by_asc(data_key::Column::CreatedAt)
            .one(self.0.store.db());
        let oldest = Reach::every().around(oldest).await?;
        match oldest {
            Some(row) => self.unwrap(row).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Seals `plain` for `place`. The nonce is drawn in here: no caller can
    /// choose one.
    pub async fn seal(&self, place: Place<'_>, plain: &Secret) -> Result<String, VaultError> {
        let key = self.sealing_key(place.tenant).await?;
        let mut nonce = [0u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Unopenable)?;
        let sealed = key
            .cipher
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: plain.expose().as_bytes(),
                    aad: &place.associated_data(key.id),
                },
            )
            .map_err(|_| VaultError::Unopenable)?;
        Ok(format!(
            "{FORMAT}.{ALGORITHM}.{}.{}.{}",
            key.id.0.simple(),
            BASE64.encode(nonce),
            BASE64.encode(sealed)
        ))
    }

    /// Opens what was sealed for exactly this `place`.
    pub async fn open(&self, place: Place<'_>, sealed: &str) -> Result<Secret, VaultError> {
        let (id, nonce, ciphertext) = parse(sealed).ok_or(VaultError::Unopenable)?;
        let key = self.opening_key(place.tenant, id).await?;
        let plain = key
            .cipher
            .decrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &ciphertext,
                    aad: &place.associated_data(id),
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Unopenable)?;
        std::str::from_utf8(&plain)
            .map(Secret::new)
            .map_err(|_| VaultError::Unopenable)
    }

    async fn sealing_key(&self, tenant: TenantId) -> Result<Arc<DataKey>, VaultError> {
        let known = read(&self.0.newest).get(&tenant).copied();
        if let Some(id) = known {
            return self.opening_key(tenant, id).await;
        }
        let newest = data_key::Entity::find()
            .filter(data_key::Column::TenantId.eq(tenant))
            .order_by_desc(data_key::Column::CreatedAt)
            .one(self.0.store.db());
        let newest = for_hub(tenant, newest).await?;
        let key = match newest {
            Some(row) => self.unwrap(row).await?,
            None => self.create_key(tenant).await?,
        };
        write(&self.0.newest).insert(tenant, key.id);
        Ok(key)
    }

    async fn opening_key(
        &self,
        tenant: TenantId,
        id: DataKeyId,
    ) -> Result<Arc<DataKey>, VaultError> {
        let known = read(&self.0.opened).get(&id).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let row = data_key::Entity::find_by_id(id)
            .filter(data_key::Column::TenantId.eq(tenant))
            .one(self.0.store.db());
        let row = for_hub(tenant, row).await?;
        self.unwrap(row.ok_or(VaultError::Unopenable)?).await
    }

    /// A data key for a tenant that is about to be made. It seals from now on,
    /// and is to be stored together with its tenant.
    pub async fn new_key(&self, tenant: TenantId) -> Result<NewKey, VaultError> {
        let (row, bytes) = self.draw_key(tenant).await?;
        let key = self.remember(tenant, row.id, &bytes);
        write(&self.0.newest).insert(tenant, key.id);
        Ok(NewKey(row))
    }

    /// Forgets the keys of a tenant that is no more, or was not made.
    pub fn forget(&self, tenant: TenantId) {
        write(&self.0.newest).remove(&tenant);
        write(&self.0.opened).retain(|_, key| key.tenant != tenant);
    }

    async fn create_key(&self, tenant: TenantId) -> Result<Arc<DataKey>, VaultError> {
        let (row, bytes) = self.draw_key(tenant).await?;
        let id = row.id;
        let made = row.into_active_model().insert(self.0.store.db());
        for_hub(tenant, made).await?;
        Ok(self.remember(tenant, id, &bytes))
    }

    async fn draw_key(
        &self,
        tenant: TenantId,
    ) -> Result<(data_key::Model, Zeroizing<[u8; 32]>), VaultError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| VaultError::Unopenable)?;
        let id = DataKeyId::new();
        let wrapped = self.0.wrapper.wrap(key_context(tenant, id), &bytes).await?;
        let row = data_key::Model {
            id,
            tenant_id: tenant,
            wrapper: self.0.wrapper.id().to_owned(),
            wrapped,
            created_at: self.0.clock.now(),
        };
        Ok((row, bytes))
    }

    async fn unwrap(&self, row: data_key::Model) -> Result<Arc<DataKey>, VaultError> {
        if row.wrapper != self.0.wrapper.id() {
            return Err(VaultError::WrongMasterKey);
        }
        let bytes = self
            .0
            .wrapper
            .unwrap(key_context(row.tenant_id, row.id), &row.wrapped)
            .await?;
        Ok(self.remember(row.tenant_id, row.id, &bytes))
    }

    fn remember(&self, tenant: TenantId, id: DataKeyId, bytes: &[u8; 32]) -> Arc<DataKey> {
        let key = Arc::new(DataKey {
            id,
            tenant,
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*bytes)),
        });
        write(&self.0.opened).insert(id, key.clone());
        key
    }
}

/// The hub's own key is within everybody's reach, in here: signing keys and the
/// cookies of browsers are sealed with it, whoever is at work.
async fn for_hub<T>(tenant: TenantId, work: impl Future<Output = T>) -> T {
    match tenant {
        TenantId::HUB => Reach::of([tenant]).around(work).await,
        _ => work.await,
    }
}

/// Binds a wrapped data key to its row.
fn key_context(tenant: TenantId, id: DataKeyId) -> [u8; 32] {
    let mut context = [0u8; 32];
    context[..16].copy_from_slice(tenant.0.as_bytes());
    context[16..].copy_from_slice(id.0.as_bytes());
    context
}

fn parse(sealed: &str) -> Option<(DataKeyId, [u8; NONCE_BYTES], Vec<u8>)> {
    let mut parts = sealed.splitn(5, '.');
    if parts.next()? != FORMAT || parts.next()? != ALGORITHM {
        return None;
    }
    let id = DataKeyId(Uuid::try_parse(parts.next()?).ok()?);
    let nonce = BASE64.decode(parts.next()?).ok()?.try_into().ok()?;
    let ciphertext = BASE64.decode(parts.next()?).ok()?;
    Some((id, nonce, ciphertext))
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
