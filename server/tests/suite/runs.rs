//! Runs of automations: lent a token or paused with a reason, going on by
//! themselves once and in order, within the rules of their tenant.

mod limits;
mod permissions;
mod policies;

use chrono::TimeDelta;
use hub::{
    people::Scope,
    runs::policies::Policies,
    store::{ConnectionId, RunId, connection, credential, event, run},
};
use reqwest::StatusCode;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{HostApp, Setup, World},
    repair::refused_once,
};

async fn begin(host: &HostApp, id: ConnectionId, more: Value) -> Value {
    let mut body = json!({ "connection": id, "action": "orders.update" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = host.post("/v1/runs", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let run: Value = answer.json().await.unwrap();
    assert_eq!(
        location,
        format!("/v1/runs/{}", run["id"].as_str().unwrap())
    );
    run
}

async fn go_on(host: &HostApp, run: &Value) -> (StatusCode, Value) {
    let path = format!("/v1/runs/{}/token", run["id"].as_str().unwrap());
    let answer = host.post(&path, json!({})).await;
    (answer.status(), answer.json().await.unwrap())
}

async fn finish(host: &HostApp, run: &Value, body: Value) -> (StatusCode, Value) {
    let path = format!("/v1/runs/{}/finish", run["id"].as_str().unwrap());
    let answer = host.post(&path, body).await;
    (answer.status(), answer.json().await.unwrap())
}

async fn told(world: &World, kind: event::Kind) -> Vec<event::Model> {
    let all = event::Entity::find().all(world.app.hub.store.db()).await;
    let mut all = all.unwrap();
    all.sort_by_key(|event| event.seq);
    all.into_iter().filter(|event| event.kind == kind).collect()
}

/// Takes scopes away that the sandbox granted.
async fn grant_only(world: &World, id: ConnectionId, scopes: &str) {
    let db = world.app.hub.store.db();
    let row = connection::Entity::find_by_id(id).one(db).await.unwrap();
    let mut row = row.unwrap().into_active_model();
    row.scopes_granted = Set(Some(scopes.to_owned()));
    row.update(db).await.unwrap();
}

/// Stores `sealed` in the place of a connection's token; answers what was there.
async fn spoil(world: &World, id: ConnectionId, sealed: &str) -> String {
    let db = world.app.hub.store.db();
    let row = credential::get(db, id, credential::MAIN).await.unwrap();
    let row = row.unwrap();
    let before = row.access_sealed.clone();
    let mut row = row.into_active_model();
    row.access_sealed = Set(sealed.to_owned());
    row.update(db).await.unwrap();
    before
}

/// Breaks a connection for good.
async fn revoke(world: &World, id: ConnectionId) {
    world.shop.revoke_all();
    world.app.hub.check(world.member(), id).await.unwrap();
}

/// The runs that events of a kind were about, in their order.
async fn runs_told(world: &World, kind: event::Kind) -> Vec<RunId> {
    let events = told(world, kind).await.into_iter();
    events.filter_map(|event| event.data.used_by).collect()
}

/// Adds as many copies of a run, each as `change` makes it.
async fn copies(
    world: &World,
    of: &Value,
    count: usize,
    change: impl Fn(i64, &mut run::Model),
) -> Vec<run::Model> {
    let db = world.app.hub.store.db();
    let id: RunId = of["id"].as_str().unwrap().parse().unwrap();
    let one = run::Entity::find_by_id(id).one(db).await.unwrap().unwrap();
    let copy = |number: i64| {
        let mut row = one.clone();
        row.id = RunId::new();
        change(number, &mut row);
        row
    };
    let copies: Vec<_> = (1..=count as i64).map(copy).collect();
    for some in copies.chunks(500) {
        let some = some.iter().cloned().map(IntoActiveModel::into_active_model);
        let added = run::Entity::insert_many(some);
        added.exec_without_returning(db).await.unwrap();
    }
    copies
}

#[tokio::test]
async fn an_allowed_run_is_lent_a_token_and_ends_as_its_host_says() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id, json!({ "correlation_id": "order-42" })).await;
    assert_eq!(run["status"], "allowed");
    assert_eq!(run["correlation_id"], "order-42");
    assert!(run["code"].is_null() && run["prompt"].is_null());
    // The same token as the one way to borrow one.
    let (_, borrowed) = host.token(id).await;
    assert_eq!(run["token"]["access_token"], borrowed["access_token"]);
    assert_eq!(run["token"]["scopes"], borrowed["scopes"]);

    let seen = host
        .json(&format!("/v1/runs/{}", run["id"].as_str().unwrap()))
        .await;
    assert_eq!(seen["status"], "allowed");
    assert!(seen["token"].is_null(), "looking lends nothing");
    let (status, again) = go_on(&host, &run).await;
    assert_eq!(
        (status, &again["status"]),
        (StatusCode::OK, &json!("allowed"))
    );
    assert!(again["token"]["access_token"].is_string());

    let (status, ended) = finish(&host, &run, json!({ "status": "succeeded" })).await;
    assert_eq!(
        (status, &ended["status"]),
        (StatusCode::OK, &json!("succeeded"))
    );
    let (status, _) = finish(&host, &run, json!({ "status": "succeeded" })).await;
    assert_eq!(status, StatusCode::OK, "said twice is said once");
    let (status, _) = finish(&host, &run, json!({ "status": "failed" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (status, _) = go_on(&host, &run).await;
    assert_eq!(status, StatusCode::CONFLICT);

    let other = begin(&host, id, json!({ "writes": false })).await;
    let body = json!({ "status": "failed", "code": "PROVIDER_LIMITED_OR_DOWN" });
    // What people meet when they sign in to the hub is no failure of a run.
    for code in ["AUTH_001", "AUTH_002", "AUTH_003", "AUTH_004"] {
        let of_hub = json!({ "status": "failed", "code": code });
        let (status, problem) = finish(&host, &other, of_hub).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["field"], "code", "{problem}");
    }
    let (_, failed) = finish(&host, &other, body).await;
    assert_eq!(failed["code"], "PROVIDER_LIMITED_OR_DOWN");
    assert!(failed["prompt"]["what"].is_string());
    assert_eq!(told(&world, event::Kind::RunPaused).await.len(), 0);
}

#[tokio::test]
async fn a_broken_connection_pauses_runs_and_they_go_on_once_and_in_order() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    revoke(&world, id).await;
    let mut paused = Vec::new();
    for number in 0..5 {
        let word = format!("order-{number}");
        let run = begin(&host, id, json!({ "correlation_id": word })).await;
        assert_eq!(run["status"], "paused");
        assert_eq!(run["code"], "GRANT_REVOKED_OR_EXPIRED");
        assert!(run["prompt"]["action"]["label"].is_string());
        assert!(run["token"].is_null());
        paused.push(run["id"].clone());
    }
    let ids = |events: Vec<event::Model>| -> Vec<Value> {
        events
            .iter()
            .map(|event| json!(event.data.used_by))
            .collect()
    };
    assert_eq!(ids(told(&world, event::Kind::RunPaused).await), paused);
    assert_eq!(hub.resume_runs().await.unwrap(), 0, "it is broken still");
    for _ in 0..3 {
        world.advance(TimeDelta::hours(1));
        assert_eq!(hub.resume_runs().await.unwrap(), 0);
    }
    assert_eq!(
        told(&world, event::Kind::RunPaused).await.len(),
        5,
        "no event for a look"
    );
    let list = host
        .json(&format!("/v1/runs?status=paused&connection={id}"))
        .await;
    assert_eq!(list["data"].as_array().unwrap().len(), 5);

    assert_eq!(world.connect().await, id);
    // Two processes hear of it at the same time.
    let other = world.another().await;
    let (one, two) = tokio::join!(hub.resume_runs(), other.app.hub.resume_runs());
    assert_eq!(one.unwrap() + two.unwrap(), 5);
    assert_eq!(hub.resume_runs().await.unwrap(), 0, "once");
    assert_eq!(
        ids(told(&world, event::Kind::RunResumed).await),
        paused,
        "in order"
    );

    let messages = host.json("/v1/events").await;
    let resumed: Vec<_> = messages["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["type"] == "run.resumed")
        .map(|message| message["data"]["correlation_id"].clone())
        .collect();
    assert_eq!(
        resumed,
        ["order-0", "order-1", "order-2", "order-3", "order-4"]
    );
    let first = json!({ "id": paused[0] });
    let (_, run) = go_on(&host, &first).await;
    assert_eq!(run["status"], "allowed");
    assert!(run["token"]["access_token"].is_string());
    assert_eq!(run["pauses"], 1);
}

#[tokio::test]
async fn every_run_that_waits_is_looked_at_in_the_order_of_asking_however_many_wait() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    revoke(&world, id).await;
    let last = begin(&host, id, json!({})).await;
    // Two and a half readings of the table, the later of which were asked for
    // earlier, and that need more than the account will grant at first.
    let copied = copies(&world, &last, 250, |number, row| {
        row.created_at -= TimeDelta::seconds(number);
        row.scopes_needed = "products.write".to_owned();
    });
    let earlier = copied.await;
    assert_eq!(world.connect().await, id);
    let went = hub.resume_runs().await.unwrap();
    assert_eq!(went, 1, "what is behind all of them goes on");
    let resumed = runs_told(&world, event::Kind::RunResumed).await;
    assert_eq!(json!(resumed), json!([last["id"]]));

    let browser = world.signed_in().await;
    let more = json!({ "connection": id, "scopes": ["products.write"] });
    browser.run_flow("sandbox", more).await;
    assert_eq!(hub.resume_runs().await.unwrap(), 250);
    let resumed = runs_told(&world, event::Kind::RunResumed).await;
    let asked: Vec<_> = earlier.iter().rev().map(|row| row.id).collect();
    assert_eq!(resumed[1..], asked);
}

#[tokio::test]
async fn the_connection_that_was_not_looked_at_for_longest_comes_first() {
    let world = World::new().await;
    let host = world.any_host().await;
    let one = world.import_living(&host).await;
    let two = world.import_living_as(&host, 1).await;
    for id in [one, two] {
        world.app.hub.pause(world.member(), id).await.unwrap();
        begin(&host, id, json!({})).await;
        world.advance(TimeDelta::seconds(1));
    }
    let db = world.app.hub.store.db();
    world.advance(TimeDelta::minutes(1));
    let now = world.app.hub.clock.now();
    let due = async |limit| run::due(db, now, limit).await.unwrap();
    let tenant = world.member().tenant();
    assert_eq!(due(9).await, [(tenant, one), (tenant, two)]);
    assert_eq!(due(1).await, [(tenant, one)]);
}

#[tokio::test]
async fn a_connection_that_rests_pauses_runs_until_it_is_resumed() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let path = format!("/v1/connections/{id}");
    let under_way = begin(&host, id, json!({})).await;
    grant_only(&world, id, "shop.read").await;
    let waiting = begin(&host, id, json!({ "scopes": ["orders.read"] })).await;
    assert_eq!(waiting["code"], "PERMISSION_MISSING");

    host.post(&format!("{path}/pause"), json!({})).await;
    let new = begin(&host, id, json!({})).await;
    let (status, paused) = go_on(&host, &under_way).await;
    assert_eq!(status, StatusCode::OK);
    for run in [&new, &paused] {
        assert_eq!(run["status"], "paused", "{run}");
        assert_eq!(run["code"], "ADMIN_APPROVAL_REQUIRED");
        let button = json!({ "label": "Resume", "kind": "resume" });
        assert_eq!(run["prompt"]["action"], button);
        assert!(run["token"].is_null());
    }
    let db = hub.store.db();
    let all = run::Entity::find().all(db).await.unwrap();
    assert!(all.iter().all(|run| run.status == run::Status::Paused));
    // What one of them waited for is there, and it rests all the same.
    grant_only(&world, id, "shop.read orders.read").await;
    world.advance(TimeDelta::hours(1));
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    let (_, still) = go_on(&host, &waiting).await;
    assert_eq!(still["prompt"]["action"]["label"], "Resume", "{still}");

    host.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(hub.resume_runs().await.unwrap(), 3);
    for run in [&under_way, &waiting, &new] {
        let (_, went) = go_on(&host, run).await;
        assert_eq!(went["status"], "allowed", "{went}");
    }
}

#[tokio::test]
async fn a_run_whose_token_cannot_be_opened_waits_and_is_not_lost() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let under_way = begin(&host, id, json!({})).await;
    let sealed = spoil(&world, id, "spoilt").await;
    let new = begin(&host, id, json!({})).await;
    let (status, again) = go_on(&host, &under_way).await;
    assert_eq!(status, StatusCode::OK);
    for run in [&new, &again] {
        assert_eq!(run["status"], "paused", "{run}");
        assert_eq!(run["code"], "HUB_INTERNAL");
    }
    spoil(&world, id, &sealed).await;
    world.advance(TimeDelta::seconds(5));
    assert_eq!(hub.resume_runs().await.unwrap(), 2);
    let (_, went) = go_on(&host, &new).await;
    assert!(went["token"]["access_token"].is_string(), "{went}");
}

