//! The Connect control: a form that opens the provider in a window, and what it
//! says until the server knows the outcome.

use leptos::{prelude::*, web_sys::SubmitEvent};

use super::{
    attempt::{Phase, Tracker},
    browser,
};
use crate::{model::Provider, parts::Icon, paths, words};

/// The form that starts a flow. Its button keeps its place, its width and the
/// focus through every phase.
#[component]
pub fn ConnectForm(
    /// What is connected.
    provider: Provider,
    /// The connection that is repaired, when it is one.
    #[prop(into)]
    connection: Option<String>,
    /// What the button says while nothing is open: `Connect`.
    #[prop(into)]
    label: Signal<String>,
    /// Whether this is the one primary action of its place.
    primary: bool,
    /// Follows the attempt.
    tracker: Tracker,
    /// Fields that come before the button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let name = StoredValue::new(provider.name.clone());
    let waiting = move || {
        tracker
            .phase
            .with(|phase| matches!(phase, Phase::Waiting | Phase::Checking))
    };
    let open = move || tracker.phase.with(Phase::is_open);
    let text = move || {
        tracker.phase.with(|phase| match phase {
            Phase::Waiting => "Waiting".to_owned(),
            Phase::Checking => "Checking".to_owned(),
            Phase::Unsure | Phase::Slow | Phase::Undecided(_) => "Open window again".to_owned(),
            Phase::Idle | Phase::Connected(_) => label.get(),
            Phase::Failed(_) | Phase::Cancelled | Phase::Expired => "Try again".to_owned(),
        })
    };
    let spoken = move || match waiting() {
        true => name.with_value(|name| format!(" for {name}")),
        false => name.with_value(|name| format!(" {name} (opens a window)")),
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
            <div class="connect-buttons">
                <button
                    type="submit"
                    class="btn"
                    data-kind=if primary { "primary" } else { "plain" }
                    aria-busy=move || waiting().then_some("true")
                >
                    <span class="spinner" aria-hidden="true" hidden=move || !waiting()></span>
                    <span>{text}</span>
                    <span class="visually-hidden">{spoken}</span>
                </button>
                {move || match tracker.phase.get() {
                    Phase::Undecided(flow) => Some(view! {
                        <a class="btn" data-kind="plain" href=paths::flow(&flow)>"Decide here"</a>
                    }),
                    _ => None,
                }}
                <button
                    type="button"
                    class="btn"
                    data-kind="quiet"
                    hidden=move || !open()
                    on:click=move |_| tracker.cancel()
                >
                    "Cancel"
                </button>
            </div>
        </form>
    }
}

/// The Connect control on a page of its own, with the fields the server drew.
#[island]
pub fn ConnectPanel(
    /// What is connected.
    provider: Provider,
    /// The connection that is repaired, when it is one.
    connection: Option<String>,
    /// What the button says.
    label: String,
    /// The handle of an attempt that is still open.
    attempt: Option<String>,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let name = StoredValue::new(provider.name.clone());
    let ended = Callback::new(move |phase: Phase| {
        if let Phase::Connected(id) = phase {
            let _ = window().location().assign(&paths::hub_row(&id));
        }
    });
    let tracker = Tracker::new(attempt, Some(ended));
    let line = move || {
        name.with_value(|name| tracker.phase.with(|phase| phase.line(name)))
    };
    Effect::new(move || {
        if let Some(line) = line() {
            browser::announce(&line);
        }
    });
    view! {
        <ConnectForm provider connection label=Signal::stored(label) primary=true tracker>
            {children()}
        </ConnectForm>
        <p class="connect-line">
            {move || match line() {
                Some(line) => view! { {line} }.into_any(),
                None => view! {
                    <Icon name="clock"/>
                    "Usually under 30 seconds"
                }.into_any(),
            }}
        </p>
    }
}
