//! What can be pressed on a row and on a connection's page: the Connect form,
//! Check now, and the one button of a prompt.

use leptos::{
    either::EitherOf3,
    prelude::*,
    task::spawn_local,
    web_sys::SubmitEvent,
};

use super::{
    attempt::{Phase, Tracker},
    browser,
};
use crate::{
    model::{Action, ActionKind, Connection, Provider},
    parts::Icon,
    paths, words,
};

/// What a row remembers while it is drawn anew.
#[derive(Clone, Copy)]
pub struct Controls {
    /// Follows the attempt to connect or repair.
    pub tracker: Tracker,
    /// Whether a check is under way.
    pub checking: RwSignal<bool>,
    reread: Callback<()>,
}

impl Controls {
    /// Controls that read the row again when something has ended.
    pub fn new(tracker: Tracker, reread: Callback<()>) -> Self {
        Self { tracker, checking: RwSignal::new(false), reread }
    }

    /// Checks in place of the form, which would load the page anew.
    pub fn check(self, event: &SubmitEvent, id: String) {
        event.prevent_default();
        browser::close_menu(event);
        if self.checking.get_untracked() {
            return;
        }
        self.checking.set(true);
        spawn_local(async move {
            browser::post(paths::CHECK, &[("id", &id)]).await;
            self.checking.try_set(false);
            self.reread.run(());
        });
    }
}

/// The one button of a prompt.
#[component]
pub fn PromptButton(action: Action, connection: Connection, controls: Controls) -> impl IntoView {
    let Action { label, kind } = action;
    let link = match kind {
        ActionKind::Connect | ActionKind::AddAccount => {
            return EitherOf3::A(view! {
                <ConnectForm
                    provider=connection.provider
                    connection=Some(connection.id)
                    label
                    primary=true
                    tracker=controls.tracker
                />
            });
        }
        ActionKind::Check => {
            return EitherOf3::B(view! { <CheckForm id=connection.id label controls/> });
        }
        ActionKind::Explain => paths::connect(&connection.provider.id),
        ActionKind::SignIn => paths::SIGN_IN.to_owned(),
        ActionKind::SetUp { app } => paths::provider_app(&app),
        ActionKind::Open { url } => url,
    };
    let away = link.starts_with("https:");
    EitherOf3::C(view! {
        <a
            class="btn"
            data-kind="primary"
            href=link
            target=away.then_some("_blank")
            rel=away.then_some("noreferrer")
        >
            {label}
            {away.then(|| view! { <Icon name="external-link"/> })}
        </a>
    })
}

/// The form that proves a connection now.
#[component]
pub fn CheckForm(id: String, label: String, controls: Controls) -> impl IntoView {
    let posted = id.clone();
    let checking = move || controls.checking.get();
    view! {
        <form
            method="post"
            action=paths::CHECK
            on:submit=move |event: SubmitEvent| controls.check(&event, posted.clone())
        >
            <input type="hidden" name="id" value=id/>
            <button class="btn" data-kind="plain" aria-busy=move || checking().then_some("true")>
                <span class="spinner" aria-hidden="true" hidden=move || !checking()></span>
                {move || if checking() { "Checking".to_owned() } else { label.clone() }}
            </button>
        </form>
    }
}

/// The form that starts a flow. Its button keeps its place, its width and the
/// focus through every phase.
#[component]
pub fn ConnectForm(
    /// What is connected.
    provider: Provider,
    /// The connection that is repaired, when it is one.
    connection: Option<String>,
    /// What the button says while nothing is open: `Connect`.
    label: String,
    /// Whether this is the one primary action of its place.
    primary: bool,
    /// Follows the attempt.
    tracker: Tracker,
    /// Fields that come before the button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let name = provider.name;
    let buttons = move || {
        let phase = tracker.phase.get();
        let waiting = matches!(phase, Phase::Waiting | Phase::Checking);
        let open = phase.is_open();
        let text = match &phase {
            Phase::Waiting => "Waiting".to_owned(),
            Phase::Checking => "Checking".to_owned(),
            Phase::Unsure | Phase::Slow | Phase::Undecided(_) => "Open window again".to_owned(),
            Phase::Idle | Phase::Connected(_) => label.clone(),
            Phase::Failed(_) | Phase::Cancelled | Phase::Expired => "Try again".to_owned(),
        };
        let spoken = match waiting {
            true => format!(" for {name}"),
            false => format!(" {name} (opens a window)"),
        };
        let decide = match phase {
            Phase::Undecided(flow) => Some(view! {
                <a class="btn" data-kind="plain" href=paths::flow(&flow)>"Decide here"</a>
            }),
            _ => None,
        };
        view! {
            <button
                type="submit"
                class="btn"
                data-kind=if primary { "primary" } else { "plain" }
                aria-busy=waiting.then_some("true")
            >
                <span class="spinner" aria-hidden="true" hidden=!waiting></span>
                <span>{text}</span>
                <span class="visually-hidden">{spoken}</span>
            </button>
            {decide}
            <button
                type="button"
                class="btn"
                data-kind="quiet"
                hidden=!open
                on:click=move |_| tracker.cancel()
            >
                "Cancel"
            </button>
        }
    };
    view! {
        <form
            method="post"
            action=paths::start(&provider.id)
            target=words::POPUP
            class="connect"
            on:submit=move |event: SubmitEvent| tracker.submit(&event)
        >
            <input type="hidden" name="handle"/>
            <input type="hidden" name="popup"/>
            {connection.map(|id| view! { <input type="hidden" name="connection" value=id/> })}
            {children.map(|children| children())}
            <div class="connect-buttons">{buttons}</div>
        </form>
    }
}
