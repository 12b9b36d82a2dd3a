//! That deleting deletes: row 60 of the security checks, over the database, its
//! file, its backup, the log and the spool; and that members who are removed are
//! out, row 34.

use std::{collections::BTreeSet, path::Path, time::Duration};

use hub::{
    Error,
    people::{Member, Role, Scope},
    record::export::Next,
    secret::Secret,
    store::{
        ConnectionId, PersonId, Reach, Store, TenantId, audit_chain, audit_entry, connection,
        credential, data_key, deletion, member, person,
    },
    vault::Place,
};
use reqwest::StatusCode;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};

use crate::{
    gate::rows,
    harness::{Browser, EMAIL, PASSWORD, TENANT, World},
};

/// What a person typed or a provider told, and must be gone afterwards.
const LABEL: &str = "canary-label-of-the-account";
const NAMED: &str = "canary-name-somebody-gave";
const COLUMN: &str = "canary-name-of-a-column";

/// Everything that is kept about a connection, with canaries in it; answers
/// what was sealed for it.
async fn with_canaries(world: &World) -> (ConnectionId, credential::Model) {
    let id = world.connect().await;
    let host = world.any_host().await;
    let path = format!("/v1/connections/{id}");
    let change = json!({
        "display_name": NAMED, "sync_frequency": "daily", "mapping": { "total": COLUMN },
    });
    let changed = host.request("PATCH", &path).json(&change).send().await;
    assert_eq!(changed.unwrap().status(), StatusCode::OK);
    host.get(&format!("{path}/token")).await;
    let hub = &world.app.hub;
    hub.flush_reads().await.unwrap();
    let db = hub.store.db();
    let row = connection::of_tenant(db, world.member().tenant(), id).await;
    let mut change = row.unwrap().unwrap().into_active_model();
    change.account_label = sea_orm::ActiveValue::Set(LABEL.into());
    sea_orm::ActiveModelTrait::update(change, db).await.unwrap();
    // A reading, an attempt that was begun, and half of a conversation.
    host.post(&format!("{path}/sync"), json!({})).await;
    let browser = world.signed_in().await;
    browser
        .prepare("sandbox", json!({ "connection": id }))
        .await;
    let sealed = credential::get(db, id, credential::MAIN).await;
    (id, sealed.unwrap().expect("a credential"))
}

