//! Who can help, and how they are asked.

use super::*;

#[tokio::test]
async fn who_may_not_repair_it_asks_who_may() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    let other = colleague(&world, "Otto", Role::Member).await;
    colleague(&world, "Vera", Role::Viewer).await;
    give_to(&world, id, &mia).await;
    revoke(&world, id).await;
    let vera = signed_in_as(&world, "vera@example.com").await;
    let of = format!("/connections/{id}");
    let page = text(vera.get(&of).await).await;
    assert!(page.contains("Mia and Ana can repair this."), "{page}");
    assert!(
        page.contains("Ask Mia") && !page.contains("Ask Otto"),
        "{page}"
    );
    // Who may repair it has a button instead.
    let page = text(world.signed_in().await.get(&of).await).await;
    assert!(!page.contains("Ask Mia"));

    let ask = async |person: &Member| {
        let (id, person) = (id.to_string(), person.person().to_string());
        let form = [("id", id.as_str()), ("person", person.as_str())];
        let answer = press(&vera, "/api/ask_to_repair", &form).await;
        text(vera.get(location(&answer)).await).await
    };
    assert!(
        ask(&other).await.contains("There is a problem"),
        "Otto looks after nothing here"
    );
    assert!(
        ask(&mia)
            .await
            .contains("Asked. They get a notice and a mail.")
    );
    let ledger = crate::deeds::written(&world).await;
    let line = ledger.last().expect("an entry");
    let of = (&*line.deed, line.target_id.clone());
    assert_eq!(of, ("connection.help_asked", Some(id.to_string())));
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, ["mia@example.com"]);
    assert_eq!(letters[0].subject, "Vera asks you to repair Sandbox Shop");
    assert!(letters[0].link().starts_with("/link/"));
    let mias = signed_in_as(&world, "mia@example.com").await;
    let page = text(mias.get("/notices").await).await;
    assert!(page.contains("Vera asks you to repair this."), "{page}");

    // Once for each trouble.
    assert!(ask(&mia).await.contains("They were asked before"));
    let page = text(vera.get("/notices").await).await;
    assert!(
        page.contains("Mia was asked") && page.contains("Ask Ana"),
        "{page}"
    );
    assert!(round(&world, &postbox).await.is_empty());
    // And not without end.
    let hub = &world.app.hub;
    let asker = signed_in_member(&world, "vera@example.com").await;
    let ana = world.signed_in().await;
    for nth in 0..20 {
        let db = hub.store.db();
        reconnect(&ana, id).await;
        revoke(&world, id).await;
        let asked = hub.ask_to_repair(&asker, id, mia.person()).await;
        match nth {
            19 => assert!(matches!(asked, Err(Error::Invalid(_)))),
            _ => assert_eq!(asked.unwrap(), Asked::Now("Mia".into())),
        }
        assert!(notice::Entity::find().count(db).await.unwrap() > 0);
    }
}

async fn signed_in_member(world: &World, email: &str) -> Member {
    let hub = &world.app.hub;
    let address = "127.0.0.1".parse().unwrap();
    let signed_in = hub
        .sign_in(email, Secret::new(PASSWORD), address, None)
        .await;
    signed_in.unwrap().member
}

#[tokio::test]
async fn who_is_asked_sees_it_at_once_on_an_open_page_and_nobody_else_does() {
    let (world, _postbox) = world().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    colleague(&world, "Vera", Role::Viewer).await;
    colleague(&world, "Otto", Role::Member).await;
    give_to(&world, id, &mia).await;
    revoke(&world, id).await;
    let mias = signed_in_as(&world, "mia@example.com").await;
    let ottos = signed_in_as(&world, "otto@example.com").await;
    let mut hers = Events::open(&mias, None).await;
    let mut his = Events::open(&ottos, None).await;
    press(&mias, "/api/read_notices", &[]).await;
    assert_eq!(bell(&mias).await, 0);

    let vera = signed_in_member(&world, "vera@example.com").await;
    let hub = &world.app.hub;
    hub.ask_to_repair(&vera, id, mia.person()).await.unwrap();
    let (asked, data) = hers.next().await.unwrap();
    assert_eq!(data, serde_json::json!({ "id": id }).to_string());
    assert_eq!(bell(&mias).await, 1);
    hub.rename(world.member(), id, "Another").await.unwrap();
    let (renamed, _) = his.next().await.unwrap();
    let number = |text: String| text.parse::<i64>().unwrap();
    assert_eq!(
        number(renamed),
        number(asked) + 1,
        "Otto hears of the name first"
    );
}

/// What a letter says, as it is read.
fn said(letter: &Letter) -> String {
    letter.text.replace("\r\n", "\n")
}

