//! How people and tenants come into being.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};

use super::{Member, Role, fields};
use crate::{
    Error, Hub, Result,
    record::{Actor, Deed, Entry, Ledger, Who},
    secret::Secret,
    store::{PersonId, Reach, TenantId, is_taken, member, person, tenant},
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
        let tenant = TenantId::new();
        let ledger = self.new_ledger(tenant).await?;
        let founded = async {
            let db = self.store.begin().await?;
            person::lock_table(&db).await?;
            if !open && person::any(&db).await? {
                return Err(CLOSED);
            }
            tenant::insert(&db, tenant, &newcomer.tenant, now)
                .await
                .map_err(taken("tenant", "Choose another name; this one is taken"))?;
            let person = newcomer
                .insert(&db, now)
                .await
                .map_err(taken("email", "Use an address nobody else signs in with"))?;
            let joined = Joined {
                who: Who::here(Actor::Person(person)),
                ledger: ledger.begin(&db).await?,
                tenant,
                is_new: true,
            };
            join(db, joined, person, Role::Owner, now).await
        };
        self.or_forget(tenant, Reach::of([tenant]).around(founded).await)
    }

    /// What was kept in memory of a tenant that was not made after all.
    fn or_forget(&self, tenant: TenantId, made: Result<Member>) -> Result<Member> {
        if made.is_err() {
            self.vault.forget(tenant);
        }
        made
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
        let known = tenant::by_name(self.store.db(), &newcomer.tenant).await?;
        match known {
            Some(tenant) => {
                let ledger = self.ledger(tenant.id).await?;
                let db = self.store.begin().await?;
                person::lock_table(&db).await?;
                let joined = Joined {
                    who: Who::operator(),
                    ledger,
                    tenant: tenant.id,
                    is_new: false,
                };
                self.add(db, newcomer, joined, now).await
            }
            None => {
                let tenant = TenantId::new();
                let ledger = self.new_ledger(tenant).await?;
                let added = async {
                    let db = self.store.begin().await?;
                    person::lock_table(&db).await?;
                    tenant::insert(&db, tenant, &newcomer.tenant, now)
                        .await
                        .map_err(taken("tenant", "Somebody made it just now. Try again"))?;
                    let joined = Joined {
                        who: Who::operator(),
                        ledger: ledger.begin(&db).await?,
                        tenant,
                        is_new: true,
                    };
                    self.add(db, newcomer, joined, now).await
                };
                self.or_forget(tenant, added.await)
            }
        }
    }

    /// Puts somebody who may have an account already into a tenant.
    async fn add(
        &self,
        db: DatabaseTransaction,
        newcomer: Newcomer,
        joined: Joined,
        now: DateTime<Utc>,
    ) -> Result<Member> {
        let tenant = joined.tenant;
        let person = match person::by_email(&db, &newcomer.email).await? {
            Some(person) => person.id,
            None => newcomer.insert(&db, now).await?,
        };
        // Also where the last one was erased.
        let role = match member::has_owner(&db, tenant).await? {
            true => Role::Member,
            false => Role::Owner,
        };
        join(db, joined, person, role, now).await
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

/// What a person joins, and who has them do so.
struct Joined {
    who: Who,
    ledger: Ledger,
    tenant: TenantId,
    is_new: bool,
}

/// Puts the person into the tenant and commits.
async fn join(
    db: DatabaseTransaction,
    Joined {
        who,
        ledger,
        tenant,
        is_new,
    }: Joined,
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
    if is_new {
        let made = Entry::new(who.clone(), Deed::TenantCreated).on(tenant);
        ledger.append(&db, made).await?;
    }
    let added = Entry::new(who, Deed::MemberAdded).on(person);
    ledger.append(&db, added.saying(role.as_str())).await?;
    db.commit().await?;
    Ok(Member::authenticated(row, now, now))
}

fn taken(field: &'static str, problem: &'static str) -> impl Fn(DbErr) -> Error {
    move |error| match is_taken(&error) {
        true => Error::invalid(field, problem),
        false => error.into(),
    }
}
