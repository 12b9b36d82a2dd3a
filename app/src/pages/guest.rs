//! The pages of somebody who came by a link and has no account here. They stay
//! in one tab: a link is often in a window of its own already, and a phone's
//! in-app browser opens no other.

use leptos::prelude::*;

use super::{connect::Asked, wizard::WizardView};
use crate::{
    model::{GuestConnectPage, GuestPage, Readiness},
    parts::{BrandPlate, Current, Frame, Icon, form::ProblemSummary},
    paths,
};

/// What the link is for, to choose from.
#[component]
pub fn GuestChooseView(
    /// What the link is for.
    page: GuestPage,
) -> impl IntoView {
    let GuestPage {
        organisation,
        leave,
        providers,
    } = page;
    let rows = providers
        .into_iter()
        .map(|(provider, summary)| {
            let (name, address) = (provider.name.clone(), paths::guest_connect(&provider.id));
            let spoken = format!(" {name}");
            view! {
                <li class="row" data-layout="simple">
                    <BrandPlate provider/>
                    <div class="row-main">
                        <p class="row-title"><strong>{name}</strong></p>
                        <p class="fact">{summary}</p>
                    </div>
                    <a class="btn" data-kind="primary" href=address>
                        "Choose"
                        <span class="visually-hidden">{spoken}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Frame title="Choose what to connect" current=Current::Guest>
            <div class="title">
                <h1>"Choose what to connect"</h1>
                <p>{format!("One of these, for {organisation}.")}</p>
            </div>
            <ul class="rows">{rows}</ul>
            <Leave leave/>
        </Frame>
    }
}

/// What connecting means, and how it begins.
#[component]
pub fn GuestConnectView(
    /// What connecting means.
    page: GuestConnectPage,
) -> impl IntoView {
    let GuestConnectPage {
        guest,
        provider,
        is_repair,
        will,
        will_not,
        fields,
        removal,
        readiness,
    } = page;
    let name = provider.name.clone();
    let title = match is_repair {
        true => format!("Connect {name} again"),
        false => format!("Connect {name}"),
    };
    let several = guest.providers.len() > 1;
    let start = paths::guest_start(&provider.id);
    let begin = match readiness {
        Readiness::Enter(page) => view! {
            <WizardView
                provider=provider.id.clone()
                name=name.clone()
                connection=None
                page=*page
                takes=None
                guest=true
            />
        }
        .into_any(),
        Readiness::Ready => view! {
            <form class="form" method="post" action=start>
                {fields.into_iter().map(|field| view! { <Asked field/> }).collect_view()}
                <div class="actions">
                    <button class="btn" data-kind="primary">{title.clone()}</button>
                </div>
                <p class="help">
                    {format!("You sign in at {name} and come back here. Linkwell never sees your password.")}
                </p>
            </form>
        }
        .into_any(),
        Readiness::NotYet(_) | Readiness::NotSetUp { .. } => view! {
            <div class="callout" data-tone="neutral">
                <Icon name="clock"/>
                <p>{format!("{name} cannot be connected here right now.")}</p>
            </div>
        }
        .into_any(),
    };
    let lines = |lines: Vec<String>, tone: &'static str, icon: &'static str| {
        lines
            .into_iter()
            .map(|line| {
                view! { <li data-tone=tone><Icon name=icon/><span>{line}</span></li> }
            })
            .collect_view()
    };
    view! {
        <Frame title=title.clone() current=Current::Guest>
            {several.then(|| view! {
                <a class="back" href=paths::GUEST>
                    <Icon name="arrow-left"/>
                    "Choose another"
                </a>
            })}
            <ProblemSummary/>
            <div class="card narrow">
                <div class="page-head">
                    <BrandPlate provider/>
                    <div class="page-head-words">
                        <h1>{title}</h1>
                        <p class="muted">{format!("For {}", guest.organisation)}</p>
                    </div>
                </div>
                <div class="promises">
                    <section aria-labelledby="will">
                        <h2 id="will">"Linkwell will"</h2>
                        <ul class="checks">{lines(will, "good", "check")}</ul>
                    </section>
                    <section aria-labelledby="will-not">
                        <h2 id="will-not">"Linkwell will not"</h2>
                        <ul class="checks">{lines(will_not, "neutral", "x")}</ul>
                    </section>
                </div>
                {begin}
                <div class="fine-print">
                    <p>{format!("{} can use this connection afterwards.", guest.organisation)}</p>
                    <p>{removal}</p>
                </div>
            </div>
            <Leave leave=guest.leave/>
        </Frame>
    }
}

/// Back to where the person came from, with nothing connected.
#[component]
fn Leave(leave: Option<(String, String)>) -> impl IntoView {
    leave.map(|(place, address)| {
        view! {
            <p class="leave">
                <a class="btn" data-kind="quiet" href=address rel="noreferrer">
                    {format!("Not now, back to {place}")}
                </a>
            </p>
        }
    })
}
