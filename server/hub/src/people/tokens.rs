//! Short-lived tokens: what a key or a session is exchanged for where the key
//! itself should not go, in a browser or a job.
//!
//! A token is a JWT signed with Ed25519. Whoever got one can check it with the
//! published keys; the hub itself also looks up on every call whether the key
//! is still alive, so that revoking a key ends its tokens at once.

use std::sync::RwLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Authority, Host, Role, Scope,
    api_keys::{read_scopes, scope_words},
};
use crate::{
    Error, Hub, Result,
    record::{Deed, Entry},
    secret::{Secret, digest},
    store::{ApiKeyId, PersonId, SigningKeyId, TenantId, api_key, signing_key},
    vault::{Place, VaultError},
};

/// How long a token lives.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How long a key signs before another takes its place.
const KEY_LIFETIME: TimeDelta = TimeDelta::days(30);
/// How long a new key is published before it signs, so that nobody who keeps
/// the published keys for a while meets one they do not know.
const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(15);
/// Tokens of a key nobody knows make the keys be read again, at most this often.
const READ_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(5);

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8
/// (<https://www.rfc-editor.org/rfc/rfc8410#section-10.3>).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A token that was made a moment ago.
pub struct Minted {
    /// The token itself.
    pub token: Secret,
    /// Its end.
    pub expires_at: DateTime<Utc>,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

/// A published key, by which a token can be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// What tokens call it.
    pub id: String,
    /// The point, in base64url.
    pub x: String,
}

/// The published keys as this process knows them.
#[derive(Default)]
pub struct Signing(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: Vec<(String, DecodingKey)>,
    read_at: Option<DateTime<Utc>>,
}

/// What a caller showed.
pub(crate) enum Shown {
    /// A key.
    Key(Vec<u8>),
    /// A token whose signature and time are right.
    Token(Box<Claims>),
}

/// What a token says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// `key:<id>` or `person:<id>`.
    sub: String,
    tenant: TenantId,
    /// Space-separated.
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// The generation of the person's sessions it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<i32>,
    /// When the person last gave their password, as OpenID Connect calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// Whose token it is.
enum Subject {
    Key(ApiKeyId),
    Person(PersonId),
}

impl Claims {
    fn subject(&self) -> Option<Subject> {
        match self.sub.split_once(':')? {
            ("key", id) => Some(Subject::Key(id.parse().ok()?)),
            ("person", id) => Some(Subject::Person(id.parse().ok()?)),
            _ => None,
        }
    }
}

impl Shown {
    /// What is left of `allowed`: a token may be for less than whose it is.
    pub(super) fn narrow(&self, mut allowed: Vec<Scope>) -> Vec<Scope> {
        if let Self::Token(claims) = self {
            let asked = read_scopes(&claims.scope);
            allowed.retain(|scope| asked.contains(scope));
        }
        allowed
    }

    /// Whether it is a person's token, and no key's.
    pub(crate) fn is_persons(&self) -> bool {
        self.person().is_some()
    }

    /// The key that has to be alive. A person's token names none, and is looked
    /// up by nobody's id: no key has it.
    pub(crate) fn key(&self) -> api_key::Named {
        match self {
            Self::Key(hash) => api_key::Named::Secret(hash.clone()),
            Self::Token(claims) => api_key::Named::Id(match claims.subject() {
                Some(Subject::Key(id)) => id,
                _ => ApiKeyId(Uuid::nil()),
            }),
        }
    }

    /// When the person of the token last gave their password.
    pub(super) fn proven_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Key(_) => None,
            Self::Token(claims) => DateTime::from_timestamp(claims.auth_time?, 0),
        }
    }

    /// Tenant, person and generation of sessions of a person's token.
    pub(super) fn person(&self) -> Option<(TenantId, PersonId, i32)> {
        match self {
            Self::Key(_) => None,
            Self::Token(claims) => match claims.subject()? {
                Subject::Person(person) => Some((claims.tenant, person, claims.epoch?)),
                Subject::Key(_) => None,
            },
        }
    }
}

