//! The rows of the hub. A row keeps its place and its controls while its status
//! changes, so that neither the page nor the focus jumps.

use leptos::{prelude::*, task::spawn_local, web_sys::SubmitEvent};

use super::{
    attempt::{Phase, Tracker},
    browser,
    connect::ConnectForm,
};
use crate::{
    model::{Action, ActionKind, Connection, Offer, Section, Start, Status},
    parts::{BrandPlate, Icon, PromptLines, StatusWord},
    paths, words,
};

/// A linked account.
#[component]
pub fn ConnectionRow(
    /// The account, as last read.
    connection: Memo<Connection>,
    /// The part of the hub it is listed in: only there, where a person is asked
    /// to act, are all lines of a prompt shown.
    section: Section,
    /// The server's time, in seconds since the epoch.
    now: RwSignal<i64>,
    /// Whether the person looking may act.
    may_manage: bool,
    /// Reads the hub again.
    reread: Callback<()>,
) -> impl IntoView {
    let first = connection.get_untracked();
    let (id, provider) = (StoredValue::new(first.id), first.provider);
    let (plate, name) = (provider.clone(), StoredValue::new(provider.name.clone()));
    let tracker = Tracker::new(first.attempt, Some(Callback::new(move |_| reread.run(()))));
    let checking = RwSignal::new(false);

    let lines = move || {
        let shown = connection.get();
        let open = name.with_value(|name| tracker.phase.with(|phase| phase.line(name)));
        match (open, shown.prompt) {
            _ if checking.get() => view! { <p class="fact">"Checking now"</p> }.into_any(),
            (Some(line), _) => view! { <p class="fact">{line}</p> }.into_any(),
            (None, Some(prompt)) if section == Section::ActionNeeded => {
                view! { <PromptLines prompt/> }.into_any()
            }
            (None, Some(prompt)) => view! { <p class="fact">{prompt.what}</p> }.into_any(),
            (None, None) => {
                let fact = words::fact(&connection.get(), now.get());
                view! { <p class="fact">{fact}</p> }.into_any()
            }
        }
    };
    let action = Memo::new(move |_| {
        let shown = connection.get();
        let asked = shown.prompt.and_then(|prompt| prompt.action);
        let own = || {
            (shown.status == Status::NotCheckedYet).then(|| Action {
                label: "Check now".to_owned(),
                kind: ActionKind::Check,
            })
        };
        asked.or_else(own).filter(|_| may_manage)
    });
    let check = move |event: SubmitEvent| {
        event.prevent_default();
        browser::close_menu(&event);
        checking.set(true);
        spawn_local(async move {
            browser::post("/api/check_connection", &[("id", &id.get_value())]).await;
            checking.try_set(false);
            reread.run(());
        });
    };
    let button = move || {
        let id = id.get_value();
        action.get().map(|Action { label, kind }| match kind {
            ActionKind::Connect | ActionKind::AddAccount | ActionKind::Explain => view! {
                <ConnectForm
                    provider=provider.clone()
                    connection=Some(id)
                    label=Signal::stored(label)
                    primary=true
                    tracker
                />
            }
            .into_any(),
            ActionKind::Check => view! {
                <form method="post" action="/api/check_connection" on:submit=check>
                    <input type="hidden" name="id" value=id/>
                    <button
                        class="btn"
                        data-kind="plain"
                        aria-busy=move || checking.get().then_some("true")
                    >
                        {label}
                    </button>
                </form>
            }
            .into_any(),
            ActionKind::SignIn => ().into_any(),
            ActionKind::SetUp { app } => view! {
                <a class="btn" data-kind="primary" href=paths::provider_app(&app)>{label}</a>
            }
            .into_any(),
            ActionKind::Open { url } => view! {
                <a class="btn" data-kind="primary" href=url target="_blank" rel="noreferrer">
                    {label}
                    <Icon name="external-link"/>
                </a>
            }
            .into_any(),
        })
    };
    let menu = may_manage.then(|| view! { <RowMenu id=id.get_value() connection check/> });
    view! {
        <BrandPlate provider=plate/>
        <div class="row-main">
            <p class="row-title">
                <a class="row-link" href=paths::connection(&id.get_value())>
                    {name.get_value()}
                    " "
                    <span class="account">{move || connection.get().account}</span>
                </a>
            </p>
            {lines}
        </div>
        <div class="row-status">
            {move || view! { <StatusWord status=connection.get().status/> }}
        </div>
        <div class="row-action">{button}</div>
        <div class="row-menu">{menu}</div>
    }
}

