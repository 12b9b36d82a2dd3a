//! One attempt to connect or repair.

use serde::{Deserialize, Serialize};

use super::Prompt;

/// How far an attempt is, as the server knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// The person is at the provider.
    Waiting,
    /// The provider sent the person back.
    Received,
    /// The code is exchanged and the account is being proven.
    Checking,
    /// Another account signed in than expected; the person decides.
    OtherAccount,
    /// The consent opened several organisations; the person chooses one.
    Choosing,
    /// Done: there is a working connection.
    Connected,
    /// Ended without a connection; the prompt says why.
    Failed,
    /// Given up here.
    Cancelled,
    /// Left alone for ten minutes.
    Expired,
}

/// One attempt to connect or repair: `GET /api/view/flow/{handle}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The flow's id.
    pub flow_id: String,
    /// How far it is.
    pub status: AttemptStatus,
    /// The connection it made or repaired.
    #[serde(default)]
    pub connection_id: Option<String>,
    /// Why it failed, and what to do.
    #[serde(default)]
    pub prompt: Option<Prompt>,
}
