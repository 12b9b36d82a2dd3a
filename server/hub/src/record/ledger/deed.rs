//! The closed lists of the ledger: what can be done, to what, and how it ended.

use crate::store::{ApiKeyId, ConnectLinkId, ConnectionId, PersonId, TenantId, WebhookId};

macro_rules! deeds {
    ($($name:ident = $text:literal, $words:literal;)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the words are the documentation")]
        pub enum Deed { $($name),* }

        impl Deed {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As it is stored: `connection.created`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// As a person reads it.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words),* }
            }
        }
    };
}

deeds! {
    SignedIn = "session.signed_in", "Signed in";
    SignInRefused = "session.sign_in_refused", "Sign-in refused";
    PasswordRefused = "session.password_refused", "Password refused";
    SignedOut = "session.signed_out", "Signed out";
    SessionsEnded = "session.all_ended", "Signed out everywhere";
    PasswordChanged = "person.password_changed", "Changed the password";
    ProfileChanged = "person.profile_changed", "Changed name or e-mail address";
    PersonErased = "person.erased", "Erased a person";
    TenantCreated = "tenant.created", "Created the organisation";
    TenantExported = "tenant.exported", "Exported the organisation's data";
    TenantDeleted = "tenant.deleted", "Deleted an organisation";
    MemberAdded = "member.added", "Added a member";
    MemberRoleChanged = "member.role_changed", "Changed a role";
    MemberRemoved = "member.removed", "Removed a member";
    KeyCreated = "api_key.created", "Created an API key";
    KeyRevoked = "api_key.revoked", "Revoked an API key";
    TokenMade = "api_token.created", "Exchanged a key or session for a token";
    AppSaved = "provider_app.saved", "Saved a provider app";
    AppRemoved = "provider_app.removed", "Removed a provider app";
    ConnectionCreated = "connection.created", "Connected an account";
    ConnectionReconnected = "connection.reconnected", "Reconnected an account";
    ConnectionImported = "connection.imported", "Imported a connection";
    ConnectionDisconnected = "connection.disconnected", "Disconnected an account";
    GrantReturned = "connection.grant_returned", "Gave the access back at the provider";
    CallbackRefused = "connection.callback_refused", "Refused a sign-in at a provider that ended in another browser";
    ConnectionDeleted = "connection.deleted", "Deleted a connection and its data";
    ConnectionPaused = "connection.paused", "Let a connection rest";
    ConnectionResumed = "connection.resumed", "Had a connection work again";
    ConnectionCleared = "connection.cleared", "Cleared what was stored of an account";
    CheckAsked = "connection.check_asked", "Had a connection checked";
    RepairAsked = "connection.repair_asked", "Had a connection repaired";
    HelpAsked = "connection.help_asked", "Asked somebody to repair a connection";
    ReadingAsked = "connection.reading_asked", "Had a connection read";
    DataSeen = "connection.data_seen", "Looked at the data of a connection";
    ConnectionRenamed = "connection.renamed", "Renamed a connection";
    MappingChanged = "connection.mapping_changed", "Named columns";
    FrequencyChanged = "connection.frequency_changed", "Changed how often it is read";
    LinkCreated = "connect_link.created", "Created a connect link";
    LinkOpened = "connect_link.opened", "Opened a connect link";
    WebhookAdded = "webhook.added", "Added a webhook";
    WebhookSecretRotated = "webhook.secret_rotated", "Renewed a webhook's secret";
    WebhookTested = "webhook.tested", "Sent a webhook a test";
    WebhookRevived = "webhook.revived", "Sent again what a webhook missed";
    WebhookReplayed = "webhook.replayed", "Told a webhook everything again";
    WebhookRemoved = "webhook.removed", "Removed a webhook";
    PolicySwitchedOff = "policy.switched_off", "Switched a policy off";
    PolicySwitchedOn = "policy.switched_on", "Switched a policy on";
    RecordingSwitchedOff = "metrics.switched_off", "Stopped recording attempts";
    RecordingSwitchedOn = "metrics.switched_on", "Began recording attempts";
    SecretLent = "secret.lent", "Lent a token";
    LedgerExported = "audit.exported", "Exported the audit log";
    LedgerRestored = "audit.restored", "Restored a backup";
    DeletionRepeated = "deletion.repeated", "Deleted again after a restore";
    ActionDenied = "action.denied", "Was not allowed";
}

impl Deed {
    /// The deed that is stored like this.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|deed| deed.as_str() == text)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed.
    Denied,
    /// It was allowed, and did not work.
    Failed,
}

impl Outcome {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Target {
    Connection(ConnectionId),
    Person(PersonId),
    Key(ApiKeyId),
    Link(ConnectLinkId),
    Webhook(WebhookId),
    App(String),
    Tenant(TenantId),
    Policy(String),
}

impl Target {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Person(_) => "person",
            Self::Key(_) => "key",
            Self::Link(_) => "link",
            Self::Webhook(_) => "webhook",
            Self::App(_) => "app",
            Self::Tenant(_) => "tenant",
            Self::Policy(_) => "policy",
        }
    }

    /// What stands in the chain: a person does not.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Connection(id) => Some(id.to_string()),
            Self::Key(id) => Some(id.to_string()),
            Self::Link(id) => Some(id.to_string()),
            Self::Webhook(id) => Some(id.to_string()),
            Self::Tenant(id) => Some(id.to_string()),
            Self::App(name) | Self::Policy(name) => Some(name.chars().take(64).collect()),
            Self::Person(_) => None,
        }
    }

    pub(super) fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(*person),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($id:ident => $target:ident),*) => {$(
        impl From<$id> for Target {
            fn from(id: $id) -> Self {
                Self::$target(id)
            }
        }
    )*};
}

from!(
    ConnectionId => Connection, PersonId => Person, ApiKeyId => Key,
    ConnectLinkId => Link, WebhookId => Webhook, TenantId => Tenant
);
