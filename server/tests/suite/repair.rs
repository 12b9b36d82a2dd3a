//! Mending without a person, forgetting what is stored, and what is known of how
//! connections are kept.

use chrono::TimeDelta;
use hub::{
    keep::{Mends, Part, health::Status},
    secret::Secret,
    store::{ConnectionId, credential, event::Kind},
};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, FaultKind};
use serde_json::{Value, json};

use crate::harness::{HostApp, World, location};

async fn status(world: &World, id: ConnectionId) -> Status {
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    listed.health.status
}

async fn told(world: &World, id: ConnectionId) -> Vec<Kind> {
    let history = world.app.hub.history(world.member(), id, 50).await.unwrap();
    history.into_iter().rev().map(|event| event.kind).collect()
}

/// The provider refuses the next renewal for good, and only that one.
pub async fn refused_once(world: &World) -> ConnectionId {
    let id = world.connect().await;
    let refuse = FaultKind::Refuse {
        error: "invalid_grant".into(),
    };
    let once = Fault::new(refuse).at(Endpoint::Refresh).times(1);
    world.shop.set_faults(once.into());
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(status(world, id).await, Status::ActionNeeded);
    id
}

#[tokio::test]
async fn repair_climbs_what_needs_nobody_and_tells_of_it_once() {
    let world = World::new().await;
    let id = refused_once(&world).await;
    let browser = world.signed_in().await;
    let repair = [("id", id.to_string())];
    let repair = repair.each_ref().map(|(name, value)| (*name, &**value));
    // A refusal stands for a minute: the token is not presented again and again.
    let before = world.shop.calls().refreshes;
    browser.post("/api/repair_connection", &repair).await;
    assert_eq!(world.shop.calls().refreshes, before);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);

    world.advance(TimeDelta::minutes(2));
    browser.post("/api/repair_connection", &repair).await;
    assert_eq!(world.shop.calls().refreshes, before + 1);
    assert_eq!(status(&world, id).await, Status::Connected);
    let page = browser.get(format!("/connections/{id}")).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("It works. We read it again"), "{page}");
    assert_eq!(
        told(&world, id).await,
        [
            Kind::ConnectionCreated,
            Kind::ConnectionActionRequired,
            Kind::ConnectionHealed
        ]
    );
}

#[tokio::test]
async fn a_repair_that_cannot_help_says_so_and_changes_nothing() {
    let world = World::new().await;
    let id = world.connect().await;
    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    world.advance(TimeDelta::minutes(2));
    let (browser, told_before) = (world.signed_in().await, told(&world, id).await);
    let page = format!("/connections/{id}");
    let form = [("id", id.to_string())];
    let form = form.each_ref().map(|(name, value)| (*name, &**value));
    browser.post("/api/repair_connection", &form).await;
    let page = browser.get(page).await.text().await.unwrap();
    assert!(page.contains("We tried what needs nobody"), "{page}");
    assert!(page.contains("Reconnect Sandbox Shop"));
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    assert_eq!(told(&world, id).await, told_before);
}

#[tokio::test]
async fn nobody_is_sent_to_sign_in_for_what_mends_itself() {
    let world = World::new().await;
    let id = refused_once(&world).await;
    world.advance(TimeDelta::minutes(2));
    let (browser, visits) = (world.signed_in().await, world.shop.calls().authorize);
    let text = id.to_string();
    let form = [
        ("connection", text.as_str()),
        ("handle", "abc"),
        ("popup", "1"),
    ];
    let answer = browser.post("/oauth/start/sandbox", &form).await;
    // The window that was opened closes by this page, and its opener knows.
    assert!(location(&answer).path().starts_with("/flows/"));
    let view = browser.get("/api/view/flow/abc").await;
    let view: serde_json::Value = view.json().await.unwrap();
    assert_eq!(view["status"], "connected", "{view}");
    assert_eq!(view["connection_id"], text.as_str(), "{view}");
    assert_eq!(status(&world, id).await, Status::Connected);
    assert_eq!(world.shop.calls().authorize, visits);
}

#[tokio::test]
async fn a_grant_that_has_ended_leads_to_the_provider_after_one_more_try() {
    let world = World::new().await;
    let id = world.connect().await;
    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    world.advance(TimeDelta::minutes(2));
    let (browser, tries) = (world.signed_in().await, world.shop.calls().refreshes);
    let ask = json!({ "connection": id });
    for round in 0..2 {
        // The second comes within the minute for which a refusal stands.
        let prepared = browser.prepare("sandbox", ask.clone()).await;
        assert_eq!(prepared["status"], "waiting", "round {round}");
        assert!(prepared["auth_url"].is_string());
        assert_eq!(world.shop.calls().refreshes, tries + 1);
    }
    // In the same tab a person is told why nothing has to be signed.
    let done = browser.run_flow("sandbox", ask).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(status(&world, id).await, Status::Connected);
}

