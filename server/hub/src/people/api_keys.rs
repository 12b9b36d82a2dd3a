//! Keys with which host applications come in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Action, Member, Role, Shown, fields, membership::is_recent, origins};
use crate::{
    Error, Hub, Result,
    record::{Actor, Deed, Denied, Entry, Origin, Who},
    secret::Secret,
    store::{ApiKeyId, PersonId, Reach, TenantId, api_key, member, tenant},
};

/// What every key begins with, so that scanners for leaked secrets know one.
const PREFIX: &str = "lw_";

/// 256 bits; 43 characters in base64url.
const RANDOM_BYTES: usize = 32;

/// How much of a key's end is kept readable.
const HINT_CHARS: usize = 4;

/// One thing a key may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// See connections and how they are.
    #[serde(rename = "connections:read")]
    ConnectionsRead,
    /// Import and disconnect connections.
    #[serde(rename = "connections:write")]
    ConnectionsWrite,
    /// Borrow working tokens.
    #[serde(rename = "tokens:read")]
    TokensRead,
    /// See what can be connected.
    #[serde(rename = "catalog:read")]
    CatalogRead,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 4] = [
        Self::ConnectionsRead,
        Self::ConnectionsWrite,
        Self::TokensRead,
        Self::CatalogRead,
    ];

    /// As it is stored, asked for and answered: `tokens:read`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionsRead => "connections:read",
            Self::ConnectionsWrite => "connections:write",
            Self::TokensRead => "tokens:read",
            Self::CatalogRead => "catalog:read",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                Error::invalid("scopes", format!("Use one or more of {known}"))
            })
    }
}

/// Whose authority a call of the API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A key's, shown itself or through a token made from it.
    Key(ApiKeyId),
    /// A person's, through a token made from their session.
    Person(PersonId, Role),
}

/// A caller of the API who has shown a living key, or a token made from one or
/// from a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    tenant: TenantId,
    authority: Authority,
    scopes: Vec<Scope>,
    by_token: bool,
    /// The generation of the person's sessions.
    epoch: Option<i32>,
    /// When the person last gave their password, and whether that still counts
    /// for what is grave.
    proven: Option<(DateTime<Utc>, bool)>,
    origin: Origin,
}

/// Who is signed in may call the API as far as their role allows.
impl From<&Member> for Host {
    fn from(member: &Member) -> Self {
        Self {
            tenant: member.tenant(),
            authority: Authority::Person(member.person(), member.role()),
            scopes: member.role().scopes(),
            by_token: false,
            epoch: Some(member.session_epoch()),
            proven: Some((member.proven_at(), member.is_recent())),
            origin: member.origin().clone(),
        }
    }
}

impl Host {
    /// The tenant it may act for.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whose authority it has.
    pub fn authority(&self) -> Authority {
        self.authority
    }

    /// The person it acts for, if it is one.
    pub fn person(&self) -> Option<PersonId> {
        match self.authority {
            Authority::Key(_) => None,
            Authority::Person(person, _) => Some(person),
        }
    }

    /// What it may do.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Where the request comes from in which it showed it.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it showed a short-lived token and not a key.
    pub(super) fn is_by_token(&self) -> bool {
        self.by_token
    }

    /// The generation of sessions a person's authority ends with.
    pub(super) fn epoch(&self) -> Option<i32> {
        self.epoch
    }

    /// When the person last gave their password.
    pub(super) fn proven_at(&self) -> Option<DateTime<Utc>> {
        self.proven.map(|(at, _)| at)
    }

    /// Answers whether the key may do `scope`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the scope that is needed.
    pub fn may(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        self.deny(scope.as_str());
        Err(Error::Forbidden {
            needs: scope.as_str(),
        })
    }

    fn deny(&self, wanted: &'static str) {
        let actor = match self.authority {
            Authority::Key(key) => Actor::Key(key),
            Authority::Person(person, _) => Actor::Person(person),
        };
        self.origin.deny(Denied {
            tenant: self.tenant,
            actor,
            wanted,
        });
    }

    /// Answers whether it may do what only some roles may. A key has no role:
    /// its scopes are all there is.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the role that is needed; [`Error::Unproven`]
    /// when a person gave their password too long ago.
    pub(crate) fn may_by_role(&self, action: Action) -> Result<()> {
        match self.authority {
            Authority::Key(_) => Ok(()),
            Authority::Person(_, role) => {
                let of_role = action.of_role(role);
                of_role.inspect_err(|_| self.deny(action.as_str()))?;
                action.proven(self.proven.is_some_and(|(_, recently)| recently))
            }
        }
    }

    /// Who showed a key, or a token made from it: one that was found and is not
    /// revoked. `scopes` is space-separated, as stored; one that no longer
    /// exists allows nothing. A token may do no more than its key may now.
    pub(crate) fn of_key(tenant: TenantId, key: ApiKeyId, scopes: &str, shown: &Shown) -> Self {
        Self {
            tenant,
            authority: Authority::Key(key),
            scopes: shown.narrow(read_scopes(scopes)),
            by_token: matches!(shown, Shown::Token(_)),
            epoch: None,
            proven: None,
            origin: Origin::current(),
        }
    }
}

