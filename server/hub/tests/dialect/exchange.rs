//! The exchange of a code: requests and answers in every dialect.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use hub::{
    dialect::{Revocation, Tokens},
    failure::FailureCode as Code,
    secret::Secret,
};

use crate::bench::*;

#[tokio::test]
async fn the_exchange_repeats_what_was_asked_and_proves_the_app() {
    let bench = Bench::start().await;
    let catalog = bench.made_up("");
    bench.will_answer(json(r#"{"access_token":"a","refresh_token":"r","token_type":"bearer","expires_in":3600,"scope":"x y"}"#));
    let grant = bench.exchange(&catalog, "made-up").await.unwrap();
    assert_eq!(grant.access_token.expose(), "a");
    assert_eq!(grant.refresh_token.unwrap().expose(), "r");
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::hours(1)));
    assert_eq!(grant.scopes.unwrap(), ["x", "y"]);

    let seen = bench.seen();
    let [request] = seen.as_slice() else {
        panic!("one request")
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/token")
    );
    assert_eq!(
        request.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(request.header("accept"), "application/json");
    assert!(request.header("user-agent").starts_with("Linkwell/"));
    // RFC 6749 §2.3.1: both halves are form-encoded first.
    assert_eq!(
        request.header("authorization"),
        "Basic Y2xpZW50JTNBMTpodXNo"
    );
    let form = request.form();
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "the-code"),
        ("redirect_uri", "https://hub.example/cb"),
        ("code_verifier", "the-verifier"),
    ];
    assert_eq!(form, variables(&expected));
}

#[tokio::test]
async fn json_and_query_requests_with_other_names() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.token]
url = "{peer}/token/"
body = "json"
client_auth = "body"
rename = { client_id = "client_key" }
params = { grant_type = "authorized_code" }
headers = { x-version = "2" }
"#,
    );
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.exchange(&catalog, "made-up").await.unwrap();
    let seen = bench.seen();
    let body: BTreeMap<String, String> = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(seen[0].path, "/token/");
    assert_eq!(seen[0].header("x-version"), "2");
    assert_eq!(body["client_key"], "client:1");
    assert_eq!(body["client_secret"], "hush");
    assert_eq!(body["grant_type"], "authorized_code");

    let catalog = bench.made_up(
        "[oauth.token]\nurl = \"{peer}/token\"\nmethod = \"GET\"\nclient_auth = \"id_only\"\n",
    );
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    bench.exchange(&catalog, "made-up").await.unwrap();
    let seen = bench.seen();
    assert_eq!(seen[0].query["code"], "the-code");
    assert_eq!(seen[0].query["client_id"], "client:1");
    assert!(seen[0].body.is_empty() && !seen[0].query.contains_key("client_secret"));
}

