//! The hub: what needs somebody, what is linked, what can be.

use leptos::prelude::*;

use crate::{
    islands::HubList,
    model::Hub,
    parts::{Current, Frame},
};

/// The hub.
#[component]
pub fn HubView(
    /// What is linked and what can be.
    hub: Hub,
    /// What was searched for.
    #[prop(into)]
    query: String,
) -> impl IntoView {
    view! {
        <Frame title="Connections" current=Current::Connections>
            <div class="title">
                <h1>"Connections"</h1>
                <p>"Connect once. Linkwell keeps every link alive and tells you when it needs you."</p>
            </div>
            <HubList hub query/>
        </Frame>
    }
}
