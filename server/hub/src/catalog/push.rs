//! `[push]`: how a provider tells that it withdrew our access, so that nobody
//! has to find out by a failing call.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{
    template::Template,
    value::{Link, MessagePlace, duration},
};

/// A provider's word that something became of a connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// What the operator has to subscribe to, in the provider's words:
    /// `app/uninstalled`.
    pub signal: String,
    /// The page about it.
    pub docs_url: Option<Link>,
    /// How it is signed, when the hub can receive it; without it the entry
    /// only says that the provider has such a signal.
    pub signature: Option<PushSignature>,
    /// Where the message names its kind.
    pub kind: Option<MessagePlace>,
    /// What each kind means; others are acknowledged and forgotten.
    #[serde(default)]
    pub means: BTreeMap<String, PushMeaning>,
    /// Where the message names the account, as `[identity]` does; the first
    /// found counts.
    #[serde(default)]
    pub account: Vec<MessagePlace>,
    /// Where the message carries its own identity, to know repetitions by.
    pub message_id: Option<MessagePlace>,
}

/// How a message is signed: HMAC-SHA256 unless it says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSignature {
    /// Where the signature stands.
    pub at: MessagePlace,
    /// What stands before it there: `sha256=`, `v0=`.
    #[serde(default)]
    pub prefix: String,
    /// How it is written.
    pub encoding: PushEncoding,
    /// What is signed: `{body}` as it arrived, `{timestamp}`, `{url}`.
    pub message: Template,
    /// The key: the client secret, or one of the app's settings.
    #[serde(default = "client_secret")]
    pub key: String,
    /// Where the time of sending stands, in seconds since 1970.
    pub timestamp: Option<MessagePlace>,
    /// How old a message may be.
    #[serde(default, deserialize_with = "duration")]
    pub tolerance: Option<TimeDelta>,
}

fn client_secret() -> String {
    "client_secret".into()
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
    /// base64url, joined by a dot.
    SignedRequest,
    /// Stripe's header: `t=…,v1=…`, hexadecimal over `{timestamp}.{body}`.
    StripeHeader,
}

/// What a message means for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushMeaning {
    /// Our access has ended.
    Revoked,
    /// The person wants their data deleted, too.
    DeleteData,
    /// The provider only wants to know that we are there.
    Challenge,
}
