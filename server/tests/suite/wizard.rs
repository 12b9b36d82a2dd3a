//! The conversation that collects keys: what was answered is kept, secrets are
//! never shown again, and nothing but a working key makes a connection.

use hub::{
    notify::Mailer,
    secret::Secret,
    store::{ConnectionId, draft},
};
use reqwest::StatusCode;
use sandbox::ACCOUNTS;
use sea_orm::EntityTrait;

use crate::harness::{Browser, Setup, World, location};

/// A shop that takes keys: the sandbox's own API, entered by hand.
const KEYED: &str = r##"
[provider]
name = "Keyed Shop"
summary = "For tests."
category = "e-commerce"
regions = ["global"]
we_will = ["be tested"]
we_will_not = ["be shipped"]
usually_takes = "20s"
remove_url = "https://keyed.example/keys"
checked = "2026-11-20"
confidence = "high"
sources = ["this test"]
[brand]
icon = "lucide-store"
colour = "#000000"
[auth]
kind = "api_key"
[[variable]]
name = "sandbox_origin"
from = "hub"
pattern = '.+'
[[variable]]
name = "region"
from = "person"
pattern = '[a-z]{2}'
label = "Region"
placeholder = "eu"
help = "Two letters."
[[field]]
name = "api_key"
label = "API key"
why = "Linkwell signs its calls with it."
steps = ["Open the settings.", "Press Create key."]
pattern = '[A-Za-z0-9._-]{16,400}'
example = "k_0123456789abcdef"
[api]
base = "{sandbox_origin}/api"
headers = { authorization = "Bearer {api_key}" }
[identity]
id = ["answer:/id"]
label = ["answer:/name"]
[identity.call]
url = "{sandbox_origin}/api/me"
"##;

const CONNECT: &str = "/connect/keyed";

pub async fn world() -> World {
    world_with(Mailer::default()).await
}

