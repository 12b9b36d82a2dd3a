//! Authorization codes: made once, used once.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::State;
use crate::{
    accounts::Account,
    oauth::scopes::Scope,
    secrets::{fingerprint, mint, s256},
};

/// An authorization code and what it was made for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Code {
    pub client_id: String,
    pub redirect_uri: String,
    pub account: String,
    pub scopes: BTreeSet<Scope>,
    /// PKCE challenge, S256.
    pub challenge: String,
    pub expires_at: DateTime<Utc>,
    /// Presented before, rightly or wrongly.
    pub spent: bool,
    /// The grant it gave.
    pub redeemed_for: Option<String>,
}

/// Why a code gave no tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CodeRefusal {
    /// Never issued, expired, or made for another client, redirect URI or verifier.
    Invalid(&'static str),
    /// Presented before; carries the grant it gave.
    Reused(Option<String>),
}

impl State {
    /// Keeps a code and returns it.
    pub fn issue_code(&mut self, code: Code) -> String {
        let secret = mint("sac_");
        self.codes.insert(fingerprint(&secret), code);
        secret
    }

    /// Trades a code for a new grant, whose id it returns. A code works once: even a wrong verifier spends it.
    pub fn redeem(
        &mut self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
        now: DateTime<Utc>,
    ) -> Result<String, CodeRefusal> {
        let key = fingerprint(code);
        let Some(known) = self
            .codes
            .get_mut(&key)
            .filter(|known| known.client_id == client_id)
        else {
            return Err(CodeRefusal::Invalid("The code is unknown."));
        };
        if std::mem::replace(&mut known.spent, true) {
            return Err(CodeRefusal::Reused(known.redeemed_for.clone()));
        }
        if known.expires_at <= now {
            return Err(CodeRefusal::Invalid("The code has expired."));
        }
        if known.redirect_uri != redirect_uri {
            return Err(CodeRefusal::Invalid(
                "redirect_uri is not the one the code was made for.",
            ));
        }
        if known.challenge != s256(verifier) {
            return Err(CodeRefusal::Invalid(
                "code_verifier does not match code_challenge.",
            ));
        }
        let account = Account::find(&known.account)
            .ok_or(CodeRefusal::Invalid("The account of the code is gone."))?;
        let scopes = known.scopes.clone();
        let grant = self.open_grant(client_id, account, scopes, now);
        if let Some(known) = self.codes.get_mut(&key) {
            known.redeemed_for = Some(grant.clone());
        }
        Ok(grant)
    }
}
