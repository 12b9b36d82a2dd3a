//! Roles and actions: the one table of who may do what.

use super::{Member, Role, Scope};
use crate::{
    Error, Result,
    record::{Actor, Denied},
};

/// What a member may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See connections, their state and their history.
    Look,
    /// Connect, reconnect, rename, check and disconnect accounts.
    Connect,
    /// Enter and remove client ids and secrets of provider apps.
    ManageProviderApps,
    /// Make and revoke keys for host applications.
    ManageApiKeys,
    /// Say which systems are told of events.
    ManageWebhooks,
    /// Delete a connection together with its history.
    DeleteConnection,
    /// Read the audit ledger, and take it along.
    ReadLedger,
    /// Give members other roles, and remove them.
    ManageMembers,
    /// Take everything the organisation has here along, or delete it.
    ManageTenant,
    /// See and switch the rules for automations.
    ManagePolicies,
    /// See how attempts ended, and say whether that is recorded.
    SeeMetrics,
}

/// The least role that may do each action. An action that is not listed is
/// denied to everybody.
const LEAST_ROLE: [(Action, Role); 11] = [
    (Action::Look, Role::Viewer),
    (Action::Connect, Role::Member),
    (Action::ManageProviderApps, Role::Admin),
    (Action::ManageApiKeys, Role::Admin),
    (Action::ManageWebhooks, Role::Admin),
    (Action::DeleteConnection, Role::Admin),
    (Action::ReadLedger, Role::Admin),
    (Action::ManageMembers, Role::Admin),
    (Action::ManageTenant, Role::Owner),
    (Action::ManagePolicies, Role::Admin),
    (Action::SeeMetrics, Role::Admin),
];

impl Action {
    /// As the ledger calls it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Connect => "connect",
            Self::ManageProviderApps => "manage_provider_apps",
            Self::ManageApiKeys => "manage_api_keys",
            Self::ManageWebhooks => "manage_webhooks",
            Self::DeleteConnection => "delete_connection",
            Self::ReadLedger => "read_ledger",
            Self::ManageMembers => "manage_members",
            Self::ManageTenant => "manage_tenant",
            Self::ManagePolicies => "manage_policies",
            Self::SeeMetrics => "see_metrics",
        }
    }

    /// The least role that may do this; none when nobody may.
    fn least_role(self) -> Option<Role> {
        LEAST_ROLE
            .iter()
            .find(|(action, _)| *action == self)
            .map(|(_, role)| *role)
    }

    /// Answers whether somebody with `role` may do this.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the least role that may.
    pub(super) fn of_role(self, role: Role) -> Result<()> {
        if role.may(self) {
            return Ok(());
        }
        Err(Error::Forbidden {
            needs: self.least_role().map_or("nobody", Role::as_str),
        })
    }
}

impl Role {
    /// What the API allows a person of this role. Tokens are lent to keys only:
    /// who borrowed one is recorded, and a key is what can be revoked.
    pub(super) fn scopes(self) -> Vec<Scope> {
        let by_action = [
            (Action::Look, Scope::ConnectionsRead),
            (Action::Connect, Scope::ConnectionsWrite),
            (Action::Look, Scope::CatalogRead),
        ];
        by_action
            .into_iter()
            .filter(|(action, _)| self.may(*action))
            .map(|(_, scope)| scope)
            .collect()
    }

    /// Whether this role may do `action`.
    pub fn may(self, action: Action) -> bool {
        action
            .least_role()
            .is_some_and(|least| self.rank() >= least.rank())
    }

    /// The role that is stored like this.
    pub fn read(word: &str) -> Option<Self> {
        let all = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];
        all.into_iter().find(|role| role.as_str() == word)
    }

    /// The role as it is stored and read by a person: `admin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Owner => 3,
            Self::Admin => 2,
            Self::Member => 1,
            Self::Viewer => 0,
        }
    }
}

impl Member {
    /// Answers whether this member may do `action`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the least role that may.
    pub fn may(&self, action: Action) -> Result<()> {
        action.of_role(self.role()).inspect_err(|_| {
            self.origin().deny(Denied {
                tenant: self.tenant(),
                actor: Actor::Person(self.person()),
                wanted: action.as_str(),
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, so that a change of the table has to be made twice.
    #[test]
    fn every_role_may_exactly_what_is_listed() {
        use Action::*;
        let expected: [(Role, &[Action]); 4] = [
            (Role::Viewer, &[Look]),
            (Role::Member, &[Look, Connect]),
            (
                Role::Admin,
                &[
                    Look,
                    Connect,
                    ManageProviderApps,
                    ManageApiKeys,
                    ManageWebhooks,
                    DeleteConnection,
                    ReadLedger,
                    ManageMembers,
                    ManagePolicies,
                    SeeMetrics,
                ],
            ),
            (
                Role::Owner,
                &[
                    Look,
                    Connect,
                    ManageProviderApps,
                    ManageApiKeys,
                    ManageWebhooks,
                    DeleteConnection,
                    ReadLedger,
                    ManageMembers,
                    ManageTenant,
                    ManagePolicies,
                    SeeMetrics,
                ],
            ),
        ];
        for (role, allowed) in expected {
            for action in [
                Look,
                Connect,
                ManageProviderApps,
                ManageApiKeys,
                ManageWebhooks,
                DeleteConnection,
                ReadLedger,
                ManageMembers,
                ManageTenant,
                ManagePolicies,
                SeeMetrics,
            ] {
                assert_eq!(
                    role.may(action),
                    allowed.contains(&action),
                    "{role:?} {action:?}"
                );
            }
        }
    }
}
