//! Two organisations on one hub: no word of one is ever in anything that the
//! other is shown or told: row 38 of the security checks.

use hub::{people::Scope, record::export::Next, store::audit_entry::Wanted, tell::NewWebhook};
use reqwest::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use crate::{
    gate::{ROUTES, Things},
    harness::{Browser, HostApp, PASSWORD, World},
    surface::neighbour,
};

const THEIRS: &str = "sentinel-of-next-door";

/// Everything of the neighbour that has a name gets the sentinel in it.
async fn mark(world: &World) -> (hub::people::Member, Things) {
    let (bo, theirs, _) = neighbour(world).await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    let id = theirs.connection.parse().unwrap();
    hub.rename(&bo, id, &format!("{THEIRS}-connection"))
        .await
        .unwrap();
    let row = hub::store::connection::of_tenant(db, bo.tenant(), id).await;
    let mut change = row.unwrap().unwrap().into_active_model();
    change.account_label = Set(format!("{THEIRS}-label"));
    change.external_id = Set(Some(format!("{THEIRS}-account")));
    change.update(db).await.unwrap();
    hub.change_profile(&bo, &format!("{THEIRS}-person"), bo.email(), None)
        .await
        .unwrap();
    hub.create_api_key(&bo, &format!("{THEIRS}-key"), &Scope::ALL, "")
        .await
        .unwrap();
    let url = format!("https://example.com/{THEIRS}-hook");
    hub.add_webhook(
        &bo,
        NewWebhook {
            url: &url,
            kinds: &[],
        },
    )
    .await
    .unwrap();
    hub.wish(&bo, &format!("{THEIRS}-wish")).await.unwrap();
    (bo, theirs)
}

#[tokio::test]
async fn row_38_no_output_of_one_tenant_has_a_word_of_another() {
    let world = World::new().await;
    let (bo, theirs) = mark(&world).await;
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    let mine = Things::of(&world, &browser).await;
    let host: HostApp = world.any_host().await;
    let mut seen: Vec<(String, String)> = Vec::new();

    // Every address that only reads, as a person and as a key.
    for (method, route, _) in ROUTES.iter().filter(|(method, ..)| *method == "GET") {
        if *route == "/events" {
            continue;
        }
        let path = mine.path(route);
        let answer = browser.get(&path).await;
        seen.push((format!("{method} {path}"), answer.text().await.unwrap()));
        if route.starts_with("/v1/") {
            seen.push((
                format!("key {path}"),
                host.get(&path).await.text().await.unwrap(),
            ));
        }
    }
    // Filters with what is theirs, and the other pages of lists.
    let their_person = format!("who=person:{}", bo.person());
    for query in [
        format!("/settings/audit?about={}", theirs.connection),
        format!("/settings/audit?{their_person}"),
        "/settings/audit?before=5".to_owned(),
        format!("/?q={}", "sentinel-of"),
        "/v1/events?after=0".to_owned(),
    ] {
        let answer = browser.get(&query).await;
        let text = answer.text().await.unwrap();
        seen.push((query, text));
    }
    // What leaves in files.
    for (path, form) in [
        ("/settings/audit/export", &[("format", "csv")][..]),
        ("/settings/audit/export", &[("format", "json")]),
        ("/settings/organisation/export", &[]),
    ] {
        let answer = browser.post(path, form).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        seen.push((path.to_owned(), answer.text().await.unwrap()));
    }
    // What is told: the stream, and what webhooks are sent.
    let events = hub.events_after(world.member(), 0).await.unwrap();
    seen.push(("events".to_owned(), format!("{events:?}")));
    let lines = hub
        .audit(world.member(), &Wanted::default(), 500)
        .await
        .unwrap();
    seen.push(("ledger".to_owned(), format!("{lines:?}")));

    assert!(seen.len() > 50);
    for (what, text) in &seen {
        for word in [
            THEIRS,
            "SENTINEL",
            &theirs.connection,
            &theirs.key,
            &theirs.webhook,
            &bo.person().to_string(),
            &bo.tenant().to_string(),
        ] {
            // An id in an address is said back in links, and means nothing.
            let asked_for = what.contains(word);
            assert!(asked_for || !text.contains(word), "{what} has {word}");
        }
    }
    // And it is there to be found, for who may.
    let theirs: Browser = world.browser();
    theirs.sign_in("bo@example.com", PASSWORD).await;
    let page = theirs.get("/").await.text().await.unwrap();
    assert!(page.contains(THEIRS));
    let mut next = Next::Start;
    let mut text = String::new();
    while next != Next::End {
        let (part, then) = hub.export_part(&bo, next).await.unwrap();
        text.push_str(&part);
        next = then;
    }
    assert!(text.matches(THEIRS).count() >= 6, "{text}");
}
