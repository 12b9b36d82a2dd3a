//! Writing a grant down: the same account again updates its connection,
//! another account is another connection.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    catalog::{Provider, Variables, oauth::Rotates},
    dialect::{Grant, Identity, Organisation, SecondToken},
    failure::{Failure, FailureCode},
    hub::Hub,
    keep::schedule::{self, Life},
    record::{Deed, Entry, Who},
    secret::Secret,
    store::{
        ConnectLinkId, ConnectionId, Owner, TenantId, connect_link, connection, credential,
        event::{self, Kind},
        is_taken, refresh_attempt, run, sync_run, words,
    },
    vault::Place,
};

/// A grant with all that is known about it, ready to be saved.
pub(super) struct Connected<'a> {
    pub tenant: TenantId,
    pub who: Who,
    /// The link that is used up with it.
    pub link: Option<ConnectLinkId>,
    pub provider: &'a Provider,
    pub variables: Variables,
    pub scopes_asked: Vec<String>,
    pub scopes_granted: Option<Vec<String>>,
    pub grant: Grant,
    /// What the key opens, where keys tell: `test`, `live`.
    pub environment: Option<String>,
}

/// Whose account a grant opens, as far as that is known.
pub(super) enum Account {
    /// The provider said so a moment ago.
    Named(Identity),
    /// The provider was asked and gave no answer; it will be asked again.
    Unnamed(Failure),
    /// Another system says so, and the provider was not asked.
    Claimed {
        /// Its identity at the provider, if that system knew it.
        id: Option<String>,
        /// What to call it until the provider names it.
        label: String,
        /// The person's name for it.
        display_name: Option<String>,
    },
}

impl Account {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Named(identity) => Some(&identity.id),
            Self::Unnamed(_) => None,
            Self::Claimed { id, .. } => id.as_deref(),
        }
    }
}

impl Connected<'_> {
    /// Adds what was granted `before` and not `asked` for this time: it goes on,
    /// and some answer with the new part alone.
    pub(super) fn merge_scopes(&mut self, before: &connection::Model, asked: &[String]) {
        let earlier = before.scopes_granted.as_deref().map(words);
        if let (Some(granted), Some(earlier)) = (&mut self.scopes_granted, earlier) {
            let goes_on = |name: &String| !asked.contains(name) && !granted.contains(name);
            let more: Vec<_> = earlier.into_iter().filter(goes_on).collect();
            granted.extend(more);
        }
    }
}

/// One slot's tokens.
struct SlotTokens<'a> {
    slot: &'a str,
    access_token: &'a Secret,
    refresh_token: Option<&'a Secret>,
    token_type: &'a str,
    expires_at: Option<DateTime<Utc>>,
    refresh_expires_at: Option<DateTime<Utc>>,
}

/// Another flow saved the same account between our read and our write.
const MEANWHILE: &str = "the connection changed meanwhile";
/// How often a save is tried when another flow saves the same account.
const TRIES: usize = 4;

