//! The authorization endpoint and the account's own pages.

use crate::support::{CALLBACK, Shop, sent_back};
use reqwest::{Method, StatusCode, header};
use sandbox::{Fault, FaultKind, Faults, Rules, Scope};

const APPROVE: [(&str, &str); 3] = [
    ("decision", "approve"),
    ("account", "acc_harbour"),
    ("scope", "shop.read"),
];

#[tokio::test]
async fn nobody_is_sent_to_an_address_the_app_did_not_register() {
    let shop = Shop::open().await;
    for changes in [
        ("redirect_uri", "http://localhost:3000/callback"),
        ("redirect_uri", "http://localhost:3000/callback?from=shop&"),
        ("redirect_uri", "http://LOCALHOST:3000/callback?from=shop"),
        ("redirect_uri", ""),
        ("client_id", "stranger"),
        ("client_id", ""),
    ] {
        let response = shop.ask(&[changes]).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{changes:?}");
        assert!(!response.headers().contains_key(header::LOCATION));
    }
    let twice = format!(
        "{}&redirect_uri=http://localhost:3000/callback",
        shop.authorize_path(&[])
    );
    assert_eq!(shop.get(&twice).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn pkce_with_s256_is_required() {
    let shop = Shop::open().await;
    for changes in [
        ("code_challenge_method", "plain"),
        ("code_challenge_method", ""),
        ("code_challenge", ""),
        ("code_challenge", "short"),
        ("response_mode", "fragment"),
    ] {
        let back = sent_back(&shop.ask(&[changes]).await);
        assert_eq!(back["error"], "invalid_request", "{changes:?}");
        assert_eq!(
            (back["state"].as_str(), back["iss"].as_str()),
            ("st&te", shop.url.as_str())
        );
    }
    assert_eq!(
        sent_back(&shop.ask(&[("response_type", "token")]).await)["error"],
        "unsupported_response_type"
    );
    assert_eq!(
        sent_back(&shop.ask(&[("scope", "shop.read everything")]).await)["error"],
        "invalid_scope"
    );
}

#[tokio::test]
async fn approving_gives_a_code_for_what_was_ticked() {
    let shop = Shop::open().await;
    let response = shop.decide(&[], &APPROVE).await;
    let back = sent_back(&response);
    assert_eq!(
        (back["state"].as_str(), back["iss"].as_str()),
        ("st&te", shop.url.as_str())
    );
    let tokens = shop.exchange(&back["code"]).await;
    assert_eq!(tokens.text("scope"), "shop.read");
    let me = shop
        .api(Method::GET, "/api/me", tokens.text("access_token"))
        .await;
    assert_eq!(
        (me.text("id"), me.text("name")),
        ("acc_harbour", "Harbour Books")
    );
    assert_eq!(
        (me.text("email"), me.text("plan")),
        ("harbour@shop.test", "Starter")
    );
}

#[tokio::test]
async fn nobody_can_approve_more_than_was_asked() {
    let shop = Shop::open().await;
    let decision = [APPROVE.as_slice(), &[("scope", "products.write")]].concat();
    let back = sent_back(&shop.decide(&[], &decision).await);
    assert_eq!(
        shop.exchange(&back["code"]).await.text("scope"),
        "shop.read"
    );
}

#[tokio::test]
async fn cancelling_says_access_denied_and_ticking_nothing_asks_again() {
    let shop = Shop::open().await;
    let back = sent_back(&shop.decide(&[], &[("decision", "cancel")]).await);
    assert_eq!(
        (back["error"].as_str(), back["state"].as_str()),
        ("access_denied", "st&te")
    );
    let again = shop.decide(&[], &APPROVE[..2]).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert!(
        again
            .text()
            .await
            .unwrap()
            .contains("Allow at least one thing")
    );
    assert_eq!(shop.sandbox.calls().denials, 1);
}

#[tokio::test]
async fn the_page_suggests_the_hinted_account_and_has_a_strict_policy() {
    let shop = Shop::open().await;
    let response = shop.ask(&[("login_hint", "atelier@shop.test")]).await;
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    assert!(
        policy.contains("form-action 'self' http://localhost:3000"),
        "the answer redirects there: {policy}"
    );
    assert!(
        !response
            .headers()
            .contains_key("cross-origin-opener-policy")
    );
    let page = response.text().await.unwrap();
    assert!(
        page.contains(r#"value="acc_atelier" checked"#)
            && !page.contains(r#"value="acc_maple" checked"#)
    );
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"));
}

#[tokio::test]
async fn select_account_asks_which_account_first() {
    let shop = Shop::open().await;
    let page = shop
        .ask(&[("prompt", "select_account")])
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Choose an account") && !page.contains("Approve"));
    let page = shop
        .ask(&[("prompt", "select_account"), ("account", "acc_harbour")])
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Approve") && page.contains(r#"name="account" value="acc_harbour""#));
}

#[tokio::test]
async fn prompt_none_never_shows_a_page() {
    let shop = Shop::open().await;
    assert_eq!(
        sent_back(&shop.ask(&[("prompt", "none")]).await)["error"],
        "login_required"
    );
    let silently = |cookie: &'static str| {
        shop.request(Method::GET, &shop.authorize_path(&[("prompt", "none")]))
            .header("cookie", cookie)
            .send()
    };
    let cookie = "other=1; sandbox_shop_account=acc_maple";
    assert_eq!(
        sent_back(&silently(cookie).await.unwrap())["error"],
        "consent_required"
    );
    shop.exchange(&shop.code().await).await;
    assert!(sent_back(&silently(cookie).await.unwrap()).contains_key("code"));
}

#[tokio::test]
async fn form_post_carries_the_answer_in_a_form() {
    let shop = Shop::open().await;
    let response = shop
        .decide(&[("response_mode", "form_post")], &APPROVE)
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let page = response.text().await.unwrap();
    assert!(page.contains(&format!(r#"action="{CALLBACK}""#)));
    assert!(
        page.contains(r#"name="code" value="sac_"#)
            && page.contains(r#"name="state" value="st&amp;te""#)
    );
}

#[tokio::test]
async fn approval_can_be_automatic() {
    let shop = Shop::open().await;
    shop.sandbox.set_rules(Rules {
        auto_approve: Some("acc_maple".into()),
        ..Rules::default()
    });
    let back = sent_back(&shop.ask(&[]).await);
    let tokens = shop.exchange(&back["code"]).await;
    assert_eq!(
        shop.api(Method::GET, "/api/me", tokens.text("access_token"))
            .await
            .text("id"),
        "acc_maple"
    );
    let back = sent_back(&shop.ask(&[("login_hint", "acc_harbour")]).await);
    let tokens = shop.exchange(&back["code"]).await;
    assert_eq!(
        shop.api(Method::GET, "/api/me", tokens.text("access_token"))
            .await
            .text("id"),
        "acc_harbour"
    );
}

#[tokio::test]
async fn faults_of_the_consent_page() {
    let shop = Shop::open().await;
    shop.sandbox
        .set_faults(Fault::deny_consent().times(1).into());
    assert_eq!(sent_back(&shop.ask(&[]).await)["error"], "access_denied");
    assert_eq!(shop.ask(&[]).await.status(), StatusCode::OK, "once only");

    let faults = [
        Fault::grant_only([Scope::OrdersRead]).times(1),
        Fault::sign_in_as("atelier@shop.test").times(1),
        Fault::new(FaultKind::WrongIssuer).times(1),
    ];
    shop.sandbox.set_faults(faults.into_iter().collect());
    let decision = [APPROVE.as_slice(), &[("scope", "orders.read")]].concat();
    let back = sent_back(&shop.decide(&[], &decision).await);
    assert_eq!(back["iss"], "https://another-issuer.example");
    let tokens = shop.exchange(&back["code"]).await;
    assert_eq!(tokens.text("scope"), "orders.read");
    assert_eq!(
        shop.api(Method::GET, "/api/me", tokens.text("access_token"))
            .await
            .text("id"),
        "acc_atelier"
    );
    assert_eq!(shop.sandbox.faults(), Faults::default(), "all were used up");

    shop.sandbox.set_faults(
        [FaultKind::NoIssuer, FaultKind::IsolateOpener]
            .map(Fault::new)
            .into_iter()
            .collect(),
    );
    assert_eq!(
        shop.ask(&[]).await.headers()["cross-origin-opener-policy"],
        "same-origin"
    );
    let response = shop.decide(&[], &APPROVE).await;
    assert!(!sent_back(&response).contains_key("iss"));
    assert_eq!(
        response.headers()["cross-origin-opener-policy"],
        "same-origin"
    );
}

#[tokio::test]
async fn a_person_can_sign_in_and_remove_an_app() {
    let shop = Shop::open().await;
    let tokens = shop.exchange(&shop.code().await).await;
    assert_eq!(
        shop.get("/account").await.headers()[header::LOCATION],
        "/account/sign-in"
    );
    let sign_in = |password: &'static str| {
        let fields = [("email", "maple@shop.test"), ("password", password)];
        shop.request(Method::POST, "/account/sign-in")
            .form(&fields)
            .send()
    };
    assert_eq!(
        sign_in("wrong").await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let signed_in = sign_in("sandbox").await.unwrap();
    let cookie = signed_in.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let page = |path: &str| {
        shop.request(Method::GET, path)
            .header("cookie", cookie.clone())
            .send()
    };
    assert!(
        page("/account")
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("Remove My app")
    );

    let removal = || {
        shop.request(Method::POST, "/account/remove")
            .form(&[("client_id", "my-app")])
    };
    let forged = removal()
        .header("cookie", cookie.clone())
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert!(shop.lives(tokens.text("access_token")).await);
    assert_eq!(
        removal()
            .header("cookie", cookie.clone())
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::SEE_OTHER
    );
    assert!(!shop.lives(tokens.text("access_token")).await);
    assert!(
        shop.refresh(tokens.text("refresh_token"))
            .await
            .is_refused("invalid_grant")
    );
    assert!(
        page("/account")
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("No app is connected")
    );
}
