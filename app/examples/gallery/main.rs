//! Every page in every state, from made-up data, on <http://127.0.0.1:4100>:
//! for looking at, and for checks that must see states a running hub seldom
//! shows. `cargo xtask site` first, then
//! `cargo run -p app --example gallery --features ssr`.

mod fixtures;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use app::{
    Document, Site, Theme, Visit, documents,
    flash::{Flash, Notice, Problem},
    pages::*,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use leptos::prelude::*;

/// A state of a page: drawn anew for each request.
type Draw = Arc<dyn Fn() -> AnyView + Send + Sync>;

/// A state, whoever looks at it, and what the last form left.
struct State {
    signed_in: bool,
    flash: Flash,
    draw: Draw,
}

fn state<V: IntoView + 'static>(draw: impl Fn() -> V + Send + Sync + 'static) -> State {
    State {
        signed_in: true,
        flash: Flash::default(),
        draw: Arc::new(move || draw().into_any()),
    }
}

impl State {
    fn for_strangers(self) -> Self {
        Self {
            signed_in: false,
            ..self
        }
    }

    fn after(self, flash: Flash) -> Self {
        Self { flash, ..self }
    }
}

fn states() -> BTreeMap<&'static str, State> {
    use fixtures as f;
    let hub = |hub: fn() -> app::model::Hub, query: &'static str| {
        state(move || view! { <HubView hub=hub() query/> })
    };
    BTreeMap::from([
        ("hub", hub(f::hub, "")),
        ("hub-first", hub(f::hub_first, "")),
        ("hub-member", hub(f::hub_member, "")),
        ("hub-mid-flow", hub(f::hub_mid_flow, "")),
        ("hub-search", hub(f::hub, "shop")),
        ("hub-search-none", hub(f::hub, "foo")),
        (
            "hub-notice",
            hub(f::hub, "").after(Flash::notice(Notice::Disconnected)),
        ),
        (
            "connection",
            state(|| view! { <ConnectionView page=f::connection_well()/> }),
        ),
        (
            "connection-broken",
            state(|| view! { <ConnectionView page=f::connection_broken()/> }),
        ),
        (
            "connection-viewer",
            state(|| view! { <ConnectionView page=f::connection_viewer()/> }),
        ),
        (
            "disconnect",
            state(|| view! { <DisconnectView page=f::disconnect()/> }),
        ),
        (
            "disconnect-by-hand",
            state(|| view! { <DisconnectView page=f::disconnect_by_hand()/> }),
        ),
        (
            "connect",
            state(|| view! { <ConnectView page=f::connect()/> }),
        ),
        (
            "connect-fields",
            state(|| view! { <ConnectView page=f::connect_fields()/> }),
        ),
        (
            "reconnect",
            state(|| view! { <ConnectView page=f::reconnect()/> }),
        ),
        (
            "connect-not-set-up",
            state(|| view! { <ConnectView page=f::connect_not_set_up(true)/> }),
        ),
        (
            "connect-ask-admin",
            state(|| view! { <ConnectView page=f::connect_not_set_up(false)/> }),
        ),
        (
            "provider-apps",
            state(|| view! { <ProviderAppsView apps=f::provider_apps()/> }),
        ),
        (
            "provider-app",
            state(|| view! { <ProviderAppView page=f::provider_app()/> }),
        ),
        (
            "provider-app-problem",
            state(|| view! { <ProviderAppView page=f::provider_app()/> }).after(
                Flash::rejected("client_secret", Problem::ClientSecretMissing)
                    .keep("client_id", "8f2c41"),
            ),
        ),
        (
            "provider-app-entered",
            state(|| view! { <ProviderAppView page=f::provider_app_entered()/> }),
        ),
        (
            "provider-app-environment",
            state(|| view! { <ProviderAppView page=f::provider_app_environment()/> }),
        ),
        (
            "api-keys",
            state(|| view! { <ApiKeysView now=f::NOW keys=f::api_keys()/> }),
        ),
        (
            "api-keys-none",
            state(|| view! { <ApiKeysView now=f::NOW keys=vec![]/> }),
        ),
        (
            "api-keys-problem",
            state(|| view! { <ApiKeysView now=f::NOW keys=vec![]/> })
                .after(Flash::rejected("scope", Problem::ScopesMissing).keep("name", "Shop robot")),
        ),
        (
            "account",
            state(|| view! { <AccountView person=f::person()/> }),
        ),
        (
            "account-problem",
            state(|| view! { <AccountView person=f::person()/> })
                .after(Flash::rejected("current", Problem::PasswordWrong)),
        ),
        ("setup", state(|| view! { <SetupView/> }).for_strangers()),
        (
            "setup-problem",
            state(|| view! { <SetupView/> }).for_strangers().after(
                Flash::rejected("email", Problem::EmailUnusable)
                    .and("password", Problem::PasswordTooShort)
                    .keep("organisation", "Alder & Ash Ltd")
                    .keep("email", "mia"),
            ),
        ),
        (
            "sign-in",
            state(|| view! { <SignInView next="/"/> }).for_strangers(),
        ),
        (
            "sign-in-problem",
            state(|| view! { <SignInView next="/"/> })
                .for_strangers()
                .after(
                    Flash::rejected("", Problem::SignInRefused).keep("email", "mia@example.com"),
                ),
        ),
        ("missing", state(|| view! { <MissingView/> })),
    ])
}

