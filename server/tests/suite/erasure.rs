//! Erasing a person: nothing that names them is left, and nothing that others
//! need is lost.

use hub::{
    people::{Member, Role, Scope},
    secret::Secret,
    store::{ConnectionId, PersonId, Store, event, member, person},
    tell::NewWebhook,
};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, DatabaseBackend, EntityTrait, Statement};
use serde_json::json;

use crate::{
    deeds::written,
    gate::rows,
    harness::{Browser, PASSWORD, TENANT, World},
    rights::said,
};

const NAME: &str = "Canary Kimberley";
const EMAIL: &str = "canary.kim@example.com";

/// What Kim made, which belongs to the organisation.
struct Made {
    kim: Member,
    browser: Browser,
    connection: ConnectionId,
    host_key: String,
}

/// Somebody who did everything that leaves a trace of a person.
async fn kim_was_here(world: &World) -> Made {
    let hub = &world.app.hub;
    let kim = hub
        .create_user(TENANT, EMAIL, NAME, Secret::new(PASSWORD))
        .await
        .unwrap();
    hub.change_role(world.member(), kim.person(), Role::Admin)
        .await
        .unwrap();
    let browser = world.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let kim = hub
        .member(kim.person(), kim.tenant(), 0, hub.clock.now())
        .await
        .unwrap()
        .unwrap();
    world.approve_as(0);
    browser.run_flow("sandbox", json!({})).await;
    let all = hub.connections(&kim).await.unwrap();
    let connection = all.last().expect("a connection").connection.id;
    browser.prepare("sandbox", json!({})).await;
    browser
        .post("/connect/stripe", &[("field.api_key", "x")])
        .await;
    let (_, key) = hub
        .create_api_key(&kim, "Till", &Scope::ALL, "")
        .await
        .unwrap();
    let new = NewWebhook {
        url: "https://example.com/hooks",
        kinds: &[],
    };
    hub.add_webhook(&kim, new).await.unwrap();
    hub.switch_policy(&kim, "no_write_if_scope_missing", false)
        .await
        .unwrap();
    hub.wish(&kim, "Etsy").await.unwrap();
    browser
        .post("/api/save_mail_choices", &[("pace", "daily")])
        .await;
    // Something breaks: a notice, and a mail that waits.
    world.shop.revoke_all();
    hub.check(&kim, connection).await.ok();
    browser
        .post(
            "/api/tell_when_it_works",
            &[("id", &connection.to_string())],
        )
        .await;
    Made {
        kim,
        browser,
        connection,
        host_key: key.expose().to_owned(),
    }
}

/// Every row as text, those of the ledgers included.
async fn everything(store: &Store) -> String {
    let mut all: Vec<String> = rows(store).await.into_values().flatten().collect();
    let backend = store.db().get_database_backend();
    for table in ["audit_entry", "audit_personal", "audit_chain"] {
        let row = match backend {
            DatabaseBackend::Postgres => "row_to_json(t)::text",
            _ if table == "audit_personal" => {
                "quote(person_id) || ' ' || quote(subject_id) || ' ' || quote(address)"
            }
            _ if table == "audit_entry" => "quote(target_id) || ' ' || quote(detail)",
            _ => "quote(tenant_id)",
        };
        let sql = Statement::from_string(backend, format!("SELECT {row} FROM {table} t"));
        let found = store.db().query_all_raw(sql).await.unwrap();
        all.extend(found.iter().map(|row| row.try_get_by_index(0).unwrap()));
    }
    all.join("\n")
}

/// How a person's id is written in any of it.
fn spellings(person: PersonId) -> [String; 3] {
    let simple = person.0.simple().to_string();
    [person.to_string(), simple.to_uppercase(), simple]
}

/// What names Kim, besides that she was erased.
async fn traces(world: &World, person: PersonId) -> Vec<String> {
    let store = &world.app.hub.store;
    let noted = hub::store::deletion::Entity::delete_many();
    let kept = hub::store::deletion::all(store.db()).await.unwrap();
    noted.exec(store.db()).await.unwrap();
    let text = everything(store).await;
    for row in kept {
        hub::store::deletion::note(store.db(), row).await.unwrap();
    }
    let names = [NAME.to_owned(), EMAIL.to_owned()];
    let all = names.into_iter().chain(spellings(person));
    all.filter(|name| text.contains(name)).collect()
}