#[tokio::test]
async fn clearing_destroys_what_is_stored_and_keeps_the_rest() {
    let world = World::new().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let (host, text) = (world.any_host().await, id.to_string());
    let rename = [("id", text.as_str()), ("name", "Till")];
    browser.post("/api/rename_connection", &rename).await;
    let page = browser.get(format!("/connections/{id}/clear")).await;
    assert!(page.text().await.unwrap().contains("Repair instead"));

    browser
        .post("/api/clear_connection", &[("id", &text)])
        .await;
    let db = world.app.hub.store.db();
    assert_eq!(credential::of_connection(db, id).await.unwrap(), []);
    assert_eq!(status(&world, id).await, Status::ActionNeeded);
    // What is not there any more is not promised to be destroyed.
    for way in ["disconnect", "delete"] {
        let page = browser.get(format!("/connections/{id}/{way}")).await;
        let page = page.text().await.unwrap();
        assert!(page.contains("No access is stored any more"), "{page}");
        assert!(!page.contains("The stored tokens"), "{page}");
    }
    let (answer, body) = host.token(id).await;
    assert_eq!(answer, StatusCode::CONFLICT, "{body}");
    assert_eq!(body["code"], "GRANT_REVOKED_OR_EXPIRED", "{body}");
    // Neither renewing nor repairing finds anything; nothing breaks by it.
    world.advance(TimeDelta::minutes(10));
    world.app.hub.refresh_due().await.unwrap();
    browser
        .post("/api/repair_connection", &[("id", &text)])
        .await;
    let page = browser
        .get(format!("/connections/{id}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("What we stored of Till was cleared"),
        "{page}"
    );
    assert_eq!(world.shop.calls().revocations, 0, "nothing is ended there");

    browser
        .run_flow("sandbox", json!({ "connection": id }))
        .await;
    assert_eq!(world.only_connection().await, id);
    assert_eq!(status(&world, id).await, Status::Connected);
    let last = world.app.hub.connection(world.member(), id).await.unwrap();
    assert_eq!(last.connection.name(), "Till");
    assert!(told(&world, id).await.contains(&Kind::ConnectionCleared));
}

#[tokio::test]
async fn how_connections_are_kept_is_told_in_four_statements() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.any_host().await;
    let signed_in = world.clock.now();
    let hub = &world.app.hub;
    let kept = hub.kept_one(world.member(), id).await.unwrap();
    assert_eq!(kept.person_at, Some(signed_in));
    assert_eq!((kept.alone_at, kept.mends), (None, Mends::Renewed));
    assert!(kept.failed.is_none());
    let parts: Vec<Part> = kept.stored.iter().map(|stored| stored.part).collect();
    assert_eq!(parts, [Part::Access, Part::Refresh]);
    assert!(kept.stored.iter().all(|stored| stored.bytes > 40));

    world.advance(TimeDelta::minutes(2));
    host.token(id).await;
    hub.flush_reads().await.unwrap();
    let lent = world.clock.now();
    for _ in 0..3 {
        world.import_living(&host).await;
    }
    let (page, statements) = world.statements(hub.kept(world.member(), None, 2)).await;
    let page = page.unwrap();
    assert_eq!((page.rows.len(), statements), (2, 4));
    let rest = hub.kept(world.member(), page.next, 2).await.unwrap();
    let all: Vec<_> = page.rows.iter().chain(&rest.rows).collect();
    let own = all.iter().find(|kept| kept.listed.connection.id == id);
    assert_eq!(own.unwrap().alone_at, Some(lent));

    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(6));
    hub.refresh_due().await.unwrap();
    let kept = hub.kept_one(world.member(), id).await.unwrap();
    assert_eq!(kept.mends, Mends::Person);
    assert_eq!(kept.failed.unwrap().at, world.clock.now());
    let page = world.signed_in().await.get("/settings/connections").await;
    let page = page.text().await.unwrap();
    assert!(page.contains("No, somebody has to act"), "{page}");
    assert!(page.contains("Sandbox Shop stopped accepting our access"));
}

/// A button of the connection's page, and what the page says then.
async fn pressed(world: &World, button: &str, id: ConnectionId) -> String {
    let (browser, id) = (world.signed_in().await, id.to_string());
    browser
        .post(&format!("/api/{button}_connection"), &[("id", &id)])
        .await;
    let page = browser.get(format!("/connections/{id}")).await;
    page.text().await.unwrap()
}

