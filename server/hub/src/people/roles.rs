//! Roles and actions: the one table of who may do what.

use chrono::TimeDelta;

use super::{Member, Role, Scope};
use crate::{
    Error, Hub, Result,
    record::{Actor, Denied},
    secret::Secret,
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
    /// See and revoke keys for host applications.
    ManageApiKeys,
    /// Make such a key, which is shown.
    CreateApiKey,
    /// Test, remove and replay to the systems that are told of events.
    ManageWebhooks,
    /// Say which systems are told, and see the secret that signs for them.
    RevealWebhookSecret,
    /// Delete a connection together with its history.
    DeleteConnection,
    /// Read the audit ledger.
    ReadLedger,
    /// Take the audit ledger along.
    ExportLedger,
    /// See who is in the organisation.
    SeeMembers,
    /// Give members other roles, and remove or erase them.
    ManageMembers,
    /// Be the one whose organisation it is.
    ManageTenant,
    /// Take everything the organisation has here along.
    ExportTenant,
    /// Delete everything the organisation has here.
    DeleteTenant,
    /// See and switch the rules for automations.
    ManagePolicies,
    /// See how attempts ended, and say whether that is recorded.
    SeeMetrics,
    /// Erase one's own account.
    EraseOneself,
}

/// What a session has to show for an action besides being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing more.
    Session,
    /// That its person gave their password within [`RECENT`]: a borrowed phone
    /// or a stolen cookie is not enough.
    Recent,
}

/// For how long a password that was given counts for what is grave.
pub const RECENT: TimeDelta = TimeDelta::minutes(15);

/// The least role that may do each action, and the proof it takes. An action
/// that is not listed is denied to everybody.
///
/// [`Proof::Recent`] is for what leaves the hub for good, shows a secret,
/// cannot be undone, or gives somebody power. What only takes access away, such
/// as revoking a key, must never wait for a password.
const RULES: &[(Action, Role, Proof)] = &[
    (Action::Look, Role::Viewer, Proof::Session),
    (Action::Connect, Role::Member, Proof::Session),
    (Action::ManageProviderApps, Role::Admin, Proof::Session),
    (Action::ManageApiKeys, Role::Admin, Proof::Session),
    (Action::CreateApiKey, Role::Admin, Proof::Recent),
    (Action::ManageWebhooks, Role::Admin, Proof::Session),
    (Action::RevealWebhookSecret, Role::Admin, Proof::Recent),
    (Action::DeleteConnection, Role::Admin, Proof::Recent),
    (Action::ReadLedger, Role::Admin, Proof::Session),
    (Action::ExportLedger, Role::Admin, Proof::Recent),
    (Action::SeeMembers, Role::Admin, Proof::Session),
    (Action::ManageMembers, Role::Admin, Proof::Recent),
    (Action::ManageTenant, Role::Owner, Proof::Session),
    (Action::ExportTenant, Role::Owner, Proof::Recent),
    (Action::DeleteTenant, Role::Owner, Proof::Recent),
    (Action::ManagePolicies, Role::Admin, Proof::Session),
    (Action::SeeMetrics, Role::Admin, Proof::Session),
    (Action::EraseOneself, Role::Viewer, Proof::Recent),
];

impl Action {
    /// Every action, with the least role that may do it and the proof it takes.
    pub fn rules() -> impl Iterator<Item = (Self, Role, Proof)> {
        RULES.iter().copied()
    }

