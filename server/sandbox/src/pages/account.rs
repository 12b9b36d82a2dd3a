//! An account's own pages: sign-in, connected apps.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};

use super::{app_name, consent::described, frame, respond};
use crate::{
    ACCOUNTS, Account, PASSWORD, Sandbox, oauth::Parameters, state::Revocation, webhooks::Event,
};

/// Who is signed in. The cookie simply names the account: everybody knows the passwords here, so there is
/// nothing a session id would protect.
const COOKIE: &str = "sandbox_shop_account";

pub(crate) fn signed_in(headers: &HeaderMap) -> Option<&'static Account> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, id)| Account::find(id))
}

pub(crate) fn sign_in_cookie(account: &Account) -> HeaderValue {
    cookie(account.id, "")
}

fn cookie(value: &str, more: &str) -> HeaderValue {
    HeaderValue::from_str(&format!(
        "{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{more}"
    ))
    .expect("account ids are plain ASCII")
}

/// What this account has allowed.
pub(super) async fn connected_apps(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    let Some(account) = signed_in(&headers) else {
        return Redirect::to("/account/sign-in").into_response();
    };
    let mut apps: Vec<(String, Vec<&'static str>)> = Vec::new();
    for grant in shop
        .grants()
        .into_iter()
        .filter(|grant| grant.account == account.id)
    {
        let meanings = grant.scopes.iter().map(|scope| scope.meaning().0);
        match apps
            .iter_mut()
            .find(|(client, _)| *client == grant.client_id)
        {
            Some((_, known)) => {
                known.extend(meanings);
                known.sort_unstable();
                known.dedup();
            }
            None => apps.push((grant.client_id.clone(), meanings.collect())),
        }
    }
    let main = html! {
        div.intro {
            h1 { "Connected apps" }
            p.lead { "Apps that may act for " strong { (account.name) } "." }
        }
        @if apps.is_empty() {
            section.card.empty { h2 { "No app is connected" } p { "When you approve one, it appears here." } }
        }
        @for (client, meanings) in &apps {
            section.card.row {
                div {
                    h2 { (app_name(client)) }
                    p { (meanings.join(" · ")) }
                }
                form method="post" action="/account/remove" {
                    input type="hidden" name="client_id" value=(client);
                    button.danger type="submit" { "Remove " (app_name(client)) }
                }
            }
        }
    };
    respond(
        StatusCode::OK,
        frame("Connected apps", "wide", Some(account), main),
        &[],
    )
}

/// Removes an app: all its grants for this account end, and it is told.
pub(super) async fn remove(
    State(shop): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Parameters::parse(&body);
    let (Some(account), Some(client)) = (signed_in(&headers), form.get("client_id")) else {
        return Redirect::to("/account/sign-in").into_response();
    };
    for grant in shop.grants() {
        let is_meant = grant.account == account.id && grant.client_id == client;
        if is_meant
            && shop
                .change(|shop, now| shop.revoke(&grant.id, Revocation::Person, now))
                .is_some()
        {
            shop.announce(Event::AppUninstalled, &grant);
        }
    }
    Redirect::to("/account").into_response()
}

pub(super) async fn sign_in_page() -> Response {
    respond(StatusCode::OK, sign_in_form(None), &[])
}

fn sign_in_form(problem: Option<&str>) -> Markup {
    let main = html! {
        form.card method="post" action="/account/sign-in" {
            h1 { "Sign in to your shop" }
            @if let Some(problem) = problem {
                p.problem role="alert" { (problem) }
            }
            fieldset {
                legend { "Your account" }
                @for (index, account) in ACCOUNTS.iter().enumerate() {
                    label.account {
                        input type="radio" name="email" value=(account.email) checked[index == 0] required;
                        (described(account))
                    }
                }
            }
            label.field {
                span { "Password" }
                input type="password" name="password" value=(PASSWORD) autocomplete="off" required;
                small { "It is “" (PASSWORD) "” for everybody, and already filled in." }
            }
            div.actions { button.primary type="submit" { "Sign in" } }
        }
    };
    frame("Sign in", "narrow", None, main)
}

pub(super) async fn sign_in(body: Bytes) -> Response {
    let form = Parameters::parse(&body);
    let account = form
        .get("email")
        .and_then(Account::find)
        .filter(|_| form.get("password") == Some(PASSWORD));
    match account {
        Some(account) => (
            [(header::SET_COOKIE, sign_in_cookie(account))],
            Redirect::to("/account"),
        )
            .into_response(),
        None => respond(
            StatusCode::UNAUTHORIZED,
            sign_in_form(Some("E-mail or password is wrong.")),
            &[],
        ),
    }
}

pub(super) async fn sign_out() -> Response {
    (
        [(header::SET_COOKIE, cookie("", "; Max-Age=0"))],
        Redirect::to("/account/sign-in"),
    )
        .into_response()
}
