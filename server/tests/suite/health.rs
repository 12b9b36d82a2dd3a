//! Connections that are checked by themselves, what is told of their trouble and
//! when it is withdrawn, what a person lets rest, providers in trouble, and ends
//! that are known.

mod ends;
mod pages;
mod provider;

use chrono::TimeDelta;
use hub::{
    failure::FailureCode,
    keep::health::Status,
    store::{ConnectionId, connection, credential, event::Kind, provider_trouble},
};
use reqwest::StatusCode;
use sandbox::{ACCOUNTS, Endpoint, Fault, FaultKind, Faults, RetryAfter, Rotation};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};

use crate::harness::{HostApp, Setup, World, changed_entries};

/// A world whose tokens live so long that nothing is renewed meanwhile.
async fn calm() -> World {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    world
}

/// A connection with a token that has no end.
async fn endless(world: &World, host: &HostApp) -> ConnectionId {
    let granted = world
        .shop
        .grant("linkwell", ACCOUNTS[0].id, &sandbox::Scope::ALL)
        .expect("a grant");
    let body = json!({ "provider": "sandbox",
        "credential": { "access_token": granted.access_token } });
    let answer = host.post("/v1/connections", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let body: Value = answer.json().await.unwrap();
    body["id"].as_str().unwrap().parse().unwrap()
}

/// The same, once it is proven.
async fn proven(world: &World, host: &HostApp) -> ConnectionId {
    let id = endless(world, host).await;
    minutes(world, 5).await;
    assert_eq!(host.seen(id).await["status"], "connected");
    id
}

async fn minutes(world: &World, minutes: i64) {
    world.advance(TimeDelta::minutes(minutes));
    world.app.hub.check_due().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_checked_every_hour_and_once() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = endless(&world, &host).await;
    assert_eq!(host.seen(id).await["status"], "not_checked");
    let hub = &world.app.hub;
    world.advance(TimeDelta::minutes(5));
    assert_eq!(hub.check_due().await.unwrap().seen, 1);
    assert_eq!(host.seen(id).await["status"], "connected");
    assert_eq!(hub.check_due().await.unwrap().seen, 0, "not again");
    let mut calls = world.shop.calls().api_calls;
    for hour in 1..=5 {
        minutes(&world, 53).await;
        assert_eq!(
            world.shop.calls().api_calls,
            calls,
            "not yet in hour {hour}"
        );
        minutes(&world, 7).await;
        calls += 1;
        assert_eq!(world.shop.calls().api_calls, calls, "hour {hour}");
    }
    // Nobody hears of what stays as it is, and history is not filled with it.
    assert_eq!(host.told().await, Vec::<String>::new());
    let history = hub.history(world.member(), id, 50).await.unwrap();
    assert_eq!(history.len(), 1, "{history:?}");
}

#[tokio::test]
async fn of_two_processes_one_checks_it() {
    let world = calm().await;
    let host = world.any_host().await;
    for _ in 0..8 {
        endless(&world, &host).await;
    }
    let other = world.another().await;
    world.advance(TimeDelta::minutes(5));
    let before = world.shop.calls().api_calls;
    let (one, two) = tokio::join!(world.app.hub.check_due(), other.app.hub.check_due());
    one.unwrap();
    two.unwrap();
    // The budget lets six of them through at once.
    for _ in 0..4 {
        world.advance(TimeDelta::seconds(1));
        world.app.hub.check_due().await.unwrap();
        other.app.hub.check_due().await.unwrap();
    }
    assert_eq!(world.shop.calls().api_calls - before, 8);
}

#[tokio::test]
async fn a_check_whose_process_died_is_taken_up() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = endless(&world, &host).await;
    world.advance(TimeDelta::minutes(5));
    let hub = &world.app.hub;
    let row = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    let until = world.clock.now() + TimeDelta::minutes(2);
    assert!(
        connection::claim_check(hub.store.db(), &row, until)
            .await
            .unwrap()
    );
    assert!(
        !connection::claim_check(hub.store.db(), &row, until)
            .await
            .unwrap()
    );
    assert_eq!(hub.check_due().await.unwrap().seen, 0);
    world.advance(TimeDelta::minutes(3));
    assert_eq!(hub.check_due().await.unwrap().seen, 1);
}

