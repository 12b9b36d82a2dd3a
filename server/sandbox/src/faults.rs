//! The ways the shop can misbehave.

mod answers;

use std::{collections::BTreeSet, time::Duration};

use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::oauth::scopes::Scope;

/// A list of faults; the first one that fits a request happens to it. In JSON an array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Faults {
    /// In order of precedence.
    pub list: Vec<Fault>,
}

/// One way to misbehave, where, and how often. In JSON for example
/// `{"kind": {"rate_limit": {"retry_after": {"seconds": 30}}}, "at": ["refresh"], "times": 2}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Where; empty is everywhere it can happen ([`FaultKind::endpoints`]).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub at: BTreeSet<Endpoint>,
    /// How often; `None` is until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// Where a fault can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The consent page.
    Authorize,
    /// The token endpoint, asked with a code.
    Token,
    /// The token endpoint, asked with a refresh token.
    Refresh,
    /// RFC 7009.
    Revoke,
    /// RFC 7662.
    Introspect,
    /// Everything under `/api`.
    Api,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// An OAuth error instead of the work: on the consent page the app gets it in the redirect, elsewhere
    /// with status 401 (`invalid_client`) or 400.
    Refuse {
        /// `access_denied`, `invalid_client`, `temporarily_unavailable`, …; of the API, a word of the
        /// shop's own, such as `account_frozen`.
        error: String,
    },
    /// Only these scopes are granted, whatever the person approves.
    GrantOnly {
        /// Those that stay if they were approved.
        scopes: BTreeSet<Scope>,
    },
    /// Somebody else approves.
    SignInAs {
        /// Id or e-mail.
        account: String,
    },
    /// `iss` names another issuer.
    WrongIssuer,
    /// `iss` is missing.
    NoIssuer,
    /// `Cross-Origin-Opener-Policy: same-origin` on the consent page: the popup loses its opener.
    IsolateOpener,
    /// The work is done at once, but its answer takes this long: a caller that gives up has lost it.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// 429 instead of the work.
    RateLimit {
        /// What `Retry-After` says.
        retry_after: RetryAfter,
    },
    /// A server error instead of the work.
    ServerError {
        /// 500 to 599.
        status: u16,
    },
    /// 200 with nonsense instead of the work.
    Garbage(Garbage),
    /// The work is done, then the connection is closed before the first byte of the answer.
    CutConnection,
    /// 307 to another address instead of the work.
    Redirect {
        /// Target.
        to: String,
    },
    /// The answer has no refresh token. On a refresh the old one stays valid.
    NoRefreshToken,
    /// `expires_in` is odd. The token itself lives as the rules say.
    ExpiresIn(ExpiresIn),
}

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Not at all.
    Unsaid,
    /// As a number of seconds.
    Seconds(u32),
    /// As an HTTP date, so many seconds from now.
    Date(u32),
}

/// Nonsense with status 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// A maintenance page.
    Html,
    /// JSON that stops in the middle.
    Truncated,
    /// A JSON string of 64 MiB.
    Huge,
    /// 100 000 nested arrays.
    Deep,
}

/// Odd values of `expires_in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresIn {
    /// Left out.
    Missing,
    /// `0`.
    Zero,
    /// 9 007 199 254 740 991 seconds.
    Huge,
    /// The right number as a string.
    Text,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Authorize,
        Self::Token,
        Self::Refresh,
        Self::Revoke,
        Self::Introspect,
        Self::Api,
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Revoke => "revoke",
            Self::Introspect => "introspect",
            Self::Api => "api",
        }
    }
}

impl FaultKind {
    /// Where it can happen at all.
    pub fn endpoints(&self) -> &'static [Endpoint] {
        use Endpoint::{Api, Authorize, Introspect, Refresh, Revoke, Token};
        match self {
            Self::GrantOnly { .. } | Self::SignInAs { .. } => &[Authorize],
            Self::WrongIssuer | Self::NoIssuer | Self::IsolateOpener => &[Authorize],
            Self::NoRefreshToken | Self::ExpiresIn(_) => &[Token, Refresh],
            Self::Refuse { .. } => &Endpoint::ALL,
            Self::Redirect { .. } => &[Token, Refresh, Revoke, Introspect, Api],
            Self::Slow { .. }
            | Self::RateLimit { .. }
            | Self::ServerError { .. }
            | Self::Garbage(_)
            | Self::CutConnection => &Endpoint::ALL,
        }
    }
}

