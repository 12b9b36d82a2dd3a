//! What a person sends to whoever administers their organisation at a provider,
//! and can allow there what the provider keeps out.

use url::Url;

use super::connection::letter_to;
use crate::{
    Error, Hub, Result,
    catalog::{Provider, Variables},
    dialect::AuthorizeAsk,
    people::{Action, Member},
    secret::Secret,
    store::TenantId,
};

/// A request that is written already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRequest {
    /// What it says.
    pub text: String,
    /// The same as a letter without an address: `mailto:`.
    pub letter: String,
}

impl Hub {
    /// The request to allow the app of a provider.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] for a provider that is not in
    /// the catalog.
    pub async fn admin_request(&self, member: &Member, provider: &str) -> Result<AdminRequest> {
        member.may(Action::Look)?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        let p = provider.name();
        let way = match self.consent_for_all(member.tenant(), provider).await? {
            Some(link) => {
                format!("To allow it, open this page and sign in at {p} as an admin:\n{link}")
            }
            None => {
                format!("To allow it, approve the app in the settings of your organisation at {p}.")
            }
        };
        let text = format!(
            "Hello,\n\n{} of {} wants to use {p} with Linkwell ({}). {p} lets in only apps that an admin of your organisation there has approved.\n\n{way}\n",
            member.name(),
            member.tenant_name(),
            self.public_url,
        );
        Ok(AdminRequest {
            letter: letter_to("mailto:", &format!("Allow an app at {p}"), &text),
            text,
        })
    }

    /// Where an administrator allows the app for everybody, at providers that
    /// have such a page. No flow waits for it: whoever opens it is nobody here.
    async fn consent_for_all(&self, tenant: TenantId, provider: &Provider) -> Result<Option<Url>> {
        if provider.admin_consent().is_none() {
            return Ok(None);
        }
        let Some(app) = self.provider_app(tenant, provider).await? else {
            return Ok(None);
        };
        let ask = AuthorizeAsk {
            redirect_uri: &self.redirect_uri(&provider.app_id),
            state: &Secret::new(""),
            verifier: None,
            scopes: &provider.default_scopes(),
            variables: &Variables::new(),
            login_hint: None,
            reconsent: false,
            locale: None,
        };
        Ok(self.dialect.admin_consent_url(provider, &app, &ask).ok())
    }
}
