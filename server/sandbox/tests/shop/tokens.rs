//! Token, revocation and introspection endpoints, and the API.

use crate::support::{Answer, CALLBACK, CLIENT, SECRET, Shop, VERIFIER};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode, header};
use sandbox::{Endpoint, Grace, Rotation, Rules, Scope, fingerprint};
use serde_json::json;

#[tokio::test]
async fn a_code_gives_tokens_with_their_lifetimes() {
    let shop = Shop::open().await;
    let tokens = shop.exchange(&shop.code().await).await;
    assert_eq!(tokens.status, StatusCode::OK);
    assert_eq!(tokens.body["expires_in"], 600);
    assert_eq!(tokens.body["refresh_token_expires_in"], 30 * 24 * 60 * 60);
    assert_eq!(
        (tokens.text("token_type"), tokens.text("scope")),
        ("Bearer", "shop.read orders.read orders.write")
    );
    assert_eq!(tokens.headers[header::CACHE_CONTROL], "no-store");
    shop.pass(599);
    assert!(shop.lives(tokens.text("access_token")).await);
    shop.pass(1);
    assert!(!shop.lives(tokens.text("access_token")).await);
}

#[tokio::test]
async fn a_code_belongs_to_its_request() {
    let shop = Shop::open().await;
    for (field, wrong) in [
        ("redirect_uri", "http://localhost:3000/callback?from=shop&"),
        (
            "code_verifier",
            "another-verifier-of-sufficient-length-0123456789",
        ),
        ("code", "sac_unknown"),
    ] {
        let code = shop.code().await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(name, _)| *name != field);
        let missing = shop.post("/oauth/token", &fields).await;
        assert!(
            missing.is_refused("invalid_request"),
            "{field}: {missing:?}"
        );
        fields.push((field, wrong));
        let refused = shop.post("/oauth/token", &fields).await;
        assert!(refused.is_refused("invalid_grant"), "{field}: {refused:?}");
    }
    let code = shop.code().await;
    shop.pass(60);
    assert!(
        shop.exchange(&code).await.is_refused("invalid_grant"),
        "expired"
    );
}

#[tokio::test]
async fn a_code_used_twice_revokes_what_it_gave() {
    let shop = Shop::open().await;
    let code = shop.code().await;
    let tokens = shop.exchange(&code).await;
    assert!(shop.lives(tokens.text("access_token")).await);
    assert!(shop.exchange(&code).await.is_refused("invalid_grant"));
    assert!(!shop.lives(tokens.text("access_token")).await);
    assert!(
        shop.refresh(tokens.text("refresh_token"))
            .await
            .is_refused("invalid_grant")
    );
    let calls = shop.sandbox.calls();
    assert_eq!(
        (
            calls.code_exchanges,
            calls.code_exchanges_ok,
            calls.code_reuse_detected
        ),
        (2, 1, 1)
    );
    assert_eq!(calls.families_revoked, 1);
}

#[tokio::test]
async fn clients_authenticate_by_basic_or_post_but_not_both() {
    let shop = Shop::open().await;
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = |secret: &str| {
        format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", CLIENT, encode(secret)))
        )
    };
    let refresh = |token: String| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token),
        ]
    };
    let ask = |authorization: String, token: String| {
        shop.request(Method::POST, "/oauth/token")
            .header("authorization", authorization)
            .form(&refresh(token))
            .send()
    };
    let token = shop.tokens().refresh_token.unwrap();
    let wrong = Answer::of(ask(basic("wrong"), token.clone()).await.unwrap()).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.is_refused("invalid_client"));
    assert!(
        wrong.headers[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .starts_with("Basic")
    );
    let right = Answer::of(ask(basic(SECRET), token.clone()).await.unwrap()).await;
    assert_eq!(right.status, StatusCode::OK, "{right:?}");

    let both = shop.form(
        "/oauth/token",
        &[("grant_type", "refresh_token"), ("refresh_token", &token)],
    );
    let both = Answer::of(
        both.header("authorization", basic(SECRET))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert!(both.is_refused("invalid_request"));
    let twice = shop
        .post(
            "/oauth/token",
            &[
                ("grant_type", "refresh_token"),
                ("grant_type", "refresh_token"),
            ],
        )
        .await;
    assert!(twice.is_refused("invalid_request"));
    let unknown = shop
        .post("/oauth/token", &[("grant_type", "password")])
        .await;
    assert!(unknown.is_refused("unsupported_grant_type"));
    let as_json = shop
        .request(Method::POST, "/oauth/token")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert!(Answer::of(as_json).await.is_refused("invalid_request"));
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::Off);
    let token = shop.tokens().refresh_token.unwrap();
    for _ in 0..3 {
        let answer = shop.refresh(&token).await;
        assert!(shop.lives(answer.text("access_token")).await);
        assert_eq!(answer.body.get("refresh_token"), None);
    }
    assert_eq!(
        shop.sandbox.calls().refresh_token_uses[&fingerprint(&token)],
        3
    );
    shop.pass(30 * 24 * 60 * 60);
    assert!(
        shop.refresh(&token).await.is_refused("invalid_grant"),
        "expired"
    );
}

