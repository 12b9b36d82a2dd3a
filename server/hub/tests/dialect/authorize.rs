//! Sending a person away and reading what comes back.

use hub::{
    catalog::{Catalog, Variables},
    dialect::AuthorizeAsk,
    failure::FailureCode as Code,
    secret::Secret,
};

use crate::bench::*;

#[tokio::test]
async fn authorize_says_what_the_entry_says() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r##"
[oauth.authorize]
url = "{peer}/app/#/oauth/authorize"
rename = { client_id = "client_key", redirect_uri = "redirect_url" }
omit = ["response_type"]
params = { nonce = "{random}", prompt = "login" }
reconsent = { auth_type = "rerequest" }
login_hint = "user"
locale = "lang"
scope_separator = "+"
scope_separator_raw = true
incremental = "merge"
[[scope]]
name = "a b"
meaning = "a"
benefit = "so that it is tested"
default = true
[[scope]]
name = "me"
meaning = "a"
benefit = "so that it is tested"
param = "user_scope"
[[scope]]
name = "offline"
meaning = "a"
benefit = "so that it is tested"
technical = true
"##,
    );
    let (state, verifier) = (
        Secret::new("s&t"),
        Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    );
    let scopes = ["a b".to_owned(), "me".to_owned()];
    let mut ask = AuthorizeAsk {
        redirect_uri: "https://hub.example/cb?x=1",
        state: &state,
        verifier: Some(&verifier),
        scopes: &scopes,
        variables: &Variables::new(),
        login_hint: Some("a@b.example"),
        reconsent: true,
        locale: Some("de"),
    };
    let provider = catalog.get("made-up").unwrap();
    let url = bench.dialect.authorize_url(provider, &app(), &ask).unwrap();
    let text = url.as_str();
    assert!(
        text.starts_with(&format!(
            "http://{}/app/#/oauth/authorize?client_key=client%3A1&",
            bench.address
        )),
        "{text}"
    );
    assert!(
        text.contains("&redirect_url=https%3A%2F%2Fhub.example%2Fcb%3Fx%3D1&"),
        "{text}"
    );
    assert!(text.contains("&state=s%26t&"), "{text}");
    // The challenge of RFC 7636, appendix B.
    assert!(
        text.contains("&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&"),
        "{text}"
    );
    assert!(
        text.contains("&scope=offline+a%20b&") && text.contains("&user_scope=me&"),
        "{text}"
    );
    assert!(
        text.contains("&auth_type=rerequest&user=a%40b.example&lang=de"),
        "{text}"
    );
    assert!(!text.contains("response_type"), "{text}");
    let again = bench.dialect.authorize_url(provider, &app(), &ask).unwrap();
    assert_ne!(url, again, "the nonce is fresh");

    ask.verifier = None;
    assert!(bench.dialect.authorize_url(provider, &app(), &ask).is_err());
}

#[tokio::test]
async fn one_scope_means_the_widest() {
    let bench = Bench::start().await;
    let catalog = Catalog::embedded().unwrap();
    let state = Secret::new("s");
    let scopes = ["read_only".to_owned(), "read_write".to_owned()];
    let ask = AuthorizeAsk {
        redirect_uri: "https://hub.example/cb",
        state: &state,
        verifier: None,
        scopes: &scopes,
        variables: &Variables::new(),
        login_hint: None,
        reconsent: false,
        locale: None,
    };
    let url = bench
        .dialect
        .authorize_url(catalog.get("stripe-connect").unwrap(), &app(), &ask)
        .unwrap();
    assert!(url.as_str().contains("&scope=read_write&"), "{url}");

    let hostile = variables(&[("shop", "evil.example/")]);
    let ask = AuthorizeAsk {
        variables: &hostile,
        scopes: &[],
        ..ask
    };
    assert!(
        bench
            .dialect
            .authorize_url(catalog.get("shopify").unwrap(), &app(), &ask)
            .is_err()
    );
}

#[tokio::test]
async fn a_signed_callback_is_checked_to_the_last_character() {
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
async fn refusals_in_the_callback_are_understood() {
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
        ("github", "error=%3Cscript%3E", Code::HubInternal),
        ("github", "state=s", Code::FlowExpiredOrInvalid),
        ("github", "state=s&code=", Code::FlowExpiredOrInvalid),
        ("quickbooks", "code=c&state=s", Code::FlowExpiredOrInvalid),
        (
            "quickbooks",
            "code=c&state=s&realmId=1%2F..%2F2",
            Code::FlowExpiredOrInvalid,
        ),
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
    let quickbooks = catalog.get("quickbooks").unwrap();
    let query = pairs("code=c&state=s&realmId=4620816365");
    let grant = bench
        .dialect
        .read_callback(quickbooks, &app(), &Variables::new(), &query)
        .unwrap();
    assert_eq!(grant.variables["realmId"], "4620816365");
}
