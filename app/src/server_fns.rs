//! What the forms of pages do: parse, call the hub, redirect with a word about
//! it. None of them answers an error: leptos would put its text into the
//! address. What went wrong travels in the flash.

#![expect(
    missing_docs,
    reason = "the fields are the arguments that `#[server]` makes a struct of"
)]

use hub::{
    Error, Hub, Result,
    connect::{Change, STOPPED_AFTER_THREE},
    keep::{Checked, health::Status},
    notify::{Asked, MailChoices, TOPICS},
    people::{ASKED_ONCE_MORE, Action, Member, Role},
    secret::Secret,
    store::{
        connection::{Revocation, SyncFrequency},
        mail_choice::Pace,
    },
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::{
    flash::{Flash, Notice, Problem},
    load,
    model::Prompt,
    paths,
    site::Viewer,
};

fn hub() -> Hub {
    expect_context()
}

fn member() -> Result<Member> {
    expect_context::<Viewer>().member.ok_or(Error::NotFound)
}

/// The member as one who may do something grave, with the password from the
/// page's `StepUp`.
async fn proven(action: Action, current: String) -> Result<Member> {
    let viewer = expect_context::<Viewer>();
    viewer.prove(&hub(), action, Secret::new(current)).await
}

/// Whether the form's own page can say what has to be put right: there is still
/// something to do it to.
fn stays(done: &Result<Notice>) -> bool {
    !matches!(done, Ok(_) | Err(Error::NotFound | Error::Forbidden { .. }))
}

/// Redirects to `page` and says there what came of it.
fn tell(page: &str, done: Result<Notice>, typed: Flash) {
    let flash = match done {
        Ok(notice) => Flash::notice(notice),
        Err(error) => explain(typed, error),
    };
    say(page, flash);
}

fn say(page: &str, flash: Flash) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(http::header::SET_COOKIE, flash.to_header());
    }
    leptos_axum::redirect(page);
}

/// Adds to a form's flash why it was not accepted.
pub fn explain(typed: Flash, error: Error) -> Flash {
    match error {
        Error::Invalid(problems) => problems.into_iter().fold(typed, |flash, problem| {
            // The hub says `tenant`; the form asks for an organisation.
            let field = match problem.field.as_str() {
                "tenant" => "organisation",
                field => field,
            };
            flash.and(field, problem.problem)
        }),
        Error::WrongCredentials => typed.and("", Problem::SignInRefused),
        Error::Throttled(_) => typed.and("", Problem::TooManyTries),
        Error::TooMuch { why, .. } => typed.and("", format!("{why}. Wait a moment and try again")),
        Error::Forbidden { needs } => {
            let Prompt { what, why, .. } = load::not_allowed(needs);
            typed.and("", format!("{what} {why}"))
        }
        Error::Unproven => typed.and("current", ASKED_ONCE_MORE),
        Error::NotFound => typed.and("", Problem::Gone),
        Error::Conflict(what) => typed.and("", what),
        Error::Paused => typed.and("", Problem::Rests),
        error @ (Error::Failed(_) | Error::Vault(_) | Error::Database(_)) => {
            tracing::error!(%error, "a form could not be carried out");
            typed.and("", Problem::OurSide)
        }
    }
}

/// Gives a connection a person's name.
#[server(endpoint = "rename_connection")]
pub async fn rename_connection(id: String, name: String) -> Result<(), ServerFnError> {
    let renamed = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        hub().rename(&member()?, id, &name).await
    };
    let done = renamed.await.map(|()| Notice::Renamed);
    tell(
        &paths::connection(&id),
        done,
        Flash::default().keep("name", &name),
    );
    Ok(())
}

/// Proves a connection now.
#[server(endpoint = "check_connection")]
pub async fn check_connection(id: String) -> Result<(), ServerFnError> {
    let checked = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        let Checked { listed, waits } = hub().check(&member()?, id).await?;
        let heals = listed.health.status == Status::Retrying;
        Ok(match (waits, listed.health.failure) {
            (Some(wrong), _) if wrong.detail == STOPPED_AFTER_THREE => Notice::NotAskedAgain,
            (Some(wrong), _) if wrong.retry_at.is_some() => Notice::NotAskedYet,
            (Some(_), _) => Notice::NotAsked,
            (None, None) => Notice::Checked,
            (None, Some(_)) if heals => Notice::NotWorkingYet,
            (None, Some(_)) => Notice::NotWorking,
        })
    };
    tell(&paths::connection(&id), checked.await, Flash::default());
    Ok(())
}

