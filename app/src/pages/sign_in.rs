//! Signing in.

use leptos::prelude::*;

use crate::{
    model::Prompt,
    parts::{
        Copyable, Current, Frame, PromptLines,
        form::{Field, ProblemSummary},
    },
};

/// Why a stranger sees a form.
pub struct Because {
    /// What is said of it.
    pub prompt: Prompt,
    /// The hub's address, where it has to be opened in another browser.
    pub elsewhere: Option<String>,
}

/// The same, above the form.
#[component]
pub fn BecauseLines(
    /// Why.
    because: Because,
) -> impl IntoView {
    let Because { prompt, elsewhere } = because;
    view! {
        <div class="callout" role="alert">
            <div>
                <PromptLines prompt/>
                {elsewhere.map(|value| view! { <Copyable value what="address to open in another browser"/> })}
            </div>
        </div>
    }
}

/// The form that signs a person in.
#[component]
pub fn SignInView(
    /// The page to go to afterwards; a path of this site.
    #[prop(into)]
    next: String,
    /// Why they see this, where there is something to say of it.
    because: Option<Because>,
) -> impl IntoView {
    view! {
        <Frame title="Sign in" current=Current::Outside>
            <div class="gate">
                <ProblemSummary/>
                {because.map(|because| view! { <BecauseLines because/> })}
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
