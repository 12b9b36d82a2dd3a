//! Certificates that connections stand on are counted down: told a week before
//! they end, once, and withdrawn when they are replaced.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use hub::{
    Error,
    connect::Typed,
    secret::Secret,
    store::{ConnectionId, connection},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::StatusCode;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sandbox::ACCOUNTS;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    harness::{HostApp, PASSWORD, Setup, TENANT, World, changed_entries},
    redis::{RIGHT, Redis},
};

fn until(mut params: CertificateParams, end: DateTime<Utc>) -> CertificateParams {
    let at = |at: DateTime<Utc>| time::OffsetDateTime::from_unix_timestamp(at.timestamp()).unwrap();
    params.not_before = at(end - TimeDelta::days(400));
    params.not_after = at(end);
    params
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn until(end: DateTime<Utc>) -> Self {
        let mut params = until(CertificateParams::new(Vec::new()).unwrap(), end);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// What a server shows whose certificate ends then.
    fn certify(&self, end: DateTime<Utc>) -> TlsAcceptor {
        let params = until(
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap(),
            end,
        );
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate)], key)
            .unwrap();
        Arc::new(config).into()
    }
}

/// Redis with the authority that other databases are entered with.
fn redis_with_authority() -> Setup {
    let field = r#"[[field]]
name = "ca"
label = "CA certificate"
why = "Linkwell checks the server by it."
steps = ["Paste the whole text."]
pattern = '(?s)-----BEGIN CERTIFICATE-----\s.*-----END CERTIFICATE-----'
example = "-----BEGIN CERTIFICATE-----\nMIIB=\n-----END CERTIFICATE-----"
secret = false
optional = true
multiline = true

[[field]]
name = "password""#;
    let catalog = changed_entries(&[("redis", "[[field]]\nname = \"password\"", field)]);
    Setup {
        catalog: Some(catalog),
        ..Setup::default()
    }
}

struct Service {
    world: World,
    host: HostApp,
    redis: Redis,
    tls: Arc<Mutex<TlsAcceptor>>,
}

impl Service {
    async fn showing(tls: TlsAcceptor) -> Self {
        let tls = Arc::new(Mutex::new(tls));
        let redis = Redis::encrypted(tls.clone()).await;
        let world = World::with(Setup {
            peers: vec![redis.address],
            ..redis_with_authority()
        })
        .await;
        let host = world.any_host().await;
        Self {
            world,
            host,
            redis,
            tls,
        }
    }

    async fn enter(&self, ca: &str) -> ConnectionId {
        let port = self.redis.port();
        let fields = [
            ("host", "localhost"),
            ("port", &port),
            ("user", "default"),
            ("password", RIGHT),
            ("ca", ca),
        ];
        enter(&self.world, "redis", &[], &fields).await
    }
}

