//! What pages are built from. The parts that islands draw too are compiled for
//! both halves; everything else exists on the server only.

mod icon;
mod prompt;
mod status;

#[cfg(feature = "ssr")]
mod confirm;
#[cfg(feature = "ssr")]
mod copy;
#[cfg(feature = "ssr")]
mod details;
#[cfg(feature = "ssr")]
pub mod form;
#[cfg(feature = "ssr")]
mod frame;
#[cfg(feature = "ssr")]
mod help;
#[cfg(feature = "ssr")]
mod plot;
#[cfg(feature = "ssr")]
mod time;

#[cfg(feature = "ssr")]
pub use confirm::{Confirm, ConfirmInSettings, EndsToo};
#[cfg(feature = "ssr")]
pub use copy::{CopyButton, Copyable};
#[cfg(feature = "ssr")]
pub use details::SupportDetails;
#[cfg(feature = "ssr")]
pub use frame::{Body, Current, Frame, SettingsFrame, bell};
#[cfg(feature = "ssr")]
pub use help::{HelpLines, PlainButton};
pub use icon::{BrandPlate, Icon};
#[cfg(feature = "ssr")]
pub use plot::BarPlot;
pub use prompt::PromptLines;
pub use status::StatusWord;
#[cfg(feature = "ssr")]
pub use time::Time;
