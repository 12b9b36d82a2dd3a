//! Runs of automations: lent a token or paused with a reason, going on by
//! themselves once and in order, within the rules of their tenant.

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
async fn a_permission_that_was_never_asked_for_is_added_where_the_button_leads() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let read = async |path: &str| browser.get(path).await.text().await.unwrap();
    let run = begin(&host, id, json!({ "scopes": ["products.write"] })).await;
    assert_eq!(run["code"], "PERMISSION_MISSING");
    let said = "An automation needs another permission: create and change products.";
    assert_eq!(run["prompt"]["what"], said);

    let view = browser.get(format!("/api/view/connection/{id}")).await;
    let view: Value = view.json().await.unwrap();
    assert_eq!(view["prompt"]["what"], said);
    assert_eq!(view["prompt"]["action"]["label"], "Add permission");
    let address = format!("/connect/sandbox?connection={id}&scope=products.write");
    assert_eq!(
        view["prompt"]["action"]["kind"]["open"]["url"],
        json!(address)
    );
    let page = format!("/connections/{id}");
    for page in [page.as_str(), "/"] {
        let shown = read(page).await;
        assert!(shown.contains(said), "{page}: {shown}");
    }
    // Exactly that is ticked; what the provider does not have is left out.
    let ticked = |page: &str, scope: &str| page.contains(&format!("value=\"{scope}\" checked"));
    let chosen = read(&address).await;
    assert!(ticked(&chosen, "products.write"), "{chosen}");
    assert!(!ticked(&chosen, "orders.write"));
    let odd = read(&format!("/connect/sandbox?connection={id}&scope=no.such")).await;
    assert!(!odd.contains("no.such") && !ticked(&odd, "products.write"));

    let more = json!({ "connection": id, "scopes": ["products.write"] });
    browser.run_flow("sandbox", more).await;
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
    assert!(!read(&page).await.contains(said));
    let (_, went) = go_on(&host, &run).await;
    assert_eq!(went["status"], "allowed");
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_taken_as_granted_where_nobody_says_what_was() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let db = world.app.hub.store.db();
    let row = connection::Entity::find_by_id(id).one(db).await.unwrap();
    let mut row = row.unwrap().into_active_model();
    row.scopes_granted = Set(None);
    row.update(db).await.unwrap();
    let run = begin(&host, id, json!({ "scopes": ["orders.read"] })).await;
    assert_eq!(run["status"], "allowed", "it was asked for: {run}");
    let run = begin(&host, id, json!({ "scopes": ["products.write"] })).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["code"], "PERMISSION_MISSING");
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
async fn no_more_runs_wait_than_ten_thousand_whichever_way_they_come_to() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let under_way = begin(&host, id, json!({})).await;
    revoke(&world, id).await;
    let waiting = begin(&host, id, json!({})).await;
    copies(&world, &waiting, 9_999, |_, _| ()).await;
    let body = json!({ "connection": id, "action": "orders.update" });
    let refused = host.post("/v1/runs", body).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let (status, _) = go_on(&host, &under_way).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let path = format!("/v1/runs/{}", under_way["id"].as_str().unwrap());
    assert_eq!(host.json(&path).await["status"], "allowed", "as it was");
    finish(&host, &waiting, json!({ "status": "cancelled" })).await;
    let (_, paused) = go_on(&host, &under_way).await;
    assert_eq!(paused["status"], "paused", "{paused}");
}

