//! Telling systems outside what happened, by the Standard Webhooks scheme
//! (<https://github.com/standard-webhooks/standard-webhooks>).
//!
//! Events are written in the transaction of the fact they tell, so they are
//! the outbox. [`Hub::begin_telling`] queues each for the webhooks that want
//! it, sends what is due, and writes down how that went: at least once, in
//! order for each connection, through a crash, for [`deliver::PATIENCE`].

mod deliver;
mod message;
mod webhooks;

pub(crate) use deliver::KEPT;
pub use deliver::{PATIENCE, Teller};
pub use message::{Message, Telling};
pub use webhooks::{NewWebhook, TestMessage, Watched};
