//! Erasing a person: what an organisation knows of them, and, once they are in
//! none, all there is of them. What they did and connected stays, and says of
//! them no more than that it was somebody who left.
//!
//! Whoever erases reaches every organisation: theirs alone would show nobody to be
//! in another one.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DatabaseTransaction, EntityTrait};
use uuid::Uuid;

use super::{Deed, Entry, Ledger, Who, deletion::unless_deadlocked};
use crate::{
    Error, Result,
    hub::Hub,
    people::{Action, Member},
    store::{PersonId, Reach, TenantId, audit_personal, deletion, erase, member, person},
    vault::VaultError,
};

/// What an entry says of an erasure, before how many entries were wiped by it.
/// Verifying counts them: whoever takes away who it was wipes one more.
const WIPED: &str = "wiped: ";

/// How many entries an erasure wiped, as its own entry says.
pub(super) fn wiped(detail: Option<&str>) -> Option<u64> {
    detail?.strip_prefix(WIPED)?.parse().ok()
}

/// The ledgers that tell of a person. They are opened before the transaction that
/// writes to them.
pub(super) type LedgersAbout = BTreeMap<TenantId, Ledger>;

/// What is erased of a person, and by whom.
pub(super) struct Erasing {
    pub person: PersonId,
    /// The tenants that are to know them no more.
    pub leaving: BTreeSet<TenantId>,
    /// Whether those are all they are in.
    pub whole: bool,
    pub who: Who,
    pub deed: Deed,
}

impl Hub {
    /// Takes a member out of the organisation and erases what it knows of them:
    /// also in its ledger, whose chain stays whole. Who is in no other
    /// organisation has no account any more.
    ///
    /// # Errors
    /// As for [`Hub::change_role`].
    pub async fn erase_member(&self, by: &Member, person: PersonId) -> Result<()> {
        by.may(Action::ManageMembers)?;
        let erasing = unless_deadlocked(|| self.erase_member_once(by, person));
        Reach::every().around(erasing).await?;
        self.changes.nudge(by.tenant());
        self.store.scrub().await;
        Ok(())
    }

    async fn erase_member_once(&self, by: &Member, person: PersonId) -> Result<()> {
        let leaving = BTreeSet::from([by.tenant()]);
        let ledgers = self.ledgers_about(person, &leaving).await?;
        let signer = self.checkpoint_signer().await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        self.manageable(&transaction, by, person, None).await?;
        let whole = is_everywhere(&transaction, person, &leaving).await?;
        for deletion in self.erasures(person, &leaving, whole) {
            self.witness.note_deletion(&signer, &deletion)?;
            deletion::note(&transaction, deletion).await?;
        }
        let erasing = Erasing {
            person,
            leaving,
            whole,
            who: by.into(),
            deed: Deed::PersonErased,
        };
        erase_from(&transaction, &ledgers, &erasing).await?;
        Ok(transaction.commit().await?)
    }

    /// Erases one's own account, in every organisation one is in.
    ///
    /// # Errors
    /// [`Error::Unproven`]; [`Error::Conflict`] for the last owner of one.
    pub async fn erase_oneself(&self, member: &Member) -> Result<()> {
        member.may(Action::EraseOneself)?;
        let erasing = unless_deadlocked(|| self.erase_oneself_once(member));
        for tenant in Reach::every().around(erasing).await? {
            self.changes.nudge(tenant);
        }
        self.store.scrub().await;
        Ok(())
    }

    async fn erase_oneself_once(&self, member: &Member) -> Result<BTreeSet<TenantId>> {
        let person = member.person();
        let tenants = member::tenants_of(self.store.db(), person).await?;
        let leaving: BTreeSet<TenantId> = tenants.into_keys().collect();
        let ledgers = self.ledgers_about(person, &leaving).await?;
        let signer = self.checkpoint_signer().await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        if !is_everywhere(&transaction, person, &leaving).await? {
            return Err(Error::Conflict(
                "Somebody added you to an organisation just now. Try again",
            ));
        }
        for tenant in &leaving {
            if member::is_last_owner(&transaction, *tenant, person).await? {
                return Err(Error::Conflict(
                    "You are the only owner of an organisation. Make another member its owner, or delete it, first",
                ));
            }
        }
        for deletion in self.erasures(person, &leaving, true) {
            self.witness.note_deletion(&signer, &deletion)?;
            deletion::note(&transaction, deletion).await?;
        }
        let erasing = Erasing {
            person,
            leaving,
            whole: true,
            who: member.into(),
            deed: Deed::PersonErased,
        };
        erase_from(&transaction, &ledgers, &erasing).await?;
        transaction.commit().await?;
        Ok(erasing.leaving)
    }

    /// Erases again who came back with a backup. None of these are noted in this
    /// database: what is, was erased in the transaction that noted it, and whoever
    /// is there since is there rightly.
    pub(super) async fn repeat_erasures(&self, all: Vec<deletion::Model>) -> Result<usize> {
        let mut repeated = 0;
        for deletion in all {
            let is_back = unless_deadlocked(|| self.repeat_erasure(&deletion)).await?;
            repeated += usize::from(is_back);
        }
        Ok(repeated)
    }

