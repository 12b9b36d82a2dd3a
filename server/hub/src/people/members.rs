//! Who is in the tenant: other roles, and leaving.

use super::{Action, Member, Role};
use crate::{
    Error, Hub, Result,
    record::{Deed, Entry},
    store::{
        PersonId,
        member::{self, Membership},
        person,
    },
};

const LAST_OWNER: Error =
    Error::Conflict("Somebody has to own the organisation. Make another member its owner first");

/// A member, as those who manage members see them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Listed {
    pub person: PersonId,
    pub name: String,
    pub email: String,
    pub role: Role,
}

impl Hub {
    /// Everybody in the tenant, by name.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn members(&self, member: &Member) -> Result<Vec<Listed>> {
        member.may(Action::SeeMembers)?;
        let rows = member::all(self.store.db(), member.tenant()).await?;
        let listed = |row: Membership| Listed {
            person: row.person_id,
            name: row.name,
            email: row.email,
            role: row.role,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Gives a member another role. Owners are made and unmade by owners alone,
    /// and the last one stays.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] for the
    /// last owner.
    pub async fn change_role(&self, by: &Member, person: PersonId, role: Role) -> Result<()> {
        by.may(Action::ManageMembers)?;
        let ledger = self.ledger(by.tenant()).await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        let row = self
            .manageable(&transaction, by, person, Some(role))
            .await?;
        if row.role == role {
            return Ok(());
        }
        member::set_role(&transaction, by.tenant(), person, role).await?;
        let change = format!("{} to {}", row.role.as_str(), role.as_str());
        let entry = Entry::new(by, Deed::MemberRoleChanged).on(person);
        ledger.append(&transaction, entry.saying(change)).await?;
        transaction.commit().await?;
        self.changes.nudge(by.tenant());
        Ok(())
    }

    /// Takes a member out of the tenant. Their sessions, open pages and tokens
    /// are worth nothing from now on.
    ///
    /// # Errors
    /// As for [`Hub::change_role`].
    pub async fn remove_member(&self, by: &Member, person: PersonId) -> Result<()> {
        by.may(Action::ManageMembers)?;
        let ledger = self.ledger(by.tenant()).await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        let row = self.manageable(&transaction, by, person, None).await?;
        member::remove(&transaction, by.tenant(), person).await?;
        let entry = Entry::new(by, Deed::MemberRemoved).on(person);
        ledger
            .append(&transaction, entry.saying(row.role.as_str()))
            .await?;
        transaction.commit().await?;
        // Open streams look at once whether their person is still a member.
        self.changes.nudge(by.tenant());
        Ok(())
    }

    /// The member, if `by` may give them the role `after`, or take them out.
    pub(crate) async fn manageable(
        &self,
        db: &sea_orm::DatabaseTransaction,
        by: &Member,
        person: PersonId,
        after: Option<Role>,
    ) -> Result<Membership> {
        let all = member::all(db, by.tenant()).await?;
        let owners = all.iter().filter(|row| row.role == Role::Owner).count();
        // As they are now, and not when the page was drawn.
        let is_owner = all
            .iter()
            .any(|row| row.person_id == by.person() && row.role == Role::Owner);
        let row = all.into_iter().find(|row| row.person_id == person);
        let row = row.ok_or(Error::NotFound)?;
        let about_owner = row.role == Role::Owner || after == Some(Role::Owner);
        if about_owner && !is_owner {
            by.may(Action::ManageTenant)?;
            return Err(Error::Forbidden {
                needs: Role::Owner.as_str(),
            });
        }
        if row.role == Role::Owner && owners == 1 && after != Some(Role::Owner) {
            return Err(LAST_OWNER);
        }
        Ok(row)
    }
}
