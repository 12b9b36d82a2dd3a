//! A test, line by line: what passed stays, and the first line that failed says
//! what, why and what to do.

use leptos::prelude::*;

use super::{Address, Turn};
use crate::{
    model::{self, TestProblem, TestStep, Went},
    parts::{Icon, PromptLines},
};

/// How a test went that has ended.
#[component]
pub fn Checklist(
    /// Where turns are posted.
    at: Address,
    /// Its lines.
    steps: Vec<TestStep>,
    /// What it failed with.
    problem: TestProblem,
) -> impl IntoView {
    // What ended before the first line, or after the last, has no line of its own.
    let lineless = steps.iter().all(|step| step.went != Went::Failed);
    let apart = lineless.then(|| {
        view! {
            <div class="callout" data-tone="bad">
                <Icon name="triangle-alert"/>
                <div><Remedy at=at.clone() problem=problem.clone()/></div>
            </div>
        }
    });
    let lines = steps
        .into_iter()
        .map(|step| {
            let problem = (step.went == Went::Failed).then(|| problem.clone());
            view! { <Line at=at.clone() step problem/> }
        })
        .collect_view();
    view! {
        {apart}
        <ol class="checks trial" aria-label="Test">{lines}</ol>
    }
}

/// One line of a test.
#[component]
pub fn Line(
    /// Where turns are posted.
    at: Address,
    /// What was tried.
    step: TestStep,
    /// What it failed with.
    problem: Option<TestProblem>,
) -> impl IntoView {
    let TestStep { label, went, note } = step;
    let (tone, word) = match went {
        Went::Pending => ("pending", "trying"),
        Went::Passed => ("good", "passed"),
        Went::Failed => ("bad", "failed"),
        Went::NotReached => ("quiet", "not reached"),
        Went::NotNeeded => ("quiet", "not needed"),
    };
    let sign = match went {
        Went::Pending => view! { <span class="spinner" aria-hidden="true"></span> }.into_any(),
        Went::Passed => view! { <Icon name="check"/> }.into_any(),
        Went::Failed => view! { <Icon name="x"/> }.into_any(),
        Went::NotReached => view! { <Icon name="circle-dashed"/> }.into_any(),
        Went::NotNeeded => view! { <Icon name="minus"/> }.into_any(),
    };
    // A pass is seen; what is unusual is also said.
    let hidden = matches!(went, Went::Passed | Went::Failed);
    view! {
        <li data-tone=tone>
            {sign}
            <div>
                <span>
                    {label}
                    <span class=if hidden { "visually-hidden" } else { "muted" }>", "{word}</span>
                </span>
                {note.map(|note| view! { <p class="muted">{note}</p> })}
                {problem.map(|problem| view! { <Remedy at problem/> })}
            </div>
        </li>
    }
}

/// What failed, why, and the one thing to do.
#[component]
pub fn Remedy(
    /// Where turns are posted.
    at: Address,
    /// It.
    problem: TestProblem,
) -> impl IntoView {
    let TestProblem { prompt, remedy } = problem;
    let button = remedy.map(|model::Remedy { label, question }| {
        let button = view! {
            <button class="btn" data-kind="primary" data-focus autofocus>{label}</button>
        };
        match question {
            Some(key) => view! { <Turn at turn="edit" key>{button}</Turn> }.into_any(),
            None => view! { <Turn at turn="test" tests=true>{button}</Turn> }.into_any(),
        }
    });
    view! {
        <div class="remedy" role="alert">
            <PromptLines prompt/>
            {button}
        </div>
    }
}
