//! The outbox: from events to answered messages.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::json;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};
use tokio::{sync::Semaphore, task::JoinHandle};
use url::Url;

use super::webhooks::MOST;
use crate::{
    Error, Hub, Result,
    dialect::retry_at,
    outbound::Request,
    secret::Secret,
    store::{EventId, Reach, WebhookId, delivery, delivery::State, event, webhook},
};

/// How long a message is tried before it is given up.
pub const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// How long after one try the next comes; the last repeats.
const WAITS: [TimeDelta; 7] = [
    TimeDelta::seconds(5),
    TimeDelta::seconds(30),
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::minutes(30),
    TimeDelta::hours(1),
    TimeDelta::hours(3),
];
/// The longest wait a receiver may ask for.
const LONGEST_WISH: TimeDelta = TimeDelta::hours(6);
/// As often in a row a receiver may refuse before it is left alone for a
/// while: it has other trouble than one message.
const REFUSALS: i32 = 5;
/// The longest it is left alone.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// How long one try may take; after it, another process may try.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// What is noted when a tenant's history is gone before it was told.
const DELETED: &str = "event_deleted";
/// How many messages to one webhook are under way at once, and how many are looked
/// at.
const PARALLEL: usize = 4;
const BATCH: u64 = 64;
/// How many are under way to all webhooks: more than one tenant can have.
const PARALLEL_IN_ALL: usize = 2 * MOST * PARALLEL;
/// How many events are queued in one transaction.
const EVENTS: u64 = 500;
/// How long ended deliveries are kept to be looked at.
pub(crate) const KEPT: TimeDelta = TimeDelta::days(7);

/// What one process needs to tell webhooks.
pub struct Teller {
    /// Those that are being told.
    under_way: Mutex<HashSet<WebhookId>>,
    places: Semaphore,
}

impl Default for Teller {
    fn default() -> Self {
        Self {
            under_way: Mutex::default(),
            places: Semaphore::new(PARALLEL_IN_ALL),
        }
    }
}

/// The turn of one webhook, in this process; another process may have it, too.
struct Turn {
    hub: Hub,
    id: WebhookId,
}

