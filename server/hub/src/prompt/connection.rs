//! What is said of a connection: the same on its page, in mails, in the API and
//! to webhooks.

use chrono::{DateTime, Utc};
use url::form_urlencoded::byte_serialize;

use super::{During, Prompt, Subject};
use crate::{
    Hub, Result,
    connect::{Listed, STOPPED_AFTER_THREE},
    failure::{Failure, FailureCode},
    keep::{
        ends::{EndKind, KnownEnd},
        health::{PROVIDER_TROUBLE, Status, missing_scopes},
    },
    people::Host,
    runs::{NEEDED_BY_RUN, needed_by, needs},
    store::{
        ConnectionId, connection,
        event::{self, Kind},
    },
};

/// Whether the provider app is what is wrong.
pub(crate) fn is_about_app(failure: &Failure) -> bool {
    failure.code == FailureCode::AppConfigInvalid
}

/// What is said of a connection.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of what.
    pub cause: Cause,
    /// Since when that is so.
    pub since: DateTime<Utc>,
    /// In which words.
    pub prompt: Prompt,
    /// The scopes its button asks for, beside what was asked for before.
    pub asks_for: Vec<String>,
}

/// Of what something is said.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Something is wrong, or less was given than asked for.
    Failure(Failure),
    /// It works, and ends soon.
    End(KnownEnd),
}

impl Cause {
    /// What is to be said of a connection first; none while there is nothing, or
    /// while it rests or has ended.
    pub(crate) fn of(listed: &Listed, now: DateTime<Utc>) -> Option<Self> {
        let Listed { health, needed, .. } = listed;
        if matches!(health.status, Status::Paused | Status::Disconnected) {
            return None;
        }
        let wrong = || health.failure.clone().map(Self::Failure);
        // What waits now goes before what ends some day.
        let waits = || (!needed.is_empty()).then(|| Self::Failure(needs(needed)));
        let near = || health.ends.filter(|end| end.is_near(now)).map(Self::End);
        // A partial grant works: it is named, not counted as broken, and waits
        // for what cannot wait.
        let partial = || {
            let code = FailureCode::PermissionMissing;
            (!health.missing_scopes.is_empty())
                .then(|| Self::Failure(Failure::told(code, "partial_grant")))
        };
        wrong().or_else(waits).or_else(near).or_else(partial)
    }

    /// The failure, where it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) => Some(failure),
            Self::End(_) => None,
        }
    }

    /// Whether the provider app is what is wrong, or what ends.
    pub(crate) fn is_about_app(&self) -> bool {
        match self {
            Self::Failure(failure) => is_about_app(failure),
            Self::End(end) => end.kind == EndKind::AppCertificate,
        }
    }
}

impl Hub {
    /// What is said of a connection now; none while there is nothing to say.
    pub fn told_of(&self, listed: &Listed) -> Option<Told> {
        let now = self.clock.now();
        let cause = Cause::of(listed, now)?;
        let since = listed.health.since.unwrap_or(now);
        Some(self.told(listed, cause, since))
    }

    /// What is said of a connection where `met` was in the way of using it just
    /// now: since when that is so, if it is what is known of it already.
    pub fn told_on(&self, listed: &Listed, met: &Failure) -> Told {
        let Listed {
            connection, health, ..
        } = listed;
        let is_known = |known: &&Failure| {
            let is_whole = known.detail == PROVIDER_TROUBLE && met.code.is_transient();
            known.code == met.code || is_whole
        };
        let known = health.failure.as_ref().filter(is_known);
        let since = match known {
            Some(_) => health.since,
            None => connection.disconnected_at,
        };
        // That nobody was asked again is said now, and is no other trouble.
        let said = known.filter(|_| met.detail != STOPPED_AFTER_THREE);
        let cause = Cause::Failure(said.unwrap_or(met).clone());
        self.told(listed, cause, since.unwrap_or(self.clock.now()))
    }