/// Every row of every table but those that are to outlive it.
async fn everything(store: &Store) -> String {
    let all = rows(store).await;
    let kept = ["deletion", "seaql_migrations"];
    let tables = all
        .into_iter()
        .filter(|(table, _)| !kept.contains(&&**table));
    tables
        .flat_map(|(table, rows)| rows.into_iter().map(move |row| format!("{table}: {row}")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// An id as either database writes it.
fn spellings(id: uuid::Uuid) -> [String; 2] {
    [id.to_string(), id.simple().to_string().to_uppercase()]
}

#[tokio::test]
async fn row_60_a_deleted_connection_is_nowhere_any_more() {
    let world = World::new().await;
    let (id, sealed) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let before = everything(&hub.store).await;
    for canary in [LABEL, NAMED, COLUMN, &sealed.access_sealed] {
        assert!(
            before.contains(canary),
            "{canary} is where it is looked for"
        );
    }
    assert!(
        world
            .any_host()
            .await
            .delete(&format!("/v1/connections/{id}"))
            .await
            .status()
            == StatusCode::NO_CONTENT
    );

    let after = everything(&hub.store).await;
    for canary in [LABEL, NAMED, COLUMN, &sealed.access_sealed] {
        assert!(!after.contains(canary), "{canary}");
    }
    // Only that it was deleted is told: to systems, and in the ledger.
    let [hyphens, hex] = spellings(id.0);
    let left: BTreeSet<&str> = after
        .lines()
        .filter(|line| line.contains(&hyphens) || line.contains(&hex))
        .filter_map(|line| line.split(':').next())
        .collect();
    let told = left
        .iter()
        .all(|table| ["event", "delivery", "audit_entry"].contains(table));
    assert!(told, "{left:?}");
    let events = hub.events_after(world.member(), 0).await.unwrap();
    let about: Vec<_> = events
        .iter()
        .filter(|event| event.connection_id == Some(id))
        .map(|event| hub::store::event::name(event.kind))
        .collect();
    assert_eq!(about, ["connection.deleted"]);
    let ledger = audit_entry::after(hub.store.db(), world.member().tenant(), 0, 1000)
        .await
        .unwrap();
    let proof = ledger.last().unwrap();
    assert_eq!(
        (&*proof.deed, proof.target_id.as_deref()),
        ("connection.deleted", Some(&*id.to_string()))
    );
    // The grant is given back, too.
    assert!(ledger.iter().any(|row| {
        row.deed == "connection.grant_returned" && row.detail.as_deref() == Some("revoked")
    }));
    assert_eq!(
        std::fs::metadata(world.directory().join("spool"))
            .map(|_| ())
            .ok(),
        Some(())
    );
}

#[tokio::test]
async fn row_60_without_its_data_key_nothing_of_a_tenant_opens() {
    let world = World::new().await;
    let (id, sealed) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let tenant = world.member().tenant();
    let place = || Place::credential(tenant, id, &sealed.slot, "access", sealed.version);
    hub.vault
        .open(place(), &sealed.access_sealed)
        .await
        .unwrap();
    hub.delete_tenant(world.member(), TENANT).await.unwrap();
    // Here, and in a process that starts anew.
    assert!(
        hub.vault
            .open(place(), &sealed.access_sealed)
            .await
            .is_err()
    );
    let another = world.another().await;
    let opened = another
        .app
        .hub
        .vault
        .open(place(), &sealed.access_sealed)
        .await;
    assert!(opened.is_err());
}

#[tokio::test]
async fn row_60_a_deleted_tenant_is_nowhere_any_more() {
    let world = World::new().await;
    with_canaries(&world).await;
    let hub = &world.app.hub;
    let bo = world.neighbour().await;
    // Who is in another organisation, too, stays there.
    let kim = hub
        .create_user(TENANT, "kim@example.com", "Kim", Secret::new(PASSWORD))
        .await
        .unwrap();
    hub.create_user("Next door", "kim@example.com", "Kim", Secret::new(PASSWORD))
        .await
        .unwrap();
    world
        .browser()
        .sign_in_answer(EMAIL, "not the password")
        .await;
    let browser = world.signed_in().await;
    for wrong in ["", "Next door", "ana's shop"] {
        let refused = hub.delete_tenant(world.member(), wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{wrong:?}");
    }
    let done = browser
        .post("/settings/organisation/delete", &[("name", TENANT)])
        .await;
    assert_eq!(done.headers()["location"], "/sign-in");

    let after = everything(&hub.store).await;
    let (tenant, ana) = (world.member().tenant(), world.member().person());
    for canary in [LABEL, NAMED, COLUMN, TENANT, EMAIL] {
        assert!(!after.contains(canary), "{canary}: {after}");
    }
    for spelling in spellings(ana.0) {
        assert!(!after.contains(&spelling), "{after}");
    }
    for line in after.lines() {
        let is_proof = line.starts_with("audit_entry");
        let names = spellings(tenant.0).iter().any(|it| line.contains(it));
        assert!(is_proof || !names, "{line}");
    }
    // The proof is in the hub's own ledger.
    let of_hub = audit_entry::after(hub.store.db(), TenantId::HUB, 0, 1000)
        .await
        .unwrap();
    let proof = of_hub.iter().find(|row| row.deed == "tenant.deleted");
    let proof = proof.expect("a proof");
    assert_eq!(
        (&*proof.deed, proof.target_id.as_deref()),
        ("tenant.deleted", Some(&*tenant.to_string()))
    );
    assert!(
        hub.verify_ledgers(None)
            .await
            .unwrap()
            .iter()
            .all(|report| report.bad.is_none())
    );
    // The neighbours notice nothing.
    assert_eq!(browser.get("/").await.headers()["location"], "/sign-in");
    let at_next_door = hub
        .member(kim.person(), bo.tenant(), 0, hub.clock.now())
        .await
        .unwrap();
    assert!(at_next_door.is_some());
    world.browser().sign_in("bo@example.com", PASSWORD).await;
}

#[tokio::test]
async fn what_is_exported_is_everything_but_secrets() {
    let world = World::new().await;
    let (id, sealed) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let browser = world.signed_in().await;
    let answer = browser.post("/settings/organisation/export", &[]).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let disposition = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(disposition.starts_with("attachment; filename=\"linkwell-"));
    let text = answer.text().await.unwrap();
    let export: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(export["organisation"]["name"], TENANT);
    assert_eq!(export["members"][0]["email"], EMAIL);
    assert_eq!(export["connections"][0]["id"], id.to_string());
    assert_eq!(export["connections"][0]["mapping"]["total"], COLUMN);
    let count = |part: &str| export[part].as_array().map_or(0, Vec::len);
    assert!(count("events") >= 1 && count("api_keys") >= 1 && count("syncs") >= 1);
    assert_eq!(export["audit"][0]["deed"], "tenant.exported");
    let place = Place::credential(
        world.member().tenant(),
        id,
        &sealed.slot,
        "access",
        sealed.version,
    );
    let token = hub.vault.open(place, &sealed.access_sealed).await.unwrap();
    let hash = person::Entity::find()
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap()
        .password_hash;
    for secret in [
        token.expose(),
        &sealed.access_sealed,
        &hash,
        PASSWORD,
        "v1.a256gcm",
        "$argon2",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    // Long histories come in parts that fit together.
    for n in 0..600 {
        hub.rename(world.member(), id, &format!("Name {n}"))
            .await
            .unwrap();
    }
    let (mut next, mut text, mut parts) = (Next::Start, String::new(), 0);
    while next != Next::End {
        let (part, then) = hub.export_part(world.member(), next).await.unwrap();
        text.push_str(&part);
        (next, parts) = (then, parts + 1);
    }
    let export: Value = serde_json::from_str(&text).expect("one JSON document");
    assert!(parts >= 5 && export["events"].as_array().unwrap().len() > 600);
    assert!(export["audit"].as_array().unwrap().len() > 600);
}

async fn member_with(world: &World, email: &str, role: Role) -> Member {
    let hub = &world.app.hub;
    let made = hub
        .create_user(TENANT, email, email, Secret::new(PASSWORD))
        .await
        .unwrap();
    member::set_role(hub.store.db(), made.tenant(), made.person(), role)
        .await
        .unwrap();
    hub.member(made.person(), made.tenant(), 0, hub.clock.now())
        .await
        .unwrap()
        .unwrap()
}

async fn roles(world: &World) -> Vec<(PersonId, Role)> {
    let all = member::names(world.app.hub.store.db(), world.member().tenant()).await;
    all.unwrap()
        .into_iter()
        .map(|(id, _, role)| (id, role))
        .collect()
}

#[tokio::test]
async fn row_34_the_last_owner_stays() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let ana = world.member();
    let kim = member_with(&world, "kim@example.com", Role::Admin).await;
    let before = roles(&world).await;
    for role in [Role::Admin, Role::Viewer] {
        let refused = hub.change_role(ana, ana.person(), role).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
    }
    assert!(matches!(
        hub.remove_member(ana, ana.person()).await,
        Err(Error::Conflict(_))
    ));
    // Admins make and unmake no owners.
    for (person, role) in [(kim.person(), Role::Owner), (ana.person(), Role::Viewer)] {
        let refused = hub.change_role(&kim, person, role).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }
    let refused = hub.remove_member(&kim, ana.person()).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
    assert_eq!(roles(&world).await, before);
    // Of two owners who remove each other one is left.
    hub.change_role(ana, kim.person(), Role::Owner)
        .await
        .unwrap();
    let (one, other) = tokio::join!(
        hub.remove_member(ana, kim.person()),
        hub.remove_member(&kim, ana.person()),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let left = roles(&world).await;
    assert_eq!((left.len(), left[0].1), (1, Role::Owner));
}

#[tokio::test]
async fn row_36_members_of_others_cannot_be_managed() {
    let world = World::new().await;
    let bo = world.neighbour().await;
    let hub = &world.app.hub;
    for refused in [
        hub.change_role(world.member(), bo.person(), Role::Viewer)
            .await,
        hub.remove_member(world.member(), bo.person()).await,
    ] {
        assert!(matches!(refused, Err(Error::NotFound)));
    }
    assert!(
        hub.member(bo.person(), bo.tenant(), 0, hub.clock.now())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn row_34_a_removed_member_is_out_within_a_second() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let kim = member_with(&world, "kim@example.com", Role::Admin).await;
    let browser = world.browser();
    browser.sign_in("kim@example.com", PASSWORD).await;
    let token = browser.post_json("/v1/tokens", json!({})).await;
    let token: Value = token.json().await.unwrap();
    let mut host = world.any_host().await;
    host.key = token["access_token"].as_str().unwrap().to_owned();
    assert_eq!(host.get("/v1/connections").await.status(), StatusCode::OK);
    let mut stream = browser.get("/events").await;
    assert_eq!(stream.status(), StatusCode::OK);
    stream.chunk().await.unwrap().expect("a first word");

    let owner = world.signed_in().await;
    let id = kim.person().to_string();
    owner.post("/api/remove_member", &[("id", &id)]).await;
    let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
    let in_time = tokio::time::timeout(Duration::from_secs(1), ended).await;
    assert!(in_time.is_ok(), "the open stream ends");
    assert_eq!(
        browser.get("/").await.headers()["location"],
        "/sign-in?because=AUTH_002"
    );
    assert_eq!(
        host.get("/v1/connections").await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(hub.members(world.member()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_takes_a_member_out_is_told_of_the_keys_that_stay() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let kim = member_with(&world, "kim@example.com", Role::Admin).await;
    let owner = world.signed_in().await;
    let path = format!("/settings/members/{}/remove", kim.person());
    let page = async || owner.get(&path).await.text().await.unwrap();
    world.any_host().await;
    let shown = page().await;
    assert!(shown.contains("Accounts they connected stay connected"));
    assert!(
        !shown.contains("API keys they created"),
        "that one is Ana's"
    );
    let key = hub
        .create_api_key(&kim, "Automations", &[Scope::TokensRead], "")
        .await;
    let (key, _) = key.unwrap();
    let shown = page().await;
    assert!(shown.contains("API keys they created go on working: 1."));
    hub.revoke_api_key(world.member(), key.id).await.unwrap();
    assert!(!page().await.contains("API keys they created"));
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_on() {
    let world = World::new().await;
    let kim = member_with(&world, "kim@example.com", Role::Admin).await;
    let browser = world.browser();
    browser.sign_in("kim@example.com", PASSWORD).await;
    assert_eq!(
        browser.get("/settings/audit").await.status(),
        StatusCode::OK
    );
    let owner = world.signed_in().await;
    let id = kim.person().to_string();
    let page = owner.get("/settings/members").await.text().await.unwrap();
    assert!(page.contains("kim@example.com") && page.contains(&format!("/settings/members/{id}")));
    owner
        .post("/api/change_role", &[("id", &id), ("role", "viewer")])
        .await;
    assert_eq!(
        browser.get("/settings/audit").await.status(),
        StatusCode::FORBIDDEN
    );
}

/// A database file of its own, that a test may copy and put back.
async fn file_world() -> World {
    World::on_file().await
}

fn bytes(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for item in std::fs::read_dir(directory).unwrap() {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => all.extend(bytes(&path)),
            false => all.extend(std::fs::read(&path).unwrap()),
        }
    }
    all
}

fn holds(bytes: &[u8], canary: &[u8]) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary)
}

#[tokio::test]
async fn row_60_nothing_is_left_in_the_files_either() {
    let world = file_world().await;
    if world.is_postgres() {
        return;
    }
    let (log, _listening) = crate::canary::Log::listen();
    let (id, sealed) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let place = Place::credential(
        world.member().tenant(),
        id,
        &sealed.slot,
        "access",
        sealed.version,
    );
    let token = hub.vault.open(place, &sealed.access_sealed).await.unwrap();
    assert!(
        holds(&bytes(world.directory()), LABEL.as_bytes()),
        "it is looked for where it is"
    );
    let host = world.any_host().await;
    host.delete(&format!("/v1/connections/{id}")).await;
    world.copied("backup.db").await;
    // The database, its log, the backup, the spool, what stands beside it.
    let left = bytes(world.directory());
    assert!(left.len() > 100_000);
    let log = log.text();
    for canary in [LABEL, NAMED, COLUMN, &sealed.access_sealed, token.expose()] {
        assert!(!holds(&left, canary.as_bytes()), "{canary} in a file");
        assert!(!log.contains(canary), "{canary} in the log");
    }
}

#[tokio::test]
async fn row_60_what_was_deleted_does_not_come_back_with_a_backup() {
    let world = file_world().await;
    if world.is_postgres() {
        return;
    }
    let (id, _) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let bo = world.neighbour().await;
    hub.sign_checkpoints().await.unwrap();
    let backup = world.copied("monday.db").await;
    hub.remove(world.member(), id).await.unwrap();
    hub.delete_tenant(&bo, "Next door").await.unwrap();

    // The backup takes the database's place; another process starts on it.
    let restored = world.restored(&backup).await;
    let db = restored.app.hub.store.db();
    let there = connection::Entity::find_by_id(id).one(db).await.unwrap();
    assert!(there.is_none(), "before anything is served");
    assert!(
        hub::store::tenant::get(db, bo.tenant())
            .await
            .unwrap()
            .is_none()
    );
    let text = everything(&restored.app.hub.store).await;
    for canary in [LABEL, NAMED, COLUMN, "Next door", "bo@example.com"] {
        assert!(!text.contains(canary), "{canary}");
    }
    let noted = deletion::all(db).await.unwrap();
    assert_eq!(noted.len(), 2);
    let ledger = audit_entry::after(db, world.member().tenant(), 0, 1000)
        .await
        .unwrap();
    assert_eq!(ledger.last().unwrap().deed, "deletion.repeated");
    // Once is enough.
    assert_eq!(restored.app.hub.repeat_deletions().await.unwrap(), 0);
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_is_finished() {
    let world = World::new().await;
    let (id, _) = with_canaries(&world).await;
    let hub = &world.app.hub;
    // What is noted before the first row is touched.
    let deletion = deletion::Model {
        id: uuid::Uuid::now_v7(),
        tenant_id: world.member().tenant(),
        connection_id: Some(id),
        person_id: None,
        at: world.clock.now(),
    };
    hub.note_deletion(&deletion).await.unwrap();
    assert_eq!(hub.repeat_deletions().await.unwrap(), 1);
    assert!(!everything(&hub.store).await.contains(LABEL));
    let another: &Browser = &world.signed_in().await;
    assert_eq!(
        another.get(&format!("/connections/{id}")).await.status(),
        StatusCode::NOT_FOUND
    );
}

/// As a process leaves it that dies after the data key is destroyed and before the
/// first row is.
async fn half_deleted(world: &World, tenant: TenantId) {
    let hub = &world.app.hub;
    let deletion = deletion::Model {
        id: uuid::Uuid::now_v7(),
        tenant_id: tenant,
        connection_id: None,
        person_id: None,
        at: world.clock.now(),
    };
    hub.note_deletion(&deletion).await.unwrap();
    let db = hub.store.db();
    deletion::note(db, deletion).await.unwrap();
    data_key::Entity::delete_many()
        .filter(data_key::Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_tenant_that_is_half_deleted_holds_up_no_other() {
    let world = World::new().await;
    let bo = world.neighbour().await;
    // Another process, which has opened nothing of theirs.
    let another = world.another().await;
    half_deleted(&world, bo.tenant()).await;
    let hub = &another.app.hub;
    let noted = world.app.hub.witness.deletions().unwrap();
    assert_eq!(noted.len(), 1);
    assert!(hub.sign_checkpoints().await.is_err(), "it is told");
    let signed = hub.witness.checkpoints().unwrap();
    let tenants: BTreeSet<TenantId> = signed.iter().map(|signed| signed.tenant).collect();
    assert!(tenants.contains(&world.member().tenant()) && !tenants.contains(&bo.tenant()));
    // The round after goes on with it, and then all is well.
    assert_eq!(hub.repeat_deletions().await.unwrap(), 1);
    hub.sign_checkpoints().await.unwrap();
    let gone = hub::store::tenant::get(hub.store.db(), bo.tenant()).await;
    assert!(gone.unwrap().is_none());
}

#[tokio::test]
async fn a_deleted_tenant_is_not_begun_again_by_what_comes_late() {
    let world = World::new().await;
    let bo = world.neighbour().await;
    let another = world.another().await;
    // Known there already: its key is in memory.
    another.browser().sign_in("bo@example.com", PASSWORD).await;
    let hub = &world.app.hub;
    hub.delete_tenant(&bo, "Next door").await.unwrap();
    let db = hub.store.db();
    let chains = || async {
        let all = audit_chain::all(db).await.unwrap().into_iter();
        all.filter(|chain| chain.tenant_id == bo.tenant()).count()
    };
    let late = [&world.app.hub, &another.app.hub, &another.app.hub];
    for hub in late {
        let refused = hub.begin_audit_export(&bo, "csv").await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
        assert_eq!(chains().await, 0);
    }
    let told = everything(&hub.store).await;
    assert!(!told.contains("Next door"));
}

#[tokio::test]
async fn whoever_can_add_a_line_to_the_file_deletes_nothing() {
    let world = World::new().await;
    let (id, _) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let tenant = world.member().tenant();
    let line = |tenant: TenantId, connection: Option<ConnectionId>| {
        let deletion = deletion::Model {
            id: uuid::Uuid::now_v7(),
            tenant_id: tenant,
            connection_id: connection,
            person_id: None,
            at: world.clock.now(),
        };
        format!("{}\n", json!(deletion))
    };
    let file = world.directory().join("audit/deletions.jsonl");
    let forged = line(tenant, None) + &line(tenant, Some(id)) + &line(TenantId::HUB, None);
    std::fs::write(&file, forged).unwrap();
    assert_eq!(hub.repeat_deletions().await.unwrap(), 0);
    // Nor by changing one that was signed, nor is the hub itself ever a tenant.
    let bo = world.neighbour().await;
    hub.delete_tenant(&bo, "Next door").await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replace(&bo.tenant().to_string(), &tenant.to_string());
    deletion::Entity::delete_many()
        .exec(hub.store.db())
        .await
        .unwrap();
    std::fs::write(&file, changed).unwrap();
    assert_eq!(hub.repeat_deletions().await.unwrap(), 0);
    let of_hub = deletion::Model {
        id: uuid::Uuid::now_v7(),
        tenant_id: TenantId::HUB,
        connection_id: None,
        person_id: None,
        at: world.clock.now(),
    };
    hub.note_deletion(&of_hub).await.unwrap();
    assert_eq!(hub.repeat_deletions().await.unwrap(), 0);
    let left = everything(&hub.store).await;
    assert!(left.contains(EMAIL) && left.contains(LABEL));
    // What this database knows is signed, if it was noted before that was done.
    let old = line(tenant, Some(ConnectionId::new()));
    let known: deletion::Model = serde_json::from_str(&old).unwrap();
    deletion::note(hub.store.db(), known.clone()).await.unwrap();
    std::fs::write(&file, old).unwrap();
    hub.repeat_deletions().await.unwrap();
    let noted = hub.witness.deletions().unwrap();
    let signed = noted.iter().filter(|noted| noted.signature.is_some());
    assert_eq!(
        signed.map(|noted| noted.deletion.id).collect::<Vec<_>>(),
        [known.id]
    );
}

#[tokio::test]
async fn a_missing_ledger_is_excused_by_the_hubs_own_ledger_alone() {
    let world = World::new().await;
    let bo = world.neighbour().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    hub.sign_checkpoints().await.unwrap();
    let deletion = deletion::Model {
        id: uuid::Uuid::now_v7(),
        tenant_id: bo.tenant(),
        connection_id: None,
        person_id: None,
        at: world.clock.now(),
    };
    // Whoever writes into the table may take the rest away as well.
    deletion::note(db, deletion).await.unwrap();
    hub::store::erase::tenant(db, bo.tenant()).await.unwrap();
    let bad = async || {
        let reports = hub.verify_ledgers(None).await.unwrap().into_iter();
        let bad = reports.filter(|report| report.bad.is_some());
        bad.map(|report| report.tenant).collect::<Vec<_>>()
    };
    assert_eq!(bad().await, [bo.tenant()]);
}

#[tokio::test]
async fn a_connection_is_deleted_though_the_browser_that_asked_is_gone() {
    let world = World::new().await;
    let (id, _) = with_canaries(&world).await;
    let hub = &world.app.hub;
    let mut asked = Box::pin(hub.remove(world.member(), id));
    assert!(futures::poll!(asked.as_mut()).is_pending());
    drop(asked);
    hub.keeper.tasks.close();
    hub.keeper.tasks.wait().await;
    let row = connection::Entity::find_by_id(id)
        .one(hub.store.db())
        .await
        .unwrap();
    assert!(row.is_none());
}

#[tokio::test]
async fn what_does_not_open_any_more_can_be_deleted_all_the_same() {
    let world = World::new().await;
    let id = world.connect().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    let row = credential::get(db, id, credential::MAIN).await.unwrap();
    let mut change = row.unwrap().into_active_model();
    change.access_sealed = sea_orm::ActiveValue::Set("v1.nothing.of.ours".into());
    sea_orm::ActiveModelTrait::update(change, db).await.unwrap();
    let ended = hub.disconnect(world.member(), id).await.unwrap();
    assert_eq!(ended, connection::Revocation::Failed);
    hub.remove(world.member(), id).await.unwrap();
    let left = connection::Entity::find_by_id(id).one(db).await.unwrap();
    assert!(left.is_none());
}

#[tokio::test]
async fn answers_that_were_kept_are_forgotten_with_what_they_name() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.import_living(&host).await;
    let request = host
        .request("POST", &format!("/v1/connections/{id}/pause"))
        .header("idempotency-key", "one");
    let answer = request.json(&json!({})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    assert!(answer.text().await.unwrap().contains(&id.to_string()));
    let kept = async || {
        let all = hub::store::idempotent_request::Entity::find();
        all.all(world.app.hub.store.db()).await.unwrap().len()
    };
    assert_eq!(kept().await, 1);
    host.delete(&format!("/v1/connections/{id}")).await;
    assert_eq!(kept().await, 0);
}

/// Each table of tenants, and where in an export it is.
const EXPORTED: [(&str, &str); 18] = [
    ("alarm", "alarms"),
    ("api_key", "api_keys"),
    ("attempt", "attempts"),
    ("audit_entry", "audit"),
    ("audit_personal", "audit"),
    ("connect_link", "connect_links"),
    ("connection", "connections"),
    ("credential", "connections"),
    ("event", "events"),
    ("mail_choice", "mail_choices"),
    ("member", "members"),
    ("notice", "notices"),
    ("provider_app", "provider_apps"),
    ("run", "runs"),
    ("switched_off", "switched_off"),
    ("sync_run", "syncs"),
    ("watcher", "waiting_for"),
    ("webhook", "webhooks"),
];

/// Those that are not, and why.
const LEFT_OUT: [(&str, &str); 10] = [
    ("audit_chain", "a key and a count"),
    ("data_key", "a key"),
    ("delivery", "an event on its way to a webhook"),
    ("deletion", "what the operator repeats after a restore"),
    (
        "draft",
        "what somebody is still entering, most of it secret",
    ),
    ("flow", "an attempt of ten minutes"),
    ("flow_outcome", "a count, which the attempts tell better"),
    ("idempotent_request", "an answer that is kept for a day"),
    ("mail", "an alarm on its way to somebody"),
    ("token_read", "the audit log tells it"),
];

#[tokio::test]
async fn no_table_is_forgotten_in_an_export() {
    let world = World::new().await;
    let id = world.connect().await;
    let browser = world.signed_in().await;
    let answer = browser.post("/settings/organisation/export", &[]).await;
    let export: Value = answer.json().await.unwrap();
    assert!(export["wishes"].is_array());
    for (table, part) in EXPORTED {
        assert!(export[part].is_array(), "{table} as {part}");
    }
    let connection = &export["connections"][0];
    assert_eq!(connection["id"], id.to_string());
    assert_eq!(connection["credentials"][0]["slot"], "main");
    assert_eq!(connection["credentials"][0]["renewable"], true);
    if world.is_postgres() {
        return;
    }
    let of_tenants = "SELECT m.name AS name FROM sqlite_master m, pragma_table_info(m.name) p \
                      WHERE m.type = 'table' AND p.name = 'tenant_id'";
    let of_tenants = sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Sqlite, of_tenants);
    let rows = world.app.hub.store.db().query_all_raw(of_tenants).await;
    let mut forgotten: Vec<String> = rows
        .unwrap()
        .iter()
        .map(|row| row.try_get("", "name").unwrap())
        .collect();
    let known = EXPORTED.iter().chain(&LEFT_OUT).map(|(table, _)| *table);
    let known: Vec<&str> = known.chain(["wish"]).collect();
    forgotten.retain(|table| !known.contains(&table.as_str()));
    assert_eq!(
        forgotten,
        Vec::<String>::new(),
        "is it exported, or why not?"
    );
}

#[tokio::test]
async fn row_34_an_export_stops_when_its_member_is_removed() {
    let world = World::new().await;
    let hub = &world.app.hub;
    let kim = member_with(&world, "kim@example.com", Role::Owner).await;
    let (_, next) = hub.export_part(&kim, Next::Start).await.unwrap();
    hub.remove_member(world.member(), kim.person())
        .await
        .unwrap();
    let refused = hub.export_part(&kim, next).await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

#[tokio::test]
async fn erasing_a_tenant_and_a_save_wait_for_each_other_in_no_circle() {
    let world = World::new().await;
    if !world.is_postgres() {
        return;
    }
    let id = world.connect().await;
    let hub = &world.app.hub;
    let tenant = world.member().tenant();
    // As a save goes: the connection first, the ledger last.
    let saving = hub.store.begin().await.unwrap();
    let row = connection::of_tenant(&saving, tenant, id).await.unwrap();
    let mut change = row.unwrap().into_active_model();
    change.display_name = sea_orm::ActiveValue::Set(Some(NAMED.into()));
    sea_orm::ActiveModelTrait::update(change, &saving)
        .await
        .unwrap();
    half_deleted(&world, tenant).await;
    let other = hub.clone();
    let erasing =
        tokio::spawn(Reach::every().around(async move { other.repeat_deletions().await }));
    let waits = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Postgres, waits);
    loop {
        let row = hub.store.db().query_one_raw(waits.clone()).await.unwrap();
        if row.unwrap().try_get_by_index::<i64>(0).unwrap() > 0 {
            break;
        }
    }
    audit_chain::advance(&saving, tenant).await.unwrap();
    saving.commit().await.unwrap();
    assert_eq!(erasing.await.unwrap().unwrap(), 1);
}