#[tokio::test]
async fn strict_rotation_kills_the_family_on_reuse() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::STRICT);
    let bystander = shop.tokens();
    let first = shop.tokens().refresh_token.unwrap();
    let second = shop.refresh(&first).await;
    assert!(shop.lives(second.text("access_token")).await);
    assert!(shop.refresh(&first).await.is_refused("invalid_grant"));
    assert!(!shop.lives(second.text("access_token")).await);
    assert!(
        shop.refresh(second.text("refresh_token"))
            .await
            .is_refused("invalid_grant")
    );
    assert!(
        shop.lives(&bystander.access_token).await,
        "another grant of the same app and account"
    );
    let calls = shop.sandbox.calls();
    assert_eq!(
        (
            calls.refreshes,
            calls.refreshes_ok,
            calls.reuse_detected,
            calls.families_revoked
        ),
        (3, 1, 1, 1)
    );
}

#[tokio::test]
async fn without_reuse_detection_only_the_old_token_is_refused() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::On {
        grace: Grace::Seconds(0),
        reuse_detection: false,
    });
    let first = shop.tokens().refresh_token.unwrap();
    let second = shop.refresh(&first).await;
    assert!(shop.refresh(&first).await.is_refused("invalid_grant"));
    assert_eq!(
        shop.refresh(second.text("refresh_token")).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn within_its_grace_a_replaced_token_still_works() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::On {
        grace: Grace::Seconds(30),
        reuse_detection: true,
    });
    let first = shop.tokens().refresh_token.unwrap();
    let lost = shop.refresh(&first).await;
    shop.pass(29);
    let again = shop.refresh(&first).await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(shop.lives(lost.text("access_token")).await);
    shop.pass(1);
    assert!(
        shop.refresh(&first).await.is_refused("invalid_grant"),
        "the grace counts from the first use"
    );
    assert!(!shop.lives(again.text("access_token")).await);
}

#[tokio::test]
async fn the_other_grace_ends_when_a_replacement_is_used() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::On {
        grace: Grace::UntilReplacementUsed,
        reuse_detection: true,
    });
    let by_access = shop.tokens().refresh_token.unwrap();
    shop.refresh(&by_access).await;
    shop.pass(86_000);
    let again = shop.refresh(&by_access).await;
    assert!(
        shop.lives(again.text("access_token")).await,
        "this use ends the grace"
    );
    assert!(shop.refresh(&by_access).await.is_refused("invalid_grant"));

    let by_refresh = shop.tokens().refresh_token.unwrap();
    let second = shop.refresh(&by_refresh).await;
    assert_eq!(
        shop.refresh(second.text("refresh_token")).await.status,
        StatusCode::OK
    );
    assert!(shop.refresh(&by_refresh).await.is_refused("invalid_grant"));
}

