//! Policies: what they stop, who switches them off, and those that fail.

use super::*;

#[tokio::test]
async fn a_write_without_its_permission_waits_until_it_is_granted() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let all = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    let granted = hub::store::words(all.scopes_granted.as_deref().unwrap());
    let needed = granted.last().unwrap().clone();
    let fewer = granted[..granted.len() - 1].join(" ");
    grant_only(&world, id, &fewer).await;
    let body = json!({ "scopes": [needed] });
    let run = begin(&host, id, body.clone()).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["code"], "PERMISSION_MISSING");
    assert_eq!(run["policy"], "no_write_if_scope_missing");
    assert_eq!(run["prompt"]["action"]["label"], "Add permission");
    // Looking only needs no more than that.
    let look = begin(&host, id, json!({ "scopes": [needed], "writes": false })).await;
    assert_eq!(look["status"], "allowed");
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    // The permission is added, which is told with it.
    assert_eq!(world.connect().await, id);
    let events = told(&world, event::Kind::ConnectionScopesChanged).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data.scopes_gained, [needed.as_str()]);
    assert!(events[0].data.scopes_lost.is_empty());
    assert_eq!(hub.resume_runs().await.unwrap(), 1);
    let (_, went) = go_on(&host, &run).await;
    assert_eq!(went["status"], "allowed");
}

#[tokio::test]
async fn an_account_nobody_has_proven_is_checked_before_it_is_used() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let run = begin(&host, id, json!({})).await;
    assert_eq!(run["status"], "allowed", "a check needs no person: {run}");
    // One that the provider cannot tell anything of is used by nobody.
    let down = sandbox::Fault::new(sandbox::FaultKind::ServerError { status: 502 })
        .at(sandbox::Endpoint::Api);
    let other = world.import_living_as(&host, 1).await;
    world.shop.set_faults(down.into());
    let run = begin(&host, other, json!({})).await;
    assert_eq!(run["status"], "paused", "{run}");
    assert_eq!(run["policy"], "no_run_on_unverified_account");
    world.shop.set_faults(Default::default());
    world.app.hub.check(world.member(), other).await.unwrap();
    assert_eq!(world.app.hub.resume_runs().await.unwrap(), 1);
}

#[tokio::test]
async fn a_policy_can_be_switched_off_by_an_admin_and_what_it_stopped_goes_on() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    grant_only(&world, id, "").await;
    let run = begin(&host, id, json!({ "scopes": ["orders.write"] })).await;
    assert_eq!(run["status"], "paused");
    let browser = world.signed_in().await;
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("1 run waits because of it"), "{page}");
    assert!(page.contains("no_write_if_scope_missing"));
    let form = [("name", "no_write_if_scope_missing"), ("on", "false")];
    browser.post("/api/switch_policy", &form).await;
    assert_eq!(hub.resume_runs().await.unwrap(), 1);
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Switched off by Ana"), "{page}");
    // It is off here and nowhere else.
    let (neighbours, off) = (world.neighbour().await, "no_write_if_scope_missing");
    let theirs = hub.policies_of(&neighbours, 1).await.unwrap();
    assert!(theirs.policies.iter().all(|policy| policy.off.is_none()));
    let form = [("name", off), ("on", "true")];
    browser.post("/api/switch_policy", &form).await;
    let (_, again) = go_on(&host, &run).await;
    assert_eq!(again["status"], "paused", "on again, it stops it again");
    assert_eq!(told(&world, event::Kind::RunPaused).await.len(), 2);
}

fn policies(files: &[(&str, &str)]) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("linkwell-policies-{}", ConnectionId::new()));
    std::fs::create_dir(&directory).unwrap();
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    directory
}

