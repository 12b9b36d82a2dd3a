//! Telling people: alarms, the bell, mails and repairing from one. Rows 32 and 38
//! of the security checks, for mails.

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
        page.contains("It works again. Nothing is left to do."),
        "{page}"
    );
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
async fn who_connected_it_is_mailed_after_a_quarter_of_an_hour_and_told_when_it_is_over() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    revoke(&world, id).await;
    assert!(round(&world, &postbox).await.is_empty());
    world.advance(TimeDelta::minutes(14));
    assert!(round(&world, &postbox).await.is_empty());
    world.advance(TimeDelta::minutes(1));
    // Several processes look at once.
    let other = world.another().await;
    let (here, there) = tokio::join!(world.app.hub.send_mail(), other.app.hub.send_mail());
    let (here, there) = (here.unwrap(), there.unwrap());
    assert_eq!(here + there, 1);
    // Each of these processes has an address of its own.
    let sender = if here == 1 { &world } else { &other };
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.to, [EMAIL]);
    let page = text(browser.get("/notices").await).await;
    let (what, why) = (
        &letter.subject,
        "Sandbox Shop says that our access was withdrawn",
    );
    for part in [&letter.text, &letter.html, &page] {
        assert!(part.contains(what) && part.contains(why), "{part}");
        assert!(part.contains("Reconnect Sandbox Shop"), "{part}");
    }
    assert!(letter.html.contains("prefers-color-scheme: dark"));
    let choices = format!("<{}settings/notices>", sender.base);
    assert!(
        letter.raw.contains(&format!("List-Unsubscribe: {choices}")),
        "{}",
        letter.raw
    );
    assert!(letter.raw.contains("Auto-Submitted: auto-generated"));

    // It was sent, so that it is over is said, too: once.
    assert!(round(&world, &postbox).await.is_empty());
    reconnect(&browser, id).await;
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Sandbox Shop works again");
    assert!(letters[0].text.contains("Nothing is left for you to do."));

    // What was over in time was never mailed.
    revoke(&world, id).await;
    world.advance(TimeDelta::minutes(14));
    reconnect(&browser, id).await;
    world.advance(TimeDelta::hours(30));
    assert!(round(&world, &postbox).await.is_empty());
}

#[tokio::test]
async fn what_breaks_together_is_one_mail() {
    let (world, postbox) = world().await;
    let host = world.any_host().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.import_living(&host).await);
    }
    for id in &ids {
        revoke(&world, *id).await;
    }
    world.advance(TimeDelta::minutes(15));
    let other = world.another().await;
    let (here, there) = tokio::join!(world.app.hub.send_mail(), other.app.hub.send_mail());
    assert_eq!(here.unwrap() + there.unwrap(), 1);
    let letters = postbox.take();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "5 connections need somebody");
    assert_eq!(letters[0].text.matches("/link/").count(), 5);
    // What the mail server wants later stays one mail, and what is over meanwhile
    // is left out of it.
    for id in &ids {
        world.app.hub.pause(world.member(), *id).await.unwrap();
        world.app.hub.resume(world.member(), *id).await.unwrap();
        revoke(&world, *id).await;
    }
    world.advance(TimeDelta::minutes(15));
    postbox.is(Mood::NotNow);
    assert!(round(&world, &postbox).await.is_empty());
    postbox.is(Mood::Takes);
    world.app.hub.pause(world.member(), ids[0]).await.unwrap();
    world.advance(TimeDelta::minutes(1));
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "4 connections need somebody");
}