impl Turn {
    /// None while somebody has it.
    fn take(hub: &Hub, id: WebhookId) -> Option<Self> {
        let under_way = hub.teller.under_way.lock();
        let is_free = under_way.unwrap_or_else(PoisonError::into_inner).insert(id);
        is_free.then(|| Self {
            hub: hub.clone(),
            id,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let under_way = self.hub.teller.under_way.lock();
        under_way
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// What a receiver said.
pub(super) struct Answered {
    /// None when nothing was answered.
    pub status: Option<u16>,
    /// None when it was taken.
    pub problem: Option<String>,
    /// How long it wants to be left alone.
    pub wish: Option<TimeDelta>,
}

impl Hub {
    /// One round of the background: queues new events, and has each webhook for
    /// which something is due told by itself, so that none waits for the receiver
    /// of another. What is being told from here already is left to that.
    ///
    /// # Errors
    /// Only when the database does not answer; what a receiver does is an
    /// outcome that is stored.
    pub async fn begin_telling(&self) -> Result<Vec<JoinHandle<Result<usize>>>> {
        for webhook in webhook::behind(self.store.db()).await? {
            self.queue_events(webhook).await?;
        }
        let mut begun = Vec::new();
        for id in delivery::webhooks_due(self.store.db(), self.clock.now()).await? {
            let Some(turn) = Turn::take(self, id) else {
                continue;
            };
            // Whose it is, is known once it is read.
            begun.push(self.keeper.tasks.spawn(Reach::every().around(async move {
                let told = turn.hub.tell_webhook(id).await;
                if let Err(error) = &told {
                    tracing::error!(webhook.id = %id, %error, "a webhook could not be told now");
                }
                told
            })));
        }
        Ok(begun)
    }

    /// The same, and waits for what it has begun. Answers how many messages were
    /// sent.
    ///
    /// # Errors
    /// As with [`Hub::begin_telling`].
    pub async fn tell_webhooks(&self) -> Result<usize> {
        let mut sent = 0;
        for told in self.begin_telling().await? {
            sent += told
                .await
                .map_err(|_| Error::Conflict("telling was interrupted"))??;
        }
        Ok(sent)
    }

    /// Sends everything that is due to one webhook.
    async fn tell_webhook(&self, id: WebhookId) -> Result<usize> {
        let mut sent = 0;
        loop {
            let now = self.clock.now();
            let due = delivery::due(self.store.db(), id, now, BATCH).await?;
            let found = due.len();
            let round = futures::stream::iter(due)
                .map(|row| self.deliver(row))
                .buffer_unordered(PARALLEL)
                .collect::<Vec<_>>();
            let mut delivered = 0;
            for outcome in round.await {
                delivered += usize::from(outcome?);
            }
            sent += delivered;
            // Somebody else has what is left.
            if found == 0 || delivered == 0 {
                return Ok(sent);
            }
        }
    }

    /// From a tenant's events to one webhook's queue. The place in the events
    /// moves in the same transaction: nothing is left out, or queued twice.
    async fn queue_events(&self, mut webhook: webhook::Model) -> Result<()> {
        loop {
            let now = self.clock.now();
            let transaction = self.store.begin().await?;
            let (tenant, after) = (webhook.tenant_id, webhook.told_seq);
            let events = event::after(&transaction, tenant, after, EVENTS).await?;
            let Some(last) = events.last().map(|event| event.seq) else {
                return Ok(());
            };
            if !webhook::told(&transaction, webhook.id, after, last).await? {
                return Ok(());
            }
            let count = events.len() as u64;
            let wanted = events
                .into_iter()
                .filter(|event| event.kind.is_told() && webhook.wants(event.kind));
            let rows = wanted.map(|event| delivery::Model {
                webhook_id: webhook.id,
                seq: event.seq,
                tenant_id: tenant,
                connection_id: event.connection_id,
                state: State::Waiting,
                tries: 0,
                next_try_at: now,
                first_try_at: None,
                ended_at: None,
                status: None,
                problem: None,
            });
            delivery::queue(&transaction, rows.collect()).await?;
            transaction.commit().await?;
            webhook.told_seq = last;
            if count < EVENTS {
                return Ok(());
            }
        }
    }

    /// Sends one message, unless somebody else took it.
    async fn deliver(&self, row: delivery::Model) -> Result<bool> {
        let db = self.store.db();
        let _place = self.teller.places.acquire().await;
        let now = self.clock.now();
        if !delivery::claim(db, &row, now, now + LEASE).await? {
            return Ok(false);
        }
        let Some(webhook) = webhook::of_tenant(db, row.tenant_id, row.webhook_id).await? else {
            return Ok(false);
        };
        let event = event::numbered(db, row.tenant_id, row.seq).await?;
        let Some(message) = self.messages(row.tenant_id, event).await?.pop() else {
            // Its tenant's history was deleted: there is nothing to tell.
            let gone = Answered {
                status: None,
                problem: Some(DELETED.into()),
                wish: None,
            };
            self.note(webhook, row, gone).await?;
            return Ok(true);
        };
        let body = serde_json::to_vec(&message).map_err(|_| Error::Conflict("not JSON"))?;
        let answered = self.post(&webhook, message.data.event_id, body).await?;
        self.note(webhook, row, answered).await?;
        Ok(true)
    }

    pub(super) async fn send_test(&self, webhook: webhook::Model) -> Result<Answered> {
        let body = json!({
            "type": "webhook.test",
            "timestamp": self.clock.now(),
            "data": {},
        });
        let body = body.to_string().into_bytes();
        let answered = self.post(&webhook, EventId::new(), body).await?;
        self.note_of(&webhook, &answered).await?;
        if answered.problem.is_none() {
            // Somebody has seen that it takes messages: no need to wait longer.
            webhook::wake(self.store.db(), webhook.id).await?;
        }
        Ok(answered)
    }

    /// Signs and posts; whatever comes of it is an answer.
    async fn post(&self, webhook: &webhook::Model, id: EventId, body: Vec<u8>) -> Result<Answered> {
        let now = self.clock.now();
        let id = format!("msg_{}", id.0.simple());
        let secrets = self.secrets_of(webhook, now).await?;
        let headers = signed(&secrets, &id, now, &body)?;
        let Ok(url) = Url::parse(&webhook.url) else {
            return Err(Error::Conflict("a stored address is none"));
        };
        // It is the status that says whether a message was taken, whatever comes
        // after it.
        let sent = self.outbound.send_unread(Request {
            method: Method::POST,
            url,
            headers,
            body: Some(body),
        });
        Ok(match sent.await {
            Ok((status, _)) if status.is_success() => Answered {
                status: Some(status.as_u16()),
                problem: None,
                wish: None,
            },
            Ok((status, headers)) => Answered {
                status: Some(status.as_u16()),
                problem: Some(format!("answered_{}", status.as_u16())),
                wish: retry_at(&headers, now).map(|at| (at - now).clamp(WAITS[0], LONGEST_WISH)),
            },
            Err(error) => Answered {
                status: None,
                problem: Some(error.failure().detail),
                wish: None,
            },
        })
    }

    /// Writes down how a try went, on the delivery and on its webhook.
    async fn note(
        &self,
        webhook: webhook::Model,
        row: delivery::Model,
        answered: Answered,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut change = row.clone().into_active_model();
        change.status = Set(answered.status.map(i32::from));
        change.problem = Set(answered.problem.clone());
        match &answered.problem {
            None => {
                change.state = Set(State::Delivered);
                change.ended_at = Set(Some(now));
            }
            Some(problem) => {
                let tries = row.tries + 1;
                let next = now + answered.wish.unwrap_or_else(|| wait(tries));
                let began = row.first_try_at.unwrap_or(now);
                if next - began > PATIENCE || problem == DELETED {
                    change.state = Set(State::GivenUp);
                    change.ended_at = Set(Some(now));
                } else {
                    change.next_try_at = Set(next);
                }
                tracing::info!(
                    webhook.id = %webhook.id, event.seq = row.seq, tries, problem = %problem,
                    "a webhook did not take a message"
                );
            }
        }
        // A crash between the two costs a count and nothing else.
        change.update(self.store.db()).await?;
        self.note_of(&webhook, &answered).await
    }

    /// Writes down what a try says about the webhook as a whole.
    async fn note_of(&self, webhook: &webhook::Model, answered: &Answered) -> Result<()> {
        let (db, now) = (self.store.db(), self.clock.now());
        let Some(problem) = &answered.problem else {
            return Ok(webhook::took(db, webhook.id, now).await?);
        };
        let Some(row) = webhook::refused(db, webhook.id, problem, now).await? else {
            return Ok(());
        };
        // The longer it lasts the less often is it asked.
        let lasted = now - row.failed_at.unwrap_or(now);
        let pause =
            (row.failures >= REFUSALS).then(|| now + (lasted / 4).clamp(WAITS[0], LONGEST_PAUSE));
        // Who has too much to do, or rests, means everything and not this message.
        let status = answered
            .status
            .and_then(|status| StatusCode::from_u16(status).ok());
        let is_busy = matches!(
            status,
            Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        );
        let wish = answered.wish.filter(|_| is_busy).map(|wish| now + wish);
        let pause = pause.max(wish);
        let is_gone = status == Some(StatusCode::GONE);
        if pause.is_some() || is_gone {
            webhook::rest(db, webhook.id, pause, is_gone.then_some(now)).await?;
        }
        Ok(())
    }
}

/// How long to wait after so many tries.
fn wait(tries: i32) -> TimeDelta {
    let at = usize::try_from(tries - 1).unwrap_or_default();
    WAITS[at.min(WAITS.len() - 1)]
}

/// The headers of the scheme, with one signature for each secret.
fn signed(secrets: &[Secret], id: &str, now: DateTime<Utc>, body: &[u8]) -> Result<HeaderMap> {
    let at = now.timestamp();
    let signatures: Result<Vec<String>> = secrets
        .iter()
        .map(|secret| {
            let signs = Webhook::new(secret.expose());
            signs
                .and_then(|signs| signs.sign(id, at, body))
                .map_err(|_| Error::Conflict("a stored secret does not sign"))
        })
        .collect();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for (name, value) in [
        (HEADER_WEBHOOK_ID, id.to_owned()),
        (HEADER_WEBHOOK_TIMESTAMP, at.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signatures?.join(" ")),
    ] {
        let value = HeaderValue::try_from(value).map_err(|_| Error::Conflict("not a header"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the scheme's reference implementations.
    #[test]
    fn row_54_the_published_example_is_signed_alike() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let headers = signed(&[secret], id, at, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(headers["webhook-id"], id);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn waits_grow_and_end_within_a_day() {
        let mut passed = TimeDelta::zero();
        let mut tries = 0;
        while passed <= PATIENCE {
            tries += 1;
            assert!(tries == 1 || wait(tries) >= wait(tries - 1));
            passed += wait(tries);
        }
        assert!((10..20).contains(&tries), "{tries}");
    }
}
