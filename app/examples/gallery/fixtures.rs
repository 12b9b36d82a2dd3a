//! Made-up data for every state.

use app::{
    documents::{Ending, Outcome},
    model::*,
};

/// The time in the gallery: 12 May 2026, 09:14 UTC.
pub const NOW: i64 = 1_778_577_240;

fn moment(ago_s: i64, text: &str) -> Moment {
    Moment {
        unix: NOW - ago_s,
        text: text.to_owned(),
    }
}

fn provider(id: &str, name: &str, icon: &str) -> Provider {
    Provider {
        id: id.to_owned(),
        name: name.to_owned(),
        icon: (!icon.is_empty()).then(|| format!("brand-{icon}")),
    }
}

pub fn shopify() -> Provider {
    provider("shopify", "Shopify", "shopify")
}

fn gmail() -> Provider {
    provider("google-gmail", "Gmail", "gmail")
}

fn quickbooks() -> Provider {
    provider("quickbooks", "QuickBooks", "quickbooks")
}

pub fn person() -> Person {
    Person {
        name: "Mia Alder".to_owned(),
        email: "mia@alder-ash.example".to_owned(),
        organisation: "Alder & Ash Ltd".to_owned(),
        admin: true,
    }
}

fn revoked() -> Prompt {
    Prompt {
        what: "Shopify stopped accepting our access on 12 May at 09:10.".to_owned(),
        why: "Most likely the app was removed in Shopify.".to_owned(),
        effect: Some("Automations that use it are paused. Nothing was deleted.".to_owned()),
        action: Some(Action {
            label: "Reconnect Shopify".to_owned(),
            kind: ActionKind::Connect,
        }),
        secondary: None,
    }
}

fn linked(id: &str, provider: Provider, account: &str, status: Status) -> Connection {
    Connection {
        id: id.to_owned(),
        keywords: format!("{} {} {account}", provider.id, provider.name).to_lowercase(),
        provider,
        account: account.to_owned(),
        status,
        checked_at: Some(NOW - 250),
        prompt: None,
        attempt: None,
    }
}

fn offer(provider: Provider, summary: &str, start: Start) -> Offer {
    Offer {
        keywords: format!("{} {}", provider.id, provider.name).to_lowercase(),
        provider,
        summary: summary.to_owned(),
        start,
        again: false,
        suggested: false,
        attempt: None,
    }
}

pub fn hub() -> Hub {
    let hub = hub_first();
    let again = ["shopify", "google-gmail", "quickbooks"];
    Hub {
        connections: vec![
            Connection {
                prompt: Some(revoked()),
                ..linked(
                    "1",
                    shopify(),
                    "alder-ash.myshopify.com",
                    Status::ActionNeeded,
                )
            },
            Connection {
                prompt: Some(Prompt {
                    what: "Microsoft 365 wants an administrator to allow Linkwell.".to_owned(),
                    why: "Your organisation there reviews new apps first.".to_owned(),
                    effect: None,
                    action: None,
                    secondary: None,
                }),
                ..linked(
                    "2",
                    provider("microsoft", "Microsoft 365", ""),
                    "mia@alder-ash.example",
                    Status::WaitingForAdmin,
                )
            },
            linked("3", gmail(), "orders@alder-ash.example", Status::Connected),
            linked(
                "4",
                provider("stripe-connect", "Stripe", "stripe"),
                "Alder & Ash Ltd",
                Status::Connected,
            ),
            Connection {
                prompt: Some(Prompt {
                    what: "QuickBooks is not answering.".to_owned(),
                    why: "No action needed. Next try in 4 min.".to_owned(),
                    effect: None,
                    action: None,
                    secondary: None,
                }),
                ..linked(
                    "5",
                    quickbooks(),
                    "Alder & Ash Ltd, EUR",
                    Status::Retrying {
                        at: Some(NOW + 260),
                    },
                )
            },
            Connection {
                checked_at: Some(NOW - 90_000),
                ..linked(
                    "6",
                    provider("slack", "Slack", "slack"),
                    "alder-ash.slack.com",
                    Status::NotCheckedYet,
                )
            },
        ],
        offers: hub
            .offers
            .into_iter()
            .map(|offer| Offer {
                again: again.contains(&offer.provider.id.as_str()),
                ..offer
            })
            .collect(),
        ..hub
    }
}

