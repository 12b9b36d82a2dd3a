//! Taking the audit log along, as CSV or JSON: page by page from the database
//! to the browser, however long it is.

use app::{Viewer, flash::Flash, load, model::AuditFilter, paths, server_fns::explain};
use axum::{
    Extension, Form, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;
use hub::{
    Hub, Result,
    people::{Action, Member},
    record::ledger::read::Line,
    secret::Secret,
    store::audit_entry::Wanted,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    State as Shared,
    account::{back, signed_out},
};

/// How many entries are read at once.
const BATCH: u64 = 500;

/// The routes of these forms.
pub fn router() -> Router<Shared> {
    Router::new().route(paths::AUDIT_EXPORT, post(export))
}

#[derive(Deserialize)]
struct Asked {
    format: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    current: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

async fn export(
    State(hub): State<Hub>,
    Extension(viewer): Extension<Viewer>,
    Form(asked): Form<Asked>,
) -> Response {
    if viewer.member.is_none() {
        return signed_out();
    }
    let (format, name, kind) = match asked.format.as_str() {
        "json" => (Format::Json, "json", "application/json"),
        _ => (Format::Csv, "csv", "text/csv; charset=utf-8"),
    };
    let filter = AuditFilter {
        who: asked.who,
        what: asked.what,
        about: asked.about,
        from: asked.from,
        to: asked.to,
        before: String::new(),
    };
    let begun = async {
        let wanted = load::audit_wanted(&filter)?;
        let current = Secret::new(asked.current);
        let member = viewer.prove(&hub, Action::ExportLedger, current).await?;
        hub.begin_audit_export(&member, name).await?;
        Ok((member, wanted))
    };
    let (member, wanted) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return back(&paths::audit(&filter), explain(Flash::default(), error)),
    };
    let day = hub.clock.now().format("%Y-%m-%d");
    let disposition = format!("attachment; filename=\"audit-{day}.{name}\"");
    let disposition = HeaderValue::from_str(&disposition).expect("a date is a header value");
    let pages = Pages {
        hub,
        member,
        wanted,
        format,
        at: At::Start,
    };
    let pages = stream::try_unfold(pages, |mut pages| async move {
        let chunk = pages.next().await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, pages)))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, Body::from_stream(pages)).into_response()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Middle,
    End,
}

/// The rest of an export.
struct Pages {
    hub: Hub,
    member: Member,
    wanted: Wanted,
    format: Format,
    at: At,
}

impl Pages {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.at == At::End {
            return Ok(None);
        }
        // Somebody who is removed meanwhile reads no further.
        self.member = self.hub.still(&self.member).await?;
        let lines = self.hub.audit(&self.member, &self.wanted, BATCH).await?;
        let is_first = self.at == At::Start;
        self.at = match lines.last() {
            Some(last) if lines.len() as u64 == BATCH => {
                self.wanted.before = Some(last.seq);
                At::Middle
            }
            _ => At::End,
        };
        let text = match self.format {
            Format::Csv => csv_of(&lines, is_first),
            Format::Json => json_of(&lines, is_first, self.at == At::End),
        };
        Ok(Some(text.into()))
    }
}

const COLUMNS: [&str; 12] = [
    "entry",
    "at",
    "actor",
    "actor_id",
    "actor_name",
    "deed",
    "target",
    "target_id",
    "target_name",
    "outcome",
    "detail",
    "address",
];

fn csv_of(lines: &[Line], is_first: bool) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes everything.
    if is_first {
        let _ = writer.write_record(COLUMNS);
    }
    for line in lines {
        let text = |value: &Option<String>| harmless(value.as_deref().unwrap_or_default());
        let _ = writer.write_record([
            line.seq.to_string(),
            line.at.to_rfc3339(),
            harmless(&line.actor),
            text(&line.actor_id),
            text(&line.actor_name),
            harmless(&line.deed),
            text(&line.target),
            text(&line.target_id),
            text(&line.target_name),
            harmless(&line.outcome),
            text(&line.detail),
            text(&line.address),
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// Text that no spreadsheet takes for a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>): a name that
/// somebody chose may begin with `=`.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text.to_owned(),
    }
}

fn json_of(lines: &[Line], is_first: bool, is_last: bool) -> Vec<u8> {
    let mut text = String::new();
    if is_first {
        text.push('[');
    }
    for (number, line) in lines.iter().enumerate() {
        let line = json!({
            "entry": line.seq, "at": line.at,
            "actor": line.actor, "actor_id": line.actor_id, "actor_name": line.actor_name,
            "deed": line.deed, "target": line.target, "target_id": line.target_id,
            "target_name": line.target_name, "outcome": line.outcome,
            "detail": line.detail, "address": line.address,
        });
        if !(is_first && number == 0) {
            text.push(',');
        }
        text.push('\n');
        text.push_str(&line.to_string());
    }
    if is_last {
        text.push_str("\n]\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("Ana", "Ana"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell);
        }
    }
}
