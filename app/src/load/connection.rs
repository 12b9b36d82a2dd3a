//! The connections of a tenant, together and each on its page.

use chrono::{DateTime, Utc};
use hub::{
    Hub, Result,
    catalog::Provider as Entry,
    connect::Listed,
    keep::{CLEARED, ends::EndKind, health},
    notify::{Colleagues, right},
    people::{Action as Right, Member},
    store::{
        ConnectionId,
        event::{self, Kind},
        flow, sync_run, words,
    },
};

use super::{
    control, details, keywords, meaning, moment, notices::help_of, preview, provider, said,
};
use crate::{
    model::{
        Action, ActionKind, Connection, ConnectionPage, DisconnectPage, HistoryEntry, Permission,
        Prompt, Reading, Revocation, RunsSummary, Status, Tone,
    },
    paths,
};

/// How many lines of a connection's history its page shows.
const HISTORY: u64 = 20;

/// What the hub page keeps up to date.
pub async fn hub(hub: &Hub, member: &Member) -> Result<crate::model::Hub> {
    let attempts = hub.flows_under_way(member).await?;
    hub_with(hub, member, &attempts).await
}

/// The same, where it is known what is under way.
pub(super) async fn hub_with(
    hub: &Hub,
    member: &Member,
    attempts: &[flow::Model],
) -> Result<crate::model::Hub> {
    let listed = hub.connections(member).await?;
    let reader = Reader::new(hub, member, &listed).await?;
    let rows = listed.iter();
    Ok(crate::model::Hub {
        now: hub.clock.now().timestamp(),
        connections: rows.map(|one| row(hub, one, attempts, &reader)).collect(),
        may_manage: member.role().may(Right::Connect),
    })
}

/// Who reads what is said of connections, as far as that decides what they can
/// press.
pub(super) struct Reader<'a> {
    member: &'a Member,
    /// Who could, where the reader may not everything.
    colleagues: Option<Colleagues>,
}

impl<'a> Reader<'a> {
    /// Who reads of these connections. No statement where they may everything, or
    /// where nothing is wrong.
    pub async fn new(
        hub: &Hub,
        member: &'a Member,
        listed: impl IntoIterator<Item = &Listed>,
    ) -> Result<Self> {
        let may_not = !member.role().may(Right::ManageProviderApps);
        let is_wrong = |one: &Listed| hub.told_of(one).is_some();
        let colleagues = match may_not && listed.into_iter().any(is_wrong) {
            true => Some(hub.colleagues(member.tenant()).await?),
            false => None,
        };
        Ok(Self { member, colleagues })
    }

    /// What the reader can press about a connection: the button that takes
    /// `kind`, or the way to ask who may press it.
    fn button(
        &self,
        listed: &Listed,
        kind: Option<hub::prompt::ActionKind>,
        action: Option<Action>,
    ) -> Option<Action> {
        let right = kind.and_then(right);
        let Some(right) = right.filter(|right| !self.member.role().may(*right)) else {
            return action;
        };
        let able = self.colleagues.as_ref()?.able(&listed.connection, right);
        let (_, name) = able.into_iter().next()?;
        Some(Action {
            label: format!("Ask {name}"),
            kind: ActionKind::Open {
                url: paths::help(&listed.connection.id.to_string()),
            },
        })
    }
}

/// What an end is called beside its date.
fn end_named(kind: EndKind) -> String {
    match kind {
        EndKind::Token | EndKind::Approval | EndKind::Testing => "Has to be approved again",
        EndKind::ServerCertificate => "Server's certificate ends",
        EndKind::AuthorityCertificate => "CA certificate ends",
        EndKind::AppCertificate => "App's certificate ends",
    }
    .to_owned()
}

pub(super) fn row(
    hub: &Hub,
    listed: &Listed,
    attempts: &[flow::Model],
    reader: &Reader<'_>,
) -> Connection {
    let Listed {
        connection, health, ..
    } = listed;
    let entry = hub.catalog.get(&connection.provider);
    let provider = provider(hub, &connection.provider);
    let prompt = hub.told_of(listed).map(|told| {
        let kind = told.prompt.action.as_ref().map(|action| action.kind);
        let mut prompt = said(hub, listed, told);
        prompt.action = reader.button(listed, kind, prompt.action);
        prompt
    });
    let prompt = match (health.status, connection.paused_at) {
        (health::Status::Paused, Some(since)) => {
            let mut prompt = resting(since);
            let may = reader.member.role().may(Right::Connect);
            prompt.action = prompt.action.filter(|_| may);
            Some(prompt)
        }
        _ => prompt,
    };
    Connection {
        id: connection.id.to_string(),
        account: connection.name().to_owned(),
        status: status(health),
        checked_at: connection.last_ok_at.map(|at| at.timestamp()),
        checked_on: connection.last_ok_at.map(|at| moment(at).text),
        prompt,
        attempt: attempts
            .iter()
            .find(|flow| flow.connection_id == Some(connection.id))
            .and_then(|flow| flow.handle.clone()),
        keywords: keywords(entry, &[connection.name(), &connection.account_label]),
        provider,
    }
}

/// What is said of a connection that a person lets rest.
fn resting(since: DateTime<Utc>) -> Prompt {
    Prompt {
        what: format!("Paused on {}.", moment(since).text),
        why: "Nothing uses it until you resume it. The approval is kept alive.".to_owned(),
        effect: None,
        action: Some(Action {
            label: "Resume".to_owned(),
            kind: ActionKind::Resume,
        }),
        secondary: None,
    }
}

