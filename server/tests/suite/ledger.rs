//! The audit ledger: what is written, and that nothing in it can be changed
//! unseen: row 60 of the security checks.

use hub::{
    people::Scope,
    record::ledger::verify::{Bad, Report, Why},
    store::{
        TenantId, audit_chain, audit_entry,
        audit_entry::{Column, Entity, Model, Wanted},
        audit_personal,
    },
};
use reqwest::StatusCode;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr,
};
use serde_json::json;

use crate::{
    gate::make_link,
    harness::{EMAIL, PASSWORD, World},
};

async fn entries(world: &World, tenant: TenantId) -> Vec<Model> {
    let db = world.app.hub.store.db();
    audit_entry::after(db, tenant, 0, 1000).await.unwrap()
}

/// The deeds of Ana's tenant after number `after`, with actor, outcome and detail.
async fn told(world: &World, after: i64) -> Vec<String> {
    let tenant = world.member().tenant();
    let rows = entries(world, tenant).await.into_iter();
    rows.filter(|row| row.seq > after)
        .map(|row| {
            let detail = row.detail.map(|detail| format!(" ({detail})"));
            let (actor, deed, outcome) = (row.actor, row.deed, row.outcome);
            format!("{actor} {deed} {outcome}{}", detail.unwrap_or_default())
        })
        .collect()
}

async fn head(world: &World) -> i64 {
    let tenant = world.member().tenant();
    let row = audit_chain::get(world.app.hub.store.db(), tenant).await;
    row.unwrap().map_or(0, |row| row.seq)
}

/// What recomputing the ledger of Ana's tenant finds.
async fn verify(world: &World) -> Report {
    let tenant = world.member().tenant();
    let reports = world.app.hub.verify_ledgers(Some(tenant)).await.unwrap();
    reports.into_iter().next().expect("a report")
}

async fn found(world: &World) -> Option<(i64, Why)> {
    let bad = verify(world).await.bad;
    bad.map(|Bad { seq, why }| (seq, why))
}

#[tokio::test]
async fn every_deed_of_importance_is_written_with_who_did_it() {
    let world = World::new().await;
    let tenant = world.member().tenant();
    assert_eq!(
        told(&world, 0).await,
        [
            "operator tenant.created done",
            "operator member.added done (owner)"
        ]
    );

    // Coming and going.
    let before = head(&world).await;
    let browser = world.signed_in().await;
    world
        .browser()
        .sign_in_answer(EMAIL, "not the password")
        .await;
    browser.post("/api/sign_out", &[]).await;
    assert_eq!(
        told(&world, before).await,
        [
            "person session.signed_in done",
            "stranger session.sign_in_refused denied",
            "person session.signed_out done",
        ]
    );
    world
        .browser()
        .sign_in_answer("nobody@example.com", PASSWORD)
        .await;
    let of_hub = entries(&world, TenantId::HUB).await;
    assert_eq!(of_hub.last().unwrap().deed, "session.sign_in_refused");

    // One's account, keys, apps, webhooks.
    let browser = world.signed_in().await;
    let before = head(&world).await;
    let new = "blue kettle sings";
    for form in [
        (
            "/api/save_profile",
            &[("name", "Ana M."), ("email", EMAIL)][..],
        ),
        (
            "/api/change_password",
            &[("current", "wrong wrong"), ("new", new)],
        ),
        (
            "/api/change_password",
            &[("current", PASSWORD), ("new", new)],
        ),
        (
            "/settings/api-keys",
            &[("name", "Till"), ("scope", "tokens:read")],
        ),
        (
            "/api/save_provider_app",
            &[
                ("app", "github"),
                ("client_id", "c"),
                ("client_secret", "s"),
            ],
        ),
        ("/api/remove_provider_app", &[("app", "github")]),
        ("/settings/webhooks", &[("url", "https://example.com/hook")]),
    ] {
        browser.post(form.0, form.1).await;
    }
    assert_eq!(
        told(&world, before).await,
        [
            "person person.profile_changed done",
            "person session.password_refused denied",
            "person person.password_changed done",
            "person api_key.created done (tokens:read)",
            "person provider_app.saved done",
            "person provider_app.removed done",
            "person webhook.added done",
        ]
    );
    let rows = entries(&world, tenant).await;
    let thing = |deed: &str| {
        let row = rows.iter().find(|row| row.deed == deed).unwrap();
        row.target_id.clone().unwrap()
    };
    let (key, webhook) = (thing("api_key.created"), thing("webhook.added"));
    let before = head(&world).await;
    browser
        .post(&format!("/settings/webhooks/{webhook}/secret"), &[])
        .await;
    browser
        .post("/api/revive_webhook", &[("id", &webhook)])
        .await;
    browser
        .post("/api/replay_webhook", &[("id", &webhook), ("after", "0")])
        .await;
    browser
        .post("/api/remove_webhook", &[("id", &webhook)])
        .await;
    browser.post("/api/revoke_api_key", &[("id", &key)]).await;
    browser.post_json("/v1/tokens", json!({})).await;
    browser.post("/api/sign_out_everywhere", &[]).await;
    assert_eq!(
        told(&world, before).await,
        [
            "person webhook.secret_rotated done",
            "person webhook.revived done",
            "person webhook.replayed done (after 0)",
            "person webhook.removed done",
            "person api_key.revoked done",
            "person api_token.created done (connections:read connections:write catalog:read)",
            "person session.all_ended done",
        ]
    );
    assert_eq!(found(&world).await, None);
}

