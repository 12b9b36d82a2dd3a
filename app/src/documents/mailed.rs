//! What a link from an e-mail shows before anything has happened, and when there
//! is nothing to do any more. It is opened logged out, on a phone, and by
//! scanners of mail.

use leptos::prelude::*;

use super::page;
use crate::{
    model::{Action, ActionKind, Details, Prompt, Provider},
    parts::{BrandPlate, Icon, PromptLines, SupportDetails},
    paths,
    site::{Site, Theme},
};

/// What is wrong with which account, and the one button.
pub fn repair(
    site: &Site,
    theme: Theme,
    organisation: &str,
    (provider, account): (&Provider, &str),
    (prompt, details): (&Prompt, Option<Details>),
    (accept, page_of): (&str, &str),
) -> String {
    let title = format!("Repair {}", provider.name);
    // What is wrong may have become something else since the mail was sent, which
    // signing in once more does not end.
    let button = match &prompt.action {
        Some(Action {
            label,
            kind: ActionKind::Connect,
        }) => view! {
            <form class="lone-actions" method="post" action=accept.to_owned()>
                <button class="btn" data-kind="primary">{label.clone()}</button>
            </form>
            <p class="muted">
                {format!("This is for {organisation}. Sign in with the same account: another one is not accepted.")}
            </p>
        }
        .into_any(),
        _ => view! {
            <a class="btn" data-kind="primary" href=page_of.to_owned()>
                {format!("Open {} in the hub", provider.name)}
            </a>
        }
        .into_any(),
    };
    page(site, theme, &title, None, || {
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <h1>{provider.name.clone()} " " <span class="account">{account.to_owned()}</span></h1>
                <PromptLines prompt=prompt.clone()/>
                {button}
                {details.map(|details| view! { <SupportDetails details/> })}
                <p class="muted">"You did not expect this? Close the page, and nothing happens."</p>
            </main>
        }
    })
}

/// Nothing is to be done.
pub fn repair_over(site: &Site, theme: Theme, provider: &Provider, works: bool) -> String {
    let (title, told) = match works {
        true => (
            "This works again, nothing to do",
            format!("{} was repaired, or healed by itself.", provider.name),
        ),
        false => (
            "Nothing to do",
            format!(
                "{} was disconnected since the mail was sent.",
                provider.name
            ),
        ),
    };
    page(site, theme, title, None, || {
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <div role="status"><h1>{title}</h1></div>
                <p>{told}</p>
                <p class="muted">"You can close this page."</p>
                <a class="btn" data-kind="plain" href=paths::HUB>"Open the hub"</a>
            </main>
        }
    })
}

/// The link has ended, and it is still wrong.
pub fn repair_too_late(site: &Site, theme: Theme, provider: &Provider, page_of: &str) -> String {
    let title = "This link has ended";
    let told = format!(
        "A link from a mail works for three days. {} still needs somebody.",
        provider.name
    );
    page(site, theme, title, None, || {
        view! {
            <main class="lone">
                <span class="plate"><Icon name="hourglass"/></span>
                <h1>{title}</h1>
                <p>{told}</p>
                <a class="btn" data-kind="primary" href=page_of.to_owned()>
                    {format!("Open {} in the hub", provider.name)}
                </a>
            </main>
        }
    })
}

/// It was repaired from an e-mail.
pub fn repair_done(site: &Site, theme: Theme, provider: &Provider) -> String {
    let title = format!("{} works again", provider.name);
    page(site, theme, &title.clone(), None, || {
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <div role="status"><h1>{title}</h1></div>
                <p>"Done. You can close this page."</p>
                <a class="btn" data-kind="plain" href=paths::HUB>"Open the hub"</a>
            </main>
        }
    })
}
