//! Everything an organisation has here, for it to take along: in one document,
//! part by part, and without secrets.

use sea_orm::{ActiveEnum, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Deed, Entry};
use crate::{
    Result,
    catalog::Variables,
    hub::Hub,
    people::{Action, Member},
    store::{
        RunId, Store, TenantId, alarm, api_key, attempt, audit_entry::Wanted, connect_link,
        connection, credential, event, mail_choice, member, notice, provider_app, run,
        switched_off, sync_run, tenant, watcher, webhook, wish, words,
    },
};

/// How many rows are read at once.
const BATCH: u64 = 500;

/// What of an export comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The organisation, its members, settings and connections.
    Start,
    /// The runs of its automations before this one.
    Runs(Option<RunId>),
    /// How attempts ended, after this one.
    Attempts(Option<Uuid>),
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
            Next::Start => Ok((self.export_start(member).await?, Next::Runs(None))),
            Next::Runs(before) => {
                let (db, all) = (self.store.db(), run::Filter::default());
                let rows = run::page(db, member.tenant(), &all, before, BATCH).await?;
                let oldest = rows.last().map(|row| row.id);
                let is_last = (rows.len() as u64) < BATCH;
                let text = array(rows.into_iter().map(run_told), before.is_none(), is_last);
                Ok(match (is_last, oldest) {
                    (false, Some(oldest)) => (text, Next::Runs(Some(oldest))),
                    _ => (format!("{text},\n\"attempts\": "), Next::Attempts(None)),
                })
            }
            Next::Attempts(after) => {
                let rows = attempt::after(self.store.db(), member.tenant(), after, BATCH).await?;
                let newest = rows.last().map(|row| row.id);
                let is_last = (rows.len() as u64) < BATCH;
                let text = array(rows.into_iter().map(attempt_told), after.is_none(), is_last);
                Ok(match (is_last, newest) {
                    (false, Some(newest)) => (text, Next::Attempts(Some(newest))),
                    _ => (format!("{text},\n\"events\": "), Next::Events(0)),
                })
            }
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
        let credentials: Vec<credential::Model> =
            all::<credential::Entity>(&self.store, credential::Column::TenantId, id).await?;
        let connections: Vec<Value> = connection::all_of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| self.exported(row, &credentials))
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
                    "settings": self.told_settings(&row.app, row.settings.0),
                    "certificate": row.certificate,
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
        let links: Vec<Value> =
            all::<connect_link::Entity>(&self.store, connect_link::Column::TenantId, id)
                .await?
                .into_iter()
                .map(|row| {
                    json!({
                        "id": row.id, "api_key": row.api_key_id, "person": row.person_id,
                        "providers": words(&row.providers), "connection": row.connection_id,
                        "return_to": row.return_to, "reference": row.reference,
                        "created_at": row.created_at, "expires_at": row.expires_at,
                        "opened_at": row.opened_at, "used_at": row.used_at,
                        "made": row.result_connection_id,
                    })
                })
                .collect();
        let off: Vec<Value> = switched_off::of_tenant(db, id)
            .await?
            .into_iter()
            .map(|row| json!({ "what": row.what, "person": row.person_id, "at": row.at }))
            .collect();
        let alarms: Vec<Value> = all::<alarm::Entity>(&self.store, alarm::Column::TenantId, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "id": row.id, "connection": row.connection_id,
                    "cause": row.cause.to_value(), "failure": row.failure,
                    "raised_at": row.raised_at, "escalated_at": row.escalated_at,
                    "ended_at": row.ended_at,
                    "ending": row.ending.map(|ending| ending.to_value()),
                })
            })
            .collect();
        let notices: Vec<Value> = all::<notice::Entity>(&self.store, notice::Column::TenantId, id)
            .await?
            .into_iter()
            .map(|row| {
                json!({
                    "person": row.person_id, "alarm": row.alarm_id,
                    "reason": row.reason.to_value(), "by": row.by_person_id, "at": row.at,
                    "read_at": row.read_at, "ended_at": row.ended_at,
                })
            })
            .collect();
        let choices: Vec<Value> =
            all::<mail_choice::Entity>(&self.store, mail_choice::Column::TenantId, id)
                .await?
                .into_iter()
                .map(|row| {
                    json!({
                        "person": row.person_id, "pace": row.pace.to_value(),
                        "without": words(&row.without),
                    })
                })
                .collect();
        let watchers: Vec<Value> =
            all::<watcher::Entity>(&self.store, watcher::Column::TenantId, id)
                .await?
                .into_iter()
                .map(|row| {
                    json!({
                        "person": row.person_id, "connection": row.connection_id, "at": row.at,
                    })
                })
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
            ("connect_links", json!(links)),
            ("switched_off", json!(off)),
            ("alarms", json!(alarms)),
            ("notices", json!(notices)),
            ("mail_choices", json!(choices)),
            ("waiting_for", json!(watchers)),
        ];
        let mut text = "{\n".to_owned();
        for (name, value) in parts {
            text.push_str(&format!("{}: {value},\n", json!(name)));
        }
        text.push_str("\"runs\": ");
        Ok(text)
    }

    fn exported(&self, row: connection::Model, credentials: &[credential::Model]) -> Value {
        let name = row.name().to_owned();
        let own = credentials.iter().filter(|one| one.connection_id == row.id);
        // That it is there and how long it lasts, and nothing of what it is.
        let own = own.map(|one| {
            json!({
                "slot": one.slot, "obtained_at": one.obtained_at, "expires_at": one.expires_at,
                "renewable": one.refresh_sealed.is_some(),
                "renewable_until": one.refresh_expires_at,
            })
        });
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
            "paused_at": row.paused_at, "certificate": row.certificate,
            "revocation": row.revocation.map(|outcome| outcome.to_value()),
            "credentials": own.collect::<Vec<_>>(),
        })
    }

    /// Those of an app's settings that some entry knows and does not call secret.
    fn told_settings(&self, app: &str, mut settings: Variables) -> Variables {
        settings.retain(|name, _| {
            let mut entries = self.catalog.iter().filter(|entry| entry.app_id == app);
            entries.any(|entry| {
                let mut known = entry.variables.iter();
                known.any(|variable| variable.name == *name && !variable.secret)
            })
        });
        settings
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

/// Every row of a tenant in one of the smaller tables.
async fn all<E: EntityTrait>(
    store: &Store,
    of: E::Column,
    tenant: TenantId,
) -> Result<Vec<E::Model>, DbErr> {
    E::find().filter(of.eq(tenant)).all(store.db()).await
}

fn run_told(row: run::Model) -> Value {
    json!({
        "id": row.id, "connection": row.connection_id, "provider": row.provider,
        "api_key": row.api_key_id, "action": row.action, "writes": row.writes,
        "scopes_needed": words(&row.scopes_needed), "correlation_id": row.correlation_id,
        "status": row.status, "policy": row.policy, "failure": row.failure,
        "pauses": row.pauses, "needed_person": row.needed_person,
        "created_at": row.created_at, "paused_at": row.paused_at,
        "resumed_at": row.resumed_at, "started_at": row.started_at,
        "finished_at": row.finished_at,
    })
}

fn attempt_told(row: attempt::Model) -> Value {
    json!({
        "at": row.at, "provider": row.provider, "kind": row.kind, "auth_mode": row.auth_mode,
        "failure_code": row.failure_code, "failure_detail": row.failure_detail,
        "recovery": row.recovery, "recovered": row.recovered, "attempts": row.attempts,
        "time_to_success_ms": row.time_to_success_ms,
        "time_to_detect_ms": row.time_to_detect_ms,
    })
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
