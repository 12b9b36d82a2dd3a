//! Apps that are installed: a callback names an installation, and the person who
//! came with it proves that it is theirs.

use std::sync::{Arc, Mutex};

use axum::{
    Form, Json, Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use hub::{catalog::Variables, failure::FailureCode, secret::Secret, store::flow};
use serde_json::json;
use url::Url;

use crate::{
    harness::{Browser, Setup, World, changed_entries, location, serve_peer},
    ways::{connections, flows, said},
};

const KEY: &str = include_str!("../../hub/tests/dialect/made-up-key.pem");
const SECRET: &str = "0123456789abcdef0123456789abcdef01234567";
/// What Mia may reach there; more than fits on one page.
const REACHES: std::ops::RangeInclusive<u64> = 5_000..=5_120;
const MIAS: &str = "5120";
const ANOTHERS: &str = "4711";

/// The calls GitHub heard, in order.
type Heard = Arc<Mutex<Vec<String>>>;

/// GitHub, where Mia has signed in, and a hub of several tenants.
async fn github() -> (World, Browser, Heard) {
    let heard = Heard::default();
    let notes = heard.clone();
    let note = move |what: String| notes.lock().unwrap().push(what);
    let log = note.clone();
    let exchange = move |Form(form): Form<Variables>| async move {
        log(format!("exchange {}", form["code"]));
        let is_app = form["client_id"] == "the-client" && form["client_secret"] == SECRET;
        Json(match is_app && form["code"] == "mias-code" {
            true => json!({ "access_token": "mias-own", "token_type": "bearer" }),
            false => json!({ "error": "bad_verification_code" }),
        })
    };
    let log = note.clone();
    let list = move |headers: HeaderMap, Query(query): Query<Variables>| async move {
        log(format!("page {}", query["page"]));
        if headers["authorization"] != "Bearer mias-own" {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let (size, page): (usize, usize) = (
            query["per_page"].parse().unwrap(),
            query["page"].parse().unwrap(),
        );
        let ids = REACHES.skip((page - 1) * size).take(size);
        let installations: Vec<_> = ids.map(|id| json!({ "id": id })).collect();
        Json(json!({ "total_count": REACHES.count(), "installations": installations }))
            .into_response()
    };
    let log = note.clone();
    let mint = move |Path(id): Path<String>, headers: HeaderMap| async move {
        let proof = headers["authorization"].to_str().unwrap();
        assert!(proof.starts_with("Bearer eyJ"), "the app proves itself");
        log(format!("mint {id}"));
        (StatusCode::CREATED, Json(json!({ "token": "minted" })))
    };
    let repositories = |headers: HeaderMap| async move {
        assert_eq!(headers["authorization"], "Bearer minted");
        Json(json!({ "repositories": [{ "owner": { "login": "alder" } }] }))
    };
    let router = Router::new()
        .route("/login/oauth/access_token", post(exchange))
        .route("/user/installations", get(list))
        .route("/app/installations/{id}/access_tokens", post(mint))
        .route("/installation/repositories", get(repositories));
    let peer = serve_peer(router).await;
    let here = format!("http://{peer}");
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[
            ("github-app", "https://api.github.com", &here),
            (
                "github-app",
                "https://github.com/login/oauth/access_token",
                &format!("{here}/login/oauth/access_token"),
            ),
        ])),
        peers: vec![peer],
        ..Setup::default()
    })
    .await;
    let settings = [("app_slug", "alder"), ("user_secret", SECRET)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let hub = &world.app.hub;
    let (key, settings) = (Some(Secret::new(KEY)), settings.into());
    hub.set_provider_app(world.member(), "github-app", "the-client", key, &settings)
        .await
        .unwrap();
    world.neighbour().await;
    let browser = world.signed_in().await;
    (world, browser, heard)
}

/// Where GitHub leads back to after an installation, with its state.
async fn installed(browser: &Browser, id: &str) -> String {
    let prepared = browser.prepare("github-app", json!({})).await;
    let address: Url = prepared["auth_url"].as_str().unwrap().parse().unwrap();
    assert_eq!(address.path(), "/apps/alder/installations/new");
    let state = said(&address, "state");
    format!("/oauth/callback/github-app?installation_id={id}&setup_action=install&state={state}")
}

