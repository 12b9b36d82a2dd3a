//! Where a connection may lead (rows 49 and 50 of the security checks).

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hub::{
    dialect::{Dialect, Outcome},
    outbound::{Names, NotSent, Outbound, OutboundPolicy},
};
use tokio::net::TcpListener;

use crate::{
    addresses::PRIVATE,
    bench::{dialect, dialect_with, fields, timeouts, told, try_out},
};

/// Counts who comes.
struct Trap {
    address: SocketAddr,
    caught: Arc<AtomicUsize>,
}

impl Trap {
    async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let caught = Arc::new(AtomicUsize::new(0));
        let counter = caught.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, caught }
    }

    fn caught(&self) -> usize {
        self.caught.load(Ordering::SeqCst)
    }
}

const SERVICES: [&str; 6] = ["postgresql", "mysql", "redis", "smtp", "imap", "s3"];

async fn try_host(dialect: &Dialect, service: &str, host: &str, port: u16) -> String {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let endpoint = format!("https://{host}:{port}");
    let entered = fields(
        address,
        &[
            ("host", host),
            ("endpoint", &endpoint),
            ("region", "x"),
            ("bucket", "files"),
        ],
    );
    told(&try_out(dialect, service, &entered).await)
}

#[tokio::test]
async fn no_spelling_of_a_private_address_reaches_the_trap() {
    let trap = Trap::at("127.0.0.1:0").await;
    let port = trap.address.port();
    let mut policy = OutboundPolicy {
        timeouts: timeouts(),
        ..OutboundPolicy::default()
    };
    // Some spellings are names to the resolver, which may be slow to say no.
    policy.timeouts.connect = std::time::Duration::from_millis(200);
    let strict = dialect_with(policy);
    for host in PRIVATE {
        for service in SERVICES {
            let told = try_host(&strict, service, host, port).await;
            let refused = told.starts_with("reach: ");
            assert!(refused, "{service} {host}: {told}");
        }
    }
    for service in SERVICES {
        let told = try_host(&strict, service, "127.0.0.1", port).await;
        assert_eq!(
            told,
            "reach: ACCOUNT_OR_TARGET_MISMATCH address_not_allowed"
        );
    }
    assert_eq!(trap.caught(), 0);

    // The trap works: allowed, everybody gets there.
    let allowing = dialect(&[trap.address]);
    for service in SERVICES {
        let before = trap.caught();
        let told = try_host(&allowing, service, "localhost", port).await;
        assert!(!told.starts_with("reach:"), "{service}: {told}");
        assert!(trap.caught() > before, "{service}");
    }
}

/// A name that leads to `first` once and to `then` ever after.
fn rebinding(first: &str, then: SocketAddr) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (first, counter) = (first.parse::<std::net::IpAddr>().unwrap(), asked.clone());
    let names = Names::of(move |_, port| {
        let ip = match counter.fetch_add(1, Ordering::SeqCst) {
            0 => first,
            _ => then.ip(),
        };
        Box::pin(async move { Ok(vec![SocketAddr::new(ip, port)]) })
    });
    (names, asked)
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let trap = Trap::at("127.0.0.1:0").await;
    let port = trap.address.port();
    // The vetted address is allowed; the one that comes second is not.
    let vetted = Trap::at(&format!("127.0.0.2:{port}")).await;
    let (names, asked) = rebinding("127.0.0.2", trap.address);
    let outbound = Outbound::new(OutboundPolicy {
        allow_exact: vec![vetted.address],
        timeouts: timeouts(),
        names,
        ..OutboundPolicy::default()
    })
    .unwrap();
    let first = outbound.connect("rebinding.example.com", port).await;
    assert!(first.is_ok());
    while vetted.caught() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((asked.load(Ordering::SeqCst), trap.caught()), (1, 0));
    let second = outbound.connect("rebinding.example.com", port).await;
    assert_eq!(second.err(), Some(NotSent::AddressNotAllowed));
    assert_eq!((vetted.caught(), trap.caught()), (1, 0));
}

#[tokio::test]
async fn a_public_address_first_does_not_open_a_private_one_later() {
    let trap = Trap::at("127.0.0.1:0").await;
    for service in SERVICES {
        let (names, _) = rebinding("198.41.0.4", trap.address);
        let mut policy = OutboundPolicy {
            timeouts: timeouts(),
            names,
            ..OutboundPolicy::default()
        };
        // Nobody answers there: the sooner that is clear the better.
        policy.timeouts.connect = std::time::Duration::from_millis(200);
        let dialect = dialect_with(policy);
        let port = trap.address.port();
        let told = try_host(&dialect, service, "rebinding.example.com", port).await;
        assert_eq!(told, "reach: NETWORK_OR_TIMEOUT connect", "{service}");
    }
    assert_eq!(trap.caught(), 0);
}

/// A public address may be called, but nothing is ever said there in plain text.
#[tokio::test]
async fn what_is_public_must_be_encrypted() {
    let outbound = Outbound::new(OutboundPolicy::default()).unwrap();
    assert!(!outbound.may_be_plain("1.1.1.1".parse().unwrap(), 5432));
    let allowing = Outbound::new(OutboundPolicy {
        allow: vec!["10.0.0.0/8".parse().unwrap()],
        ..OutboundPolicy::default()
    })
    .unwrap();
    assert!(allowing.may_be_plain("10.1.2.3".parse().unwrap(), 5432));
    assert!(!allowing.may_be_plain("1.1.1.1".parse().unwrap(), 5432));
}

#[tokio::test]
async fn steps_are_told_as_they_are_taken() {
    let trap = Trap::at("127.0.0.1:0").await;
    let catalog = hub::catalog::Catalog::embedded().unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let (none, entered) = (Default::default(), fields(trap.address, &[("port", "1")]));
    let dialect = dialect(&[trap.address]);
    let provider = catalog.get("postgresql").unwrap();
    let watch = |tried: &hub::dialect::Tried| {
        let failed = matches!(tried.outcome, Outcome::Failed(_));
        seen.lock().unwrap().push((tried.step.as_str(), failed));
    };
    dialect
        .try_out(provider, &none, &none, &entered, &watch)
        .await;
    assert_eq!(
        *seen.lock().unwrap(),
        [
            ("reach", true),
            ("encryption", false),
            ("sign_in", false),
            ("permissions", false),
            ("sample", false)
        ]
    );
}
