//! The control page.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use maud::{Markup, html};

use super::{account::signed_in, app_name, frame, respond};
use crate::{
    ACCOUNTS, Account, Calls, Endpoint, Fault, FaultKind, Faults, GrantView, RecordedRequest,
    Rules, Sandbox,
    control::presets::{PRESETS, ROTATIONS, Scenario},
    oauth::scopes,
};

/// How many requests the page shows; `/control/requests` has them all.
const SHOWN_REQUESTS: usize = 15;

pub(crate) async fn page(State(shop): State<Sandbox>, headers: HeaderMap) -> Response {
    let (faults, rules, grants, calls) = (shop.faults(), shop.rules(), shop.grants(), shop.calls());
    let requests: Vec<_> = shop
        .shop()
        .log
        .recent()
        .take(SHOWN_REQUESTS)
        .cloned()
        .collect();
    let main = html! {
        div.intro {
            h1 { "Control" }
            p.lead { "Break the shop on purpose, and watch what its apps make of it." }
            (state_of(&faults))
        }
        section aria-labelledby="scenarios" {
            h2 #scenarios { "What should happen?" }
            div.grid {
                @for scenario in Scenario::ALL {
                    @let (title, detail) = scenario.words();
                    form method="post" action={ "/control/scenarios/" (scenario.name()) } {
                        button.scenario.primary[scenario == Scenario::Normal] type="submit" {
                            strong { (title) } small { (detail) }
                        }
                    }
                }
            }
        }
        (active_faults(&faults))
        (connected(&grants))
        (rules_form(&rules))
        (counters(&calls))
        (recent(&requests))
    };
    respond(
        StatusCode::OK,
        frame("Control", "wide", signed_in(&headers), main),
        &[],
    )
}

fn state_of(faults: &Faults) -> Markup {
    html! {
        @match faults.list.len() {
            0 => p.status.good { "The shop works normally" },
            1 => p.status.bad { "1 fault is active" },
            many => p.status.bad { (many) " faults are active" },
        }
    }
}

fn active_faults(faults: &Faults) -> Markup {
    html! {
        section.card aria-labelledby="faults" {
            h2 #faults { "Faults" }
            @if faults.list.is_empty() {
                p { "None. Choose a scenario above, or a single fault below." }
            } @else {
                ul.list {
                    @for (index, fault) in faults.list.iter().enumerate() {
                        li {
                            span { strong { (label(&fault.kind)) } small { (limits(fault)) } }
                            form method="post" action={ "/control/faults/" (index) "/remove" } {
                                button type="submit" aria-label={ "Remove: " (label(&fault.kind)) } { "Remove" }
                            }
                        }
                    }
                }
            }
            form.fields method="post" action="/control/faults" {
                label.field { span { "Fault" }
                    select name="fault" { @for preset in &PRESETS { option value=(preset.name) { (preset.label) } } }
                }
                label.field { span { "Where" }
                    select name="at" {
                        option value="" { "Everywhere it can happen" }
                        @for endpoint in Endpoint::ALL { option value=(endpoint.as_str()) { (place(endpoint)) } }
                    }
                }
                label.field { span { "How often" }
                    input type="number" name="times" min="1" max="1000000" placeholder="Until removed";
                }
                button type="submit" { "Add fault" }
            }
        }
    }
}

