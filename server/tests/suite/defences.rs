//! What keeps providers from being asked too much and tokens from being lost,
//! each defence by a test of its own (rows 57 and 59).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use hub::store::{ConnectionId, connection, credential};
use sandbox::{ACCOUNTS, Endpoint, Fault};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::harness::{HostApp, World};

async fn token(world: &World, id: ConnectionId) -> credential::Model {
    let row = credential::get(world.app.hub.store.db(), id, credential::MAIN).await;
    row.unwrap().unwrap()
}

async fn row(world: &World, id: ConnectionId) -> connection::Model {
    let row = connection::Entity::find_by_id(id).one(world.app.hub.store.db());
    row.await.unwrap().unwrap()
}

async fn some(world: &World, host: &HostApp, count: usize) -> Vec<ConnectionId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.import_living(host).await);
    }
    ids
}

/// How many different times there are.
fn different(times: impl Iterator<Item = Option<DateTime<Utc>>>) -> usize {
    times.map(Option::unwrap).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn of_what_is_due_together_what_ends_first_is_renewed_first() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ids = some(&world, &host, 60).await;
    let now = world.clock.now();
    // All but the last have been due for long and go on for long.
    for (nth, id) in ids.iter().enumerate() {
        let is_last = nth == ids.len() - 1;
        let mut change = token(&world, *id).await.into_active_model();
        let (due, ends) = match is_last {
            false => (now - TimeDelta::hours(1), now + TimeDelta::hours(30)),
            true => (now, now + TimeDelta::minutes(2)),
        };
        change.next_refresh_at = Set(Some(due));
        change.expires_at = Set(Some(ends));
        change.update(world.app.hub.store.db()).await.unwrap();
    }
    let round = world.app.hub.refresh_due().await.unwrap();
    assert!(round.held_back, "the budget is smaller than what is due");
    assert_eq!(token(&world, ids[59]).await.version, 2, "it ends first");
}

#[tokio::test]
async fn row_57_a_token_that_ends_at_once_is_no_reason_to_ask_on_and_on() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 1);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    world.advance(TimeDelta::minutes(1));
    let before = world.shop.calls().refreshes;
    for _ in 0..60 {
        hub.refresh_due().await.unwrap();
        hub.refresh_due().await.unwrap();
        world.advance(TimeDelta::seconds(1));
    }
    let made = world.shop.calls().refreshes - before;
    assert!((2..=3).contains(&made), "{made} renewals in a minute");
    assert_eq!(token(&world, id).await.failures, 0);
}

#[tokio::test]
async fn row_59_what_failed_together_is_not_tried_again_together() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ids = some(&world, &host, 12).await;
    let down = Fault::server_error(503).at(Endpoint::Refresh);
    world.shop.set_faults(down.into());
    world.advance(TimeDelta::minutes(4));
    world.app.hub.refresh_due().await.unwrap();
    let mut again = Vec::new();
    for id in &ids {
        let row = token(&world, *id).await;
        assert_eq!(row.failures, 1);
        again.push(row.next_refresh_at);
    }
    assert!(different(again.into_iter()) >= 11);
    // Nor sooner and sooner.
    let first = token(&world, ids[0]).await;
    let wait = first.next_refresh_at.unwrap() - world.clock.now();
    assert!((24..=30).contains(&wait.num_seconds()), "{wait}");
}

#[tokio::test]
async fn row_59_each_failure_is_waited_out_longer() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let down = Fault::server_error(503).at(Endpoint::Refresh);
    world.shop.set_faults(down.into());
    world.advance(TimeDelta::minutes(4));
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.app.hub.refresh_due().await.unwrap();
        let next = token(&world, id).await.next_refresh_at.unwrap();
        let wait = next - world.clock.now();
        waits.push(wait.num_seconds());
        world.advance(wait);
    }
    let longer = waits.windows(2).all(|two| two[1] > two[0] * 3 / 2);
    assert!(longer, "{waits:?}");
}

#[tokio::test]
async fn row_59_what_was_checked_together_is_not_checked_together_again() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let host = world.any_host().await;
    let ids = some(&world, &host, 6).await;
    world.advance(TimeDelta::minutes(6));
    world.app.hub.check_due().await.unwrap();
    let mut next = Vec::new();
    for id in &ids {
        let row = row(&world, *id).await;
        assert!(row.last_ok_at.is_some());
        next.push(row.next_check_at);
    }
    assert_eq!(different(next.into_iter()), ids.len());
}

#[tokio::test]
async fn half_an_hour_of_trouble_is_told_though_it_was_seen_twice_only() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    world.advance(TimeDelta::minutes(6));
    let hub = &world.app.hub;
    hub.check_due().await.unwrap();
    let told = async || {
        let events = host.json("/v1/events").await;
        let kinds = events["data"].as_array().unwrap().clone();
        let kinds = kinds.iter().map(|one| one["type"].as_str().unwrap());
        kinds.filter(|kind| *kind == "connection.degraded").count()
    };
    let slow = Fault::rate_limited(2_000).at(Endpoint::Api);
    world.shop.set_faults(slow.into());
    world.advance(TimeDelta::hours(1));
    hub.check_due().await.unwrap();
    assert_eq!(told().await, 0);
    world.advance(TimeDelta::seconds(2_001));
    hub.check_due().await.unwrap();
    assert_eq!(row(&world, id).await.check_failures, 2);
    assert_eq!(told().await, 1, "it lasts");
}

#[tokio::test]
async fn a_disturbance_takes_nothing_back_that_needs_a_person() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let host = world.any_host().await;
    let granted = world
        .shop
        .grant("linkwell", ACCOUNTS[0].id, &sandbox::Scope::ALL)
        .expect("a grant");
    let body = json!({ "provider": "sandbox",
        "credential": { "access_token": granted.access_token } });
    let made: Value = host
        .post("/v1/connections", body)
        .await
        .json()
        .await
        .unwrap();
    let id: ConnectionId = made["id"].as_str().unwrap().parse().unwrap();
    world.shop.revoke_all();
    let hub = &world.app.hub;
    hub.check(world.member(), id).await.unwrap();
    let seen = async || host.json(&format!("/v1/connections/{id}")).await;
    assert_eq!(seen().await["code"], "GRANT_REVOKED_OR_EXPIRED");
    let down = Fault::server_error(503).at(Endpoint::Api);
    world.shop.set_faults(down.into());
    hub.check(world.member(), id).await.unwrap();
    assert_eq!(seen().await["code"], "GRANT_REVOKED_OR_EXPIRED", "still");
    assert_eq!(seen().await["status"], "action_needed");
}
