//! Five questions about how well accounts stay connected.

use leptos::prelude::*;

use crate::{
    model::{MetricsPage, Plot},
    parts::{BarPlot, ConfirmInSettings, Icon, SettingsFrame, form::ProblemSummary},
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
    let (said, switch) = match recorded {
        true => (
            "How attempts end is recorded for 90 days: the provider, what was tried, why it failed and how long it took. Nobody is named, and no account.",
            view! { <a class="btn" data-kind="danger" href=paths::STOP_RECORDING>"Stop recording"</a> }
                .into_any(),
        ),
        false => (
            "Nothing is recorded, and what was recorded is deleted.",
            view! {
                <form method="post" action="/api/record_attempts">
                    <input type="hidden" name="on" value="true"/>
                    <button class="btn" data-kind="plain">"Record again"</button>
                </form>
            }
            .into_any(),
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
                        {switch}
                    </div>
                </section>
            </div>
        </SettingsFrame>
    }
}

/// What recording no more means, before it happens.
#[component]
pub fn StopRecordingView() -> impl IntoView {
    view! {
        <ConfirmInSettings
            title="Stop recording"
            here=paths::METRICS
            called="Figures"
            question="Stop recording?"
        >
            <ul class="checks">
                <li data-tone="bad">
                    <Icon name="history"/>
                    "What was recorded until now is deleted, and does not come back."
                </li>
                <li data-tone="neutral">
                    <Icon name="circle-pause"/>
                    "There are no figures until somebody records again."
                </li>
                <li data-tone="good">
                    <Icon name="plug"/>
                    "Connections and automations go on as before."
                </li>
            </ul>
            <form class="actions" method="post" action="/api/record_attempts">
                <input type="hidden" name="on" value="false"/>
                <button class="btn" data-kind="danger-solid">"Stop and delete"</button>
                <a class="btn" data-kind="plain" href=paths::METRICS>"Keep recording"</a>
            </form>
        </ConfirmInSettings>
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
