//! What is asked with the access, and how it is given back.

use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{CLIENT_ID, CODE, Reply, Stage};
use crate::{
    asked::{Asked, param, put},
    facts::{Call, one_of},
};

impl Stage {
    pub(super) fn organisations(&mut self, asked: &Asked) -> Reply {
        let Some(list) = self.fact.tenants.clone() else {
            return Err((404, json!({"expected": "no list of organisations"})));
        };
        if !self.is_at(asked, Some(list.url.clone())) {
            return Err((404, json!({"expected": list.url})));
        }
        if !asked.carries(&self.access) {
            self.wrong("the call does not carry the token");
        }
        let mut body = match &list.answer {
            Some(answer) => serde_json::from_str(&self.fill(answer)).unwrap(),
            None => json!(null),
        };
        if list.answer.is_none() {
            put(
                &mut body,
                &list.id.replace('*', "0"),
                json!(self.known["organisation"]),
            );
            put(
                &mut body,
                &list.label.replace('*', "0"),
                json!(self.account_label),
            );
        }
        Ok((HeaderMap::new(), body))
    }

    /// A person's own token, and what it says they may reach.
    pub(super) fn prove(&mut self, asked: &Asked) -> Reply {
        const OWN: &str = "the-persons-own";
        let Some(proof) = self.fact.proof.clone() else {
            return Err((404, json!({"expected": "nothing to prove"})));
        };
        if self.is_at(asked, Some(proof.token_url)) {
            let params = asked.params();
            if param(&params, "code") != Some(CODE) {
                self.wrong("the code of the callback is not traded");
            }
            for (name, template) in &proof.params {
                self.want(&params, name, template);
            }
            return Ok((HeaderMap::new(), json!({ "access_token": OWN })));
        }
        if !self.is_at(asked, Some(proof.url.clone())) {
            return Err((404, json!({"expected": proof.url})));
        }
        if asked.header("authorization") != Some(&format!("Bearer {OWN}")) {
            self.wrong("the person's own token is not asked");
        }
        let answer = self.fill(&proof.answer);
        Ok((HeaderMap::new(), serde_json::from_str(&answer).unwrap()))
    }

    pub(super) fn call(&mut self, asked: &Asked) -> Reply {
        let calls = self.fact.calls.clone();
        let fitting = calls
            .iter()
            .position(|call| self.is_at(asked, Some(call.url.clone())));
        let userinfo = self.fact.userinfo_url.clone();
        if let Some(index) = fitting {
            self.judge_call(asked, &calls[index]);
            let mut body = match &calls[index].answer {
                Some(answer) => serde_json::from_str(&self.fill(answer))
                    .unwrap_or_else(|error| panic!("{}: {error} in {answer}", self.fact.id)),
                None => json!({}),
            };
            if index == 0 {
                self.name_account(&mut body, "test:");
            }
            let mut headers = HeaderMap::new();
            for (name, value) in &calls[index].answer_headers {
                headers.insert(
                    HeaderName::try_from(name).unwrap(),
                    self.fill(value).parse().unwrap(),
                );
            }
            for (place, value) in [
                (&self.fact.account_id_from, self.account_id.clone()),
                (&self.fact.granted_scopes_from, self.scopes.join(", ")),
            ] {
                if let Some(name) = place
                    .as_deref()
                    .and_then(|place| place.strip_prefix("header:"))
                {
                    headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
                }
            }
            Ok((headers, body))
        } else if self.is_at(asked, userinfo) {
            let mut body = json!({});
            self.name_account(&mut body, "userinfo:");
            Ok((HeaderMap::new(), body))
        } else {
            let known: Vec<_> = calls.into_iter().map(|call| call.url).collect();
            Err((404, json!({"expected": known})))
        }
    }

    /// <https://partner.tiktokshop.com/docv2/page/sign-your-api-request>, steps 1 to 6.
    fn judge_signature(&mut self, asked: &Asked) {
        let secret = self.known["client_secret"].clone();
        let mut queries = asked.query.clone();
        queries.retain(|(name, _)| name != "sign" && name != "access_token");
        queries.sort();
        let joined = queries.into_iter().map(|(name, value)| name + &value);
        let joined: String = joined.collect();
        let path = asked.place.splitn(4, '/').nth(3).unwrap_or_default();
        let input = format!("{secret}/{path}{joined}{}{secret}", asked.body);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(input.as_bytes());
        let sign = mac.finalize().into_bytes();
        let sign: String = sign.iter().map(|byte| format!("{byte:02x}")).collect();
        if param(&asked.query, "sign") != Some(&sign) {
            self.wrong(format!("the signature of {:?} is not {sign}", asked.query));
        }
        for (name, expected) in [
            ("app_key", CLIENT_ID),
            ("timestamp", &self.known["now"].clone()),
        ] {
            if param(&asked.query, name) != Some(expected) {
                self.wrong(format!("{name} is not {expected}"));
            }
        }
    }

