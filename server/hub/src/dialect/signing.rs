//! Calls that are signed with the secret of the provider app, as `[api.signing]`
//! says. The closed list of ways is [`SigningScheme`].

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use super::{ProviderApp, request::misconfigured};
use crate::{
    catalog::{
        MissingVariable, Provider, Variables,
        entry::{Signing, SigningScheme},
    },
    failure::Failure,
};

/// On whose behalf the provider is asked: what its registration says, and the
/// secret, where calls are signed with it. Made of either.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub(super) settings: &'a Variables,
    pub(super) app: Option<&'a ProviderApp>,
}

impl<'a> From<&'a ProviderApp> for Caller<'a> {
    fn from(app: &'a ProviderApp) -> Self {
        Self {
            settings: &app.settings,
            app: Some(app),
        }
    }
}

/// Where there is no app, or nothing of it is secret.
impl<'a> From<&'a Variables> for Caller<'a> {
    fn from(settings: &'a Variables) -> Self {
        Self {
            settings,
            app: None,
        }
    }
}

/// Signs one call.
pub(super) struct Signer<'a> {
    rule: &'a Signing,
    app: &'a ProviderApp,
    at: DateTime<Utc>,
}

impl<'a> Signer<'a> {
    /// None where calls are not signed.
    ///
    /// # Errors
    /// There is nothing to sign with: an unsigned call would be refused as if
    /// the token were wrong.
    pub fn of(
        provider: &'a Provider,
        caller: Caller<'a>,
        at: DateTime<Utc>,
    ) -> Result<Option<Self>, Failure> {
        let Some(rule) = &provider.api.signing else {
            return Ok(None);
        };
        let app = caller
            .app
            .filter(|app| !app.client_secret.expose().is_empty())
            .ok_or_else(|| misconfigured(MissingVariable("client_secret".into())))?;
        Ok(Some(Self { rule, app, at }))
    }

    /// Puts the signature into the address of a call that is otherwise complete.
    pub fn sign(&self, url: &mut Url, body: &[u8]) {
        let seconds = self.at.timestamp().to_string();
        url.query_pairs_mut()
            .append_pair(&self.rule.key, &self.app.client_id)
            .append_pair(&self.rule.time, &seconds);
        let secret = self.app.client_secret.expose();
        let signature = match self.rule.scheme {
            SigningScheme::SortedQueryHmacSha256 => sorted_query(url, body, secret),
        };
        url.query_pairs_mut()
            .append_pair(&self.rule.signature, &signature);
    }
}

/// <https://partner.tiktokshop.com/docv2/page/sign-your-api-request>: names and
/// values as they are before they are encoded, nothing between them.
fn sorted_query(url: &Url, body: &[u8], secret: &str) -> String {
    let mut pairs: Vec<_> = url.query_pairs().collect();
    pairs.sort();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(secret.as_bytes());
    mac.update(url.path().as_bytes());
    for (name, value) in &pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.update(body);
    mac.update(secret.as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
