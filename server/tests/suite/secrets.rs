//! Where secrets are and are not: rows 41, 42 and 44 of the security checks,
//! over the whole application.

use std::sync::Arc;

use chrono::TimeDelta;
use hub::{
    catalog::Catalog,
    keep::spool::Spool,
    outbound::OutboundPolicy,
    secret::Secret,
    store::{ConnectionId, credential},
    vault::{MasterKey, VaultError},
};
use linkwell::application::{Application, Ingredients, StartError};
use reqwest::StatusCode;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use crate::{
    gate::rows,
    harness::{HostApp, World},
    surface::neighbour,
};

async fn stored(world: &World, id: ConnectionId) -> credential::Model {
    let db = world.app.hub.store.db();
    credential::get(db, id, credential::MAIN)
        .await
        .unwrap()
        .expect("a credential")
}

/// Writes a whole row, as somebody does who can write to the database.
async fn overwrite(world: &World, row: credential::Model) {
    let row = row.into_active_model().reset_all();
    row.update(world.app.hub.store.db()).await.unwrap();
}

async fn fails_closed(host: &HostApp, id: ConnectionId, secrets: &[&str]) {
    let answer = host.get(&format!("/v1/connections/{id}/token")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem = answer.text().await.unwrap();
    assert!(
        !secrets.iter().any(|secret| problem.contains(secret)),
        "{problem}"
    );
    assert!(
        !problem.contains("access_token") && !problem.contains("seal"),
        "{problem}"
    );
}

#[tokio::test]
async fn rows_41_and_42_asvs_11_3_a_changed_or_moved_ciphertext_does_not_open() {
    let world = World::new().await;
    let host = world.any_host().await;
    let (mine, other) = (
        world.import_living(&host).await,
        world.import_living(&host).await,
    );
    let neighbours = neighbour(&world).await.1.connection.parse().unwrap();
    let tokens = [host.token(mine).await.1, host.token(other).await.1];
    let tokens = tokens
        .each_ref()
        .map(|token| token["access_token"].as_str().unwrap());
    let row = stored(&world, mine).await;
    let sealed = row.access_sealed.clone();
    let (head, last) = sealed.split_at(sealed.len() - 1);
    let flipped = format!("{head}{}", if last == "A" { "Q" } else { "A" });
    let hostile = [
        // Another row's, another tenant's, another column's.
        stored(&world, other).await.access_sealed,
        stored(&world, neighbours).await.access_sealed,
        row.refresh_sealed.clone().unwrap(),
        // Changed, cut, of an unknown format, key or algorithm, or none.
        flipped,
        sealed[..sealed.len() / 2].to_owned(),
        sealed.replacen("v1", "v2", 1),
        sealed.replacen("a256gcm", "none", 1),
        sealed.replace(
            sealed.split('.').nth(2).unwrap(),
            &uuid::Uuid::nil().simple().to_string(),
        ),
        tokens[0].to_owned(),
        String::new(),
    ];
    for access_sealed in hostile {
        overwrite(
            &world,
            credential::Model {
                access_sealed,
                ..row.clone()
            },
        )
        .await;
        fails_closed(&host, mine, &tokens).await;
    }
    // An older or newer version of the same row.
    overwrite(
        &world,
        credential::Model {
            version: row.version + 1,
            ..row.clone()
        },
    )
    .await;
    fails_closed(&host, mine, &tokens).await;
    overwrite(&world, row).await;
    assert_eq!(host.token(mine).await.0, StatusCode::OK);
}

#[tokio::test]
async fn row_41_a_moved_refresh_token_is_never_sent() {
    let world = World::new().await;
    let host = world.any_host().await;
    let (mine, other) = (
        world.import_living(&host).await,
        world.import_living(&host).await,
    );
    let refresh_sealed = stored(&world, other).await.refresh_sealed;
    let row = stored(&world, mine).await;
    overwrite(
        &world,
        credential::Model {
            refresh_sealed,
            ..row.clone()
        },
    )
    .await;
    world.advance(TimeDelta::hours(1));
    let (status, problem) = host.token(mine).await;
    assert!(status.is_server_error(), "{status} {problem}");
    assert_eq!(world.shop.calls().refreshes, 0);
    assert_eq!(
        host.token(other).await.0,
        StatusCode::OK,
        "the other one is not harmed"
    );
}

#[tokio::test]
async fn row_44_asvs_13_3_another_master_key_is_refused_before_anything_is_served() {
    let world = World::new().await;
    world.connect().await;
    let before = rows(&world.app.hub.store).await;
    let spool = std::env::temp_dir().join(format!("linkwell-test-{}", ConnectionId::new()));
    let app = Application::new(Ingredients {
        store: world.app.hub.store.clone(),
        clock: world.clock.clone(),
        wrapper: Arc::new(
            MasterKey::from_text(
                &Secret::new("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="),
                "test",
            )
            .unwrap(),
        ),
        catalog: Catalog::embedded().unwrap(),
        outbound: OutboundPolicy::default(),
        public_url: world.base.clone(),
        operator_apps: Default::default(),
        choices: hub::Choices::default(),
        spool: Spool::open(&spool).unwrap(),
        witness: hub::record::Witness::open(&spool.join("audit")).unwrap(),
        policies: hub::runs::policies::Policies::shipped(),
    })
    .unwrap();
    let ready = app.make_ready().await;
    assert!(matches!(
        ready,
        Err(StartError::Vault(VaultError::WrongMasterKey))
    ));
    // Also nothing is sealed with the wrong key by one who goes on regardless.
    let secret = Some(Secret::new("secret"));
    assert!(
        app.hub
            .set_provider_app(world.member(), "github", "id", secret, &Default::default())
            .await
            .is_err()
    );
    let after = rows(&world.app.hub.store).await;
    for table in ["data_key", "credential", "provider_app"] {
        assert_eq!(after[table], before[table], "{table}");
    }
}
