//! The outbox of mails: from rows to what the mail server took.

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;

use super::{
    MailChoices, is_over,
    letter::{Item, Letter},
    organisation, right,
};
use crate::{
    Error, Hub, Result,
    connect::Listed,
    prompt::{ASK_OPERATOR, ActionKind, Told, Who},
    store::{
        alarm::{self, Cause, Ending},
        connection, mail,
        mail::{Kind, State},
        mail_choice,
        member::{self, Membership},
        notice,
    },
};

/// How long a mail is tried before it is given up.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// How often a mail is tried that the server says it will never take: it may be
/// wrong about itself for a while.
const REFUSALS: i32 = 4;
/// How long after one try the next comes; the last repeats.
const WAITS: [TimeDelta; 5] = [
    TimeDelta::minutes(1),
    TimeDelta::minutes(5),
    TimeDelta::minutes(15),
    TimeDelta::hours(1),
    TimeDelta::hours(3),
];
/// How long one try may take; after it, another process may try.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// How many mails are under way at once, and how many are looked at.
const PARALLEL: usize = 4;
const BATCH: u64 = 64;
/// How many connections a digest names.
const LONGEST_DIGEST: u64 = 50;

impl Hub {
    /// One round of the background: sends the mails that are due. Answers how
    /// many the server took.
    ///
    /// # Errors
    /// Only when the database does not answer; what the mail server does is an
    /// outcome that is stored.
    pub async fn send_mail(&self) -> Result<usize> {
        if !self.choices.mailer.is_set() {
            // What is wrong by then is told when there is one.
            mail::drop_due(self.store.db(), self.clock.now()).await?;
            return Ok(0);
        }
        let mut sent = 0;
        loop {
            let due = mail::due(self.store.db(), self.clock.now(), BATCH).await?;
            let found = due.len();
            let round = futures::stream::iter(due)
                .map(|row| self.post_one(row))
                .buffer_unordered(PARALLEL)
                .collect::<Vec<_>>();
            let mut done = 0;
            for outcome in round.await {
                let (ended, was_sent) = outcome?;
                done += usize::from(ended);
                sent += usize::from(was_sent);
            }
            // Somebody else has what is left, or it is tried again later.
            if found == 0 || done == 0 {
                return Ok(sent);
            }
        }
    }

    /// Sends one mail, unless somebody else took it or nobody wants it any more:
    /// whether it has ended, and whether it was sent.
    async fn post_one(&self, row: mail::Model) -> Result<(bool, bool)> {
        let (db, now) = (self.store.db(), self.clock.now());
        if !mail::claim(db, &row, now, now + LEASE).await? {
            return Ok((false, false));
        }
        let person = member::membership(db, row.person_id, row.tenant_id).await?;
        let letter = match &person {
            Some(person) => self.letter(&row, person).await?,
            None => None,
        };
        let (Some(letter), Some(person), Some(from)) = (letter, person, self.choices.mailer.from())
        else {
            mail::end(db, row.id, State::Withdrawn, None, now).await?;
            return Ok((true, false));
        };
        let host = self.public_url.host_str().unwrap_or("linkwell");
        let id = format!("<{}@{host}>", row.id);
        let to = (person.name.as_str(), person.email.as_str());
        let Ok(message) = letter.message(from.clone(), to, &id) else {
            let problem = Some("address".to_owned());
            mail::end(db, row.id, State::GivenUp, problem, now).await?;
            return Ok((true, false));
        };
        let taken = self.choices.mailer.send(message).await;
        let now = self.clock.now();
        let Err(not_taken) = taken else {
            tracing::info!(mail.id = %row.id, tenant.id = %row.tenant_id, kind = ?row.kind, "mail sent");
            self.note_sent(&row, now).await?;
            return Ok((true, true));
        };
        let tries = row.tries + 1;
        tracing::warn!(
            mail.id = %row.id, tries, problem = not_taken.problem,
            "the mail server did not take a mail"
        );
        let next = now + wait(tries);
        let began = row.first_try_at.unwrap_or(now);
        let problem = not_taken.problem.to_owned();
        if next - began > PATIENCE || (not_taken.is_final && tries >= REFUSALS) {
            mail::end(db, row.id, State::GivenUp, Some(problem), now).await?;
            return Ok((true, false));
        }
        mail::retry(db, row.id, next, problem).await?;
        Ok((false, false))
    }

