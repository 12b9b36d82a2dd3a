//! A shop on a real socket, and an app that talks to it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use sandbox::{Client, IssuedTokens, Rotation, Rules, Sandbox, Scope, Settings, Webhook};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use url::Url;

pub const CLIENT: &str = "my-app";
pub const SECRET: &str = "a secret: with & and =";
pub const CALLBACK: &str = "http://localhost:3000/callback?from=shop";
pub const VERIFIER: &str = "a-verifier-of-sufficient-length-0123456789-abcdef";

/// The shop under test, its address and its time.
pub struct Shop {
    pub sandbox: Sandbox,
    pub url: String,
    pub http: reqwest::Client,
    now: Arc<Mutex<DateTime<Utc>>>,
}

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

pub fn client(webhook: Option<Webhook>) -> Client {
    Client {
        id: CLIENT.into(),
        secret: SECRET.into(),
        redirect_uris: vec![CALLBACK.into()],
        webhook,
    }
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with(None).await
    }

    pub async fn open_with(state_file: Option<PathBuf>) -> Self {
        let now = Arc::new(Mutex::new("2030-05-01T12:00:00Z".parse().unwrap()));
        let clock = now.clone();
        let sandbox = Sandbox::open(Settings {
            public_url: "http://localhost".parse().unwrap(),
            state_file,
            clock: Arc::new(move || *clock.lock().unwrap()),
        })
        .unwrap();
        sandbox.register_client(client(None));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        sandbox.set_public_url(url.parse().unwrap());
        tokio::spawn(axum::serve(listener, sandbox.router()).into_future());
        Self {
            sandbox,
            url,
            http: http_client(),
            now,
        }
    }

    pub fn pass(&self, seconds: i64) {
        *self.now.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    pub fn rotate(&self, rotation: Rotation) {
        self.sandbox.set_rules(Rules {
            rotation,
            ..self.sandbox.rules()
        });
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A form post to one of the client's endpoints, with the secret in the body.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut all = vec![("client_id", CLIENT), ("client_secret", SECRET)];
        all.extend_from_slice(fields);
        self.request(Method::POST, path).form(&all)
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.form(path, fields).send().await.unwrap()).await
    }

    pub fn authorize_path(&self, changes: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let mut pairs = vec![
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("state", "st&te"),
            ("scope", "shop.read orders.read orders.write"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            pairs.retain(|(known, _)| known != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        format!("/oauth/authorize?{query}")
    }

    pub async fn ask(&self, changes: &[(&str, &str)]) -> Response {
        self.get(&self.authorize_path(changes)).await
    }

    pub async fn decide(&self, changes: &[(&str, &str)], decision: &[(&str, &str)]) -> Response {
        self.request(Method::POST, &self.authorize_path(changes))
            .form(decision)
            .send()
            .await
            .unwrap()
    }

    /// Approves everything as Maple & Co. and returns the code.
    pub async fn code(&self) -> String {
        let all = [
            ("decision", "approve"),
            ("account", "acc_maple"),
            ("scope", "shop.read"),
            ("scope", "orders.read"),
            ("scope", "orders.write"),
        ];
        sent_back(&self.decide(&[], &all).await)
            .remove("code")
            .expect("a code")
    }

    pub async fn exchange(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &fields).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post(
            "/oauth/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await
    }

    pub fn tokens(&self) -> IssuedTokens {
        self.sandbox
            .grant(CLIENT, "acc_maple", &Scope::ALL)
            .unwrap()
    }

    pub async fn api(&self, method: Method, path: &str, token: &str) -> Answer {
        Answer::of(
            self.request(method, path)
                .bearer_auth(token)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub async fn lives(&self, token: &str) -> bool {
        self.api(Method::GET, "/api/me", token).await.status == StatusCode::OK
    }
}

/// Status, headers and JSON (null if the body is none).
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// A string in the body.
    pub fn text(&self, name: &str) -> &str {
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn is_refused(&self, error: &str) -> bool {
        self.status.is_client_error() && self.body["error"] == error
    }
}

/// The parameters of a redirect to the app.
pub fn sent_back(response: &Response) -> std::collections::BTreeMap<String, String> {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    assert!(location.starts_with(&format!("{CALLBACK}&")), "{location}");
    Url::parse(location)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests play the browser and the app"
)]
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
