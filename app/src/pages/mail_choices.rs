//! What a person wants to be mailed.

use leptos::prelude::*;

use crate::{
    model::MailPage,
    parts::{Icon, SettingsFrame, form::ProblemSummary},
    paths, words,
};

/// How soon, and about what.
#[component]
pub fn MailChoicesView(
    /// What is chosen.
    page: MailPage,
) -> impl IntoView {
    let MailPage {
        email,
        pace,
        topics,
        is_set,
        admin,
        problem,
    } = page;
    let server = (!is_set).then(|| {
        let told = match admin {
            true => "This hub has no mail server yet, so nothing is mailed. Whoever runs it sets LINKWELL_SMTP_URL and LINKWELL_MAIL_FROM.",
            false => "This hub has no mail server yet, so nothing is mailed. An admin can have one set.",
        };
        view! {
            <div class="callout" data-tone="neutral">
                <Icon name="mail"/>
                <p>{told} " The bell tells you all the same."</p>
            </div>
        }
    });
    let problem = problem.filter(|_| is_set).map(|problem| {
        view! {
            <div class="callout" data-tone="warn">
                <Icon name="triangle-alert"/>
                <p>{format!("The last mail was not sent: {problem}. We keep trying for a day.")}</p>
            </div>
        }
    });
    let paces = words::PACES
        .map(|(value, word, help)| {
            view! {
                <label class="choice">
                    <input type="radio" name="pace" value=value checked=value == pace/>
                    <span>
                        {word} " "
                        <span class="help">{help}</span>
                    </span>
                </label>
            }
        })
        .collect_view();
    let topics = topics
        .into_iter()
        .map(|(topic, word, wanted)| {
            view! {
                <label class="choice">
                    <input type="checkbox" name=format!("topics[{topic}]") value="on" checked=wanted/>
                    <span>{word}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <SettingsFrame title="Notices" here=paths::MAIL_CHOICES>
            <ProblemSummary/>
            <div class="title">
                <h1>"Notices"</h1>
                <p>"The bell shows everything. Here you choose what you are mailed."</p>
            </div>
            <div class="stack">
                {server}
                {problem}
                <section class="card" aria-labelledby="mail">
                    <h2 id="mail">"E-mail"</h2>
                    <form class="form" method="post" action=paths::SAVE_MAIL_CHOICES>
                        <p class="muted">
                            {format!("Mails go to {email}. What heals by itself in 15 minutes is not mailed.")}
                        </p>
                        <fieldset class="choices">
                            <legend>"When"</legend>
                            {paces}
                        </fieldset>
                        <fieldset class="choices">
                            <legend>"What about"</legend>
                            {topics}
                        </fieldset>
                        <div class="actions">
                            <button class="btn" data-kind="primary">"Save"</button>
                        </div>
                    </form>
                </section>
            </div>
        </SettingsFrame>
    }
}
