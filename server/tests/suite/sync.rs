//! Readings on a schedule: exactly one at a time, paused while a person is
//! needed, told as events, and never keeping what was read.

use chrono::TimeDelta;
use hub::{
    people::Scope,
    store::{ConnectionId, event, sync_run},
};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, FaultKind};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{HostApp, World},
};

/// A connection that is read every hour.
async fn hourly(world: &World, host: &HostApp) -> ConnectionId {
    let id = world.connect().await;
    let path = format!("/v1/connections/{id}");
    let answer = host
        .patch(&path, json!({ "sync_frequency": "hourly" }))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    id
}

/// The newest runs of a connection.
async fn runs(host: &HostApp, id: ConnectionId) -> Vec<Value> {
    let list = host.json(&format!("/v1/connections/{id}/syncs")).await;
    list["data"].as_array().unwrap().clone()
}

async fn told(world: &World, kind: event::Kind) -> Vec<event::Model> {
    let all = event::Entity::find()
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    all.into_iter().filter(|event| event.kind == kind).collect()
}

#[tokio::test]
async fn a_connection_is_read_every_hour_and_only_counts_are_kept() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let planned = runs(&host, id).await;
    assert_eq!(planned.len(), 1);
    assert_eq!(planned[0]["status"], "waiting");
    let hub = &world.app.hub;
    assert_eq!(hub.sync_due().await.unwrap(), 1);
    assert_eq!(hub.sync_due().await.unwrap(), 0, "once");

    let after = runs(&host, id).await;
    assert_eq!(after.len(), 2, "{after:?}");
    let (next, done) = (&after[0], &after[1]);
    assert_eq!(done["status"], "completed");
    assert_eq!(done["id"], planned[0]["id"]);
    assert!(done["rows"].as_i64().unwrap() >= 1 && done["columns"].as_i64().unwrap() >= 1);
    let due: chrono::DateTime<chrono::Utc> = next["due_at"].as_str().unwrap().parse().unwrap();
    let wait = due - world.clock.now();
    assert!(
        wait >= TimeDelta::minutes(54) && wait <= TimeDelta::minutes(60),
        "{wait}"
    );

    let [completed] = &told(&world, event::Kind::SyncCompleted).await[..] else {
        panic!("one event");
    };
    assert_eq!(completed.data.rows.map(i64::from), done["rows"].as_i64());
    // What was read is nowhere: neither with the run nor in the event.
    let kept = rows(&hub.store).await;
    for table in ["sync_run", "event"] {
        let text = format!("{:?}", kept[table]).to_lowercase();
        assert!(
            !text.contains("maple") && !text.contains("shop.test"),
            "{text}"
        );
    }

    world.advance(TimeDelta::minutes(60));
    assert_eq!(hub.sync_due().await.unwrap(), 1);
    assert_eq!(told(&world, event::Kind::SyncCompleted).await.len(), 2);
    let manual = json!({ "sync_frequency": "manual" });
    host.patch(&format!("/v1/connections/{id}"), manual).await;
    world.advance(TimeDelta::days(8));
    assert_eq!(hub.sync_due().await.unwrap(), 0, "nobody wants it any more");
}

#[tokio::test]
async fn of_two_processes_one_reads_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let other = world.another().await;
    let (one, two) = tokio::join!(world.app.hub.sync_due(), other.app.hub.sync_due());
    one.unwrap();
    two.unwrap();
    let done = runs(&host, id).await;
    let completed = done.iter().filter(|run| run["status"] == "completed");
    assert_eq!(completed.count(), 1, "{done:?}");
    assert_eq!(told(&world, event::Kind::SyncCompleted).await.len(), 1);
}

