//! The page before connecting.

use hub::{
    Error, Hub, Result,
    catalog::{Provider as Entry, SignIn, Variable, Variables},
    connect::Listed,
    people::{Action as Right, Member},
    store::{ConnectionId, words},
};

use super::{
    capital,
    connection::status,
    drawn,
    market::{is_set_up, sign_in, usually_takes},
    support, wizard,
};
use crate::{
    model::{ConnectField, ConnectPage, Helper, Permission, Readiness, RequestPage},
    words as say,
};

/// The page before connecting; `repairs` is the connection to repair, and
/// `wanted` are the scopes that are chosen already: those that this provider has.
pub async fn connect_page(
    hub: &Hub,
    member: &Member,
    id: &str,
    repairs: Option<ConnectionId>,
    wanted: &[String],
) -> Result<ConnectPage> {
    let entry = hub.catalog.get(id).ok_or(Error::NotFound)?;
    let repaired = repairs;
    let repairs = match repairs {
        Some(id) => Some(hub.connection(member, id).await?),
        None => None,
    };
    let asked = match &repairs {
        Some(listed) => words(&listed.connection.scopes_asked),
        None => entry.default_scopes(),
    };
    let permission = |scope: &hub::catalog::Scope| Permission {
        meaning: capital(&scope.meaning),
        scope: scope.name.clone(),
        granted: wanted.contains(&scope.name),
    };
    let (asked_for, optional): (Vec<_>, Vec<_>) = entry
        .scopes
        .iter()
        .filter(|scope| !scope.technical)
        .partition(|scope| asked.contains(&scope.name));
    let apps = hub.provider_apps(member).await?;
    let readiness = if let Some(readiness) = entered(entry, known_to(&repairs)) {
        match (readiness, hub.draft(member, &entry.id, repaired).await?) {
            (Readiness::Enter(begun), Some(draft)) => {
                Readiness::Enter(Box::new(wizard::so_far(hub, *begun, draft)))
            }
            (readiness, _) => readiness,
        }
    } else if is_set_up(&apps, entry) {
        Readiness::Ready
    } else {
        Readiness::NotSetUp {
            app: entry.app_id.clone(),
            may_set_up: member.role().may(Right::ManageProviderApps),
            admins: hub.admin_names(member).await?,
        }
    };
    let in_use = match &repairs {
        Some(_) => None,
        None => hub.use_connection(member, id).await?.connection,
    };
    let in_use = in_use
        .filter(|one| one.connection.disconnected_at.is_none())
        .map(|one| {
            let connection = &one.connection;
            let name = connection.name().to_owned();
            (connection.id.to_string(), name, status(&one.health))
        });
    let attempts = hub.flows_under_way(member).await?;
    let known = known_to(&repairs);
    let usually_takes = usually_takes(entry, &hub.usual_times().await?);
    // Without permissions of its own, the file says in words what we do.
    let will: Vec<String> = match asked_for.is_empty() {
        true => entry
            .about
            .we_will
            .iter()
            .map(|line| capital(line))
            .collect(),
        false => asked_for
            .iter()
            .map(|scope| capital(&scope.meaning))
            .collect(),
    };
    Ok(ConnectPage {
        helpers: helpers(hub, member).await?,
        provider: drawn(entry),
        summary: entry.about.summary.clone(),
        facts: facts(entry),
        in_use,
        docs: entry.about.sources.clone(),
        will,
        will_not: entry
            .about
            .we_will_not
            .iter()
            .map(|line| capital(line))
            .collect(),
        permissions: asked_for.iter().map(|scope| permission(scope)).collect(),
        optional: optional.iter().map(|scope| permission(scope)).collect(),
        fields: entry
            .questions()
            .filter(|question| !known.is_some_and(|known| known.contains_key(&question.name)))
            .map(asked_field)
            .collect(),
        removal: match entry.is_revoked_by_call() {
            true => "Disconnect here at any time: the access is withdrawn there too.".to_owned(),
            false => format!(
                "Disconnect here at any time, then remove Linkwell in the settings of {}.",
                entry.name()
            ),
        },
        usually_takes,
        admin_consent: readiness == Readiness::Ready && entry.admin_consent().is_some(),
        readiness,
        attempt: attempts
            .iter()
            .find(|flow| {
                flow.provider == entry.id
                    && flow.connection_id == repairs.as_ref().map(|listed| listed.connection.id)
            })
            .and_then(|flow| flow.handle.clone()),
        repairs: repairs.map(|listed| {
            (
                listed.connection.id.to_string(),
                listed.connection.name().to_owned(),
            )
        }),
    })
}