fn document(name: &str, site: &Site, theme: Theme) -> Option<String> {
    use fixtures as f;
    Some(match name {
        // The made-up provider leads back to the gallery, and slowly.
        "opening" => documents::opening(site, theme, &f::shopify(), "/documents/finished"),
        "finished" => documents::finished(site, theme, &f::finished()),
        "denied" => documents::finished(site, theme, &f::denied()),
        "other-account" => documents::finished(site, theme, &f::other_account()),
        "cancelled" => documents::finished(site, theme, &f::cancelled()),
        "post-again" => {
            documents::post_again(site, theme, &[("code".to_owned(), "made up".to_owned())])
        }
        "new-key" => documents::new_key(
            site,
            theme,
            "Shop robot",
            "lwk_4nqv0E2mVb1xk7cXh9sT3rWfZyPdUaLg8JoQi5eMBt6",
        ),
        "error" => documents::error(site, theme, &f::error()),
        _ => return None,
    })
}

const DOCUMENTS: [&str; 8] = [
    "opening",
    "finished",
    "denied",
    "other-account",
    "cancelled",
    "post-again",
    "new-key",
    "error",
];

fn dist() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../dist"))
}

fn site() -> Site {
    let manifest =
        std::fs::read(dist().join("manifest.json")).expect("`cargo xtask site` comes first");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a manifest");
    let file = |name: &str| format!("/assets/{}", manifest["files"][name].as_str().expect(name));
    let hydration = manifest["hydration"].as_str().expect("hydration");
    Site {
        css: file("site.css"),
        favicon: file("favicon.svg"),
        popup_js: file("popup.js"),
        copy_js: file("copy.js"),
        icons: file("icons.svg"),
        options: LeptosOptions::builder()
            .output_name(hydration)
            .site_pkg_dir("assets")
            .build(),
    }
}

async fn page(Path(name): Path<String>, request: Request) -> Response {
    let theme = theme_of(&request);
    let Some(State {
        signed_in,
        flash,
        draw,
    }) = states().remove(name.as_str())
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let site = site();
    let provided = site.clone();
    let visit = Visit {
        recently: true,
        person: signed_in.then(fixtures::person),
        theme,
        flash,
    };
    let context = move || {
        leptos_meta::provide_meta_context();
        provide_context(provided.clone());
        provide_context(visit.clone());
    };
    let app = move || {
        let (site, draw) = (site.clone(), draw.clone());
        view! { <Document site>{draw()}</Document> }
    };
    leptos_axum::render_app_async_with_context(context, app)(request)
        .await
        .into_response()
}

/// `?theme=dark` for a look, or the cookie as in the product.
fn theme_of(request: &Request) -> Theme {
    match request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("theme="))
    {
        Some(theme) => Theme::parse(theme),
        None => Theme::read(request.headers()),
    }
}

async fn lone(Path(name): Path<String>, request: Request) -> Response {
    match document(&name, &site(), theme_of(&request)) {
        Some(html) => Html(html).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn asset(Path(name): Path<String>) -> Response {
    let kind = match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => "text/plain",
    };
    match std::fs::read(dist().join("assets").join(name)) {
        Ok(content) => ([(header::CONTENT_TYPE, kind)], Body::from(content)).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn index() -> Html<String> {
    let pages = states().into_keys().map(|name| format!("/pages/{name}"));
    let documents = DOCUMENTS.map(|name| format!("/documents/{name}"));
    let links = pages
        .chain(documents)
        .map(|path| format!("<li><a href=\"{path}\">{path}</a></li>"))
        .collect::<String>();
    Html(format!(
        "<!DOCTYPE html><title>Gallery</title><ul>{links}</ul>"
    ))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    any_spawner::Executor::init_tokio().expect("the first executor");
    let router = Router::new()
        .route("/", get(index))
        .route("/pages/{name}", get(page))
        .route("/documents/{name}", get(lone))
        .route("/assets/{name}", get(asset))
        // Nothing happens here: an event stream that is empty for good.
        .route("/events", get(|| async { StatusCode::NO_CONTENT }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:4100").await?;
    println!("gallery: http://127.0.0.1:4100");
    axum::serve(listener, router).await
}
