//! Who may do what: one table over every route there is, walked for every role
//! and every scope. Row 33 of the security checks.

use std::collections::BTreeSet;

use hub::{
    people::{Role, Scope},
    store::member,
};
use reqwest::StatusCode;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use serde_json::{Value, json};

use crate::{
    gate::{Body, ROUTES, Things, rows},
    harness::{HostApp, World},
};

/// What a route asks of who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing: it tells or does what everybody may.
    Nothing,
    /// To be signed in: it is about oneself.
    Oneself,
    /// At least this role.
    Least(Role),
    /// A key with this scope, or a person whose role has it.
    Key(Scope),
    /// The same, and for a person this role besides.
    KeyAnd(Scope, Role),
    /// A key with this scope; no person.
    KeyOnly(Scope),
    /// Any key or session.
    AnyKey,
    /// A browser in which a link was opened.
    Guest,
    /// The operator's token.
    Operator,
    /// What only a provider can know: a flow's state, a signature.
    Provider,
}

use Needs::{AnyKey, Guest, Key, KeyAnd, KeyOnly, Least, Nothing, Oneself, Operator, Provider};
use Scope::{CatalogRead, ConnectionsRead, ConnectionsWrite, TokensRead};

/// Every route, in the order of their addresses. `/v1/connectors` is the older
/// name of `/v1/connections` and needs the same.
const TABLE: &[(&str, &str, Needs)] = &[
    ("GET", "/", Least(Role::Viewer)),
    ("GET", "/.well-known/jwks.json", Nothing),
    ("POST", "/api/ask_to_repair", Least(Role::Viewer)),
    ("POST", "/api/change_password", Oneself),
    ("POST", "/api/check_connection", Least(Role::Member)),
    ("POST", "/api/clear_connection", Least(Role::Member)),
    ("POST", "/api/disconnect_connection", Least(Role::Member)),
    ("POST", "/api/pause_connection", Least(Role::Member)),
    ("POST", "/api/record_attempts", Least(Role::Admin)),
    ("POST", "/api/read_notices", Oneself),
    ("POST", "/api/remove_connection", Least(Role::Admin)),
    ("POST", "/api/remove_provider_app", Least(Role::Admin)),
    ("POST", "/api/remove_webhook", Least(Role::Admin)),
    ("POST", "/api/rename_connection", Least(Role::Member)),
    ("POST", "/api/repair_connection", Least(Role::Member)),
    ("POST", "/api/replay_webhook", Least(Role::Admin)),
    ("POST", "/api/resume_connection", Least(Role::Member)),
    ("POST", "/api/revive_webhook", Least(Role::Admin)),
    ("POST", "/api/revoke_api_key", Least(Role::Admin)),
    ("POST", "/api/save_mail_choices", Oneself),
    ("POST", "/api/save_profile", Oneself),
    ("POST", "/api/save_provider_app", Least(Role::Admin)),
    ("POST", "/api/set_sync_frequency", Least(Role::Member)),
    ("POST", "/api/set_theme", Nothing),
    ("POST", "/api/set_up", Nothing),
    ("POST", "/api/sign_in", Nothing),
    ("POST", "/api/sign_out", Nothing),
    ("POST", "/api/sign_out_everywhere", Oneself),
    ("POST", "/api/switch_policy", Least(Role::Admin)),
    ("POST", "/api/sync_connection", Least(Role::Member)),
    ("POST", "/api/tell_when_it_works", Least(Role::Viewer)),
    ("GET", "/api/view/bell", Least(Role::Viewer)),
    ("GET", "/api/view/connection/{id}", Least(Role::Viewer)),
    ("GET", "/api/view/flow/{handle}", Oneself),
    ("GET", "/api/view/hub", Least(Role::Viewer)),
    ("POST", "/api/test_webhook", Least(Role::Admin)),
    ("POST", "/api/wish", Least(Role::Viewer)),
    ("GET", "/assets/{file}", Nothing),
    ("GET", "/connect/{provider}", Least(Role::Viewer)),
    ("GET", "/connect/{provider}/request", Least(Role::Viewer)),
    ("POST", "/connect/{provider}", Least(Role::Member)),
    ("GET", "/connections/{id}", Least(Role::Viewer)),
    ("GET", "/connections/{id}/clear", Least(Role::Viewer)),
    ("GET", "/connections/{id}/disconnect", Least(Role::Viewer)),
    ("POST", "/connections/{id}/disconnect", Least(Role::Member)),
    ("POST", "/connections/{id}/mapping", Least(Role::Member)),
    ("POST", "/connections/{id}/prepare", Least(Role::Member)),
    ("GET", "/connections/{id}/preview", Least(Role::Member)),
    ("GET", "/events", Least(Role::Viewer)),
    ("GET", "/favicon.ico", Nothing),
    ("GET", "/flows/ended", Nothing),
    ("GET", "/flows/{id}", Oneself),
    ("POST", "/flows/{id}/cancel", Oneself),
    ("POST", "/flows/{id}/organisation", Least(Role::Member)),
    ("POST", "/flows/{id}/other-account", Least(Role::Member)),
    ("GET", "/guest", Guest),
    ("GET", "/guest/connect/{provider}", Guest),
    ("POST", "/guest/connect/{provider}", Guest),
    ("GET", "/guest/done", Guest),
    ("GET", "/guest/start/{provider}", Nothing),
    ("POST", "/guest/start/{provider}", Guest),
    ("GET", "/healthz", Nothing),
    ("GET", "/hooks/{app}", Provider),
    ("POST", "/hooks/{app}", Provider),
    ("GET", "/link/{secret}", Nothing),
    ("POST", "/link/{secret}", Nothing),
    ("DELETE", "/oauth/callback/{app}", Provider),
    ("GET", "/metrics", Operator),
    ("GET", "/notices", Least(Role::Viewer)),
    ("GET", "/oauth/callback/{app}", Provider),
    ("POST", "/oauth/callback/{app}", Provider),
    ("POST", "/oauth/handover/{app}", Provider),
    ("GET", "/oauth/launch/{app}", Least(Role::Member)),
    ("GET", "/oauth/start/{provider}", Nothing),
    ("POST", "/oauth/start/{provider}", Least(Role::Member)),
    ("GET", "/readyz", Nothing),
    ("GET", "/robots.txt", Nothing),
    ("GET", "/runs", Least(Role::Viewer)),
    ("GET", "/settings/account", Oneself),
    ("GET", "/settings/api-keys", Least(Role::Admin)),
    ("POST", "/settings/api-keys", Least(Role::Admin)),
    ("GET", "/settings/connections", Least(Role::Viewer)),
    ("GET", "/settings/metrics", Least(Role::Admin)),
    ("GET", "/settings/policies", Least(Role::Admin)),
    ("GET", "/settings/notices", Oneself),
    ("GET", "/settings/provider-apps", Least(Role::Viewer)),
    ("GET", "/settings/provider-apps/{app}", Least(Role::Viewer)),
    ("GET", "/connections/{id}/delete", Least(Role::Admin)),
    ("GET", "/settings/members", Least(Role::Admin)),
    ("GET", "/settings/members/{id}", Least(Role::Admin)),
    ("GET", "/settings/members/{id}/remove", Least(Role::Admin)),
    ("GET", "/settings/webhooks/{id}/secret", Least(Role::Admin)),
    ("GET", "/settings/account/delete", Oneself),
    ("POST", "/api/delete_account", Oneself),
    ("POST", "/api/change_role", Least(Role::Admin)),
    ("POST", "/api/remove_member", Least(Role::Admin)),
    ("GET", "/settings/organisation", Least(Role::Owner)),
    ("POST", "/settings/organisation/export", Least(Role::Owner)),
    ("POST", "/settings/organisation/delete", Least(Role::Owner)),
    ("GET", "/settings/audit", Least(Role::Admin)),
    ("POST", "/settings/audit/export", Least(Role::Admin)),
    ("GET", "/settings/webhooks", Least(Role::Admin)),
    ("POST", "/settings/webhooks", Least(Role::Admin)),
    ("POST", "/settings/webhooks/{id}/secret", Least(Role::Admin)),
    ("GET", "/setup", Nothing),
    ("GET", "/sign-in", Nothing),
    ("GET", "/v1/catalog", Key(CatalogRead)),
    ("GET", "/v1/catalog/{id}", Key(CatalogRead)),
    ("POST", "/v1/connect-links", KeyOnly(ConnectionsWrite)),
    ("GET", "/v1/connect-links/{id}", Key(ConnectionsRead)),
    ("GET", "/v1/connections", Key(ConnectionsRead)),
    ("POST", "/v1/connections", Key(ConnectionsWrite)),
    ("POST", "/v1/connections/test", Key(ConnectionsWrite)),
    ("GET", "/v1/connections/{id}", Key(ConnectionsRead)),
    ("PATCH", "/v1/connections/{id}", Key(ConnectionsWrite)),
    (
        "DELETE",
        "/v1/connections/{id}",
        KeyAnd(ConnectionsWrite, Role::Admin),
    ),
    ("POST", "/v1/connections/{id}/pause", Key(ConnectionsWrite)),
    (
        "GET",
        "/v1/connections/{id}/preview",
        KeyAnd(ConnectionsRead, Role::Member),
    ),
    ("POST", "/v1/connections/{id}/resume", Key(ConnectionsWrite)),
    ("POST", "/v1/connections/{id}/sync", Key(ConnectionsWrite)),
    ("GET", "/v1/connections/{id}/syncs", Key(ConnectionsRead)),
    ("POST", "/v1/connections/{id}/test", Key(ConnectionsWrite)),
    ("GET", "/v1/connections/{id}/token", KeyOnly(TokensRead)),
    ("GET", "/v1/docs", Nothing),
    ("GET", "/v1/events", Key(ConnectionsRead)),
    ("GET", "/v1/openapi.json", Nothing),
    ("GET", "/v1/providers/{id}/connection", Key(ConnectionsRead)),
    ("GET", "/v1/runs", Key(ConnectionsRead)),
    ("POST", "/v1/runs", KeyOnly(TokensRead)),
    ("GET", "/v1/runs/{id}", Key(ConnectionsRead)),
    ("POST", "/v1/runs/{id}/finish", KeyOnly(TokensRead)),
    ("POST", "/v1/runs/{id}/token", KeyOnly(TokensRead)),
    ("POST", "/v1/tokens", AnyKey),
    ("DELETE", "/v1/{*rest}", AnyKey),
    ("GET", "/v1/{*rest}", AnyKey),
    ("PATCH", "/v1/{*rest}", AnyKey),
    ("POST", "/v1/{*rest}", AnyKey),
    ("PUT", "/v1/{*rest}", AnyKey),
    ("GET", "/{*rest}", Nothing),
];

