//! A service from the form to its check, on the whole hub. The service is a
//! scripted Redis; real ones are tested with the engine.

use chrono::TimeDelta;
use hub::{
    Error,
    connect::{STOPPED_AFTER_THREE, Typed},
    failure::FailureCode as Code,
    secret::Secret,
    store::ConnectionId,
};

use crate::{
    harness::{Setup, World},
    redis::{RIGHT, Redis},
};

struct Service {
    world: World,
    redis: Redis,
}

impl Service {
    async fn start() -> Self {
        let redis = Redis::holding(&["greeting"]).await;
        let world = World::with(Setup {
            peers: vec![redis.address],
            ..Setup::default()
        })
        .await;
        Self { world, redis }
    }

    async fn enter(&self, user: &str, password: &str) -> Result<ConnectionId, Error> {
        let port = self.redis.port();
        let fields = [
            ("host", "localhost"),
            ("port", &port),
            ("user", user),
            ("password", password),
        ];
        let typed = Typed {
            fields: fields
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .into(),
            ..Typed::default()
        };
        let (hub, member) = (&self.world.app.hub, self.world.member());
        hub.enter(member, "redis", typed).await
    }

    fn asked(&self) -> usize {
        self.redis.asked()
    }
}

#[tokio::test]
async fn a_service_is_entered_checked_and_sampled() {
    let service = Service::start().await;
    let (hub, member) = (&service.world.app.hub, service.world.member());
    let id = service.enter("default", RIGHT).await.unwrap();
    assert_eq!(service.enter("default", RIGHT).await.unwrap(), id);
    assert_ne!(service.enter("reader", RIGHT).await.unwrap(), id);

    let sample = hub.sample(member, id, None).await.unwrap();
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(sample.rows, [[cell("greeting"), cell("string")]]);

    let before = service.asked();
    hub.check(member, id).await.unwrap();
    assert_eq!(service.asked(), before + 1, "a check signs in again");
    let host = service.world.any_host().await;
    let path = format!("/v1/connections/{id}");
    let shown: serde_json::Value = host.get(&path).await.json().await.unwrap();
    assert_eq!(shown["status"], "connected", "{shown}");
    assert!(!shown.to_string().contains(RIGHT));

    // All that it takes to connect, so that a host application can.
    let (status, lent) = host.token(id).await;
    assert_eq!(status, reqwest::StatusCode::OK);
    assert_eq!(lent["token_type"], "credentials");
    assert!(lent.get("access_token").is_none() && lent.get("request").is_none());
    let credentials = &lent["credentials"];
    assert_eq!(credentials["host"], "localhost");
    assert_eq!(
        credentials["port"],
        service.redis.address.port().to_string()
    );
    assert_eq!(credentials["user"], "default");
    assert_eq!(credentials["password"], RIGHT);
}

#[tokio::test]
async fn three_rejections_in_a_row_are_enough() {
    let service = Service::start().await;
    let rejected = async |user: &str| match service.enter(user, "wrong").await {
        Err(Error::Failed(failure)) => *failure,
        _ => panic!("a rejection was expected"),
    };
    for _ in 0..3 {
        assert_eq!(rejected("default").await.detail, "WRONGPASS");
    }
    assert_eq!(service.asked(), 3);
    let stopped = rejected("default").await;
    assert_eq!(stopped.code, Code::CredentialsRejected);
    assert_eq!(stopped.detail, STOPPED_AFTER_THREE);
    let now = service.world.clock.now();
    assert_eq!(stopped.retry_at, Some(now + TimeDelta::minutes(15)));
    // Not even the right one, which cannot be told from a guess; another
    // account is not concerned.
    assert!(service.enter("default", RIGHT).await.is_err());
    assert_eq!(service.asked(), 3, "nobody was asked");
    assert_eq!(rejected("reader").await.detail, "WRONGPASS");

    service.world.advance(TimeDelta::minutes(15));
    assert!(service.enter("default", RIGHT).await.is_ok());
}
