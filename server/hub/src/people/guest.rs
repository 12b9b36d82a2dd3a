//! Somebody who came by a link of a host application, and has no account here.

use sea_orm::EntityTrait;

use crate::{
    Error, Hub, Result,
    record::{Actor, Deed, Entry, Origin, Who},
    secret::{Secret, digest},
    store::{
        ConnectLinkId, ConnectionId, Reach, TenantId, alarm, connect_link,
        tenant::{self},
    },
};

/// 256 bits, for the link and for the browser it is opened in.
pub(crate) const RANDOM_BYTES: usize = 32;

/// Whoever has the one browser in which a living link was opened.
///
/// Only this room makes one. It may connect what the link is for, and nothing
/// else: it sees no connection, no list and no member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    link: connect_link::Model,
    browser_hash: Vec<u8>,
    organisation: String,
    origin: Origin,
}

/// What a link says to whoever opens it, before anything has happened.
pub struct Invitation {
    /// Whose host application made it.
    pub organisation: String,
    /// The providers to choose from, by their ids.
    pub providers: Vec<String>,
    /// Whether a connection that exists is to be connected again.
    pub is_repair: bool,
    /// Where its person goes afterwards.
    pub return_to: Option<String>,
}

/// How a browser stands to the link that was opened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be connected.
    Guest(Box<Guest>),
    /// It was; that is where to go on.
    Done(Done),
}

/// A link that did what it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Whose host application made it.
    pub organisation: String,
    /// What it made or repaired.
    pub provider: Option<String>,
    /// Where its person goes now, with what became of it; nothing secret.
    pub return_to: Option<String>,
    /// Whether they came from an e-mail of ours.
    pub is_mailed: bool,
}

impl Guest {
    /// The tenant it connects for.
    pub fn tenant(&self) -> TenantId {
        self.link.tenant_id
    }

    /// The link.
    pub fn link(&self) -> ConnectLinkId {
        self.link.id
    }

    /// Where the request comes from in which they have shown it.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// When it ends.
    pub(crate) fn expires_at(&self) -> chrono::DateTime<chrono::Utc> {
        self.link.expires_at
    }

    /// Whether they came from an e-mail of ours.
    pub fn is_mailed(&self) -> bool {
        self.link.alarm_id.is_some()
    }

    /// What flows of this guest are bound to.
    pub(crate) fn browser_hash(&self) -> &[u8] {
        &self.browser_hash
    }

    /// Who asks for it.
    pub fn organisation(&self) -> &str {
        &self.organisation
    }

    /// The providers to choose from, by their ids.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.link.providers.split_whitespace()
    }

    /// The connection that is connected again, if it is one.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.link.connection_id
    }

    /// Where the guest goes without having connected anything.
    pub fn leave(&self) -> Option<String> {
        address(&self.link, "cancelled")
    }

    /// Answers whether the link is for this. To a guest, nothing else exists.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn may(&self, provider: &str, connection: Option<ConnectionId>) -> Result<()> {
        let is_asked = self.providers().any(|one| one == provider);
        match is_asked && connection == self.link.connection_id {
            true => Ok(()),
            false => Err(Error::NotFound),
        }
    }
}

