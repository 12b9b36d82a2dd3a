//! What must hold of every shipped entry whatever anybody says: no value chooses
//! a host outside the entry's list, and none changes the shape of an address.

use hub::catalog::{Origin, Provider, Template, Variable, Variables};
use url::Url;

use crate::{
    bench::*,
    example::example,
    hostile::{check, told},
};

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
        check(100, told(variable.pattern.source()), |value| {
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
        check(60, told(variable.pattern.source()), |value| {
            // As it is typed: what is forgiven is forgiven first.
            if let Ok(value) = variable.read(value) {
                stays_in_place(provider, &variable.name, variable.anywhere, &value);
            }
        });
    });
    assert!(seen >= 30, "{seen}");
    for provider in shipped().all() {
        for field in &provider.fields {
            check(15, told(field.pattern.source()), |value| {
                if let Some(value) = field.read(value).filter(|value| !value.is_empty()) {
                    stays_in_place(provider, &field.name, true, &value);
                }
            });
        }
    }
}
