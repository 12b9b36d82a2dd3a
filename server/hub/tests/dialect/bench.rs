//! The counterpart and the engine on one bench.

use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode, Uri};
use hub::{
    catalog::{Catalog, Origin, Provider, Variable, Variables},
    clock::Clock,
    dialect::{
        AuthorizeAsk, CallbackGrant, Dialect, DialectError, Entered, Grant, ProviderApp,
        RefreshAnswer,
    },
    failure::Failure,
    outbound::{Outbound, OutboundPolicy},
    secret::Secret,
};

use crate::example::example;

/// A request as the peer saw it.
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Variables,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn form(&self) -> Variables {
        url::form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect()
    }

    /// The parameters, however they travel.
    pub(crate) fn params(&self) -> Variables {
        match self.header("content-type") {
            "application/json" => serde_json::from_str(&self.body).unwrap(),
            "application/x-www-form-urlencoded" => self.form(),
            _ => self.query.clone(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<(VecDeque<Response>, Vec<Seen>)>>);

/// A peer, an engine that may reach it, and a clock that stands still.
pub(crate) struct Bench {
    script: Script,
    pub(crate) address: SocketAddr,
    pub(crate) dialect: Dialect,
    pub(crate) clock: Clock,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_at("2026-11-20T10:00:00Z").await
    }

    /// One whose engine may reach what `policy` says, and no peer.
    pub(crate) async fn start_with(policy: OutboundPolicy) -> Self {
        let bench = Self::start().await;
        let outbound = Outbound::new(policy).unwrap();
        Self {
            dialect: Dialect::new(outbound, bench.clock.clone()),
            ..bench
        }
    }

    /// One whose clock stands at `now`.
    pub(crate) async fn start_at(now: &str) -> Self {
        let script = Script::default();
        let app = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let clock = Clock::manual(now.parse().unwrap());
        let outbound = Outbound::new(OutboundPolicy {
            allow_exact: vec![address],
            ..OutboundPolicy::default()
        });
        Self {
            dialect: Dialect::new(outbound.unwrap(), clock.clone()),
            script,
            address,
            clock,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn will_answer(&self, answer: impl IntoResponse) {
        self.script
            .0
            .lock()
            .unwrap()
            .0
            .push_back(answer.into_response());
    }

    /// Takes back answers nobody asked for.
    pub(crate) fn forget_answers(&self) {
        self.script.0.lock().unwrap().0.clear();
    }

    /// The requests since the last look.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.script.0.lock().unwrap().1)
    }

    /// An embedded entry with its hosts led to the peer: everything else in it
    /// is tested as it is shipped.
    pub(crate) fn entry(&self, id: &str, hosts: &[&str]) -> Catalog {
        let file = format!("{}/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = fs::read_to_string(file).unwrap();
        for host in hosts {
            text = text.replace(&format!("\nurl = \"https://{host}"), "\nurl = \"{peer}");
        }
        self.catalog(id, &text)
    }

    /// Every shipped entry, its calls led to the peer.
    pub(crate) fn shipped(&self) -> Catalog {
        static LED: OnceLock<Catalog> = OnceLock::new();
        let led = LED.get_or_init(|| {
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog");
            let files = fs::read_dir(directory)
                .unwrap()
                .map(|file| file.unwrap().path());
            let files = files.filter(|file| file.extension().is_some_and(|end| end == "toml"));
            let texts = files.map(|file| {
                let text = fs::read_to_string(&file).unwrap();
                let id = file.file_stem().unwrap().to_str().unwrap().to_owned();
                (id, text.lines().map(led).collect::<String>())
            });
            read(&texts.collect::<Vec<_>>())
        });
        led.clone()
            .with_global("peer", &format!("http://{}", self.address))
    }

    /// A value for everything a provider wants to know, hosts being the peer.
    pub(crate) fn values(&self, provider: &Provider) -> Variables {
        let value = |variable: &Variable| {
            let is_address = |text: &str| variable.accept(format!("https://{text}")).is_ok();
            let default = variable.default.as_deref().unwrap_or_default();
            let names_host = default.starts_with("https://")
                || [
                    "accounts.zoho.com",
                    "www.zohoapis.com",
                    "my.my.salesforce.com",
                    "acme.pipedrive.com",
                    "eu.docusign.net",
                ]
                .into_iter()
                .any(is_address);
            if names_host {
                return format!("http://{}", self.address);
            }
            let guesses = [
                default,
                &variable.placeholder,
                "1",
                "12345",
                "abc",
                "act_1",
                "acct_1",
                "app.hubspot.com",
                "us21",
                "eu",
                "app-eu2.wrike.com",
                "ABCDEFGHIJKL1",
                "11111111-2222-3333-4444-555555555555",
            ];
            let fits = |guess: &&str| !guess.is_empty() && variable.accept((*guess).into()).is_ok();
            let guess = guesses.into_iter().find(fits);
            guess
                .unwrap_or_else(|| panic!("{}: no value for {}", provider.id, variable.name))
                .to_owned()
        };
        let wanted = provider
            .variables
            .iter()
            .filter(|variable| variable.from != Origin::Hub);
        let mut values: Variables = wanted
            .map(|variable| (variable.name.clone(), value(variable)))
            .collect();
        values.insert("client_id".into(), "client:1".into());
        values.insert("redirect_uri".into(), "https://hub.example/cb".into());
        values
    }

    /// A made-up entry: `extra` is put behind the tables every entry needs.
    pub(crate) fn made_up(&self, extra: &str) -> Catalog {
        let mut text = String::from(MADE_UP);
        if !extra.contains("[oauth.authorize]") {
            text.push_str(
                "[oauth.authorize]\nurl = \"{peer}/authorize\"\nincremental = \"merge\"\nno_scopes = \"none\"\n",
            );
        }
        if !extra.contains("[oauth.token]") {
            text.push_str("[oauth.token]\nurl = \"{peer}/token\"\nclient_auth = \"basic\"\n");
        }
        if !extra.contains("[oauth.refresh]") {
            text.push_str("[oauth.refresh]\nmode = \"refresh_token\"\ntoken_lifetime = \"unknown\"\nrefresh_lifetime = \"unknown\"\n");
        }
        if !extra.contains("[identity.call]") {
            text.push_str("[identity]\nid = [\"answer:/id\"]\nlabel = [\"answer:/name\"]\n[identity.call]\nurl = \"{peer}/me\"\n");
        }
        self.catalog("made-up", &(text + extra))
    }

    fn catalog(&self, id: &str, text: &str) -> Catalog {
        let catalog = read(&[(id.to_owned(), text.to_owned())]);
        catalog.with_global("peer", &format!("http://{}", self.address))
    }

    pub(crate) async fn exchange(&self, catalog: &Catalog, id: &str) -> Result<Grant, Failure> {
        let callback = CallbackGrant {
            code: Secret::new("the-code"),
            state: None,
            variables: Variables::new(),
            account_hint: None,
            granted_scopes: None,
        };
        let provider = catalog.get(id).unwrap();
        let variables = variables(&[("shop", "my-store")]);
        let verifier = Secret::new("the-verifier");
        let back = "https://hub.example/cb";
        self.dialect
            .exchange(
                provider,
                &app(),
                &variables,
                &callback,
                Some(&verifier),
                back,
            )
            .await
    }

    /// The exchange of a code, with a value for everything the entry asks for.
    pub(crate) async fn trade(&self, catalog: &Catalog, id: &str) -> Result<Grant, Failure> {
        let provider = catalog.get(id).unwrap();
        let values = self.values(provider);
        let callback = CallbackGrant {
            code: Secret::new("the-code"),
            state: Some(Secret::new("the-state")),
            variables: Variables::new(),
            account_hint: None,
            granted_scopes: None,
        };
        let app = ProviderApp {
            settings: values.clone(),
            ..app()
        };
        let back = &values["redirect_uri"];
        self.dialect
            .exchange(provider, &app, &values, &callback, None, back)
            .await
    }

    /// A refresh, likewise.
    pub(crate) async fn renew(&self, catalog: &Catalog, id: &str) -> RefreshAnswer {
        let provider = catalog.get(id).unwrap();
        let values = self.values(provider);
        let presented = Secret::new("old-refresh-token");
        let app = ProviderApp {
            settings: values.clone(),
            ..app()
        };
        self.dialect
            .refresh(provider, &app, &values, &presented)
            .await
    }

    pub(crate) async fn refresh(&self, catalog: &Catalog, id: &str) -> RefreshAnswer {
        let provider = catalog.get(id).unwrap();
        let variables = variables(&[("shop", "my-store"), ("realmId", "42")]);
        let presented = Secret::new("old-refresh-token");
        self.dialect
            .refresh(provider, &app(), &variables, &presented)
            .await
    }
}

/// The shipped entries.
pub(crate) fn shipped() -> Catalog {
    let catalog = Catalog::embedded().unwrap_or_else(|problems| panic!("{}", problems[0]));
    catalog.with_global("sandbox_origin", "http://localhost:3001")
}

/// An engine that is asked for addresses only.
pub(crate) fn dialect() -> Dialect {
    let clock = Clock::manual("2026-11-20T10:00:00Z".parse().unwrap());
    Dialect::new(Outbound::new(OutboundPolicy::default()).unwrap(), clock)
}

/// Our callback, the state and the verifier of [`Leaving`].
pub(crate) const BACK: &str = "https://hub.example/oauth/callback/app";
pub(crate) const STATE: &str = "the-state-of-this-flow";
/// With its challenge, from RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Somebody leaves for a provider. What is not said is answered as the entry's
/// own examples answer it.
#[derive(Default)]
pub(crate) struct Leaving<'a> {
    pub(crate) values: &'a [(&'a str, &'a str)],
    pub(crate) scopes: Option<&'a [&'a str]>,
    pub(crate) reconsent: bool,
    pub(crate) without_verifier: bool,
}

impl Leaving<'_> {
    pub(crate) fn to(&self, catalog: &Catalog, id: &str) -> Result<url::Url, DialectError> {
        let provider = catalog.get(id).unwrap_or_else(|| panic!("{id} is offered"));
        let scopes = match self.scopes {
            Some(scopes) => scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            None => provider.default_scopes(),
        };
        let answer = |question: &hub::catalog::Variable| {
            let said = self.values.iter().find(|(name, _)| *name == question.name);
            let value = said.map_or_else(|| example(question), |(_, value)| (*value).to_owned());
            (question.name.clone(), value)
        };
        let app = ProviderApp {
            settings: provider.settings().map(answer).collect(),
            ..app()
        };
        let verifier = Secret::new(VERIFIER);
        dialect().authorize_url(
            provider,
            &app,
            &AuthorizeAsk {
                redirect_uri: BACK,
                state: &Secret::new(STATE),
                verifier: (!self.without_verifier).then_some(&verifier),
                scopes: &scopes,
                variables: &provider.questions().map(answer).collect(),
                login_hint: None,
                reconsent: self.reconsent,
                locale: None,
            },
        )
    }
}

