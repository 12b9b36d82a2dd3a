//! The refresh protocol under faults: rows 55-57 of the security checks that
//! need no second process image (the crash tests are in `crash.rs`).

use chrono::TimeDelta;
use hub::store::{
    credential,
    event::{self, Kind},
    refresh_attempt,
};
use reqwest::StatusCode;
use sandbox::{Endpoint, ExpiresIn, Fault, FaultKind, Garbage, Grace, Rotation};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use crate::harness::World;

async fn row(world: &World, id: hub::store::ConnectionId) -> credential::Model {
    credential::get(world.app.hub.store.db(), id, credential::MAIN)
        .await
        .unwrap()
        .expect("a credential")
}

async fn kinds(world: &World, id: hub::store::ConnectionId) -> Vec<Kind> {
    let tenant = world.member().tenant();
    let all = event::after(world.app.hub.store.db(), tenant, 0, 500).await;
    all.unwrap()
        .into_iter()
        .filter(|event| event.connection_id == Some(id))
        .map(|event| event.kind)
        .filter(|kind| !matches!(kind, Kind::FlowChanged | Kind::ConnectionChanged))
        .collect()
}

#[tokio::test]
async fn due_tokens_are_renewed_in_the_background_for_as_long_as_it_runs() {
    let world = World::new().await;
    let id = world.connect().await;
    for round in 1..=5 {
        world.advance(TimeDelta::minutes(6));
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(world.shop.calls().refreshes_ok, round);
    }
    assert_eq!(row(&world, id).await.version, 6);
    // Nothing is due: nothing is asked.
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(world.shop.calls().refreshes, 5);
}

#[tokio::test]
async fn e5_an_answer_without_a_refresh_token_keeps_the_old_one() {
    let world = World::new().await;
    world.rules(|rules| rules.rotation = Rotation::Off);
    let id = world.connect().await;
    for _ in 0..2 {
        world.advance(TimeDelta::minutes(6));
        world.app.hub.refresh_due().await.unwrap();
    }
    assert_eq!(world.shop.calls().refreshes_ok, 2);
    assert!(row(&world, id).await.refresh_sealed.is_some());
}

#[tokio::test]
async fn e2_a_lost_answer_is_made_good_within_the_providers_grace() {
    let world = World::new().await;
    world.rules(|rules| {
        rules.rotation = Rotation::On {
            grace: Grace::Seconds(600),
            reuse_detection: true,
        }
    });
    let id = world.connect().await;
    world.shop.set_faults(
        Fault::cut_connection()
            .at(Endpoint::Refresh)
            .times(1)
            .into(),
    );
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(row(&world, id).await.failures, 1);
    world.advance(TimeDelta::minutes(1));
    world.app.hub.refresh_due().await.unwrap();
    let healed = row(&world, id).await;
    assert_eq!((healed.failures, healed.version), (0, 2));
    assert_eq!(world.shop.calls().families_revoked, 0);
    // It was made good before it hurt anybody: nobody was alarmed.
    assert_eq!(
        kinds(&world, id).await,
        [Kind::ConnectionCreated, Kind::ConnectionRefreshed]
    );
}

#[tokio::test]
async fn a_lost_rotation_without_grace_is_reported_never_silent() {
    let world = World::new().await;
    world.rules(|rules| rules.rotation = Rotation::STRICT);
    let id = world.connect().await;
    world.shop.set_faults(
        Fault::cut_connection()
            .at(Endpoint::Refresh)
            .times(1)
            .into(),
    );
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    world.advance(TimeDelta::minutes(1));
    world.app.hub.refresh_due().await.unwrap();
    let failure = row(&world, id).await.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "GRANT_REVOKED_OR_EXPIRED");
    assert_eq!(failure.detail, "lost_rotation");
    assert_eq!(
        kinds(&world, id).await.last(),
        Some(&Kind::ConnectionActionRequired)
    );
}

#[tokio::test]
async fn faults_of_the_provider_back_off_and_heal() {
    let faults = [
        Fault::server_error(500),
        Fault::server_error(503),
        Fault::rate_limited(5),
        Fault::new(FaultKind::Garbage(Garbage::Html)),
        Fault::new(FaultKind::Garbage(Garbage::Truncated)),
        Fault::new(FaultKind::Garbage(Garbage::Huge)),
        Fault::new(FaultKind::Garbage(Garbage::Deep)),
        Fault::new(FaultKind::Redirect {
            to: "https://elsewhere.example/".into(),
        }),
    ];
    let world = World::new().await;
    let id = world.connect().await;
    for fault in faults {
        world
            .shop
            .set_faults(fault.clone().at(Endpoint::Refresh).into());
        let before = world.shop.calls().refreshes;
        world.advance(TimeDelta::minutes(6));
        for _ in 0..5 {
            world.app.hub.refresh_due().await.unwrap();
        }
        assert_eq!(
            world.shop.calls().refreshes,
            before + 1,
            "one try per wait: {fault:?}"
        );
        let failed = row(&world, id).await;
        let failure = failed.failure.expect("a failure");
        assert!(failure.code.is_transient(), "{fault:?} is {failure:?}");
        assert!(failed.next_refresh_at.is_some());
        world.shop.set_faults(Default::default());
        world.advance(TimeDelta::minutes(2));
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(
            row(&world, id).await.failure,
            None,
            "healed after {fault:?}"
        );
    }
}

