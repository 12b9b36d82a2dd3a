//! From the hub's facts to what pages show: the one place that knows both.

use axum::{Extension, Json, Router, extract::Path, http::StatusCode, routing::get};
use chrono::{DateTime, Utc};
use hub::{
    Error, Hub, Result,
    catalog::{Provider as Entry, SignIn, Variable, Variables},
    connect::{FlowView, Listed},
    failure::{Failure, FailureCode},
    keep::health,
    people::{Action as Right, Member, ProviderAppSource, ProviderAppStatus},
    prompt::{self, ActionKind as PromptAction, During, Subject},
    store::{
        ConnectionId,
        event::{self, Kind},
        flow, words,
    },
};

use crate::{
    Viewer,
    documents::{Choice, Ending, Outcome},
    model::*,
    paths,
};

/// How many lines of a connection's history its page shows.
const HISTORY: u64 = 20;
/// What a first visit is pointed to, in this order, as far as it is set up.
const SUGGESTED: [&str; 3] = ["sandbox", "shopify", "google-gmail"];

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

/// A failure of a connection or of an attempt, in words.
fn worded(
    hub: &Hub,
    provider_id: &str,
    remove_url: Option<String>,
    failure: &Failure,
    subject: &Subject<'_>,
) -> Prompt {
    let words = prompt::Prompt::of(failure, subject);
    let app = hub
        .catalog
        .get(provider_id)
        .map(|entry| entry.app_id.clone());
    let drawn = |action: prompt::PromptAction| {
        let kind = match action.kind {
            PromptAction::SignIn => ActionKind::SignIn,
            PromptAction::Connect => ActionKind::Connect,
            PromptAction::AddAccount => ActionKind::AddAccount,
            PromptAction::Explain => ActionKind::Explain,
            PromptAction::Check => ActionKind::Check,
            PromptAction::SetUp => ActionKind::SetUp { app: app.clone()? },
            PromptAction::OpenProvider => ActionKind::Open {
                url: remove_url.clone()?,
            },
        };
        Some(Action {
            label: action.label,
            kind,
        })
    };
    Prompt {
        what: words.what,
        why: words.why,
        effect: words.effect,
        action: words.action.and_then(drawn),
        secondary: words.secondary.and_then(drawn),
    }
}

fn details(failure: &Failure, at: Option<DateTime<Utc>>) -> Details {
    Details {
        code: failure.code.as_str().to_owned(),
        at: at.map(moment),
        provider_text: failure.provider_text.clone(),
    }
}

/// A failure that belongs to no connection.
pub fn prompt_of_failure(hub: &Hub, failure: &Failure) -> Prompt {
    let subject = Subject {
        provider_name: "The provider",
        account: None,
        at: hub.clock.now(),
        during: During::Connecting,
        missing: &[],
    };
    worded(hub, "", None, failure, &subject)
}