#[tokio::test]
async fn what_was_renewed_or_read_is_not_asked_again() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let before = world.shop.calls().api_calls;
    for _ in 0..(23 * 60 / 4) {
        world.advance(TimeDelta::minutes(4));
        world.app.hub.refresh_due().await.unwrap();
        world.app.hub.check_due().await.unwrap();
        assert_eq!(host.seen(id).await["status"], "connected");
    }
    assert!(world.shop.calls().refreshes_ok > 150);
    assert_eq!(world.shop.calls().api_calls, before, "renewing is proof");
    // But an account may be closed while its renewals go on.
    for _ in 0..30 {
        world.advance(TimeDelta::minutes(4));
        world.app.hub.refresh_due().await.unwrap();
        world.app.hub.check_due().await.unwrap();
    }
    assert_eq!(world.shop.calls().api_calls, before + 1, "once a day");
}

#[tokio::test]
async fn what_was_ended_there_is_known_within_one_interval() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    world.shop.revoke_all();
    minutes(&world, 60).await;
    let now = host.seen(id).await;
    assert_eq!(now["status"], "action_needed");
    assert_eq!(now["code"], "GRANT_REVOKED_OR_EXPIRED");
    for _ in 0..5 {
        minutes(&world, 600).await;
    }
    assert_eq!(host.told().await, ["connection.action_required"], "once");
    let refused = world.shop.calls().api_calls_refused;
    minutes(&world, 600).await;
    assert_eq!(
        world.shop.calls().api_calls_refused,
        refused,
        "nobody knocks on"
    );
}

#[tokio::test]
async fn what_a_check_found_a_renewal_does_not_take_back() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let refused = Fault::new(FaultKind::Refuse {
        error: "session_expired".into(),
    });
    world.shop.set_faults(refused.at(Endpoint::Api).into());
    hub.check(world.member(), id).await.unwrap();
    assert_eq!(host.seen(id).await["code"], "SESSION_EXPIRED");
    let since = async || {
        let listed = hub.connection(world.member(), id).await.unwrap();
        listed.health.since
    };
    let found = since().await;
    for _ in 0..3 {
        world.advance(TimeDelta::minutes(6));
        let (renewed, asked) = (
            world.shop.calls().refreshes_ok,
            world.shop.calls().api_calls,
        );
        hub.refresh_due().await.unwrap();
        assert_eq!(world.shop.calls().refreshes_ok, renewed + 1);
        assert_eq!(host.seen(id).await["status"], "action_needed", "no proof");
        hub.check_due().await.unwrap();
        assert!(world.shop.calls().api_calls > asked, "but a reason to ask");
        assert_eq!(host.seen(id).await["status"], "action_needed");
        assert_eq!(since().await, found, "it is no newer");
    }
    let alarms = host.told().await.into_iter();
    let alarms: Vec<_> = alarms
        .filter(|kind| kind != "connection.refreshed")
        .collect();
    assert_eq!(alarms, ["connection.action_required"], "once");
    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::minutes(6));
    hub.refresh_due().await.unwrap();
    hub.check_due().await.unwrap();
    assert_eq!(host.seen(id).await["status"], "connected");
    assert_eq!(host.told().await.last().unwrap(), "connection.healed");
}

#[tokio::test]
async fn a_hiccup_is_asked_about_at_once_and_never_seen() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    for fault in [Fault::server_error(503), Fault::cut_connection()] {
        world
            .shop
            .set_faults(fault.at(Endpoint::Api).times(1).into());
        minutes(&world, 60).await;
        assert_eq!(host.seen(id).await["status"], "connected");
    }
    assert_eq!(host.told().await, Vec::<String>::new());
}

