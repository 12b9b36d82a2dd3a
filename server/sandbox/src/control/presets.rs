//! What the control page offers ready-made. One table each; the page and its forms both read them.

use crate::{
    ACCOUNTS, Fault, FaultKind, Grace, Rotation, Sandbox, Scope,
    faults::{ExpiresIn, Garbage, RetryAfter},
};

/// One button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    ShopDown,
    RateLimit,
    AnswerSlowly,
    DenyConsent,
    GrantLess,
    WrongAccount,
    RevokeAll,
    ExpireAll,
    Normal,
}

impl Scenario {
    pub const ALL: [Self; 9] = [
        Self::ShopDown,
        Self::RateLimit,
        Self::AnswerSlowly,
        Self::DenyConsent,
        Self::GrantLess,
        Self::WrongAccount,
        Self::RevokeAll,
        Self::ExpireAll,
        Self::Normal,
    ];

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name)
    }

    /// In its address.
    pub fn name(self) -> &'static str {
        match self {
            Self::ShopDown => "shop-down",
            Self::RateLimit => "rate-limit",
            Self::AnswerSlowly => "answer-slowly",
            Self::DenyConsent => "deny-consent",
            Self::GrantLess => "grant-less",
            Self::WrongAccount => "wrong-account",
            Self::RevokeAll => "revoke-all",
            Self::ExpireAll => "expire-all",
            Self::Normal => "normal",
        }
    }

    /// On its button, and below it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ShopDown => (
                "Take the shop down",
                "Everything answers 503 until you put it back.",
            ),
            Self::RateLimit => (
                "Ask to slow down",
                "Everything answers 429, try again in 30 seconds.",
            ),
            Self::AnswerSlowly => ("Answer slowly", "Every answer takes five seconds."),
            Self::DenyConsent => ("Deny consent", "The next person says no."),
            Self::GrantLess => ("Grant less", "The next approval allows reading only."),
            Self::WrongAccount => (
                "Use another account",
                "Atelier Nord approves next, whoever was chosen.",
            ),
            Self::RevokeAll => (
                "Revoke every grant",
                "All apps lose access now. They are told by webhook.",
            ),
            Self::ExpireAll => (
                "Expire every access token",
                "Apps have to refresh before their next call.",
            ),
            Self::Normal => (
                "Everything back to normal",
                "No faults, default rules, counters at zero.",
            ),
        }
    }

    pub fn play(self, shop: &Sandbox) {
        let fault = match self {
            Self::ShopDown => Fault::server_error(503),
            Self::RateLimit => Fault::rate_limited(30),
            Self::AnswerSlowly => Fault::slow(5_000),
            Self::DenyConsent => Fault::deny_consent().times(1),
            Self::GrantLess => Fault::grant_only([Scope::ShopRead, Scope::OrdersRead]).times(1),
            Self::WrongAccount => Fault::sign_in_as(ACCOUNTS[2].id).times(1),
            Self::RevokeAll => {
                shop.revoke_all();
                return;
            }
            Self::ExpireAll => {
                shop.expire_all();
                return;
            }
            Self::Normal => return shop.reset(),
        };
        shop.shop().faults.add(fault);
    }
}

/// One entry of the fault list.
pub(crate) struct Preset {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: fn() -> FaultKind,
}

const fn preset(name: &'static str, label: &'static str, kind: fn() -> FaultKind) -> Preset {
    Preset { name, label, kind }
}

