//! How long what happened is kept.

use chrono::TimeDelta;
use hub::store::{
    ConnectionId,
    event::{self, Data, Kind},
};
use serde_json::Value;

use crate::harness::World;

async fn happens(world: &World, kind: Kind, connection: ConnectionId) -> i64 {
    let new = event::New {
        tenant: world.member().tenant(),
        kind,
        connection: Some(connection),
        person: None,
        data: Data::default(),
    };
    let db = world.app.hub.store.db();
    let appended = event::append(db, new, world.clock.now()).await;
    appended.unwrap()
}

/// Everything that is kept: its kind, and its connection.
async fn kept(world: &World) -> Vec<(Kind, Option<ConnectionId>)> {
    let (db, tenant) = (world.app.hub.store.db(), world.member().tenant());
    let all = event::after(db, tenant, 0, 1_000).await.unwrap();
    let all = all.into_iter();
    all.map(|event| (event.kind, event.connection_id)).collect()
}

#[tokio::test]
async fn what_was_of_interest_at_the_moment_is_kept_for_a_month_and_all_else_for_a_year() {
    let world = World::new().await;
    let (here, gone) = (world.connect().await, ConnectionId::new());
    let host = world.any_host().await;
    for _ in 0..30 {
        happens(&world, Kind::ConnectionChecked, here).await;
    }
    happens(&world, Kind::ConnectionRefreshed, gone).await;
    let newest = happens(&world, Kind::ConnectionDeleted, gone).await;
    let count = kept(&world).await.len();
    world.advance(TimeDelta::days(29));
    world.app.hub.sweep().await.unwrap();
    assert_eq!(kept(&world).await.len(), count);

    world.advance(TimeDelta::days(2));
    world.app.hub.sweep().await.unwrap();
    // Of a connection that is there stays what its page shows.
    let history = world.app.hub.history(world.member(), here, 20).await;
    assert_eq!(history.unwrap().len(), 20);
    let left = kept(&world).await;
    let mut expected = vec![(Kind::ConnectionCreated, Some(here))];
    expected.extend([(Kind::ConnectionChecked, Some(here)); 20]);
    expected.push((Kind::ConnectionDeleted, Some(gone)));
    assert_eq!(left, expected);
    // A cursor from before goes on with what there is.
    let told = host.json("/v1/events?after=1").await;
    assert_eq!(told["next"], newest);
    let numbers = told["data"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers
        .map(|event: &Value| event["data"]["sequence"].as_i64().unwrap())
        .collect();
    assert!(numbers.is_sorted() && numbers.len() >= 2, "{numbers:?}");

    world.advance(TimeDelta::days(340));
    for _ in 0..20 {
        happens(&world, Kind::ConnectionRenamed, here).await;
    }
    world.app.hub.sweep().await.unwrap();
    // When a person signed in last is shown however long ago that was.
    let mut expected = vec![(Kind::ConnectionCreated, Some(here))];
    expected.extend([(Kind::ConnectionRenamed, Some(here)); 20]);
    assert_eq!(kept(&world).await, expected);
    let kept_one = world.app.hub.kept_one(world.member(), here).await.unwrap();
    assert!(kept_one.person_at.is_some());
}
