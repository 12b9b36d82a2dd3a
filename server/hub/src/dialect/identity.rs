//! Who a connected account is; the same calls prove that a token works.

use serde_json::Value;

use super::{
    Caller, Dialect, DialectError, Entered, Identity, Organisation, TOKEN_EXPIRED,
    answer::{is_page, parse, split_scopes, text_at, told_variables},
    credential::Carried,
    entered_call::Described,
    reading::{Reading, retry_at, scrub},
    request::{Draft, Sent, misconfigured},
    trial::of_typed_host,
};
use crate::{
    catalog::{
        Origin, Place, Provider, Template, Variables,
        entry::{Call, Identify},
        value::Source,
    },
    certificate::{self, Certificate},
    failure::{Failure, FailureCode},
    outbound::Answer,
    secret::Secret,
};

/// Which of the calls that name an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Identity,
    Probe,
}

impl Dialect {
    /// Asks the provider who the token belongs to, on behalf of `caller`, its
    /// app. `known` is what the token endpoint or an earlier check said, for
    /// facts that only stand there.
    ///
    /// # Errors
    /// What the provider said, in our terms; with the detail
    /// [`super::TOKEN_EXPIRED`] the token is to be refreshed and the call repeated.
    pub async fn identify<'a>(
        &self,
        provider: &Provider,
        caller: impl Into<Caller<'a>>,
        variables: &Variables,
        access_token: &Secret,
        known: Option<&Identity>,
    ) -> Result<Identity, Failure> {
        if provider.service.is_some() {
            let entered = Entered::read(access_token)?;
            return self.identify_service(provider, &entered).await;
        }
        self.ask_who(provider, caller.into(), variables, access_token, known)
            .await
            .map_err(|(_, failure)| failure)
    }

    /// [`Dialect::identify`] over HTTP, with the call that failed.
    pub(super) async fn ask_who(
        &self,
        provider: &Provider,
        caller: Caller<'_>,
        variables: &Variables,
        access_token: &Secret,
        known: Option<&Identity>,
    ) -> Result<Identity, (Asked, Failure)> {
        let first = |failure| (Asked::Identity, failure);
        let rule = &provider.identity;
        let carried = Carried::of(provider, access_token).map_err(first)?;
        let mut values = provider.values(variables);
        values.extend(caller.settings.clone());
        let Some(call) = &rule.call else {
            return Err(first(misconfigured(DialectError::NotOAuth)));
        };
        let (answer, body) = self
            .call(provider, caller, &values, &carried, call)
            .await
            .map_err(first)?;
        let mut told = told_variables(provider, Origin::Identity, &body).map_err(first)?;
        values.extend(told.clone());
        let probed = match &provider.probe {
            Some(probe) => {
                let probed = self.call(provider, caller, &values, &carried, probe).await;
                Some(probed.map_err(|failure| (Asked::Probe, failure))?.1)
            }
            None => None,
        };
        if let Some(body) = &probed {
            let probed = told_variables(provider, Origin::Probe, body);
            told.extend(probed.map_err(|failure| (Asked::Probe, failure))?);
        }
        let find = |source: &Source| match source {
            Source::Answer(at) => text_at(&body, at),
            Source::Probe(at) => text_at(probed.as_ref()?, at),
            Source::Variable(name) => values.get(name).cloned(),
            Source::Header(name) => Some(answer.headers.get(name)?.to_str().ok()?.to_owned()),
            Source::Token(_) | Source::IdToken(_) => None,
            entered => carried.entered()?.fact(provider, entered),
        };
        let found = facts(rule, find)
            .or_else(|| known.map(|known| (known.id.clone(), known.label.clone())));
        let Some((id, label)) = found else {
            // Some providers answer errors with 200: then there is no id to find.
            return Err(first(self.refusal_of(
                provider,
                &answer,
                Some(&body),
                &carried,
            )));
        };
        Ok(Identity {
            id,
            label,
            granted_scopes: rule
                .granted_scopes
                .as_ref()
                .and_then(find)
                .map(|scopes| split_scopes(provider, &scopes)),
            variables: told,
            certificate: certificate_behind(provider, caller, &answer),
        })
    }

    /// Lists the organisations a fresh grant opened, where the entry has a list.
    ///
    /// # Errors
    /// What the provider said, in our terms.
    pub async fn organisations<'a>(
        &self,
        provider: &Provider,
        caller: impl Into<Caller<'a>>,
        variables: &Variables,
        access_token: &Secret,
    ) -> Result<Vec<Organisation>, Failure> {
        let (Some(tenants), Some(variable)) = (&provider.tenants, provider.tenant_variable())
        else {
            return Ok(Vec::new());
        };
        let caller = caller.into();
        // Nothing is chosen yet: the call carries the token alone.
        let carried = Carried::Token(access_token);
        let mut values = provider.values(variables);
        values.extend(caller.settings.clone());
        let (_, body) = self
            .call(provider, caller, &values, &carried, &tenants.call)
            .await?;
        let list = body
            .pointer(tenants.list.as_str())
            .and_then(Value::as_array);
        Ok(list
            .into_iter()
            .flatten()
            .filter(|one| {
                let only = tenants.only.as_ref();
                only.is_none_or(|only| text_at(one, &only.at).as_deref() == Some(&only.is))
            })
            .filter_map(|one| {
                // It will stand in addresses and headers.
                let id = variable.accept(text_at(one, &tenants.id)?).ok()?;
                let label = text_at(one, &tenants.label).unwrap_or_else(|| id.clone());
                Some(Organisation { id, label })
            })
            .collect())
    }

    /// Makes one call with the token and reads a good answer.
    pub(super) async fn call(
        &self,
        provider: &Provider,
        caller: Caller<'_>,
        values: &Variables,
        carried: &Carried<'_>,
        call: &Call,
    ) -> Result<(Answer, Value), Failure> {
        let fill = |name: &str| {
            let carried = carried.value(name);
            carried.or_else(|| values.get(name).map(String::as_str))
        };
        let url = call.url.template().fill(fill).map_err(misconfigured)?;
        let described = Described::of(call, carried.entered());
        let method = described.as_ref().map_or(call.method, Described::method);
        let mut draft = Draft::new(method, url, call.body);
        draft.headers(&call.headers, fill)?;
        if let Some(described) = &described {
            described.add_headers(&mut draft)?;
        }
        draft.params(&call.params, fill)?;
        if let Some(json) = &call.json {
            draft.json(json.render(&quoted(json, fill)).map_err(misconfigured)?);
        }
        carried.sign(&mut draft, provider, values)?;
        draft.signed(provider, caller, self.clock.now())?;
        let answer = match self.send(draft).await {
            Sent::Answered(_, answer) => answer,
            Sent::Failed { failure, .. } => return Err(unknown_host(provider, call, failure)),
        };
        if let Some(described) = &described {
            let read = described.read(&answer).unwrap_or_else(|| {
                let body = parse(&answer);
                Err(self.refusal_of(provider, &answer, body.as_ref(), carried))
            });
            return match read {
                Ok(body) => Ok((answer, body)),
                Err(failure) => Err(described.scrubbed(failure)),
            };
        }
        match parse(&answer) {
            Some(body) if answer.status.is_success() && is_expected(call, &body) => {
                Ok((answer, body))
            }
            body => Err(self.refusal_of(provider, &answer, body.as_ref(), carried)),
        }
    }

    /// Why a call failed that was signed with `carried`.
    fn refusal_of(
        &self,
        provider: &Provider,
        answer: &Answer,
        body: Option<&Value>,
        carried: &Carried<'_>,
    ) -> Failure {
        let (place, secrets) = (carried.place(), carried.secrets(provider));
        let failure = self.refusal(provider, place, answer, body, &secrets);
        // A key cannot be renewed: one that has ended is one that is wrong.
        match (place, failure.detail == TOKEN_EXPIRED) {
            (Place::Key, true) => Failure {
                code: FailureCode::CredentialsRejected,
                detail: "key_ended".into(),
                ..failure
            },
            _ => failure,
        }
    }

    /// Why an API call failed.
    pub(super) fn refusal(
        &self,
        provider: &Provider,
        place: Place,
        answer: &Answer,
        body: Option<&Value>,
        secrets: &[&Secret],
    ) -> Failure {
        let reading = Reading::of_api(provider, answer, body);
        // A firewall's page says nothing about the token.
        let is_noise = is_page(answer) || (answer.status.is_success() && !reading.names_an_error());
        let failure = if is_noise || answer.status.is_redirection() {
            Failure::inferred(FailureCode::ProviderLimitedOrDown, "unreadable_answer")
        } else {
            let failure = reading.with_status(answer).failure(provider, place);
            if answer.status.is_server_error() && !failure.code.is_transient() {
                let detail = format!("http_{}", answer.status.as_u16());
                Failure::inferred(FailureCode::ProviderLimitedOrDown, detail)
            } else {
                failure
            }
        };
        scrub(
            failure.with_retry_at(retry_at(&answer.headers, self.clock.now())),
            secrets,
        )
    }
}

