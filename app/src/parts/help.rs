//! What somebody can do about a trouble who has no button for it: ask who has,
//! or be told when it is over.

use leptos::prelude::*;

use crate::{
    model::{ActionKind, Connection, Help, Prompt},
    parts::{Icon, Time},
    paths, words,
};

/// Who can repair it and a button to ask them, or the wish to be told.
#[component]
pub fn HelpLines(
    /// The connection's id.
    id: String,
    /// What can be done.
    help: Help,
    /// The server's time, in seconds since the epoch.
    now: i64,
    /// The page to come back to: `notices`, or nothing for the connection's.
    #[prop(optional)]
    back: &'static str,
) -> impl IntoView {
    let Help {
        repairers,
        asked,
        waits,
        watching,
        ..
    } = help;
    let names: Vec<String> = repairers.iter().map(|(_, name)| name.clone()).collect();
    let told: Vec<String> = asked.iter().map(|(name, _)| name.clone()).collect();
    let next = repairers.into_iter().find(|(_, name)| !told.contains(name));
    let hidden = {
        let id = id.clone();
        move || {
            view! {
                <input type="hidden" name="id" value=id.clone()/>
                <input type="hidden" name="back" value=back/>
            }
        }
    };
    let asked = asked
        .into_iter()
        .map(|(name, at)| {
            let said = words::ago(now, at.unix);
            view! {
                <p class="fact">
                    {format!("{name} was asked ")} <Time moment=at said/> "."
                </p>
            }
        })
        .collect_view();
    let ask = (!names.is_empty()).then(|| {
        let can = format!("{} can repair this.", words::list(&names));
        let form = next.map(|(person, name)| {
            view! {
                <form method="post" action=paths::ASK>
                    {hidden()}
                    <input type="hidden" name="person" value=person/>
                    <button class="btn" data-kind="primary">{format!("Ask {name}")}</button>
                </form>
            }
        });
        view! {
            <p>{can}</p>
            {asked}
            {form}
        }
    });
    let wait = waits.then(|| match watching {
        true => view! {
            <p class="fact"><Icon name="bell"/>" You are told when it works."</p>
        }
        .into_any(),
        false => view! {
            <form method="post" action=paths::TELL_WHEN_IT_WORKS>
                {hidden()}
                <button class="btn" data-kind="plain">"Tell me when it works"</button>
            </form>
        }
        .into_any(),
    });
    view! { {ask} {wait} }
}

/// The one button of a prompt, as a plain form or link.
#[component]
pub fn PlainButton(
    /// What is wrong.
    prompt: Prompt,
    /// With what.
    connection: Connection,
    /// Whether one press begins.
    one_click: bool,
) -> impl IntoView {
    let action = prompt.action?;
    let label = action.label;
    let (provider, id) = (connection.provider.id, connection.id);
    let spoken = format!(" {} {}", connection.provider.name, connection.account);
    let link = |address: String, away: bool, label: String| {
        view! {
            <a
                class="btn"
                data-kind="primary"
                href=address
                target=away.then_some("_blank")
                rel=away.then_some("noreferrer")
            >
                {label}
                {away.then(|| view! { <Icon name="external-link"/> })}
            </a>
        }
        .into_any()
    };
    Some(match action.kind {
        ActionKind::Connect | ActionKind::AddAccount if one_click => view! {
            <form method="post" action=paths::start(&provider)>
                <input type="hidden" name="connection" value=id/>
                <button class="btn" data-kind="primary">
                    {label}
                    <span class="visually-hidden">{spoken}</span>
                </button>
            </form>
        }
        .into_any(),
        ActionKind::Connect | ActionKind::AddAccount | ActionKind::Explain => {
            link(paths::reconnect(&provider, &id), false, label)
        }
        ActionKind::Check => view! {
            <form method="post" action=paths::CHECK>
                <input type="hidden" name="id" value=id/>
                <button class="btn" data-kind="plain">
                    {label}
                    <span class="visually-hidden">{spoken}</span>
                </button>
            </form>
        }
        .into_any(),
        ActionKind::SignIn => link(paths::SIGN_IN.to_owned(), false, label),
        ActionKind::SetUp { app } => link(paths::provider_app(&app), false, label),
        ActionKind::Resume => link(paths::rest(&id), false, label),
        ActionKind::Open { url } => {
            let away = url.starts_with("https:");
            link(url, away, label)
        }
    })
}
