//! Sending a person away: rows A5-A7, A16-A19, A23-A28 and A34.

use hub::{
    catalog::{Incremental, Provider, oauth::Pkce},
    dialect::CallbackGrant,
    secret::Secret,
};

use crate::bench::*;

/// Every shipped entry people are sent away by.
pub(crate) fn each(test: impl Fn(&Provider, url::Url)) {
    let catalog = shipped();
    for provider in catalog.iter().filter(|it| it.authorize().is_some()) {
        let url = Leaving::default().to(&catalog, &provider.id);
        test(
            provider,
            url.unwrap_or_else(|error| panic!("{}: {error}", provider.id)),
        );
    }
}

#[test]
fn a5_the_client_has_another_name() {
    for (id, name) in [
        ("tiktok", "client_key"),
        ("tiktok-ads", "app_id"),
        ("wix", "appId"),
        ("trello", "key"),
    ] {
        let query = query(&sent_to(id));
        assert_eq!(query[name], "client:1", "{id}");
        assert!(!query.contains_key("client_id"), "{id}");
    }
    // The exchange has names of its own.
    let catalog = shipped();
    let names = |id: &str| catalog.get(id).unwrap().token().unwrap().rename.clone();
    assert_eq!(names("tiktok-shop")["client_secret"], "app_secret");
    assert_eq!(names("tiktok-ads")["client_secret"], "secret");
}

#[tokio::test]
async fn a6_any_parameter_may_have_another_name() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.authorize]
url = "{peer}/authorize"
rename = { client_id = "appKey", redirect_uri = "redirectUri", response_type = "responseType", scope = "advanced_scopes", state = "customField" }
incremental = "merge"
[[scope]]
name = "a"
meaning = "a"
benefit = "so that it is tested"
default = true
"#,
    );
    let url = Leaving::default().to(&catalog, "made-up").unwrap();
    let mut told = query(&url);
    told.retain(|name, _| !name.starts_with("code_challenge"));
    let expected = [
        ("appKey", "client:1"),
        ("redirectUri", BACK),
        ("responseType", "code"),
        ("advanced_scopes", "a"),
        ("customField", STATE),
    ];
    assert_eq!(told, variables(&expected));
}

#[test]
fn a7_the_response_type_is_another_or_left_out() {
    for id in ["monday", "tiktok-ads", "github-app", "wix"] {
        assert!(!query(&sent_to(id)).contains_key("response_type"), "{id}");
    }
    let said = query(&sent_to("facebook"));
    assert_eq!(said["response_type"], "code granted_scopes");
    assert_eq!(query(&sent_to("trello"))["response_type"], "token");
    assert_eq!(query(&sent_to("github"))["response_type"], "code");
}

#[test]
fn a16_parameters_that_bring_a_refresh_token() {
    for (id, name, value) in [
        ("google-gmail", "access_type", "offline"),
        ("google-gmail", "prompt", "consent"),
        ("dropbox", "token_access_type", "offline"),
        ("reddit", "duration", "permanent"),
        ("squarespace", "access_type", "offline"),
        ("zoho", "access_type", "offline"),
        ("zoho", "prompt", "consent"),
    ] {
        assert_eq!(query(&sent_to(id))[name], value, "{id}");
    }
}

#[test]
fn a17_consent_is_asked_again_where_it_would_be_remembered() {
    let again = |id: &str| {
        let leaving = Leaving {
            reconsent: true,
            ..Leaving::default()
        };
        query(&leaving.to(&shipped(), id).unwrap())
    };
    for (id, name, value) in [
        ("google-drive", "prompt", "consent"),
        ("zoho", "prompt", "consent"),
        ("okta", "prompt", "consent"),
        ("dropbox", "force_reapprove", "true"),
        ("facebook", "auth_type", "rerequest"),
        ("tiktok", "disable_auto_auth", "1"),
        ("twitch", "force_verify", "true"),
    ] {
        assert_eq!(again(id)[name], value, "{id}");
    }
    // A first consent is not burdened with it where it comes by itself.
    assert!(!query(&sent_to("facebook")).contains_key("auth_type"));
}

#[test]
fn a18_fixed_parameters() {
    for (id, name, value) in [
        ("jira", "audience", "api.atlassian.com"),
        ("notion", "owner", "user"),
        ("sage", "filter", "apiv3.1"),
        ("square", "session", "false"),
        ("monday", "force_install_if_needed", "true"),
    ] {
        assert_eq!(query(&sent_to(id))[name], value, "{id}");
    }
    let leaving = Leaving {
        values: &[("store_hash", "abc123")],
        ..Leaving::default()
    };
    let url = leaving.to(&shipped(), "bigcommerce").unwrap();
    assert_eq!(query(&url)["context"], "stores/abc123");
}

#[tokio::test]
async fn a19_a_nonce_is_fresh_each_time() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.authorize]
url = "{peer}/authorize"
params = { nonce = "{random}" }
incremental = "merge"
no_scopes = "none"
"#,
    );
    let nonce = || {
        let url = Leaving::default().to(&catalog, "made-up").unwrap();
        query(&url)["nonce"].clone()
    };
    let (one, other) = (nonce(), nonce());
    assert!(one.len() >= 22 && one != other, "{one} {other}");
}