/// Mends a connection as far as that needs nobody.
#[server(endpoint = "repair_connection")]
pub async fn repair_connection(id: String) -> Result<(), ServerFnError> {
    let repaired = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        let health = hub().repair(&member()?, id).await?.health;
        Ok(match health.failure {
            None => Notice::Repaired,
            Some(_) => Notice::NotRepaired,
        })
    };
    tell(&paths::connection(&id), repaired.await, Flash::default());
    Ok(())
}

/// Destroys what is stored of a connection.
#[server(endpoint = "clear_connection")]
pub async fn clear_connection(id: String) -> Result<(), ServerFnError> {
    let cleared = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        hub().clear(&member()?, id).await
    };
    let done = cleared.await.map(|()| Notice::Cleared);
    tell(&paths::connection(&id), done, Flash::default());
    Ok(())
}

/// Lets a connection rest.
#[server(endpoint = "pause_connection")]
pub async fn pause_connection(id: String) -> Result<(), ServerFnError> {
    let paused = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        hub().pause(&member()?, id).await
    };
    let done = paused.await.map(|_| Notice::Paused);
    tell(&paths::connection(&id), done, Flash::default());
    Ok(())
}

/// Has a connection that rests work again.
#[server(endpoint = "resume_connection")]
pub async fn resume_connection(id: String) -> Result<(), ServerFnError> {
    let resumed = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        hub().resume(&member()?, id).await
    };
    let done = resumed.await.map(|_| Notice::Resumed);
    tell(&paths::connection(&id), done, Flash::default());
    Ok(())
}

/// Says how often a connection is read.
#[server(endpoint = "set_sync_frequency")]
pub async fn set_sync_frequency(id: String, frequency: String) -> Result<(), ServerFnError> {
    let changed = async {
        let parsed = id.parse().map_err(|_| Error::NotFound)?;
        let frequency = SyncFrequency::read(&frequency)
            .ok_or_else(|| Error::invalid("frequency", "Choose one of the list"))?;
        let change = Change {
            sync_frequency: Some(frequency),
            ..Change::default()
        };
        hub().change(&member()?, parsed, change).await
    };
    let done = changed.await.map(|_| Notice::FrequencySaved);
    tell(&paths::connection(&id), done, Flash::default());
    Ok(())
}

/// Has a connection read now.
#[server(endpoint = "sync_connection")]
pub async fn sync_connection(id: String) -> Result<(), ServerFnError> {
    let asked = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        match hub().ask_sync(&member()?, id).await {
            // The page says what to do.
            Err(Error::Failed(_)) => Ok(Notice::NotWorking),
            asked => asked.map(|_| Notice::ReadingSoon),
        }
    };
    tell(&paths::connection(&id), asked.await, Flash::default());
    Ok(())
}

/// Ends a connection.
#[server(endpoint = "disconnect_connection")]
pub async fn disconnect_connection(id: String) -> Result<(), ServerFnError> {
    let ended = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        Ok(match hub().disconnect(&member()?, id).await? {
            Revocation::Revoked | Revocation::AlreadyGone => Notice::Disconnected,
            Revocation::ByHand => Notice::DisconnectedByHand,
            Revocation::Failed => Notice::DisconnectedHere,
        })
    };
    tell(&paths::connection(&id), ended.await, Flash::default());
    Ok(())
}

/// Forgets a connection that has ended.
#[server(endpoint = "remove_connection")]
pub async fn remove_connection(
    id: String,
    #[server(default)] current: String,
) -> Result<(), ServerFnError> {
    let removed = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        let member = proven(Action::DeleteConnection, current).await?;
        hub().remove(&member, id).await
    };
    let done = removed.await.map(|()| Notice::Removed);
    let page = match stays(&done) {
        true => paths::delete(&id),
        false => paths::HUB.to_owned(),
    };
    tell(&page, done, Flash::default());
    Ok(())
}

/// Notes what somebody misses in the catalog.
#[server(endpoint = "wish")]
pub async fn wish(wish: String) -> Result<(), ServerFnError> {
    let noted = async { hub().wish(&member()?, &wish).await };
    let done = noted.await.map(|()| Notice::WishNoted);
    tell(paths::HUB, done, Flash::default().keep("wish", &wish));
    Ok(())
}

