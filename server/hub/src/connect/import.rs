//! Bringing a token pair from another system.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};

use super::Listed;
use crate::{
    Error, Result,
    catalog::RefreshMode,
    hub::Hub,
    keep::schedule::{self, Life},
    people::{Host, Scope},
    secret::Secret,
    store::{
        ConnectionId, connection, credential,
        event::{self, Kind},
        is_taken,
    },
    vault::Place,
};

/// A token pair, with what the other system knew about it.
pub struct Import {
    /// The provider's id in the catalog.
    pub provider: String,
    /// What calls carry.
    pub access_token: Secret,
    /// What renews it.
    pub refresh_token: Option<Secret>,
    /// The end of the access token.
    pub expires_at: Option<DateTime<Utc>>,
    /// Granted scopes, if known.
    pub scopes: Option<Vec<String>>,
    /// The entry's variables: a shop's name, a realm.
    pub variables: BTreeMap<String, String>,
    /// The account's identity at the provider, if known.
    pub account_id: Option<String>,
    /// The account's name, if known.
    pub account_label: Option<String>,
    /// The person's name for it.
    pub display_name: Option<String>,
}

impl Hub {
    /// Stores a token pair as a new connection. The provider is not asked: a
    /// thousand pairs can be moved in a minute without a thousand calls, and
    /// the connection says that nobody has checked it yet. Its first refresh
    /// or check names the account and proves it.
    pub async fn import(&self, host: &Host, import: Import) -> Result<Listed> {
        host.may(Scope::ConnectionsWrite)?;
        let provider = self
            .catalog
            .get(&import.provider)
            .ok_or_else(|| Error::invalid("provider", "there is no provider with this id"))?;
        if import.access_token.expose().is_empty() {
            return Err(Error::invalid(
                "credential.access_token",
                "give the access token",
            ));
        }
        let mut variables = BTreeMap::new();
        for (name, value) in import.variables {
            let known = provider
                .variables
                .iter()
                .find(|variable| variable.name == name);
            let accepted = known.map(|variable| variable.read(&value));
            match accepted {
                Some(Ok(value)) => variables.insert(name, value),
                _ => {
                    return Err(Error::invalid(
                        "variables",
                        format!("{name} is not a variable of this provider, or has another form"),
                    ));
                }
            };
        }
        let id = ConnectionId::new();
        let now = self.clock.now();
        let place = |field| Place::credential(host.tenant(), id, credential::MAIN, field, 1);
        let policy = &provider.oauth().refresh;
        let refresh_sealed = match &import.refresh_token {
            Some(token) if policy.mode == RefreshMode::RefreshToken => {
                Some(self.vault.seal(place("refresh"), token).await?)
            }
            _ => None,
        };
        let life = Life {
            obtained_at: now,
            expires_at: import.expires_at,
            refreshable: refresh_sealed.is_some(),
        };
        let access_sealed = self
            .vault
            .seal(place("access"), &import.access_token)
            .await?;
        let label = import.account_label.unwrap_or_else(|| {
            format!(
                "{} account imported {}",
                provider.name(),
                now.format("%-d %B %Y")
            )
        });
        let transaction = self.store.begin().await?;
        connection::ActiveModel {
            id: Set(id),
            tenant_id: Set(host.tenant()),
            provider: Set(provider.id.clone()),
            external_id: Set(import.account_id),
            account_label: Set(label),
            display_name: Set(import.display_name),
            variables: Set(connection::Variables(provider.values(&variables))),
            scopes_asked: Set(provider.default_scopes().join(" ")),
            scopes_granted: Set(import.scopes.map(|scopes| scopes.join(" "))),
            created_by: Set(None),
            created_at: Set(now),
            last_ok_at: Set(None),
            failure: Set(None),
            failed_at: Set(None),
            disconnected_at: Set(None),
            revocation: Set(None),
        }
        .insert(&transaction)
        .await
        .map_err(|error| match is_taken(&error) {
            true => Error::Conflict("this account is connected already"),
            false => error.into(),
        })?;
        credential::Entity::insert(credential::ActiveModel {
            connection_id: Set(id),
            slot: Set(credential::MAIN.into()),
            tenant_id: Set(host.tenant()),
            access_sealed: Set(access_sealed),
            refresh_sealed: Set(refresh_sealed),
            previous_refresh_sealed: Set(None),
            token_type: Set("Bearer".into()),
            obtained_at: Set(now),
            expires_at: Set(import.expires_at),
            refresh_expires_at: Set(None),
            version: Set(1),
            next_refresh_at: Set(schedule::due_at(life, policy, schedule::spread(id, 1))),
            lease_owner: Set(None),
            lease_until: Set(None),
            fence: Set(0),
            failures: Set(0),
            failure: Set(None),
            failed_at: Set(None),
        })
        .exec_without_returning(&transaction)
        .await?;
        event::append(
            &transaction,
            event::New {
                tenant: host.tenant(),
                kind: Kind::ConnectionCreated,
                connection: Some(id),
                person: None,
                data: event::Data {
                    note: Some("imported".into()),
                    ..Default::default()
                },
            },
            now,
        )
        .await?;
        transaction.commit().await?;
        self.changes.nudge(host.tenant());
        self.one(host.tenant(), id).await
    }
}
