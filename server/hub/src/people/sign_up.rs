//! How people and tenants come into being.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};

use super::{Member, Role, fields};
use crate::{
    Error, Hub, Result,
    secret::Secret,
    store::{PersonId, TenantId, is_taken, member, person, tenant},
};

/// A tenant with its first person, as they typed it.
#[expect(missing_docs, reason = "the names are those of the form")]
pub struct NewOwner {
    pub tenant: String,
    pub name: String,
    pub email: String,
    pub password: Secret,
}

/// A person and a tenant's name that have been checked; the password is hashed.
struct Newcomer {
    tenant: String,
    name: String,
    email: String,
    password_hash: String,
}

const CLOSED: Error = Error::Conflict("There is an owner already. Ask them to add you");
const MEMBER_ALREADY: Error =
    Error::Conflict("This person is a member of the organisation already");

impl Hub {
    /// Whether nobody has an account yet, so that the first visitor makes the
    /// owner's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn needs_first_owner(&self) -> Result<bool> {
        Ok(!person::any(self.store.db()).await?)
    }

    /// Makes a tenant and its owner: on the first visit, and later only when
    /// sign-up is open. Of any number who try at the same time on the first
    /// visit, one becomes the owner.
    ///
    /// # Errors
    /// [`Error::Conflict`] when sign-up is closed, [`Error::Invalid`] for the
    /// fields `tenant`, `name`, `email` and `password`.
    pub async fn found(&self, owner: NewOwner) -> Result<Member> {
        let open = self.choices.open_sign_up;
        // Asked again below, where it counts; here it spares hashing for nothing.
        if !open && !self.needs_first_owner().await? {
            return Err(CLOSED);
        }
        let newcomer = self.newcomer(owner).await?;
        let now = self.clock.now();
        let db = self.store.begin().await?;
        person::lock_table(&db).await?;
        if !open && person::any(&db).await? {
            return Err(CLOSED);
        }
        let tenant = tenant::insert(&db, &newcomer.tenant, now)
            .await
            .map_err(taken("tenant", "Choose another name; this one is taken"))?;
        let person = newcomer
            .insert(&db, now)
            .await
            .map_err(taken("email", "Use an address nobody else signs in with"))?;
        join(db, tenant, person, Role::Owner, now).await
    }

    /// Adds a person to a tenant, for the operator's command line. The first
    /// one of a tenant, which is made when it is not there, is its owner; the
    /// others are members. Somebody who has an account already keeps it, with
    /// its name and password.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the person is a member already,
    /// [`Error::Invalid`] as for [`Hub::found`].
    pub async fn create_user(
        &self,
        tenant: &str,
        email: &str,
        name: &str,
        password: Secret,
    ) -> Result<Member> {
        let newcomer = self
            .newcomer(NewOwner {
                tenant: tenant.to_owned(),
                name: name.to_owned(),
                email: email.to_owned(),
                password,
            })
            .await?;
        let now = self.clock.now();
        let db = self.store.begin().await?;
        person::lock_table(&db).await?;
        let tenant = match tenant::by_name(&db, &newcomer.tenant).await? {
            Some(tenant) => tenant.id,
            None => tenant::insert(&db, &newcomer.tenant, now).await?,
        };
        let person = match person::by_email(&db, &newcomer.email).await? {
            Some(person) => person.id,
            None => newcomer.insert(&db, now).await?,
        };
        let role = match member::any(&db, tenant).await? {
            true => Role::Member,
            false => Role::Owner,
        };
        join(db, tenant, person, role, now).await
    }

    async fn newcomer(&self, typed: NewOwner) -> Result<Newcomer> {
        let mut problems = fields::Problems::default();
        let tenant = problems.note(fields::name("tenant", &typed.tenant))?;
        let name = problems.note(fields::name("name", &typed.name))?;
        let email = problems.note(fields::email(&typed.email))?;
        let own = [&*email, &*name, &*tenant];
        problems.note(fields::new_password("password", &typed.password, &own))?;
        problems.none()?;
        let password_hash = self.passwords.hash(typed.password).await?;
        Ok(Newcomer {
            tenant,
            name,
            email,
            password_hash,
        })
    }
}

impl Newcomer {
    async fn insert(
        &self,
        db: &DatabaseTransaction,
        now: DateTime<Utc>,
    ) -> Result<PersonId, DbErr> {
        person::insert(db, &self.email, &self.name, &self.password_hash, now).await
    }
}

/// Puts the person into the tenant and commits.
async fn join(
    db: DatabaseTransaction,
    tenant: TenantId,
    person: PersonId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<Member> {
    match member::insert(&db, tenant, person, role, now).await {
        Err(error) if is_taken(&error) => return Err(MEMBER_ALREADY),
        other => other?,
    }
    let row = member::membership(&db, person, tenant)
        .await?
        .ok_or(Error::NotFound)?;
    db.commit().await?;
    Ok(Member::authenticated(row))
}

fn taken(field: &'static str, problem: &'static str) -> impl Fn(DbErr) -> Error {
    move |error| match is_taken(&error) {
        true => Error::invalid(field, problem),
        false => error.into(),
    }
}
