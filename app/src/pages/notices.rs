//! What is behind the bell.

use leptos::prelude::*;

use crate::{
    model::{NoticeRow, NoticesPage},
    parts::{
        BrandPlate, Current, Frame, HelpLines, Icon, PlainButton, PromptLines, SupportDetails,
        Time, form::ProblemSummary,
    },
    paths, words,
};

/// What needs somebody, and what works again.
#[component]
pub fn NoticesView(
    /// What there is.
    page: NoticesPage,
) -> impl IntoView {
    let NoticesPage {
        now,
        organisation,
        unread,
        theirs,
        others,
    } = page;
    let list = move |rows: Vec<NoticeRow>| {
        rows.into_iter()
            .map(|row| view! { <Notice now row/> })
            .collect_view()
    };
    let nothing = theirs.is_empty() && others.is_empty();
    let yours = (!theirs.is_empty()).then(|| {
        view! {
            <section class="rows-section" aria-labelledby="yours">
                <h2 id="yours">"For you"</h2>
                <ul class="rows">{list(theirs)}</ul>
            </section>
        }
    });
    let rest = (!others.is_empty()).then(|| {
        view! {
            <section class="rows-section" aria-labelledby="others">
                <h2 id="others">{format!("Others at {organisation}")}</h2>
                <ul class="rows">{list(others)}</ul>
            </section>
        }
    });
    let read = (unread > 0).then(|| {
        view! {
            <form method="post" action=paths::READ_NOTICES>
                <button class="btn" data-kind="plain">
                    <Icon name="check"/>
                    "Mark all as read"
                </button>
            </form>
        }
    });
    view! {
        <Frame title="Notices" current=Current::Outside live=true>
            <ProblemSummary/>
            <div class="title">
                <h1>"Notices"</h1>
                <p>
                    "What heals goes away by itself. "
                    <a href=paths::MAIL_CHOICES>"Choose what you are mailed"</a>
                    "."
                </p>
            </div>
            <div class="stack" id="notices" data-live>
                {read}
                {yours}
                {rest}
                {nothing.then(|| view! {
                    <div class="empty">
                        <h2><Icon name="circle-check"/>"Nothing needs you"</h2>
                        <p>"Every connection is as it should be."</p>
                    </div>
                })}
            </div>
        </Frame>
    }
}

#[component]
fn Notice(now: i64, row: NoticeRow) -> impl IntoView {
    let NoticeRow {
        connection,
        prompt,
        details,
        reason,
        at,
        new,
        help,
    } = row;
    let (name, account) = (connection.provider.name.clone(), connection.account.clone());
    let (id, link) = (connection.id.clone(), paths::connection(&connection.id));
    let plate = connection.provider.clone();
    let said = words::ago(now, at.unix);
    // What has ended leaves nothing to press, and nothing to wait for.
    let wrong = prompt.is_some();
    let button = prompt.clone().filter(|_| help.may_act).map(|prompt| {
        let one_click = help.one_click;
        view! { <PlainButton prompt connection one_click/> }
    });
    let lines = match prompt {
        Some(prompt) => view! { <PromptLines prompt/> }.into_any(),
        None => view! {
            <p class="status" data-tone="good">
                <Icon name="circle-check"/>
                <span>"It works again. Nothing is left for you to do."</span>
            </p>
        }
        .into_any(),
    };
    view! {
        <li class="row" data-layout="simple" data-new=new.then_some("true")>
            <BrandPlate provider=plate/>
            <div class="row-main lines">
                <p class="row-title">
                    <a href=link>{name} " " <span class="account">{account}</span></a>
                    {new.then(|| view! { " " <span class="new-mark">"New"</span> })}
                </p>
                {reason.map(|reason| view! { <p><strong>{reason}</strong></p> })}
                {lines}
                <p class="fact">"Told " <Time moment=at said/></p>
                {wrong.then(|| view! {
                    <div class="actions">
                        {button}
                        <HelpLines id help now back="notices"/>
                    </div>
                })}
                {details.map(|details| view! { <SupportDetails details/> })}
            </div>
        </li>
    }
}