fn take(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

#[tokio::test]
async fn a30_an_installation_is_proved_by_the_persons_own_token() {
    let (world, browser, heard) = github().await;
    let back = installed(&browser, MIAS).await;
    let answer = browser.get(format!("{back}&code=mias-code")).await;
    let id = world.only_connection().await;
    assert_eq!(location(&answer).path(), "/");
    assert!(location(&answer).as_str().contains(&id.to_string()));
    assert_eq!(
        take(&heard),
        ["exchange mias-code", "page 1", "page 2", "mint 5120"]
    );
    let connection = connections(&world).await.remove(0);
    assert_eq!(connection.account_label, "alder");
    assert_eq!(connection.external_id.as_deref(), Some(MIAS));
    // What proved it is nowhere.
    let text = format!("{connection:?} {:?}", flows(&world).await);
    assert!(
        !text.contains("mias-own") && !text.contains("mias-code"),
        "{text}"
    );
}

#[tokio::test]
async fn a30_an_installation_of_somebody_else_is_refused() {
    let (world, browser, heard) = github().await;
    let back = installed(&browser, ANOTHERS).await;
    browser.get(format!("{back}&code=mias-code")).await;
    let flow = flows(&world).await.remove(0);
    let failure = flow.failure.unwrap();
    assert_eq!(failure.code, FailureCode::AccountOrTargetMismatch);
    assert_eq!(failure.detail, "installation_not_theirs");
    assert!(connections(&world).await.is_empty());
    let heard = take(&heard);
    assert!(!heard.iter().any(|it| it.starts_with("mint")), "{heard:?}");

    // Nor is one believed with a code of nobody's.
    let back = installed(&browser, MIAS).await;
    browser.get(format!("{back}&code=made-up")).await;
    let failed = flows(&world)
        .await
        .into_iter()
        .filter_map(|flow| flow.failure);
    let details: Vec<_> = failed.map(|failure| failure.detail).collect();
    assert!(
        details.contains(&"code_used_or_expired".into()),
        "{details:?}"
    );
    assert!(connections(&world).await.is_empty());
}

#[tokio::test]
async fn a30_who_brings_no_code_goes_on_for_one() {
    let (world, browser, heard) = github().await;
    let back = installed(&browser, MIAS).await;
    let answer = browser.get(&back).await;
    let onward = location(&answer);
    assert_eq!(
        onward.as_str().split('?').next().unwrap(),
        "https://github.com/login/oauth/authorize"
    );
    let redirect = world.url("/oauth/callback/github-app");
    assert_eq!(said(&onward, "redirect_uri"), redirect.as_str());
    assert_eq!(said(&onward, "client_id"), "the-client");
    let state = said(&onward, "state");
    assert!(!back.contains(&state), "the first state is spent");
    let flow = flows(&world).await.remove(0);
    assert_eq!(flow.status, flow::Status::Waiting);
    assert!(take(&heard).is_empty(), "nobody was asked anything yet");

    // The first callback does not work again.
    let answer = browser.get(format!("{back}&code=mias-code")).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    let second = format!("/oauth/callback/github-app?code=mias-code&state={state}");
    let answer = browser.get(&second).await;
    assert_eq!(location(&answer).path(), "/", "{}", location(&answer));
    assert_eq!(
        connections(&world).await[0].external_id.as_deref(),
        Some(MIAS)
    );
    assert!(take(&heard).contains(&"mint 5120".to_owned()));
}

#[tokio::test]
async fn a30_what_was_brought_first_is_proved_at_the_second_callback() {
    let (world, browser, _) = github().await;
    let back = installed(&browser, ANOTHERS).await;
    let onward = location(&browser.get(&back).await);
    let state = said(&onward, "state");
    let second = format!("/oauth/callback/github-app?code=mias-code&state={state}");
    // Another browser has no part in it, and ends it.
    let stranger = world.signed_in().await;
    let answer = stranger.get(&second).await;
    assert_eq!(location(&answer).path(), "/flows/ended");
    assert!(connections(&world).await.is_empty());

    let back = installed(&browser, ANOTHERS).await;
    let onward = location(&browser.get(&back).await);
    let state = said(&onward, "state");
    for (more, detail) in [
        ("", "code_missing"),
        ("&code=mias-code", "installation_not_theirs"),
    ] {
        let back = installed(&browser, ANOTHERS).await;
        let onward = location(&browser.get(&back).await);
        let state = said(&onward, "state");
        let second = format!("/oauth/callback/github-app?state={state}{more}");
        browser.get(&second).await;
        let failed = flows(&world)
            .await
            .into_iter()
            .filter_map(|flow| flow.failure);
        let details: Vec<_> = failed.map(|failure| failure.detail).collect();
        assert!(details.contains(&detail.into()), "{details:?}");
    }
    let declined = format!("/oauth/callback/github-app?state={state}&error=access_denied");
    browser.get(&declined).await;
    let flows = flows(&world).await;
    let codes: Vec<_> = flows
        .iter()
        .filter_map(|it| Some(it.failure.as_ref()?.code))
        .collect();
    assert!(
        codes.contains(&FailureCode::ConsentDeniedOrAbandoned),
        "{codes:?}"
    );
    assert!(connections(&world).await.is_empty());
}
