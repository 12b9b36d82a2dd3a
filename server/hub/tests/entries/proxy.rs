//! A way out that leads nowhere: an HTTP proxy on loopback that answers every
//! CONNECT itself, with a certificate made for whoever was asked for. So an
//! entry is played with the addresses it is shipped with.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, serve::Listener};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::PrivateKeyDer,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
    server::TlsStream,
};

/// Where the proxy listens, and what to trust to believe it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) root: Vec<u8>,
}

/// Answers for every host with `router`.
pub(crate) async fn start(router: Router) -> Proxy {
    let authority = Authority::new();
    let root = authority.issuer.der().to_vec();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(authority));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (opened, tunnels) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, opened) = (acceptor.clone(), opened.clone());
            tokio::spawn(async move {
                if let Some(tunnel) = tunnel(stream, &acceptor).await {
                    let _ = opened.send(tunnel).await;
                }
            });
        }
    });
    tokio::spawn(async move { axum::serve(Tunnels(tunnels), router).await });
    Proxy { address, root }
}

async fn tunnel(mut stream: TcpStream, acceptor: &TlsAcceptor) -> Option<TlsStream<TcpStream>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    if !head.starts_with(b"CONNECT ") {
        return None;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    acceptor.accept(stream).await.ok()
}

struct Tunnels(mpsc::Receiver<TlsStream<TcpStream>>);

impl Listener for Tunnels {
    type Io = TlsStream<TcpStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        match self.0.recv().await {
            Some(tunnel) => (tunnel, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Vouches for every name, for as long as the test runs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    known: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            known: Mutex::default(),
        }
    }

    fn vouch(&self, host: &str) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let secret = aws_lc_rs::sign::any_supported_type(&secret).unwrap();
        let chain = vec![certificate.der().clone()];
        Arc::new(CertifiedKey::new(chain, secret))
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_owned();
        let mut known = self.known.lock().unwrap();
        let key = known.entry(host.clone());
        Some(key.or_insert_with(|| self.vouch(&host)).clone())
    }
}
