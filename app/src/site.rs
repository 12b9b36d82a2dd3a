//! What the server tells every page: where the site's files are, who is looking
//! and in which colours.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::HeaderMap;
use hub::{
    Hub,
    people::{Action, Member},
    secret::Secret,
};
use leptos::{config::LeptosOptions, prelude::use_context};

use crate::{
    flash::{self, Flash},
    model::Person,
};

/// Where the site's files are, each under a name that changes with its content.
#[derive(Clone, Debug)]
pub struct Site {
    /// The style sheet.
    pub css: String,
    /// The mark.
    pub favicon: String,
    /// The script of the opening and the callback page.
    pub popup_js: String,
    /// The script that makes copy buttons work.
    pub copy_js: String,
    /// The script that draws again what has changed, where no island does.
    pub live_js: String,
    /// The sprite with every icon of the pages.
    pub icons: String,
    /// What the address of a brand's mark begins with.
    pub brands: String,
    /// Where the islands' script is.
    pub options: LeptosOptions,
}

/// Who is looking, put into each request's extensions by the server.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    /// The member who is signed in.
    pub member: Option<Member>,
    /// How this browser stands to a link that was opened in it.
    pub standing: Option<Arc<hub::people::Standing>>,
    /// What pages show of them.
    pub person: Option<Person>,
    /// Light or dark.
    pub theme: Theme,
    /// What the log knows the request by.
    pub request: String,
    /// Whether their password was asked for and given while this request was
    /// answered: their session keeps it.
    pub proven: Arc<AtomicBool>,
}

impl Viewer {
    /// Whether they gave their password so recently that it need not be given
    /// again for what is grave.
    pub fn recently(&self) -> bool {
        let given = self.proven.load(Ordering::Relaxed);
        given || self.member.as_ref().is_some_and(Member::is_recent)
    }

    /// The member as one who may do `action`, with their password when the page
    /// asked for it.
    ///
    /// # Errors
    /// As for [`Hub::step_up`]; [`hub::Error::NotFound`] when nobody is signed in.
    pub async fn prove(&self, hub: &Hub, action: Action, current: Secret) -> hub::Result<Member> {
        let member = self.member.as_ref().ok_or(hub::Error::NotFound)?;
        let proven = hub.step_up(member, action, current).await?;
        if proven.proven_at() > member.proven_at() {
            self.proven.store(true, Ordering::Relaxed);
        }
        Ok(proven)
    }

    /// Who came by a link in this browser, while it lasts.
    pub fn guest(&self) -> Option<&hub::people::Guest> {
        match self.standing.as_deref()? {
            hub::people::Standing::Guest(guest) => Some(guest.as_ref()),
            hub::people::Standing::Done(_) => None,
        }
    }

    /// Everybody this browser may be taken for: whoever came by a link first.
    pub fn present(&self) -> impl Iterator<Item = hub::people::By<'_>> {
        let guest = self.guest().map(hub::people::By::from);
        let member = self.member.as_ref().map(hub::people::By::from);
        guest.into_iter().chain(member)
    }
}

/// One page view: who is looking, in which colours, and what the last form left.
/// Pages find it in the context.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// Who is signed in.
    pub person: Option<Person>,
    /// Light or dark.
    pub theme: Theme,
    /// What the last form left.
    pub flash: Flash,
    /// How much behind the bell is new.
    pub unread: u32,
    /// Providers in trouble that concern them.
    pub troubles: Vec<Trouble>,
    /// Whether they gave their password so recently that it need not be given
    /// again for what is grave.
    pub recently: bool,
}

impl Visit {
    /// The page view that is being drawn; a stranger's outside of one, as when
    /// the routes are listed at start.
    pub fn current() -> Self {
        use_context().unwrap_or_default()
    }
}

/// How much behind the bell is new, put into the extensions of requests for
/// pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unread(pub u32);

/// A provider that is in trouble as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it is called.
    pub provider: String,
    /// What is said of it.
    pub what: String,
    /// Why that is so.
    pub why: String,
    /// A connection of it: its page says more.
    pub connection: String,
    /// Whether the person is told when it is over.
    pub watching: bool,
}

/// Those that concern who is looking, put into the extensions of requests for
/// pages.
#[derive(Clone, Debug, Default)]
pub struct Troubles(pub Vec<Trouble>);

/// The colours a person chose for this browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the device says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The cookie it is kept in.
    pub const COOKIE: &str = "linkwell-theme";

    /// Every choice, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As it is posted and kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads a posted or kept value; anything else means the device's choice.
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .unwrap_or_default()
    }

    /// Reads the cookie.
    pub fn read(headers: &HeaderMap) -> Self {
        flash::cookie(headers, Self::COOKIE)
            .map(Self::parse)
            .unwrap_or_default()
    }

    /// The value of `data-theme`; the device's choice needs none.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.as_str())
    }
}
