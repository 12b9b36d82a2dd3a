//! From the hub's facts to what pages show: the one place that knows both. One
//! file for each page; here is what they share.

mod attempt;
mod audit;
mod connect;
mod connection;
mod control;
mod guest;
mod market;
mod metrics;
mod notices;
mod people;
mod preview;
mod runs;
mod settings;
mod trouble;
mod views;
mod webhooks;
mod wizard;

pub use attempt::{attempt, outcome};
pub use audit::{audit, wanted as audit_wanted};
pub use connect::{connect_page, request_page};
pub use connection::{connection_page, disconnect_page, hub};
pub use control::{clear_page, control_page};
pub use guest::{guest_connect_page, guest_page, place_of};
pub use market::{hub_page, known};
pub use metrics::metrics_page;
pub use notices::{count, mail_page, mailed, notices};
pub use people::{keys_made_by, manageable_member, members, organisation};
pub use preview::{has_preview, preview};
pub use runs::{policies_page, runs_page};
pub use settings::{api_keys, provider_app_page, provider_apps, wishes};
pub use trouble::troubles;
pub use views::routes;
pub use webhooks::webhooks;
pub use wizard::{problem, step, too_many_tests};

use chrono::{DateTime, Utc};
use hub::{
    Hub,
    catalog::Provider as Entry,
    connect::Listed,
    failure::{Failure, FailureCode},
    prompt::{self, ActionKind as PromptAction, During, Subject},
};

use crate::{
    model::{Action, ActionKind, Details, Moment, Prompt, Provider},
    paths, words,
};

/// A point in time, with the words for it.
pub fn moment(at: DateTime<Utc>) -> Moment {
    Moment {
        unix: at.timestamp(),
        text: at.format("%-d %B %Y, %H:%M UTC").to_string(),
    }
}

fn drawn(entry: &Entry) -> Provider {
    Provider {
        id: entry.id.clone(),
        name: entry.name().to_owned(),
        icon: Some(entry.brand.icon.clone()),
    }
}

/// A provider by its id, also one that the catalog no longer has.
pub fn provider(hub: &Hub, id: &str) -> Provider {
    hub.catalog.get(id).map_or_else(
        || Provider {
            id: id.to_owned(),
            name: id.to_owned(),
            icon: None,
        },
        drawn,
    )
}

/// The first provider an app registration serves.
pub fn provider_of_app(hub: &Hub, app: &str) -> Provider {
    let mut entries = hub.catalog.iter();
    match entries.find(|entry| entry.app_id == app) {
        Some(entry) => drawn(entry),
        None => provider(hub, app),
    }
}

/// Where whoever runs this hub is reached, if they say so.
fn support(hub: &Hub) -> Option<String> {
    hub.choices.support.as_ref().map(ToString::to_string)
}

/// A failure of a connection or of an attempt, in words.
fn worded(
    hub: &Hub,
    provider_id: &str,
    remove_url: Option<String>,
    failure: &Failure,
    subject: &Subject<'_>,
) -> Prompt {
    let said = prompt::Prompt::of(failure, subject);
    let about = Some((failure, subject.at));
    remade(hub, provider_id, remove_url, about, said)
}

/// What is said of a connection, with what its buttons do.
pub fn said(hub: &Hub, listed: &Listed, told: prompt::Told) -> Prompt {
    let connection = &listed.connection;
    let entry = hub.catalog.get(&connection.provider);
    let remove_url = entry.and_then(|entry| entry.remove_url(&connection.variables.0));
    let about = told.cause.failure().map(|failure| (failure, told.since));
    let mut said = remade(hub, &connection.provider, remove_url, about, told.prompt);
    ask_for(&mut said, &connection.provider, &connection.id.to_string());
    if let Some(action) = said.action.as_mut().filter(|_| !told.asks_for.is_empty()) {
        // What is asked for beyond what was is chosen where it is explained.
        let id = connection.id.to_string();
        let url = paths::reconnect_with(&connection.provider, &id, &told.asks_for);
        action.kind = ActionKind::Open { url };
    }
    said
}

/// Has what is sent to an admin know which connection waits for their answer.
fn ask_for(said: &mut Prompt, provider_id: &str, connection: &str) {
    let request = ActionKind::Open {
        url: paths::request(provider_id),
    };
    if let Some(action) = said.action.as_mut().filter(|one| one.kind == request) {
        let url = paths::request_for(provider_id, connection);
        action.kind = ActionKind::Open { url };
    }
}