#[tokio::test]
async fn odd_lifetimes_are_survived() {
    let world = World::new().await;
    let id = world.connect().await;
    for odd in [
        ExpiresIn::Missing,
        ExpiresIn::Zero,
        ExpiresIn::Text,
        ExpiresIn::Huge,
    ] {
        world.shop.set_faults(
            Fault::new(FaultKind::ExpiresIn(odd))
                .at(Endpoint::Refresh)
                .times(1)
                .into(),
        );
        let before = world.shop.calls().refreshes;
        make_due(&world, id).await;
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(world.shop.calls().refreshes, before + 1, "{odd:?}");
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(
            world.shop.calls().refreshes,
            before + 1,
            "no loop after {odd:?}"
        );
        assert_eq!(row(&world, id).await.failure, None);
    }
}

async fn make_due(world: &World, id: hub::store::ConnectionId) {
    let mut due = row(world, id).await.into_active_model();
    due.next_refresh_at = Set(Some(world.clock.now()));
    due.update(world.app.hub.store.db()).await.unwrap();
    world.advance(TimeDelta::minutes(1));
}

#[tokio::test]
async fn our_own_misconfiguration_asks_nobody_to_reconnect_and_heals_by_itself() {
    let world = World::new().await;
    let id = world.connect().await;
    world
        .shop
        .set_faults(Fault::invalid_client().at(Endpoint::Refresh).into());
    world.advance(TimeDelta::minutes(6));
    world.app.hub.refresh_due().await.unwrap();
    let failed = row(&world, id).await;
    assert_eq!(
        failed.failure.expect("a failure").code.as_str(),
        "APP_CONFIG_INVALID"
    );
    assert!(failed.refresh_sealed.is_some(), "tokens are kept");
    let host = world.any_host().await;
    assert_eq!(
        host.token(id).await.0,
        StatusCode::OK,
        "still works until its end"
    );
    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::hours(2));
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(row(&world, id).await.failure, None);
}

#[tokio::test]
async fn nothing_is_sent_while_an_answer_waits_in_the_spool() {
    let world = World::new().await;
    let id = world.connect().await;
    let current = row(&world, id).await;
    let entry = hub::keep::spool::Entry {
        tenant: current.tenant_id,
        connection: id,
        slot: current.slot.clone(),
        version: current.version - 1,
        access_sealed: String::new(),
        refresh_sealed: None,
        previous_refresh_sealed: None,
        token_type: "Bearer".into(),
        obtained_at: world.clock.now(),
        expires_at: None,
        refresh_expires_at: None,
        next_refresh_at: None,
    };
    let hub = &world.app.hub;
    hub.spool.keep(&entry);
    world.advance(TimeDelta::minutes(6));
    hub.refresh_due().await.unwrap();
    assert_eq!(world.shop.calls().refreshes, 0);
    // It is older than the row: draining drops it and changes nothing.
    hub.drain_spool().await.unwrap();
    assert_eq!(row(&world, id).await.version, current.version);
    hub.refresh_due().await.unwrap();
    assert_eq!(world.shop.calls().refreshes_ok, 1);
}

#[tokio::test]
async fn a_dead_process_gets_time_to_bring_its_spool_back() {
    let world = World::new().await;
    world.rules(|rules| rules.rotation = Rotation::STRICT);
    let id = world.connect().await;
    let current = row(&world, id).await;
    let hub = &world.app.hub;
    // Another node recorded its intent, and died.
    let stranger = hub::store::NodeId::new();
    refresh_attempt::begin(
        hub.store.db(),
        &current,
        vec![1],
        stranger,
        world.clock.now(),
    )
    .await
    .unwrap();
    world.advance(TimeDelta::minutes(6));
    hub.refresh_due().await.unwrap();
    assert_eq!(
        world.shop.calls().refreshes,
        0,
        "its answer may be in its spool"
    );
    // It comes back, with nothing in its spool: the token may be used.
    hub::store::node::report_spool_empty(hub.store.db(), stranger, world.clock.now())
        .await
        .unwrap();
    world.advance(TimeDelta::minutes(5));
    hub.refresh_due().await.unwrap();
    assert_eq!(world.shop.calls().refreshes_ok, 1);
    let open = refresh_attempt::open(hub.store.db(), &current)
        .await
        .unwrap();
    assert!(open.is_empty());
}

#[tokio::test]
async fn a_connection_ended_during_a_refresh_leaves_no_grant_behind() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = world.app.hub.clone();
    world
        .shop
        .set_faults(Fault::slow(300).at(Endpoint::Refresh).times(1).into());
    world.advance(TimeDelta::minutes(11));
    let host = world.any_host().await;
    let (token, ended) = futures::future::join(host.token(id), async {
        while world.shop.calls().refreshes == 0 {
            tokio::task::yield_now().await;
        }
        hub.disconnect(world.member(), id).await
    })
    .await;
    ended.unwrap();
    assert_ne!(token.0, StatusCode::OK);
    hub.keeper.tasks.close();
    hub.keeper.tasks.wait().await;
    assert!(world.shop.grants().is_empty());
    let rows = credential::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    assert!(rows.is_empty());
}
