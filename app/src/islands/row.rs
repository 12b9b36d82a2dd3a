//! The rows of the hub: drawn from what was last read, patched in place when
//! that changes, so that neither the page nor the focus jumps.

use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
    web_sys::SubmitEvent,
};

use super::control::{CheckForm, Controls, PromptButton, Seen};
use crate::{
    model::{Connection, Section, Status},
    parts::{BrandPlate, Icon, PromptLines, StatusWord},
    paths, words,
};

/// A linked account.
#[component]
pub fn ConnectionRow(
    /// The account, as last read.
    connection: Connection,
    /// The part of the hub it is listed in: only there, where a person is asked
    /// to act, are all lines of a prompt shown.
    section: Section,
    /// The server's time, in seconds since the epoch.
    now: i64,
    /// Whether the person looking may act.
    may_manage: bool,
    /// What can be seen of its controls.
    seen: Seen,
    /// What can be pressed.
    controls: Controls,
) -> impl IntoView {
    let prompt = connection.prompt.clone();
    let open = seen.phase.line(&connection.provider.name);
    let checking = seen.checking;
    let full = section == Section::ActionNeeded && open.is_none() && !checking;
    let fact = match open {
        _ if checking => "Checking now".to_owned(),
        Some(line) => line,
        None => words::fact(&connection, now),
    };
    let lines = match prompt.clone() {
        Some(prompt) if full => Either::Left(view! { <PromptLines prompt/> }),
        _ => {
            let checked = connection.checked_on.clone();
            Either::Right(view! { <p class="fact" title=checked>{fact}</p> })
        }
    };
    let action = prompt.and_then(|prompt| prompt.action);
    let subject = connection.clone();
    let button = match (action, connection.status) {
        (Some(action), _) => {
            EitherOf3::A(view! { <PromptButton action connection=subject seen controls/> })
        }
        (None, Status::NotCheckedYet) if may_manage => EitherOf3::B(view! {
            <CheckForm id=subject.id status=subject.status label="Check now".to_owned() checking controls/>
        }),
        (None, _) => EitherOf3::C(()),
    };
    let status = connection.status;
    let link = paths::connection(&connection.id);
    let (name, account) = (connection.provider.name.clone(), connection.account.clone());
    view! {
        <BrandPlate provider=connection.provider.clone()/>
        <div class="row-main">
            <p class="row-title">
                <a class="row-link" href=link>{name} " " <span class="account">{account}</span></a>
            </p>
            {lines}
        </div>
        <div class="row-status"><StatusWord status/></div>
        <div class="row-action">{button}</div>
        <div class="row-menu">
            {may_manage.then(|| view! { <RowMenu connection controls/> })}
        </div>
    }
}

/// Everything else a person can do with a connection.
#[component]
pub fn RowMenu(
    /// Which.
    connection: Connection,
    /// What can be pressed.
    controls: Controls,
) -> impl IntoView {
    let Connection {
        id,
        provider,
        account,
        status,
        ..
    } = connection;
    let menu = format!("menu-{id}");
    let called = format!("More for {} {account}", provider.name);
    let ended = status == Status::Disconnected;
    let checked = id.clone();
    view! {
        <button type="button" class="icon-button" popovertarget=menu.clone() aria-label=called>
            <Icon name="ellipsis"/>
        </button>
        <div class="menu" popover="auto" id=menu>
            <form
                method="post"
                action=paths::CHECK
                hidden=ended
                on:submit=move |event: SubmitEvent| controls.check(&event, checked.clone(), status)
            >
                <input type="hidden" name="id" value=id.clone()/>
                <button class="menu-item"><Icon name="stethoscope"/>"Check now"</button>
            </form>
            <a class="menu-item" href=format!("{}#rename", paths::connection(&id))>
                <Icon name="pencil"/>
                "Rename"
            </a>
            <a class="menu-item" href=paths::connect(&provider.id)>
                <Icon name="plus"/>
                "Add another account"
            </a>
            <a class="menu-item" data-tone="bad" hidden=ended href=paths::disconnect(&id)>
                <Icon name="unplug"/>
                "Disconnect"
            </a>
            <form method="post" action=paths::REMOVE hidden=!ended>
                <input type="hidden" name="id" value=id.clone()/>
                <button class="menu-item" data-tone="bad"><Icon name="trash-2"/>"Remove"</button>
            </form>
        </div>
    }
}