async fn tested(host: &HostApp, id: ConnectionId) -> Value {
    let answer = host
        .post(&format!("/v1/connections/{id}/test"), json!({}))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn whoever_asks_has_a_renewal_tried_that_is_failing_and_no_storm() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 3_600);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    world.advance(TimeDelta::minutes(5));
    hub.check_due().await.unwrap();
    let down = || Fault::server_error(503).at(Endpoint::Refresh).into();
    world.shop.set_faults(down());
    world.advance(TimeDelta::minutes(41));
    hub.refresh_due().await.unwrap();
    // The token lives: whether it works can be asked.
    let calls = world.shop.calls();
    assert_eq!(tested(&host, id).await["code"], "PROVIDER_LIMITED_OR_DOWN");
    let now = world.shop.calls();
    assert_eq!(now.api_calls, calls.api_calls + 1);
    assert_eq!(now.refreshes, calls.refreshes, "it was tried a moment ago");

    // Long after it ended, the next try is far.
    for _ in 0..10 {
        world.advance(TimeDelta::minutes(10));
        hub.refresh_due().await.unwrap();
    }
    let row = credential::get(hub.store.db(), id, credential::MAIN).await;
    let next = row.unwrap().unwrap().next_refresh_at.unwrap();
    assert!(next > world.clock.now() + TimeDelta::minutes(5));
    world.advance(TimeDelta::minutes(2));
    let tries = world.shop.calls().refreshes;
    let answer = tested(&host, id).await;
    assert!(answer["tested_at"].is_string(), "{answer}");
    assert_eq!(answer["outcome"], "failed");
    assert_eq!(world.shop.calls().refreshes, tries + 1);
    for _ in 0..3 {
        let answer = tested(&host, id).await;
        assert!(answer["tested_at"].is_null(), "{answer}");
        assert!(answer["retry_at"].is_string(), "{answer}");
    }
    let page = pressed(&world, "check", id).await;
    assert!(page.contains("Not asked again yet"), "{page}");
    assert_eq!(world.shop.calls().refreshes, tries + 1, "no storm");

    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::minutes(2));
    let page = pressed(&world, "check", id).await;
    assert!(page.contains("Checked just now: it works"), "{page}");
    assert_eq!(status(&world, id).await, Status::Connected);
}

#[tokio::test]
async fn nobody_is_asked_before_the_time_they_named() {
    for at in [Endpoint::Api, Endpoint::Refresh] {
        let world = World::new().await;
        let host = world.any_host().await;
        let id = world.import_living(&host).await;
        let limited = Fault::rate_limited(3_600).at(at);
        world.shop.set_faults(limited.into());
        world.advance(TimeDelta::minutes(20));
        world.app.hub.refresh_due().await.unwrap();
        world.app.hub.check_due().await.unwrap();
        world.advance(TimeDelta::minutes(2));
        let calls = world.shop.calls();
        let answer = tested(&host, id).await;
        assert!(answer["tested_at"].is_null(), "{answer}");
        assert_eq!(answer["code"], "PROVIDER_LIMITED_OR_DOWN");
        pressed(&world, "repair", id).await;
        let now = world.shop.calls();
        assert_eq!(
            (now.refreshes, now.api_calls),
            (calls.refreshes, calls.api_calls)
        );
    }
}

#[tokio::test]
async fn a_corrected_app_is_tried_at_once() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let own = &hub.operator_apps["sandbox"];
    let enter = async || {
        let secret = Some(Secret::new(own.client_secret.expose()));
        let none = Default::default();
        hub.set_provider_app(world.member(), "sandbox", &own.client_id, secret, &none)
            .await
            .unwrap();
    };
    let remove = async || {
        hub.remove_provider_app(world.member(), "sandbox")
            .await
            .unwrap();
    };
    for corrected in [true, false] {
        world.shop.set_faults(Fault::invalid_client().into());
        world.advance(TimeDelta::minutes(6));
        hub.refresh_due().await.unwrap();
        assert_eq!(status(&world, id).await, Status::WaitingForAdmin);
        world.shop.set_faults(Default::default());
        world.advance(TimeDelta::minutes(1));
        hub.refresh_due().await.unwrap();
        assert_eq!(status(&world, id).await, Status::WaitingForAdmin);
        match corrected {
            true => enter().await,
            false => remove().await,
        }
        hub.refresh_due().await.unwrap();
        assert_eq!(status(&world, id).await, Status::Connected);
    }
}
