//! Handing out working tokens.

use std::{collections::BTreeMap, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Error, Result,
    catalog::Variables,
    dialect::{Handed, Request, hand_out},
    failure::{Failure, FailureCode},
    hub::Hub,
    keep::{
        Need, Renewal,
        health::leaves_token_usable,
        schedule::{self, Life},
    },
    people::{Authority, Host, Scope},
    prompt::Prompt,
    runs::DISCONNECTED,
    secret::Secret,
    store::{
        ConnectionId, Reach,
        credential::{self, Lendable},
        words,
    },
    vault::Place,
};

/// A token that works, with what a host application needs to know about it.
pub struct Lent {
    /// The token, or the one key a person entered; none where they entered more.
    pub access_token: Option<Secret>,
    /// `Bearer`, or what the provider calls it.
    pub token_type: String,
    /// What a person entered, where that is more than a key.
    pub credentials: Option<BTreeMap<String, Secret>>,
    /// How calls carry what a person entered.
    pub request: Option<Request>,
    /// When it ends; none when it does not, or nobody says.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it may be used for; none when the provider does not say.
    pub scopes: Option<Vec<String>>,
    /// The provider's id in the catalog.
    pub provider: String,
    /// The account's identity at the provider.
    pub account_id: Option<String>,
    /// The account, as a person calls it.
    pub account_label: String,
}

/// Why no token was lent.
pub struct Withheld {
    /// What failed.
    pub failure: Failure,
    /// The same in words, as of the connection everywhere.
    pub prompt: Prompt,
}

/// Who wants to borrow which token: what the one SELECT found of both.
pub struct Borrower {
    host: Host,
    id: ConnectionId,
    slot: String,
    /// None when the tenant has no such connection.
    stored: Option<Stored>,
    /// When it was asked for: what lending took begins there.
    began: Instant,
}

impl Borrower {
    /// Who it is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whose token it is, whether or not there is such a connection.
    pub fn connection(&self) -> ConnectionId {
        self.id
    }
}

impl Hub {
    /// Who wants to borrow the token of a connection, by the key or token they
    /// showed; none when it is not a living one. One SELECT, together with all
    /// that lending needs.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a person: tokens are lent to keys.
    pub async fn borrower(
        &self,
        shown: &str,
        id: ConnectionId,
        slot: &str,
    ) -> Result<Option<Borrower>> {
        let began = Instant::now();
        let Some(shown) = self.read_shown(shown).await? else {
            return Ok(None);
        };
        if shown.is_persons() {
            return Err(Error::Forbidden {
                needs: Scope::TokensRead.as_str(),
            });
        }
        // The key says whose it is, in the same statement.
        let row = credential::lendable(self.store.db(), shown.key(), id, slot);
        let row = Reach::every().around(row).await?;
        Ok(row.map(|row| Borrower {
            host: Host::of_key(row.key_tenant, row.key_id, &row.key_scopes, &shown),
            id,
            slot: slot.to_owned(),
            stored: Stored::of(row),
            began,
        }))
    }

    /// Lends the token.
    ///
    /// One whose end is not near costs no further statement. Otherwise it is
    /// renewed first; and when that fails for a reason that leaves it usable,
    /// it is lent until its end.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the key has not the scope; [`Error::NotFound`]
    /// when there is no such connection in the key's tenant; [`Error::Paused`]
    /// when a person lets it rest.
    pub async fn lend(&self, borrower: Borrower) -> Result<Result<Lent, Withheld>> {
        let began = borrower.began;
        let lent = self.lend_now(borrower).await;
        self.meters.lent(began);
        lent
    }

    async fn lend_now(&self, borrower: Borrower) -> Result<Result<Lent, Withheld>> {
        let Borrower {
            host,
            id,
            slot,
            stored,
            ..
        } = borrower;
        let slot = slot.as_str();
        host.may(Scope::TokensRead)?;
        let (Some(stored), Authority::Key(key)) = (stored, host.authority()) else {
            return Err(Error::NotFound);
        };
        if stored.paused {
            return Err(Error::Paused);
        }
        let now = self.clock.now();
        let answer = if stored.is_ready(now) {
            Ok(stored)
        } else {
            self.make_ready(stored, id, slot, now).await?
        };
        let stored = match answer {
            Ok(stored) => stored,
            Err(failure) => return Ok(Err(self.withheld(&host, id, failure).await?)),
        };
        let place = Place::credential(host.tenant(), id, slot, "access", stored.version);
        let access_token = self.vault.open(place, &stored.access_sealed).await?;
        let provider = self.catalog.get(&stored.provider);
        let handed = provider.map(|one| hand_out(one, &stored.variables, &access_token));
        let handed = match handed.transpose() {
            Ok(handed) => handed.flatten().unwrap_or(Handed {
                key: Some(access_token),
                token_type: stored.token_type.into(),
                credentials: None,
                request: None,
            }),
            Err(failure) => return Ok(Err(self.withheld(&host, id, failure).await?)),
        };
        self.reads.note(host.tenant(), key, id, now, host.origin());
        Ok(Ok(Lent {
            access_token: handed.key,
            token_type: handed.token_type.into_owned(),
            credentials: handed.credentials,
            request: handed.request,
            expires_at: stored.life.expires_at,
            scopes: stored.scopes_granted.as_deref().map(words),
            provider: stored.provider,
            account_id: stored.external_id,
            account_label: stored.label,
        }))
    }

