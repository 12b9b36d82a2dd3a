//! A counterpart that answers as a provider's documentation says, whoever asks,
//! and writes down what was asked otherwise.

mod api;
mod token;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri};
use hub::catalog::Variables;
use serde_json::{Value, json};

use crate::{
    asked::{Asked, param, put},
    facts::{Fact, match_template, one_of},
};

pub(crate) const CLIENT_ID: &str = "client-1";
pub(crate) const CLIENT_SECRET: &str = "app-secret-1";
pub(crate) const REDIRECT_URI: &str = "https://hub.example/connect/callback/x";
pub(crate) const CODE: &str = "code-1";
pub(crate) const STATE: &str = "state-1";
pub(crate) const VERIFIER: &str = "verifier-1";

/// The part of the conversation that is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    #[default]
    Quiet,
    Exchange,
    Mint,
    Prove,
    Organisations,
    Identify,
    Refresh,
    Revoke,
}

/// Places whose value nobody tells beforehand.
const FREE: [&str; 6] = [
    "assertion",
    "claims",
    "url",
    "return_url",
    "callback_url",
    "app_name",
];

/// What every call is answered with, whatever it asks.
#[derive(Clone)]
pub(crate) struct Mood {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u32>,
    /// A header whose being there is what tells.
    pub(crate) header: Option<String>,
    pub(crate) body: String,
}

/// The stage of one provider at a time. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Player(Arc<Mutex<Stage>>);

#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) fact: Fact,
    pub(crate) step: Step,
    pub(crate) mood: Option<Mood>,
    /// What somebody told: the person, the operator, the entry, an answer.
    pub(crate) known: Variables,
    pub(crate) account_id: String,
    pub(crate) account_label: String,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) second: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_in: Option<i64>,
    /// The steps in which something was asked and given.
    pub(crate) done: BTreeSet<Step>,
    pub(crate) deviations: Vec<String>,
    minted: usize,
    code_is_spent: bool,
}

type Reply = Result<(HeaderMap, Value), (u16, Value)>;

impl Player {
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub(crate) fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.0.lock().unwrap()
    }

    /// Clears the stage for another provider.
    pub(crate) fn begin(&self, fact: &Fact, known: Variables) {
        let said = |value: &Option<String>, usual: &str| value.clone().unwrap_or(usual.into());
        let mut stage = Stage {
            account_id: said(&fact.account_id, "10293847"),
            account_label: said(&fact.account_label, "anna@bakery.example"),
            fact: fact.clone(),
            known,
            ..Stage::default()
        };
        stage.known.extend(fact.values.clone());
        stage
            .known
            .entry("organisation".into())
            .or_insert("10293847".into());
        if fact.account_id_from == fact.account_label_from {
            stage.account_label = stage.account_id.clone();
        }
        *self.stage() = stage;
    }

    pub(crate) fn step(&self, step: Step) {
        self.stage().step = step;
    }
}

async fn answer(
    State(player): State<Player>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked::new(method, &uri, headers, &body);
    player.stage().answer(&asked)
}

impl Stage {
    pub(crate) fn wrong(&mut self, what: impl std::fmt::Display) {
        self.deviations.push(format!("{:?}: {what}", self.step));
    }

