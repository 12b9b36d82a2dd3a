//! Pages that stand alone: no islands, no WASM, as little as possible to load.
//! They are shown in the window a provider is opened in, where a person waits,
//! and when nothing else can be drawn.

mod mailed;
mod testing;

use leptos::prelude::*;

pub use mailed::{repair, repair_done, repair_over, repair_too_late};
pub use testing::{Success, Testing};

use crate::{
    model::{Action, ActionKind, Details, Prompt, Provider},
    parts::{BrandPlate, Copyable, Icon, PromptLines, SupportDetails, form::Field},
    paths,
    site::{Site, Theme},
    words,
};

/// How a flow stands, for the page the provider sends a person back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The flow's id.
    pub flow: String,
    /// The attempt's handle: a hint for the page that is waiting, and no more.
    pub handle: String,
    /// Whether the flow has a window of its own.
    pub popup: bool,
    /// What was connected.
    pub provider: Provider,
    /// The connection that was to be repaired, when it was one.
    pub repairs: Option<String>,
    /// Whether it belongs to somebody who came by a link.
    pub guest: bool,
    /// How it ended.
    pub ending: Ending,
}

impl Outcome {
    /// What is gone on to when nothing else is to be done: its name, and where.
    fn home(&self) -> (&'static str, &'static str) {
        match self.guest {
            true => ("Go on", paths::GUEST),
            false => ("Go to connections", paths::HUB),
        }
    }
}

/// What a person chooses from after consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What the provider calls one: `organisation`, `site`.
    pub word: String,
    /// Each with its id and its name.
    pub organisations: Vec<(String, String)>,
}

/// How a flow ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There is a working connection.
    Linked {
        /// The connection's id.
        connection: String,
        /// The account's name.
        account: String,
        /// Whether there is something to look at.
        has_preview: bool,
    },
    /// There is none.
    NotLinked {
        /// Why, and what to do.
        prompt: Prompt,
        /// What support needs to know.
        details: Option<Details>,
    },
    /// Another account signed in than the connection belongs to.
    OtherAccount(Prompt),
    /// The consent opened several organisations, and one is to be chosen.
    Choosing(Choice),
    /// Given up on our side.
    Cancelled,
}

/// The page that leads on to a provider. It exists because a form may not be
/// answered with a redirect to another site under this site's policy.
pub fn opening(site: &Site, theme: Theme, provider: &Provider, auth_url: &str) -> String {
    let name = provider.name.clone();
    let refresh = format!("0;url={auth_url}");
    page(
        site,
        theme,
        &format!("Opening {name}"),
        Some(refresh),
        || {
            view! {
                <main class="lone">
                    <BrandPlate provider=provider.clone()/>
                    <h1>{format!("Opening {name}…")}</h1>
                    <p class="muted">{format!("You sign in at {name}. Linkwell never sees your password.")}</p>
                    <a class="btn" data-kind="primary" href=auth_url.to_owned()>"Continue"</a>
                </main>
            }
        },
    )
}

