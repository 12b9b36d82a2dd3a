//! How many may wait, and a database that takes nothing.

use super::*;

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
