//! How a connection is, on pages.

use super::*;

#[tokio::test]
async fn a_pages_row_says_that_nothing_is_to_be_done_and_when_it_is_tried_again() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let down = Fault::server_error(503).at(Endpoint::Api);
    world.shop.set_faults(down.into());
    hub.check(world.member(), id).await.unwrap();
    let listed = hub.connection(world.member(), id).await.unwrap();
    let at = listed.health.retry_at.unwrap().format("%H:%M UTC");
    let browser = world.signed_in().await;
    for path in ["/".to_owned(), format!("/connections/{id}")] {
        let page = browser.get(&path).await.text().await.unwrap();
        for said in [format!("Retrying at {at}"), "No action needed.".to_owned()] {
            assert!(page.contains(&said), "{said} on {path}: {page}");
        }
    }
    // Before anybody is told, too: what failed last, why and when.
    let page = browser.get("/settings/connections").await;
    let page = page.text().await.unwrap();
    assert!(page.contains("Sandbox Shop is limiting or not working right now."));
    assert!(page.contains("it cannot serve us at the moment."), "{page}");
    let (_, failed) = page.split_once("Last failure").unwrap();
    let (failed, _) = failed.split_once("</div>").unwrap();
    assert!(failed.contains("<time"), "{failed}");
    assert!(page.contains("id=\"kept\" data-live"), "{page}");
}

#[tokio::test]
async fn a_history_tells_what_failed_and_why_and_no_routine() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    for _ in 0..25 {
        world.advance(TimeDelta::hours(1));
        hub.refresh_due().await.unwrap();
    }
    world.shop.revoke_all();
    hub.check(world.member(), id).await.unwrap();
    let told = hub.history(world.member(), id, 20).await.unwrap();
    assert_eq!(told.len(), 2, "{told:#?}");
    let browser = world.signed_in().await;
    let page = browser.get(format!("/connections/{id}")).await;
    let page = page.text().await.unwrap();
    let (_, lines) = page.split_once("class=\"history\"").unwrap();
    for said in [
        "Stopped working",
        "Sandbox Shop says that our access was withdrawn or has ended.",
        "GRANT_REVOKED_OR_EXPIRED",
        "Connected",
    ] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
    assert!(!lines.contains("Access renewed"), "{lines}");
}
