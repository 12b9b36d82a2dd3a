//! Five questions about how well accounts stay connected.

use leptos::prelude::*;

use crate::{
    model::{MetricsPage, Plot},
    parts::{BarPlot, SettingsFrame, form::ProblemSummary},
    paths,
};

/// The page.
#[component]
pub fn MetricsView(
    /// The figures.
    page: MetricsPage,
) -> impl IntoView {
    let MetricsPage {
        days,
        periods,
        provider,
        providers,
        plots,
        recorded,
    } = page;
    let periods = periods
        .into_iter()
        .map(|period| {
            let selected = period == days;
            view! { <option value=period.to_string() selected=selected>{format!("Last {period} days")}</option> }
        })
        .collect_view();
    let providers = providers
        .into_iter()
        .map(|(id, name)| {
            let selected = id == provider;
            view! { <option value=id selected=selected>{name}</option> }
        })
        .collect_view();
    let plots = plots
        .into_iter()
        .map(|plot| view! { <Question plot/> })
        .collect_view();
    let (said, label, kind) = match recorded {
        true => (
            "How attempts end is recorded for 90 days: the provider, what was tried, why it failed and how long it took. Nobody is named, and no account.",
            "Stop recording",
            "danger",
        ),
        false => (
            "Nothing is recorded, and what was recorded is deleted.",
            "Record again",
            "plain",
        ),
    };
    view! {
        <SettingsFrame title="Figures" here=paths::METRICS>
            <ProblemSummary/>
            <div class="title">
                <h1>"Figures"</h1>
                <p>"How well your accounts stay connected, and what it takes."</p>
            </div>
            <div class="stack">
                <form class="inline-form" method="get" action=paths::METRICS>
                    <div class="field">
                        <label for="days">"Period"</label>
                        <div class="input"><select id="days" name="days">{periods}</select></div>
                    </div>
                    <div class="field">
                        <label for="provider">"Provider"</label>
                        <div class="input">
                            <select id="provider" name="provider"><option value="">"All"</option>{providers}</select>
                        </div>
                    </div>
                    <button class="btn" data-kind="plain">"Show"</button>
                </form>
                {plots}
                <section class="card" aria-labelledby="recording">
                    <h2 id="recording">"What is recorded"</h2>
                    <div class="manage-row">
                        <p>{said}</p>
                        <form method="post" action="/api/record_attempts">
                            <input type="hidden" name="on" value=(!recorded).to_string()/>
                            <button class="btn" data-kind=kind>{label}</button>
                        </form>
                    </div>
                </section>
            </div>
        </SettingsFrame>
    }
}

#[component]
fn Question(plot: Plot) -> impl IntoView {
    let (heading, question, answer) = (plot.id, plot.question.clone(), plot.answer.clone());
    view! {
        <section class="card" aria-labelledby=heading>
            <h2 id=heading>{question}</h2>
            <p>{answer}</p>
            <BarPlot plot/>
        </section>
    }
}
