//! The living part of a connection's page: how it is, what to do, what is
//! granted and what happened.

use leptos::{prelude::*, task::spawn_local, web_sys::SubmitEvent};

use super::{
    attempt::Tracker,
    browser,
    connect::ConnectForm,
    feed::{self, Change},
};
use crate::{
    model::{Action, ActionKind, ConnectionPage, Moment, Permission, Prompt},
    parts::{BrandPlate, Icon, PromptLines, StatusWord, SupportDetails, Time},
    paths, words,
};

/// The head, the facts, the permissions and the history of a connection.
#[island]
pub fn ConnectionOverview(
    /// What the server knew when it drew the page.
    page: ConnectionPage,
) -> impl IntoView {
    let id = StoredValue::new(page.connection.id.clone());
    let provider = page.connection.provider.clone();
    let name = StoredValue::new(provider.name.clone());
    let may_manage = page.may_manage;
    let attempt = page.connection.attempt.clone();
    let page = RwSignal::new(page);
    let checking = RwSignal::new(false);
    let reread = move || {
        spawn_local(async move {
            let path = paths::connection_view(&id.get_value());
            if let Some(read) = browser::read::<ConnectionPage>(&path).await {
                let before = page.with_untracked(|page| page.connection.status);
                if before != read.connection.status {
                    browser::announce(words::status(read.connection.status));
                }
                page.set(read);
            }
        });
    };
    let tracker = Tracker::new(attempt, Some(Callback::new(move |_| reread())));
    Effect::new(move || {
        feed::listen(move |change| match change {
            Change::Connection(other) if *other != id.get_value() => {}
            Change::Attempt(_) => {}
            Change::Connection(_) | Change::Anything => reread(),
        });
    });

    let check = move |event: SubmitEvent| {
        event.prevent_default();
        checking.set(true);
        spawn_local(async move {
            browser::post("/api/check_connection", &[("id", &id.get_value())]).await;
            checking.try_set(false);
            reread();
        });
    };
    let prompt = Memo::new(move |_| page.with(|page| page.connection.prompt.clone()));
    let plate = provider.clone();
    let line = move || name.with_value(|name| tracker.phase.with(|phase| phase.line(name)));
    let needed = move || {
        prompt.get().map(|prompt| {
            let Prompt { action, details, .. } = prompt.clone();
            let provider = provider.clone();
            let control = action.filter(|_| may_manage).map(|Action { label, kind }| match kind {
                ActionKind::Connect | ActionKind::AddAccount | ActionKind::Explain => view! {
                    <ConnectForm
                        provider
                        connection=Some(id.get_value())
                        label=Signal::stored(label)
                        primary=true
                        tracker
                    />
                }
                .into_any(),
                ActionKind::Check => view! { <CheckForm id=id.get_value() label check checking/> }.into_any(),
                ActionKind::SignIn => ().into_any(),
            ActionKind::SetUp { app } => view! {
                    <a class="btn" data-kind="primary" href=paths::provider_app(&app)>{label}</a>
                }
                .into_any(),
                ActionKind::Open { url } => view! {
                    <a class="btn" data-kind="primary" href=url target="_blank" rel="noreferrer">
                        {label}
                        <Icon name="external-link"/>
                    </a>
                }
                .into_any(),
            });
            view! {
                <section class="card prompt-card" aria-label="What to do">
                    <PromptLines prompt/>
                    {move || line().map(|line| view! { <p class="fact">{line}</p> })}
                    {control}
                    {details.map(|details| view! { <SupportDetails details/> })}
                </section>
            }
        })
    };
    view! {
        <header class="page-head">
            <BrandPlate provider=plate/>
            <div class="page-head-words">
                <h1>
                    {name.get_value()}
                    " "
                    <span class="account">{move || page.get().connection.account}</span>
                </h1>
                {move || view! { <StatusWord status=page.get().connection.status/> }}
            </div>
            {may_manage.then(|| view! {
                <CheckForm id=id.get_value() label="Check now".to_owned() check checking/>
            })}
        </header>
        {needed}
        <section class="card" aria-labelledby="facts">
            <h2 id="facts">"How it is kept"</h2>
            {move || view! { <Facts page=page.get()/> }}
        </section>
        <section class="card" aria-labelledby="permissions">
            <h2 id="permissions">"What it may do"</h2>
            {move || view! { <Permissions permissions=page.get().permissions/> }}
        </section>
        <section class="card" aria-labelledby="history">
            <h2 id="history">"History"</h2>
            {move || view! { <History page=page.get()/> }}
        </section>
    }
}

