//! What a person sees: pages, the parts they are built from, the islands that
//! live on in the browser, and the server functions their forms post to.
//!
//! The crate is compiled twice. With `ssr` it is everything, and calls the hub
//! directly; with `hydrate` it is the islands alone, which know no type that
//! could hold a token.

#![recursion_limit = "256"]

pub mod islands;
pub mod model;
pub mod parts;
pub mod paths;
#[path = "../../server/hub/src/catalog/rank.rs"]
mod rank;
pub mod words;

#[cfg(feature = "ssr")]
mod app;
#[cfg(feature = "ssr")]
pub mod documents;
#[cfg(feature = "ssr")]
pub mod flash;
#[cfg(feature = "ssr")]
pub mod load;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server_fns;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
mod site;

#[cfg(feature = "ssr")]
pub use app::App;
#[cfg(feature = "ssr")]
pub use shell::Document;
#[cfg(feature = "ssr")]
pub use site::{Site, Theme, Trouble, Troubles, Unread, Viewer, Visit};
