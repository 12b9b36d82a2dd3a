//! What stops a run: its connection, or a policy.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::{Value, json};

use super::policies::Denied;
use crate::{
    Result,
    catalog::SignIn,
    connect::Listed,
    failure::{Failure, FailureCode},
    hub::Hub,
    keep::health::{Status, leaves_token_usable},
    prompt::{Cause, During, Prompt, Subject},
    store::{TenantId, run, switched_off, words},
};

/// The detail of a failure that names the scopes a run lacks.
pub(crate) const NEEDED_BY_RUN: &str = "needed_by_run";
/// The detail of a connection that a person lets rest.
const RESTING: &str = "resting";
/// The detail of a failure where a person ended the connection.
pub(crate) const DISCONNECTED: &str = "disconnected";
/// The detail of a failure where a policy stops a run and says nothing more
/// exact, or says it in words of its own.
pub(crate) const RULE: &str = "policy";
/// The detail of a failure where a policy could not be evaluated.
pub(super) const POLICY_FAILED: &str = "policy_failed";
/// The details of a policy's denials that are said better than that a rule
/// stops it.
const SAID_BETTER: [&str; 3] = [NEEDED_BY_RUN, "not_verified", POLICY_FAILED];

/// What stops a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Why.
    pub failure: Failure,
    /// The policy, where one does.
    pub policy: Option<String>,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            policy: None,
        }
    }
}

impl From<Denied> for Stop {
    fn from(Denied { policy, failure }: Denied) -> Self {
        Self {
            failure,
            policy: Some(policy),
        }
    }
}

impl Stop {
    /// That a person lets the connection rest.
    pub fn resting() -> Self {
        Failure::told(FailureCode::AdminApprovalRequired, RESTING).into()
    }

    /// Whether it does not pass by itself.
    pub fn needs_person(&self) -> bool {
        !self.failure.code.is_transient()
    }

    /// Whether it is another reason than the one a run is paused for. What passes
    /// by itself changes its details from look to look, and is one reason.
    pub fn is_news_to(&self, row: &run::Model) -> bool {
        let Some(before) = &row.failure else {
            return true;
        };
        before.code != self.failure.code
            || row.policy != self.policy
            || (self.needs_person() && before.detail != self.failure.detail)
    }
}

/// The scopes that a failure says are needed.
pub(crate) fn needed_by(failure: &Failure) -> Vec<String> {
    let text = failure.provider_text.as_deref();
    let needed = text.filter(|_| failure.detail == NEEDED_BY_RUN);
    words(needed.unwrap_or_default())
}

/// That automations need `scopes`.
pub(crate) fn needs(scopes: &[String]) -> Failure {
    needing(
        Failure::told(FailureCode::PermissionMissing, NEEDED_BY_RUN),
        scopes,
    )
}

/// The same failure, naming each of `scopes`: none of them is cut off, as the
/// words of a provider are.
fn needing(failure: Failure, scopes: &[String]) -> Failure {
    Failure {
        provider_text: (!scopes.is_empty()).then(|| scopes.join(" ")),
        ..failure
    }
}

impl Hub {
    /// What stops a run now, as far as it is known without asking the provider.
    pub(super) async fn stops(&self, listed: &Listed, row: &run::Model) -> Result<Option<Stop>> {
        let now = self.clock.now();
        if let Some(stop) = broken(listed, now) {
            return Ok(Some(stop));
        }
        let off = self.policies_off(row.tenant_id).await?;
        let input = self.policy_input(listed, row, now);
        let policies = self.policies.clone();
        // It computes: up to 25 ms for each, which others must not wait for.
        let decided = tokio::task::spawn_blocking(move || policies.decide(&input, &off)).await;
        Ok(match decided {
            Ok(denied) => denied.map(|mut denied| {
                // Which ones, so that what is shown can name them.
                if denied.failure.detail == NEEDED_BY_RUN {
                    let missing = self.missing_for(listed, &row.scopes_needed);
                    denied.failure = needing(denied.failure, &missing);
                }
                Stop::from(denied)
            }),
            Err(error) => {
                tracing::error!(%error, "policies could not be evaluated, which denies");
                let code = FailureCode::AppConfigInvalid;
                Some(Failure::told(code, POLICY_FAILED).into())
            }
        })
    }

