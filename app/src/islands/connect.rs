//! The Connect control on a page of its own, with the fields the server drew.

use leptos::prelude::*;

use super::{
    attempt::{Phase, Tracker},
    control::{ConnectButtons, ConnectForm},
};
use crate::{model::Provider, paths};

/// The Connect control, and what it says until the server knows the outcome.
#[island]
pub fn ConnectPanel(
    /// What is connected.
    provider: Provider,
    /// The connection that is repaired, when it is one.
    connection: Option<String>,
    /// What the button says.
    label: String,
    /// How long it usually takes, in words.
    takes: Option<String>,
    /// The handle of an attempt that is still open.
    attempt: Option<String>,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let (name, called) = (provider.name.clone(), provider.name.clone());
    let ended = Callback::new(|phase: Phase| {
        if let Phase::Connected(id) = phase {
            let _ = window().location().assign(&paths::hub_row(&id));
        }
    });
    let tracker = Tracker::new(name.clone(), attempt, ended);
    let line = move || tracker.phase.with(|phase| phase.line(&name));
    view! {
        <ConnectForm provider connection tracker>
            {children()}
            {move || {
                let (name, label, phase) = (called.clone(), label.clone(), tracker.phase.get());
                view! { <ConnectButtons name label primary=true phase tracker/> }
            }}
        </ConnectForm>
        <p class="connect-line">
            {move || line().or_else(|| takes.clone())}
        </p>
    }
}
