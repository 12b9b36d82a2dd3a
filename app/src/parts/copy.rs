//! A value to carry elsewhere, with a button that copies it.

use leptos::prelude::*;

use super::Icon;

/// A value that can be selected with one click, and copied where scripts run:
/// the button appears only then.
#[component]
pub fn Copyable(
    /// The value.
    #[prop(into)]
    value: String,
    /// What it is, for the button's name: `redirect address`.
    #[prop(into)]
    what: String,
) -> impl IntoView {
    view! {
        <div class="copyable">
            <code class="copyable-value">{value.clone()}</code>
            <CopyButton value what/>
        </div>
    }
}

/// The button alone.
#[component]
pub fn CopyButton(
    /// What it copies; without it, what is read in the element before it.
    #[prop(into, optional)]
    value: String,
    /// What that is, for the button's name.
    #[prop(into)]
    what: String,
) -> impl IntoView {
    view! {
        <button type="button" class="btn" data-kind="plain" data-copy=value hidden>
            <Icon name="copy"/>
            <span data-copy-word>"Copy"</span>
            <span class="visually-hidden">{format!(" {what}")}</span>
        </button>
    }
}