#[tokio::test]
async fn trouble_that_passes_is_drawn_and_not_told() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    minutes(&world, 60).await;
    let now = host.seen(id).await;
    assert_eq!(now["status"], "retrying");
    assert_eq!(now["code"], "PROVIDER_LIMITED_OR_DOWN");
    assert_eq!(now["prompt"]["action"], Value::Null);
    let what = "Sandbox Shop is limiting or not working right now.";
    assert_eq!(now["prompt"]["what"], what, "it did not ask for anything");
    assert!(now["retry_at"].is_string());
    minutes(&world, 1).await;
    world.shop.set_faults(Default::default());
    minutes(&world, 2).await;
    assert_eq!(host.seen(id).await["status"], "connected");
    assert_eq!(host.told().await, Vec::<String>::new());
    // Whoever watches sees it come and go; its history does not.
    let hub = &world.app.hub;
    let events = hub.events_after(world.member(), 0).await.unwrap();
    let drawn = events
        .iter()
        .filter(|one| one.kind == Kind::ConnectionChanged);
    assert_eq!(drawn.count(), 3, "proven, retrying, and works");
    assert_eq!(hub.history(world.member(), id, 50).await.unwrap().len(), 1);
}

#[tokio::test]
async fn trouble_is_told_after_three_in_a_row_once_and_withdrawn() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    for (fault, code, lasting, action) in [
        (
            Fault::server_error(503),
            "PROVIDER_LIMITED_OR_DOWN",
            "retrying",
            Value::Null,
        ),
        (
            Fault::cut_connection(),
            "NETWORK_OR_TIMEOUT",
            "action_needed",
            json!({ "label": "Check now", "kind": "check" }),
        ),
    ] {
        let before = host.told().await.len();
        world.shop.set_faults(fault.at(Endpoint::Api).into());
        for (wait, status, alarms) in [
            (60, "retrying", 0),
            (1, "retrying", 0),
            (2, lasting, 1),
            (30, lasting, 1),
        ] {
            minutes(&world, wait).await;
            let now = host.seen(id).await;
            assert_eq!(
                (&now["status"], &now["code"]),
                (&json!(status), &json!(code))
            );
            let told = host.told().await;
            assert_eq!(told.len() - before, alarms, "{told:?}");
            if alarms == 1 {
                assert_eq!(told[before], "connection.degraded");
                assert_eq!(now["prompt"]["action"], action);
            }
        }
        world.shop.set_faults(Default::default());
        minutes(&world, 30).await;
        assert_eq!(host.seen(id).await["status"], "connected");
        assert_eq!(host.told().await[before + 1..], ["connection.healed"]);
    }
}

#[tokio::test]
async fn a_renewal_that_fails_hurts_nobody_while_its_token_works() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 3_600);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    minutes(&world, 5).await;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Refresh).into());
    world.advance(TimeDelta::minutes(41));
    for _ in 0..10 {
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(host.seen(id).await["status"], "retrying");
        world.advance(TimeDelta::minutes(1));
    }
    let row = credential::get(world.app.hub.store.db(), id, credential::MAIN).await;
    assert!(
        row.unwrap().unwrap().failures >= 4,
        "four tries in ten minutes"
    );
    assert_eq!(host.told().await, Vec::<String>::new());
    // Half an hour is too long, and so are three once it has ended.
    for _ in 0..25 {
        world.app.hub.refresh_due().await.unwrap();
        world.advance(TimeDelta::minutes(1));
    }
    assert_eq!(host.told().await, ["connection.degraded"]);
    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::minutes(30));
    world.app.hub.refresh_due().await.unwrap();
    assert_eq!(
        host.told().await,
        ["connection.degraded", "connection.healed"]
    );
    assert_eq!(host.seen(id).await["status"], "connected");
}

#[tokio::test]
async fn what_a_renewal_cannot_know_stays_until_a_check() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    // The account is another one all of a sudden.
    let mut row = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    row.external_id = Some("somebody else".into());
    let changed: connection::ActiveModel = row.into();
    connection::Entity::update(changed.reset_all())
        .exec(hub.store.db())
        .await
        .unwrap();
    hub.check(world.member(), id).await.unwrap();
    assert_eq!(host.told().await, ["connection.action_required"]);
    for _ in 0..6 {
        world.advance(TimeDelta::minutes(5));
        hub.refresh_due().await.unwrap();
    }
    assert!(world.shop.calls().refreshes_ok >= 5);
    let now = host.seen(id).await;
    assert_eq!(now["code"], "ACCOUNT_OR_TARGET_MISMATCH");
    assert!(!host.told().await.contains(&"connection.healed".to_owned()));
}

