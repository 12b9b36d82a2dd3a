//! Which addresses are told, of what, and signed with which secret.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use url::Url;

use super::deliver::Answered;
use crate::{
    Error, Hub, Result,
    people::{Action, Member},
    record::{Deed, Entry},
    secret::Secret,
    store::{
        TenantId, WebhookId, delivery,
        event::{self, Kind},
        tenant, webhook,
    },
    vault::Place,
};

/// What every secret begins with, by the scheme.
const PREFIX: &str = "whsec_";
/// 256 bits; the scheme asks for 192 to 512.
const SECRET_BYTES: usize = 32;
/// How long messages carry the signature of the secret before, too.
const BOTH_SIGN: TimeDelta = TimeDelta::hours(24);
const TWO_SIGN: &str = "The secret was replaced less than a day ago, and the one before it is still good. Wait until that day is over, or remove this webhook and add it anew";
/// The longest address, in bytes.
const LONGEST_URL: usize = 2_000;
/// The most webhooks a tenant has.
pub(super) const MOST: usize = 20;

/// What a new webhook is made from.
pub struct NewWebhook<'a> {
    /// Where messages are posted.
    pub url: &'a str,
    /// What it is told of; empty means everything, also what is invented later.
    pub kinds: &'a [Kind],
}

/// A webhook and how it fares.
pub struct Watched {
    /// The row.
    pub webhook: webhook::Model,
    /// How many messages are on their way.
    pub waiting: u64,
    /// How many were given up.
    pub given_up: u64,
}

/// How a test message fared.
pub struct TestMessage {
    /// The status it was answered with; none when nothing was answered.
    pub status: Option<u16>,
    /// Why it was not taken, as a word; none when it was.
    pub problem: Option<String>,
}

impl Hub {
    /// Adds a webhook, told of everything from now on. The answered secret is
    /// shown once.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for `url`.
    pub async fn add_webhook(
        &self,
        member: &Member,
        new: NewWebhook<'_>,
    ) -> Result<(webhook::Model, Secret)> {
        member.may(Action::RevealWebhookSecret)?;
        let url = self.webhook_url(new.url)?;
        let tenant = member.tenant();
        let there = webhook::all_of_tenant(self.store.db(), tenant).await?;
        if there.len() >= MOST {
            return Err(Error::invalid(
                "url",
                "You have twenty webhooks already. Remove one first",
            ));
        }
        if there.iter().any(|webhook| webhook.url == url.as_str()) {
            return Err(Error::invalid("url", "This address is told already"));
        }
        let id = WebhookId::new();
        let secret = fresh_secret()?;
        let sealed = self.vault.seal(place(tenant, id, 1), &secret).await?;
        let kinds: Vec<String> = Kind::told()
            .filter(|kind| new.kinds.contains(kind))
            .map(event::name)
            .collect();
        let ledger = self.ledger(tenant).await?;
        let transaction = self.store.begin().await?;
        let row = webhook::Model {
            id,
            tenant_id: tenant,
            url: url.into(),
            kinds: kinds.join(" "),
            secret_sealed: sealed,
            previous_sealed: None,
            previous_until: None,
            version: 1,
            told_seq: tenant::event_seq(&transaction, tenant).await?,
            failures: 0,
            paused_until: None,
            last_ok_at: None,
            problem: None,
            failed_at: None,
            ended_at: None,
            created_by: Some(member.person()),
            created_at: self.clock.now(),
        };
        webhook::insert(&transaction, row.clone()).await?;
        let entry = Entry::new(member, Deed::WebhookAdded).on(id);
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        Ok((row, secret))
    }

