//! Rows 21 and 22 of the security checks: ids that change, cookies that are
//! guarded, sessions that end.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{TimeDelta, TimeZone, Utc};
use hub::{
    clock::Clock, keep::spool::Spool, outbound::OutboundPolicy, people::NewOwner, secret::Secret,
    store::Store, vault::MasterKey,
};
use sea_orm::EntityTrait;
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::application::{self, Application, Ingredients};

const HTTPS: &str = "https://hub.example.com";

async fn hub(public_url: &str) -> Hub {
    let store = Store::open("sqlite::memory:").await.unwrap();
    application::migrate(&store).await.unwrap();
    let key = Secret::new(BASE64.encode([7; 32]));
    let spool = std::env::temp_dir().join(format!("linkwell-sessions-{}", Uuid::now_v7()));
    let ingredients = Ingredients {
        store,
        clock: Clock::manual(Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap()),
        wrapper: Arc::new(MasterKey::from_text(&key, "test").unwrap()),
        catalog: application::open_catalog(None).unwrap(),
        outbound: OutboundPolicy::default(),
        public_url: public_url.parse().unwrap(),
        operator_apps: BTreeMap::new(),
        choices: hub::Choices::default(),
        spool: Spool::open(&spool).unwrap(),
        witness: hub::record::Witness::open(&spool.join("audit")).unwrap(),
        policies: hub::runs::policies::Policies::shipped(),
    };
    // The file is open; nothing is left behind.
    std::fs::remove_dir_all(&spool).unwrap();
    let hub = Application::new(ingredients).unwrap().hub;
    hub.found(NewOwner {
        tenant: "Alder & Ash".into(),
        name: "Ana Moreno".into(),
        email: "ana@alder.example".into(),
        password: Secret::new("blue kettle sings"),
    })
    .await
    .unwrap();
    hub
}

/// Just enough of a site: who am I, come in, go out.
fn site(hub: &Hub) -> Router {
    async fn come_in(State(hub): State<Hub>, session: Session) {
        let (person, tenant) = only_member(&hub).await;
        let epoch = (0..9).map(|epoch| hub.member(person, tenant, epoch, hub.clock.now()));
        let members = futures::future::try_join_all(epoch).await.unwrap();
        let member = members.into_iter().flatten().next().unwrap();
        sign_in(&hub, &session, &member).await.unwrap();
    }
    let who = |Extension(viewer): Extension<Viewer>| async move {
        viewer
            .person
            .map_or("nobody".to_owned(), |person| person.name)
    };
    Router::new()
        .route("/", get(who))
        .route("/in", post(come_in))
        .route(
            "/out",
            post(|session: Session| async move { sign_out(&session).await.unwrap() }),
        )
        .route(
            "/plant",
            post(|session: Session| async move { session.insert("flow", 1).await.unwrap() }),
        )
        .layer(from_fn_with_state(hub.clone(), viewer))
        .layer(layer(hub))
        .with_state(hub.clone())
}

async fn only_member(hub: &Hub) -> (PersonId, TenantId) {
    let row = hub::store::member::Entity::find()
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    (row.person_id, row.tenant_id)
}

async fn rows_of(hub: &Hub) -> Vec<rows::Model> {
    rows::Entity::find().all(hub.store.db()).await.unwrap()
}

/// Sends a request and answers the body and the cookie that was set.
async fn send(hub: &Hub, method: &str, path: &str, cookie: &str) -> (String, Option<String>) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("cookie", cookie);
    let answer = site(hub)
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let set = answer
        .headers()
        .get("set-cookie")
        .map(|set| set.to_str().unwrap().to_owned());
    let body = to_bytes(answer.into_body(), 1_000).await.unwrap();
    (String::from_utf8(body.to_vec()).unwrap(), set)
}

async fn who(hub: &Hub, cookie: &str) -> String {
    send(hub, "GET", "/", cookie).await.0
}

async fn come_in(hub: &Hub, cookie: &str) -> String {
    let (_, set) = send(hub, "POST", "/in", cookie).await;
    pair(&set.unwrap())
}

fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn asvs_3_3_the_cookie_is_guarded() {
    let (_, set) = send(&hub(HTTPS).await, "POST", "/in", "").await;
    let set = set.unwrap();
    assert!(set.starts_with("__Host-linkwell="), "{set}");
    for attribute in [
        "; HttpOnly",
        "; SameSite=Lax",
        "; Secure",
        "; Path=/",
        "; Max-Age=604800",
    ] {
        assert!(set.contains(attribute), "{attribute} in {set}");
    }
    assert!(!set.contains("Domain"));

    let (_, set) = send(&hub("http://127.0.0.1:3000").await, "POST", "/in", "").await;
    let set = set.unwrap();
    assert!(
        set.starts_with("linkwell=") && !set.contains("Secure"),
        "{set}"
    );
}

#[tokio::test]
async fn a_stranger_gets_no_session_and_costs_no_row() {
    let hub = hub(HTTPS).await;
    assert_eq!(
        send(&hub, "GET", "/", "").await,
        ("nobody".to_owned(), None)
    );
    let forged = format!("__Host-linkwell={}", Id::default());
    assert_eq!(who(&hub, &forged).await, "nobody");
    assert_eq!(who(&hub, "__Host-linkwell=nonsense").await, "nobody");
    assert!(rows_of(&hub).await.is_empty());
}

#[tokio::test]
async fn asvs_7_2_4_a_planted_id_is_dead_after_signing_in() {
    let hub = hub(HTTPS).await;
    let planted = pair(&send(&hub, "POST", "/plant", "").await.1.unwrap());
    let own = come_in(&hub, &planted).await;
    assert_ne!(own, planted);
    assert_eq!(who(&hub, &own).await, "Ana Moreno");
    assert_eq!(who(&hub, &planted).await, "nobody");
    let rows = rows_of(&hub).await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].data.contains("flow"), "nothing planted stays");
    let id: Id = own.split_once('=').unwrap().1.parse().unwrap();
    assert_eq!(rows[0].id_hash, id_hash(&id), "only the digest is stored");
}

#[tokio::test]
async fn asvs_7_4_1_signing_out_ends_the_session_on_the_server() {
    let hub = hub(HTTPS).await;
    let (phone, laptop) = (come_in(&hub, "").await, come_in(&hub, "").await);
    let (_, set) = send(&hub, "POST", "/out", &phone).await;
    assert!(set.unwrap().contains("Max-Age=0"));
    assert_eq!(who(&hub, &phone).await, "nobody");
    assert_eq!(who(&hub, &laptop).await, "Ana Moreno");

    let (person, tenant) = only_member(&hub).await;
    let member = hub
        .member(person, tenant, 0, hub.clock.now())
        .await
        .unwrap()
        .unwrap();
    hub.end_all_sessions(&member).await.unwrap();
    assert_eq!(who(&hub, &laptop).await, "nobody");
    assert!(rows_of(&hub).await.is_empty());
    assert_eq!(who(&hub, &come_in(&hub, "").await).await, "Ana Moreno");
}

#[tokio::test]
async fn asvs_7_3_sessions_end_after_a_week_of_rest_and_a_month_in_any_case() {
    let hub = hub(HTTPS).await;
    let idle = come_in(&hub, "").await;
    hub.clock
        .advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    assert_eq!(who(&hub, &idle).await, "Ana Moreno");
    hub.clock.advance(TimeDelta::days(7));
    assert_eq!(who(&hub, &idle).await, "nobody");

    let busy = come_in(&hub, "").await;
    for day in 1..=30 {
        hub.clock.advance(TimeDelta::days(1));
        let expected = if day < 30 { "Ana Moreno" } else { "nobody" };
        assert_eq!(who(&hub, &busy).await, expected, "day {day}");
    }
}

#[tokio::test]
async fn use_is_written_down_once_an_hour() {
    let hub = hub(HTTPS).await;
    let cookie = come_in(&hub, "").await;
    let began = rows_of(&hub).await;
    hub.clock.advance(TimeDelta::minutes(59));
    assert_eq!(send(&hub, "GET", "/", &cookie).await.1, None);
    assert_eq!(rows_of(&hub).await, began);
    hub.clock.advance(TimeDelta::minutes(1));
    assert!(send(&hub, "GET", "/", &cookie).await.1.is_some());
    assert_eq!(
        rows_of(&hub).await[0].expires_at,
        began[0].expires_at + 3_600
    );
}
