//! One's own account.

use leptos::prelude::*;

use crate::{
    model::Person,
    parts::{
        Icon, SettingsFrame,
        form::{Field, ProblemSummary, StepUp},
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
                <section class="card" aria-labelledby="delete-account">
                    <div class="manage-row">
                        <div>
                            <h2 id="delete-account">"Delete your account"</h2>
                            <p>"Erases everything that names you, here and in the audit log."</p>
                        </div>
                        <a class="btn" data-kind="danger" href=paths::DELETE_ACCOUNT>"Delete account…"</a>
                    </div>
                </section>
            </div>
        </SettingsFrame>
    }
}

/// What deleting one's account means, before it happens.
#[component]
pub fn DeleteAccountView(
    /// Who is signed in.
    person: Person,
) -> impl IntoView {
    view! {
        <SettingsFrame title="Delete your account" here=paths::ACCOUNT>
            <ProblemSummary/>
            <div class="title">
                <a class="back" href=paths::ACCOUNT><Icon name="arrow-left"/>"Your account"</a>
                <h1>"Delete your account?"</h1>
                <p>{person.email}</p>
            </div>
            <section class="card narrow" aria-label="What happens">
                <ul class="checks">
                    <li data-tone="bad">
                        <Icon name="circle-stop"/>
                        "You are signed out everywhere, and cannot sign in any more."
                    </li>
                    <li data-tone="bad">
                        <Icon name="user"/>
                        "Your name, address, password, notices and settings are deleted, in every organisation you are in."
                    </li>
                    <li data-tone="neutral">
                        <Icon name="plug"/>
                        {format!("Accounts you connected stay with {}.", person.organisation)}
                    </li>
                    <li data-tone="neutral">
                        <Icon name="history"/>
                        "The audit log keeps what was done, by somebody who left."
                    </li>
                    <li data-tone="neutral">
                        <Icon name="circle-alert"/>
                        "It cannot be undone. Older backups are beyond use until they are overwritten."
                    </li>
                </ul>
                <form class="form" method="post" action=paths::ERASE_ACCOUNT>
                    <StepUp why="It cannot be undone, so we ask once more."/>
                    <div class="actions">
                        <button class="btn" data-kind="danger-solid">"Delete account"</button>
                        <a class="btn" data-kind="plain" href=paths::ACCOUNT>"Keep it"</a>
                    </div>
                </form>
            </section>
        </SettingsFrame>
    }
}