/// The certificate that ends first of those a connection stands on: ours, where
/// the provider knows the app by one, and that of a server its owner runs. What
/// a provider's own servers show is the provider's to renew.
fn certificate_behind(
    provider: &Provider,
    caller: Caller<'_>,
    answer: &Answer,
) -> Option<Certificate> {
    let ours = caller.app.and_then(|app| app.certificate(provider));
    let theirs = match provider.is_one_place() {
        true => None,
        false => certificate::of_server(answer.shown.as_slice(), None),
    };
    ours.into_iter().chain(theirs).min_by_key(|one| one.ends_at)
}

/// The values of a JSON body, as they stand between quotation marks.
fn quoted<'v>(json: &Template, fill: impl Fn(&str) -> Option<&'v str>) -> Variables {
    let quoted = |name: &str| {
        let text = Value::from(fill(name)?).to_string();
        Some((name.to_owned(), text[1..text.len() - 1].to_owned()))
    };
    json.names().filter_map(quoted).collect()
}

/// A name without an address is a mistyped one where a person typed it.
fn unknown_host(provider: &Provider, call: &Call, failure: Failure) -> Failure {
    let is_typed = |name: &str| {
        let asked = provider.questions().any(|question| question.name == name);
        asked || provider.fields.iter().any(|field| field.name == name)
    };
    match call.url.template().names().any(is_typed) {
        true => of_typed_host(failure),
        false => failure,
    }
}

/// Whether an answer says what it must say, where the status does not tell.
fn is_expected(call: &Call, body: &Value) -> bool {
    let expect = call.expect.as_ref();
    expect.is_none_or(|expect| text_at(body, &expect.at).as_deref() == Some(&expect.is))
}

/// The id and the label, from wherever `find` finds them; without a label the
/// id has to do.
pub(super) fn facts(
    rule: &Identify,
    find: impl Fn(&Source) -> Option<String>,
) -> Option<(String, String)> {
    let id = rule.id.iter().find_map(&find)?;
    let label = rule
        .label
        .iter()
        .find_map(&find)
        .unwrap_or_else(|| id.clone());
    Some((id, label))
}
