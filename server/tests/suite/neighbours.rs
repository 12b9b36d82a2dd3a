//! Row 39: what one organisation does too much of is its own trouble. Another's
//! calls succeed meanwhile, and what is due of it is done as if nothing were.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use hub::{
    Choices,
    store::{ConnectionId, RunId, credential, run},
};
use reqwest::{Response, StatusCode};
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::harness::{Browser, HostApp, Setup, World};

/// How many calls a minute a key has here. A tenant has twenty sign-ins, tests
/// and checks.
const CALLS: u32 = 100;

async fn world() -> World {
    let choices = Choices {
        rate_limit: NonZeroU32::new(CALLS).unwrap(),
        ..Choices::default()
    };
    World::with(Setup {
        choices,
        ..Setup::default()
    })
    .await
}

/// What a refusal says, once it is seen to be one in clear words.
async fn refusal(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = answer.headers()["retry-after"].to_str().unwrap();
    let wait: u64 = wait.parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait} s");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["type"], "urn:linkwell:problem:throttled");
    body["detail"].as_str().unwrap().to_owned()
}

/// Does it until it is refused, and answers how often it was not and what the
/// refusal says.
async fn until_refused(again: impl AsyncFn() -> Response) -> (u32, String) {
    for done in 0..=CALLS * 2 {
        let answer = again().await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return (done, refusal(answer).await);
        }
    }
    panic!("never refused");
}

async fn verify(host: &HostApp, id: ConnectionId) -> Response {
    host.post(&format!("/v1/connections/{id}/test"), json!({}))
        .await
}

async fn begin(host: &HostApp, id: ConnectionId) -> Response {
    let body = json!({ "connection": id, "action": "orders.read" });
    host.post("/v1/runs", body).await
}

async fn test(host: &HostApp) -> Response {
    let body = json!({ "provider": "redis", "config": { "fields": {
        "host": "localhost", "password": "x" } } });
    host.post("/v1/connections/test", body).await
}

/// Uses up everything an organisation may have done within a minute.
async fn flood(browser: &Browser, host: &HostApp, id: ConnectionId) {
    let sign_ins = until_refused(async || {
        browser
            .post_json("/connections/sandbox/prepare", json!({}))
            .await
    });
    let (begun, why) = sign_ins.await;
    assert!(begun <= 20, "{begun}");
    assert!(why.contains("began very many sign-ins"), "{why}");
    let (verified, why) = until_refused(async || verify(host, id).await).await;
    assert!(verified <= 20, "{verified}");
    assert!(why.contains("very many connections checked"), "{why}");
    let (begun, _) = until_refused(async || begin(host, id).await).await;
    assert!(begun <= CALLS);
    let (called, _) = until_refused(async || host.get("/v1/connections").await).await;
    assert!(called <= CALLS);
}

/// What the provider was asked in one tick, and how far the renewals of others'
/// connections came in it.
async fn tick(is_flooded: bool) -> (u64, u64, Vec<i64>) {
    let world = world().await;
    world.rules(|rules| rules.access_lifetime_s = 3_600);
    let (host, theirs) = (world.any_host().await, world.stranger().await);
    let browser = world.signed_in().await;
    let own = world.import_living(&host).await;
    let mut ids = Vec::new();
    for account in [0, 1] {
        ids.push(world.import_living_as(&theirs, account).await);
    }
    let hub = &world.app.hub;
    world.advance(TimeDelta::minutes(5));
    hub.check_due().await.unwrap();
    world.advance(TimeDelta::minutes(40));
    if is_flooded {
        flood(&browser, &host, own).await;
    }
    let before = world.shop.calls();
    let flooding = async {
        for _ in 0..if is_flooded { 30 } else { 0 } {
            // All of it is refused.
            refusal(verify(&host, own).await).await;
            refusal(
                browser
                    .post_json("/connections/sandbox/prepare", json!({}))
                    .await,
            )
            .await;
        }
    };
    let work = async {
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
        // And they can do everything that the other no longer can.
        let bo = world.browser();
        bo.sign_in("bo@example.com", crate::harness::PASSWORD).await;
        let begun = bo
            .post_json("/connections/sandbox/prepare", json!({}))
            .await;
        assert_eq!(begun.status(), StatusCode::OK);
        for id in &ids {
            assert_eq!(verify(&theirs, *id).await.status(), StatusCode::OK);
            assert_eq!(begin(&theirs, *id).await.status(), StatusCode::CREATED);
            assert_eq!(theirs.token(*id).await.0, StatusCode::OK);
        }
    };
    tokio::join!(flooding, work);
    let after = world.shop.calls();
    let mut versions = Vec::new();
    for id in ids {
        let row = credential::get(hub.store.db(), id, credential::MAIN).await;
        versions.push(row.unwrap().unwrap().version);
    }
    (
        after.refreshes_ok - before.refreshes_ok,
        after.api_calls - before.api_calls,
        versions,
    )
}