impl Hub {
    /// Saves a grant: into `target`, else into the connection that has this
    /// account already, else into a new one.
    pub(super) async fn save(
        &self,
        connected: &Connected<'_>,
        account: Account,
        target: Option<connection::Model>,
    ) -> Result<ConnectionId> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.save_once(connected, &account, target.clone()).await {
                Err(Error::Database(error)) if is_taken(&error) && tries < TRIES => {}
                Err(Error::Conflict(MEANWHILE)) if tries < TRIES => {}
                saved => {
                    self.changes.nudge(connected.tenant);
                    return saved;
                }
            }
        }
    }

    async fn save_once(
        &self,
        connected: &Connected<'_>,
        account: &Account,
        target: Option<connection::Model>,
    ) -> Result<ConnectionId> {
        let existing = match (target, account.id()) {
            (Some(target), _) => Some(target),
            (None, Some(account)) => {
                let provider = &connected.provider.id;
                connection::of_account(self.store.db(), connected.tenant, provider, account).await?
            }
            (None, None) => None,
        };
        // A flow replaces what it proved to be the same account; what is only
        // claimed replaces nothing that works.
        if let (Account::Claimed { .. }, Some(row)) = (account, &existing)
            && row.disconnected_at.is_none()
        {
            return Err(Error::Conflict("this account is connected already"));
        }
        let id = existing
            .as_ref()
            .map_or_else(ConnectionId::new, |row| row.id);
        // Sealed before the transaction, for the version it will have.
        let mut slots = Vec::new();
        for tokens in connected.slots() {
            let before = credential::get(self.store.db(), id, tokens.slot).await?;
            slots.push((
                self.seal(connected, id, &tokens, before.as_ref()).await?,
                before,
            ));
        }
        let ledger = self.ledger(connected.tenant).await?;
        let now = self.clock.now();
        let transaction = self.store.begin().await?;
        // With what it is for, or not at all: of any number of attempts with one
        // link exactly one is kept.
        let link = match connected.link {
            Some(link) => Some(
                connect_link::use_up(&transaction, link, id, now)
                    .await?
                    .ok_or_else(|| {
                        Failure::told(FailureCode::FlowExpiredOrInvalid, "link_used_or_expired")
                    })?,
            ),
            None => None,
        };
        // Asked a moment ago, it is checked when it is time.
        let named = matches!(account, Account::Named(_));
        let next_check_at = named.then(|| {
            let ends_at = connected.grant.expires_at;
            let ends_at = ends_at.filter(|_| connected.grant.refresh_token.is_none());
            schedule::check_after(id, connected.provider.check_every(), ends_at, now)
        });
        let change = |existing| {
            let mut change = self.change_of(connected, account, existing);
            let soon = || schedule::first_check(id, now);
            change.next_check_at = Set(Some(next_check_at.unwrap_or_else(soon)));
            change
        };
        let (row, kind) = match &existing {
            Some(row) => (
                change(Some(row)).update(&transaction).await?,
                Kind::ConnectionReconnected,
            ),
            None => {
                let mut row = change(None);
                row.id = Set(id);
                row.tenant_id = Set(connected.tenant);
                row.provider = Set(connected.provider.id.clone());
                row.created_by = Set(connected.who.person());
                row.created_at = Set(now);
                row.display_name = Set(match account {
                    Account::Claimed { display_name, .. } => display_name.clone(),
                    Account::Named(_) | Account::Unnamed(_) => None,
                });
                (row.insert(&transaction).await?, Kind::ConnectionCreated)
            }
        };
        for (change, before) in slots {
            match before {
                None => {
                    credential::Entity::insert(change)
                        .exec_without_returning(&transaction)
                        .await?;
                }
                Some(before) => {
                    let slot = before.slot.clone();
                    let swapped = credential::compare_and_swap(
                        &transaction,
                        id,
                        &slot,
                        before.version,
                        None,
                        change,
                    )
                    .await?;
                    if !swapped {
                        return Err(Error::Conflict(MEANWHILE));
                    }
                    refresh_attempt::finish_all(&transaction, id, &slot, "replaced", now).await?;
                }
            }
        }
        event::append(
            &transaction,
            event::New {
                tenant: row.tenant_id,
                kind,
                connection: Some(id),
                person: connected.who.person(),
                data: event::Data {
                    note: matches!(account, Account::Claimed { .. }).then(|| "imported".into()),
                    link: connected.link,
                    reference: link.and_then(|link| link.reference),
                    ..Default::default()
                },
            },
            now,
        )
        .await?;
        if let Some(before) = &existing {
            let granted = connected.scopes_granted.as_deref();
            self.tell_scopes(&transaction, before, granted).await?;
        }
        self.settle_alarm(&transaction, row.tenant_id, id, None)
            .await?;
        // What waited for it to be mended goes on; what had ended is planned anew.
        sync_run::resume(&transaction, id, now).await?;
        run::wake(&transaction, id, now).await?;
        if existing
            .as_ref()
            .is_some_and(|before| before.disconnected_at.is_some())
        {
            self.plan_sync(&transaction, &row).await?;
        }
        let deed = match (account, kind) {
            (Account::Claimed { .. }, _) => Deed::ConnectionImported,
            (_, Kind::ConnectionCreated) => Deed::ConnectionCreated,
            _ => Deed::ConnectionReconnected,
        };
        let entry = Entry::new(connected.who.clone(), deed).on(id);
        ledger
            .append(&transaction, entry.saying(row.provider.clone()))
            .await?;
        transaction.commit().await?;
        tracing::info!(connection.id = %id, provider = %row.provider, event = ?kind, "connection saved");
        Ok(id)
    }

    fn change_of(
        &self,
        connected: &Connected<'_>,
        account: &Account,
        existing: Option<&connection::Model>,
    ) -> connection::ActiveModel {
        let now = self.clock.now();
        let mut change = existing
            .map(|row| row.clone().into_active_model())
            .unwrap_or_default();
        change.variables = Set(connection::Variables(connected.variables.clone()));
        change.scopes_asked = Set(connected.scopes_asked.join(" "));
        change.scopes_granted = Set(connected
            .scopes_granted
            .as_ref()
            .map(|scopes| scopes.join(" ")));
        change.environment = Set(connected.environment.clone());
        change.disconnected_at = Set(None);
        change.revocation = Set(None);
        change.paused_at = Set(None);
        change.check_failures = Set(0);
        change.asked_at = Set(None);
        // What is stood on now is seen with the next answer.
        change.certificate = Set(None);
        match account {
            Account::Named(identity) => {
                change.external_id = Set(Some(identity.id.clone()));
                change.account_label = Set(identity.label.clone());
                change.certificate = Set(identity.certificate);
                change.last_ok_at = Set(Some(now));
                change.asked_at = Set(Some(now));
                change.failure = Set(None);
                change.failed_at = Set(None);
            }
            Account::Unnamed(failure) => {
                change.external_id = Set(None);
                change.account_label = Set(connected.provider.name().to_owned());
                change.last_ok_at = Set(None);
                change.failure = Set(Some(failure.clone()));
                change.failed_at = Set(Some(now));
            }
            Account::Claimed { id, label, .. } => {
                change.external_id = Set(id.clone());
                change.account_label = Set(label.clone());
                change.last_ok_at = Set(None);
                change.failure = Set(None);
                change.failed_at = Set(None);
            }
        }
        change
    }

    async fn seal(
        &self,
        connected: &Connected<'_>,
        id: ConnectionId,
        tokens: &SlotTokens<'_>,
        before: Option<&credential::Model>,
    ) -> Result<credential::ActiveModel> {
        let version = before.map_or(1, |row| row.version + 1);
        let at =
            |field, version| Place::credential(connected.tenant, id, tokens.slot, field, version);
        let place = |field| at(field, version);
        let policy = &connected.provider.refresh;
        // Several give a refresh token with the first consent only: the one that
        // is there goes on serving.
        let kept = before.filter(|_| {
            tokens.refresh_token.is_none() && policy.rotation.rotates == Rotates::Never
        });
        let kept = match kept.and_then(|row| Some((row, row.refresh_sealed.as_ref()?))) {
            Some((row, sealed)) => Some((
                self.vault.open(at("refresh", row.version), sealed).await?,
                row.refresh_expires_at,
            )),
            None => None,
        };
        let refresh_token = tokens
            .refresh_token
            .or(kept.as_ref().map(|(token, _)| token));
        let refresh_sealed = match refresh_token {
            Some(token) => Some(self.vault.seal(place("refresh"), token).await?),
            None => None,
        };
        let life = Life {
            obtained_at: self.clock.now(),
            expires_at: tokens.expires_at,
            refreshable: refresh_sealed.is_some(),
        };
        let refresh_expires_at = tokens
            .refresh_expires_at
            .or(kept.and_then(|(_, ends)| ends))
            .or_else(|| Some(life.obtained_at + policy.refresh_lifetime?.known()?));
        Ok(credential::ActiveModel {
            connection_id: Set(id),
            slot: Set(tokens.slot.to_owned()),
            tenant_id: Set(connected.tenant),
            access_sealed: Set(self
                .vault
                .seal(place("access"), tokens.access_token)
                .await?),
            refresh_sealed: Set(refresh_sealed),
            previous_refresh_sealed: Set(None),
            token_type: Set(tokens.token_type.to_owned()),
            obtained_at: Set(life.obtained_at),
            expires_at: Set(tokens.expires_at),
            refresh_expires_at: Set(refresh_expires_at),
            version: Set(version),
            next_refresh_at: Set(schedule::due_at(
                life,
                refresh_expires_at,
                policy,
                schedule::spread(id, version),
            )),
            lease_owner: Set(None),
            lease_until: Set(None),
            fence: Set(before.map_or(0, |row| row.fence + 1)),
            failures: Set(0),
            failure: Set(None),
            failed_at: Set(None),
        })
    }
}

