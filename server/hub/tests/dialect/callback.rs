//! What comes back with a person: rows A11, A35, B1, B4, B5, B7 and B10.

use hub::{
    catalog::{Catalog, Variables},
    failure::FailureCode as Code,
};

use crate::bench::*;

#[tokio::test]
async fn b4_a_signed_callback_is_checked_to_the_last_character() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let shopify = catalog.get("shopify").unwrap();
    let read = |shop: &str, query: &str| {
        bench.dialect.read_callback(
            shopify,
            &app(),
            &variables(&[("shop", shop)]),
            &pairs(query),
        )
    };
    // The example of Shopify's own documentation, signed with "hush".
    let good = "code=0907a61c0c8d55e99db179b68161bc00\
        &hmac=700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf\
        &shop=some-shop.myshopify.com&state=0.6784241404160823&timestamp=1337178173";
    let grant = read("some-shop", good).unwrap();
    assert_eq!(grant.code.expose(), "0907a61c0c8d55e99db179b68161bc00");

    let cases = [
        (good.replace("4bf", "4be"), "signature_mismatch"),
        (
            good.replace("timestamp=1337178173", "timestamp=1337178174"),
            "signature_mismatch",
        ),
        (good.replace("some-shop", "some-shoq"), "signature_mismatch"),
        (format!("{good}&extra=1"), "signature_mismatch"),
        (good.replace("hmac=", "hmak="), "signature_missing"),
        (
            format!("{good}&shop=other.myshopify.com"),
            "parameter_repeated",
        ),
    ];
    for (query, detail) in cases {
        let failure = failed(read("some-shop", &query));
        assert_eq!(
            (failure.code, failure.detail.as_str()),
            (Code::FlowExpiredOrInvalid, detail),
            "{query}"
        );
    }
    let failure = failed(read("another-shop", good));
    assert_eq!(
        (failure.code, failure.detail.as_str()),
        (Code::AccountOrTargetMismatch, "shop_mismatch")
    );
}

#[tokio::test]
async fn the_issuer_must_be_there_and_equal() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded()
        .unwrap()
        .with_global("sandbox_origin", "http://localhost:3001");
    let sandbox = catalog.get("sandbox").unwrap();
    let read = |query: &str| {
        bench
            .dialect
            .read_callback(sandbox, &app(), &Variables::new(), &pairs(query))
    };
    assert!(read("code=c&state=s&iss=http://localhost:3001").is_ok());
    let cases = [
        ("", "iss_missing"),
        ("&iss=", "iss_mismatch"),
        ("&iss=http://localhost:3001/", "iss_mismatch"),
        ("&iss=http://localhost:300", "iss_mismatch"),
        ("&iss=http://localhost:3001.evil.example", "iss_mismatch"),
        ("&iss=HTTP://localhost:3001", "iss_mismatch"),
        (
            "&iss=http://localhost:3001&iss=http://localhost:3001",
            "parameter_repeated",
        ),
    ];
    for (iss, detail) in cases {
        for outcome in ["code=c", "error=access_denied"] {
            let failure = failed(read(&format!("{outcome}&state=s{iss}")));
            assert_eq!(
                (failure.code, failure.detail.as_str()),
                (Code::FlowExpiredOrInvalid, detail),
                "{iss}"
            );
        }
    }
}

#[tokio::test]
async fn b7_errors_under_other_names_are_understood() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let cases = [
        (
            "google-gmail",
            "error=access_denied",
            Code::ConsentDeniedOrAbandoned,
        ),
        (
            "google-drive",
            "error=admin_policy_enforced",
            Code::AdminApprovalRequired,
        ),
        (
            "github",
            "error=redirect_uri_mismatch&error_description=x",
            Code::AppConfigInvalid,
        ),
        ("slack", "error=invalid_scope", Code::AppConfigInvalid),
        (
            "quickbooks",
            "error=temporarily_unavailable",
            Code::ProviderLimitedOrDown,
        ),
        (
            "microsoft",
            "error=access_denied&error_description=AADSTS90094%3A+admin",
            Code::AdminApprovalRequired,
        ),
        (
            "microsoft",
            "error=access_denied&error_subcode=cancel",
            Code::ConsentDeniedOrAbandoned,
        ),
        (
            "microsoft",
            "error=invalid_request&error_description=AADSTS50011%3A+reply",
            Code::AppConfigInvalid,
        ),
        (
            "facebook",
            "error=access_denied&error_code=200&error_reason=user_denied",
            Code::ConsentDeniedOrAbandoned,
        ),
        (
            "facebook",
            "error_code=200&error_message=Permissions+error",
            Code::ConsentDeniedOrAbandoned,
        ),
        (
            "linkedin",
            "error=user_cancelled_login",
            Code::ConsentDeniedOrAbandoned,
        ),
        (
            "tiktok",
            "error_type=access_denied",
            Code::ConsentDeniedOrAbandoned,
        ),
        ("github", "error=%3Cscript%3E", Code::HubInternal),
        ("github", "state=s", Code::FlowExpiredOrInvalid),
        ("github", "state=s&code=", Code::FlowExpiredOrInvalid),
    ];
    for (id, query, code) in cases {
        let provider = catalog.get(id).unwrap();
        let failure = failed(bench.dialect.read_callback(
            provider,
            &app(),
            &Variables::new(),
            &pairs(query),
        ));
        assert_eq!(failure.code, code, "{id} {query}: {failure:?}");
        assert!(!failure.detail.contains(['<', '>']), "{failure:?}");
    }
    // WooCommerce says it in a number.
    let woocommerce = catalog.get("woocommerce-connect").unwrap();
    let read = |query: &str| {
        let none = Variables::new();
        bench
            .dialect
            .read_callback(woocommerce, &app(), &none, &pairs(query))
    };
    let failure = failed(read("success=0&user_id=s&state=s"));
    assert_eq!(failure.code, Code::ConsentDeniedOrAbandoned);
    assert!(read("success=1&user_id=s&state=s").is_ok());
}

