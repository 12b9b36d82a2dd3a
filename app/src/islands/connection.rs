//! The living part of a connection's page: how it is and what to do. The rest
//! is drawn by the server, and fetched from it again when something changed.

use leptos::{prelude::*, task::spawn_local};

use super::{
    attempt::Tracker,
    browser,
    control::{CheckForm, Controls, PromptButton},
    feed::{self, Change},
};
use crate::{
    model::{Connection, Prompt, Status},
    parts::{BrandPlate, PromptLines, StatusWord},
    paths, words,
};

/// The head of a connection's page.
#[island]
pub fn ConnectionHead(
    /// What the server knew when it drew the page.
    connection: Connection,
    /// Whether the person looking may act.
    may_manage: bool,
    /// The id of the element that holds the rest of the page.
    rest: String,
) -> impl IntoView {
    let id = StoredValue::new(connection.id.clone());
    let rest = StoredValue::new(rest);
    let (name, attempt) = (connection.provider.name.clone(), connection.attempt.clone());
    let connection = RwSignal::new(connection);
    let reread = move || {
        spawn_local(async move {
            let path = paths::connection_view(&id.get_value());
            if let Some(read) = browser::read::<Connection>(&path).await {
                if connection.with_untracked(|before| before.status != read.status) {
                    browser::announce(words::status(read.status));
                }
                connection.set(read);
            }
            browser::draw_again(&rest.get_value()).await;
        });
    };
    let tracker = Tracker::new(name, attempt, Callback::new(move |_| reread()));
    let controls = Controls::new(tracker, Callback::new(move |()| reread()));
    Effect::new(move || {
        feed::listen(move |change| match change {
            Change::Connection(other) if *other != id.get_value() => {}
            Change::Attempt(_) => {}
            Change::Connection(_) | Change::Anything => reread(),
        });
    });
    let head = move || {
        let shown = connection.get();
        let status = shown.status;
        let checking = controls.checking.get();
        let checkable = may_manage && status != Status::Disconnected;
        view! {
            <header class="page-head">
                <BrandPlate provider=shown.provider.clone()/>
                <div class="page-head-words">
                    <h1>{shown.provider.name} " " <span class="account">{shown.account}</span></h1>
                    <StatusWord status/>
                </div>
                {checkable.then(|| view! {
                    <CheckForm id=shown.id status label="Check now".to_owned() checking controls/>
                })}
            </header>
        }
    };
    let needed = move || {
        let shown = connection.get();
        let seen = controls.seen();
        let line = seen.phase.line(&shown.provider.name);
        shown.prompt.clone().map(|prompt| {
            let Prompt { action, .. } = prompt.clone();
            let button = action.map(|action| {
                view! { <PromptButton action connection=shown seen controls/> }
            });
            view! {
                <section class="card prompt-card" aria-label="What to do">
                    <PromptLines prompt/>
                    {line.map(|line| view! { <p class="fact">{line}</p> })}
                    {button}
                </section>
            }
        })
    };
    view! {
        {head}
        {needed}
    }
}
