//! Handing out tokens: what it costs, and when it is refused.

use chrono::TimeDelta;
use hub::{people::Scope, store::audit_chain};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault, Rotation};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};

use crate::harness::World;

#[tokio::test]
async fn a_fresh_token_costs_one_select_and_no_write() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    host.token(id).await; // opens the tenant's data key, once per process
    let ((status, token), statements) = world.statements(host.token(id)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(statements, 1);
}

#[tokio::test]
async fn reads_are_recorded_in_batches_with_who_and_what() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    for _ in 0..3 {
        host.token(id).await;
    }
    let hub = &world.app.hub;
    assert_eq!(hub.flush_reads().await.unwrap(), 3);
    let reads = hub::store::token_read::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    assert_eq!(reads.len(), 3);
    assert!(reads.iter().all(|read| read.connection_id == id));
    assert_eq!(hub.flush_reads().await.unwrap(), 0);
}

#[tokio::test]
async fn what_cannot_be_written_of_one_tenants_reads_holds_up_no_other() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let bo = world.neighbour().await;
    let mut theirs = world.any_host().await;
    let (_, key) = world
        .app
        .hub
        .create_api_key(&bo, "Till", &Scope::ALL, "")
        .await
        .unwrap();
    theirs.key = key.expose().to_owned();
    let next_door = world.import_living_as(&theirs, 1).await;

    // A process that has not opened their ledger, and cannot.
    let another = world.another().await;
    let (host, mut theirs) = (another.any_host().await, another.any_host().await);
    theirs.key = key.expose().to_owned();
    let hub = &another.app.hub;
    let db = hub.store.db();
    let sealed = audit_chain::get(db, bo.tenant()).await.unwrap().unwrap();
    let seal = async |text: &str| {
        audit_chain::Entity::update_many()
            .col_expr(audit_chain::Column::KeySealed, Expr::value(text))
            .filter(audit_chain::Column::TenantId.eq(bo.tenant()))
            .exec(db)
            .await
            .unwrap();
    };
    seal("what nobody can open").await;
    host.token(id).await;
    theirs.token(next_door).await;
    theirs.token(next_door).await;
    let whose = async || {
        let all = hub::store::token_read::Entity::find().all(db).await;
        let all = all.unwrap().into_iter();
        all.map(|read| read.connection_id).collect::<Vec<_>>()
    };
    assert!(hub.flush_reads().await.is_err());
    assert_eq!(whose().await, [id]);
    // What could not be written is written once it can be.
    seal(&sealed.key_sealed).await;
    assert_eq!(hub.flush_reads().await.unwrap(), 2);
    assert_eq!(whose().await.len(), 3);
    // Nothing is kept for a tenant that is no more.
    theirs.token(next_door).await;
    world.app.hub.delete_tenant(&bo, "Next door").await.unwrap();
    host.token(id).await;
    assert_eq!(hub.flush_reads().await.unwrap(), 1);
    assert_eq!(whose().await, [id, id]);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_any_number_of_callers() {
    let world = World::new().await;
    let host = world.any_host().await;
    world.rules(|rules| rules.rotation = Rotation::STRICT);
    let id = world.import_living(&host).await;
    world.advance(TimeDelta::hours(1));
    let answers = futures::future::join_all((0..200).map(|_| host.token(id))).await;
    let first = &answers[0].1["access_token"];
    assert!(first.is_string());
    for (status, token) in &answers {
        assert_eq!(*status, StatusCode::OK);
        assert_eq!(&token["access_token"], first);
    }
    let calls = world.shop.calls();
    assert_eq!((calls.refreshes, calls.refreshes_ok), (1, 1));
    assert_eq!(calls.families_revoked, 0);
}

#[tokio::test]
async fn e3_two_processes_refresh_one_token_once() {
    let world = World::new().await;
    let other = world.another().await;
    world.rules(|rules| rules.rotation = Rotation::STRICT);
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let other_host = other.any_host().await;
    // Longer than a lock that somebody forgot to make longer than the call;
    // on one shared in-memory database there are no two processes to wait.
    if world.is_postgres() {
        world
            .shop
            .set_faults(Fault::slow(13_000).at(Endpoint::Refresh).into());
    }
    world.advance(TimeDelta::hours(1));
    let (mine, theirs) = futures::future::join(
        futures::future::join_all((0..100).map(|_| host.token(id))),
        futures::future::join_all((0..100).map(|_| other_host.token(id))),
    )
    .await;
    for (status, _) in mine.iter().chain(&theirs) {
        assert_eq!(*status, StatusCode::OK);
    }
    let calls = world.shop.calls();
    assert_eq!((calls.refreshes, calls.families_revoked), (1, 0));
}

