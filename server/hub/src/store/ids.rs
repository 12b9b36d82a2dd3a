//! Identifiers: a type per table, time-ordered, never used as secrets.

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, DeriveValueType,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier, ordered by the time it was made.
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )*};
}

id! {
    /// One organisation.
    TenantId,
    /// One human being, who may belong to several tenants.
    PersonId,
    /// One linked account of one tenant.
    ConnectionId,
    /// One attempt to make, extend or repair a connection.
    FlowId,
    /// What one person has entered of one connection.
    DraftId,
    /// One key of a host application.
    ApiKeyId,
    /// One data key of the vault.
    DataKeyId,
    /// One try to renew a token.
    AttemptId,
    /// One data directory, and with it one spool.
    NodeId,
    /// One event of a tenant's history.
    EventId,
    /// One key that signs short-lived tokens.
    SigningKeyId,
    /// One address that is told of events.
    WebhookId,
    /// One link for somebody who has no account here.
    ConnectLinkId,
    /// One reading of a connection.
    SyncRunId,
    /// One use of a connection by an automation.
    RunId,
    /// One trouble of a connection, from its beginning to its end.
    AlarmId,
    /// One person's being told of an alarm.
    NoticeId,
    /// One e-mail.
    MailId,
}

impl PersonId {
    /// What stands in a person's place where there is none.
    pub const NOBODY: Self = Self(Uuid::nil());
}

impl ApiKeyId {
    /// What stands in a key's place where there is none.
    pub const NONE: Self = Self(Uuid::nil());
}

impl TenantId {
    /// The hub itself, for secrets that belong to no tenant.
    pub const HUB: Self = Self(Uuid::nil());
}