/// What a provider said to what was entered.
pub fn prompt_of_entering(hub: &Hub, provider_id: &str, failure: &Failure) -> Prompt {
    let entry = hub.catalog.get(provider_id);
    let subject = Subject {
        provider_name: entry.map_or(provider_id, Entry::name),
        account: None,
        at: hub.clock.now(),
        during: During::Connecting,
        missing: &[],
    };
    worded(hub, provider_id, None, failure, &subject)
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

fn status(health: &health::Health) -> Status {
    match health.status {
        health::Status::Connected => Status::Connected,
        health::Status::Retrying => Status::Retrying {
            at: health.next_refresh_at.map(|at| at.timestamp()),
        },
        health::Status::ActionNeeded => Status::ActionNeeded,
        health::Status::WaitingForAdmin => Status::WaitingForAdmin,
        health::Status::NotChecked => Status::NotCheckedYet,
        health::Status::Disconnected => Status::Disconnected,
    }
}

fn row(hub: &Hub, listed: &Listed, attempts: &[flow::Model]) -> Connection {
    let Listed { connection, health } = listed;
    let entry = hub.catalog.get(&connection.provider);
    let provider = provider(hub, &connection.provider);
    let missing: Vec<String> = health
        .missing_scopes
        .iter()
        .map(|scope| meaning(entry, scope))
        .collect();
    let failure = health.failure.clone().or_else(|| {
        // A partial grant works: it is named, not counted as broken.
        (!missing.is_empty() && health.status == health::Status::Connected)
            .then(|| Failure::told(FailureCode::PermissionMissing, "partial_grant"))
    });
    let prompt = failure
        .filter(|_| health.status != health::Status::Disconnected)
        .map(|failure| {
            let remove_url = entry.and_then(|entry| entry.remove_url(&connection.variables.0));
            let subject = Subject {
                provider_name: &provider.name,
                account: Some(connection.name()),
                at: health.since.unwrap_or_else(|| hub.clock.now()),
                during: During::Keeping,
                missing: &missing,
            };
            worded(hub, &connection.provider, remove_url, &failure, &subject)
        });
    Connection {
        id: connection.id.to_string(),
        account: connection.name().to_owned(),
        status: status(health),
        checked_at: connection.last_ok_at.map(|at| at.timestamp()),
        prompt,
        attempt: attempts
            .iter()
            .find(|flow| flow.connection_id == Some(connection.id))
            .and_then(|flow| flow.handle.clone()),
        keywords: keywords(entry, &[connection.name(), &connection.account_label]),
        provider,
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

/// The hub page.
pub async fn hub_page(hub: &Hub, member: &Member) -> Result<crate::model::Hub> {
    let listed = hub.connections(member).await?;
    let attempts = hub.flows_under_way(member).await?;
    let apps = hub.provider_apps(member).await?;
    let may_set_up = member.role().may(Right::ManageProviderApps);
    let mut offers: Vec<Offer> = hub
        .catalog
        .iter()
        .map(|entry| Offer {
            provider: drawn(entry),
            summary: entry.about.summary.clone(),
            start: match (is_set_up(&apps, &entry.app_id), may_set_up) {
                (true, _) if entry.questions().any(|question| question.default.is_none()) => {
                    Start::AfterDetails
                }
                (true, _) => Start::Now,
                (false, true) => Start::SetUp,
                (false, false) => Start::AskAdmin,
            },
            again: listed.iter().any(|listed| {
                listed.connection.provider == entry.id
                    && listed.health.status != health::Status::Disconnected
            }),
            suggested: SUGGESTED.contains(&entry.id.as_str()) && is_set_up(&apps, &entry.app_id),
            attempt: attempts
                .iter()
                .find(|flow| flow.provider == entry.id && flow.connection_id.is_none())
                .and_then(|flow| flow.handle.clone()),
            keywords: keywords(Some(entry), &[]),
        })
        .collect();
    // What can be connected now comes before what has to be set up first.
    offers.sort_by_key(|offer| matches!(offer.start, Start::SetUp | Start::AskAdmin));
    Ok(crate::model::Hub {
        now: hub.clock.now().timestamp(),
        connections: listed
            .iter()
            .map(|listed| row(hub, listed, &attempts))
            .collect(),
        offers,
        may_manage: member.role().may(Right::Connect),
    })
}

fn is_set_up(apps: &[ProviderAppStatus], app: &str) -> bool {
    apps.iter()
        .any(|status| status.app == app && status.source != ProviderAppSource::Missing)
}

/// The page of one connection.
pub async fn connection_page(
    hub: &Hub,
    member: &Member,
    id: ConnectionId,
) -> Result<ConnectionPage> {
    let listed = hub.connection(member, id).await?;
    let attempts = hub.flows_under_way(member).await?;
    let history = hub.history(member, id, HISTORY).await?;
    let entry = hub.catalog.get(&listed.connection.provider);
    let asked = words(&listed.connection.scopes_asked);
    let permissions = asked
        .iter()
        .filter(|scope| !is_technical(entry, scope))
        .map(|scope| Permission {
            meaning: meaning(entry, scope),
            scope: scope.clone(),
            granted: !listed.health.missing_scopes.contains(scope),
        })
        .collect();
    let connected_by = match listed.connection.created_by {
        Some(person) => hub.person_name(member, person).await?,
        None => None,
    };
    Ok(ConnectionPage {
        now: hub.clock.now().timestamp(),
        details: listed
            .health
            .failure
            .as_ref()
            .map(|failure| details(failure, listed.health.since)),
        connected_at: moment(listed.connection.created_at),
        connected_by,
        permissions,
        last_proof: listed.connection.last_ok_at.map(moment),
        next_refresh: listed.health.next_refresh_at.map(moment),
        token_expires: listed.health.expires_at.map(moment),
        history: history.iter().map(history_entry).collect(),
        may_manage: member.role().may(Right::Connect),
        connection: row(hub, &listed, &attempts),
    })
}

fn is_technical(entry: Option<&Entry>, scope: &str) -> bool {
    entry
        .and_then(|entry| entry.scope(scope))
        .is_some_and(|scope| scope.technical)
}

fn history_entry(event: &event::Model) -> HistoryEntry {
    let (what, tone) = match event.kind {
        Kind::ConnectionCreated if event.data.note.is_some() => ("Imported", Tone::Good),
        Kind::ConnectionCreated => ("Connected", Tone::Good),
        Kind::ConnectionReconnected => ("Connected again", Tone::Good),
        Kind::ConnectionRefreshed => ("Access renewed", Tone::Neutral),
        Kind::ConnectionDegraded => ("Renewing did not work; trying again", Tone::Neutral),
        Kind::ConnectionActionRequired => ("Stopped working", Tone::Bad),
        Kind::ConnectionHealed => ("Works again", Tone::Good),
        Kind::ConnectionChecked => ("Checked: it works", Tone::Good),
        Kind::ConnectionRenamed => ("Renamed", Tone::Neutral),
        Kind::ConnectionDisconnected => ("Disconnected", Tone::Neutral),
        Kind::ConnectionDeleted | Kind::FlowChanged => ("Changed", Tone::Neutral),
    };
    HistoryEntry {
        at: moment(event.at),
        what: what.to_owned(),
        tone,
    }
}

/// The page that names what disconnecting means.
pub async fn disconnect_page(
    hub: &Hub,
    member: &Member,
    id: ConnectionId,
) -> Result<DisconnectPage> {
    let listed = hub.connection(member, id).await?;
    let entry = hub.catalog.get(&listed.connection.provider);
    let revocation = match entry {
        Some(entry) if entry.is_revoked_by_call() => Revocation::AtProvider,
        Some(entry) => Revocation::ByHand {
            place: entry
                .remove_url(&listed.connection.variables.0)
                .unwrap_or_else(|| format!("the settings of {}", entry.name())),
        },
        None => Revocation::ByHand {
            place: listed.connection.provider.clone(),
        },
    };
    Ok(DisconnectPage {
        id: id.to_string(),
        provider: provider(hub, &listed.connection.provider),
        account: listed.connection.name().to_owned(),
        revocation,
    })
}

/// The page before connecting; `repairs` is the connection to repair.
pub async fn connect_page(
    hub: &Hub,
    member: &Member,
    id: &str,
    repairs: Option<ConnectionId>,
) -> Result<ConnectPage> {
    let entry = hub.catalog.get(id).ok_or(Error::NotFound)?;
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
        granted: false,
    };
    let (asked_for, optional): (Vec<_>, Vec<_>) = entry
        .scopes
        .iter()
        .filter(|scope| !scope.technical)
        .partition(|scope| asked.contains(&scope.name));
    let apps = hub.provider_apps(member).await?;
    let readiness = if let Some(readiness) = entered(entry, known_to(&repairs)) {
        readiness
    } else if is_set_up(&apps, &entry.app_id) {
        Readiness::Ready
    } else {
        Readiness::NotSetUp {
            app: entry.app_id.clone(),
            may_set_up: member.role().may(Right::ManageProviderApps),
            admins: hub.admin_names(member).await?,
        }
    };
    let attempts = hub.flows_under_way(member).await?;
    let known = known_to(&repairs);
    Ok(ConnectPage {
        provider: drawn(entry),
        will: asked_for
            .iter()
            .map(|scope| capital(&scope.meaning))
            .collect(),
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
        usually_takes: entry.about.usually_takes.map(|time| time.num_seconds()),
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

/// What an existing connection has answered already.
fn known_to(repairs: &Option<Listed>) -> Option<&Variables> {
    repairs
        .as_ref()
        .map(|listed| &listed.connection.variables.0)
}

fn asked_field(question: &Variable) -> ConnectField {
    ConnectField {
        name: format!("var.{}", question.name),
        label: question.label.clone(),
        placeholder: Some(question.placeholder.clone()),
        suffix: question.suffix.clone(),
        help: Some(question.help.clone()).filter(|help| !help.is_empty()),
        value: question.default.clone().unwrap_or_default(),
    }
}

/// How an entry without one-click sign-in is connected; none for one with it.
fn entered(entry: &Entry, known: Option<&Variables>) -> Option<Readiness> {
    match (entry.sign_in(), &entry.service) {
        (SignIn::OneClick, _) if entry.is_ready_to_sign_in() => return None,
        (SignIn::OneClick, _) => {
            let why = "Its way of handing over the access is not available here yet.";
            return Some(Readiness::NotYet(why.to_owned()));
        }
        (SignIn::Browser, _) => {
            let why =
                "It has no official way in. A sign-in in a real browser is not available here yet.";
            return Some(Readiness::NotYet(why.to_owned()));
        }
        (SignIn::Key, None) => {}
        (SignIn::Database, _) | (SignIn::Key, Some(_)) => {
            let why = "Connecting databases and mail servers is not available here yet.";
            return Some(Readiness::NotYet(why.to_owned()));
        }
    }
    let values = known.cloned().unwrap_or_default();
    Some(Readiness::Enter(EnterPage {
        questions: entry
            .questions()
            .filter(|question| !values.contains_key(&question.name))
            .map(|question| Question {
                field: asked_field(question),
                choices: question
                    .choices
                    .iter()
                    .map(|choice| (choice.value.clone(), choice.label.clone()))
                    .collect(),
            })
            .collect(),
        fields: entry
            .fields
            .iter()
            .map(|field| EnterField {
                name: format!("field.{}", field.name),
                label: field.label.clone(),
                why: field.why.clone(),
                steps: field.steps.clone(),
                // One that needs an answer first is left out until there is one.
                link: field
                    .link
                    .as_ref()
                    .and_then(|link| link.render(&entry.values(&values)).ok()),
                example: field.example.clone(),
                secret: field.secret,
                optional: field.optional,
                multiline: field.multiline,
                value: field.default.clone().unwrap_or_default(),
            })
            .collect(),
    }))
}

/// Each provider app.
pub async fn provider_apps(hub: &Hub, member: &Member) -> Result<Vec<ProviderAppRow>> {
    let statuses = hub.provider_apps(member).await?;
    Ok(statuses
        .iter()
        .filter_map(|status| app_row(hub, status))
        .collect())
}

fn app_row(hub: &Hub, status: &ProviderAppStatus) -> Option<ProviderAppRow> {
    let products = hub.catalog.apps().remove(status.app.as_str())?;
    let first = products.first()?;
    let shared = products.len() > 1 || first.id != status.app;
    let client_id = status.client_id.clone().unwrap_or_default();
    Some(ProviderAppRow {
        id: status.app.clone(),
        provider: Provider {
            id: status.app.clone(),
            name: match shared {
                true => capital(&status.app),
                false => first.name().to_owned(),
            },
            // The sprite has the marks of products, which are not the company's.
            icon: (!shared).then(|| first.brand.icon.clone()),
        },
        serves: match shared {
            true => products
                .iter()
                .map(|entry| entry.name().to_owned())
                .collect(),
            false => Vec::new(),
        },
        state: match status.source {
            ProviderAppSource::Missing => AppState::NotSetUp,
            ProviderAppSource::Environment => AppState::Environment { client_id },
            ProviderAppSource::Tenant => AppState::Entered {
                client_id,
                at: moment(status.updated_at.unwrap_or_else(|| hub.clock.now())),
            },
        },
    })
}

/// The page of one provider app.
pub async fn provider_app_page(hub: &Hub, member: &Member, id: &str) -> Result<ProviderAppPage> {
    let statuses = hub.provider_apps(member).await?;
    let status = statuses
        .iter()
        .find(|status| status.app == id)
        .ok_or(Error::NotFound)?;
    let app = app_row(hub, status).ok_or(Error::NotFound)?;
    let products = hub.catalog.apps().remove(id).ok_or(Error::NotFound)?;
    let setup = products[0].setup.as_ref().ok_or(Error::NotFound)?;
    let name = id.to_uppercase().replace('-', "_");
    Ok(ProviderAppPage {
        app,
        redirect_uri: hub.redirect_uri(id),
        rules: [&setup.redirect_rules, &setup.review]
            .into_iter()
            .filter(|rule| *rule != "none")
            .cloned()
            .collect(),
        labels: (
            setup.client_id_label.clone(),
            setup.client_secret_label.clone(),
        ),
        settings: settings(&products),
        steps: setup.steps.clone(),
        console_url: setup.register_url.as_ref().map(ToString::to_string),
        variables: (
            format!("LINKWELL_PROVIDER_{name}_CLIENT_ID"),
            format!("LINKWELL_PROVIDER_{name}_CLIENT_SECRET"),
        ),
    })
}

/// What the products of an app want from the operator besides, each once.
fn settings(products: &[&Entry]) -> Vec<ConnectField> {
    let mut fields: Vec<ConnectField> = Vec::new();
    for setting in products.iter().flat_map(|entry| entry.settings()) {
        let field = ConnectField {
            name: format!("settings[{}]", setting.name),
            ..asked_field(setting)
        };
        if !fields.iter().any(|known| known.name == field.name) {
            fields.push(field);
        }
    }
    fields
}

/// Each API key that works.
pub async fn api_keys(hub: &Hub, member: &Member) -> Result<Vec<ApiKeyRow>> {
    let keys = hub.api_keys(member).await?;
    Ok(keys
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| ApiKeyRow {
            id: key.id.to_string(),
            name: key.name,
            scopes: words(&key.scopes),
            last_four: key.hint,
            created: moment(key.created_at),
            last_used: key.last_used_at.map(moment),
        })
        .collect())
}

/// An attempt as its opener sees it.
pub fn attempt(hub: &Hub, view: &FlowView) -> Attempt {
    let flow = &view.flow;
    Attempt {
        status: match flow.status {
            flow::Status::Waiting if view.expired => AttemptStatus::Expired,
            flow::Status::Waiting => AttemptStatus::Waiting,
            flow::Status::Checking => AttemptStatus::Checking,
            flow::Status::OtherAccount => AttemptStatus::OtherAccount,
            flow::Status::Choosing => AttemptStatus::Choosing,
            flow::Status::Connected => AttemptStatus::Connected,
            flow::Status::Failed => AttemptStatus::Failed,
            flow::Status::Cancelled => AttemptStatus::Cancelled,
        },
        flow_id: flow.id.to_string(),
        connection_id: flow.result_connection_id.map(|id| id.to_string()),
        prompt: flow
            .failure
            .as_ref()
            .map(|failure| flow_prompt(hub, view, failure)),
    }
}

fn flow_prompt(hub: &Hub, view: &FlowView, failure: &Failure) -> Prompt {
    let flow = &view.flow;
    let entry = hub.catalog.get(&flow.provider);
    let subject = Subject {
        provider_name: entry.map_or(flow.provider.as_str(), |entry| entry.name()),
        account: view.repairs.as_deref(),
        at: flow.consumed_at.unwrap_or(flow.created_at),
        during: During::Connecting,
        missing: &[],
    };
    let remove_url = entry.and_then(|entry| entry.remove_url(&flow.variables.0));
    worded(hub, &flow.provider, remove_url, failure, &subject)
}

/// How a flow ended, for the page the provider sends a person back to.
pub async fn outcome(hub: &Hub, member: Option<&Member>, view: &FlowView) -> Outcome {
    let flow = &view.flow;
    let linked = match (member, flow.result_connection_id) {
        (Some(member), Some(id)) => {
            hub.connection(member, id)
                .await
                .ok()
                .map(|listed| Ending::Linked {
                    connection: id.to_string(),
                    account: listed.connection.name().to_owned(),
                })
        }
        _ => None,
    };
    let choice = match member {
        Some(member) => organisations(hub, member, flow).await,
        None => Choice::default(),
    };
    let prompt = || match &flow.failure {
        Some(failure) => flow_prompt(hub, view, failure),
        None => prompt_of_failure(
            hub,
            &Failure::told(FailureCode::FlowExpiredOrInvalid, flow.status.as_str()),
        ),
    };
    Outcome {
        flow: flow.id.to_string(),
        handle: flow.handle.clone().unwrap_or_default(),
        popup: flow.popup,
        provider: provider(hub, &flow.provider),
        repairs: flow.connection_id.map(|id| id.to_string()),
        ending: match (linked, flow.status) {
            (Some(linked), _) => linked,
            (None, flow::Status::OtherAccount) => Ending::OtherAccount(prompt()),
            (None, flow::Status::Choosing) => Ending::Choosing(choice),
            (None, flow::Status::Cancelled) => Ending::Cancelled,
            (None, _) => Ending::NotLinked {
                prompt: prompt(),
                details: flow
                    .failure
                    .as_ref()
                    .map(|failure| details(failure, flow.consumed_at)),
            },
        },
    }
}

/// What a consent opened, to choose from.
async fn organisations(hub: &Hub, member: &Member, flow: &flow::Model) -> Choice {
    let tenants = hub
        .catalog
        .get(&flow.provider)
        .and_then(|entry| entry.tenants.as_ref());
    let opened = hub.organisations(member, flow).await.unwrap_or_default();
    Choice {
        word: tenants.map_or_else(String::new, |tenants| tenants.word.clone()),
        organisations: opened.into_iter().map(|one| (one.id, one.label)).collect(),
    }
}

/// What the islands read again, as JSON. Nothing is changed by any of it.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(paths::HUB_VIEW, get(hub_view))
        .route("/api/view/connection/{id}", get(connection_view))
        .route("/api/view/flow/{handle}", get(flow_view))
}

type View<T> = std::result::Result<Json<T>, StatusCode>;

fn refused(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        error => {
            tracing::error!(%error, "a view could not be read");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn looking(viewer: Viewer) -> std::result::Result<Member, StatusCode> {
    viewer.member.ok_or(StatusCode::UNAUTHORIZED)
}

async fn hub_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
) -> View<crate::model::Hub> {
    let member = looking(viewer)?;
    hub_page(&hub, &member)
        .await
        .map(Json)
        .map_err(|error| refused(&error))
}

async fn connection_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> View<Connection> {
    let member = looking(viewer)?;
    let id = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    connection_page(&hub, &member, id)
        .await
        .map(|page| Json(page.connection))
        .map_err(|error| refused(&error))
}

async fn flow_view(
    Extension(hub): Extension<Hub>,
    Extension(viewer): Extension<Viewer>,
    Path(handle): Path<String>,
) -> View<Attempt> {
    let member = looking(viewer)?;
    let view = hub
        .flow(&member, &handle)
        .await
        .map_err(|error| refused(&error))?;
    Ok(Json(attempt(&hub, &view)))
}
