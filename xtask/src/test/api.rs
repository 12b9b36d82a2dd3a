//! The API as it describes itself, against the running program: schemathesis
//! sends what the description allows and what it does not, and no answer may be
//! a failure of ours or anything that is not described.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    tools,
    workspace::{Workspace, output, run},
};

const START_WITHIN: Duration = Duration::from_secs(20);
/// What a fault of ours looks like in the log.
const FAULTS: [&str; 2] = [" ERROR ", "panicked"];

/// Runs all of it.
pub fn check(workspace: &Workspace) -> Result<()> {
    let programs = tools::python_packages(workspace, "schemathesis")?;
    let hub = Hub::start(workspace)?;
    let key = hub.key()?;
    let settings = workspace
        .root
        .join("xtask/python/schemathesis/schemathesis.toml");
    let tested = run(Command::new(programs.join("st"))
        .args(["--no-color", "--config-file"])
        .arg(settings)
        .arg("run")
        .arg(format!("{}/v1/openapi.json", hub.origin))
        .current_dir(&hub.directory)
        .env("LINKWELL_API", &hub.origin)
        .env("LINKWELL_API_KEY", key));
    let log = fs::read_to_string(&hub.log)?;
    let faults = log
        .lines()
        .filter(|line| FAULTS.iter().any(|fault| line.contains(fault)));
    let faults: Vec<&str> = faults.collect();
    if !faults.is_empty() {
        bail!("the hub logged faults of its own:\n{}", faults.join("\n"));
    }
    tested
}

/// A hub that nobody else uses; it ends with this value.
struct Hub {
    program: PathBuf,
    directory: PathBuf,
    log: PathBuf,
    origin: String,
    process: Child,
}

impl Hub {
    fn start(workspace: &Workspace) -> Result<Self> {
        let directory = workspace.target.join("api-test");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let log = directory.join("hub.log");
        let (address, sandbox) = (free_address()?, free_address()?);
        let program = workspace.binary("debug");
        let process = with_data(&program, &directory)
            .args(["serve", "--sandbox", "--listen", &address])
            .args(["--sandbox-listen", &sandbox])
            .env("LINKWELL_RATE_LIMIT", "1000000")
            // Nothing leaves this machine: nobody listens there.
            .env("LINKWELL_OUTBOUND_PROXY", "http://127.0.0.1:9")
            .stdout(fs::File::create(&log)?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} did not start", program.display()))?;
        let hub = Self {
            program,
            directory,
            log,
            origin: format!("http://{address}"),
            process,
        };
        let started = Instant::now();
        let is_ready = || {
            let asked = Command::new(&hub.program)
                .args(["healthcheck", "--listen", &address])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            asked.is_ok_and(|status| status.success())
        };
        while !is_ready() {
            if started.elapsed() > START_WITHIN {
                bail!("the hub did not start: see {}", hub.log.display());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(hub)
    }

    /// A key that may do everything.
    fn key(&self) -> Result<String> {
        let password = self.directory.join("password");
        fs::write(&password, "a long enough secret")?;
        run(with_data(&self.program, &self.directory)
            .args(["user", "create", "--tenant=Test", "--name=Test"])
            .arg("--email=test@example.com")
            .stdin(fs::File::open(password)?))?;
        let scopes = "--scopes=connections:read,connections:write,tokens:read,catalog:read";
        let key = output(
            with_data(&self.program, &self.directory)
                .args(["api-key", "create", "--tenant=Test", "--name=test", scopes])
                .arg("--return-origins=https://app.example.com"),
        )?;
        Ok(key.trim().to_owned())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn with_data(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("LINKWELL_DATA", directory.join("data"))
        .env("NO_COLOR", "1");
    command
}

fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
