//! The shop's pages: plain HTML that works without JavaScript.

pub(crate) mod account;
pub(crate) mod consent;
pub(crate) mod control;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use maud::{DOCTYPE, Markup, html};

use crate::{Account, Sandbox, origin::own_pages_only};

const STYLE: &str = include_str!("pages/sandbox.css");
/// Sends the `form_post` answer on its way; without JavaScript the person presses the button.
const SUBMIT: &str = "document.forms[0].submit();\n";
const ICON: &str = concat!(
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#0f766e"/>"##,
    r##"<text x="16" y="22.5" font-family="system-ui,sans-serif" font-size="18" font-weight="700" fill="#fff" text-anchor="middle">S</text></svg>"##,
);

pub(crate) fn routes(shop: &Sandbox) -> Router {
    let account = Router::new()
        .route("/account", get(account::connected_apps))
        .route(
            "/account/sign-in",
            get(account::sign_in_page).post(account::sign_in),
        )
        .route("/account/sign-out", post(account::sign_out))
        .route("/account/remove", post(account::remove))
        .layer(middleware::from_fn_with_state(shop.clone(), own_pages_only));
    Router::new()
        .route("/", get(home))
        .route(
            "/assets/sandbox.css",
            get(|| async { asset("text/css; charset=utf-8", STYLE) }),
        )
        .route(
            "/assets/submit.js",
            get(|| async { asset("text/javascript; charset=utf-8", SUBMIT) }),
        )
        .route(
            "/assets/icon.svg",
            get(|| async { asset("image/svg+xml", ICON) }),
        )
        .route(
            "/favicon.ico",
            get(|| async { asset("image/svg+xml", ICON) }),
        )
        .merge(account)
        .with_state(shop.clone())
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}

/// A page with the headers every page has. `form_targets` are further CSP sources its forms may lead to.
pub(crate) fn respond(status: StatusCode, page: Markup, form_targets: &[&str]) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self' {}",
        form_targets.join(" ")
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.trim_end()),
        // Not `no-referrer`: browsers would then send `Origin: null` with the page's own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(page.into_string())).into_response()
}

/// The frame of every page. `width` is a class: `narrow` (a dialog) or `wide`.
pub(crate) fn frame(title: &str, width: &str, signed_in: Option<&Account>, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Sandbox Shop" }
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/sandbox.css";
            }
            body class=(width) {
                header.bar {
                    a.brand href="/" { span.mark aria-hidden="true" { "S" } span { "Sandbox Shop" } }
                    @if width == "wide" {
                        nav aria-label="Shop" {
                            a href="/account" { "Connected apps" }
                            a href="/control" { "Control" }
                        }
                    }
                    @if let Some(account) = signed_in {
                        form method="post" action="/account/sign-out" {
                            button.quiet type="submit" title=(account.email) { "Sign out" }
                        }
                    }
                }
                main { (main) }
                footer { "A pretend shop for trying things out. Nothing here is real." }
            }
        }
    }
}

/// A page that only says something.
pub(crate) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let main = html! {
        section.card {
            h1 { (title) }
            p { (text) }
            p.fine { "You can close this window." }
        }
    };
    respond(status, frame(title, "narrow", None, main), &[])
}

/// What a provider shows when it is down.
pub(crate) fn failure(status: StatusCode) -> Response {
    let (title, text) = match status {
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many visitors",
            "The shop asks you to come back a little later.",
        ),
        _ => (
            "The shop is closed for maintenance",
            "Please come back a little later.",
        ),
    };
    message(status, title, text)
}

/// What the consent page and others call an app: its id, made readable.
pub(crate) fn app_name(client_id: &str) -> String {
    let spaced = client_id.replace(['-', '_'], " ");
    let mut letters = spaced.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// An account's picture: its initials.
pub(crate) fn picture(account: &Account) -> Markup {
    html! { span class={ "picture " (account.id) } aria-hidden="true" { (account.initials) } }
}

async fn home(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    let issuer = shop.shop().issuer();
    let main = html! {
        div.intro {
            h1 { "A shop you may break" }
            p.lead {
                "Sandbox Shop behaves like a real online shop: it has accounts, asks before it lets an app in, "
                "and hands out tokens that expire. Use it to try a first connection, then make it fail and watch what happens."
            }
        }
        div.grid {
            a.card.link href="/account" {
                h2 { "Connected apps" }
                p { "See what an account allowed, and remove an app, as its owner would." }
            }
            a.card.link href="/control" {
                h2 { "Control" }
                p { "Take the shop down, revoke grants, answer slowly, deny consent." }
            }
        }
        section.card {
            h2 { "For developers" }
            dl.facts {
                dt { "Issuer" } dd { code { (issuer) } }
                dt { "Metadata" } dd { a href="/.well-known/oauth-authorization-server" { "/.well-known/oauth-authorization-server" } }
                dt { "Accounts" } dd { @for account in &crate::ACCOUNTS { code { (account.email) } " " } }
                dt { "Password" } dd { code { (crate::PASSWORD) } }
            }
        }
    };
    respond(
        StatusCode::OK,
        frame("Welcome", "wide", account::signed_in(&headers), main),
        &[],
    )
}
