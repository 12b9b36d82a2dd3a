//! Bringing a token pair from another system.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Listed,
    save::{Account, Connected},
};
use crate::{
    Error, Result,
    catalog::{Origin, RefreshMode, Variables},
    dialect::Grant,
    hub::Hub,
    people::{Host, Scope, fields},
    secret::Secret,
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
        // Without it nobody could ever be asked whose account it is.
        let missing = provider.variables.iter().find(|variable| {
            matches!(variable.from, Origin::Person | Origin::Callback)
                && !variable.optional
                && variable.default.is_none()
                && !variables.contains_key(&variable.name)
        });
        if let Some(missing) = missing {
            let what = format!("give {}", missing.name);
            return Err(Error::invalid("variables", what));
        }
        let display_name = import.display_name;
        let display_name = display_name.map(|typed| fields::name("display_name", &typed));
        let account = Account::Claimed {
            label: import.account_label.unwrap_or_else(|| {
                let today = self.clock.now().format("%-d %B %Y");
                format!("{} account imported {today}", provider.name())
            }),
            id: import.account_id,
            display_name: display_name.transpose()?,
        };
        let refreshes = provider.refresh.mode == RefreshMode::RefreshToken;
        let connected = Connected {
            tenant: host.tenant(),
            who: host.into(),
            link: None,
            provider,
            variables: provider.values(&variables),
            scopes_asked: provider.default_scopes(),
            scopes_granted: import.scopes,
            grant: Grant {
                access_token: import.access_token,
                refresh_token: import.refresh_token.filter(|_| refreshes),
                token_type: "Bearer".to_owned(),
                expires_at: import.expires_at,
                refresh_expires_at: None,
                scopes: None,
                variables: Variables::new(),
                account: None,
                second: None,
            },
            environment: None,
        };
        let id = self.save(&connected, account, None).await?;
        self.one(host.tenant(), id).await
    }
}