pub fn hub_first() -> Hub {
    Hub {
        now: NOW,
        connections: vec![],
        offers: vec![
            Offer {
                suggested: true,
                ..offer(shopify(), "Reads products and orders", Start::AfterDetails)
            },
            Offer {
                suggested: true,
                ..offer(gmail(), "Reads mail", Start::Now)
            },
            offer(
                provider("google-drive", "Google Drive", "googledrive"),
                "Reads files you choose",
                Start::Now,
            ),
            offer(
                provider("github", "GitHub", "github"),
                "Reads repositories and your profile",
                Start::Now,
            ),
            offer(
                provider("slack", "Slack", "slack"),
                "Posts messages to channels you choose",
                Start::Now,
            ),
            offer(
                quickbooks(),
                "Reads and writes invoices and customers",
                Start::SetUp,
            ),
            offer(
                provider("sandbox", "Sandbox shop", ""),
                "A shop to practise with; nothing in it is real",
                Start::Now,
            ),
        ],
        may_manage: true,
    }
}

pub fn hub_member() -> Hub {
    let hub = hub();
    Hub {
        offers: hub
            .offers
            .into_iter()
            .map(|offer| match offer.start {
                Start::SetUp => Offer {
                    start: Start::AskAdmin,
                    ..offer
                },
                _ => offer,
            })
            .collect(),
        may_manage: false,
        ..hub
    }
}

pub fn hub_mid_flow() -> Hub {
    let mut hub = hub();
    hub.connections[0].attempt = Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    hub.offers[2].attempt = Some("BBBBBBBBBBBBBBBBBBBBBB".to_owned());
    hub
}

fn permission(scope: &str, meaning: &str, granted: bool) -> Permission {
    Permission {
        meaning: meaning.to_owned(),
        scope: scope.to_owned(),
        granted,
    }
}

fn shopify_permissions() -> Vec<Permission> {
    vec![
        permission("read_products", "See products and collections", true),
        permission("read_orders", "See orders of the last 60 days", true),
    ]
}

fn entry(ago_s: i64, text: &str, what: &str, tone: Tone) -> HistoryEntry {
    HistoryEntry {
        at: moment(ago_s, text),
        what: what.to_owned(),
        tone,
    }
}

pub fn connection_well() -> ConnectionPage {
    ConnectionPage {
        now: NOW,
        connection: linked("3", gmail(), "orders@alder-ash.example", Status::Connected),
        details: None,
        connected_at: moment(2_600_000, "12 April 2026, 07:00 UTC"),
        connected_by: Some("Mia Alder".to_owned()),
        permissions: vec![
            permission(
                "https://www.googleapis.com/auth/gmail.readonly",
                "Read mail",
                true,
            ),
            permission("email", "See the e-mail address", true),
        ],
        last_proof: Some(moment(250, "12 May 2026, 09:09 UTC")),
        next_refresh: Some(moment(-1_900, "12 May 2026, 09:45 UTC")),
        token_expires: Some(moment(-2_800, "12 May 2026, 10:00 UTC")),
        history: vec![
            entry(
                250,
                "12 May 2026, 09:09 UTC",
                "Checked: it works",
                Tone::Good,
            ),
            entry(
                3_900,
                "12 May 2026, 08:09 UTC",
                "Access renewed",
                Tone::Neutral,
            ),
            entry(
                2_600_000,
                "12 April 2026, 07:00 UTC",
                "Connected by Mia Alder",
                Tone::Good,
            ),
        ],
        may_manage: true,
    }
}

pub fn connection_broken() -> ConnectionPage {
    ConnectionPage {
        connection: Connection {
            prompt: Some(revoked()),
            ..linked(
                "1",
                shopify(),
                "alder-ash.myshopify.com",
                Status::ActionNeeded,
            )
        },
        details: Some(Details {
            code: "GRANT_REVOKED_OR_EXPIRED".to_owned(),
            at: Some(moment(240, "12 May 2026, 09:10 UTC")),
            provider_text: Some("The refresh token is not valid for this shop.".to_owned()),
        }),
        permissions: vec![
            permission("read_products", "See products and collections", true),
            permission("read_orders", "See orders of the last 60 days", false),
        ],
        next_refresh: None,
        token_expires: Some(moment(240, "12 May 2026, 09:10 UTC")),
        history: vec![
            entry(
                240,
                "12 May 2026, 09:10 UTC",
                "Shopify withdrew our access",
                Tone::Bad,
            ),
            entry(
                86_400,
                "11 May 2026, 09:14 UTC",
                "Access renewed",
                Tone::Neutral,
            ),
            entry(
                2_600_000,
                "12 April 2026, 07:00 UTC",
                "Connected by Mia Alder",
                Tone::Good,
            ),
        ],
        ..connection_well()
    }
}