/// The one connection as the hub's page shows it to somebody.
async fn on_hub(browser: &Browser) -> serde_json::Value {
    let view = browser.get("/api/view/hub").await;
    let mut view: serde_json::Value = view.json().await.unwrap();
    view["connections"][0].take()
}

#[tokio::test]
async fn trouble_that_lasts_and_that_somebody_can_act_on_is_told_like_any_other() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    colleague(&world, "Jonas", Role::Admin).await;
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    let down = Fault::server_error(503).at(Endpoint::Api);
    let silent = Fault::cut_connection().at(Endpoint::Api);
    // What nobody can do anything about becomes what somebody can, in one alarm.
    world.shop.set_faults(down.into());
    for _ in 0..3 {
        hub.check(world.member(), id).await.unwrap();
    }
    assert_eq!((alarms(&world).await, bell(&browser).await), (1, 0));
    world.shop.set_faults(silent.into());
    for _ in 0..3 {
        hub.check(world.member(), id).await.unwrap();
    }
    assert_eq!((alarms(&world).await, bell(&browser).await), (1, 1));
    let page = text(browser.get("/notices").await).await;
    for line in [
        "Sandbox Shop did not answer.",
        "We keep trying until it works.",
        "Check now",
        "Tell me when it works",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Sandbox Shop did not answer");
    let page = format!("Check now:\n{}connections/{id}", world.app.hub.public_url);
    assert!(said(&letters[0]).contains(&page), "{}", said(&letters[0]));
    // Nobody did anything: the other admin hears of it after a day.
    world.advance(TimeDelta::hours(24));
    let letters = round(&world, &postbox).await;
    let unattended = letters.iter().find(|one| one.to == ["jonas@example.com"]);
    let unattended = unattended.expect("a mail for Jonas");
    assert!(
        unattended
            .text
            .starts_with("Nobody has repaired this for a day.")
    );
    // One mail that it works, also for who asked to be told.
    hub.tell_when_it_works(world.member(), id).await.unwrap();
    world.shop.set_faults(Default::default());
    hub.check(world.member(), id).await.unwrap();
    let letters = round(&world, &postbox).await;
    let anas = letters.iter().filter(|one| one.to == [EMAIL]);
    assert_eq!(anas.count(), 1, "{letters:#?}");
}

#[tokio::test]
async fn what_is_wrong_on_our_side_is_reported_from_the_mail() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    world.shop.set_faults(refuse("unheard_of").into());
    for _ in 0..3 {
        let hub = &world.app.hub;
        hub.check(world.member(), id).await.unwrap();
    }
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    let text = said(&letters[0]);
    assert!(text.contains("Send report:\nmailto:?subject="), "{text}");
    assert!(text.contains("HUB_INTERNAL"), "{text}");
}

#[tokio::test]
async fn the_provider_app_is_the_admins_and_others_are_told_who_they_are() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    give_to(&world, id, &mia).await;
    // Nobody registered this one at the sandbox.
    world.register("sandbox", &[]).await;
    world.advance(TimeDelta::hours(2));
    world.app.hub.refresh_due().await.unwrap();
    let ana = world.signed_in().await;
    let mias = signed_in_as(&world, "mia@example.com").await;
    assert_eq!((bell(&ana).await, bell(&mias).await), (1, 0));
    let row = on_hub(&ana).await;
    assert_eq!(
        row["prompt"]["action"]["label"],
        "Check the Sandbox Shop app"
    );
    // Who may not change it has the way to ask instead, wherever it is said.
    let row = on_hub(&mias).await;
    assert_eq!(row["prompt"]["action"]["label"], "Ask Ana", "{row}");
    let url = format!("/connections/{id}#help");
    assert_eq!(row["prompt"]["action"]["kind"]["open"]["url"], url);
    let page = text(mias.get(format!("/connections/{id}")).await).await;
    assert!(page.contains("Ana can repair this."), "{page}");
    assert!(!page.contains("Check the Sandbox Shop app"), "{page}");
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, [EMAIL]);
    let label = "Check the Sandbox Shop app:";
    assert!(letters[0].text.contains(label), "{}", letters[0].text);
}

#[tokio::test]
async fn what_only_the_operator_can_correct_leads_to_them() {
    let postbox = Postbox::open().await;
    let world = World::with(Setup {
        choices: hub::Choices {
            mailer: postbox.mailer(),
            support: Some("mailto:ops@example.com".parse().unwrap()),
            ..Default::default()
        },
        ..Setup::default()
    })
    .await;
    world.connect().await;
    let wrong = Fault::invalid_client().at(Endpoint::Token);
    world.shop.set_faults(wrong.into());
    world.advance(TimeDelta::hours(2));
    world.app.hub.refresh_due().await.unwrap();
    let ana = world.signed_in().await;
    let prompt = on_hub(&ana).await["prompt"].take();
    assert_eq!(
        prompt["effect"],
        "Only whoever runs this hub can correct it."
    );
    let action = &prompt["action"];
    assert_eq!(action["label"], "Ask whoever runs this Linkwell");
    assert_eq!(action["kind"]["open"]["url"], "mailto:ops@example.com");
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    let told = "Ask whoever runs this Linkwell:\nmailto:ops@example.com";
    assert!(said(&letters[0]).contains(told), "{}", said(&letters[0]));
}