#[tokio::test]
async fn what_lasts_is_said_every_morning_and_to_the_admins_after_a_day() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    colleague(&world, "Jonas", Role::Admin).await;
    give_to(&world, id, &mia).await;
    revoke(&world, id).await;
    let ana = world.signed_in().await;
    assert_eq!(bell(&ana).await, 0, "it is Mia's to look after");
    assert!(
        text(ana.get("/notices").await)
            .await
            .contains("Others at Ana")
    );
    let mut told: Vec<(i64, String, Letter)> = Vec::new();
    for hour in 1..=72 {
        world.advance(TimeDelta::hours(1));
        for letter in round(&world, &postbox).await {
            told.push((hour, letter.to.join(" "), letter));
        }
    }
    let of = |who: &str, what: &str| -> Vec<i64> {
        let theirs = told.iter().filter(|(_, to, letter)| {
            to == who && (letter.subject.starts_with(what) || letter.text.starts_with(what))
        });
        theirs.map(|(hour, ..)| *hour).collect()
    };
    assert_eq!(of("mia@example.com", "Sandbox Shop stopped"), [1]);
    for admin in [EMAIL, "jonas@example.com"] {
        assert_eq!(
            of(admin, "Nobody has repaired this for a day"),
            [24],
            "{told:#?}"
        );
    }
    assert_eq!(bell(&ana).await, 1);
    // A digest a day, not within twelve hours of the mail it repeats.
    let digests = of("mia@example.com", "Still to do");
    assert!((2..=3).contains(&digests.len()), "{digests:?}");
    assert!(digests[0] >= 12 && digests.windows(2).all(|two| two[1] - two[0] == 24));
    // Nor within twelve hours of being told, however long it has been wrong.
    let admins = of(EMAIL, "Still to do");
    assert!(
        admins.len() <= digests.len() && admins[0] >= 24 + 12,
        "{admins:?}"
    );
    assert_eq!(
        told.len(),
        3 + digests.len() + 2 * admins.len(),
        "{told:#?}"
    );

    // Everybody who had a mail hears that it is over.
    world.approve_as(0);
    reconnect(&ana, id).await;
    let letters = round(&world, &postbox).await;
    let mut to: Vec<_> = letters.iter().map(|letter| letter.to.join(" ")).collect();
    to.sort();
    assert_eq!(to, [EMAIL, "jonas@example.com", "mia@example.com"]);
    assert!(
        letters
            .iter()
            .all(|letter| letter.subject == "Sandbox Shop works again")
    );
    world.advance(TimeDelta::hours(48));
    assert!(round(&world, &postbox).await.is_empty());
}

#[tokio::test]
async fn each_chooses_what_they_are_mailed() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let page = text(browser.get("/settings/notices").await).await;
    assert!(page.contains("Mails go to ana@example.com"), "{page}");
    let choose = async |form: &[(&str, &str)]| {
        let answer = press(&browser, "/api/save_mail_choices", form).await;
        assert_eq!(location(&answer).path(), "/settings/notices");
        world.app.hub.mail_choices(world.member()).await.unwrap()
    };
    let without_trouble = [
        ("pace", "at_once"),
        ("topics[solved]", "on"),
        ("topics[asked]", "on"),
    ];
    assert_eq!(
        choose(&without_trouble).await,
        MailChoices {
            pace: Pace::AtOnce,
            without: vec![Topic::Trouble, Topic::Unattended],
        }
    );
    // Nine in the morning, so that the next digest is far.
    let now = world.clock.now();
    world.advance(TimeDelta::hours(i64::from(33 - now.hour()) % 24));
    revoke(&world, id).await;
    world.advance(TimeDelta::minutes(16));
    assert!(round(&world, &postbox).await.is_empty());
    world.advance(TimeDelta::hours(47));
    assert!(
        round(&world, &postbox).await.is_empty(),
        "nor in the digest"
    );
    reconnect(&browser, id).await;
    let now = world.clock.now();
    world.advance(TimeDelta::hours(i64::from(33 - now.hour()) % 24));

    let all = [
        ("topics[trouble]", "on"),
        ("topics[solved]", "on"),
        ("topics[unattended]", "on"),
    ];
    choose(&[&[("pace", "digest")], &all[..]].concat()).await;
    revoke(&world, id).await;
    world.advance(TimeDelta::hours(2));
    assert!(round(&world, &postbox).await.is_empty());
    world.advance(TimeDelta::hours(21));
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "1 connection needs somebody");
    assert!(round(&world, &postbox).await.is_empty(), "one a day");

    choose(&[&[("pace", "none")], &all[..]].concat()).await;
    world.advance(TimeDelta::hours(48));
    assert!(round(&world, &postbox).await.is_empty());
    assert_eq!(bell(&browser).await, 1, "the bell tells all the same");
    let answer = press(&browser, "/api/save_mail_choices", &[("pace", "hourly")]).await;
    let page = text(browser.get(location(&answer)).await).await;
    assert!(page.contains("Choose one of the list"), "{page}");
}

