//! Who may come in, and what they may do.
//!
//! [`Member`] and [`Host`] can only be made in here, by authentication. Every
//! other room asks for one of them, so a query without a tenant does not compile.

mod api_keys;
mod fields;
mod membership;
mod passwords;
mod provider_apps;
mod roles;
mod sign_in;
mod sign_up;
mod throttle;
mod wishes;

pub use api_keys::{Host, Scope};
pub use membership::Member;
pub use passwords::Passwords;
pub use provider_apps::{ProviderAppSource, ProviderAppStatus};
pub use roles::Action;
pub use sign_in::SignedIn;
pub use sign_up::NewOwner;

pub use crate::store::member::Role;

#[cfg(test)]
mod tests;