    fn judge_call(&mut self, asked: &Asked, call: &Call) {
        if self.fact.call_signature.is_some() {
            self.judge_signature(asked);
        }
        let (_, query) = call.url.split_once('?').unwrap_or((&call.url, ""));
        for (name, template) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            // Others ask for a page or for fields; these say who asks.
            if template.contains('{') {
                self.want(&asked.query, name, template);
            }
        }
        let method = call.method.clone().unwrap_or("GET".into());
        if !one_of(&method, asked.method.as_str()) {
            self.wrong(format!(
                "{} {} instead of {method}",
                asked.method, asked.place
            ));
        }
        for (name, template) in &call.headers {
            let Some(sent) = asked.header(name) else {
                self.wrong(format!("{name} is not sent to {}", asked.place));
                continue;
            };
            let fits = match template.strip_prefix("Basic {base64(") {
                Some(halves) => {
                    let halves = halves.trim_end_matches(")}");
                    let sent = asked.basic().unwrap_or_default();
                    halves
                        .split('|')
                        .any(|halves| match halves.split_once(':') {
                            Some((user, password)) => sent.split_once(':').is_some_and(|(u, p)| {
                                self.is_half(user, u) && self.is_half(password, p)
                            }),
                            None => false,
                        })
                }
                // Versions age, and several are served at a time.
                None if name.to_lowercase().contains("version") || name == "revision" => true,
                None if name.eq_ignore_ascii_case("user-agent") => true,
                None => self.fits(template, sent),
            };
            if !fits {
                self.wrong(format!("{name} is {sent}, not {template}"));
            }
        }
        if !self.access.is_empty() && !asked.carries(&self.access) {
            self.wrong(format!("{} does not carry the token", asked.place));
        }
    }

    /// Whether `sent` is the half of basic authentication that is called `name`.
    fn is_half(&self, name: &str, sent: &str) -> bool {
        match name {
            "" | "X" | "api" | "anystring" => true,
            _ => {
                sent.split('/')
                    .next()
                    .is_some_and(|sent| self.is_told(sent))
                    || self.is_told(sent)
            }
        }
    }

    pub(super) fn revoke(&mut self, asked: &Asked) -> Reply {
        let refresh = self.refresh.clone().unwrap_or_default();
        let Some(revoke) = self.fact.revoke.clone() else {
            // Nobody says how: as RFC 7009, with a token that lives.
            let carried =
                asked.carries(&self.access) || (!refresh.is_empty() && asked.carries(&refresh));
            if !carried {
                self.wrong("no living token is given back");
            }
            return Ok((HeaderMap::new(), json!({})));
        };
        if !self.is_at(asked, Some(revoke.url.clone())) {
            return Err((404, json!({"expected": revoke.url})));
        }
        let method = revoke.method.as_deref().unwrap_or("POST");
        let params = self.params(
            asked,
            method,
            revoke.body.as_deref().unwrap_or("form|query"),
        );
        let carries_token =
            || asked.header("authorization") == Some(&format!("Bearer {}", self.access));
        match revoke.proof.as_deref() {
            Some("bearer") if carries_token() => {}
            Some("bearer") => self.wrong("the access token is not in the header"),
            Some(how) => self.client(asked, &params, how),
            None => {}
        }
        for (name, template) in &revoke.headers {
            match asked.header(name) {
                Some(sent) if self.fits(template, sent) => {}
                sent => self.wrong(format!("{name} is {sent:?}, not {template}")),
            }
        }
        for (name, template) in &revoke.params {
            self.want(&params, name, template);
        }
        if let Some(name) = &revoke.token {
            let given = param(&params, name);
            let lives = match revoke.which.as_deref() {
                Some("refresh") => given == Some(&refresh),
                Some("access") => given == Some(&self.access),
                _ => given == Some(&refresh) || given == Some(&self.access),
            };
            if !lives {
                self.wrong(format!("{name} is {given:?}, not the token to give back"));
            }
        }
        Ok((HeaderMap::new(), json!({})))
    }
}
