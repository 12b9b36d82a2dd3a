//! Links with which a host application lets its own people connect an account.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Error, Hub, Result,
    catalog::{SignIn, Variables},
    people::{Authority, Guest, Host, LINK_RANDOM_BYTES, Scope, Wanted, read_return},
    record::{Deed, Entry},
    secret::Secret,
    store::{ApiKeyId, ConnectLinkId, ConnectionId, api_key, connect_link, connection},
    text::is_deceptive,
};

/// How long a link may be used.
pub const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// The most providers one link offers.
const MOST_PROVIDERS: usize = 20;
/// The longest reference, in characters.
const LONGEST_REFERENCE: usize = 200;

/// What a link is to be for.
#[derive(Clone, Debug, Default)]
pub struct NewLink {
    /// The providers to choose from; empty when it is for a connection.
    pub providers: Vec<String>,
    /// The connection to connect again.
    pub connection: Option<ConnectionId>,
    /// Where its person goes afterwards.
    pub return_to: Option<String>,
    /// What the host application knows its person by.
    pub reference: Option<String>,
}

/// How a link stands: computed, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// Nobody has opened it.
    Waiting,
    /// Somebody has, and is at it.
    Opened,
    /// It made or repaired a connection.
    Connected,
    /// Its time is over.
    Expired,
}

impl LinkStatus {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Opened, Self::Connected, Self::Expired];

    /// How `link` stands at `now`.
    pub fn of(link: &connect_link::Model, now: DateTime<Utc>) -> Self {
        match (link.used_at, link.opened_at) {
            (Some(_), _) => Self::Connected,
            (None, _) if link.expires_at <= now => Self::Expired,
            (None, Some(_)) => Self::Opened,
            (None, None) => Self::Waiting,
        }
    }

    /// As it is answered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opened => "opened",
            Self::Connected => "connected",
            Self::Expired => "expired",
        }
    }
}

impl Hub {
    /// Makes a link. The answered address is shown once and stored nowhere.
    ///
    /// # Errors
    /// [`Error::Forbidden`], also for who has no key: a link ends with its key,
    /// and its key says where people may be sent. [`Error::Invalid`].
    pub async fn make_link(
        &self,
        host: &Host,
        asked: NewLink,
    ) -> Result<(connect_link::Model, Secret)> {
        host.may(Scope::ConnectionsWrite)?;
        let Authority::Key(key) = host.authority() else {
            return Err(Error::Forbidden {
                needs: "an API key",
            });
        };
        let providers = self.asked_providers(host, &asked).await?;
        let return_to = match &asked.return_to {
            Some(typed) => Some(read_return(typed, &self.return_origins(key).await?)?.into()),
            None => None,
        };
        let reference = asked.reference.filter(|reference| !reference.is_empty());
        if reference.as_ref().is_some_and(|text| {
            text.chars().count() > LONGEST_REFERENCE || text.chars().any(is_deceptive)
        }) {
            let what = format!("Use one line of at most {LONGEST_REFERENCE} characters");
            return Err(Error::invalid("reference", what));
        }
        let (secret, now) = (Secret::random(LINK_RANDOM_BYTES), self.clock.now());
        let row = connect_link::Model {
            id: ConnectLinkId::new(),
            tenant_id: host.tenant(),
            api_key_id: key,
            secret_hash: secret.digest(),
            providers: providers.join(" "),
            connection_id: asked.connection,
            return_to,
            reference,
            browser_hash: None,
            created_at: now,
            expires_at: now + LINK_LIFETIME,
            opened_at: None,
            used_at: None,
            result_connection_id: None,
            person_id: None,
            alarm_id: None,
        };
        let ledger = self.ledger(host.tenant()).await?;
        let transaction = self.store.begin().await?;
        connect_link::insert(&transaction, row.clone()).await?;
        let entry = Entry::new(host, Deed::LinkCreated).on(row.id);
        ledger
            .append(&transaction, entry.saying(row.providers.clone()))
            .await?;
        transaction.commit().await?;
        let address = format!("{}link/{}", self.public_url, secret.expose());
        Ok((row, Secret::new(address)))
    }

    /// A link of the host's tenant.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn link_of_host(
        &self,
        host: &Host,
        id: ConnectLinkId,
    ) -> Result<connect_link::Model> {
        host.may(Scope::ConnectionsRead)?;
        connect_link::of_tenant(self.store.db(), host.tenant(), id)
            .await?
            .ok_or(Error::NotFound)
    }

    /// What the connection of a guest's link has answered already; none where a
    /// new one is made.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a provider the link is not for.
    pub async fn known_to_guest(&self, guest: &Guest, provider: &str) -> Result<Option<Variables>> {
        guest.may(provider, guest.connection())?;
        let Some(id) = guest.connection() else {
            return Ok(None);
        };
        let row = connection::of_tenant(self.store.db(), guest.tenant(), id).await?;
        row.map(|row| Some(row.variables.0)).ok_or(Error::NotFound)
    }

    /// Whether what a guest came to repair works once everything was tried that
    /// needs nobody. Their link has done what it was for then.
    ///
    /// # Errors
    /// [`Error::TooMuch`], or the database's.
    pub async fn mends_for(&self, guest: &Guest) -> Result<bool> {
        let Some(id) = guest.connection() else {
            return Ok(false);
        };
        self.limits.want(guest.tenant(), Wanted::Check)?;
        let mended = self.heals_alone(guest.tenant(), id).await?;
        if mended {
            // One that was mailed may have ended with its alarm already.
            let now = self.clock.now();
            connect_link::use_up(self.store.db(), guest.link(), id, now).await?;
        }
        Ok(mended)
    }

    async fn return_origins(&self, key: ApiKeyId) -> Result<String> {
        let row = api_key::shown(self.store.db(), api_key::Named::Id(key)).await?;
        Ok(row.map(|row| row.return_origins).unwrap_or_default())
    }

    /// The providers of a link, each known to work here: who is sent to it could
    /// do nothing about one that does not.
    async fn asked_providers(&self, host: &Host, asked: &NewLink) -> Result<Vec<String>> {
        let (field, ids) = match (asked.connection, &asked.providers[..]) {
            (Some(id), []) => {
                let row = connection::of_tenant(self.store.db(), host.tenant(), id).await?;
                let row = row.ok_or_else(|| {
                    Error::invalid("connection", "There is no connection with this id")
                })?;
                ("connection", vec![row.provider])
            }
            (None, ids @ [_, ..]) if ids.len() <= MOST_PROVIDERS => ("providers", ids.to_vec()),
            _ => {
                let what = format!(
                    "Name 1 to {MOST_PROVIDERS} providers, or instead the `connection` to connect again"
                );
                return Err(Error::invalid("providers", what));
            }
        };
        let mut providers: Vec<String> = Vec::new();
        for id in ids {
            // What was sent is not said back.
            let Some(entry) = self.catalog.get(&id) else {
                return Err(Error::invalid(field, "One of these is not in the catalog"));
            };
            let problem = match entry.sign_in() {
                SignIn::Key | SignIn::Database => None,
                SignIn::Browser => Some("cannot be connected here yet"),
                SignIn::OneClick => match self.provider_app(host.tenant(), entry).await? {
                    Some(_) => None,
                    None => Some("is not set up here: an admin enters its provider app"),
                },
            };
            if let Some(problem) = problem {
                return Err(Error::invalid(field, format!("{id} {problem}")));
            }
            if !providers.contains(&entry.id) {
                providers.push(entry.id.clone());
            }
        }
        Ok(providers)
    }
}