#[tokio::test]
async fn what_can_neither_go_on_nor_wait_stands_as_it_did() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    hub.pause(world.member(), id).await.unwrap();
    let resumed = begin(&host, id, json!({})).await;
    let elsewhere = ConnectionId::new();
    let many = copies(&world, &resumed, 10_000, |_, row| {
        row.connection_id = elsewhere;
    });
    many.await;
    hub.resume(world.member(), id).await.unwrap();
    let path = format!("/v1/runs/{}", resumed["id"].as_str().unwrap());
    spoil(&world, id, "spoilt").await;
    let (status, _) = go_on(&host, &resumed).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let seen = host.json(&path).await;
    assert_eq!(seen["status"], "resumed", "it may go on still: {seen}");
    assert!(seen["started_at"].is_null());
    let body = json!({ "connection": id, "action": "orders.update" });
    let refused = host.post("/v1/runs", body).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let begun = run::Entity::find().filter(run::Column::ConnectionId.eq(id));
    let begun = begun.all(db).await.unwrap();
    assert_eq!(begun.len(), 1, "nothing else was begun");
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
async fn a_write_without_its_permission_waits_until_it_is_granted() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let all = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    let granted = hub::store::words(all.scopes_granted.as_deref().unwrap());
    let needed = granted.last().unwrap().clone();
    let fewer = granted[..granted.len() - 1].join(" ");
    grant_only(&world, id, &fewer).await;
    let body = json!({ "scopes": [needed] });
    let run = begin(&host, id, body.clone()).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["code"], "PERMISSION_MISSING");
    assert_eq!(run["policy"], "no_write_if_scope_missing");
    assert_eq!(run["prompt"]["action"]["label"], "Add permission");
    // Looking only needs no more than that.
    let look = begin(&host, id, json!({ "scopes": [needed], "writes": false })).await;
    assert_eq!(look["status"], "allowed");
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    // The permission is added, which is told with it.
    assert_eq!(world.connect().await, id);
    let events = told(&world, event::Kind::ConnectionScopesChanged).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data.scopes_gained, [needed.as_str()]);
    assert!(events[0].data.scopes_lost.is_empty());
    assert_eq!(hub.resume_runs().await.unwrap(), 1);
    let (_, went) = go_on(&host, &run).await;
    assert_eq!(went["status"], "allowed");
}

#[tokio::test]
async fn an_account_nobody_has_proven_is_checked_before_it_is_used() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let run = begin(&host, id, json!({})).await;
    assert_eq!(run["status"], "allowed", "a check needs no person: {run}");
    // One that the provider cannot tell anything of is used by nobody.
    let down = sandbox::Fault::new(sandbox::FaultKind::ServerError { status: 502 })
        .at(sandbox::Endpoint::Api);
    let other = world.import_living_as(&host, 1).await;
    world.shop.set_faults(down.into());
    let run = begin(&host, other, json!({})).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["policy"], "no_run_on_unverified_account");
    world.shop.set_faults(Default::default());
    world.app.hub.check(world.member(), other).await.unwrap();
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
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
async fn a_policy_can_be_switched_off_by_an_admin_and_what_it_stopped_goes_on() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    grant_only(&world, id, "").await;
    let run = begin(&host, id, json!({ "scopes": ["orders.write"] })).await;
    assert_eq!(run["status"], "paused");
    let browser = world.signed_in().await;
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("1 run waits because of it"), "{page}");
    assert!(page.contains("no_write_if_scope_missing"));
    let form = [("name", "no_write_if_scope_missing"), ("on", "false")];
    browser.post("/api/switch_policy", &form).await;
    assert_eq!(hub.resume_runs().await.unwrap(), 1);
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Switched off by Ana"), "{page}");
    // It is off here and nowhere else.
    let (neighbours, off) = (world.neighbour().await, "no_write_if_scope_missing");
    let theirs = hub.policies_of(&neighbours, 1).await.unwrap();
    assert!(theirs.policies.iter().all(|policy| policy.off.is_none()));
    let form = [("name", off), ("on", "true")];
    browser.post("/api/switch_policy", &form).await;
    let (_, again) = go_on(&host, &run).await;
    assert_eq!(again["status"], "paused", "on again, it stops it again");
    assert_eq!(told(&world, event::Kind::RunPaused).await.len(), 2);
}

fn policies(files: &[(&str, &str)]) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("linkwell-policies-{}", ConnectionId::new()));
    std::fs::create_dir(&directory).unwrap();
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    directory
}

