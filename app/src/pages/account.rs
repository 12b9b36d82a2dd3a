//! One's own account.

use leptos::prelude::*;

use crate::{
    model::Person,
    parts::{
        SettingsFrame,
        form::{Field, ProblemSummary},
    },
    paths,
};

/// Name, password, and the way out.
#[component]
pub fn AccountView(
    /// Who is signed in.
    person: Person,
) -> impl IntoView {
    view! {
        <SettingsFrame title="Your account" here=paths::ACCOUNT>
            <ProblemSummary/>
            <div class="title">
                <h1>"Your account"</h1>
                <p>{format!("You belong to {}.", person.organisation)}</p>
            </div>
            <div class="stack">
                <section class="card" aria-labelledby="profile">
                    <h2 id="profile">"Profile"</h2>
                    <form class="form" method="post" action="/api/save_profile">
                        <Field name="name" label="Your name" autocomplete="name" value=person.name/>
                        <Field
                            name="email"
                            label="E-mail"
                            kind="email"
                            autocomplete="username"
                            help="You sign in with it."
                            value=person.email.clone()
                        />
                        <Field
                            name="password"
                            label="Current password"
                            kind="password"
                            autocomplete="current-password"
                            help="Only to change the e-mail address."
                            may_be_empty=true
                        />
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Save"</button>
                        </div>
                    </form>
                </section>
                <section class="card" aria-labelledby="change-password">
                    <h2 id="change-password">"Password"</h2>
                    <form class="form" method="post" action="/api/change_password">
                        <input type="hidden" name="username" autocomplete="username" value=person.email/>
                        <Field
                            name="current"
                            label="Current password"
                            kind="password"
                            autocomplete="current-password"
                        />
                        <Field
                            name="new"
                            label="New password"
                            kind="password"
                            autocomplete="new-password"
                            minlength=12
                            help="At least 12 characters. A few words in a row are easy to remember and hard to guess."
                        />
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Change password"</button>
                        </div>
                    </form>
                </section>
                <section class="card" aria-labelledby="sessions">
                    <div class="manage-row">
                        <div>
                            <h2 id="sessions">"Sign out everywhere"</h2>
                            <p>"Ends your sessions on every device, this one too."</p>
                        </div>
                        <form method="post" action="/api/sign_out_everywhere">
                            <button class="btn" data-kind="danger">"Sign out everywhere"</button>
                        </form>
                    </div>
                </section>
            </div>
        </SettingsFrame>
    }
}
