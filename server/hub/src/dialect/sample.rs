//! The first rows behind a connection, and what can be said about them.
//!
//! A sample is another company's data: it is made for one page, never stored
//! and never logged, so nothing in here has a `Debug`.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{Caller, Dialect, Entered, credential::Carried, entered_call::Described};
use crate::{
    catalog::{Provider, Variables},
    failure::Failure,
    secret::Secret,
};

/// The most rows of a sample.
pub const ROWS: usize = 20;
/// The most tables that are listed.
pub const TABLES: usize = 200;
/// The most columns of a sample.
const COLUMNS: usize = 60;
/// The longest value that is shown, in characters.
pub(super) const LONGEST_CELL: usize = 200;

/// The first rows of a table, or the first objects of a list.
pub struct Sample {
    /// What there is to choose from: tables one may read; none where there is
    /// only one thing to see.
    pub tables: Vec<String>,
    /// The one that is shown.
    pub table: Option<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// At most [`ROWS`], each with a value per column; none is null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column, and what its values look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name there.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// What is odd about them.
    pub notes: Vec<Note>,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Anything else.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Number,
    /// True and false.
    YesNo,
    /// Days and moments.
    Date,
    /// Some are of one kind and some of another.
    Mixed,
    /// There are none.
    Empty,
}

/// What is odd about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// No row has a value.
    Empty,
    /// It is called like a key, and two rows have the same.
    DuplicateKeys,
    /// Its values are of several kinds.
    MixedTypes,
    /// Days that stand for none (0000-00-00, 9999-12-31), lie far off, or are
    /// written in several ways.
    OddDates,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Integer,
        Self::Number,
        Self::YesNo,
        Self::Date,
        Self::Mixed,
        Self::Empty,
    ];

    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::YesNo => "yes_no",
            Self::Date => "date",
            Self::Mixed => "mixed",
            Self::Empty => "empty",
        }
    }
}

impl Note {
    /// Every note.
    pub const ALL: [Self; 4] = [
        Self::Empty,
        Self::DuplicateKeys,
        Self::MixedTypes,
        Self::OddDates,
    ];

    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::DuplicateKeys => "duplicate_keys",
            Self::MixedTypes => "mixed_types",
            Self::OddDates => "odd_dates",
        }
    }
}

impl Sample {
    /// A sample of rows as they came; too many and too long ones are cut.
    pub(super) fn new(names: Vec<String>, mut rows: Vec<Vec<Option<String>>>) -> Self {
        rows.truncate(ROWS);
        let names: Vec<String> = names.into_iter().take(COLUMNS).collect();
        for row in &mut rows {
            row.resize(names.len(), None);
            for cell in row.iter_mut().flatten() {
                if let Some((end, _)) = cell.char_indices().nth(LONGEST_CELL) {
                    cell.truncate(end);
                    cell.push('…');
                }
            }
        }
        Self {
            tables: Vec::new(),
            table: None,
            columns: describe(&names, &rows),
            rows,
        }
    }
}

/// Recognises what columns hold and what is odd about them.
pub fn describe(names: &[String], rows: &[Vec<Option<String>>]) -> Vec<Column> {
    let column = |(at, name): (usize, &String)| {
        let values: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.get(at)?.as_deref())
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect();
        let kind = kind_of_all(&values);
        let mut notes = Vec::new();
        if values.is_empty() && !rows.is_empty() {
            notes.push(Note::Empty);
        }
        let different: BTreeSet<&str> = values.iter().copied().collect();
        if is_key(name) && different.len() < values.len() {
            notes.push(Note::DuplicateKeys);
        }
        if kind == Kind::Mixed {
            notes.push(Note::MixedTypes);
        }
        if has_odd_dates(&values) {
            notes.push(Note::OddDates);
        }
        Column {
            name: name.clone(),
            kind,
            notes,
        }
    };
    names.iter().enumerate().map(column).collect()
}

fn is_key(name: &str) -> bool {
    ["id", "_id", "uuid", "guid", "key", "pk"].contains(&name.to_lowercase().as_str())
}

