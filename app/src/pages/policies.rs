//! The rules for automations, and what they stopped.

use leptos::prelude::*;

use super::runs::RunRows;
use crate::{
    model::{PoliciesPage, PolicyRow, RunFilter},
    parts::{Icon, SettingsFrame, Time, form::ProblemSummary},
    paths, words,
};

/// The page.
#[component]
pub fn PoliciesView(
    /// What there is.
    page: PoliciesPage,
) -> impl IntoView {
    let PoliciesPage {
        now,
        policies,
        stopped,
    } = page;
    let rows = policies
        .into_iter()
        .map(|row| view! { <Policy now row/> })
        .collect_view();
    let stopped = match stopped.is_empty() {
        true => view! { <p class="muted">"No run was stopped by a rule in the last 30 days."</p> }
            .into_any(),
        false => view! { <RunRows now rows=stopped/> }.into_any(),
    };
    view! {
        <SettingsFrame title="Rules" here=paths::POLICIES live=true>
            <ProblemSummary/>
            <div class="title">
                <h1>"Rules for automations"</h1>
                <p>
                    "A rule stops an automation before it does harm. What it stops waits, and goes on \
                     by itself when the reason is gone."
                </p>
            </div>
            <div class="stack" id="rules" data-live>
                <ul class="rows">{rows}</ul>
                <section class="stack" aria-labelledby="stopped">
                    <h2 id="stopped">"What they stopped"</h2>
                    {stopped}
                </section>
            </div>
        </SettingsFrame>
    }
}

#[component]
fn Policy(now: i64, row: PolicyRow) -> impl IntoView {
    let PolicyRow {
        name,
        title,
        switchable,
        on,
        off_by,
        waiting,
        went_on,
    } = row;
    let (tone, icon, word) = match on {
        true => ("good", view! { <Icon name="circle-check"/> }, "On"),
        false => ("quiet", view! { <Icon name="circle-pause"/> }, "Off"),
    };
    let off = off_by.map(|(who, at)| {
        let ago = words::ago(now, at.unix);
        let said = match who {
            Some(who) => format!("Switched off by {who} {ago}"),
            None => format!("Switched off {ago}"),
        };
        view! { <p class="fact"><Time moment=at said/></p> }
    });
    let all = paths::runs(&RunFilter {
        policy: name.clone(),
        ..RunFilter::default()
    });
    let count = match waiting + went_on {
        0 => view! { <p class="fact">"It has stopped no run in the last 30 days."</p> }.into_any(),
        _ => view! {
            <p class="fact">
                <a href=all>{words::stopped(waiting, went_on)}</a>
            </p>
        }
        .into_any(),
    };
    let (label, kind) = match on {
        true => ("Switch off", "danger"),
        false => ("Switch on", "plain"),
    };
    let switch = match switchable {
        true => view! {
            <form method="post" action="/api/switch_policy">
                <input type="hidden" name="name" value=name.clone()/>
                <input type="hidden" name="on" value=(!on).to_string()/>
                <button class="btn" data-kind=kind>
                    {label}
                    <span class="visually-hidden">{format!(": {title}")}</span>
                </button>
            </form>
        }
        .into_any(),
        false => ().into_any(),
    };
    view! {
        <li class="row" data-layout="simple">
            <span class="plate"><Icon name="circle-stop"/></span>
            <div class="row-main lines">
                <p class="row-title"><strong>{title}</strong></p>
                <p class="fact">
                    <code>{name}</code>
                    {(!switchable).then_some(", set by whoever runs this hub")}
                </p>
                <p class="status" data-tone=tone>{icon}<span>{word}</span></p>
                {off}
                {count}
            </div>
            {switch}
        </li>
    }
}
