//! Which address shows which page.

use hub::{
    Error, Hub, Result,
    failure::{Failure, FailureCode},
    people::Action,
    store::Reach,
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::provide_meta_context;
use leptos_router::{
    ParamSegment, SsrMode, StaticSegment, WildcardSegment,
    components::{Route, Router, Routes},
    hooks::{use_params_map, use_query_map},
};

use crate::{load, model, pages::*, site::Viewer};

/// Every page. Each is drawn whole before the first byte leaves, so that all
/// of them work without JavaScript and can still say 404.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let parts = (StaticSegment("settings"), StaticSegment("provider-apps"));
    let removal = (
        StaticSegment("settings"),
        StaticSegment("members"),
        ParamSegment("id"),
        StaticSegment("remove"),
    );
    let secret = (
        StaticSegment("settings"),
        StaticSegment("webhooks"),
        ParamSegment("id"),
        StaticSegment("secret"),
    );
    view! {
        <Router>
            <Routes fallback=Missing>
                <Route path=StaticSegment("") view=HubPage ssr=SsrMode::Async/>
                <Route path=StaticSegment("setup") view=SetupPage ssr=SsrMode::Async/>
                <Route path=StaticSegment("sign-in") view=SignInPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("connect"), ParamSegment("provider"))
                    view=ConnectPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(
                        StaticSegment("connect"),
                        ParamSegment("provider"),
                        StaticSegment("request"),
                    )
                    view=RequestPage
                    ssr=SsrMode::Async
                />
                <Route path=StaticSegment("guest") view=GuestPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("guest"), StaticSegment("connect"), ParamSegment("provider"))
                    view=GuestConnectPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("connections"), ParamSegment("id"))
                    view=ConnectionPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("connections"), ParamSegment("id"), StaticSegment("preview"))
                    view=PreviewPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("connections"), ParamSegment("id"), StaticSegment("disconnect"))
                    view=DisconnectPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("connections"), ParamSegment("id"), StaticSegment("clear"))
                    view=ClearPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("connections"))
                    view=ControlPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("connections"), ParamSegment("id"), StaticSegment("delete"))
                    view=DeleteConnectionPage
                    ssr=SsrMode::Async
                />
                <Route path=parts view=ProviderAppsPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("settings"), StaticSegment("provider-apps"), ParamSegment("app"))
                    view=ProviderAppPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("api-keys"))
                    view=ApiKeysPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("webhooks"))
                    view=WebhooksPage
                    ssr=SsrMode::Async
                />
                <Route path=secret view=WebhookSecretPage ssr=SsrMode::Async/>
                <Route path=StaticSegment("runs") view=RunsPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("settings"), StaticSegment("policies"))
                    view=PoliciesPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("metrics"))
                    view=MetricsPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("members"))
                    view=MembersPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("members"), ParamSegment("id"))
                    view=MemberPage
                    ssr=SsrMode::Async
                />
                <Route path=removal view=RemoveMemberPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("settings"), StaticSegment("organisation"))
                    view=OrganisationPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("audit"))
                    view=AuditLogPage
                    ssr=SsrMode::Async
                />
                <Route path=StaticSegment("notices") view=NoticesPage ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("settings"), StaticSegment("notices"))
                    view=MailChoicesPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("account"))
                    view=AccountPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("settings"), StaticSegment("account"), StaticSegment("delete"))
                    view=DeleteAccountPage
                    ssr=SsrMode::Async
                />
                // The server knows only the routes named here: without this one
                // it would answer a wrong address with an empty page.
                <Route path=WildcardSegment("rest") view=Missing ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}

/// Who is looking; members only come this far.
fn member() -> Result<hub::people::Member> {
    expect_context::<Viewer>().member.ok_or(Error::NotFound)
}