#[tokio::test]
async fn a_pause_for_another_reason_is_told_once() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let run = begin(&host, id, json!({ "scopes": ["products.write"] })).await;
    let codes = async || -> Vec<Value> {
        let messages = host.json("/v1/events").await;
        let messages = messages["data"].as_array().unwrap().clone();
        let paused = messages.iter().filter(|one| one["type"] == "run.paused");
        paused.map(|one| one["data"]["code"].clone()).collect()
    };
    assert_eq!(codes().await, ["PERMISSION_MISSING"]);
    revoke(&world, id).await;
    for _ in 0..3 {
        world.advance(TimeDelta::hours(1));
        let other = world.another().await;
        let (one, two) = tokio::join!(hub.resume_runs(), other.app.hub.resume_runs());
        assert_eq!((one.unwrap(), two.unwrap()), (0, 0));
    }
    let told = ["PERMISSION_MISSING", "GRANT_REVOKED_OR_EXPIRED"];
    assert_eq!(codes().await, told);
    let (_, seen) = go_on(&host, &run).await;
    assert_eq!(seen["pauses"], 1, "it was paused all the time");
    assert_eq!(codes().await, told);
}

#[tokio::test]
async fn runs_that_end_with_their_connection_are_named() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let done = begin(&host, id, json!({})).await;
    finish(&host, &done, json!({ "status": "succeeded" })).await;
    revoke(&world, id).await;
    let one = begin(&host, id, json!({})).await;
    let two = begin(&host, id, json!({})).await;
    hub.disconnect(world.member(), id).await.unwrap();
    hub.remove(world.member(), id).await.unwrap();
    let messages = host.json("/v1/events").await;
    let last = messages["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "connection.deleted");
    assert_eq!(last["data"]["runs_ended"], json!([one["id"], two["id"]]));
}