    /// The same for a host application that was not given what it asked for.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn told_host(&self, host: &Host, id: ConnectionId, met: &Failure) -> Result<Told> {
        let listed = self.one(host.tenant(), id).await?;
        Ok(self.told_on(&listed, met))
    }

    /// What is said of a connection for `cause`.
    pub(crate) fn told(&self, listed: &Listed, cause: Cause, since: DateTime<Utc>) -> Told {
        let Listed {
            connection,
            health,
            paused_runs,
            is_operators_app,
            ..
        } = listed;
        let asks_for = cause.failure().map(needed_by).unwrap_or_default();
        let missing = match asks_for.is_empty() {
            true => &health.missing_scopes,
            false => &asks_for,
        };
        let missing = self.catalog.meanings(&connection.provider, missing);
        let subject = Subject {
            missing: &missing,
            is_operators_app: *is_operators_app,
            ..self.subject_of(connection, since)
        };
        let prompt = match &cause {
            Cause::Failure(failure) => Prompt::of(failure, &subject).with_paused(*paused_runs),
            Cause::End(end) => Prompt::of_end(*end, &subject),
        };
        let prompt = match health.status {
            Status::Retrying => prompt.while_retrying(),
            _ => prompt,
        };
        Told {
            cause,
            since,
            prompt,
            asks_for,
        }
    }

    /// Where a person writes to whoever runs this hub about a failure, with what
    /// they need to look into it.
    pub fn report_to(&self, provider: &str, failure: &Failure, at: DateTime<Utc>) -> String {
        let to = match &self.choices.support {
            Some(page) if page.scheme() != "mailto" => return page.to_string(),
            Some(letter) => letter.as_str(),
            None => "mailto:",
        };
        let text = format!(
            "Something went wrong on the hub's side.\n\nProvider: {provider}\nCode: {}\nDetail: {}\nAt: {}\n",
            failure.code.as_str(),
            failure.detail,
            at.format("%Y-%m-%d %H:%M:%S UTC"),
        );
        letter_to(to, "Linkwell: something went wrong", &text)
    }

    /// What an event said: what failed, or what ends; none where it is neither.
    /// `row` is the connection as far as it is still there, with how many runs
    /// wait for it.
    pub fn told_in(
        &self,
        event: &event::Model,
        row: Option<&connection::Model>,
        paused_runs: i64,
        is_operators_app: bool,
    ) -> Option<Prompt> {
        let event::Data {
            failure,
            since,
            ends_at,
            ends_because,
            ..
        } = &event.data;
        let at = since.unwrap_or(event.at);
        let entry = row.and_then(|row| self.catalog.get(&row.provider));
        let missing = match (failure, row) {
            (Some(failure), _) if failure.detail == NEEDED_BY_RUN => needed_by(failure),
            (_, Some(row)) => missing_scopes(row, entry),
            _ => Vec::new(),
        };
        let missing = row.map(|row| self.catalog.meanings(&row.provider, &missing));
        let subject = Subject {
            missing: missing.as_deref().unwrap_or_default(),
            is_operators_app,
            ..row.map_or(Subject::unnamed(at), |row| self.subject_of(row, at))
        };
        let Some(failure) = failure else {
            let kind = EndKind::read(ends_because.as_deref()?)?;
            let end = KnownEnd {
                at: (*ends_at)?,
                kind,
            };
            return Some(Prompt::of_end(end, &subject));
        };
        let prompt = Prompt::of(failure, &subject).with_paused(paused_runs);
        let has_lasted = event.kind == Kind::ConnectionDegraded && !failure.code.is_others();
        Some(match failure.code.is_transient() && !has_lasted {
            true => prompt.while_retrying(),
            false => prompt,
        })
    }

    /// A connection that is kept, as what a failure at `at` is about.
    pub(crate) fn subject_of<'a>(
        &'a self,
        connection: &'a connection::Model,
        at: DateTime<Utc>,
    ) -> Subject<'a> {
        Subject {
            provider_name: self.catalog.name_of(&connection.provider),
            account: Some(connection.name()),
            at,
            during: During::Keeping,
            missing: &[],
            is_operators_app: false,
        }
    }
}

/// The address of a letter that is written already.
pub(super) fn letter_to(to: &str, subject: &str, text: &str) -> String {
    let escaped = |text: &str| -> String {
        let escaped: String = byte_serialize(text.as_bytes()).collect();
        escaped.replace('+', "%20")
    };
    format!("{to}?subject={}&body={}", escaped(subject), escaped(text))
}
