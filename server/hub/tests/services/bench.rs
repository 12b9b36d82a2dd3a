//! The engine, certificates, scripted peers and real servers on one bench.

use std::{
    env, fs,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use hub::{
    catalog::{Catalog, Variables},
    clock::Clock,
    dialect::{Dialect, Entered, Outcome, Sample, Trial},
    failure::Failure,
    outbound::{Names, Outbound, OutboundPolicy, Timeouts},
    secret::Secret,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};

/// The name that every scripted and real server is called by.
pub(crate) const HOST: &str = "db.example.com";

pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(2),
        total: Duration::from_secs(5),
    }
}

/// `db.example.com` and whatever else ends so leads to this machine; nothing
/// that ends in `.invalid` exists.
pub(crate) fn names() -> Names {
    Names::of(|host, port| {
        Box::pin(async move {
            if host.ends_with(".example.com") {
                return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
            }
            if host.ends_with(".invalid") {
                return Err(io::Error::other("Name or service not known"));
            }
            let found = tokio::net::lookup_host((host.as_str(), port)).await?;
            Ok(found.collect())
        })
    })
}

/// An engine that may reach `allowed`.
pub(crate) fn dialect(allowed: &[SocketAddr]) -> Dialect {
    dialect_with(OutboundPolicy {
        allow_exact: allowed.to_vec(),
        timeouts: timeouts(),
        names: names(),
        ..OutboundPolicy::default()
    })
}

pub(crate) fn dialect_with(policy: OutboundPolicy) -> Dialect {
    let clock = Clock::manual("2026-11-20T10:00:00Z".parse().unwrap());
    Dialect::new(Outbound::new(policy).unwrap(), clock)
}

/// What is entered for a server at `address`, and `further` on top of it.
pub(crate) fn fields(address: SocketAddr, further: &[(&str, &str)]) -> Entered {
    let port = address.port().to_string();
    let usual = [
        ("host", HOST),
        ("port", &port),
        ("database", "shop"),
        ("user", "linkwell"),
        ("password", "correct-horse-7-battery"),
    ];
    // A later value takes the place of an earlier one.
    let all = usual.iter().chain(further);
    Entered::new(all.map(|(name, value)| ((*name).to_owned(), Secret::new(*value))))
}

/// Reading every provider file takes a while: once is enough.
fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::embedded().unwrap())
}

pub(crate) async fn try_out(dialect: &Dialect, provider: &str, entered: &Entered) -> Trial {
    let provider = catalog().get(provider).unwrap();
    let none = Variables::new();
    dialect
        .try_out(provider, &none, &none, entered, &|_| {})
        .await
}

pub(crate) async fn sample(
    dialect: &Dialect,
    provider: &str,
    entered: &Entered,
    table: Option<&str>,
) -> Result<Sample, Failure> {
    let provider = catalog().get(provider).unwrap();
    let (none, access) = (Variables::new(), entered.to_stored());
    dialect.sample(provider, &none, &none, &access, table).await
}

/// A trial in words: `reach, encryption, sign_in: CREDENTIALS_REJECTED 28P01`.
/// What was not needed stands in brackets.
pub(crate) fn told(trial: &Trial) -> String {
    let mut told = Vec::new();
    for tried in &trial.steps {
        let step = tried.step.as_str();
        told.push(match &tried.outcome {
            Outcome::Passed { .. } => step.to_owned(),
            Outcome::NotNeeded => format!("({step})"),
            Outcome::NotReached => continue,
            Outcome::Failed(failure) => {
                format!("{step}: {} {}", failure.code.as_str(), failure.detail)
            }
        });
    }
    told.join(", ")
}

pub(crate) fn notes(trial: &Trial) -> Vec<&str> {
    let notes = trial.steps.iter().filter_map(|tried| match &tried.outcome {
        Outcome::Passed { note } => note.as_deref(),
        _ => None,
    });
    notes.collect()
}

/// An authority of its own.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and key, PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    pub(crate) fn certify(&self, name: &str) -> Certified {
        self.certify_until(name, 4096)
    }

    pub(crate) fn certify_until(&self, name: &str, year: i32) -> Certified {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        Certified { certificate, key }
    }
}

impl Certified {
    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Arc::new(config).into()
    }
}

/// A server that does with every connection what its script says.
pub(crate) async fn peer<F>(script: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    address
}

/// Whether real servers can be had: `cargo xtask test` demands them.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|name| find(name).is_none());
    let Some(missing) = missing else {
        return true;
    };
    let demanded = env_var("LINKWELL_TEST_SERVICES").is_some();
    assert!(!demanded, "{missing} was not found");
    eprintln!("not tested: {missing} was not found (`cargo xtask test --only services` brings it)");
    false
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn env_var(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn find(program: &str) -> Option<PathBuf> {
    let own = env_var("LINKWELL_TEST_SERVICES").unwrap_or_default();
    let path = env_var("PATH").unwrap_or_default();
    // Debian keeps servers where only root looks.
    let all = format!("{own}:{path}:/usr/sbin");
    env::split_paths(&all)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

/// A directory that is removed, and that an unprivileged server may use.
pub(crate) struct Directory(pub(crate) PathBuf);

/// `nobody` on every Linux distribution.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

impl Directory {
    pub(crate) fn new() -> Self {
        let random = Secret::random(9);
        let path = env::temp_dir().join(format!("linkwell-services-{}", random.expose()));
        fs::create_dir(&path).unwrap();
        let directory = Self(path);
        directory.hand_over(&directory.0);
        directory
    }

    /// A file that only the server may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.hand_over(&path);
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn hand_over(&self, path: &Path) {
        if is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that is not root, and that ends when its test does.
pub(crate) fn unprivileged(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg(find(program).unwrap());
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, input: &str) {
    use std::io::Write;
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// A running server. It ends before its directory is removed.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) directory: Directory,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts what `command` makes of a free port, and waits until it listens.
    pub(crate) async fn start(directory: Directory, command: impl Fn(u16) -> Command) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let log = fs::File::create(directory.path("log")).unwrap();
        let process = command(port)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            process,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            directory,
        };
        let started = Instant::now();
        while TcpStream::connect(server.address).await.is_err() {
            let has_ended = server.process.try_wait().unwrap().is_some();
            if has_ended || started.elapsed() > Duration::from_secs(60) {
                let log = fs::read_to_string(server.directory.path("log")).unwrap_or_default();
                panic!("the server did not start:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }
}