    /// Puts into words why no token is lent.
    async fn withheld(&self, host: &Host, id: ConnectionId, failure: Failure) -> Result<Withheld> {
        let listed = self.one(host.tenant(), id).await?;
        let told = self.told_on(&listed, &failure);
        let retry_at = failure.retry_at;
        let known = told.cause.failure().cloned().unwrap_or(failure);
        let retry_at = retry_at.or(known.retry_at);
        Ok(Withheld {
            failure: known.with_retry_at(retry_at),
            prompt: told.prompt,
        })
    }

    async fn make_ready(
        &self,
        stored: Stored,
        id: ConnectionId,
        slot: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<Stored, Failure>> {
        if let Some(failure) = stored.ended() {
            return Ok(Err(failure));
        }
        let renewal = self.renew(id, slot, Need::Now).await;
        let failure = match &*renewal {
            Ok(Renewal::Current(row)) => return Ok(Ok(stored.renewed(row))),
            Ok(Renewal::Failed(failure) | Renewal::Waits(failure)) => failure.clone(),
            Err(Error::NotFound) => return Err(Error::NotFound),
            Err(error) => {
                tracing::error!(connection.id = %id, %error, "a token could not be renewed");
                Failure::inferred(FailureCode::HubInternal, "refresh_not_run")
                    .with_retry_at(Some(now + TimeDelta::seconds(5)))
            }
        };
        let alive = stored.life.expires_at.is_none_or(|end| now < end);
        if alive && leaves_token_usable(failure.code) {
            return Ok(Ok(stored));
        }
        Ok(Err(failure))
    }
}

/// The facts of one credential, as the one SELECT read them.
struct Stored {
    provider: String,
    label: String,
    external_id: Option<String>,
    scopes_granted: Option<String>,
    variables: Variables,
    access_sealed: String,
    token_type: String,
    life: Life,
    version: i64,
    failure: Option<Failure>,
    check_failure: Option<Failure>,
    disconnected: bool,
    paused: bool,
}

impl Stored {
    /// None when the key's tenant has no such connection. One that was ended or
    /// cleared has no credential any more, and is answered with what became of it.
    fn of(row: Lendable) -> Option<Self> {
        Some(Self {
            provider: row.provider?,
            label: row.display_name.or(row.account_label)?,
            external_id: row.external_id,
            scopes_granted: row.scopes_granted,
            variables: row.variables.unwrap_or_default().0,
            disconnected: row.disconnected_at.is_some(),
            paused: row.paused_at.is_some(),
            access_sealed: match row.access_sealed {
                Some(sealed) => sealed,
                None if row.disconnected_at.is_some() => String::new(),
                None => row.check_failure.as_ref().map(|_| String::new())?,
            },
            token_type: row.token_type.unwrap_or_default(),
            life: Life {
                obtained_at: row.obtained_at.unwrap_or_default(),
                expires_at: row.expires_at,
                refreshable: row.refreshable.unwrap_or(false),
            },
            version: row.version.unwrap_or_default(),
            failure: row.failure,
            check_failure: row.check_failure,
        })
    }

    /// Whether it may be lent as it is, without looking further.
    fn is_ready(&self, now: DateTime<Utc>) -> bool {
        let margin = schedule::lending_margin(self.life);
        let fresh = self.life.expires_at.is_none_or(|end| now < end - margin);
        fresh
            && self.ended().is_none()
            && self
                .failure
                .as_ref()
                .is_none_or(|failure| leaves_token_usable(failure.code))
    }

    /// What ended it for good, if something did.
    fn ended(&self) -> Option<Failure> {
        if self.disconnected {
            return Some(Failure::told(
                FailureCode::GrantRevokedOrExpired,
                DISCONNECTED,
            ));
        }
        self.check_failure
            .clone()
            .filter(|failure| !leaves_token_usable(failure.code))
    }

    fn renewed(self, row: &credential::Model) -> Self {
        Self {
            access_sealed: row.access_sealed.clone(),
            token_type: row.token_type.clone(),
            life: Life {
                obtained_at: row.obtained_at,
                expires_at: row.expires_at,
                refreshable: row.refresh_sealed.is_some(),
            },
            version: row.version,
            ..self
        }
    }
}
