//! What is sent to whoever can allow an app at a provider.

use leptos::prelude::*;

use crate::{
    model::RequestPage,
    parts::{BrandPlate, CopyButton, Current, Frame, Icon},
    paths,
};

/// The request, ready to be mailed or copied.
#[component]
pub fn RequestView(
    /// What it says.
    page: RequestPage,
) -> impl IntoView {
    let RequestPage {
        provider,
        text,
        letter,
        repairs,
    } = page;
    let name = provider.name.clone();
    let connect = match repairs {
        Some(id) => paths::reconnect(&provider.id, &id),
        None => paths::connect(&provider.id),
    };
    view! {
        <Frame title=format!("Request for {name}") current=Current::Connections>
            <a class="back" href=paths::HUB>
                <Icon name="arrow-left"/>
                "Connections"
            </a>
            <div class="stack">
                <header class="page-head">
                    <BrandPlate provider/>
                    <div class="page-head-words">
                        <h1>{format!("Ask an admin at {name}")}</h1>
                        <p>
                            {format!(
                                "Send this to whoever administers your organisation at {name}. Linkwell does not know who that is.",
                            )}
                        </p>
                    </div>
                </header>
                <section class="card" aria-label="The request">
                    <pre class="letter">{text.clone()}</pre>
                    <div class="actions">
                        <a class="btn" data-kind="primary" href=letter>"Write the mail"</a>
                        <CopyButton value=text what="request"/>
                        <a class="btn" data-kind="quiet" href=connect>{format!("It is allowed: connect {name}")}</a>
                    </div>
                </section>
            </div>
        </Frame>
    }
}
