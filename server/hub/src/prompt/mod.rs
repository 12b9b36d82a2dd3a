//! A failure in words: what failed, why, what it means, and the one thing to do.
//!
//! The only place that puts a [`Failure`] into words, so that hub, popup,
//! e-mail and API say the same. The voice: sentence case, verb and object on
//! buttons, no blame, no apologies, no codes, "most likely" only where we
//! concluded it.

mod connection;
mod request;
mod table;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    failure::{Certainty, Failure},
    keep::ends::KnownEnd,
};
use table::{Why, entry};

pub use connection::{Cause, Told};
pub use request::AdminRequest;

pub(crate) use connection::is_about_app;

/// What a person is told about a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// What happened, with its time when that matters.
    pub what: String,
    /// Why, honest about how sure that is.
    pub why: String,
    /// What it means for the person, when that is not obvious.
    pub effect: Option<String>,
    /// The one button; none when there is nothing to press.
    pub action: Option<PromptAction>,
    /// A quieter way out beside the button.
    pub secondary: Option<PromptAction>,
    /// Who can end it.
    pub who: Who,
}

/// A button of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PromptAction {
    /// Verb and object: `Reconnect Shopify`.
    pub label: String,
    /// What pressing it does.
    pub kind: ActionKind,
}

/// What pressing a button does. Where that leads, the surface knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Signs in to the hub.
    SignIn,
    /// Starts a flow: for the connection when there is one, else for the provider.
    Connect,
    /// Connects the account that signed in as one more.
    AddAccount,
    /// Opens the page that says what is asked for.
    Explain,
    /// Proves the connection again now.
    Check,
    /// Has a connection that rests work again.
    Resume,
    /// Opens the page of the provider app.
    SetUp,
    /// Shows what is sent to whoever can allow it at the provider.
    Request,
    /// Opens the provider's own site.
    OpenProvider,
    /// Writes to whoever runs this hub.
    Report,
}

/// Who can end a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The person who reads it.
    You,
    /// An admin: of the organisation here, or of its account at the provider.
    Admin,
    /// Whoever runs this hub.
    Operator,
    /// The provider, by itself.
    Provider,
    /// The hub, by itself.
    Us,
}

/// What was going on when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// A person was connecting or reconnecting an account.
    Connecting,
    /// The hub was refreshing, checking or using a connection.
    Keeping,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The provider's name on screen: `Shopify`.
    pub provider_name: &'a str,
    /// What the account is called.
    pub account: Option<&'a str>,
    /// When it failed.
    pub at: DateTime<Utc>,
    /// What was going on.
    pub during: During,
    /// What the permissions that are missing allow, in words.
    pub missing: &'a [String],
    /// Whether only whoever runs this hub can change the provider app.
    pub is_operators_app: bool,
}

impl Subject<'_> {
    /// Where it is not known what a failure at `at` is about.
    pub fn unnamed(at: DateTime<Utc>) -> Self {
        Self {
            provider_name: "the provider",
            account: None,
            at,
            during: During::Keeping,
            missing: &[],
            is_operators_app: false,
        }
    }
}

impl Prompt {
    /// Puts `failure` into words.
    pub fn of(failure: &Failure, subject: &Subject<'_>) -> Self {
        let entry = entry(failure, subject);
        let action = |(kind, label): (ActionKind, String)| PromptAction { label, kind };
        Self {
            what: sentence(&entry.what),
            why: match entry.why {
                Why::Fact(fact) => sentence(&fact),
                Why::By { told, likely } => match failure.certainty {
                    Certainty::Told => sentence(&told),
                    Certainty::Inferred => sentence(&format!("Most likely {likely}")),
                },
            },
            effect: entry.effect.as_deref().map(sentence),
            action: entry.action.map(action),
            secondary: entry.secondary.map(action),
            who: entry.who,
        }
    }
}

impl Prompt {
    /// The same while it may heal by itself: there is nothing to press yet.
    pub fn while_retrying(self) -> Self {
        Self {
            action: None,
            secondary: None,
            effect: self.effect.as_deref().map(table::calm),
            ..self
        }
    }

    /// The same where so many runs wait for its end: that says more than that
    /// automations cannot use it, and stands behind everything else.
    pub fn with_paused(self, runs: i64) -> Self {
        if runs == 0 {
            return self;
        }
        let waiting = paused_runs(runs);
        let effect = self.effect.filter(|said| *said != sentence(table::STOPPED));
        let effect = match effect {
            // That nothing was lost is said once.
            Some(effect) => format!(
                "{} {waiting}",
                effect.trim_end_matches(" Nothing was lost.")
            ),
            None => waiting,
        };
        Self {
            effect: Some(effect),
            ..self
        }
    }

    /// Puts a known end into words.
    pub fn of_end(end: KnownEnd, subject: &Subject<'_>) -> Self {
        let entry = table::end(end, subject);
        let action = |(kind, label): (ActionKind, String)| PromptAction { label, kind };
        Self {
            what: sentence(&entry.what),
            why: match entry.why {
                Why::Fact(text) | Why::By { told: text, .. } => sentence(&text),
            },
            effect: entry.effect.as_deref().map(sentence),
            action: entry.action.map(action),
            secondary: None,
            who: entry.who,
        }
    }
}

/// What leads to whoever runs this hub where nothing else helps.
pub const ASK_OPERATOR: &str = "Ask whoever runs this Linkwell";

/// What it means that runs wait.
pub fn paused_runs(count: i64) -> String {
    match count {
        1 => "1 run is paused. Nothing was lost.".to_owned(),
        count => format!("{count} runs are paused. Nothing was lost."),
    }
}

/// Capital at the beginning, full stop at the end: one, also after `Maple & Co.`
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(char::to_uppercase)
        .into_iter()
        .flatten();
    let stop = (!text.ends_with('.')).then_some('.');
    first.chain(characters).chain(stop).collect()
}

#[cfg(test)]
mod tests;