#[tokio::test]
async fn connections_and_what_is_read_of_them_are_written() {
    let world = World::new().await;
    let host = world.any_host().await;
    let id = world.connect().await;
    let before = head(&world).await;
    let path = format!("/v1/connections/{id}");
    for _ in 0..3 {
        host.get(&format!("{path}/token")).await;
    }
    world.app.hub.flush_reads().await.unwrap();
    host.request("PATCH", &path)
        .json(
            &json!({ "display_name": "Shop", "sync_frequency": "daily", "mapping": { "a": "b" } }),
        )
        .send()
        .await
        .unwrap();
    let imported = world.import_living(&host).await;
    let (_, secret) = make_link(&host, json!({ "providers": ["sandbox"] })).await;
    world.browser().post(&format!("/link/{secret}"), &[]).await;
    host.delete(&format!("/v1/connections/{imported}")).await;
    assert_eq!(
        told(&world, before).await,
        [
            "key secret.lent done (3 times)",
            "key connection.renamed done (sandbox)",
            "key connection.mapping_changed done (sandbox)",
            "key connection.frequency_changed done (sandbox)",
            "key connection.imported done (sandbox)",
            "key connect_link.created done (sandbox)",
            "guest connect_link.opened done",
            "key connection.disconnected done (sandbox)",
            "key connection.grant_returned done (revoked)",
            "key connection.deleted done (sandbox)",
        ]
    );
    let whole = told(&world, 0).await;
    assert!(
        whole.contains(&"person connection.created done (sandbox)".to_owned()),
        "{whole:#?}"
    );
    assert_eq!(found(&world).await, None);
}

#[tokio::test]
async fn a_denial_is_written_once_a_minute_with_who_wanted_what() {
    let world = World::new().await;
    let host = world.host(&[Scope::CatalogRead]).await;
    let id = world.connect().await;
    let before = head(&world).await;
    for _ in 0..3 {
        let answer = host.get(&format!("/v1/connections/{id}/token")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    let denied = "key action.denied denied (tokens:read)".to_owned();
    assert_eq!(told(&world, before).await, std::slice::from_ref(&denied));
    world.advance(chrono::TimeDelta::minutes(2));
    host.get(&format!("/v1/connections/{id}/token")).await;
    assert_eq!(told(&world, before).await, [denied.clone(), denied]);
}

#[tokio::test]
async fn no_audit_no_action() {
    let world = World::new().await;
    let id = world.connect().await;
    let host = world.any_host().await;
    let db = world.app.hub.store.db();
    db.execute_unprepared("DROP TABLE audit_entry")
        .await
        .unwrap();
    let path = format!("/v1/connections/{id}");
    let renamed = host
        .request("PATCH", &path)
        .json(&json!({ "display_name": "Unseen" }))
        .send()
        .await
        .unwrap();
    assert!(renamed.status().is_server_error(), "{}", renamed.status());
    let signed_in = world.browser().sign_in_answer(EMAIL, PASSWORD).await;
    assert_eq!(signed_in.headers()["location"], "/sign-in");
    let gone = host.delete(&path).await;
    assert!(gone.status().is_server_error());
    let row = hub::store::connection::Entity::find_by_id(id)
        .one(db)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.display_name, row.disconnected_at), (None, None));
}

