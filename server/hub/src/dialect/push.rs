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
use serde_json::Value;
use sha2::Sha256;
use url::form_urlencoded;

use super::{ProviderApp, answer::text};
use crate::{
    catalog::{
        Provider,
        push::{Push, PushEncoding, PushMeaning, PushSignature},
        value::MessagePlace,
    },
    secret::digest,
};

/// How old a message may be where the entry does not say.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A message as it arrived.
pub struct PushMessage<'a> {
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
    /// Tells this message from any other.
    pub identity: Vec<u8>,
    /// When it was sent, if it says.
    pub sent_at: Option<DateTime<Utc>>,
    /// What to answer a provider that only tries us out.
    pub challenge: Option<String>,
}

/// Reads a message that the holder of `app` can check; `None` when it was not
/// signed with its secret, is too old, or cannot be read.
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
    let signed = Signed::read(rule, message)?;
    if !signed.is_genuine(rule, key.as_bytes(), message.body) {
        return None;
    }
    let sent_at = match &signed.timestamp {
        Some(text) => {
            let at = DateTime::from_timestamp(text.parse().ok()?, 0)?;
            let age = (now - at).abs();
            (age <= rule.tolerance.unwrap_or(TOLERANCE)).then_some(at)?;
            Some(at)
        }
        None => None,
    };
    // Only now is it looked into.
    let understood = Understood::of(message, signed.payload);
    let kind = push.kind.as_ref().and_then(|place| understood.at(place));
    Some(Told {
        meaning: meaning(push, kind.as_deref()),
        accounts: push
            .account
            .iter()
            .filter_map(|place| understood.at(place))
            .collect(),
        identity: match push
            .message_id
            .as_ref()
            .and_then(|place| understood.at(place))
        {
            Some(id) => digest(&format!("{} {id}", provider.app_id)),
            None => digest(&format!("{} {}", provider.app_id, signed.signature)),
        },
        challenge: understood.at(&MessagePlace::Body(challenge_pointer())),
        sent_at,
    })
}

fn challenge_pointer() -> crate::catalog::value::Pointer {
    crate::catalog::value::Pointer::parse("/challenge").expect("a pointer of ours")
}

/// A message whose kind stands nowhere has the one meaning its entry lists.
fn meaning(push: &Push, kind: Option<&str>) -> Option<PushMeaning> {
    match (kind, &push.kind) {
        (Some(kind), _) => push.means.get(kind).copied(),
        (None, None) => push.means.values().next().copied(),
        (None, Some(_)) => None,
    }
}

struct Signed {
    signature: String,
    timestamp: Option<String>,
    /// What stands inside the signed value itself.
    payload: Option<Value>,
}

impl Signed {
    fn read(rule: &PushSignature, message: &PushMessage<'_>) -> Option<Self> {
        let unread = Understood::of_unread(message, &rule.at);
        let told = unread?;
        match rule.encoding {
            PushEncoding::StripeHeader => {
                let part = |name: &str| {
                    let mut parts = told.split(',').filter_map(|part| part.split_once('='));
                    parts
                        .find(|(key, _)| key.trim() == name)
                        .map(|(_, value)| value.trim().to_owned())
                };
                Some(Self {
                    signature: part("v1")?,
                    timestamp: Some(part("t")?),
                    payload: None,
                })
            }
            PushEncoding::SignedRequest => {
                let (signature, payload) = told.split_once('.')?;
                let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
                Some(Self {
                    signature: signature.trim_end_matches('=').to_owned(),
                    timestamp: None,
                    payload: serde_json::from_slice(&json).ok(),
                })
            }
            PushEncoding::Hex | PushEncoding::Base64 => Some(Self {
                signature: told.strip_prefix(&rule.prefix)?.to_owned(),
                timestamp: match &rule.timestamp {
                    Some(place) => Some(Understood::of_unread(message, place)?),
                    None => None,
                },
                payload: None,
            }),
        }
    }

    fn is_genuine(&self, rule: &PushSignature, key: &[u8], body: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        let timestamp = self.timestamp.as_deref().unwrap_or_default();
        match rule.encoding {
            PushEncoding::StripeHeader => {
                mac.update(timestamp.as_bytes());
                mac.update(b".");
                mac.update(body);
            }
            PushEncoding::SignedRequest => {
                // The payload as it travelled: found again behind the signature.
                let text = String::from_utf8_lossy(body);
                let told = form_urlencoded::parse(text.as_bytes())
                    .find(|(name, _)| name == "signed_request")
                    .map(|(_, value)| value.into_owned())
                    .unwrap_or_default();
                mac.update(
                    told.split_once('.')
                        .map_or("", |(_, payload)| payload)
                        .as_bytes(),
                );
            }
            PushEncoding::Hex | PushEncoding::Base64 => {
                // The body is bytes, so the template is filled around it.
                let source = rule.message.source();
                let (before, after) = source.split_once("{body}").unwrap_or((source, ""));
                mac.update(before.replace("{timestamp}", timestamp).as_bytes());
                if source.contains("{body}") {
                    mac.update(body);
                }
                mac.update(after.replace("{timestamp}", timestamp).as_bytes());
            }
        }
        let told = match rule.encoding {
            PushEncoding::Base64 => STANDARD.decode(&self.signature).ok(),
            PushEncoding::SignedRequest => URL_SAFE_NO_PAD.decode(&self.signature).ok(),
            PushEncoding::Hex | PushEncoding::StripeHeader => unhex(&self.signature),
        };
        // `verify_slice` takes the same time wherever the difference is.
        told.is_some_and(|told| mac.verify_slice(&told).is_ok())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits.len().is_multiple_of(2).then_some(())?;
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// A message whose signature was checked.
struct Understood<'a> {
    message: &'a PushMessage<'a>,
    body: Option<Value>,
}

impl<'a> Understood<'a> {
    fn of(message: &'a PushMessage<'a>, payload: Option<Value>) -> Self {
        Self {
            body: payload.or_else(|| serde_json::from_slice(message.body).ok()),
            message,
        }
    }

    /// A header or a form's field, which can be read without trusting the body.
    fn of_unread(message: &PushMessage<'_>, place: &MessagePlace) -> Option<String> {
        match place {
            MessagePlace::Header(name) => {
                Some(message.headers.get(name)?.to_str().ok()?.to_owned())
            }
            MessagePlace::Form(name) => form_urlencoded::parse(message.body)
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned()),
            MessagePlace::Body(_) => None,
        }
    }

    fn at(&self, place: &MessagePlace) -> Option<String> {
        match place {
            MessagePlace::Body(at) => text(self.body.as_ref()?.pointer(at.as_str())?),
            place => Self::of_unread(self.message, place),
        }
    }
}