fn kind_of_all(values: &[&str]) -> Kind {
    let mut kinds = values.iter().map(|value| kind_of(value));
    let Some(first) = kinds.next() else {
        return Kind::Empty;
    };
    kinds.fold(first, |so_far, kind| match (so_far, kind) {
        (one, other) if one == other => one,
        (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Kind::Number,
        _ => Kind::Mixed,
    })
}

fn kind_of(value: &str) -> Kind {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let is_whole = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // `007` is a number of a house or of a customer, not seven.
    let is_plain = |text: &str| is_whole(text) && (text == "0" || !text.starts_with('0'));
    if ["true", "false", "yes", "no"].contains(&value.to_lowercase().as_str()) {
        Kind::YesNo
    } else if is_plain(digits) {
        Kind::Integer
    } else if digits
        .split_once('.')
        .is_some_and(|(whole, part)| is_plain(whole) && is_whole(part))
    {
        Kind::Number
    } else if day_of(value).is_some() {
        Kind::Date
    } else {
        Kind::Text
    }
}

/// The day a value begins with: how it is written, its year, month and day.
fn day_of(value: &str) -> Option<(Written, [u32; 3])> {
    let end = value.find(['T', ' ']).unwrap_or(value.len());
    let (day, rest) = value.split_at(end);
    let is_time = rest.is_empty()
        || rest[1..].len() >= 4
            && rest[1..]
                .chars()
                .all(|c| c.is_ascii_digit() || ":.+-Z ".contains(c))
            && rest.contains(':');
    let separator = ['-', '/', '.'].into_iter().find(|c| day.contains(*c))?;
    let parts: Vec<&str> = day.split(separator).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let ([first, _, third], [a, b, c]) = (parts.as_slice(), numbers.as_slice()) else {
        return None;
    };
    let (written, [year, month, day]) = match (first.len(), third.len()) {
        (4, 1..=2) => (Written::YearFirst(separator), [*a, *b, *c]),
        (1..=2, 4) => (Written::YearLast(separator), [*c, *b, *a]),
        _ => return None,
    };
    // 12/31/2026 is a day as well.
    (is_time && month <= 31 && day <= 31 && (month <= 12 || day <= 12))
        .then_some((written, [year, month, day]))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    YearFirst(char),
    YearLast(char),
}

fn has_odd_dates(values: &[&str]) -> bool {
    let days: Vec<_> = values.iter().filter_map(|value| day_of(value)).collect();
    let is_odd = |[year, month, day]: [u32; 3]| {
        !(1900..=2100).contains(&year)
            || month == 0
            || day == 0
            || [[1900, 1, 1], [1970, 1, 1]].contains(&[year, month, day])
    };
    // A few texts look like days by chance.
    days.len() * 2 > values.len()
        && (days.iter().any(|(_, day)| is_odd(*day))
            || days.windows(2).any(|two| two[0].0 != two[1].0))
}

impl Dialect {
    /// Reads the first rows behind a connection: of `table`, or of whatever
    /// comes first. Nothing is kept of it.
    ///
    /// # Errors
    /// What the provider said, in our terms.
    pub async fn sample<'a>(
        &self,
        provider: &Provider,
        caller: impl Into<Caller<'a>>,
        variables: &Variables,
        access_token: &Secret,
        table: Option<&str>,
    ) -> Result<Sample, Failure> {
        if provider.service.is_some() {
            let entered = Entered::read(access_token)?;
            return self.sample_service(provider, &entered, table).await;
        }
        let carried = Carried::of(provider, access_token)?;
        let mut values = provider.values(variables);
        let caller = caller.into();
        values.extend(caller.settings.clone());
        let call = provider.probe.as_ref().or(provider.identity.call.as_ref());
        let Some(call) = call else {
            return Ok(Sample::new(Vec::new(), Vec::new()));
        };
        let (_, body) = self.call(provider, caller, &values, &carried, call).await?;
        let described = Described::of(call, carried.entered());
        let part = described.and_then(|described| described.part_of(&body));
        Ok(of_json(part.unwrap_or(&body)))
    }
}

/// The objects of the first list in an answer, or the answer itself.
fn of_json(body: &Value) -> Sample {
    let objects: Vec<&Value> = match first_list(body, 3) {
        Some(list) => list.iter().take(ROWS).collect(),
        None => vec![body],
    };
    let mut names: Vec<String> = Vec::new();
    for name in objects.iter().filter_map(|one| one.as_object()).flatten() {
        if !names.contains(name.0) {
            names.push(name.0.clone());
        }
    }
    let cell = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    if names.is_empty() {
        let rows = objects.iter().map(|one| vec![cell(one)]).collect();
        return Sample::new(vec!["value".into()], rows);
    }
    let row = |one: &&Value| {
        let value = |name: &String| one.get(name).and_then(cell);
        names.iter().map(value).collect()
    };
    let rows = objects.iter().map(row).collect();
    Sample::new(names.clone(), rows)
}

