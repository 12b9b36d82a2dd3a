//! Faults, the control API, webhooks, and a restart.

use std::time::{Duration, Instant};

use crate::support::{Answer, Shop, client};
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode, header};
use sandbox::{
    Endpoint, ExpiresIn, Fault, FaultKind, Faults, Garbage, RetryAfter, Rotation, Rules, Sandbox,
    Settings, Webhook,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

#[tokio::test]
async fn a_fault_happens_where_and_as_often_as_it_says() {
    let shop = Shop::open().await;
    let token = shop.tokens();
    shop.sandbox.set_faults(
        Fault::rate_limited(30)
            .at(Endpoint::Refresh)
            .times(2)
            .into(),
    );
    assert!(shop.lives(&token.access_token).await);
    let refresh_token = token.refresh_token.unwrap();
    for _ in 0..2 {
        let answer = shop.refresh(&refresh_token).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers[header::RETRY_AFTER], "30");
    }
    assert_eq!(shop.sandbox.faults(), Faults::default());
    assert_eq!(shop.refresh(&refresh_token).await.status, StatusCode::OK);
    assert_eq!(
        (
            shop.sandbox.calls().refreshes,
            shop.sandbox.calls().refreshes_ok
        ),
        (3, 1)
    );
}

#[tokio::test]
async fn answers_in_place_of_the_work() {
    let shop = Shop::open().await;
    let token = shop.tokens().access_token;
    let me = |kind: FaultKind| {
        shop.sandbox.set_faults(Fault::new(kind).into());
        shop.request(Method::GET, "/api/me")
            .bearer_auth(&token)
            .send()
    };
    assert_eq!(
        me(FaultKind::ServerError { status: 503 })
            .await
            .unwrap()
            .status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let dated = me(FaultKind::RateLimit {
        retry_after: RetryAfter::Date(90),
    })
    .await
    .unwrap();
    assert_eq!(
        dated.headers()[header::RETRY_AFTER],
        "Wed, 01 May 2030 12:01:30 GMT"
    );
    let unsaid = me(FaultKind::RateLimit {
        retry_after: RetryAfter::Unsaid,
    })
    .await
    .unwrap();
    assert!(!unsaid.headers().contains_key(header::RETRY_AFTER));

    let html = me(FaultKind::Garbage(Garbage::Html)).await.unwrap();
    assert_eq!(html.status(), StatusCode::OK);
    assert!(
        html.text()
            .await
            .unwrap()
            .contains("closed for maintenance")
    );
    let truncated = me(FaultKind::Garbage(Garbage::Truncated))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(
        serde_json::from_slice::<Value>(&truncated)
            .unwrap_err()
            .is_eof()
    );
    let huge = me(FaultKind::Garbage(Garbage::Huge))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(huge.len(), 64 * 1024 * 1024 + 2);
    let deep = me(FaultKind::Garbage(Garbage::Deep))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(
        serde_json::from_slice::<Value>(&deep)
            .unwrap_err()
            .to_string()
            .contains("recursion limit")
    );

    let redirect = me(FaultKind::Redirect {
        to: "http://elsewhere.test/".into(),
    })
    .await
    .unwrap();
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        redirect.headers()[header::LOCATION],
        "http://elsewhere.test/"
    );
}

#[tokio::test]
async fn a_cut_connection_loses_an_answer_whose_work_was_done() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::STRICT);
    let token = shop.tokens().refresh_token.unwrap();
    shop.sandbox.set_faults(
        Fault::cut_connection()
            .at(Endpoint::Refresh)
            .times(1)
            .into(),
    );
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
    ];
    let lost = shop.form("/oauth/token", &fields).send().await;
    assert!(lost.is_err(), "not even a status arrives");
    assert_eq!(shop.sandbox.calls().refreshes_ok, 1);
    assert_eq!(shop.sandbox.take_requests()[0].status, None);
    assert!(
        shop.refresh(&token).await.is_refused("invalid_grant"),
        "the rotation is lost"
    );
    assert_eq!(shop.sandbox.calls().reuse_detected, 1);
}