#[tokio::test]
async fn people_are_beside_the_chain_and_can_be_wiped() {
    let world = World::new().await;
    world.signed_in().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    let ana = world.member().person();
    let rows = audit_personal::Entity::find()
        .filter(audit_personal::Column::PersonId.eq(ana))
        .all(db)
        .await
        .unwrap();
    assert_eq!(rows[0].address.as_deref(), Some("127.0.0.0/24"));
    // Nothing in the chain says who it was.
    for row in entries(&world, world.member().tenant()).await {
        assert!(!format!("{row:?}").contains(&ana.to_string()), "{row:?}");
    }
    let tenant = world.member().tenant();
    audit_personal::wipe(db, tenant, ana).await.unwrap();
    let wanted = Wanted {
        person: Some(ana),
        ..Wanted::default()
    };
    assert_eq!(hub.audit(world.member(), &wanted, 50).await.unwrap(), []);
    // By an erasure alone, which says how much it wiped: nobody was erased here.
    let bad = found(&world).await;
    assert!(
        matches!(bad, Some((_, Why::PersonRemoved { wiped: 0, .. }))),
        "{bad:?}"
    );
}

/// A world with some history, whose head was signed.
async fn signed() -> (World, TenantId, i64) {
    let world = World::new().await;
    world.signed_in().await;
    world.signed_in().await;
    assert!(world.app.hub.sign_checkpoints().await.unwrap() >= 1);
    let (tenant, head) = (world.member().tenant(), head(&world).await);
    assert!(head >= 4);
    assert_eq!(found(&world).await, None);
    (world, tenant, head)
}

async fn set(
    world: &World,
    tenant: TenantId,
    seq: i64,
    column: Column,
    value: impl Into<sea_orm::Value>,
) {
    Entity::update_many()
        .col_expr(column, Expr::value(value))
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.eq(seq))
        .exec(world.app.hub.store.db())
        .await
        .unwrap();
}

#[tokio::test]
async fn row_60_an_edited_entry_is_named_whatever_was_edited() {
    let (world, tenant, _) = signed().await;
    let db = world.app.hub.store.db();
    let whole = Entity::find_by_id((tenant, 3))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let edits: [(Column, sea_orm::Value); 9] = [
        (Column::AtUs, (whole.at_us + 1).into()),
        (Column::Actor, "operator".into()),
        (Column::ActorId, uuid::Uuid::now_v7().into()),
        (Column::Deed, "session.signed_out".into()),
        (Column::Target, "connection".into()),
        (Column::TargetId, "x".into()),
        (Column::Outcome, "failed".into()),
        (Column::Detail, "".into()),
        (Column::Personal, vec![7u8; 32].into()),
    ];
    for (column, value) in edits {
        set(&world, tenant, 3, column, value).await;
        assert_eq!(found(&world).await, Some((3, Why::Changed)), "{column:?}");
        Entity::delete_by_id((tenant, 3)).exec(db).await.unwrap();
        audit_entry::insert(db, whole.clone()).await.unwrap();
        assert_eq!(found(&world).await, None, "{column:?}");
    }
    set(&world, tenant, 3, Column::Hash, vec![7u8; 32]).await;
    assert_eq!(found(&world).await, Some((3, Why::Changed)));
}

#[tokio::test]
async fn row_60_who_it_was_cannot_be_changed_only_wiped() {
    let (world, tenant, _) = signed().await;
    let db = world.app.hub.store.db();
    audit_personal::Entity::update_many()
        .col_expr(
            audit_personal::Column::Address,
            Expr::value("203.0.113.0/24"),
        )
        .filter(audit_personal::Column::TenantId.eq(tenant))
        .filter(audit_personal::Column::Seq.eq(3))
        .exec(db)
        .await
        .unwrap();
    assert_eq!(found(&world).await, Some((3, Why::PersonChanged)));
}

