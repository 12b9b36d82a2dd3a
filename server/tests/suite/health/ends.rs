//! Ends that are known.

use super::*;

#[tokio::test]
async fn an_end_that_nothing_avoids_is_told_a_week_before() {
    let world = calm().await;
    let host = world.any_host().await;
    let granted = world
        .shop
        .grant("linkwell", ACCOUNTS[0].id, &sandbox::Scope::ALL)
        .unwrap();
    let end = world.clock.now() + TimeDelta::days(20);
    let body = json!({ "provider": "sandbox", "credential": {
        "access_token": granted.access_token, "expires_at": end } });
    let answer = host.post("/v1/connections", body).await;
    let id: ConnectionId = answer.json::<Value>().await.unwrap()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    minutes(&world, 5).await;
    let now = host.seen(id).await;
    assert_eq!(now["ends_because"], "token");
    assert_eq!(now["prompt"], Value::Null, "it is far");
    for _ in 0..(12 * 24) {
        minutes(&world, 60).await;
    }
    assert_eq!(host.told().await, Vec::<String>::new());
    // To the minute, and not with the first check after it.
    world.advance(end - TimeDelta::days(7) - world.clock.now() - TimeDelta::minutes(20));
    minutes(&world, 0).await;
    minutes(&world, 19).await;
    assert_eq!(host.told().await, Vec::<String>::new());
    minutes(&world, 1).await;
    assert_eq!(host.told().await.len(), 1);
    for _ in 0..(2 * 24) {
        minutes(&world, 60).await;
    }
    let events = host.json("/v1/events").await;
    let event = events["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(event["type"], "connection.expiring");
    assert_eq!(event["data"]["ends_at"], now["ends_at"]);
    assert_eq!(host.told().await.len(), 1, "once");
    let now = host.seen(id).await;
    assert_eq!(now["status"], "connected");
    assert_eq!(now["prompt"]["action"]["label"], "Reconnect Sandbox Shop");
    assert_eq!(event["data"]["prompt"], now["prompt"], "in the same words");
    // When it has come, that is told at once.
    world.advance(end - world.clock.now() - TimeDelta::minutes(2));
    minutes(&world, 0).await;
    assert_eq!(host.told().await.len(), 1);
    minutes(&world, 3).await;
    assert_eq!(
        host.told().await,
        ["connection.expiring", "connection.action_required"]
    );
    assert_eq!(host.seen(id).await["status"], "action_needed");
}

#[tokio::test]
async fn an_approval_that_lasts_so_long_is_warned_of_until_it_is_given_again() {
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[(
            "sandbox",
            "refresh_lifetime = \"unknown\"",
            "refresh_lifetime = \"30d\"\nrefresh_absolute = true",
        )])),
        ..Setup::default()
    })
    .await;
    // It says no end of its own.
    world.rules(|rules| {
        rules.access_lifetime_s = 86_400;
        rules.rotation = Rotation::Off;
    });
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = world.app.hub.clone();
    let day = async || {
        for _ in 0..24 {
            world.advance(TimeDelta::hours(1));
            hub.refresh_due().await.unwrap();
            hub.check_due().await.unwrap();
        }
    };
    let end = host.seen(id).await["ends_at"].clone();
    for _ in 0..22 {
        day().await;
    }
    let warning = "connection.expiring".to_owned();
    assert!(!host.told().await.contains(&warning));
    day().await;
    day().await;
    let now = host.seen(id).await;
    assert_eq!(
        (&now["ends_at"], &now["ends_because"]),
        (&end, &json!("approval"))
    );
    let warnings = host
        .told()
        .await
        .into_iter()
        .filter(|kind| *kind == warning);
    assert_eq!(warnings.count(), 1, "once, however often it is renewed");
    // Given again, the warning is withdrawn.
    let browser = world.signed_in().await;
    browser
        .run_flow("sandbox", json!({ "connection": id.to_string() }))
        .await;
    let told = host.told().await;
    assert_eq!(
        told[told.len() - 2..],
        ["connection.reconnected", "connection.healed"]
    );
    assert_eq!(host.seen(id).await["prompt"], Value::Null);
}
