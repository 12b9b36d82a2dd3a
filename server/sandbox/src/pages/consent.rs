//! The pages of the authorization endpoint.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{app_name, frame, picture};
use crate::{
    ACCOUNTS, Account,
    oauth::{Parameters, scopes::Scope},
};

/// What a person is asked.
pub(crate) struct Consent<'a> {
    pub client_id: &'a str,
    /// The redirect URI.
    pub returns_to: &'a str,
    pub scopes: &'a BTreeSet<Scope>,
    /// The request, carried along by every form and link.
    pub parameters: &'a Parameters,
    /// Picked on the chooser before.
    pub chosen: Option<&'static Account>,
    /// Selected to begin with.
    pub suggested: Option<&'static Account>,
    /// Why the last answer was not enough.
    pub problem: Option<&'static str>,
}

impl Consent<'_> {
    /// Which account? One click each.
    pub fn chooser(&self) -> Markup {
        let app = app_name(self.client_id);
        let main = html! {
            section.card {
                h1 { "Choose an account" }
                p { "to continue to " strong { (app) } }
                ul.accounts {
                    @for account in by_suggestion(self.suggested) {
                        li {
                            a.account href=(self.address(&self.parameters.with("account", account.id))) {
                                (described(account))
                            }
                        }
                    }
                }
            }
        };
        frame("Choose an account", "narrow", None, main)
    }

    /// May the app do this?
    pub fn consent(&self) -> Markup {
        let app = app_name(self.client_id);
        let selected = self.chosen.or(self.suggested).unwrap_or(&ACCOUNTS[0]);
        let main = html! {
            form.card.consent method="post" action=(self.address(self.parameters)) {
                h1 { strong { (app) } " wants to connect to your shop" }
                @if let Some(problem) = self.problem {
                    p.problem role="alert" { (problem) }
                }
                @if let Some(account) = self.chosen {
                    div.chosen {
                        span.account { (described(account)) }
                        a href=(self.address(&self.parameters.with("account", ""))) { "Change" }
                    }
                    input type="hidden" name="account" value=(account.id);
                } @else {
                    fieldset {
                        legend { "Your account" }
                        @for account in &ACCOUNTS {
                            label.account {
                                input type="radio" name="account" value=(account.id) checked[account == selected] required;
                                (described(account))
                            }
                        }
                    }
                }
                fieldset {
                    legend { (app) " will be able to" }
                    @for scope in self.scopes {
                        @let (title, detail) = scope.meaning();
                        label.permission {
                            input type="checkbox" name="scope" value=(scope.as_str()) checked;
                            span { strong { (title) } small { (detail) } }
                        }
                    }
                }
                div.actions {
                    button.primary type="submit" name="decision" value="approve" { "Approve" }
                    button type="submit" name="decision" value="cancel" formnovalidate { "Cancel" }
                }
                p.fine { "You return to " span.address { (origin(self.returns_to)) } "." }
            }
        };
        frame(&format!("Connect {app}"), "narrow", None, main)
    }

    fn address(&self, parameters: &Parameters) -> String {
        format!("/oauth/authorize?{}", parameters.encode())
    }
}

/// Carries the answer to the app by POST.
pub(crate) fn form_post(redirect_uri: &str, answer: &[(&str, &str)]) -> Markup {
    let main = html! {
        form.card method="post" action=(redirect_uri) {
            h1 { "One moment" }
            p { "Taking you back to " span.address { (origin(redirect_uri)) } "." }
            @for (name, value) in answer {
                input type="hidden" name=(name) value=(value);
            }
            div.actions { button.primary type="submit" { "Continue" } }
        }
        script src="/assets/submit.js" {}
    };
    frame("One moment", "narrow", None, main)
}

/// Picture, name and e-mail.
pub(crate) fn described(account: &Account) -> Markup {
    html! {
        (picture(account))
        span { strong { (account.name) } small { (account.email) } }
    }
}

fn by_suggestion(suggested: Option<&'static Account>) -> Vec<&'static Account> {
    let mut accounts: Vec<_> = ACCOUNTS.iter().collect();
    accounts.sort_by_key(|account| Some(*account) != suggested);
    accounts
}

fn origin(address: &str) -> String {
    url::Url::parse(address)
        .map(|url| match url.host_str() {
            Some(_) => url.origin().ascii_serialization(),
            None => url.scheme().to_owned(),
        })
        .unwrap_or_default()
}