/// Enters or replaces a provider app.
#[server(endpoint = "save_provider_app")]
pub async fn save_provider_app(
    app: String,
    client_id: String,
    client_secret: String,
    #[server(default)] settings: std::collections::BTreeMap<String, String>,
) -> Result<(), ServerFnError> {
    let secret = (!client_secret.is_empty()).then(|| hub::secret::Secret::new(client_secret));
    let saved = async {
        hub()
            .set_provider_app(&member()?, &app, &client_id, secret, &settings)
            .await
    };
    let done = saved.await.map(|_| Notice::AppSaved);
    let mut typed = Flash::default().keep("client_id", &client_id);
    let hub = hub();
    let asked = hub.catalog.apps().remove(app.as_str());
    let asked = asked.unwrap_or_default().into_iter();
    let secret: Vec<&str> = asked
        .flat_map(|product| product.settings())
        .filter(|setting| setting.secret)
        .map(|setting| setting.name.as_str())
        .collect();
    for (name, value) in settings
        .iter()
        .filter(|(name, _)| !secret.contains(&name.as_str()))
    {
        typed = typed.keep(&format!("settings[{name}]"), value);
    }
    tell(&paths::provider_app(&app), done, typed);
    Ok(())
}

/// Takes a provider app away.
#[server(endpoint = "remove_provider_app")]
pub async fn remove_provider_app(app: String) -> Result<(), ServerFnError> {
    let removed = async { hub().remove_provider_app(&member()?, &app).await };
    let done = removed.await.map(|_| Notice::AppRemoved);
    tell(&paths::provider_app(&app), done, Flash::default());
    Ok(())
}

/// Gives a member another role.
#[server(endpoint = "change_role")]
pub async fn change_role(
    id: String,
    role: String,
    #[server(default)] current: String,
) -> Result<(), ServerFnError> {
    let changed = async {
        let person = id.parse().map_err(|_| Error::NotFound)?;
        let role =
            Role::read(&role).ok_or_else(|| Error::invalid("role", "Choose one of the roles"))?;
        let member = proven(Action::ManageMembers, current).await?;
        hub().change_role(&member, person, role).await
    };
    let done = changed.await.map(|()| Notice::RoleSaved);
    let page = match stays(&done) {
        true => paths::member(&id),
        false => paths::MEMBERS.to_owned(),
    };
    tell(&page, done, Flash::default().keep("role", &role));
    Ok(())
}

/// Takes a member out of the organisation, and erases what it knows of them
/// when that box is ticked.
#[server(endpoint = "remove_member")]
pub async fn remove_member(
    id: String,
    #[server(default)] erase: String,
    #[server(default)] current: String,
) -> Result<(), ServerFnError> {
    let removed = async {
        let person = id.parse().map_err(|_| Error::NotFound)?;
        let member = proven(Action::ManageMembers, current).await?;
        match erase.is_empty() {
            true => hub().remove_member(&member, person).await?,
            false => hub().erase_member(&member, person).await?,
        }
        Ok(match erase.is_empty() {
            true => Notice::MemberRemoved,
            false => Notice::MemberErased,
        })
    };
    let done = removed.await;
    let page = match stays(&done) {
        true => paths::remove_member(&id),
        false => paths::MEMBERS.to_owned(),
    };
    let typed = match erase.is_empty() {
        true => Flash::default(),
        false => Flash::default().choose("erase", "on"),
    };
    tell(&page, done, typed);
    Ok(())
}

fn webhook_id(id: &str) -> Result<hub::store::WebhookId> {
    id.parse().map_err(|_| Error::NotFound)
}

/// Sends a webhook a message that tells nothing.
#[server(endpoint = "test_webhook")]
pub async fn test_webhook(id: String) -> Result<(), ServerFnError> {
    let tested = async { hub().test_webhook(&member()?, webhook_id(&id)?).await };
    match tested.await.map(|tested| tested.problem) {
        Ok(Some(problem)) => {
            let problem = crate::words::not_taken(&problem);
            let problem = format!("The test message was not taken: {problem}");
            say(paths::WEBHOOKS, Flash::rejected("", problem));
        }
        taken => tell(
            paths::WEBHOOKS,
            taken.map(|_| Notice::WebhookTested),
            Flash::default(),
        ),
    }
    Ok(())
}

/// Has sent again what was given up.
#[server(endpoint = "revive_webhook")]
pub async fn revive_webhook(id: String) -> Result<(), ServerFnError> {
    let revived = async { hub().revive_webhook(&member()?, webhook_id(&id)?).await };
    let done = revived.await.map(|_| Notice::WebhookRevived);
    tell(paths::WEBHOOKS, done, Flash::default());
    Ok(())
}

