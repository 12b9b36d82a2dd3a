//! Who is in the organisation, and what each may do.

use leptos::prelude::*;

use crate::{
    model::MemberRow,
    parts::{Icon, SettingsFrame, form::ProblemSummary},
    paths,
};

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
        choices,
        fixed,
    } = row;
    let label = format!("Role of {name}");
    let options = choices
        .iter()
        .map(|choice| {
            let choice = *choice;
            let selected = choice == role;
            view! { <option value=choice selected=selected>{capital(choice)}</option> }
        })
        .collect_view();
    let may_change = !choices.is_empty();
    let removed = if is_you {
        "Leave".to_owned()
    } else {
        "Remove".to_owned()
    };
    view! {
        <li class="row" data-layout="simple">
            <span class="plate"><Icon name="user"/></span>
            <div class="row-main">
                <p class="row-title">
                    <strong>{name.clone()}</strong>
                    {is_you.then_some(" (you)")}
                    " "
                    <span class="account">{email}</span>
                </p>
                {fixed.map(|fixed| view! { <p class="fact">{format!("{}. {fixed}.", capital(role))}</p> })}
                {may_change.then(|| view! {
                    <div class="member-forms">
                        <form class="inline-form" method="post" action="/api/change_role">
                            <input type="hidden" name="id" value=id.clone()/>
                            <select class="choose" name="role" aria-label=label autocomplete="off">{options}</select>
                            <button class="btn" data-kind="plain">
                                "Save role"
                                <span class="visually-hidden">{format!(" of {name}")}</span>
                            </button>
                        </form>
                        <form method="post" action="/api/remove_member">
                            <input type="hidden" name="id" value=id/>
                            <button class="btn" data-kind="danger">
                                {removed}
                                <span class="visually-hidden">{format!(" {name}")}</span>
                            </button>
                        </form>
                    </div>
                })}
            </div>
        </li>
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
