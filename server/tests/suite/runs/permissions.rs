//! Permissions that a run needs and its connection does not have.

use super::*;

#[tokio::test]
async fn a_permission_that_was_never_asked_for_is_added_where_the_button_leads() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let read = async |path: &str| browser.get(path).await.text().await.unwrap();
    let run = begin(&host, id, json!({ "scopes": ["products.write"] })).await;
    assert_eq!(run["code"], "PERMISSION_MISSING");
    let said = "An automation needs another permission: create and change products.";
    assert_eq!(run["prompt"]["what"], said);

    let view = browser.get(format!("/api/view/connection/{id}")).await;
    let view: Value = view.json().await.unwrap();
    assert_eq!(view["prompt"]["what"], said);
    assert_eq!(view["prompt"]["action"]["label"], "Add permission");
    let listed = host.json("/v1/connections").await["data"][0].take();
    for of_api in [host.seen(id).await, listed] {
        assert_eq!(of_api["prompt"]["what"], said, "{of_api}");
    }
    let address = format!("/connect/sandbox?connection={id}&scope=products.write");
    assert_eq!(
        view["prompt"]["action"]["kind"]["open"]["url"],
        json!(address)
    );
    let page = format!("/connections/{id}");
    for page in [page.as_str(), "/"] {
        let shown = read(page).await;
        assert!(shown.contains(said), "{page}: {shown}");
    }
    // Exactly that is ticked; what the provider does not have is left out.
    let ticked = |page: &str, scope: &str| page.contains(&format!("value=\"{scope}\" checked"));
    let chosen = read(&address).await;
    assert!(ticked(&chosen, "products.write"), "{chosen}");
    assert!(!ticked(&chosen, "orders.write"));
    let odd = read(&format!("/connect/sandbox?connection={id}&scope=no.such")).await;
    assert!(!odd.contains("no.such") && !ticked(&odd, "products.write"));

    let more = json!({ "connection": id, "scopes": ["products.write"] });
    browser.run_flow("sandbox", more).await;
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
    assert!(!read(&page).await.contains(said));
    let (_, went) = go_on(&host, &run).await;
    assert_eq!(went["status"], "allowed");
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_taken_as_granted_where_nobody_says_what_was() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let db = world.app.hub.store.db();
    let row = connection::Entity::find_by_id(id).one(db).await.unwrap();
    let mut row = row.unwrap().into_active_model();
    row.scopes_granted = Set(None);
    row.update(db).await.unwrap();
    let run = begin(&host, id, json!({ "scopes": ["orders.read"] })).await;
    assert_eq!(run["status"], "allowed", "it was asked for: {run}");
    let run = begin(&host, id, json!({ "scopes": ["products.write"] })).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["code"], "PERMISSION_MISSING");
}