/// Draws what was loaded, or says why it cannot be shown.
fn drawn<T: 'static, V: IntoView + 'static>(
    loaded: Result<T>,
    view: impl FnOnce(T) -> V,
) -> AnyView {
    match loaded {
        Ok(model) => view(model).into_any(),
        Err(error) => {
            let (status, known) = match &error {
                Error::NotFound => (http::StatusCode::NOT_FOUND, true),
                Error::Forbidden { .. } => (http::StatusCode::FORBIDDEN, true),
                _ => (http::StatusCode::INTERNAL_SERVER_ERROR, false),
            };
            if !known {
                tracing::error!(%error, "a page could not be drawn");
            }
            expect_context::<ResponseOptions>().set_status(status);
            match error {
                Error::Forbidden { needs } => {
                    view! { <ForbiddenView prompt=load::not_allowed(needs)/> }.into_any()
                }
                Error::NotFound => view! { <MissingView/> }.into_any(),
                _ => view! { <BrokenView prompt=load::our_side(&expect_context::<Viewer>().request)/> }
                    .into_any(),
            }
        }
    }
}

fn param(name: &'static str) -> String {
    use_params_map()
        .read_untracked()
        .get(name)
        .unwrap_or_default()
}

fn query(name: &'static str) -> String {
    use_query_map()
        .read_untracked()
        .get(name)
        .unwrap_or_default()
}

#[component]
fn Missing() -> impl IntoView {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! { <MissingView/> }
}

#[component]
fn HubPage() -> impl IntoView {
    let filter = load::known(model::Filter {
        q: query("q"),
        category: query("category"),
        region: query("region"),
        sign_in: query("sign-in"),
        all: query("show") == "all",
    });
    let asked = filter.clone();
    page(
        async move {
            let (hub, member) = (hub(), member()?);
            load::hub_page(&hub, &member, &asked).await
        },
        move |(hub, begun, market)| {
            view! { <HubView hub begun market filter/> }
        },
    )
}

#[component]
fn SignInPage() -> impl IntoView {
    let next = query("next");
    view! { <SignInView next because=because()/> }
}

#[component]
fn SetupPage() -> impl IntoView {
    view! { <SetupView because=because()/> }
}

/// Why a stranger is asked to sign in again, or cannot, where there is something
/// to say of it. The address names one of these and nothing else.
fn because() -> Option<Because> {
    let asked = query("because");
    let known = [
        (
            Failure::inferred(FailureCode::SignedOut, "session_ended"),
            false,
        ),
        (
            Failure::told(FailureCode::BrowserUnsupported, "cookies_off"),
            true,
        ),
    ];
    let found = known.iter().find(|(one, _)| one.code.as_str() == asked);
    let (failure, elsewhere) = found?;
    let hub = hub();
    Some(Because {
        prompt: load::prompt_of_failure(&hub, failure),
        elsewhere: elsewhere.then(|| hub.public_url.to_string()),
    })
}

#[component]
fn ConnectPage() -> impl IntoView {
    let (provider, repairs) = (param("provider"), query("connection").parse().ok());
    let wanted = ::hub::store::words(&query("scope"));
    page(
        async move { load::connect_page(&hub(), &member()?, &provider, repairs, &wanted).await },
        |page| view! { <ConnectView page/> },
    )
}

#[component]
fn RequestPage() -> impl IntoView {
    let (provider, repairs) = (param("provider"), query("connection").parse().ok());
    page(
        async move { load::request_page(&hub(), &member()?, &provider, repairs).await },
        |page| view! { <RequestView page/> },
    )
}

/// Who came by a link; nobody else comes this far.
fn guest() -> Result<hub::people::Guest> {
    let viewer = expect_context::<Viewer>();
    viewer.guest().cloned().ok_or(Error::NotFound)
}

#[component]
fn GuestPage() -> impl IntoView {
    drawn(
        guest().map(|guest| load::guest_page(&hub(), &guest)),
        |page| view! { <GuestChooseView page/> },
    )
}