fn connected(grants: &[GrantView]) -> Markup {
    html! {
        section.card aria-labelledby="grants" {
            h2 #grants { "Connected apps" }
            @if grants.is_empty() {
                p { "No app is connected yet." }
            }
            ul.list {
                @for grant in grants {
                    @let account = Account::find(&grant.account).map_or("Unknown account", |account| account.name);
                    li {
                        span {
                            strong { (app_name(&grant.client_id)) " · " (account) }
                            small { (scopes::join(&grant.scopes)) }
                            small {
                                @match grant.access_expires_at {
                                    Some(at) => { "Access token expires " (at.format("%-d %b %Y, %H:%M:%S UTC")) },
                                    None => { "Access token expired" },
                                }
                            }
                        }
                        div.actions {
                            form method="post" action={ "/control/grants/" (grant.id) "/expire" } {
                                button type="submit" aria-label={ "Expire access of " (account) } { "Expire" }
                            }
                            form method="post" action={ "/control/grants/" (grant.id) "/revoke" } {
                                button.danger type="submit" aria-label={ "Revoke access of " (account) } { "Revoke" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn rules_form(rules: &Rules) -> Markup {
    let approving = rules.auto_approve.as_deref().and_then(Account::find);
    html! {
        section.card aria-labelledby="rules" {
            h2 #rules { "Rules" }
            form.fields method="post" action="/control/rules" {
                label.field { span { "Access token lifetime (seconds)" }
                    input type="number" name="access_lifetime_s" min="1" max="31536000" value=(rules.access_lifetime_s) required;
                }
                label.field { span { "Refresh tokens" }
                    select name="rotation" {
                        @if !ROTATIONS.iter().any(|(.., rotation)| *rotation == rules.rotation) {
                            option value="" selected { "As set by the control API" }
                        }
                        @for (name, label, rotation) in &ROTATIONS {
                            option value=(name) selected[*rotation == rules.rotation] { (label) }
                        }
                    }
                }
                label.field { span { "Consent" }
                    select name="auto_approve" {
                        option value="" { "Ask the person" }
                        @for account in &ACCOUNTS {
                            option value=(account.id) selected[approving == Some(account)] { "Approve at once as " (account.name) }
                        }
                    }
                }
                button type="submit" { "Save rules" }
            }
        }
    }
}

fn counters(calls: &Calls) -> Markup {
    let numbers = [
        ("Consent pages", calls.authorize),
        ("Approved", calls.approvals),
        ("Denied", calls.denials),
        ("Codes exchanged", calls.code_exchanges_ok),
        ("Refreshes asked", calls.refreshes),
        ("Refreshes done", calls.refreshes_ok),
        (
            "Reuse detected",
            calls.reuse_detected + calls.code_reuse_detected,
        ),
        ("Grants ended", calls.families_revoked),
        ("API calls", calls.api_calls),
        ("API calls refused", calls.api_calls_refused),
        ("Webhooks delivered", calls.webhooks_delivered),
        ("Webhooks failed", calls.webhooks_failed),
    ];
    html! {
        section.card aria-labelledby="counters" {
            h2 #counters { "Counters" }
            dl.numbers {
                @for (name, number) in numbers {
                    div { dt { (name) } dd { (number) } }
                }
            }
        }
    }
}

fn recent(requests: &[RecordedRequest]) -> Markup {
    html! {
        section.card aria-labelledby="requests" {
            h2 #requests { "Recent requests" }
            @if requests.is_empty() {
                p { "Nobody has asked anything yet." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Table of recent requests" {
                    table {
                        thead { tr { th { "Time" } th { "Request" } th { "For" } th { "Answer" } } }
                        tbody {
                            @for request in requests {
                                tr {
                                    td { (request.at.format("%H:%M:%S")) }
                                    td { code { (request.method) " " (request.path) } }
                                    td { (place(request.endpoint)) }
                                    td {
                                        @match request.status {
                                            Some(status) if status < 400 => (status),
                                            Some(status) => strong.wrong { (status) },
                                            None => strong.wrong { "cut" },
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn label(kind: &FaultKind) -> String {
    let preset = PRESETS.iter().find(|preset| (preset.kind)() == *kind);
    match (preset, kind) {
        (Some(preset), _) => preset.label.to_owned(),
        (None, FaultKind::Slow { ms }) => format!("{ms} ms late"),
        (None, FaultKind::ServerError { status }) => status.to_string(),
        (None, FaultKind::Refuse { error }) => format!("Refused: {error}"),
        (None, FaultKind::GrantOnly { scopes }) => {
            format!("Granted at most: {}", scopes::join(scopes))
        }
        (None, FaultKind::SignInAs { account }) => {
            format!(
                "Approved by {}",
                Account::find(account).map_or(account.as_str(), |account| account.name)
            )
        }
        (None, FaultKind::Redirect { to }) => format!("Redirected to {to}"),
        (None, other) => format!("{other:?}"),
    }
}

fn limits(fault: &Fault) -> String {
    let places: Vec<_> = fault.at.iter().copied().map(place).collect();
    let places = if places.is_empty() {
        "Everywhere it can happen".to_owned()
    } else {
        places.join(", ")
    };
    match fault.times {
        None => format!("{places}, until removed"),
        Some(1) => format!("{places}, once"),
        Some(times) => format!("{places}, {times} times"),
    }
}

fn place(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Authorize => "Consent",
        Endpoint::Token => "Code exchange",
        Endpoint::Refresh => "Refresh",
        Endpoint::Revoke => "Revocation",
        Endpoint::Introspect => "Introspection",
        Endpoint::Api => "API",
    }
}
