//! What becomes due by the time that passes: the admins are told of what nobody
//! has looked after for a day, and in the morning everybody is mailed what is
//! still wrong.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::MailChoices;
use crate::{
    Hub, Result,
    store::{
        alarm::{self, MAIL_AFTER},
        mail, mail_choice,
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

    async fn queue_digests(&self) -> Result<()> {
        let now = self.clock.now();
        let morning = morning(now);
        let db = self.store.db();
        // What was in a digest and is over is said in the next.
        for whose in mail::had_digest(db, morning - STILL_NEWS).await? {
            let (tenant, person) = whose;
            let choices = MailChoices::of(&mail_choice::of(db, tenant, person).await?);
            if !self.solved_since(whose, &choices).await?.is_empty() {
                mail::queue_digest(db, whose, morning.date_naive(), now).await?;
            }
        }
        for whose in notice::concerned(db, morning - MAIL_AFTER).await? {
            let (tenant, person) = whose;
            let choices = MailChoices::of(&mail_choice::of(db, tenant, person).await?);
            let before = match choices.pace {
                Pace::None => continue,
                Pace::Digest => morning - MAIL_AFTER,
                Pace::AtOnce => morning - AGAIN_AFTER,
            };
            let reasons = choices.reasons();
            let told = notice::concerned_by(db, tenant, person, &reasons, before).await?;
            if told {
                mail::queue_digest(db, whose, morning.date_naive(), now).await?;
            }
        }
        Ok(())
    }
}

/// The last morning there was.
fn morning(now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.date_naive().and_time(MORNING).and_utc();
    match today <= now {
        true => today,
        false => today - TimeDelta::days(1),
    }
}