#[component]
fn GuestConnectPage() -> impl IntoView {
    let provider = param("provider");
    page(
        async move { load::guest_connect_page(&hub(), &guest()?, &provider).await },
        |page| view! { <GuestConnectView page/> },
    )
}

#[component]
fn ConnectionPage() -> impl IntoView {
    let id = param("id");
    page(
        async move {
            let id = id.parse().map_err(|_| Error::NotFound)?;
            load::connection_page(&hub(), &member()?, id).await
        },
        |page| view! { <ConnectionView page/> },
    )
}

#[component]
fn PreviewPage() -> impl IntoView {
    let (id, table) = (param("id"), query("table"));
    page(
        async move {
            let id = id.parse().map_err(|_| Error::NotFound)?;
            let table = Some(table.as_str()).filter(|table| !table.is_empty());
            load::preview(&hub(), &member()?, id, table).await
        },
        |page| view! { <PreviewView page/> },
    )
}

#[component]
fn DisconnectPage() -> impl IntoView {
    let id = param("id");
    page(
        async move {
            let id = id.parse().map_err(|_| Error::NotFound)?;
            load::disconnect_page(&hub(), &member()?, id).await
        },
        |page| view! { <DisconnectView page/> },
    )
}

#[component]
fn ClearPage() -> impl IntoView {
    let id = param("id");
    page(
        async move {
            let id = id.parse().map_err(|_| Error::NotFound)?;
            load::clear_page(&hub(), &member()?, id).await
        },
        |page| view! { <ClearView page/> },
    )
}

#[component]
fn ControlPage() -> impl IntoView {
    let after = query("after").parse().ok();
    page(
        async move { load::control_page(&hub(), &member()?, after).await },
        |page| view! { <ControlView page/> },
    )
}

#[component]
fn ProviderAppsPage() -> impl IntoView {
    page(
        async move {
            let (hub, member) = (hub(), member()?);
            let apps = load::provider_apps(&hub, &member).await?;
            Ok((apps, load::wishes(&hub, &member).await?))
        },
        |(apps, wishes)| {
            view! { <ProviderAppsView apps wishes/> }
        },
    )
}

#[component]
fn ProviderAppPage() -> impl IntoView {
    let app = param("app");
    page(
        async move { load::provider_app_page(&hub(), &member()?, &app).await },
        |page| view! { <ProviderAppView page/> },
    )
}

#[component]
fn ApiKeysPage() -> impl IntoView {
    let revoke = query("revoke");
    let now = hub().clock.now().timestamp();
    page(
        async move { load::api_keys(&hub(), &member()?).await },
        move |keys: Vec<model::ApiKeyRow>| {
            let asked = keys.iter().find(|key| key.id == revoke).cloned();
            match asked {
                Some(key) => view! { <RevokeApiKeyView now key/> }.into_any(),
                None => view! { <ApiKeysView now keys/> }.into_any(),
            }
        },
    )
}

#[component]
fn WebhooksPage() -> impl IntoView {
    let remove = query("remove");
    let now = hub().clock.now().timestamp();
    page(
        async move { load::webhooks(&hub(), &member()?).await },
        move |page: model::Webhooks| {
            let asked = page.rows.iter().find(|row| row.id == remove).cloned();
            match asked {
                Some(row) => view! { <RemoveWebhookView row/> }.into_any(),
                None => view! { <WebhooksView now page/> }.into_any(),
            }
        },
    )
}

#[component]
fn WebhookSecretPage() -> impl IntoView {
    let id = param("id");
    page(
        async move {
            let member = member()?;
            member.may_once_proven(Action::RevealWebhookSecret)?;
            let rows = load::webhooks(&hub(), &member).await?.rows;
            rows.into_iter()
                .find(|row| row.id == id)
                .ok_or(Error::NotFound)
        },
        |row| view! { <WebhookSecretView row/> },
    )
}