/// Every kind of fault, with usual values. The JSON API takes any value.
pub(crate) static PRESETS: [Preset; 33] = [
    preset("503", "503, out of service", || FaultKind::ServerError {
        status: 503,
    }),
    preset("500", "500, internal error", || FaultKind::ServerError {
        status: 500,
    }),
    preset("429", "429, wait 30 seconds", || FaultKind::RateLimit {
        retry_after: RetryAfter::Seconds(30),
    }),
    preset("429-date", "429, wait until a date", || {
        FaultKind::RateLimit {
            retry_after: RetryAfter::Date(30),
        }
    }),
    preset("429-unsaid", "429, without saying how long", || {
        FaultKind::RateLimit {
            retry_after: RetryAfter::Unsaid,
        }
    }),
    preset("slow-2", "Two seconds late", || FaultKind::Slow {
        ms: 2_000,
    }),
    preset("slow-30", "Thirty seconds late", || FaultKind::Slow {
        ms: 30_000,
    }),
    preset("cut", "Connection cut before the answer", || {
        FaultKind::CutConnection
    }),
    preset("html", "A web page instead of the answer", || {
        FaultKind::Garbage(Garbage::Html)
    }),
    preset("truncated", "Half an answer", || {
        FaultKind::Garbage(Garbage::Truncated)
    }),
    preset("huge", "A huge answer", || {
        FaultKind::Garbage(Garbage::Huge)
    }),
    preset("deep", "A deeply nested answer", || {
        FaultKind::Garbage(Garbage::Deep)
    }),
    preset("redirect", "Redirected elsewhere", || FaultKind::Redirect {
        to: "/elsewhere".into(),
    }),
    preset("denied", "Refused: access_denied", || {
        refuse("access_denied")
    }),
    preset("invalid-client", "Refused: invalid_client", || {
        refuse("invalid_client")
    }),
    preset("unavailable", "Refused: temporarily_unavailable", || {
        refuse("temporarily_unavailable")
    }),
    preset("session-expired", "Refused: the session has ended", || {
        refuse("session_expired")
    }),
    preset(
        "confirmation-required",
        "Refused: a sign-in code is asked for",
        || refuse("confirmation_required"),
    ),
    preset(
        "suspicious-sign-in",
        "Refused: the sign-in looks suspicious",
        || refuse("suspicious_sign_in"),
    ),
    preset(
        "session-incomplete",
        "Refused: the session is incomplete",
        || refuse("session_incomplete"),
    ),
    preset(
        "page-changed",
        "Refused: the sign-in page has changed",
        || refuse("page_changed"),
    ),
    preset("key-rejected", "Refused: the key is not accepted", || {
        refuse("key_rejected")
    }),
    preset(
        "insufficient-scope",
        "Refused: a permission is missing",
        || refuse("insufficient_scope"),
    ),
    preset(
        "approval-required",
        "Refused: an admin has to allow the app",
        || refuse("approval_required"),
    ),
    preset("account-frozen", "Refused: the account is frozen", || {
        refuse("account_frozen")
    }),
    preset("wrong-iss", "Answer names another issuer", || {
        FaultKind::WrongIssuer
    }),
    preset("no-iss", "Answer names no issuer", || FaultKind::NoIssuer),
    preset("isolate", "Popup cut off from its opener", || {
        FaultKind::IsolateOpener
    }),
    preset("no-refresh-token", "No refresh token in the answer", || {
        FaultKind::NoRefreshToken
    }),
    preset("no-expiry", "expires_in is missing", || {
        FaultKind::ExpiresIn(ExpiresIn::Missing)
    }),
    preset("zero-expiry", "expires_in is 0", || {
        FaultKind::ExpiresIn(ExpiresIn::Zero)
    }),
    preset("huge-expiry", "expires_in is huge", || {
        FaultKind::ExpiresIn(ExpiresIn::Huge)
    }),
    preset("text-expiry", "expires_in is a string", || {
        FaultKind::ExpiresIn(ExpiresIn::Text)
    }),
];

fn refuse(error: &str) -> FaultKind {
    FaultKind::Refuse {
        error: error.into(),
    }
}

/// Name, label and meaning of the rotations the page offers.
pub(crate) static ROTATIONS: [(&str, &str, Rotation); 5] = [
    (
        "until-used",
        "New each time, old one good until new is used",
        Rotation::On {
            grace: Grace::UntilReplacementUsed,
            reuse_detection: true,
        },
    ),
    (
        "grace-60",
        "New each time, old one good for 60 s",
        Rotation::On {
            grace: Grace::Seconds(60),
            reuse_detection: true,
        },
    ),
    (
        "strict",
        "New each time, old one ends everything",
        Rotation::STRICT,
    ),
    (
        "lenient",
        "New each time, old one is refused",
        Rotation::On {
            grace: Grace::Seconds(0),
            reuse_detection: false,
        },
    ),
    ("off", "Always the same", Rotation::Off),
];
