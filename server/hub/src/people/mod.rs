//! Who may come in, and what they may do.
//!
//! [`Member`], [`Host`] and [`Guest`] can only be made in here, by authentication.
//! Every other room asks for one of them, so a query without a tenant does not
//! compile.

mod api_keys;
mod by;
pub(crate) mod fields;
mod guest;
mod limits;
mod members;
mod membership;
mod origins;
mod passwords;
mod patience;
mod provider_apps;
mod roles;
mod sign_in;
mod sign_up;
mod throttle;
mod tokens;
mod wishes;

pub use api_keys::{Authority, Host, Scope};
pub use by::By;
pub(crate) use guest::RANDOM_BYTES as LINK_RANDOM_BYTES;
pub use guest::{Done, Guest, Invitation, Standing};
pub(crate) use limits::Wanted;
pub use limits::{Allowance, Limits, Policy};
pub use members::Listed as ListedMember;
pub use membership::Member;
pub(crate) use origins::read_return;
pub use passwords::Passwords;
pub use provider_apps::{ProviderAppSource, ProviderAppStatus};
pub use roles::{ASKED_ONCE_MORE, Action, Proof, RECENT};
pub use sign_in::SignedIn;
pub use sign_up::NewOwner;
pub use tokens::{Minted, PublicKey, Signing};
pub(crate) use tokens::{Shown, ed25519};

pub use crate::store::member::Role;

#[cfg(test)]
mod tests;
