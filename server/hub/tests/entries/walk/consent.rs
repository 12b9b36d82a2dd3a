//! The person goes to the provider and comes back.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use hub::{
    catalog::{Variables, oauth::Pkce},
    dialect::{AuthorizeAsk, CallbackGrant, ProviderApp},
    secret::Secret,
};
use sha2::Sha256;
use url::form_urlencoded;

use super::{Taken, Walk, said};
use crate::{
    asked::param,
    player::{CLIENT_ID, CLIENT_SECRET, CODE, REDIRECT_URI, STATE, VERIFIER},
};

impl Walk<'_> {
    /// Sends the person to the provider, and brings them back as it says.
    pub(super) fn consent(
        &mut self,
        app: &ProviderApp,
        variables: &Variables,
    ) -> Taken<CallbackGrant> {
        let (state, verifier) = (Secret::new(STATE), Secret::new(VERIFIER));
        let scopes = self.provider.default_scopes();
        let url = self
            .bench
            .dialect
            .authorize_url(
                self.provider,
                app,
                &AuthorizeAsk {
                    redirect_uri: REDIRECT_URI,
                    state: &state,
                    verifier: Some(&verifier),
                    scopes: &scopes,
                    variables,
                    login_hint: None,
                    reconsent: false,
                    locale: None,
                },
            )
            .map_err(|error| format!("authorize: {error}"))?;
        let text = url.as_str().to_owned();
        let (place, query) = text.split_once('?').unwrap_or((&text, ""));
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let fact = self.fact;
        if let Some(documented) = &fact.authorize_url {
            let documented = documented.split('?').next().unwrap();
            if !self.bench.player.stage().fits(documented, place) {
                self.wrong(format!(
                    "authorize: people are sent to {place}, not {documented}"
                ));
            }
        }
        self.judge_authorize(&query, &scopes);
        let entry = self.provider.authorize().unwrap();
        if let Some(challenge) = param(&query, "code_challenge") {
            self.bench.player.stage().challenge = Some(challenge.to_owned());
        }
        match (fact.pkce.as_deref(), entry.pkce) {
            (Some("required"), Pkce::Off) => self.wrong("authorize: PKCE is required"),
            (Some("no"), pkce) if pkce != Pkce::Off => {
                self.wrong("authorize: PKCE must not be sent")
            }
            _ => {}
        }

        let code = fact.code_param.as_deref().unwrap_or("code");
        let mut pairs = vec![
            (code.to_owned(), CODE.to_owned()),
            ("state".into(), STATE.to_owned()),
        ];
        let stage = self.bench.player.stage();
        let account = fact
            .account_id_from
            .as_deref()
            .and_then(|place| place.strip_prefix("query:"));
        if let Some(name) = account {
            pairs.push((name.to_owned(), stage.account_id.clone()));
        }
        for (name, value) in &fact.callback {
            pairs.push((name.clone(), stage.fill(value)));
        }
        drop(stage);
        if fact.callback_signature.is_some() {
            let mut sorted = pairs.clone();
            sorted.sort();
            let message = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(sorted)
                .finish();
            let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).unwrap();
            mac.update(message.as_bytes());
            let hex = mac
                .finalize()
                .into_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            pairs.push(("hmac".into(), hex));
        }
        let read = self
            .bench
            .dialect
            .read_callback(self.provider, app, variables, &pairs);
        read.map_err(|failure| format!("callback: {}", said(&failure)))
    }

    fn judge_authorize(&mut self, query: &[(String, String)], scopes: &[String]) {
        let fact = self.fact;
        let id_name = fact.client_id_param.as_deref().unwrap_or("client_id");
        let mut wanted = vec![(id_name, CLIENT_ID), ("state", STATE)];
        if !fact.redirect_uri_is_a_name {
            wanted.push(("redirect_uri", REDIRECT_URI));
        }
        if !fact.extra_authorize_params.contains_key("response_type") {
            wanted.push(("response_type", "code"));
        }
        wanted.retain(|(name, _)| {
            !fact
                .omit_authorize_params
                .iter()
                .any(|omitted| omitted == name)
        });
        for (name, value) in wanted {
            if param(query, name) != Some(value) {
                self.wrong(format!(
                    "authorize: {name} is {:?}, not {value}",
                    param(query, name)
                ));
            }
        }
        for name in &fact.omit_authorize_params {
            if query.iter().any(|(known, _)| known == name) {
                self.wrong(format!("authorize: {name} must not be sent"));
            }
        }
        for (name, template) in &fact.extra_authorize_params {
            let stage = self.bench.player.stage();
            let fits = param(query, name).is_some_and(|value| stage.fits(template, value));
            drop(stage);
            if !fits {
                self.wrong(format!(
                    "authorize: {name} is {:?}, not {template}",
                    param(query, name)
                ));
            }
        }
        let separator = fact.scope_separator.as_deref().unwrap_or(" ");
        let mut asked: Vec<&str> = Vec::new();
        let scopes_go = self
            .provider
            .scopes
            .iter()
            .map(|scope| scope.param.as_str());
        for name in scopes_go.chain(["scope"]).collect::<BTreeSet<_>>() {
            if let Some(list) = param(query, name) {
                asked.extend(list.split(separator));
            }
        }
        let mut missing: Vec<_> = scopes
            .iter()
            .filter(|scope| !asked.contains(&scope.as_str()))
            .collect();
        if self.provider.authorize().unwrap().one_scope && asked.len() == 1 {
            missing.clear();
        }
        for needed in &fact.needs_scopes {
            if !asked.contains(&needed.as_str()) {
                self.wrong(format!(
                    "authorize: without {needed} there is nothing to renew with"
                ));
            }
        }
        if !missing.is_empty() {
            self.wrong(format!("authorize: read with {separator:?} between them, these scopes are not asked for: {missing:?}"));
        }
        self.bench.player.stage().scopes = scopes.to_vec();
    }
}
