//! The outbox of mails: from rows to what the mail server took.

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;

use super::{
    MailChoices,
    due::told_until,
    is_over,
    letter::{Item, Letter},
    mailer::NotTaken,
    organisation, right,
};
use crate::{
    Error, Hub, Result,
    connect::Listed,
    failure::Failure,
    prompt::{ASK_OPERATOR, ActionKind, Told, Who},
    store::{
        MailId, PersonId, TenantId,
        alarm::{self, Cause, Ending},
        connection, mail,
        mail::{Kind, State},
        mail_choice,
        member::{self, Membership},
        notice, watcher,
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
/// How many mails are under way at once, and how many are looked at, to be
/// gathered.
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
            let round = futures::stream::iter(gathered(due))
                .map(|rows| self.post_together(rows))
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

    /// Sends as one mail what belongs together, unless somebody else took it or
    /// nobody wants it any more: whether some of it has ended, and whether it was
    /// sent.
    async fn post_together(&self, rows: Vec<mail::Model>) -> Result<(bool, bool)> {
        let (db, now) = (self.store.db(), self.clock.now());
        // All or none: whoever has the first sends the rest with it.
        let transaction = self.store.begin().await?;
        let mut claimed = Vec::new();
        for row in rows {
            match mail::claim(&transaction, &row, now, now + LEASE).await? {
                true => claimed.push(row),
                false if claimed.is_empty() => return Ok((false, false)),
                false => {}
            }
        }
        transaction.commit().await?;
        let Some(first) = claimed.first() else {
            return Ok((false, false));
        };
        let person = member::membership(db, first.person_id, first.tenant_id).await?;
        let written = match &person {
            Some(person) => self.written(&claimed, person).await?,
            None => None,
        };
        let said = written.as_ref().map_or(&[][..], |(_, said)| said);
        let (rows, left_out): (Vec<_>, Vec<_>) =
            claimed.into_iter().partition(|row| said.contains(&row.id));
        for row in &left_out {
            mail::end(db, row.id, State::Withdrawn, None, now).await?;
        }
        let (Some((letter, _)), Some(person), Some(from)) =
            (written, person, self.choices.mailer.from())
        else {
            return Ok((true, false));
        };
        let host = self.public_url.host_str().unwrap_or("linkwell");
        let id = format!("<{}@{host}>", rows[0].id);
        let to = (person.name.as_str(), person.email.as_str());
        let Ok(message) = letter.message(from.clone(), to, &id) else {
            for row in &rows {
                let problem = Some("address".to_owned());
                mail::end(db, row.id, State::GivenUp, problem, now).await?;
            }
            return Ok((true, false));
        };
        let taken = self.choices.mailer.send(message).await;
        let now = self.clock.now();
        let Err(not_taken) = taken else {
            tracing::info!(
                mail.id = %rows[0].id, tenant.id = %person.tenant_id, kind = ?rows[0].kind,
                items = letter.items.len(), "mail sent"
            );
            for row in &rows {
                self.note_sent(row, now).await?;
            }
            return Ok((true, true));
        };
        let ended = self.note_not_taken(&rows, &not_taken, now).await?;
        Ok((ended || !left_out.is_empty(), false))
    }

    /// Notes that the mail server did not take a mail, and when it is tried again;
    /// whether some of it is given up.
    async fn note_not_taken(
        &self,
        rows: &[mail::Model],
        not_taken: &NotTaken,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        // What is one mail stays one.
        let tries = rows.iter().map(|row| row.tries + 1).max().unwrap_or(1);
        tracing::warn!(
            mail.id = %rows[0].id, tries, problem = not_taken.problem,
            "the mail server did not take a mail"
        );
        let (next, mut ended) = (now + wait(tries), false);
        for row in rows {
            let began = row.first_try_at.unwrap_or(now);
            let problem = not_taken.problem.to_owned();
            let is_believed = not_taken.is_final && row.tries + 1 >= REFUSALS;
            if next - began > PATIENCE || is_believed {
                ended = true;
                let given_up = State::GivenUp;
                mail::end(self.store.db(), row.id, given_up, Some(problem), now).await?;
            } else {
                mail::retry(self.store.db(), row.id, next, problem).await?;
            }
        }
        Ok(ended)
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

    /// What a mail of these rows says now, and which of them: what is over or not
    /// wanted is left out. None when that is everything.
    async fn written(
        &self,
        rows: &[mail::Model],
        person: &Membership,
    ) -> Result<Option<(Letter, Vec<MailId>)>> {
        let (db, row) = (self.store.db(), &rows[0]);
        let choices = MailChoices::of(&mail_choice::of(db, row.tenant_id, row.person_id).await?);
        if !choices.want(row.kind) {
            return Ok(None);
        }
        if row.kind == Kind::Digest {
            // One that could not be sent for a day is in the next.
            let row = rows.iter().max_by_key(|row| row.created_at).unwrap_or(row);
            let letter = self.digest(row, person, &choices).await?;
            return Ok(letter.map(|letter| (letter, rows.iter().map(|row| row.id).collect())));
        }
        let by = match row.by_person_id {
            Some(by) => member::membership(db, by, row.tenant_id).await?,
            None => None,
        };
        let by = by.map_or("Somebody".to_owned(), |by| by.name);
        let (mut subjects, mut items, mut said) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            if let Some((subject, item)) = self.said(row, person).await? {
                subjects.push(subject);
                items.push(item);
                said.push(row.id);
            }
        }
        let count = items.len();
        let these = if count == 1 { "this" } else { "these" };
        let organisation = organisation(db, row.tenant_id).await?;
        let lead = match row.kind {
            Kind::Unattended => Some(format!("Nobody has repaired {these} for a day.")),
            Kind::Asked => Some(format!("{by} asks you to repair {these}.")),
            _ => None,
        };
        let because = match row.kind {
            Kind::Alarm => {
                format!("You connected {these} for {organisation}, or look after its connections.")
            }
            Kind::Unattended => format!("You are an admin of {organisation}."),
            Kind::Asked => format!("{by} belongs to {organisation}, as you do."),
            Kind::Solved => format!("We mailed you about {these}, for {organisation}."),
            Kind::Works | Kind::Digest => format!("You wanted to know, for {organisation}."),
        };
        let subject = match (count, row.kind) {
            (0, _) => return Ok(None),
            (1, Kind::Asked) => format!("{by} asks you to repair {}", subjects[0]),
            (1, _) => subjects.remove(0),
            (_, Kind::Asked) => format!("{by} asks you to repair {count} connections"),
            (_, Kind::Solved | Kind::Works) => format!("{count} connections work again"),
            _ => format!("{count} connections need somebody"),
        };
        let letter = Letter {
            subject,
            lead,
            items,
            because,
            choices: self.choices_page(),
        };
        Ok(Some((letter, said)))
    }

    /// What one row says now, and in a word; none when it is over.
    async fn said(&self, row: &mail::Model, person: &Membership) -> Result<Option<(String, Item)>> {
        let alarm = match row.alarm_id {
            Some(id) => alarm::of_tenant(self.store.db(), row.tenant_id, id).await?,
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
        if about_end != alarm.ended_at.is_some() {
            return Ok(None);
        }
        if !about_end {
            let told = self.alarm_told(&alarm, &listed);
            let subject = match row.kind {
                Kind::Asked => name,
                _ => without_stop(&told.prompt.what),
            };
            let item = self.item(&alarm, &listed, told, person).await?;
            return Ok(Some((subject, item)));
        }
        // It may have broken again since it healed.
        if let Some(failure) = &listed.health.failure {
            if row.kind == Kind::Works {
                self.wait_on(row, &alarm, failure.clone()).await?;
            }
            return Ok(None);
        }
        let solved = solved(&alarm);
        let item = self.solved_item(&listed, solved);
        Ok(Some((format!("{name} {solved}"), item)))
    }

    /// Takes back that something works which somebody waits for: they go on
    /// waiting, for the next time it does.
    async fn wait_on(
        &self,
        row: &mail::Model,
        alarm: &alarm::Model,
        failure: Failure,
    ) -> Result<()> {
        let (tenant, id, now) = (alarm.tenant_id, alarm.connection_id, self.clock.now());
        let transaction = self.store.begin().await?;
        notice::end(&transaction, alarm.id, now).await?;
        let wish = watcher::Model {
            connection_id: id,
            person_id: row.person_id,
            tenant_id: tenant,
            at: now,
        };
        watcher::add(&transaction, wish).await?;
        let open = alarm::open_of(&transaction, tenant, id).await?;
        if open.iter().all(|alarm| alarm.cause == Cause::Expiring) {
            alarm::raise_quietly(&transaction, tenant, id, failure, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Everything a person is told of that is still wrong, and what their last
    /// digest said and is not.
    async fn digest(
        &self,
        row: &mail::Model,
        person: &Membership,
        choices: &MailChoices,
    ) -> Result<Option<Letter>> {
        let (db, tenant, reasons) = (self.store.db(), row.tenant_id, choices.reasons());
        let (person_id, until) = (row.person_id, told_until(choices.pace, row.created_at));
        let mut alarms = Vec::new();
        if notice::concerned_by(db, tenant, person_id, &reasons, until).await? {
            let told = notice::for_reasons(db, tenant, person_id, &reasons, LONGEST_DIGEST);
            alarms = self.alarms_of(tenant, &told.await?).await?;
            alarms.retain(|alarm| alarm.ended_at.is_none());
        }
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
        let wrong = items.len();
        for (alarm, listed) in self.solved_since((tenant, person_id), choices).await? {
            items.push(self.solved_item(&listed, solved(&alarm)));
        }
        let subject = match (wrong, items.len()) {
            (0, 0) => return Ok(None),
            (0, 1) => "1 connection works again".to_owned(),
            (0, several) => format!("{several} connections work again"),
            (1, _) => "1 connection needs somebody".to_owned(),
            (several, _) => format!("{several} connections need somebody"),
        };
        let organisation = organisation(db, tenant).await?;
        let lead = match (wrong, items.len() - wrong) {
            (_, 0) => format!("Still to do at {organisation}:"),
            (0, _) => format!("Done at {organisation}:"),
            _ => format!("Still to do at {organisation}, and below it what is done:"),
        };
        Ok(Some(Letter {
            lead: Some(lead),
            subject,
            items,
            because: format!(
                "You look after connections of {organisation}. This comes once a day, until it is done."
            ),
            choices: self.choices_page(),
        }))
    }

    /// What a person's last digest said and has ended well since, unless they are
    /// mailed that by itself.
    async fn solved_since(
        &self,
        (tenant, person): (TenantId, PersonId),
        choices: &MailChoices,
    ) -> Result<Vec<(alarm::Model, Listed)>> {
        let db = self.store.db();
        if !choices.want(Kind::Solved) {
            return Ok(Vec::new());
        }
        let Some(at) = mail::last_digest(db, tenant, person).await? else {
            return Ok(Vec::new());
        };
        let over = notice::over_since(db, tenant, person, &choices.reasons(), at).await?;
        let mut alarms = self.alarms_of(tenant, &over).await?;
        alarms.retain(|alarm| alarm.ending == Some(Ending::Works));
        let ids = alarms.iter().map(|alarm| alarm.id).collect();
        let told = mail::told_solved(db, tenant, person, ids).await?;
        alarms.retain(|alarm| !told.contains(&alarm.id));
        let mut solved = Vec::new();
        for alarm in alarms {
            match self.one(tenant, alarm.connection_id).await {
                // It may have broken again.
                Ok(listed) if is_over(&listed) || listed.health.failure.is_some() => {}
                Ok(listed) => solved.push((alarm, listed)),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(solved)
    }

    /// What notices are about, the oldest first.
    async fn alarms_of(
        &self,
        tenant: TenantId,
        notices: &[notice::Model],
    ) -> Result<Vec<alarm::Model>> {
        let mut ids: Vec<_> = notices.iter().map(|notice| notice.alarm_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut alarms = alarm::some_of_tenant(self.store.db(), tenant, ids).await?;
        alarms.sort_by_key(|alarm| alarm.raised_at);
        Ok(alarms)
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
            ..
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
                        "{}connect/{}/request?connection={}",
                        self.public_url, connection.provider, connection.id
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

/// What is sent as one mail: of one kind, to one person, and asked by one. Many
/// connections that break at once are no reason for as many mails.
fn gathered(due: Vec<mail::Model>) -> Vec<Vec<mail::Model>> {
    let mut mails: Vec<Vec<mail::Model>> = Vec::new();
    let whose = |row: &mail::Model| (row.tenant_id, row.person_id, row.kind, row.by_person_id);
    for row in due {
        match mails.iter_mut().find(|rows| whose(&rows[0]) == whose(&row)) {
            Some(rows) => rows.push(row),
            None => mails.push(vec![row]),
        }
    }
    mails
}

/// What is said of an alarm that is over.
fn solved(alarm: &alarm::Model) -> &'static str {
    match alarm.cause {
        Cause::Expiring => "is connected again",
        Cause::Degraded | Cause::ActionRequired => "works again",
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