    /// As the ledger calls it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Connect => "connect",
            Self::ManageProviderApps => "manage_provider_apps",
            Self::ManageApiKeys => "manage_api_keys",
            Self::CreateApiKey => "create_api_key",
            Self::ManageWebhooks => "manage_webhooks",
            Self::RevealWebhookSecret => "reveal_webhook_secret",
            Self::DeleteConnection => "delete_connection",
            Self::ReadLedger => "read_ledger",
            Self::ExportLedger => "export_ledger",
            Self::SeeMembers => "see_members",
            Self::ManageMembers => "manage_members",
            Self::ManageTenant => "manage_tenant",
            Self::ExportTenant => "export_tenant",
            Self::DeleteTenant => "delete_tenant",
            Self::ManagePolicies => "manage_policies",
            Self::SeeMetrics => "see_metrics",
            Self::EraseOneself => "erase_oneself",
        }
    }

    /// The least role that may do this; none when nobody may.
    fn least_role(self) -> Option<Role> {
        let mut rules = Self::rules();
        rules.find(|rule| rule.0 == self).map(|(_, role, _)| role)
    }

    /// Whether a session is not enough for it.
    fn is_grave(self) -> bool {
        Self::rules().any(|(action, _, proof)| action == self && proof == Proof::Recent)
    }

    /// Answers whether somebody who gave their password [recently](RECENT), or
    /// did not, may do this.
    ///
    /// # Errors
    /// [`Error::Unproven`].
    pub(super) fn proven(self, recently: bool) -> Result<()> {
        match self.is_grave() && !recently {
            true => Err(Error::Unproven),
            false => Ok(()),
        }
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
    /// Answers whether this member may do `action` now: the one place where
    /// people are refused.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the least role that may; [`Error::Unproven`]
    /// when it takes a password that was not given for too long.
    pub fn may(&self, action: Action) -> Result<()> {
        self.may_once_proven(action)?;
        action.proven(self.is_recent())
    }

    /// Answers whether this member may do `action` once they have given their
    /// password, if it takes that.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the least role that may.
    pub fn may_once_proven(&self, action: Action) -> Result<()> {
        action.of_role(self.role()).inspect_err(|_| {
            self.origin().deny(Denied {
                tenant: self.tenant(),
                actor: Actor::Person(self.person()),
                wanted: action.as_str(),
            });
        })
    }
}

impl Hub {
    /// The member as one who may do `action`: as they are when they gave their
    /// password a moment ago or it takes none, and after a look at `current`
    /// otherwise. Who may not do it at all is told so, and not asked for a
    /// password first.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for `current` when it is not
    /// their password; [`Error::Throttled`].
    pub async fn step_up(
        &self,
        member: &Member,
        action: Action,
        current: Secret,
    ) -> Result<Member> {
        member.may_once_proven(action)?;
        if action.proven(member.is_recent()).is_ok() {
            return Ok(member.clone());
        }
        if current.is_empty() {
            return Err(Error::invalid("current", ASKED_ONCE_MORE));
        }
        self.confirm(member, current).await
    }
}

/// What somebody reads whose page did not ask for the password yet.
pub const ASKED_ONCE_MORE: &str = "Enter your password. It was a while ago that you gave it";

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, so that a change of the table has to be made twice.
    #[test]
    fn every_role_may_exactly_what_is_listed() {
        use Action::*;
        let viewer = [Look, EraseOneself];
        let member = [Connect];
        let admin = [
            ManageProviderApps,
            ManageApiKeys,
            CreateApiKey,
            ManageWebhooks,
            RevealWebhookSecret,
            DeleteConnection,
            ReadLedger,
            ExportLedger,
            SeeMembers,
            ManageMembers,
            ManagePolicies,
            SeeMetrics,
        ];
        let owner = [ManageTenant, ExportTenant, DeleteTenant];
        let allowed: [&[Action]; 4] = [&viewer, &member, &admin, &owner];
        let roles = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];
        let all = allowed.concat();
        assert_eq!(all.len(), RULES.len());
        for (rank, role) in roles.into_iter().enumerate() {
            for action in &all {
                assert_eq!(
                    role.may(*action),
                    allowed[..=rank].concat().contains(action),
                    "{role:?} {action:?}"
                );
            }
        }
    }

    /// Row 35: export, key reveal, delete, role change.
    #[test]
    fn exactly_this_takes_a_recent_password() {
        use Action::*;
        let grave = Action::rules().filter(|(.., proof)| *proof == Proof::Recent);
        assert_eq!(
            grave.map(|(action, ..)| action).collect::<Vec<_>>(),
            [
                CreateApiKey,
                RevealWebhookSecret,
                DeleteConnection,
                ExportLedger,
                ManageMembers,
                ExportTenant,
                DeleteTenant,
                EraseOneself,
            ]
        );
    }
}
