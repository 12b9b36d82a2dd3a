//! One linked account.

use leptos::prelude::*;

use crate::{
    islands::ConnectionOverview,
    model::ConnectionPage,
    parts::{
        Current, Frame, Icon,
        form::{Field, ProblemSummary},
    },
    paths,
};

/// The page of one connection.
#[component]
pub fn ConnectionView(
    /// What is known of it.
    page: ConnectionPage,
) -> impl IntoView {
    let connection = page.connection.clone();
    let title = format!("{} {}", connection.provider.name, connection.account);
    let reconnect = format!("{}?connection={}", paths::connect(&connection.provider.id), connection.id);
    let manage = page.may_manage.then(|| view! {
        <section class="card" aria-labelledby="manage">
            <h2 id="manage">"Manage"</h2>
            <form id="rename" class="inline-form" method="post" action="/api/rename_connection">
                <input type="hidden" name="id" value=connection.id.clone()/>
                <Field
                    name="name"
                    label="Name"
                    help="Shown in the list. Useful when you have several accounts of one app."
                    value=connection.account
                />
                <button class="btn" data-kind="plain">"Rename"</button>
            </form>
            <div class="manage-row">
                <div>
                    <h3>"Reconnect"</h3>
                    <p>"Approve again at the provider. Name, history and settings stay."</p>
                </div>
                <a class="btn" data-kind="plain" href=reconnect>"Reconnect"</a>
            </div>
            <div class="manage-row">
                <div>
                    <h3>"Disconnect"</h3>
                    <p>"Ends the access. You see what stops before anything happens."</p>
                </div>
                <a class="btn" data-kind="danger" href=paths::disconnect(&connection.id)>"Disconnect"</a>
            </div>
        </section>
    });
    view! {
        <Frame title current=Current::Connections>
            <a class="back" href=paths::HUB>
                <Icon name="arrow-left"/>
                "Connections"
            </a>
            <ProblemSummary/>
            <div class="stack">
                <ConnectionOverview page/>
                {manage}
            </div>
        </Frame>
    }
}
