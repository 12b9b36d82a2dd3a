//! What a hub method answers when it cannot do what was asked.
//!
//! No HTTP and no provider text in here. A provider's failure is an outcome
//! ([`crate::failure::Failure`]), carried as [`Error::Failed`] only where the
//! caller asked for exactly that thing.

use std::time::Duration;

use crate::{
    failure::Failure,
    store::{is_away, is_deadlock},
    vault::VaultError,
};

/// Why a hub method did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to another tenant: the two are
    /// not told apart.
    #[error("not found")]
    NotFound,
    /// The member's role, or the key's scopes, do not allow it.
    #[error("not allowed: needs {needs}")]
    Forbidden {
        /// The role or scope that would allow it.
        needs: &'static str,
    },
    /// The person may do it, and has not given their password for too long.
    #[error("needs a recent sign-in")]
    Unproven,
    /// What was typed cannot be accepted; nothing was changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldProblem>),
    /// It clashes with what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// A person lets the connection rest.
    #[error("the connection is paused")]
    Paused,
    /// E-mail address and password do not belong together.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too many tries; come back after this long.
    #[error("too many tries")]
    Throttled(Duration),
    /// The tenant does too much at once; come back after this long.
    #[error("{why}")]
    TooMuch {
        /// What it does too much of, in words for people.
        why: &'static str,
        /// How long to wait.
        wait: Duration,
    },
    /// The provider, or the connection, failed in a way that has a code.
    #[error("{}", .0.code.as_str())]
    Failed(Box<Failure>),
    /// The vault could not seal or open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer as it should.
    #[error("the database failed: {0}")]
    Database(sea_orm::DbErr),
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        match error {
            // It was there when it was read, and somebody has deleted it since.
            sea_orm::DbErr::RecordNotUpdated | sea_orm::DbErr::RecordNotFound(_) => Self::NotFound,
            error => Self::Database(error),
        }
    }
}

impl Error {
    /// Whether the database is away, or takes nothing at present: the same may be
    /// asked again.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Database(error) | Self::Vault(VaultError::Storage(error)) => is_away(error),
            _ => false,
        }
    }

    /// Whether another transaction and this one waited for each other, and this one was
    /// undone: it may be begun again at once.
    pub fn is_deadlock(&self) -> bool {
        match self {
            Self::Database(error) | Self::Vault(VaultError::Storage(error)) => is_deadlock(error),
            _ => false,
        }
    }

    /// One field that cannot be accepted.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem {
            field: field.into(),
            problem: problem.into(),
        }])
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// One field of a form that cannot be accepted, in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// The field's name in the form.
    pub field: String,
    /// What to do about it: "Enter an e-mail address, like ana@example.com".
    pub problem: String,
}

impl std::fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// The result of a hub method.
pub type Result<T, E = Error> = std::result::Result<T, E>;
