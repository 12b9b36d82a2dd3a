//! The parts of a page that live on in the browser: the hub's rows, the
//! connection page and the Connect control. Everything they do also works as a
//! plain form or link before, or without, the script.

mod attempt;
mod browser;
mod connect;
mod connection;
mod control;
mod feed;
mod hub;
pub mod market;
mod offer;
mod row;
mod turns;

pub use connect::ConnectPanel;
pub use connection::ConnectionHead;
pub use hub::HubList;
pub use offer::OfferFoot;
pub use turns::Turns;
