//! The address a person is sent to.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::{Url, form_urlencoded::byte_serialize};

use super::{AuthorizeAsk, Dialect, DialectError, ProviderApp};
use crate::{
    catalog::{
        Provider, Scope,
        oauth::{Authorize, Pkce},
    },
    secret::Secret,
};

impl Dialect {
    /// The address to send a person to.
    ///
    /// # Errors
    /// [`DialectError`] when a value is missing or does not look right.
    pub fn authorize_url(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        ask: &AuthorizeAsk<'_>,
    ) -> Result<Url, DialectError> {
        let entry = provider.authorize().ok_or(DialectError::NotOAuth)?;
        for variable in provider.questions() {
            if let Some(value) = ask.variables.get(&variable.name) {
                variable.accept(value.clone())?;
            }
        }
        let values = provider.values(ask.variables);
        let random = Secret::random(16);
        let handover_url = Some(ask.redirect_uri.replacen("/callback/", "/handover/", 1));
        let fill = |name: &str| match name {
            "client_id" => Some(app.client_id.as_str()),
            "random" => Some(random.expose()),
            "state" => Some(ask.state.expose()),
            "redirect_uri" => Some(ask.redirect_uri),
            "handover_url" => handover_url.as_deref(),
            name => app
                .settings
                .get(name)
                .or_else(|| values.get(name))
                .map(String::as_str),
        };

        let mut query = Query {
            entry,
            text: String::new(),
        };
        for (name, value) in [
            ("client_id", app.client_id.as_str()),
            ("redirect_uri", ask.redirect_uri),
            ("response_type", "code"),
            ("state", ask.state.expose()),
        ] {
            if !entry.params.contains_key(name) {
                query.add(name, value);
            }
        }
        if entry.pkce != Pkce::Off {
            let verifier = ask.verifier.ok_or(DialectError::VerifierMissing)?;
            query.add("code_challenge", &challenge(entry.pkce, verifier));
            query.add("code_challenge_method", "S256");
        }
        for (param, names) in scopes_by_param(provider, entry, ask.scopes) {
            query.add_scopes(&param, &names);
        }
        for (name, template) in &entry.params {
            query.add(name, &template.fill(fill)?);
        }
        if ask.reconsent {
            for (name, template) in &entry.reconsent {
                query.add(name, &template.fill(fill)?);
            }
        }
        for (name, value) in [
            (&entry.login_hint, ask.login_hint),
            (&entry.locale, ask.locale),
        ] {
            if let (Some(name), Some(value)) = (name, value) {
                // OpenID Connect's hint is an address or a name to sign in by; an
                // organisation's name would only confuse.
                if name == "login_hint" && !value.contains('@') {
                    continue;
                }
                query.add(name, value);
            }
        }

        let base = entry.url.template().fill(fill)?;
        let join = if base.contains('?') { '&' } else { '?' };
        // Text, not `Url::query_pairs_mut`: with some providers the query
        // belongs behind the path inside the fragment (`/#/oauth/authorize?…`).
        Ok(Url::parse(&format!("{base}{join}{}", query.text))?)
    }
}

impl Dialect {
    /// The address to send an administrator to, who allows the app for everybody.
    /// It carries no state where nobody waits for them to come back.
    ///
    /// # Errors
    /// [`DialectError`] when the provider has none.
    pub fn admin_consent_url(
        &self,
        provider: &Provider,
        app: &ProviderApp,
        ask: &AuthorizeAsk<'_>,
    ) -> Result<Url, DialectError> {
        let entry = provider.authorize().ok_or(DialectError::NotOAuth)?;
        let admin = provider.admin_consent().ok_or(DialectError::NotOAuth)?;
        let mut query = Query {
            entry,
            text: String::new(),
        };
        query.add("client_id", &app.client_id);
        query.add("redirect_uri", ask.redirect_uri);
        if !ask.state.expose().is_empty() {
            query.add("state", ask.state.expose());
        }
        for (param, names) in scopes_by_param(provider, entry, ask.scopes) {
            query.add_scopes(&param, &names);
        }
        let base = admin.url.render(&provider.values(ask.variables))?;
        Ok(Url::parse(&format!("{base}?{}", query.text))?)
    }
}

struct Query<'a> {
    entry: &'a Authorize,
    text: String,
}

impl Query<'_> {
    fn add(&mut self, name: &str, value: &str) {
        let value = encode(value);
        self.add_encoded(name, &value);
    }

    fn add_scopes(&mut self, param: &str, names: &[String]) {
        let separator = &self.entry.scope_separator;
        if self.entry.scope_separator_raw {
            let names: Vec<_> = names.iter().map(|name| encode(name)).collect();
            self.add_encoded(param, &names.join(separator));
        } else {
            self.add(param, &names.join(separator));
        }
    }

    fn add_encoded(&mut self, name: &str, value: &str) {
        if self.entry.omit.iter().any(|omitted| omitted == name) {
            return;
        }
        let name = self.entry.rename.get(name).map_or(name, String::as_str);
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(&encode(name));
        self.text.push('=');
        self.text.push_str(value);
    }
}

/// Percent-encodes a query value; blanks become `%20`, which every server reads.
fn encode(value: &str) -> String {
    byte_serialize(value.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn challenge(pkce: Pkce, verifier: &Secret) -> String {
    let digest = verifier.digest();
    match pkce {
        Pkce::S256Hex => digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        Pkce::S256 | Pkce::Off => URL_SAFE_NO_PAD.encode(digest),
    }
}

/// The scopes to ask for, technical ones included, each under its parameter.
fn scopes_by_param(
    provider: &Provider,
    entry: &Authorize,
    asked: &[String],
) -> Vec<(String, Vec<String>)> {
    let technical = provider.scopes.iter().filter(|scope| scope.technical);
    let mut names: Vec<String> = technical.map(|scope| scope.name.clone()).collect();
    for name in asked {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    if entry.one_scope {
        let wide: Vec<&Scope> = names
            .iter()
            .filter_map(|name| provider.scope(name))
            .collect();
        names.retain(|name| !wide.iter().any(|scope| scope.implies.contains(name)));
        names.truncate(1);
    }
    let mut params: Vec<(String, Vec<String>)> = Vec::new();
    for name in names {
        let param = provider
            .scope(&name)
            .map_or("scope", |scope| scope.param.as_str());
        match params.iter_mut().find(|(known, _)| known == param) {
            Some((_, names)) => names.push(name),
            None => params.push((param.to_owned(), vec![name])),
        }
    }
    params
}
