//! A PostgreSQL that a test may stop.

use std::{
    env, fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use hub::secret::Secret;

/// `nobody` on every Linux distribution. PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// Its data outlives its stops.
pub struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A running one; none where its programs are not to be had, which
    /// `cargo xtask test` brings and demands.
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
    pub fn new() -> Option<Self> {
        let Ok(programs) = env::var("LINKWELL_TEST_SERVICES") else {
            eprintln!("not tested: no PostgreSQL (`cargo xtask test --only services` brings it)");
            return None;
        };
        let random = Secret::random(9);
        let directory = env::temp_dir().join(format!("linkwell-outage-{}", random.expose()));
        fs::create_dir(&directory).unwrap();
        if is_root() {
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut postgres = Self {
            programs: programs.into(),
            directory,
            port: port.local_addr().unwrap().port(),
            server: None,
        };
        drop(port);
        let made = postgres
            .program("initdb")
            .arg("--pgdata")
            .arg(postgres.data())
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync"])
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        postgres.alone("CREATE ROLE linkwell LOGIN\nCREATE DATABASE linkwell OWNER linkwell\n");
        postgres.start(&[]);
        Some(postgres)
    }

    /// Where it is, for the role a hub should have.
    pub fn url(&self) -> String {
        self.url_of("linkwell")
    }

    pub fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/linkwell", self.port)
    }

    /// Starts it, and answers when it takes connections.
    pub fn start(&mut self, settings: &[&str]) {
        let port = self.port.to_string();
        let mut server = self.program("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(["-c", "unix_socket_directories="])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(server.spawn().unwrap());
        let file = self.data().join("postmaster.pid");
        let is_ready = || {
            let status = fs::read_to_string(&file).unwrap_or_default();
            status.lines().last().map(str::trim) == Some("ready")
        };
        while !is_ready() {
            std::thread::yield_now();
        }
    }

    /// Stops it as a power cut does: nothing is written any more, and every
    /// connection is gone.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let id = server.id().to_string();
            let asked = Command::new("kill").args(["-QUIT", &id]).status();
            assert!(asked.unwrap().success());
            server.wait().unwrap();
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Runs statements without a server.
    fn alone(&self, statements: &str) {
        let mut alone = self.program("postgres");
        alone
            .args(["--single", "-D"])
            .arg(self.data())
            .arg("postgres")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut alone = alone.spawn().unwrap();
        let mut input = alone.stdin.take().unwrap();
        input.write_all(statements.as_bytes()).unwrap();
        drop(input);
        assert!(alone.wait().unwrap().success());
    }

    /// One of its programs, that is not root and ends with the test.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL");
        if is_root() {
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        command.arg(self.programs.join(name));
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn is_root() -> bool {
    fs::metadata(Path::new("/proc/self")).is_ok_and(|process| process.uid() == 0)
}
