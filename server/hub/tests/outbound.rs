//! The guarded client against counterparts on loopback.

mod addresses;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use addresses::PRIVATE;
use http::{HeaderMap, Method};
use hub::{
    failure::FailureCode,
    outbound::{
        Answer, MAX_BODY, NoAnswer, NotSent, Outbound, OutboundPolicy, Request, SendError, Timeouts,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a peer does with a connection once it has read a request.
type Script = fn(TcpStream, usize) -> futures::future::BoxFuture<'static, ()>;

/// A server that counts the requests it reads and answers as its script says.
struct Peer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Peer {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counter = counter.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let count = counter.fetch_add(1, Ordering::SeqCst) + 1;
                        script(stream, count).await;
                    }
                });
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

fn ok(mut stream: TcpStream, _: usize) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            .await;
    })
}

fn quick() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(500),
        total: Duration::from_millis(800),
    }
}

fn allowing(peers: &[&Peer]) -> Outbound {
    Outbound::new(OutboundPolicy {
        allow_exact: peers.iter().map(|peer| peer.address).collect(),
        timeouts: quick(),
        ..OutboundPolicy::default()
    })
    .unwrap()
}

async fn get(outbound: &Outbound, url: &str) -> Result<Answer, SendError> {
    let request = Request {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: None,
    };
    outbound.send(request).await
}

fn error(result: Result<Answer, SendError>) -> SendError {
    result.err().expect("an error")
}

/// Every private address, as an address of ours.
fn spellings(port: u16) -> Vec<String> {
    let schemes = ["http", "https"];
    PRIVATE
        .iter()
        .flat_map(|host| schemes.map(|scheme| format!("{scheme}://{host}:{port}/")))
        .collect()
}

#[tokio::test]
async fn no_spelling_of_a_private_address_reaches_the_trap() {
    let trap = Peer::start(ok).await;
    let strict = Outbound::new(OutboundPolicy {
        timeouts: quick(),
        ..OutboundPolicy::default()
    })
    .unwrap();
    for url in spellings(trap.address.port()) {
        let refused = error(get(&strict, &url).await);
        assert!(matches!(refused, SendError::NotSent(_)), "{url}: {refused}");
    }
    assert_eq!(trap.requests(), 0);

    // The trap works: allowed, it is reached under its number and its name.
    let allowing = allowing(&[&trap]);
    assert!(get(&allowing, &trap.url()).await.is_ok());
    let by_name = format!("http://localhost:{}/", trap.address.port());
    assert!(get(&allowing, &by_name).await.is_ok());
    assert_eq!(trap.requests(), 2);
}

#[tokio::test]
async fn a_forbidden_address_is_the_persons_to_correct() {
    let strict = Outbound::new(OutboundPolicy::default()).unwrap();
    let failure = error(get(&strict, "https://127.0.0.1/").await).failure();
    assert_eq!(failure.code, FailureCode::AccountOrTargetMismatch);
    assert_eq!(failure.detail, "address_not_allowed");
    let failure = error(get(&strict, "https://localhost/").await).failure();
    assert_eq!(failure.detail, "address_not_allowed");
}

#[tokio::test]
async fn an_exact_address_opens_its_port_only() {
    let (allowed, other) = (Peer::start(ok).await, Peer::start(ok).await);
    let outbound = allowing(&[&allowed]);
    assert!(get(&outbound, &allowed.url()).await.is_ok());
    for url in [
        other.url(),
        format!("http://localhost:{}/", other.address.port()),
    ] {
        assert!(
            matches!(error(get(&outbound, &url).await), SendError::NotSent(_)),
            "{url}"
        );
    }
    assert_eq!((allowed.requests(), other.requests()), (1, 0));
}

#[tokio::test]
async fn an_allowed_network_is_reached_and_nothing_beside_it() {
    let peer = Peer::start(ok).await;
    let policy = |net: &str| OutboundPolicy {
        allow: vec![net.parse().unwrap()],
        timeouts: quick(),
        ..OutboundPolicy::default()
    };
    let inside = Outbound::new(policy("127.0.0.0/30")).unwrap();
    assert!(get(&inside, &peer.url()).await.is_ok());
    let outside = Outbound::new(policy("127.0.0.4/30")).unwrap();
    assert_eq!(
        error(get(&outside, &peer.url()).await),
        SendError::NotSent(NotSent::AddressNotAllowed)
    );
}