/// Everything else a person can do with a connection.
#[component]
fn RowMenu(
    id: String,
    connection: Memo<Connection>,
    check: impl Fn(SubmitEvent) + Copy + 'static,
) -> impl IntoView {
    let menu = format!("menu-{id}");
    let called = move || {
        connection.with(|shown| format!("More for {} {}", shown.provider.name, shown.account))
    };
    let another = connection.with_untracked(|shown| paths::connect(&shown.provider.id));
    view! {
        <button type="button" class="icon-button" popovertarget=menu.clone() aria-label=called>
            <Icon name="ellipsis"/>
        </button>
        <div class="menu" popover="auto" id=menu>
            <form method="post" action="/api/check_connection" on:submit=check>
                <input type="hidden" name="id" value=id.clone()/>
                <button class="menu-item">
                    <Icon name="stethoscope"/>
                    "Check now"
                </button>
            </form>
            <a class="menu-item" href=format!("{}#rename", paths::connection(&id))>
                <Icon name="pencil"/>
                "Rename"
            </a>
            <a class="menu-item" href=another>
                <Icon name="plus"/>
                "Add another account"
            </a>
            <a class="menu-item" data-tone="bad" href=paths::disconnect(&id)>
                <Icon name="unplug"/>
                "Disconnect"
            </a>
        </div>
    }
}

/// A provider that can be connected.
#[component]
pub fn OfferRow(
    /// The provider, as last read.
    offer: Memo<Offer>,
    /// Follows the attempt to connect it.
    tracker: Tracker,
    /// Whether the person looking may connect.
    may_manage: bool,
) -> impl IntoView {
    let Offer { provider, .. } = offer.get_untracked();
    let name = StoredValue::new(provider.name.clone());
    let lines = move || {
        let phase = tracker.phase.get();
        match (phase.line(&name.get_value()), phase) {
            (_, Phase::Failed(Some(prompt))) => view! { <PromptLines prompt/> }.into_any(),
            (Some(line), _) => view! { <p class="fact">{line}</p> }.into_any(),
            (None, _) => view! { <p class="fact">{words::offer(&offer.get())}</p> }.into_any(),
        }
    };
    let label = Memo::new(move |_| match offer.get().again {
        true => "Add another account".to_owned(),
        false => "Connect".to_owned(),
    });
    let start = Memo::new(move |_| offer.get().start);
    let details = paths::connect(&provider.id);
    let target = provider.clone();
    let button = move || {
        let details = paths::connect(&target.id);
        let named = format!(" {}", target.name);
        match start.get() {
            _ if !may_manage => ().into_any(),
            Start::Now => view! {
                <ConnectForm
                    provider=target.clone()
                    connection=None
                    label
                    primary=false
                    tracker
                />
            }
            .into_any(),
            Start::AfterDetails => view! {
                <a class="btn" data-kind="plain" href=details>
                    {label}
                    <span class="visually-hidden">{named}</span>
                </a>
            }
            .into_any(),
            Start::SetUp => view! {
                <a class="btn" data-kind="plain" href=details>
                    "Set up"
                    <span class="visually-hidden">{named}</span>
                </a>
            }
            .into_any(),
            Start::AskAdmin => ().into_any(),
        }
    };
    view! {
        <BrandPlate provider/>
        <div class="row-main">
            <p class="row-title">
                <a class="row-link" href=details>{name.get_value()}</a>
            </p>
            {lines}
        </div>
        <div class="row-status"></div>
        <div class="row-action">{button}</div>
        <div class="row-menu"></div>
    }
}
