//! The token endpoint: exchange and refresh.

use http::StatusCode;
use serde_json::Value;

use super::{
    CallbackGrant, Dialect, Grant, Identity, ProviderApp, RefreshAnswer,
    answer::{grant, parse, text_at},
    identity::facts,
    reading::{Reading, retry_at, scrub},
    request::{Draft, Sent, misconfigured},
};
use crate::{
    catalog::{Place, Provider, RefreshMode, Variables, oauth::Step, value::Source},
    failure::{Failure, FailureCode},
    outbound::Answer,
    secret::Secret,
};

impl Dialect {
    /// Exchanges a code for tokens, once.
    ///
    /// # Errors
    /// What the provider said, in our terms.
    pub async fn exchange(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        callback: &CallbackGrant,
        verifier: Option<&Secret>,
        redirect_uri: &str,
    ) -> Result<Grant, Failure> {
        let entry = &provider.oauth().token;
        let mut values = provider.values(variables);
        values.extend(callback.variables.clone());
        let fill = filler(app, &values, None);

        let url = entry.url.template().fill(&fill).map_err(misconfigured)?;
        let mut draft = Draft::new(entry.method, url, entry.body).renaming(&entry.rename);
        draft.headers(&entry.headers, &fill)?;
        draft.param("grant_type", "authorization_code");
        draft.param("code", callback.code.expose());
        draft.param("redirect_uri", redirect_uri);
        if let Some(verifier) = verifier {
            draft.param("code_verifier", verifier.expose());
        }
        if let (true, Some(state)) = (entry.send_state, &callback.state) {
            draft.param("state", state.expose());
        }
        draft.client(entry.client_auth, app)?;
        draft.params(&entry.params, &fill)?;

        let mut secrets = vec![&callback.code, &app.client_secret];
        secrets.extend(verifier);
        let mut grant = self
            .ask(provider, Place::Exchange, draft, &secrets)
            .await
            .granted()?;
        grant.variables.extend(callback.variables.clone());
        match &provider.oauth().extend {
            Some(step) => self.extend(provider, app, variables, step, grant).await,
            None => Ok(grant),
        }
    }

    /// Trades a first, short-lived token for the one to keep.
    async fn extend(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        step: &Step,
        first: Grant,
    ) -> Result<Grant, Failure> {
        let mut values = provider.values(variables);
        values.extend(first.variables.clone());
        let fill = filler(app, &values, Some(&first.access_token));
        let url = step.url.template().fill(&fill).map_err(misconfigured)?;
        let mut draft = Draft::new(step.method, url, step.body);
        draft.client(step.client_auth, app)?;
        draft.params(&step.params, &fill)?;
        let secrets = [&first.access_token, &app.client_secret];
        let longer = self
            .ask(provider, Place::Exchange, draft, &secrets)
            .await
            .granted()?;
        let mut variables = first.variables;
        variables.extend(longer.variables);
        Ok(Grant {
            refresh_token: longer.refresh_token.or(first.refresh_token),
            refresh_expires_at: longer.refresh_expires_at.or(first.refresh_expires_at),
            scopes: longer.scopes.or(first.scopes),
            account: longer.account.or(first.account),
            second: longer.second.or(first.second),
            variables,
            ..longer
        })
    }

    /// Renews a token. `presented` is the refresh token, or the living access
    /// token of a provider with `mode = "exchange"`.
    pub async fn refresh(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        presented: &Secret,
    ) -> RefreshAnswer {
        let secrets = [presented, &app.client_secret];
        match refresh_draft(provider, app, variables, presented) {
            Ok(draft) => self.ask(provider, Place::Refresh, draft, &secrets).await,
            Err(failure) => RefreshAnswer::NotSent(failure),
        }
    }

    async fn ask(
        &self,
        provider: &Provider,
        place: Place,
        draft: Draft<'_>,
        secrets: &[&Secret],
    ) -> RefreshAnswer {
        let (sent_at, answer) = match self.send(draft).await {
            Sent::Answered(at, answer) => (at, answer),
            Sent::Failed {
                failure,
                may_have_acted: true,
            } => return RefreshAnswer::Unclear(failure),
            Sent::Failed {
                failure,
                may_have_acted: false,
            } => return RefreshAnswer::NotSent(failure),
        };
        let body = parse(&answer);
        if let Some(body) = &body
            && answer.status.is_success()
            && is_good(provider, &answer, body)
        {
            return match grant(provider, body, sent_at) {
                Ok(grant) => RefreshAnswer::Renewed(Grant {
                    account: account(provider, body, &grant.variables),
                    ..grant
                }),
                Err(failure) => RefreshAnswer::Unclear(failure),
            };
        }
        let retry_at = retry_at(&answer, self.clock.now());
        refused(provider, place, &answer, body.as_ref())
            .map(|failure| scrub(failure.with_retry_at(retry_at), secrets))
    }
}