/// The hub's words, as pages hold them, with where the buttons lead. `about` is
/// what can be reported.
fn remade(
    hub: &Hub,
    provider_id: &str,
    remove_url: Option<String>,
    about: Option<(&Failure, DateTime<Utc>)>,
    said: prompt::Prompt,
) -> Prompt {
    let app = hub
        .catalog
        .get(provider_id)
        .map(|entry| entry.app_id.clone());
    // Where only the operator can help and nothing can be pressed, they can be
    // written to.
    let write = || {
        Some(Action {
            label: prompt::ASK_OPERATOR.to_owned(),
            kind: ActionKind::Open { url: support(hub)? },
        })
    };
    let to_operator = said.who == prompt::Who::Operator;
    let drawn = |action: prompt::PromptAction| {
        let kind = match action.kind {
            PromptAction::SignIn => ActionKind::SignIn,
            PromptAction::Connect => ActionKind::Connect,
            PromptAction::AddAccount => ActionKind::AddAccount,
            PromptAction::Explain => ActionKind::Explain,
            PromptAction::Check => ActionKind::Check,
            PromptAction::Resume => ActionKind::Resume,
            PromptAction::SetUp => ActionKind::SetUp { app: app.clone()? },
            PromptAction::Request => ActionKind::Open {
                url: paths::request(provider_id),
            },
            PromptAction::OpenProvider => ActionKind::Open {
                url: remove_url.clone()?,
            },
            PromptAction::Report => {
                let (failure, at) = about?;
                ActionKind::Open {
                    url: hub.report_to(provider_id, failure, at),
                }
            }
        };
        Some(Action {
            label: action.label,
            kind,
        })
    };
    Prompt {
        what: said.what,
        why: said.why,
        effect: said.effect,
        action: (said.action.and_then(drawn)).or_else(|| write().filter(|_| to_operator)),
        secondary: said.secondary.and_then(drawn),
    }
}

/// What support needs to know of a failure; `reference` is what it is found by.
fn details(failure: &Failure, at: Option<DateTime<Utc>>, reference: impl ToString) -> Details {
    Details {
        code: failure.code.as_str().to_owned(),
        detail: failure.detail.clone(),
        reference: reference.to_string(),
        at: at.map(moment),
        provider_text: failure.provider_text.clone(),
    }
}

/// The same of what is said of a connection; none where nothing failed.
pub fn details_of(listed: &Listed, told: &prompt::Told) -> Option<Details> {
    let failure = told.cause.failure()?;
    Some(details(failure, Some(told.since), listed.connection.id))
}

/// A failure that belongs to no connection.
pub fn prompt_of_failure(hub: &Hub, failure: &Failure) -> Prompt {
    let subject = unconnected("The provider", hub.clock.now());
    worded(hub, "", None, failure, &subject)
}

/// AUTH_004: what somebody is told whose role does not reach; `needs` is the least
/// role that does.
pub fn not_allowed(needs: &str) -> Prompt {
    said_of_hub(&Failure::told(FailureCode::NotAllowed, needs))
}

/// HUB_INTERNAL: what is told when we failed; `request` is what the log knows it by.
pub fn our_side(request: &str) -> Prompt {
    let failed = said_of_hub(&Failure::inferred(FailureCode::HubInternal, "page"));
    Prompt {
        why: format!("Nothing was changed. Load the page again in a moment. Reference {request}."),
        effect: None,
        ..failed
    }
}

/// A failure of the hub itself, in the words of the table, without a button.
fn said_of_hub(failure: &Failure) -> Prompt {
    let subject = unconnected(words::PRODUCT, DateTime::UNIX_EPOCH);
    let said = prompt::Prompt::of(failure, &subject);
    Prompt {
        effect: said.effect,
        ..plain_prompt(&said.what, &said.why)
    }
}

/// What a provider said to what was entered.
pub fn prompt_of_entering(hub: &Hub, provider_id: &str, failure: &Failure) -> Prompt {
    let entry = hub.catalog.get(provider_id);
    let name = entry.map_or(provider_id, Entry::name);
    let subject = unconnected(name, hub.clock.now());
    worded(hub, provider_id, None, failure, &subject)
}

/// What a sentence is about where there is no connection yet.
fn unconnected(provider_name: &str, at: DateTime<Utc>) -> Subject<'_> {
    Subject {
        provider_name,
        account: None,
        at,
        during: During::Connecting,
        missing: &[],
        is_operators_app: false,
    }
}

/// Two sentences and nothing to press.
pub fn plain_prompt(what: &str, why: &str) -> Prompt {
    Prompt {
        what: what.to_owned(),
        why: why.to_owned(),
        effect: None,
        action: None,
        secondary: None,
    }
}

fn meaning(entry: Option<&Entry>, scope: &str) -> String {
    let known = entry.and_then(|entry| entry.scope(scope));
    known.map_or(scope.to_owned(), |scope| capital(&scope.meaning))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn keywords(entry: Option<&Entry>, more: &[&str]) -> String {
    let mut words: Vec<&str> = more.to_vec();
    if let Some(entry) = entry {
        words.push(entry.name());
        words.push(entry.about.category.label());
        words.push(&entry.id);
        words.extend(entry.about.aliases.iter().map(String::as_str));
    }
    words.join(" ").to_lowercase()
}
