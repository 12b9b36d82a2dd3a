//! The HTTP surface: which address does what, and what every request passes.
//!
//! | Address | What | Who |
//! |---|---|---|
//! | pages, `/api/*` | what people see, and the server functions their forms post to | the `app` crate |
//! | `/connections/*`, `/oauth/*`, `/flows/*` | a flow in the browser ([`oauth`]) | members |
//! | `/connections/*/mapping` | the form that names columns (`mapping`) | members |
//! | `/settings/audit/export` | the audit log as a file (`audit`) | admins |
//! | `/settings/organisation/*` | everything as a file, and its end (`organisation`) | owners |
//! | `/connect/*` | the conversation that collects keys and logins (`wizard`) | members |
//! | `/link/*`, `/guest*` | connecting by a link of a host application (`guest`) | who came by one |
//! | `/events` | what changed, as server-sent events ([`events`]) | members |
//! | `/v1/*`, `/.well-known/jwks.json` | the API of host applications ([`api`]) | API keys and tokens made from them |
//! | `/hooks/*` | what providers tell unasked ([`hooks`]) | whoever signs rightly |
//! | `/oauth/handover/*` | keys their servers bring ([`hooks`]) | who knows the flow's state |
//! | `/metrics` | what is counted, for Prometheus ([`metrics`]) | who shows the operator's token |
//! | `/healthz`, `/readyz` | alive, ready ([`health`]) | anybody |
//! | `/assets/*` | the site inside the binary ([`crate::assets`]) | anybody |
//!
//! From outside in, a request passes: its id and log line, the bounds of what it
//! may reach ([`reach`]), the security headers, the note of where it comes from for the ledger, the origin gate, the session, and the look-up of who is signed in.

mod account;
pub mod api;
mod audit;
mod client;
pub mod events;
pub mod gate;
mod guest;
pub mod headers;
pub mod health;
mod hooks;
mod mapping;
pub mod metrics;
pub mod oauth;
mod organisation;
mod origin;
mod pages;
pub mod problem;
mod reach;
pub mod sessions;
mod trace;
mod webhooks;
mod wizard;

use std::sync::Arc;

use app::Site;
use axum::{Extension, Router, extract::FromRef};
use hub::Hub;
use ipnet::IpNet;
use leptos::config::LeptosOptions;

use crate::{application::Application, assets};

/// What every handler may ask for.
#[derive(Clone)]
pub struct State {
    /// Everything the product does.
    pub hub: Hub,
    /// Where the site's files are.
    pub site: Site,
    /// The proxies whose word about a request's origin is believed.
    pub trusted_proxies: Arc<[IpNet]>,
}

impl FromRef<State> for LeptosOptions {
    fn from_ref(state: &State) -> Self {
        state.site.options.clone()
    }
}

impl FromRef<State> for Hub {
    fn from_ref(state: &State) -> Self {
        state.hub.clone()
    }
}

/// The whole surface.
pub fn router(application: &Application) -> Router {
    let Application {
        hub,
        stopping,
        trusted_proxies,
        metrics_token,
    } = application.clone();
    let readers = metrics::Readers::WithToken(metrics_token);
    let state = State {
        hub: hub.clone(),
        site: site(),
        trusted_proxies,
    };
    let for_people = Router::new()
        .merge(pages::router(&state))
        .merge(account::router())
        .merge(oauth::router())
        .merge(wizard::router())
        .merge(webhooks::router())
        .merge(audit::router())
        .merge(organisation::router())
        .merge(guest::router())
        .merge(mapping::router())
        .merge(events::router(hub.clone(), stopping))
        .layer(Extension(hub.clone()))
        .layer(axum::middleware::from_fn_with_state(
            hub.clone(),
            sessions::viewer,
        ))
        .layer(sessions::layer(&hub));
    for_people
        .merge(api::router(hub.clone()))
        .merge(hooks::router())
        .merge(health::router(hub.clone()))
        .merge(metrics::router(hub.clone(), readers))
        .merge(assets::router())
        .layer(axum::middleware::from_fn_with_state(
            hub.clone(),
            gate::check,
        ))
        .layer(axum::middleware::from_fn_with_state(
            state.clone(),
            origin::note,
        ))
        .layer(axum::middleware::from_fn_with_state(hub, headers::add))
        .layer(axum::middleware::from_fn(reach::nothing))
        .layer(axum::middleware::from_fn(trace::request))
        .with_state(state)
}

/// The addresses of the embedded files.
fn site() -> Site {
    let manifest = assets::manifest();
    Site {
        css: manifest.css(),
        favicon: manifest.favicon(),
        popup_js: manifest.url("popup.js"),
        copy_js: manifest.url("copy.js"),
        live_js: manifest.url("live.js"),
        icons: manifest.icons(),
        brands: manifest.brands(),
        options: LeptosOptions::builder()
            .output_name(manifest.hydration())
            .site_pkg_dir(assets::DIRECTORY)
            .build(),
    }
}