#[tokio::test]
async fn a_run_whose_process_died_is_taken_up_when_its_lease_has_ended() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let hub = &world.app.hub;
    let run = sync_run::open(hub.store.db(), id).await.unwrap().unwrap();
    let (now, other) = (world.clock.now(), hub::store::NodeId::new());
    let until = now + TimeDelta::minutes(10);
    let claimed = sync_run::claim(hub.store.db(), &run, other, now, until)
        .await
        .unwrap();
    assert!(claimed.is_some());
    let twice = sync_run::claim(hub.store.db(), &run, other, now, until)
        .await
        .unwrap();
    assert!(twice.is_none(), "a claim is for one");
    assert_eq!(runs(&host, id).await[0]["status"], "running");
    assert_eq!(hub.sync_due().await.unwrap(), 0);
    // Asked for, the one under way is answered.
    let answer = host
        .post(&format!("/v1/connections/{id}/sync"), json!({}))
        .await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let asked: Value = answer.json().await.unwrap();
    assert_eq!(asked["id"], json!(run.id));
    assert_eq!(asked["status"], "running");
    world.advance(TimeDelta::minutes(11));
    assert_eq!(hub.sync_due().await.unwrap(), 1);
    assert_eq!(told(&world, event::Kind::SyncCompleted).await.len(), 1);
    // The first comes back too late to tell anything.
    let change = sync_run::ActiveModel {
        outcome: sea_orm::ActiveValue::Set(Some(sync_run::Outcome::Failed)),
        ..Default::default()
    };
    let late = sync_run::settle(hub.store.db(), &claimed.unwrap(), change)
        .await
        .unwrap();
    assert!(!late);
}

#[tokio::test]
async fn it_pauses_while_a_person_is_needed_and_runs_once_when_mended() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let hub = &world.app.hub;
    hub.sync_due().await.unwrap();
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    assert_eq!(
        host.json(&format!("/v1/connections/{id}")).await["status"],
        "action_needed"
    );
    for _ in 0..5 {
        world.advance(TimeDelta::hours(1));
        hub.sync_due().await.unwrap();
    }
    assert_eq!(runs(&host, id).await[0]["status"], "paused");
    assert_eq!(
        told(&world, event::Kind::SyncFailed).await.len(),
        0,
        "a pause is no failure"
    );
    let answer = host
        .post(&format!("/v1/connections/{id}/sync"), json!({}))
        .await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["prompt"]["what"].is_string(), "{problem}");

    assert_eq!(
        world.connect().await,
        id,
        "the same account is the same connection"
    );
    assert_eq!(hub.sync_due().await.unwrap(), 1, "at once");
    assert_eq!(hub.sync_due().await.unwrap(), 0, "and once");
    assert_eq!(told(&world, event::Kind::SyncCompleted).await.len(), 2);
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again_before_it_is_told() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let hub = &world.app.hub;
    let down = Fault::new(FaultKind::ServerError { status: 502 }).at(Endpoint::Api);
    world.shop.set_faults(down.into());
    for tries in 1..=2 {
        assert_eq!(hub.sync_due().await.unwrap(), 1);
        let run = &runs(&host, id).await[0];
        assert_eq!(run["status"], "waiting", "{run}");
        assert_eq!(
            (run["tries"].as_i64(), &run["code"]),
            (Some(tries), &json!("PROVIDER_LIMITED_OR_DOWN"))
        );
        assert_eq!(hub.sync_due().await.unwrap(), 0, "not at once");
        world.advance(TimeDelta::minutes(2));
    }
    assert_eq!(told(&world, event::Kind::SyncFailed).await.len(), 0);
    assert_eq!(hub.sync_due().await.unwrap(), 1);
    let after = runs(&host, id).await;
    assert_eq!(
        (&after[0]["status"], &after[1]["status"]),
        (&json!("waiting"), &json!("failed"))
    );
    let [failed] = &told(&world, event::Kind::SyncFailed).await[..] else {
        panic!("one event");
    };
    assert_eq!(failed.data.rows, None);
    assert_eq!(failed.connection_id, Some(id));
    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::hours(1));
    hub.sync_due().await.unwrap();
    assert_eq!(told(&world, event::Kind::SyncCompleted).await.len(), 1);
}

