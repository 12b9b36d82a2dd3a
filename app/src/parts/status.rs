//! A status: an icon and a word, never colour alone.

use leptos::prelude::*;

use super::Icon;
use crate::{model::Status, words};

/// The status of a connection.
#[component]
pub fn StatusWord(
    /// Which.
    status: Status,
) -> impl IntoView {
    let (tone, icon) = match status {
        Status::Connected => ("good", view! { <Icon name="circle-check"/> }.into_any()),
        Status::Retrying { .. } => ("calm", view! { <Icon name="refresh-cw"/> }.into_any()),
        Status::ActionNeeded => ("bad", view! { <Icon name="triangle-alert"/> }.into_any()),
        Status::WaitingForAdmin => ("warn", view! { <Icon name="hourglass"/> }.into_any()),
        Status::NotCheckedYet => ("quiet", view! { <Icon name="circle-dashed"/> }.into_any()),
        Status::Paused => ("quiet", view! { <Icon name="circle-pause"/> }.into_any()),
        Status::Disconnected => ("quiet", view! { <Icon name="unplug"/> }.into_any()),
    };
    view! {
        <span class="status" data-tone=tone>
            {icon}
            <span>{words::status(status)}</span>
        </span>
    }
}
