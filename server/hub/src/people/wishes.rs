//! What people miss in the catalog. Nobody is promised anything: whoever sets up
//! provider apps sees what to look for next.

use super::{Action, Member, fields};
use crate::{
    Error, Hub, Result,
    store::wish::{self, Model},
};

/// Longest wish, in characters.
const MAX_WISH: usize = 200;

/// As many as one person may note: a list of thousands says nothing more.
const MOST_OF_ONE: u64 = 100;

/// As many as are shown.
const SHOWN: u64 = 100;

impl Hub {
    /// Notes what a member misses.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `wish`.
    pub async fn wish(&self, member: &Member, text: &str) -> Result<()> {
        let text = fields::line("wish", "Enter what you miss", MAX_WISH, text)?;
        let (tenant, person) = (member.tenant(), member.person());
        if wish::count(self.store.db(), tenant, person).await? >= MOST_OF_ONE {
            return Err(Error::invalid(
                "wish",
                "You have noted a hundred already. Tell an admin in person",
            ));
        }
        let row = Model {
            tenant_id: tenant,
            person_id: person,
            text,
            at: self.clock.now(),
        };
        Ok(wish::note(self.store.db(), row).await?)
    }

    /// What the tenant's members miss, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn wishes(&self, member: &Member) -> Result<Vec<Model>> {
        member.may(Action::ManageProviderApps)?;
        Ok(wish::newest(self.store.db(), member.tenant(), SHOWN).await?)
    }
}
