//! When trouble is told, and when it is withdrawn: one event per transition.
//!
//! The rows hold what is wrong; `connection.alarm` holds what was told of it. A
//! change of the rows is followed by [`Hub::settle_alarm`] in the same transaction,
//! which compares the two.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, IntoActiveModel};

use super::{
    ends::{KnownEnd, WARN, known_end},
    health::worst,
    schedule,
};
use crate::{
    Result,
    failure::Failure,
    hub::Hub,
    store::{
        ConnectionId, TenantId, alarm as raised,
        connection::{self, Alarm},
        credential,
        event::{self, Kind},
        provider_trouble,
    },
};

/// How many failures in a row are more than a hiccup.
const IN_A_ROW: i32 = 3;
/// How long failing is more than a hiccup, however often it was tried.
const TOO_LONG: TimeDelta = TimeDelta::minutes(30);

/// What is to be told of a connection, given what was. `is_alone` is false
/// while its whole provider is in trouble: that is told once, and not of each.
pub fn alarm(
    connection: &connection::Model,
    credentials: &[credential::Model],
    end: Option<KnownEnd>,
    is_alone: bool,
    now: DateTime<Utc>,
) -> Option<Alarm> {
    if connection.disconnected_at.is_some() || connection.paused_at.is_some() {
        return None;
    }
    match worst(connection, credentials) {
        Some((failure, _)) if !failure.code.is_transient() => Some(Alarm::ActionRequired),
        Some(_) if is_alone && is_lasting(connection, credentials, now) => {
            connection.alarm.max(Some(Alarm::Degraded))
        }
        // It may heal by itself: nothing is told, and nothing is withdrawn.
        Some(_) => connection.alarm,
        None => end.filter(|end| end.is_near(now)).map(|_| Alarm::Expiring),
    }
}

/// Whether trouble that may heal by itself has lasted too long not to be told.
///
/// A renewal that fails while its token works hurts nobody yet: what counts are
/// three failures in a row once the token has ended, or half an hour.
fn is_lasting(
    connection: &connection::Model,
    credentials: &[credential::Model],
    now: DateTime<Utc>,
) -> bool {
    let too_long = |since: Option<DateTime<Utc>>| since.is_some_and(|at| now - at >= TOO_LONG);
    let renewal = credentials.iter().any(|row| {
        let has_ended = |end| end - schedule::lending_margin(super::refresh::life_of(row)) <= now;
        let is_felt = row.expires_at.is_none_or(has_ended);
        row.failure.is_some() && (row.failures >= IN_A_ROW && is_felt || too_long(row.failed_at))
    });
    let check = connection.failure.is_some()
        && (connection.check_failures >= IN_A_ROW || too_long(connection.failed_at));
    renewal || check
}

/// When a failure is looked at again that would be at `next`: no later than when it
/// has lasted too long not to be told, unless the provider named a time.
pub(super) fn told_in_time(
    next: Option<DateTime<Utc>>,
    failure: &Failure,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let told = since + TOO_LONG;
    match failure.code.is_transient() && failure.retry_at.is_none() && now < told {
        true => next.map(|next| next.min(told)),
        false => next,
    }
}

impl Hub {
    /// Tells what follows from a change of a connection's rows that was made in
    /// the same transaction; `otherwise` when there is no transition to tell.
    pub(crate) async fn settle_alarm(
        &self,
        db: &impl ConnectionTrait,
        tenant: TenantId,
        id: ConnectionId,
        otherwise: Option<Kind>,
    ) -> Result<()> {
        let Some(connection) = connection::of_tenant(db, tenant, id).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        let credentials = credential::of_connection(db, id).await?;
        let (failure, since) = worst(&connection, &credentials).unzip();
        let end = self
            .catalog
            .get(&connection.provider)
            .and_then(|provider| known_end(&connection, &credentials, provider, now));
        let is_alone = match &failure {
            Some(failure) if failure.code.is_transient() => {
                provider_trouble::of(db, &connection.provider)
                    .await?
                    .is_none()
            }
            _ => true,
        };
        let (before, after) = (
            connection.alarm,
            alarm(&connection, &credentials, end, is_alone, now),
        );
        let says_more = |kind: &Kind| match kind {
            Kind::ConnectionChanged => after == before,
            _ => after >= before,
        };
        if let Some(kind) = otherwise.filter(says_more) {
            self.tell(db, &connection, kind, event::Data::default())
                .await?;
        }
        // What nobody was told of may be waited for all the same: it ends with the
        // connection's own success, and not with that of its provider.
        let works = failure.is_none() && connection.disconnected_at.is_none();
        if works && before.is_none() && after.is_none() {
            let wishes = [raised::Cause::Degraded];
            raised::withdraw(db, id, &wishes, raised::Ending::Works, now).await?;
        }
        // An end is told when its time comes, and not with the first check after.
        let tells_at = end.map(|end| end.at - WARN).filter(|at| *at > now);
        let sooner = tells_at.filter(|at| connection.next_check_at.is_some_and(|next| *at < next));
        let is_told = before != after || self.has_lost_its_alarm(db, &connection).await?;
        if !is_told {
            // What nobody could do anything about may have become what somebody
            // can, within one alarm.
            if let (Some(Alarm::Degraded), Some(failure)) = (after, &failure) {
                raised::call_if_theirs(db, tenant, id, failure, now).await?;
            }
        }
        if !is_told && sooner.is_none() {
            return Ok(());
        }
        let mut change = connection.clone().into_active_model();
        change.alarm = Set(after);
        if sooner.is_some() {
            change.next_check_at = Set(sooner);
        }
        change.update(db).await?;
        if !is_told || connection.paused_at.is_some() {
            return Ok(());
        }
        // What was worse is over first.
        if after < before {
            self.tell(
                db,
                &connection,
                Kind::ConnectionHealed,
                event::Data::default(),
            )
            .await?;
        }
        if let Some(alarm) = after {
            let (kind, data) = told(alarm, failure, since.flatten(), end);
            self.tell(db, &connection, kind, data).await?;
        }
        Ok(())
    }

    /// Whether an end was told that nobody is told of any more: a reconnect has
    /// withdrawn it, and the end is near all the same.
    async fn has_lost_its_alarm(
        &self,
        db: &impl ConnectionTrait,
        connection: &connection::Model,
    ) -> Result<bool> {
        if connection.alarm != Some(Alarm::Expiring) {
            return Ok(false);
        }
        let open = raised::open_of(db, connection.tenant_id, connection.id).await?;
        Ok(open.iter().all(|one| one.cause != raised::Cause::Expiring))
    }
}

fn told(
    alarm: Alarm,
    failure: Option<Failure>,
    since: Option<DateTime<Utc>>,
    end: Option<KnownEnd>,
) -> (Kind, event::Data) {
    let data = event::Data {
        failure,
        since,
        ..Default::default()
    };
    match alarm {
        Alarm::ActionRequired => (Kind::ConnectionActionRequired, data),
        Alarm::Degraded => (Kind::ConnectionDegraded, data),
        Alarm::Expiring => (
            Kind::ConnectionExpiring,
            event::Data {
                ends_at: end.map(|end| end.at),
                ends_because: end.map(|end| end.kind.as_str().to_owned()),
                certificate: end.and_then(|end| end.kind.certificate()),
                ..Default::default()
            },
        ),
    }
}