/// The same, with a way to a mail server.
pub async fn world_with(mailer: Mailer) -> World {
    let directory = std::env::temp_dir().join(format!("linkwell-keyed-{}", ConnectionId::new()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("keyed.toml"), KEYED).unwrap();
    World::with(Setup {
        catalog: Some(directory),
        choices: hub::Choices {
            mailer,
            ..Default::default()
        },
        ..Setup::default()
    })
    .await
}

/// A key that works.
pub fn key(world: &World) -> String {
    let tokens = world
        .shop
        .grant("linkwell", ACCOUNTS[0].id, &sandbox::Scope::ALL)
        .expect("a grant");
    tokens.access_token
}

async fn page(world: &World, browser: &Browser) -> String {
    let answer = browser.get(world.url(CONNECT)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

/// Takes a turn, and answers the page it leads to.
async fn turn(world: &World, browser: &Browser, form: &[(&str, &str)]) -> String {
    let answer = browser.post(CONNECT, form).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let next = location(&answer);
    browser.get(next).await.text().await.unwrap_or_default();
    page(world, browser).await
}

/// Posts what leads to the test, and answers the page of the test at its end.
async fn test(browser: &Browser, form: &[(&str, &str)]) -> String {
    let answer = browser.post(CONNECT, form).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

async fn drafts(world: &World) -> Vec<draft::Model> {
    let db = world.app.hub.store.db();
    draft::Entity::find().all(db).await.unwrap()
}

#[tokio::test]
async fn one_question_after_the_other_makes_a_connection() {
    let world = world().await;
    let browser = world.signed_in().await;
    let key = key(&world);
    assert!(page(&world, &browser).await.contains("Set up Keyed Shop"));
    assert!(drafts(&world).await.is_empty(), "looking begins nothing");

    let explained = turn(&world, &browser, &[("turn", "begin")]).await;
    assert!(explained.contains("a long password made for one app"));
    let first = turn(&world, &browser, &[("turn", "understood")]).await;
    assert!(first.contains("Question 1 of 2") && first.contains("Region?"));

    let answer =
        |key: &'static str, value: &'static str| [("turn", "answer"), ("key", key), (key, value)];
    let wrong = browser.post(CONNECT, &answer("var.region", "Europe")).await;
    let wrong = browser.get(location(&wrong)).await.text().await.unwrap();
    assert!(wrong.contains("it should look like eu"), "{wrong}");
    let second = turn(&world, &browser, &answer("var.region", "eu")).await;
    assert!(second.contains("Question 2 of 2") && second.contains("API key?"));

    let helped = turn(
        &world,
        &browser,
        &[("turn", "say"), ("value", "Where is it?")],
    )
    .await;
    assert!(helped.contains("1. Open the settings. 2. Press Create key."));
    let back = turn(&world, &browser, &[("turn", "say"), ("value", "go back")]).await;
    assert!(back.contains("Question 1 of 2"));
    turn(&world, &browser, &[("turn", "skip")]).await;

    let typed = format!("it is {key} I think");
    let ready = turn(&world, &browser, &[("turn", "say"), ("value", &typed)]).await;
    assert!(ready.contains("Ready to test"), "{ready}");
    let end = &key[key.len() - 4..];
    assert!(ready.contains(&format!("ending in {end}")));
    assert!(
        !ready.contains(&key),
        "the secret is gone from the conversation"
    );

    let hub_page = browser.get(world.url("/")).await.text().await.unwrap();
    assert!(hub_page.contains("In progress") && hub_page.contains("Keyed Shop"));

    let done = test(&browser, &[("turn", "test")]).await;
    let id = world.only_connection().await;
    let shown = done.replace("&amp;", "&");
    assert!(shown.contains("Keyed Shop connected") && shown.contains(ACCOUNTS[0].name));
    assert!(
        done.contains(&format!("/connections/{id}/preview")),
        "{done}"
    );
    assert!(done.ends_with("</html>") && drafts(&world).await.is_empty());
    // Loaded once more, the page leads to where the connection is.
    let again = browser.post(CONNECT, &[("turn", "test")]).await;
    assert_eq!(location(&again), world.url("/"));
    assert!(drafts(&world).await.is_empty());
}

#[tokio::test]
async fn what_was_entered_waits_for_its_person_in_any_browser_and_for_nobody_else() {
    let world = world().await;
    let browser = world.signed_in().await;
    let key = key(&world);
    let form = [("var.region", "e"), ("field.api_key", &key)];
    let answer = browser.post(CONNECT, &form).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        world
            .app
            .hub
            .connections(world.member())
            .await
            .unwrap()
            .len(),
        0
    );
    let stored = drafts(&world).await;
    let sealed = stored[0].secrets_sealed.as_deref().unwrap();
    assert!(!sealed.contains(&key), "what looked right is kept, sealed");
    assert!(!format!("{:?}", stored[0].answers).contains(&key));

    let elsewhere = world.signed_in().await;
    let shown = page(&world, &elsewhere).await;
    assert!(
        shown.contains(&format!("ending in {}", &key[key.len() - 4..])),
        "{shown}"
    );
    assert!(!shown.contains(&key));

    let hub = &world.app.hub;
    hub.create_user(
        "Cedar",
        "cem@cedar.example",
        "Cem",
        Secret::new("correct horse battery"),
    )
    .await
    .unwrap();
    let stranger = world.browser();
    stranger
        .sign_in("cem@cedar.example", "correct horse battery")
        .await;
    assert!(!page(&world, &stranger).await.contains("ending in"));

    // The field that was left alone keeps what it holds.
    test(&elsewhere, &[("var.region", "eu"), ("field.api_key", "")]).await;
    world.only_connection().await;
}

#[tokio::test]
async fn a_rejected_key_says_so_and_is_not_kept_as_a_connection() {
    let world = world().await;
    let browser = world.signed_in().await;
    let form = [
        ("var.region", "eu"),
        ("field.api_key", "k_000000000000000000000000"),
    ];
    let shown = test(&browser, &form).await;
    let rejected = "Keyed Shop rejected the key or password";
    assert!(shown.contains(rejected), "{shown}");
    // Whoever left before the end finds it where it was entered.
    let found = page(&world, &browser).await;
    for line in [rejected, "Encrypted connection", "Enter new credentials"] {
        assert!(found.contains(line), "{line} in {found}");
    }
    assert!(found.contains(r#"data-tone="bad""#));
    assert!(
        world
            .app
            .hub
            .connections(world.member())
            .await
            .unwrap()
            .is_empty()
    );
    let key = key(&world);
    test(&browser, &[("field.api_key", &key), ("var.region", "eu")]).await;
    world.only_connection().await;
}

#[tokio::test]
async fn a_draft_can_be_discarded_and_ends_by_itself() {
    let world = world().await;
    let browser = world.signed_in().await;
    turn(&world, &browser, &[("turn", "begin")]).await;
    assert_eq!(drafts(&world).await.len(), 1);
    let shown = turn(&world, &browser, &[("turn", "discard")]).await;
    assert!(shown.contains("Set up Keyed Shop") && drafts(&world).await.is_empty());

    turn(&world, &browser, &[("turn", "begin")]).await;
    world.advance(draft::LIFETIME);
    world.app.hub.sweep().await.unwrap();
    assert!(drafts(&world).await.is_empty());
}

#[tokio::test]
async fn a_secret_nobody_asked_for_is_taken_out_of_the_conversation() {
    let world = world().await;
    let browser = world.signed_in().await;
    turn(&world, &browser, &[("turn", "begin")]).await;
    let canary = "p4ssw0rd!with$igns-and-more-canary";
    let said = [("turn", "say"), ("value", canary)];
    let shown = turn(&world, &browser, &said).await;
    assert!(shown.contains("(a secret, taken out)"), "{shown}");
    assert!(!shown.contains("canary"));
    assert!(!format!("{:?}", drafts(&world).await).contains("canary"));
}

#[tokio::test]
async fn whom_to_ask_is_named_where_there_is_somebody() {
    let world = world().await;
    let hub = &world.app.hub;
    let mia = ("mia@example.com", "correct horse battery");
    hub.create_user("Ana's shop", mia.0, "Mia", Secret::new(mia.1))
        .await
        .unwrap();
    // Ana is the only one who could help, and she is looking herself.
    let (ana, browser) = (world.signed_in().await, world.browser());
    browser.sign_in(mia.0, mia.1).await;
    for provider in [CONNECT, "/connect/sandbox"] {
        let shown = ana.get(world.url(provider)).await.text().await.unwrap();
        assert!(!shown.contains("Talk to a person"), "{provider}");
        let shown = browser.get(world.url(provider)).await.text().await.unwrap();
        assert!(shown.contains("Talk to a person"), "{provider}");
        assert!(
            shown.contains(r#"href="mailto:ana@example.com""#),
            "{shown}"
        );
    }
    // Both kinds of sign-in are set up in the same frame.
    let shown = ana.get(world.url("/connect/sandbox")).await;
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("One step: approve") && shown.contains(r#"class="wizard""#));
}
