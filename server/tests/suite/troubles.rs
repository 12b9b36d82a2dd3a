//! While a provider is in trouble as a whole, every page of those whom it
//! concerns says so, and says no more once it works.

use chrono::TimeDelta;
use hub::{
    failure::{Failure, FailureCode},
    secret::Secret,
    store::{TenantId, connection},
};
use reqwest::StatusCode;
use sandbox::{Endpoint, Fault};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};

use crate::harness::{Browser, HostApp, PASSWORD, World};

const WORDS: &str = "Sandbox Shop is having trouble: nothing to do.";

async fn page(browser: &Browser, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.text().await.unwrap()
}

async fn round(world: &World, seconds: i64) {
    world.advance(TimeDelta::seconds(seconds));
    world.app.hub.refresh_due().await.unwrap();
    world.app.hub.check_due().await.unwrap();
}

/// Makes one connection another tenant's, and of another provider.
async fn elsewhere(world: &World, tenant: TenantId) {
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let db = world.app.hub.store.db();
    let row = connection::Entity::find_by_id(id).one(db).await.unwrap();
    let mut change = row.unwrap().into_active_model();
    change.tenant_id = Set(tenant);
    change.provider = Set("github".to_owned());
    change.update(db).await.unwrap();
}

/// The first of Ana's that fails as its provider does.
async fn first_failing(world: &World) -> connection::Model {
    let ours = connection::Entity::find()
        .filter(connection::Column::TenantId.eq(world.member().tenant()))
        .order_by_asc(connection::Column::Id)
        .all(world.app.hub.store.db())
        .await
        .unwrap();
    let mut ours = ours.into_iter();
    let failing = ours.find(|row| {
        let failure = row.failure.as_ref();
        failure.is_some_and(|failure| failure.code.is_transient())
    });
    failing.expect("one that fails")
}

async fn fails_with(world: &World, row: connection::Model, failure: Option<Failure>) {
    let mut change = row.into_active_model();
    change.failure = Set(failure);
    change.update(world.app.hub.store.db()).await.unwrap();
}

/// Asks to be told, as a form does without scripts.
async fn press(browser: &Browser, id: &str) {
    let answer = browser
        .http
        .post(browser.base.join("/api/tell_when_it_works").unwrap())
        .header("origin", browser.origin())
        .header("accept", "text/html")
        .form(&[("id", id)])
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_redirection(), "{}", answer.status());
}

/// So many connections, proven.
async fn connections(world: &World, hosts: &[&HostApp]) {
    for nth in 0..8 {
        world.import_living(hosts[nth % hosts.len()]).await;
    }
    world.advance(TimeDelta::minutes(5));
    for _ in 0..4 {
        round(world, 1).await;
    }
}

#[tokio::test]
async fn every_page_says_it_while_it_lasts_and_to_whom_it_concerns() {
    let world = World::new().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let (host, theirs) = (world.any_host().await, world.stranger().await);
    connections(&world, &[&host, &theirs]).await;
    let hub = &world.app.hub;
    let secret = || Secret::new(PASSWORD);
    let cy = hub
        .create_user("Elsewhere", "cy@example.com", "Cy", secret())
        .await
        .unwrap();
    elsewhere(&world, cy.tenant()).await;
    let ana = world.signed_in().await;
    let (bo, cy) = (world.browser(), world.browser());
    bo.sign_in("bo@example.com", PASSWORD).await;
    cy.sign_in("cy@example.com", PASSWORD).await;
    let pages = ["/", "/runs", "/settings/account", "/notices"];
    for path in pages {
        assert!(!page(&ana, path).await.contains(WORDS), "{path}");
    }

    let down = Fault::server_error(503).at(Endpoint::Api);
    world.shop.set_faults(down.into());
    world.advance(TimeDelta::hours(1));
    for _ in 0..4 {
        round(&world, 1).await;
    }
    assert_eq!(hub.troubles().await.unwrap().len(), 1);
    let concerned = world.statements(hub.providers_in_trouble(world.member()));
    let (concerned, statements) = concerned.await;
    let first = first_failing(&world).await;
    assert_eq!(concerned.unwrap(), [("sandbox".to_owned(), first.id)]);
    assert_eq!(statements, 2);
    // One that needs a person shows nothing of it.
    let revoked = Failure::told(FailureCode::GrantRevokedOrExpired, "invalid_grant");
    fails_with(&world, first.clone(), Some(revoked)).await;
    let others = hub.providers_in_trouble(world.member()).await.unwrap();
    assert_ne!(others, [("sandbox".to_owned(), first.id)]);
    assert_eq!(others.len(), 1);
    let failure = first.failure.clone();
    fails_with(&world, first, failure).await;
    for browser in [&ana, &bo] {
        for path in pages {
            let page = page(browser, path).await;
            let (_, lines) = page.split_once("id=\"troubles\"").expect("the lines");
            let (lines, _) = lines.split_once("</main>").unwrap();
            assert!(lines.contains(WORDS), "{path}");
            // A script that runs twice fails on its own names.
            let tags = page.split("<script").skip(1);
            let tags = tags.filter_map(|script| script.split('>').next());
            let live = tags.filter(|tag| tag.contains("/live"));
            assert_eq!(live.count(), 1, "{path}");
        }
    }
    assert!(!page(&cy, "/settings/account").await.contains(WORDS));
    assert!(!page(&world.browser(), "/sign-in").await.contains(WORDS));

    // Ana wants to know; Bo does not.
    let shown = page(&ana, "/settings/account").await;
    assert!(shown.contains("Tell me when it works"));
    let (_, form) = shown.split_once("name=\"id\" value=\"").unwrap();
    let id = form.split('"').next().unwrap();
    press(&ana, id).await;
    let shown = page(&ana, "/settings/account").await;
    assert!(shown.contains("You are told when it works"));
    assert!(!shown.contains("Tell me when it works"));
    // It is none of Bo's.
    press(&bo, id).await;
    let unread = async |member| hub.unread_notices(member).await.unwrap();
    assert_eq!(unread(world.member()).await, 0, "nothing is told of it yet");

    world.shop.set_faults(Default::default());
    for _ in 0..6 {
        round(&world, 10).await;
    }
    for path in pages {
        assert!(!page(&ana, path).await.contains(WORDS), "{path}");
    }
    assert_eq!(unread(world.member()).await, 1, "it works");
    assert!(page(&ana, "/notices").await.contains("works again"));
    let shown = page(&bo, "/notices").await;
    assert!(!shown.contains("works again"), "Bo did not ask");
}