impl Fault {
    /// This, everywhere it can happen, until removed.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            at: BTreeSet::new(),
            times: None,
        }
    }

    /// The person says no, without being asked.
    pub fn deny_consent() -> Self {
        Self::new(FaultKind::Refuse {
            error: "access_denied".into(),
        })
        .at(Endpoint::Authorize)
    }

    /// The shop no longer knows the app.
    pub fn invalid_client() -> Self {
        let refuse = Self::new(FaultKind::Refuse {
            error: "invalid_client".into(),
        });
        refuse
            .at(Endpoint::Token)
            .at(Endpoint::Refresh)
            .at(Endpoint::Revoke)
            .at(Endpoint::Introspect)
    }

    /// Only these scopes are granted.
    pub fn grant_only(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self::new(FaultKind::GrantOnly {
            scopes: scopes.into_iter().collect(),
        })
    }

    /// This account (id or e-mail) approves instead of the chosen one.
    pub fn sign_in_as(account: impl Into<String>) -> Self {
        Self::new(FaultKind::SignInAs {
            account: account.into(),
        })
    }

    /// Answers take this many milliseconds.
    pub fn slow(ms: u64) -> Self {
        Self::new(FaultKind::Slow { ms })
    }

    /// 429 with `Retry-After` in seconds.
    pub fn rate_limited(retry_after_s: u32) -> Self {
        Self::new(FaultKind::RateLimit {
            retry_after: RetryAfter::Seconds(retry_after_s),
        })
    }

    /// This status (500 to 599).
    pub fn server_error(status: u16) -> Self {
        Self::new(FaultKind::ServerError { status })
    }

    /// Done, but the answer never leaves.
    pub fn cut_connection() -> Self {
        Self::new(FaultKind::CutConnection)
    }

    /// Only (also) at this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.at.insert(endpoint);
        self
    }

    /// Only so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn happens_at(&self, endpoint: Endpoint) -> bool {
        self.times != Some(0)
            && self.kind.endpoints().contains(&endpoint)
            && (self.at.is_empty() || self.at.contains(&endpoint))
    }

    /// Why this fault could never happen, if so.
    fn mistake(&self) -> Option<String> {
        if let Some(endpoint) = self
            .at
            .iter()
            .find(|at| !self.kind.endpoints().contains(at))
        {
            return Some(format!(
                "{:?} cannot happen at {}",
                self.kind,
                endpoint.as_str()
            ));
        }
        match &self.kind {
            FaultKind::ServerError { status } if !(500..600).contains(status) => {
                Some(format!("{status} is not a server error"))
            }
            FaultKind::SignInAs { account } if crate::Account::find(account).is_none() => {
                Some(format!("there is no account {account}"))
            }
            _ => None,
        }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { list: vec![fault] }
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self {
            list: faults.into_iter().collect(),
        }
    }
}

/// What happens to one request on its way.
pub(crate) struct Disturbance {
    /// Answer this instead of doing the work.
    pub instead: Option<Response>,
    /// Wait before answering.
    pub delay: Option<Duration>,
    /// Close the connection instead of answering.
    pub cut: bool,
}

impl Faults {
    /// Adds a fault unless the same one is there.
    pub(crate) fn add(&mut self, fault: Fault) {
        if !self.list.contains(&fault) {
            self.list.push(fault);
        }
    }

    /// Why one of these faults could never happen, if so.
    pub(crate) fn mistake(&self) -> Option<String> {
        self.list.iter().find_map(Fault::mistake)
    }

    /// The first fault at `endpoint` that `pick` wants; it counts as having happened.
    pub(crate) fn take<T>(
        &mut self,
        endpoint: Endpoint,
        pick: impl Fn(&FaultKind) -> Option<T>,
    ) -> Option<T> {
        let (index, picked) = (self.list.iter().enumerate())
            .filter(|(_, fault)| fault.happens_at(endpoint))
            .find_map(|(index, fault)| Some((index, pick(&fault.kind)?)))?;
        if let Some(times) = &mut self.list[index].times {
            *times -= 1;
            if *times == 0 {
                self.list.remove(index);
            }
        }
        Some(picked)
    }

    /// Whether this fault happens now; it counts as having happened.
    pub(crate) fn strikes(&mut self, endpoint: Endpoint, kind: &FaultKind) -> bool {
        self.take(endpoint, |candidate| (candidate == kind).then_some(()))
            .is_some()
    }

    /// The faults that concern any request, whatever it is about.
    pub(crate) fn disturb(&mut self, endpoint: Endpoint, now: DateTime<Utc>) -> Disturbance {
        Disturbance {
            instead: self.take(endpoint, |kind| kind.answer(endpoint, now)),
            delay: self.take(endpoint, |kind| match kind {
                FaultKind::Slow { ms } => Some(Duration::from_millis(*ms)),
                _ => None,
            }),
            cut: self.strikes(endpoint, &FaultKind::CutConnection),
        }
    }
}
