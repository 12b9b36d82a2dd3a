//! The foot of a card that connects at one press. When that worked it shows the
//! new connection where it stands: nothing jumps under the pointer, and the next
//! visit sorts anew.

use leptos::{either::Either, prelude::*};

use super::{
    attempt::Tracker,
    control::{ConnectButtons, ConnectForm, Controls, PromptButton, Seen},
    hub::Rows,
    market,
    row::RowMenu,
};
use crate::{
    model::{Connection, Provider},
    parts::StatusWord,
    words,
};

/// What is below a card's sentence: what signing in takes and Connect, then how
/// far that is, then what became of it.
#[island]
pub fn OfferFoot(
    /// The provider, as it was when the page was drawn.
    provider: Provider,
    /// What signing in takes.
    takes: String,
    /// What the button says: `Connect`.
    label: String,
    /// The handle of an attempt that is still open.
    attempt: Option<String>,
) -> impl IntoView {
    let rows = expect_context::<Rows>();
    let ended = Callback::new(move |_| rows.reread());
    let tracker = Tracker::new(provider.name.clone(), attempt, ended);
    rows.follow(&provider.id, tracker);
    let controls = Controls::new(tracker, Callback::new(move |()| rows.reread()));
    let card = provider.id.clone();
    Effect::new(move || {
        if let Some(connection) = rows.connection_of(&card) {
            market::lead_to(&connection);
        }
    });
    // Everything that changes is read here: what a component reads by itself
    // would not draw it again.
    move || {
        let seen = controls.seen();
        match rows.connection_of(&provider.id) {
            Some(connection) => {
                let now = rows.now.get();
                Either::Left(view! { <ConnectedFoot connection now seen controls/> })
            }
            None => {
                let (phase, name) = (seen.phase, provider.name.clone());
                let (said, open) = (phase.line(&name), phase.is_open());
                let line = said.unwrap_or_else(|| takes.clone());
                let (provider, label) = (provider.clone(), label.clone());
                Either::Right(view! {
                    <p class="offer-line" data-wide=open.then_some("true")>{line}</p>
                    <ConnectForm provider connection=None tracker>
                        <ConnectButtons name label primary=false phase tracker/>
                    </ConnectForm>
                })
            }
        }
    }
}

/// What became of the card.
#[component]
fn ConnectedFoot(
    connection: Connection,
    now: i64,
    seen: Seen,
    controls: Controls,
) -> impl IntoView {
    let line = seen.phase.line(&connection.provider.name);
    let line = match line {
        _ if seen.checking => "Checking now".to_owned(),
        Some(line) => line,
        None => words::fact(&connection, now),
    };
    let status = connection.status;
    let action = connection.prompt.clone().and_then(|prompt| prompt.action);
    let subject = connection.clone();
    let button = action.map(|action| {
        view! { <PromptButton action connection=subject seen controls/> }
    });
    view! {
        <div class="offer-line">
            <StatusWord status/>
            <p>{line}</p>
        </div>
        {button}
        <RowMenu connection controls/>
    }
}
