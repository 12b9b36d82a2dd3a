//! How the shop works when nothing is broken.

use serde::{Deserialize, Serialize};

/// Lifetimes, rotation and automatic approval. In JSON every field may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Seconds an access token lives.
    pub access_lifetime_s: u32,
    /// Seconds a refresh token lives.
    pub refresh_lifetime_s: u32,
    /// What happens to a refresh token that was used.
    pub rotation: Rotation,
    /// Approve at once, without a page, as this account (id or e-mail) unless `login_hint` names another.
    pub auto_approve: Option<String>,
}

/// What happens to a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rotation {
    /// It stays; refresh answers carry no refresh token.
    Off,
    /// It is replaced.
    On {
        /// How long the replaced one still works.
        grace: Grace,
        /// Whether using a replaced one after its grace revokes everything that came from the same consent.
        reuse_detection: bool,
    },
}

/// How long a replaced refresh token still works. Using it within the grace gives a further pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grace {
    /// For so many seconds; 0 is none.
    Seconds(u32),
    /// Until the access or refresh token that replaced it is used for the first time.
    UntilReplacementUsed,
}

impl Rotation {
    /// One use, no grace, and reuse revokes the family: the least forgiving provider there is.
    pub const STRICT: Self = Self::On {
        grace: Grace::Seconds(0),
        reuse_detection: true,
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            access_lifetime_s: 600,
            refresh_lifetime_s: 30 * 24 * 60 * 60,
            rotation: Rotation::On {
                grace: Grace::UntilReplacementUsed,
                reuse_detection: true,
            },
            auto_approve: None,
        }
    }
}
