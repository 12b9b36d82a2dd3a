//! Signing in.

use leptos::prelude::*;

use crate::{
    model::Prompt,
    parts::{
        Current, Frame, PromptLines,
        form::{Field, ProblemSummary},
    },
};

/// The form that signs a person in.
#[component]
pub fn SignInView(
    /// The page to go to afterwards; a path of this site.
    #[prop(into)]
    next: String,
    /// What keeps this browser from it.
    prevented: Option<Prompt>,
) -> impl IntoView {
    view! {
        <Frame title="Sign in" current=Current::Outside>
            <div class="gate">
                <ProblemSummary/>
                {prevented.map(|prompt| view! { <div class="callout" role="alert"><PromptLines prompt/></div> })}
                <h1>"Sign in"</h1>
                <p class="muted">"Connect once. Stay connected."</p>
                <form class="card form" method="post" action="/api/sign_in">
                    <input type="hidden" name="next" value=next/>
                    <Field name="email" label="E-mail" kind="email" autocomplete="username"/>
                    <Field
                        name="password"
                        label="Password"
                        kind="password"
                        autocomplete="current-password"
                    />
                    <button class="btn" data-kind="primary" data-wide="true">"Sign in"</button>
                </form>
            </div>
        </Frame>
    }
}
