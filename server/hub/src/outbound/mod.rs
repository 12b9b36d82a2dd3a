//! The one way out: every call that leaves the hub goes through here, be it
//! over HTTP or, to databases and mail servers, over a [`Connection`].
//!
//! It reaches public addresses only, checked at the moment of connecting, so
//! that a name which changes its address between check and use gains nothing.
//! It follows no redirect and keeps no cookie; it reads at most [`MAX_BODY`] and
//! waits at most [`Timeouts::total`]; it sends a request once. A proxy is used
//! only when the operator names one, never because of the environment.

mod connection;
mod guard;
mod names;

use std::{
    collections::{BTreeMap, HashMap},
    error::Error as StdError,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ipnet::IpNet;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    tls::TlsInfo,
};
use rustls::pki_types::CertificateDer;
use url::{Host, Url};

pub use connection::{Connection, MAX_READ};
pub use guard::is_public;
pub use names::Names;

use crate::{
    failure::{Failure, FailureCode},
    secret::Secret,
};
use connection::handshake_problem;
use guard::Guard;
use names::is_no_such_name;

/// The most that is read of any answer, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// What calls may reach and how long they may take.
#[derive(Clone, Debug, Default)]
pub struct OutboundPolicy {
    /// Networks reached although private, also by plain http.
    pub allow: Vec<IpNet>,
    /// The same for single addresses at single ports: the hub's own sandbox.
    pub allow_exact: Vec<SocketAddr>,
    /// An HTTP proxy for calls by https, where a network has no other way out.
    /// What `allow` and `allow_exact` speak of is reached directly all the same.
    /// It resolves the names, so it must refuse private addresses itself; the
    /// hub still refuses those that it can see.
    pub proxy: Option<Url>,
    /// Certificates (DER) trusted besides Mozilla's and the system's.
    pub roots: Vec<Vec<u8>>,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// What looks names up.
    pub names: Names,
}

/// How long calls may take. A refresh lease lasts longer than `total`.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Name resolution, connection and TLS handshake.
    pub connect: Duration,
    /// From the first byte of the request to the last of the answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(20),
        }
    }
}

/// The guarded client. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    policy: OutboundPolicy,
    clients: BTreeMap<Route, (Guard, reqwest::Client)>,
    through_proxy: Option<reqwest::Client>,
    unknown: Mutex<Unknown>,
    /// What connections are encrypted with; made when it is first needed.
    tls: OnceLock<Arc<rustls::ClientConfig>>,
}

/// Names that this machine did not find a moment ago. Where only the proxy can
/// resolve names, looking again would delay every call for nothing.
#[derive(Default)]
struct Unknown(HashMap<String, Instant>);

/// How long a name is believed to be unknown, and how many are remembered.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
const MOST_UNKNOWN: usize = 1_000;

impl Unknown {
    fn holds(&self, host: &str) -> bool {
        self.0
            .get(host)
            .is_some_and(|at| at.elapsed() < UNKNOWN_FOR)
    }

    fn add(&mut self, host: &str) {
        if self.0.len() >= MOST_UNKNOWN {
            self.0.clear();
        }
        self.0.insert(host.to_owned(), Instant::now());
    }
}

/// A resolver is told a name but neither scheme nor port, so every rule that
/// depends on them is a client of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    plain_http: bool,
    /// A port that `allow_exact` speaks of.
    port: Option<u16>,
}

/// One request.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers; `User-Agent` is added.
    pub headers: HeaderMap,
    /// The body; its type is in the headers.
    pub body: Option<Vec<u8>>,
}

/// One answer, complete.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// At most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
    /// The certificate the server showed; none without TLS.
    pub shown: Option<CertificateDer<'static>>,
}

/// Why there is no answer. It names no address and no header, so it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing left this machine.
    #[error("not sent: {0}")]
    NotSent(NotSent),
    /// The request may have been read and acted upon.
    #[error("sent, no answer: {0}")]
    NoAnswer(NoAnswer),
}

