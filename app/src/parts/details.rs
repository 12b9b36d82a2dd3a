//! What support needs to know about a failure, free of secrets.

use leptos::prelude::*;

use super::{Icon, copy::CopyButton};
use crate::model::Details;

/// What support needs to know, on demand.
#[component]
pub fn SupportDetails(
    /// The facts.
    details: Details,
) -> impl IntoView {
    let lines = details.lines();
    let facts = lines
        .into_iter()
        .map(|(name, value)| {
            view! {
                <div>
                    <dt>{name}</dt>
                    <dd>{match name {
                        "Code" | "Detail" | "Reference" => view! { <code>{value}</code> }.into_any(),
                        _ => value.into_any(),
                    }}</dd>
                </div>
            }
        })
        .collect_view();
    view! {
        <details class="disclosure">
            <summary>
                <Icon name="chevron-right"/>
                "Details for support"
            </summary>
            <dl class="facts">{facts}</dl>
            <CopyButton what="details for support"/>
        </details>
    }
}
