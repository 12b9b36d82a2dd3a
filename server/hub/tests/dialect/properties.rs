//! What must hold whatever anybody says: no value chooses a host outside the
//! entry's list, none changes the shape of an address or a request, and scopes
//! are read however they are separated.

use hub::{
    catalog::{Catalog, Origin, Provider, Template, Variable, Variables},
    secret::Secret,
};
use proptest::{
    prelude::*,
    string::string_regex,
    test_runner::{Config, TestRunner},
};
use url::Url;

use crate::{bench::*, example::example};

/// The hosts that a variable may name where nothing of ours stands behind it:
/// written down here once more, so that a pattern that grows is seen. `.x` is
/// any name under `x`.
const HOSTS: &[(&str, &str, &[&str])] = &[
    ("amazon-selling-partner", "seller_central", &[".amazon"]),
    ("clover", "clover_domain", &[".clover.com"]),
    (
        "datadog",
        "site",
        &[".datadoghq.com", ".datadoghq.eu", ".ddog-gov.com"],
    ),
    (
        "docusign",
        "auth_host",
        &["account.docusign.com", "account-d.docusign.com"],
    ),
    ("dynamics-365", "org_host", &[".dynamics.com"]),
    ("docusign", "base_uri", &[".docusign.net"]),
    ("hubspot", "ui_domain", &[".hubspot.com"]),
    (
        "okta",
        "org",
        &[".okta.com", ".oktapreview.com", ".okta-emea.com"],
    ),
    ("pipedrive", "api_domain", &[".pipedrive.com"]),
    ("salesforce", "instance_url", &[".salesforce.com"]),
    ("salesforce-sandbox", "instance_url", &[".salesforce.com"]),
    ("wrike", "host", &[".wrike.com"]),
    ("zoho", "domain", &[".zoho", ".zohocloud.ca"]),
    ("zoho", "accounts_server", &[".zoho", ".zohocloud.ca"]),
    ("zoho", "api_domain", &[".zohoapis"]),
    ("zoom", "api_url", &["api.zoom.us", ".zoom.us"]),
];

/// The one answer that is a path itself: what is asked of one's own server.
const OWN_PATH: (&str, &str) = ("rest-api", "test_path");

/// The endings under which a brand is at home in many countries.
const COUNTRIES: [&str; 27] = [
    "co.jp", "com", "eu", "uk", "in", "com.au", "jp", "sa", "ae", "com.cn", "ca", "com.mx",
    "com.br", "co.uk", "de", "fr", "it", "es", "ie", "nl", "com.be", "pl", "se", "com.tr", "eg",
    "co.za", "sg",
];

fn is_listed(host: &str, allowed: &[&str]) -> bool {
    allowed
        .iter()
        .any(|allowed| match allowed.strip_prefix('.') {
            None => host == *allowed,
            Some(domain) if domain.contains('.') => host == domain || host.ends_with(*allowed),
            // A brand: under every country of the list.
            Some(brand) => COUNTRIES.iter().any(|country| {
                let home = format!("{brand}.{country}");
                host == home || host.ends_with(&format!(".{home}"))
            }),
        })
}

/// Every template of an entry that becomes an address.
fn addresses(provider: &Provider) -> Vec<&Template> {
    let mut all = vec![&provider.about.remove_url];
    if let Some(oauth) = &provider.oauth {
        all.extend(oauth.authorize.iter().map(|it| &it.url));
        all.extend(oauth.token.iter().map(|it| &it.url));
        all.extend(oauth.extend.iter().map(|it| &it.url));
        all.extend(oauth.introspect.iter().map(|it| &it.url));
        all.extend(oauth.revoke.iter().map(|it| &it.url));
    }
    all.extend(provider.refresh.url.iter());
    all.extend(provider.api.base.iter());
    all.extend(provider.identity.call.iter().map(|it| &it.url));
    all.extend(provider.probe.iter().map(|it| &it.url));
    all.extend(provider.tenants.iter().map(|it| &it.call.url));
    all.extend(provider.fields.iter().filter_map(|it| it.link.as_ref()));
    all.into_iter().map(|url| url.template()).collect()
}

/// Values somebody might give: what the pattern allows, the same spoilt a
/// little, and what was never near it.
fn told(pattern: &str) -> impl Strategy<Value = String> + use<> {
    let good = || string_regex(pattern).expect("a pattern that can be made");
    let spoilt =
        (good(), any::<prop::sample::Index>(), spoiler()).prop_map(|(good, at, spoiler)| {
            let mut letters: Vec<char> = good.chars().collect();
            let at = at.index(letters.len() + 1);
            letters.splice(at..at, spoiler.chars());
            letters.into_iter().collect::<String>()
        });
    prop_oneof![
        2 => good(),
        4 => spoilt,
        1 => prop::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

const HOSTILE: [&str; 12] = [
    "https://evil.example",
    "http://169.254.169.254/latest",
    "https://[::1]",
    "https://2130706433",
    "evil.example",
    "..",
    ".",
    "a.",
    "//evil.example",
    "\\\\evil.example",
    "xn--80ak6aa92e.com",
    "",
];

fn spoiler() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/",
        "\\",
        "?",
        "#",
        "@",
        ":",
        ":8443",
        "%",
        "%2F",
        "%2e%2e",
        "&",
        "=",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\0",
        "..",
        ".",
        ".evil.example",
        "@evil.example",
        "evil.example/",
        "https://evil.example/",
        "\u{3002}",
        "\u{ff0f}",
        "\u{ff20}",
        "\u{200b}",
        "\u{202e}",
        "é",
        "ⓔ",
        "{",
        "}",
        "{shop}",
        "\"",
        "'",
        "<",
        "|",
        "^",
        "`",
        "~",
        "*",
        "$",
        "(",
        ";",
        ",",
        "+",
    ])
}