#[tokio::test]
async fn what_was_not_proven_for_long_is_not_called_connected() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    world.advance(TimeDelta::minutes(119));
    assert_eq!(host.seen(id).await["status"], "connected");
    world.advance(TimeDelta::minutes(2));
    assert_eq!(host.seen(id).await["status"], "not_checked");
    minutes(&world, 0).await;
    assert_eq!(host.seen(id).await["status"], "connected");
}

#[tokio::test]
async fn a_person_lets_a_connection_rest() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let path = format!("/v1/connections/{id}");
    host.patch(&path, json!({ "sync_frequency": "hourly" }))
        .await;
    let paused = host.post(&format!("{path}/pause"), json!({})).await;
    assert_eq!(paused.status(), StatusCode::OK);
    let paused: Value = paused.json().await.unwrap();
    assert_eq!(paused["status"], "paused");
    assert!(paused["paused_at"].is_string());
    // Twice is once.
    host.post(&format!("{path}/pause"), json!({})).await;
    assert_eq!(host.told().await, ["connection.paused"]);

    let (status, answer) = host.token(id).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["type"], "urn:linkwell:problem:paused");
    let read = host.post(&format!("{path}/sync"), json!({})).await;
    assert_eq!(read.status(), StatusCode::CONFLICT);
    // Its approval is kept alive, and nothing else is done with it.
    let calls = world.shop.calls().api_calls;
    for _ in 0..40 {
        world.advance(TimeDelta::minutes(5));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
        hub.sync_due().await.unwrap();
    }
    assert!(world.shop.calls().refreshes_ok > 30);
    assert_eq!(world.shop.calls().api_calls, calls);
    assert_eq!(host.seen(id).await["status"], "paused");

    // What goes wrong meanwhile is nobody's alarm.
    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(6));
    hub.refresh_due().await.unwrap();
    let alarm = "connection.action_required".to_owned();
    assert!(!host.told().await.contains(&alarm));
    let resumed = host.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(
        resumed.json::<Value>().await.unwrap()["status"],
        "action_needed"
    );
    let told = host.told().await;
    assert_eq!(
        told[told.len() - 2..],
        ["connection.resumed".to_owned(), alarm]
    );
}

#[tokio::test]
async fn an_alarm_is_withdrawn_by_pausing_and_raised_again_by_resuming() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Api).into());
    for wait in [60, 1, 2] {
        minutes(&world, wait).await;
    }
    let browser = world.signed_in().await;
    let text = id.to_string();
    browser
        .post("/api/pause_connection", &[("id", &text)])
        .await;
    let page = browser
        .get(format!("/connections/{id}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Paused") && page.contains("/api/resume_connection"));
    browser
        .post("/api/resume_connection", &[("id", &text)])
        .await;
    assert_eq!(
        host.told().await,
        [
            "connection.degraded",
            "connection.paused",
            "connection.resumed",
            "connection.degraded"
        ]
    );
    world.shop.set_faults(Default::default());
    minutes(&world, 0).await;
    assert_eq!(host.told().await.last().unwrap(), "connection.healed");
}

#[tokio::test]
async fn an_account_that_has_to_be_confirmed_there_is_asked_about_every_day() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    let stopped = FaultKind::Refuse {
        error: "suspicious_sign_in".into(),
    };
    world
        .shop
        .set_faults(Fault::new(stopped).at(Endpoint::Api).into());
    minutes(&world, 60).await;
    let now = host.seen(id).await;
    assert_eq!(now["code"], "CHECKPOINT_OR_SUSPICIOUS_LOGIN");
    assert_eq!(now["prompt"]["secondary"]["kind"], "check", "{now}");
    world.shop.set_faults(Faults::default());
    minutes(&world, 23 * 60).await;
    assert_eq!(host.seen(id).await["status"], "action_needed");
    minutes(&world, 61).await;
    assert_eq!(host.seen(id).await["status"], "connected");
}