#[tokio::test]
async fn row_39_a_noisy_neighbour_is_refused_and_others_are_kept_as_ever() {
    let quiet = tick(false).await;
    assert!(quiet.2.iter().all(|version| *version == 2), "{quiet:?}");
    assert!(quiet.0 >= 3, "{quiet:?}");
    let flooded = tick(true).await;
    // The neighbour's own token may have been renewed by what came before the
    // refusals; theirs is as in the quiet.
    assert_eq!(flooded.2, quiet.2);
    assert_eq!(flooded.1, quiet.1, "as many calls: {flooded:?} {quiet:?}");
    assert!(quiet.0 - flooded.0 <= 1, "{flooded:?} {quiet:?}");
}

#[tokio::test]
async fn row_39_tests_of_what_was_entered_have_an_end() {
    let world = world().await;
    let (host, theirs) = (world.any_host().await, world.stranger().await);
    let (tested, why) = until_refused(async || test(&host).await).await;
    assert!(tested <= 20, "{tested}");
    assert!(why.contains("tested very many keys or passwords"), "{why}");
    let typed = [("field.host", "localhost"), ("field.password", "x")];
    let browser = world.signed_in().await;
    let page = browser.post("/connect/redis", &typed).await;
    let page = page.text().await.unwrap();
    assert!(
        page.contains("tested very many keys or passwords"),
        "{page}"
    );
    assert!(page.contains("Nothing you entered is lost"), "{page}");
    assert_ne!(
        test(&theirs).await.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "theirs is their own"
    );
    // It comes back.
    world.advance(TimeDelta::minutes(1));
    assert_ne!(test(&host).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn row_39_runs_that_wait_do_not_fill_the_hub() {
    let world = World::new().await;
    let (host, theirs) = (world.any_host().await, world.stranger().await);
    let (own, other) = (
        world.import_living(&host).await,
        world.import_living_as(&theirs, 1).await,
    );
    world.advance(TimeDelta::minutes(5));
    world.app.hub.check_due().await.unwrap();
    world.shop.revoke_all();
    world.app.hub.check(world.member(), own).await.unwrap();
    let paused = begin(&host, own).await;
    assert_eq!(paused.status(), StatusCode::CREATED);
    let paused: Value = paused.json().await.unwrap();
    assert_eq!(paused["status"], "paused", "{paused}");
    let db = world.app.hub.store.db();
    let row = run::Entity::find().one(db).await.unwrap().unwrap();
    let more: Vec<_> = (1..10_000)
        .map(|_| run::Model {
            id: RunId::new(),
            ..row.clone()
        })
        .collect();
    for some in more.chunks(500) {
        let some = some.iter().cloned().map(IntoActiveModel::into_active_model);
        run::Entity::insert_many(some)
            .exec_without_returning(db)
            .await
            .unwrap();
    }
    let why = refusal(begin(&host, own).await).await;
    assert!(why.starts_with("Ten thousand runs"), "{why}");
    verify(&theirs, other).await;
    let neighbours = begin(&theirs, other).await;
    assert_eq!(neighbours.status(), StatusCode::CREATED, "theirs may wait");
    let neighbours: Value = neighbours.json().await.unwrap();
    assert_eq!(neighbours["status"], "paused", "{neighbours}");
}
