//! What providers' documentation states: `tests/facts/providers.toml`.

use std::{collections::BTreeMap, fs};

use hub::catalog::Variables;
use regex_lite::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    defaults: BTreeMap<String, Defaults>,
    provider: Vec<Fact>,
}

#[derive(Deserialize)]
struct Defaults {
    errors: Variables,
}

/// What is known of one provider. Each field is explained in the file's head.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) authorize_url: Option<String>,
    pub(crate) client_id_param: Option<String>,
    pub(crate) token_client_id_param: Option<String>,
    pub(crate) client_secret_param: Option<String>,
    pub(crate) omit_authorize_params: Vec<String>,
    pub(crate) extra_authorize_params: Variables,
    pub(crate) scope_separator: Option<String>,
    pub(crate) needs_scopes: Vec<String>,
    pub(crate) pkce: Option<String>,
    pub(crate) redirect_uri_is_a_name: bool,
    pub(crate) callback: Variables,
    pub(crate) call_signature: Option<String>,
    pub(crate) callback_signature: Option<String>,
    pub(crate) code_param: Option<String>,
    pub(crate) token_url: Option<String>,
    pub(crate) token_method: Option<String>,
    pub(crate) token_body: Option<String>,
    pub(crate) token_code_param: Option<String>,
    pub(crate) token_path: Option<String>,
    pub(crate) token_answer: Option<String>,
    pub(crate) token_vars: Variables,
    pub(crate) token_lifetime_s: Option<i64>,
    pub(crate) extra_token_params: Variables,
    pub(crate) client_auth: Option<String>,
    pub(crate) second_token: Option<Second>,
    pub(crate) exchange_url: Option<String>,
    pub(crate) introspect_url: Option<String>,
    pub(crate) refresh_mode: Option<String>,
    pub(crate) refresh_url: Option<String>,
    pub(crate) extra_refresh_params: Variables,
    pub(crate) rotates: Option<String>,
    pub(crate) refresh_lifetime_s: Option<i64>,
    pub(crate) incremental: Option<String>,
    pub(crate) revoke: Option<Revoke>,
    pub(crate) tenants: Option<Tenants>,
    pub(crate) proof: Option<Proof>,
    pub(crate) userinfo_url: Option<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) account_id_from: Option<String>,
    pub(crate) account_label_from: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) account_label: Option<String>,
    pub(crate) granted_scopes_from: Option<String>,
    pub(crate) values: Variables,
    pub(crate) errors: Variables,
    pub(crate) error_bodies: Variables,
}

/// Where another token stands in the same answer.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Second {
    pub(crate) path: String,
    pub(crate) refresh: String,
    pub(crate) kind: String,
}

/// How access is given back.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    pub(crate) url: String,
    pub(crate) method: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) proof: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) which: Option<String>,
    #[serde(default)]
    pub(crate) headers: Variables,
    #[serde(default)]
    pub(crate) params: Variables,
}

/// Where the organisations of a consent are listed, and their ids and names.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenants {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) label: String,
    pub(crate) answer: Option<String>,
}

/// How a person's own token says what they may reach, and what it says then.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    pub(crate) token_url: String,
    pub(crate) params: Variables,
    pub(crate) url: String,
    pub(crate) answer: String,
}

/// Something that may be asked with the access.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) method: Option<String>,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: Variables,
    #[serde(default)]
    pub(crate) answer_headers: Variables,
    pub(crate) answer: Option<String>,
}

/// Every fact by provider, and what errors mean where a provider says nothing.
pub(crate) struct Facts {
    providers: BTreeMap<String, Fact>,
    defaults: BTreeMap<String, Defaults>,
}

impl Facts {
    pub(crate) fn read() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/providers.toml");
        let file = toml::from_str::<File>(&fs::read_to_string(file).unwrap());
        let file = file.unwrap_or_else(|error| panic!("{}", error.message()));
        let mut providers = BTreeMap::new();
        for fact in file.provider {
            let id = fact.id.clone();
            assert!(
                providers.insert(id.clone(), fact).is_none(),
                "{id} stands there twice"
            );
        }
        Self {
            providers,
            defaults: file.defaults,
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Fact> {
        self.providers.get(id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(String::as_str)
    }

    /// What errors mean at `fact`'s provider: its own lines on top of the
    /// defaults of its kind.
    pub(crate) fn errors(&self, kind: &str, fact: &Fact) -> Variables {
        let mut errors = self.defaults[kind].errors.clone();
        errors.extend(fact.errors.clone());
        errors
    }
}

/// Whether one of `a|b` is `actual`.
pub(crate) fn one_of(documented: &str, actual: &str) -> bool {
    documented.split('|').any(|one| one == actual)
}

/// What `actual` has in the places of `template`; `None` when it is another text.
/// A place at the beginning of an address holds scheme and host.
pub(crate) fn match_template(template: &str, actual: &str) -> Option<Vec<(String, String)>> {
    let places = Regex::new(r"\{([A-Za-z_][A-Za-z0-9_ ]*)\}").unwrap();
    let mut pattern = String::from("^");
    let (mut names, mut at) = (Vec::new(), 0);
    for place in places.captures_iter(template) {
        let whole = place.get(0).unwrap();
        pattern.push_str(&regex_lite::escape(&template[at..whole.start()]));
        pattern.push_str(match whole.start() {
            0 if template[whole.end()..].starts_with('/') => "(https://[^/?#]+)",
            _ => "(.+?)",
        });
        names.push(place[1].to_owned());
        at = whole.end();
    }
    pattern.push_str(&regex_lite::escape(&template[at..]));
    pattern.push('$');
    let found = Regex::new(&pattern).unwrap().captures(actual)?;
    let values = found.iter().skip(1).flatten();
    Some(
        names
            .into_iter()
            .zip(values.map(|value| value.as_str().to_owned()))
            .collect(),
    )
}
