//! A plot of bars, drawn by the server, with the same figures in a table.

use leptos::prelude::*;

use crate::model::{Bar, Plot};

/// Units of the drawing: wide enough for a phone, where they are pixels.
const WIDTH: u32 = 320;
const ROW: u32 = 44;

/// The plot and its table.
#[component]
pub fn BarPlot(
    /// What is drawn.
    plot: Plot,
) -> impl IntoView {
    let Plot {
        id,
        question,
        answer,
        columns,
        bars,
    } = plot;
    if bars.is_empty() {
        return ().into_any();
    }
    let height = ROW * bars.len() as u32;
    let (title, about) = (format!("{id}-title"), format!("{id}-about"));
    let labelled = format!("{title} {about}");
    let drawn = bars
        .iter()
        .enumerate()
        .map(|(at, bar)| {
            let top = ROW * at as u32;
            // What is little is seen; what is nothing is not.
            let bar_of = |class: &'static str, thousandths: u32| {
                (thousandths > 0).then(|| {
                    let width = (WIDTH * thousandths / 1000).max(2).to_string();
                    view! {
                        <rect class=class x="0" y=(top + 23).to_string() width=width height="10" rx="3"/>
                    }
                })
            };
            view! {
                <text x="0" y=(top + 15).to_string()>{bar.label.clone()}</text>
                <text class="plot-said" x=WIDTH.to_string() y=(top + 15).to_string() text-anchor="end">
                    {bar.said.clone()}
                </text>
                <rect class="plot-ground" x="0" y=(top + 23).to_string() width=WIDTH.to_string() height="10" rx="3"/>
                {bar.further.and_then(|further| bar_of("plot-further", further))}
                {bar_of("plot-bar", bar.length)}
            }
        })
        .collect_view();
    let heads = columns
        .into_iter()
        .map(|column| view! { <th scope="col">{column}</th> })
        .collect_view();
    let label = format!("Figures: {question}");
    view! {
        <svg
            class="plot"
            role="img"
            aria-labelledby=labelled
            viewBox=format!("0 0 {WIDTH} {height}")
        >
            <title id=title>{question}</title>
            <desc id=about>{answer}</desc>
            {drawn}
        </svg>
        <div class="table-box figures" role="region" aria-label=label tabindex="0">
            <table>
                <thead><tr>{heads}</tr></thead>
                <tbody>{bars.into_iter().map(line).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn line(bar: Bar) -> impl IntoView {
    let cells = bar
        .cells
        .into_iter()
        .map(|cell| view! { <td>{cell}</td> })
        .collect_view();
    view! { <tr><th scope="row">{bar.label}</th>{cells}</tr> }
}