/// Why nothing left this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The address is not public and not allowed.
    #[error("address_not_allowed")]
    AddressNotAllowed,
    /// Plain http to an address that is not allowed by name.
    #[error("https_required")]
    HttpsRequired,
    /// Nobody could be asked for the address.
    #[error("dns")]
    Dns,
    /// There is no such name.
    #[error("no_such_host")]
    NoSuchHost,
    /// No connection.
    #[error("connect")]
    Connect,
    /// No TLS session on the connection.
    #[error("tls")]
    Tls,
    /// The certificate belongs to another name.
    #[error("certificate_name")]
    CertificateName,
    /// The certificate has ended, or has not begun.
    #[error("certificate_expired")]
    CertificateExpired,
    /// The certificate comes from an authority that is not trusted.
    #[error("certificate_untrusted")]
    CertificateUntrusted,
    /// What was given as the authority's certificate is none.
    #[error("ca_unreadable")]
    CaUnreadable,
    /// What was given as our own certificate and key is none, or they do not
    /// belong together.
    #[error("client_certificate_unreadable")]
    IdentityUnreadable,
}

/// Why no complete answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It took longer than [`Timeouts::total`].
    #[error("timeout_after_send")]
    Timeout,
    /// The connection ended before the answer did.
    #[error("cut_after_send")]
    Cut,
    /// More than [`MAX_BODY`].
    #[error("answer_too_large")]
    TooLarge,
}

impl SendError {
    /// The failure a person is told of.
    pub fn failure(self) -> Failure {
        let (code, detail) = match self {
            Self::NotSent(
                why @ (NotSent::AddressNotAllowed | NotSent::HttpsRequired | NotSent::CaUnreadable),
            ) => (FailureCode::AccountOrTargetMismatch, why.to_string()),
            Self::NotSent(why @ NotSent::IdentityUnreadable) => {
                (FailureCode::AppConfigInvalid, why.to_string())
            }
            Self::NotSent(why) => (FailureCode::NetworkOrTimeout, why.to_string()),
            Self::NoAnswer(why @ NoAnswer::TooLarge) => {
                (FailureCode::ProviderLimitedOrDown, why.to_string())
            }
            Self::NoAnswer(why) => (FailureCode::NetworkOrTimeout, why.to_string()),
        };
        Failure::inferred(code, detail)
    }
}

/// The TLS library or the platform refused to make a client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct NoClient(#[from] reqwest::Error);

impl Outbound {
    /// Makes the client.
    ///
    /// # Errors
    /// [`NoClient`] when the TLS library cannot start.
    pub fn new(policy: OutboundPolicy) -> Result<Self, NoClient> {
        let mut ports: Vec<_> = policy
            .allow_exact
            .iter()
            .map(|at| Some(at.port()))
            .collect();
        ports.push(None);
        let mut clients = BTreeMap::new();
        for port in ports {
            for plain_http in [false, true] {
                let guard = Guard {
                    allowed_only: plain_http,
                    ..Guard::at_port(&policy, port)
                };
                if plain_http && guard.allow.is_empty() && guard.exact.is_empty() {
                    continue;
                }
                let client = direct(&policy, &guard)?.build()?;
                clients.insert(Route { plain_http, port }, (guard, client));
            }
        }
        let through_proxy = match &policy.proxy {
            Some(proxy) => Some(proxied(&policy, proxy)?.build()?),
            None => None,
        };
        Ok(Self(Arc::new(Inner {
            policy,
            clients,
            through_proxy,
            unknown: Mutex::default(),
            tls: OnceLock::new(),
        })))
    }

    /// How long calls may take.
    pub fn timeouts(&self) -> Timeouts {
        self.0.policy.timeouts
    }

