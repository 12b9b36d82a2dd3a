//! The token endpoint: exchange and refresh.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::Value;

use super::{
    CallbackGrant, Dialect, DialectError, Entered, Grant, Identity, ProviderApp, RefreshAnswer,
    answer::{grant, moment, parse, text_at},
    assertion::signed,
    identity::facts,
    reading::{Reading, retry_at, scrub},
    request::{Draft, Sent, misconfigured},
};
use crate::{
    catalog::{
        Place, Provider, RefreshMode, Variables,
        entry::Method,
        oauth::{Delivery, Pkce, Step, TokenRequest, Transport},
        value::Source,
    },
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
        let oauth = provider.oauth.as_deref().ok_or_else(not_oauth)?;
        let mut grant = match oauth.callback.delivers {
            Delivery::Code => {
                let ask = (callback, verifier, redirect_uri);
                self.trade_code(provider, app, variables, ask).await?
            }
            Delivery::Fragment => Grant::of_token(&callback.code),
            Delivery::Installation => {
                let mut values = variables.clone();
                values.extend(callback.variables.clone());
                self.mint(provider, app, &values, None).await.granted()?
            }
            // The provider's server brings the keys; there is nothing to trade.
            Delivery::Handover => return Err(not_oauth()),
        };
        grant.variables.extend(callback.variables.clone());
        if let Some(step) = &oauth.extend {
            grant = self.extend(provider, app, variables, step, grant).await?;
        }
        self.learn_end(provider, app, variables, &mut grant).await;
        Ok(grant)
    }

    async fn trade_code(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        (callback, verifier, redirect_uri): (&CallbackGrant, Option<&Secret>, &str),
    ) -> Result<Grant, Failure> {
        let entry = provider.token().ok_or_else(not_oauth)?;
        let mut values = provider.values(variables);
        values.extend(callback.variables.clone());
        let fill = filler(app, &values, None);

        let url = entry.url.template().fill(&fill).map_err(misconfigured)?;
        let mut draft = Draft::new(entry.method, url, entry.body).renaming(&entry.rename);
        draft.headers(&entry.headers, &fill)?;
        draft.param("grant_type", "authorization_code");
        draft.param("code", callback.code.expose());
        draft.param("redirect_uri", redirect_uri);
        // Without a challenge before it, some refuse the exchange for a verifier.
        let pkce = provider.authorize().map_or(Pkce::Off, |entry| entry.pkce);
        if let (true, Some(verifier)) = (pkce != Pkce::Off, verifier) {
            draft.param("code_verifier", verifier.expose());
        }
        if let (true, Some(state)) = (entry.send_state, &callback.state) {
            draft.param("state", state.expose());
        }
        draft.client(entry.client_auth, app)?;
        self.assert(&mut draft, entry, &fill)?;
        draft.params(&entry.params, &fill)?;

        let mut secrets = vec![&callback.code, &app.client_secret];
        secrets.extend(verifier);
        self.ask(provider, Place::Exchange, draft, None, &secrets)
            .await
            .granted()
    }

    /// Makes a token from keys: those a person entered, or the app's own.
    ///
    /// # Errors
    /// What the provider said, in our terms.
    pub async fn mint(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        entered: Option<&Entered>,
    ) -> RefreshAnswer {
        let own = entered.and_then(Entered::client);
        let app = own.as_ref().unwrap_or(app);
        let place = match entered {
            Some(_) => Place::Mint,
            None => Place::Refresh,
        };
        match self.mint_draft(provider, app, variables, entered) {
            Ok(draft) => {
                let secrets = [&app.client_secret];
                self.ask(provider, place, draft, entered, &secrets).await
            }
            Err(failure) => RefreshAnswer::NotSent(failure),
        }
    }

    fn mint_draft<'p>(
        &self,
        provider: &'p Provider,
        app: &ProviderApp,
        variables: &Variables,
        entered: Option<&Entered>,
    ) -> Result<Draft<'p>, Failure> {
        let entry = provider.token().ok_or_else(not_oauth)?;
        let values = provider.values(variables);
        let known = filler(app, &values, None);
        let fill = |name: &str| {
            let typed = entered.and_then(|entered| entered.get(name));
            typed.or_else(|| known(name))
        };
        let url = entry.url.template().fill(fill).map_err(misconfigured)?;
        let mut draft = Draft::new(entry.method, url, entry.body).renaming(&entry.rename);
        draft.headers(&entry.headers, fill)?;
        draft.param("grant_type", "client_credentials");
        draft.client(entry.client_auth, app)?;
        self.assert(&mut draft, entry, fill)?;
        draft.params(&entry.params, fill)?;
        Ok(draft)
    }

    fn assert<'v>(
        &self,
        draft: &mut Draft<'_>,
        entry: &TokenRequest,
        fill: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<(), Failure> {
        let Some(assertion) = &entry.assertion else {
            return Ok(());
        };
        let statement = signed(assertion, &self.clock, fill)?;
        match assertion.travels.as_str() {
            "bearer" => {
                let value = format!("Bearer {}", statement.expose());
                draft.header("authorization", &value, true)?;
            }
            name => {
                draft.param(name, statement.expose());
                if name == "client_assertion" {
                    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                    draft.param("client_assertion_type", kind);
                }
            }
        }
        Ok(())
    }

    /// Asks how long a token lives when its answer did not say. Not knowing is
    /// no failure: the first rejected call tells as well.
    async fn learn_end(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        variables: &Variables,
        grant: &mut Grant,
    ) {
        let entry = provider
            .oauth
            .as_ref()
            .and_then(|oauth| oauth.introspect.as_ref());
        let (Some(entry), None) = (entry, grant.expires_at) else {
            return;
        };
        let mut values = provider.values(variables);
        values.extend(grant.variables.clone());
        let fill = filler(app, &values, Some(&grant.access_token));
        let asked = async {
            let url = entry.url.template().fill(&fill).map_err(misconfigured)?;
            let mut draft = Draft::new(Method::Post, url, Transport::Form);
            draft.client(entry.client_auth, app)?;
            draft.params(&entry.params, &fill)?;
            match self.send(draft).await {
                Sent::Answered(_, answer) => Ok(answer),
                Sent::Failed { failure, .. } => Err(failure),
            }
        };
        if let Ok(answer) = asked.await {
            grant.expires_at = parse(&answer)
                .as_ref()
                .and_then(|body| body.pointer(entry.expires_at.as_str()))
                .and_then(moment);
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
            .ask(provider, Place::Exchange, draft, None, &secrets)
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
        let mut answer = match provider.refresh.mode {
            RefreshMode::Mint => match Entered::read(presented) {
                Ok(entered) => {
                    let entered = (!provider.fields.is_empty()).then_some(&entered);
                    self.mint(provider, app, variables, entered).await
                }
                Err(failure) => RefreshAnswer::NotSent(failure),
            },
            _ => match refresh_draft(provider, app, variables, presented) {
                Ok(draft) => {
                    let secrets = [presented, &app.client_secret];
                    self.ask(provider, Place::Refresh, draft, None, &secrets)
                        .await
                }
                Err(failure) => RefreshAnswer::NotSent(failure),
            },
        };
        if let RefreshAnswer::Renewed(grant) = &mut answer {
            self.learn_end(provider, app, variables, grant).await;
        }
        answer
    }

    async fn ask(
        &self,
        provider: &Provider,
        place: Place,
        draft: Draft<'_>,
        entered: Option<&Entered>,
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
        let inside = provider.answer.inside.as_ref();
        let body = parse(&answer).map(|whole| {
            let found = inside.and_then(|at| whole.pointer(at.as_str()));
            found.cloned().unwrap_or(whole)
        });
        if let Some(body) = &body
            && answer.status.is_success()
            && is_good(provider, &answer, body)
        {
            return match grant(provider, body, sent_at) {
                Ok(grant) => RefreshAnswer::Renewed(Grant {
                    account: account(provider, body, &grant.variables, entered),
                    ..grant
                }),
                Err(failure) => RefreshAnswer::Unclear(failure),
            };
        }
        let retry_at = retry_at(&answer.headers, self.clock.now());
        refused(provider, place, &answer, body.as_ref())
            .map(|failure| scrub(failure.with_retry_at(retry_at), secrets))
    }
}

