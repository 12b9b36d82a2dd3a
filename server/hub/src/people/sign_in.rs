//! Signing in, staying in, and putting everybody else out.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Member, fields,
    passwords::{Busy, Verdict},
    patience::queue_full,
};
use crate::{
    Error, Hub, Result,
    record::{Actor, Deed, Entry, Outcome, Who},
    secret::Secret,
    store::{PersonId, Reach, TenantId, is_taken, member, person},
    vault::Place,
};

/// What a browser gets when its person has signed in.
pub struct SignedIn {
    /// Who it is.
    pub member: Member,
    /// To be kept by the browser and handed to the next [`Hub::sign_in`]: it
    /// gives this browser tries of its own, which nobody else can use up.
    pub device_cookie: String,
}

impl Hub {
    /// Signs a person in, to the tenant they joined first. Answers and works
    /// alike for addresses that have an account and those that have none.
    ///
    /// `address` is where the request comes from, `device` the device cookie
    /// the browser sent, if it did.
    ///
    /// It is tried again by itself for a while when the hub cannot answer.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], or [`Error::Throttled`] before the password
    /// is looked at; AUTH_001 when the hub could not answer all the while.
    pub async fn sign_in(
        &self,
        email: &str,
        password: Secret,
        address: IpAddr,
        device: Option<&str>,
    ) -> Result<SignedIn> {
        // Whose the address is, is what is to be found out.
        let signed_in = self.sign_in_anywhere(email, password, address, device);
        Reach::every().around(signed_in).await
    }

    async fn sign_in_anywhere(
        &self,
        email: &str,
        password: Secret,
        address: IpAddr,
        device: Option<&str>,
    ) -> Result<SignedIn> {
        let (Ok(email), true) = (
            fields::email(email),
            password.expose().len() <= fields::MAX_PASSWORD,
        ) else {
            return Err(Error::WrongCredentials);
        };
        let known = self
            .patiently(|| async { Ok(self.known_device(&email, device).await) })
            .await?;
        // Counted once, however often the hub has to try.
        match known {
            Some(known) => self.passwords.throttle.known(&known)?,
            None => self.passwords.throttle.stranger(&email, address)?,
        }
        self.patiently(|| self.look_at_password(&email, &password))
            .await
    }

    async fn look_at_password(&self, email: &str, password: &Secret) -> Result<SignedIn> {
        let row = member::first_membership(self.store.db(), email).await?;
        let stored = row.as_ref().map(|row| row.password_hash.clone());
        let password = Secret::new(password.expose());
        let verdict = self.passwords.verify(password, stored).await;
        let verdict = verdict.map_err(|Busy| queue_full())?;
        // Whether there is such an account must not show in how long this
        // takes: what belongs to no tenant is written just the same.
        let tenant = row.as_ref().map_or(TenantId::HUB, |row| row.tenant_id);
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        let (Verdict::Right { renewed }, Some(row)) = (verdict, &row) else {
            let refused = Entry::new(Who::here(Actor::Stranger), Deed::SignInRefused);
            let refused = refused.ended(Outcome::Denied);
            let refused = match &row {
                Some(row) => refused.on(row.person_id),
                None => refused.on(PersonId::NOBODY),
            };
            ledger.append(&transaction, refused).await?;
            transaction.commit().await?;
            return Err(Error::WrongCredentials);
        };
        if let Some(renewed) = renewed {
            // Only in place of the hash that was checked: it may have been
            // changed in the meantime.
            person::replace_hash(&transaction, row.person_id, &row.password_hash, &renewed).await?;
        }
        let who = Who::here(Actor::Person(row.person_id));
        ledger
            .append(&transaction, Entry::new(who, Deed::SignedIn))
            .await?;
        transaction.commit().await?;
        let row = row.clone();
        let now = self.clock.now();
        self.remember(Member::authenticated(row, now, now)).await
    }

    /// Notes that a person signs out.
    ///
    /// # Errors
    /// When the database or the vault fails; they are to stay signed in then.
    pub async fn signed_out(&self, member: &Member) -> Result<()> {
        let entry = Entry::new(member, Deed::SignedOut);
        self.record(member.tenant(), entry).await
    }

    /// Makes the browser of a member who has just been authenticated one that
    /// signed in before.
    ///
    /// # Errors
    /// When the vault cannot seal.
    pub async fn remember(&self, member: Member) -> Result<SignedIn> {
        let device_cookie = self
            .vault
            .seal(device_of(member.email()), &Secret::random(16))
            .await?;
        Ok(SignedIn {
            member,
            device_cookie,
        })
    }