/// The page a provider sends a person back to. Where it worked it closes its
/// window, or goes back to the row in the same tab; otherwise it says what to do.
pub fn finished(site: &Site, theme: Theme, outcome: &Outcome) -> String {
    let (home_label, home) = outcome.home();
    let Outcome {
        flow,
        handle,
        popup,
        provider,
        repairs,
        guest,
        ending,
    } = outcome.clone();
    let popup = popup.then_some("true");
    let plate = provider.clone();
    match ending {
        Ending::Linked {
            connection,
            account,
            has_preview,
        } => {
            let title = format!("{} connected", provider.name);
            let row = paths::hub_row(&connection);
            let link = row.clone();
            page(site, theme, &title.clone(), None, || {
                view! {
                    <main class="lone" data-flow=handle data-popup=popup data-return=row>
                        <BrandPlate provider=plate/>
                        <div role="status"><h1>{title}</h1></div>
                        <p class="muted">{account}</p>
                        <p>{crate::words::AFTER_CONNECTING}</p>
                        <p>"Done. You can close this page."</p>
                        <a class="btn" data-kind="primary" href=link>"Go to connections"</a>
                        {has_preview.then(|| view! {
                            <a class="btn" data-kind="quiet" href=paths::preview(&connection)>
                                "Look at the data"
                            </a>
                        })}
                    </main>
                }
            })
        }
        Ending::NotLinked { prompt, details } => {
            let title = prompt.what.clone();
            let Prompt {
                action, secondary, ..
            } = prompt.clone();
            let fallback = || (home_label.to_owned(), home.to_owned());
            let lead = |action| match guest {
                true => guest_lead(action, &provider),
                false => lead(action, &provider, repairs.as_deref()),
            };
            let (label, address) = action.map_or_else(fallback, lead);
            let secondary = secondary.map(lead);
            page(site, theme, &title, None, || {
                view! {
                    <main class="lone" data-flow=handle>
                        <BrandPlate provider=plate/>
                        <h1 class="visually-hidden">{format!("{} was not connected", provider.name)}</h1>
                        <div role="alert"><PromptLines prompt/></div>
                        <a class="btn" data-kind="primary" href=address>{label}</a>
                        {secondary.map(|(label, address)| view! {
                            <a class="btn" data-kind="quiet" href=address>{label}</a>
                        })}
                        {details.map(|details| view! { <SupportDetails details/> })}
                    </main>
                }
            })
        }
        Ending::OtherAccount(prompt) => {
            let title = prompt.what.clone();
            let label = |action: &Option<Action>, otherwise: &str| {
                action
                    .as_ref()
                    .map_or(otherwise.to_owned(), |action| action.label.clone())
            };
            let again = label(&prompt.action, "Sign in again");
            let add = label(&prompt.secondary, "Add as a second account");
            page(site, theme, &title, None, || {
                view! {
                    <main class="lone" data-flow=handle>
                        <BrandPlate provider=plate/>
                        <h1 class="visually-hidden">"Another account signed in"</h1>
                        <div role="alert"><PromptLines prompt/></div>
                        <form class="lone-actions" method="post" action=paths::other_account(&flow)>
                            <button class="btn" data-kind="primary" name="answer" value="again">
                                {again}
                            </button>
                            {(!guest).then(|| view! {
                                <button class="btn" data-kind="plain" name="answer" value="add">
                                    {add}
                                </button>
                            })}
                            <button class="btn" data-kind="quiet" name="answer" value="discard">
                                "Not now"
                            </button>
                        </form>
                    </main>
                }
            })
        }
        Ending::Choosing(Choice {
            word,
            organisations,
        }) => {
            let title = format!("Choose the {word}");
            let question = title.clone();
            let choices = organisations
                .into_iter()
                .map(|(id, name)| {
                    view! {
                        <button class="btn" data-kind="plain" name="organisation" value=id>
                            {name}
                        </button>
                    }
                })
                .collect_view();
            page(site, theme, &title, None, || {
                view! {
                    <main class="lone" data-flow=handle>
                        <BrandPlate provider=plate/>
                        <div role="status"><h1>{question}</h1></div>
                        <p class="muted">
                            {format!(
                                "You can use several at {}. Each connection is for one of them; \
                                 connect again for another.",
                                provider.name,
                            )}
                        </p>
                        <form class="lone-actions" method="post" action=paths::organisation(&flow)>
                            {choices}
                            <button class="btn" data-kind="quiet" name="organisation" value="">
                                "Not now"
                            </button>
                        </form>
                    </main>
                }
            })
        }
        Ending::Cancelled => page(site, theme, "Nothing was changed", None, || {
            view! {
                <main class="lone" data-flow=handle data-popup=popup data-return=home>
                    <BrandPlate provider=plate/>
                    <div role="status"><h1>"Nothing was changed"</h1></div>
                    <p class="muted">{format!("{} is as it was before.", provider.name)}</p>
                    {(!guest).then(|| view! { <p>"You can close this page."</p> })}
                    <a class="btn" data-kind="primary" href=home>{home_label}</a>
                </main>
            }
        }),
    }
}