#[tokio::test]
async fn github_answers_forms_and_errors_in_200() {
    let bench = Bench::start().await;
    let catalog = bench.entry("github", &["github.com", "api.github.com"]);
    bench.will_answer("access_token=gho_1&scope=repo%2Cgist&token_type=bearer");
    let grant = bench.exchange(&catalog, "github").await.unwrap();
    assert_eq!(grant.access_token.expose(), "gho_1");
    assert_eq!(grant.scopes.unwrap(), ["repo", "gist"]);
    assert_eq!(
        (grant.expires_at, grant.refresh_token.is_none()),
        (None, true)
    );

    bench.will_answer(json(r#"{"error":"bad_verification_code","error_description":"The code the-code is incorrect."}"#));
    let failure = failed(bench.exchange(&catalog, "github").await);
    assert_eq!(failure.code, Code::FlowExpiredOrInvalid);
    assert_eq!(failure.provider_text.unwrap(), "The code […] is incorrect.");

    bench.will_answer("error=incorrect_client_credentials");
    assert_eq!(
        failed(bench.exchange(&catalog, "github").await).code,
        Code::AppConfigInvalid
    );
}

#[tokio::test]
async fn stripe_names_the_account_with_the_token() {
    let bench = Bench::start().await;
    let catalog = bench.entry("stripe-connect", &["connect.stripe.com", "api.stripe.com"]);
    bench.will_answer(json(r#"{"access_token":"sk","stripe_user_id":"acct_1","scope":"read_only","refresh_token":"rt"}"#));
    let grant = bench.exchange(&catalog, "stripe-connect").await.unwrap();
    assert_eq!(grant.variables["stripe_user_id"], "acct_1");
    assert_eq!(grant.account.unwrap().id, "acct_1");

    bench.will_answer(json(
        r#"{"access_token":"sk","stripe_user_id":"acct_1/../x"}"#,
    ));
    let failure = failed(bench.exchange(&catalog, "stripe-connect").await);
    assert_eq!(failure.detail, "stripe_user_id_not_allowed");

    bench.seen();
    bench.will_answer(json(r#"{"stripe_user_id":"acct_1"}"#));
    let (token, values) = (
        Secret::new("sk"),
        variables(&[("stripe_user_id", "acct_1")]),
    );
    let tokens = Tokens {
        access_token: &token,
        refresh_token: None,
    };
    let provider = catalog.get("stripe-connect").unwrap();
    assert_eq!(
        bench
            .dialect
            .revoke(provider, &app(), &values, &tokens)
            .await,
        Revocation::Revoked
    );
    let seen = bench.seen();
    assert_eq!(seen[0].header("authorization"), "Basic aHVzaDo=");
    assert_eq!(
        seen[0].form(),
        variables(&[("client_id", "client:1"), ("stripe_user_id", "acct_1")])
    );
}

#[tokio::test]
async fn nested_tokens_and_a_second_step() {
    let bench = Bench::start().await;
    let catalog = bench.made_up(
        r#"
[oauth.answer]
success = { at = "/code", is = "0" }
access_token = "/data/0/token"
refresh_token = "/data/0/refresh"
errors = ["/code"]
[oauth.extend]
url = "{peer}/long"
method = "GET"
client_auth = "body"
params = { fb_exchange_token = "{access_token}" }
"#,
    );
    bench.will_answer(json(
        r#"{"code":0,"data":[{"token":"short","refresh":"r"}]}"#,
    ));
    bench.will_answer(json(
        r#"{"code":0,"data":[{"token":"long"}],"expires_in":5184000}"#,
    ));
    let grant = bench.exchange(&catalog, "made-up").await.unwrap();
    assert_eq!(grant.access_token.expose(), "long");
    assert_eq!(grant.refresh_token.unwrap().expose(), "r");
    assert_eq!(grant.expires_at, Some(bench.now() + TimeDelta::days(60)));
    let seen = bench.seen();
    assert_eq!(
        (
            seen[1].path.as_str(),
            seen[1].query["fb_exchange_token"].as_str()
        ),
        ("/long", "short")
    );
}

#[tokio::test]
async fn lifetimes_in_every_dialect() {
    let bench = Bench::start().await;
    let now = bench.now();
    let seconds = |n| Some(now + TimeDelta::seconds(n));
    let cases = [
        (r#""expires_in":3600"#, seconds(3600)),
        (r#""expires_in":"3600""#, seconds(3600)),
        (
            r#""expires_in":3600.5"#,
            Some(now + TimeDelta::milliseconds(3_600_500)),
        ),
        (r#""expires_in":0"#, None),
        (r#""expires_in":null"#, None),
        (r#""expires_in":-1"#, None),
        (r#""expires_in":"never""#, None),
        (r#""expires_in":9223372036854775807"#, None),
        (r#""expires_in":1e300"#, None),
        (r#""expires_at":"2026-11-20T12:00:00Z""#, seconds(7200)),
        (
            r#""expires_at":1795176000"#,
            Some(DateTime::from_timestamp(1_795_176_000, 0).unwrap()),
        ),
        (
            r#""expires_at":"1795176000.25""#,
            Some(DateTime::from_timestamp_millis(1_795_176_000_250).unwrap()),
        ),
        (
            r#""expires_at":1795176000000"#,
            Some(DateTime::from_timestamp(1_795_176_000, 0).unwrap()),
        ),
        (r#""expires_at":"soon""#, None),
        (r#""x":1"#, None),
    ];
    let catalog = bench.made_up("");
    for (field, expected) in cases {
        bench.will_answer(json(&format!(r#"{{"access_token":"a",{field}}}"#)));
        let grant = bench.exchange(&catalog, "made-up").await.unwrap();
        assert_eq!(grant.expires_at, expected, "{field}");
    }
    for (unit, expected) in [
        ("milliseconds", seconds(60)),
        ("minutes", seconds(3_600_000)),
    ] {
        let catalog = bench.made_up(&format!("[oauth.answer]\nexpires_unit = \"{unit}\"\n"));
        bench.will_answer(json(r#"{"access_token":"a","expires_in":60000}"#));
        assert_eq!(
            bench
                .exchange(&catalog, "made-up")
                .await
                .unwrap()
                .expires_at,
            expected,
            "{unit}"
        );
    }
    let catalog = bench.made_up("[oauth.answer]\nlifetime_if_unsaid = \"2h\"\n");
    bench.will_answer(json(r#"{"access_token":"a"}"#));
    assert_eq!(
        bench
            .exchange(&catalog, "made-up")
            .await
            .unwrap()
            .expires_at,
        seconds(7200)
    );
    bench.will_answer(json(r#"{"access_token":"a","expires_in":0}"#));
    assert_eq!(
        bench
            .exchange(&catalog, "made-up")
            .await
            .unwrap()
            .expires_at,
        None,
        "0 is not unsaid"
    );
}