    /// The name of the budget of a browser that signed in to this account before.
    async fn known_device(&self, email: &str, device: Option<&str>) -> Option<String> {
        let device = self.vault.open(device_of(email), device?).await.ok()?;
        Some(format!("device {}", device.expose()))
    }

    /// Gives the person another password and ends every session but the one
    /// that goes on with the answered member.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `current` or `new`, [`Error::Throttled`].
    pub async fn change_password(
        &self,
        member: &Member,
        current: Secret,
        new: Secret,
    ) -> Result<Member> {
        let own = [member.email(), member.name(), member.tenant_name()];
        fields::new_password("new", &new, &own)?;
        let old = self.confirmed_hash(member, current).await?;
        let new = self.passwords.hash(new).await?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        if !person::change_password(&transaction, member.person(), &old, &new).await? {
            return Err(Error::Conflict(
                "The password was changed somewhere else just now",
            ));
        }
        ledger
            .append(&transaction, Entry::new(member, Deed::PasswordChanged))
            .await?;
        transaction.commit().await?;
        self.reload(member, self.clock.now()).await
    }

    /// Gives the person another name and, once they have confirmed it with
    /// their password, another e-mail address to sign in with.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`, `email` or `current`, [`Error::Throttled`].
    pub async fn change_profile(
        &self,
        member: &Member,
        name: &str,
        email: &str,
        current: Option<Secret>,
    ) -> Result<Member> {
        let mut problems = fields::Problems::default();
        let name = problems.note(fields::name("name", name))?;
        let email = problems.note(fields::email(email))?;
        problems.none()?;
        let mut proven_at = member.proven_at();
        if email != member.email() {
            let current = current.ok_or_else(|| {
                Error::invalid(
                    "current",
                    "Enter your password to change the e-mail address",
                )
            })?;
            self.confirmed_hash(member, current).await?;
            proven_at = self.clock.now();
        }
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        match person::change_profile(&transaction, member.person(), &name, &email).await {
            Err(error) if is_taken(&error) => {
                return Err(Error::invalid(
                    "email",
                    "Use an address nobody else signs in with",
                ));
            }
            other => other?,
        }
        ledger
            .append(&transaction, Entry::new(member, Deed::ProfileChanged))
            .await?;
        transaction.commit().await?;
        self.reload(member, proven_at).await
    }

    /// Ends every session of the person, on every device.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_all_sessions(&self, member: &Member) -> Result<()> {
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        person::raise_epoch(&transaction, member.person()).await?;
        ledger
            .append(&transaction, Entry::new(member, Deed::SessionsEnded))
            .await?;
        transaction.commit().await?;
        // Open streams look at once whether their person is still signed in.
        self.changes.nudge(member.tenant());
        Ok(())
    }

    /// Asks a signed-in person for their password again, before something
    /// grave: the member as one who gave it a moment ago.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `current` when it is not theirs, [`Error::Throttled`].
    pub async fn confirm(&self, member: &Member, current: Secret) -> Result<Member> {
        self.confirmed_hash(member, current).await?;
        self.reload(member, self.clock.now()).await
    }

    async fn confirmed_hash(&self, member: &Member, current: Secret) -> Result<String> {
        let wrong = || Error::invalid("current", "This is not your current password");
        if current.expose().len() > fields::MAX_PASSWORD {
            return Err(wrong());
        }
        self.passwords
            .throttle
            .known(&format!("person {}", member.person()))?;
        let row = member::membership(self.store.db(), member.person(), member.tenant())
            .await?
            .ok_or(Error::NotFound)?;
        match self
            .passwords
            .verify(current, Some(row.password_hash.clone()))
            .await?
        {
            Verdict::Right { .. } => Ok(row.password_hash),
            Verdict::Wrong => {
                let refused = Entry::new(member, Deed::PasswordRefused).ended(Outcome::Denied);
                self.record(member.tenant(), refused).await?;
                Err(wrong())
            }
        }
    }

    async fn reload(&self, member: &Member, proven_at: DateTime<Utc>) -> Result<Member> {
        let row = member::membership(self.store.db(), member.person(), member.tenant()).await?;
        let row = row.ok_or(Error::NotFound)?;
        Ok(Member::authenticated(row, proven_at, self.clock.now()))
    }
}

/// Where a device cookie belongs. The address is part of it: for another
/// account the cookie does not open.
fn device_of(email: &str) -> Place<'static> {
    Place {
        tenant: TenantId::HUB,
        subject: Uuid::nil(),
        field: format!("device_cookie.{email}").into(),
        version: 1,
    }
}