/// What is sent to whoever can allow an app at a provider; `repairs` is the
/// connection that waits for it.
pub async fn request_page(
    hub: &Hub,
    member: &Member,
    id: &str,
    repairs: Option<ConnectionId>,
) -> Result<RequestPage> {
    let request = hub.admin_request(member, id).await?;
    Ok(RequestPage {
        provider: super::provider(hub, id),
        text: request.text,
        letter: request.letter,
        repairs: repairs.map(|id| id.to_string()),
    })
}

pub(super) fn facts(entry: &Entry) -> Vec<(String, String)> {
    [
        ("Category", entry.about.category.label().to_owned()),
        ("Signing in", sign_in(entry).1.to_owned()),
        ("Serves", served(&entry.about.regions)),
    ]
    .into_iter()
    .map(|(name, fact)| (name.to_owned(), fact))
    .collect()
}

/// Where a provider serves, in words; countries without one by their code.
fn served(regions: &[String]) -> String {
    let word = |region: &String| {
        let known = say::REGIONS.iter().find(|(key, _)| key == region);
        known.map_or_else(|| region.to_uppercase(), |(_, word)| (*word).to_owned())
    };
    say::list(&regions.iter().map(word).collect::<Vec<_>>())
}

/// What an existing connection has answered already.
fn known_to(repairs: &Option<Listed>) -> Option<&Variables> {
    repairs
        .as_ref()
        .map(|listed| &listed.connection.variables.0)
}

pub(super) fn asked_field(question: &Variable) -> ConnectField {
    ConnectField {
        name: format!("var.{}", question.name),
        label: question.label.clone(),
        placeholder: Some(question.placeholder.clone()),
        suffix: question.suffix.clone(),
        help: Some(question.help.clone()).filter(|help| !help.is_empty()),
        value: question.default.clone().unwrap_or_default(),
        secret: question.secret,
        optional: question.optional,
    }
}

/// How an entry without one-click sign-in is connected; none for one with it.
pub(super) fn entered(entry: &Entry, known: Option<&Variables>) -> Option<Readiness> {
    match entry.sign_in() {
        SignIn::OneClick => return None,
        SignIn::Browser => {
            let why =
                "It has no official way in. A sign-in in a real browser is not available here yet.";
            return Some(Readiness::NotYet(why.to_owned()));
        }
        SignIn::Key | SignIn::Database => {}
    }
    let known = known.cloned().unwrap_or_default();
    Some(Readiness::Enter(Box::new(wizard::before(entry, &known))))
}

/// Whom a person may ask: the admins of their organisation, and whoever runs
/// this hub.
async fn helpers(hub: &Hub, member: &Member) -> Result<Vec<Helper>> {
    let admins = hub.helpers(member).await?.into_iter();
    let admins = admins.map(|(name, email)| Helper {
        name,
        // Nothing in an address begins the fields of a letter.
        href: format!("mailto:{}", email.replace('%', "%25").replace('?', "%3F")),
        shown: email,
    });
    let operator = support(hub).map(|href| Helper {
        name: say::OPERATOR.to_owned(),
        shown: href.trim_start_matches("mailto:").to_owned(),
        href,
    });
    Ok(admins.chain(operator).collect())
}
