//! The first rows behind a connection, as its page shows them.

use hub::{
    Error, Hub, Result,
    catalog::{Provider as Entry, keys::Protocol},
    connect::Listed,
    dialect::{Kind, Note, Sample},
    people::{Action, Member},
    store::{ConnectionId, connection::Mapping},
};

use super::{provider, said};
use crate::model::{Preview, PreviewColumn, PreviewRows};

/// Whether there is something to look at behind connections of a provider.
pub fn has_preview(hub: &Hub, provider: &str) -> bool {
    let shows = |entry: &Entry| match &entry.service {
        // Mail is sent there, and nothing is read.
        Some(service) => service.protocol != Protocol::Smtp,
        None => entry.probe.is_some() || entry.identity.call.is_some(),
    };
    hub.catalog.get(provider).is_some_and(shows)
}

/// How many columns of a connection have names; none where this member has
/// nothing to look at.
pub(super) fn named_columns(hub: &Hub, member: &Member, listed: &Listed) -> Option<usize> {
    let connection = &listed.connection;
    let shown = has_preview(hub, &connection.provider)
        && connection.disconnected_at.is_none()
        && member.role().may(Action::Connect);
    let named = |value: &serde_json::Value| match value {
        serde_json::Value::Object(columns) => {
            columns.values().filter(|one| one.is_string()).count()
        }
        value => usize::from(value.is_string()),
    };
    shown.then(|| connection.mapping.0.values().map(named).sum())
}

/// Reads the first rows, of `table` or of what comes first, for one page.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]. What the provider says is part
/// of the page.
pub async fn preview(
    hub: &Hub,
    member: &Member,
    id: ConnectionId,
    table: Option<&str>,
) -> Result<Preview> {
    let listed = hub.connection(member, id).await?;
    let connection = listed.connection.clone();
    let provider = provider(hub, &connection.provider);
    let (shown, rows) = match hub.sample(member, id, table).await {
        Ok(sample) => (sample.table.clone(), Ok(rows(sample, &connection.mapping))),
        Err(Error::Failed(failure)) => {
            let told = hub.told_on(&listed, &failure);
            (None, Err(said(hub, &listed, told)))
        }
        Err(error) => return Err(error),
    };
    Ok(Preview {
        id: id.to_string(),
        account: connection.name().to_owned(),
        environment: connection.environment,
        table: shown,
        rows,
        may_name: member.role().may(Action::Connect),
        provider,
    })
}

fn rows(sample: Sample, mapping: &Mapping) -> PreviewRows {
    let Sample {
        tables,
        table,
        columns,
        rows,
    } = sample;
    let column = |column: hub::dialect::Column| PreviewColumn {
        name: mapping
            .field(table.as_deref(), &column.name)
            .map(str::to_owned),
        kind: kind(column.kind).to_owned(),
        notes: column
            .notes
            .iter()
            .map(|note| self::note(*note).to_owned())
            .collect(),
        source: column.name,
    };
    PreviewRows {
        columns: columns.into_iter().map(column).collect(),
        tables,
        rows,
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "whole numbers",
        Kind::Number => "numbers",
        Kind::YesNo => "yes or no",
        Kind::Date => "dates",
        Kind::Mixed => "several kinds",
        Kind::Empty => "no values",
    }
}

fn note(note: Note) -> &'static str {
    match note {
        Note::Empty => "No row here has a value.",
        Note::DuplicateKeys => "It is called like a key, and several rows have the same one.",
        Note::MixedTypes => "Some values are of one kind and some of another.",
        Note::OddDates => {
            "Some dates stand for none, lie far off, or are written in different ways."
        }
    }
}
