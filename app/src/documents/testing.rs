//! The page of a test while it runs. It is sent line by line, as the lines are
//! tried, so that a person sees them without a script; it ends with what was
//! connected, or with what to do.

use leptos::prelude::*;

use crate::{
    model::{Provider, TestProblem, TestStep, Went},
    pages::wizard::{Address, Line, Remedy},
    parts::{Body, BrandPlate, Current, Icon},
    site::{Site, Visit},
    words,
};

/// Where the lines go. No text of ours or of a provider has it.
const LINES: char = '\u{e000}';

/// The page, before its lines.
pub struct Testing {
    site: Site,
    at: Address,
    provider: Provider,
    tail: String,
}

/// What was connected.
pub struct Success {
    /// The account's name.
    pub account: String,
    /// What its key opens, where keys tell.
    pub environment: Option<String>,
    /// Where to go on, and what that is called.
    pub next: (&'static str, String),
    /// Where the data behind it is looked at.
    pub preview: Option<String>,
    /// What happens with it from now on.
    pub after: Option<&'static str>,
}

impl Testing {
    /// Begins the page; what is to be sent at once comes with it.
    pub fn begin(
        site: Site,
        visit: Visit,
        provider: Provider,
        at: Address,
        guest: bool,
    ) -> (Self, String) {
        let current = match guest {
            true => Current::Guest,
            false => Current::Connections,
        };
        let title = format!("Testing {}", provider.name);
        let back = at.page.clone();
        let (plate, heading) = (provider.clone(), title.clone());
        let name = provider.name.clone();
        let theme = visit.theme;
        let html = super::page(&site, theme, &title, None, || {
            provide_context(visit);
            view! {
                <Body current>
                    <a class="back" href=back>
                        <Icon name="arrow-left"/>
                        {name.clone()}
                    </a>
                    <div class="card narrow">
                        <div class="page-head">
                            <BrandPlate provider=plate/>
                            <div class="page-head-words">
                                <h1>{heading}</h1>
                                <p class="muted">{words::tested_before_kept(&name)}</p>
                            </div>
                        </div>
                        <section class="wizard" aria-label="Test" aria-live="polite">
                            {LINES.to_string()}
                        </section>
                    </div>
                </Body>
            }
        });
        let (head, tail) = html.split_once(LINES).unwrap_or((&html, ""));
        let page = Self {
            site,
            at,
            provider,
            tail: tail.to_owned(),
        };
        let first = page.pending(0);
        let begun = format!("{head}<ol class=\"checks trial\" aria-label=\"Test\">{first}");
        (page, begun)
    }

    /// One line, and the one that is tried next.
    pub fn line(&self, at: usize, step: TestStep, problem: Option<TestProblem>) -> String {
        let goes_on = matches!(step.went, Went::Passed | Went::NotNeeded);
        let address = self.at.clone();
        let line = self.drawn(|| view! { <Line at=address step problem/> });
        match goes_on {
            true => line + &self.pending(at + 1),
            false => line,
        }
    }

    fn pending(&self, at: usize) -> String {
        let Some((_, label)) = words::TESTS.get(at) else {
            return String::new();
        };
        let step = TestStep {
            label: (*label).to_owned(),
            went: Went::Pending,
            note: None,
        };
        let address = self.at.clone();
        self.drawn(|| view! { <Line at=address step problem=None/> })
    }

    /// The end of a test that failed; `problem` is what no line has said.
    pub fn failed(&self, problem: Option<TestProblem>) -> String {
        let (at, back) = (self.at.clone(), self.at.page.clone());
        let end = self.drawn(|| {
            view! {
                {problem.map(|problem| view! {
                    <div class="callout" data-tone="bad">
                        <Icon name="triangle-alert"/>
                        <div><Remedy at problem/></div>
                    </div>
                })}
                <p class="muted">
                    "Nothing you entered is lost. "
                    <a href=back>"Back to what you entered"</a>
                </p>
            }
        });
        self.ended(&end)
    }

    /// The end of a test that made a connection.
    pub fn connected(&self, success: Success) -> String {
        let Success {
            account,
            environment,
            next: (label, next),
            preview,
            after,
        } = success;
        let title = format!("{} connected", self.provider.name);
        let end = self.drawn(|| {
            view! {
                <div class="callout" data-tone="good" role="status">
                    <Icon name="circle-check"/>
                    <div>
                        <h2>{title}</h2>
                        <p>
                            <strong>{account}</strong>
                            {environment.map(|name| view! {
                                " "
                                <span class="badge">{words::environment(&name)}</span>
                            })}
                        </p>
                        {after.map(|after| view! { <p>{after}</p> })}
                        <div class="actions">
                            <a class="btn" data-kind="primary" href=next autofocus>{label}</a>
                            {preview.map(|preview| view! {
                                <a class="btn" data-kind="plain" href=preview>
                                    "Look at the data"
                                </a>
                            })}
                        </div>
                    </div>
                </div>
            }
        });
        self.ended(&end)
    }

    fn ended(&self, end: &str) -> String {
        format!("</ol><div class=\"trial-end\">{end}</div>{}", self.tail)
    }

    fn drawn<V: IntoView>(&self, draw: impl FnOnce() -> V) -> String {
        Owner::new().with(|| {
            provide_context(self.site.clone());
            draw().into_view().to_html()
        })
    }
}