#[tokio::test]
async fn the_operators_rules_hold_for_everybody_and_one_that_errs_denies() {
    let directory = policies(&[
        (
            "not_at_weekends.rego",
            "# No orders are touched here\npackage linkwell.not_at_weekends\n\
             deny contains \"Orders are left alone\" if startswith(input.run.action, \"orders.\")\n",
        ),
        (
            "odd.rego",
            "package linkwell.odd\n\
             deny contains \"never\" if { input.run.action == \"odd\"; to_number(input.run.action) > 1 }\n",
        ),
        ("notes.txt", "not a policy"),
    ]);
    let world = World::with(Setup {
        policies: Some(directory.clone()),
        ..Setup::default()
    })
    .await;
    std::fs::remove_dir_all(directory).unwrap();
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id, json!({})).await;
    assert_eq!(run["status"], "paused");
    assert_eq!(run["policy"], "not_at_weekends");
    assert_eq!(run["code"], "ADMIN_APPROVAL_REQUIRED");
    assert_eq!(run["prompt"]["why"], "Orders are left alone.");
    let odd = begin(&host, id, json!({ "action": "odd" })).await;
    assert_eq!(
        (&odd["status"], &odd["code"]),
        (&json!("paused"), &json!("APP_CONFIG_INVALID"))
    );
    let fine = begin(&host, id, json!({ "action": "customers.list" })).await;
    assert_eq!(fine["status"], "allowed");
    let hub = &world.app.hub;
    let refused = hub
        .switch_policy(world.member(), "not_at_weekends", false)
        .await;
    assert!(
        matches!(refused, Err(hub::Error::NotFound)),
        "it is not the tenant's"
    );
    let browser = world.signed_in().await;
    browser
        .post(
            "/api/switch_policy",
            &[("name", "not_at_weekends"), ("on", "false")],
        )
        .await;
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("set by whoever runs this hub"));
    assert!(page.contains("No orders are touched here"));
}

#[test]
fn a_policy_that_cannot_be_loaded_stops_the_start() {
    for (text, said) in [
        (
            "package linkwell.broken\ndeny contains \"x\" if {",
            "broken.rego",
        ),
        (
            "package linkwell.other\ndeny contains \"x\" if true",
            "package",
        ),
        ("package linkwell.broken\nallow := true", "broken.rego"),
    ] {
        let directory = policies(&[("broken.rego", text)]);
        let loaded = linkwell::application::open_policies(Some(&directory));
        let error = loaded.err().expect("it is no policy").to_string();
        assert!(error.contains(said), "{error}");
        std::fs::remove_dir_all(directory).unwrap();
    }
    let nowhere = std::path::Path::new("/nowhere/at/all");
    assert!(Policies::with_directory(nowhere).is_err());
}

#[test]
fn a_policy_where_none_is_looked_for_stops_the_start() {
    let rego = "package linkwell.mine\ndeny contains \"x\" if false";
    for (place, said) in [
        ("mine.REGO", "small letters"),
        ("team/mine.rego", "side by side"),
        ("team/sales/mine.Rego", "side by side"),
        ("mine.rego/notes.txt", "side by side"),
    ] {
        let directory = policies(&[]);
        let path = directory.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, rego).unwrap();
        let loaded = Policies::with_directory(&directory);
        let error = loaded.err().expect("it is not looked for").to_string();
        assert!(error.contains(said), "{error}");
        std::fs::remove_dir_all(directory).unwrap();
    }
    // What is nobody's rule, and what a mounted directory keeps for itself.
    let directory = policies(&[("mine.rego", rego), ("notes.txt", "x")]);
    for place in ["team", "..data"] {
        std::fs::create_dir(directory.join(place)).unwrap();
    }
    std::fs::write(directory.join("..data/mine.rego"), rego).unwrap();
    let loaded = Policies::with_directory(&directory);
    assert!(loaded.is_ok(), "{:?}", loaded.err());
    std::fs::remove_dir_all(directory).unwrap();
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
async fn row_39_one_tenants_flood_takes_nothing_from_another() {
    let world = World::with(Setup {
        choices: hub::Choices {
            rate_limit: std::num::NonZeroU32::new(20).unwrap(),
            ..hub::Choices::default()
        },
        ..Setup::default()
    })
    .await;
    let host = world.any_host().await;
    let theirs = world.stranger().await;
    let id = world.import_living(&host).await;
    let other = world.import_living_as(&theirs, 1).await;
    world.advance(TimeDelta::minutes(5));
    // Eight keys, each with a budget of its own: together they have five.
    let (mut allowed, mut refused) = (0, 0);
    for _ in 0..8 {
        let key = world.any_host().await;
        for _ in 0..20 {
            let body = json!({ "connection": id, "action": "flood" });
            match key.post("/v1/runs", body).await.status() {
                StatusCode::CREATED => allowed += 1,
                StatusCode::TOO_MANY_REQUESTS => refused += 1,
                status => panic!("{status}"),
            }
        }
    }
    assert_eq!((allowed, refused), (100, 60));
    for number in 0..20 {
        let body = json!({ "connection": other, "action": "orders.update" });
        let answer = theirs.post("/v1/runs", body).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "call {number}");
    }
}

