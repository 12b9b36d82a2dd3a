//! Giving our access back.

use super::{
    Dialect, ProviderApp, Revocation, Tokens,
    answer::parse,
    reading::{Reading, scrub},
    request::{Draft, Sent, misconfigured},
};
use crate::{
    catalog::{Place, Provider, Variables, oauth::Revoke},
    failure::Failure,
};

impl Dialect {
    /// Ends our access at the provider.
    pub async fn revoke(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        tokens: &Tokens<'_>,
    ) -> Revocation {
        let Some(entry) = provider
            .oauth
            .as_ref()
            .and_then(|oauth| oauth.revoke.as_ref())
        else {
            return Revocation::NotSupported {
                remove_url: provider.remove_url(variables),
            };
        };
        let draft = draft(provider, app, variables, tokens, entry).and_then(|mut draft| {
            // What carries the token is a call to the API like any other.
            if entry.bearer {
                draft.signed(provider, app.into(), self.clock.now())?;
            }
            Ok(draft)
        });
        let draft = match draft {
            Ok(draft) => draft,
            Err(failure) => return Revocation::Failed(failure),
        };
        let answer = match self.send(draft).await {
            Sent::Answered(_, answer) => answer,
            Sent::Failed { failure, .. } => return Revocation::Failed(failure),
        };
        let body = parse(&answer);
        let reading = Reading::of_api(provider, &answer, body.as_ref());
        if answer.status.is_success() && !reading.names_an_error() {
            return Revocation::Revoked;
        }
        let codes = reading.with_status(&answer).codes;
        if codes.iter().any(|code| entry.gone.contains(code)) {
            return Revocation::AlreadyGone;
        }
        let failure = self.refusal(
            provider,
            Place::Api,
            &answer,
            body.as_ref(),
            &[tokens.access_token],
        );
        let mut secrets = vec![&app.client_secret];
        secrets.extend(tokens.refresh_token);
        Revocation::Failed(scrub(failure, &secrets))
    }
}

fn draft<'p>(
    provider: &'p Provider,
    app: &'p ProviderApp,
    variables: &Variables,
    tokens: &Tokens<'_>,
    entry: &Revoke,
) -> Result<Draft<'p>, Failure> {
    let values = provider.values(variables);
    let fill = |name: &str| match name {
        "client_id" => Some(app.client_id.as_str()),
        "client_secret" => Some(app.client_secret.expose()),
        "access_token" => Some(tokens.access_token.expose()),
        "refresh_token" => tokens.refresh_token.map(|token| token.expose()),
        "token" => Some(tokens.refresh_token.unwrap_or(tokens.access_token).expose()),
        name => app
            .settings
            .get(name)
            .or_else(|| values.get(name))
            .map(String::as_str),
    };
    let url = entry.url.template().fill(fill).map_err(misconfigured)?;
    let mut draft = Draft::new(entry.method, url, entry.body);
    draft.headers(&entry.headers, fill)?;
    draft.client(entry.client_auth, app)?;
    if entry.bearer {
        draft.bearer(provider, tokens.access_token)?;
    }
    draft.params(&entry.params, fill)?;
    Ok(draft)
}
