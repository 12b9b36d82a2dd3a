//! What deleting a connection means, before it happens.

use leptos::prelude::*;

use crate::{
    model::{DisconnectPage, Revocation},
    parts::{Confirm, EndsToo, Icon, form::StepUp},
    paths, words,
};

/// The page that names the consequences.
#[component]
pub fn DeleteConnectionView(
    /// What would be deleted.
    page: DisconnectPage,
) -> impl IntoView {
    let DisconnectPage {
        id,
        provider,
        account,
        revocation,
        ends_too,
        paused_runs,
        stored,
    } = page;
    let name = provider.name.clone();
    let back = paths::connection(&id);
    let access = match revocation {
        _ if !stored => words::nothing_stored(&name),
        Revocation::AtProvider => format!(
            "The stored tokens are overwritten and deleted. Linkwell withdraws its access at {name}."
        ),
        Revocation::ByHand { place } => format!(
            "The stored tokens are overwritten and deleted. {name} offers no way to withdraw the access from here. Afterwards, remove Linkwell in {place}."
        ),
    };
    view! {
        <Confirm title=format!("Delete {name}") question=format!("Delete {name} and its data?") id=id.clone() provider account>
            <ul class="checks">
                {stored.then(|| view! {
                    <li data-tone="bad">
                        <Icon name="circle-stop"/>
                        "Automations that use this account stop at their next run."
                    </li>
                })}
                <EndsToo name=name.clone() ends_too/>
                {(paused_runs > 0).then(|| view! {
                    <li data-tone="bad">
                        <Icon name="circle-stop"/>
                        {match paused_runs {
                            1 => "1 paused run is deleted, too.".to_owned(),
                            runs => format!("{runs} paused runs are deleted, too."),
                        }}
                    </li>
                })}
                <li data-tone="bad">
                    <Icon name="key-round"/>
                    <span>{access}</span>
                </li>
                <li data-tone="bad">
                    <Icon name="history"/>
                    "Its name, its history and everything read of it are deleted. The audit log keeps that there was a connection, and no name."
                </li>
                <li data-tone="neutral">
                    <Icon name="circle-alert"/>
                    "It cannot be undone."
                </li>
            </ul>
            <form class="form" method="post" action=paths::REMOVE>
                <input type="hidden" name="id" value=id/>
                <StepUp why="It cannot be undone, so we ask once more."/>
                <div class="actions">
                    <button class="btn" data-kind="danger-solid">"Delete connection and data"</button>
                    <a class="btn" data-kind="plain" href=back>"Keep it"</a>
                </div>
            </form>
        </Confirm>
    }
}
