//! What a provider tells us unasked, and whether it is really the provider.
//! The signature is checked over the bytes as they arrived, before any of them
//! is understood.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use super::{
    ProviderApp,
    answer::{moment, text, text_at},
};
use crate::{
    catalog::{
        Provider, Template, Variables,
        push::{Challenge, Push, PushAlgorithm, PushEncoding, PushMeaning, PushSignature},
        value::MessagePlace,
    },
    secret::digest,
};

/// How old a message may be where the entry does not say.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A message as it arrived.
pub struct PushMessage<'a> {
    /// The address it was sent to, as the operator entered it at the provider.
    pub url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, byte for byte.
    pub body: &'a [u8],
}

/// What a genuine message says.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// What it means; none for what an entry does not list.
    pub meaning: Option<PushMeaning>,
    /// The account, by whatever name the provider has for it here.
    pub accounts: Vec<String>,
    /// Tells this message from any other. Made only of what was signed: what is
    /// not could be changed to have a message believed twice.
    pub identity: Vec<u8>,
    /// When it was sent, if it says.
    pub sent_at: Option<DateTime<Utc>>,
    /// What to answer a provider that only tries us out.
    pub answer: Variables,
}

/// Reads a message that the holder of `app` can check; `None` when it was not
/// signed with its key, is too old, or cannot be read.
pub fn read_push(
    provider: &Provider,
    app: &ProviderApp,
    message: &PushMessage<'_>,
    now: DateTime<Utc>,
) -> Option<Told> {
    let push = provider.push.as_ref()?;
    let rule = push.signature.as_ref()?;
    let key = match rule.key.as_str() {
        "client_secret" => app.client_secret.expose(),
        setting => app.settings.get(setting)?,
    };
    // Everybody can sign with nothing.
    (!key.is_empty()).then_some(())?;
    let signed = Signed::read(rule, message)?;
    signed.is_genuine(rule, key, app).then_some(())?;

    // Only now is it looked into.
    let understood = Understood {
        body: serde_json::from_slice(signed.payload.as_deref().unwrap_or(message.body)).ok(),
        message,
    };
    if rule.encoding == PushEncoding::Jwt {
        let body = understood.body.as_ref()?;
        states(rule, body, app, message, now).then_some(())?;
    }
    let sent_at = match &rule.timestamp {
        Some(place) => {
            let at = moment(&Value::String(understood.at(place)?))?;
            let age = (now - at).abs();
            (age <= rule.tolerance.unwrap_or(TOLERANCE)).then_some(())?;
            Some(at)
        }
        None => None,
    };
    let body = understood.body.as_ref();
    let message_id = push.message_id.as_ref().and_then(|at| text_at(body?, at));
    let meaning = meaning(push, &understood);
    Some(Told {
        meaning,
        accounts: push
            .account
            .iter()
            .filter_map(|place| understood.at(place))
            .filter_map(|told| match &push.account_pattern {
                Some(pattern) => pattern.find(&told).map(str::to_owned),
                None => Some(told),
            })
            .collect(),
        identity: match message_id {
            Some(id) => digest(format!("{} {id}", provider.app_id)),
            None => digest([provider.app_id.as_bytes(), b" ", &signed.bytes].concat()),
        },
        answer: match (meaning, body) {
            (Some(PushMeaning::Challenge), Some(body)) => answer(&push.challenge, body, key)?,
            _ => Variables::new(),
        },
        sent_at,
    })
}

/// Whether a signed statement holds now, and says what the entry wants of it.
fn states(
    rule: &PushSignature,
    claims: &Value,
    app: &ProviderApp,
    message: &PushMessage<'_>,
    now: DateTime<Utc>,
) -> bool {
    let at = |name: &str| claims.get(name).and_then(moment);
    let mut url = message.url.clone();
    // The statement itself may travel there.
    url.set_query(None);
    let fill = |name: &str| match name {
        "client_id" => Some(app.client_id.as_str()),
        "url" => Some(url.as_str()),
        _ => None,
    };
    let says = |(name, template): (&String, &Template)| {
        let wanted = template.fill(fill).ok();
        wanted.is_some() && claims.get(name).and_then(text) == wanted
    };
    at("exp").is_some_and(|end| now < end)
        && at("nbf").is_none_or(|start| start <= now + TOLERANCE)
        && rule.claims.iter().all(says)
}

/// A message whose kind stands nowhere has the one meaning its entry lists.
fn meaning(push: &Push, understood: &Understood<'_>) -> Option<PushMeaning> {
    if push.kind.is_empty() {
        return push.means.values().next().copied();
    }
    let found = push.kind.iter().filter_map(|place| understood.at(place));
    let kind = found.collect::<Vec<_>>().join(".");
    push.means.get(&kind).copied()
}

