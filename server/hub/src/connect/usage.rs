//! "Which account of this provider do I use, and what is there to do about it?":
//! one answer for pages and for host applications.

use super::Listed;
use crate::{Error, Result, hub::Hub, keep::health::Status, people::By, store::ConnectionId};

/// The tenant's connection to a provider, and where a person does what.
pub struct Usage {
    /// The provider's id in the catalog.
    pub provider: String,
    /// The connection to use: the best of those there are, the newest where
    /// several are as good. None where nothing was connected yet.
    pub connection: Option<Listed>,
    /// Each connection to it, the newest first.
    pub all: Vec<ConnectionId>,
}

impl Usage {
    /// Whether automations can use it now.
    pub fn is_usable(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|one| rank(one.health.status) <= rank(Status::NotChecked))
    }
}

/// The lower, the better to use.
fn rank(status: Status) -> u8 {
    match status {
        Status::Connected => 0,
        Status::Retrying => 1,
        Status::NotChecked => 2,
        Status::WaitingForAdmin => 3,
        Status::ActionNeeded => 4,
        Status::Paused => 5,
        Status::Disconnected => 6,
    }
}

impl Hub {
    /// The connection of the tenant to `provider`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] for a provider that is not in
    /// the catalog.
    pub async fn use_connection(&self, by: impl Into<By<'_>>, provider: &str) -> Result<Usage> {
        let by = by.into();
        by.may_look()?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        let mut listed = self.listed(by.tenant()).await?;
        listed.retain(|one| one.connection.provider == provider.id);
        let all = listed.iter().map(|one| one.connection.id).collect();
        // The first of equals is the newest.
        let best = listed.into_iter().min_by_key(|one| rank(one.health.status));
        Ok(Usage {
            provider: provider.id.clone(),
            connection: best,
            all,
        })
    }
}