/// Where a prompt's button leads from a page without islands.
fn lead(action: Action, provider: &Provider, repairs: Option<&str>) -> (String, String) {
    let address = match action.kind {
        ActionKind::SignIn => paths::SIGN_IN.to_owned(),
        ActionKind::SetUp { app } => paths::provider_app(&app),
        ActionKind::Open { url } => url,
        ActionKind::Connect | ActionKind::Explain => match repairs {
            Some(connection) => paths::reconnect(&provider.id, connection),
            None => paths::connect(&provider.id),
        },
        ActionKind::AddAccount => paths::connect(&provider.id),
        ActionKind::Check => paths::HUB.to_owned(),
        ActionKind::Resume => match repairs {
            Some(connection) => paths::rest(connection),
            None => paths::HUB.to_owned(),
        },
    };
    (action.label, address)
}

/// Where it leads somebody who came by a link: nothing else here is theirs.
fn guest_lead(action: Action, provider: &Provider) -> (String, String) {
    match action.kind {
        // Our other pages are for members.
        ActionKind::Open { url } if url.starts_with('/') => {
            ("Try again".to_owned(), paths::guest_connect(&provider.id))
        }
        ActionKind::Open { url } => (action.label, url),
        ActionKind::Connect | ActionKind::Explain | ActionKind::AddAccount => {
            (action.label, paths::guest_connect(&provider.id))
        }
        ActionKind::SignIn | ActionKind::SetUp { .. } | ActionKind::Check | ActionKind::Resume => {
            ("Go on".to_owned(), paths::GUEST.to_owned())
        }
    }
}

/// What a link asks for, before anything has happened: who asks, for what, and
/// one button.
pub fn invitation(
    site: &Site,
    theme: Theme,
    organisation: &str,
    providers: &[Provider],
    is_repair: bool,
    back_to: Option<&str>,
    accept: &str,
) -> String {
    let names: Vec<String> = providers.iter().map(|one| one.name.clone()).collect();
    let asked = match (&names[..], is_repair) {
        ([one], true) => format!("connect {one} again"),
        ([one], false) => format!("connect {one}"),
        _ => "connect one of your accounts".to_owned(),
    };
    let title = format!("{organisation} asks you to {asked}");
    let several = (names.len() > 1).then(|| words::list(&names));
    let gets = format!(
        "{organisation} will be able to use the account you choose. You need no account with Linkwell, \
         and nothing happens before you agree on the next pages.",
    );
    let back_to = back_to.map(|place| format!("When you are done you go back to {place}."));
    page(site, theme, &title.clone(), None, || {
        // Where the marks are is known in here only.
        let plates = providers
            .iter()
            .take(6)
            .map(|provider| view! { <BrandPlate provider=provider.clone()/> })
            .collect_view();
        view! {
            <main class="lone">
                <div class="plates">{plates}</div>
                <h1>{title}</h1>
                {several.map(|several| view! { <p>{several}</p> })}
                <p class="muted">{gets}</p>
                {back_to.map(|back_to| view! { <p class="muted">{back_to}</p> })}
                <form class="lone-actions" method="post" action=accept.to_owned()>
                    <button class="btn" data-kind="primary">"Continue"</button>
                </form>
                <p class="muted">"You did not expect this? Close the page, and nothing happens."</p>
            </main>
        }
    })
}