#[tokio::test]
async fn a_slow_shop_works_at_once_and_answers_late() {
    let shop = Shop::open().await;
    let token = shop.tokens().refresh_token.unwrap();
    shop.sandbox.set_faults(Fault::slow(60_000).into());
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
    ];
    let began = Instant::now();
    let impatient = shop
        .form("/oauth/token", &fields)
        .timeout(Duration::from_millis(300))
        .send()
        .await;
    assert!(impatient.unwrap_err().is_timeout() && began.elapsed() >= Duration::from_millis(300));
    assert_eq!(shop.sandbox.calls().refreshes_ok, 1);
    shop.sandbox.set_faults(Fault::slow(50).into());
    let began = Instant::now();
    assert_eq!(shop.refresh(&token).await.status, StatusCode::OK);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn odd_token_answers() {
    let shop = Shop::open().await;
    shop.rotate(Rotation::STRICT);
    let token = shop.tokens().refresh_token.unwrap();
    shop.sandbox
        .set_faults(Fault::new(FaultKind::NoRefreshToken).times(1).into());
    let without = shop.refresh(&token).await;
    assert_eq!(without.body.get("refresh_token"), None);
    let mut token = shop.refresh(&token).await.text("refresh_token").to_owned();
    for (odd, expected) in [
        (ExpiresIn::Missing, Value::Null),
        (ExpiresIn::Zero, json!(0)),
        (ExpiresIn::Huge, json!(9_007_199_254_740_991_u64)),
        (ExpiresIn::Text, json!("600")),
    ] {
        shop.sandbox
            .set_faults(Fault::new(FaultKind::ExpiresIn(odd)).into());
        let answer = shop.refresh(&token).await;
        assert_eq!(answer.body["expires_in"], expected, "{odd:?}");
        assert!(shop.lives(answer.text("access_token")).await);
        token = answer.text("refresh_token").to_owned();
    }
    shop.sandbox.set_faults(Fault::invalid_client().into());
    let refused = shop.refresh(&token).await;
    assert_eq!(
        (refused.status, refused.text("error")),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
}

#[tokio::test]
async fn revoking_and_expiring_everything() {
    let shop = Shop::open().await;
    let (one, two) = (shop.tokens(), shop.tokens());
    let refresh_token = two.refresh_token.unwrap();
    let expired = shop
        .request(Method::POST, "/control/expire-all")
        .send()
        .await
        .unwrap();
    assert_eq!(Answer::of(expired).await.body, json!({"expired": 2}));
    assert!(!shop.lives(&one.access_token).await && !shop.lives(&two.access_token).await);
    assert_eq!(shop.refresh(&refresh_token).await.status, StatusCode::OK);
    let revoked = shop
        .request(Method::POST, "/control/revoke-all")
        .send()
        .await
        .unwrap();
    assert_eq!(Answer::of(revoked).await.body, json!({"revoked": 2}));
    assert!(
        shop.refresh(&refresh_token)
            .await
            .is_refused("invalid_grant")
    );
    assert_eq!(
        shop.sandbox.calls().reuse_detected,
        0,
        "a revoked grant is not a reuse"
    );
}

#[tokio::test]
async fn the_control_api_is_strict_about_what_it_is_told() {
    let shop = Shop::open().await;
    let put = |path: &str, body: Value| {
        shop.request(Method::PUT, path)
            .body(body.to_string())
            .send()
    };
    let faults = json!([
        {"kind": {"slow": {"ms": 5}}, "at": ["api", "refresh"], "times": 3},
        {"kind": "cut_connection"},
        {"kind": {"garbage": "html"}},
        {"kind": {"rate_limit": {"retry_after": {"date": 5}}}},
        {"kind": {"refuse": {"error": "access_denied"}}, "at": ["authorize"]},
        {"kind": {"grant_only": {"scopes": ["orders.read"]}}},
    ]);
    assert_eq!(
        put("/control/faults", faults.clone())
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    let stored: Value = Answer::of(shop.get("/control/faults").await).await.body;
    assert_eq!(
        serde_json::from_value::<Faults>(stored).unwrap(),
        serde_json::from_value(faults).unwrap()
    );
    for mistake in [
        json!([{"kind": "cut_conection"}]),
        json!([{"kind": "cut_connection", "time": 1}]),
        json!([{"kind": "wrong_issuer", "at": ["api"]}]),
        json!([{"kind": {"server_error": {"status": 404}}}]),
        json!([{"kind": {"sign_in_as": {"account": "nobody"}}}]),
    ] {
        let answer = put("/control/faults", mistake.clone()).await.unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{mistake}"
        );
    }
    assert_eq!(
        shop.sandbox.faults().list.len(),
        6,
        "mistakes change nothing"
    );

    let rules = json!({"access_lifetime_s": 5, "rotation": {"on": {"grace": {"seconds": 9}, "reuse_detection": false}}});
    assert_eq!(
        put("/control/rules", rules).await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(shop.sandbox.rules().access_lifetime_s, 5);
    assert_eq!(
        put("/control/rules", json!({"rotation": "sometimes"}))
            .await
            .unwrap()
            .status(),
        422
    );
    shop.request(Method::POST, "/control/reset")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (shop.sandbox.faults(), shop.sandbox.rules()),
        (Faults::default(), Rules::default())
    );
}

#[tokio::test]
async fn the_control_page_and_its_buttons() {
    let shop = Shop::open().await;
    let token = shop.tokens().access_token;
    let press =
        |path: &str, fields: &[(&str, &str)]| shop.request(Method::POST, path).form(fields).send();
    let pressed = press("/control/scenarios/shop-down", &[]).await.unwrap();
    assert_eq!(
        (pressed.status(), &pressed.headers()[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/control".parse().unwrap())
    );
    assert_eq!(
        shop.api(Method::GET, "/api/me", &token).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    press(
        "/control/faults",
        &[("fault", "cut"), ("at", "api"), ("times", "2")],
    )
    .await
    .unwrap();
    let page = shop.get("/control").await.text().await.unwrap();
    for expected in [
        "2 faults are active",
        "503, out of service",
        "API, 2 times",
        "My app · Maple &amp; Co.",
        "/api/me",
    ] {
        assert!(page.contains(expected), "{expected} is not on the page");
    }
    press("/control/faults/1/remove", &[]).await.unwrap();
    assert_eq!(shop.sandbox.faults(), Fault::server_error(503).into());
    press("/control/scenarios/normal", &[]).await.unwrap();
    assert!(shop.lives(&token).await);
    press(
        "/control/rules",
        &[
            ("access_lifetime_s", "90"),
            ("rotation", "strict"),
            ("auto_approve", "acc_maple"),
        ],
    )
    .await
    .unwrap();
    let rules = shop.sandbox.rules();
    assert_eq!(
        (rules.access_lifetime_s, rules.rotation),
        (90, Rotation::STRICT)
    );
    let grant = shop.sandbox.grants().remove(0).id;
    press(&format!("/control/grants/{grant}/revoke"), &[])
        .await
        .unwrap();
    assert!(!shop.lives(&token).await);
}

#[tokio::test]
async fn other_sites_cannot_press_the_buttons() {
    let shop = Shop::open().await;
    let token = shop.tokens().access_token;
    let own = shop.url.clone();
    for (headers, allowed) in [
        (vec![("sec-fetch-site", "cross-site")], false),
        (vec![("sec-fetch-site", "same-site")], false),
        (vec![("origin", "http://evil.test")], false),
        (vec![("origin", "null")], false),
        (
            vec![
                ("host", "evil.test"),
                ("origin", "http://evil.test"),
                ("sec-fetch-site", "same-origin"),
            ],
            false,
        ),
        (
            vec![("sec-fetch-site", "same-origin"), ("origin", own.as_str())],
            true,
        ),
        (vec![("origin", own.as_str())], true),
        (vec![], true),
    ] {
        let mut request = shop
            .request(Method::POST, "/control/scenarios/deny-consent")
            .form(&[("a", "b")]);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let status = request.send().await.unwrap().status();
        assert_eq!(
            status == StatusCode::SEE_OTHER,
            allowed,
            "{headers:?}: {status}"
        );
        assert_eq!(
            !shop.sandbox.faults().list.is_empty(),
            allowed,
            "{headers:?}"
        );
        shop.sandbox.set_faults(Faults::default());
    }
    let rebound = shop
        .request(Method::GET, "/control/grants")
        .header("host", "evil.test")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    assert!(shop.lives(&token).await);
}

#[tokio::test]
async fn removal_is_announced_by_a_signed_webhook() {
    let shop = Shop::open().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    let app = Router::new().route(
        "/hook",
        post(move |headers: HeaderMap, body: Bytes| async move {
            sender.send((headers, body)).map_err(|_| StatusCode::GONE)
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    shop.sandbox.register_client(client(Some(Webhook {
        url,
        secret: "hook secret".into(),
    })));

    shop.tokens();
    let remove = shop
        .request(Method::POST, "/account/remove")
        .header("cookie", "sandbox_shop_account=acc_maple");
    remove
        .form(&[("client_id", crate::support::CLIENT)])
        .send()
        .await
        .unwrap();
    let (headers, body) = received.recv().await.unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&event["type"], &event["account_id"]),
        (&json!("app.uninstalled"), &json!("acc_maple"))
    );
    let signature = headers["sandbox-signature"].to_str().unwrap();
    let (time, signature) = signature
        .strip_prefix("t=")
        .unwrap()
        .split_once(",v1=")
        .unwrap();
    assert_eq!(time, shop.now().timestamp().to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hook secret").unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(&body);
    let expected: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(signature, expected);

    shop.tokens();
    shop.sandbox.revoke_all();
    let (_, body) = received.recv().await.unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap()["type"],
        "grant.revoked"
    );
}

#[tokio::test]
async fn grants_survive_a_restart_and_the_file_holds_no_secret() {
    let directory = std::env::temp_dir().join(format!("sandbox-shop-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("state.json");
    let shop = Shop::open_with(Some(file.clone())).await;
    let code = shop.code().await;
    let tokens = shop.exchange(&code).await;
    let dead = shop.tokens();
    shop.post(
        "/oauth/revoke",
        &[("token", dead.refresh_token.as_deref().unwrap())],
    )
    .await;
    let written = std::fs::read_to_string(&file).unwrap();
    for secret in [
        tokens.text("access_token"),
        tokens.text("refresh_token"),
        code.as_str(),
        crate::support::SECRET,
    ] {
        assert!(!written.contains(secret));
    }

    let again = Shop::open_with(Some(file.clone())).await;
    assert_eq!(again.sandbox.grants(), shop.sandbox.grants());
    assert!(again.lives(tokens.text("access_token")).await);
    assert!(!again.lives(&dead.access_token).await);
    assert_eq!(
        again.refresh(tokens.text("refresh_token")).await.status,
        StatusCode::OK
    );
    assert!(
        again.exchange(&code).await.is_refused("invalid_grant"),
        "a used code stays used"
    );
    assert!(
        !again.lives(tokens.text("access_token")).await,
        "and still revokes what it gave"
    );

    std::fs::write(&file, "{ half").unwrap();
    let settings = Settings {
        public_url: "http://localhost".parse().unwrap(),
        state_file: Some(file),
        clock: std::sync::Arc::new(|| "2030-05-01T12:00:00Z".parse().unwrap()),
    };
    assert!(Sandbox::open(settings).is_err_and(|error| error.to_string().contains("state.json")));
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn the_dead_are_forgotten_in_time() {
    let shop = Shop::open().await;
    let tokens = shop.tokens();
    shop.lives(&tokens.access_token).await;
    assert_eq!(shop.sandbox.calls().access_token_uses.len(), 1);
    shop.pass(600 + 24 * 60 * 60);
    shop.tokens();
    assert_eq!(shop.sandbox.calls().access_token_uses.len(), 0);
    assert_eq!(
        shop.refresh(&tokens.refresh_token.unwrap()).await.status,
        StatusCode::OK,
        "not dead yet"
    );
}