#[tokio::test]
async fn what_a_digest_said_and_is_over_is_in_the_next() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let hub = &world.app.hub;
    let digests = MailChoices {
        pace: Pace::Digest,
        without: Vec::new(),
    };
    hub.choose_mail(world.member(), &digests).await.unwrap();
    let day = async || {
        world.advance(TimeDelta::days(1));
        round(&world, &postbox).await
    };
    revoke(&world, id).await;
    let letters = day().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "1 connection needs somebody");
    reconnect(&browser, id).await;
    assert!(round(&world, &postbox).await.is_empty(), "not by itself");
    let letters = day().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "1 connection works again");
    assert!(letters[0].text.contains("It works again."));
    assert!(day().await.is_empty(), "and not again");

    // Who is asked is mailed at once, and that it is over, too.
    let vera = colleague(&world, "Vera", Role::Viewer).await;
    revoke(&world, id).await;
    let asked = hub.ask_to_repair(&vera, id, world.member().person()).await;
    asked.unwrap();
    assert_eq!(round(&world, &postbox).await.len(), 1);
    reconnect(&browser, id).await;
    let letters = round(&world, &postbox).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Sandbox Shop works again");
    assert!(day().await.is_empty());

    // Who does without, does without it there, too.
    revoke(&world, id).await;
    assert_eq!(day().await.len(), 1);
    let without = vec![Topic::Solved];
    let choices = MailChoices { without, ..digests };
    hub.choose_mail(world.member(), &choices).await.unwrap();
    reconnect(&browser, id).await;
    assert!(day().await.is_empty());
}

#[tokio::test]
async fn what_a_member_cannot_choose_stays_as_it_is() {
    let (world, _postbox) = world().await;
    let mia = colleague(&world, "Mia", Role::Member).await;
    let hers = signed_in_as(&world, "mia@example.com").await;
    let page = text(hers.get("/settings/notices").await).await;
    assert!(!page.contains("topics[unattended]"), "{page}");
    let hub = &world.app.hub;
    press(&hers, "/api/save_mail_choices", &[("pace", "at_once")]).await;
    let chosen = hub.mail_choices(&mia).await.unwrap().without;
    assert_eq!(chosen, [Topic::Trouble, Topic::Asked, Topic::Solved]);
    let ana = world.signed_in().await;
    press(&ana, "/api/save_mail_choices", &[("pace", "at_once")]).await;
    let chosen = hub.mail_choices(world.member()).await.unwrap().without;
    assert_eq!(chosen.len(), 4, "an admin has seen them all");
}

#[tokio::test]
async fn once_the_digests_are_queued_nobody_is_looked_at_again_that_day() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    for nth in 0..5 {
        colleague(&world, &format!("Admin{nth}"), Role::Admin).await;
    }
    revoke(&world, id).await;
    for hours in [26, 24] {
        world.advance(TimeDelta::hours(hours));
        round(&world, &postbox).await;
    }
    // All six are told by now, and have had their digest.
    let (written, statements) = world.statements(world.app.hub.write_due()).await;
    written.unwrap();
    assert!(statements <= 4, "{statements} statements");
}