/// What a route needs, with the body it accepts.
fn all() -> impl Iterator<Item = (&'static str, &'static str, Body, Needs)> {
    ROUTES.iter().map(|(method, route, body)| {
        let newer = route.replacen("/v1/connectors", "/v1/connections", 1);
        let needs = TABLE
            .iter()
            .find(|(listed, path, _)| listed == method && *path == newer);
        let (_, _, needs) = needs.unwrap_or_else(|| panic!("{method} {route} is not in the table"));
        (*method, *route, *body, *needs)
    })
}

#[test]
fn every_route_has_its_needs() {
    let walked: BTreeSet<_> = all().map(|(method, route, ..)| (method, route)).collect();
    for (method, route, _) in TABLE {
        assert!(
            walked.contains(&(*method, *route)),
            "{method} {route} is gone"
        );
    }
}

const ROLES: [Role; 4] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];

fn rank(role: Role) -> usize {
    ROLES.iter().position(|one| *one == role).expect("a role")
}

async fn give_role(world: &World, role: Role) {
    let db = world.app.hub.store.db();
    let row = member::Entity::find()
        .filter(member::Column::PersonId.eq(world.member().person()))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let mut row = row.into_active_model();
    row.role = Set(role);
    row.update(db).await.unwrap();
}

/// What is left for the next page, in the open.
pub fn said(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let flash = cookies
        .filter_map(|cookie| cookie.to_str().ok())
        .find_map(|cookie| cookie.strip_prefix("linkwell-flash="));
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let value = flash.and_then(|flash| flash.split(';').next());
    let json = value.and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
    String::from_utf8(json.unwrap_or_default()).unwrap_or_default()
}