async fn enter(
    world: &World,
    provider: &str,
    variables: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> ConnectionId {
    let fields = fields.iter();
    let typed = Typed {
        fields: fields
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect(),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Typed::default()
    };
    let entered = world.app.hub.enter(world.member(), provider, typed).await;
    entered.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A web service and an object storage that are spoken to encrypted only, and show
/// what `tls` holds then.
async fn web(tls: Arc<Mutex<TlsAcceptor>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(tls.accept(stream).await?);
                let (mut asked, mut line) = (String::new(), String::new());
                while stream.read_line(&mut line).await? > 2 {
                    asked.push_str(&std::mem::take(&mut line));
                }
                let body = match asked.starts_with("GET /orders?") {
                    true => "<ListBucketResult><Name>orders</Name></ListBucketResult>",
                    false => r#"{"id":"me"}"#,
                };
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
                let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    address
}

/// So many days later, checked as often as it is due on the way.
async fn days(world: &World, days: i64) {
    for _ in 0..days * 2 {
        world.advance(TimeDelta::hours(12));
        world.app.hub.check_due().await.unwrap();
    }
}

/// A time as it is answered, to the second.
fn at(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn to_the_second(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap()
}

#[tokio::test]
async fn a_servers_certificate_is_counted_down_and_its_renewal_seen() {
    let now = to_the_second(hub::clock::Clock::system().now());
    let (far, end) = (now + TimeDelta::days(3_000), now + TimeDelta::days(30));
    let authority = Authority::until(far);
    let service = Service::showing(authority.certify(end)).await;
    let (world, host) = (&service.world, &service.host);
    let id = service.enter(&authority.pem).await;
    let shown = host.seen(id).await;
    assert_eq!(shown["status"], "connected");
    assert_eq!(at(&shown["ends_at"]), end);
    assert_eq!(shown["ends_because"], "server_certificate");
    assert_eq!(shown["prompt"], Value::Null, "not yet");
    days(world, 22).await;
    assert_eq!(host.told().await, Vec::<String>::new());
    days(world, 4).await;
    assert_eq!(host.told().await, ["connection.expiring"], "once");
    let events = host.json("/v1/events").await;
    let event = events["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(at(&event["data"]["ends_at"]), end);
    let shown = host.seen(id).await;
    assert_eq!(shown["status"], "connected", "it works");
    let what = shown["prompt"]["what"].as_str().unwrap();
    assert!(what.starts_with("The certificate of the Redis server ends on"));
    assert_eq!(shown["prompt"]["action"]["kind"], "check");
    let page = world.signed_in().await;
    let page = page.get(format!("/connections/{id}")).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("The certificate of the Redis server ends on"));
    assert!(page.contains("Server's certificate ends") || page.contains("Server&#x27;s"));

    // Renewed there: nobody has to do anything here.
    *service.tls.lock().unwrap() = authority.certify(now + TimeDelta::days(120));
    days(world, 1).await;
    assert_eq!(
        host.told().await,
        ["connection.expiring", "connection.healed"]
    );
    let shown = host.seen(id).await;
    assert_eq!(at(&shown["ends_at"]), now + TimeDelta::days(120));
    assert_eq!(shown["prompt"], Value::Null);
}

#[tokio::test]
async fn a_web_servers_certificate_is_counted_down_as_a_databases_is() {
    let now = to_the_second(hub::clock::Clock::system().now());
    let end = now + TimeDelta::days(30);
    let authority = Authority::until(now + TimeDelta::days(3_000));
    let tls = Arc::new(Mutex::new(authority.certify(end)));
    let address = web(tls.clone()).await;
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    let origin = format!("https://localhost:{}", address.port());
    let world = World::with(Setup {
        peers: vec![address],
        roots: vec![root.to_vec()],
        catalog: Some(changed_entries(&[(
            "mistral",
            "https://api.mistral.ai/v1",
            &origin,
        )])),
        ..Setup::default()
    })
    .await;
    let host = world.any_host().await;
    let variables = [("base_url", &*origin), ("test_path", "/me")];
    let key = [("authorization", "Bearer 3f9a1c7e5b2d4860")];
    let rest = enter(&world, "rest-api", &variables, &key).await;
    let bucket = [
        ("endpoint", &*origin),
        ("region", "eu-central-1"),
        ("bucket", "orders"),
        ("access_key_id", "AKIAIOSFODNN7EXAMPLE"),
        (
            "secret_access_key",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
    ];
    let storage = enter(&world, "s3", &[], &bucket).await;
    for id in [rest, storage] {
        let shown = host.seen(id).await;
        assert_eq!(at(&shown["ends_at"]), end, "{shown}");
        assert_eq!(shown["ends_because"], "server_certificate");
    }
    days(&world, 22).await;
    assert_eq!(host.told().await, Vec::<String>::new());
    days(&world, 4).await;
    assert_eq!(host.told().await, ["connection.expiring"; 2], "one each");
    let shown = host.seen(rest).await;
    let what = shown["prompt"]["what"].as_str().unwrap();
    assert!(what.starts_with("The certificate of the REST API server ends on"));

    *tls.lock().unwrap() = authority.certify(now + TimeDelta::days(120));
    days(&world, 1).await;
    let told = host.told().await;
    assert_eq!(told[2..], ["connection.healed"; 2], "and withdrawn");

    // What a provider's own servers show is not the owner's to renew.
    let key = [("api_key", "0123456789abcdefABCDEF0123456789")];
    let mistral = enter(&world, "mistral", &[], &key).await;
    assert_eq!(host.seen(mistral).await["ends_because"], Value::Null);
}

#[tokio::test]
async fn an_entered_authority_is_counted_down_until_another_is_entered() {
    let now = to_the_second(hub::clock::Clock::system().now());
    let end = now + TimeDelta::days(10);
    let old = Authority::until(end);
    let service = Service::showing(old.certify(now + TimeDelta::days(200))).await;
    let (world, host) = (&service.world, &service.host);
    let id = service.enter(&old.pem).await;
    let shown = host.seen(id).await;
    assert_eq!(at(&shown["ends_at"]), end);
    assert_eq!(shown["ends_because"], "authority_certificate");
    days(world, 4).await;
    assert_eq!(host.told().await, ["connection.expiring"]);
    let shown = host.seen(id).await;
    let label = &shown["prompt"]["action"]["label"];
    assert_eq!(label, "Enter the new certificate");

    let new = Authority::until(now + TimeDelta::days(3_000));
    *service.tls.lock().unwrap() = new.certify(now + TimeDelta::days(200));
    assert_eq!(service.enter(&new.pem).await, id, "the same connection");
    days(world, 7).await;
    let told = host.told().await;
    let expiring = |kind: &&String| *kind == "connection.expiring";
    assert_eq!(told.iter().filter(expiring).count(), 1, "{told:?}");
    let shown = host.seen(id).await;
    assert_eq!(shown["prompt"], Value::Null);
    assert_eq!(shown["ends_because"], "server_certificate");
    let unread = world.app.hub.unread_notices(world.member()).await.unwrap();
    assert_eq!(unread, 0, "the notice went with it");
}

/// A private key with a certificate of its own, as an app's secret.
fn secret_until(end: DateTime<Utc>) -> Secret {
    let params = until(
        CertificateParams::new(vec!["linkwell".to_owned()]).unwrap(),
        end,
    );
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    Secret::new(key.serialize_pem() + &certificate)
}

#[tokio::test]
async fn an_apps_certificate_is_told_and_replaced_for_every_connection() {
    let (from, to) = (
        "client_auth = \"basic\"",
        "client_auth = \"tls_client_auth\"",
    );
    let world = World::with(Setup {
        catalog: Some(changed_entries(&[("sandbox", from, to)])),
        ..Setup::default()
    })
    .await;
    world.rules(|rules| rules.access_lifetime_s = 400 * 24 * 60 * 60);
    let host = world.any_host().await;
    let (hub, member) = (&world.app.hub, world.member());
    let now = to_the_second(world.clock.now());
    let end = now + TimeDelta::days(30);
    let set = async |secret| {
        let none = Default::default();
        hub.set_provider_app(member, "sandbox", "linkwell", Some(secret), &none)
            .await
    };
    set(secret_until(end)).await.unwrap();
    let mut ids: Vec<ConnectionId> = Vec::new();
    for account in &ACCOUNTS[..2] {
        let granted = world
            .shop
            .grant("linkwell", account.id, &sandbox::Scope::ALL)
            .expect("a grant");
        let body = json!({ "provider": "sandbox",
            "credential": { "access_token": granted.access_token } });
        let answer = host.post("/v1/connections", body).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = answer.json().await.unwrap();
        ids.push(body["id"].as_str().unwrap().parse().unwrap());
    }
    // Whoever connected it cannot replace the app's certificate.
    let password = || Secret::new(PASSWORD);
    let dee = hub.create_user(TENANT, "dee@example.com", "Dee", password());
    let dee = dee.await.unwrap();
    for id in &ids {
        let row = connection::Entity::find_by_id(*id)
            .one(hub.store.db())
            .await;
        let mut change = row.unwrap().unwrap().into_active_model();
        change.created_by = Set(Some(dee.person()));
        change.update(hub.store.db()).await.unwrap();
    }
    days(&world, 22).await;
    for id in &ids {
        let shown = host.seen(*id).await;
        assert_eq!(shown["status"], "connected");
        assert_eq!(at(&shown["ends_at"]), end);
        assert_eq!(shown["ends_because"], "app_certificate");
    }
    assert_eq!(host.told().await, Vec::<String>::new());
    days(&world, 2).await;
    assert_eq!(host.told().await, ["connection.expiring"; 2], "one each");
    let shown = host.seen(ids[0]).await;
    assert_eq!(shown["prompt"]["who"], "admin");
    assert_eq!(shown["prompt"]["action"]["kind"], "set_up");
    assert_eq!(hub.unread_notices(member).await.unwrap(), 2);
    assert_eq!(hub.unread_notices(&dee).await.unwrap(), 0);
    let browser = world.signed_in().await;
    let page = browser.get("/settings/provider-apps/sandbox").await;
    let page = page.text().await.unwrap();
    assert!(page.contains("Its certificate ends on"), "{page}");

    for (wrong, words) in [
        (secret_until(now), "has ended"),
        (Secret::new("hush"), "private key and its certificate"),
    ] {
        match set(wrong).await {
            Err(Error::Invalid(problems)) => {
                assert_eq!(problems[0].field, "client_secret");
                assert!(problems[0].problem.contains(words), "{problems:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    set(secret_until(now + TimeDelta::days(400))).await.unwrap();
    assert_eq!(
        host.told().await[2..],
        ["connection.healed", "connection.healed"],
        "at once, for all"
    );
    let rows = connection::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    assert!(rows.iter().all(|row| row.alarm.is_none()));
    days(&world, 2).await;
    assert_eq!(host.told().await.len(), 4, "and never again");
}
