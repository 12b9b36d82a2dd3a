//! From the hub's facts to what pages show: the one place that knows both.

use axum::{Extension, Json, Router, extract::Path, http::StatusCode, routing::get};
use chrono::{DateTime, Utc};
use hub::{
    Error, Hub, Result,
    catalog::{Category, Provider as Entry, SignIn, Variable, Variables},
    connect::{FlowView, Listed, UsualTimes},
    failure::{Failure, FailureCode},
    keep::health,
    people::{Action as Right, By, Member, ProviderAppSource, ProviderAppStatus},
    prompt::{self, ActionKind as PromptAction, During, Subject},
    store::{
        ConnectionId,
        event::{self, Kind},
        flow, sync_run, words,
    },
};

mod guest;
mod preview;
mod webhooks;
mod wizard;

pub use guest::{guest_connect_page, guest_page, place_of};
pub use preview::{has_preview, preview};
pub use webhooks::webhooks;
pub use wizard::{drafts, problem, step};

use crate::{
    Viewer,
    documents::{Choice, Ending, Outcome},
    model::*,
    paths, words as say,
};

/// How many lines of a connection's history its page shows.
const HISTORY: u64 = 20;
/// What a first visit is pointed to, in this order, as far as it is set up.
const SUGGESTED: [&str; 3] = ["sandbox", "shopify", "google-gmail"];
/// What stands in front while nothing is searched, behind what is ready in one
/// click: our choice of what shops use, one of each kind. It orders, and no
/// page says more about it.
const IN_FRONT: [&str; 16] = [
    "shopify",
    "google-gmail",
    "stripe",
    "quickbooks",
    "instagram",
    "xero",
    "meta-ads",
    "woocommerce",
    "paypal",
    "mailchimp",
    "tiktok",
    "slack",
    "hubspot",
    "google-drive",
    "square",
    "postgresql",
];

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

/// What the hub page keeps up to date.
pub async fn hub(hub: &Hub, member: &Member) -> Result<crate::model::Hub> {
    let listed = hub.connections(member).await?;
    let attempts = hub.flows_under_way(member).await?;
    Ok(crate::model::Hub {
        now: hub.clock.now().timestamp(),
        connections: listed
            .iter()
            .map(|listed| row(hub, listed, &attempts))
            .collect(),
        may_manage: member.role().may(Right::Connect),
    })
}

/// Everything that can be connected, in the order in which `filter` wants it.
pub async fn market(
    hub: &Hub,
    member: &Member,
    filter: &Filter,
    linked: &[Connection],
) -> Result<Market> {
    let attempts = hub.flows_under_way(member).await?;
    let apps = hub.provider_apps(member).await?;
    let usual = hub.usual_times().await?;
    let may_set_up = member.role().may(Right::ManageProviderApps);
    let mut entries: Vec<(Start, &Entry)> = hub
        .catalog
        .iter()
        .map(|entry| (start(entry, &apps, may_set_up), entry))
        .collect();
    entries.sort_by_key(|(start, entry)| {
        let place = |ids: &[&str]| {
            ids.iter()
                .position(|id| *id == entry.id)
                .unwrap_or(usize::MAX)
        };
        let one_click = entry.sign_in() == SignIn::OneClick;
        let ready = one_click && matches!(start, Start::Now | Start::AfterDetails);
        let (first, front) = (place(&SUGGESTED), place(&IN_FRONT));
        // The sort is stable: names decide where nothing else does.
        (
            *start == Start::NotHere,
            !ready,
            if ready { first } else { 0 },
            front,
        )
    });
    let query = filter.q.trim().to_lowercase();
    let mut cards: Vec<(Option<u8>, Card)> = entries
        .into_iter()
        .enumerate()
        .map(|(place, (start, entry))| {
            let tags = tags(entry);
            let rank = match query.is_empty() {
                true => Some(0),
                false => entry.answers_to(&query),
            };
            let rank = rank.filter(|_| filter.shows(place, &tags));
            let card = Card {
                shown: rank.is_some(),
                place,
                tags,
                aliases: entry.about.aliases.join("|"),
                offer: Offer {
                    provider: drawn(entry),
                    summary: entry.about.summary.clone(),
                    takes: takes(entry, start, &usual),
                    start,
                    again: linked.iter().any(|row| {
                        row.provider.id == entry.id && row.status != Status::Disconnected
                    }),
                    attempt: attempts
                        .iter()
                        .find(|flow| flow.provider == entry.id && flow.connection_id.is_none())
                        .and_then(|flow| flow.handle.clone()),
                },
            };
            (rank, card)
        })
        .collect();
    // As the browser orders them: the best first, by their places among equals.
    cards.sort_by_key(|(rank, _)| rank.unwrap_or(u8::MAX));
    let cards = cards.into_iter().map(|(_, card)| card).collect();
    let shelf = |category: Category| Shelf {
        key: category.as_str().to_owned(),
        label: category.label().to_owned(),
        count: hub
            .catalog
            .iter()
            .filter(|entry| entry.about.category == category)
            .count(),
    };
    Ok(Market {
        cards,
        shelves: Category::ALL
            .into_iter()
            .map(shelf)
            .filter(|shelf| shelf.count > 0)
            .collect(),
        suggested: SUGGESTED
            .iter()
            .filter_map(|id| hub.catalog.get(id))
            .filter(|entry| is_set_up(&apps, entry))
            .take(2)
            .map(drawn)
            .collect(),
        any_api: hub.catalog.get("rest-api").map(drawn),
    })
}

