//! A provider in trouble: told once, tried gently, and whose trouble it is.

use super::*;

/// Connections of two tenants, all of one provider, all proven.
async fn many(world: &World) -> (HostApp, HostApp, Vec<ConnectionId>) {
    let (host, next_door) = (world.any_host().await, world.stranger().await);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(endless(world, &host).await);
        endless(world, &next_door).await;
    }
    world.advance(TimeDelta::minutes(5));
    for _ in 0..4 {
        world.app.hub.check_due().await.unwrap();
        world.advance(TimeDelta::seconds(1));
    }
    for id in &ids {
        assert_eq!(host.seen(*id).await["status"], "connected");
    }
    (host, next_door, ids)
}

#[tokio::test]
async fn a_provider_in_trouble_is_told_once_and_tried_gently() {
    let world = calm().await;
    let (host, next_door, ids) = many(&world).await;
    let hub = &world.app.hub;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    world.advance(TimeDelta::hours(1));
    for _ in 0..4 {
        hub.check_due().await.unwrap();
        world.advance(TimeDelta::seconds(1));
    }
    for host in [&host, &next_door] {
        assert_eq!(host.told().await, ["provider.degraded"]);
    }
    let troubled = hub.troubles().await.unwrap();
    assert_eq!(troubled.keys().collect::<Vec<_>>(), ["sandbox"]);
    // For an hour, one try every half minute: each asks twice.
    let before = world.shop.calls().api_calls;
    for _ in 0..360 {
        world.advance(TimeDelta::seconds(10));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
    }
    let tries = world.shop.calls().api_calls - before;
    assert!((100..=240).contains(&tries), "{tries} calls in an hour");
    assert_eq!(
        host.told().await,
        ["provider.degraded"],
        "and no alarm of each"
    );
    let failing = ids.iter().map(async |id| host.seen(*id).await);
    let failing = futures::future::join_all(failing).await;
    let says =
        |row: &Value| row["prompt"]["what"] == "Sandbox Shop is having trouble: nothing to do.";
    assert!(failing.iter().any(says), "{failing:?}");
    assert!(failing.iter().all(|row| row["status"] != "action_needed"));
    let browser = world.signed_in().await;
    let page = browser.get("/").await.text().await.unwrap();
    assert!(page.contains("is having trouble: nothing to do"));

    // It works again: the first that does ends it, within a minute.
    world.shop.set_faults(Default::default());
    for _ in 0..6 {
        world.advance(TimeDelta::seconds(10));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
    }
    for host in [&host, &next_door] {
        assert_eq!(host.told().await, ["provider.degraded", "provider.healed"]);
    }
    for id in &ids {
        assert_eq!(host.seen(*id).await["status"], "connected");
    }
    assert!(
        provider_trouble::all(hub.store.db())
            .await
            .unwrap()
            .is_empty()
    );
}

/// Every call to the API fails until the provider is known to be in trouble.
async fn outage(world: &World) {
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    rounds(world, 4, 1).await;
    assert_eq!(world.app.hub.troubles().await.unwrap().len(), 1);
}

async fn rounds(world: &World, many: usize, seconds: i64) {
    for _ in 0..many {
        world.app.hub.refresh_due().await.unwrap();
        world.app.hub.check_due().await.unwrap();
        world.advance(TimeDelta::seconds(seconds));
    }
}

async fn is_troubled(world: &World) -> bool {
    !world.app.hub.troubles().await.unwrap().is_empty()
}

/// Has a token renewed when the next round comes.
async fn renew_soon(world: &World, id: ConnectionId) {
    let due = credential::ActiveModel {
        connection_id: Set(id),
        slot: Set(credential::MAIN.into()),
        next_refresh_at: Set(Some(world.clock.now())),
        ..Default::default()
    };
    due.update(world.app.hub.store.db()).await.unwrap();
}

#[tokio::test]
async fn what_fails_on_its_own_account_does_not_keep_a_provider_in_trouble() {
    let world = calm().await;
    let (host, _, ids) = many(&world).await;
    // Its app was entered wrong.
    let wrong = world.import_living(&host).await;
    renew_soon(&world, wrong).await;
    let refused = Fault::invalid_client().at(Endpoint::Refresh);
    world.shop.set_faults(refused.clone().into());
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(host.seen(wrong).await["code"], "APP_CONFIG_INVALID");
    world.advance(TimeDelta::hours(1));
    outage(&world).await;

    world.shop.set_faults(refused.into());
    rounds(&world, 7, 10).await;
    assert!(!is_troubled(&world).await);
    for id in ids {
        assert_eq!(host.seen(id).await["status"], "connected");
    }
}

