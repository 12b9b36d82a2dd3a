//! Figures: every attempt counted once, nobody named, nothing where a tenant
//! does not want it; and the operator's counters behind a token.

use std::sync::Arc;

use chrono::TimeDelta;
use hub::{
    secret::Secret,
    store::{
        ConnectionId,
        attempt::{self, AuthMode, Recovery, Tried},
        connection,
    },
};
use linkwell::application::Application;
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{HostApp, World, serve_peer},
};

async fn begin(host: &HostApp, id: ConnectionId) -> Value {
    let body = json!({ "connection": id, "action": "orders.update" });
    let answer = host.post("/v1/runs", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    answer.json().await.unwrap()
}

async fn finish(host: &HostApp, run: &Value) {
    let path = format!("/v1/runs/{}/finish", run["id"].as_str().unwrap());
    let answer = host.post(&path, json!({ "status": "succeeded" })).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

/// What was recorded of one kind, oldest first.
async fn recorded(world: &World, kind: Tried) -> Vec<attempt::Model> {
    let hub = &world.app.hub;
    hub.attempts.flush(&hub.store).await.unwrap();
    let mut all = attempt::Entity::find().all(hub.store.db()).await.unwrap();
    all.retain(|row| row.kind == kind);
    all.sort_by_key(|row| (row.at, row.id));
    all
}

/// A repair by a person who needs half a minute for it.
async fn repair(world: &World, id: ConnectionId) -> reqwest::Response {
    world.approve_as(0);
    let browser = world.signed_in().await;
    let prepared = browser
        .prepare("sandbox", json!({ "connection": id }))
        .await;
    world.advance(TimeDelta::seconds(30));
    let callback = browser.approve(&prepared).await;
    browser.get(callback).await
}

#[tokio::test]
async fn every_attempt_is_recorded_once_with_what_became_of_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let [connect] = &recorded(&world, Tried::Connect).await[..] else {
        panic!("one");
    };
    assert_eq!(connect.auth_mode, AuthMode::InteractiveRequired);
    assert_eq!((connect.attempts, connect.recovered), (1, None));
    assert_eq!(connect.time_to_success_ms, Some(0));
    assert_eq!(connect.provider, "sandbox");

    let done = begin(&host, id).await;
    finish(&host, &done).await;
    world.advance(TimeDelta::minutes(10));
    world.shop.revoke_all();
    for _ in 0..3 {
        hub.check(world.member(), id).await.unwrap();
    }
    let waits = begin(&host, id).await;
    assert_eq!(waits["status"], "paused");
    begin(&host, id).await;

    // Broken once, however often it was asked.
    let kept: Vec<_> = [
        recorded(&world, Tried::Check).await,
        recorded(&world, Tried::Refresh).await,
    ]
    .concat();
    let broke: Vec<_> = kept
        .iter()
        .filter(|row| row.auth_mode == AuthMode::InteractiveRequired)
        .collect();
    assert_eq!(broke.len(), 1, "{kept:#?}");
    assert_eq!(
        broke[0].failure_code.as_deref(),
        Some("GRANT_REVOKED_OR_EXPIRED")
    );
    let ten_minutes = TimeDelta::minutes(10).num_milliseconds();
    assert_eq!(broke[0].time_to_detect_ms, Some(ten_minutes));

    let answer = repair(&world, id).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(hub.resume_runs().await.unwrap(), 2);
    let [repaired] = &recorded(&world, Tried::Repair).await[..] else {
        panic!("one");
    };
    assert_eq!(repaired.recovery, Some(Recovery::Reconnect));
    assert_eq!((repaired.attempts, repaired.recovered), (1, Some(true)));
    assert_eq!(repaired.time_to_success_ms, Some(30_000));

    let runs = recorded(&world, Tried::Run).await;
    assert_eq!(runs.len(), 3);
    let needed = |row: &&attempt::Model| row.auth_mode == AuthMode::InteractiveRequired;
    assert_eq!(runs.iter().filter(needed).count(), 2);
    let of_waiting = runs
        .iter()
        .find(|row| json!(row.id) == waits["id"])
        .unwrap();
    assert_eq!((of_waiting.attempts, of_waiting.recovered), (2, Some(true)));
    let of_done = runs.iter().find(|row| json!(row.id) == done["id"]).unwrap();
    assert_eq!(of_done.time_to_success_ms, Some(0));

    let figures = hub.figures(world.member(), 30, None).await.unwrap();
    let share = figures.unattended["sandbox"];
    assert_eq!((share.these, share.of), (1, 3));
    assert_eq!(
        figures.causes.into_iter().collect::<Vec<_>>(),
        [("GRANT_REVOKED_OR_EXPIRED".to_owned(), 1)]
    );
    let share = figures.first_repairs["sandbox"];
    assert_eq!((share.these, share.of), (1, 1));
    assert_eq!(figures.times["sandbox"].nine_of_ten, 30_000);
    let share = figures.cleared_first["sandbox"];
    assert_eq!((share.these, share.of), (0, 1));
    assert_eq!(figures.detection.half, ten_minutes);
    let none = hub
        .figures(world.member(), 30, Some("github"))
        .await
        .unwrap();
    assert!(none.unattended.is_empty() && none.causes.is_empty());
}

#[tokio::test]
async fn a_second_guided_attempt_and_giving_up_first_are_told_apart() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    world.rules(|rules| rules.auto_approve = None);
    let browser = world.signed_in().await;
    // The person turns back once.
    let handle = hub::store::FlowId::new().to_string();
    let body = json!({ "connection": id, "handle": handle });
    browser.prepare("sandbox", body).await;
    world.advance(TimeDelta::seconds(20));
    browser.post(&format!("/flows/{handle}/cancel"), &[]).await;
    repair(&world, id).await;
    let repairs = recorded(&world, Tried::Repair).await;
    let told: Vec<_> = repairs
        .iter()
        .map(|row| (row.attempts, row.recovered, row.time_to_success_ms))
        .collect();
    assert_eq!(
        told,
        [(1, Some(false), None), (2, Some(true), Some(50_000))]
    );
    assert_eq!(
        repairs[0].failure_code.as_deref(),
        Some("CONSENT_DENIED_OR_ABANDONED")
    );
    // It breaks again, and this time they end it at once: what was cleared and then
    // disconnected was given up once.
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    hub.clear(world.member(), id).await.unwrap();
    hub.disconnect(world.member(), id).await.unwrap();
    let [cleared] = &recorded(&world, Tried::Clear).await[..] else {
        panic!("one");
    };
    assert_eq!(
        (cleared.attempts, cleared.recovery),
        (0, Some(Recovery::Clear))
    );
    let figures = hub.figures(world.member(), 7, None).await.unwrap();
    let share = figures.cleared_first["sandbox"];
    assert_eq!((share.these, share.of), (1, 2));
    let share = figures.first_repairs["sandbox"];
    assert_eq!((share.these, share.of), (0, 1));
    world.advance(TimeDelta::days(91));
    hub.sweep().await.unwrap();
    assert!(
        recorded(&world, Tried::Repair).await.is_empty(),
        "for 90 days"
    );
}

