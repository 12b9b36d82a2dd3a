//! The first visit: the organisation and its owner.

use leptos::prelude::*;

use crate::{
    model::Prompt,
    parts::{
        Current, Frame, PromptLines,
        form::{Field, ProblemSummary},
    },
};

/// The form that makes the first account.
#[component]
pub fn SetupView(
    /// What keeps this browser from it.
    prevented: Option<Prompt>,
) -> impl IntoView {
    view! {
        <Frame title="Welcome" current=Current::Outside>
            <div class="gate">
                <ProblemSummary/>
                {prevented.map(|prompt| view! { <div class="callout" role="alert"><PromptLines prompt/></div> })}
                <h1>"Welcome to Linkwell"</h1>
                <p class="muted">
                    "This is the first account. It owns the organisation and can invite everybody else."
                </p>
                <form class="card form" method="post" action="/api/set_up">
                    <Field
                        name="organisation"
                        label="Organisation"
                        autocomplete="organization"
                        placeholder="Alder & Ash Ltd"
                    />
                    <Field name="name" label="Your name" autocomplete="name"/>
                    <Field
                        name="email"
                        label="E-mail"
                        kind="email"
                        autocomplete="username"
                        help="You sign in with it."
                    />
                    <Field
                        name="password"
                        label="Password"
                        kind="password"
                        autocomplete="new-password"
                        minlength=12
                        help="At least 12 characters. A few words in a row are easy to remember and hard to guess."
                    />
                    <button class="btn" data-kind="primary" data-wide="true">"Create account"</button>
                </form>
            </div>
        </Frame>
    }
}
