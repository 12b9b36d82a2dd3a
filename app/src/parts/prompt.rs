//! What failed, why and what it means: the same lines in the same order on
//! every page. The one button beside them belongs to whoever shows them.

use leptos::prelude::*;

use super::Icon;
use crate::model::{Details, Prompt};

/// The lines of a prompt.
#[component]
pub fn PromptLines(
    /// What to say.
    prompt: Prompt,
) -> impl IntoView {
    view! {
        <div class="prompt">
            <p class="prompt-what">{prompt.what}</p>
            <p>{prompt.why}</p>
            {prompt.effect.map(|effect| view! { <p>{effect}</p> })}
        </div>
    }
}

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
