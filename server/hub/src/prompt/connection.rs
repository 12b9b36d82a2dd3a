//! What is said of a connection: the same on its page, in mails, in the API and
//! to webhooks.

use chrono::{DateTime, Utc};

use super::{During, Prompt, Subject};
use crate::{
    Hub,
    connect::Listed,
    failure::{Failure, FailureCode},
    keep::{
        ends::KnownEnd,
        health::{Health, Status},
    },
    runs::{needed_by, needs},
    store::connection,
};

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
    /// while it rests or has ended. `needed` is what runs wait for.
    fn of(health: &Health, needed: &[String], now: DateTime<Utc>) -> Option<Self> {
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
}

impl Hub {
    /// What is said of a connection now; none while there is nothing to say.
    pub fn told_of(&self, listed: &Listed) -> Option<Told> {
        self.told_with(listed, &[])
    }

    /// The same where automations wait for `needed`: scopes that were not granted.
    pub fn told_with(&self, listed: &Listed, needed: &[String]) -> Option<Told> {
        let now = self.clock.now();
        let cause = Cause::of(&listed.health, needed, now)?;
        let since = listed.health.since.unwrap_or(now);
        Some(self.told(listed, cause, since))
    }

    /// What is said of a connection for `cause`.
    pub(crate) fn told(&self, listed: &Listed, cause: Cause, since: DateTime<Utc>) -> Told {
        let Listed { connection, health } = listed;
        let asks_for = cause.failure().map(needed_by).unwrap_or_default();
        let missing = match asks_for.is_empty() {
            true => &health.missing_scopes,
            false => &asks_for,
        };
        let missing = self.catalog.meanings(&connection.provider, missing);
        let subject = Subject {
            missing: &missing,
            ..self.subject_of(connection, since)
        };
        let prompt = match &cause {
            Cause::Failure(failure) => Prompt::of(failure, &subject),
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

    /// A connection that is kept, as what a failure at `at` is about.
    pub fn subject_of<'a>(
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
        }
    }
}
