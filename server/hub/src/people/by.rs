//! Who does something that both people and host applications may do.

use super::{Action, Guest, Host, Member, Scope};
use crate::{
    Error, Result,
    store::{ConnectLinkId, ConnectionId, Owner, PersonId, TenantId},
};

/// A member in a browser, a caller of the API, or who came by a link.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// A member.
    Member(&'a Member),
    /// A caller of the API.
    Host(&'a Host),
    /// Who came by a link.
    Guest(&'a Guest),
}

impl<'a> From<&'a Guest> for By<'a> {
    fn from(guest: &'a Guest) -> Self {
        Self::Guest(guest)
    }
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
    /// Answers whether they may connect, change, check and disconnect any account.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] with what is needed.
    pub(crate) fn may_connect(self) -> Result<()> {
        match self {
            Self::Member(member) => member.may(Action::Connect),
            Self::Host(host) => host.may(Scope::ConnectionsWrite),
            Self::Guest(_) => Err(Error::Forbidden { needs: "member" }),
        }
    }

    /// Answers whether they may see connections and how they are.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] with what is needed.
    pub(crate) fn may_look(self) -> Result<()> {
        match self {
            Self::Member(member) => member.may(Action::Look),
            Self::Host(host) => host.may(Scope::ConnectionsRead),
            Self::Guest(_) => Err(Error::Forbidden { needs: "member" }),
        }
    }

    /// Answers whether they may connect an account of this provider: a new one,
    /// or the one of `connection`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with what is needed; to a guest, what their link is
    /// not for does not exist.
    pub(crate) fn may_connect_to(
        self,
        provider: &str,
        connection: Option<ConnectionId>,
    ) -> Result<()> {
        match self {
            Self::Guest(guest) => guest.may(provider, connection),
            _ => self.may_connect(),
        }
    }

    /// Whose the flows and drafts are that they begin.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a key: only people begin any.
    pub(crate) fn owner(self) -> Result<Owner> {
        match (self, self.person()) {
            (Self::Guest(guest), _) => Ok(Owner::Link(guest.link())),
            (_, Some(person)) => Ok(Owner::Person(person)),
            (_, None) => Err(Error::Forbidden { needs: "member" }),
        }
    }

    /// The link by which they came, if they came by one.
    pub(crate) fn link(self) -> Option<ConnectLinkId> {
        match self {
            Self::Guest(guest) => Some(guest.link()),
            Self::Member(_) | Self::Host(_) => None,
        }
    }

    /// Answers whether they may look at the data behind connections, which is
    /// more than how connections are: a person needs the role that connects.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] with what is needed.
    pub(crate) fn may_sample(self) -> Result<()> {
        match self {
            Self::Host(host) if host.person().is_none() => host.may(Scope::ConnectionsRead),
            by => by.may_connect(),
        }
    }

    /// The tenant they act for.
    pub fn tenant(self) -> TenantId {
        match self {
            Self::Member(member) => member.tenant(),
            Self::Host(host) => host.tenant(),
            Self::Guest(guest) => guest.tenant(),
        }
    }

    /// The person, if a person does it.
    pub(crate) fn person(self) -> Option<PersonId> {
        match self {
            Self::Member(member) => Some(member.person()),
            Self::Host(host) => host.person(),
            Self::Guest(_) => None,
        }
    }
}