#[tokio::test]
async fn nobody_is_named_and_nothing_is_recorded_against_a_tenants_will() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id).await;
    finish(&host, &run).await;
    assert_eq!(recorded(&world, Tried::Run).await.len(), 1);
    let kept = rows(&world.app.hub.store).await;
    assert!(!kept["flow_outcome"].is_empty());
    let text = format!("{:?}", kept["attempt"]).to_lowercase();
    for name in [
        "maple",
        "ana",
        "example.com",
        "orders.update",
        &id.to_string(),
    ] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    let browser = world.signed_in().await;
    let page = async |path: &str| browser.get(path).await.text().await.unwrap();
    let asked = "/settings/metrics?stop=recording";
    assert!(page("/settings/metrics").await.contains(asked));
    let shown = page(asked).await;
    assert!(shown.contains("What was recorded until now is deleted"));
    browser
        .post("/api/record_attempts", &[("on", "false")])
        .await;
    let kept = rows(&world.app.hub.store).await;
    assert!(kept["attempt"].is_empty(), "what was recorded is deleted");
    assert!(kept["flow_outcome"].is_empty());
    world.approve_as(1);
    browser.run_flow("sandbox", json!({})).await;
    let kept = rows(&world.app.hub.store).await;
    assert!(kept["flow_outcome"].is_empty());
    begin(&host, id).await;
    world.app.hub.check(world.member(), id).await.unwrap();
    assert!(recorded(&world, Tried::Run).await.is_empty());
    assert!(recorded(&world, Tried::Check).await.is_empty());
    let shown = page("/settings/metrics").await;
    assert!(shown.contains("Nothing is recorded"));
    assert!(shown.contains("Not recorded.") && !shown.contains("No run was begun."));
    assert!(!page(asked).await.contains("Stop recording?"));
    // Others are recorded all the same.
    let their_host = world.stranger().await;
    let theirs = world.import_living_as(&their_host, 1).await;
    begin(&their_host, theirs).await;
    assert_eq!(recorded(&world, Tried::Run).await.len(), 1);
    browser
        .post("/api/record_attempts", &[("on", "true")])
        .await;
    begin(&host, id).await;
    assert_eq!(recorded(&world, Tried::Run).await.len(), 2);
}