/// Scopes from space-separated words; unknown ones allow nothing.
pub(super) fn read_scopes(words: &str) -> Vec<Scope> {
    words
        .split_whitespace()
        .filter_map(|scope| scope.parse().ok())
        .collect()
}

/// Scopes as space-separated words: in the order of the list, and each once.
pub(super) fn scope_words(scopes: &[Scope]) -> String {
    Scope::ALL
        .into_iter()
        .filter(|scope| scopes.contains(scope))
        .map(Scope::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Hub {
    /// Makes a key of the member's tenant. The answered secret is shown once
    /// and stored nowhere. `return_origins`, between blanks or on lines, is where
    /// its connect links may send people back to; without any, nowhere.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`] for `name`, `scopes` or
    /// `return_origins`.
    pub async fn create_api_key(
        &self,
        member: &Member,
        name: &str,
        scopes: &[Scope],
        return_origins: &str,
    ) -> Result<(api_key::Model, Secret)> {
        member.may(Action::CreateApiKey)?;
        self.mint_key(member.tenant(), member.into(), name, scopes, return_origins)
            .await
    }

    /// Makes a key of the tenant with that name, for the operator's command line.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such tenant, [`Error::Invalid`] for
    /// `name`, `scopes` or `return_origins`.
    pub async fn create_api_key_for(
        &self,
        tenant_name: &str,
        name: &str,
        scopes: &[Scope],
        return_origins: &str,
    ) -> Result<(api_key::Model, Secret)> {
        let tenant = tenant::by_name(self.store.db(), tenant_name.trim())
            .await?
            .ok_or(Error::NotFound)?;
        self.mint_key(tenant.id, Who::operator(), name, scopes, return_origins)
            .await
    }

    /// The tenant's keys that are not revoked, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn api_keys(&self, member: &Member) -> Result<Vec<api_key::Model>> {
        member.may(Action::ManageApiKeys)?;
        Ok(api_key::living(self.store.db(), member.tenant()).await?)
    }

    /// Ends a key at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`] also when it was revoked before.
    pub async fn revoke_api_key(&self, member: &Member, id: ApiKeyId) -> Result<()> {
        member.may(Action::ManageApiKeys)?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        if !api_key::revoke(&transaction, member.tenant(), id, self.clock.now()).await? {
            return Err(Error::NotFound);
        }
        let entry = Entry::new(member, Deed::KeyRevoked).on(id);
        ledger.append(&transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// Who showed this key or token; none when it is not a living one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn authenticate_key(&self, presented: &str) -> Result<Option<Host>> {
        // What was shown says whose it is.
        Reach::every().around(self.host_showing(presented)).await
    }

    async fn host_showing(&self, presented: &str) -> Result<Option<Host>> {
        let Some(shown) = self.read_shown(presented).await? else {
            return Ok(None);
        };
        let Some((tenant, person, epoch)) = shown.person() else {
            let row = api_key::shown(self.store.db(), shown.key()).await?;
            return Ok(row.map(|row| Host::of_key(row.tenant_id, row.id, &row.scopes, &shown)));
        };
        let row = member::membership(self.store.db(), person, tenant).await?;
        let (proven_at, now) = (shown.proven_at(), self.clock.now());
        Ok(row
            .filter(|row| row.session_epoch == epoch)
            .map(|row| Host {
                tenant,
                authority: Authority::Person(person, row.role),
                scopes: shown.narrow(row.role.scopes()),
                by_token: true,
                epoch: Some(epoch),
                proven: proven_at.map(|at| (at, is_recent(at, now))),
                origin: Origin::current(),
            }))
    }

    async fn mint_key(
        &self,
        tenant: TenantId,
        who: Who,
        name: &str,
        scopes: &[Scope],
        return_origins: &str,
    ) -> Result<(api_key::Model, Secret)> {
        let name = fields::name("name", name)?;
        if scopes.is_empty() {
            return Err(Error::invalid("scopes", "Choose what the key may do"));
        }
        let scopes = scope_words(scopes);
        let return_origins = origins::read_origins(return_origins)?;
        let secret = Secret::new(format!("{PREFIX}{}", Secret::random(RANDOM_BYTES).expose()));
        let row = api_key::Model {
            id: ApiKeyId::new(),
            tenant_id: tenant,
            name,
            secret_hash: secret.digest(),
            hint: secret.expose()[secret.expose().len() - HINT_CHARS..].to_owned(),
            scopes,
            created_by: who.person(),
            created_at: self.clock.now(),
            last_used_at: None,
            revoked_at: None,
            return_origins,
        };
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        api_key::insert(&transaction, row.clone()).await?;
        let entry = Entry::new(who, Deed::KeyCreated).on(row.id);
        ledger
            .append(&transaction, entry.saying(row.scopes.clone()))
            .await?;
        transaction.commit().await?;
        Ok((row, secret))
    }
}
