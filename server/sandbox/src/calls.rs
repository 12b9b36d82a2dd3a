//! What was asked of the shop: exact counters, and a log that shows secrets as fingerprints only.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{faults::Endpoint, secrets::fingerprint};

/// Exact counters. A request counts when it arrives, whatever a fault then does to it; the `_ok` counters
/// count what the shop really did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Visits of the authorization endpoint.
    pub authorize: u64,
    /// Consents given, by a person or automatically.
    pub approvals: u64,
    /// Authorizations answered with an error.
    pub denials: u64,
    /// Requests to exchange a code.
    pub code_exchanges: u64,
    /// Codes exchanged for tokens.
    pub code_exchanges_ok: u64,
    /// Codes presented a second time.
    pub code_reuse_detected: u64,
    /// Requests to refresh.
    pub refreshes: u64,
    /// Refreshes that gave new tokens (even if the answer was then cut off).
    pub refreshes_ok: u64,
    /// Replaced refresh tokens presented after their grace.
    pub reuse_detected: u64,
    /// Grants that ended, for whatever reason.
    pub families_revoked: u64,
    /// Requests to revoke.
    pub revocations: u64,
    /// Requests to introspect.
    pub introspections: u64,
    /// Requests to the API.
    pub api_calls: u64,
    /// Requests to the API with a token that is missing, dead or lacks the scope.
    pub api_calls_refused: u64,
    /// Webhooks the app accepted.
    pub webhooks_delivered: u64,
    /// Webhooks given up.
    pub webhooks_failed: u64,
    /// Uses of each access token at the API, by [`fingerprint`](crate::fingerprint).
    pub access_token_uses: BTreeMap<String, u64>,
    /// Uses of each refresh token at the token endpoint, by [`fingerprint`](crate::fingerprint).
    pub refresh_token_uses: BTreeMap<String, u64>,
}

/// One request to an OAuth endpoint or the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// Where it arrived.
    pub endpoint: Endpoint,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// `basic`, `post` or `bearer`.
    pub authentication: Option<&'static str>,
    /// Parameters of the query or body. Everything that could be secret is `sha256:` and its
    /// [`fingerprint`](crate::fingerprint).
    pub parameters: BTreeMap<String, String>,
    /// Status of the answer; `None` when the connection was cut instead.
    pub status: Option<u16>,
}

/// The last requests, oldest first.
#[derive(Default)]
pub(crate) struct Log(VecDeque<RecordedRequest>);

impl Log {
    const CAPACITY: usize = 2000;

    pub fn push(&mut self, request: RecordedRequest) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub fn take(&mut self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.0).into()
    }

    /// Newest first.
    pub fn recent(&self) -> impl Iterator<Item = &RecordedRequest> {
        self.0.iter().rev()
    }
}

/// A parameter as the log may show it: in the clear only if it is known to be harmless.
pub(crate) fn recordable(name: &str, value: &str) -> String {
    const HARMLESS: [&str; 11] = [
        "access_type",
        "client_id",
        "code_challenge_method",
        "grant_type",
        "login_hint",
        "prompt",
        "redirect_uri",
        "response_mode",
        "response_type",
        "scope",
        "token_type_hint",
    ];
    if HARMLESS.contains(&name) {
        value.to_owned()
    } else {
        format!("sha256:{}", fingerprint(value))
    }
}
