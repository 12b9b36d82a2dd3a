//! `[push]`: how a provider tells that it withdrew our access, so that nobody
//! has to find out by a failing call.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{
    template::Template,
    value::{Extract, Link, MessagePlace, Pointer, duration},
};

/// A provider's word that something became of a connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// What the operator has to subscribe to, in the provider's words:
    /// `app/uninstalled`.
    pub signal: String,
    /// It comes, as a DELETE, to the address that people come back to: there is
    /// no other to enter.
    #[serde(default)]
    pub at_callback: bool,
    /// The page about it.
    pub docs_url: Option<Link>,
    /// How it is signed, when the hub can receive it; without it the entry
    /// only says that the provider has such a signal.
    pub signature: Option<PushSignature>,
    /// Where the message names its kind; several places are joined by dots:
    /// `installation.deleted`.
    #[serde(default)]
    pub kind: Vec<MessagePlace>,
    /// What each kind means; others are acknowledged and forgotten.
    #[serde(default)]
    pub means: BTreeMap<String, PushMeaning>,
    /// Where the message names the account, as `[identity]` does.
    #[serde(default)]
    pub account: Vec<MessagePlace>,
    /// Takes the account out of what stands there: `stores/(.+)`.
    pub account_pattern: Option<Extract>,
    /// Where the message carries its own identity, to know repetitions by:
    /// inside what is signed. Without it the signed bytes themselves are it.
    pub message_id: Option<Pointer>,
    /// What a provider wants to hear that only tries the address out.
    #[serde(default)]
    pub challenge: Challenge,
    /// The status that acknowledges a message.
    #[serde(default = "ok")]
    pub status: u16,
}

fn ok() -> u16 {
    200
}

/// `[push.challenge]`: the proof that we are there and hold the key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Where the word to repeat stands.
    pub word: Pointer,
    /// The fields of the answer: `{word}`, and `{signed_word}`, which is signed
    /// as messages are and written in hexadecimal.
    pub answer: BTreeMap<String, Template>,
}

impl Default for Challenge {
    fn default() -> Self {
        let word = Template::parse("{word}").expect("a template of ours");
        Self {
            word: Pointer::parse("/challenge").expect("a pointer of ours"),
            answer: BTreeMap::from([("challenge".to_owned(), word)]),
        }
    }
}

/// How a message is signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSignature {
    /// Where the signature stands.
    pub at: MessagePlace,
    /// What stands before it there: `sha256=`, `v0=`.
    #[serde(default)]
    pub prefix: String,
    /// How it is made.
    #[serde(default)]
    pub algorithm: PushAlgorithm,
    /// How it is written.
    pub encoding: PushEncoding,
    /// What is signed: `{body}` as it arrived, `{timestamp}`, `{url}`.
    #[serde(default = "body")]
    pub message: Template,
    /// What a signed statement must say: `{client_id}`, `{url}`.
    #[serde(default)]
    pub claims: BTreeMap<String, Template>,
    /// The key: the client secret, or one of the app's settings.
    #[serde(default = "client_secret")]
    pub key: String,
    /// Where the time of sending stands: RFC 3339, or seconds or milliseconds
    /// since 1970. It has to be signed along.
    pub timestamp: Option<MessagePlace>,
    /// How old a message may be.
    #[serde(default, deserialize_with = "duration")]
    pub tolerance: Option<TimeDelta>,
}

fn body() -> Template {
    Template::parse("{body}").expect("a template of ours")
}

fn client_secret() -> String {
    "client_secret".into()
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushAlgorithm {
    /// A keyed hash: the key is a secret both sides have.
    #[default]
    HmacSha256,
    /// The key is the provider's public one, in hexadecimal.
    Ed25519,
    /// Not at all: the message carries the app's own id and secret, as basic
    /// authentication. Only the provider has them, too.
    ClientBasic,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushEncoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
    /// Meta's `signed_request`: signature and payload in one value, both
    /// base64url, joined by a dot. What stands in the payload is the body.
    SignedRequest,
    /// A signed statement (JWT, HS256). What it states is the body: what else
    /// comes along is not signed, and not looked at.
    Jwt,
}

/// What a message means for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushMeaning {
    /// Our access has ended.
    Revoked,
    /// Something became of our access: the provider is asked at once. For
    /// messages whose kind or account is not among what is signed, and for
    /// those that do not say what is left.
    Check,
    /// The person wants their data deleted, too.
    DeleteData,
    /// The provider only wants to know that we are there.
    Challenge,
}
