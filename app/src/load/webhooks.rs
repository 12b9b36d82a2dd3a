//! Webhooks, as the settings show them.

use hub::{Hub, Result, people::Member, store::event::Kind, tell::Watched};

use super::moment;
use crate::{
    model::{WebhookRow, Webhooks},
    words as say,
};

/// Every webhook of the tenant, and what one can be told of.
pub async fn webhooks(hub: &Hub, member: &Member) -> Result<Webhooks> {
    let now = hub.clock.now();
    let row = |watched: Watched| {
        let Watched {
            webhook,
            waiting,
            given_up,
        } = watched;
        WebhookRow {
            id: webhook.id.to_string(),
            url: webhook.url,
            kinds: hub::store::words(&webhook.kinds),
            created: moment(webhook.created_at),
            last_ok: webhook.last_ok_at.map(moment),
            problem: webhook.problem.as_deref().map(say::not_taken),
            failed: webhook.failed_at.map(moment),
            gone: webhook.ended_at.is_some(),
            waiting,
            given_up,
            both_until: webhook
                .previous_until
                .filter(|until| *until > now)
                .map(moment),
        }
    };
    Ok(Webhooks {
        rows: hub.webhooks(member).await?.into_iter().map(row).collect(),
        kinds: Kind::told()
            .map(|kind| (hub::store::event::name(kind), meaning(kind).to_owned()))
            .collect(),
        newest: hub.newest_event(member).await?,
    })
}

fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::ConnectionCreated => "An account was connected",
        Kind::ConnectionReconnected => "An account was connected anew",
        Kind::ConnectionRefreshed => "A token was renewed",
        Kind::ConnectionDegraded => "Something failed that heals by itself",
        Kind::ConnectionActionRequired => "A person has to do something",
        Kind::ConnectionHealed => "It works again",
        Kind::ConnectionExpiring => "An access ends soon",
        Kind::ConnectionScopesChanged => "The permissions of a connection changed",
        Kind::ConnectionPaused => "A person let a connection rest",
        Kind::ConnectionResumed => "A connection that rested works again",
        Kind::ProviderDegraded => "A provider is in trouble",
        Kind::ProviderHealed => "A provider works again",
        Kind::ConnectionRenamed => "A connection got another name",
        Kind::ConnectionCleared => "What is stored of a connection was cleared",
        Kind::ConnectionDisconnected => "An account was disconnected",
        Kind::ConnectionDeleted => "A connection was deleted",
        Kind::SyncCompleted => "A connection was read",
        Kind::RunPaused => "An automation cannot go on, and waits",
        Kind::RunResumed => "An automation that waited may go on",
        Kind::SyncFailed => "A connection could not be read",
        // Not told to anybody.
        Kind::ConnectionChecked | Kind::ConnectionChanged | Kind::FlowChanged | Kind::HelpAsked => {
            ""
        }
    }
}
