//! Where everything is: the addresses that pages link to, forms post to and
//! islands read.

/// The hub.
pub const HUB: &str = "/";
/// Signing in.
pub const SIGN_IN: &str = "/sign-in";
/// Where the form for signing in posts to.
pub const SIGN_IN_FORM: &str = "/api/sign_in";
/// Making the first owner.
pub const SETUP: &str = "/setup";
/// A form for strangers that says first why they see it: the code of a failure.
pub fn because(form: &str, code: &str) -> String {
    let and = if form.contains('?') { '&' } else { '?' };
    format!("{form}{and}because={code}")
}

/// One's own account.
pub const ACCOUNT: &str = "/settings/account";
/// What deleting it means.
pub const DELETE_ACCOUNT: &str = "/settings/account/delete";
/// Where that is posted.
pub const ERASE_ACCOUNT: &str = "/api/delete_account";
/// Provider apps.
pub const PROVIDER_APPS: &str = "/settings/provider-apps";
/// API keys.
pub const API_KEYS: &str = "/settings/api-keys";
/// Webhooks.
pub const WEBHOOKS: &str = "/settings/webhooks";
/// How connections are kept.
pub const CONTROL: &str = "/settings/connections";
/// Who is in the organisation.
pub const MEMBERS: &str = "/settings/members";
/// What the organisation has here.
pub const ORGANISATION: &str = "/settings/organisation";
/// Where all of it is taken along.
pub const EXPORT: &str = "/settings/organisation/export";
/// Where the organisation is deleted.
pub const DELETE_ORGANISATION: &str = "/settings/organisation/delete";
/// The audit log.
pub const AUDIT: &str = "/settings/audit";
/// Where it is taken along.
pub const AUDIT_EXPORT: &str = "/settings/audit/export";
/// What automations do.
pub const RUNS: &str = "/runs";
/// The rules for automations.
pub const POLICIES: &str = "/settings/policies";
/// How well accounts stay connected.
pub const METRICS: &str = "/settings/metrics";
/// The page that names the consequences of recording no more.
pub const STOP_RECORDING: &str = "/settings/metrics?stop=recording";
/// What is behind the bell.
pub const NOTICES: &str = "/notices";
/// The element at the bell that says how much of it is new.
pub const BELL: &str = "bell";
/// That element.
pub const BELL_VIEW: &str = "/api/view/bell";
/// The element that says which providers are in trouble.
pub const TROUBLES: &str = "troubles";
/// What a person wants to be mailed.
pub const MAIL_CHOICES: &str = "/settings/notices";
/// Where that is posted.
pub const SAVE_MAIL_CHOICES: &str = "/api/save_mail_choices";
/// Where the form that says that all was read is posted.
pub const READ_NOTICES: &str = "/api/read_notices";
/// Where the form that asks somebody to repair a connection is posted.
pub const ASK: &str = "/api/ask_to_repair";
/// Where the form of who wants to know when it works is posted.
pub const TELL_WHEN_IT_WORKS: &str = "/api/tell_when_it_works";
/// What changed, as server-sent events.
pub const EVENTS: &str = "/events";
/// The hub's model as JSON.
pub const HUB_VIEW: &str = "/api/view/hub";

/// Where the form that proves a connection is posted.
pub const CHECK: &str = "/api/check_connection";
/// Where the form that mends a connection without a person is posted.
pub const REPAIR: &str = "/api/repair_connection";
/// Where the form that destroys what is stored of a connection is posted.
pub const CLEAR: &str = "/api/clear_connection";
/// Where the form that lets a connection rest is posted.
pub const PAUSE: &str = "/api/pause_connection";
/// Where the form that has it work again is posted.
pub const RESUME: &str = "/api/resume_connection";
/// Where the form that says how often a connection is read is posted.
pub const SET_FREQUENCY: &str = "/api/set_sync_frequency";
/// Where the form that has a connection read now is posted.
pub const SYNC: &str = "/api/sync_connection";
/// Where the form that forgets an ended connection is posted.
pub const REMOVE: &str = "/api/remove_connection";

/// The page of a connection.
pub fn connection(id: &str) -> String {
    format!("/connections/{id}")
}

/// Where a connection is let rest, and resumed.
pub fn rest(id: &str) -> String {
    format!("/connections/{id}#rest-or-work")
}

/// Who can repair a connection, and how to ask them.
pub fn help(id: &str) -> String {
    format!("/connections/{id}#help")
}

/// The page that names the consequences of disconnecting.
pub fn disconnect(id: &str) -> String {
    format!("/connections/{id}/disconnect")
}

/// The page that says what clearing means.
pub fn clear(id: &str) -> String {
    format!("/connections/{id}/clear")
}

