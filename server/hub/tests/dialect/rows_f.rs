//! Giving access back, row by row (F1 to F4); F5 stands in `push.rs`, F6 with
//! the connections.

use hub::{
    catalog::{Catalog, Variables},
    dialect::{Revocation, Tokens},
    secret::Secret,
};

use crate::bench::*;

/// Gives a shipped entry's access back; the peer says yes.
async fn revoked(id: &str) -> Seen {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let provider = catalog.get(id).unwrap();
    bench.will_answer(json(r#"{"ok":true}"#));
    let (access, refresh) = (Secret::new("acc"), Secret::new("ref"));
    let tokens = Tokens {
        access_token: &access,
        refresh_token: Some(&refresh),
    };
    let values = bench.values(provider);
    let app = app();
    let outcome = bench.dialect.revoke(provider, &app, &values, &tokens);
    assert_eq!(outcome.await, Revocation::Revoked, "{id}");
    bench.seen().remove(0)
}

#[tokio::test]
async fn f1_a_token_is_posted_to_the_revocation_address() {
    for id in [
        "google-drive",
        "xero",
        "gitlab",
        "linear",
        "zoom",
        "discord",
        "hubspot",
        "freshbooks",
        "box",
        "linkedin",
        "x-twitter",
    ] {
        let seen = revoked(id).await;
        assert_eq!(seen.method.as_str(), "POST", "{id}");
        let params: Variables = seen.params();
        let token = params.get("token").map(String::as_str).unwrap_or_default();
        assert!(["acc", "ref"].contains(&token), "{id}: {params:?}");
    }
}

#[tokio::test]
async fn f2_a_grant_may_be_a_resource_to_delete() {
    for (id, path) in [
        ("shopify", "/admin/api_permissions/current.json"),
        ("github", "/applications/client:1/grant"),
        ("facebook", "/v25.0/me/permissions"),
        ("zendesk", "/api/v2/oauth/tokens/current.json"),
        ("mollie", "/oauth2/tokens"),
    ] {
        let seen = revoked(id).await;
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("DELETE", path));
        let told = format!("{:?} {} {:?}", seen.headers, seen.body, seen.query);
        assert!(
            told.contains("acc") || told.contains("ref") || id == "mollie",
            "{told}"
        );
    }
}

#[tokio::test]
async fn f3_some_have_verbs_and_headers_of_their_own() {
    let seen = revoked("square").await;
    assert_eq!(seen.header("authorization"), "Client hush");
    let seen = revoked("stripe-connect").await;
    assert_eq!(seen.path, "/oauth/deauthorize");
    assert!(seen.form().contains_key("stripe_user_id"));
    let seen = revoked("tiktok").await;
    assert_eq!(
        (seen.path.as_str(), seen.form()["client_key"].as_str()),
        ("/v2/oauth/revoke/", "client:1")
    );
    let seen = revoked("dropbox").await;
    assert_eq!(
        (seen.body.as_str(), seen.header("authorization")),
        ("", "Bearer acc")
    );
    let seen = revoked("intercom").await;
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/auth/uninstall")
    );
    let seen = revoked("slack").await;
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/api/auth.revoke", "Bearer acc")
    );
}

#[tokio::test]
async fn f4_where_there_is_no_way_the_page_to_remove_it_is_shown() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let token = Secret::new("acc");
    let tokens = Tokens {
        access_token: &token,
        refresh_token: None,
    };
    for id in [
        "jira",
        "confluence",
        "mailchimp",
        "microsoft",
        "spotify",
        "amazon-selling-partner",
        "pinterest",
        "clickup",
        "figma",
        "airtable",
    ] {
        let provider = catalog.get(id).unwrap();
        let values = bench.values(provider);
        let outcome = bench
            .dialect
            .revoke(provider, &app(), &values, &tokens)
            .await;
        let Revocation::NotSupported {
            remove_url: Some(url),
        } = outcome
        else {
            panic!("{id}: {outcome:?}");
        };
        assert!(
            url.starts_with("https://") && !url.contains('{'),
            "{id}: {url}"
        );
        assert!(!provider.is_revoked_by_call());
    }
    assert!(bench.seen().is_empty());
}
