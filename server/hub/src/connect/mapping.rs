//! What the host application calls the columns it reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Change, Listed};
use crate::{
    Error, FieldProblem, Result,
    hub::Hub,
    people::By,
    store::{
        ConnectionId,
        connection::{self, Mapping},
    },
    text::is_deceptive,
};

/// The longest name of a field, in characters.
const LONGEST_FIELD: usize = 80;

impl Mapping {
    /// What a column is called in the host application: a text under the
    /// column's name, which stands under the table's where there are tables.
    pub fn field(&self, table: Option<&str>, column: &str) -> Option<&str> {
        let columns = match table {
            Some(table) => self.0.get(table)?.as_object()?,
            None => &self.0,
        };
        columns.get(column)?.as_str()
    }

    /// Names columns; an empty name takes one away. What else stands there is
    /// the host application's and stays.
    fn name(&mut self, table: Option<&str>, fields: BTreeMap<String, String>) {
        let columns = match table {
            None => &mut self.0,
            Some(table) => {
                let entry = self.0.entry(table).or_insert_with(|| Map::new().into());
                if !entry.is_object() {
                    *entry = Map::new().into();
                }
                entry.as_object_mut().expect("it was made one")
            }
        };
        for (column, field) in fields {
            match field.is_empty() {
                true if columns.get(&column).is_some_and(Value::is_string) => {
                    columns.remove(&column);
                }
                true => {}
                false => {
                    columns.insert(column, field.into());
                }
            }
        }
        let is_empty = columns.is_empty();
        if let (Some(table), true) = (table, is_empty) {
            self.0.remove(table);
        }
    }
}

impl Hub {
    /// Names columns of a connection for the host application: each column
    /// with its name there, or an empty one to take that away.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the columns whose names cannot be;
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn name_columns(
        &self,
        by: impl Into<By<'_>>,
        id: ConnectionId,
        table: Option<&str>,
        fields: BTreeMap<String, String>,
    ) -> Result<Listed> {
        let by = by.into();
        by.may_connect()?;
        let connection = connection::of_tenant(self.store.db(), by.tenant(), id)
            .await?
            .ok_or(Error::NotFound)?;
        let fields = read(fields)?;
        let mut mapping = connection.mapping;
        mapping.name(table, fields);
        let change = Change {
            mapping: Some(mapping),
            ..Change::default()
        };
        self.change(by, id, change).await
    }
}

/// The names, if all of them can be.
fn read(fields: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut problems = Vec::new();
    let mut read: BTreeMap<String, String> = BTreeMap::new();
    for (column, field) in fields {
        let field = field.trim().to_owned();
        let problem = if field.chars().count() > LONGEST_FIELD {
            Some("Use at most 80 characters")
        } else if field.chars().any(is_deceptive) {
            Some("Use one line of text")
        } else if !field.is_empty() && read.values().any(|other| *other == field) {
            Some("Another column has this name already")
        } else {
            None
        };
        match problem {
            Some(problem) => problems.push(FieldProblem {
                field: column,
                problem: problem.to_owned(),
            }),
            None => {
                read.insert(column, field);
            }
        }
    }
    match problems.is_empty() {
        true => Ok(read),
        false => Err(Error::Invalid(problems)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(column, field): &(&str, &str)| ((*column).to_owned(), (*field).to_owned());
        fields.iter().map(owned).collect()
    }

    #[test]
    fn columns_are_named_by_table_and_the_rest_stays() {
        let mut mapping = Mapping::default();
        mapping.0.insert("total".into(), json!({ "type": "money" }));
        mapping.name(None, named(&[("mail", "email"), ("total", "")]));
        mapping.name(Some("orders"), named(&[("no", "number"), ("at", "")]));
        assert_eq!(mapping.field(None, "mail"), Some("email"));
        assert_eq!(mapping.field(Some("orders"), "no"), Some("number"));
        assert_eq!(mapping.field(Some("orders"), "mail"), None);
        let kept =
            json!({ "total": { "type": "money" }, "mail": "email", "orders": { "no": "number" } });
        assert_eq!(json!(mapping), kept);
        mapping.name(Some("orders"), named(&[("no", "")]));
        mapping.name(None, named(&[("mail", "")]));
        assert_eq!(json!(mapping), json!({ "total": { "type": "money" } }));
    }

    #[test]
    fn names_are_short_lines_and_differ() {
        let long = "x".repeat(81);
        for (field, twice) in [(long.as_str(), ""), ("a\nb", ""), ("same", "same")] {
            assert!(
                read(named(&[("a", field), ("b", twice)])).is_err(),
                "{field}"
            );
        }
        assert!(read(named(&[("a", " email "), ("b", "")])).is_ok());
    }
}
