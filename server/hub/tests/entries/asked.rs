//! A request as the player sees it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, Uri};
use hub::catalog::Variables;
use url::form_urlencoded::parse;

/// What was asked, by whom it may be judged.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Scheme, host and path.
    pub(crate) place: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: &Bytes) -> Self {
        let host = headers
            .get("host")
            .map_or("", |host| host.to_str().unwrap());
        Self {
            method,
            place: format!("https://{host}{}", uri.path()),
            query: parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers,
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How the parameters travelled: `query`, `form`, `json`; `none` when there
    /// is no body.
    pub(crate) fn transport(&self) -> &'static str {
        let kind = self.header("content-type").unwrap_or_default();
        match kind.split(';').next().unwrap_or_default() {
            "application/x-www-form-urlencoded" => "form",
            "application/json" => "json",
            _ if !self.query.is_empty() => "query",
            _ => "none",
        }
    }

    /// The parameters, wherever they travelled; one that is sent twice is there
    /// as often.
    pub(crate) fn params(&self) -> Vec<(String, String)> {
        let mut params = self.query.clone();
        match self.transport() {
            "form" => params.extend(parse(self.body.as_bytes()).into_owned()),
            "json" => {
                let body: BTreeMap<String, serde_json::Value> =
                    serde_json::from_str(&self.body).unwrap_or_default();
                params.extend(body.into_iter().map(|(name, value)| match value {
                    serde_json::Value::String(text) => (name, text),
                    other => (name, other.to_string()),
                }));
            }
            _ => {}
        }
        params
    }

    /// The two halves of basic authentication, as they were sent.
    pub(crate) fn basic(&self) -> Option<String> {
        let sent = self.header("authorization")?.strip_prefix("Basic ")?;
        String::from_utf8(STANDARD.decode(sent).ok()?).ok()
    }

    /// Whether `secret` stands anywhere in the request.
    pub(crate) fn carries(&self, secret: &str) -> bool {
        let decoded = self.basic().unwrap_or_default();
        let headers = self
            .headers
            .values()
            .filter_map(|value| value.to_str().ok());
        headers
            .chain([self.place.as_str(), &self.body, &decoded])
            .any(|text| text.contains(secret))
            || self
                .params()
                .iter()
                .any(|(_, value)| value.contains(secret))
    }
}

/// The value of a parameter that is there once.
pub(crate) fn param<'p>(params: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let mut found = params.iter().filter(|(known, _)| known == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Puts `value` where a JSON pointer says, making what is on the way.
pub(crate) fn put(body: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    use serde_json::{Value, json};
    let mut at = body;
    for part in pointer.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) if !at.is_object() => {
                if !at.is_array() {
                    *at = json!([]);
                }
                let Value::Array(items) = at else {
                    unreachable!()
                };
                while items.len() <= index {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            _ => {
                if !at.is_object() {
                    *at = json!({});
                }
                at.as_object_mut()
                    .unwrap()
                    .entry(part)
                    .or_insert(Value::Null)
            }
        };
    }
    *at = value;
}

/// Texts by name.
pub(crate) fn variables<const N: usize>(pairs: [(&str, &str); N]) -> Variables {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
