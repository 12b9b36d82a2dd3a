//! Whether an installation is its bringer's: anybody may name another's number
//! in a callback, so the person's own token is asked what they may reach.

use url::Url;

use super::{
    CallbackGrant, Caller, Dialect, DialectError, ProviderApp,
    answer::{parse, text_at},
    credential::Carried,
    reading::{Reading, scrub},
    request::{Draft, Sent, misconfigured},
    token::{filler, refused},
};
use crate::{
    catalog::{Place, Provider, Template, Variables, oauth::Proof},
    failure::{Failure, FailureCode},
    secret::Secret,
};

/// How many pages of a list are read before one is not on it.
const PAGES: usize = 10;

/// The detail of a [`Failure`] that says that somebody brought what they may
/// not reach.
pub const NOT_THEIRS: &str = "installation_not_theirs";

impl Dialect {
    /// Where a person goes on to who came back without a code to prove it by.
    ///
    /// # Errors
    /// The entry wants no proof, or names a value that is not there.
    pub fn proof_url(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        state: &Secret,
    ) -> Result<Url, DialectError> {
        let entry = &provider.proof().ok_or(DialectError::NotOAuth)?.authorize;
        let values = provider.values(variables);
        let known = filler(app, &values, None);
        let fill = |name: &str| match name {
            "state" => Some(state.expose()),
            name => known(name),
        };
        let mut url = Url::parse(&entry.url.template().fill(fill)?)?;
        for (name, template) in &entry.params {
            url.query_pairs_mut()
                .append_pair(name, &template.fill(fill)?);
        }
        Ok(url)
    }

    /// Finds out whether the person who brought `callback` may reach what it
    /// names.
    ///
    /// # Errors
    /// [`NOT_THEIRS`], or what the provider said, in our terms.
    pub async fn prove(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        callback: &CallbackGrant,
    ) -> Result<(), Failure> {
        let proof = provider
            .proof()
            .ok_or_else(|| misconfigured(DialectError::NotOAuth))?;
        if callback.code.expose().is_empty() {
            let code = FailureCode::FlowExpiredOrInvalid;
            return Err(Failure::told(code, "code_missing"));
        }
        let mut values = provider.values(variables);
        values.extend(callback.variables.clone());
        values.extend(app.settings.clone());
        let wanted = proof.is.render(&values).map_err(misconfigured)?;
        let token = self.own_token(provider, app, &values, callback).await?;
        for page in 1..=PAGES {
            let ids = self
                .reachable(provider, app, &values, &token, proof, page)
                .await?;
            if ids.contains(&wanted) {
                return Ok(());
            }
            if ids.is_empty() || proof.page.is_none() {
                break;
            }
        }
        let code = FailureCode::AccountOrTargetMismatch;
        Err(Failure::told(code, NOT_THEIRS))
    }

    /// The person's own token. It is asked once, and kept nowhere.
    async fn own_token(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        values: &Variables,
        callback: &CallbackGrant,
    ) -> Result<Secret, Failure> {
        let proof = provider.proof().expect("the caller has it");
        let known = filler(app, values, None);
        let fill = |name: &str| match name {
            "code" => Some(callback.code.expose()),
            name => known(name),
        };
        let step = &proof.token;
        let url = step.url.template().fill(fill).map_err(misconfigured)?;
        let mut draft = Draft::new(step.method, url, step.body);
        draft.client(step.client_auth, app)?;
        draft.params(&step.params, fill)?;
        let answer = match self.send(draft).await {
            Sent::Answered(_, answer) => answer,
            Sent::Failed { failure, .. } => return Err(failure),
        };
        let body = parse(&answer);
        let is_named = Reading::of_token(provider, &answer, body.as_ref()).names_an_error();
        match body
            .as_ref()
            .and_then(|body| text_at(body, &proof.access_token))
        {
            Some(token) if answer.status.is_success() && !is_named => Ok(Secret::new(token)),
            _ => {
                let refused = refused(provider, Place::Exchange, &answer, body.as_ref());
                let settings = provider.settings().filter(|setting| setting.secret);
                let typed = settings.filter_map(|setting| app.settings.get(&setting.name));
                let secrets: Vec<Secret> = typed.map(Secret::new).collect();
                let known = [&callback.code, &app.client_secret];
                let secrets: Vec<&Secret> = secrets.iter().chain(known).collect();
                Err(scrub(refused.into_failure(), &secrets))
            }
        }
    }

    /// What one page of the list names.
    async fn reachable(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        values: &Variables,
        token: &Secret,
        proof: &Proof,
        page: usize,
    ) -> Result<Vec<String>, Failure> {
        let mut call = proof.call.clone();
        if let Some(name) = &proof.page {
            let number = Template::parse(&page.to_string()).expect("a number is a template");
            call.params.insert(name.clone(), number);
        }
        let (caller, carried) = (Caller::from(app), Carried::Token(token));
        let (_, body) = self.call(provider, caller, values, &carried, &call).await?;
        let list = body.pointer(proof.list.as_str());
        let list = list.and_then(|list| list.as_array());
        Ok(list
            .into_iter()
            .flatten()
            .filter_map(|one| text_at(one, &proof.id))
            .collect())
    }
}
