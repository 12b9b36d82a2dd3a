//! Closed lists and types of the hub, as the document describes them: written
//! from the lists themselves.

use hub::{
    connect::LinkStatus,
    dialect::{self, Note},
    failure::FailureCode,
    keep::{ends::EndKind, health::Status},
    people::Scope,
    store::{connection::SyncFrequency, event::Kind, run},
};
use sea_orm::{ActiveEnum, Iterable};
use utoipa::openapi::{
    ObjectBuilder, RefOr, Schema, Type,
    schema::{ArrayBuilder, OneOfBuilder, SchemaType},
};

fn words(about: &str, words: impl IntoIterator<Item = String>) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about))
        .enum_values(Some(words))
        .into()
}

/// How a connection is.
pub fn status() -> Schema {
    let all = Status::ALL.map(|status| status.as_str().to_owned());
    words("How the connection is", all)
}

/// Why a connection ends at a time that is known.
pub fn end() -> Schema {
    let all = EndKind::ALL.map(|kind| kind.as_str().to_owned());
    words("Why it ends then", all)
}

/// What happened.
pub fn event_kind() -> Schema {
    words("What happened", Kind::told().map(|kind| kind.to_value()))
}

/// How a run stands.
pub fn run_status() -> Schema {
    let all = run::Status::iter().map(|status| status.as_str().to_owned());
    words("How the run stands", all)
}

/// What failed, if that is said.
pub fn maybe_failure_code() -> Schema {
    or_null(failure_code())
}

/// How a link stands.
pub fn link_status() -> Schema {
    let all = LinkStatus::ALL.map(|status| status.as_str().to_owned());
    words("How the link stands", all)
}

/// What failed.
pub fn failure_code() -> Schema {
    let all = FailureCode::ALL.map(|code| code.as_str().to_owned());
    words("What failed, from a closed list", all)
}

/// What values of a column are.
pub fn kind() -> Schema {
    words(
        "What its values are",
        dialect::Kind::ALL.map(|kind| kind.as_str().to_owned()),
    )
}

/// What is odd about a column.
pub fn notes() -> Schema {
    let all = Note::ALL.map(|note| note.as_str().to_owned());
    ArrayBuilder::new()
        .items(RefOr::T(words("Something odd", all)))
        .into()
}

/// How often a connection is to be read.
pub fn sync_frequency() -> Schema {
    words(
        "How often it is read",
        SyncFrequency::iter().map(|one| one.to_value()),
    )
}

/// The same, or null where nothing is said.
pub fn or_null(schema: Schema) -> Schema {
    OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .item(schema)
        .into()
}

/// How often a connection is to be read, if that is said.
pub fn maybe_sync_frequency() -> Schema {
    or_null(sync_frequency())
}

/// What a token is to be for, if that is said.
pub fn maybe_scopes() -> Schema {
    or_null(scopes())
}

/// What the host application calls what it reads, if that is said.
pub fn maybe_mapping() -> Schema {
    or_null(mapping())
}

/// What a key may do.
pub fn scopes() -> Schema {
    let all = Scope::ALL.map(|scope| scope.as_str().to_owned());
    ArrayBuilder::new()
        .items(RefOr::T(words("What the token may do", all)))
        .into()
}

/// What a person is told about a failure.
pub fn prompt() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let optional = |kind| SchemaType::from_iter([kind, Type::Null]);
    let button = || {
        ObjectBuilder::new()
            .schema_type(optional(Type::Object))
            .property("label", text())
            .property("kind", text())
    };
    ObjectBuilder::new()
        .description(Some(
            "What a person is told: what failed, why, and the one thing to do",
        ))
        .property("what", text())
        .required("what")
        .property("why", text())
        .required("why")
        .property("effect", text().schema_type(optional(Type::String)))
        .property("action", button())
        .property("secondary", button())
        .property("who", text())
        .required("who")
        .into()
}

/// An object whose members only the host application understands.
pub fn mapping() -> Schema {
    ObjectBuilder::new()
        .description(Some(
            "What the host application calls what it reads: its name under the column's name, \
             which stands under the table's where there are tables. Anything else is kept as it \
             is; 16 kB of JSON at most",
        ))
        .into()
}
