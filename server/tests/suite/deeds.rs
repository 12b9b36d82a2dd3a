//! Every route that changes something writes to the ledger who did what to what:
//! one table over every route there is, with the few that write nothing and why.

use hub::{people::Scope, record::ledger::read::Line, store::audit_entry::Wanted};

use crate::{
    gate::{Body, ROUTES, Things},
    harness::World,
};

/// What a route writes.
enum Writes {
    /// This deed, to this kind of thing.
    Deed(&'static str, &'static str),
    /// The same, proven where what it needs is made: in this test.
    There(&'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

use Writes::{Deed, Nothing, There};

const ATTEMPT: &str = "an attempt changes nothing until it ends with a connection";
const ONESELF: &str = "it is about what one sees or is told oneself";
const PROVIDER: &str = "who posts it is only known once the flow or the signature is right";

/// Every route that is not only looked at, and those looks that read a secret or
/// somebody's data.
const TABLE: &[(&str, &str, Writes)] = &[
    ("POST", "/api/ask_to_repair", There("notices")),
    (
        "POST",
        "/api/change_password",
        Deed("person.password_changed", ""),
    ),
    (
        "POST",
        "/api/change_role",
        Deed("member.role_changed", "person"),
    ),
    (
        "POST",
        "/api/check_connection",
        Deed("connection.check_asked", "connection"),
    ),
    (
        "POST",
        "/api/clear_connection",
        Deed("connection.cleared", "connection"),
    ),
    ("POST", "/api/delete_account", There("erasure")),
    (
        "POST",
        "/api/disconnect_connection",
        Deed("connection.disconnected", "connection"),
    ),
    (
        "POST",
        "/api/pause_connection",
        Deed("connection.paused", "connection"),
    ),
    ("POST", "/api/read_notices", Nothing(ONESELF)),
    (
        "POST",
        "/api/record_attempts",
        Deed("metrics.switched_off", "tenant"),
    ),
    (
        "POST",
        "/api/remove_connection",
        Deed("connection.deleted", "connection"),
    ),
    (
        "POST",
        "/api/remove_member",
        Deed("member.removed", "person"),
    ),
    (
        "POST",
        "/api/remove_provider_app",
        Deed("provider_app.removed", "app"),
    ),
    (
        "POST",
        "/api/remove_webhook",
        Deed("webhook.removed", "webhook"),
    ),
    (
        "POST",
        "/api/rename_connection",
        Deed("connection.renamed", "connection"),
    ),
    (
        "POST",
        "/api/repair_connection",
        Deed("connection.repair_asked", "connection"),
    ),
    (
        "POST",
        "/api/replay_webhook",
        Deed("webhook.replayed", "webhook"),
    ),
    (
        "POST",
        "/api/resume_connection",
        Deed("connection.resumed", "connection"),
    ),
    (
        "POST",
        "/api/revive_webhook",
        Deed("webhook.revived", "webhook"),
    ),
    (
        "POST",
        "/api/revoke_api_key",
        Deed("api_key.revoked", "key"),
    ),
    ("POST", "/api/save_mail_choices", Nothing(ONESELF)),
    (
        "POST",
        "/api/save_profile",
        Deed("person.profile_changed", ""),
    ),
    (
        "POST",
        "/api/save_provider_app",
        Deed("provider_app.saved", "app"),
    ),
    (
        "POST",
        "/api/set_sync_frequency",
        Deed("connection.frequency_changed", "connection"),
    ),
    ("POST", "/api/set_theme", Nothing("it is a cookie")),
    ("POST", "/api/set_up", There("ledger")),
    ("POST", "/api/sign_in", Deed("session.signed_in", "")),
    ("POST", "/api/sign_out", Deed("session.signed_out", "")),
    (
        "POST",
        "/api/sign_out_everywhere",
        Deed("session.all_ended", ""),
    ),
    (
        "POST",
        "/api/switch_policy",
        Deed("policy.switched_off", "policy"),
    ),
    (
        "POST",
        "/api/sync_connection",
        Deed("connection.reading_asked", "connection"),
    ),
    ("POST", "/api/tell_when_it_works", Nothing(ONESELF)),
    (
        "POST",
        "/api/test_webhook",
        Deed("webhook.tested", "webhook"),
    ),
    (
        "POST",
        "/api/wish",
        Nothing("a wish gives and takes nothing"),
    ),
    ("POST", "/connect/{provider}", Nothing(ATTEMPT)),
    (
        "POST",
        "/connections/{id}/disconnect",
        Deed("connection.disconnected", "connection"),
    ),
    (
        "POST",
        "/connections/{id}/mapping",
        Deed("connection.mapping_changed", "connection"),
    ),
    ("POST", "/connections/{id}/prepare", Nothing(ATTEMPT)),
    (
        "GET",
        "/connections/{id}/preview",
        Deed("connection.data_seen", "connection"),
    ),
    ("POST", "/flows/{id}/cancel", Nothing(ATTEMPT)),
    ("POST", "/flows/{id}/organisation", Nothing(ATTEMPT)),
    ("POST", "/flows/{id}/other-account", Nothing(ATTEMPT)),
    ("POST", "/guest/connect/{provider}", Nothing(ATTEMPT)),
    ("POST", "/guest/start/{provider}", Nothing(ATTEMPT)),
    ("POST", "/hooks/{app}", Nothing(PROVIDER)),
    (
        "POST",
        "/link/{secret}",
        Deed("connect_link.opened", "link"),
    ),
    ("DELETE", "/oauth/callback/{app}", Nothing(PROVIDER)),
    ("POST", "/oauth/callback/{app}", Nothing(PROVIDER)),
    ("POST", "/oauth/handover/{app}", Nothing(PROVIDER)),
    ("POST", "/oauth/start/{provider}", Nothing(ATTEMPT)),
    ("POST", "/settings/api-keys", Deed("api_key.created", "key")),
    ("POST", "/settings/audit/export", Deed("audit.exported", "")),
    ("POST", "/settings/organisation/delete", There("deletion")),
    (
        "POST",
        "/settings/organisation/export",
        Deed("tenant.exported", ""),
    ),
    (
        "POST",
        "/settings/webhooks",
        Deed("webhook.added", "webhook"),
    ),
    (
        "POST",
        "/settings/webhooks/{id}/secret",
        Deed("webhook.secret_rotated", "webhook"),
    ),
    (
        "POST",
        "/v1/connect-links",
        Deed("connect_link.created", "link"),
    ),
    ("POST", "/v1/connections", There("ledger")),
    (
        "POST",
        "/v1/connections/test",
        Nothing("what is tried is not kept"),
    ),
    (
        "PATCH",
        "/v1/connections/{id}",
        Deed("connection.renamed", "connection"),
    ),
    (
        "DELETE",
        "/v1/connections/{id}",
        Deed("connection.deleted", "connection"),
    ),
    (
        "POST",
        "/v1/connections/{id}/pause",
        Deed("connection.paused", "connection"),
    ),
    (
        "GET",
        "/v1/connections/{id}/preview",
        Deed("connection.data_seen", "connection"),
    ),
    (
        "POST",
        "/v1/connections/{id}/resume",
        Deed("connection.resumed", "connection"),
    ),
    (
        "POST",
        "/v1/connections/{id}/sync",
        Deed("connection.reading_asked", "connection"),
    ),
    (
        "POST",
        "/v1/connections/{id}/test",
        Deed("connection.check_asked", "connection"),
    ),
    (
        "GET",
        "/v1/connections/{id}/token",
        Deed("secret.lent", "connection"),
    ),
    ("POST", "/v1/runs", Deed("secret.lent", "connection")),
    (
        "POST",
        "/v1/runs/{id}/finish",
        Nothing("a run is a record itself, and no secret is lent by its end"),
    ),
    (
        "POST",
        "/v1/runs/{id}/token",
        Deed("secret.lent", "connection"),
    ),
    ("POST", "/v1/tokens", Deed("api_token.created", "")),
    ("POST", "/v1/{*rest}", Nothing("there is nothing there")),
    ("DELETE", "/v1/{*rest}", Nothing("there is nothing there")),
    ("PATCH", "/v1/{*rest}", Nothing("there is nothing there")),
    ("PUT", "/v1/{*rest}", Nothing("there is nothing there")),
];

/// The ledger of Ana's organisation, oldest first.
pub async fn written(world: &World) -> Vec<Line> {
    let hub = &world.app.hub;
    hub.flush_reads().await.expect("what was lent");
    let lines = hub.audit(world.member(), &Wanted::default(), 1000).await;
    let mut lines = lines.expect("the ledger");
    lines.reverse();
    lines
}

/// The older name of a route needs and writes the same.
fn newer(route: &str) -> String {
    route.replacen("/v1/connectors", "/v1/connections", 1)
}

#[test]
fn every_route_that_changes_something_is_in_the_table() {
    for (method, route, _) in ROUTES {
        let route = newer(route);
        let listed = TABLE
            .iter()
            .filter(|row| row.0 == *method && row.1 == route);
        let expected = usize::from(*method != "GET");
        assert!(listed.count() >= expected, "{method} {route} is not listed");
    }
    for (method, route, writes) in TABLE {
        let served = ROUTES.iter().any(|row| row.0 == *method && row.1 == *route);
        assert!(served, "{method} {route} is gone");
        if let Nothing(why) | There(why) = writes {
            assert!(!why.is_empty());
        }
    }
}

/// What has to be done before, for the deed to be one.
async fn prepare(world: &World, things: &Things, deed: &str) {
    if deed == "connection.resumed" {
        let id = things.connection.parse().expect("an id");
        let paused = world.app.hub.pause(world.member(), id).await;
        paused.expect("a pause");
    }
}

#[tokio::test]
async fn row_60_asvs_16_3_whatever_changes_something_is_written_with_who_and_what() {
    let mut wrong = Vec::new();
    for (method, route, body) in ROUTES {
        let newer = newer(route);
        let row = TABLE.iter().find(|row| row.0 == *method && row.1 == newer);
        let Some((_, _, Deed(deed, kind))) = row else {
            continue;
        };
        let world = World::new().await;
        let browser = world.signed_in().await;
        let things = Things::of(&world, &browser).await;
        let host = world.host(&Scope::ALL).await;
        prepare(&world, &things, deed).await;
        let known = written(&world).await.len();
        let request = match (route.starts_with("/v1/"), body) {
            (false, body) => {
                let request = things.request(&browser, method, route, *body);
                request.header("origin", browser.origin())
            }
            (true, Body::Json(text)) => host
                .request(method, &things.path(route))
                .header("content-type", "application/json")
                .body(things.text(text)),
            (true, _) => host.request(method, &things.path(route)),
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let new = written(&world).await.split_off(known);
        let Some(line) = new.iter().find(|line| line.deed == *deed) else {
            let deeds: Vec<_> = new.iter().map(|line| &line.deed).collect();
            wrong.push(format!("{method} {route}: {status} wrote {deeds:?}"));
            continue;
        };
        let actor = match (*route, route.starts_with("/v1/")) {
            ("/link/{secret}", _) => "guest",
            (_, true) => "key",
            (_, false) => "person",
        };
        let about = match *kind {
            "connection" => Some(things.connection.clone()),
            "person" => Some(things.person.clone()),
            "webhook" if *deed != "webhook.added" => Some(things.webhook.clone()),
            "key" if *deed == "api_key.revoked" => Some(things.key.clone()),
            "link" if *deed == "connect_link.opened" => Some(things.link.clone()),
            "tenant" => Some(world.member().tenant().to_string()),
            _ => None,
        };
        let is_right = line.actor == actor
            && line.outcome == "done"
            && (actor != "person" || line.actor_id == Some(world.member().person().to_string()))
            && line.target.as_deref().unwrap_or_default() == *kind
            && (about.is_none() || line.target_id == about)
            && (kind.is_empty() || line.target_id.is_some());
        if !is_right {
            wrong.push(format!("{method} {route}: {line:?}"));
        }
        let whole = world.app.hub.verify_ledgers(None).await.expect("reports");
        assert!(whole.iter().all(|report| report.bad.is_none()), "{route}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_is_listed_to_write_nothing_writes_nothing() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let things = Things::of(&world, &browser).await;
    let host = world.host(&Scope::ALL).await;
    let known = written(&world).await.len();
    for (method, route, body) in ROUTES {
        let newer = newer(route);
        let row = TABLE.iter().find(|row| row.0 == *method && row.1 == newer);
        if !matches!(row, Some((_, _, Nothing(_)))) {
            continue;
        }
        let request = match route.starts_with("/v1/") {
            false => things
                .request(&browser, method, route, *body)
                .header("origin", browser.origin()),
            true => things
                .request(&browser, method, route, *body)
                .bearer_auth(&host.key),
        };
        request.send().await.expect("an answer");
        let new = written(&world).await.split_off(known);
        assert!(new.is_empty(), "{method} {route} is listed wrong: {new:?}");
    }
}