#[tokio::test]
async fn nothing_that_names_an_erased_person_is_left() {
    let world = World::on_file().await;
    let hub = &world.app.hub;
    let made = kim_was_here(&world).await;
    let id = made.kim.person();
    let found = traces(&world, id).await;
    assert!(found.len() >= 3, "it is looked for where it is: {found:?}");
    hub.sign_checkpoints().await.unwrap();
    let before = event::after(hub.store.db(), made.kim.tenant(), 0, 1000)
        .await
        .unwrap();

    let ana = world.signed_in().await;
    let text = id.to_string();
    let form = [("id", text.as_str()), ("erase", "on")];
    let answer = ana.post("/api/remove_member", &form).await;
    assert!(said(&answer).contains("MemberErased"), "{}", said(&answer));

    assert_eq!(traces(&world, id).await, [""; 0]);
    if !world.is_postgres() {
        let file = std::fs::read(world.directory().join("linkwell.db")).unwrap();
        let wal = std::fs::read(world.directory().join("linkwell.db-wal")).unwrap_or_default();
        for canary in [NAME, EMAIL] {
            for bytes in [&file, &wal] {
                let found = bytes
                    .windows(canary.len())
                    .any(|part| part == canary.as_bytes());
                assert!(!found, "{canary} in the file");
            }
        }
    }
    // The chain is whole, and says that it was somebody who left.
    let reports = hub.verify_ledgers(None).await.unwrap();
    assert!(reports.iter().all(|report| report.bad.is_none()));
    let page = ana.get("/settings/audit").await.text().await.unwrap();
    assert!(page.contains("Somebody who left") && page.contains("Erased a person"));
    let last = written(&world).await.pop().unwrap();
    assert_eq!((&*last.deed, &*last.actor), ("person.erased", "person"));

    // She is out.
    assert_eq!(
        made.browser.get("/").await.headers()["location"],
        "/sign-in?because=AUTH_002"
    );
    let again = world.browser().sign_in_answer(EMAIL, PASSWORD).await;
    assert!(said(&again).contains("do not belong together"));
    // What she made works on.
    let mut host = world.any_host().await;
    host.key = made.host_key;
    let path = format!("/v1/connections/{}", made.connection);
    assert_eq!(host.get(&path).await.status(), StatusCode::OK);
    let shown = ana.get(&format!("/connections/{}", made.connection)).await;
    assert_eq!(shown.status(), StatusCode::OK);
    let page = ana.get("/settings/policies").await.text().await.unwrap();
    assert!(page.contains("Switch on"), "what was off stays off: {page}");
    let after = event::after(hub.store.db(), made.kim.tenant(), 0, 1000)
        .await
        .unwrap();
    assert_eq!(
        after.iter().map(|event| event.seq).collect::<Vec<_>>()[..before.len()],
        before.iter().map(|event| event.seq).collect::<Vec<_>>(),
        "no event is lost"
    );
    assert_eq!(hub.webhooks(world.member()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_in_another_organisation_is_erased_from_this_one_alone() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let bo = world.neighbour().await;
    let made = kim_was_here(&world).await;
    let id = made.kim.person();
    let db = hub.store.db();
    member::insert(db, bo.tenant(), id, Role::Member, hub.clock.now())
        .await
        .unwrap();
    hub.erase_member(world.member(), id).await.unwrap();
    assert!(
        person::Entity::find_by_id(id)
            .one(db)
            .await
            .unwrap()
            .is_some()
    );
    let there = hub.member(id, bo.tenant(), 0, hub.clock.now()).await;
    assert!(there.unwrap().is_some());
    let here = hub.member(id, world.member().tenant(), 0, hub.clock.now());
    assert!(here.await.unwrap().is_none());
    let lines = written(&world).await;
    assert!(
        lines
            .iter()
            .all(|line| line.actor_id != Some(id.to_string()))
    );

    // Then she goes for good, herself.
    let browser = world.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let page = browser.get("/settings/account/delete").await;
    assert!(page.text().await.unwrap().contains("Delete your account?"));
    let answer = browser.post("/api/delete_account", &[]).await;
    assert_eq!(answer.headers()["location"], "/sign-in");
    assert!(said(&answer).contains("AccountErased"));
    assert_eq!(traces(&world, id).await, [""; 0]);
    let reports = hub.verify_ledgers(None).await.unwrap();
    assert!(reports.iter().all(|report| report.bad.is_none()));
    let entries = hub::store::audit_entry::after(db, bo.tenant(), 0, 100);
    let last = entries.await.unwrap().pop().unwrap();
    assert_eq!((&*last.deed, &*last.actor), ("person.erased", "person"));
    assert_eq!(hub.repeat_deletions().await.unwrap(), 0);
}

#[tokio::test]
async fn row_34_the_last_owner_is_not_erased() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let ana = world.signed_in().await;
    let before = rows(&hub.store).await;
    let answer = ana.post("/api/delete_account", &[]).await;
    assert_eq!(answer.headers()["location"], "/settings/account/delete");
    assert!(said(&answer).contains("only owner of an organisation"));
    let id = world.member().person().to_string();
    let form = [("id", id.as_str()), ("erase", "on")];
    let answer = ana.post("/api/remove_member", &form).await;
    assert!(said(&answer).contains("Somebody has to own"));
    assert_eq!(rows(&hub.store).await, before);
    // Nor by an admin, nor by who is next door.
    let bo = world.neighbour().await;
    let refused = hub.erase_member(&bo, world.member().person()).await;
    assert!(matches!(refused, Err(hub::Error::NotFound)));
    let kim = kim_was_here(&world).await.kim;
    let refused = hub.erase_member(&kim, world.member().person()).await;
    assert!(matches!(refused, Err(hub::Error::Forbidden { .. })));
}

#[tokio::test]
async fn row_60_who_was_erased_does_not_come_back_with_a_backup() {
    let world = World::on_file().await;
    if world.is_postgres() {
        return;
    }
    let made = kim_was_here(&world).await;
    let hub = &world.app.hub;
    hub.sign_checkpoints().await.unwrap();
    let backup = world.copied("monday.db").await;
    hub.erase_member(world.member(), made.kim.person())
        .await
        .unwrap();

    let restored = world.restored(&backup).await;
    assert_eq!(traces(&restored, made.kim.person()).await, [""; 0]);
    assert_eq!(restored.app.hub.repeat_deletions().await.unwrap(), 0);
    let reports = restored.app.hub.verify_ledgers(None).await.unwrap();
    let bad: Vec<_> = reports
        .iter()
        .filter_map(|report| report.bad.as_ref())
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[tokio::test]
async fn whom_one_erased_and_another_removed_keeps_their_account() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let bo = world.neighbour().await;
    let made = kim_was_here(&world).await;
    let id = made.kim.person();
    let db = hub.store.db();
    member::insert(db, bo.tenant(), id, Role::Member, hub.clock.now())
        .await
        .unwrap();
    // By the page, whose request reaches Ana's organisation alone.
    let ana = world.signed_in().await;
    let text = id.to_string();
    let form = [("id", text.as_str()), ("erase", "on")];
    let answer = ana.post("/api/remove_member", &form).await;
    assert!(said(&answer).contains("MemberErased"), "{}", said(&answer));
    hub.remove_member(&bo, id).await.unwrap();
    // What a start does.
    assert_eq!(hub.repeat_deletions().await.unwrap(), 0);
    let account = person::Entity::find_by_id(id).one(db).await.unwrap();
    assert!(account.is_some());
}

#[tokio::test]
async fn row_60_an_account_that_was_erased_does_not_come_back_anywhere() {
    let world = World::on_file().await;
    if world.is_postgres() {
        return;
    }
    let hub = &world.app.hub;
    let bo = world.neighbour().await;
    let made = kim_was_here(&world).await;
    let id = made.kim.person();
    let db = hub.store.db();
    member::insert(db, bo.tenant(), id, Role::Owner, hub.clock.now())
        .await
        .unwrap();
    member::set_role(db, bo.tenant(), bo.person(), Role::Member)
        .await
        .unwrap();
    world.advance(chrono::TimeDelta::minutes(1));
    let backup = world.copied("monday.db").await;
    // Removed from the one, and erased where she was still.
    member::remove(db, bo.tenant(), id).await.unwrap();
    hub.erase_member(world.member(), id).await.unwrap();
    let restored = world.restored(&backup).await;
    assert_eq!(traces(&restored, id).await, [""; 0]);
    // Nobody owns the other one now: who is added becomes it.
    let new =
        restored
            .app
            .hub
            .create_user("Next door", "di@example.com", "Di", Secret::new(PASSWORD));
    assert_eq!(new.await.unwrap().role(), Role::Owner);
    let reports = restored.app.hub.verify_ledgers(None).await.unwrap();
    assert!(reports.iter().all(|it| it.bad.is_none()), "{reports:?}");
}

#[tokio::test]
async fn row_60_who_it_was_is_wiped_by_erasures_alone() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let made = kim_was_here(&world).await;
    let tenant = world.member().tenant();
    hub.erase_member(world.member(), made.kim.person())
        .await
        .unwrap();
    let report = async || {
        let reports = hub.verify_ledgers(Some(tenant)).await.unwrap();
        reports.into_iter().next().expect("a report")
    };
    let whole = report().await;
    assert_eq!(whole.bad, None);
    assert!(whole.wiped > 0, "{whole:?}");
    // One more than that.
    world.signed_in().await;
    let ana = world.member().person();
    hub::store::audit_personal::wipe(hub.store.db(), tenant, ana)
        .await
        .unwrap();
    assert!(report().await.bad.is_some());
}