/// The page for a link that does nothing, whatever the reason: the reasons are
/// not told apart.
pub fn link_over(site: &Site, theme: Theme) -> String {
    let title = "This link cannot be used any more";
    page(site, theme, title, None, || {
        view! {
            <main class="lone">
                <span class="plate"><Icon name="unplug"/></span>
                <h1>{title}</h1>
                <p>
                    "A link works for a limited time, in one browser, and for one connection. \
                     This one was used, has ended, was opened elsewhere, or was not copied whole."
                </p>
                <p><strong>"Open it again where you found it, or ask whoever gave it to you for a new one."</strong></p>
            </main>
        }
    })
}

/// The end of a link: it did what it was for, and its person goes on.
pub fn link_done(
    site: &Site,
    theme: Theme,
    organisation: &str,
    provider: &Provider,
    back: Option<(String, String)>,
) -> String {
    let title = format!("{} is connected", provider.name);
    // Long enough to be read, short enough not to be waited for.
    let refresh = back.as_ref().map(|(_, address)| format!("3;url={address}"));
    page(site, theme, &title.clone(), refresh, || {
        let told = format!("{organisation} can use it now.");
        let ways = match back {
            Some((place, address)) => view! {
                <p class="muted">{format!("You go back to {place} in a moment.")}</p>
                <a class="btn" data-kind="primary" href=address>{format!("Back to {place}")}</a>
            }
            .into_any(),
            None => view! { <p class="muted">"You can close this page."</p> }.into_any(),
        };
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <div role="status"><h1>{title}</h1></div>
                <p>{told}</p>
                {ways}
            </main>
        }
    })
}

/// A page that posts what it was posted once more, from this site. A browser
/// sends our cookies only then, and they say whose flow it is.
pub fn post_again(site: &Site, theme: Theme, fields: &[(String, String)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=name.clone() value=value.clone()/> })
        .collect_view();
    page(site, theme, "One moment", None, || {
        view! {
            <main class="lone">
                <h1>"One moment"</h1>
                <p class="muted">"The provider sent you back. The connection is checked next."</p>
                <form method="post" data-post-again>
                    {fields}
                    <button class="btn" data-kind="primary">"Continue"</button>
                </form>
            </main>
        }
    })
}

/// The page for a provider that puts the token behind the `#` of the address,
/// where no server sees it. The script posts it on at once; without one a person
/// does.
pub fn fragment(
    site: &Site,
    theme: Theme,
    provider: &Provider,
    param: &str,
    told: &[(String, String)],
) -> String {
    let name = provider.name.clone();
    let (id, param) = (format!("told-{param}"), param.to_owned());
    let told = told
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=name.clone() value=value.clone()/> })
        .collect_view();
    page(site, theme, &format!("Back from {name}"), None, || {
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <h1>{format!("Back from {name}")}</h1>
                <form class="lone-actions" method="post" data-fragment>
                    {told}
                    <label for=id.clone()>
                        {format!(
                            "{name} put your access into the address of this page. Copy what stands there behind #{param}= and paste it here.",
                        )}
                    </label>
                    <input id=id name=param.clone() autocomplete="off" spellcheck="false" required/>
                    <button class="btn" data-kind="primary">"Continue"</button>
                </form>
            </main>
        }
    })
}

/// The form for signing in once more, after the hub could not answer in time.
pub fn sign_in_again(site: &Site, theme: Theme, prompt: Prompt, email: &str, next: &str) -> String {
    let label = prompt
        .action
        .as_ref()
        .map_or_else(|| "Try again".to_owned(), |action| action.label.clone());
    let (email, next) = (email.to_owned(), next.to_owned());
    page(site, theme, "Sign in", None, || {
        view! {
            <main class="gate">
                <div class="callout" role="alert"><PromptLines prompt/></div>
                <h1>"Sign in"</h1>
                <p class="muted">"Enter your password once more."</p>
                <form class="card form" method="post" action="/api/sign_in">
                    <input type="hidden" name="next" value=next/>
                    <Field name="email" label="E-mail" kind="email" autocomplete="username" value=email/>
                    <Field
                        name="password"
                        label="Password"
                        kind="password"
                        autocomplete="current-password"
                    />
                    <button class="btn" data-kind="primary" data-wide="true">{label}</button>
                </form>
            </main>
        }
    })
}

