//! The link of a mail: what it may do, for whom, and when it ends.

use super::*;

/// The mail about a connection that was revoked.
async fn mailed(world: &World, postbox: &Postbox, id: ConnectionId) -> Letter {
    revoke(world, id).await;
    world.advance(TimeDelta::minutes(15));
    let mut letters = round(world, postbox).await;
    assert_eq!(letters.len(), 1);
    letters.pop().unwrap()
}

/// Where the page that leads on to the provider leads.
async fn onward(page: Response) -> String {
    let page = text(page).await;
    let (_, rest) = page
        .split_once("href=\"http://localhost")
        .expect("an address");
    format!("http://localhost{}", rest.split('"').next().unwrap()).replace("&amp;", "&")
}

/// Row 32.
#[tokio::test]
async fn row_32_a_mailed_link_repairs_once_after_scanners_looked() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let letter = mailed(&world, &postbox, id).await;
    let link = letter.link();
    let secret = link.trim_start_matches("/link/").to_owned();
    assert!(secret.len() >= 43, "256 bits: {secret}");
    let stored = rows(&world.app.hub.store).await;
    for (table, rows) in &stored {
        assert!(
            rows.iter().all(|row| !row.contains(&secret)),
            "{table} has the link itself"
        );
    }
    let scanner = world.browser();
    for _ in 0..3 {
        let page = text(scanner.get(&link).await).await;
        assert!(
            page.contains("Sandbox Shop stopped accepting our access"),
            "{page}"
        );
        assert!(
            page.matches("<form").count() == 1
                && page.matches("<button data-kind=\"primary\"").count() == 1,
            "{page}"
        );
        assert!(page.contains("Maple &amp; Co."), "{page}");
    }
    let head = scanner.http.head(world.url(&link)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(
        rows(&world.app.hub.store).await,
        stored,
        "looking changes nothing"
    );

    // The person, signed in nowhere, begins on the phone and goes on elsewhere.
    let phone = world.browser();
    onward(phone.post(&link, &[]).await).await;
    let browser = world.browser();
    let there = onward(browser.post(&link, &[]).await).await;
    // It can do only this.
    for page in ["/", "/notices", "/settings/notices"] {
        assert!(
            location(&browser.get(page).await)
                .path()
                .starts_with("/sign-in"),
            "{page}"
        );
    }
    assert_eq!(
        browser.get("/guest/connect/shopify").await.status(),
        StatusCode::NOT_FOUND
    );

    // Another account is not taken, nor added.
    world.approve_as(1);
    let callback = location(&browser.http.get(&there).send().await.unwrap());
    let asked = location(&browser.get(callback).await);
    let page = text(browser.get(&asked).await).await;
    assert!(page.contains("This is a different account"), "{page}");
    assert!(!page.contains("value=\"add\""), "{page}");
    let add = browser
        .post(
            &format!("{}/other-account", asked.path()),
            &[("answer", "add")],
        )
        .await;
    assert_ne!(add.status(), StatusCode::SEE_OTHER);
    world.only_connection().await;
    browser
        .post(
            &format!("{}/other-account", asked.path()),
            &[("answer", "discard")],
        )
        .await;

    world.approve_as(0);
    let there = onward(browser.post(&link, &[]).await).await;
    let callback = location(&browser.http.get(&there).send().await.unwrap());
    let done = browser.get(callback).await;
    assert_eq!(location(&done).path(), "/guest/done");
    let page = text(browser.get("/guest/done").await).await;
    assert!(page.contains("Done. You can close this page."), "{page}");
    assert!(page.contains("Open the hub"), "{page}");
    assert_eq!(world.only_connection().await, id);
    let hub = &world.app.hub;
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert!(listed.health.failure.is_none());
    assert_eq!(bell(&world.signed_in().await).await, 0);

    // One success: from here on there is nothing to do.
    let before = rows(&hub.store).await;
    for answer in [
        browser.get(&link).await,
        world.browser().post(&link, &[]).await,
    ] {
        let page = text(answer).await;
        assert!(page.contains("This works again, nothing to do"), "{page}");
    }
    assert_eq!(rows(&hub.store).await, before);
    let again = phone.post("/guest/start/sandbox", &[]).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_mailed_link_sends_nobody_anywhere_for_what_mends_itself() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let refuse = FaultKind::Refuse {
        error: "invalid_grant".into(),
    };
    let once = Fault::new(refuse).at(Endpoint::Refresh).times(1);
    world.shop.set_faults(once.into());
    world.advance(TimeDelta::minutes(6));
    let hub = &world.app.hub;
    hub.refresh_due().await.unwrap();
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    let (browser, visits) = (world.browser(), world.shop.calls().authorize);
    let answer = browser.post(&letters[0].link(), &[]).await;
    assert_eq!(location(&answer).path(), "/guest/done");
    let page = text(browser.get("/guest/done").await).await;
    assert!(page.contains("Sandbox Shop works again"), "{page}");
    assert_eq!(world.shop.calls().authorize, visits);
    let listed = hub.connection(world.member(), id).await.unwrap();
    assert!(listed.health.failure.is_none());
}