#[tokio::test]
async fn the_operators_rules_hold_for_everybody_and_one_that_errs_denies() {
    let directory = policies(&[
        (
            "not_at_weekends.rego",
            "# No orders are touched here\npackage linkwell.not_at_weekends\n\
             deny contains \"Orders are left alone\" if startswith(input.run.action, \"orders.\")\n",
        ),
        (
            "odd.rego",
            "package linkwell.odd\n\
             deny contains \"never\" if { input.run.action == \"odd\"; to_number(input.run.action) > 1 }\n",
        ),
        (
            "closed_books.rego",
            "package linkwell.closed_books\n\
             deny contains {\"code\": \"REFUSED_BY_PROVIDER\", \"detail\": \"books\", \
             \"reason\": \"The books are closed\"} if input.run.action == \"books.update\"\n",
        ),
        ("notes.txt", "not a policy"),
    ]);
    let world = World::with(Setup {
        policies: Some(directory.clone()),
        ..Setup::default()
    })
    .await;
    std::fs::remove_dir_all(directory).unwrap();
    let host = world.any_host().await;
    let id = world.connect().await;
    let run = begin(&host, id, json!({})).await;
    assert_eq!(run["status"], "paused");
    assert_eq!(run["policy"], "not_at_weekends");
    assert_eq!(run["code"], "ADMIN_APPROVAL_REQUIRED");
    assert_eq!(run["prompt"]["why"], "Orders are left alone.");
    // One that gives a code is told by its own words all the same.
    let closed = begin(&host, id, json!({ "action": "books.update" })).await;
    assert_eq!(closed["policy"], "closed_books");
    assert_eq!(closed["code"], "REFUSED_BY_PROVIDER");
    let what = "A rule of your organisation stops this.";
    assert_eq!(closed["prompt"]["what"], what);
    assert_eq!(closed["prompt"]["why"], "The books are closed.");
    let odd = begin(&host, id, json!({ "action": "odd" })).await;
    assert_eq!(
        (&odd["status"], &odd["code"]),
        (&json!("paused"), &json!("APP_CONFIG_INVALID"))
    );
    let fine = begin(&host, id, json!({ "action": "customers.list" })).await;
    assert_eq!(fine["status"], "allowed");
    let hub = &world.app.hub;
    let refused = hub
        .switch_policy(world.member(), "not_at_weekends", false)
        .await;
    assert!(
        matches!(refused, Err(hub::Error::NotFound)),
        "it is not the tenant's"
    );
    let browser = world.signed_in().await;
    browser
        .post(
            "/api/switch_policy",
            &[("name", "not_at_weekends"), ("on", "false")],
        )
        .await;
    assert_eq!(hub.resume_runs().await.unwrap(), 0);
    let page = browser
        .get("/settings/policies")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("set by whoever runs this hub"));
    assert!(page.contains("No orders are touched here"));
}

#[test]
fn a_policy_that_cannot_be_loaded_stops_the_start() {
    for (text, said) in [
        (
            "package linkwell.broken\ndeny contains \"x\" if {",
            "broken.rego",
        ),
        (
            "package linkwell.other\ndeny contains \"x\" if true",
            "package",
        ),
        ("package linkwell.broken\nallow := true", "broken.rego"),
    ] {
        let directory = policies(&[("broken.rego", text)]);
        let loaded = linkwell::application::open_policies(Some(&directory));
        let error = loaded.err().expect("it is no policy").to_string();
        assert!(error.contains(said), "{error}");
        std::fs::remove_dir_all(directory).unwrap();
    }
    let nowhere = std::path::Path::new("/nowhere/at/all");
    assert!(Policies::with_directory(nowhere).is_err());
}

#[test]
fn a_policy_where_none_is_looked_for_stops_the_start() {
    let rego = "package linkwell.mine\ndeny contains \"x\" if false";
    for (place, said) in [
        ("mine.REGO", "small letters"),
        ("team/mine.rego", "side by side"),
        ("team/sales/mine.Rego", "side by side"),
        ("mine.rego/notes.txt", "side by side"),
    ] {
        let directory = policies(&[]);
        let path = directory.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, rego).unwrap();
        let loaded = Policies::with_directory(&directory);
        let error = loaded.err().expect("it is not looked for").to_string();
        assert!(error.contains(said), "{error}");
        std::fs::remove_dir_all(directory).unwrap();
    }
    // What is nobody's rule, and what a mounted directory keeps for itself.
    let directory = policies(&[("mine.rego", rego), ("notes.txt", "x")]);
    for place in ["team", "..data"] {
        std::fs::create_dir(directory.join(place)).unwrap();
    }
    std::fs::write(directory.join("..data/mine.rego"), rego).unwrap();
    let loaded = Policies::with_directory(&directory);
    assert!(loaded.is_ok(), "{:?}", loaded.err());
    std::fs::remove_dir_all(directory).unwrap();
}