#[tokio::test]
async fn row_58_what_cannot_be_written_is_not_begun_and_no_token_leaves() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let db = world.app.hub.store.db();
    use sea_orm::ConnectionTrait;
    let body = json!({ "connection": id, "action": "orders.update" });
    let ask = async || host.post("/v1/runs", body.clone()).await;
    db.execute_unprepared("ALTER TABLE run RENAME TO run_away")
        .await
        .unwrap();
    let answer = ask().await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let (_, token) = host.token(id).await;
    let token = token["access_token"].as_str().unwrap().to_owned();
    assert!(!answer.text().await.unwrap().contains(&token));
    db.execute_unprepared("ALTER TABLE run_away RENAME TO run")
        .await
        .unwrap();
    assert_eq!(host.json("/v1/runs").await["data"], json!([]));
    assert_eq!(
        ask().await.status(),
        StatusCode::CREATED,
        "it goes on as before"
    );

    // A renewal that cannot be noted is not sent: the provider would rotate.
    world.advance(TimeDelta::hours(2));
    let sent = world.shop.calls().refreshes_ok;
    let rename = "ALTER TABLE refresh_attempt RENAME TO attempt_away";
    db.execute_unprepared(rename).await.unwrap();
    let paused: Value = ask().await.json().await.unwrap();
    assert_eq!(paused["status"], "paused", "{paused}");
    assert!(paused["token"].is_null());
    assert_eq!(world.shop.calls().refreshes_ok, sent);
    let rename = "ALTER TABLE attempt_away RENAME TO refresh_attempt";
    db.execute_unprepared(rename).await.unwrap();
    world.advance(TimeDelta::seconds(5));
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
    let (_, went) = go_on(&host, &paused).await;
    assert_eq!(went["status"], "allowed", "{went}");
}

#[tokio::test]
async fn row_58_a_full_disk_begins_nothing_and_spoils_nothing() {
    let world = World::new().await;
    // What is full is a file; a server's disk is the server's.
    if world.is_postgres() {
        return;
    }
    let host = world.any_host().await;
    let id = world.connect().await;
    let db = world.app.hub.store.db();
    use sea_orm::ConnectionTrait;
    let number = async |sql: &str| -> i64 {
        let statement = sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Sqlite, sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    };
    let pages = number("PRAGMA page_count").await;
    db.execute_unprepared(&format!("PRAGMA max_page_count = {pages}"))
        .await
        .unwrap();
    let body = json!({ "connection": id, "action": "x".repeat(100) });
    let mut begun = 0;
    let refused = loop {
        let answer = host.post("/v1/runs", body.clone()).await;
        match answer.status() {
            StatusCode::CREATED => begun += 1,
            status => break (status, answer.text().await.unwrap()),
        }
        assert!(begun < 10_000, "it is never full");
    };
    assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!refused.1.contains("access_token"), "{}", refused.1);
    db.execute_unprepared("PRAGMA max_page_count = 1000000")
        .await
        .unwrap();
    let check =
        sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Sqlite, "PRAGMA integrity_check");
    let said: String = db
        .query_one_raw(check)
        .await
        .unwrap()
        .unwrap()
        .try_get_by_index(0)
        .unwrap();
    assert_eq!(said, "ok");
    let kept = run::Entity::find().all(db).await.unwrap();
    assert_eq!(
        kept.len(),
        begun,
        "what was answered is there, and nothing else"
    );
    assert_eq!(
        host.post("/v1/runs", body).await.status(),
        StatusCode::CREATED
    );
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
