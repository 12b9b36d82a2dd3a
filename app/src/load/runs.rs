//! What automations do with connections, as pages show it.

use hub::{
    Hub, Result,
    connect::Listed,
    people::Member,
    runs::policies::Source,
    store::run::{self, Filter, Status},
};

use super::{moment, provider, remade};
use crate::model::{PoliciesPage, PolicyRow, RunFilter, RunRow, RunStatus, RunsPage};

/// How many runs one page shows.
const PAGE: usize = 50;
/// How many stopped runs the page of the rules shows.
const STOPPED: u64 = 20;

/// The page of runs. What a filter asks for and does not exist is left out of
/// it.
pub async fn runs_page(hub: &Hub, member: &Member, filter: RunFilter) -> Result<RunsPage> {
    let listed = hub.connections(member).await?;
    let asked = Filter {
        status: Status::read(&filter.status),
        connection: filter.connection.parse().ok(),
        policy: Some(filter.policy.clone()).filter(|policy| !policy.is_empty()),
    };
    let after = filter.after.parse().ok();
    let mut runs = hub.runs(member, &asked, after, PAGE as u64 + 1).await?;
    let is_last = runs.len() <= PAGE;
    runs.truncate(PAGE);
    Ok(RunsPage {
        now: hub.clock.now().timestamp(),
        next: match is_last {
            true => None,
            false => runs.last().map(|run| run.id.to_string()),
        },
        rows: runs.iter().map(|run| row(hub, run, &listed)).collect(),
        connections: listed
            .iter()
            .map(|one| {
                let connection = &one.connection;
                let name = provider(hub, &connection.provider).name;
                (
                    connection.id.to_string(),
                    format!("{name} {}", connection.name()),
                )
            })
            .collect(),
        filter,
    })
}

fn row(hub: &Hub, run: &run::Model, listed: &[Listed]) -> RunRow {
    let connection = listed
        .iter()
        .find(|one| one.connection.id == run.connection_id);
    let account = connection.map(|one| one.connection.name().to_owned());
    let (status, since) = match run.status {
        Status::Allowed => (RunStatus::Allowed, run.started_at),
        Status::Paused => (RunStatus::Paused, run.paused_at),
        Status::Resumed => (RunStatus::Resumed, run.resumed_at),
        Status::Succeeded => (RunStatus::Succeeded, run.finished_at),
        Status::Failed => (RunStatus::Failed, run.finished_at),
        Status::Cancelled => (RunStatus::Cancelled, run.finished_at),
    };
    let shown = matches!(run.status, Status::Paused | Status::Failed);
    let prompt = hub
        .run_prompt(run, connection)
        .filter(|_| shown)
        .map(|words| remade(hub, &run.provider, None, None, words));
    RunRow {
        action: run.action.clone(),
        correlation: run.correlation_id.clone(),
        connection: run.connection_id.to_string(),
        provider: provider(hub, &run.provider),
        account,
        status,
        since: moment(since.unwrap_or(run.created_at)),
        prompt,
        policy: run.policy.clone(),
    }
}

/// The page of the rules for automations.
pub async fn policies_page(hub: &Hub, member: &Member) -> Result<PoliciesPage> {
    let found = hub.policies_of(member, STOPPED).await?;
    let listed = hub.connections(member).await?;
    let mut policies = Vec::new();
    for policy in found.policies {
        let off_by = match policy.off {
            None => None,
            Some((person, at)) => {
                let name = match person {
                    Some(person) => hub.person_name(member, person).await?,
                    None => None,
                };
                Some((name, moment(at)))
            }
        };
        policies.push(PolicyRow {
            switchable: policy.source == Source::Shipped,
            on: off_by.is_none(),
            off_by,
            name: policy.name,
            title: policy.title,
            waiting: policy.waiting,
            went_on: policy.went_on,
        });
    }
    Ok(PoliciesPage {
        now: hub.clock.now().timestamp(),
        policies,
        stopped: found
            .stopped
            .iter()
            .map(|run| row(hub, run, &listed))
            .collect(),
    })
}
