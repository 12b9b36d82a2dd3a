//! A person in a tenant, as authentication knows them.

use chrono::{DateTime, Utc};

use super::{Action, Role, roles::RECENT};
use crate::{
    Error, Hub, Result,
    record::Origin,
    store::{
        PersonId, Reach, TenantId,
        member::{self, Membership},
    },
};

/// A person who has proven who they are, in the tenant they act for.
///
/// Only this room makes one. Holding one is what it takes to ask for anything
/// of its tenant, within its [`Role`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    tenant: TenantId,
    tenant_name: String,
    person: PersonId,
    name: String,
    email: String,
    role: Role,
    session_epoch: i32,
    /// When they last gave their password.
    proven_at: DateTime<Utc>,
    /// Whether that was within [`RECENT`] when they were authenticated.
    recent: bool,
    origin: Origin,
}

impl Member {
    /// The tenant the person acts for.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The tenant's name.
    pub fn tenant_name(&self) -> &str {
        &self.tenant_name
    }

    /// The person.
    pub fn person(&self) -> PersonId {
        self.person
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The person's e-mail address, in lower case.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// What the person may do in the tenant.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The generation of sessions this one belongs to. Raising it ends every
    /// older one.
    pub fn session_epoch(&self) -> i32 {
        self.session_epoch
    }

    /// When they last gave their password.
    pub fn proven_at(&self) -> DateTime<Utc> {
        self.proven_at
    }

    /// Whether they gave their password so recently that it need not be given
    /// again for what is grave.
    pub fn is_recent(&self) -> bool {
        self.recent
    }

    /// Where the request comes from in which they have proven it.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// To be called only where the person has just been authenticated, having
    /// given their password at `proven_at`.
    pub(super) fn authenticated(
        row: Membership,
        proven_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            proven_at,
            recent: is_recent(proven_at, now),
            tenant: row.tenant_id,
            tenant_name: row.tenant_name,
            person: row.person_id,
            name: row.name,
            email: row.email,
            role: row.role,
            session_epoch: row.session_epoch,
            origin: Origin::current(),
        }
    }
}

/// Whether a password given at `proven_at` still counts for what is grave.
pub(super) fn is_recent(proven_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now < proven_at + RECENT
}

impl Hub {
    /// Who a session belongs to: one query. None when the person left the
    /// tenant, or ended their sessions after this one began with `epoch`.
    /// `proven_at` is when the session's person last gave their password.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn member(
        &self,
        person: PersonId,
        tenant: TenantId,
        epoch: i32,
        proven_at: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        let now = self.clock.now();
        let row = member::membership(self.store.db(), person, tenant);
        let row = Reach::of([tenant]).around(row).await?;
        Ok(row
            .filter(|row| row.session_epoch == epoch)
            .map(|row| Member::authenticated(row, proven_at, now)))
    }

    /// A member as they are now, for work that goes on for long.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they left the tenant, or ended their sessions.
    pub async fn still(&self, member: &Member) -> Result<Member> {
        let Member {
            tenant,
            person,
            session_epoch,
            proven_at,
            ..
        } = *member;
        let now = self
            .member(person, tenant, session_epoch, proven_at)
            .await?;
        Ok(Member {
            recent: member.recent,
            origin: member.origin.clone(),
            ..now.ok_or(Error::NotFound)?
        })
    }

    /// What a person of the same tenant is called; none when they are no longer
    /// in it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn person_name(&self, member: &Member, person: PersonId) -> Result<Option<String>> {
        let names = member::names(self.store.db(), member.tenant).await?;
        Ok(names
            .into_iter()
            .find(|(id, ..)| *id == person)
            .map(|(_, name, _)| name))
    }

    /// Whom a member may ask for help: the admins of their tenant besides
    /// themselves, each with name and e-mail address.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn helpers(&self, member: &Member) -> Result<Vec<(String, String)>> {
        let everybody = member::all(self.store.db(), member.tenant).await?;
        let can_help = |row: &Membership| {
            row.person_id != member.person && row.role.may(Action::ManageProviderApps)
        };
        let helpers = everybody.into_iter().filter(can_help);
        Ok(helpers.map(|row| (row.name, row.email)).collect())
    }

    /// Who may change the settings of the member's tenant, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn admin_names(&self, member: &Member) -> Result<Vec<String>> {
        let names = member::names(self.store.db(), member.tenant).await?;
        Ok(names
            .into_iter()
            .filter(|(_, _, role)| role.may(Action::ManageProviderApps))
            .map(|(_, name, _)| name)
            .collect())
    }
}
