//! How connections are kept, all of them and each.

use hub::{
    Hub, Result,
    keep::{Kept, Mends, Part},
    people::{Action as Right, Member},
    prompt::Prompt,
    store::{ConnectionId, flow},
};

use super::{connection::row, moment, provider};
use crate::model::{ClearPage, Control, ControlPage, Stored};

/// How many rows a page has.
const ROWS: usize = 50;

/// One row for each connection.
pub async fn control_page(
    hub: &Hub,
    member: &Member,
    after: Option<ConnectionId>,
) -> Result<ControlPage> {
    let attempts = hub.flows_under_way(member).await?;
    let page = hub.kept(member, after, ROWS).await?;
    let rows = page.rows.iter();
    Ok(ControlPage {
        now: hub.clock.now().timestamp(),
        rows: rows
            .map(|kept| control(hub, kept, &attempts, &[]))
            .collect(),
        next: page.next.map(|id| id.to_string()),
        may_manage: member.role().may(Right::Connect),
    })
}

/// How one is kept; `needed` are scopes that automations wait for, where the
/// page says what there is to do.
pub(super) fn control(
    hub: &Hub,
    kept: &Kept,
    attempts: &[flow::Model],
    needed: &[String],
) -> Control {
    let failed = kept.failed.as_ref().and_then(|event| {
        let failure = event.data.failure.as_ref()?;
        let connection = &kept.listed.connection;
        let words = Prompt::of(failure, &hub.subject_of(connection, event.at));
        Some((words.what, moment(event.at)))
    });
    let stored = kept.stored.iter().map(|stored| Stored {
        part: match stored.part {
            Part::Entered => "What was entered",
            Part::Access => "Access",
            Part::Refresh => "What renews it",
            Part::EarlierRefresh => "What renewed it before",
        },
        bytes: stored.bytes,
        ends: stored.ends_at.map(moment),
    });
    Control {
        connection: row(hub, &kept.listed, attempts, needed),
        alone: kept.alone_at.map(moment),
        person: kept.person_at.map(moment),
        failed,
        mends: match kept.mends {
            Mends::Renewed => "Yes, it renews itself",
            Mends::Endless => "Yes, it has no end we know of",
            Mends::Trying => "Yes, we keep trying",
            Mends::UntilItsEnd => "Until its end, then somebody signs in",
            Mends::Person => "No, somebody has to act",
            Mends::Admin => "No, an admin has to act",
            Mends::Ended => "It has ended",
        },
        next_check: kept.listed.health.next_check_at.map(moment),
        next_refresh: kept.listed.health.next_refresh_at.map(moment),
        stored: stored.collect(),
    }
}

/// The page that says what clearing means.
pub async fn clear_page(hub: &Hub, member: &Member, id: ConnectionId) -> Result<ClearPage> {
    let connection = hub.connection(member, id).await?.connection;
    Ok(ClearPage {
        id: id.to_string(),
        provider: provider(hub, &connection.provider),
        account: connection.name().to_owned(),
    })
}
