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
        Status::Connected => ("good", view! { <Icon name="circle-check"/> }),
        Status::Retrying { .. } => ("calm", view! { <Icon name="refresh-cw"/> }),
        Status::ActionNeeded => ("bad", view! { <Icon name="triangle-alert"/> }),
        Status::WaitingForAdmin => ("warn", view! { <Icon name="hourglass"/> }),
        Status::NotCheckedYet => ("quiet", view! { <Icon name="circle-dashed"/> }),
        Status::Paused => ("quiet", view! { <Icon name="circle-pause"/> }),
        Status::Disconnected => ("quiet", view! { <Icon name="unplug"/> }),
    };
    view! {
        <span class="status" data-tone=tone>
            {icon}
            <span>{words::status_now(status)}</span>
        </span>
    }
}