/// Keeps only words that filters know.
pub fn known(filter: Filter) -> Filter {
    let of = |pairs: &[(&str, &str)], word: String| match pairs.iter().any(|(key, _)| *key == word)
    {
        true => word,
        false => String::new(),
    };
    let categories = Category::ALL.map(|category| (category.as_str(), ""));
    Filter {
        category: of(&categories, filter.category),
        region: of(&say::REGIONS, filter.region),
        sign_in: of(&say::SIGN_INS, filter.sign_in),
        ..filter
    }
}

fn start(entry: &Entry, apps: &[ProviderAppStatus], may_set_up: bool) -> Start {
    let asks = || entry.questions().any(|question| question.default.is_none());
    // A button must not lead to a page that has none.
    match entered(entry, None) {
        Some(Readiness::NotYet(_)) => Start::NotHere,
        Some(_) => Start::AfterDetails,
        None if is_set_up(apps, entry) => match asks() {
            true => Start::AfterDetails,
            false => Start::Now,
        },
        None if may_set_up => Start::SetUp,
        None => Start::AskAdmin,
    }
}

/// The key and the words of what signing in takes.
fn sign_in(entry: &Entry) -> (&'static str, &'static str) {
    say::SIGN_INS[match entry.sign_in() {
        SignIn::OneClick => 0,
        SignIn::Key => 1,
        SignIn::Database => 2,
        SignIn::Browser => 3,
    }]
}

/// How long connecting takes: from what people needed here, else from its file.
fn usually_takes(entry: &Entry, usual: &UsualTimes) -> Option<i64> {
    let known = usual.of(&entry.id).or(entry.about.usually_takes);
    known.map(|time| time.num_seconds())
}

fn takes(entry: &Entry, start: Start, usual: &UsualTimes) -> String {
    match (start, usually_takes(entry, usual)) {
        (Start::NotHere, _) => "Not available here yet".to_owned(),
        (_, Some(time)) => format!("{}, {}", sign_in(entry).1, say::about(time)),
        (_, None) => sign_in(entry).1.to_owned(),
    }
}

fn tags(entry: &Entry) -> String {
    let regions = match entry.serves("global") {
        true => "global".to_owned(),
        false => ["gb", "us", "eu"]
            .map(|region| if entry.serves(region) { region } else { "" })
            .join(" "),
    };
    format!(
        "{} {regions} {}",
        entry.about.category.as_str(),
        sign_in(entry).0
    )
}

fn is_set_up(apps: &[ProviderAppStatus], entry: &Entry) -> bool {
    let registered = |status: &ProviderAppStatus| {
        status.app == entry.app_id && status.source != ProviderAppSource::Missing
    };
    // Where there is nothing to register, nothing is missing.
    entry.setup.is_none() || apps.iter().any(registered)
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
    use hub::store::connection::Revocation::{ByHand, Failed};
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
        environment: listed.connection.environment.clone(),
        preview: preview::named_columns(hub, member, &listed),
        connected_at: moment(listed.connection.created_at),
        connected_by,
        permissions,
        last_proof: listed.connection.last_ok_at.map(moment),
        next_refresh: listed.health.next_refresh_at.map(moment),
        token_expires: listed.health.expires_at.map(moment),
        left_there: match listed.connection.revocation {
            Some(ByHand | Failed) => {
                entry.and_then(|entry| entry.remove_url(&listed.connection.variables.0))
            }
            _ => None,
        },
        reading: reading(&listed, &hub.syncs(member, id).await?),
        history: history.iter().map(history_entry).collect(),
        may_manage: member.role().may(Right::Connect),
        connection: row(hub, &listed, &attempts),
    })
}

