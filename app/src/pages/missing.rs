//! What cannot be shown: it is not here, not for this person, or broke.

use leptos::prelude::*;

use crate::{
    parts::{Current, Frame},
    paths,
};

/// A page that is not there, or not for this organisation: both look the same.
#[component]
pub fn MissingView() -> impl IntoView {
    view! {
        <Instead
            what="This page is not here"
            why="The address may be incomplete, or what it showed was removed."
        />
    }
}

/// A page for people with another role.
#[component]
pub fn ForbiddenView() -> impl IntoView {
    view! {
        <Instead
            what="Your role does not include this page"
            why="An admin of your organisation can open it, or give you another role."
        />
    }
}

/// A page that could not be drawn.
#[component]
pub fn BrokenView() -> impl IntoView {
    view! {
        <Instead
            what="Something failed on our side"
            why="Nothing was changed. Load the page again in a moment."
        />
    }
}

#[component]
fn Instead(what: &'static str, why: &'static str) -> impl IntoView {
    view! {
        <Frame title=what current=Current::Outside>
            <div class="empty">
                <h1 class="empty-title">{what}</h1>
                <p>{why}</p>
                <a class="btn" data-kind="primary" href=paths::HUB>"Go to connections"</a>
            </div>
        </Frame>
    }
}