pub fn connection_viewer() -> ConnectionPage {
    ConnectionPage {
        may_manage: false,
        ..connection_broken()
    }
}

pub fn disconnect() -> DisconnectPage {
    DisconnectPage {
        id: "3".to_owned(),
        provider: gmail(),
        account: "orders@alder-ash.example".to_owned(),
        revocation: Revocation::AtProvider,
    }
}

pub fn disconnect_by_hand() -> DisconnectPage {
    DisconnectPage {
        provider: provider("slack", "Slack", "slack"),
        account: "alder-ash.slack.com".to_owned(),
        revocation: Revocation::ByHand {
            place: "Slack > Settings > Manage apps".to_owned(),
        },
        ..disconnect()
    }
}

pub fn connect() -> ConnectPage {
    ConnectPage {
        provider: gmail(),
        repairs: None,
        will: vec!["Read mail".to_owned(), "See the e-mail address".to_owned()],
        will_not: vec![
            "See your password".to_owned(),
            "Send, change or delete anything".to_owned(),
        ],
        permissions: vec![
            permission("https://www.googleapis.com/auth/gmail.readonly", "Read mail", true),
            permission("email", "See the e-mail address", true),
        ],
        optional: vec![permission("https://www.googleapis.com/auth/gmail.send", "Send mail as you", false)],
        fields: vec![],
        removal: "You can disconnect here at any time, or in Google Account > Security > Third-party access.".to_owned(),
        usually_takes: Some(25),
        readiness: Readiness::Ready,
        attempt: None,
    }
}

pub fn connect_fields() -> ConnectPage {
    ConnectPage {
        provider: shopify(),
        will: vec![
            "See products and collections".to_owned(),
            "See orders of the last 60 days".to_owned(),
        ],
        permissions: shopify_permissions(),
        optional: vec![],
        fields: vec![ConnectField {
            name: "shop".to_owned(),
            label: "Shop address".to_owned(),
            placeholder: Some("your-store".to_owned()),
            suffix: Some(".myshopify.com".to_owned()),
            help: Some("Only the part before .myshopify.com".to_owned()),
            value: String::new(),
        }],
        removal: "You can disconnect here at any time, or in Shopify admin > Settings > Apps."
            .to_owned(),
        ..connect()
    }
}

pub fn reconnect() -> ConnectPage {
    let page = connect_fields();
    ConnectPage {
        repairs: Some(("1".to_owned(), "alder-ash.myshopify.com".to_owned())),
        fields: vec![ConnectField {
            value: "alder-ash".to_owned(),
            ..page.fields[0].clone()
        }],
        ..page
    }
}

pub fn connect_not_set_up(may_set_up: bool) -> ConnectPage {
    ConnectPage {
        provider: quickbooks(),
        will: vec!["Read and write invoices and customers".to_owned()],
        readiness: Readiness::NotSetUp {
            app: "quickbooks".to_owned(),
            may_set_up,
            admins: vec!["Mia Alder".to_owned(), "Jonas Ash".to_owned()],
        },
        ..connect()
    }
}

fn app(id: &str, provider: Provider, serves: &[&str], state: AppState) -> ProviderAppRow {
    ProviderAppRow {
        id: id.to_owned(),
        provider,
        serves: serves.iter().map(|name| (*name).to_owned()).collect(),
        state,
    }
}

pub fn provider_apps() -> Vec<ProviderAppRow> {
    let entered = AppState::Entered {
        client_id: "1048576-fq3k.apps.example".to_owned(),
        at: moment(2_600_000, "12 April 2026, 07:00 UTC"),
    };
    let environment = AppState::Environment {
        client_id: "Iv23lizR0w2bHq".to_owned(),
    };
    vec![
        app(
            "google",
            provider("google", "Google", "google"),
            &["Gmail", "Google Drive"],
            entered,
        ),
        app(
            "github",
            provider("github", "GitHub", "github"),
            &["GitHub"],
            environment,
        ),
        app("shopify", shopify(), &["Shopify"], AppState::NotSetUp),
        app(
            "quickbooks",
            quickbooks(),
            &["QuickBooks"],
            AppState::NotSetUp,
        ),
    ]
}