#[tokio::test]
async fn the_page_draws_each_figure_and_says_it_in_a_table() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    for _ in 0..3 {
        begin(&host, id).await;
    }
    world.shop.revoke_all();
    world.app.hub.check(world.member(), id).await.unwrap();
    begin(&host, id).await;
    world
        .app
        .hub
        .attempts
        .flush(&world.app.hub.store)
        .await
        .unwrap();
    let browser = world.signed_in().await;
    let page = browser
        .get("/settings/metrics?days=7")
        .await
        .text()
        .await
        .unwrap();
    for said in [
        "3 of 4 runs went on without a person (75 %)",
        "Once, because the access was withdrawn or ended.",
        "<title",
        "<desc",
        "role=\"img\"",
        "<th scope=\"row\">",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let drawn = page.matches("class=\"plot\"").count();
    assert!(
        drawn >= 3 && page.matches("<table>").count() == drawn,
        "{drawn} plots"
    );
    let other = browser
        .get("/settings/metrics?provider=github")
        .await
        .text()
        .await
        .unwrap();
    assert!(other.contains("No run was begun."));
}

#[tokio::test]
async fn the_operators_counters_are_for_who_shows_the_token() {
    let world = World::new().await;
    let host = world.any_host().await;
    let browser = world.signed_in().await;
    assert_eq!(
        browser.get("/metrics").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        host.get("/metrics").await.status(),
        StatusCode::NOT_FOUND,
        "a key is none"
    );
    let id = world.connect().await;
    host.token(id).await;
    begin(&host, id).await;
    world.app.hub.check(world.member(), id).await.unwrap();
    world.shop.revoke_all();
    world.app.hub.check(world.member(), id).await.unwrap();

    let token = "a token of the operator";
    let app = Application {
        metrics_token: Some(Arc::new(Secret::new(token.replace(' ', "-")))),
        ..world.app.clone()
    };
    let address = serve_peer(app.router()).await;
    let read = async |shown: &str| {
        let request = browser.http.get(format!("http://{address}/metrics"));
        request.bearer_auth(shown).send().await.unwrap()
    };
    assert_eq!(
        read("a-token-of-the-operato").await.status(),
        StatusCode::NOT_FOUND
    );
    let answer = read(&token.replace(' ', "-")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"));
    let page = answer.text().await.unwrap();
    let line = |name: &str| {
        let found = page.lines().find(|line| line.starts_with(name));
        found
            .unwrap_or_else(|| panic!("{name} in {page}"))
            .to_owned()
    };
    for (step, count) in [
        ("opened", 1),
        ("consent", 1),
        ("callback", 1),
        ("verified", 1),
    ] {
        let name = format!("linkwell_flow_steps_total{{provider=\"sandbox\",step=\"{step}\"}} ");
        assert_eq!(line(&name), format!("{name}{count}"));
    }
    let allowed = "linkwell_runs_total{provider=\"sandbox\",outcome=\"allowed\"} ";
    assert_eq!(line(allowed), format!("{allowed}1"));
    // One for the token, one for the run.
    let lent = "linkwell_lending_seconds_count ";
    assert_eq!(line(lent), format!("{lent}2"));
    let works = "linkwell_checks_total{provider=\"sandbox\",outcome=\"works\"} ";
    assert_eq!(line(works), format!("{works}1"));
    line("linkwell_queue_age_seconds{queue=\"refresh\"}");
    // Nothing was checked because its time had come.
    let lag = "linkwell_check_lag_seconds_count ";
    assert_eq!(line(lag), format!("{lag}0"));
    let text = page.to_lowercase();
    let tenant = world.member().tenant().to_string();
    for name in [tenant.as_str(), &id.to_string(), "maple", "ana@"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[tokio::test]
async fn who_opens_the_window_and_leaves_is_counted_once() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    browser.prepare("sandbox", json!({})).await;
    hub.sweep().await.unwrap();
    assert!(recorded(&world, Tried::Connect).await.is_empty());
    world.advance(TimeDelta::minutes(11));
    let another = world.another().await;
    for world in [&world, &another, &world] {
        world.app.hub.sweep().await.unwrap();
        let [left] = &recorded(world, Tried::Connect).await[..] else {
            panic!("one");
        };
        let code = left.failure_code.as_deref();
        assert_eq!(code, Some("CONSENT_DENIED_OR_ABANDONED"));
        assert_eq!(left.failure_detail.as_deref(), Some("left"));
        assert_eq!((left.attempts, left.time_to_success_ms), (1, None));
    }
    // Who comes back later is one attempt, and says how often they tried.
    browser.prepare("sandbox", json!({})).await;
    world.advance(TimeDelta::minutes(1));
    world.approve_as(0);
    browser.run_flow("sandbox", json!({})).await;
    world.advance(TimeDelta::minutes(11));
    hub.sweep().await.unwrap();
    let all = recorded(&world, Tried::Connect).await;
    assert_eq!(all.len(), 2, "{all:#?}");
    let done = all.iter().find(|row| row.failure_code.is_none()).unwrap();
    assert_eq!(done.attempts, 3);

    // Nothing where the organisation does not want it.
    hub.record_attempts(world.member(), false).await.unwrap();
    browser.prepare("sandbox", json!({})).await;
    world.advance(TimeDelta::minutes(11));
    hub.sweep().await.unwrap();
    assert!(recorded(&world, Tried::Connect).await.is_empty());
}

#[tokio::test]
async fn a_check_lags_as_long_as_it_was_due_before_it_was_done() {
    let world = World::new().await;
    let db = world.app.hub.store.db();
    let id = world.connect().await;
    let read = async |name: &str| -> f64 {
        let page = world.app.hub.metrics_page().await.unwrap();
        let found = page.lines().find_map(|line| line.strip_prefix(name));
        let value = found.unwrap_or_else(|| panic!("{name} in {page}"));
        value.trim().parse().unwrap()
    };
    let due = async || {
        let row = connection::Entity::find_by_id(id).one(db).await;
        row.unwrap().unwrap().next_check_at.unwrap()
    };
    let (count, sum) = (
        "linkwell_check_lag_seconds_count ",
        "linkwell_check_lag_seconds_sum ",
    );
    let waits = "linkwell_queue_age_seconds{queue=\"check\"} ";
    world.advance(due().await - world.clock.now() + TimeDelta::seconds(90));
    assert_eq!(read(waits).await, 90.0);
    world.app.hub.check_due().await.unwrap();
    assert_eq!((read(count).await, read(sum).await), (1.0, 90.0));
    assert_eq!(read(waits).await, 0.0);
    // Long proven or not: what is done when it is due does not lag, and what
    // somebody asks for was never due.
    world.advance(due().await - world.clock.now());
    world.app.hub.check_due().await.unwrap();
    world.app.hub.check(world.member(), id).await.unwrap();
    assert_eq!((read(count).await, read(sum).await), (2.0, 90.0));
    // A check that fails is done as well.
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    world.advance(due().await - world.clock.now() + TimeDelta::seconds(10));
    world.app.hub.check_due().await.unwrap();
    assert_eq!((read(count).await, read(sum).await), (3.0, 100.0));
}
