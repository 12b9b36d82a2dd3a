//! Connecting with what a person enters: a key, two halves of one, a user and
//! a password. It is tested before it is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    prepare::read_variables,
    rejections::stopped,
    save::{Account, Connected},
};
use crate::{
    Error, FieldProblem, Result,
    catalog::{Provider, SignIn, Variables},
    dialect::{Entered, Identity, Trial, Watch},
    failure::{Failure, FailureCode},
    hub::Hub,
    people::{By, Wanted},
    secret::Secret,
    store::{ConnectionId, TenantId, connection},
};

/// What a person typed into the form of a provider.
#[derive(Default)]
pub struct Typed {
    /// Answers to the entry's questions, by name.
    pub variables: BTreeMap<String, String>,
    /// What was entered into its fields, by name.
    pub fields: BTreeMap<String, Secret>,
    /// The connection that gets new keys; none makes a new one.
    pub connection: Option<ConnectionId>,
    /// When somebody began to enter it; none where it comes all at once.
    pub begun_at: Option<DateTime<Utc>>,
}

/// What a test of entered credentials found.
pub struct Tested {
    /// The account they open.
    pub account: Identity,
    /// What they may be used for; none when the provider does not say.
    pub scopes: Option<Vec<String>>,
    /// What they open, where keys tell: `test`, `live`.
    pub environment: Option<String>,
}

/// Entered credentials that work, before they are kept.
struct Proven<'a> {
    connected: Connected<'a>,
    identity: Identity,
    existing: Option<connection::Model>,
}

impl Hub {
    /// Tests what was entered, and keeps nothing of it.
    ///
    /// # Errors
    /// As [`Hub::enter`].
    pub async fn test(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        typed: Typed,
    ) -> Result<Tested> {
        let proven = self.prove(by.into(), provider, typed, &|_| {}).await?;
        Ok(Tested {
            account: proven.identity,
            scopes: proven.connected.scopes_granted,
            environment: proven.connected.environment,
        })
    }

    /// Tests what was entered and keeps it when it works.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what does not look right, before anything is
    /// sent; [`Error::Failed`] with what the provider said. Nothing is kept then.
    pub async fn enter(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        typed: Typed,
    ) -> Result<ConnectionId> {
        self.enter_watched(by, provider, typed, &|_| {}).await
    }

    /// [`Hub::enter`], telling `watch` of every step of the trial.
    ///
    /// # Errors
    /// As [`Hub::enter`].
    pub async fn enter_watched(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        typed: Typed,
        watch: Watch<'_>,
    ) -> Result<ConnectionId> {
        let by = by.into();
        let repairs = typed.connection.is_some();
        let begun = typed.begun_at.unwrap_or(self.clock.now());
        let proven = self.prove(by, provider, typed, watch).await;
        let note =
            |failure| self.attempt_of_entering(by.tenant(), provider, repairs, begun, failure);
        let Proven {
            connected,
            identity,
            existing,
        } = match proven {
            Err(Error::Failed(failure)) => {
                note(Some((*failure).clone())).await?;
                return Err(Error::Failed(failure));
            }
            proven => proven?,
        };
        let id = self
            .save(&connected, Account::Named(identity), existing)
            .await?;
        note(None).await?;
        Ok(id)
    }

    async fn prove(
        &self,
        by: By<'_>,
        provider: &str,
        typed: Typed,
        watch: Watch<'_>,
    ) -> Result<Proven<'_>> {
        by.may_connect_to(provider, typed.connection)?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        if !matches!(provider.sign_in(), SignIn::Key | SignIn::Database) {
            return Err(Error::NotFound);
        }
        self.limits.want(by.tenant(), Wanted::Test)?;
        let existing = self.existing(by, provider, typed.connection).await?;
        let variables = read_variables(provider, &typed.variables, existing.as_ref());
        let entered = read_fields(provider, typed.fields);
        let (variables, entered) = match (variables, entered) {
            (Ok(variables), Ok(entered)) => (variables, entered),
            (variables, entered) => {
                let problems = [variables.err(), entered.err()];
                return Err(Error::Invalid(
                    problems.into_iter().flatten().flatten().collect(),
                ));
            }
        };
        let trial = self.try_out(by.tenant(), provider, &variables, &entered, watch);
        let Trial {
            account: Some(identity),
            grant: Some(grant),
            granted,
            environment,
            ..
        } = trial.await?
        else {
            return Err(Failure::inferred(FailureCode::HubInternal, "trial_without_end").into());
        };
        if let Some(before) = existing.as_ref().and_then(|row| row.external_id.as_ref())
            // A fingerprint changes with the key; an account does not.
            && !provider.is_named_by_its_key()
            && *before != identity.id
        {
            let code = FailureCode::AccountOrTargetMismatch;
            return Err(Failure::told(code, "other_account")
                .with_text(&identity.label)
                .into());
        }
        let mut connected = Connected {
            tenant: by.tenant(),
            who: by.into(),
            link: by.link(),
            provider,
            variables,
            scopes_asked: provider.default_scopes(),
            scopes_granted: granted,
            grant,
            environment,
        };
        connected.variables.extend(identity.variables.clone());
        Ok(Proven {
            connected,
            identity,
            existing,
        })
    }

    /// Tries out what was entered, unless it was rejected too often already:
    /// providers lock accounts that somebody guesses at.
    async fn try_out(
        &self,
        tenant: TenantId,
        provider: &Provider,
        variables: &Variables,
        entered: &Entered,
        watch: Watch<'_>,
    ) -> Result<Trial> {
        let account = entered.account(provider, variables);
        let now = self.clock.now();
        if let Some(until) = self.rejections.stopped(tenant, &account, now) {
            return Err(stopped(until).into());
        }
        let settings = Variables::new();
        let trial = self
            .dialect
            .try_out(provider, &settings, variables, entered, watch)
            .await;
        let failure = trial.failure().cloned();
        let is_rejected = failure
            .as_ref()
            .is_some_and(|failure| failure.code == FailureCode::CredentialsRejected);
        let now = self.clock.now();
        match (is_rejected, &failure) {
            (true, _) => self.rejections.count(tenant, account, now),
            (false, None) => self.rejections.forget(tenant, &account),
            // A network that fails says nothing about the password.
            (false, Some(_)) => {}
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(trial),
        }
    }
}

/// What was entered, if all of it looks right.
fn read_fields(
    provider: &Provider,
    mut typed: BTreeMap<String, Secret>,
) -> std::result::Result<Entered, Vec<FieldProblem>> {
    let mut read = Vec::new();
    let mut problems = Vec::new();
    for field in &provider.fields {
        let value = typed.remove(&field.name).unwrap_or_else(|| Secret::new(""));
        match field.read(value.expose()) {
            Some(value) => read.push((field.name.clone(), Secret::new(value))),
            None if value.expose().trim().is_empty() => problems.push(FieldProblem {
                field: format!("field.{}", field.name),
                problem: format!("Enter the {}", field.label),
            }),
            None => problems.push(FieldProblem {
                field: format!("field.{}", field.name),
                problem: format!(
                    "This does not look like it: it should look like {}",
                    field.example
                ),
            }),
        }
    }
    match problems.is_empty() {
        true => Ok(Entered::new(read)),
        false => Err(problems),
    }
}