impl<'a> Connected<'a> {
    fn slots(&self) -> Vec<SlotTokens<'_>> {
        let grant = &self.grant;
        let mut slots = vec![SlotTokens {
            slot: credential::MAIN,
            access_token: &grant.access_token,
            refresh_token: grant.refresh_token.as_ref(),
            token_type: &grant.token_type,
            expires_at: grant.expires_at,
            refresh_expires_at: grant.refresh_expires_at,
        }];
        slots.extend(grant.second.as_ref().map(|second| SlotTokens {
            slot: &second.kind,
            access_token: &second.access_token,
            refresh_token: second.refresh_token.as_ref(),
            token_type: &grant.token_type,
            expires_at: second.expires_at,
            refresh_expires_at: None,
        }));
        slots
    }

    /// As text, to be sealed at once while a person decides.
    pub(super) fn to_held(
        &self,
        identity: Option<Identity>,
        organisations: Vec<Organisation>,
    ) -> Secret {
        let grant = &self.grant;
        let held = Held {
            identity: identity.map(|identity| (identity.id, identity.label)),
            organisations: organisations
                .into_iter()
                .map(|one| (one.id, one.label))
                .collect(),
            variables: self.variables.clone(),
            scopes_asked: self.scopes_asked.clone(),
            scopes_granted: self.scopes_granted.clone(),
            access_token: grant.access_token.expose().into(),
            refresh_token: grant
                .refresh_token
                .as_ref()
                .map(|token| token.expose().into()),
            token_type: grant.token_type.clone(),
            expires_at: grant.expires_at,
            refresh_expires_at: grant.refresh_expires_at,
            second: grant.second.as_ref().map(|second| HeldSecond {
                kind: second.kind.clone(),
                access_token: second.access_token.expose().into(),
                refresh_token: second
                    .refresh_token
                    .as_ref()
                    .map(|token| token.expose().into()),
                expires_at: second.expires_at,
            }),
        };
        Secret::new(serde_json::to_string(&held).expect("plain data is always JSON"))
    }

    pub(super) fn from_held(
        held: &Secret,
        provider: &'a Provider,
        tenant: TenantId,
        owner: Owner,
    ) -> Result<(Self, Option<Identity>, Vec<Organisation>)> {
        let held: Held = serde_json::from_str(held.expose())
            .map_err(|_| crate::vault::VaultError::Unopenable)?;
        let identity = held.identity.map(|(id, label)| Identity {
            id,
            label,
            granted_scopes: None,
            variables: Variables::new(),
            certificate: None,
        });
        let organisations = held
            .organisations
            .into_iter()
            .map(|(id, label)| Organisation { id, label })
            .collect();
        let connected = Self {
            tenant,
            who: Who::owner(owner),
            link: owner.link(),
            provider,
            variables: held.variables,
            scopes_asked: held.scopes_asked,
            scopes_granted: held.scopes_granted,
            grant: Grant {
                access_token: Secret::new(held.access_token),
                refresh_token: held.refresh_token.map(Secret::new),
                token_type: held.token_type,
                expires_at: held.expires_at,
                refresh_expires_at: held.refresh_expires_at,
                scopes: None,
                variables: Variables::new(),
                account: None,
                second: held.second.map(|second| SecondToken {
                    kind: second.kind,
                    access_token: Secret::new(second.access_token),
                    refresh_token: second.refresh_token.map(Secret::new),
                    expires_at: second.expires_at,
                    scopes: None,
                }),
            },
            environment: None,
        };
        Ok((connected, identity, organisations))
    }
}

/// What is sealed while a person decides about another account. It exists in
/// plain text only between the vault and this struct.
#[derive(Serialize, Deserialize)]
struct Held {
    identity: Option<(String, String)>,
    /// Each with its name, where one is to be chosen.
    #[serde(default)]
    organisations: Vec<(String, String)>,
    variables: BTreeMap<String, String>,
    scopes_asked: Vec<String>,
    scopes_granted: Option<Vec<String>>,
    access_token: String,
    refresh_token: Option<String>,
    token_type: String,
    expires_at: Option<DateTime<Utc>>,
    refresh_expires_at: Option<DateTime<Utc>>,
    second: Option<HeldSecond>,
}

#[derive(Serialize, Deserialize)]
struct HeldSecond {
    kind: String,
    access_token: String,
    refresh_token: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}