#[tokio::test]
async fn parallel_refreshes_of_one_strict_token_give_one_success() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::STRICT);
    let token = shop.tokens().refresh_token.unwrap();
    let answers = futures::future::join_all((0..8).map(|_| shop.refresh(&token))).await;
    assert_eq!(
        answers
            .iter()
            .filter(|answer| answer.status == StatusCode::OK)
            .count(),
        1
    );
    assert_eq!(
        shop.sandbox.calls().refresh_token_uses[&fingerprint(&token)],
        8
    );
    assert!(shop.sandbox.grants().is_empty());
    assert_eq!(shop.sandbox.calls().families_revoked, 1);
}

#[tokio::test]
async fn a_refresh_may_narrow_scopes_but_not_widen_them() {
    let shop = Shop::open().await;
    let token = shop
        .sandbox
        .grant(CLIENT, "acc_maple", &[Scope::ShopRead, Scope::OrdersRead])
        .unwrap()
        .refresh_token;
    let ask = |scope: &'static str| {
        let token = token.clone().unwrap();
        let shop = &shop;
        async move {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", token.as_str()),
                ("scope", scope),
            ];
            shop.post("/oauth/token", &fields).await
        }
    };
    assert!(ask("orders.write").await.is_refused("invalid_scope"));
    let narrow = ask("orders.read").await;
    assert_eq!(narrow.text("scope"), "orders.read");
    let products = shop
        .api(Method::GET, "/api/products", narrow.text("access_token"))
        .await;
    assert!(products.is_refused("insufficient_scope"));
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_the_grant_and_an_access_token_only_itself() {
    let shop = Shop::open().await;
    let tokens = shop.tokens();
    let refresh_token = tokens.refresh_token.unwrap();
    assert_eq!(
        shop.post("/oauth/revoke", &[("token", &tokens.access_token)])
            .await
            .status,
        StatusCode::OK
    );
    assert!(!shop.lives(&tokens.access_token).await);
    let renewed = shop.refresh(&refresh_token).await;
    assert_eq!(
        shop.post("/oauth/revoke", &[("token", renewed.text("refresh_token"))])
            .await
            .status,
        StatusCode::OK
    );
    assert!(!shop.lives(renewed.text("access_token")).await);
    assert_eq!(
        shop.post("/oauth/revoke", &[("token", "unknown")])
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(shop.sandbox.calls().revocations, 3);
    assert_eq!(shop.sandbox.calls().families_revoked, 1);
}

#[tokio::test]
async fn another_client_can_neither_use_see_nor_revoke_a_token() {
    let shop = Shop::open().await;
    let tokens = shop.tokens();
    let refresh_token = tokens.refresh_token.as_deref().unwrap();
    shop.sandbox.register_client(sandbox::Client {
        id: "other".into(),
        ..crate::support::client(None)
    });
    let other = |path: &'static str, fields: Vec<(&'static str, String)>| {
        let mut all = vec![
            ("client_id", "other".to_owned()),
            ("client_secret", SECRET.to_owned()),
        ];
        all.extend(fields);
        let request = shop.request(Method::POST, path).form(&all);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let grant_type = ("grant_type", "refresh_token".to_owned());
    let used = other(
        "/oauth/token",
        vec![grant_type, ("refresh_token", refresh_token.to_owned())],
    )
    .await;
    assert!(used.is_refused("invalid_grant"));
    for token in [refresh_token, &tokens.access_token] {
        let seen = other("/oauth/introspect", vec![("token", token.to_owned())]).await;
        assert_eq!(seen.body, json!({"active": false}));
        assert_eq!(
            other("/oauth/revoke", vec![("token", token.to_owned())])
                .await
                .status,
            StatusCode::OK
        );
    }
    assert!(shop.lives(&tokens.access_token).await);
    assert_eq!(shop.refresh(refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn introspection_tells_what_a_token_is() {
    let shop = Shop::open().await;
    let tokens = shop.tokens();
    let access = shop
        .post("/oauth/introspect", &[("token", &tokens.access_token)])
        .await;
    assert_eq!(access.body["active"], true);
    assert_eq!(
        (access.text("sub"), access.text("client_id")),
        ("acc_maple", CLIENT)
    );
    assert_eq!(
        access.body["exp"],
        shop.sandbox.grants()[0]
            .access_expires_at
            .unwrap()
            .timestamp()
    );
    shop.sandbox.expire_all();
    assert_eq!(
        shop.post("/oauth/introspect", &[("token", &tokens.access_token)])
            .await
            .body,
        json!({"active": false})
    );
    let refresh_token = tokens.refresh_token.unwrap();
    assert_eq!(
        shop.post("/oauth/introspect", &[("token", &refresh_token)])
            .await
            .text("token_type"),
        "refresh_token"
    );
}

#[tokio::test]
async fn metadata_matches_the_issuer() {
    let shop = Shop::open().await;
    let metadata = Answer::of(shop.get("/.well-known/oauth-authorization-server").await).await;
    assert_eq!(metadata.text("issuer"), shop.url);
    assert_eq!(
        metadata.body["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(
        metadata.body["code_challenge_methods_supported"],
        json!(["S256"])
    );
}

#[tokio::test]
async fn the_api_wants_a_living_token_with_the_scope() {
    let shop = Shop::open().await;
    let none = Answer::of(shop.get("/api/me").await).await;
    assert_eq!(
        (none.status, &none.headers[header::WWW_AUTHENTICATE]),
        (
            StatusCode::UNAUTHORIZED,
            &header::HeaderValue::from_static("Bearer realm=\"Sandbox Shop\"")
        )
    );
    let dead = shop.api(Method::GET, "/api/me", "sat_dead").await;
    assert!(dead.is_refused("invalid_token"));
    assert!(
        dead.headers[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .contains("error=\"invalid_token\"")
    );

    let reader = shop
        .sandbox
        .grant(CLIENT, "acc_maple", &[Scope::OrdersRead])
        .unwrap()
        .access_token;
    let order = json!({"customer": "Kim", "total_cents": 990}).to_string();
    let post = |token: &str| {
        shop.request(Method::POST, "/api/orders")
            .bearer_auth(token)
            .body(order.clone())
            .send()
    };
    let refused = Answer::of(post(&reader).await.unwrap()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.headers[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .contains("scope=\"orders.write\"")
    );

    let writer = shop.tokens().access_token;
    let created = Answer::of(post(&writer).await.unwrap()).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let orders = shop.api(Method::GET, "/api/orders", &reader).await;
    assert_eq!(
        orders.body["orders"].as_array().unwrap().last(),
        Some(&created.body)
    );
    let elsewhere = shop
        .sandbox
        .grant(CLIENT, "acc_harbour", &[Scope::OrdersRead])
        .unwrap()
        .access_token;
    assert!(
        !shop.api(Method::GET, "/api/orders", &elsewhere).await.body["orders"]
            .as_array()
            .unwrap()
            .contains(&created.body)
    );
    assert_eq!(
        shop.sandbox.calls().access_token_uses[&fingerprint(&reader)],
        2
    );
}

#[tokio::test]
async fn the_log_names_secrets_by_fingerprint_only() {
    let shop = Shop::open().await;
    let token = shop.tokens().refresh_token.unwrap();
    shop.sandbox.set_rules(Rules {
        access_lifetime_s: 30,
        ..Rules::default()
    });
    let renewed = shop.refresh(&token).await;
    assert_eq!(renewed.body["expires_in"], 30);
    shop.lives(renewed.text("access_token")).await;
    let requests = shop.sandbox.take_requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.endpoint, request.status))
        .collect();
    assert_eq!(
        seen,
        [(Endpoint::Refresh, Some(200)), (Endpoint::Api, Some(200))]
    );
    assert_eq!(
        requests[0].parameters["refresh_token"],
        format!("sha256:{}", fingerprint(&token))
    );
    assert_eq!(
        (
            requests[0].parameters["client_id"].as_str(),
            requests[0].authentication
        ),
        (CLIENT, Some("post"))
    );
    let text = format!("{requests:?}{}", serde_json::to_string(&requests).unwrap());
    assert!(!text.contains(&token) && !text.contains(SECRET) && !text.contains("sat_"));
    assert!(shop.sandbox.take_requests().is_empty());
}
