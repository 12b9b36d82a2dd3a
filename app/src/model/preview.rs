//! A look at the data behind a connection.

use super::{Prompt, Provider};

/// The first rows behind a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The connection's id.
    pub id: String,
    /// What is connected.
    pub provider: Provider,
    /// The account's name.
    pub account: String,
    /// What its key opens, where keys tell.
    pub environment: Option<String>,
    /// The table that is shown, where there are tables.
    pub table: Option<String>,
    /// What was read, or why nothing was.
    pub rows: Result<PreviewRows, Prompt>,
    /// Whether this person may name columns.
    pub may_name: bool,
}

/// Rows and what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewRows {
    /// What there is to choose from.
    pub tables: Vec<String>,
    /// The columns, in order.
    pub columns: Vec<PreviewColumn>,
    /// Each with a value per column; none has no value.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewColumn {
    /// Its name there.
    pub source: String,
    /// What automations call it, if not so.
    pub name: Option<String>,
    /// What its values are: `whole numbers`.
    pub kind: String,
    /// What is odd about it, each in a sentence.
    pub notes: Vec<String>,
}
