//! The audit log: who did what, when, and that nobody has changed it since.

use leptos::prelude::*;

use crate::{
    model::{AuditChecked, AuditFilter, AuditLine, AuditPage},
    parts::{
        Icon, SettingsFrame,
        form::{ProblemSummary, StepUp},
    },
    paths,
};

/// The page of the audit log.
#[component]
pub fn AuditView(
    /// What was found.
    page: AuditPage,
) -> impl IntoView {
    let AuditPage {
        filter,
        who,
        what,
        about,
        lines,
        older,
        checked,
    } = page;
    let nothing = lines.is_empty();
    let lines = lines.into_iter().map(line).collect_view();
    let hidden = filter
        .pairs()
        .into_iter()
        .map(|(name, value)| {
            let value = value.to_owned();
            view! { <input type="hidden" name=name value=value/> }
        })
        .collect_view();
    let is_filtered = !filter.pairs().is_empty() || !filter.before.is_empty();
    view! {
        <SettingsFrame title="Audit log" here=paths::AUDIT>
            <ProblemSummary/>
            <div class="title">
                <h1>"Audit log"</h1>
                <p>"Who did what. Entries are never changed; each one seals the one before it."</p>
            </div>
            <div class="stack">
                {proof(checked)}
                <form class="audit-find" method="get" action=paths::AUDIT role="search" aria-label="Audit log">
                    {select("who", "Who", "Anybody", who, &filter.who)}
                    {select("what", "What", "Anything", what, &filter.what)}
                    {select("about", "Connection", "Any connection", about, &filter.about)}
                    {day("from", "From", &filter)}
                    {day("to", "To", &filter)}
                    <div class="actions">
                        <button class="btn" data-kind="plain">"Show entries"</button>
                        {is_filtered.then(|| view! {
                            <a class="btn" data-kind="quiet" href=paths::AUDIT>"Clear filters"</a>
                        })}
                    </div>
                </form>
                {match nothing {
                    true => view! {
                        <div class="empty">
                            <p class="empty-title">"No entries match."</p>
                            <p><a href=paths::AUDIT>"Clear filters"</a></p>
                        </div>
                    }
                    .into_any(),
                    false => view! { <ol class="rows audit" aria-label="Entries, newest first">{lines}</ol> }.into_any(),
                }}
                {older.map(|older| view! {
                    <nav aria-label="Pages"><a class="btn" data-kind="plain" href=older>"Show older entries"</a></nav>
                })}
                <section class="card" aria-labelledby="export">
                    <h2 id="export">"Take it along"</h2>
                    <form class="form" method="post" action=paths::AUDIT_EXPORT>
                        <p class="muted">
                            "All entries that match the filters above, in one file. That you export them is written down, too."
                        </p>
                        {hidden}
                        <StepUp why="It names people and where they were, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="plain" name="format" value="csv">
                                <Icon name="download"/>
                                "Export as CSV"
                            </button>
                            <button class="btn" data-kind="plain" name="format" value="json">
                                <Icon name="download"/>
                                "Export as JSON"
                            </button>
                        </div>
                    </form>
                </section>
            </div>
        </SettingsFrame>
    }
}

fn line(line: AuditLine) -> impl IntoView {
    let AuditLine {
        seq,
        at,
        who,
        what,
        about,
        detail,
        outcome,
        address,
    } = line;
    let (tone, word) = match outcome.as_str() {
        // What was done says that it was refused.
        "denied" => ("bad", None),
        "failed" => ("warn", Some("Did not work")),
        _ => ("quiet", None),
    };
    let icon = match tone {
        "bad" => view! { <Icon name="ban"/> }.into_any(),
        "warn" => view! { <Icon name="circle-alert"/> }.into_any(),
        _ => view! { <Icon name="circle-check"/> }.into_any(),
    };
    let more = [about, detail].into_iter().flatten().collect::<Vec<_>>();
    let from = address.map(|address| format!(", from {address}"));
    view! {
        <li class="row" data-layout="simple">
            <span class="audit-mark" data-tone=tone>{icon}</span>
            <div class="row-main">
                <p class="row-title">
                    <strong>{what}</strong>
                    {(!more.is_empty()).then(|| view! {
                        " "<span class="account">{more.join(", ")}</span>
                    })}
                </p>
                <p class="fact">{word.map(|word| format!("{word}. "))}{who}{from}</p>
                <p class="fact">{format!("{}, entry {seq}", at.text)}</p>
            </div>
        </li>
    }
}

fn proof(checked: AuditChecked) -> impl IntoView {
    let (tone, said) = match checked {
        AuditChecked::UpTo(seq, at) => (
            "good",
            format!("Verified up to entry {seq}, on {}.", at.text),
        ),
        AuditChecked::NotYet => ("quiet", "Verified within a few minutes.".to_owned()),
        AuditChecked::Broken(seq) => (
            "bad",
            format!(
                "Entry {seq} is not what was written. Somebody changed the database. Tell the operator."
            ),
        ),
        AuditChecked::Late(since) => (
            "warn",
            format!(
                "Not verified since {}, though it is every few minutes. Tell the operator.",
                since.text
            ),
        ),
    };
    let icon = match tone {
        "good" => view! { <Icon name="shield-check"/> }.into_any(),
        "bad" | "warn" => view! { <Icon name="circle-alert"/> }.into_any(),
        _ => view! { <Icon name="circle-dashed"/> }.into_any(),
    };
    view! { <p class="status" data-tone=tone>{icon}<span>{said}</span></p> }
}

fn select(
    name: &'static str,
    label: &'static str,
    all: &'static str,
    choices: Vec<(String, String)>,
    chosen: &str,
) -> impl IntoView + use<> {
    let options = choices
        .into_iter()
        .map(|(value, label)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input">
                <select id=name name=name>
                    <option value="">{all}</option>
                    {options}
                </select>
            </div>
        </div>
    }
}

fn day(name: &'static str, label: &'static str, filter: &AuditFilter) -> impl IntoView + use<> {
    let value = if name == "from" {
        &filter.from
    } else {
        &filter.to
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input"><input type="date" id=name name=name value=value.clone()/></div>
        </div>
    }
}