#[tokio::test]
async fn a_token_that_still_works_is_lent_while_the_provider_is_down() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    world
        .shop
        .set_faults(Fault::server_error(503).at(Endpoint::Refresh).into());
    // Inside the margin before the end: a renewal is tried, and fails.
    world.advance(TimeDelta::seconds(600 - 30));
    let (status, token) = host.token(id).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    assert_eq!(world.shop.calls().refreshes, 1);
    // The same again does not call the provider before the wait is over.
    host.token(id).await;
    assert_eq!(world.shop.calls().refreshes, 1);
    world.advance(TimeDelta::seconds(40));
    let (status, problem) = host.token(id).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "PROVIDER_LIMITED_OR_DOWN");
    assert!(problem["retry_at"].is_string());
    world.shop.set_faults(Default::default());
    world.advance(TimeDelta::minutes(5));
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    world.shop.set_faults(
        Fault::rate_limited(1200)
            .at(Endpoint::Refresh)
            .times(1)
            .into(),
    );
    world.advance(TimeDelta::minutes(11));
    let (status, problem) = host.token(id).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "PROVIDER_LIMITED_OR_DOWN");
    world.advance(TimeDelta::minutes(19));
    host.token(id).await;
    assert_eq!(
        world.shop.calls().refreshes,
        1,
        "not before the time asked for"
    );
    world.advance(TimeDelta::minutes(2));
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_grant_is_final_at_the_first_answer() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    world.shop.revoke_all();
    world.advance(TimeDelta::minutes(11));
    for _ in 0..3 {
        let (status, problem) = host.token(id).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(problem["code"], "GRANT_REVOKED_OR_EXPIRED");
        assert!(problem["prompt"]["action"]["label"].is_string());
    }
    assert_eq!(world.shop.calls().refreshes, 1, "asked once, then known");
}

#[tokio::test]
async fn keys_open_only_what_they_are_for() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let reader = world.host(&[Scope::ConnectionsRead]).await;
    assert_eq!(reader.token(id).await.0, StatusCode::FORBIDDEN);
    assert_eq!(reader.get("/v1/connections").await.status(), StatusCode::OK);
    assert_eq!(
        reader.get("/v1/catalog").await.status(),
        StatusCode::FORBIDDEN
    );
    let refused = reader
        .post(
            "/v1/connections",
            json!({ "provider": "sandbox", "credential": { "access_token": "x" } }),
        )
        .await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let mut stranger = world.any_host().await;
    stranger.key = "lw_0000000000000000000000000000000000000000000".into();
    assert_eq!(stranger.token(id).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        stranger.get("/v1/connections").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_revoked_key_is_dead_at_once() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    let key = hub.api_keys(world.member()).await.unwrap().remove(0);
    hub.revoke_api_key(world.member(), key.id).await.unwrap();
    assert_eq!(host.token(id).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_tenants_connection_does_not_exist() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let hub = &world.app.hub;
    let stranger = hub
        .create_user(
            "Next door",
            "bo@example.com",
            "Bo",
            hub::secret::Secret::new(crate::harness::PASSWORD),
        )
        .await
        .unwrap();
    let (_, key) = hub
        .create_api_key(&stranger, "theirs", &Scope::ALL, "")
        .await
        .unwrap();
    let mut thief = world.any_host().await;
    thief.key = key.expose().to_owned();
    let unknown = thief
        .get(&format!(
            "/v1/connections/{}",
            hub::store::ConnectionId::new()
        ))
        .await;
    let unknown = (unknown.status(), unknown.text().await.unwrap());
    for path in ["", "/token"] {
        let answer = thief.get(&format!("/v1/connections/{id}{path}")).await;
        assert_eq!((answer.status(), answer.text().await.unwrap()), unknown);
    }
    assert_eq!(
        thief
            .delete(&format!("/v1/connections/{id}"))
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    assert!(hub.check(&stranger, id).await.is_err());
    assert!(hub.rename(&stranger, id, "mine").await.is_err());
    assert!(hub.disconnect(&stranger, id).await.is_err());
    assert_eq!(host.token(id).await.0, StatusCode::OK);
}

/// The same trouble is told in the same words and of the same time, whoever asks.
#[tokio::test]
async fn every_surface_says_the_same_of_the_same_trouble() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    let known = host.seen(id).await["prompt"].take();
    world.advance(TimeDelta::hours(3));
    let (_, withheld) = host.token(id).await;
    assert_eq!(withheld["prompt"], known);
    let path = format!("/v1/connections/{id}/test");
    let tested: Value = host.post(&path, json!({})).await.json().await.unwrap();
    assert_eq!(tested["prompt"], known);

    let body = json!({ "connection": id, "action": "orders.update" });
    let run: Value = host.post("/v1/runs", body).await.json().await.unwrap();
    assert_eq!(run["status"], "paused");
    let known = host.seen(id).await["prompt"].take();
    assert_eq!(known["effect"], "1 run is paused. Nothing was lost.");
    assert_eq!(run["prompt"], known);
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(host.json(&path).await["prompt"], known);
    assert_eq!(host.token(id).await.1["prompt"], known);
    let events = host.json("/v1/events").await;
    let of = |kind: &str| {
        let mut all = events["data"].as_array().unwrap().iter();
        let found = all.rfind(|event| event["type"] == kind);
        found.expect(kind)["data"]["prompt"].clone()
    };
    for kind in ["connection.action_required", "run.paused"] {
        assert_eq!(of(kind), known, "{kind}");
    }
}

#[tokio::test]
async fn what_may_heal_has_no_button_wherever_it_is_told() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let silent = Fault::cut_connection();
    world.shop.set_faults(silent.into());
    world.advance(TimeDelta::hours(2));
    let (status, withheld) = host.token(id).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{withheld}");
    let known = host.seen(id).await;
    assert_eq!(known["status"], "retrying");
    assert_eq!(known["prompt"]["action"], Value::Null);
    assert_eq!(withheld["prompt"], known["prompt"]);
}
