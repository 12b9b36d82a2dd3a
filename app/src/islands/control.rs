//! What can be pressed on a row and on a connection's page: the Connect form,
//! Check now, and the one button of a prompt.

use leptos::{either::EitherOf3, prelude::*, task::spawn_local, web_sys::SubmitEvent};

use super::{
    attempt::{Phase, Tracker},
    browser,
};
use crate::{
    model::{Action, ActionKind, Connection, Provider, Status},
    parts::Icon,
    paths,
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
        Self {
            tracker,
            checking: RwSignal::new(false),
            reread,
        }
    }

    /// Checks in place of the form, which would load the page anew. Where a person
    /// has to act, mostly nothing is asked and nothing changes: only the page that
    /// the form leads to says so.
    pub fn check(self, event: &SubmitEvent, id: String, status: Status) {
        if status == Status::ActionNeeded {
            return;
        }
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

/// What can be seen of the controls. It is read once where a row is drawn, and
/// handed down: a part that read it by itself would be replaced, and lose the
/// focus, whenever the row is drawn again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How far an attempt is.
    pub phase: Phase,
    /// Whether a check is under way.
    pub checking: bool,
}

impl Controls {
    /// Reads what can be seen, and is told when it changes.
    pub fn seen(self) -> Seen {
        Seen {
            phase: self.tracker.phase.get(),
            checking: self.checking.get(),
        }
    }
}

/// The one button of a prompt.
#[component]
pub fn PromptButton(
    action: Action,
    connection: Connection,
    seen: Seen,
    controls: Controls,
) -> impl IntoView {
    let Action { label, kind } = action;
    let link = match kind {
        ActionKind::Connect | ActionKind::AddAccount => {
            let tracker = controls.tracker;
            let name = connection.provider.name.clone();
            return EitherOf3::A(view! {
                <ConnectForm
                    provider=connection.provider
                    connection=Some(connection.id)
                    tracker
                >
                    <ConnectButtons name label primary=true phase=seen.phase tracker/>
                </ConnectForm>
            });
        }
        ActionKind::Check => {
            let checking = seen.checking;
            let Connection { id, status, .. } = connection;
            return EitherOf3::B(view! { <CheckForm id status label checking controls/> });
        }
        ActionKind::Explain => paths::connect(&connection.provider.id),
        ActionKind::Resume => paths::rest(&connection.id),
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
pub fn CheckForm(
    id: String,
    status: Status,
    label: String,
    checking: bool,
    controls: Controls,
) -> impl IntoView {
    let posted = id.clone();
    view! {
        <form
            method="post"
            action=paths::CHECK
            on:submit=move |event: SubmitEvent| controls.check(&event, posted.clone(), status)
        >
            <input type="hidden" name="id" value=id/>
            <button class="btn" data-kind="plain" aria-busy=checking.then_some("true")>
                <span class="spinner" aria-hidden="true" hidden=!checking></span>
                {if checking { "Checking".to_owned() } else { label }}
            </button>
        </form>
    }
}

/// The form that starts a flow: fields, if any, and [`ConnectButtons`].
#[component]
pub fn ConnectForm<C: IntoView + 'static>(
    /// What is connected.
    provider: Provider,
    /// The connection that is repaired, when it is one.
    connection: Option<String>,
    /// Follows the attempt.
    tracker: Tracker,
    /// What is in the form.
    children: TypedChildren<C>,
) -> impl IntoView {
    view! {
        <form
            method="post"
            action=paths::start(&provider.id)

            class="connect"
            on:submit=move |event: SubmitEvent| tracker.submit(&event)
        >
            <input type="hidden" name="handle"/>
            <input type="hidden" name="popup"/>
            {connection.map(|id| view! { <input type="hidden" name="connection" value=id/> })}
            {children.into_inner()()}
        </form>
    }
}

/// Connect, with what it becomes while an attempt is open. The button keeps its
/// place, its width and the focus through every phase.
#[component]
pub fn ConnectButtons(
    /// The provider's name.
    name: String,
    /// What the button says while nothing is open: `Connect`.
    label: String,
    /// Whether this is the one primary action of its place.
    primary: bool,
    /// How far the attempt is.
    phase: Phase,
    /// Follows the attempt.
    tracker: Tracker,
) -> impl IntoView {
    let waiting = matches!(phase, Phase::Waiting | Phase::Checking);
    let open = phase.is_open();
    let text = match &phase {
        Phase::Waiting => "Waiting".to_owned(),
        Phase::Checking => "Checking".to_owned(),
        Phase::Unsure | Phase::Slow | Phase::Undecided(_) | Phase::Choosing(_) => {
            "Open window again".to_owned()
        }
        Phase::Idle | Phase::Connected(_) => label,
        Phase::Failed(_) | Phase::Cancelled | Phase::Expired => "Try again".to_owned(),
    };
    let spoken = match waiting {
        true => format!(" for {name}"),
        false => format!(" {name} (opens a window)"),
    };
    let decide = match phase {
        Phase::Undecided(flow) | Phase::Choosing(flow) => Some(view! {
            <a class="btn" data-kind="plain" href=paths::flow(&flow)>"Decide here"</a>
        }),
        _ => None,
    };
    view! {
        <div class="connect-buttons">
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
                on:click=move |event| {
                    tracker.cancel();
                    // This button goes away; the one beside it stays.
                    browser::focus_submit(event.target());
                }
            >
                "Cancel"
            </button>
        </div>
    }
}
