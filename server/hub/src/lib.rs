//! Everything Linkwell does, with no HTTP server and no user interface.
//!
//! The floors, each standing only on those below it:
//!
//! | Room | What it does |
//! |---|---|
//! | [`connect`], [`keep`], [`lend`], [`runs`], [`people`], [`tell`], [`notify`] | make or repair · refresh and check · hand out tokens · what automations do, and rules for it · members and sessions · webhooks · notices and mail |
//! | [`dialect`], [`record`] | speak to a provider as its entry says · events and token reads |
//! | [`catalog`], [`vault`], [`store`], [`outbound`] | providers as data · sealing · rows · the one HTTP client |
//! | [`clock`], [`failure`], [`secret`] | time · the closed list of failure codes · values that cannot leak by type |

pub mod catalog;
pub mod certificate;
pub mod clock;
pub mod connect;
pub mod dialect;
mod error;
pub mod failure;
mod hub;
pub mod keep;
pub mod lend;
pub mod notify;
pub mod outbound;
pub mod people;
pub mod prompt;
pub mod record;
pub mod runs;
pub mod secret;
pub mod store;
pub mod tell;
mod text;
pub mod vault;

pub use error::{Error, FieldProblem, Result};
pub use hub::{Choices, Hub, Parts};
