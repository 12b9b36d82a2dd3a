//! Connecting with what a person enters: a key, two halves of one, a user and
//! a password. It is tested before it is kept.

use std::collections::BTreeMap;

use super::{
    prepare::read_variables,
    save::{Account, Connected},
};
use crate::{
    Error, FieldProblem, Result,
    catalog::{Provider, SignIn, Variables},
    dialect::{Entered, Grant, Identity, ProviderApp, RefreshAnswer},
    failure::{Failure, FailureCode},
    hub::Hub,
    people::By,
    secret::Secret,
    store::{ConnectionId, connection},
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
}

/// What a test of entered credentials found.
pub struct Tested {
    /// The account they open.
    pub account: Identity,
    /// What they may be used for; none when the provider does not say.
    pub scopes: Option<Vec<String>>,
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
        let proven = self.prove(by.into(), provider, typed).await?;
        Ok(Tested {
            account: proven.identity,
            scopes: proven.connected.scopes_granted,
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
        let Proven {
            connected,
            identity,
            existing,
        } = self.prove(by.into(), provider, typed).await?;
        self.save(connected, Account::Named(identity), existing)
            .await
    }

    async fn prove(&self, by: By<'_>, provider: &str, typed: Typed) -> Result<Proven<'_>> {
        by.may_connect()?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        if provider.sign_in() != SignIn::Key || provider.service.is_some() {
            return Err(Error::NotFound);
        }
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
        let grant = self.grant_of(provider, &variables, &entered).await?;
        let identity = self
            .dialect
            .identify(
                provider,
                &Variables::new(),
                &variables,
                &grant.access_token,
                grant.account.as_ref(),
            )
            .await?;
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
            person: by.person(),
            provider,
            variables,
            scopes_asked: provider.default_scopes(),
            scopes_granted: grant.scopes.clone().or(identity.granted_scopes.clone()),
            grant,
        };
        connected.variables.extend(identity.variables.clone());
        Ok(Proven {
            connected,
            identity,
            existing,
        })
    }

    /// What calls will carry: what was entered, or a token made from it.
    async fn grant_of(
        &self,
        provider: &Provider,
        variables: &Variables,
        entered: &Entered,
    ) -> Result<Grant> {
        if provider.carries_fields() {
            return Ok(Grant::of_token(&entered.to_stored()));
        }
        let nobody = ProviderApp {
            client_id: String::new(),
            client_secret: Secret::new(""),
            settings: Variables::new(),
        };
        match self
            .dialect
            .mint(provider, &nobody, variables, Some(entered))
            .await
        {
            RefreshAnswer::Renewed(grant) => Ok(Grant {
                // What the next token is made from.
                refresh_token: Some(entered.to_stored()),
                ..grant
            }),
            RefreshAnswer::Refused(failure)
            | RefreshAnswer::NotSent(failure)
            | RefreshAnswer::Unclear(failure)
            | RefreshAnswer::Later(failure) => Err(failure.into()),
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
