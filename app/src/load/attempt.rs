//! An attempt to connect, while it lasts and when it has ended.

use hub::{
    Hub,
    connect::FlowView,
    failure::{Failure, FailureCode},
    people::By,
    prompt::{During, Subject},
    store::flow,
};

use super::{ask_for, details, preview::has_preview, prompt_of_failure, provider, worded};
use crate::{
    documents::{Choice, Ending, Outcome},
    model::{Attempt, AttemptStatus, Prompt},
};

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
        is_operators_app: view.is_operators_app,
    };
    let remove_url = entry.and_then(|entry| entry.remove_url(&flow.variables.0));
    let mut said = worded(hub, &flow.provider, remove_url, failure, &subject);
    if let Some(repairs) = flow.connection_id {
        ask_for(&mut said, &flow.provider, &repairs.to_string());
    }
    said
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
                    .map(|failure| details(failure, flow.consumed_at, flow.id)),
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
