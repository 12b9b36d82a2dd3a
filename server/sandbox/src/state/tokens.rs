//! Tokens: issued, used, replaced, detected when used again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{GrantView, State};
use crate::{
    oauth::scopes::Scope,
    rules::{Grace, Rotation, Rules},
    secrets::{fingerprint, mint},
};

#[derive(Serialize, Deserialize)]
pub(super) struct AccessToken {
    grant: String,
    scopes: BTreeSet<Scope>,
    expires_at: DateTime<Utc>,
    replaces: Option<String>,
    #[serde(skip)]
    uses: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RefreshToken {
    grant: String,
    expires_at: DateTime<Utc>,
    /// The refresh token whose use gave this one.
    replaces: Option<String>,
    replaced_at: Option<DateTime<Utc>>,
    /// A token that replaced this one has been used.
    replacement_used: bool,
    #[serde(skip)]
    uses: u64,
}

/// A pair as handed to the app. The shop keeps fingerprints only.
pub struct IssuedTokens {
    /// For the API.
    pub access_token: String,
    /// For the next refresh, unless the old one stays.
    pub refresh_token: Option<String>,
    /// Seconds the access token lives.
    pub expires_in_s: u32,
    /// Seconds the refresh token lives.
    pub refresh_expires_in_s: u32,
    /// What the access token may do.
    pub scopes: BTreeSet<Scope>,
}

/// Why a refresh token gave no tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    /// Unknown, expired, revoked, or another client's.
    Invalid(&'static str),
    /// Replaced before, and its grace is over; carries its grant.
    Reused(String),
    /// More was asked than granted.
    Scope,
}

impl AccessToken {
    pub fn grant(&self) -> &str {
        &self.grant
    }

    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        self.expires_at > now
    }

    pub fn expire(&mut self, now: DateTime<Utc>) -> Option<()> {
        self.lives(now).then(|| self.expires_at = now)
    }
}

impl RefreshToken {
    pub fn grant(&self) -> &str {
        &self.grant
    }

    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        self.expires_at > now
    }

    /// Whether it was replaced and its grace, if any, is over.
    fn is_retired(&self, rotation: Rotation, now: DateTime<Utc>) -> bool {
        match (self.replaced_at, rotation) {
            (None, _) | (_, Rotation::Off) => false,
            (
                Some(at),
                Rotation::On {
                    grace: Grace::Seconds(grace),
                    ..
                },
            ) => now >= at + TimeDelta::seconds(grace.into()),
            (
                Some(_),
                Rotation::On {
                    grace: Grace::UntilReplacementUsed,
                    ..
                },
            ) => self.replacement_used,
        }
    }
}

impl State {
    /// A first pair of tokens for a grant.
    pub fn issue(&mut self, grant: &str, rules: &Rules, now: DateTime<Utc>) -> IssuedTokens {
        let scopes = self.grants[grant].scopes.clone();
        let (access_token, expires_in_s) =
            self.issue_access(grant, scopes.clone(), None, rules, now);
        IssuedTokens {
            access_token,
            refresh_token: Some(self.issue_refresh(grant, None, rules, now)),
            expires_in_s,
            refresh_expires_in_s: rules.refresh_lifetime_s,
            scopes,
        }
    }

    /// Uses a refresh token. `rotate` is false when a fault withholds the replacement: the old one then stays,
    /// or the app would have no way on.
    pub fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        scopes: Option<BTreeSet<Scope>>,
        rotate: bool,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, RefreshRefusal> {
        let key = fingerprint(token);
        let Some(known) = self.refresh_tokens.get_mut(&key) else {
            return Err(RefreshRefusal::Invalid("The refresh token is unknown."));
        };
        known.uses += 1;
        let grant_id = known.grant.clone();
        let Some(grant) = self
            .grants
            .get(&grant_id)
            .filter(|grant| grant.client_id == client_id)
        else {
            return Err(RefreshRefusal::Invalid("The refresh token is unknown."));
        };
        if grant.revoked.is_some() {
            return Err(RefreshRefusal::Invalid("The grant has been revoked."));
        }
        if !known.lives(now) {
            return Err(RefreshRefusal::Invalid("The refresh token has expired."));
        }
        if known.is_retired(rules.rotation, now) {
            return Err(RefreshRefusal::Reused(grant_id));
        }
        let scopes = scopes.unwrap_or_else(|| grant.scopes.clone());
        if !scopes.is_subset(&grant.scopes) {
            return Err(RefreshRefusal::Scope);
        }
        let rotates = rotate && rules.rotation != Rotation::Off;
        if rotates {
            known.replaced_at.get_or_insert(now);
        }
        let parent = known.replaces.clone();
        let old_expiry = known.expires_at;
        self.replacement_was_used(parent.as_deref());

        let replaces = rotates.then_some(key);
        let refresh_token =
            rotates.then(|| self.issue_refresh(&grant_id, replaces.clone(), rules, now));
        let (access_token, expires_in_s) =
            self.issue_access(&grant_id, scopes.clone(), replaces, rules, now);
        let left = u32::try_from((old_expiry - now).num_seconds()).unwrap_or(u32::MAX);
        Ok(IssuedTokens {
            access_token,
            expires_in_s,
            refresh_expires_in_s: if rotates {
                rules.refresh_lifetime_s
            } else {
                left
            },
            refresh_token,
            scopes,
        })
    }

