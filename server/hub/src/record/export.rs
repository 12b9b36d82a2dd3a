//! Everything an organisation has here, for it to take along: in one document,
//! part by part, and without secrets.

use serde_json::{Value, json};

use super::{Deed, Entry};
use crate::{
    Result,
    catalog::Variables,
    hub::Hub,
    people::{Action, Member},
    store::{
        api_key, audit_entry::Wanted, connection, event, member, provider_app, sync_run, tenant,
        webhook, wish, words,
    },
};

/// How many rows are read at once.
const BATCH: u64 = 500;

/// What of an export comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The organisation, its members, settings and connections.
    Start,
    /// Its events after this number.
    Events(i64),
    /// Its audit log before this number.
    Audit(Option<i64>),
    /// Nothing.
    End,
}

impl Hub {
    /// Notes that everything leaves the hub. The parts are read by
    /// [`Hub::export_part`].
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn begin_export(&self, member: &Member) -> Result<()> {
        member.may(Action::ExportTenant)?;
        let entry = Entry::new(member, Deed::TenantExported);
        self.record(member.tenant(), entry).await
    }

    /// One part of the export as text, and what comes after it. All parts one
    /// after the other are one JSON document.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`].
    pub async fn export_part(&self, member: &Member, next: Next) -> Result<(String, Next)> {
        // Somebody who is removed meanwhile takes no more along.
        let member = &self.still(member).await?;
        member.may(Action::ExportTenant)?;
        match next {
            Next::Start => Ok((self.export_start(member).await?, Next::Events(0))),
            Next::Events(after) => {
                let rows = event::after(self.store.db(), member.tenant(), after, BATCH).await?;
                let newest = rows.last().map(|row| row.seq);
                let is_last = (rows.len() as u64) < BATCH;
                let rows = rows.into_iter().map(|row| {
                    json!({
                        "seq": row.seq, "id": row.id, "kind": row.kind, "at": row.at,
                        "connection": row.connection_id, "person": row.person_id,
                        "data": row.data,
                    })
                });
                let text = array(rows, after == 0, is_last);
                Ok(match (is_last, newest) {
                    (false, Some(newest)) => (text, Next::Events(newest)),
                    _ => (format!("{text},\n\"audit\": "), Next::Audit(None)),
                })
            }
            Next::Audit(before) => {
                let wanted = Wanted {
                    before,
                    ..Wanted::default()
                };
                let rows = self.audit(member, &wanted, BATCH).await?;
                let oldest = rows.last().map(|row| row.seq);
                let is_last = (rows.len() as u64) < BATCH;
                let rows = rows.into_iter().map(|line| {
                    json!({
                        "entry": line.seq, "at": line.at, "actor": line.actor,
                        "actor_id": line.actor_id, "actor_name": line.actor_name,
                        "deed": line.deed, "target": line.target,
                        "target_id": line.target_id, "target_name": line.target_name,
                        "outcome": line.outcome, "detail": line.detail,
                        "address": line.address,
                    })
                });
                let text = array(rows, before.is_none(), is_last);
                Ok(match (is_last, oldest) {
                    (false, Some(oldest)) => (text, Next::Audit(Some(oldest))),
                    _ => (format!("{text}\n}}\n"), Next::End),
                })
            }
            Next::End => Ok((String::new(), Next::End)),
        }
    }

    async fn export_start(&self, member: &Member) -> Result<String> {
        let (db, id) = (self.store.db(), member.tenant());
        let tenant = tenant::get(db, id).await?;
        let members: Vec<Value> = member::all(db, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "id": row.person_id, "name": row.name, "email": row.email, "role": row.role,
                })
            })
            .collect();
        let connections: Vec<Value> = connection::all_of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| self.exported(row))
            .collect();
        let keys: Vec<Value> = api_key::all_of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "id": row.id, "name": row.name, "ends_with": row.hint,
                    "scopes": words(&row.scopes), "return_origins": words(&row.return_origins),
                    "created_by": row.created_by, "created_at": row.created_at,
                    "last_used_at": row.last_used_at, "revoked_at": row.revoked_at,
                })
            })
            .collect();
        let webhooks: Vec<Value> = webhook::all_of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "id": row.id, "url": row.url, "kinds": words(&row.kinds),
                    "created_by": row.created_by, "created_at": row.created_at,
                    "last_ok_at": row.last_ok_at, "ended_at": row.ended_at,
                })
            })
            .collect();
        let apps: Vec<Value> = provider_app::of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "app": row.app, "client_id": row.client_id, "updated_at": row.updated_at,
                })
            })
            .collect();
        let syncs: Vec<Value> = sync_run::all_of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "id": row.id, "connection": row.connection_id,
                    "started_at": row.started_at, "finished_at": row.finished_at,
                    "rows": row.row_count, "columns": row.column_count,
                    "failure": row.failure,
                })
            })
            .collect();
        let wishes: Vec<Value> = wish::newest(db, id, 10_000)
            .await?
            .into_iter()
            .map(|row| json!({ "person": row.person_id, "text": row.text, "at": row.at }))
            .collect();
        let parts = [
            ("format", json!("linkwell export 1")),
            ("exported_at", json!(self.clock.now())),
            (
                "organisation",
                json!(tenant.map(|row| json!({
                    "id": row.id, "name": row.name, "created_at": row.created_at,
                }))),
            ),
            ("members", json!(members)),
            ("connections", json!(connections)),
            ("syncs", json!(syncs)),
            ("api_keys", json!(keys)),
            ("webhooks", json!(webhooks)),
            ("provider_apps", json!(apps)),
            ("wishes", json!(wishes)),
        ];
        let mut text = "{\n".to_owned();
        for (name, value) in parts {
            text.push_str(&format!("{}: {value},\n", json!(name)));
        }
        text.push_str("\"events\": ");
        Ok(text)
    }

    fn exported(&self, row: connection::Model) -> Value {
        let name = row.name().to_owned();
        json!({
            "id": row.id, "provider": row.provider, "name": name,
            "account": { "id": row.external_id, "label": row.account_label },
            "variables": self.open_variables(&row.provider, row.variables.0),
            "scopes_asked": words(&row.scopes_asked),
            "scopes_granted": row.scopes_granted.as_deref().map(words),
            "created_by": row.created_by, "created_at": row.created_at,
            "last_ok_at": row.last_ok_at, "failure": row.failure,
            "disconnected_at": row.disconnected_at, "environment": row.environment,
            "sync_frequency": row.sync_frequency, "mapping": row.mapping,
        })
    }

    /// Those that an entry knows and does not call secret.
    fn open_variables(&self, provider: &str, mut variables: Variables) -> Variables {
        let entry = self.catalog.get(provider);
        variables.retain(|name, _| {
            let known = entry.and_then(|entry| {
                let mut known = entry.variables.iter();
                known.find(|variable| variable.name == *name)
            });
            known.is_some_and(|variable| !variable.secret)
        });
        variables
    }
}

/// Some of the elements of an array.
fn array(rows: impl Iterator<Item = Value>, is_first: bool, is_last: bool) -> String {
    let mut text = String::new();
    if is_first {
        text.push('[');
    }
    for (number, row) in rows.enumerate() {
        if !(is_first && number == 0) {
            text.push(',');
        }
        text.push('\n');
        text.push_str(&row.to_string());
    }
    if is_last {
        text.push(']');
    }
    text
}