#[tokio::test]
async fn a_reading_is_asked_for() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let path = format!("/v1/connections/{id}/sync");
    let hub = &world.app.hub;
    assert_eq!(hub.sync_due().await.unwrap(), 0, "nobody asked");
    for _ in 0..2 {
        assert_eq!(
            host.post(&path, json!({})).await.status(),
            StatusCode::ACCEPTED
        );
    }
    assert_eq!(runs(&host, id).await.len(), 1, "twice is once");
    hub.sync_due().await.unwrap();
    let done = runs(&host, id).await;
    assert_eq!((done.len(), &done[0]["cause"]), (1, &json!("asked")));
    assert_eq!(done[0]["status"], "completed");
    // A schedule does not forget what was asked for.
    host.post(&path, json!({})).await;
    host.patch(
        &format!("/v1/connections/{id}"),
        json!({ "sync_frequency": "weekly" }),
    )
    .await;
    assert_eq!(hub.sync_due().await.unwrap(), 1);
    assert_eq!(runs(&host, id).await.len(), 3, "and the next is planned");

    let reader = world.host(&[Scope::ConnectionsRead]).await;
    assert_eq!(
        reader.post(&path, json!({})).await.status(),
        StatusCode::FORBIDDEN
    );
    let nothing = format!("/v1/connections/{}/sync", ConnectionId::new());
    assert_eq!(
        host.post(&nothing, json!({})).await.status(),
        StatusCode::NOT_FOUND
    );
    let first = host
        .json(&format!("/v1/connections/{id}/syncs?limit=2"))
        .await;
    let after = first["next"].as_str().unwrap();
    let second = host
        .json(&format!("/v1/connections/{id}/syncs?after={after}"))
        .await;
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert!(second["next"].is_null());
}

#[tokio::test]
async fn what_ended_is_not_read() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = hourly(&world, &host).await;
    let hub = &world.app.hub;
    hub.disconnect(world.member(), id).await.unwrap();
    assert_eq!(hub.sync_due().await.unwrap(), 0);
    let path = format!("/v1/connections/{id}/sync");
    assert_eq!(
        host.post(&path, json!({})).await.status(),
        StatusCode::NOT_FOUND
    );
    hub.remove(world.member(), id).await.unwrap();
    let left = sync_run::Entity::find().all(hub.store.db()).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn host_applications_pull_events_in_order_and_once() {
    let world = World::new().await;
    let (host, stranger) = (world.any_host().await, world.stranger().await);
    let id = hourly(&world, &host).await;
    world.app.hub.sync_due().await.unwrap();
    let all = host.json("/v1/events").await;
    let kinds: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["connection.created", "sync.completed"],
        "flows are not for hosts"
    );
    let read = &all["data"][1];
    assert_eq!(read["data"]["connection"]["id"], json!(id));
    assert!(read["data"]["sync_id"].is_string() && read["data"]["rows"].is_i64());

    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = host
            .json(&format!("/v1/events?after={after}&limit=1"))
            .await;
        let Some(one) = page["data"].get(0) else {
            assert_eq!(
                page["next"], after,
                "where there is nothing, one asks the same again"
            );
            break;
        };
        seen.push(one.clone());
        after = page["next"].as_i64().unwrap();
    }
    assert_eq!(&seen, all["data"].as_array().unwrap());
    assert_eq!(stranger.json("/v1/events").await["data"], json!([]));

    let lender = world.host(&[Scope::TokensRead]).await;
    assert_eq!(
        lender.get("/v1/events").await.status(),
        StatusCode::FORBIDDEN
    );
    let early = format!("after={}", after + 1_000);
    for wrong in [
        "after=x",
        "after=-1",
        &early,
        "limit=0",
        "limit=1001",
        "limit=x",
    ] {
        let answer = host.get(&format!("/v1/events?{wrong}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn a_person_chooses_how_often_on_the_page() {
    let world = World::new().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let page = async || {
        let answer = browser.get(format!("/connections/{id}")).await;
        answer.text().await.unwrap()
    };
    assert!(page().await.contains("Only when asked"));
    let id_text = id.to_string();
    let form = [("id", &*id_text), ("frequency", "daily")];
    browser.post("/api/set_sync_frequency", &form).await;
    let planned = page().await;
    assert!(
        planned.contains("selected>Every day") || planned.contains("value=\"daily\" selected"),
        "{planned}"
    );
    world.app.hub.sync_due().await.unwrap();
    assert!(page().await.contains("1 row"), "{}", page().await);
    browser
        .post("/api/sync_connection", &[("id", &*id_text)])
        .await;
    assert_eq!(world.app.hub.sync_due().await.unwrap(), 1);
    let wrong = [("id", &*id_text), ("frequency", "often")];
    browser.post("/api/set_sync_frequency", &wrong).await;
    let row = hub::store::connection::Entity::find_by_id(id)
        .one(world.app.hub.store.db())
        .await;
    assert_eq!(
        row.unwrap().unwrap().sync_frequency,
        hub::store::connection::SyncFrequency::Daily
    );
}
