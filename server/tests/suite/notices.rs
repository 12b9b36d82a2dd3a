//! Telling people: alarms, the bell, mails and repairing from one. Rows 32 and 38
//! of the security checks, for mails.

mod help;
mod letters;
mod link;

use chrono::{TimeDelta, Timelike};
use hub::{
    Error,
    notify::{Asked, MailChoices, Topic},
    people::Member,
    secret::Secret,
    store::{
        ConnectionId, alarm, connection, mail,
        mail_choice::Pace,
        member::{self, Role},
        notice,
    },
};
use reqwest::{Response, StatusCode};
use sandbox::{Endpoint, Fault, FaultKind};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, PaginatorTrait};
use serde_json::json;

use crate::{
    events::Events,
    gate::rows,
    harness::{Browser, EMAIL, PASSWORD, Setup, TENANT, World, changed_entries, location},
    postbox::{Letter, Mood, Postbox},
    wizard,
};

async fn world() -> (World, Postbox) {
    world_with(Setup::default()).await
}

async fn world_with(setup: Setup) -> (World, Postbox) {
    let postbox = Postbox::open().await;
    let world = World::with(Setup {
        choices: hub::Choices {
            mailer: postbox.mailer(),
            ..Default::default()
        },
        ..setup
    })
    .await;
    (world, postbox)
}

/// A world where each approval lasts less than the warning before its end.
async fn world_of_weeks() -> (World, Postbox) {
    let (world, postbox) = world_with(Setup {
        catalog: Some(changed_entries(&[(
            "sandbox",
            "refresh_lifetime = \"unknown\"",
            "refresh_lifetime = \"7d\"\nrefresh_absolute = true",
        )])),
        ..Setup::default()
    })
    .await;
    world.rules(|rules| rules.refresh_lifetime_s = 7 * 24 * 60 * 60);
    (world, postbox)
}

/// One round of the background; what the mail server got.
async fn round(world: &World, postbox: &Postbox) -> Vec<Letter> {
    let hub = &world.app.hub;
    hub.write_due().await.unwrap();
    hub.send_mail().await.unwrap();
    postbox.take()
}

/// The person removes our access at the provider, and a check finds out.
async fn revoke(world: &World, id: ConnectionId) {
    world.shop.revoke_all();
    world.app.hub.check(world.member(), id).await.unwrap();
}

/// The person connects the same account once more.
async fn reconnect(browser: &Browser, id: ConnectionId) {
    let done = browser.run_flow(&id.to_string(), json!({})).await;
    assert_eq!(location(&done).path(), "/");
}

