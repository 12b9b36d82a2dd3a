//! A request that is sent twice is done once: idempotency keys.
//!
//! The answer is kept for [a day](idempotent_request::KEPT), sealed: it may
//! name accounts.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Hub, Result,
    people::{Authority, Host},
    secret::{Secret, digest},
    store::{ConnectionId, TenantId, idempotent_request as rows},
    vault::{Place, VaultError},
};

/// After this long a request that has no answer yet was interrupted, and the
/// next one with its key takes its place.
const INTERRUPTED: TimeDelta = TimeDelta::minutes(5);

/// What a request with an idempotency key finds.
pub enum Once {
    /// It is the first; its answer is to be told to [`Hub::end_once`].
    First(Ticket),
    /// It was done before, and answered like this.
    Done(Answered),
    /// It is being done.
    UnderWay,
    /// Another request had this key.
    OtherRequest,
}

/// The place of the answer of a request that is under way.
pub struct Ticket {
    tenant: TenantId,
    caller: Uuid,
    key_hash: Vec<u8>,
    started_at: DateTime<Utc>,
}

/// What a request was answered. It has no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Where what it made is.
    pub location: Option<String>,
    /// What the body is.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

impl Ticket {
    fn key(&self) -> rows::Key {
        (self.tenant, self.caller, self.key_hash.clone())
    }

    fn place(&self, part: &str) -> Place<'static> {
        let key: String = self
            .key_hash
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Place {
            tenant: self.tenant,
            subject: self.caller,
            field: format!("idempotent_request.{part}.{key}").into(),
            version: self.started_at.timestamp_micros(),
        }
    }
}

impl Hub {
    /// Begins a request with an idempotency key; `request` tells it from others
    /// with the same key.
    ///
    /// # Errors
    /// When the database or the vault fails.
    pub async fn begin_once(&self, host: &Host, key: &str, request: &Secret) -> Result<Once> {
        let now = self.clock.now();
        let mut ticket = Ticket {
            tenant: host.tenant(),
            caller: match host.authority() {
                Authority::Key(key) => key.0,
                Authority::Person(person, _) => person.0,
            },
            key_hash: digest(key),
            started_at: now,
        };
        let row = rows::Model {
            tenant_id: ticket.tenant,
            caller_id: ticket.caller,
            key_hash: ticket.key_hash.clone(),
            request_sealed: self.vault.seal(ticket.place("request"), request).await?,
            status: None,
            answer_sealed: None,
            started_at: now,
        };
        let db = self.store.db();
        if rows::begin(db, row.clone()).await? {
            return Ok(Once::First(ticket));
        }
        let Some(before) = rows::get(db, ticket.key()).await? else {
            return Ok(Once::UnderWay);
        };
        let is_over = before.started_at + rows::KEPT <= now
            || before.status.is_none() && before.started_at + INTERRUPTED <= now;
        if is_over {
            rows::forget(db, ticket.key(), before.started_at).await?;
            return Ok(match rows::begin(db, row).await? {
                true => Once::First(ticket),
                false => Once::UnderWay,
            });
        }
        ticket.started_at = before.started_at;
        let place = ticket.place("request");
        let known = self.vault.open(place, &before.request_sealed).await?;
        if known.expose() != request.expose() {
            return Ok(Once::OtherRequest);
        }
        let Some(sealed) = before.answer_sealed else {
            return Ok(Once::UnderWay);
        };
        let answered = self.vault.open(ticket.place("answer"), &sealed).await?;
        let answered = serde_json::from_str(answered.expose());
        Ok(Once::Done(answered.map_err(|_| VaultError::Unopenable)?))
    }

    /// Forgets the answers that name a connection: they may name its account, too,
    /// and are to be gone with it. They are sealed, so each is opened and looked at.
    pub(crate) async fn forget_answers(&self, tenant: TenantId, id: ConnectionId) -> Result<()> {
        let db = self.store.db();
        let name = id.to_string();
        for row in rows::answered(db, tenant).await? {
            let ticket = Ticket {
                tenant,
                caller: row.caller_id,
                key_hash: row.key_hash,
                started_at: row.started_at,
            };
            let sealed = row.answer_sealed.unwrap_or_default();
            // What does not open names nobody, and is of no use to anybody.
            let is_about = match self.vault.open(ticket.place("answer"), &sealed).await {
                Ok(answer) => answer.expose().contains(&name),
                Err(VaultError::Unopenable) => true,
                Err(error) => return Err(error.into()),
            };
            if is_about {
                rows::forget(db, ticket.key(), ticket.started_at).await?;
            }
        }
        Ok(())
    }

    /// Keeps the answer of a request; with none it may be tried again.
    ///
    /// # Errors
    /// When the database or the vault fails.
    pub async fn end_once(&self, ticket: Ticket, answered: Option<Answered>) -> Result<()> {
        let db = self.store.db();
        let Some(answered) = answered else {
            return Ok(rows::forget(db, ticket.key(), ticket.started_at).await?);
        };
        let status = i16::try_from(answered.status).unwrap_or_default();
        let text = serde_json::to_string(&answered).expect("plain data is always JSON");
        let sealed = self
            .vault
            .seal(ticket.place("answer"), &Secret::new(text))
            .await?;
        Ok(rows::finish(db, ticket.key(), status, sealed).await?)
    }
}
