//! What is mailed: to whom, when, how often, and with what in it.

use super::*;

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
