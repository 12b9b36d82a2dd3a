//! The audit log: what is looked for, read from an address, and what is found.

use chrono::{Days, NaiveDate};
use hub::{
    Error, Hub, Result,
    people::Member,
    record::ledger::{Deed, read::Line},
    store::{audit_entry::Wanted, member},
};

use super::moment;
use crate::{
    model::{AuditChecked, AuditFilter, AuditLine, AuditPage},
    paths,
};

/// How many entries a page has.
const PAGE: u64 = 50;

/// Kinds of deeds that can be looked for.
const DEEDS: [(&str, &str); 15] = [
    ("session.", "Signing in and out"),
    ("connection.", "Connections"),
    ("secret.", "Tokens that were lent"),
    ("connect_link.", "Connect links"),
    ("member.", "Members and roles"),
    ("person.", "Accounts of people"),
    ("api_", "API keys and tokens"),
    ("provider_app.", "Provider apps"),
    ("webhook.", "Webhooks"),
    ("policy.", "Policies"),
    ("metrics.", "Recording of attempts"),
    ("action.", "What was not allowed"),
    ("tenant.", "The organisation"),
    ("audit.", "The audit log itself"),
    ("deletion.", "What was deleted again"),
];

/// Kinds of actors that can be looked for, besides people and keys.
const ACTORS: [(&str, &str); 5] = [
    ("key", "Any host application"),
    ("guest", "Anybody with a connect link"),
    ("stranger", "Somebody unknown"),
    ("hub", "Linkwell itself"),
    ("operator", "The operator"),
];

/// How many deleted connections can be chosen, of the newest.
const DELETED: u64 = 100;

/// What an address asks for.
///
/// # Errors
/// [`Error::Invalid`] when some of it cannot be read: everything is not what was
/// asked for.
pub fn wanted(filter: &AuditFilter) -> Result<Wanted> {
    let wanted = read(filter);
    let is_read = [
        (&filter.from, wanted.from_us.is_some()),
        (&filter.to, wanted.to_us.is_some()),
        (&filter.before, wanted.before.is_some()),
        (
            &filter.who,
            wanted.person.is_some() || wanted.actor.is_some() || wanted.actor_id.is_some(),
        ),
    ];
    match is_read
        .iter()
        .all(|(asked, is_read)| asked.is_empty() || *is_read)
    {
        true => Ok(wanted),
        false => Err(Error::invalid(
            "from",
            "Choose days, and somebody, from what the page offers",
        )),
    }
}

/// What can be read of it.
fn read(filter: &AuditFilter) -> Wanted {
    let day = |text: &str, more: u64| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        let day = day.checked_add_days(Days::new(more))?;
        let start = day.and_hms_opt(0, 0, 0)?.and_utc();
        Some(start.timestamp_micros())
    };
    let mut wanted = Wanted {
        deed: Some(filter.what.clone()).filter(|what| !what.is_empty()),
        target_id: Some(filter.about.clone()).filter(|about| !about.is_empty()),
        from_us: day(&filter.from, 0),
        to_us: day(&filter.to, 1),
        before: filter.before.parse().ok(),
        ..Wanted::default()
    };
    match filter.who.split_once(':') {
        Some(("person", id)) => wanted.person = id.parse().ok(),
        Some(("key", id)) => wanted.actor_id = id.parse().ok(),
        _ if ACTORS.iter().any(|(actor, _)| *actor == filter.who) => {
            wanted.actor = Some(filter.who.clone());
        }
        _ => {}
    }
    wanted
}

/// One page of the log.
pub async fn audit(hub: &Hub, member: &Member, filter: AuditFilter) -> Result<AuditPage> {
    let mut found = hub.audit(member, &read(&filter), PAGE + 1).await?;
    let is_more = found.len() as u64 > PAGE;
    found.truncate(PAGE as usize);
    let older = found.last().filter(|_| is_more).map(|last| {
        paths::audit(&AuditFilter {
            before: last.seq.to_string(),
            ..filter.clone()
        })
    });
    let people = member::names(hub.store.db(), member.tenant()).await?;
    let people = people
        .into_iter()
        .map(|(id, name, _)| (format!("person:{id}"), name));
    let keys = hub.api_keys(member).await?.into_iter();
    let keys = keys.map(|key| (format!("key:{}", key.id), format!("Key {}", key.name)));
    let owned = |(value, label): (&str, &str)| (value.to_owned(), label.to_owned());
    let connections = hub.connections(member).await?.into_iter();
    let about = connections.map(|listed| {
        let connection = listed.connection;
        let provider = super::provider(hub, &connection.provider).name;
        let label = format!("{provider} {}", connection.name());
        (connection.id.to_string(), label)
    });
    let deletions = Wanted {
        deed: Some(Deed::ConnectionDeleted.as_str().to_owned()),
        ..Wanted::default()
    };
    let deleted = hub.audit(member, &deletions, DELETED).await?.into_iter();
    let deleted = deleted.filter_map(|line| {
        let provider = super::provider(hub, &line.detail.unwrap_or_default()).name;
        let label = format!("{provider}, deleted {}", moment(line.at).text);
        Some((line.target_id?, label))
    });
    let about = about.chain(deleted);
    let checked = hub.audit_checked(member).await?;
    Ok(AuditPage {
        filter,
        who: people.chain(keys).chain(ACTORS.map(owned)).collect(),
        what: DEEDS.map(owned).to_vec(),
        about: about.collect(),
        lines: found
            .into_iter()
            .map(|line| audit_line(hub, line))
            .collect(),
        older,
        checked: match (checked.broken, checked.late_since, checked.at) {
            (Some(seq), _, _) => AuditChecked::Broken(seq),
            (None, Some(since), _) => AuditChecked::Late(moment(since)),
            (None, None, Some(at)) => AuditChecked::UpTo(checked.seq, moment(at)),
            (None, None, None) => AuditChecked::NotYet,
        },
    })
}

fn audit_line(hub: &Hub, line: Line) -> AuditLine {
    let deed = Deed::read(&line.deed);
    let who = match (line.actor.as_str(), line.actor_name) {
        ("person", name) => name.unwrap_or_else(|| "Somebody who left".into()),
        ("key", name) => name.map_or("A deleted key".into(), |name| format!("Key {name}")),
        ("guest", _) => "Somebody with a connect link".into(),
        ("hub", _) => "Linkwell".into(),
        ("operator", _) => "The operator".into(),
        _ => "Somebody".into(),
    };
    let about = match (line.target.as_deref(), line.target_name) {
        (_, Some(name)) => Some(name),
        (Some("connection"), None) => Some("a connection that was deleted".into()),
        (Some("person"), None) => Some("somebody who left".into()),
        (Some("app"), None) => line.target_id.map(|app| super::provider(hub, &app).name),
        _ => None,
    };
    // A provider's id is said by its name.
    let detail = line.detail.map(|detail| match hub.catalog.get(&detail) {
        Some(entry) => entry.name().to_owned(),
        None => detail.replace('_', " "),
    });
    AuditLine {
        seq: line.seq,
        at: moment(line.at),
        who,
        what: deed.map_or(line.deed, |deed| deed.words().to_owned()),
        about,
        detail,
        outcome: line.outcome,
        address: line.address,
    }
}