#[tokio::test]
async fn plain_http_is_for_allowed_addresses_only() {
    let strict = Outbound::new(OutboundPolicy::default()).unwrap();
    assert_eq!(
        error(get(&strict, "http://1.1.1.1/").await),
        SendError::NotSent(NotSent::HttpsRequired)
    );
    let peer = Peer::start(ok).await;
    let some_allowed = allowing(&[&peer]);
    let at_the_same_port = format!("http://1.1.1.1:{}/", peer.address.port());
    assert_eq!(
        error(get(&some_allowed, &at_the_same_port).await),
        SendError::NotSent(NotSent::AddressNotAllowed)
    );
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_is_far_and_never_for_what_is_private() {
    let proxy = Peer::start(ok).await;
    let near = Peer::start(ok).await;
    let outbound = Outbound::new(OutboundPolicy {
        allow_exact: vec![near.address],
        proxy: Some(proxy.url().parse().unwrap()),
        timeouts: quick(),
        ..OutboundPolicy::default()
    })
    .unwrap();
    let private = spellings(443).into_iter();
    for url in private.filter(|url| url.starts_with("https:")) {
        assert_eq!(
            error(get(&outbound, &url).await),
            SendError::NotSent(NotSent::AddressNotAllowed),
            "{url}"
        );
    }
    assert!(get(&outbound, &near.url()).await.is_ok());
    assert_eq!(proxy.requests(), 0);

    // It says yes to CONNECT and then speaks no TLS.
    assert_eq!(
        error(get(&outbound, "https://1.1.1.1/").await),
        SendError::NotSent(NotSent::Tls)
    );
    assert_eq!((proxy.requests(), near.requests()), (1, 1));
}

#[tokio::test]
async fn redirects_are_answers_not_errands() {
    static TRAP: std::sync::OnceLock<SocketAddr> = std::sync::OnceLock::new();
    let trap = Peer::start(ok).await;
    TRAP.set(trap.address).unwrap();
    let peer = Peer::start(|mut stream, _| {
        Box::pin(async move {
            let trap = TRAP.get().unwrap();
            let head =
                format!("HTTP/1.1 307 T\r\nlocation: http://{trap}/\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        })
    })
    .await;
    let answer = get(&allowing(&[&peer, &trap]), &peer.url()).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(trap.requests(), 0);
}

#[tokio::test]
async fn a_large_body_is_cut() {
    let peer = Peer::start(|mut stream, _| {
        Box::pin(async move {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            for _ in 0..(10 * 1024 * 1024 / 0x1000) {
                if stream.write_all(&chunk).await.is_err() {
                    return;
                }
            }
        })
    })
    .await;
    assert_eq!(
        error(get(&allowing(&[&peer]), &peer.url()).await),
        SendError::NoAnswer(NoAnswer::TooLarge)
    );
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let peer = Peer::start(|mut stream, _| {
        Box::pin(async move {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {MAX_BODY}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&vec![b'x'; MAX_BODY]).await;
        })
    })
    .await;
    let answer = get(&allowing(&[&peer]), &peer.url()).await.unwrap();
    assert_eq!(answer.body.len(), MAX_BODY);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_bounded_in_time() {
    let peer = Peer::start(|mut stream, _| {
        Box::pin(async move {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
                .await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    assert_eq!(
        error(get(&allowing(&[&peer]), &peer.url()).await),
        SendError::NoAnswer(NoAnswer::Timeout)
    );
}

#[tokio::test]
async fn silence_after_sending_is_not_the_same_as_not_sent() {
    let silent = Peer::start(|stream, _| {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
    })
    .await;
    let cutting = Peer::start(|stream, _| Box::pin(async move { drop(stream) })).await;
    let outbound = allowing(&[&silent, &cutting]);
    assert_eq!(
        error(get(&outbound, &silent.url()).await),
        SendError::NoAnswer(NoAnswer::Timeout)
    );
    assert_eq!(
        error(get(&outbound, &cutting.url()).await),
        SendError::NoAnswer(NoAnswer::Cut)
    );
    assert_eq!((silent.requests(), cutting.requests()), (1, 1));
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let outbound = Outbound::new(OutboundPolicy {
        allow_exact: vec![address],
        ..OutboundPolicy::default()
    })
    .unwrap();
    let refused = error(get(&outbound, &format!("http://{address}/")).await);
    assert_eq!(refused, SendError::NotSent(NotSent::Connect));
    assert_eq!(refused.failure().code, FailureCode::NetworkOrTimeout);
}

#[tokio::test]
async fn no_tls_no_request() {
    let plain = Peer::start(ok).await;
    let url = format!("https://{}/", plain.address);
    assert_eq!(
        error(get(&allowing(&[&plain]), &url).await),
        SendError::NotSent(NotSent::Tls)
    );
}

#[tokio::test]
async fn a_request_is_sent_once_even_on_a_kept_connection() {
    let peer = Peer::start(|mut stream, count| {
        Box::pin(async move {
            if count == 1 {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await;
                // The next request on this connection is read and never answered.
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
            }
        })
    })
    .await;
    let outbound = allowing(&[&peer]);
    assert!(get(&outbound, &peer.url()).await.is_ok());
    assert_eq!(
        error(get(&outbound, &peer.url()).await),
        SendError::NoAnswer(NoAnswer::Cut)
    );
    assert_eq!(
        peer.requests(),
        1,
        "the second request came on the kept connection and was not repeated"
    );
}