    /// The tenant's webhooks, oldest first. Two statements.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn webhooks(&self, member: &Member) -> Result<Vec<Watched>> {
        member.may(Action::ManageWebhooks)?;
        let rows = webhook::all_of_tenant(self.store.db(), member.tenant()).await?;
        let counts = delivery::counts(self.store.db(), member.tenant()).await?;
        let count = |id: WebhookId, state: delivery::State| {
            let found = counts.iter().find(|(of, is, _)| *of == id && *is == state);
            found.map_or(0, |(_, _, n)| u64::try_from(*n).unwrap_or_default())
        };
        Ok(rows
            .into_iter()
            .map(|webhook| Watched {
                waiting: count(webhook.id, delivery::State::Waiting),
                given_up: count(webhook.id, delivery::State::GivenUp),
                webhook,
            })
            .collect())
    }

    /// Makes a new secret. For a day messages carry the signatures of both, and
    /// until then there is no third: the receiver may still have the first.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] within that
    /// day.
    pub async fn rotate_webhook_secret(
        &self,
        member: &Member,
        id: WebhookId,
    ) -> Result<(webhook::Model, Secret)> {
        member.may(Action::RevealWebhookSecret)?;
        let row = self.webhook(member, id).await?;
        let now = self.clock.now();
        if row.previous_until.is_some_and(|until| now < until) {
            return Err(Error::invalid("", TWO_SIGN));
        }
        let secret = fresh_secret()?;
        let version = row.version + 1;
        let sealed = place(row.tenant_id, id, version);
        let change = webhook::ActiveModel {
            secret_sealed: Set(self.vault.seal(sealed, &secret).await?),
            previous_sealed: Set(Some(row.secret_sealed.clone())),
            previous_until: Set(Some(now + BOTH_SIGN)),
            version: Set(version),
            ..Default::default()
        };
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        // Of two at once one is made, or the other's would be lost.
        let row = webhook::replace_secret(&transaction, &row, change)
            .await?
            .ok_or_else(|| Error::invalid("", TWO_SIGN))?;
        let entry = Entry::new(member, Deed::WebhookSecretRotated).on(id);
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        Ok((row, secret))
    }

    /// Takes a webhook away, with what waits for it.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn remove_webhook(&self, member: &Member, id: WebhookId) -> Result<()> {
        member.may(Action::ManageWebhooks)?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        if !webhook::delete(&transaction, member.tenant(), id).await? {
            return Err(Error::NotFound);
        }
        let entry = Entry::new(member, Deed::WebhookRemoved).on(id);
        ledger.append(&transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// Sends a message that tells nothing, once, and answers how that went.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn test_webhook(&self, member: &Member, id: WebhookId) -> Result<TestMessage> {
        let row = self.webhook(member, id).await?;
        let entry = Entry::new(member, Deed::WebhookTested).on(id);
        self.record(member.tenant(), entry).await?;
        let Answered {
            status, problem, ..
        } = self.send_test(row).await?;
        Ok(TestMessage { status, problem })
    }

    /// Sends once more what was given up, also after it had said that it is
    /// gone; answers how many messages that are.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn revive_webhook(&self, member: &Member, id: WebhookId) -> Result<u64> {
        let row = self.webhook(member, id).await?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        let mut change = row.into_active_model();
        change.ended_at = Set(None);
        change.failures = Set(0);
        change.paused_until = Set(None);
        change.update(&transaction).await?;
        let revived = delivery::revive(&transaction, id, self.clock.now()).await?;
        let entry = Entry::new(member, Deed::WebhookRevived).on(id);
        ledger.append(&transaction, entry).await?;
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(revived)
    }

    /// Tells everything after event number `after` once more, in order.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] for
    /// `after` when there was no such event yet.
    pub async fn replay_webhook(&self, member: &Member, id: WebhookId, after: i64) -> Result<()> {
        let row = self.webhook(member, id).await?;
        let ledger = self.ledger(member.tenant()).await?;
        let transaction = self.store.begin().await?;
        let newest = tenant::event_seq(&transaction, member.tenant()).await?;
        if !(0..=newest).contains(&after) {
            let range = format!("Enter a number from 0 to {newest}");
            return Err(Error::invalid("after", range));
        }
        delivery::forget_after(&transaction, id, after).await?;
        let mut change = row.into_active_model();
        change.told_seq = Set(after);
        change.ended_at = Set(None);
        change.failures = Set(0);
        change.paused_until = Set(None);
        change.update(&transaction).await?;
        let entry = Entry::new(member, Deed::WebhookReplayed).on(id);
        ledger
            .append(&transaction, entry.saying(format!("after {after}")))
            .await?;
        transaction.commit().await?;
        self.changes.nudge(member.tenant());
        Ok(())
    }

    async fn webhook(&self, member: &Member, id: WebhookId) -> Result<webhook::Model> {
        member.may(Action::ManageWebhooks)?;
        webhook::of_tenant(self.store.db(), member.tenant(), id)
            .await?
            .ok_or(Error::NotFound)
    }

    /// An address that may be told. Whether it leads to where it must not is
    /// seen at the moment of connecting.
    fn webhook_url(&self, typed: &str) -> Result<Url> {
        let typed = typed.trim();
        let example = "Enter an address, like https://example.com/hooks/linkwell";
        let url = Url::parse(typed).map_err(|_| Error::invalid("url", example))?;
        let sound = url.has_host() && url.username().is_empty() && url.password().is_none();
        if !sound || url.fragment().is_some() || url.as_str().len() > LONGEST_URL {
            return Err(Error::invalid("url", example));
        }
        match url.scheme() {
            "https" => Ok(url),
            // Inside one machine or network, where the operator says so.
            "http" if self.outbound.may_speak_to(&url) => Ok(url),
            _ => Err(Error::invalid(
                "url",
                "Enter an address that begins with https://",
            )),
        }
    }

    /// The secrets that messages are signed with at `now`, the newest first.
    pub(super) async fn secrets_of(
        &self,
        row: &webhook::Model,
        now: DateTime<Utc>,
    ) -> Result<Vec<Secret>> {
        let at = |version| place(row.tenant_id, row.id, version);
        let mut secrets = vec![self.vault.open(at(row.version), &row.secret_sealed).await?];
        if let (Some(sealed), Some(until)) = (&row.previous_sealed, row.previous_until)
            && now < until
        {
            secrets.push(self.vault.open(at(row.version - 1), sealed).await?);
        }
        Ok(secrets)
    }
}

fn place(tenant: TenantId, id: WebhookId, version: i64) -> Place<'static> {
    Place {
        tenant,
        subject: id.0,
        field: "webhook".into(),
        version,
    }
}

fn fresh_secret() -> Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(bytes.as_mut()).map_err(|_| Error::Conflict("no randomness"))?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}