#[component]
fn DeleteConnectionPage() -> impl IntoView {
    let id = param("id");
    page(
        async move {
            let member = member()?;
            member.may_once_proven(Action::DeleteConnection)?;
            let id = id.parse().map_err(|_| Error::NotFound)?;
            load::disconnect_page(&hub(), &member, id).await
        },
        |page| view! { <DeleteConnectionView page/> },
    )
}

#[component]
fn NoticesPage() -> impl IntoView {
    page(
        async move { load::notices(&hub(), &member()?).await },
        |page| view! { <NoticesView page/> },
    )
}

#[component]
fn MembersPage() -> impl IntoView {
    page(
        async move { load::members(&hub(), &member()?).await },
        |members| view! { <MembersView members/> },
    )
}

#[component]
fn MemberPage() -> impl IntoView {
    let person = param("id");
    page(
        async move { load::manageable_member(&hub(), &member()?, &person).await },
        |row| view! { <MemberView row/> },
    )
}

#[component]
fn RemoveMemberPage() -> impl IntoView {
    let person = param("id");
    page(
        async move {
            let (hub, member) = (hub(), member()?);
            let row = load::manageable_member(&hub, &member, &person).await?;
            Ok((row, load::keys_made_by(&hub, &member, &person).await?))
        },
        |(row, keys)| view! { <RemoveMemberView row keys/> },
    )
}

#[component]
fn OrganisationPage() -> impl IntoView {
    page(
        async move { load::organisation(&hub(), &member()?).await },
        |page| view! { <OrganisationView page/> },
    )
}

#[component]
fn AuditLogPage() -> impl IntoView {
    let filter = model::AuditFilter {
        who: query("who"),
        what: query("what"),
        about: query("about"),
        from: query("from"),
        to: query("to"),
        before: query("before"),
    };
    page(
        async move { load::audit(&hub(), &member()?, filter).await },
        |page| view! { <AuditView page/> },
    )
}

#[component]
fn RunsPage() -> impl IntoView {
    let filter = model::RunFilter {
        status: query("status"),
        connection: query("connection"),
        policy: query("policy"),
        after: query("after"),
    };
    page(
        async move { load::runs_page(&hub(), &member()?, filter).await },
        |page| view! { <RunsView page/> },
    )
}

#[component]
fn PoliciesPage() -> impl IntoView {
    page(
        async move { load::policies_page(&hub(), &member()?).await },
        |page| view! { <PoliciesView page/> },
    )
}

#[component]
fn MetricsPage() -> impl IntoView {
    let (days, provider) = (query("days"), query("provider"));
    let stop = query("stop") == "recording";
    page(
        async move { load::metrics_page(&hub(), &member()?, &days, &provider).await },
        move |page: model::MetricsPage| match stop && page.recorded {
            true => view! { <StopRecordingView/> }.into_any(),
            false => view! { <MetricsView page/> }.into_any(),
        },
    )
}

#[component]
fn MailChoicesPage() -> impl IntoView {
    page(
        async move { load::mail_page(&hub(), &member()?).await },
        |page| view! { <MailChoicesView page/> },
    )
}

#[component]
fn AccountPage() -> impl IntoView {
    let person = expect_context::<Viewer>().person;
    drawn(
        person.ok_or(Error::NotFound),
        |person| view! { <AccountView person/> },
    )
}

#[component]
fn DeleteAccountPage() -> impl IntoView {
    let person = expect_context::<Viewer>().person;
    drawn(
        person.ok_or(Error::NotFound),
        |person| view! { <DeleteAccountView person/> },
    )
}

fn hub() -> Hub {
    expect_context()
}

/// Loads, then draws.
fn page<T: Send + 'static, V: IntoView + 'static>(
    load: impl Future<Output = Result<T>> + Send + 'static,
    view: impl FnOnce(T) -> V + Send + 'static,
) -> impl IntoView {
    // A boundary is also tried by a task of its own, which reaches what the request
    // does.
    let load = Reach::along(load);
    view! {
        <Suspense>
            {Suspend::new(async move { drawn(load.await, view) })}
        </Suspense>
    }
}