#[test]
fn b1_the_code_has_another_name() {
    let catalog = shipped();
    for (id, name, more, detail) in [
        (
            "amazon-selling-partner",
            "spapi_oauth_code",
            "&selling_partner_id=A3FHEXAMPLE",
            "code_missing",
        ),
        ("tiktok-ads", "auth_code", "", "code_missing"),
        // Nobody documents how a no looks there.
        ("trello", "token", "", "nothing_brought"),
    ] {
        let provider = catalog.get(id).unwrap();
        let read = |query: &str| {
            dialect().read_callback(provider, &app(), &Variables::new(), &pairs(query))
        };
        let grant = read(&format!("{name}=the-code&code=another&state=s{more}")).unwrap();
        assert_eq!(grant.code.expose(), "the-code", "{id}");
        let failure = failed(read(&format!("code=another&state=s{more}")));
        assert_eq!(failure.detail, detail, "{id}");
    }
}

#[test]
fn b5_a_code_is_cleaned_before_it_is_exchanged() {
    let catalog = shipped();
    let code = |id: &str, query: &str| {
        let provider = catalog.get(id).unwrap();
        let grant = dialect().read_callback(provider, &app(), &Variables::new(), &pairs(query));
        grant.unwrap().code.expose().to_owned()
    };
    // Encoded once more than the query is.
    assert_eq!(code("tiktok", "code=a%252Ab%252B%2B!4&state=s"), "a*b++!4");
    assert_eq!(code("instagram-login", "code=AQB_x%23_&state=s"), "AQB_x");
    assert_eq!(code("threads", "code=AQB_x%23_&state=s"), "AQB_x");
    // Others are left as they are.
    assert_eq!(code("github", "code=a%252Ab%23_&state=s"), "a%2Ab#_");
}

#[test]
fn b10_the_callback_names_the_granted_scopes_already() {
    let catalog = shipped();
    for (id, given, query, expected) in [
        (
            "tiktok",
            None,
            "scopes=user.info.basic%2Cvideo.list",
            ["user.info.basic", "video.list"],
        ),
        (
            "facebook",
            None,
            "granted_scopes=pages_show_list%2Cpages_manage_posts&denied_scopes=",
            ["pages_show_list", "pages_manage_posts"],
        ),
        (
            "bigcommerce",
            Some(("store_hash", "abc123")),
            "context=stores%2Fabc123&scope=store_v2_orders+store_v2_products",
            ["store_v2_orders", "store_v2_products"],
        ),
    ] {
        let provider = catalog.get(id).unwrap();
        let values = variables(given.as_slice());
        let query = pairs(&format!("code=c&state=s&{query}"));
        let grant = dialect().read_callback(provider, &app(), &values, &query);
        assert_eq!(grant.unwrap().granted_scopes.unwrap(), expected, "{id}");
    }
}

#[tokio::test]
async fn a11_an_answer_may_separate_scopes_otherwise_than_the_question() {
    let bench = Bench::start().await;
    let answered = async |id: &str, hosts: &[&str], scope: &str| {
        let catalog = bench.entry(id, hosts);
        let scope = serde_json::to_string(scope).unwrap();
        bench.will_answer(json(&format!(r#"{{"access_token":"a","scope":{scope}}}"#)));
        let grant = bench.exchange(&catalog, id).await;
        grant.unwrap_or_else(|failure| panic!("{failure:?}")).scopes
    };
    // Asked with a blank, answered with a comma; and the other way round.
    let github = ["github.com", "api.github.com"];
    for told in ["repo,gist", "repo gist", "repo, gist", " repo ,gist,"] {
        let scopes = answered("github", &github, told).await.unwrap();
        assert_eq!(scopes, ["repo", "gist"], "{told}");
    }
    let shopify = ["{shop}.myshopify.com"];
    for told in ["read_products,read_orders", "read_products read_orders"] {
        let scopes = answered("shopify", &shopify, told).await.unwrap();
        assert_eq!(scopes, ["read_products", "read_orders"], "{told}");
    }
}

#[tokio::test]
async fn a35_the_person_may_grant_less() {
    let bench = Bench::start().await;
    let catalog = bench.entry("google", &["oauth2.googleapis.com"]);
    let drive = catalog.get("google-drive").unwrap();
    let asked = drive.default_scopes();
    bench.will_answer(json(
        r#"{"access_token":"a","refresh_token":"r","expires_in":3599,"scope":"openid https://www.googleapis.com/auth/userinfo.email"}"#,
    ));
    let grant = bench.exchange(&catalog, "google-drive").await.unwrap();
    let missing = drive.missing_scopes(&asked, &grant.scopes.unwrap());
    // The address of the account was granted, under its other name.
    assert!(asked.contains(&"email".to_owned()));
    assert_eq!(missing, ["https://www.googleapis.com/auth/drive.file"]);

    // Shopify leaves out what a wider scope implies: that is no refusal.
    let shopify = shipped();
    let shopify = shopify.get("shopify").unwrap();
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let asked = owned(&["read_products", "write_products", "read_orders"]);
    let missing = shopify.missing_scopes(&asked, &owned(&["write_products"]));
    assert_eq!(missing, ["read_orders"]);
}