/// A value for every variable, `name` being `value`.
fn values(provider: &Provider, name: &str, value: &str) -> Variables {
    let others = provider.variables.iter().map(|variable| {
        let value = match example(variable) {
            // Nobody is asked for it.
            empty if empty.is_empty() => "x".to_owned(),
            value => value,
        };
        (variable.name.clone(), value)
    });
    let entered = provider
        .fields
        .iter()
        .map(|it| (it.name.clone(), it.example.clone()));
    let mut values: Variables = others.chain(entered).collect();
    for own in ["client_id", "access_token", "refresh_token", "token"] {
        values.insert(own.to_owned(), "x".to_owned());
    }
    values.insert(name.to_owned(), value.to_owned());
    values
}

/// What no value may change about an address.
#[derive(Debug, PartialEq)]
struct Shape {
    scheme: String,
    port: Option<u16>,
    has_login: bool,
    segments: Option<usize>,
    names: Vec<String>,
    has_fragment: bool,
}

fn shape(url: &Url) -> Shape {
    Shape {
        scheme: url.scheme().to_owned(),
        port: url.port(),
        has_login: !url.username().is_empty() || url.password().is_some(),
        segments: url.path_segments().map(Iterator::count),
        names: url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect(),
        has_fragment: url.fragment().is_some(),
    }
}

/// Fails where `value`, which the entry accepts, changes more than its place.
fn stays_in_place(provider: &Provider, variable: &str, anywhere: bool, value: &str) {
    let id = &provider.id;
    for template in addresses(provider) {
        if !template.names().any(|name| name == variable) {
            continue;
        }
        let text = template.render(&values(provider, variable, value));
        let Ok(url) = Url::parse(&text.unwrap()) else {
            continue; // no address, no call
        };
        let what = format!("{id}: {template} with {value:?} is {url}");
        let leads = template.source().starts_with(&format!("{{{variable}}}"));
        if leads {
            assert_eq!(url.scheme(), "https", "{what}");
            assert!(!shape(&url).has_login, "{what}");
        } else {
            let plain = template.render(&values(provider, variable, "x")).unwrap();
            let plain = Url::parse(&plain).unwrap();
            if (id.as_str(), variable) == OWN_PATH {
                assert_eq!(url.origin(), plain.origin(), "{what}");
                continue;
            }
            let (mut shape, mut plain) = (shape(&url), shape(&plain));
            if anywhere {
                // A server of one's own may listen where it likes.
                (shape.port, plain.port) = (None, None);
            }
            assert_eq!(shape, plain, "{what}");
        }
        let host = url.host_str().unwrap_or_default();
        let rest = template.source().trim_start_matches("https://");
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (_, behind) = match authority.rsplit_once(&format!("{{{variable}}}")) {
            Some(found) => found,
            None => continue, // it stands in the path
        };
        if anywhere {
            continue;
        }
        if behind.starts_with('.') {
            assert!(host.ends_with(behind), "{what}");
            continue;
        }
        let listed = HOSTS
            .iter()
            .find(|(entry, name, _)| entry == id && *name == variable);
        match listed {
            Some((_, _, allowed)) => assert!(is_listed(host, allowed), "{what}"),
            // Not in the table: only what the entry itself lists as choices.
            None => {
                let question = provider.variables.iter().find(|it| it.name == variable);
                let choices = question.map(|it| &it.choices[..]).unwrap_or_default();
                assert!(
                    choices.iter().any(|choice| choice.value == value),
                    "{what}; and it is not in the table"
                );
            }
        }
    }
}

fn check(cases: u32, strategy: impl Strategy<Value = String>, test: impl Fn(&str)) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let run = runner.run(&strategy, |value| {
        test(&value);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

fn each_variable(of: impl Fn(&Variable) -> bool, test: impl Fn(&Provider, &Variable)) -> usize {
    let catalog = shipped();
    let mut seen = 0;
    for provider in catalog.all() {
        for variable in provider.variables.iter().filter(|it| of(it)) {
            test(provider, variable);
            seen += 1;
        }
    }
    seen
}

#[test]
fn no_value_from_a_provider_chooses_a_host_outside_the_list() {
    let is_told = |variable: &Variable| {
        let from = variable.from;
        [
            Origin::Callback,
            Origin::Token,
            Origin::Identity,
            Origin::Tenant,
        ]
        .contains(&from)
    };
    let seen = each_variable(is_told, |provider, variable| {
        assert!(
            !variable.anywhere,
            "{}: a provider may not lead anywhere",
            provider.id
        );
        check(300, told(variable.pattern.source()), |value| {
            if variable.accept(value.to_owned()).is_ok() {
                stays_in_place(provider, &variable.name, false, value);
            }
        });
    });
    assert!(seen >= 25, "{seen}");
}

#[test]
fn no_value_from_a_person_changes_host_path_or_parameters() {
    let is_asked = |variable: &Variable| [Origin::Person, Origin::App].contains(&variable.from);
    let seen = each_variable(is_asked, |provider, variable| {
        check(200, told(variable.pattern.source()), |value| {
            // As it is typed: what is forgiven is forgiven first.
            if let Ok(value) = variable.read(value) {
                stays_in_place(provider, &variable.name, variable.anywhere, &value);
            }
        });
    });
    assert!(seen >= 30, "{seen}");
    for provider in shipped().all() {
        for field in &provider.fields {
            check(40, told(field.pattern.source()), |value| {
                if let Some(value) = field.read(value).filter(|value| !value.is_empty()) {
                    stays_in_place(provider, &field.name, true, &value);
                }
            });
        }
    }
}

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