/// The word a provider sent to try us out, and the proof that we hold the key.
fn answer(challenge: &Challenge, body: &Value, key: &str) -> Option<Variables> {
    let word = text_at(body, &challenge.word)?;
    let mut mac = keyed(key);
    mac.update(word.as_bytes());
    let signed = mac.finalize().into_bytes();
    let hex: String = signed.iter().map(|byte| format!("{byte:02x}")).collect();
    let fill = |name: &str| match name {
        "word" => Some(word.as_str()),
        "signed_word" => Some(hex.as_str()),
        _ => None,
    };
    let fields = challenge.answer.iter();
    fields
        .map(|(name, template)| Some((name.clone(), template.fill(fill).ok()?)))
        .collect()
}

fn keyed(key: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
}

/// A signature and what it is over.
struct Signed {
    /// While a key is replaced, a provider may sign with the old and the new.
    signatures: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    /// What stands inside the signed value itself.
    payload: Option<Vec<u8>>,
}

impl Signed {
    fn read(rule: &PushSignature, message: &PushMessage<'_>) -> Option<Self> {
        let told = unread(message, &rule.at);
        let unpadded = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        if rule.encoding == PushEncoding::Jwt {
            // Whatever it says of its own making: only this one way is checked.
            let (stated, signature) = told.first()?.strip_prefix(&rule.prefix)?.rsplit_once('.')?;
            let (_, payload) = stated.split_once('.')?;
            return Some(Self {
                signatures: vec![unpadded(signature)?],
                bytes: stated.as_bytes().to_vec(),
                payload: Some(unpadded(payload)?),
            });
        }
        if rule.encoding == PushEncoding::SignedRequest {
            let (signature, payload) = told.first()?.split_once('.')?;
            return Some(Self {
                signatures: vec![unpadded(signature)?],
                bytes: payload.as_bytes().to_vec(),
                payload: Some(unpadded(payload)?),
            });
        }
        let written = told.iter().filter_map(|one| one.strip_prefix(&rule.prefix));
        let decoded = written.filter_map(|one| match rule.encoding {
            PushEncoding::Base64 => STANDARD.decode(one).ok(),
            _ => unhex(one),
        });
        let sent_at = rule.timestamp.as_ref().map(|place| unread(message, place));
        let sent_at = sent_at
            .and_then(|mut found| found.pop())
            .unwrap_or_default();
        // The body is bytes, so the template is filled around it.
        let source = rule.message.source();
        let (before, after) = source.split_once("{body}").unwrap_or((source, ""));
        let fill = |part: &str| {
            let part = part.replace("{timestamp}", &sent_at);
            part.replace("{url}", message.url.as_str())
        };
        Some(Self {
            signatures: decoded.collect(),
            bytes: [
                fill(before).as_bytes(),
                message.body,
                fill(after).as_bytes(),
            ]
            .concat(),
            payload: None,
        })
    }

    fn is_genuine(&self, rule: &PushSignature, key: &str, app: &ProviderApp) -> bool {
        self.signatures.iter().any(|told| match rule.algorithm {
            PushAlgorithm::HmacSha256 => {
                let mut mac = keyed(key);
                mac.update(&self.bytes);
                // It takes the same time wherever the difference is.
                mac.verify_slice(told).is_ok()
            }
            PushAlgorithm::Ed25519 => unhex(key).is_some_and(|key| {
                let (told, key) = (URL_SAFE_NO_PAD.encode(told), DecodingKey::from_ed_der(&key));
                let verified =
                    jsonwebtoken::crypto::verify(&told, &self.bytes, &key, Algorithm::EdDSA);
                verified.unwrap_or(false)
            }),
            PushAlgorithm::ClientBasic => {
                let both = format!("{}:{key}", app.client_id);
                bool::from(both.as_bytes().ct_eq(told))
            }
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let is_hex = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then_some(())?;
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// What can be read without trusting the body: everything but what is in it.
fn unread(message: &PushMessage<'_>, place: &MessagePlace) -> Vec<String> {
    let named = |bytes: &[u8], name: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(bytes).filter(|(key, _)| key == name);
        pairs.map(|(_, value)| value.into_owned()).collect()
    };
    match place {
        MessagePlace::Header(name, part) => {
            let value = message
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            let Some(part) = part else {
                return value.map(str::to_owned).into_iter().collect();
            };
            let parts = value.unwrap_or_default().split(',');
            let named = parts.filter_map(|part| part.trim().split_once('='));
            named
                .filter(|(name, _)| name == part)
                .map(|(_, value)| value.to_owned())
                .collect()
        }
        MessagePlace::Form(name) => named(message.body, name),
        MessagePlace::Query(name) => {
            named(message.url.query().unwrap_or_default().as_bytes(), name)
        }
        MessagePlace::Body(_) => Vec::new(),
    }
}

/// A message whose signature was checked.
struct Understood<'a> {
    message: &'a PushMessage<'a>,
    body: Option<Value>,
}

impl Understood<'_> {
    fn at(&self, place: &MessagePlace) -> Option<String> {
        match place {
            MessagePlace::Body(at) => text(self.body.as_ref()?.pointer(at.as_str())?),
            place => unread(self.message, place).into_iter().next(),
        }
    }
}
