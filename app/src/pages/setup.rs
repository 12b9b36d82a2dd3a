//! The first visit: the organisation and its owner.

use leptos::prelude::*;

use super::{Because, BecauseLines};
use crate::parts::{
    Current, Frame,
    form::{Field, ProblemSummary},
};

/// The form that makes the first account.
#[component]
pub fn SetupView(
    /// Why they see this, where there is something to say of it.
    because: Option<Because>,
) -> impl IntoView {
    view! {
        <Frame title="Welcome" current=Current::Outside>
            <div class="gate">
                <ProblemSummary/>
                {because.map(|because| view! { <BecauseLines because/> })}
                <h1>"Welcome to Linkwell"</h1>
                <p class="muted">
                    "This is the first account, and it owns the organisation. Whoever runs this Linkwell can add more people."
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