#[tokio::test]
async fn row_33_asvs_8_2_1_on_pages_every_role_may_what_the_table_says() {
    let mut wrong = Vec::new();
    for role in ROLES {
        let world = World::new().await;
        let browser = world.signed_in().await;
        let things = Things::of(&world, &browser).await;
        give_role(&world, role).await;
        for (method, route, body, needs) in all() {
            let may = match needs {
                Least(least) => rank(role) >= rank(least),
                Oneself if !route.starts_with("/api/") => true,
                _ => continue,
            };
            // The stream does not end.
            if route == "/events" {
                continue;
            }
            let before = rows(&world.app.hub.store).await;
            let request = things.request(&browser, method, route, body);
            let request = request.header("origin", browser.origin());
            let answer = request.send().await.unwrap();
            let refused = answer.status() == StatusCode::FORBIDDEN
                || said(&answer).contains("Your role does not allow this");
            let signed_out = answer
                .headers()
                .get("location")
                .is_some_and(|next| next == "/sign-in");
            // Where there is no organisation any more, nobody is in it.
            let signed_out = signed_out && route != "/settings/organisation/delete";
            if refused == may || signed_out {
                wrong.push(format!("{role:?} {method} {route}: refused {refused}"));
            }
            if !may && rows(&world.app.hub.store).await != before {
                wrong.push(format!("{role:?} {method} {route}: changed something"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn row_33_strangers_may_only_what_needs_nothing() {
    let world = World::new().await;
    let owner = world.signed_in().await;
    let things = Things::of(&world, &owner).await;
    let before = rows(&world.app.hub.store).await;
    for (method, route, body, needs) in all() {
        if matches!(needs, Nothing | Provider) {
            continue;
        }
        let stranger = world.browser();
        let request = things.request(&stranger, method, route, body);
        let request = request.header("origin", stranger.origin());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let next = answer
            .headers()
            .get("location")
            .map(|next| next.to_str().unwrap());
        let is_refused = match needs {
            Guest | Operator => status == StatusCode::NOT_FOUND,
            Least(_) | Oneself => {
                status == StatusCode::UNAUTHORIZED
                    || status == StatusCode::NOT_FOUND
                    || next.is_some_and(|next| next.starts_with("/sign-in"))
            }
            _ => status == StatusCode::UNAUTHORIZED,
        };
        assert!(is_refused, "{method} {route}: {status} {next:?}");
        assert_eq!(rows(&world.app.hub.store).await, before, "{method} {route}");
    }
}

/// Whether a call was refused for want of a right.
async fn is_refused(
    host: &HostApp,
    things: &Things,
    (method, route, body): (&str, &str, Body),
) -> bool {
    let request = host.request(method, &things.path(route));
    let request = match body {
        Body::Json(text) => request
            .header("content-type", "application/json")
            .body(things.text(text)),
        _ => request,
    };
    let status = request.send().await.unwrap().status();
    assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {route}");
    assert!(!status.is_server_error(), "{method} {route}: {status}");
    status == StatusCode::FORBIDDEN
}

fn of_the_api() -> impl Iterator<Item = (&'static str, &'static str, Body, Needs)> {
    all().filter(|(.., needs)| matches!(needs, Key(_) | KeyAnd(..) | KeyOnly(_) | AnyKey))
}

#[tokio::test]
async fn row_33_a_key_may_what_its_scopes_say() {
    let mut wrong = Vec::new();
    let mut cells = 0;
    for scope in Scope::ALL {
        let world = World::new().await;
        let browser = world.signed_in().await;
        let things = Things::of(&world, &browser).await;
        let host = world.host(&[scope]).await;
        for (method, route, body, needs) in of_the_api() {
            let may = match needs {
                Key(needed) | KeyAnd(needed, _) | KeyOnly(needed) => needed == scope,
                _ => true,
            };
            let before = rows(&world.app.hub.store).await;
            if is_refused(&host, &things, (method, route, body)).await == may {
                wrong.push(format!("{scope:?} {method} {route}"));
            }
            if !may {
                assert_eq!(
                    rows(&world.app.hub.store).await,
                    before,
                    "{scope:?} {method} {route}"
                );
            }
            cells += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cells >= 4 * 25, "{cells} cells");
}

#[tokio::test]
async fn row_33_a_person_may_by_the_api_what_their_role_says() {
    let mut wrong = Vec::new();
    for role in ROLES {
        let world = World::new().await;
        let browser = world.signed_in().await;
        let things = Things::of(&world, &browser).await;
        let mut host = world.any_host().await;
        give_role(&world, role).await;
        let token = browser.post_json("/v1/tokens", json!({})).await;
        let token: Value = token.json().await.unwrap();
        host.key = token["access_token"].as_str().unwrap().to_owned();
        for (method, route, body, needs) in of_the_api() {
            // A token is not exchanged for another.
            if route == "/v1/tokens" {
                continue;
            }
            let least = |scope| match scope {
                ConnectionsRead | CatalogRead => Some(Role::Viewer),
                ConnectionsWrite => Some(Role::Member),
                TokensRead => None,
            };
            let may = match needs {
                Key(scope) => least(scope).is_some_and(|least| rank(role) >= rank(least)),
                KeyAnd(scope, besides) => {
                    rank(role) >= rank(besides)
                        && least(scope).is_some_and(|least| rank(role) >= rank(least))
                }
                KeyOnly(_) => false,
                _ => true,
            };
            let before = rows(&world.app.hub.store).await;
            if is_refused(&host, &things, (method, route, body)).await == may {
                wrong.push(format!("{role:?} {method} {route}"));
            }
            if !may && rows(&world.app.hub.store).await != before {
                wrong.push(format!("{role:?} {method} {route}: changed something"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
