//! What an organisation has here: to take along, or to delete.

use leptos::prelude::*;

use crate::{
    model::OrganisationPage,
    parts::{
        Icon, SettingsFrame,
        form::{Field, ProblemSummary, StepUp},
    },
    paths,
};

/// The page of an organisation's data.
#[component]
pub fn OrganisationView(
    /// What there is.
    page: OrganisationPage,
) -> impl IntoView {
    let OrganisationPage {
        name,
        connections,
        people,
    } = page;
    let many = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    };
    let connections =
        (connections > 0).then(|| many(connections, "account stops", "accounts stop"));
    let people = many(people, "person", "people");
    view! {
        <SettingsFrame title="Your data" here=paths::ORGANISATION>
            <ProblemSummary/>
            <div class="title">
                <h1>"Your data"</h1>
                <p>{format!("Everything {name} has here.")}</p>
            </div>
            <div class="stack">
                <section class="card" aria-labelledby="export">
                    <h2 id="export">"Take it along"</h2>
                    <form class="form" method="post" action=paths::EXPORT>
                        <p class="muted">
                            "Members, connections, settings, history and the audit log in one JSON file. Passwords, keys and tokens are not in it."
                        </p>
                        <StepUp why="It holds everything but the secrets, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="plain"><Icon name="download"/>"Export everything"</button>
                        </div>
                    </form>
                </section>
                <section class="card" aria-labelledby="delete">
                    <h2 id="delete">{format!("Delete {name}")}</h2>
                    <ul class="checks">
                        {connections.map(|connections| view! {
                            <li data-tone="bad">
                                <Icon name="circle-stop"/>
                                {format!("{connections} working for every automation, and Linkwell withdraws its access there.")}
                            </li>
                        })}
                        <li data-tone="bad">
                            <Icon name="key-round"/>
                            "The key that seals your secrets is destroyed first, then everything else is deleted."
                        </li>
                        <li data-tone="bad">
                            <Icon name="user"/>
                            {format!("{people} cannot sign in here any more, unless they are in another organisation.")}
                        </li>
                        <li data-tone="neutral">
                            <Icon name="history"/>
                            "It cannot be undone. Older backups are beyond use until they are overwritten."
                        </li>
                    </ul>
                    <form class="form" method="post" action=paths::DELETE_ORGANISATION>
                        <Field
                            name="name"
                            label="Name of the organisation"
                            help=format!("Type {name} to confirm.")
                            autocomplete="off"
                        />
                        <StepUp name="password" why="It cannot be undone, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="danger-solid">"Delete organisation"</button>
                        </div>
                    </form>
                </section>
            </div>
        </SettingsFrame>
    }
}
