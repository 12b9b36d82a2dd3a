//! Who is in the organisation, and what each may do.

use leptos::prelude::*;

use crate::{
    model::MemberRow,
    parts::{
        Icon, SettingsFrame,
        form::{ProblemSummary, StepUp},
    },
    paths,
    site::Visit,
};

const LEAVE: &str = "Leave organisation";

/// What each role may do.
const MEANINGS: [(&str, &str); 4] = [
    ("Owner", "Everything, and the organisation itself"),
    ("Admin", "Connections, settings, members and the audit log"),
    ("Member", "Connects, repairs and disconnects accounts"),
    ("Viewer", "Looks"),
];

/// The list of members.
#[component]
pub fn MembersView(
    /// Everybody.
    members: Vec<MemberRow>,
) -> impl IntoView {
    let rows = members.into_iter().map(row).collect_view();
    let meanings = MEANINGS
        .map(|(role, meaning)| view! { <li><strong>{role}</strong>": "{meaning}</li> })
        .collect_view();
    view! {
        <SettingsFrame title="Members" here=paths::MEMBERS>
            <ProblemSummary/>
            <div class="title">
                <h1>"Members"</h1>
                <p>"Who can come in, and what each may do."</p>
            </div>
            <div class="stack">
                <ul class="rows">{rows}</ul>
                <section class="card" aria-labelledby="roles">
                    <h2 id="roles">"What the roles may do"</h2>
                    <ul class="plain-list">{meanings}</ul>
                </section>
            </div>
        </SettingsFrame>
    }
}

fn row(row: MemberRow) -> impl IntoView {
    let MemberRow {
        id,
        name,
        email,
        role,
        is_you,
        fixed,
        ..
    } = row;
    let fact = match fixed {
        Some(fixed) => format!("{}. {fixed}.", capital(role)),
        None => capital(role),
    };
    let change = fixed.is_none().then(|| {
        view! {
            <a class="btn" data-kind="plain" href=paths::member(&id)>
                "Change"
                <span class="visually-hidden">{format!(" {name}")}</span>
            </a>
        }
    });
    view! {
        <li class="row" data-layout="simple">
            <span class="plate"><Icon name="user"/></span>
            <div class="row-main">
                <p class="row-title">
                    <strong>{name}</strong>
                    {is_you.then_some(" (you)")}
                    " "
                    <span class="account">{email}</span>
                </p>
                <p class="fact">{fact}</p>
            </div>
            {change}
        </li>
    }
}

/// One member: another role, or out.
#[component]
pub fn MemberView(
    /// Who it is.
    row: MemberRow,
) -> impl IntoView {
    let MemberRow {
        id,
        name,
        email,
        role,
        is_you,
        choices,
        ..
    } = row;
    let chosen = Visit::current().flash.value("role");
    let chosen = chosen.unwrap_or_else(|| role.to_owned());
    let roles = MEANINGS
        .into_iter()
        .filter(|(word, _)| choices.contains(&word.to_lowercase().as_str()))
        .map(|(word, meaning)| {
            let value = word.to_lowercase();
            let checked = value == chosen;
            view! {
                <label class="choice">
                    <input type="radio" name="role" value=value checked=checked autocomplete="off"/>
                    <span>{word} " " <span class="help">{meaning}</span></span>
                </label>
            }
        })
        .collect_view();
    let (out, said) = match is_you {
        true => (LEAVE.to_owned(), "You lose access at once."),
        false => (format!("Remove {name}"), "They lose access at once."),
    };
    let remove = paths::remove_member(&id);
    view! {
        <SettingsFrame title=name.clone() here=paths::MEMBERS>
            <ProblemSummary/>
            <div class="title">
                <a class="back" href=paths::MEMBERS><Icon name="arrow-left"/>"Members"</a>
                <h1>{name.clone()}</h1>
                <p>{email}</p>
            </div>
            <div class="stack">
                <section class="card" aria-labelledby="their-role">
                    <h2 id="their-role">"Role"</h2>
                    <form class="form" method="post" action="/api/change_role">
                        <input type="hidden" name="id" value=id/>
                        <fieldset class="choices" id="role" tabindex="-1">
                            <legend>{format!("What {name} may do")}</legend>
                            {roles}
                        </fieldset>
                        <StepUp why="It decides who can do what here, so we ask once more."/>
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Save role"</button>
                        </div>
                    </form>
                </section>
                <section class="card" aria-labelledby="out">
                    <div class="manage-row">
                        <div>
                            <h2 id="out">{out.clone()}</h2>
                            <p>{said}</p>
                        </div>
                        <a class="btn" data-kind="danger" href=remove>{format!("{out}…")}</a>
                    </div>
                </section>
            </div>
        </SettingsFrame>
    }
}

/// What taking a member out means, before it happens.
#[component]
pub fn RemoveMemberView(
    /// Who it is.
    row: MemberRow,
    /// How many API keys work that they made.
    keys: usize,
) -> impl IntoView {
    let MemberRow {
        id, name, is_you, ..
    } = row;
    let (title, question, button) = match is_you {
        true => (
            LEAVE,
            "Leave the organisation?".to_owned(),
            LEAVE.to_owned(),
        ),
        false => (
            "Remove",
            format!("Remove {name}?"),
            format!("Remove {name}"),
        ),
    };
    let ended = match is_you {
        true => "You are signed out everywhere here, at once.".to_owned(),
        false => format!("{name} is signed out everywhere here, at once."),
    };
    let back = paths::member(&id);
    let erase = Visit::current().flash.was_chosen("erase", "on");
    view! {
        <SettingsFrame title here=paths::MEMBERS>
            <ProblemSummary/>
            <div class="title">
                <a class="back" href=back.clone()><Icon name="arrow-left"/>{name}</a>
                <h1>{question}</h1>
            </div>
            <section class="card narrow" aria-label="What happens">
                <ul class="checks">
                    <li data-tone="bad">
                        <Icon name="circle-stop"/>
                        {ended}
                    </li>
                    <li data-tone="neutral">
                        <Icon name="plug"/>
                        "Accounts they connected stay connected. They belong to the organisation."
                    </li>
                    {(keys > 0).then(|| view! {
                        <li data-tone="bad">
                            <Icon name="key-round"/>
                            <span>
                                {format!("API keys they created go on working: {keys}. ")}
                                <a href=paths::API_KEYS>"See API keys"</a>
                            </span>
                        </li>
                    })}
                </ul>
                <form class="form" method="post" action="/api/remove_member">
                    <input type="hidden" name="id" value=id/>
                    <fieldset class="choices">
                        <legend>"Their personal data"</legend>
                        <label class="choice">
                            <input type="checkbox" name="erase" value="on" checked=erase autocomplete="off"/>
                            <span>
                                "Erase it as well "
                                <span class="help">
                                    "Name, e-mail address and settings are deleted for good. The audit log keeps what was done, by somebody who left. If they are in no other organisation, their account is deleted, too."
                                </span>
                            </span>
                        </label>
                    </fieldset>
                    <StepUp why="It takes somebody's access away, so we ask once more."/>
                    <div class="actions">
                        <button class="btn" data-kind="danger-solid">{button}</button>
                        <a class="btn" data-kind="plain" href=back>"Keep everything as it is"</a>
                    </div>
                </form>
            </section>
        </SettingsFrame>
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