/// Values for templates: the engine's own names first.
pub(super) fn filler<'v>(
    app: &'v ProviderApp,
    values: &'v Variables,
    access_token: Option<&'v Secret>,
) -> impl Fn(&str) -> Option<&'v str> {
    move |name| match name {
        "client_id" => Some(app.client_id.as_str()),
        "client_secret" => Some(app.client_secret.expose()),
        "access_token" => access_token.map(Secret::expose),
        name => app
            .settings
            .get(name)
            .or_else(|| values.get(name))
            .map(String::as_str),
    }
}

fn refresh_draft<'p>(
    provider: &'p Provider,
    app: &ProviderApp,
    variables: &Variables,
    presented: &Secret,
) -> Result<Draft<'p>, Failure> {
    let token = provider.token().ok_or_else(not_oauth)?;
    let entry = &provider.refresh;
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
        RefreshMode::Exchange | RefreshMode::Mint => {}
    }
    draft.client(entry.client_auth.unwrap_or(token.client_auth), app)?;
    draft.params(&entry.params, &fill)?;
    Ok(draft)
}

/// Whether an answer with a good status is good: several providers answer
/// errors with 200.
fn is_good(provider: &Provider, answer: &Answer, body: &Value) -> bool {
    match &provider.answer.success {
        Some(expect) => text_at(body, &expect.at).as_deref() == Some(&expect.is),
        None => !Reading::of_token(provider, answer, Some(body)).names_an_error(),
    }
}