/// Values for templates: the engine's own names first.
fn filler<'v>(
    app: &'v ProviderApp,
    values: &'v Variables,
    access_token: Option<&'v Secret>,
) -> impl Fn(&str) -> Option<&'v str> {
    move |name| match name {
        "client_id" => Some(app.client_id.as_str()),
        "access_token" => access_token.map(Secret::expose),
        name => values.get(name).map(String::as_str),
    }
}

fn refresh_draft<'p>(
    provider: &'p Provider,
    app: &ProviderApp,
    variables: &Variables,
    presented: &Secret,
) -> Result<Draft<'p>, Failure> {
    let token = &provider.oauth().token;
    let entry = &provider.oauth().refresh;
    let values = provider.values(variables);
    let fill = filler(app, &values, Some(presented));
    let url = entry.url.as_ref().unwrap_or(&token.url);
    let url = url.template().fill(&fill).map_err(misconfigured)?;
    let method = entry.method.unwrap_or(token.method);
    let body = entry.body.unwrap_or(token.body);
    let mut draft = Draft::new(method, url, body).renaming(&token.rename);
    draft.headers(&token.headers, &fill)?;
    match entry.mode {
        // A grant may carry a refresh token although its provider usually gives
        // none: what was given counts, not the table.
        RefreshMode::RefreshToken | RefreshMode::None => {
            draft.param("grant_type", "refresh_token");
            draft.param("refresh_token", presented.expose());
        }
        RefreshMode::Exchange => {}
    }
    draft.client(entry.client_auth.unwrap_or(token.client_auth), app)?;
    draft.params(&entry.params, &fill)?;
    Ok(draft)
}

/// Whether an answer with a good status is good: several providers answer
/// errors with 200.
fn is_good(provider: &Provider, answer: &Answer, body: &Value) -> bool {
    let entry = &provider.oauth().answer;
    match &entry.success {
        Some(expect) => text_at(body, &expect.at).as_deref() == Some(&expect.is),
        None => !Reading::of_token(provider, answer, Some(body)).names_an_error(),
    }
}

/// The account, when the token endpoint's answer names it.
fn account(provider: &Provider, body: &Value, variables: &Variables) -> Option<Identity> {
    let find = |source: &Source| match source {
        Source::Token(at) => text_at(body, at),
        Source::Variable(name) => variables.get(name).cloned(),
        _ => None,
    };
    let (id, label) = facts(&provider.identity, find)?;
    Some(Identity {
        id,
        label,
        granted_scopes: None,
        variables: Variables::new(),
    })
}

/// Sorts a refusal. Only a parsed answer that the table knows is final;
/// whatever else the provider meant, the tokens are kept.
fn refused(
    provider: &Provider,
    place: Place,
    answer: &Answer,
    body: Option<&Value>,
) -> RefreshAnswer {
    let status = answer.status;
    let reading = Reading::of_token(provider, answer, body);
    let named = reading.names_an_error();
    let failure = reading.with_status(answer).failure(provider, place);
    let down = |detail: String| Failure::inferred(FailureCode::ProviderLimitedOrDown, detail);
    let for_now = |failure: Failure| {
        if failure.code.is_transient() {
            failure
        } else {
            down(format!("http_{}", status.as_u16()))
        }
    };

    if status.is_success() {
        return match (body, named) {
            (Some(_), true) if failure.code.is_transient() => RefreshAnswer::Later(failure),
            (Some(_), true) => RefreshAnswer::Refused(failure),
            _ => RefreshAnswer::Unclear(down("unreadable_answer".into())),
        };
    }
    match status {
        _ if status.is_redirection() => RefreshAnswer::Later(down("redirect_refused".into())),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => RefreshAnswer::Later(for_now(failure)),
        // A gateway may give up while the server behind it goes on and rotates.
        _ if status.is_server_error() && !named => RefreshAnswer::Unclear(for_now(failure)),
        _ if status.is_server_error() => RefreshAnswer::Later(for_now(failure)),
        _ if body.is_none() => RefreshAnswer::Later(down("unreadable_answer".into())),
        _ if failure.code.is_transient() => RefreshAnswer::Later(failure),
        _ => RefreshAnswer::Refused(failure),
    }
}

impl RefreshAnswer {
    fn map(self, with: impl FnOnce(Failure) -> Failure) -> Self {
        match self {
            Self::Renewed(grant) => Self::Renewed(grant),
            Self::Refused(failure) => Self::Refused(with(failure)),
            Self::NotSent(failure) => Self::NotSent(with(failure)),
            Self::Unclear(failure) => Self::Unclear(with(failure)),
            Self::Later(failure) => Self::Later(with(failure)),
        }
    }

    /// A code is spent either way: for an exchange, every refusal is one.
    fn granted(self) -> Result<Grant, Failure> {
        match self {
            Self::Renewed(grant) => Ok(grant),
            Self::Refused(failure)
            | Self::NotSent(failure)
            | Self::Unclear(failure)
            | Self::Later(failure) => Err(failure),
        }
    }
}
