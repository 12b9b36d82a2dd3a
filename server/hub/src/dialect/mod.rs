//! Speaks to a provider as its catalog entry says: the only room that knows a
//! provider's wire. It stores nothing and decides nothing about connections;
//! it says what was answered, in the hub's own terms.

mod answer;
mod assertion;
mod authorize;
mod callback;
mod credential;
mod entered_call;
mod handing;
mod handover;
mod identity;
mod proof;
mod push;
mod reading;
mod request;
mod revoke;
mod sample;
mod service;
mod signing;
mod token;
mod trial;

use chrono::{DateTime, Utc};

use crate::{
    catalog::{MissingVariable, Provider, Variables},
    certificate::{self, Certificate},
    clock::Clock,
    failure::Failure,
    outbound::Outbound,
    secret::Secret,
};

/// The detail of a [`Failure`] that says only that the access token is used up:
/// refresh once and ask again before believing it.
pub const TOKEN_EXPIRED: &str = "token_expired";

/// The OAuth engine. Cheap to clone.
#[derive(Clone)]
pub struct Dialect {
    outbound: Outbound,
    clock: Clock,
}

impl Dialect {
    /// An engine that speaks through `outbound` and reads `clock`.
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        Self { outbound, clock }
    }
}

/// The operator's registration with a provider.
pub struct ProviderApp {
    /// The public half.
    pub client_id: String,
    /// The secret half; empty for a public client.
    pub client_secret: Secret,
    /// What else the provider gave the operator, by name, and `redirect_uri`,
    /// our callback as it is registered there.
    pub settings: Variables,
}

impl ProviderApp {
    /// Nobody's: where a provider wants no registration.
    pub fn none() -> Self {
        Self {
            client_id: String::new(),
            client_secret: Secret::new(""),
            settings: Variables::new(),
        }
    }

    /// The certificate that a provider knows the app by, where it does.
    pub fn certificate(&self, provider: &Provider) -> Option<Certificate> {
        match provider.knows_us_by_certificate() {
            true => certificate::of_app(self.client_secret.expose()),
            false => None,
        }
    }
}

/// What an authorize address is made of.
pub struct AuthorizeAsk<'a> {
    /// Our callback, byte for byte as it will be repeated in the exchange.
    pub redirect_uri: &'a str,
    /// Ties the callback to this flow.
    pub state: &'a Secret,
    /// The PKCE verifier; needed unless the entry documents `pkce = "off"`.
    pub verifier: Option<&'a Secret>,
    /// The scopes wanted; technical ones are added.
    pub scopes: &'a [String],
    /// The connection's variables.
    pub variables: &'a Variables,
    /// The account to suggest.
    pub login_hint: Option<&'a str>,
    /// Make the provider ask again although it remembers consent.
    pub reconsent: bool,
    /// The person's language, as BCP 47.
    pub locale: Option<&'a str>,
}

