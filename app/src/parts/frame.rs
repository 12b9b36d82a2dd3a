//! The frame of every page: skip link, header, main part, live region.
//!
//! Each part forgets its type (`into_any`): a page's type would otherwise hold
//! the types of everything on it, which the compiler follows only so deep.

use leptos::prelude::*;
use leptos_meta::Title;

use super::{Icon, form::NoticeLine};
use crate::{
    model::Person,
    paths,
    site::{Site, Theme, Trouble, Visit},
    words,
};

/// Which part of the header's navigation a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// The hub and the pages of connections.
    Connections,
    /// Provider apps, API keys, account.
    Settings,
    /// What automations do.
    Runs,
    /// Pages of people who are not signed in.
    Outside,
    /// Pages of people who came by a link, and have nothing else here.
    Guest,
}

/// A page.
#[component]
pub fn Frame(
    /// What the window is called.
    #[prop(into)]
    title: String,
    /// Where the page belongs.
    current: Current,
    /// Whether a script draws parts of it again: those with `data-live`.
    #[prop(optional)]
    live: bool,
    /// The main part.
    children: Children,
) -> impl IntoView {
    let flash = Visit::current().flash;
    let wrong = !flash.problems.is_empty();
    let title = match wrong {
        true => format!("Error: {title} · {}", words::PRODUCT),
        false => format!("{title} · {}", words::PRODUCT),
    };
    view! {
        <Title text=title/>
        <Body current live>{children()}</Body>
    }
    .into_any()
}

/// What the body of a page begins and ends with.
#[component]
pub fn Body(
    /// Where the page belongs.
    current: Current,
    /// Whether a script draws parts of it again: those with `data-live`.
    #[prop(optional)]
    live: bool,
    /// The main part.
    children: Children,
) -> impl IntoView {
    let Visit {
        person,
        theme,
        flash,
        unread,
        troubles,
        ..
    } = Visit::current();
    let person = person.filter(|_| current != Current::Guest);
    let person_is_in = person.is_some();
    // What is said of a provider goes away by itself, whatever the page is. Named
    // here alone: the script does not run twice on one page.
    let live = live || (person_is_in && !troubles.is_empty());
    let script = use_context::<Site>().filter(|_| live);
    let script = script.map(|site| view! { <script src=site.live_js defer></script> });
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <Header person current theme unread/>
        <main id="main" tabindex="-1">
            {person_is_in.then(|| view! { <TroubleLines troubles/> })}
            <NoticeLine flash/>
            {children()}
        </main>
        <p id="announcer" class="visually-hidden" aria-live="polite" role="status"></p>
        {script}
    }
    .into_any()
}

/// Providers that are in trouble as a whole: one line each, while it lasts. The
/// script draws them again; without one the next page is without them.
#[component]
fn TroubleLines(
    /// Which.
    troubles: Vec<Trouble>,
) -> impl IntoView {
    let lines = troubles
        .into_iter()
        .map(|trouble| {
            let Trouble {
                provider,
                what,
                why,
                connection,
                watching,
            } = trouble;
            let more = paths::connection(&connection);
            let wish = match watching {
                true => view! {
                    <p class="fact"><Icon name="bell"/>" You are told when it works."</p>
                }
                .into_any(),
                false => view! {
                    <form method="post" action=paths::TELL_WHEN_IT_WORKS>
                        <input type="hidden" name="id" value=connection/>
                        <button class="btn" data-kind="plain">
                            "Tell me when it works"
                            <span class="visually-hidden">{format!(" {provider}")}</span>
                        </button>
                    </form>
                }
                .into_any(),
            };
            view! {
                <div class="callout trouble" role="status">
                    <Icon name="clock"/>
                    <div>
                        <p class="prompt-what">
                            <a href=more>{what}</a>
                        </p>
                        <p>{why}</p>
                    </div>
                    {wish}
                </div>
            }
        })
        .collect_view();
    view! { <div id=paths::TROUBLES data-live>{lines}</div> }.into_any()
}

#[component]
fn Header(person: Option<Person>, current: Current, theme: Theme, unread: u32) -> impl IntoView {
    let mark = use_context::<Site>().map(|site| site.favicon);
    let mark = view! {
        <img src=mark alt="" width="28" height="28"/>
        <span>{words::PRODUCT}</span>
    };
    let admin = person.as_ref().is_some_and(|person| person.admin);
    let settings = if admin {
        paths::PROVIDER_APPS
    } else {
        paths::ACCOUNT
    };
    let here = move |part: Current| (part == current).then_some("page");
    let links = person.is_some().then(|| {
        view! {
            <nav class="main-nav" aria-label="Main">
                <a href=paths::HUB aria-current=here(Current::Connections)>"Connections"</a>
                <a href=paths::RUNS aria-current=here(Current::Runs)>"Runs"</a>
                <a href=settings aria-current=here(Current::Settings)>"Settings"</a>
            </nav>
        }
    });
    view! {
        <header class="top">
            <div class="top-inner">
                {match current {
                    Current::Guest => view! { <span class="mark">{mark}</span> }.into_any(),
                    _ => view! { <a class="mark" href=paths::HUB>{mark}</a> }.into_any(),
                }}
                {links}
                <div class="top-end">
                    {person.is_some().then(|| view! {
                        <a class="icon-button bell" href=paths::NOTICES>
                            <Icon name="bell"/>
                            <Bell unread/>
                        </a>
                    })}
                    <ThemeMenu theme/>
                    {person.map(|person| view! { <AccountMenu person/> })}
                </div>
            </div>
        </header>
    }
    .into_any()
}

