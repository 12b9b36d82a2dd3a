//! What automations did, do and wait for.

use leptos::prelude::*;

use crate::{
    model::{RunFilter, RunRow, RunStatus, RunsPage},
    parts::{BrandPlate, Current, Frame, Icon, Time, form::ProblemSummary},
    paths, words,
};

/// The page.
#[component]
pub fn RunsView(
    /// What there is.
    page: RunsPage,
) -> impl IntoView {
    let RunsPage {
        now,
        rows,
        filter,
        connections,
        next,
    } = page;
    let none = rows.is_empty();
    let more = next.map(|after| {
        let next = RunFilter {
            after,
            ..filter.clone()
        };
        view! { <p><a class="btn" data-kind="plain" href=paths::runs(&next)>"Show earlier runs"</a></p> }
    });
    let narrowed = filter.narrows();
    view! {
        <Frame title="Runs" current=Current::Runs live=true>
            <ProblemSummary/>
            <div class="title">
                <h1>"Runs"</h1>
                <p>
                    "What your automations do with your accounts. One that cannot go on waits here, \
                     and goes on by itself as soon as it can."
                </p>
            </div>
            <div class="stack">
                <Filters filter connections/>
                <div class="stack" id="its-runs" data-live>
                    {match none {
                        true => view! { <Nothing narrowed/> }.into_any(),
                        false => view! { <RunRows now rows/> }.into_any(),
                    }}
                    {more}
                </div>
            </div>
        </Frame>
    }
}

#[component]
fn Nothing(narrowed: bool) -> impl IntoView {
    let (title, said) = match narrowed {
        true => ("Nothing like that", "No run fits these filters."),
        false => (
            "No runs yet",
            "They appear here when your automations ask Linkwell before they act.",
        ),
    };
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <p>{said}</p>
            {narrowed.then(|| view! { <a class="btn" data-kind="plain" href=paths::RUNS>"Show all runs"</a> })}
        </div>
    }
}

#[component]
fn Filters(filter: RunFilter, connections: Vec<(String, String)>) -> impl IntoView {
    let statuses = RunStatus::ALL
        .map(|status| {
            let word = status.as_str();
            let selected = filter.status == word;
            view! { <option value=word selected=selected>{words::run(status)}</option> }
        })
        .collect_view();
    let connections = connections
        .into_iter()
        .map(|(id, name)| {
            let selected = filter.connection == id;
            view! { <option value=id selected=selected>{name}</option> }
        })
        .collect_view();
    let policy = (!filter.policy.is_empty()).then(|| {
        view! {
            <input type="hidden" name="policy" value=filter.policy.clone()/>
            <p class="muted">"Stopped by the rule " <code>{filter.policy.clone()}</code></p>
        }
    });
    view! {
        <form class="inline-form" method="get" action=paths::RUNS role="search">
            <div class="field">
                <label for="status">"Status"</label>
                <div class="input">
                    <select id="status" name="status"><option value="">"Any"</option>{statuses}</select>
                </div>
            </div>
            <div class="field">
                <label for="connection">"Account"</label>
                <div class="input">
                    <select id="connection" name="connection"><option value="">"Any"</option>{connections}</select>
                </div>
            </div>
            {policy}
            <button class="btn" data-kind="plain">"Show"</button>
        </form>
    }
}

/// Runs as rows.
#[component]
pub fn RunRows(
    /// When this was read, in seconds since the epoch.
    now: i64,
    /// The runs.
    rows: Vec<RunRow>,
) -> impl IntoView {
    let rows = rows
        .into_iter()
        .map(|row| view! { <Row now row/> })
        .collect_view();
    view! { <ul class="rows">{rows}</ul> }
}

#[component]
fn Row(now: i64, row: RunRow) -> impl IntoView {
    let RunRow {
        action,
        correlation,
        connection,
        provider,
        account,
        status,
        since,
        prompt,
        policy,
    } = row;
    let (tone, icon) = match status {
        RunStatus::Allowed => ("calm", view! { <Icon name="refresh-cw"/> }),
        RunStatus::Paused => ("warn", view! { <Icon name="circle-pause"/> }),
        RunStatus::Resumed => ("calm", view! { <Icon name="hourglass"/> }),
        RunStatus::Succeeded => ("good", view! { <Icon name="circle-check"/> }),
        RunStatus::Failed => ("bad", view! { <Icon name="triangle-alert"/> }),
        RunStatus::Cancelled => ("quiet", view! { <Icon name="circle-stop"/> }),
    };
    let said = match status {
        RunStatus::Allowed => words::lasting(now, since.unix),
        _ => words::ago(now, since.unix),
    };
    let name = provider.name.clone();
    let account = match account {
        Some(account) => view! {
            <a href=paths::connection(&connection)>{format!("{name} {account}")}</a>
        }
        .into_any(),
        None => view! { <span>{format!("{name}, no longer connected")}</span> }.into_any(),
    };
    let waits = status == RunStatus::Paused;
    let why = prompt.map(|prompt| {
        let rule = policy.map(|policy| view! { " (rule " <code>{policy}</code> ")" });
        view! {
            <p class="fact">{prompt.what} " " {prompt.why} {rule}</p>
            {prompt.effect.filter(|_| waits).map(|effect| view! { <p class="fact">{effect}</p> })}
        }
    });
    let act = waits.then(|| {
        view! {
            <div class="actions">
                <a class="btn" data-kind="plain" href=paths::connection(&connection)>
                    "See what to do"
                    <span class="visually-hidden">{format!(" about {name}")}</span>
                </a>
            </div>
        }
    });
    view! {
        <li class="row" data-layout="simple">
            <BrandPlate provider/>
            <div class="row-main lines">
                <p class="row-title">
                    <strong>{action}</strong>
                    {correlation.map(|word| view! { " " <code class="account">{word}</code> })}
                </p>
                <p class="fact">{account}</p>
                <p class="status" data-tone=tone>
                    {icon}
                    <span>{words::run(status)}</span>
                    <Time moment=since said/>
                </p>
                {why}
                {act}
            </div>
        </li>
    }
}
