//! One file per page.

mod account;
mod api_keys;
mod connect;
mod connection;
mod control;
mod disconnect;
mod guest;
mod hub;
mod mail_choices;
mod missing;
mod notices;
mod preview;
mod provider_app;
mod provider_apps;
mod setup;
mod sign_in;
mod webhooks;
pub mod wizard;

pub use account::AccountView;
pub use api_keys::ApiKeysView;
pub use connect::ConnectView;
pub use connection::ConnectionView;
pub use control::{ClearView, ControlView};
pub use disconnect::DisconnectView;
pub use guest::{GuestChooseView, GuestConnectView};
pub use hub::HubView;
pub use mail_choices::MailChoicesView;
pub use missing::{BrokenView, ForbiddenView, MissingView};
pub use notices::NoticesView;
pub use preview::PreviewView;
pub use provider_app::ProviderAppView;
pub use provider_apps::ProviderAppsView;
pub use setup::SetupView;
pub use sign_in::SignInView;
pub use webhooks::WebhooksView;
