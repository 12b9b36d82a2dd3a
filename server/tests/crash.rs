//! Row 56: kill the process at every step of a refresh and start it again.
//!
//! Real processes, a real SQLite file, and the sandbox as a provider that
//! rotates: with grace everything recovers; without, only the one window that
//! nobody can close, between the provider's rotation and our first write, and
//! that one is reported.

use std::{
    io::Write,
    net::TcpListener as StdListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use hub::{clock::Clock, store::ConnectionId};
use reqwest::{StatusCode, redirect::Policy};
use sandbox::{ACCOUNTS, Client, Grace, Rotation, Sandbox, Scope, Settings};
use serde_json::{Value, json};
use url::Url;

/// A hub in a process of its own, on a data directory that outlives it.
struct Hub {
    directory: PathBuf,
    listen: String,
    child: Option<Child>,
    key: String,
    http: reqwest::Client,
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Hub {
    async fn new(shop_url: &Url) -> Self {
        let directory =
            std::env::temp_dir().join(format!("linkwell-crash-{}", ConnectionId::new()));
        std::fs::create_dir_all(directory.join("catalog")).unwrap();
        // The sandbox's own entry, with its address written into the file.
        let origin = shop_url.as_str().trim_end_matches('/');
        let entry = include_str!("../hub/catalog/sandbox.toml").replace("{sandbox_origin}", origin);
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
            child: None,
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
                "tokens:read,connections:write",
            ],
            "",
        );
        hub
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_linkwell"));
        command
            .args(arguments)
            .env("LINKWELL_DATA", &self.directory)
            .env("LINKWELL_LISTEN", &self.listen)
            .env("LINKWELL_CATALOG", self.directory.join("catalog"))
            .env("LINKWELL_OUTBOUND_ALLOW", "127.0.0.1/32")
            .env("LINKWELL_PROVIDER_CRASH_CLIENT_ID", "crash")
            .env("LINKWELL_PROVIDER_CRASH_CLIENT_SECRET", "secret");
        command
    }

    fn say(&self, arguments: &[&str], input: &str) -> String {
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
    async fn start(&mut self, dies_at: Option<&str>) {
        let mut command = self.command(&["serve"]);
        if let Some(points) = dies_at {
            let points: Vec<_> = points
                .split('+')
                .map(|point| format!("refresh::{point}=return"))
                .collect();
            command.env("FAILPOINTS", points.join(";"));
        }
        self.child = Some(command.stderr(Stdio::null()).spawn().unwrap());
        while self.get("/readyz").await.is_none() {
            tokio::task::yield_now().await;
        }
    }

    async fn get(&self, path: &str) -> Option<(StatusCode, Value)> {
        let answer = self
            .http
            .get(format!("http://{}{path}", self.listen))
            .bearer_auth(&self.key)
            .send()
            .await
            .ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    async fn import(&self, tokens: &sandbox::IssuedTokens) -> String {
        let body = json!({ "provider": "crash", "credential": {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            // Its time is over: the first read renews it.
            "expires_at": Clock::system().now(),
        }});
        let answer = self
            .http
            .post(format!("http://{}/v1/connections", self.listen))
            .bearer_auth(&self.key)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = answer.json().await.unwrap();
        body["id"].as_str().unwrap().to_owned()
    }

    fn wait_for_death(&mut self) {
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

async fn shop(rotation: Rotation) -> (Sandbox, Url) {
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
    let router = shop.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (shop, url)
}

/// Kills the hub at `point` of a refresh, starts it again, and reads the token.
async fn crash_at(point: &str, rotation: Rotation) -> (StatusCode, Value, Sandbox) {
    let (shop, url) = shop(rotation).await;
    let mut hub = Hub::new(&url).await;
    hub.start(Some(point)).await;
    let tokens = shop.grant("crash", ACCOUNTS[0].id, &Scope::ALL).unwrap();
    let id = hub.import(&tokens).await;
    let path = format!("/v1/connections/{id}/token");
    assert!(
        hub.get(&path).await.is_none(),
        "{point}: it died before it answered"
    );
    hub.wait_for_death();
    hub.start(None).await;
    let (status, body) = hub.get(&path).await.expect("an answer");
    (status, body, shop)
}

/// Every step at which a process can die, and whether the provider has rotated
/// by then while nothing of ours holds the new token.
const POINTS: [(&str, bool); 6] = [
    ("before_intent", false),
    ("after_intent", false),
    ("after_answer", true),
    ("after_seal", true),
    // The database could not take the answer, so it went to the spool.
    ("commit_fails+after_spool", false),
    ("after_commit", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn with_grace_every_crash_recovers() {
    for grace in [Grace::Seconds(60), Grace::UntilReplacementUsed] {
        for (point, _) in POINTS {
            let rotation = Rotation::On {
                grace,
                reuse_detection: true,
            };
            let (status, body, shop) = crash_at(point, rotation).await;
            assert_eq!(status, StatusCode::OK, "{point} {grace:?}: {body}");
            assert_eq!(shop.calls().families_revoked, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grace_only_the_unavoidable_crash_loses_and_says_so() {
    for (point, lost) in POINTS {
        let (status, body, _) = crash_at(point, Rotation::STRICT).await;
        if lost {
            assert_eq!(status, StatusCode::CONFLICT, "{point}: {body}");
            assert_eq!(body["code"], "GRANT_REVOKED_OR_EXPIRED");
            assert_eq!(body["failure_detail"], "lost_rotation");
        } else {
            assert_eq!(status, StatusCode::OK, "{point}: {body}");
        }
    }
}
