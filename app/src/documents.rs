//! Pages that stand alone: no islands, no WASM, as little as possible to load.
//! They are shown in the window a provider is opened in, where a person waits,
//! and when nothing else can be drawn.

use leptos::prelude::*;

use crate::{
    model::{Action, ActionKind, Prompt, Provider},
    parts::{BrandPlate, Copyable, Icon, PromptLines, SupportDetails},
    paths,
    site::{Site, Theme},
};

/// How a flow ended, for the page the provider sends a person back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was connected.
    pub provider: Provider,
    /// The attempt's handle: a hint for the page that is waiting, and no more.
    pub handle: String,
    /// The connection and its account, or why there is none.
    pub result: Result<Linked, Prompt>,
}

/// What a flow made or repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The connection's id.
    pub connection: String,
    /// The account's name.
    pub account: String,
}

/// The page that leads on to a provider. It exists because a form may not be
/// answered with a redirect to another site under this site's policy.
pub fn opening(site: &Site, theme: Theme, provider: &Provider, auth_url: &str) -> String {
    let name = provider.name.clone();
    let refresh = format!("0;url={auth_url}");
    page(site, theme, &format!("Opening {name}"), Some(refresh), || view! {
        <main class="lone">
            <BrandPlate provider=provider.clone()/>
            <h1>{format!("Opening {name}…")}</h1>
            <p class="muted">{format!("You sign in at {name}. Linkwell never sees your password.")}</p>
            <a class="btn" data-kind="primary" href=auth_url.to_owned()>"Continue"</a>
        </main>
    })
}

/// The page a provider sends a person back to. Where it worked it closes its
/// window, or goes back to the row in the same tab; otherwise it says what to do.
pub fn finished(site: &Site, theme: Theme, outcome: &Outcome) -> String {
    let Outcome { provider, handle, result } = outcome;
    let name = provider.name.clone();
    let hint = handle.clone();
    match result {
        Ok(Linked { connection, account }) => {
            let row = paths::hub_row(connection);
            let link = row.clone();
            page(site, theme, &format!("{name} connected"), None, || view! {
                <main class="lone" data-flow=hint data-return=row>
                    <BrandPlate provider=provider.clone()/>
                    <h1 role="status">{format!("{name} connected")}</h1>
                    <p class="muted">{account.clone()}</p>
                    <p>"Done. You can close this page."</p>
                    <a class="btn" data-kind="primary" href=link>"Go to connections"</a>
                </main>
            })
        }
        Err(prompt) => {
            let again = paths::connect(&provider.id);
            let action = match prompt.action.clone() {
                Some(Action { label, kind: ActionKind::Open { url } }) => (label, url),
                Some(Action { label, kind: ActionKind::SetUp }) => {
                    (label, paths::PROVIDER_APPS.to_owned())
                }
                Some(Action { label, .. }) => (label, again),
                None => ("Go to connections".to_owned(), paths::HUB.to_owned()),
            };
            page(site, theme, &prompt.what, None, || view! {
                <main class="lone" data-flow=hint>
                    <BrandPlate provider=provider.clone()/>
                    <h1 class="visually-hidden">{format!("{name} was not connected")}</h1>
                    <div role="alert"><PromptLines prompt=prompt.clone()/></div>
                    <a class="btn" data-kind="primary" href=action.1>{action.0}</a>
                    {prompt.details.clone().map(|details| view! { <SupportDetails details/> })}
                </main>
            })
        }
    }
}

/// The one page that ever shows a new API key.
pub fn new_key(site: &Site, theme: Theme, name: &str, key: &str) -> String {
    page(site, theme, "New API key", None, || view! {
        <main class="lone" data-wide="true">
            <span class="plate"><Icon name="key-round"/></span>
            <h1>"Copy this key now"</h1>
            <p class="muted">
                {format!("It is the key for {name}. Linkwell keeps only a fingerprint of it and cannot show it again.")}
            </p>
            <Copyable value=key what="API key"/>
            <a class="btn" data-kind="primary" href=paths::API_KEYS>"I have copied it"</a>
        </main>
    })
}

/// A page for what no other page can say: the server refused or failed.
pub fn error(site: &Site, theme: Theme, prompt: &Prompt) -> String {
    page(site, theme, &prompt.what, None, || view! {
        <main class="lone">
            <h1>{prompt.what.clone()}</h1>
            <p>{prompt.why.clone()}</p>
            {prompt.effect.clone().map(|effect| view! { <p>{effect}</p> })}
            <a class="btn" data-kind="primary" href=paths::HUB>"Go to connections"</a>
        </main>
    })
}

fn page<V: IntoView + 'static>(
    site: &Site,
    theme: Theme,
    title: &str,
    refresh: Option<String>,
    content: impl FnOnce() -> V,
) -> String {
    let owner = Owner::new();
    let html = owner.with(|| {
        provide_context(site.clone());
        let Site { css, favicon, popup_js, copy_js, .. } = site.clone();
        let title = format!("{title} · {}", crate::words::PRODUCT);
        view! {
            <html lang="en" data-theme=theme.attribute()>
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    <meta name="referrer" content="no-referrer"/>
                    {refresh.map(|refresh| view! { <meta http-equiv="refresh" content=refresh/> })}
                    <title>{title}</title>
                    <link rel="icon" href=favicon/>
                    <link rel="stylesheet" href=css/>
                    <script src=popup_js defer></script>
                    <script src=copy_js defer></script>
                </head>
                <body>{content()}</body>
            </html>
        }
        .to_html()
    });
    format!("<!DOCTYPE html>{html}")
}