impl Hub {
    /// Exchanges a key or a session for a token with `scopes`, or with all that
    /// the key or the person's role allows.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for who shows a token already, or has not the
    /// scopes.
    pub async fn mint_token(&self, host: &Host, scopes: Option<&[Scope]>) -> Result<Minted> {
        if host.is_by_token() {
            return Err(Error::Forbidden {
                needs: "an API key or a session",
            });
        }
        let scopes = narrowed(host.scopes(), scopes)?;
        let now = self.clock.now();
        let key = match self.signer(now).await? {
            Some(key) => key,
            None => self.create_signing_key().await?,
        };
        let sealed = &key.private_sealed;
        let private = self.vault.open(private_place(key.id), sealed).await?;
        let (sub, role) = match host.authority() {
            Authority::Key(key) => (format!("key:{key}"), None),
            Authority::Person(person, role) => (format!("person:{person}"), Some(role)),
        };
        let entry = Entry::new(host, Deed::TokenMade).saying(scope_words(&scopes));
        self.record(host.tenant(), entry).await?;
        let claims = Claims {
            iss: self.issuer(),
            aud: self.audience(),
            sub,
            tenant: host.tenant(),
            scope: scope_words(&scopes),
            role,
            epoch: host.epoch(),
            auth_time: host.proven_at().map(|at| at.timestamp()),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
            jti: Uuid::now_v7(),
        };
        let header = Header {
            kid: Some(key.id.to_string()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &claims, &encoding_key(&private)?)
            .map_err(|_| VaultError::Unopenable)?;
        tracing::info!(
            tenant.id = %claims.tenant, subject = %claims.sub, token.id = %claims.jti,
            "a short-lived token was made"
        );
        Ok(Minted {
            token: Secret::new(token),
            expires_at: DateTime::from_timestamp(claims.exp, 0).unwrap_or(now),
            scopes,
        })
    }

    /// The keys by which tokens can be checked, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        let rows = signing_key::all(self.store.db()).await?;
        Ok(rows
            .into_iter()
            .map(|row| PublicKey {
                id: row.id.to_string(),
                x: row.public_key,
            })
            .collect())
    }

    /// One round of housekeeping: a key that signed for long gets a successor,
    /// and one whose last token has ended is forgotten.
    ///
    /// # Errors
    /// When the database or the vault fails.
    pub async fn rotate_signing_keys(&self) -> Result<()> {
        let now = self.clock.now();
        let rows = signing_key::all(self.store.db()).await?;
        // Nobody has asked for a token yet: there is nothing to keep in turn.
        let Some(newest) = rows.first() else {
            return Ok(());
        };
        if newest.created_at + KEY_LIFETIME <= now {
            self.create_signing_key().await?;
        }
        // Twice a token's life, for the clocks of several processes.
        for (successor, row) in rows.iter().zip(rows.iter().skip(1)) {
            if successor.created_at + PUBLISHED_BEFORE + LIFETIME * 2 <= now {
                signing_key::delete(self.store.db(), row.id).await?;
            }
        }
        Ok(())
    }

    /// What a caller showed: a key, or a token that is right and not over. None
    /// for anything else.
    pub(crate) async fn read_shown(&self, presented: &str) -> Result<Option<Shown>> {
        if presented.split('.').count() != 3 {
            return Ok(Some(Shown::Key(digest(presented))));
        }
        let claims = self.read_token(presented).await?;
        Ok(claims.map(|claims| Shown::Token(Box::new(claims))))
    }

    /// The key that signs now: the newest that was published long enough, or
    /// the first one there is.
    async fn signer(&self, now: DateTime<Utc>) -> Result<Option<signing_key::Model>> {
        let rows = signing_key::all(self.store.db()).await?;
        let published = |row: &&signing_key::Model| row.created_at + PUBLISHED_BEFORE <= now;
        let signer = rows.iter().find(published).or(rows.last());
        Ok(signer.cloned())
    }