/// The next page of how connections are kept.
pub fn control_after(id: &str) -> String {
    format!("{CONTROL}?after={id}")
}

/// The page that names the consequences of deleting.
pub fn delete(id: &str) -> String {
    format!("/connections/{id}/delete")
}

/// The first rows behind a connection.
pub fn preview(id: &str) -> String {
    format!("/connections/{id}/preview")
}

/// Where columns are named.
pub fn mapping(id: &str) -> String {
    format!("/connections/{id}/mapping")
}

/// A connection's model as JSON.
pub fn connection_view(id: &str) -> String {
    format!("/api/view/connection/{id}")
}

/// A connection's row on the hub.
pub fn hub_row(id: &str) -> String {
    format!("/#c-{id}")
}

/// What is sent to whoever can allow an app at a provider.
pub fn request(provider: &str) -> String {
    format!("/connect/{provider}/request")
}

/// The same for a connection that waits for it.
#[cfg(feature = "ssr")]
pub fn request_for(provider: &str, connection: &str) -> String {
    format!("/connect/{provider}/request?connection={connection}")
}

/// The page a person reads before connecting.
pub fn connect(provider: &str) -> String {
    format!("/connect/{provider}")
}

/// The same page before connecting an account anew that is linked already.
pub fn reconnect(provider: &str, connection: &str) -> String {
    format!("/connect/{provider}?connection={connection}")
}

/// The same with permissions chosen already, by their technical names.
#[cfg(feature = "ssr")]
pub fn reconnect_with(provider: &str, connection: &str, scopes: &[String]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("connection", connection);
    query.append_pair("scope", &scopes.join(" "));
    format!("/connect/{provider}?{}", query.finish())
}

/// What somebody who came by a link may connect.
pub const GUEST: &str = "/guest";
/// Where they have done so.
pub const GUEST_DONE: &str = "/guest/done";

/// A link, by its secret.
pub fn link(secret: &str) -> String {
    format!("/link/{secret}")
}

/// The page a guest reads before connecting; their answers are posted there.
pub fn guest_connect(provider: &str) -> String {
    format!("{GUEST}/connect/{provider}")
}

/// Where a guest's form that starts a flow is posted.
pub fn guest_start(provider: &str) -> String {
    format!("{GUEST}/start/{provider}")
}

/// Where the form that starts a flow is posted.
pub fn start(provider: &str) -> String {
    format!("/oauth/start/{provider}")
}

/// An attempt, as JSON.
pub fn attempt(handle: &str) -> String {
    format!("/api/view/flow/{handle}")
}

/// How an attempt ended, and where a person decides about it.
pub fn flow(id: &str) -> String {
    format!("/flows/{id}")
}

/// Where a person decides about another account than expected.
pub fn other_account(id: &str) -> String {
    format!("/flows/{id}/other-account")
}

/// Where a person says which organisation a connection is for.
pub fn organisation(id: &str) -> String {
    format!("/flows/{id}/organisation")
}

/// Where an attempt is given up.
pub fn cancel(handle: &str) -> String {
    format!("/flows/{handle}/cancel")
}

/// A member: their role, and the way to take them out.
pub fn member(id: &str) -> String {
    format!("{MEMBERS}/{id}")
}

/// The page that names the consequences of taking a member out.
pub fn remove_member(id: &str) -> String {
    format!("{MEMBERS}/{id}/remove")
}

/// The page that names the consequences of removing a webhook.
pub fn remove_webhook(id: &str) -> String {
    format!("{WEBHOOKS}?remove={id}")
}

/// The page that names the consequences of revoking an API key.
pub fn revoke_api_key(id: &str) -> String {
    format!("{API_KEYS}?revoke={id}")
}

/// Where a webhook gets a new secret.
pub fn webhook_secret(id: &str) -> String {
    format!("{WEBHOOKS}/{id}/secret")
}

/// The entries of the audit log that a filter leaves.
#[cfg(feature = "ssr")]
pub fn audit(filter: &crate::model::AuditFilter) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filter.pairs());
    if !filter.before.is_empty() {
        query.append_pair("before", &filter.before);
    }
    match query.finish() {
        query if query.is_empty() => AUDIT.to_owned(),
        query => format!("{AUDIT}?{query}"),
    }
}

/// The runs that a filter leaves.
#[cfg(feature = "ssr")]
pub fn runs(filter: &crate::model::RunFilter) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("status", &filter.status),
        ("connection", &filter.connection),
        ("policy", &filter.policy),
        ("after", &filter.after),
    ] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => RUNS.to_owned(),
        query => format!("{RUNS}?{query}"),
    }
}

/// The page of a provider app.
pub fn provider_app(app: &str) -> String {
    format!("{PROVIDER_APPS}/{app}")
}