    /// Whether there is a way to speak to such an address at all: by https, or
    /// by plain http where the operator allowed some of it. What the name leads
    /// to is seen when it is connected to.
    pub fn may_speak_to(&self, url: &Url) -> bool {
        self.client(url).is_ok()
    }

    /// Sends a request once and reads the whole answer.
    ///
    /// # Errors
    /// [`SendError`] tells a request that was never sent from one that may have
    /// been acted upon.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        self.send_as(request, None).await
    }

    /// The same, and shows `identity` in the TLS handshake: a private key and
    /// its certificates, as PEM.
    ///
    /// # Errors
    /// As with [`Outbound::send`]; [`NotSent::IdentityUnreadable`].
    pub async fn send_as(
        &self,
        request: Request,
        identity: Option<&Secret>,
    ) -> Result<Answer, SendError> {
        read(self.begin(request, identity).await?).await
    }

    /// Sends a request once and answers how it was taken as soon as that is known.
    /// Whatever the body is, it is not read.
    ///
    /// # Errors
    /// As with [`Outbound::send`].
    pub async fn send_unread(
        &self,
        request: Request,
    ) -> Result<(StatusCode, HeaderMap), SendError> {
        let mut response = self.begin(request, None).await?;
        let headers = std::mem::take(response.headers_mut());
        Ok((response.status(), headers))
    }

    async fn begin(
        &self,
        request: Request,
        identity: Option<&Secret>,
    ) -> Result<reqwest::Response, SendError> {
        let (guard, client) = self.client(&request.url)?;
        // A literal address never meets the resolver.
        let literal = match request.url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if literal.is_some_and(|ip| !guard.admits(ip)) {
            return Err(SendError::NotSent(NotSent::AddressNotAllowed));
        }
        let proxied = match &self.0.through_proxy {
            Some(proxied) if !self.is_near(guard, &request.url).await? => Some(proxied),
            _ => None,
        };
        let own = match identity {
            Some(identity) => Some(self.client_with(identity, guard, proxied.is_some())?),
            None => None,
        };
        let client = own.as_ref().or(proxied).unwrap_or(client);
        let mut builder = client
            .request(request.method, request.url)
            .headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder.send().await.map_err(|error| classify(&error))
    }

    /// A client that shows a certificate of its own. It serves one request: no
    /// other one may travel on a connection that says who we are.
    fn client_with(
        &self,
        identity: &Secret,
        guard: &Guard,
        through_proxy: bool,
    ) -> Result<reqwest::Client, SendError> {
        let unreadable = |_| SendError::NotSent(NotSent::IdentityUnreadable);
        let policy = &self.0.policy;
        let shown = reqwest::Identity::from_pem(identity.expose().as_bytes());
        let shown = shown.map_err(unreadable)?;
        let builder = match &policy.proxy {
            Some(proxy) if through_proxy => proxied(policy, proxy),
            _ => direct(policy, guard),
        };
        let builder = builder.map_err(unreadable)?;
        builder.identity(shown).build().map_err(unreadable)
    }

    /// Whether an address is one that is reached without the proxy. Where only
    /// the proxy can resolve names, this machine finds nothing and lets it.
    async fn is_near(&self, guard: &Guard, url: &Url) -> Result<bool, SendError> {
        if guard.allowed_only {
            return Ok(true);
        }
        let (host, port) = (url.host_str(), url.port_or_known_default());
        // `localhost.` means the same, and not every resolver knows it.
        let host = host.unwrap_or_default().trim_end_matches('.');
        let host = host.trim_matches(['[', ']']);
        let unknown = &self.0.unknown;
        if unknown.lock().is_ok_and(|unknown| unknown.holds(host)) {
            return Ok(false);
        }
        let policy = &self.0.policy;
        let looked_up = policy.names.look_up(host, port.unwrap_or(443));
        let limit = policy.timeouts.connect;
        let Ok(Ok(found)) = tokio::time::timeout(limit, looked_up).await else {
            if let Ok(mut unknown) = unknown.lock() {
                unknown.add(host);
            }
            return Ok(false);
        };
        let admitted = guard.filter(found.into_iter());
        if admitted.is_empty() {
            return Err(SendError::NotSent(NotSent::AddressNotAllowed));
        }
        Ok(admitted.iter().any(|at| guard.names(at.ip())))
    }

    fn client(&self, url: &Url) -> Result<&(Guard, reqwest::Client), SendError> {
        let plain_http = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(SendError::NotSent(NotSent::HttpsRequired)),
        };
        let port = url.port_or_known_default().filter(|port| {
            self.0
                .policy
                .allow_exact
                .iter()
                .any(|at| at.port() == *port)
        });
        self.0
            .clients
            .get(&Route { plain_http, port })
            .ok_or(SendError::NotSent(NotSent::HttpsRequired))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that makes a client"
)]
fn client(policy: &OutboundPolicy) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    // Mozilla's roots travel with the program, because a bare container has
    // none; the system's, if any, are added for companies with their own.
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| root.as_ref())
        .chain(policy.roots.iter().map(Vec::as_slice))
        .map(reqwest::Certificate::from_der)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(reqwest::Client::builder()
        .user_agent(HeaderValue::from_static(concat!(
            "Linkwell/",
            env!("CARGO_PKG_VERSION")
        )))
        .tls_certs_merge(roots)
        .connect_timeout(policy.timeouts.connect)
        .timeout(policy.timeouts.total)
        .tls_info(true)
        .redirect(reqwest::redirect::Policy::none())
        // A code or a rotating token must never be sent twice.
        .retry(reqwest::retry::never()))
}