    async fn create_signing_key(&self) -> Result<signing_key::Model> {
        let id = SigningKeyId::new();
        let private = Secret::random(32);
        let public = Jwk::from_encoding_key(&encoding_key(&private)?, Algorithm::EdDSA);
        let Ok(AlgorithmParameters::OctetKeyPair(public)) = public.map(|key| key.algorithm) else {
            return Err(VaultError::Unopenable.into());
        };
        let row = signing_key::Model {
            id,
            public_key: public.x,
            private_sealed: self.vault.seal(private_place(id), &private).await?,
            created_at: self.clock.now(),
        };
        signing_key::insert(self.store.db(), row.clone()).await?;
        tracing::info!(signing_key.id = %id, "a key for short-lived tokens was made");
        Ok(row)
    }

    async fn read_token(&self, token: &str) -> Result<Option<Claims>> {
        let Ok(header) = jsonwebtoken::decode_header(token) else {
            return Ok(None);
        };
        let (Algorithm::EdDSA, Some(kid)) = (header.alg, header.kid) else {
            return Ok(None);
        };
        let Some(key) = self.published_key(&kid).await? else {
            return Ok(None);
        };
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[self.issuer()]);
        validation.set_audience(&[self.audience()]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // The hub's clock judges, below, and not the machine's.
        validation.validate_exp = false;
        let Ok(token) = jsonwebtoken::decode::<Claims>(token, &key, &validation) else {
            return Ok(None);
        };
        let now = self.clock.now().timestamp();
        let is_alive = |claims: &Claims| claims.nbf <= now && now < claims.exp;
        Ok(Some(token.claims).filter(is_alive))
    }

    async fn published_key(&self, kid: &str) -> Result<Option<DecodingKey>> {
        let now = self.clock.now();
        let find = |known: &Known| {
            let found = known.keys.iter().find(|(id, _)| id == kid);
            found.map(|(_, key)| key.clone())
        };
        {
            let known = read(&self.signing.0);
            let is_new = known.read_at.is_some_and(|at| now < at + READ_AGAIN_AFTER);
            if let (key @ Some(_), _) | (key, true) = (find(&known), is_new) {
                return Ok(key);
            }
        }
        let mut keys = Vec::new();
        for key in self.public_keys().await? {
            if let Ok(public) = DecodingKey::from_ed_components(&key.x) {
                keys.push((key.id, public));
            }
        }
        let known = Known {
            keys,
            read_at: Some(now),
        };
        let found = find(&known);
        *self
            .signing
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = known;
        Ok(found)
    }

    fn issuer(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    fn audience(&self) -> String {
        format!("{}/v1", self.issuer())
    }
}

fn read(known: &RwLock<Known>) -> std::sync::RwLockReadGuard<'_, Known> {
    known
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What is asked for, if it is no more than what there is.
fn narrowed(allowed: &[Scope], asked: Option<&[Scope]>) -> Result<Vec<Scope>> {
    let Some(asked) = asked else {
        return Ok(allowed.to_vec());
    };
    match asked.iter().find(|scope| !allowed.contains(scope)) {
        Some(more) => Err(Error::Forbidden {
            needs: more.as_str(),
        }),
        None => Ok(asked.to_vec()),
    }
}

fn private_place(id: SigningKeyId) -> Place<'static> {
    Place {
        tenant: TenantId::HUB,
        subject: id.0,
        field: "signing_key.private".into(),
        version: 0,
    }
}

fn encoding_key(private: &Secret) -> Result<EncodingKey> {
    let seed = BASE64.decode(private.expose()).map(Zeroizing::new);
    let seed = seed.map_err(|_| VaultError::Unopenable)?;
    Ok(ed25519(&seed))
}

/// The Ed25519 key of these 32 bytes.
pub(crate) fn ed25519(seed: &[u8]) -> EncodingKey {
    let der = Zeroizing::new([&PKCS8[..], seed].concat());
    EncodingKey::from_ed_der(&der)
}
