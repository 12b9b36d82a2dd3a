//! The closed list of failure codes: one enum for everything that can go wrong
//! with a connection or with our own sign-in.
//!
//! A provider's failure is an *outcome* that is stored and shown, not an error
//! that is thrown: it is mapped to a code once, where the answer is read, and
//! put into words only when it is shown.

use chrono::{DateTime, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

use crate::text::is_deceptive;

/// What failed, from a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "the names are the documentation; words are in `Prompt`"
)]
pub enum FailureCode {
    #[serde(rename = "AUTH_001")]
    SignInSlow,
    #[serde(rename = "AUTH_002")]
    SignedOut,
    #[serde(rename = "AUTH_003")]
    BrowserUnsupported,
    #[serde(rename = "AUTH_004")]
    NotAllowed,
    SessionExpired,
    MfaOrChallengeRequired,
    CheckpointOrSuspiciousLogin,
    ProfileCookieMissing,
    ConnectorAuthSelectorChanged,
    NetworkOrTimeout,
    ConsentDeniedOrAbandoned,
    GrantRevokedOrExpired,
    CredentialsRejected,
    PermissionMissing,
    AdminApprovalRequired,
    AppConfigInvalid,
    ProviderLimitedOrDown,
    AccountOrTargetMismatch,
    FlowExpiredOrInvalid,
    RefusedByProvider,
    HubInternal,
}

impl FailureCode {
    /// Every code, for tests and tables that must cover them all.
    pub const ALL: [Self; 21] = [
        Self::SignInSlow,
        Self::SignedOut,
        Self::BrowserUnsupported,
        Self::NotAllowed,
        Self::SessionExpired,
        Self::MfaOrChallengeRequired,
        Self::CheckpointOrSuspiciousLogin,
        Self::ProfileCookieMissing,
        Self::ConnectorAuthSelectorChanged,
        Self::NetworkOrTimeout,
        Self::ConsentDeniedOrAbandoned,
        Self::GrantRevokedOrExpired,
        Self::CredentialsRejected,
        Self::PermissionMissing,
        Self::AdminApprovalRequired,
        Self::AppConfigInvalid,
        Self::ProviderLimitedOrDown,
        Self::AccountOrTargetMismatch,
        Self::FlowExpiredOrInvalid,
        Self::RefusedByProvider,
        Self::HubInternal,
    ];

    /// The code as it is stored, logged and answered: `GRANT_REVOKED_OR_EXPIRED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignInSlow => "AUTH_001",
            Self::SignedOut => "AUTH_002",
            Self::BrowserUnsupported => "AUTH_003",
            Self::NotAllowed => "AUTH_004",
            Self::SessionExpired => "SESSION_EXPIRED",
            Self::MfaOrChallengeRequired => "MFA_OR_CHALLENGE_REQUIRED",
            Self::CheckpointOrSuspiciousLogin => "CHECKPOINT_OR_SUSPICIOUS_LOGIN",
            Self::ProfileCookieMissing => "PROFILE_COOKIE_MISSING",
            Self::ConnectorAuthSelectorChanged => "CONNECTOR_AUTH_SELECTOR_CHANGED",
            Self::NetworkOrTimeout => "NETWORK_OR_TIMEOUT",
            Self::ConsentDeniedOrAbandoned => "CONSENT_DENIED_OR_ABANDONED",
            Self::GrantRevokedOrExpired => "GRANT_REVOKED_OR_EXPIRED",
            Self::CredentialsRejected => "CREDENTIALS_REJECTED",
            Self::PermissionMissing => "PERMISSION_MISSING",
            Self::AdminApprovalRequired => "ADMIN_APPROVAL_REQUIRED",
            Self::AppConfigInvalid => "APP_CONFIG_INVALID",
            Self::ProviderLimitedOrDown => "PROVIDER_LIMITED_OR_DOWN",
            Self::AccountOrTargetMismatch => "ACCOUNT_OR_TARGET_MISMATCH",
            Self::FlowExpiredOrInvalid => "FLOW_EXPIRED_OR_INVALID",
            Self::RefusedByProvider => "REFUSED_BY_PROVIDER",
            Self::HubInternal => "HUB_INTERNAL",
        }
    }

    /// Whether the system ends this by itself, by trying again later.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::SignInSlow
                | Self::ConnectorAuthSelectorChanged
                | Self::NetworkOrTimeout
                | Self::ProviderLimitedOrDown
                | Self::HubInternal
        )
    }

    /// Whether it is about signing in to the hub itself: it is never the failure of a
    /// connection, of a run, or of anything else that others tell of.
    pub fn is_of_hub(self) -> bool {
        matches!(
            self,
            Self::SignInSlow | Self::SignedOut | Self::BrowserUnsupported | Self::NotAllowed
        )
    }

    /// Whether nobody here can do anything about it, however long it lasts.
    pub fn is_others(self) -> bool {
        matches!(
            self,
            Self::SignInSlow | Self::ConnectorAuthSelectorChanged | Self::ProviderLimitedOrDown
        )
    }
}

/// Whether the provider said so, or we concluded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The provider's answer names this cause.
    Told,
    /// The cause is the most likely reading of what was seen.
    Inferred,
}

/// One failed attempt, as it is stored with the attempt and shown later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Failure {
    /// What failed, from the closed list.
    pub code: FailureCode,
    /// An open word for metrics and support: `invalid_grant`, `lost_rotation`.
    pub detail: String,
    /// Told by the provider or inferred by us.
    pub certainty: Certainty,
    /// When the provider asked us to come back, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// The provider's own words, trimmed and free of secrets; details only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_text: Option<String>,
}

impl Failure {
    /// A failure the other side named.
    pub fn told(code: FailureCode, detail: impl Into<String>) -> Self {
        Self::new(code, detail, Certainty::Told)
    }

    /// A failure we concluded.
    pub fn inferred(code: FailureCode, detail: impl Into<String>) -> Self {
        Self::new(code, detail, Certainty::Inferred)
    }

    fn new(code: FailureCode, detail: impl Into<String>, certainty: Certainty) -> Self {
        Self {
            code,
            detail: detail.into(),
            certainty,
            retry_at: None,
            provider_text: None,
        }
    }

    /// Adds the provider's own words, cut to 300 characters on one line.
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        let text: String = text
            .as_ref()
            .chars()
            .map(|c| if is_deceptive(c) { ' ' } else { c })
            .take(300)
            .collect();
        let text = text.trim();
        self.provider_text = (!text.is_empty()).then(|| text.to_owned());
        self
    }

    /// Adds the time the provider asked us to wait for.
    pub fn with_retry_at(mut self, at: Option<DateTime<Utc>>) -> Self {
        self.retry_at = at;
        self
    }
}
