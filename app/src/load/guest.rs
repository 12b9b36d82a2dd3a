//! What somebody who came by a link is shown: what the link is for, and nothing
//! else of the hub.

use hub::{Error, Hub, Result, catalog::Variables, people::Guest};

use super::{
    capital,
    connect::{asked_field, entered},
    drawn, wizard,
};
use crate::model::{GuestConnectPage, GuestPage, Readiness};

/// What a place is called to which somebody goes back: its host.
pub fn place_of(address: &str) -> Option<String> {
    let rest = address.split_once("://")?.1;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(host.to_owned()).filter(|host| !host.is_empty())
}

/// What the link is for.
pub fn guest_page(hub: &Hub, guest: &Guest) -> GuestPage {
    GuestPage {
        organisation: guest.organisation().to_owned(),
        leave: guest
            .leave()
            .and_then(|address| Some((place_of(&address)?, address))),
        providers: guest
            .providers()
            .filter_map(|id| hub.catalog.get(id))
            .map(|entry| (drawn(entry), entry.about.summary.clone()))
            .collect(),
    }
}

/// The page before connecting one of its providers.
pub async fn guest_connect_page(hub: &Hub, guest: &Guest, id: &str) -> Result<GuestConnectPage> {
    let known = hub.known_to_guest(guest, id).await?;
    let entry = hub.catalog.get(id).ok_or(Error::NotFound)?;
    let connection = guest.connection();
    let known: Option<&Variables> = known.as_ref();
    let readiness = match entered(entry, known) {
        None => Readiness::Ready,
        Some(Readiness::Enter(begun)) => match hub.draft(guest, id, connection).await? {
            Some(draft) => Readiness::Enter(Box::new(wizard::so_far(hub, *begun, draft))),
            None => Readiness::Enter(begun),
        },
        Some(other) => other,
    };
    let asked: Vec<String> = entry
        .scopes
        .iter()
        .filter(|scope| !scope.technical && entry.default_scopes().contains(&scope.name))
        .map(|scope| capital(&scope.meaning))
        .collect();
    let lines = |lines: &[String]| lines.iter().map(|line| capital(line)).collect();
    Ok(GuestConnectPage {
        guest: guest_page(hub, guest),
        provider: drawn(entry),
        is_repair: connection.is_some(),
        // Without permissions of its own, the file says in words what we do.
        will: match asked.is_empty() {
            true => lines(&entry.about.we_will),
            false => asked,
        },
        will_not: lines(&entry.about.we_will_not),
        fields: entry
            .questions()
            .filter(|question| !known.is_some_and(|known| known.contains_key(&question.name)))
            .map(asked_field)
            .collect(),
        removal: format!(
            "To end it later, ask {}, or remove Linkwell in the settings of {}.",
            guest.organisation(),
            entry.name()
        ),
        readiness,
    })
}