    /// Notes that a mail was sent. What ended while it was on its way is told to
    /// be over, too.
    async fn note_sent(&self, row: &mail::Model, now: DateTime<Utc>) -> Result<()> {
        let transaction = self.store.begin().await?;
        mail::sent(&transaction, row.id, now).await?;
        if let (Kind::Alarm | Kind::Unattended | Kind::Asked, Some(id)) = (row.kind, row.alarm_id)
            && let Some(alarm) = alarm::of_tenant(&transaction, row.tenant_id, id).await?
            && alarm.ending == Some(Ending::Works)
        {
            let person = row.person_id;
            mail::queue(&transaction, Kind::Solved, &alarm, person, None, now, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// What a mail says now; none when it is over, or not wanted.
    async fn letter(&self, row: &mail::Model, person: &Membership) -> Result<Option<Letter>> {
        let db = self.store.db();
        let choices = MailChoices::of(&mail_choice::of(db, row.tenant_id, row.person_id).await?);
        if !choices.want(row.kind) {
            return Ok(None);
        }
        if row.kind == Kind::Digest {
            return self.digest(row, person).await;
        }
        let alarm = match row.alarm_id {
            Some(id) => alarm::of_tenant(db, row.tenant_id, id).await?,
            None => None,
        };
        let Some(alarm) = alarm else {
            return Ok(None);
        };
        let listed = match self.one(alarm.tenant_id, alarm.connection_id).await {
            Ok(listed) if !is_over(&listed) => listed,
            Ok(_) | Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let name = self.name_of(&listed.connection);
        let about_end = matches!(row.kind, Kind::Solved | Kind::Works);
        // It may have broken again since it healed.
        let is_wrong = listed.health.failure.is_some();
        if about_end != alarm.ended_at.is_some() || (about_end && is_wrong) {
            return Ok(None);
        }
        let organisation = organisation(db, row.tenant_id).await?;
        let by = match row.by_person_id {
            Some(by) => member::membership(db, by, row.tenant_id).await?,
            None => None,
        };
        let by = by.map_or("Somebody".to_owned(), |by| by.name);
        let (lead, because) = match row.kind {
            Kind::Alarm => (
                None,
                format!(
                    "You connected this account for {organisation}, or look after its connections."
                ),
            ),
            Kind::Unattended => (
                Some("Nobody has repaired this for a day.".to_owned()),
                format!("You are an admin of {organisation}."),
            ),
            Kind::Asked => (
                Some(format!("{by} asks you to repair this.")),
                format!("{by} belongs to {organisation}, as you do."),
            ),
            Kind::Solved => (None, format!("We mailed you about it, for {organisation}.")),
            Kind::Works | Kind::Digest => {
                (None, format!("You wanted to know, for {organisation}."))
            }
        };
        let (subject, item) = match about_end {
            true => {
                let solved = match alarm.cause {
                    Cause::Expiring => "is connected again",
                    Cause::Degraded | Cause::ActionRequired => "works again",
                };
                let item = self.solved_item(&listed, solved);
                (format!("{name} {solved}"), item)
            }
            false => {
                let told = self.alarm_told(&alarm, &listed);
                let subject = match row.kind {
                    Kind::Asked => format!("{by} asks you to repair {name}"),
                    _ => without_stop(&told.prompt.what),
                };
                (subject, self.item(&alarm, &listed, told, person).await?)
            }
        };
        Ok(Some(Letter {
            subject,
            lead,
            items: vec![item],
            because,
            choices: self.choices_page(),
        }))
    }

    /// Everything a person is told of that is still wrong, and what of the last
    /// digest is not.
    async fn digest(&self, row: &mail::Model, person: &Membership) -> Result<Option<Letter>> {
        let (db, tenant) = (self.store.db(), row.tenant_id);
        let told = notice::of_person(db, tenant, row.person_id, LONGEST_DIGEST).await?;
        let mut ids: Vec<_> = told.iter().map(|notice| notice.alarm_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut alarms = alarm::some_of_tenant(db, tenant, ids).await?;
        alarms.retain(|alarm| alarm.ended_at.is_none());
        alarms.sort_by_key(|alarm| alarm.raised_at);
        let mut items = Vec::new();
        for alarm in &alarms {
            match self.one(tenant, alarm.connection_id).await {
                Ok(listed) if !is_over(&listed) => {
                    let told = self.alarm_told(alarm, &listed);
                    items.push(self.item(alarm, &listed, told, person).await?);
                }
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let subject = match items.len() {
            0 => return Ok(None),
            1 => "1 connection needs somebody".to_owned(),
            several => format!("{several} connections need somebody"),
        };
        let organisation = organisation(db, tenant).await?;
        Ok(Some(Letter {
            lead: Some(format!("Still to do at {organisation}:")),
            subject,
            items,
            because: format!(
                "You look after connections of {organisation}. This comes once a day, until it is done."
            ),
            choices: self.choices_page(),
        }))
    }

    fn solved_item(&self, listed: &Listed, solved: &str) -> Item {
        Item {
            heading: self.heading(listed),
            lines: vec![
                format!("It {solved}."),
                "Nothing is left for you to do.".to_owned(),
            ],
            button: None,
        }
    }

    async fn item(
        &self,
        alarm: &alarm::Model,
        listed: &Listed,
        told: Told,
        person: &Membership,
    ) -> Result<Item> {
        let Told {
            cause,
            since,
            prompt,
        } = told;
        let connection = &listed.connection;
        let page = format!("{}connections/{}", self.public_url, connection.id);
        let look = ("Look at the connection".to_owned(), page.clone());
        let mut lines: Vec<_> = [Some(prompt.what), Some(prompt.why), prompt.effect]
            .into_iter()
            .flatten()
            .collect();
        let is_theirs = |kind| right(kind).is_none_or(|right| person.role.may(right));
        let button = match prompt.action {
            // Their button is to ask who may.
            Some(action) if !is_theirs(action.kind) => {
                let able = match right(action.kind) {
                    Some(right) => self
                        .colleagues(alarm.tenant_id)
                        .await?
                        .able(connection, right),
                    None => Vec::new(),
                };
                let names: Vec<_> = able.into_iter().map(|(_, name)| name).collect();
                match names.first() {
                    Some(name) => {
                        lines.push(format!("{} can repair this.", names.join(" or ")));
                        (format!("Ask {name}"), format!("{page}#help"))
                    }
                    None => look,
                }
            }
            Some(action) => {
                let address = match (action.kind, cause.failure()) {
                    (ActionKind::Connect, _) => {
                        Some(self.repair_link(alarm, connection, person).await?)
                    }
                    (ActionKind::SetUp, _) => Some(self.set_up_page(connection)),
                    (ActionKind::OpenProvider, _) => {
                        let entry = self.catalog.get(&connection.provider);
                        entry.and_then(|entry| entry.remove_url(&connection.variables.0))
                    }
                    (ActionKind::Report, Some(failure)) => {
                        Some(self.report_to(&connection.provider, failure, since))
                    }
                    (ActionKind::Request, _) => Some(format!(
                        "{}connect/{}/request",
                        self.public_url, connection.provider
                    )),
                    // A link changes nothing: its page has the button.
                    (ActionKind::Check, _) => Some(page.clone()),
                    _ => None,
                };
                match address {
                    Some(address) => (action.label, address),
                    None => look,
                }
            }
            None => match (&self.choices.support, prompt.who) {
                (Some(support), Who::Operator) => (ASK_OPERATOR.to_owned(), support.to_string()),
                _ => look,
            },
        };
        Ok(Item {
            heading: self.heading(listed),
            lines,
            button: Some(button),
        })
    }

    fn heading(&self, listed: &Listed) -> String {
        let (name, account) = (self.name_of(&listed.connection), listed.connection.name());
        match account == name {
            true => name,
            false => format!("{name}: {account}"),
        }
    }

    fn name_of(&self, connection: &connection::Model) -> String {
        self.catalog.name_of(&connection.provider).to_owned()
    }

    fn set_up_page(&self, connection: &connection::Model) -> String {
        let app = self
            .catalog
            .get(&connection.provider)
            .map_or(connection.provider.as_str(), |entry| entry.app_id.as_str());
        format!("{}settings/provider-apps/{app}", self.public_url)
    }

    fn choices_page(&self) -> String {
        format!("{}settings/notices", self.public_url)
    }
}

fn without_stop(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// How long to wait after so many tries.
fn wait(tries: i32) -> TimeDelta {
    let at = usize::try_from(tries - 1).unwrap_or_default();
    WAITS[at.min(WAITS.len() - 1)]
}
