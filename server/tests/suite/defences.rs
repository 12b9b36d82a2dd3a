//! What keeps providers from being asked too much and tokens from being lost,
//! each defence by a test of its own (rows 57 and 59).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use hub::store::{ConnectionId, connection, credential};
use sandbox::{ACCOUNTS, Endpoint, Fault, FaultKind};
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
    world.advance(TimeDelta::minutes(9));
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
    world.advance(TimeDelta::minutes(9));
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

#[tokio::test]
async fn row_59_what_is_brought_together_is_not_checked_together() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ids = some(&world, &host, 6).await;
    let mut first = Vec::new();
    for id in &ids {
        first.push(row(&world, *id).await.next_check_at);
    }
    assert_eq!(different(first.into_iter()), ids.len());
}

#[tokio::test]
async fn row_59_checks_leave_most_of_a_budget_to_renewals() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ids = some(&world, &host, 40).await;
    let (db, now) = (world.app.hub.store.db(), world.clock.now());
    for id in &ids {
        let mut change = row(&world, *id).await.into_active_model();
        change.next_check_at = Set(Some(now));
        change.update(db).await.unwrap();
        let mut change = token(&world, *id).await.into_active_model();
        change.next_refresh_at = Set(Some(now));
        change.update(db).await.unwrap();
    }
    let before = world.shop.calls();
    world.app.hub.check_due().await.unwrap();
    world.app.hub.refresh_due().await.unwrap();
    let after = world.shop.calls();
    let checks = after.api_calls - before.api_calls;
    let renewals = after.refreshes - before.refreshes;
    assert!(checks > 0 && checks + renewals <= 25, "{checks} {renewals}");
    assert!(renewals >= 15, "{checks} checks left {renewals} renewals");
}

#[tokio::test]
async fn of_two_processes_that_see_the_same_one_checks_it() {
    let world = World::new().await;
    let host = world.any_host().await;
    some(&world, &host, 2).await;
    let other = world.another().await;
    world.advance(TimeDelta::minutes(5));
    let before = world.shop.calls().api_calls;
    // Each finds both within its part of the budget.
    let (one, two) = tokio::join!(world.app.hub.check_due(), other.app.hub.check_due());
    assert!(one.unwrap().seen + two.unwrap().seen >= 2);
    assert_eq!(world.shop.calls().api_calls - before, 2);
}

#[tokio::test]
async fn a_renewal_that_fails_for_half_an_hour_is_told_while_its_token_works() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 8 * 60 * 60);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let due = token(&world, id).await.next_refresh_at.unwrap();
    let down = Fault::server_error(503).at(Endpoint::Refresh);
    world.shop.set_faults(down.into());
    world.advance(due - world.clock.now());
    let alarm = async || {
        world.app.hub.refresh_due().await.unwrap();
        row(&world, id).await.alarm
    };
    for _ in 0..29 {
        assert_eq!(alarm().await, None, "it works");
        world.advance(TimeDelta::minutes(1));
    }
    for _ in 0..2 {
        world.advance(TimeDelta::minutes(1));
        alarm().await;
    }
    assert!(token(&world, id).await.expires_at.unwrap() > world.clock.now());
    assert_eq!(alarm().await, Some(connection::Alarm::Degraded));
}

#[tokio::test]
async fn renewals_of_a_provider_in_trouble_are_tried_one_at_a_time_and_then_all() {
    let world = World::new().await;
    let host = world.any_host().await;
    let ids = some(&world, &host, 24).await;
    let down = Fault::server_error(503).at(Endpoint::Refresh);
    world.shop.set_faults(down.into());
    world.advance(TimeDelta::minutes(9));
    let hub = &world.app.hub;
    hub.refresh_due().await.unwrap();
    assert_eq!(hub.troubles().await.unwrap().len(), 1);
    let before = world.shop.calls().refreshes;
    for _ in 0..60 {
        world.advance(TimeDelta::seconds(10));
        hub.refresh_due().await.unwrap();
    }
    let tries = world.shop.calls().refreshes - before;
    assert!((15..=21).contains(&tries), "{tries} tries in ten minutes");
    // Some have failed so often before that they wait for long.
    for id in &ids[..12] {
        let mut change = token(&world, *id).await.into_active_model();
        change.next_refresh_at = Set(Some(world.clock.now() + TimeDelta::minutes(25)));
        change.update(hub.store.db()).await.unwrap();
    }
    world.shop.set_faults(Default::default());
    for _ in 0..6 {
        world.advance(TimeDelta::seconds(10));
        hub.refresh_due().await.unwrap();
    }
    for id in &ids {
        assert_eq!(token(&world, *id).await.version, 2, "within a minute");
    }
}

#[tokio::test]
async fn row_57_a_fresh_token_that_is_rejected_is_not_renewed_again_at_once() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let rejected = FaultKind::Refuse {
        error: "invalid_token".to_owned(),
    };
    let rejected = Fault::new(rejected).at(Endpoint::Api);
    world.shop.set_faults(rejected.into());
    let checks = async |times: usize| {
        let before = world.shop.calls().refreshes;
        for _ in 0..times {
            let _ = world.app.hub.check(world.member(), id).await;
        }
        world.shop.calls().refreshes - before
    };
    assert_eq!(checks(5).await, 0, "it is seconds old");
    world.advance(TimeDelta::seconds(31));
    assert_eq!(checks(5).await, 1);
}