/// How a connection is read, from its newest runs.
fn reading(listed: &Listed, runs: &[sync_run::Model]) -> Reading {
    let next = runs.iter().find(|run| run.outcome.is_none());
    let last = runs.iter().find_map(|run| {
        let said = match (run.outcome?, run.row_count, &run.failure) {
            (sync_run::Outcome::Completed, Some(1), _) => "1 row looked at".to_owned(),
            (sync_run::Outcome::Completed, Some(rows), _) => format!("{rows} rows looked at"),
            (sync_run::Outcome::Completed, None, _) => "Read".to_owned(),
            (sync_run::Outcome::Failed, ..) => "It could not be read".to_owned(),
        };
        Some((said, moment(run.finished_at?)))
    });
    Reading {
        frequency: listed.connection.sync_frequency.as_str().to_owned(),
        last,
        paused: next.is_some_and(|run| run.paused_at.is_some()),
        next: next.map(|run| moment(run.due_at)),
    }
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
        Kind::SyncCompleted => ("Read", Tone::Neutral),
        Kind::SyncFailed => ("Could not be read", Tone::Bad),
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
    let mut ends_too = Vec::new();
    if let Some(entry) = entry.filter(|entry| entry.is_revoked_whole()) {
        for other in hub.connections(member).await? {
            let (row, product) = (&other.connection, &other.connection.provider);
            let shares = hub
                .catalog
                .get(product)
                .is_some_and(|other| other.app_id == entry.app_id);
            // Other products may call the same account by another id.
            let may_be_same =
                *product != entry.id || row.external_id == listed.connection.external_id;
            if shares && may_be_same && row.id != id && row.disconnected_at.is_none() {
                let name = provider(hub, product).name;
                ends_too.push(format!("{name} {}", row.name()));
            }
        }
    }
    Ok(DisconnectPage {
        ends_too,
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
        granted: false,
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
        helpers: hub.helpers(member).await?,
        provider: drawn(entry),
        summary: entry.about.summary.clone(),
        facts: facts(entry),
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

fn facts(entry: &Entry) -> Vec<(String, String)> {
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

/// What members missed, newest first, for those who can do something about it.
pub async fn wishes(hub: &Hub, member: &Member) -> Result<Vec<WishRow>> {
    if !member.role().may(Right::ManageProviderApps) {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for wish in hub.wishes(member).await? {
        rows.push(WishRow {
            by: hub.person_name(member, wish.person_id).await?,
            text: wish.text,
            at: moment(wish.at),
        });
    }
    Ok(rows)
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
        secret: question.secret,
        optional: question.optional,
    }
}

/// How an entry without one-click sign-in is connected; none for one with it.
fn entered(entry: &Entry, known: Option<&Variables>) -> Option<Readiness> {
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
            // Marks are those of products, which are not the company's.
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
    let redirect_uri = hub.redirect_uri(id);
    let refused = setup.refuses(&redirect_uri).then(|| {
        format!(
            "{} does not accept this hub's address as it is now: see its rule.",
            app.provider.name
        )
    });
    Ok(ProviderAppPage {
        app,
        redirect_uri,
        rules: refused
            .into_iter()
            .chain([setup.redirect_rules.clone(), setup.review.clone()])
            .filter(|rule| rule != "none")
            .collect(),
        labels: (
            setup.client_id_label.clone(),
            setup.client_secret_label.clone(),
        ),
        messages: products
            .iter()
            .filter_map(|product| product.push.as_ref())
            .find(|push| push.signature.is_some() && !push.at_callback)
            .map(|push| (hub.message_uri(id), push.signal.clone())),
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
            return_origins: words(&key.return_origins),
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
pub async fn outcome(hub: &Hub, by: By<'_>, view: &FlowView) -> Outcome {
    let flow = &view.flow;
    let linked = match (by, flow.result_connection_id) {
        (By::Member(member), Some(id)) => {
            hub.connection(member, id)
                .await
                .ok()
                .map(|listed| Ending::Linked {
                    connection: id.to_string(),
                    account: listed.connection.name().to_owned(),
                    has_preview: has_preview(hub, &flow.provider),
                })
        }
        _ => None,
    };
    let choice = organisations(hub, by, flow).await;
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
        guest: matches!(by, By::Guest(_)),
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
async fn organisations(hub: &Hub, by: By<'_>, flow: &flow::Model) -> Choice {
    let tenants = hub
        .catalog
        .get(&flow.provider)
        .and_then(|entry| entry.tenants.as_ref());
    let opened = hub.organisations(by, flow).await.unwrap_or_default();
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
    self::hub(&hub, &member)
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
