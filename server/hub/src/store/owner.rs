//! Whose something is that only one may go on with.

use super::{ConnectLinkId, PersonId};

/// Whose a flow or a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A member's.
    Person(PersonId),
    /// Of whoever came by a link; they have no account here.
    Link(ConnectLinkId),
}

impl Owner {
    /// Read from its two columns.
    pub(super) fn of(person: PersonId, link: Option<ConnectLinkId>) -> Self {
        match link {
            Some(link) => Self::Link(link),
            None => Self::Person(person),
        }
    }

    /// What stands in the person's column.
    pub fn person_id(self) -> PersonId {
        match self {
            Self::Person(person) => person,
            Self::Link(_) => PersonId::NOBODY,
        }
    }

    /// The person, if it is one.
    pub fn person(self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(person),
            Self::Link(_) => None,
        }
    }

    /// The link, if it is one.
    pub fn link(self) -> Option<ConnectLinkId> {
        match self {
            Self::Person(_) => None,
            Self::Link(link) => Some(link),
        }
    }
}