#[tokio::test]
async fn an_admin_at_the_provider_gets_a_request_that_is_written_already() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    world.shop.set_faults(refuse("approval_required").into());
    world.app.hub.check(world.member(), id).await.unwrap();
    let ana = world.signed_in().await;
    let action = on_hub(&ana).await["prompt"]["action"].take();
    assert_eq!(action["label"], "Send request to admin");
    let request = &*format!("/connect/sandbox/request?connection={id}");
    assert_eq!(action["kind"]["open"]["url"], request);
    world.advance(TimeDelta::minutes(15));
    let letters = round(&world, &postbox).await;
    let label = format!("Send request to admin:\n{}", world.app.hub.public_url);
    assert!(said(&letters[0]).contains(&label), "{}", said(&letters[0]));
    let page = text(ana.get(request).await).await;
    assert!(page.contains("href=\"mailto:?subject="), "{page}");
    assert!(
        page.contains("wants to use Sandbox Shop with Linkwell"),
        "{page}"
    );
    // Once it is allowed, the connection that waits for it is repaired.
    let again = format!("href=\"/connect/sandbox?connection={id}\"");
    assert!(page.contains(&again), "{page}");
    // Where there is a page for it, the request leads there, for everybody.
    world.register("microsoft", &[]).await;
    let page = text(ana.get("/connect/microsoft/request").await).await;
    let link = "https://login.microsoftonline.com/organizations/v2.0/adminconsent?";
    assert!(page.contains(link) && !page.contains("state="), "{page}");
    let back = "/oauth/callback/microsoft?admin_consent=True&tenant=72f988bf";
    let admin = world.browser();
    let page = text(admin.get(back).await).await;
    assert!(page.contains("whoever asked you can connect it"), "{page}");
}

#[tokio::test]
async fn who_may_only_look_sees_what_can_be_seen_and_whom_to_ask() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    colleague(&world, "Vera", Role::Viewer).await;
    let vera = signed_in_as(&world, "vera@example.com").await;
    let hub = &world.app.hub;
    world.shop.set_faults(refuse("suspicious_sign_in").into());
    hub.check(world.member(), id).await.unwrap();
    let action = on_hub(&vera).await["prompt"]["action"].take();
    assert_eq!(action["label"], "Confirm at Sandbox Shop");
    for path in ["/notices".to_owned(), format!("/connections/{id}")] {
        let page = text(vera.get(&path).await).await;
        assert!(page.contains("Confirm at Sandbox Shop"), "{path}: {page}");
    }
    world.shop.set_faults(Default::default());
    hub.check(world.member(), id).await.unwrap();

    // Something is missing while everything else works: nobody's alarm.
    let row = connection::Entity::find_by_id(id).one(hub.store.db()).await;
    let mut row = row.unwrap().unwrap().into_active_model();
    row.scopes_granted = Set(Some("read_products".to_owned()));
    row.update(hub.store.db()).await.unwrap();
    let row = on_hub(&vera).await;
    assert_eq!(row["status"], "connected");
    assert_eq!(row["prompt"]["action"]["label"], "Ask Ana");
    let page = text(vera.get(format!("/connections/{id}")).await).await;
    assert!(page.contains("Ana can repair this."), "{page}");
    let (of, ana) = (id.to_string(), world.member().person().to_string());
    let form = [("id", of.as_str()), ("person", ana.as_str())];
    press(&vera, "/api/ask_to_repair", &form).await;
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.last().expect("a mail").to, [EMAIL]);
    assert!(letters.last().unwrap().text.contains("Add permission:"));
}

#[tokio::test]
async fn support_is_told_what_it_was_exactly_and_what_it_is_found_by() {
    let world = World::new().await;
    let id = world.connect().await;
    revoke(&world, id).await;
    let browser = world.signed_in().await;
    for path in ["/notices".to_owned(), format!("/connections/{id}")] {
        let page = text(browser.get(&path).await).await;
        let (_, details) = page.split_once("Details for support").expect(&path);
        let (details, _) = details.split_once("</details>").unwrap();
        for said in ["GRANT_REVOKED_OR_EXPIRED", "token_expired", &id.to_string()] {
            assert!(details.contains(said), "{said} on {path}: {details}");
        }
        assert!(details.contains("data-copy"), "{details}");
    }
}