pub(super) fn status(health: &health::Health) -> Status {
    match health.status {
        health::Status::Connected => Status::Connected,
        health::Status::Retrying => Status::Retrying {
            at: health.retry_at.map(|at| at.timestamp()),
        },
        health::Status::ActionNeeded => Status::ActionNeeded,
        health::Status::WaitingForAdmin => Status::WaitingForAdmin,
        health::Status::NotChecked => Status::NotCheckedYet,
        health::Status::Paused => Status::Paused,
        health::Status::Disconnected => Status::Disconnected,
    }
}

/// The page of one connection.
pub async fn connection_page(
    hub: &Hub,
    member: &Member,
    id: ConnectionId,
) -> Result<ConnectionPage> {
    let kept = hub.kept_one(member, id).await?;
    let attempts = hub.flows_under_way(member).await?;
    let history = hub.history(member, id, HISTORY).await?;
    let paused = hub.paused_runs(member, id).await?;
    let reader = Reader::new(hub, member, [&kept.listed]).await?;
    let mut control = control::control(hub, &kept, &attempts, &reader);
    // The page itself has the way to ask.
    let ask = ActionKind::Open {
        url: paths::help(&id.to_string()),
    };
    if let Some(prompt) = &mut control.connection.prompt {
        prompt.action = prompt.action.take().filter(|action| action.kind != ask);
    }
    let listed = kept.listed;
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
        runs: RunsSummary { paused },
        now: hub.clock.now().timestamp(),
        details: listed
            .health
            .failure
            .as_ref()
            .map(|failure| details(failure, listed.health.since, listed.connection.id)),
        environment: listed.connection.environment.clone(),
        preview: preview::named_columns(hub, member, &listed),
        connected_at: moment(listed.connection.created_at),
        connected_by,
        permissions,
        control,
        last_proof: listed.connection.last_ok_at.map(moment),
        token_expires: listed.health.expires_at.map(moment),
        ends: listed
            .health
            .ends
            .map(|end| (end_named(end.kind), moment(end.at))),
        left_there: match listed.connection.revocation {
            Some(ByHand | Failed) => {
                entry.and_then(|entry| entry.remove_url(&listed.connection.variables.0))
            }
            _ => None,
        },
        reading: reading(&listed, &hub.syncs(member, id).await?),
        history: history
            .iter()
            .map(|event| history_entry(hub, &listed, event))
            .collect(),
        may_manage: member.role().may(Right::Connect),
        help: help_of(hub, member, &listed).await?,
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

fn history_entry(hub: &Hub, listed: &Listed, event: &event::Model) -> HistoryEntry {
    let why = hub.told_in(event, Some(&listed.connection), 0, false);
    let (what, tone) = match event.kind {
        Kind::ConnectionCreated if event.data.note.is_some() => ("Imported", Tone::Good),
        Kind::ConnectionCreated => ("Connected", Tone::Good),
        Kind::ConnectionReconnected => ("Connected again", Tone::Good),
        Kind::ConnectionRefreshed => ("Access renewed", Tone::Neutral),
        Kind::ConnectionDegraded => ("Stopped working for now; trying again", Tone::Bad),
        Kind::ConnectionExpiring => ("Ends soon", Tone::Neutral),
        Kind::ConnectionScopesChanged if !event.data.scopes_lost.is_empty() => {
            ("Fewer permissions than before", Tone::Bad)
        }
        Kind::ConnectionScopesChanged => ("More permissions than before", Tone::Neutral),
        Kind::ConnectionPaused => ("Paused", Tone::Neutral),
        Kind::ConnectionResumed => ("Resumed", Tone::Good),
        Kind::ConnectionActionRequired => ("Stopped working", Tone::Bad),
        Kind::ConnectionHealed => ("Works again", Tone::Good),
        Kind::ConnectionChecked => ("Checked: it works", Tone::Good),
        Kind::ConnectionRenamed => ("Renamed", Tone::Neutral),
        Kind::SyncCompleted => ("Read", Tone::Neutral),
        Kind::SyncFailed => ("Could not be read", Tone::Bad),
        Kind::ConnectionCleared => ("What was stored was cleared", Tone::Neutral),
        Kind::ConnectionDisconnected => ("Disconnected", Tone::Neutral),
        Kind::RunPaused => ("An automation waits", Tone::Neutral),
        Kind::RunResumed => ("An automation goes on", Tone::Neutral),
        Kind::ConnectionDeleted
        | Kind::ConnectionChanged
        | Kind::ProviderDegraded
        | Kind::ProviderHealed
        | Kind::HelpAsked
        | Kind::FlowChanged => ("Changed", Tone::Neutral),
    };
    HistoryEntry {
        at: moment(event.at),
        what: what.to_owned(),
        why: why.map(|prompt| prompt.why),
        code: (event.data.failure.as_ref()).map(|failure| failure.code.as_str()),
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
    let cleared = (listed.health.failure.as_ref()).is_some_and(|wrong| wrong.detail == CLEARED);
    let stored = listed.connection.disconnected_at.is_none() && !cleared;
    let mut ends_too = Vec::new();
    if let Some(entry) = entry.filter(|entry| stored && entry.is_revoked_whole()) {
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
        paused_runs: hub.paused_runs(member, id).await?,
        stored,
        id: id.to_string(),
        provider: provider(hub, &listed.connection.provider),
        account: listed.connection.name().to_owned(),
        revocation,
    })
}
