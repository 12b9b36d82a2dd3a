//! Mending a connection without a person, and forgetting what is stored of it.
//!
//! The ladder: read what is stored again (another process may have renewed it),
//! renew it although that was refused before, present the earlier refresh token
//! where the provider still takes it, ask the provider who it is. It is climbed
//! when somebody presses Repair, and before anybody is sent to sign in.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{Need, Renewal, health::Status};
use crate::{
    Error, Result,
    connect::Listed,
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{By, Member, Wanted},
    record::{Deed, Entry},
    store::{
        ConnectionId, Reach, TenantId,
        connection::{self, Alarm},
        credential,
        event::{self, Kind},
        refresh_attempt,
    },
};

/// How long a refusal stands before the same token is presented again.
pub(super) const REST: TimeDelta = TimeDelta::minutes(1);

/// How long somebody who wants to sign in waits for the ladder.
const PATIENCE: Duration = Duration::from_secs(3);

/// Detail of a connection whose secrets a person had destroyed.
pub const CLEARED: &str = "cleared";

/// Whether doing the same again may help: a password that was refused is not
/// tried again, for accounts get locked by that, and what only a person can
/// give is waited for.
pub(super) fn may_help(failure: &Failure) -> bool {
    use FailureCode::*;
    match failure.code {
        CredentialsRejected
        | MfaOrChallengeRequired
        | CheckpointOrSuspiciousLogin
        | PermissionMissing
        | AccountOrTargetMismatch => false,
        _ => failure.detail != CLEARED,
    }
}

impl Hub {
    /// Climbs the ladder for a connection, and answers how it is then.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], or the database's.
    pub async fn repair(&self, member: &Member, id: ConnectionId) -> Result<Listed> {
        By::from(member).may_connect()?;
        let connection = connection::of_tenant(self.store.db(), member.tenant(), id).await?;
        let living = connection.filter(|row| row.disconnected_at.is_none());
        let living = living.ok_or(Error::NotFound)?;
        self.limits.want(member.tenant(), Wanted::Check)?;
        // First: what the ladder does is spread over many transactions, and
        // some of it happens at the provider.
        let entry = Entry::new(member, Deed::RepairAsked).on(id);
        let entry = entry.saying(living.provider.clone());
        self.record(member.tenant(), entry).await?;
        self.climb(member.tenant(), living.id).await?;
        self.one(member.tenant(), id).await
    }

    async fn climb(&self, tenant: TenantId, id: ConnectionId) -> Result<()> {
        let slots = credential::of_connection(self.store.db(), id).await?;
        for row in &slots {
            let failed = match &*self.renew(id, &row.slot, Need::Repair).await {
                Ok(Renewal::Current(_)) => false,
                Ok(Renewal::Failed(_) | Renewal::Waits(_)) => true,
                Err(Error::NotFound) => return Ok(()),
                Err(error) => {
                    tracing::error!(connection.id = %id, %error, "a repair could not start");
                    return Err(Error::Conflict("It could not be tried just now"));
                }
            };
            if failed && row.slot == credential::MAIN {
                return Ok(());
            }
        }
        // As it is now: renewing has written to it.
        match connection::of_tenant(self.store.db(), tenant, id).await? {
            // Where the same again does not help, a check is the same again.
            Some(row)
                if !slots.is_empty()
                    && row.failure.as_ref().is_none_or(may_help)
                    && !row.is_told_to_wait(self.clock.now()) =>
            {
                self.check_now(row).await
            }
            _ => Ok(()),
        }
    }

    /// Whether a connection that somebody is about to sign in to again works
    /// once the ladder was climbed: then nobody has to.
    pub(crate) async fn heals_alone(&self, tenant: TenantId, id: ConnectionId) -> Result<bool> {
        let before = self.one(tenant, id).await?;
        let broken = matches!(
            before.health.status,
            Status::Retrying | Status::ActionNeeded | Status::WaitingForAdmin
        );
        let rested = before
            .health
            .since
            .is_none_or(|at| at + REST <= self.clock.now());
        let worth = before.health.failure.as_ref().is_some_and(may_help);
        if !(broken && rested && worth) {
            return Ok(false);
        }
        let hub = self.clone();
        let climbing = self
            .keeper
            .tasks
            .spawn(Reach::along(async move { hub.climb(tenant, id).await }));
        // Whoever waits goes on without it; it ends by itself.
        let _ = tokio::time::timeout(PATIENCE, climbing).await;
        let after = self.one(tenant, id).await?.health;
        Ok(after.status == Status::Connected && after.missing_scopes.is_empty())
    }

    /// Destroys what is stored of a connection and leaves the rest of it: its
    /// name, its history and its settings are there when somebody signs in again.
    /// Nothing is ended at the provider.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], or the database's.
    pub async fn clear(&self, member: &Member, id: ConnectionId) -> Result<()> {
        By::from(member).may_connect()?;
        let connection = connection::of_tenant(self.store.db(), member.tenant(), id).await?;
        let connection = connection.filter(|row| row.disconnected_at.is_none());
        let connection = connection.ok_or(Error::NotFound)?;
        // Giving a broken one up is something people do about it.
        self.attempt_of_clearing(&connection).await?;
        let now = self.clock.now();
        let failure = Failure::told(FailureCode::GrantRevokedOrExpired, CLEARED);
        let ledger = self.ledger(member.tenant()).await?;
        let provider = connection.provider.clone();
        let transaction = self.store.begin().await?;
        credential::destroy(&transaction, id).await?;
        refresh_attempt::forget(&transaction, id).await?;
        let mut change = connection.into_active_model();
        change.failure = Set(Some(failure.clone()));
        change.failed_at = Set(Some(now));
        // There is nothing to check.
        change.next_check_at = Set(None);
        change.alarm = Set(Some(Alarm::ActionRequired));
        let connection = change.update(&transaction).await?;
        let data = event::Data {
            failure: Some(failure),
            ..Default::default()
        };
        let (kind, person) = (Kind::ConnectionCleared, Some(member.person()));
        self.tell_as(&transaction, &connection, kind, person, data)
            .await?;
        let entry = Entry::new(member, Deed::ConnectionCleared).on(id);
        ledger.append(&transaction, entry.saying(provider)).await?;
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(())
    }
}