/// The account, when the token endpoint's answer names it, or the keys that the
/// token was made from.
fn account(
    provider: &Provider,
    body: &Value,
    variables: &Variables,
    entered: Option<&Entered>,
) -> Option<Identity> {
    let claims = id_token_claims(body);
    let find = |source: &Source| match source {
        Source::Token(at) => text_at(body, at),
        Source::IdToken(at) => text_at(claims.as_ref()?, at),
        Source::Variable(name) => variables.get(name).cloned(),
        Source::Field(name) => entered?.get(name).map(str::to_owned),
        entered_fact @ (Source::Fields(_) | Source::LastFour(_) | Source::Fingerprint) => {
            entered?.fact(provider, entered_fact)
        }
        _ => None,
    };
    let (id, label) = facts(&provider.identity, find)?;
    Some(Identity {
        id,
        label,
        granted_scopes: None,
        variables: Variables::new(),
        certificate: None,
    })
}

/// What the identity token says. It came straight from the token endpoint over
/// TLS, which vouches for it (OpenID Connect Core §3.1.3.7); it names accounts
/// and signs nobody in.
fn id_token_claims(body: &Value) -> Option<Value> {
    let token = body.get("id_token")?.as_str()?;
    let claims = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn not_oauth() -> Failure {
    misconfigured(DialectError::NotOAuth)
}

/// Sorts a refusal. Only a parsed answer that the table knows is final;
/// whatever else the provider meant, the tokens are kept.
pub(super) fn refused(
    provider: &Provider,
    place: Place,
    answer: &Answer,
    body: Option<&Value>,
) -> RefreshAnswer {
    let status = answer.status;
    let reading = Reading::of_token(provider, answer, body);
    let named = reading.names_an_error();
    let mut failure = reading.with_status(answer).failure(provider, place);
    // Whatever it is called there, to us it is one thing.
    if (place, failure.code) == (Place::Exchange, FailureCode::FlowExpiredOrInvalid) {
        failure.detail = "code_used_or_expired".into();
    }
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
        // A conflict is with another request that is under way.
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
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

    /// Why there is nothing new.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            // Nobody asks this of one that is.
            Self::Renewed(_) => Failure::inferred(FailureCode::HubInternal, "renewed"),
            Self::Refused(failure)
            | Self::NotSent(failure)
            | Self::Unclear(failure)
            | Self::Later(failure) => failure,
        }
    }

    /// A code is spent either way: for an exchange, every refusal is one.
    fn granted(self) -> Result<Grant, Failure> {
        match self {
            Self::Renewed(grant) => Ok(grant),
            refused => Err(refused.into_failure()),
        }
    }
}
