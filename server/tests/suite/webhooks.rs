//! What systems outside are told: row 54 of the security checks, as far as
//! messages go out, and that none is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::TimeDelta;
use futures::StreamExt;
use hub::{
    failure::{Failure, FailureCode},
    people::Member,
    secret::Secret,
    store::{
        ConnectionId, WebhookId,
        event::{self, Data, Kind},
    },
    tell::{NewWebhook, Watched},
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::harness::{Setup, World, serve_peer};

/// What came with one message.
type Heard = (HeaderMap, Vec<u8>);

/// A system that is told, and answers as a test wants.
#[derive(Clone, Default)]
struct Receiver {
    heard: Arc<Mutex<Vec<Heard>>>,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
enum Answers {
    #[default]
    Takes,
    /// Takes a message the second time it comes.
    Secondly(BTreeSet<String>),
    Refuses(StatusCode, Option<&'static str>),
    /// Takes a message, and says more than anybody reads.
    TakesAtLength,
    /// Takes a message, and never ends what it says.
    TakesAndPauses,
    /// Refuses what is about this connection.
    RefusesAbout(String),
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let message: Value = serde_json::from_slice(&body).unwrap();
    let answer = match &mut *receiver.answers.lock().unwrap() {
        Answers::Takes => StatusCode::NO_CONTENT.into_response(),
        Answers::Secondly(seen) => match seen.insert(id) {
            true => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            false => StatusCode::OK.into_response(),
        },
        Answers::Refuses(status, Some(after)) => {
            (*status, [("retry-after", *after)]).into_response()
        }
        Answers::Refuses(status, None) => status.into_response(),
        Answers::TakesAtLength => vec![b'a'; 1 << 20].into_response(),
        Answers::TakesAndPauses => {
            let begins = futures::stream::iter([Ok::<_, std::io::Error>("a")]);
            Body::from_stream(begins.chain(futures::stream::pending())).into_response()
        }
        Answers::RefusesAbout(id) if message["data"]["connection"]["id"] == **id => {
            StatusCode::BAD_REQUEST.into_response()
        }
        Answers::RefusesAbout(_) => StatusCode::OK.into_response(),
    };
    receiver
        .heard
        .lock()
        .unwrap()
        .push((headers, body.to_vec()));
    answer
}

impl Receiver {
    fn answer(&self, answers: Answers) {
        *self.answers.lock().unwrap() = answers;
    }

    fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    /// What was heard, message by message: connection and number.
    fn numbers(&self) -> Vec<(String, i64)> {
        let heard = self.heard.lock().unwrap();
        let message = |(_, body): &Heard| {
            let message: Value = serde_json::from_slice(body).unwrap();
            let connection = message["data"]["connection"]["id"].as_str();
            (
                connection.unwrap_or_default().to_owned(),
                message["data"]["sequence"].as_i64().unwrap_or_default(),
            )
        };
        heard.iter().map(message).collect()
    }
}

struct Told {
    world: World,
    receiver: Receiver,
    url: String,
}

impl Told {
    async fn new() -> Self {
        Self::beside(Vec::new()).await
    }

    /// In a world where others are reached, too.
    async fn beside(others: Vec<SocketAddr>) -> Self {
        let receiver = Receiver::default();
        let router = Router::new()
            .route("/hooks", post(hear))
            .with_state(receiver.clone());
        let address = serve_peer(router).await;
        let world = World::with(Setup {
            peers: [others, vec![address]].concat(),
            ..Setup::default()
        })
        .await;
        Self {
            world,
            receiver,
            url: format!("http://{address}/hooks"),
        }
    }

    async fn add(&self, kinds: &[Kind]) -> (WebhookId, Secret) {
        let url = &self.url;
        let new = NewWebhook { url, kinds };
        let hub = &self.world.app.hub;
        let (row, secret) = hub.add_webhook(self.world.member(), new).await.unwrap();
        (row.id, secret)
    }

    async fn happens(&self, kind: Kind, connection: ConnectionId) {
        self.happens_to(self.world.member(), kind, connection).await;
    }

    async fn happens_to(&self, member: &Member, kind: Kind, connection: ConnectionId) {
        let failure = Failure::told(FailureCode::GrantRevokedOrExpired, "invalid_grant");
        let new = event::New {
            tenant: member.tenant(),
            kind,
            connection: Some(connection),
            person: None,
            data: Data {
                failure: (kind == Kind::ConnectionActionRequired).then_some(failure),
                ..Data::default()
            },
        };
        let hub = &self.world.app.hub;
        event::append(hub.store.db(), new, self.world.clock.now())
            .await
            .unwrap();
    }

    async fn tell(&self) -> usize {
        self.world.app.hub.tell_webhooks().await.unwrap()
    }

    async fn fares(&self, member: &Member) -> Watched {
        let hub = &self.world.app.hub;
        hub.webhooks(member).await.unwrap().remove(0)
    }

    async fn fares_here(&self) -> Watched {
        self.fares(self.world.member()).await
    }
}

/// Whether a message is signed with this secret, as the scheme's own library
/// sees it. It looks at a clock that no test can move, so only the signature
/// is asked about.
fn is_signed(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap();
    let at = text("webhook-timestamp").parse().unwrap();
    let expected = Webhook::new(secret.expose())
        .unwrap()
        .sign(text("webhook-id"), at, body)
        .unwrap();
    let signatures = text("webhook-signature");
    signatures.split(' ').any(|signature| signature == expected)
}

#[tokio::test]
async fn row_54_messages_are_signed_and_say_what_to_do() {
    let told = Told::new().await;
    let (_, secret) = told.add(&[]).await;
    let id = told.world.connect().await;
    told.happens(Kind::ConnectionActionRequired, id).await;
    told.tell().await;

    let heard = told.receiver.heard.lock().unwrap().clone();
    let (headers, body) = heard.last().unwrap();
    assert!(is_signed(&secret, headers, body));
    assert!(!is_signed(&secret, headers, b"{}"));
    let at: i64 = headers["webhook-timestamp"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(at, told.world.clock.now().timestamp());
    let message: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(message["type"], "connection.action_required");
    let data = &message["data"];
    assert_eq!(data["connection"]["id"], id.to_string());
    assert_eq!(data["connection"]["provider"], "sandbox");
    assert_eq!(data["code"], "GRANT_REVOKED_OR_EXPIRED");
    let action = &data["prompt"]["action"]["label"];
    assert_eq!(action, "Reconnect Sandbox Shop");
    // Flows stay between the hub and the person in front of it.
    let kinds: Vec<String> = heard
        .iter()
        .map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap()["type"].to_string())
        .collect();
    assert!(
        kinds.iter().all(|kind| kind.contains("connection.")),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn row_54_two_secrets_sign_while_one_is_rotated_out() {
    let told = Told::new().await;
    let (id, first) = told.add(&[]).await;
    let hub = &told.world.app.hub;
    let member = told.world.member();
    let (_, second) = hub.rotate_webhook_secret(member, id).await.unwrap();
    // A third would push out the first, which the receiver may still have.
    let third = hub.rotate_webhook_secret(member, id).await;
    assert!(matches!(third, Err(hub::Error::Invalid(_))));
    for (later, both) in [(TimeDelta::zero(), true), (TimeDelta::hours(25), false)] {
        told.world.advance(later);
        told.receiver.forget();
        told.happens(Kind::ConnectionHealed, ConnectionId::new())
            .await;
        assert_eq!(told.tell().await, 1);
        let heard = told.receiver.heard.lock().unwrap().clone();
        let (headers, body) = &heard[0];
        assert!(is_signed(&second, headers, body));
        assert_eq!(is_signed(&first, headers, body), both);
    }
    hub.rotate_webhook_secret(member, id).await.unwrap();
}

#[tokio::test]
async fn only_what_is_wanted_is_told_from_now_on() {
    let told = Told::new().await;
    let id = ConnectionId::new();
    told.happens(Kind::ConnectionHealed, id).await;
    told.add(&[Kind::ConnectionHealed]).await;
    told.happens(Kind::ConnectionDegraded, id).await;
    told.happens(Kind::ConnectionHealed, id).await;
    assert_eq!(told.tell().await, 1);
    assert_eq!(told.receiver.numbers(), [(id.to_string(), 3)]);
    assert_eq!(told.tell().await, 0);
}

/// What failed is told again, later each time, for a day; then an admin sees
/// it, and can have it sent once more.
#[tokio::test]
async fn a_receiver_that_fails_is_tried_for_a_day() {
    let told = Told::new().await;
    let (id, _) = told.add(&[]).await;
    told.receiver
        .answer(Answers::Refuses(StatusCode::BAD_REQUEST, None));
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    let began = told.world.clock.now();
    let mut gaps = Vec::new();
    let mut last = began;
    while told.fares_here().await.given_up == 0 {
        if told.tell().await == 1 {
            gaps.push(told.world.clock.now() - last);
            last = told.world.clock.now();
        }
        told.world.advance(TimeDelta::seconds(5));
        assert!(told.world.clock.now() - began < TimeDelta::hours(30));
    }
    assert!(gaps.len() > 8, "{gaps:?}");
    assert!(last - began > TimeDelta::hours(20), "{gaps:?}");
    let fares = told.fares_here().await;
    assert_eq!(fares.webhook.problem.as_deref(), Some("answered_400"));

    told.receiver.answer(Answers::Takes);
    told.receiver.forget();
    let member = told.world.member();
    let hub = &told.world.app.hub;
    assert_eq!(hub.revive_webhook(member, id).await.unwrap(), 1);
    assert_eq!(told.tell().await, 1);
    let fares = told.fares_here().await;
    assert_eq!((fares.given_up, fares.waiting), (0, 0));
    assert_eq!(fares.webhook.problem, None);
}

#[tokio::test]
async fn a_receiver_says_when_and_whether_to_come_back() {
    let told = Told::new().await;
    told.add(&[]).await;
    let busy = StatusCode::TOO_MANY_REQUESTS;
    told.receiver.answer(Answers::Refuses(busy, Some("120")));
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    assert_eq!(told.tell().await, 1);
    told.world.advance(TimeDelta::seconds(119));
    assert_eq!(told.tell().await, 0);
    told.receiver
        .answer(Answers::Refuses(StatusCode::GONE, None));
    told.world.advance(TimeDelta::seconds(1));
    assert_eq!(told.tell().await, 1);
    assert!(told.fares_here().await.webhook.ended_at.is_some());

    // Nothing is sent there any more, until an admin says so.
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    told.world.advance(TimeDelta::days(2));
    assert_eq!(told.tell().await, 0);
    told.receiver.answer(Answers::Takes);
    let hub = &told.world.app.hub;
    let id = told.fares_here().await.webhook.id;
    hub.revive_webhook(told.world.member(), id).await.unwrap();
    assert_eq!(told.tell().await, 2);
}

#[tokio::test]
async fn what_a_receiver_says_after_it_has_taken_a_message_does_not_matter() {
    let told = Told::new().await;
    told.add(&[]).await;
    for answers in [Answers::TakesAtLength, Answers::TakesAndPauses] {
        told.receiver.answer(answers);
        told.happens(Kind::ConnectionHealed, ConnectionId::new())
            .await;
        assert_eq!(told.tell().await, 1);
        let fares = told.fares_here().await;
        assert_eq!((fares.waiting, fares.webhook.problem), (0, None));
    }
}

#[tokio::test]
async fn a_receiver_that_has_too_much_to_do_is_left_alone_with_every_message() {
    let told = Told::new().await;
    let (id, _) = told.add(&[]).await;
    for busy in [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        told.receiver.answer(Answers::Refuses(busy, Some("120")));
        told.happens(Kind::ConnectionHealed, ConnectionId::new())
            .await;
        assert_eq!(told.tell().await, 1);
        told.receiver.answer(Answers::Takes);
        told.happens(Kind::ConnectionHealed, ConnectionId::new())
            .await;
        told.world.advance(TimeDelta::seconds(119));
        assert_eq!(told.tell().await, 0, "{busy}");
        told.world.advance(TimeDelta::seconds(1));
        assert_eq!(told.tell().await, 2, "{busy}");
    }
    // A test that is taken shows that it need not be waited for.
    let busy = StatusCode::TOO_MANY_REQUESTS;
    told.receiver.answer(Answers::Refuses(busy, Some("120")));
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    assert_eq!(told.tell().await, 1);
    told.receiver.answer(Answers::Takes);
    let hub = &told.world.app.hub;
    let tested = hub.test_webhook(told.world.member(), id).await.unwrap();
    assert_eq!(tested.problem, None);
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    assert_eq!(told.tell().await, 1, "the new one");
}

/// One message that is never taken holds up its own connection and no other.
#[tokio::test]
async fn what_is_stuck_holds_up_its_own_connection_only() {
    let told = Told::new().await;
    told.add(&[]).await;
    let (stuck, free) = (ConnectionId::new(), ConnectionId::new());
    told.receiver
        .answer(Answers::RefusesAbout(stuck.to_string()));
    for _ in 0..3 {
        told.happens(Kind::ConnectionDegraded, stuck).await;
        told.happens(Kind::ConnectionDegraded, free).await;
    }
    told.tell().await;
    let numbers = told.receiver.numbers();
    let of = |id: ConnectionId| -> Vec<i64> {
        let numbers = numbers.iter().filter(|(of, _)| *of == id.to_string());
        numbers.map(|(_, number)| *number).collect()
    };
    assert_eq!(of(free), [2, 4, 6]);
    assert_eq!(of(stuck), [1]);
    assert_eq!(told.fares_here().await.waiting, 3);
}

/// As many as one tenant may have due at once, and a receiver that never answers.
#[tokio::test]
async fn row_39_a_receiver_that_does_not_answer_holds_up_no_other_tenant() {
    let silent = Router::new().route("/hooks", post(std::future::pending::<()>));
    let silent = serve_peer(silent).await;
    let told = Told::beside(vec![silent]).await;
    let hub = &told.world.app.hub;
    let bo = told.world.neighbour().await;
    for (member, url) in [
        (told.world.member(), &format!("http://{silent}/hooks")),
        (&bo, &told.url),
    ] {
        let new = NewWebhook { url, kinds: &[] };
        hub.add_webhook(member, new).await.unwrap();
    }
    for _ in 0..100 {
        told.happens(Kind::ConnectionHealed, ConnectionId::new())
            .await;
    }
    for times in 1..=3 {
        // Everything of the other is older.
        told.world.advance(TimeDelta::seconds(1));
        let id = ConnectionId::new();
        told.happens_to(&bo, Kind::ConnectionHealed, id).await;
        let begun = hub.begin_telling().await.unwrap();
        let (first, ..) = futures::future::select_all(begun).await;
        assert_eq!(first.unwrap().unwrap(), 1);
        assert_eq!(told.receiver.numbers().len(), times);
    }
}

/// A receiver that fails the first time anything comes, thousands of events,
/// two processes that deliver: each at least once, and in order.
#[tokio::test]
async fn every_event_arrives_in_order_though_half_the_tries_fail() {
    let told = Told::new().await;
    told.add(&[]).await;
    told.receiver.answer(Answers::Secondly(BTreeSet::new()));
    let connections: Vec<_> = (0..50).map(|_| ConnectionId::new()).collect();
    let transaction = told.world.app.hub.store.begin().await.unwrap();
    const EVENTS: i64 = 1_000;
    for n in 0..EVENTS {
        let new = event::New {
            tenant: told.world.member().tenant(),
            kind: Kind::ConnectionRefreshed,
            connection: Some(connections[n as usize % connections.len()]),
            person: None,
            data: Data::default(),
        };
        event::append(&transaction, new, told.world.clock.now())
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    let another = told.world.another().await;
    for _ in 0..2_000 {
        let (here, there) = tokio::join!(
            told.world.app.hub.tell_webhooks(),
            another.app.hub.tell_webhooks()
        );
        here.unwrap();
        there.unwrap();
        if told.fares_here().await.waiting == 0 {
            break;
        }
        told.world.advance(TimeDelta::seconds(10));
    }
    let fares = told.fares_here().await;
    assert_eq!((fares.waiting, fares.given_up), (0, 0));
    // Each number for the second time, by connection, in the order it was taken.
    let mut seen = BTreeSet::new();
    let mut taken: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (connection, number) in told.receiver.numbers() {
        if !seen.insert(number) {
            taken.entry(connection).or_default().push(number);
        }
    }
    let mut all: Vec<i64> = taken.values().flatten().copied().collect();
    assert!(taken.values().all(|numbers| numbers.is_sorted()));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (1..=EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_past_is_told_once_more_from_a_number_on() {
    let told = Told::new().await;
    let (id, _) = told.add(&[]).await;
    let connection = ConnectionId::new();
    for _ in 0..4 {
        told.happens(Kind::ConnectionRefreshed, connection).await;
    }
    assert_eq!(told.tell().await, 4);
    told.receiver.forget();
    let hub = &told.world.app.hub;
    let member = told.world.member();
    assert!(hub.replay_webhook(member, id, 5).await.is_err());
    hub.replay_webhook(member, id, 2).await.unwrap();
    told.tell().await;
    let numbers: Vec<_> = told.receiver.numbers().iter().map(|(_, n)| *n).collect();
    assert_eq!(numbers, [3, 4]);
}

#[tokio::test]
async fn what_a_webhook_has_still_to_be_told_is_not_forgotten() {
    let told = Told::new().await;
    let hub = &told.world.app.hub;
    told.add(&[]).await;
    let connection = ConnectionId::new();
    for _ in 0..2 {
        told.happens(Kind::ConnectionRefreshed, connection).await;
    }
    told.world.advance(TimeDelta::days(31));
    hub.sweep().await.unwrap();
    assert_eq!(told.tell().await, 2);
    assert_eq!(told.receiver.numbers().len(), 2);
    told.world.advance(TimeDelta::days(1));
    hub.sweep().await.unwrap();
    let left = event::Entity::find().count(hub.store.db()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn webhooks_are_their_tenants_own() {
    let told = Told::new().await;
    let (id, _) = told.add(&[]).await;
    let bo = told.world.neighbour().await;
    let hub = &told.world.app.hub;
    assert!(hub.webhooks(&bo).await.unwrap().is_empty());
    assert!(hub.rotate_webhook_secret(&bo, id).await.is_err());
    assert!(hub.remove_webhook(&bo, id).await.is_err());
    assert!(hub.test_webhook(&bo, id).await.is_err());
    let url = &told.url;
    hub.add_webhook(&bo, NewWebhook { url, kinds: &[] })
        .await
        .unwrap();
    told.happens(Kind::ConnectionHealed, ConnectionId::new())
        .await;
    assert_eq!(told.tell().await, 1);
    assert_eq!(told.fares(&bo).await.webhook.last_ok_at, None);
}

#[tokio::test]
async fn addresses_that_cannot_be_told_are_refused() {
    let told = Told::new().await;
    let hub = &told.world.app.hub;
    let add = async |url: &str| {
        let new = NewWebhook { url, kinds: &[] };
        hub.add_webhook(told.world.member(), new)
            .await
            .map(|(row, _)| row.id)
    };
    for wrong in [
        "",
        "hooks",
        "ftp://example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "javascript:alert(1)",
    ] {
        assert!(add(wrong).await.is_err(), "{wrong}");
    }
    // It may be typed, but nothing private is reached.
    let private = add("https://169.254.169.254/latest").await.unwrap();
    let tested = hub
        .test_webhook(told.world.member(), private)
        .await
        .unwrap();
    assert_eq!(tested.problem.as_deref(), Some("address_not_allowed"));
}

#[tokio::test]
async fn an_admin_adds_tests_and_removes_a_webhook() {
    let told = Told::new().await;
    let browser = told.world.signed_in().await;
    let page = async || {
        let answer = browser.get("/settings/webhooks").await;
        answer.text().await.unwrap()
    };
    let url = told.url.clone();
    let made = browser.post("/settings/webhooks", &[("url", &url)]).await;
    let text = made.text().await.unwrap();
    assert!(text.contains("whsec_"), "{text}");
    let shown = page().await;
    assert!(shown.contains(&url) && !shown.contains("whsec_"));
    assert!(shown.contains("Nothing was sent yet"));
    let id = told.fares_here().await.webhook.id.to_string();
    browser.post("/api/test_webhook", &[("id", &id)]).await;
    assert!(page().await.contains("The test message was taken."));
    told.receiver
        .answer(Answers::Refuses(StatusCode::IM_A_TEAPOT, None));
    browser.post("/api/test_webhook", &[("id", &id)]).await;
    assert!(page().await.contains("it answered 418"));
    let asked = format!("/settings/webhooks?remove={id}");
    assert!(page().await.contains(&asked), "it is asked first");
    let shown = browser.get(&asked).await.text().await.unwrap();
    assert!(shown.contains("Remove this webhook?") && shown.contains(&url));
    assert!(shown.contains("Its signing secret is deleted."));
    browser.post("/api/remove_webhook", &[("id", &id)]).await;
    assert!(page().await.contains("Nobody is told yet"));
    // Where nothing is left to remove, the list says how it is.
    let shown = browser.get(&asked).await.text().await.unwrap();
    assert!(shown.contains("Nobody is told yet"));
}
