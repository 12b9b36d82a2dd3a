//! What becomes due by the time that passes: the admins are told of what nobody
//! has looked after for a day, and in the morning everybody is mailed what is
//! still wrong.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use crate::{
    Hub, Result,
    store::{
        alarm::{self, MAIL_AFTER},
        mail,
        mail_choice::Pace,
        notice::{self, Reason},
    },
};

/// After how long the admins are told.
const ADMINS_AFTER: TimeDelta = TimeDelta::hours(24);
/// How long before the morning a mail of its own must have been sent for the
/// same to be said once more.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(12);
/// How old the digest may be whose end is still told.
const STILL_NEWS: TimeDelta = TimeDelta::days(3);
/// When the morning is, in UTC.
const MORNING: NaiveTime = NaiveTime::from_hms_opt(7, 0, 0).expect("a time of day");
/// How many alarms are looked at in one go.
const BATCH: u64 = 200;

impl Hub {
    /// One round of the background: see the module. Any number of processes may
    /// do it at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write_due(&self) -> Result<()> {
        self.tell_admins().await?;
        self.queue_digests().await
    }

    async fn tell_admins(&self) -> Result<()> {
        let now = self.clock.now();
        let unattended = alarm::unattended(self.store.db(), now - ADMINS_AFTER, BATCH).await?;
        for row in unattended {
            let transaction = self.store.begin().await?;
            if !alarm::escalate(&transaction, row.id, now).await? {
                continue;
            }
            for person in alarm::admins(&transaction, row.tenant_id).await? {
                // Who looks after it has been mailed.
                if notice::is_told(&transaction, row.id, person).await? {
                    continue;
                }
                let reason = Reason::Unattended;
                notice::add(&transaction, &row, person, reason, None, now).await?;
                let kind = mail::Kind::Unattended;
                mail::queue(&transaction, kind, &row, person, None, now, now).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    /// One a day for whoever it may concern. What it says, and whether there is
    /// anything to say, is found out when it is sent, so that this is cheap: it is
    /// asked every few seconds, all day.
    async fn queue_digests(&self) -> Result<()> {
        let (db, now) = (self.store.db(), self.clock.now());
        let morning = morning(now);
        let mut people = notice::concerned(db, morning - MAIL_AFTER).await?;
        // What was in a digest and is over is said in the next.
        people.extend(mail::had_digest(db, morning - STILL_NEWS).await?);
        people.sort_unstable();
        people.dedup();
        let day = morning.date_naive();
        for whose in mail::without_digest(db, people, day).await? {
            mail::queue_digest(db, whose, day, now).await?;
        }
        Ok(())
    }
}

/// Until when somebody must have been told for their digest, queued at `queued`,
/// to be sent.
pub(super) fn told_until(pace: Pace, queued: DateTime<Utc>) -> DateTime<Utc> {
    let ago = match pace {
        Pace::AtOnce => AGAIN_AFTER,
        Pace::Digest | Pace::None => MAIL_AFTER,
    };
    morning(queued) - ago
}

/// The last morning there was.
fn morning(now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.date_naive().and_time(MORNING).and_utc();
    match today <= now {
        true => today,
        false => today - TimeDelta::days(1),
    }
}
