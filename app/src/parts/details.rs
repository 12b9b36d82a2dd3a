//! What support needs to know about a failure, free of secrets.

use leptos::prelude::*;

use super::Icon;
use crate::model::Details;

/// What support needs to know, on demand.
#[component]
pub fn SupportDetails(
    /// The facts.
    details: Details,
) -> impl IntoView {
    view! {
        <details class="disclosure">
            <summary>
                <Icon name="chevron-right"/>
                "Details for support"
            </summary>
            <dl class="facts">
                <div>
                    <dt>"Code"</dt>
                    <dd><code>{details.code}</code></dd>
                </div>
                {details.at.map(|at| view! {
                    <div>
                        <dt>"Noticed"</dt>
                        <dd>{at.text}</dd>
                    </div>
                })}
                {details.provider_text.map(|text| view! {
                    <div>
                        <dt>"The provider said"</dt>
                        <dd>{text}</dd>
                    </div>
                })}
            </dl>
        </details>
    }
}