    /// What the tenant has switched off.
    pub(super) async fn policies_off(&self, tenant: TenantId) -> Result<Vec<String>> {
        let off = switched_off::of_tenant(self.store.db(), tenant).await?;
        Ok(off.into_iter().map(|row| row.what).collect())
    }

    /// What policies see: nothing that names a person.
    fn policy_input(&self, listed: &Listed, row: &run::Model, now: DateTime<Utc>) -> Value {
        let connection = &listed.connection;
        let granted = connection.scopes_granted.as_deref().map(words);
        let needed = words(&row.scopes_needed);
        json!({
            "run": {
                "action": row.action,
                "writes": row.writes,
                "scopes_missing": self.missing_for(listed, &row.scopes_needed),
                "scopes_needed": needed,
                "correlation_id": row.correlation_id,
            },
            "connection": {
                "id": connection.id,
                "provider": connection.provider,
                "status": listed.health.status,
                "verified": connection.last_ok_at.is_some(),
                "environment": connection.environment,
                "scopes_granted": granted,
                "created_at": connection.created_at.timestamp(),
            },
            "tenant": row.tenant_id,
            "key": row.api_key_id,
            "now": {
                "unix": now.timestamp(),
                "hour": now.hour(),
                "weekday": weekday(now),
            },
        })
    }

    /// Why a run is paused or failed, in words. What its connection fails of is
    /// said as of the connection itself, which is `listed` as far as it is still
    /// there.
    pub fn run_prompt(&self, row: &run::Model, listed: Option<&Listed>) -> Option<Prompt> {
        let failure = row.failure.as_ref()?;
        if let Some(listed) = listed.filter(|_| row.status == run::Status::Paused)
            && let Some(Cause::Failure(wrong)) = self.told_of(listed).map(|told| told.cause)
            && wrong.code == failure.code
            && row.policy.is_none()
        {
            return Some(self.told_on(listed, failure).prompt);
        }
        let missing = self.catalog.meanings(&row.provider, &needed_by(failure));
        let ended = listed.and_then(|one| one.connection.disconnected_at);
        let ended = ended.filter(|_| failure.detail == DISCONNECTED);
        let subject = Subject {
            provider_name: self.catalog.name_of(&row.provider),
            account: listed.map(|one| one.connection.name()),
            at: ended.or(row.paused_at).unwrap_or(row.created_at),
            during: During::Keeping,
            missing: &missing,
            is_operators_app: false,
        };
        // What a rule says is its reason, whichever code it gave.
        let is_rule = row.policy.is_some() && !SAID_BETTER.contains(&failure.detail.as_str());
        Some(match is_rule {
            true => {
                let stopped = Failure {
                    detail: RULE.to_owned(),
                    ..failure.clone()
                };
                Prompt::of(&stopped, &subject)
            }
            false => Prompt::of(failure, &subject),
        })
    }

    /// The scopes that are needed, space-separated, and that a connection has
    /// not. Where a provider does not say what it granted, it granted what was
    /// asked for (RFC 6749, 5.1); of a key nobody knows what it opens.
    pub(super) fn missing_for(&self, listed: &Listed, needed: &str) -> Vec<String> {
        let connection = &listed.connection;
        let Some(provider) = self.catalog.get(&connection.provider) else {
            return Vec::new();
        };
        let asked = (provider.sign_in() == SignIn::OneClick).then_some(&connection.scopes_asked);
        match connection.scopes_granted.as_ref().or(asked) {
            Some(granted) => provider.missing_scopes(&words(needed), &words(granted)),
            None => Vec::new(),
        }
    }
}

/// Why the connection cannot be used, if it cannot.
fn broken(listed: &Listed, now: DateTime<Utc>) -> Option<Stop> {
    let Listed {
        connection, health, ..
    } = listed;
    if health.status == Status::Disconnected || connection.disconnected_at.is_some() {
        let code = FailureCode::GrantRevokedOrExpired;
        return Some(Failure::told(code, DISCONNECTED).into());
    }
    if connection.paused_at.is_some() {
        return Some(Stop::resting());
    }
    let failure = health.failure.clone()?;
    // The provider's trouble leaves a token that has not ended usable.
    let ended = health.expires_at.is_some_and(|end| end <= now);
    match leaves_token_usable(failure.code) && !ended {
        true => None,
        false => Some(failure.into()),
    }
}

fn weekday(now: DateTime<Utc>) -> &'static str {
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ][now.weekday().num_days_from_monday() as usize]
}