/// Where a shipped entry sends people.
pub(crate) fn sent_to(id: &str) -> url::Url {
    Leaving::default().to(&shipped(), id).unwrap()
}

/// The parameters of an address.
pub(crate) fn query(url: &url::Url) -> Variables {
    url.query_pairs().into_owned().collect()
}

/// A line of a file with its call led to the peer.
fn led(line: &str) -> String {
    let call = line.strip_prefix("url = \"https://");
    let led = call.map(|call| {
        let end = call.find(['/', '?', '"']).unwrap();
        format!("url = \"{{peer}}{}", &call[end..])
    });
    led.unwrap_or_else(|| line.to_owned()) + "\n"
}

/// The shipped catalog with these files, which may name the peer.
fn read(files: &[(String, String)]) -> Catalog {
    const PEER: &str = "\n[[variable]]\nname = \"peer\"\nfrom = \"hub\"\npattern = '.+'\n";
    static EMBEDDED: OnceLock<Catalog> = OnceLock::new();
    let directory = std::env::temp_dir().join(format!("dialect-{}", Secret::random(9).expose()));
    fs::create_dir(&directory).unwrap();
    for (id, text) in files {
        // A product knows what the app it shares declares.
        let shares = |(app, _): &(String, String)| text.contains(&format!("\napp = \"{app}\""));
        let peer = match files.iter().any(shares) {
            true => "",
            false => PEER,
        };
        fs::write(
            directory.join(format!("{id}.toml")),
            format!("{text}{peer}"),
        )
        .unwrap();
    }
    let embedded = EMBEDDED.get_or_init(|| Catalog::embedded().unwrap());
    let catalog = embedded.clone().with_directory(&directory);
    fs::remove_dir_all(directory).unwrap();
    catalog.unwrap_or_else(|problems| panic!("{}", problems[0]))
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.0.lock().unwrap();
    script.1.push(Seen {
        method,
        path: uri.path().to_owned(),
        query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    script
        .0
        .pop_front()
        .unwrap_or_else(|| StatusCode::IM_A_TEAPOT.into_response())
}

const MADE_UP: &str = r##"
[provider]
name = "Made up"
summary = "For tests."
category = "productivity"
regions = ["global"]
we_will = ["be tested"]
we_will_not = ["be shipped"]
usually_takes = "20s"
remove_url = "https://made-up.example/apps"
checked = "2026-11-20"
confidence = "high"
sources = ["this test"]
[brand]
icon = "none"
colour = "#000000"
[auth]
kind = "oauth2"
[app]
name = "app"
redirect_rules = "None."
review = "none"
steps = ["None."]
"##;

pub(crate) fn app() -> ProviderApp {
    ProviderApp {
        client_id: "client:1".into(),
        client_secret: Secret::new("hush"),
        settings: Default::default(),
    }
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

pub(crate) fn json(text: &str) -> Response {
    ([("content-type", "application/json")], text.to_owned()).into_response()
}

pub(crate) fn status(status: u16, text: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), text.to_owned()).into_response()
}

pub(crate) fn kind(answer: &RefreshAnswer) -> (&'static str, String) {
    let (kind, failure) = match answer {
        RefreshAnswer::Renewed(_) => return ("renewed", String::new()),
        RefreshAnswer::Refused(failure) => ("refused", failure),
        RefreshAnswer::NotSent(failure) => ("not sent", failure),
        RefreshAnswer::Unclear(failure) => ("unclear", failure),
        RefreshAnswer::Later(failure) => ("later", failure),
    };
    (
        kind,
        format!("{} {}", failure.code.as_str(), failure.detail),
    )
}

pub(crate) fn failure_of(answer: RefreshAnswer) -> Failure {
    match answer {
        RefreshAnswer::Renewed(_) => panic!("renewed"),
        RefreshAnswer::Refused(failure)
        | RefreshAnswer::NotSent(failure)
        | RefreshAnswer::Unclear(failure)
        | RefreshAnswer::Later(failure) => failure,
    }
}

/// Everything an entry's form asks for, as its examples say.
pub(crate) fn entered(provider: &Provider) -> Entered {
    Entered::new(provider.fields.iter().map(|field| {
        let value = match field.name.as_str() {
            "private_key" => KEY,
            _ => field.default.as_deref().unwrap_or(&field.example),
        };
        (field.name.clone(), Secret::new(value))
    }))
}

/// A private key that opens nothing.
pub(crate) const KEY: &str = include_str!("made-up-key.pem");

pub(crate) fn failed<T>(result: Result<T, Failure>) -> Failure {
    result.err().expect("a failure")
}
