//! Who does something that both people and host applications may do.

use super::{Action, Host, Member, Scope};
use crate::{
    Result,
    store::{PersonId, TenantId},
};

/// A member in a browser, or a caller of the API.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// A member.
    Member(&'a Member),
    /// A caller of the API.
    Host(&'a Host),
}

impl<'a> From<&'a Member> for By<'a> {
    fn from(member: &'a Member) -> Self {
        Self::Member(member)
    }
}

impl<'a> From<&'a Host> for By<'a> {
    fn from(host: &'a Host) -> Self {
        Self::Host(host)
    }
}

impl By<'_> {
    /// Answers whether they may connect, change, check and disconnect accounts.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] with what is needed.
    pub(crate) fn may_connect(self) -> Result<()> {
        match self {
            Self::Member(member) => member.may(Action::Connect),
            Self::Host(host) => host.may(Scope::ConnectionsWrite),
        }
    }

    /// The tenant they act for.
    pub(crate) fn tenant(self) -> TenantId {
        match self {
            Self::Member(member) => member.tenant(),
            Self::Host(host) => host.tenant(),
        }
    }

    /// The person, if a person does it.
    pub(crate) fn person(self) -> Option<PersonId> {
        match self {
            Self::Member(member) => Some(member.person()),
            Self::Host(host) => host.person(),
        }
    }
}