    async fn repeat_erasure(&self, deletion: &deletion::Model) -> Result<bool> {
        let Some(person) = deletion.person_id else {
            return Ok(false);
        };
        let db = self.store.db();
        let tenants = member::tenants_of(db, person).await?.into_keys().collect();
        let ledgers = self.ledgers_about(person, &tenants).await?;
        let transaction = self.store.begin().await?;
        person::lock_table(&transaction).await?;
        let account = person::Entity::find_by_id(person).one(&transaction).await?;
        let tenants = member::tenants_of(&transaction, person).await?;
        // Whom somebody added again is there rightly.
        let leaving: BTreeSet<TenantId> = tenants
            .iter()
            .filter(|(_, joined_at)| **joined_at <= deletion.at)
            .map(|(tenant, _)| *tenant)
            .filter(|tenant| deletion.is_of_account() || *tenant == deletion.tenant_id)
            .collect();
        let is_back = account.is_some() && (deletion.is_of_account() || !leaving.is_empty());
        deletion::note(&transaction, deletion.clone()).await?;
        if !is_back {
            transaction.commit().await?;
            return Ok(false);
        }
        let erasing = Erasing {
            person,
            whole: leaving.len() == tenants.len(),
            leaving,
            who: Who::hub(),
            deed: Deed::DeletionRepeated,
        };
        erase_from(&transaction, &ledgers, &erasing).await?;
        let mut ownerless = Vec::new();
        for tenant in &erasing.leaving {
            if !member::has_owner(&transaction, *tenant).await? {
                ownerless.push(*tenant);
            }
        }
        transaction.commit().await?;
        for tenant in ownerless {
            tracing::warn!(
                tenant.id = %tenant,
                "an organisation has no owner any more: who is added by `linkwell user create` becomes it"
            );
        }
        self.store.scrub().await;
        Ok(true)
    }

    /// Opens the ledgers that tell of a person, and those of `more`.
    pub(super) async fn ledgers_about(
        &self,
        person: PersonId,
        more: &BTreeSet<TenantId>,
    ) -> Result<LedgersAbout> {
        let about = audit_personal::tenants_about(self.store.db(), person).await?;
        let mut ledgers = LedgersAbout::new();
        for tenant in about.union(more) {
            match self.ledger(*tenant).await {
                Ok(ledger) => {
                    ledgers.insert(*tenant, ledger);
                }
                // One of a tenant that is being deleted tells nobody anything.
                Err(Error::NotFound | Error::Vault(VaultError::Unopenable))
                    if !more.contains(tenant) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ledgers)
    }

    /// What is noted of an erasure: what each tenant knew, and the account when it
    /// goes with it.
    fn erasures(
        &self,
        person: PersonId,
        leaving: &BTreeSet<TenantId>,
        whole: bool,
    ) -> Vec<deletion::Model> {
        let account = whole.then_some(TenantId::HUB);
        let tenants = leaving.iter().copied().chain(account);
        tenants
            .map(|tenant_id| deletion::Model {
                id: Uuid::now_v7(),
                tenant_id,
                connection_id: None,
                person_id: Some(person),
                at: self.clock.now(),
            })
            .collect()
    }
}

/// Whether a person is in no other tenants than these.
async fn is_everywhere(
    db: &DatabaseTransaction,
    person: PersonId,
    tenants: &BTreeSet<TenantId>,
) -> Result<bool> {
    let all = member::tenants_of(db, person).await?;
    Ok(all.keys().all(|tenant| tenants.contains(tenant)))
}

/// Erases a person, and says in each ledger how many of its entries were wiped.
pub(super) async fn erase_from(
    db: &DatabaseTransaction,
    ledgers: &LedgersAbout,
    erasing: &Erasing,
) -> Result<()> {
    let Erasing {
        person,
        leaving,
        whole,
        who,
        deed,
    } = erasing;
    if *whole {
        erase::person(db, *person).await?;
    } else {
        for tenant in leaving {
            erase::person_of_tenant(db, *tenant, *person).await?;
        }
    }
    for (tenant, ledger) in ledgers {
        let is_left = leaving.contains(tenant);
        if !whole && !is_left {
            continue;
        }
        // Who did it in one tenant is nobody in the others.
        let who = match is_left {
            true => who.clone(),
            false => Who::hub(),
        };
        // That they did it themselves is wiped with the rest of them.
        let own = u64::from(who.person() == Some(*person));
        let wiped = audit_personal::count(db, *tenant, *person).await? + own;
        let entry = Entry::new(who, *deed).on(PersonId::NOBODY);
        let entry = entry.saying(format!("{WIPED}{wiped}"));
        ledger.append(db, entry).await?;
        audit_personal::wipe(db, *tenant, *person).await?;
    }
    if *whole {
        audit_personal::wipe_everywhere(db, *person).await?;
    }
    Ok(())
}
