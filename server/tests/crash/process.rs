//! A hub in a process of its own, and a provider that outlives it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener as StdListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::Router;
use hub::{clock::Clock, store::ConnectionId};
use reqwest::{RequestBuilder, StatusCode, redirect::Policy};
use sandbox::{Client, Rotation, Sandbox, Settings};
use serde_json::{Value, json};
use url::Url;

/// A hub in a process of its own, on a data directory that outlives it.
pub struct Hub {
    directory: PathBuf,
    listen: String,
    /// A PostgreSQL; without one, SQLite in the directory.
    database: Option<String>,
    child: Option<Child>,
    /// Where a disk of its own is mounted.
    disk: Option<PathBuf>,
    /// What the process wrote to its log.
    log: Arc<Mutex<String>>,
    key: String,
    http: reqwest::Client,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop();
        if let Some(disk) = &self.disk {
            let _ = Command::new("umount").arg(disk).status();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Hub {
    pub async fn new(shop_url: &Url) -> Self {
        Self::on(shop_url, None).await
    }

    pub async fn on(shop_url: &Url, database: Option<String>) -> Self {
        let directory =
            std::env::temp_dir().join(format!("linkwell-crash-{}", ConnectionId::new()));
        std::fs::create_dir_all(directory.join("catalog")).unwrap();
        // The sandbox's own entry, with its address written into the file.
        let origin = shop_url.as_str().trim_end_matches('/');
        let entry =
            include_str!("../../hub/catalog/sandbox.toml").replace("{sandbox_origin}", origin);
        let (before, rest) = entry.split_once("[[variable]]").expect("its one variable");
        let (_, after) = rest.split_once("\n[").expect("a table after it");
        let entry = format!("{before}[{after}");
        std::fs::write(directory.join("catalog/crash.toml"), entry).unwrap();
        let port = StdListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut hub = Self {
            directory,
            listen: format!("127.0.0.1:{port}"),
            database,
            child: None,
            disk: None,
            log: Arc::default(),
            key: String::new(),
            http: client(),
        };
        hub.say(
            &[
                "user",
                "create",
                "--tenant",
                "T",
                "--email",
                "a@example.com",
                "--name",
                "A",
            ],
            "a long enough secret",
        );
        hub.key = hub.say(
            &[
                "api-key",
                "create",
                "--tenant",
                "T",
                "--name",
                "k",
                "--scopes",
                "tokens:read,connections:read,connections:write",
            ],
            "",
        );
        hub
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Beyond a limit on the size of files, writing fails; it does not kill.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_linkwell"))
            .args(arguments)
            .envs(self.database.as_ref().map(|url| ("LINKWELL_DATABASE", url)))
            .env("LINKWELL_DATA", &self.directory)
            .env("LINKWELL_LISTEN", &self.listen)
            .env("LINKWELL_CATALOG", self.directory.join("catalog"))
            .env("LINKWELL_OUTBOUND_ALLOW", "127.0.0.1/32")
            .env("LINKWELL_PROVIDER_CRASH_CLIENT_ID", "crash")
            .env("LINKWELL_PROVIDER_CRASH_CLIENT_SECRET", "secret");
        command
    }

    /// Runs a command to its end, and answers what it prints.
    pub fn say(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts the process and waits until it is ready; `dies_at` names a point
    /// at which it kills itself, after others joined by `+` that go wrong.
    pub async fn start(&mut self, dies_at: Option<&str>) {
        let mut command = self.command(&["serve"]);
        if let Some(points) = dies_at {
            let points: Vec<_> = points
                .split('+')
                .map(|point| format!("refresh::{point}=return"))
                .collect();
            command.env("FAILPOINTS", points.join(";"));
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = self.log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        self.child = Some(child);
        self.until("/readyz", |status| status.is_some()).await;
    }

    /// Asks until it answers as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(Option<StatusCode>) -> bool) {
        while !wanted(self.get(path).await.map(|(status, _)| status)) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the process has logged one of these once more.
    pub async fn logs(&self, any: &[&str]) {
        let times = || {
            let log = self.log.lock().unwrap();
            any.iter()
                .map(|what| log.matches(what).count())
                .sum::<usize>()
        };
        let before = times();
        while times() == before {
            tokio::task::yield_now().await;
        }
    }

    pub fn logged(&self, what: &str) -> bool {
        self.log.lock().unwrap().contains(what)
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// It reaches its database by another address from now on.
    pub fn moves_to(&mut self, database: String) {
        self.database = Some(database);
    }

    /// Puts its directory onto a disk of so many bytes; false where nobody may
    /// mount one. To be called while it is stopped.
    pub fn moves_onto_disk_of(&mut self, bytes: u32) -> bool {
        let disk = self.directory.with_extension("disk");
        std::fs::create_dir(&disk).unwrap();
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &size, "linkwell"]);
        if !mount.arg(&disk).status().is_ok_and(|done| done.success()) {
            std::fs::remove_dir(&disk).unwrap();
            return false;
        }
        let mut copy = Command::new("cp");
        let copy = copy.arg("-a").arg(self.directory.join("."));
        assert!(copy.arg(&disk).status().unwrap().success());
        std::fs::remove_dir_all(&self.directory).unwrap();
        self.directory = disk.clone();
        self.disk = Some(disk);
        true
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("a process").id()
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.listen);
        let request = self.http.request(method.parse().unwrap(), url);
        request.bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Option<(StatusCode, Value)> {
        let answer = self.request("GET", path).send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    pub async fn import(&self, tokens: &sandbox::IssuedTokens) -> String {
        let body = json!({ "provider": "crash", "credential": {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            // Its time is over: the first read renews it.
            "expires_at": Clock::system().now(),
        }});
        let request = self.request("POST", "/v1/connections").json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = answer.json().await.unwrap();
        body["id"].as_str().unwrap().to_owned()
    }

    pub fn wait_for_death(&mut self) {
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(!status.success(), "it killed itself");
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is outside the hub")]
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap()
}

/// A provider that rotates so.
pub async fn shop(rotation: Rotation) -> (Sandbox, Url) {
    shop_behind(rotation, |router| router).await
}

/// The same, with something in front of it.
pub async fn shop_behind(
    rotation: Rotation,
    front: impl FnOnce(Router) -> Router,
) -> (Sandbox, Url) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let clock = Clock::system();
    let shop = Sandbox::open(Settings {
        public_url: url.clone(),
        state_file: None,
        clock: Arc::new(move || clock.now()),
    })
    .unwrap();
    shop.register_client(Client {
        id: "crash".into(),
        secret: "secret".into(),
        redirect_uris: vec!["http://127.0.0.1/".into()],
        webhook: None,
    });
    let mut rules = shop.rules();
    rules.rotation = rotation;
    shop.set_rules(rules);
    let router = front(shop.router());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (shop, url)
}
