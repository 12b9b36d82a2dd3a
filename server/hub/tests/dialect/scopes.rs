//! Scopes in what a person is sent away with: rows A8-A15, A11 aside.

use crate::{authorize::each, bench::*};

fn asking(id: &str, scopes: &[&str]) -> url::Url {
    let leaving = Leaving {
        scopes: Some(scopes),
        ..Leaving::default()
    };
    leaving.to(&shipped(), id).unwrap()
}

#[test]
fn a8_scopes_are_separated_by_commas() {
    let url = asking("shopify", &["read_products", "read_orders"]);
    assert_eq!(query(&url)["scope"], "read_products,read_orders");
    let mut commas = 0;
    each(|provider, url| {
        let separator = &provider.authorize().unwrap().scope_separator;
        let sent = query(&url).get("scope").cloned().unwrap_or_default();
        if separator == "," {
            assert!(!sent.contains(' '), "{}: {sent}", provider.id);
        }
    });
    for provider in shipped().iter() {
        commas += usize::from(
            provider
                .authorize()
                .is_some_and(|it| it.scope_separator == ","),
        );
    }
    assert!(commas >= 10, "{commas}");
}

async fn separated(bench: &Bench, separator: &str, raw: bool) -> String {
    let catalog = bench.made_up(&format!(
        r#"
[oauth.authorize]
url = "{{peer}}/authorize"
scope_separator = "{separator}"
scope_separator_raw = {raw}
incremental = "merge"
[[scope]]
name = "posts:read&all"
meaning = "a"
benefit = "so that it is tested"
default = true
[[scope]]
name = "me"
meaning = "a"
benefit = "so that it is tested"
default = true
"#
    ));
    let url = Leaving::default().to(&catalog, "made-up").unwrap();
    let sent = url.query().unwrap().split('&');
    let mut sent = sent.filter_map(|pair| pair.strip_prefix("scope="));
    sent.next().unwrap().to_owned()
}

#[tokio::test]
async fn a9_a_plus_between_scopes_stays_a_plus() {
    let bench = Bench::start().await;
    // The plus is the separator; what stands in a scope is encoded all the same.
    assert_eq!(separated(&bench, "+", true).await, "posts%3Aread%26all+me");
    assert_eq!(
        separated(&bench, "+", false).await,
        "posts%3Aread%26all%2Bme"
    );
}

#[tokio::test]
async fn a10_other_separators() {
    let bench = Bench::start().await;
    assert_eq!(separated(&bench, ";", true).await, "posts%3Aread%26all;me");
    assert_eq!(separated(&bench, ":", true).await, "posts%3Aread%26all:me");
    assert_eq!(
        separated(&bench, ":", false).await,
        "posts%3Aread%26all%3Ame"
    );
}

#[test]
fn a12_no_scope_is_sent_where_rights_are_set_elsewhere() {
    let catalog = shipped();
    for id in ["clickup", "intercom", "pipedrive", "notion", "clover"] {
        let entry = catalog.get(id).unwrap().authorize().unwrap();
        let why = entry.no_scopes.as_deref().unwrap_or_default();
        assert!(why.len() > 10, "{id}: where the rights are set is said");
    }
    let without = std::cell::Cell::new(0);
    each(|provider, url| {
        // Dynamics 365 has one fixed scope, made of the organisation's address.
        let fixed = provider.authorize().unwrap().params.contains_key("scope");
        if provider.scopes.is_empty() && !fixed {
            without.set(without.get() + 1);
            let sent = query(&url);
            assert!(!sent.contains_key("scope"), "{}: {sent:?}", provider.id);
        }
    });
    assert!(without.get() >= 10, "{without:?}");
}

#[test]
fn a13_scopes_travel_in_several_parameters() {
    let url = asking("hubspot", &["crm.objects.contacts.read", "files"]);
    let catalog = shipped();
    let hubspot = catalog.get("hubspot").unwrap();
    for scope in &hubspot.scopes {
        let url = asking("hubspot", &[&scope.name]);
        let sent = query(&url);
        let has = |param: &str| {
            sent.get(param)
                .is_some_and(|names| names.split(' ').any(|name| name == scope.name))
        };
        assert!(has(&scope.param), "{}: {url}", scope.name);
        let other = match scope.param.as_str() {
            "scope" => "optional_scope",
            _ => "scope",
        };
        assert!(!has(other), "{}: {url}", scope.name);
    }
    assert!(hubspot.scopes.iter().any(|it| it.param == "optional_scope"));
    assert!(query(&url).contains_key("scope"));
}

#[test]
fn a14_of_several_scopes_only_the_widest_is_sent() {
    let url = asking("stripe-connect", &["read_only", "read_write"]);
    assert_eq!(query(&url)["scope"], "read_write");
    let url = asking("woocommerce-connect", &["read", "read_write"]);
    assert_eq!(query(&url)["scope"], "read_write");
    each(|provider, url| {
        let entry = provider.authorize().unwrap();
        let sent = query(&url).get("scope").cloned().unwrap_or_default();
        if entry.one_scope {
            assert!(provider.scope(&sent).is_some(), "{}: {sent}", provider.id);
        }
    });
}

#[test]
fn a15_technical_scopes_are_sent_and_not_shown() {
    for (id, scope) in [
        ("outlook-mail", "offline_access"),
        ("jira", "offline_access"),
        ("xero", "offline_access"),
        ("gorgias", "offline"),
        ("x-twitter", "offline.access"),
        ("salesforce", "refresh_token"),
    ] {
        // Whatever was chosen: without it there is nothing to renew with.
        let sent = query(&asking(id, &[]));
        assert!(
            sent["scope"].split(' ').any(|name| name == scope),
            "{id}: {sent:?}"
        );
        let catalog = shipped();
        let provider = catalog.get(id).unwrap();
        assert!(provider.scope(scope).unwrap().technical, "{id}");
        let none = provider.missing_scopes(&[scope.to_owned()], &[]);
        assert!(none.is_empty(), "{id}: nobody is told that it is missing");
    }
}
