//! What the shop remembers: grants, tokens (hashed), and each account's goods. Pure: time comes in, nothing
//! is sent; only [`State::load`] and [`State::save`] touch the disk.

mod codes;
mod goods;
mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{accounts::Account, oauth::scopes::Scope, secrets::mint_id};

pub(crate) use codes::{Code, CodeRefusal};
pub(crate) use goods::{Order, Product};
pub use tokens::IssuedTokens;
pub(crate) use tokens::RefreshRefusal;
use tokens::{AccessToken, RefreshToken};

/// Maps from fingerprint to token, never the token itself.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    grants: BTreeMap<String, Grant>,
    codes: BTreeMap<String, Code>,
    access_tokens: BTreeMap<String, AccessToken>,
    refresh_tokens: BTreeMap<String, RefreshToken>,
    orders: BTreeMap<String, Vec<Order>>,
    products: BTreeMap<String, Vec<Product>>,
    #[serde(skip)]
    pruned_at: Option<DateTime<Utc>>,
}

/// One consent, and the family of all tokens that come from it.
#[derive(Clone, Serialize, Deserialize)]
struct Grant {
    client_id: String,
    account: String,
    scopes: BTreeSet<Scope>,
    opened_at: DateTime<Utc>,
    revoked: Option<(DateTime<Utc>, Revocation)>,
}

/// Who ended a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The account's owner removed the app.
    Person,
    /// The app asked for it.
    App,
    /// The control page.
    Control,
    /// A replaced refresh token was used again.
    RefreshTokenReuse,
    /// An authorization code was used again.
    CodeReuse,
}

/// A grant as the control page and tests see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantView {
    /// Its id; not a secret.
    pub id: String,
    /// The app.
    pub client_id: String,
    /// The account that approved, by id.
    pub account: String,
    /// What was approved.
    pub scopes: BTreeSet<Scope>,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// When its newest living access token expires.
    pub access_expires_at: Option<DateTime<Utc>>,
}

impl State {
    /// # Errors
    /// The file exists but cannot be read or is not this state.
    pub fn load(file: &Path) -> io::Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {error}", file.display()),
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes beside the file and renames, so that a process killed meanwhile leaves the old state whole.
    /// Nobody but its owner may read it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let beside = file.with_extension("tmp");
        let text = serde_json::to_vec(self)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&beside)?.write_all(&text)?;
        std::fs::rename(&beside, file)
    }

    /// Begins a new family of tokens and returns its id.
    pub fn open_grant(
        &mut self,
        client_id: &str,
        account: &Account,
        scopes: BTreeSet<Scope>,
        now: DateTime<Utc>,
    ) -> String {
        self.prune(now);
        let id = mint_id("gr_");
        let grant = Grant {
            client_id: client_id.to_owned(),
            account: account.id.to_owned(),
            scopes,
            opened_at: now,
            revoked: None,
        };
        self.grants.insert(id.clone(), grant);
        id
    }

    /// Ends a grant and with it all its tokens. `None` if it is unknown or has ended before.
    pub fn revoke_grant(
        &mut self,
        id: &str,
        by: Revocation,
        now: DateTime<Utc>,
    ) -> Option<GrantView> {
        let view = self.view(id, now)?;
        self.grants.get_mut(id)?.revoked = Some((now, by));
        Some(view)
    }

    /// Grants with at least one living token, newest first.
    pub fn living_grants(&self, now: DateTime<Utc>) -> Vec<GrantView> {
        let with_tokens: BTreeSet<&str> = (self.refresh_tokens.values())
            .filter(|token| token.lives(now))
            .map(RefreshToken::grant)
            .chain(
                self.access_tokens
                    .values()
                    .filter(|token| token.lives(now))
                    .map(AccessToken::grant),
            )
            .collect();
        let mut grants: Vec<_> = with_tokens
            .into_iter()
            .filter_map(|id| self.view(id, now))
            .collect();
        grants.sort_by_key(|grant| std::cmp::Reverse(grant.opened_at));
        grants
    }

    /// The grant, unless it has been revoked.
    fn view(&self, id: &str, now: DateTime<Utc>) -> Option<GrantView> {
        let grant = self
            .grants
            .get(id)
            .filter(|grant| grant.revoked.is_none())?;
        Some(GrantView {
            id: id.to_owned(),
            client_id: grant.client_id.clone(),
            account: grant.account.clone(),
            scopes: grant.scopes.clone(),
            opened_at: grant.opened_at,
            access_expires_at: self.access_tokens_of(id).filter(|at| *at > now).max(),
        })
    }

    /// Makes the access tokens of one grant, or of all, expire. Returns how many were alive.
    pub fn expire_access_tokens(&mut self, grant: Option<&str>, now: DateTime<Utc>) -> usize {
        self.access_tokens
            .values_mut()
            .filter(|token| grant.is_none_or(|grant| grant == token.grant()))
            .filter_map(|token| token.expire(now))
            .count()
    }

    /// Forgets what has been dead for a day, at most once an hour.
    pub fn prune(&mut self, now: DateTime<Utc>) {
        if self
            .pruned_at
            .is_some_and(|at| now - at < TimeDelta::hours(1))
        {
            return;
        }
        self.pruned_at = Some(now);
        let horizon = now - TimeDelta::days(1);
        self.codes.retain(|_, code| code.expires_at > horizon);
        self.access_tokens.retain(|_, token| token.lives(horizon));
        self.refresh_tokens.retain(|_, token| token.lives(horizon));
        let needed: BTreeSet<&str> = (self
            .codes
            .values()
            .filter_map(|code| code.redeemed_for.as_deref()))
        .chain(self.access_tokens.values().map(AccessToken::grant))
        .chain(self.refresh_tokens.values().map(RefreshToken::grant))
        .collect();
        self.grants.retain(|id, _| needed.contains(id.as_str()));
    }
}
