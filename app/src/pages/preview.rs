//! The first rows behind a connection: what they hold, what is odd about them,
//! and what automations call the columns.

use leptos::prelude::*;

use crate::{
    model::{Preview, PreviewColumn, PreviewRows},
    parts::{
        BrandPlate, Current, Frame, Icon, PromptLines,
        form::{Field, ProblemSummary},
    },
    paths,
    site::Visit,
    words,
};

/// The page.
#[component]
pub fn PreviewView(
    /// What was read a moment ago.
    page: Preview,
) -> impl IntoView {
    let Preview {
        id,
        provider,
        account,
        environment,
        table,
        rows,
        may_name,
    } = page;
    let lead = rows.is_ok().then(|| {
        view! {
            <p class="muted preview-lead">
                "At most 20 rows, read just now for you. Linkwell keeps no copy of them."
            </p>
        }
    });
    let title = format!("Data of {} {account}", provider.name);
    let content = match rows {
        Ok(rows) => view! { <Rows id=id.clone() table rows may_name/> }.into_any(),
        Err(prompt) => view! {
            <div class="callout" data-tone="bad" role="alert">
                <Icon name="triangle-alert"/>
                <div>
                    <PromptLines prompt/>
                    <a class="btn" data-kind="primary" href=paths::connection(&id)>
                        "See what to do"
                    </a>
                </div>
            </div>
        }
        .into_any(),
    };
    view! {
        <Frame title current=Current::Connections>
            <a class="back" href=paths::connection(&id)>
                <Icon name="arrow-left"/>
                {account.clone()}
            </a>
            <ProblemSummary/>
            <div class="stack">
                <section class="card" aria-labelledby="data">
                    <div class="page-head">
                        <BrandPlate provider/>
                        <div class="page-head-words">
                            <h1 id="data">"A look at the data"</h1>
                            <p class="muted">
                                {account}
                                {environment.map(|name| view! {
                                    " "
                                    <span class="badge">{words::environment(&name)}</span>
                                })}
                            </p>
                        </div>
                    </div>
                    {lead}
                    {content}
                </section>
            </div>
        </Frame>
    }
}

#[component]
fn Rows(id: String, table: Option<String>, rows: PreviewRows, may_name: bool) -> impl IntoView {
    let PreviewRows {
        tables,
        columns,
        rows,
    } = rows;
    let picker = (tables.len() > 1).then(|| {
        view! { <Tables id=id.clone() tables chosen=table.clone()/> }
    });
    if columns.is_empty() {
        return view! {
            {picker}
            <p class="preview-nothing">"There is nothing in it yet."</p>
        }
        .into_any();
    }
    let odd: Vec<(String, String)> = columns
        .iter()
        .flat_map(|column| {
            let lines = column.notes.iter().cloned();
            lines.map(|note| (column.source.clone(), note))
        })
        .collect();
    let is_empty = rows.is_empty();
    let names = may_name.then(|| view! { <Names id table columns=columns.clone()/> });
    view! {
        {picker}
        <Table columns rows/>
        {is_empty.then(|| view! { <p class="preview-nothing">"It has columns, and no rows yet."</p> })}
        <Odd odd is_empty/>
        {names}
    }
    .into_any()
}

#[component]
fn Tables(id: String, tables: Vec<String>, chosen: Option<String>) -> impl IntoView {
    let options = tables
        .into_iter()
        .map(|table| {
            let selected = chosen.as_ref() == Some(&table);
            view! { <option value=table.clone() selected=selected>{table.clone()}</option> }
        })
        .collect_view();
    view! {
        <form class="inline-form" method="get" action=paths::preview(&id)>
            <div class="field">
                <label for="table">"Table"</label>
                <div class="input"><select id="table" name="table">{options}</select></div>
            </div>
            <button class="btn" data-kind="plain">"Show"</button>
        </form>
    }
}

#[component]
fn Table(columns: Vec<PreviewColumn>, rows: Vec<Vec<Option<String>>>) -> impl IntoView {
    let heads = columns
        .into_iter()
        .map(|column| {
            let PreviewColumn {
                source, name, kind, ..
            } = column;
            let under = name.is_some().then(|| source.clone());
            view! {
                <th scope="col">
                    {name.unwrap_or(source)}
                    <span class="muted">{under.map(|under| format!("{under}, "))}{kind}</span>
                </th>
            }
        })
        .collect_view();
    let lines = rows
        .into_iter()
        .map(|row| {
            let cells = row
                .into_iter()
                .map(|cell| match cell {
                    Some(text) => view! { <td>{text}</td> }.into_any(),
                    None => view! { <td class="muted"><span class="visually-hidden">"no value"</span>"–"</td> }.into_any(),
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    // It scrolls by itself, with the keyboard too.
    view! {
        <div class="table-box" role="region" aria-label="Rows" tabindex="0">
            <table>
                <thead><tr>{heads}</tr></thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    }
}

/// What is odd, in words.
#[component]
fn Odd(odd: Vec<(String, String)>, is_empty: bool) -> impl IntoView {
    if is_empty {
        return ().into_any();
    }
    if odd.is_empty() {
        return view! {
            <ul class="checks">
                <li data-tone="good"><Icon name="check"/>"Nothing odd in these rows."</li>
            </ul>
        }
        .into_any();
    }
    let lines = odd
        .into_iter()
        .map(|(column, note)| {
            view! {
                <li>
                    <Icon name="circle-alert"/>
                    <span><strong>{column}</strong>": "{note}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <h2>"Worth a look"</h2>
        <ul class="checks">{lines}</ul>
    }
    .into_any()
}

/// The form that names columns.
#[component]
fn Names(id: String, table: Option<String>, columns: Vec<PreviewColumn>) -> impl IntoView {
    let wrong = !Visit::current().flash.problems.is_empty();
    let fields = columns
        .into_iter()
        .enumerate()
        .map(|(at, column)| {
            let PreviewColumn { source, name, .. } = column;
            view! {
                <input type="hidden" name=format!("column.{at}") value=source.clone()/>
                <Field
                    name=format!("name.{at}")
                    label=source.clone()
                    placeholder=source
                    value=name.unwrap_or_default()
                    autocomplete="off"
                    kept=true
                />
            }
        })
        .collect_view();
    view! {
        <details class="disclosure" id="names" open=wrong>
            <summary>
                <Icon name="chevron-right"/>
                "Name the columns for your automations"
            </summary>
            <p class="muted">
                "Automations see the name you give here. Leave one empty to keep the column's own."
            </p>
            <form class="form" method="post" action=paths::mapping(&id)>
                {table.map(|table| view! { <input type="hidden" name="table" value=table/> })}
                <div class="names-fields">{fields}</div>
                <div class="actions">
                    <button class="btn" data-kind="primary">"Save names"</button>
                </div>
            </form>
        </details>
    }
}
