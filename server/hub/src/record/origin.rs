//! Where a request comes from, for the ledger: set once around the request, and
//! taken along by whoever authenticates its caller.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use ipnet::IpNet;

use super::ledger::Actor;
use crate::{secret::digest, store::TenantId};

tokio::task_local! {
    static HERE: Origin;
}

/// How much of the digest of a browser's name is kept: enough to tell two apart.
const AGENT_BYTES: usize = 16;
/// The most denials that one request is remembered for.
const MOST_DENIALS: usize = 8;

/// Where a request comes from, as far as that is kept: the network and not the
/// address, and a digest of what the browser calls itself.
#[derive(Clone, Default)]
pub struct Origin(Arc<Inner>);

#[derive(Default)]
struct Inner {
    address: Option<String>,
    agent: Option<Vec<u8>>,
    denied: Mutex<Vec<Denied>>,
}

/// What somebody was not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Denied {
    pub tenant: TenantId,
    pub actor: Actor,
    /// The action or scope that was wanted.
    pub wanted: &'static str,
}

impl Origin {
    /// A request from `address`, by a browser of that name.
    pub fn of(address: IpAddr, agent: Option<&str>) -> Self {
        let agent = agent.filter(|agent| !agent.is_empty());
        Self(Arc::new(Inner {
            address: Some(network(address)),
            agent: agent.map(|agent| digest(agent)[..AGENT_BYTES].to_vec()),
            denied: Mutex::default(),
        }))
    }

    /// The origin of the request that this runs for; an empty one outside of any.
    pub fn current() -> Self {
        HERE.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs `work` for a request of this origin. What it spawns is outside.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        HERE.scope(self.clone(), work).await
    }

    /// The network, such as `203.0.113.0/24`.
    pub fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    pub(crate) fn agent(&self) -> Option<&[u8]> {
        self.0.agent.as_deref()
    }

    /// Remembers that the request wanted more than it may.
    pub(crate) fn deny(&self, denied: Denied) {
        let mut all = self.denied();
        if all.len() < MOST_DENIALS && !all.contains(&denied) {
            all.push(denied);
        }
    }

    /// What the request was denied; empty the second time.
    pub(crate) fn take_denied(&self) -> Vec<Denied> {
        std::mem::take(&mut *self.denied())
    }

    fn denied(&self) -> std::sync::MutexGuard<'_, Vec<Denied>> {
        self.0.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.0.address == other.0.address && self.0.agent == other.0.agent
    }
}

impl Eq for Origin {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.0.address).finish()
    }
}

/// The network an address is in: so large that it is no one person's.
fn network(address: IpAddr) -> String {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, bits).map_or_else(|_| String::new(), |net| net.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_to_their_networks() {
        for (whole, cut) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1234:5678::9", "2001:db8:1234::/48"),
        ] {
            let origin = Origin::of(whole.parse().unwrap(), None);
            assert_eq!(origin.address(), Some(cut));
        }
    }
}