/// A client for what `guard` admits.
fn direct(
    policy: &OutboundPolicy,
    guard: &Guard,
) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let resolver = Resolver(Arc::new((guard.clone(), policy.names.clone())));
    Ok(client(policy)?.dns_resolver(resolver).no_proxy())
}

fn proxied(policy: &OutboundPolicy, proxy: &Url) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    Ok(client(policy)?.proxy(reqwest::Proxy::https(proxy.clone())?))
}

/// Looks names up and keeps only what the guard admits.
struct Resolver(Arc<(Guard, Names)>);

/// A name had addresses, all of them forbidden.
#[derive(Debug, thiserror::Error)]
#[error("no address of this name may be reached")]
struct Forbidden;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let parts = self.0.clone();
        Box::pin(async move {
            let (guard, names) = &*parts;
            let found = names.look_up(name.as_str(), 0).await?;
            let admitted = guard.filter(found.into_iter());
            if admitted.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

fn classify(error: &reqwest::Error) -> SendError {
    let causes = || {
        std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| {
            (*cause).source()
        })
    };
    if causes().any(|cause| cause.is::<Forbidden>()) {
        SendError::NotSent(NotSent::AddressNotAllowed)
    } else if error.is_dns() {
        let mut causes = causes().filter_map(|cause| cause.downcast_ref());
        SendError::NotSent(match causes.any(is_no_such_name) {
            true => NotSent::NoSuchHost,
            false => NotSent::Dns,
        })
    } else if error.is_connect() {
        let mut causes = causes().filter_map(|cause| cause.downcast_ref());
        let handshake = causes.find_map(handshake_problem);
        SendError::NotSent(handshake.unwrap_or(NotSent::Connect))
    } else if error.is_builder() {
        SendError::NotSent(NotSent::Connect)
    } else if error.is_timeout() {
        SendError::NoAnswer(NoAnswer::Timeout)
    } else {
        SendError::NoAnswer(NoAnswer::Cut)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Answer, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(SendError::NoAnswer(NoAnswer::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    let shown = response.extensions().get::<TlsInfo>();
    let shown = shown.and_then(TlsInfo::peer_certificate);
    Ok(Answer {
        status: response.status(),
        shown: shown.map(|der| CertificateDer::from(der).into_owned()),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}
