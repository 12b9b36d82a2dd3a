//! The authorization server: codes, tokens and what renews them.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{CODE, REDIRECT_URI, Reply, Stage};
use crate::asked::{Asked, param, put};

impl Stage {
    pub(super) fn exchange(&mut self, asked: &Asked) -> Reply {
        let params = self.token_params(asked);
        let how = self.fact.client_auth.clone().unwrap_or("basic|body".into());
        self.client(asked, &params, &how);
        let mut wanted = self.fact.extra_token_params.clone();
        wanted
            .entry("grant_type".into())
            .or_insert("authorization_code".into());
        let code = self.fact.token_code_param.clone().unwrap_or("code".into());
        if !self.fact.redirect_uri_is_a_name && code == "code" {
            wanted
                .entry("redirect_uri".into())
                .or_insert(REDIRECT_URI.into());
        }
        for (name, value) in &wanted {
            match value.as_str() {
                // Not sent, or of no consequence.
                "" => {}
                value => self.want(&params, name, value),
            }
        }
        match param(&params, &code) {
            Some(CODE) if !self.code_is_spent => self.code_is_spent = true,
            _ => {
                self.wrong(format!("{code} is not the code given"));
                return Err((400, json!({"error": "invalid_grant"})));
            }
        }
        if let Some(challenge) = &self.challenge {
            let verifier = param(&params, "code_verifier").unwrap_or_default();
            let digest = hub::secret::digest(verifier);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            if *challenge != URL_SAFE_NO_PAD.encode(&digest) && *challenge != hex {
                self.wrong("the verifier is not the challenge's");
            }
        }
        self.mint(true)
    }

    /// The facts' address for keys that are traded, or the app's own.
    pub(super) fn mints_at(&self, asked: &Asked) -> bool {
        let params = asked.params();
        let kind = param(&params, "grant_type").unwrap_or_default();
        let is_minted = matches!(kind, "client_credentials")
            || kind.ends_with("jwt-bearer")
            || self.fact.client_auth.as_deref() == Some("private_key_jwt");
        is_minted && self.is_at(asked, self.fact.token_url.clone())
    }

    pub(super) fn mint_by_key(&mut self, asked: &Asked) -> Reply {
        let params = self.token_params(asked);
        let how = self.fact.client_auth.clone().unwrap_or("basic|body".into());
        self.client(asked, &params, &how);
        for (name, value) in self.fact.extra_token_params.clone() {
            self.want(&params, &name, &value);
        }
        self.mint(false)
    }

    pub(super) fn extend(&mut self, asked: &Asked) -> Reply {
        let url = self.fact.exchange_url.clone().unwrap();
        self.trade(asked, &url)
    }

