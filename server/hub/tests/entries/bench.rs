//! Engine and player, joined by a proxy; and what a person and an operator
//! would answer.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hub::{
    catalog::{Provider, Variables, entry::Variable},
    clock::Clock,
    dialect::{Dialect, Entered, ProviderApp, TOKEN_EXPIRED},
    failure::Failure,
    outbound::{Outbound, OutboundPolicy},
    secret::Secret,
};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use crate::{
    asked::variables,
    player::{CLIENT_ID, CLIENT_SECRET, Mood, Player, REDIRECT_URI},
    proxy,
};

/// An engine that reaches nothing but the player, and a clock that stands still.
pub(crate) struct Bench {
    pub(crate) player: Player,
    pub(crate) dialect: Dialect,
    clock: Clock,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let player = Player::default();
        let proxy = proxy::start(player.router()).await;
        let outbound = Outbound::new(OutboundPolicy {
            proxy: Some(format!("http://{}", proxy.address).parse().unwrap()),
            roots: vec![proxy.root],
            ..OutboundPolicy::default()
        });
        let clock = Clock::manual("2026-11-20T10:00:00Z".parse().unwrap());
        Self {
            dialect: Dialect::new(outbound.unwrap(), clock.clone()),
            player,
            clock,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The operator's registration, as the hub hands it on.
    pub(crate) fn app(&self, provider: &Provider) -> Result<ProviderApp, String> {
        let mut settings = variables([("redirect_uri", REDIRECT_URI), ("client_id", CLIENT_ID)]);
        settings.extend(answers(provider, provider.settings())?);
        let assertion = provider.token().and_then(|token| token.assertion.as_ref());
        let by_key = assertion.is_some_and(|it| it.key.names().any(|name| name == "client_secret"));
        let secret = if by_key { &*KEY } else { CLIENT_SECRET };
        Ok(ProviderApp {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(secret),
            settings,
        })
    }

    /// What everybody on this side says, by name.
    pub(crate) fn known(
        &self,
        provider: &Provider,
        said: &Variables,
        entered: &Entered,
    ) -> Variables {
        let mut known = provider.values(said);
        known.insert("now".into(), self.now().timestamp().to_string());
        for field in &provider.fields {
            let value = entered.get(&field.name).unwrap_or_default();
            known.insert(field.name.clone(), value.to_owned());
        }
        known
    }

    /// What a person enters: the entry's own examples.
    pub(crate) fn entered(&self, provider: &Provider) -> Result<Entered, String> {
        let mut entered = Vec::new();
        for field in &provider.fields {
            let typed = match field.name.as_str() {
                "private_key" => KEY.as_str(),
                _ => &field.example,
            };
            let value = field
                .read(typed)
                .ok_or(format!("{typed:?} is no {}", field.name))?;
            entered.push((field.name.clone(), Secret::new(value)));
        }
        Ok(Entered::new(entered))
    }
}

/// What is answered to an entry's questions: the first choice, the default, or
/// the entry's own placeholder.
pub(crate) fn answers<'p>(
    provider: &Provider,
    questions: impl Iterator<Item = &'p Variable>,
) -> Result<Variables, String> {
    let mut given = Variables::new();
    for question in questions {
        let typed = match (question.choices.first(), &question.default) {
            (Some(choice), _) => &choice.value,
            (None, Some(default)) => default,
            (None, None) => &question.placeholder,
        };
        if let Some(choice) = question.choices.first() {
            given.extend(choice.sets.clone());
        }
        let value = question.read(typed);
        let value =
            value.map_err(|_| format!("{}: {typed:?} is no {}", provider.id, question.name))?;
        given.insert(question.name.clone(), value);
    }
    Ok(given)
}

/// A private key as providers hand it out.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let text = STANDARD.encode(key.serialize_der());
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
});

/// Every HTTP failure that is documented, one after the other: what `call`
/// makes of it must be what it means.
pub(crate) async fn replay(
    bench: &Bench,
    errors: &Variables,
    call: impl AsyncFn() -> Result<(), Failure>,
) -> Vec<String> {
    let (player, now) = (&bench.player, bench.now());
    let mut found = Vec::new();
    for (line, meaning) in errors {
        let Some(line) = line.strip_prefix("http:") else {
            continue;
        };
        let (status, words) = line.split_once('+').unwrap_or((line, ""));
        let status = status.replace("xx", "03").parse().unwrap();
        let (is_header, body) = {
            let stage = player.stage();
            let documented = stage.fact.error_bodies.get(line).cloned();
            let plain = serde_json::json!({"message": words}).to_string();
            (words.starts_with("X-"), documented.unwrap_or(plain))
        };
        player.stage().mood = Some(Mood {
            status,
            retry_after: (status == 429).then_some(30),
            header: is_header.then(|| words.to_lowercase()),
            body,
        });
        let failure = match call().await {
            Ok(()) => {
                found.push(format!("{line} was taken for success"));
                continue;
            }
            Err(failure) => failure,
        };
        let told = match failure.detail.as_str() {
            TOKEN_EXPIRED => TOKEN_EXPIRED.to_uppercase(),
            _ => failure.code.as_str().to_owned(),
        };
        // Asking once more before a token is given up is always right; giving it
        // up at once only where nothing renews it.
        let lasts = player.stage().fact.refresh_mode.as_deref() == Some("none");
        let is_same = match (told.as_str(), meaning.as_str()) {
            ("TOKEN_EXPIRED", "GRANT_REVOKED_OR_EXPIRED") => true,
            ("GRANT_REVOKED_OR_EXPIRED", "TOKEN_EXPIRED") => lasts,
            (told, meaning) => told == meaning,
        };
        if !is_same {
            found.push(format!(
                "{line} means {meaning}, read was {told} {}",
                failure.detail
            ));
        }
        if status == 429 && failure.retry_at != Some(now + TimeDelta::seconds(30)) {
            found.push(format!(
                "{line}: asked to come back in 30 s, kept was {:?}",
                failure.retry_at
            ));
        }
    }
    player.stage().mood = None;
    found
}