#[tokio::test]
async fn a_mail_server_that_is_away_costs_time_and_no_mail() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    revoke(&world, id).await;
    world.advance(TimeDelta::minutes(15));
    postbox.is(Mood::NotNow);
    assert!(round(&world, &postbox).await.is_empty());
    let page = text(world.signed_in().await.get("/settings/notices").await).await;
    assert!(page.contains("the mail server wants it later"), "{page}");
    // Not before its time.
    postbox.is(Mood::Takes);
    assert!(round(&world, &postbox).await.is_empty());
    world.advance(TimeDelta::minutes(1));
    assert_eq!(round(&world, &postbox).await.len(), 1);
    world.advance(TimeDelta::minutes(10));
    assert!(round(&world, &postbox).await.is_empty());

    // So is one that does not let us in: it is tried for a day.
    let browser = world.signed_in().await;
    reconnect(&browser, id).await;
    round(&world, &postbox).await;
    revoke(&world, id).await;
    postbox.is(Mood::Closed);
    for _ in 0..8 {
        world.advance(TimeDelta::minutes(60));
        assert!(round(&world, &postbox).await.is_empty());
    }
    let page = text(browser.get("/settings/notices").await).await;
    assert!(page.contains("did not let us sign in"), "{page}");
    postbox.is(Mood::Takes);
    world.advance(TimeDelta::hours(3));
    let letters = round(&world, &postbox).await;
    assert!(
        letters
            .iter()
            .any(|letter| letter.subject.starts_with("Sandbox Shop stopped")),
        "{letters:?}"
    );

    // It says never, several times: it is believed. What ended meanwhile is not
    // told to be over, for nobody knew.
    reconnect(&browser, id).await;
    round(&world, &postbox).await;
    revoke(&world, id).await;
    postbox.is(Mood::Never);
    for _ in 0..8 {
        world.advance(TimeDelta::minutes(60));
        round(&world, &postbox).await;
    }
    let db = world.app.hub.store.db();
    let given_up = mail::Entity::find().all(db).await.unwrap();
    let given_up = given_up
        .iter()
        .filter(|row| row.state == mail::State::GivenUp);
    let tries: Vec<_> = given_up.map(|row| (row.kind, row.tries)).collect();
    assert!(tries.contains(&(mail::Kind::Alarm, 4)), "{tries:?}");
    postbox.is(Mood::Takes);
    reconnect(&browser, id).await;
    let late = round(&world, &postbox).await;
    assert!(
        late.iter()
            .all(|letter| !letter.text.contains("stopped accepting")),
        "{late:?}"
    );
}

#[tokio::test]
async fn without_a_mail_server_the_bell_tells_and_nothing_is_kept_waiting() {
    let world = World::new().await;
    let id = world.connect().await;
    revoke(&world, id).await;
    let hub = &world.app.hub;
    world.advance(TimeDelta::hours(30));
    hub.write_due().await.unwrap();
    assert_eq!(hub.send_mail().await.unwrap(), 0);
    let rows = mail::Entity::find().all(hub.store.db()).await.unwrap();
    assert!(
        rows.iter().all(|row| row.state == mail::State::Withdrawn),
        "{rows:?}"
    );
    let browser = world.signed_in().await;
    assert_eq!(bell(&browser).await, 1);
    let page = text(browser.get("/settings/notices").await).await;
    assert!(page.contains("LINKWELL_SMTP_URL"), "{page}");
    colleague(&world, "Mia", Role::Member).await;
    let mia = signed_in_as(&world, "mia@example.com").await;
    let page = text(mia.get("/settings/notices").await).await;
    assert!(page.contains("An admin can have one set") && !page.contains("LINKWELL_SMTP_URL"));
}

