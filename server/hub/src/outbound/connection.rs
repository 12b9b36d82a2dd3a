//! Connections for what is not spoken to over HTTP: databases, mail, Redis.
//!
//! The same guard stands before them: a name is looked up once, what it
//! resolves to is vetted, and the vetted address itself is connected to. What
//! the other side may send is counted, so that it cannot fill our memory.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{NotSent, Outbound, OutboundPolicy, guard::Guard, names::is_no_such_name};

/// The most that is read of one connection, in bytes, encrypted or not.
pub const MAX_READ: usize = 4 * 1024 * 1024;

/// An open connection. It stays open until it is dropped.
pub struct Connection {
    stream: Box<dyn Duplex>,
    may_be_plain: bool,
    shown: Vec<CertificateDer<'static>>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Connection {
    /// Whether a password may travel here without encryption.
    pub fn may_be_plain(&self) -> bool {
        self.may_be_plain
    }

    /// The certificates the other side showed: its own first. None before
    /// there is encryption.
    pub fn shown(&self) -> &[CertificateDer<'static>] {
        &self.shown
    }
}

impl Outbound {
    /// Connects to an address that may be reached, chosen from what `host`
    /// resolves to. No proxy is used: those are for https.
    ///
    /// # Errors
    /// [`NotSent`] when there is no such address or nobody answers there.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Connection, NotSent> {
        let policy = &self.0.policy;
        let limit = policy.timeouts.connect;
        // `localhost.` means the same, and not every resolver knows it.
        let host = host.trim_end_matches('.').trim_matches(['[', ']']);
        let found = timeout(limit, policy.names.look_up(host, port))
            .await
            .map_err(|_| NotSent::Dns)?
            .map_err(|error| match is_no_such_name(&error) {
                true => NotSent::NoSuchHost,
                false => NotSent::Dns,
            })?;
        if found.is_empty() {
            return Err(NotSent::NoSuchHost);
        }
        let guard = Guard::at_port(policy, Some(port));
        let admitted = guard.filter(found.into_iter());
        if admitted.is_empty() {
            return Err(NotSent::AddressNotAllowed);
        }
        let may_be_plain = admitted.iter().all(|at| self.may_be_plain(at.ip(), port));
        // The address that was vetted is the one connected to: a name that
        // answers otherwise the next time gains nothing.
        let stream = timeout(limit, TcpStream::connect(admitted.as_slice()))
            .await
            .map_err(|_| NotSent::Connect)?
            .map_err(|_| NotSent::Connect)?;
        let _ = stream.set_nodelay(true);
        let stream = Bounded {
            inner: stream,
            left: MAX_READ,
        };
        Ok(Connection {
            stream: Box::new(stream),
            may_be_plain,
            shown: Vec::new(),
        })
    }

    /// Whether anything may be said at an address in plain text: only where
    /// the operator allowed that very address, as with plain http.
    pub fn may_be_plain(&self, ip: IpAddr, port: u16) -> bool {
        Guard::at_port(&self.0.policy, Some(port)).names(ip)
    }

    /// Encrypts a connection. The certificate must be good for `host`, by an
    /// authority that Mozilla, the system or the operator trusts; or, when
    /// `ca` (PEM) is given, by that one alone.
    ///
    /// # Errors
    /// [`NotSent`] when there is no TLS or the certificate is not good.
    pub async fn secure(
        &self,
        connection: Connection,
        host: &str,
        ca: Option<&str>,
    ) -> Result<Connection, NotSent> {
        let host = host.trim_end_matches('.').trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NotSent::NoSuchHost)?;
        let config = match ca {
            Some(pem) => tls_config(authority(pem)?),
            None => self
                .0
                .tls
                .get_or_init(|| tls_config(usual(&self.0.policy)))
                .clone(),
        };
        let shaken = TlsConnector::from(config).connect(name, connection.stream);
        let stream = timeout(self.0.policy.timeouts.connect, shaken)
            .await
            .map_err(|_| NotSent::Tls)?
            .map_err(|error| handshake_problem(&error).unwrap_or(NotSent::Tls))?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().unwrap_or_default();
        Ok(Connection {
            shown: shown
                .iter()
                .cloned()
                .map(CertificateDer::into_owned)
                .collect(),
            stream: Box::new(stream),
            may_be_plain: connection.may_be_plain,
        })
    }
}

fn tls_config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the library supports its own versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Whom the HTTP client trusts, too.
fn usual(policy: &OutboundPolicy) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let own = policy.roots.iter().cloned().map(CertificateDer::from);
    roots.add_parsable_certificates(own);
    roots
}

/// The authority a person entered, and nobody else.
fn authority(pem: &str) -> Result<RootCertStore, NotSent> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| NotSent::CaUnreadable)?;
        roots.add(certificate).map_err(|_| NotSent::CaUnreadable)?;
    }
    match roots.is_empty() {
        true => Err(NotSent::CaUnreadable),
        false => Ok(roots),
    }
}

/// What a failed handshake says, if it was one: that the certificate is not
/// good, or that the other side speaks no TLS.
pub(super) fn handshake_problem(error: &io::Error) -> Option<NotSent> {
    if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind()) {
        return Some(NotSent::Tls);
    }
    let cause = error.get_ref()?;
    // The HTTP client wraps it twice.
    if let Some(inner) = cause.downcast_ref::<io::Error>() {
        return handshake_problem(inner);
    }
    let rustls::Error::InvalidCertificate(problem) = cause.downcast_ref()? else {
        return Some(NotSent::Tls);
    };
    Some(match problem {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            NotSent::CertificateName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => NotSent::CertificateExpired,
        _ => NotSent::CertificateUntrusted,
    })
}

/// A stream of which only so much is read.
struct Bounded {
    inner: TcpStream,
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