    /// Uses an access token: its grant and scopes, if it lives. The flag says whether state worth saving changed.
    pub fn use_access(&mut self, token: &str, now: DateTime<Utc>) -> Option<(GrantView, bool)> {
        let known = self.access_tokens.get_mut(&fingerprint(token))?;
        known.uses += 1;
        if !known.lives(now) {
            return None;
        }
        let (grant, scopes, parent) = (
            known.grant.clone(),
            known.scopes.clone(),
            known.replaces.take(),
        );
        let view = self.view(&grant, now)?;
        let changed = self.replacement_was_used(parent.as_deref());
        Some((GrantView { scopes, ..view }, changed))
    }

    /// What introspection may say of a token: its grant, whether it is a refresh token, and its expiry.
    pub fn inspect(
        &self,
        token: &str,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Option<(GrantView, &'static str, DateTime<Utc>)> {
        let key = fingerprint(token);
        if let Some(known) = self
            .access_tokens
            .get(&key)
            .filter(|known| known.lives(now))
        {
            let view = self.view(&known.grant, now)?;
            return Some((
                GrantView {
                    scopes: known.scopes.clone(),
                    ..view
                },
                "access_token",
                known.expires_at,
            ));
        }
        let known = self.refresh_tokens.get(&key)?;
        let usable = known.lives(now) && !known.is_retired(rules.rotation, now);
        usable
            .then(|| self.view(&known.grant, now))?
            .map(|view| (view, "refresh_token", known.expires_at))
    }

    /// Ends an access token alone; for a refresh token, returns the grant that has to end with it (RFC 7009, 2.1).
    pub fn retire(&mut self, token: &str, client_id: &str, now: DateTime<Utc>) -> Option<String> {
        let key = fingerprint(token);
        let is_theirs = |grants: &BTreeMap<String, super::Grant>, grant: &str| {
            grants
                .get(grant)
                .is_some_and(|grant| grant.client_id == client_id)
        };
        if let Some(known) = self.access_tokens.get_mut(&key) {
            if is_theirs(&self.grants, &known.grant) {
                known.expire(now);
            }
            return None;
        }
        let grant = &self.refresh_tokens.get(&key)?.grant;
        is_theirs(&self.grants, grant).then(|| grant.clone())
    }

    pub fn access_token_uses(&self) -> BTreeMap<String, u64> {
        used(
            self.access_tokens
                .iter()
                .map(|(key, token)| (key, token.uses)),
        )
    }

    pub fn refresh_token_uses(&self) -> BTreeMap<String, u64> {
        used(
            self.refresh_tokens
                .iter()
                .map(|(key, token)| (key, token.uses)),
        )
    }

    pub fn forget_uses(&mut self) {
        self.access_tokens
            .values_mut()
            .for_each(|token| token.uses = 0);
        self.refresh_tokens
            .values_mut()
            .for_each(|token| token.uses = 0);
    }

    pub(super) fn access_tokens_of(&self, grant: &str) -> impl Iterator<Item = DateTime<Utc>> {
        self.access_tokens
            .values()
            .filter(move |token| token.grant == grant)
            .map(|token| token.expires_at)
    }

    /// Ends the "until the replacement is used" grace of a token.
    fn replacement_was_used(&mut self, replaced: Option<&str>) -> bool {
        match replaced.and_then(|key| self.refresh_tokens.get_mut(key)) {
            Some(token) => !std::mem::replace(&mut token.replacement_used, true),
            None => false,
        }
    }

    fn issue_access(
        &mut self,
        grant: &str,
        scopes: BTreeSet<Scope>,
        replaces: Option<String>,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> (String, u32) {
        let secret = mint("sat_");
        let expires_at = now + TimeDelta::seconds(rules.access_lifetime_s.into());
        let token = AccessToken {
            grant: grant.to_owned(),
            scopes,
            expires_at,
            replaces,
            uses: 0,
        };
        self.access_tokens.insert(fingerprint(&secret), token);
        (secret, rules.access_lifetime_s)
    }

    fn issue_refresh(
        &mut self,
        grant: &str,
        replaces: Option<String>,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> String {
        let secret = mint("srt_");
        let token = RefreshToken {
            grant: grant.to_owned(),
            expires_at: now + TimeDelta::seconds(rules.refresh_lifetime_s.into()),
            replaces,
            replaced_at: None,
            replacement_used: false,
            uses: 0,
        };
        self.refresh_tokens.insert(fingerprint(&secret), token);
        secret
    }
}

fn used<'a>(uses: impl Iterator<Item = (&'a String, u64)>) -> BTreeMap<String, u64> {
    uses.filter(|(_, uses)| *uses > 0)
        .map(|(key, uses)| (key.clone(), uses))
        .collect()
}