/// Row 38.
#[tokio::test]
async fn row_38_a_mail_carries_one_tenant_only_and_what_it_was_told_as_text() {
    let (world, postbox) = world().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    let ours = world.connect().await;
    let bo = world.neighbour().await;
    // One person of both looks after both.
    let cleo = colleague(&world, "Cleo", Role::Member).await;
    let email = cleo.email();
    let secret = Secret::new(PASSWORD);
    hub.create_user("Next door", email, "Cleo", secret)
        .await
        .unwrap();
    let mine = connection::Entity::find_by_id(ours)
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let theirs = ConnectionId::new();
    // The provider calls their account something nasty.
    let nasty = "SENTINEL-B\r\nBcc: eve@evil.example\r\n\r\n<script>alert(1)</script>";
    let mut row = mine.clone().into_active_model();
    row.account_label = Set("SENTINEL-A".into());
    row.created_by = Set(Some(cleo.person()));
    row.update(db).await.unwrap();
    let mut row = mine.into_active_model();
    row.id = Set(theirs);
    row.tenant_id = Set(bo.tenant());
    row.created_by = Set(Some(cleo.person()));
    row.account_label = Set(nasty.into());
    row.insert(db).await.unwrap();
    // So does it what failed, which details for support show.
    let ours_said = nasty.replace("SENTINEL-B", "SENTINEL-A");
    for (tenant, connection, said) in [
        (world.member().tenant(), ours, &*ours_said),
        (bo.tenant(), theirs, nasty),
    ] {
        let failure = hub::failure::Failure::told(
            hub::failure::FailureCode::GrantRevokedOrExpired,
            "invalid_grant",
        )
        .with_text(said);
        let transaction = hub.store.begin().await.unwrap();
        hub::store::event::append(
            &transaction,
            hub::store::event::New {
                tenant,
                kind: hub::store::event::Kind::ConnectionActionRequired,
                connection: Some(connection),
                person: None,
                data: hub::store::event::Data {
                    failure: Some(failure),
                    ..Default::default()
                },
            },
            world.clock.now(),
        )
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }
    world.advance(TimeDelta::hours(24));
    let mut letters = round(&world, &postbox).await;
    let (ana, bo_browser) = (
        world.signed_in().await,
        signed_in_as(&world, "bo@example.com").await,
    );
    // Cleo is signed in to the organisation she came to first: Ana's.
    let cleo_browser = signed_in_as(&world, "cleo@example.com").await;
    for (browser, own, other) in [
        (&ana, "SENTINEL-A", "SENTINEL-B"),
        (&cleo_browser, "SENTINEL-A", "SENTINEL-B"),
        (&bo_browser, "SENTINEL-B", "SENTINEL-A"),
    ] {
        assert_eq!(bell(browser).await, 1);
        let page = text(browser.get("/notices").await).await;
        assert!(page.contains(own) && !page.contains(other), "{page}");
        assert!(!page.contains("<script>alert"));
    }
    for _ in 0..40 {
        world.advance(TimeDelta::hours(1));
        letters.extend(round(&world, &postbox).await);
    }
    let to = |who: &str| letters.iter().filter(|letter| letter.to == [who]).count();
    let counts = [EMAIL, "bo@example.com", "cleo@example.com"].map(to);
    assert_eq!(counts.iter().sum::<usize>(), letters.len());
    assert!(
        counts[0] >= 2 && counts[1] >= 2 && counts[2] >= 4,
        "{counts:?}"
    );
    for letter in &letters {
        let is_ours = letter.text.contains("SENTINEL-A");
        assert!(is_ours || letter.to != [EMAIL]);
        assert!(!is_ours || letter.to != ["bo@example.com"]);
        let (own, other, others) = match is_ours {
            true => ("SENTINEL-A", "SENTINEL-B", "Next door"),
            false => ("SENTINEL-B", "SENTINEL-A", TENANT),
        };
        assert!(letter.text.contains(own) && letter.html.contains(own));
        for part in [&letter.raw, &letter.text, &letter.html] {
            assert!(!part.contains(other) && !part.contains(others), "{part}");
        }
        let headers = letter.raw.split("\r\n\r\n").next().unwrap();
        assert!(!headers.contains("\r\nBcc"), "{headers}");
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        assert!(!letter.text.contains("\n\n<script"), "{}", letter.text);
    }
    // Nobody reaches over.
    let across = hub.ask_to_repair(world.member(), theirs, bo.person()).await;
    assert!(matches!(across, Err(Error::NotFound)));
    let across = hub.tell_when_it_works(world.member(), theirs).await;
    assert!(matches!(across, Err(Error::NotFound)));
}

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

#[tokio::test]
async fn a_mail_that_waits_is_taken_back_when_it_heals() {
    let (world, postbox) = world().await;
    let id = world.connect().await;
    let states = async || {
        let all = mail::Entity::find().all(world.app.hub.store.db()).await;
        let rows = all.unwrap().into_iter();
        rows.map(|row| row.state).collect::<Vec<_>>()
    };
    revoke(&world, id).await;
    assert_eq!(states().await, [mail::State::Waiting]);
    reconnect(&world.signed_in().await, id).await;
    assert_eq!(states().await, [mail::State::Withdrawn]);
    world.advance(TimeDelta::hours(1));
    assert!(round(&world, &postbox).await.is_empty());
}

/// What the sandbox's API refuses with.
fn refuse(error: &str) -> Fault {
    let error = error.to_owned();
    Fault::new(FaultKind::Refuse { error }).at(Endpoint::Api)
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
    let request = "/connect/sandbox/request";
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
