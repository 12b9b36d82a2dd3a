//! The outbox under the worst of days: a receiver that fails half the time, and
//! a process that is killed again and again. Every event is delivered at least
//! once, in order for each connection, and none is lost.
//!
//! The process is this test itself, started once more: a real one, with a file
//! as database, that is killed with SIGKILL. Its clock is moved, so that the
//! waits between tries take no time.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use chrono::TimeDelta;
use hub::{
    catalog::Catalog,
    clock::Clock,
    connect::{Change, Import},
    keep::spool::Spool,
    outbound::OutboundPolicy,
    people::{Host, Member},
    runs::policies::Policies,
    secret::Secret,
    store::{ConnectionId, Store, delivery},
    tell::NewWebhook,
    vault::MasterKey,
};
use linkwell::application::{Application, Ingredients, migrate};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::Value;
use tokio::net::TcpListener;

/// Where the child finds its database; the test is the child where it is set.
const DIRECTORY: &str = "LINKWELL_OUTBOX_CHILD";

async fn application(directory: &Path, receiver: SocketAddr, clock: Clock) -> Application {
    let url = format!(
        "sqlite://{}?mode=rwc",
        directory.join("outbox.db").display()
    );
    let store = Store::open(&url).await.unwrap();
    migrate(&store).await.unwrap();
    let key = Secret::new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    Application::new(Ingredients {
        store,
        clock,
        wrapper: Arc::new(MasterKey::from_text(&key, "outbox").unwrap()),
        catalog: Catalog::embedded().unwrap(),
        outbound: OutboundPolicy {
            allow_exact: vec![receiver],
            ..OutboundPolicy::default()
        },
        public_url: "http://127.0.0.1:3000/".parse().unwrap(),
        operator_apps: BTreeMap::new(),
        choices: hub::Choices {
            rate_limit: NonZeroU32::MAX,
            ..hub::Choices::default()
        },
        spool: Spool::open(&directory.join("spool")).unwrap(),
        witness: hub::record::Witness::open(&directory.join("audit")).unwrap(),
        policies: Policies::shipped(),
    })
    .unwrap()
}

/// What the receiver has taken: each message's number, by connection, how often
/// it was asked, and how often for each message.
#[derive(Default)]
struct Heard {
    tries: HashMap<i64, u64>,
    taken: HashMap<String, Vec<i64>>,
    asked: u64,
}

async fn hear(State(heard): State<Arc<Mutex<Heard>>>, Json(message): Json<Value>) -> StatusCode {
    let mut heard = heard.lock().unwrap();
    heard.asked += 1;
    let connection = message["data"]["connection"]["id"].as_str().unwrap();
    let sequence = message["data"]["sequence"].as_i64().unwrap();
    // Every other try of each message: by chance one of ten thousand would fail
    // for a day, and be given up as it should.
    let tries = heard.tries.entry(sequence).or_default();
    *tries += 1;
    if *tries % 2 == 1 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    heard
        .taken
        .entry(connection.to_owned())
        .or_default()
        .push(sequence);
    StatusCode::NO_CONTENT
}

fn start(directory: &Path, receiver: SocketAddr) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, format!("{receiver} {}", directory.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what the child does until it is killed, or has told
/// everything.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
async fn the_process_that_is_killed() {
    let Ok(said) = std::env::var(DIRECTORY) else {
        return;
    };
    let (receiver, directory) = said.split_once(' ').unwrap();
    let clock = Clock::manual(Clock::system().now());
    let directory = PathBuf::from(directory);
    let app = application(&directory, receiver.parse().unwrap(), clock.clone()).await;
    let db = app.hub.store.db();
    // On from where the one before it was killed.
    let latest = delivery::Entity::find().order_by_desc(delivery::Column::NextTryAt);
    if let Some(row) = latest.one(db).await.unwrap() {
        clock.advance((row.next_try_at - clock.now()).max(TimeDelta::zero()));
    }
    loop {
        app.hub.tell_webhooks().await.unwrap();
        let waiting = delivery::Entity::find()
            .filter(delivery::Column::State.eq(delivery::State::Waiting))
            .count(db)
            .await
            .unwrap();
        if waiting == 0 {
            return;
        }
        clock.advance(TimeDelta::seconds(5));
    }
}

async fn tell(events: usize, connections: usize, kills: usize) {
    let directory = std::env::temp_dir().join(format!("linkwell-outbox-{}", ConnectionId::new()));
    std::fs::create_dir_all(&directory).unwrap();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/hooks", post(hear))
        .with_state(heard.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let app = application(&directory, receiver, Clock::system()).await;
    let hub = &app.hub;
    let password = Secret::new("a long enough secret");
    let member = hub
        .create_user("T", "a@example.com", "A", password)
        .await
        .unwrap();
    let new = NewWebhook {
        url: &format!("http://{receiver}/hooks"),
        kinds: &[],
    };
    hub.add_webhook(&member, new).await.unwrap();
    let expected = happen(&app, &member, events, connections).await;
    drop(app);

    let mut child = start(&directory, receiver);
    for kill in 1..=kills {
        // After each further part of them was taken.
        while heard.lock().unwrap().asked < (events * 2 * kill / (kills + 1)) as u64
            && child.try_wait().unwrap().is_none()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        child = start(&directory, receiver);
    }
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success(), "the last one told everything");

    let heard = heard.lock().unwrap();
    for (connection, numbers) in expected {
        let taken = heard.taken.get(&connection).cloned().unwrap_or_default();
        // Told twice where its process was killed between the answer and the
        // note of it; never out of order.
        let mut once = taken.clone();
        once.dedup();
        assert_eq!(once, numbers, "of {connection}: {taken:?}");
    }
    assert!(heard.asked >= 2 * events as u64, "half of the tries failed");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Lets so many things happen, to connections in turn; the number of each event
/// by its connection.
async fn happen(
    app: &Application,
    member: &Member,
    events: usize,
    connections: usize,
) -> BTreeMap<String, Vec<i64>> {
    let (hub, host) = (&app.hub, Host::from(member));
    let mut ids = Vec::new();
    for number in 0..connections {
        let import = Import {
            provider: "github".into(),
            access_token: Secret::new(format!("token {number}")),
            refresh_token: None,
            expires_at: None,
            scopes: None,
            variables: BTreeMap::new(),
            account_id: Some(number.to_string()),
            account_label: None,
            display_name: None,
        };
        ids.push(hub.import(&host, import).await.unwrap().connection.id);
    }
    for number in connections..events {
        let change = Change {
            display_name: Some(format!("Name {number}")),
            ..Change::default()
        };
        hub.change(member, ids[number % connections], change)
            .await
            .unwrap();
    }
    let mut expected: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut all = hub::store::event::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    all.sort_by_key(|event| event.seq);
    for event in all.iter().filter(|event| event.kind.is_told()) {
        let connection = event.connection_id.unwrap().to_string();
        expected.entry(connection).or_default().push(event.seq);
    }
    let count: usize = expected.values().map(Vec::len).sum();
    assert_eq!(count, events);
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_told_in_order_by_processes_that_are_killed() {
    tell(400, 40, 4).await;
}

/// The figure the product names; some minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn ten_thousand_events_are_told_in_order_by_processes_that_are_killed() {
    tell(10_000, 500, 10).await;
}
