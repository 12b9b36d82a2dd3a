//! Telling people: in the hub at once, by e-mail when it lasts, and that it is
//! over as soon as it is.
//!
//! An alarm is raised and withdrawn by the events of its connection
//! ([`crate::store::alarm::follow`]), so nothing that heals stays in anybody's
//! sight. Who looks after the connection is told at once and mailed after a
//! quarter of an hour, the admins after a day; what is still wrong in the
//! morning is in one mail ([`Hub::write_due`]). Mails are written when they are
//! sent ([`Hub::send_mail`]), from how things are then, in the words of
//! [`crate::prompt`].

mod ask;
mod choices;
mod due;
mod letter;
mod mailer;
mod notices;
mod post;
mod repair;

use sea_orm::{ConnectionTrait, DbErr};

pub use ask::{Asked, Colleagues, right};
pub use choices::{MailChoices, TOPICS, Topic};
pub use mailer::{MailSettings, MailSettingsError, Mailer};
pub use notices::{Noticed, Notices};
pub use repair::MailedLink;

use crate::{
    Hub,
    connect::Listed,
    keep::{
        ends::{EndKind, KnownEnd, WARN},
        health::Status,
    },
    prompt::{Cause, Told},
    store::{alarm, mail, tenant},
};

/// How long what has ended is kept, in days.
const KEPT_DAYS: i64 = 30;

/// The end an alarm was raised for, where it is no longer known.
fn known(alarm: &alarm::Model) -> KnownEnd {
    KnownEnd {
        at: alarm.raised_at + WARN,
        kind: EndKind::Approval,
    }
}

impl Hub {
    /// What is said of an alarm: what is wrong with the connection now, or was
    /// when it was raised.
    pub fn alarm_told(&self, alarm: &alarm::Model, listed: &Listed) -> Told {
        let health = &listed.health;
        let failure = match alarm.cause {
            alarm::Cause::Expiring => None,
            _ => health.failure.as_ref().or(alarm.failure.as_ref()),
        };
        let cause = match failure {
            Some(failure) => Cause::Failure(failure.clone()),
            // Its end may have moved away already; the alarm goes with it.
            None => Cause::End(health.ends.unwrap_or(known(alarm))),
        };
        self.told(listed, cause, health.since.unwrap_or(alarm.raised_at))
    }

    /// Forgets what has been over for long.
    pub(crate) async fn sweep_notices(&self) -> Result<(), DbErr> {
        let before = self.clock.now() - chrono::TimeDelta::days(KEPT_DAYS);
        alarm::sweep(self.store.db(), before).await?;
        mail::sweep(self.store.db(), before).await
    }
}

/// Whether a connection is of no concern any more.
fn is_over(listed: &Listed) -> bool {
    listed.health.status == Status::Disconnected
}

async fn organisation(
    db: &impl ConnectionTrait,
    id: crate::store::TenantId,
) -> crate::Result<String> {
    use sea_orm::EntityTrait;
    let row = tenant::Entity::find_by_id(id).one(db).await?;
    row.map(|row| row.name).ok_or(crate::Error::NotFound)
}