/// Why no address could be made: a mistake of ours or of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    /// A value the entry needs was not given.
    #[error(transparent)]
    MissingVariable(#[from] MissingVariable),
    /// A value does not match its variable's pattern.
    #[error(transparent)]
    NotMatching(#[from] crate::catalog::NotMatching),
    /// The filled template is no address.
    #[error("the address made from the catalog entry is not valid: {0}")]
    BadUrl(#[from] url::ParseError),
    /// The entry speaks no OAuth, or not this part of it.
    #[error("this provider is not connected by OAuth")]
    NotOAuth,
    /// What was sealed for this provider is not what its entry asks for.
    #[error("the fields of this connection cannot be read")]
    FieldsUnreadable,
    /// The entry wants a proof key and none was given.
    #[error("this provider needs a PKCE verifier")]
    VerifierMissing,
}

/// What a callback brought, once it is known to be genuine.
pub struct CallbackGrant {
    /// To be exchanged once.
    pub code: Secret,
    /// The state, for the few providers that want it again.
    pub state: Option<Secret>,
    /// Variables the callback told, each matching its pattern.
    pub variables: Variables,
    /// The account, when the callback names it already.
    pub account_hint: Option<String>,
    /// The granted scopes, when the callback names them already.
    pub granted_scopes: Option<Vec<String>>,
}

/// What a token endpoint gave.
pub struct Grant {
    /// What calls carry.
    pub access_token: Secret,
    /// What renews it; after a refresh, `None` means that the old one stays.
    pub refresh_token: Option<Secret>,
    /// As answered, or `Bearer`.
    pub token_type: String,
    /// End of the access token, from the time we sent the request; `None` when
    /// it does not end or nobody says.
    pub expires_at: Option<DateTime<Utc>>,
    /// End of the refresh token, when the answer says.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// The granted scopes, when the answer says.
    pub scopes: Option<Vec<String>>,
    /// Variables the answer told, each matching its pattern.
    pub variables: Variables,
    /// The account, when the answer names it.
    pub account: Option<Identity>,
    /// Another token in the same answer.
    pub second: Option<SecondToken>,
}

pub use callback::{is_approval, read_launch};
pub use handing::{CREDENTIALS, Handed, Request, hand_out};
pub use handover::{HandedOver, read_handover};
pub use proof::NOT_THEIRS;
pub use push::{PushMessage, Told, read_push};

/// What a person entered, by field, and what calls carry of it.
pub use credential::{Entered, Signature};
pub(crate) use reading::retry_at;
pub use sample::{Column, Kind, Note, ROWS, Sample, TABLES, describe};
pub use signing::Caller;
pub use trial::{Outcome, Step, Trial, Tried, Watch};

impl Grant {
    /// A credential that came by itself and does not end.
    pub fn of_token(token: &Secret) -> Self {
        Self {
            access_token: Secret::new(token.expose()),
            refresh_token: None,
            token_type: "Bearer".to_owned(),
            expires_at: None,
            refresh_expires_at: None,
            scopes: None,
            variables: Variables::new(),
            account: None,
            second: None,
        }
    }
}

/// Another token in the same answer: Slack's user token beside the bot's.
pub struct SecondToken {
    /// What it acts as: `user`.
    pub kind: String,
    /// What calls carry.
    pub access_token: Secret,
    /// What renews it.
    pub refresh_token: Option<Secret>,
    /// End of the access token.
    pub expires_at: Option<DateTime<Utc>>,
    /// The granted scopes, when the answer says.
    pub scopes: Option<Vec<String>>,
}

/// Who a connected account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Stays the same when the account is renamed; unique within the provider.
    pub id: String,
    /// What the person recognises the account by.
    pub label: String,
    /// The scopes the token has, when the provider says.
    pub granted_scopes: Option<Vec<String>>,
    /// Variables the answer told, each matching its pattern.
    pub variables: Variables,
    /// The certificate that ends first of those the answer stood on, where one
    /// is known.
    pub certificate: Option<Certificate>,
}

/// One of the organisations a consent opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its identity at the provider.
    pub id: String,
    /// Its name.
    pub label: String,
}

/// What became of a refresh.
#[expect(
    clippy::large_enum_variant,
    reason = "one per network call, taken apart where it arrives"
)]
pub enum RefreshAnswer {
    /// New tokens.
    Renewed(Grant),
    /// The provider said no for good, in words we know.
    Refused(Failure),
    /// Nothing left this machine: the token presented is untouched.
    NotSent(Failure),
    /// It was sent and no usable answer came: the provider may have rotated.
    Unclear(Failure),
    /// The provider answered, and said no for now: the token presented is untouched.
    Later(Failure),
}

/// The tokens to give back.
pub struct Tokens<'a> {
    /// What calls carried.
    pub access_token: &'a Secret,
    /// What renewed it.
    pub refresh_token: Option<&'a Secret>,
}

/// What became of giving our access back.
#[derive(Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The provider ended it.
    Revoked,
    /// It had ended already.
    AlreadyGone,
    /// The provider offers no way: the person removes it on this page.
    NotSupported {
        /// Where; `None` when a value in the address is not known.
        remove_url: Option<String>,
    },
    /// It did not work.
    Failed(Failure),
}