async fn text(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

/// Presses a button of a page, as a browser does.
async fn press(browser: &Browser, path: &str, form: &[(&str, &str)]) -> Response {
    let url = browser.base.join(path).unwrap();
    let request = browser.http.post(url).header("origin", browser.origin());
    let request = request.header("accept", "text/html").form(form);
    request.send().await.unwrap()
}

async fn bell(browser: &Browser) -> u32 {
    let drawn = text(browser.get("/api/view/bell").await).await;
    match drawn.split_once("aria-hidden=\"true\"") {
        Some((_, rest)) => {
            let count = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
            count.split('<').next().unwrap().parse().unwrap()
        }
        None => 0,
    }
}

/// Somebody else of Ana's organisation.
async fn colleague(world: &World, name: &str, role: Role) -> Member {
    let hub = &world.app.hub;
    let email = format!("{}@example.com", name.to_lowercase());
    let secret = Secret::new(PASSWORD);
    let made = hub.create_user(TENANT, &email, name, secret).await.unwrap();
    let (tenant, person) = (made.tenant(), made.person());
    let row = member::ActiveModel {
        tenant_id: Set(tenant),
        person_id: Set(person),
        role: Set(role),
        ..Default::default()
    };
    row.update(hub.store.db()).await.unwrap();
    let made = hub
        .member(person, tenant, made.session_epoch(), hub.clock.now())
        .await;
    made.unwrap().unwrap()
}

async fn signed_in_as(world: &World, email: &str) -> Browser {
    let browser = world.browser();
    browser.sign_in(email, PASSWORD).await;
    browser
}

async fn give_to(world: &World, id: ConnectionId, owner: &Member) {
    let db = world.app.hub.store.db();
    let row = connection::Entity::find_by_id(id)
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let mut row = row.into_active_model();
    row.created_by = Set(Some(owner.person()));
    row.update(db).await.unwrap();
}

/// What the sandbox's API refuses with.
fn refuse(error: &str) -> Fault {
    let error = error.to_owned();
    Fault::new(FaultKind::Refuse { error }).at(Endpoint::Api)
}

/// How many of a table's rows there are.
async fn alarms(world: &World) -> u64 {
    alarm::Entity::find()
        .count(world.app.hub.store.db())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_alarm_is_raised_once_and_withdrawn_with_what_ended_it() {
    let world = World::new().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    assert!(
        text(browser.get("/notices").await)
            .await
            .contains("Nothing needs you")
    );
    assert_eq!(bell(&browser).await, 0);

    revoke(&world, id).await;
    revoke(&world, id).await;
    assert_eq!((alarms(&world).await, bell(&browser).await), (1, 1));
    let page = text(browser.get("/notices").await).await;
    assert!(page.contains("Notices, 1 new"), "{page}");
    let connection = text(browser.get(format!("/connections/{id}")).await).await;
    let said = "Sandbox Shop stopped accepting our access on";
    assert!(page.contains(said) && connection.contains(said), "{page}");
    assert!(page.contains("Reconnect Sandbox Shop"));

    // Read is not gone.
    let answer = press(&browser, "/api/read_notices", &[]).await;
    assert_eq!(location(&answer).path(), "/notices");
    assert_eq!(bell(&browser).await, 0);
    assert!(text(browser.get("/notices").await).await.contains(said));

    reconnect(&browser, id).await;
    let page = text(browser.get("/notices").await).await;
    assert!(
        page.contains("Nothing needs you") && !page.contains(said),
        "{page}"
    );
    // Another trouble is another alarm; what ends the connection ends it, too.
    revoke(&world, id).await;
    assert_eq!((alarms(&world).await, bell(&browser).await), (2, 1));
    let hub = &world.app.hub;
    hub.disconnect(world.member(), id).await.unwrap();
    assert_eq!(bell(&browser).await, 0);
    hub.remove(world.member(), id).await.unwrap();
    assert_eq!(alarms(&world).await, 0, "nothing of it is kept");
    let left = notice::Entity::find().count(hub.store.db()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_end_that_is_near_again_after_a_reconnect_is_told_again() {
    let (world, _postbox) = world_of_weeks().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let hub = &world.app.hub;
    let open = async || {
        let tenant = world.member().tenant();
        let open = alarm::open_of(hub.store.db(), tenant, id).await.unwrap();
        open.into_iter()
            .map(|alarm| alarm.cause)
            .collect::<Vec<_>>()
    };
    for times in 1..=3 {
        assert_eq!((alarms(&world).await, bell(&browser).await), (times, 1));
        assert_eq!(open().await, [alarm::Cause::Expiring]);
        // Telling is once, however often it is looked at.
        hub.check(world.member(), id).await.unwrap();
        assert_eq!(alarms(&world).await, times);
        world.advance(TimeDelta::minutes(2));
        reconnect(&browser, id).await;
    }
}

#[tokio::test]
async fn an_end_that_nobody_looks_after_is_told_to_the_admins() {
    let (world, postbox) = world_of_weeks().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    let hub = &world.app.hub;
    // The first was Ana's, who connected it.
    give_to(&world, id, &mia).await;
    world.advance(TimeDelta::minutes(2));
    reconnect(&world.signed_in().await, id).await;
    assert_eq!(hub.unread_notices(world.member()).await.unwrap(), 0);
    world.advance(TimeDelta::hours(23));
    round(&world, &postbox).await;
    assert_eq!(hub.unread_notices(world.member()).await.unwrap(), 0);
    world.advance(TimeDelta::hours(1));
    let letters = round(&world, &postbox).await;
    let unattended = |letter: &&Letter| letter.text.starts_with("Nobody has repaired this");
    let to: Vec<_> = letters.iter().filter(unattended).collect();
    assert_eq!(to.len(), 1, "{letters:?}");
    assert_eq!(to[0].to, [EMAIL]);
    assert_eq!(hub.unread_notices(world.member()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_heals_by_itself_calls_nobody_but_who_wants_to_know() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let down = Fault::server_error(503);
    world.shop.set_faults(down.clone().at(Endpoint::Api).into());
    // Once or twice is a hiccup.
    for times in 1..=3 {
        assert_eq!((times, alarms(&world).await), (times, 0));
        world.app.hub.check(world.member(), id).await.unwrap();
    }
    assert_eq!((alarms(&world).await, bell(&browser).await), (1, 0));
    let page = text(browser.get(format!("/connections/{id}")).await).await;
    assert!(page.contains("Tell me when it works"), "{page}");
    world.advance(TimeDelta::hours(30));
    assert!(round(&world, &postbox).await.is_empty());

    let form = [("id", &*id.to_string()), ("back", "notices")];
    let answer = press(&browser, "/api/tell_when_it_works", &form).await;
    assert_eq!(location(&answer).path(), "/notices");
    let page = text(browser.get("/notices").await).await;
    assert!(page.contains("You are told when it works"), "{page}");
    assert!(round(&world, &postbox).await.is_empty());

    world.shop.set_faults(Default::default());
    world.app.hub.check(world.member(), id).await.unwrap();
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Sandbox Shop works again");
    assert_eq!(bell(&browser).await, 1);
    let page = text(browser.get("/notices").await).await;
    assert!(
        page.contains("It works again. Nothing is left for you to do."),
        "{page}"
    );
    assert!(!page.contains("Tell me when it works"), "{page}");
    press(&browser, "/api/read_notices", &[]).await;
    assert!(
        text(browser.get("/notices").await)
            .await
            .contains("Nothing needs you")
    );
    // Once is once.
    world.shop.set_faults(down.at(Endpoint::Api).into());
    world.app.hub.check(world.member(), id).await.unwrap();
    world.shop.set_faults(Default::default());
    world.app.hub.check(world.member(), id).await.unwrap();
    assert!(round(&world, &postbox).await.is_empty());
    let nothing = world.app.hub.tell_when_it_works(world.member(), id).await;
    assert!(matches!(nothing, Err(Error::NotFound)));
}

/// Every connection of the shop fails, which is its own trouble; one of them is
/// waited for.
#[tokio::test]
async fn a_wish_ends_with_its_own_connection_and_is_not_lost_when_that_breaks_again() {
    let (world, postbox) = world().await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let host = world.any_host().await;
    let hub = &world.app.hub;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(world.import_living(&host).await);
    }
    let check = async |id: ConnectionId| hub.check(world.member(), id).await.unwrap();
    for id in &ids {
        check(*id).await;
    }
    // What worked a moment ago would speak for the shop.
    world.advance(TimeDelta::minutes(10));
    let down = Fault::server_error(503).at(Endpoint::Api);
    world.shop.set_faults(down.clone().into());
    for id in &ids {
        check(*id).await;
    }
    assert_eq!(hub.troubles().await.unwrap().len(), 1);
    let (waited_for, other) = (ids[0], ids[1]);
    let wish = hub.tell_when_it_works(world.member(), waited_for);
    wish.await.unwrap();

    world.shop.set_faults(Default::default());
    // That of another says nothing of the one that is waited for.
    check(other).await;
    assert!(round(&world, &postbox).await.is_empty());
    assert!(hub.waits_for(world.member(), waited_for).await.unwrap());
    check(waited_for).await;
    // It breaks before that is said.
    world.shop.set_faults(down.into());
    check(waited_for).await;
    assert!(round(&world, &postbox).await.is_empty());
    assert_eq!(hub.unread_notices(world.member()).await.unwrap(), 0);
    assert!(hub.waits_for(world.member(), waited_for).await.unwrap());
    world.shop.set_faults(Default::default());
    check(waited_for).await;
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Sandbox Shop works again");
    assert!(!hub.waits_for(world.member(), waited_for).await.unwrap());
    assert!(round(&world, &postbox).await.is_empty());
}

#[tokio::test]
async fn a_connection_that_was_cleared_is_told_like_any_that_needs_somebody() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    let vera = colleague(&world, "Vera", Role::Viewer).await;
    give_to(&world, id, &mia).await;
    let hub = &world.app.hub;
    hub.clear(world.member(), id).await.unwrap();
    assert_eq!(hub.unread_notices(&mia).await.unwrap(), 1);
    let asked = hub.ask_to_repair(&vera, id, mia.person()).await.unwrap();
    assert_eq!(asked, Asked::Now("Mia".into()));
    world.advance(TimeDelta::hours(24));
    let letters = round(&world, &postbox).await;
    let to_ana = letters.iter().find(|letter| letter.to == [EMAIL]);
    let text = &to_ana.expect("the admin is told").text;
    assert!(text.starts_with("Nobody has repaired this"), "{text}");
    reconnect(&world.signed_in().await, id).await;
    assert_eq!(hub.unread_notices(&mia).await.unwrap(), 0);
}