    /// Trades the living access token at an address that says with which parameters.
    fn trade(&mut self, asked: &Asked, url: &str) -> Reply {
        let params = self.params(asked, "GET", "query");
        let (_, query) = url.split_once('?').unwrap_or((url, ""));
        for (name, template) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            self.want(&params, name, template);
        }
        if !asked.carries(&self.access) {
            self.wrong("the token to trade is not the one that lives");
        }
        self.mint(false)
    }

    pub(super) fn introspect(&mut self, asked: &Asked) -> Reply {
        if !asked.carries(&self.access) {
            self.wrong("asks about another token");
        }
        let ends = self.known["now"].parse::<i64>().unwrap() + self.lifetime().unwrap_or(7200);
        self.expires_in = Some(self.lifetime().unwrap_or(7200));
        Ok((
            HeaderMap::new(),
            json!({"active": true, "exp": ends, "expires_at": ends}),
        ))
    }

    fn lifetime(&self) -> Option<i64> {
        self.fact.token_lifetime_s
    }

    pub(super) fn renew(&mut self, asked: &Asked) -> Reply {
        let mode = self.fact.refresh_mode.clone().unwrap_or("none".into());
        let url = self.fact.refresh_url.clone();
        if mode == "exchange" {
            let url = url.or(self.fact.exchange_url.clone()).unwrap();
            if !self.is_at(asked, Some(url.clone())) {
                return Err((404, json!({"expected": url})));
            }
            return self.trade(asked, &url);
        }
        let url = url.or(self.fact.token_url.clone());
        if !self.is_at(asked, url.clone()) {
            return Err((404, json!({"expected": url})));
        }
        let params = self.token_params(asked);
        let how = self.fact.client_auth.clone().unwrap_or("basic|body".into());
        self.client(asked, &params, &how);
        let mut wanted = self.fact.extra_refresh_params.clone();
        wanted
            .entry("grant_type".into())
            .or_insert("refresh_token".into());
        for (name, value) in &wanted {
            if !value.is_empty() {
                self.want(&params, name, value);
            }
        }
        if param(&params, "refresh_token") != self.refresh.as_deref() {
            self.wrong("the refresh token is not the one that lives");
            return Err((400, json!({"error": "invalid_grant"})));
        }
        let rotates = self.fact.rotates.as_deref() != Some("no");
        self.mint(rotates)
    }

    /// New tokens, in the documented answer.
    fn mint(&mut self, with_refresh: bool) -> Reply {
        self.minted += 1;
        let (n, id) = (self.minted, self.fact.id.clone());
        self.access = format!("access-{id}-{n}");
        let gives_refresh =
            self.fact.refresh_mode.as_deref() == Some("refresh_token") && with_refresh;
        if gives_refresh {
            self.refresh = Some(format!("refresh-{id}-{n}"));
        }
        let refresh = self.refresh.clone().filter(|_| gives_refresh);
        self.expires_in = self.lifetime();
        let separator = self.fact.scope_separator.clone().unwrap_or(" ".into());
        let scopes = self.scopes.join(&separator);
        let mut body = match &self.fact.token_answer {
            Some(answer) => {
                let lifetime = self.lifetime().unwrap_or_default();
                let answer = self.fill(&answer.replace("$scopes", &scopes));
                let answer = answer.replace("\"$expires_in\"", &lifetime.to_string());
                let ends = self.known["now"].parse::<i64>().unwrap() + lifetime;
                let answer = answer.replace("\"$expires_at\"", &ends.to_string());
                let moment = chrono::DateTime::from_timestamp(ends, 0).unwrap();
                let answer = answer.replace("$expires_rfc", &moment.to_rfc3339());
                serde_json::from_str(&answer.replace("$refresh", refresh.as_deref().unwrap_or("")))
                    .unwrap()
            }
            None => {
                let mut body = json!({});
                put(
                    &mut body,
                    self.fact.token_path.as_deref().unwrap_or("/access_token"),
                    json!(self.access),
                );
                body["token_type"] = json!("bearer");
                if let Some(refresh) = &refresh {
                    body["refresh_token"] = json!(refresh);
                }
                if let Some(seconds) = self.lifetime() {
                    body["expires_in"] = json!(seconds);
                }
                if !scopes.is_empty() {
                    body["scope"] = json!(scopes);
                }
                body
            }
        };
        let told: Vec<_> = self.fact.token_vars.clone().into_iter().collect();
        for (name, place) in told {
            if let Some(pointer) = place.strip_prefix("token:") {
                let value = self.known.get(&name).cloned();
                let value = value.unwrap_or_else(|| format!("no-{name}"));
                put(&mut body, pointer, json!(value));
            }
        }
        self.name_account(&mut body, "token:");
        let mut claims = json!({});
        self.name_account(&mut claims, "id_token:");
        if claims != json!({}) {
            let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
            body["id_token"] = json!(format!("e30.{claims}.x"));
        }
        if let Some(second) = &self.fact.second_token {
            let token = format!("second-{id}-{n}");
            put(&mut body, &second.path, json!(token));
            put(
                &mut body,
                &second.refresh,
                json!(format!("second-refresh-{n}")),
            );
            self.second = Some(token);
        }
        Ok((HeaderMap::new(), body))
    }
}
