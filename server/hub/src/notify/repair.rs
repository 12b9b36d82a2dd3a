//! Repairing from an e-mail: a link like those of host applications, that ends
//! with the alarm it was mailed about.

use chrono::TimeDelta;

use crate::{
    Hub, Result,
    connect::Listed,
    people::{Action, LINK_RANDOM_BYTES},
    prompt::Told,
    secret::{Secret, digest},
    store::{
        ApiKeyId, ConnectLinkId, Reach,
        alarm::{self, Ending},
        connect_link, connection,
        member::{self, Membership},
    },
};

/// How long a mailed link may be used.
const LIFETIME: TimeDelta = TimeDelta::hours(72);

/// What a mailed link says to whoever opens it.
pub enum MailedLink {
    /// What is wrong, and that it can be repaired here.
    Repairs {
        /// Whose the connection is.
        organisation: String,
        /// The connection.
        listed: Box<Listed>,
        /// What is wrong with it.
        told: Box<Told>,
    },
    /// There is nothing to repair any more.
    Over {
        /// The connection.
        listed: Box<Listed>,
        /// Whether it works; a person ended it otherwise.
        works: bool,
    },
    /// The link has ended, and what it is about is still wrong.
    TooLate {
        /// The connection.
        listed: Box<Listed>,
    },
}

impl Hub {
    /// Makes a link for one mail; its address is stored nowhere.
    pub(super) async fn repair_link(
        &self,
        alarm: &alarm::Model,
        connection: &connection::Model,
        person: &Membership,
    ) -> Result<String> {
        let (secret, now) = (Secret::random(LINK_RANDOM_BYTES), self.clock.now());
        let row = connect_link::Model {
            id: ConnectLinkId::new(),
            tenant_id: alarm.tenant_id,
            api_key_id: ApiKeyId::NONE,
            secret_hash: secret.digest(),
            providers: connection.provider.clone(),
            connection_id: Some(connection.id),
            return_to: None,
            reference: None,
            browser_hash: None,
            created_at: now,
            expires_at: now + LIFETIME,
            opened_at: None,
            used_at: None,
            result_connection_id: None,
            person_id: Some(person.person_id),
            alarm_id: Some(alarm.id),
        };
        connect_link::insert(self.store.db(), row).await?;
        Ok(format!("{}link/{}", self.public_url, secret.expose()))
    }

    /// What a mailed link says, by its secret; none when it was not mailed, or to
    /// somebody who may not repair any more. Nothing changes: scanners of mail
    /// follow links too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mailed_link(&self, secret: &str) -> Result<Option<MailedLink>> {
        // The secret says whose it is.
        Reach::every().around(self.read_mailed(secret)).await
    }

    async fn read_mailed(&self, secret: &str) -> Result<Option<MailedLink>> {
        let db = self.store.db();
        let Some(link) = connect_link::by_secret(db, digest(secret)).await? else {
            return Ok(None);
        };
        let (Some(alarm), true) = (link.alarm_id, self.is_still_theirs(&link).await?) else {
            return Ok(None);
        };
        let alarm = alarm::of_tenant(db, link.tenant_id, alarm).await?;
        let (Some(alarm), Some(connection)) = (alarm, link.connection_id) else {
            return Ok(None);
        };
        let listed = Box::new(self.one(link.tenant_id, connection).await?);
        Ok(Some(if alarm.ended_at.is_some() {
            let works = alarm.ending != Some(Ending::Disconnected) && !super::is_over(&listed);
            MailedLink::Over { works, listed }
        } else if link.is_open(self.clock.now()) {
            MailedLink::Repairs {
                organisation: super::organisation(db, link.tenant_id).await?,
                told: Box::new(self.alarm_told(&alarm, &listed)),
                listed,
            }
        } else {
            MailedLink::TooLate { listed }
        }))
    }

    /// Whether a link is of a key, or was mailed to somebody who may still do
    /// what it is for.
    pub(crate) async fn is_still_theirs(&self, link: &connect_link::Model) -> Result<bool> {
        let Some(person) = link.person_id else {
            return Ok(true);
        };
        let row = member::membership(self.store.db(), person, link.tenant_id).await?;
        Ok(row.is_some_and(|row| row.role.may(Action::Connect)))
    }
}
