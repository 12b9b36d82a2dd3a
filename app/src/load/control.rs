//! How connections are kept, all of them and each.

use chrono::{DateTime, Utc};
use hub::{
    Hub, Result,
    keep::{Kept, Mends, Part},
    people::{Action as Right, Member},
    prompt::Prompt,
    store::{ConnectionId, flow},
};

use super::{
    connection::{Reader, row},
    moment, provider,
};
use crate::model::{ClearPage, Control, ControlPage, Failed, Stored};

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
    let reader = Reader::new(hub, member, page.rows.iter().map(|kept| &kept.listed)).await?;
    let rows = page.rows.iter();
    Ok(ControlPage {
        now: hub.clock.now().timestamp(),
        rows: rows
            .map(|kept| control(hub, kept, &attempts, &reader))
            .collect(),
        next: page.next.map(|id| id.to_string()),
        may_manage: member.role().may(Right::Connect),
    })
}

/// How one is kept.
pub(super) fn control(
    hub: &Hub,
    kept: &Kept,
    attempts: &[flow::Model],
    reader: &Reader<'_>,
) -> Control {
    let failed = failed(hub, kept).map(|(prompt, at)| Failed {
        what: prompt.what,
        why: prompt.why,
        at: moment(at),
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
        connection: row(hub, &kept.listed, attempts, reader),
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

/// What is wrong now, told already or not; else what was last told to be.
fn failed(hub: &Hub, kept: &Kept) -> Option<(Prompt, DateTime<Utc>)> {
    if let Some(failure) = &kept.listed.health.failure {
        let told = hub.told_on(&kept.listed, failure);
        return Some((told.prompt, told.since));
    }
    let event = kept.failed.as_ref()?;
    let connection = Some(&kept.listed.connection);
    let prompt = hub.told_in(event, connection, 0, false)?;
    Some((prompt, event.data.since.unwrap_or(event.at)))
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
