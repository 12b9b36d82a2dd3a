//! The hub: every capability over one set of parts.

use std::{collections::BTreeMap, num::NonZeroU32, ops::Deref, sync::Arc};

use url::Url;

use crate::{
    catalog::Catalog,
    clock::Clock,
    connect::Rejections,
    dialect::{Dialect, ProviderApp},
    keep::{Keeper, spool::Spool},
    notify::Mailer,
    outbound::Outbound,
    people::{Limits, Passwords, Signing},
    record::{AttemptLog, Changes, Ledgers, Meters, ReadLog, Witness},
    runs::policies::Policies,
    store::Store,
    tell::Teller,
    vault::Vault,
};

/// Everything the product does, as methods grouped in the rooms
/// [`connect`](crate::connect), [`keep`](crate::keep), [`lend`](crate::lend),
/// [`notify`](crate::notify), [`people`](crate::people), [`runs`](crate::runs) and
/// [`tell`](crate::tell). Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Parts>);

/// What a hub is made of; put together once, by the composition root.
#[expect(missing_docs, reason = "each part documents itself")]
pub struct Parts {
    pub store: Store,
    pub clock: Clock,
    pub vault: Vault,
    pub catalog: Catalog,
    pub dialect: Dialect,
    /// What other calls leave by than those to providers.
    pub outbound: Outbound,
    /// Where people and providers reach this hub; the only source of every
    /// address it hands out.
    pub public_url: Url,
    /// Provider apps that come from the operator's environment, by app id.
    pub operator_apps: BTreeMap<String, ProviderApp>,
    pub choices: Choices,
    pub spool: Spool,
    pub keeper: Keeper,
    pub teller: Teller,
    pub changes: Changes,
    pub reads: ReadLog,
    pub ledgers: Ledgers,
    /// What stands outside of the database: signed heads, and deletions.
    pub witness: Witness,
    pub passwords: Passwords,
    /// How often the API may be called.
    pub limits: Limits,
    pub signing: Signing,
    pub rejections: Rejections,
    /// How attempts end, until it is written.
    pub attempts: AttemptLog,
    /// What is counted for the operator.
    pub meters: Meters,
    /// The rules for automations.
    pub policies: Policies,
}

/// What the operator decides about this hub.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Whether anybody may sign up once the first owner exists.
    pub open_sign_up: bool,
    /// How many calls of the API a minute one key has.
    pub rate_limit: NonZeroU32,
    /// Where whoever runs this hub is reached: `mailto:` or `https:`.
    pub support: Option<Url>,
    /// The way to the mail server, where there is one.
    pub mailer: Mailer,
}

impl Default for Choices {
    /// A hundred calls a second, so that lending is not throttled in practice.
    fn default() -> Self {
        Self {
            open_sign_up: false,
            rate_limit: const { NonZeroU32::new(6000).expect("more than nothing") },
            support: None,
            mailer: Mailer::default(),
        }
    }
}

impl Hub {
    /// Puts a hub together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Hub {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
