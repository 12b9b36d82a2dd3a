//! What is behind the bell, and what a person wants to be mailed.

use hub::{
    Hub, Result,
    catalog::SignIn,
    connect::Listed,
    failure::Failure,
    notify::{Noticed, Topic, right},
    people::{Action as Right, Member},
    prompt::Told,
    store::notice::Reason,
};

use super::{
    connection::{Reader, row},
    details_of, moment, provider, said,
};
use crate::model::{Help, MailPage, NoticeRow, NoticesPage};

/// Everything behind the bell.
pub async fn notices(hub: &Hub, member: &Member) -> Result<NoticesPage> {
    let notices = hub.notices(member).await?;
    let mut page = NoticesPage {
        now: hub.clock.now().timestamp(),
        organisation: member.tenant_name().to_owned(),
        unread: count(notices.unread),
        theirs: Vec::new(),
        others: Vec::new(),
    };
    for noticed in notices.theirs {
        page.theirs.push(notice(hub, member, noticed).await?);
    }
    for noticed in notices.others {
        page.others.push(notice(hub, member, noticed).await?);
    }
    Ok(page)
}

/// How much is unread, as the bell shows it.
pub fn count(unread: i64) -> u32 {
    u32::try_from(unread).unwrap_or_default()
}

async fn notice(hub: &Hub, member: &Member, noticed: Noticed) -> Result<NoticeRow> {
    let Noticed {
        alarm,
        listed,
        told,
        asked,
        watching,
    } = noticed;
    let works = told
        .as_ref()
        .is_some_and(|told| told.reason == Reason::Works);
    let reason = told.as_ref().and_then(|told| match told.reason {
        Reason::Trouble | Reason::Works => None,
        Reason::Unattended => Some("Nobody has repaired this for a day.".to_owned()),
        Reason::Asked => {
            let by = asked.first().map_or("Somebody", |(name, _)| name);
            Some(format!("{by} asks you to repair this."))
        }
    });
    let was_asked = told
        .as_ref()
        .is_some_and(|told| told.reason == Reason::Asked);
    let asked = match was_asked {
        true => Vec::new(),
        false => asked,
    };
    let at = told.as_ref().map_or(alarm.raised_at, |told| told.at);
    let told_of_it = hub.alarm_told(&alarm, &listed);
    let help = help(hub, member, &told_of_it, &listed, asked, watching).await?;
    let reader = Reader::new(hub, member, [&listed]).await?;
    Ok(NoticeRow {
        details: details_of(&listed, &told_of_it).filter(|_| !works),
        prompt: (!works).then(|| said(hub, &listed, told_of_it)),
        connection: row(hub, &listed, &[], &reader),
        reason,
        at: moment(at),
        new: told.is_some_and(|told| told.read_at.is_none()),
        help,
    })
}

/// What somebody can do about what is wrong with a connection; nothing where
/// nothing is.
pub(super) async fn help_of(hub: &Hub, member: &Member, listed: &Listed) -> Result<Option<Help>> {
    let alarm = hub.alarm_of(member, listed.connection.id).await?;
    let told = match &alarm {
        Some(alarm) => Some(hub.alarm_told(alarm, listed)),
        // What is missing of a grant that works is nobody's alarm.
        None => hub.told_of(listed),
    };
    let Some(told) = told else {
        return Ok(None);
    };
    let asked = match &alarm {
        Some(alarm) => hub.asked_already(member, alarm).await?,
        None => Vec::new(),
    };
    let watching = hub.waits_for(member, listed.connection.id).await?;
    let mut help = help(hub, member, &told, listed, asked, watching).await?;
    // Nobody is told that a hiccup is over.
    help.waits &= alarm.is_some();
    Ok(Some(help))
}

async fn help(
    hub: &Hub,
    member: &Member,
    told: &Told,
    listed: &Listed,
    asked: Vec<(String, chrono::DateTime<chrono::Utc>)>,
    watching: bool,
) -> Result<Help> {
    let kind = told.prompt.action.as_ref().map(|action| action.kind);
    let repairers = match kind {
        Some(kind) => hub.repairers(member, &listed.connection, kind).await?,
        None => Vec::new(),
    };
    let needed = kind.and_then(right);
    let heals = |failure: &Failure| kind.is_none() || failure.code.is_transient();
    let entry = hub.catalog.get(&listed.connection.provider);
    Ok(Help {
        may_act: needed.is_none_or(|right| member.role().may(right)),
        one_click: entry.is_some_and(|entry| entry.sign_in() == SignIn::OneClick),
        repairers: repairers
            .into_iter()
            .map(|(person, name)| (person.to_string(), name))
            .collect(),
        asked: asked
            .into_iter()
            .map(|(name, at)| (name, moment(at)))
            .collect(),
        waits: told.cause.failure().is_some_and(heals),
        watching,
    })
}

/// What a mailed link says of its connection: whose it is, and which.
pub fn mailed(hub: &Hub, listed: &Listed) -> (crate::model::Provider, String) {
    let connection = &listed.connection;
    (
        provider(hub, &connection.provider),
        connection.name().to_owned(),
    )
}

/// What a person wants to be mailed.
pub async fn mail_page(hub: &Hub, member: &Member) -> Result<MailPage> {
    let choices = hub.mail_choices(member).await?;
    let admin = member.role().may(Right::ManageProviderApps);
    let topics = Topic::of_member(member).into_iter().map(|topic| {
        let wanted = !choices.without.contains(&topic);
        (topic.as_str().to_owned(), meaning(topic).to_owned(), wanted)
    });
    let problem = match admin {
        true => hub.mail_problem(member).await?,
        false => None,
    };
    Ok(MailPage {
        email: member.email().to_owned(),
        pace: choices.pace.as_str().to_owned(),
        topics: topics.collect(),
        is_set: hub.choices.mailer.is_set(),
        admin,
        problem: problem.as_deref().map(crate::words::not_mailed),
    })
}

fn meaning(topic: Topic) -> &'static str {
    match topic {
        Topic::Trouble => "A connection I look after needs me",
        Topic::Unattended => "Nobody has repaired a connection for a day",
        Topic::Asked => "Somebody asks me to repair something",
        Topic::Solved => "What I was mailed about works again",
    }
}
