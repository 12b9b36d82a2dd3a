//! What is not here.

use leptos::prelude::*;

use crate::{
    parts::{Current, Frame},
    paths,
};

/// A page that is not there, or not for this person: both look the same.
#[component]
pub fn MissingView() -> impl IntoView {
    view! {
        <Frame title="Not found" current=Current::Outside>
            <div class="empty">
                <h1 class="empty-title">"This page is not here"</h1>
                <p>"The address may be incomplete, or what it showed was removed."</p>
                <a class="btn" data-kind="primary" href=paths::HUB>"Go to connections"</a>
            </div>
        </Frame>
    }
}
