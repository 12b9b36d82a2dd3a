//! What failed, why and what it means: the same lines in the same order on
//! every page. The one button beside them belongs to whoever shows them.

use leptos::prelude::*;

use crate::model::Prompt;

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