#[tokio::test]
async fn what_a_host_knows_a_run_by_is_kept_without_the_blanks_around_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let blanks = " ".repeat(300);
    for (word, kept) in [
        (format!("{blanks}order-42{blanks}"), json!("order-42")),
        (blanks.clone(), Value::Null),
    ] {
        let run = begin(&host, id, json!({ "correlation_id": word })).await;
        assert_eq!(run["correlation_id"], kept);
    }
}

#[tokio::test]
async fn a_host_that_asks_first_finds_all_of_them_resumed_in_order() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    revoke(&world, id).await;
    let one = begin(&host, id, json!({})).await;
    let two = begin(&host, id, json!({})).await;
    let (_, still) = go_on(&host, &two).await;
    assert_eq!(still["status"], "paused");
    world.connect().await;
    let (_, went) = go_on(&host, &two).await;
    assert_eq!(went["status"], "allowed");
    let resumed: Vec<_> = told(&world, event::Kind::RunResumed)
        .await
        .iter()
        .map(|event| json!(event.data.used_by))
        .collect();
    assert_eq!(resumed, [one["id"].clone(), two["id"].clone()]);
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 0);
}

#[tokio::test]
async fn a_run_under_way_is_paused_when_its_connection_breaks() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id, json!({})).await;
    revoke(&world, id).await;
    let (_, paused) = go_on(&host, &run).await;
    assert_eq!(paused["status"], "paused");
    assert_eq!(told(&world, event::Kind::RunPaused).await.len(), 1);
    world.connect().await;
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
    let (_, went) = go_on(&host, &run).await;
    assert_eq!(
        (&went["status"], &went["pauses"]),
        (&json!("allowed"), &json!(1))
    );
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_one_run_and_no_token_is_kept_of_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let ask = async |body: Value| {
        let request = host
            .request("POST", "/v1/runs")
            .header("idempotency-key", "once");
        request.json(&body).send().await.unwrap()
    };
    let body = json!({ "connection": id, "action": "orders.update" });
    let (one, two) = tokio::join!(ask(body.clone()), ask(body.clone()));
    let (one, two): (Value, Value) = (one.json().await.unwrap(), two.json().await.unwrap());
    assert_eq!(one["id"], two["id"]);
    let again = ask(body.clone()).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["id"], one["id"]);
    assert!(
        again["token"]["access_token"].is_string(),
        "it is lent anew"
    );
    let list = host.json("/v1/runs").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let other = ask(json!({ "connection": id, "action": "orders.delete" })).await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let kept = rows(&world.app.hub.store).await;
    assert!(kept["idempotent_request"].is_empty());
    let (_, token) = host.token(id).await;
    let token = token["access_token"].as_str().unwrap();
    assert!(!format!("{:?}", kept["run"]).contains(token));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_named_and_begins_nothing() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let many: Vec<_> = (0..51).map(|n| format!("s{n}")).collect();
    for (field, body) in [
        ("action", json!({ "action": " " })),
        ("action", json!({ "action": "x".repeat(101) })),
        ("action", json!({ "action": "a\nb" })),
        ("scopes", json!({ "scopes": many })),
        ("scopes", json!({ "scopes": ["two words"] })),
        ("scopes", json!({ "scopes": ["orders.read", "no.such"] })),
        (
            "correlation_id",
            json!({ "correlation_id": "x".repeat(201) }),
        ),
    ] {
        let mut all = json!({ "connection": id, "action": "a" });
        for (name, value) in body.as_object().unwrap() {
            all[name] = value.clone();
        }
        let answer = host.post("/v1/runs", all).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let nowhere = json!({ "connection": ConnectionId::new(), "action": "a" });
    assert_eq!(
        host.post("/v1/runs", nowhere).await.status(),
        StatusCode::NOT_FOUND
    );
    for query in ["status=odd", "after=odd", "limit=0"] {
        let answer = host.get(&format!("/v1/runs?{query}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    assert_eq!(host.json("/v1/runs").await["data"], json!([]));
}

#[tokio::test]
async fn pages_of_runs_follow_each_other_without_gaps() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let mut begun = Vec::new();
    for _ in 0..5 {
        begun.push(begin(&host, id, json!({})).await["id"].clone());
    }
    begun.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/runs?limit=2".to_owned();
    loop {
        let page = host.json(&path).await;
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["id"].clone()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/runs?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, begun);
}

#[tokio::test]
async fn runs_belong_to_their_tenant() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id, json!({})).await;
    let stranger = world.stranger().await;
    let own = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(stranger.get(&own).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(go_on(&stranger, &run).await.0, StatusCode::NOT_FOUND);
    let ended = finish(&stranger, &run, json!({ "status": "cancelled" })).await;
    assert_eq!(ended.0, StatusCode::NOT_FOUND);
    let body = json!({ "connection": id, "action": "a" });
    assert_eq!(
        stranger.post("/v1/runs", body).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(stranger.json("/v1/runs").await["data"], json!([]));
    let looker = world.host(&[Scope::ConnectionsRead]).await;
    assert_eq!(looker.get(&own).await.status(), StatusCode::OK);
    assert_eq!(go_on(&looker, &run).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn pages_show_what_waits_and_nothing_is_lost_on_the_way() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let empty = browser.get("/runs").await.text().await.unwrap();
    assert!(empty.contains("No runs yet"));
    let done = begin(&host, id, json!({ "action": "stock.sync" })).await;
    finish(&host, &done, json!({ "status": "succeeded" })).await;
    revoke(&world, id).await;
    for number in 0..3 {
        begin(
            &host,
            id,
            json!({ "correlation_id": format!("order-{number}") }),
        )
        .await;
    }
    let page = browser.get("/runs").await.text().await.unwrap();
    for said in ["stock.sync", "orders.update", "order-2", "Paused", "Done"] {
        assert!(page.contains(said), "{said}");
    }
    let only = browser
        .get("/runs?status=succeeded")
        .await
        .text()
        .await
        .unwrap();
    assert!(only.contains("stock.sync") && !only.contains("order-2"));
    for page in [
        format!("/connections/{id}"),
        format!("/connections/{id}/disconnect"),
        "/".into(),
    ] {
        let shown = browser.get(&page).await.text().await.unwrap();
        assert!(
            shown.contains("3 runs are paused. Nothing was lost."),
            "{page}"
        );
    }
    // Where the failure is said, that is what it means.
    let view = browser.get(format!("/api/view/connection/{id}")).await;
    let view: Value = view.json().await.unwrap();
    let effect = &view["prompt"]["effect"];
    assert_eq!(effect, "3 runs are paused. Nothing was lost.", "{view}");
    // Disconnected and connected again, they go on.
    let hub = &world.app.hub;
    hub.disconnect(world.member(), id).await.unwrap();
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    assert_eq!(world.connect().await, id);
    assert_eq!(hub.resume_runs().await.unwrap(), 3);
    // Deleted, they are gone with it.
    hub.disconnect(world.member(), id).await.unwrap();
    hub.remove(world.member(), id).await.unwrap();
    let left = run::Entity::find().all(hub.store.db()).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn the_connection_to_use_is_the_best_there_is() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ask = async || host.json("/v1/providers/sandbox/connection").await;
    let none = ask().await;
    assert_eq!(
        (&none["connection"], &none["usable"]),
        (&Value::Null, &json!(false))
    );
    assert_eq!(none["connections"], json!([]));
    assert_eq!(none["connect_url"], json!(world.url("/connect/sandbox")));
    let id = world.connect().await;
    let one = ask().await;
    assert_eq!(
        (&one["connection"]["id"], &one["usable"]),
        (&json!(id), &json!(true))
    );
    let end = world.url(&format!("/connections/{id}/disconnect"));
    assert_eq!(one["disconnect_url"], json!(end));
    // A second account that works is used while the first does not.
    world.shop.revoke_all();
    world.app.hub.check(world.member(), id).await.unwrap();
    let broken = ask().await;
    assert_eq!(broken["usable"], false);
    assert_eq!(broken["connection"]["status"], "action_needed");
    assert!(broken["connection"]["prompt"]["what"].is_string());
    let again = format!("/connect/sandbox?connection={id}");
    assert_eq!(broken["reconnect_url"], json!(world.url(&again)));
    let other = world.import_living_as(&host, 1).await;
    world.app.hub.check(world.member(), other).await.unwrap();
    let better = ask().await;
    assert_eq!(better["connection"]["id"], json!(other));
    assert_eq!(better["connections"].as_array().unwrap().len(), 2);
    let page = world
        .signed_in()
        .await
        .get("/connect/sandbox")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("already. Here you connect one more account."));
    assert!(page.contains(&format!("/connections/{other}")));
    let stranger = world.stranger().await;
    let theirs = stranger.json("/v1/providers/sandbox/connection").await;
    assert_eq!(theirs["connections"], json!([]));
    let unknown = host.get("/v1/providers/nosuch/connection").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_waits_for_nobody_where_the_ladder_mends_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = refused_once(&world).await;
    // A refusal stands for a minute, and until then a person is waited for.
    let waits = begin(&host, id, json!({})).await;
    assert_eq!(waits["status"], "paused", "{waits}");
    assert_eq!(waits["code"], "GRANT_REVOKED_OR_EXPIRED");
    world.advance(TimeDelta::minutes(2));
    let run = begin(&host, id, json!({})).await;
    assert_eq!(run["status"], "allowed", "{run}");
    assert!(run["token"]["access_token"].is_string(), "{run}");
    world.app.hub.resume_runs().await.unwrap();
    let (_, run) = go_on(&host, &waits).await;
    assert_eq!(run["status"], "allowed", "it goes on, too: {run}");
}
