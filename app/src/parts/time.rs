//! Times: relative in the row, absolute with its zone on hover.

use leptos::prelude::*;

use crate::model::Moment;

/// A moment, said roughly.
#[component]
pub fn Time(
    /// When.
    moment: Moment,
    /// How it is said: `4 min ago`.
    #[prop(into)]
    said: String,
) -> impl IntoView {
    view! { <time title=moment.text>{said}</time> }
}