#[test]
fn a23_the_redirect_address_stays_away_where_settings_name_it() {
    for id in ["tiktok-shop", "github-app", "wix"] {
        let sent = query(&sent_to(id));
        assert!(!sent.contains_key("redirect_uri"), "{id}: {sent:?}");
    }
    assert_eq!(query(&sent_to("intercom"))["redirect_uri"], BACK);
}

#[test]
fn a24_an_address_the_provider_will_not_take_is_known() {
    let catalog = shipped();
    let refuses = |id: &str, address: &str| {
        let setup = catalog.get(id).unwrap().setup.as_ref().unwrap();
        setup.refuses(&format!("{address}/oauth/callback/{id}"))
    };
    for (id, here, localhost) in [
        // id, http://127.0.0.1, http://localhost
        ("spotify", false, true),
        ("canva", false, true),
        ("mailchimp", false, true),
        ("notion", true, false),
        ("freshbooks", true, true),
        ("quickbooks", true, true),
    ] {
        assert_eq!(refuses(id, "http://127.0.0.1:3000"), here, "{id}");
        assert_eq!(refuses(id, "http://localhost:3000"), localhost, "{id}");
        assert!(refuses(id, "http://hub.example"), "{id}");
        assert!(!refuses(id, "https://hub.example"), "{id}");
    }
    // Where nobody says, nobody is warned.
    assert!(!refuses("etsy", "http://localhost:3000"));
}

#[test]
fn a25_a_proof_key_is_sent_where_it_is_demanded() {
    for id in ["etsy", "airtable", "klaviyo", "x-twitter"] {
        let sent = query(&sent_to(id));
        assert_eq!(sent["code_challenge"], CHALLENGE, "{id}");
        assert_eq!(sent["code_challenge_method"], "S256", "{id}");
        let leaving = Leaving {
            without_verifier: true,
            ..Leaving::default()
        };
        assert!(leaving.to(&shipped(), id).is_err(), "{id}");
    }
}

#[tokio::test]
async fn a26_no_proof_key_where_it_breaks_the_flow() {
    let bench = Bench::start().await;
    let catalog = bench.entry("linkedin", &["www.linkedin.com"]);
    let url = Leaving::default().to(&catalog, "linkedin").unwrap();
    let sent = query(&url);
    assert!(!sent.keys().any(|name| name.starts_with("code_challenge")));
    // A verifier without a challenge before it makes the exchange fail.
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.exchange(&catalog, "linkedin").await.unwrap();
    assert!(!bench.seen()[0].form().contains_key("code_verifier"));
    each(|provider, url| {
        let off = provider.authorize().unwrap().pkce == Pkce::Off;
        let sent = query(&url);
        assert_eq!(!sent.contains_key("code_challenge"), off, "{}", provider.id);
    });
}

#[tokio::test]
async fn a27_a_proof_key_in_hexadecimal() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.authorize]
url = "{peer}/authorize"
pkce = "S256-hex"
incremental = "merge"
no_scopes = "none"
"#,
    );
    let url = Leaving::default().to(&catalog, "made-up").unwrap();
    // SHA-256 of the verifier of RFC 7636, appendix B.
    let hex = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3";
    assert_eq!(query(&url)["code_challenge"], hex);
}

#[tokio::test]
async fn a28_the_state_is_long_and_repeated_where_it_is_wanted() {
    // What a flow makes is 43 characters (see the suite); Airtable wants 16.
    assert!(Secret::random(32).expose().len() >= 32);
    let bench = Bench::start().await;
    let catalog = bench.entry("dropbox-sign", &["app.hellosign.com"]);
    let provider = catalog.get("dropbox-sign").unwrap();
    assert!(provider.token().unwrap().send_state);
    let exchange = async |catalog: &hub::catalog::Catalog, id: &str| {
        bench.will_answer(json(r#"{"access_token":"a"}"#));
        let brought = CallbackGrant {
            code: Secret::new("the-code"),
            state: Some(Secret::new(STATE)),
            variables: variables(&[]),
            account_hint: None,
            granted_scopes: None,
        };
        let verifier = Secret::new(VERIFIER);
        let provider = catalog.get(id).unwrap();
        let app = app();
        let none = variables(&[]);
        bench
            .dialect
            .exchange(provider, &app, &none, &brought, Some(&verifier), BACK)
            .await
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        bench.seen().pop().unwrap()
    };
    let seen = exchange(&catalog, "dropbox-sign").await;
    assert!(seen.body.contains(STATE), "{}", seen.body);
    let seen = exchange(&bench.made_up(""), "made-up").await;
    assert!(!seen.body.contains(STATE), "only where it is wanted");
}

#[test]
fn a34_a_new_consent_adds_or_replaces() {
    let catalog = shipped();
    let kind = |id: &str| catalog.get(id).unwrap().authorize().unwrap().incremental;
    for id in [
        "google-gmail",
        "dropbox",
        "microsoft",
        "facebook",
        "slack",
        "github",
    ] {
        assert_eq!(kind(id), Incremental::Merge, "{id}");
    }
    for id in ["shopify", "hubspot", "box"] {
        assert_eq!(kind(id), Incremental::Replace, "{id}");
    }
    assert_eq!(
        query(&sent_to("google-gmail"))["include_granted_scopes"],
        "true"
    );
    assert_eq!(query(&sent_to("dropbox"))["include_granted_scopes"], "user");
}