#[tokio::test]
async fn row_60_a_deleted_entry_is_named() {
    let (world, tenant, _) = signed().await;
    let db = world.app.hub.store.db();
    Entity::delete_by_id((tenant, 2)).exec(db).await.unwrap();
    assert_eq!(found(&world).await, Some((2, Why::Missing)));
}

#[tokio::test]
async fn row_60_swapped_entries_are_named() {
    let (world, tenant, _) = signed().await;
    for (from, to) in [(3, 1000), (4, 3), (1000, 4)] {
        set(&world, tenant, from, Column::Seq, i64::from(to)).await;
    }
    assert_eq!(found(&world).await, Some((3, Why::Changed)));
}

/// Takes away what is about entries after `last`.
async fn take_away(world: &World, tenant: TenantId, last: i64) {
    let db = world.app.hub.store.db();
    audit_personal::Entity::delete_many()
        .filter(audit_personal::Column::TenantId.eq(tenant))
        .filter(audit_personal::Column::Seq.gt(last))
        .exec(db)
        .await
        .unwrap();
    Entity::delete_many()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Seq.gt(last))
        .exec(db)
        .await
        .unwrap();
}

/// Cuts the end off, and makes the head fit.
async fn cut(world: &World, tenant: TenantId, last: i64) {
    let db = world.app.hub.store.db();
    take_away(world, tenant, last).await;
    let newest = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_desc(Column::Seq)
        .one(db)
        .await
        .unwrap()
        .unwrap();
    audit_chain::Entity::update_many()
        .col_expr(audit_chain::Column::Seq, Expr::value(newest.seq))
        .col_expr(audit_chain::Column::Hash, Expr::value(newest.hash))
        .filter(audit_chain::Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .unwrap();
}

#[tokio::test]
async fn row_60_an_end_that_was_cut_off_is_named() {
    let (world, tenant, head) = signed().await;
    let db = world.app.hub.store.db();
    // Clumsily: the head still tells.
    Entity::delete_by_id((tenant, head)).exec(db).await.unwrap();
    assert!(matches!(found(&world).await, Some((seq, _)) if seq == head));
    // And well: only what was signed tells.
    cut(&world, tenant, head - 2).await;
    let bad = found(&world).await;
    assert!(
        matches!(bad, Some((seq, Why::GoneSince(_))) if seq == head - 1),
        "{bad:?}"
    );
    // Writing on hides nothing.
    for _ in 0..3 {
        world.signed_in().await;
    }
    let bad = found(&world).await;
    assert!(
        matches!(bad, Some((seq, Why::OtherThanSigned(_))) if seq == head),
        "{bad:?}"
    );
    // Nor does writing on to where it was, and having that signed by a process that
    // has signed nothing yet.
    cut(&world, tenant, head - 2).await;
    for _ in 0..2 {
        world.signed_in().await;
    }
    audit_chain::Entity::update_many()
        .col_expr(audit_chain::Column::CheckedSeq, Expr::value(head - 2))
        .filter(audit_chain::Column::TenantId.eq(tenant))
        .exec(db)
        .await
        .unwrap();
    let another = world.another().await;
    another.app.hub.sign_checkpoints().await.unwrap();
    let theirs = another.app.hub.witness.checkpoints().unwrap();
    let lines = theirs.iter().map(|line| format!("{}\n", json!(line)));
    let file = world.directory().join("audit/checkpoints.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + &lines.collect::<String>()).unwrap();
    let bad = found(&world).await;
    assert!(
        matches!(bad, Some((seq, Why::OtherThanSigned(_))) if seq == head),
        "{bad:?}"
    );
}

#[tokio::test]
async fn row_60_an_older_database_is_told_from_the_newest() {
    let world = World::new().await;
    world.signed_in().await;
    let (hub, tenant, old) = (&world.app.hub, world.member().tenant(), head(&world).await);
    hub.sign_checkpoints().await.unwrap();
    for _ in 0..3 {
        world.signed_in().await;
    }
    hub.sign_checkpoints().await.unwrap();
    assert_eq!(found(&world).await, None);
    // What a dump of that moment would bring back.
    cut(&world, tenant, old).await;
    let bad = found(&world).await;
    assert!(
        matches!(bad, Some((seq, Why::GoneSince(_))) if seq == old + 1),
        "{bad:?}"
    );
    // An operator who restores says so, signed; how much was lost is told.
    hub.record_restore(false).await.unwrap();
    let report = verify(&world).await;
    assert_eq!((report.bad, report.lost_by_restore), (None, 3));
    let newest = told(&world, old).await;
    assert_eq!(newest, ["operator audit.restored done"]);
}

#[tokio::test]
async fn after_a_restore_nobody_misses_what_happens_for_having_asked_too_far() {
    let world = World::on_file().await;
    if world.is_postgres() {
        return;
    }
    let host = world.any_host().await;
    let monday = world.copied("monday.db").await;
    for _ in 0..3 {
        world.import_living(&host).await;
    }
    let lost = host.json("/v1/events").await["next"].as_i64().unwrap();
    let back = world.restored(&monday).await;
    back.app.hub.record_restore(false).await.unwrap();
    let host = back.any_host().await;
    let id = back.import_living(&host).await;
    let next = host.json(&format!("/v1/events?after={lost}")).await;
    let about = &next["data"][0]["data"]["connection"];
    assert_eq!(about["id"], json!(id), "{next}");
}

#[tokio::test]
async fn row_60_a_ledger_that_was_begun_anew_or_signed_by_others_is_told() {
    let (world, tenant, head) = signed().await;
    let hub = &world.app.hub;
    let db = hub.store.db();
    take_away(&world, tenant, 0).await;
    audit_chain::Entity::delete_by_id(tenant)
        .exec(db)
        .await
        .unwrap();
    assert_eq!(found(&world).await, Some((1, Why::NoKey)));
    // A process that starts later begins another one.
    let another = world.another().await;
    for _ in 0..head {
        another.signed_in().await;
    }
    let bad = found(&another).await.or(found(&world).await);
    assert!(bad.is_some(), "{bad:?}");
}

#[tokio::test]
async fn row_60_a_tampered_ledger_is_not_signed_and_the_page_is_told() {
    let (world, tenant, head) = signed().await;
    let hub = &world.app.hub;
    world.signed_in().await;
    set(&world, tenant, head + 1, Column::Outcome, "failed").await;
    let before = hub.witness.checkpoints().unwrap().len();
    hub.sign_checkpoints().await.unwrap();
    let signed = hub.witness.checkpoints().unwrap();
    let of_tenant = signed
        .iter()
        .skip(before)
        .filter(|signed| signed.tenant == tenant);
    assert_eq!(of_tenant.count(), 0);
    let checked = hub.audit_checked(world.member()).await.unwrap();
    assert_eq!((checked.seq, checked.broken), (head, Some(head + 1)));
}

#[tokio::test]
async fn row_60_a_changed_checkpoint_is_noticed() {
    let (world, _, _) = signed().await;
    let file = world.directory().join("audit/checkpoints.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"seq\":", "\"seq\":1", 1)).unwrap();
    assert!(world.app.hub.verify_ledgers(None).await.is_err());
    // A line that a crash cut short is none.
    std::fs::write(&file, format!("{text}{{\"kind\":\"chec")).unwrap();
    assert_eq!(found(&world).await, None);
    world.signed_in().await;
    world.app.hub.sign_checkpoints().await.unwrap();
    assert_eq!(found(&world).await, None);
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let world = World::new().await;
    let another = world.another().await;
    let sign_in = |world: &World| {
        let browser = world.browser();
        async move { browser.sign_in(EMAIL, PASSWORD).await }
    };
    for _ in 0..3 {
        tokio::join!(sign_in(&world), sign_in(&another), sign_in(&world));
    }
    assert_eq!(found(&world).await, None);
    assert_eq!(found(&another).await, None);
}

/// What the background says of the ledger of Ana's tenant: how far it is right, and
/// what is not.
async fn checked(world: &World) -> (i64, Option<i64>) {
    let hub = &world.app.hub;
    hub.sign_checkpoints().await.unwrap();
    let checked = hub.audit_checked(world.member()).await.unwrap();
    (checked.seq, checked.broken)
}

#[tokio::test]
async fn row_60_what_was_changed_long_ago_is_found_within_a_day() {
    let (world, tenant, head) = signed().await;
    assert_eq!(checked(&world).await, (head, None));
    set(&world, tenant, 3, Column::Outcome, "failed").await;
    world.advance(chrono::TimeDelta::hours(24));
    assert_eq!(checked(&world).await, (2, Some(3)));
    // It stays found.
    world.advance(chrono::TimeDelta::minutes(5));
    assert_eq!(checked(&world).await, (2, Some(3)));
}

#[tokio::test]
async fn row_60_an_older_database_is_not_signed_anew() {
    let world = World::on_file().await;
    if world.is_postgres() {
        return;
    }
    world.signed_in().await;
    let (hub, old) = (&world.app.hub, head(&world).await);
    let monday = world.copied("monday.db").await;
    world.signed_in().await;
    hub.sign_checkpoints().await.unwrap();
    // Put in place by hand, a process starts on it, and goes on to where it was.
    let restored = world.restored(&monday).await;
    assert_eq!(checked(&restored).await, (old, Some(old + 1)));
    for _ in 0..3 {
        restored.signed_in().await;
    }
    let lines = hub.witness.checkpoints().unwrap().len();
    let (_, broken) = checked(&restored).await;
    assert!(broken.is_some_and(|seq| seq > old), "{broken:?}");
    let tenant = world.member().tenant();
    let new = hub.witness.checkpoints().unwrap().split_off(lines);
    assert!(new.iter().all(|signed| signed.tenant != tenant));
}

#[tokio::test]
async fn a_restore_that_is_taken_back_is_no_tampering() {
    let world = World::on_file().await;
    if world.is_postgres() {
        return;
    }
    let hub = &world.app.hub;
    let monday = world.copied("monday.db").await;
    hub.sign_checkpoints().await.unwrap();
    world.signed_in().await;
    hub.sign_checkpoints().await.unwrap();
    world.signed_in().await;
    let before = world.copied("before.db").await;
    // Monday's is put in place, and serves for a while.
    let of_monday = world.restored(&monday).await;
    of_monday.app.hub.record_restore(false).await.unwrap();
    for _ in 0..6 {
        of_monday.signed_in().await;
        of_monday.app.hub.sign_checkpoints().await.unwrap();
    }
    assert_eq!(found(&of_monday).await, None);
    // And the one before is put back.
    let back = world.restored(&before).await;
    back.app.hub.record_restore(false).await.unwrap();
    assert_eq!(found(&back).await, None);
    back.signed_in().await;
    assert_eq!(checked(&back).await.1, None);
    assert_eq!(found(&back).await, None);
}

#[tokio::test]
async fn the_page_says_when_nothing_was_verified_for_long() {
    let (world, _, _) = signed().await;
    let browser = world.signed_in().await;
    let page = async || {
        let page = browser.get("/settings/audit").await;
        page.text().await.unwrap()
    };
    assert!(page().await.contains("Verified up to entry"));
    world.advance(chrono::TimeDelta::minutes(16));
    assert!(page().await.contains("Not verified since"));
    // Although there is nothing new.
    world.app.hub.sign_checkpoints().await.unwrap();
    assert!(page().await.contains("Verified up to entry"));
}

#[tokio::test]
async fn what_is_signed_by_no_checkpoint_is_told() {
    let (world, _, _) = signed().await;
    assert_eq!(verify(&world).await.unsigned_since, None);
    let now = world.clock.now();
    world.signed_in().await;
    let since = verify(&world).await.unsigned_since.expect("an entry");
    assert!(
        since >= now - chrono::TimeDelta::milliseconds(1),
        "{since} {now}"
    );
}

#[tokio::test]
async fn the_page_offers_what_was_deleted_and_an_export_of_nonsense_is_refused() {
    let world = World::new().await;
    let id = world.connect().await;
    world.app.hub.remove(world.member(), id).await.unwrap();
    let browser = world.signed_in().await;
    let page = browser.get("/settings/audit").await.text().await.unwrap();
    assert!(page.contains(&format!("value=\"{id}\"")), "{page}");
    for what in ["audit.", "deletion."] {
        assert!(page.contains(&format!("value=\"{what}\"")), "{what}");
    }
    for nonsense in [("from", "the day before"), ("who", "person:ana")] {
        let form = [("format", "json"), nonsense];
        let answer = browser.post("/settings/audit/export", &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{nonsense:?}");
    }
}
