//! Erasing a person: what an organisation knows of them, and, once they are in
//! none, all there is of them. What they did and connected stays, and says of
//! them no more than that it was somebody who left.

use sea_orm::{DatabaseTransaction, EntityTrait};
use uuid::Uuid;

use super::{Deed, Entry, Who, ledger::checkpoint::unusable};
use crate::{
    Error, Result,
    hub::Hub,
    people::{Action, Member},
    store::{PersonId, TenantId, deletion, erase, member, person},
};

impl Hub {
    /// Takes a member out of the organisation and erases what it knows of them:
    /// also in its ledger, whose chain stays whole. Who is in no other
    /// organisation has no account any more.
    ///
    /// # Errors
    /// As for [`Hub::change_role`].
    pub async fn erase_member(&self, by: &Member, person: PersonId) -> Result<()> {
        by.may(Action::ManageMembers)?;
        let ledger = self.ledger(by.tenant()).await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        self.manageable(&transaction, by, person, None).await?;
        let deletion = self.erasure(by.tenant(), person);
        self.witness.note_deletion(&deletion).map_err(unusable)?;
        let entry = Entry::new(by, Deed::PersonErased).on(PersonId::NOBODY);
        ledger.append(&transaction, entry).await?;
        erase_from(&transaction, deletion).await?;
        transaction.commit().await?;
        self.changes.nudge(by.tenant());
        self.store.scrub().await;
        Ok(())
    }

    /// Erases one's own account, in every organisation one is in.
    ///
    /// # Errors
    /// [`Error::Unproven`]; [`Error::Conflict`] for the last owner of one.
    pub async fn erase_oneself(&self, member: &Member) -> Result<()> {
        member.may(Action::EraseOneself)?;
        let person = member.person();
        let tenants = member::tenants_of(self.store.db(), person).await?;
        let mut ledgers = Vec::new();
        for tenant in &tenants {
            ledgers.push(self.ledger(*tenant).await?);
        }
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        for tenant in &tenants {
            if member::is_last_owner(&transaction, *tenant, person).await? {
                return Err(Error::Conflict(
                    "You are the only owner of an organisation. Make another member its owner, or delete it, first",
                ));
            }
        }
        for (tenant, ledger) in tenants.iter().zip(ledgers) {
            let deletion = self.erasure(*tenant, person);
            self.witness.note_deletion(&deletion).map_err(unusable)?;
            let entry = Entry::new(member, Deed::PersonErased).on(PersonId::NOBODY);
            ledger.append(&transaction, entry).await?;
            // That they did it themselves is wiped with the rest of them.
            erase_from(&transaction, deletion).await?;
        }
        transaction.commit().await?;
        for tenant in tenants {
            self.changes.nudge(tenant);
        }
        self.store.scrub().await;
        Ok(())
    }

    /// Erases again who came back with a backup.
    pub(super) async fn repeat_erasures(&self, all: Vec<deletion::Model>) -> Result<usize> {
        let mut repeated = 0;
        for deletion in all {
            let (tenant, Some(person)) = (deletion.tenant_id, deletion.person_id) else {
                continue;
            };
            let db = self.store.db();
            let member = member::membership(db, person, tenant).await?;
            let is_somewhere = member::anywhere(db, person).await?;
            let account = person::Entity::find_by_id(person).one(db).await?;
            // They may be there rightly: somebody added them again, or they are
            // in another organisation.
            let is_back = match &member {
                Some(_) => member::joined_at(db, tenant, person).await? <= Some(deletion.at),
                None => account.is_some() && !is_somewhere,
            };
            if !is_back {
                continue;
            }
            let ledger = match member {
                Some(_) => self.ledger(tenant).await?,
                None => self.ledger(TenantId::HUB).await?,
            };
            let transaction = self.store.begin().await?;
            let entry = Entry::new(Who::hub(), Deed::DeletionRepeated).on(PersonId::NOBODY);
            ledger.append(&transaction, entry).await?;
            erase_from(&transaction, deletion).await?;
            transaction.commit().await?;
            self.store.scrub().await;
            repeated += 1;
        }
        Ok(repeated)
    }

    fn erasure(&self, tenant_id: TenantId, person: PersonId) -> deletion::Model {
        deletion::Model {
            id: Uuid::now_v7(),
            tenant_id,
            connection_id: None,
            person_id: Some(person),
            at: self.clock.now(),
        }
    }
}

/// Deletes what a deletion of a person says.
async fn erase_from(db: &DatabaseTransaction, deletion: deletion::Model) -> Result<()> {
    let (tenant, Some(person)) = (deletion.tenant_id, deletion.person_id) else {
        return Ok(());
    };
    deletion::note(db, deletion).await?;
    erase::person_of_tenant(db, tenant, person).await?;
    if !member::anywhere(db, person).await? {
        erase::person(db, person).await?;
    }
    Ok(())
}