#[tokio::test]
async fn one_that_got_through_does_not_end_a_providers_trouble() {
    let world = calm().await;
    let (host, _, ids) = many(&world).await;
    world.advance(TimeDelta::hours(1));
    outage(&world).await;
    let hub = &world.app.hub;
    world.shop.set_faults(Faults::default());
    hub.check(world.member(), ids[0]).await.unwrap();
    assert_eq!(host.seen(ids[0]).await["status"], "connected");
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    rounds(&world, 30, 10).await;
    assert!(is_troubled(&world).await);
    assert_eq!(host.told().await, ["provider.degraded"], "no to and fro");
    // A handful that work do, within a minute.
    world.shop.set_faults(Faults::default());
    rounds(&world, 7, 10).await;
    assert!(!is_troubled(&world).await);
    assert_eq!(host.told().await, ["provider.degraded", "provider.healed"]);
}

#[tokio::test]
async fn accounts_that_are_limited_are_no_providers_trouble() {
    let world = calm().await;
    let (host, _, ids) = many(&world).await;
    world.advance(TimeDelta::hours(1));
    let limited = Fault::rate_limited(1_200).at(Endpoint::Api);
    world.shop.set_faults(limited.into());
    rounds(&world, 4, 1).await;
    assert_eq!(host.seen(ids[0]).await["status"], "retrying");
    assert!(!is_troubled(&world).await);
}

#[tokio::test]
async fn what_was_told_to_wait_is_not_asked_because_its_provider_works_again() {
    let world = calm().await;
    let (host, _, ids) = many(&world).await;
    world.advance(TimeDelta::hours(1));
    let hub = &world.app.hub;
    let limited = Fault::rate_limited(1_200).at(Endpoint::Api);
    world.shop.set_faults(limited.into());
    hub.check(world.member(), ids[0]).await.unwrap();
    outage(&world).await;
    world.shop.set_faults(Faults::default());
    rounds(&world, 7, 10).await;
    assert!(!is_troubled(&world).await);
    assert_eq!(host.seen(ids[1]).await["status"], "connected");
    assert_eq!(host.seen(ids[0]).await["status"], "retrying", "it waits");
    minutes(&world, 20).await;
    assert_eq!(host.seen(ids[0]).await["status"], "connected");
}

#[tokio::test]
async fn an_api_that_fails_is_not_healed_by_renewals_that_work() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    hub.check(world.member(), id).await.unwrap();
    let row = async || {
        let row = connection::Entity::find_by_id(id).one(hub.store.db());
        row.await.unwrap().unwrap()
    };
    let before = row().await;
    world.advance(TimeDelta::seconds(1));
    renew_soon(&world, id).await;
    hub.refresh_due().await.unwrap();
    assert_eq!(world.shop.calls().refreshes_ok, 1);
    let after = row().await;
    assert_eq!(after.failure, before.failure);
    assert_eq!(after.next_check_at, before.next_check_at);
    assert_eq!(after.last_ok_at, before.last_ok_at, "no proof");
    let alarms = async || {
        let mut told = host.told().await;
        told.retain(|kind| kind != "connection.refreshed");
        told
    };
    for _ in 0..12 {
        world.advance(TimeDelta::minutes(5));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
        assert_eq!(host.seen(id).await["status"], "retrying");
    }
    assert!(world.shop.calls().refreshes_ok > 5);
    assert_eq!(alarms().await, ["connection.degraded"], "once");
    world.shop.set_faults(Faults::default());
    for _ in 0..7 {
        world.advance(TimeDelta::minutes(5));
        hub.check_due().await.unwrap();
    }
    assert_eq!(
        alarms().await,
        ["connection.degraded", "connection.healed"],
        "by a check"
    );
}

#[tokio::test]
async fn a_few_that_fail_are_their_own_trouble() {
    let world = calm().await;
    let host = world.any_host().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(proven(&world, &host).await);
    }
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    for wait in [60, 1, 2, 4] {
        minutes(&world, wait).await;
    }
    assert!(world.app.hub.troubles().await.unwrap().is_empty());
    assert_eq!(host.told().await, ["connection.degraded"; 4]);
}

#[tokio::test]
async fn renewals_keep_to_the_budget_of_their_app() {
    let world = World::new().await;
    let host = world.any_host().await;
    for _ in 0..60 {
        world.import_living(&host).await;
    }
    let hub = &world.app.hub;
    world.advance(TimeDelta::minutes(9));
    let (mut rounds, mut done) = (0, 0);
    loop {
        let before = world.shop.calls().refreshes;
        let round = hub.refresh_due().await.unwrap();
        let made = world.shop.calls().refreshes - before;
        assert!(made <= 25, "{made} calls within a second");
        (rounds, done) = (rounds + 1, done + made);
        if !round.held_back {
            break;
        }
        world.advance(TimeDelta::seconds(1));
    }
    assert_eq!((rounds, done), (3, 60));
}
