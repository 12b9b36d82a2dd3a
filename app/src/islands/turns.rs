//! Turns of a conversation without a page in between: a form inside is posted
//! here, and what the server draws then takes the place of what was shown.

use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{HtmlFormElement, SubmitEvent},
};

use super::browser;

/// Posts the forms inside it, and draws one element again.
#[island]
pub fn Turns(
    /// The id of that element.
    of: String,
    /// What is inside.
    children: Children,
) -> impl IntoView {
    let busy = StoredValue::new(false);
    let take = move |event: SubmitEvent| {
        let form = event
            .target()
            .and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
        let Some(form) = form else {
            return;
        };
        // A test is a page of its own, which is shown while it comes.
        if form.has_attribute("data-whole") {
            return;
        }
        event.prevent_default();
        if busy.get_value() {
            return;
        }
        busy.set_value(true);
        let _ = form.set_attribute("aria-busy", "true");
        let of = of.clone();
        spawn_local(async move {
            browser::take_turn(&form, &of).await;
            busy.set_value(false);
        });
    };
    view! { <div on:submit=take>{children()}</div> }
}