fn first_list(value: &Value, deepest: usize) -> Option<&Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        Value::Object(fields) if deepest > 0 => {
            let is_list = |value: &&Value| value.as_array().is_some_and(|list| !list.is_empty());
            match fields.values().find(is_list) {
                Some(list) => list.as_array(),
                None => fields
                    .values()
                    .find_map(|value| first_list(value, deepest - 1)),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One column of values; `""` is null.
    fn column(name: &str, values: &[&str]) -> Column {
        let rows: Vec<Vec<Option<String>>> = values
            .iter()
            .map(|value| vec![Some((*value).to_owned()).filter(|value| !value.is_empty())])
            .collect();
        describe(&[name.to_owned()], &rows).remove(0)
    }

    #[test]
    fn kinds_are_recognised() {
        for (values, kind) in [
            (&["1", "-20", "0"][..], Kind::Integer),
            (&["1", "2.50"], Kind::Number),
            (&["true", "false", ""], Kind::YesNo),
            (&["2026-11-20", "2026-11-20T10:00:00Z"], Kind::Date),
            (&["20.11.2026", "21.11.2026 08:15"], Kind::Date),
            (&["2026-11-20 10:00:00.123+00"], Kind::Date),
            (&["007", "0123"], Kind::Text),
            (&["Ana", "Bo"], Kind::Text),
            (&["192.168.0.1", "1.2.3"], Kind::Text),
            (&["Ana", "7"], Kind::Mixed),
            (&["", ""], Kind::Empty),
        ] {
            assert_eq!(column("c", values).kind, kind, "{values:?}");
        }
    }

    #[test]
    fn what_is_odd_is_said() {
        for (name, values, notes) in [
            ("c", &["", ""][..], &[Note::Empty][..]),
            ("id", &["1", "2", "1"], &[Note::DuplicateKeys]),
            ("customer_id", &["1", "2", "1"], &[]),
            ("c", &["Ana", "7"], &[Note::MixedTypes]),
            ("c", &["2026-11-20", "0000-00-00"], &[Note::OddDates]),
            ("c", &["2026-11-20", "9999-12-31"], &[Note::OddDates]),
            (
                "c",
                &["2026-11-20", "1970-01-01 00:00:00"],
                &[Note::OddDates],
            ),
            ("c", &["2026-11-20", "20.11.2026"], &[Note::OddDates]),
            ("c", &["2026-11-20", "2026-11-21T08:00:00Z"], &[]),
            ("c", &["12/31/2026", "01/15/2026"], &[]),
        ] {
            assert_eq!(column(name, values).notes, notes, "{name} {values:?}");
        }
    }

    #[test]
    fn a_sample_is_small() {
        let rows = vec![vec![Some("ß".repeat(5000)); 100]; 50];
        let sample = Sample::new(vec!["c".to_owned(); 90], rows);
        assert_eq!((sample.rows.len(), sample.columns.len()), (ROWS, COLUMNS));
        assert!(sample.rows.iter().all(|row| row.len() == COLUMNS));
        let longest = sample.rows[0][0].as_ref().unwrap().chars().count();
        assert_eq!(longest, LONGEST_CELL + 1);
    }

    #[test]
    fn objects_become_rows() {
        let body = serde_json::json!({"ok": true, "data": {"items": [
            {"id": 1, "name": "Ana"}, {"id": 2, "tags": ["a"]}
        ]}});
        let sample = of_json(&body);
        let names: Vec<_> = sample.columns.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["id", "name", "tags"]);
        assert_eq!(sample.rows[1][1], None);
        assert_eq!(sample.rows[1][2].as_deref(), Some("[\"a\"]"));
        let alone = of_json(&serde_json::json!({"id": 7, "email": "ana@example.com"}));
        assert_eq!(
            alone.rows,
            [[Some("ana@example.com".into()), Some("7".into())]]
        );
    }
}