#[tokio::test]
async fn row_32_a_mailed_link_ends_with_its_time_its_alarm_and_its_reader() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let letter = mailed(&world, &postbox, id).await;
    world.advance(TimeDelta::hours(71));
    let browser = world.browser();
    onward(browser.post(&letter.link(), &[]).await).await;
    world.advance(TimeDelta::hours(1));
    let page = text(world.browser().get(letter.link()).await).await;
    assert!(page.contains("This link has ended"), "{page}");
    let page = text(browser.post(&letter.link(), &[]).await).await;
    assert!(page.contains("This link has ended"), "{page}");
    let late = browser.post("/guest/start/sandbox", &[]).await;
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
    postbox.take();

    // Healed by somebody else while it is under way.
    let ana = world.signed_in().await;
    reconnect(&ana, id).await;
    round(&world, &postbox).await;
    let letter = mailed(&world, &postbox, id).await;
    onward(browser.post(&letter.link(), &[]).await).await;
    reconnect(&ana, id).await;
    let page = text(browser.get(letter.link()).await).await;
    assert!(page.contains("This works again, nothing to do"), "{page}");
    let page = text(browser.get("/guest/done").await).await;
    assert!(page.contains("Sandbox Shop works again"), "{page}");
    let late = browser.post("/guest/start/sandbox", &[]).await;
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
    round(&world, &postbox).await;

    // Whoever may not repair any more, may not by an old mail either.
    let letter = mailed(&world, &postbox, id).await;
    onward(browser.post(&letter.link(), &[]).await).await;
    let db = world.app.hub.store.db();
    let row = member::Entity::find().one(db).await.unwrap().unwrap();
    let mut row = row.into_active_model();
    row.role = Set(Role::Viewer);
    row.update(db).await.unwrap();
    assert_eq!(
        world.browser().get(letter.link()).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        browser.post(&letter.link(), &[]).await.status(),
        StatusCode::NOT_FOUND
    );
    let late = browser.post("/guest/start/sandbox", &[]).await;
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_is_entered_from_a_mail() {
    let postbox = Postbox::open().await;
    let world = wizard::world_with(postbox.mailer()).await;
    let ana = world.signed_in().await;
    let first = wizard::key(&world);
    let form = [("var.region", "eu"), ("field.api_key", first.as_str())];
    text(ana.post("/connect/keyed", &form).await).await;
    let id = world.only_connection().await;
    let letter = mailed(&world, &postbox, id).await;
    assert!(
        letter.text.contains("Enter new credentials:"),
        "{}",
        letter.text
    );
    let browser = world.browser();
    let page = text(browser.get(letter.link()).await).await;
    assert!(page.contains("Enter new credentials"), "{page}");
    let answer = browser.post(&letter.link(), &[]).await;
    assert_eq!(location(&answer).path(), "/guest/connect/keyed");
    let page = text(browser.get("/guest/connect/keyed").await).await;
    assert!(!page.contains(&first));
    let new = wizard::key(&world);
    let form = [("var.region", "eu"), ("field.api_key", new.as_str())];
    let tested = text(browser.post("/guest/connect/keyed", &form).await).await;
    assert!(tested.contains("href=\"/guest/done\""), "{tested}");
    assert_eq!(world.only_connection().await, id);
    let page = text(browser.get("/guest/done").await).await;
    assert!(page.contains("Done. You can close this page."), "{page}");
    let listed = world.app.hub.connection(world.member(), id).await.unwrap();
    assert!(listed.health.failure.is_none());
}

#[tokio::test]
async fn a_mailed_link_offers_to_sign_in_only_where_that_helps() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    world.shop.set_faults(refuse("key_rejected").into());
    hub.check(world.member(), id).await.unwrap();
    world.advance(TimeDelta::minutes(15));
    let link = round(&world, &postbox).await[0].link();
    let phone = world.browser();
    let page = text(phone.get(&link).await).await;
    assert!(page.contains("Enter new credentials"), "{page}");
    assert!(page.contains("Details for support"), "{page}");
    assert!(page.contains("CREDENTIALS_REJECTED"), "{page}");
    world.shop.set_faults(refuse("suspicious_sign_in").into());
    hub.check(world.member(), id).await.unwrap();
    let page = text(phone.get(&link).await).await;
    assert!(page.contains("Open Sandbox Shop in the hub"), "{page}");
    assert!(!page.contains("Confirm at Sandbox Shop"), "{page}");
    assert!(!page.contains("method=\"post\""), "{page}");
}