/// What stands at the bell: how much is new. It is drawn anew by itself.
#[component]
fn Bell(
    /// How much.
    unread: u32,
) -> impl IntoView {
    view! {
        <span id=paths::BELL>
            <span class="visually-hidden">{words::bell(unread)}</span>
            {(unread > 0).then(|| view! {
                <span class="bell-count" aria-hidden="true">{unread}</span>
            })}
        </span>
    }
}

/// The same by itself.
pub fn bell(unread: u32) -> String {
    Owner::new().with(|| view! { <Bell unread/> }.to_html())
}

#[component]
fn ThemeMenu(theme: Theme) -> impl IntoView {
    let icon = |theme| match theme {
        Theme::System => view! { <Icon name="monitor"/> }.into_any(),
        Theme::Light => view! { <Icon name="sun"/> }.into_any(),
        Theme::Dark => view! { <Icon name="moon"/> }.into_any(),
    };
    let word = |theme| match theme {
        Theme::System => "As the device",
        Theme::Light => "Light",
        Theme::Dark => "Dark",
    };
    let choices = Theme::ALL
        .map(|choice| {
            view! {
                <button
                    class="menu-item"
                    name="theme"
                    value=choice.as_str()
                    aria-pressed=if choice == theme { "true" } else { "false" }
                >
                    {icon(choice)}
                    <span class="grow">{word(choice)}</span>
                    {(choice == theme).then(|| view! { <Icon name="check"/> })}
                </button>
            }
        })
        .collect_view();
    view! {
        <button type="button" class="icon-button" popovertarget="theme-menu" aria-label="Colours">
            {icon(theme)}
        </button>
        <div class="menu" popover="auto" id="theme-menu">
            <form method="post" action="/api/set_theme">{choices}</form>
        </div>
    }
    .into_any()
}

#[component]
fn AccountMenu(person: Person) -> impl IntoView {
    let initial: String = person.name.chars().take(1).collect();
    view! {
        <button type="button" class="avatar" popovertarget="account-menu" aria-label="Your account">
            <span aria-hidden="true">{initial.to_uppercase()}</span>
        </button>
        <div class="menu" popover="auto" id="account-menu">
            <p class="menu-head">
                <strong>{person.name}</strong>
                <span>{person.email}</span>
                <span>{person.organisation}</span>
            </p>
            <a class="menu-item" href=paths::ACCOUNT>
                <Icon name="user"/>
                "Your account"
            </a>
            <form method="post" action="/api/sign_out">
                <button class="menu-item">
                    <Icon name="log-out"/>
                    "Sign out"
                </button>
            </form>
        </div>
    }
    .into_any()
}

/// A page of the settings, with their navigation.
#[component]
pub fn SettingsFrame(
    /// The page's heading.
    #[prop(into)]
    title: String,
    /// The path of the page in the settings' navigation.
    here: &'static str,
    /// Whether a script draws parts of it again: those with `data-live`.
    #[prop(optional)]
    live: bool,
    /// The main part.
    children: Children,
) -> impl IntoView {
    let person = Visit::current().person;
    let admin = person.is_some_and(|person| person.admin);
    let links = [
        (paths::CONTROL, "Connection health", false),
        (paths::PROVIDER_APPS, "Provider apps", true),
        (paths::API_KEYS, "API keys", true),
        (paths::WEBHOOKS, "Webhooks", true),
        (paths::POLICIES, "Rules", true),
        (paths::METRICS, "Figures", true),
        (paths::MEMBERS, "Members", true),
        (paths::AUDIT, "Audit log", true),
        (paths::ORGANISATION, "Your data", true),
        (paths::MAIL_CHOICES, "Notices", false),
        (paths::ACCOUNT, "Your account", false),
    ]
    .into_iter()
    .filter(|(_, _, for_admins)| admin || !for_admins)
    .map(|(path, word, _)| {
        view! { <a href=path aria-current=(path == here).then_some("page")>{word}</a> }
    })
    .collect_view();
    view! {
        <Frame title current=Current::Settings live>
            <div class="settings">
                <nav class="side-nav" aria-label="Settings">{links}</nav>
                <div class="settings-body">{children()}</div>
            </div>
        </Frame>
    }
}