    fn answer(&mut self, asked: &Asked) -> Response {
        if let Some(mood) = self.mood.clone() {
            let mut answer =
                (StatusCode::from_u16(mood.status).unwrap(), mood.body).into_response();
            let headers = answer.headers_mut();
            headers.insert("content-type", "application/json".parse().unwrap());
            if let Some(seconds) = mood.retry_after {
                headers.insert("retry-after", seconds.into());
            }
            if let Some(name) = mood.header {
                let name = http::HeaderName::try_from(name).unwrap();
                headers.insert(name, "AUTHENTICATION_DENIED".parse().unwrap());
            }
            return answer;
        }
        let reply = match self.step {
            Step::Quiet => Err((418, json!({}))),
            Step::Exchange
                if !self.code_is_spent && self.is_at(asked, self.fact.token_url.clone()) =>
            {
                self.exchange(asked)
            }
            Step::Mint | Step::Refresh if self.mints_at(asked) => self.mint_by_key(asked),
            Step::Exchange if self.is_at(asked, self.fact.exchange_url.clone()) => {
                self.extend(asked)
            }
            Step::Exchange | Step::Refresh | Step::Mint
                if self.is_at(asked, self.fact.introspect_url.clone()) =>
            {
                self.introspect(asked)
            }
            Step::Prove => self.prove(asked),
            Step::Organisations => self.organisations(asked),
            Step::Identify => self.call(asked),
            Step::Refresh => self.renew(asked),
            Step::Revoke => self.revoke(asked),
            Step::Exchange | Step::Mint => Err((404, json!({"error": "no_such_place"}))),
        };
        match reply {
            Ok((headers, body)) => {
                self.done.insert(self.step);
                (headers, axum::Json(body)).into_response()
            }
            Err((status, body)) => {
                let step = self.step;
                self.deviations.push(format!(
                    "{step:?}: refused {} {} with {status} {body}",
                    asked.method, asked.place
                ));
                (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
            }
        }
    }

    fn is_at(&self, asked: &Asked, url: Option<String>) -> bool {
        url.is_some_and(|url| self.fits(url.split('?').next().unwrap(), &asked.place))
    }

    /// Whether `actual` is what `template` says, filled with what was told.
    pub(crate) fn fits(&self, template: &str, actual: &str) -> bool {
        template.split('|').any(|template| {
            match_template(template, actual).is_some_and(|found| {
                let known = |(name, value): &(String, String)| {
                    FREE.contains(&name.as_str()) || self.is_told(value)
                };
                found.iter().all(known)
            })
        })
    }

    fn is_told(&self, value: &str) -> bool {
        let mine = [&self.access, &self.account_id, &self.account_label];
        self.known.values().chain(mine).any(|known| known == value)
            || [CLIENT_ID, CLIENT_SECRET, REDIRECT_URI].contains(&value)
            || self.refresh.as_deref() == Some(value)
            || self.scopes.join(" ") == value
    }

    /// The parameters; their method and transport must be the documented ones.
    fn params(&mut self, asked: &Asked, method: &str, transport: &str) -> Vec<(String, String)> {
        if !one_of(method, asked.method.as_str()) {
            self.wrong(format!("{} instead of {method}", asked.method));
        }
        let transport = match asked.method {
            Method::GET => "query",
            _ => transport,
        };
        let params = asked.params();
        if !params.is_empty() && !one_of(transport, asked.transport()) {
            self.wrong(format!("{} instead of {transport}", asked.transport()));
        }
        params
    }

    fn token_params(&mut self, asked: &Asked) -> Vec<(String, String)> {
        let method = self.fact.token_method.clone().unwrap_or("POST".into());
        let body = self.fact.token_body.clone().unwrap_or("form".into());
        self.params(asked, &method, &body)
    }

    fn want(&mut self, params: &[(String, String)], name: &str, template: &str) {
        match param(params, name) {
            Some(value) if self.fits(template, value) => {}
            Some(value) => self.wrong(format!("{name} is {value}, not {template}")),
            None => self.wrong(format!("{name} is not there once")),
        }
    }

    /// The app's proof must be there as documented.
    fn client(&mut self, asked: &Asked, params: &[(String, String)], how: &str) {
        let fact = self.fact.clone();
        let id_name = fact.token_client_id_param.or(fact.client_id_param);
        let id_name = id_name.as_deref().unwrap_or("client_id");
        let secret_name = fact
            .client_secret_param
            .as_deref()
            .unwrap_or("client_secret");
        let (id, secret) = (
            self.known["client_id"].clone(),
            self.known["client_secret"].clone(),
        );
        let sent = if asked.basic() == Some(format!("{id}:{secret}")) {
            "basic"
        } else if asked.basic() == Some(format!("{secret}:")) {
            "secret_as_user"
        } else if param(params, secret_name) == Some(&secret) && param(params, id_name) == Some(&id)
        {
            if param(&asked.query, secret_name).is_some() {
                "query"
            } else {
                "body"
            }
        } else if param(params, "client_assertion").is_some()
            || asked
                .header("authorization")
                .is_some_and(|value| value.starts_with("Bearer eyJ"))
        {
            "private_key_jwt"
        } else if param(params, id_name) == Some(&id) {
            "id_only"
        } else {
            "none"
        };
        if !one_of(how, sent) {
            self.wrong(format!("the app proves itself by {sent}, not {how}"));
        }
    }

    /// Puts the account's id and label where they stand in answers of a kind.
    fn name_account(&self, body: &mut Value, kind: &str) {
        for (place, value) in [
            (&self.fact.account_label_from, &self.account_label),
            (&self.fact.account_id_from, &self.account_id),
        ] {
            if let Some(pointer) = place.as_deref().and_then(|place| place.strip_prefix(kind)) {
                put(body, pointer, json!(value));
            }
        }
    }

    pub(crate) fn fill(&self, answer: &str) -> String {
        let mut text = answer
            .replace("$account_id", &self.account_id)
            .replace("$account_label", &self.account_label)
            .replace("$access", &self.access)
            .replace("$scopes", &self.scopes.join(" "));
        for (name, value) in &self.known {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }
}