pub fn provider_app() -> ProviderAppPage {
    ProviderAppPage {
        app: provider_apps()[2].clone(),
        redirect_uri: "https://hub.alder-ash.example/oauth/callback/shopify".to_owned(),
        rules: vec!["Each address in full; https, or localhost while developing.".to_owned()],
        labels: ("Client ID".to_owned(), "Client secret".to_owned()),
        settings: Vec::new(),
        steps: vec![
            "Open the Shopify Partner dashboard and create an app.".to_owned(),
            "Under Configuration, add the redirect address below.".to_owned(),
            "Copy the client ID and the client secret into the form below.".to_owned(),
        ],
        console_url: Some("https://partners.shopify.com".to_owned()),
        variables: (
            "LINKWELL_PROVIDER_SHOPIFY_CLIENT_ID".to_owned(),
            "LINKWELL_PROVIDER_SHOPIFY_CLIENT_SECRET".to_owned(),
        ),
    }
}

pub fn provider_app_entered() -> ProviderAppPage {
    ProviderAppPage {
        app: provider_apps()[0].clone(),
        redirect_uri: "https://hub.alder-ash.example/oauth/callback/google".to_owned(),
        ..provider_app()
    }
}

pub fn provider_app_environment() -> ProviderAppPage {
    ProviderAppPage {
        app: provider_apps()[1].clone(),
        variables: (
            "LINKWELL_PROVIDER_GITHUB_CLIENT_ID".to_owned(),
            "LINKWELL_PROVIDER_GITHUB_CLIENT_SECRET".to_owned(),
        ),
        ..provider_app()
    }
}

pub fn api_keys() -> Vec<ApiKeyRow> {
    let key = |id: &str, name: &str, scopes: &[&str], last_used| ApiKeyRow {
        id: id.to_owned(),
        name: name.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        last_four: "Bt6k".to_owned(),
        created: moment(2_600_000, "12 April 2026, 07:00 UTC"),
        last_used,
    };
    vec![
        key(
            "1",
            "Shop robot",
            &["connections:read", "tokens:read"],
            Some(moment(30, "12 May 2026, 09:13 UTC")),
        ),
        key("2", "Month-end report", &["catalog:read"], None),
    ]
}

pub fn finished() -> Outcome {
    Outcome {
        flow: "1".to_owned(),
        handle: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        popup: false,
        provider: shopify(),
        repairs: None,
        ending: Ending::Linked {
            connection: "1".to_owned(),
            account: "alder-ash.myshopify.com".to_owned(),
        },
    }
}

pub fn denied() -> Outcome {
    Outcome {
        ending: Ending::NotLinked {
            prompt: Prompt {
                what: "The connection was not completed.".to_owned(),
                why: "You chose Cancel at Shopify.".to_owned(),
                effect: Some("Nothing was changed.".to_owned()),
                action: Some(Action {
                    label: "Try again".to_owned(),
                    kind: ActionKind::Connect,
                }),
                secondary: Some(Action {
                    label: "What we ask for".to_owned(),
                    kind: ActionKind::Explain,
                }),
            },
            details: None,
        },
        ..finished()
    }
}

pub fn other_account() -> Outcome {
    Outcome {
        ending: Ending::OtherAccount(Prompt {
            what: "You signed in as info@b.example, but this connection belongs to shop@a.example."
                .to_owned(),
            why: "Shopify was still signed in with another account.".to_owned(),
            effect: Some("Nothing was changed.".to_owned()),
            action: Some(Action {
                label: "Use shop@a.example".to_owned(),
                kind: ActionKind::Connect,
            }),
            secondary: Some(Action {
                label: "Add as a second account".to_owned(),
                kind: ActionKind::AddAccount,
            }),
        }),
        ..finished()
    }
}

pub fn cancelled() -> Outcome {
    Outcome {
        ending: Ending::Cancelled,
        ..finished()
    }
}

pub fn error() -> Prompt {
    Prompt {
        what: "Something failed on our side.".to_owned(),
        why: "Nothing was changed. Try again in a minute.".to_owned(),
        effect: Some("Reference 0199-7c1e".to_owned()),
        action: None,
        secondary: None,
    }
}
