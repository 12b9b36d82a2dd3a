//! What the engine does with values from outside, whatever they are: it believes
//! none that does not look as declared, carries each as one value, and reads
//! scopes however they are separated.

use hub::{
    catalog::{Catalog, Variables},
    secret::Secret,
};
use proptest::{prelude::*, string::string_regex};

use crate::{
    bench::*,
    hostile::{check, told},
};

/// The engine's own gate, wherever a value comes from: told by a provider, it
/// must look as declared before it is used for anything.
#[test]
fn the_engine_itself_refuses_what_does_not_look_right() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start());
    let catalog = bench.made_up(
        r#"
[[variable]]
name = "from_callback"
from = "callback"
pattern = 'https://[a-z]{1,9}\.good\.example'
[[variable]]
name = "from_token"
from = "token"
at = "/host"
pattern = 'https://[a-z]{1,9}\.good\.example'
[[variable]]
name = "from_identity"
from = "identity"
at = "/host"
pattern = 'https://[a-z]{1,9}\.good\.example'
[[variable]]
name = "from_tenant"
from = "tenant"
pattern = 'https://[a-z]{1,9}\.good\.example'
[tenants]
word = "site"
list = ""
id = "/id"
label = "/id"
[tenants.call]
url = "{peer}/tenants"
"#,
    );
    let provider = catalog.get("made-up").unwrap();
    let pattern = provider.variables[0].pattern.source();
    let good = |told: Option<&String>| told.is_none_or(|it| it.ends_with(".good.example"));
    check(200, told(pattern), |value| {
        let quoted = serde_json::to_string(value).unwrap();
        let query = [("code", "c"), ("state", "s"), ("from_callback", value)];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let callback = bench
            .dialect
            .read_callback(provider, &app(), &variables(&[]), &query);
        assert!(
            callback.is_err()
                || good(
                    callback
                        .ok()
                        .and_then(|mut it| it.variables.remove("from_callback"))
                        .as_ref()
                )
        );

        bench.will_answer(json(&format!(r#"{{"access_token":"a","host":{quoted}}}"#)));
        let grant = runtime.block_on(bench.exchange(&catalog, "made-up"));
        assert!(
            grant.is_err()
                || good(
                    grant
                        .ok()
                        .and_then(|mut it| it.variables.remove("from_token"))
                        .as_ref()
                )
        );

        bench.will_answer(json(&format!(r#"{{"id":"1","name":"n","host":{quoted}}}"#)));
        let token = Secret::new("t");
        let none = variables(&[]);
        let asked = bench.dialect.identify(provider, &none, &none, &token, None);
        let identity = runtime.block_on(asked);
        assert!(
            identity.is_err()
                || good(
                    identity
                        .ok()
                        .and_then(|mut it| it.variables.remove("from_identity"))
                        .as_ref()
                )
        );

        bench.will_answer(json(&format!(r#"[{{"id":{quoted}}}]"#)));
        let asked = bench.dialect.organisations(provider, &none, &none, &token);
        let opened = runtime.block_on(asked).unwrap();
        assert!(opened.iter().all(|one| good(Some(&one.id))));
        bench.seen();
    });
}

/// In a body that is written out, too.
#[test]
fn templates_cannot_inject_into_json() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start());
    let catalog = bench.made_up(
        r#"
[[variable]]
name = "said"
from = "person"
pattern = '(?s).*'
label = "?"
placeholder = "x"
help = "?"
anywhere = true
[identity]
id = ["answer:/id"]
label = ["answer:/id"]
[identity.call]
method = "POST"
url = "{peer}/graphql"
json = '{{"query":"{{ me {{ id }} }}","site":"{said}"}}'
"#,
    );
    let provider = catalog.get("made-up").unwrap();
    check(200, told("[a-z\",{}:\\\\]{0,12}"), |value| {
        bench.will_answer(json(r#"{"id":"1"}"#));
        let (none, token) = (variables(&[]), Secret::new("t"));
        let said = variables(&[("said", value)]);
        let asked = bench.dialect.identify(provider, &none, &said, &token, None);
        runtime.block_on(asked).unwrap();
        let body: Variables = serde_json::from_str(&bench.seen()[0].body).unwrap();
        assert_eq!(
            body,
            variables(&[("query", "{ me { id } }"), ("site", value)])
        );
    });
}

/// A request carries a value as one value, wherever the entry puts it, or is
/// not sent at all.
#[test]
fn templates_cannot_inject_into_a_request() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start());
    let entry = |body: &str| {
        bench.made_up(&format!(
            r#"
[[variable]]
name = "said"
from = "person"
pattern = '(?s).*'
label = "?"
placeholder = "x"
help = "?"
anywhere = true
[oauth.token]
url = "{{peer}}/token"
client_auth = "body"
body = "{body}"
params = {{ said = "{{said}}" }}
headers = {{ x-said = "a{{said}}z" }}
"#
        ))
    };
    for body in ["form", "json", "query"] {
        let catalog: Catalog = entry(body);
        let provider = catalog.get("made-up").unwrap();
        check(100, told("[a-z&=]{0,12}"), |value| {
            bench.will_answer(json(r#"{"access_token":"a"}"#));
            let callback = hub::dialect::CallbackGrant {
                code: Secret::new("the-code"),
                state: None,
                variables: variables(&[]),
                account_hint: None,
                granted_scopes: None,
            };
            let said = variables(&[("said", value)]);
            let app = app();
            let asked = bench
                .dialect
                .exchange(provider, &app, &said, &callback, None, BACK);
            let outcome = runtime.block_on(asked);
            let seen = bench.seen();
            let [request] = &seen[..] else {
                // It cannot be said in a header.
                assert!(seen.is_empty() && outcome.is_err(), "{value:?}");
                assert!(value.chars().any(char::is_control), "{value:?}");
                bench.forget_answers();
                return;
            };
            let told: Variables = match body {
                "form" => request.form(),
                "query" => request.query.clone(),
                _ => serde_json::from_str(&request.body).unwrap(),
            };
            let names: Vec<&str> = told.keys().map(String::as_str).collect();
            let expected = [
                "client_id",
                "client_secret",
                "code",
                "grant_type",
                "redirect_uri",
                "said",
            ];
            assert_eq!(names, expected, "{value:?}");
            assert_eq!(told["said"], value);
            assert_eq!(request.path, "/token");
            let header = request.headers.get("x-said").unwrap().as_bytes();
            assert_eq!(header, format!("a{value}z").as_bytes());
            let usual = [
                "accept",
                "content-length",
                "content-type",
                "host",
                "user-agent",
                "x-said",
            ];
            for name in request.headers.keys() {
                let known = usual.contains(&name.as_str()) || name.as_str().starts_with("accept");
                assert!(known, "{value:?} brought {name}");
            }
        });
    }
}

#[test]
fn scopes_are_read_in_every_separator() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start());
    for separator in [" ", ",", "+", ";", ":"] {
        let catalog = bench.made_up(&format!(
            r#"
[oauth.authorize]
url = "{{peer}}/authorize"
scope_separator = "{separator}"
incremental = "merge"
no_scopes = "none"
"#
        ));
        // A colon is part of many names, unless it separates them.
        let name = match separator {
            ":" => "[a-z][a-z0-9_./-]{0,20}",
            _ => "[a-z][a-z0-9_./:-]{0,20}",
        };
        let between = prop::sample::select(vec![separator, " ", ",", ", ", ";", "+"]);
        let scopes = prop::collection::vec((string_regex(name).unwrap(), between), 0..6);
        let told = scopes.prop_map(|scopes| {
            let names: Vec<String> = scopes.iter().map(|(name, _)| name.clone()).collect();
            let text: String = scopes
                .iter()
                .flat_map(|(name, between)| [name, *between])
                .collect();
            serde_json::to_string(&(text, names)).unwrap()
        });
        check(60, told, |told| {
            let (text, names): (String, Vec<String>) = serde_json::from_str(told).unwrap();
            let text = serde_json::to_string(&text).unwrap();
            bench.will_answer(json(&format!(r#"{{"access_token":"a","scope":{text}}}"#)));
            let grant = runtime.block_on(bench.exchange(&catalog, "made-up"));
            assert_eq!(
                grant.unwrap().scopes.unwrap(),
                names,
                "{text} by {separator:?}"
            );
        });
    }
}