/// The one page that ever shows a new API key.
pub fn new_key(site: &Site, theme: Theme, name: &str, key: &str) -> String {
    let why = format!(
        "It is the key for {name}. Linkwell keeps only a fingerprint of it and cannot show it again."
    );
    copy_now(site, theme, "API key", why, key, paths::API_KEYS)
}

/// The one page that ever shows what a webhook's messages are signed with.
pub fn new_signing_secret(site: &Site, theme: Theme, url: &str, secret: &str) -> String {
    let why = format!(
        "Messages to {url} are signed with it, so that your system can tell them from forged ones. \
         Linkwell does not show it again."
    );
    copy_now(site, theme, "signing secret", why, secret, paths::WEBHOOKS)
}

fn copy_now(
    site: &Site,
    theme: Theme,
    what: &'static str,
    why: String,
    secret: &str,
    back: &'static str,
) -> String {
    page(site, theme, &format!("New {what}"), None, || {
        view! {
            <main class="lone" data-wide="true">
                <span class="plate"><Icon name="key-round"/></span>
                <h1>{format!("Copy this {what} now")}</h1>
                <p class="muted">{why}</p>
                <Copyable value=secret what=what/>
                <a class="btn" data-kind="primary" href=back>"I have copied it"</a>
            </main>
        }
    })
}

/// What an administrator sees who was sent to a provider by a letter, and comes
/// back from there.
pub fn allowed(site: &Site, theme: Theme, provider: &Provider) -> String {
    let title = format!("{} knows now", provider.name);
    page(site, theme, &title.clone(), None, || {
        view! {
            <main class="lone">
                <BrandPlate provider=provider.clone()/>
                <div role="status"><h1>{title}</h1></div>
                <p>"If you allowed the app, whoever asked you can connect it. You can close this page."</p>
            </main>
        }
    })
}

/// A page for what no other page can say: the server refused or failed.
pub fn error(site: &Site, theme: Theme, prompt: &Prompt) -> String {
    let hub = || (paths::HUB.to_owned(), "Go to connections".to_owned());
    let way = prompt.action.as_ref();
    let way = way.and_then(|action| Some((action.kind.address()?, action.label.clone())));
    let (address, label) = way.unwrap_or_else(hub);
    page(site, theme, &prompt.what, None, || {
        view! {
            <main class="lone">
                <div class="prompt">
                    <h1 class="prompt-what">{prompt.what.clone()}</h1>
                    <p>{prompt.why.clone()}</p>
                    {prompt.effect.clone().map(|effect| view! { <p>{effect}</p> })}
                </div>
                <a class="btn" data-kind="primary" href=address>{label}</a>
            </main>
        }
    })
}

fn page<V: IntoView + 'static>(
    site: &Site,
    theme: Theme,
    title: &str,
    refresh: Option<String>,
    content: impl FnOnce() -> V,
) -> String {
    let owner = Owner::new();
    let html = owner.with(|| {
        provide_context(site.clone());
        let Site {
            css,
            favicon,
            popup_js,
            copy_js,
            ..
        } = site.clone();
        let title = format!("{title} · {}", crate::words::PRODUCT);
        view! {
            <html lang="en" data-theme=theme.attribute()>
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    <meta name="referrer" content="no-referrer"/>
                    {refresh.map(|refresh| view! { <meta http-equiv="refresh" content=refresh/> })}
                    <title>{title}</title>
                    <link rel="icon" href=favicon/>
                    <link rel="stylesheet" href=css/>
                    <script src=popup_js defer></script>
                    <script src=copy_js defer></script>
                </head>
                <body>{content()}</body>
            </html>
        }
        .to_html()
    });
    format!("<!DOCTYPE html>{html}")
}
