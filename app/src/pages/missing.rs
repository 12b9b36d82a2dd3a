//! What cannot be shown: it is not here, not for this person, or broke.

use leptos::prelude::*;

use crate::{
    model::Prompt,
    parts::{Current, Frame},
    paths,
};

/// A page that is not there, or not for this organisation: both look the same.
#[component]
pub fn MissingView() -> impl IntoView {
    view! {
        <Instead prompt=crate::load::plain_prompt(
            "This page is not here",
            "The address may be incomplete, or what it showed was removed.",
        )/>
    }
}

/// A page for people with another role.
#[component]
pub fn ForbiddenView(
    /// What is said of it.
    prompt: Prompt,
) -> impl IntoView {
    view! { <Instead prompt/> }
}

/// A page that could not be drawn.
#[component]
pub fn BrokenView(
    /// What is said of it.
    prompt: Prompt,
) -> impl IntoView {
    view! { <Instead prompt/> }
}

#[component]
fn Instead(prompt: Prompt) -> impl IntoView {
    let Prompt {
        what, why, effect, ..
    } = prompt;
    view! {
        <Frame title=what.clone() current=Current::Outside>
            <div class="empty">
                <h1 class="empty-title">{what}</h1>
                <p>{why}</p>
                {effect.map(|effect| view! { <p>{effect}</p> })}
                <a class="btn" data-kind="primary" href=paths::HUB>"Go to connections"</a>
            </div>
        </Frame>
    }
}