impl Hub {
    /// What a link asks for, by its secret; none when it is unknown, used,
    /// expired, or its key was revoked. Nothing changes: scanners of mail and
    /// previews of messengers follow links too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn invitation(&self, secret: &str) -> Result<Option<Invitation>> {
        // The secret says whose it is; so it is below.
        let found = async {
            let Some(link) = self.open_link(secret).await? else {
                return Ok(None);
            };
            Ok(Some(Invitation {
                organisation: self.organisation(link.tenant_id).await?,
                providers: crate::store::words(&link.providers),
                is_repair: link.connection_id.is_some(),
                return_to: link.return_to,
            }))
        };
        Reach::every().around(found).await
    }

    /// Opens a link in this browser, which keeps the answered secret. It is
    /// answered once: a link that was opened is opened nowhere else, so that who
    /// was overtaken finds out. `shown` is what this browser keeps already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn accept_invitation(
        &self,
        secret: &str,
        shown: Option<&str>,
    ) -> Result<Option<(Guest, Secret)>> {
        Reach::every().around(self.open_for(secret, shown)).await
    }

    async fn open_for(&self, secret: &str, shown: Option<&str>) -> Result<Option<(Guest, Secret)>> {
        let Some(link) = self.open_link(secret).await? else {
            return Ok(None);
        };
        if let Some(shown) = shown.filter(|shown| link.browser_hash == Some(digest(shown))) {
            let guest = self.guest_of(link).await?;
            return Ok(guest.map(|guest| (guest, Secret::new(shown))));
        }
        let (browser, now) = (Secret::random(RANDOM_BYTES), self.clock.now());
        let ledger = self.ledger(link.tenant_id).await?;
        let transaction = self.store.begin().await?;
        if !connect_link::bind(&transaction, link.id, browser.digest(), now).await? {
            return Ok(None);
        }
        let entry = Entry::new(Who::here(Actor::Guest(link.id)), Deed::LinkOpened);
        ledger.append(&transaction, entry.on(link.id)).await?;
        transaction.commit().await?;
        tracing::info!(link.id = %link.id, tenant.id = %link.tenant_id, "a link was opened");
        let guest = self
            .guest_of(connect_link::Model {
                browser_hash: Some(browser.digest()),
                ..link
            })
            .await?;
        Ok(guest.map(|guest| (guest, browser)))
    }

    /// How the browser that keeps this secret stands to its link; none when
    /// there is no such link any more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn standing(&self, shown: &str) -> Result<Option<Standing>> {
        Reach::every().around(self.standing_of(shown)).await
    }

    async fn standing_of(&self, shown: &str) -> Result<Option<Standing>> {
        let link = connect_link::of_browser(self.store.db(), digest(shown)).await?;
        let now = self.clock.now();
        match link {
            Some(link) if link.is_open(now) => Ok(self
                .guest_of(link)
                .await?
                .map(Box::new)
                .map(Standing::Guest)),
            Some(link) if self.is_done(&link).await? => {
                let made = link.result_connection_id.or(link.connection_id);
                let connection = match made {
                    Some(id) => {
                        crate::store::connection::of_tenant(self.store.db(), link.tenant_id, id)
                            .await?
                    }
                    None => None,
                };
                Ok(Some(Standing::Done(Done {
                    organisation: self.organisation(link.tenant_id).await?,
                    provider: connection.map(|connection| connection.provider),
                    return_to: address(&link, "connected"),
                    is_mailed: link.alarm_id.is_some(),
                })))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Whether a link did what it was for, or something else did.
    async fn is_done(&self, link: &connect_link::Model) -> Result<bool> {
        let Some(alarm) = link.alarm_id.filter(|_| link.used_at.is_none()) else {
            return Ok(link.used_at.is_some() && self.clock.now() < link.expires_at);
        };
        let alarm = alarm::of_tenant(self.store.db(), link.tenant_id, alarm).await?;
        Ok(alarm.is_some_and(|alarm| alarm.ending == Some(alarm::Ending::Works)))
    }

    async fn open_link(&self, secret: &str) -> Result<Option<connect_link::Model>> {
        let link = connect_link::by_secret(self.store.db(), digest(secret)).await?;
        match link.filter(|link| link.is_open(self.clock.now())) {
            Some(link) if self.is_still_theirs(&link).await? => Ok(Some(link)),
            Some(_) | None => Ok(None),
        }
    }

    async fn guest_of(&self, link: connect_link::Model) -> Result<Option<Guest>> {
        let Some(browser_hash) = link.browser_hash.clone() else {
            return Ok(None);
        };
        if !self.is_still_theirs(&link).await? {
            return Ok(None);
        }
        Ok(Some(Guest {
            organisation: self.organisation(link.tenant_id).await?,
            browser_hash,
            link,
            origin: Origin::current(),
        }))
    }

    async fn organisation(&self, tenant: TenantId) -> Result<String> {
        let row = tenant::Entity::find_by_id(tenant)
            .one(self.store.db())
            .await?;
        row.map(|row| row.name).ok_or(Error::NotFound)
    }
}

/// Where the person of a link goes on, and what is said there.
fn address(link: &connect_link::Model, status: &str) -> Option<String> {
    let mut url = url::Url::parse(link.return_to.as_deref()?).ok()?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("status", status);
        if let Some(reference) = &link.reference {
            query.append_pair("reference", reference);
        }
        if let Some(connection) = link.result_connection_id {
            query.append_pair("connection_id", &connection.to_string());
        }
    }
    Some(url.into())
}