#[tokio::test]
async fn retry_after_is_kept_to_in_seconds_and_as_a_date() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = proven(&world, &host).await;
    for told in [RetryAfter::Seconds(1_200), RetryAfter::Date(1_200)] {
        let limited = Fault::new(FaultKind::RateLimit { retry_after: told });
        world.shop.set_faults(limited.at(Endpoint::Api).into());
        minutes(&world, 60).await;
        assert_eq!(host.seen(id).await["status"], "retrying");
        let calls = world.shop.calls().api_calls;
        for _ in 0..19 {
            minutes(&world, 1).await;
        }
        assert_eq!(world.shop.calls().api_calls, calls, "{told:?}");
        world.shop.set_faults(Default::default());
        minutes(&world, 2).await;
        assert_eq!(host.seen(id).await["status"], "connected", "{told:?}");
    }
}

#[tokio::test]
async fn a_final_refusal_is_seen_at_once() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let mut changes = hub.changes.watch();
    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(6));
    let started = std::time::Instant::now();
    hub.refresh_due().await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), world.member().tenant());
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert_eq!(listed.health.status, Status::ActionNeeded);
    let failure = listed.health.failure.unwrap();
    assert_eq!(failure.code, FailureCode::GrantRevokedOrExpired);
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test]
async fn row_57_clocks_that_differ_by_ten_minutes_change_nothing() {
    for skew in [TimeDelta::minutes(10), -TimeDelta::minutes(10)] {
        let world = World::with(Setup {
            skew,
            ..Setup::default()
        })
        .await;
        let host = world.any_host().await;
        let id = world.connect().await;
        for round in 1..=4 {
            world.advance(TimeDelta::minutes(6));
            world.app.hub.refresh_due().await.unwrap();
            world.app.hub.refresh_due().await.unwrap();
            assert_eq!(world.shop.calls().refreshes_ok, round, "one renewal each");
            assert_eq!(host.token(id).await.0, StatusCode::OK);
        }
        // A date of theirs may be past by ours: it is no reason to knock on.
        let limited = Fault::new(FaultKind::RateLimit {
            retry_after: RetryAfter::Date(60),
        });
        world.shop.set_faults(limited.at(Endpoint::Refresh).into());
        world.advance(TimeDelta::minutes(6));
        let before = world.shop.calls().refreshes;
        for _ in 0..20 {
            world.app.hub.refresh_due().await.unwrap();
            world.advance(TimeDelta::seconds(1));
        }
        assert_eq!(world.shop.calls().refreshes, before + 1, "{skew}");
        world.shop.set_faults(Default::default());
        world.advance(TimeDelta::minutes(12));
        world.app.hub.refresh_due().await.unwrap();
        assert_eq!(host.seen(id).await["status"], "connected");
        assert_eq!(host.told().await.last().unwrap(), "connection.refreshed");
    }
}

#[tokio::test]
async fn permissions_that_change_are_told() {
    let world = calm().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let granted = ["shop.read", "orders.write"].map(str::to_owned);
    let row = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    let mut before = connection::ActiveModel::from(row);
    before.scopes_granted = sea_orm::ActiveValue::Set(Some(granted.join(" ")));
    before.update(hub.store.db()).await.unwrap();
    let due = credential::ActiveModel {
        connection_id: sea_orm::ActiveValue::Set(id),
        slot: sea_orm::ActiveValue::Set(credential::MAIN.into()),
        next_refresh_at: sea_orm::ActiveValue::Set(Some(world.clock.now())),
        ..Default::default()
    };
    due.update(hub.store.db()).await.unwrap();
    world.advance(TimeDelta::minutes(1));
    hub.refresh_due().await.unwrap();
    let events = host.json("/v1/events").await;
    let events = events["data"].as_array().unwrap();
    let told = events
        .iter()
        .find(|event| event["type"] == "connection.scopes_changed")
        .expect("told");
    assert_eq!(told["data"]["scopes_lost"], json!(["orders.write"]));
    assert_eq!(told["data"]["scopes_gained"], json!(["orders.read"]));
}