#[component]
fn CheckForm(
    id: String,
    label: String,
    check: impl Fn(SubmitEvent) + 'static,
    checking: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <form method="post" action="/api/check_connection" on:submit=check>
            <input type="hidden" name="id" value=id/>
            <button
                class="btn"
                data-kind="plain"
                aria-busy=move || checking.get().then_some("true")
            >
                <span class="spinner" aria-hidden="true" hidden=move || !checking.get()></span>
                {move || if checking.get() { "Checking".to_owned() } else { label.clone() }}
            </button>
        </form>
    }
}

#[component]
fn Facts(page: ConnectionPage) -> impl IntoView {
    let now = page.now;
    let past = |moment: Moment| {
        let said = words::ago(now, moment.unix);
        view! { <Time moment said/> }.into_any()
    };
    let future = |moment: Moment| {
        let said = words::until(now, moment.unix);
        view! { <Time moment said/> }.into_any()
    };
    let proof = match page.last_proof {
        Some(moment) => past(moment),
        None => "Not checked yet".into_any(),
    };
    let refresh = match page.next_refresh {
        Some(moment) => future(moment),
        None => "Not needed".into_any(),
    };
    let expiry = match page.token_expires {
        Some(moment) if moment.unix <= now => past(moment),
        Some(moment) => future(moment),
        None => "Does not expire".into_any(),
    };
    let by = page.connected_by.map(|name| format!(" by {name}"));
    view! {
        <dl class="facts">
            <div><dt>"Last checked"</dt><dd>{proof}</dd></div>
            <div><dt>"Next renewal"</dt><dd>{refresh}</dd></div>
            <div><dt>"Access ends unless renewed"</dt><dd>{expiry}</dd></div>
            <div><dt>"Connected"</dt><dd>{past(page.connected_at)} {by}</dd></div>
        </dl>
    }
}

#[component]
fn Permissions(permissions: Vec<Permission>) -> impl IntoView {
    let technical = permissions.clone();
    let (granted, missing): (Vec<_>, Vec<_>) =
        permissions.into_iter().partition(|permission| permission.granted);
    view! {
        <ul class="checks">
            {granted
                .into_iter()
                .map(|permission| view! { <li data-tone="good"><Icon name="check"/>{permission.meaning}</li> })
                .collect_view()}
            {missing
                .into_iter()
                .map(|permission| view! {
                    <li data-tone="bad"><Icon name="x"/><span>"Missing: "{permission.meaning}</span></li>
                })
                .collect_view()}
        </ul>
        <details class="disclosure">
            <summary><Icon name="chevron-right"/>"Show technical permissions"</summary>
            <ul class="scopes">
                {technical
                    .into_iter()
                    .map(|permission| view! { <li><code>{permission.scope}</code></li> })
                    .collect_view()}
            </ul>
        </details>
    }
}

#[component]
fn History(page: ConnectionPage) -> impl IntoView {
    let now = page.now;
    view! {
        <ol class="history">
            {page
                .history
                .into_iter()
                .map(|entry| {
                    let tone = match entry.tone {
                        crate::model::Tone::Good => "good",
                        crate::model::Tone::Neutral => "neutral",
                        crate::model::Tone::Bad => "bad",
                    };
                    let said = words::ago(now, entry.at.unix);
                    view! {
                        <li data-tone=tone>
                            <span>{entry.what}</span>
                            <Time moment=entry.at said/>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
}