/// Tells a webhook once more what it was told.
#[server(endpoint = "replay_webhook")]
pub async fn replay_webhook(id: String, after: String) -> Result<(), ServerFnError> {
    let replayed = async {
        let after = after.trim().parse();
        let after = after.map_err(|_| Error::invalid("", "Enter the number of an event"))?;
        let id = webhook_id(&id)?;
        hub().replay_webhook(&member()?, id, after).await
    };
    let done = replayed.await.map(|()| Notice::WebhookReplayed);
    tell(paths::WEBHOOKS, done, Flash::default());
    Ok(())
}

/// Takes a webhook away.
#[server(endpoint = "remove_webhook")]
pub async fn remove_webhook(id: String) -> Result<(), ServerFnError> {
    let removed = async { hub().remove_webhook(&member()?, webhook_id(&id)?).await };
    let done = removed.await.map(|()| Notice::WebhookRemoved);
    tell(paths::WEBHOOKS, done, Flash::default());
    Ok(())
}

/// Switches a rule for automations off or on.
#[server(endpoint = "switch_policy")]
pub async fn switch_policy(name: String, on: bool) -> Result<(), ServerFnError> {
    let switched = async { hub().switch_policy(&member()?, &name, on).await };
    let done = switched.await.map(|()| Notice::PolicySwitched);
    tell(paths::POLICIES, done, Flash::default());
    Ok(())
}

/// Says whether it is recorded how attempts end.
#[server(endpoint = "record_attempts")]
pub async fn record_attempts(on: bool) -> Result<(), ServerFnError> {
    let switched = async { hub().record_attempts(&member()?, on).await };
    let done = switched.await.map(|()| match on {
        true => Notice::RecordingOn,
        false => Notice::RecordingOff,
    });
    tell(paths::METRICS, done, Flash::default());
    Ok(())
}

/// Says that everything behind the bell was read.
#[server(endpoint = "read_notices")]
pub async fn read_notices() -> Result<(), ServerFnError> {
    let read = async { hub().read_notices(&member()?).await };
    let done = read.await.map(|()| Notice::NoticesRead);
    tell(paths::NOTICES, done, Flash::default());
    Ok(())
}

/// Where a form leads that stands on two pages.
fn back_to(back: &str, connection: &str) -> String {
    match back {
        "notices" => paths::NOTICES.to_owned(),
        _ => paths::connection(connection),
    }
}

/// Asks somebody to repair a connection.
#[server(endpoint = "ask_to_repair")]
pub async fn ask_to_repair(
    id: String,
    person: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    let asked = async {
        let parsed = id.parse().map_err(|_| Error::NotFound)?;
        let person = person.parse().map_err(|_| Error::NotFound)?;
        hub().ask_to_repair(&member()?, parsed, person).await
    };
    let done = asked.await.map(|asked| match asked {
        Asked::Now(_) => Notice::Asked,
        Asked::Before(_) => Notice::AskedBefore,
    });
    tell(&back_to(&back, &id), done, Flash::default());
    Ok(())
}

/// Tells the person when a connection works again.
#[server(endpoint = "tell_when_it_works")]
pub async fn tell_when_it_works(
    id: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    let noted = async {
        let parsed = id.parse().map_err(|_| Error::NotFound)?;
        hub().tell_when_it_works(&member()?, parsed).await
    };
    let done = noted.await.map(|()| Notice::WillTell);
    tell(&back_to(&back, &id), done, Flash::default());
    Ok(())
}

/// Says what a person wants to be mailed.
#[server(endpoint = "save_mail_choices")]
pub async fn save_mail_choices(
    pace: String,
    #[server(default)] topics: std::collections::BTreeMap<String, String>,
) -> Result<(), ServerFnError> {
    let saved = async {
        let pace =
            Pace::read(&pace).ok_or_else(|| Error::invalid("pace", "Choose one of the list"))?;
        let mut without = TOPICS.to_vec();
        without.retain(|topic| !topics.contains_key(topic.as_str()));
        let choices = MailChoices { pace, without };
        hub().choose_mail(&member()?, &choices).await
    };
    let done = saved.await.map(|()| Notice::MailChosen);
    tell(paths::MAIL_CHOICES, done, Flash::default());
    Ok(())
}

/// Ends an API key.
#[server(endpoint = "revoke_api_key")]
pub async fn revoke_api_key(id: String) -> Result<(), ServerFnError> {
    let revoked = async {
        let id = id.parse().map_err(|_| Error::NotFound)?;
        hub().revoke_api_key(&member()?, id).await
    };
    tell(
        paths::API_KEYS,
        revoked.await.map(|()| Notice::KeyRevoked),
        Flash::default(),
    );
    Ok(())
}
