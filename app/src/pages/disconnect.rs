//! What disconnecting means, before it happens.

use leptos::prelude::*;

use crate::{
    model::{DisconnectPage, Revocation},
    parts::{Confirm, EndsToo, Icon},
    paths, words,
};

/// The page that names the consequences.
#[component]
pub fn DisconnectView(
    /// What would end.
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
            "The stored tokens are deleted here. Linkwell withdraws its access at {name}. The tokens stop working there too."
        ),
        Revocation::ByHand { place } => format!(
            "The stored tokens are deleted here. {name} offers no way to withdraw the access from here. Afterwards, remove Linkwell in {place}."
        ),
    };
    view! {
        <Confirm title=format!("Disconnect {name}") question=format!("Disconnect {name}?") id=id.clone() provider account>
            <ul class="checks">
                {stored.then(|| view! {
                    <li data-tone="bad">
                        <Icon name="circle-stop"/>
                        "Automations that use this account stop at their next run."
                    </li>
                })}
                <EndsToo name=name.clone() ends_too/>
                {(paused_runs > 0).then(|| view! {
                    <li data-tone="neutral">
                        <Icon name="circle-pause"/>
                        {format!("{} They go on if you connect it again.", words::paused_runs(paused_runs))}
                    </li>
                })}
                <li data-tone="neutral">
                    <Icon name="key-round"/>
                    <span>{access}</span>
                </li>
                <li data-tone="neutral">
                    <Icon name="history"/>
                    "Connecting it again later needs a new approval."
                </li>
            </ul>
            <form class="actions" method="post" action="/api/disconnect_connection">
                <input type="hidden" name="id" value=id/>
                <button class="btn" data-kind="danger-solid">{format!("Disconnect {name}")}</button>
                <a class="btn" data-kind="plain" href=back>"Keep it connected"</a>
            </form>
        </Confirm>
    }
}
