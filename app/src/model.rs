//! Every type the browser may ever see.
//!
//! These are filled by the server's loaders and serialised into the page (as
//! island properties) and into the JSON the islands read again. None of them
//! can hold a token, a client secret or a verifier: there is no field for one.

mod control;
mod metrics;
mod notices;
mod runs;

pub use control::{ClearPage, Control, ControlPage, Failed, Stored};
pub use metrics::*;
pub use notices::*;
pub use runs::*;

#[cfg(feature = "ssr")]
mod audit;
#[cfg(feature = "ssr")]
mod people;

#[cfg(feature = "ssr")]
pub use audit::{AuditChecked, AuditFilter, AuditLine, AuditPage};
#[cfg(feature = "ssr")]
pub use people::{MemberRow, OrganisationPage};

use serde::{Deserialize, Serialize};

/// A point in time: seconds since the epoch to reckon with, and the same in
/// words for the tooltip, because the browser part carries no calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since the epoch.
    pub unix: i64,
    /// The date and time with its zone: `12 May 2026, 09:10 UTC`.
    pub text: String,
}

/// A service that can be connected, as far as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The catalog id: `shopify`.
    pub id: String,
    /// The name people know: `Shopify`.
    pub name: String,
    /// The slug of its mark, such as `shopify`; without one the first letter of
    /// the name stands in.
    pub icon: Option<String>,
}

/// How a connection is. The closed list of words on screen: never two at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Proven within its check interval.
    Connected,
    /// Failed for a reason that heals itself; the next try is known or soon.
    Retrying {
        /// Seconds since the epoch of the next try.
        at: Option<i64>,
    },
    /// A person must do the one named thing.
    ActionNeeded,
    /// Somebody else must act: an admin at the provider, or the operator.
    WaitingForAdmin,
    /// Unknown, or not proven for longer than two check intervals.
    NotCheckedYet,
    /// Stopped by a person.
    Paused,
    /// Ended by a person.
    Disconnected,
}

/// The parts of the hub page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Section {
    /// Somebody must act.
    ActionNeeded,
    /// Everything that is linked and needs nobody.
    Connected,
    /// What can be connected.
    Available,
    /// What was ended; kept for its history.
    Disconnected,
}

impl Status {
    /// Where a connection with this status is listed.
    pub fn section(self) -> Section {
        match self {
            Self::ActionNeeded | Self::WaitingForAdmin => Section::ActionNeeded,
            Self::Connected | Self::Retrying { .. } | Self::NotCheckedYet | Self::Paused => {
                Section::Connected
            }
            Self::Disconnected => Section::Disconnected,
        }
    }
}

/// What failed, why, what it means, and the one thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Line 1: what happened.
    pub what: String,
    /// Line 2: why, honest about certainty.
    pub why: String,
    /// Line 3: what it means, when that is not obvious.
    pub effect: Option<String>,
    /// The single button; none when nobody needs to act.
    pub action: Option<Action>,
    /// A quieter way out beside the button.
    pub secondary: Option<Action>,
}

/// The one thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Verb and object: `Reconnect Shopify`.
    pub label: String,
    /// What pressing it does.
    pub kind: ActionKind,
}

/// What a prompt's button does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Signs in to Linkwell.
    SignIn,
    /// Starts a flow for this connection, or for the provider when there is none.
    Connect,
    /// Connects the account that signed in as one more.
    AddAccount,
    /// Opens the page that says what is asked for.
    Explain,
    /// Proves the connection again.
    Check,
    /// Has the connection work again that rests.
    Resume,
    /// Opens the page where the provider app is set up.
    SetUp {
        /// The provider app's id.
        app: String,
    },
    /// Opens a page elsewhere.
    Open {
        /// An `https` address from the catalog, a letter to be written, or a
        /// place here.
        url: String,
    },
}

#[cfg(feature = "ssr")]
impl ActionKind {
    /// Where it leads, where an address is all it takes.
    pub fn address(&self) -> Option<String> {
        match self {
            Self::SignIn => Some(crate::paths::SIGN_IN.to_owned()),
            Self::SetUp { app } => Some(crate::paths::provider_app(app)),
            Self::Open { url } => Some(url.clone()),
            Self::Connect | Self::AddAccount | Self::Explain | Self::Check | Self::Resume => None,
        }
    }
}

/// Facts for support, free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The failure code: `GRANT_REVOKED_OR_EXPIRED`.
    pub code: String,
    /// What it was exactly: `invalid_grant`.
    pub detail: String,
    /// The id of the connection or the attempt, to find it by.
    pub reference: String,
    /// When it was noticed.
    pub at: Option<Moment>,
    /// The provider's own words, trimmed.
    pub provider_text: Option<String>,
}

impl Details {
    /// Each by its name, in their order.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let at = self.at.as_ref().map(|at| at.text.clone());
        [
            ("Code", Some(self.code.clone())),
            ("Detail", Some(self.detail.clone())),
            ("Noticed", at),
            ("Reference", Some(self.reference.clone())),
            ("The provider said", self.provider_text.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// One linked account, as a row of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The connection's id.
    pub id: String,
    /// What it is linked to.
    pub provider: Provider,
    /// The account's name, renamable: `my-shop.myshopify.com`.
    pub account: String,
    /// How it is.
    pub status: Status,
    /// When it was last proven, in seconds since the epoch.
    pub checked_at: Option<i64>,
    /// The same with its zone, for the tooltip. Not a [`Moment`]: reading one more
    /// type costs the browser's program more than a text.
    pub checked_on: Option<String>,
    /// What is wrong, when something is, with a button that whoever reads it may
    /// press.
    pub prompt: Option<Prompt>,
    /// The handle of an attempt to repair it that is still open.
    pub attempt: Option<String>,
    /// Lower-case words that find this row: name, aliases, category, account.
    pub keywords: String,
}

/// One provider that can be connected, as far as its card shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The provider.
    pub provider: Provider,
    /// What it is, in one sentence.
    pub summary: String,
    /// What signing in takes, and how long: `One click · about 25 seconds`.
    pub takes: String,
    /// How connecting begins.
    pub start: Start,
    /// Whether an account of it is linked already.
    pub again: bool,
    /// The handle of an attempt to connect it that is still open.
    pub attempt: Option<String>,
}

/// How connecting a provider begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// One press starts the flow.
    Now,
    /// Something has to be typed first, such as the shop's address or a key.
    AfterDetails,
    /// The provider app is missing, and the person looking may set it up.
    SetUp,
    /// The provider app is missing, and somebody else has to set it up.
    AskAdmin,
    /// This kind of sign-in is not built yet.
    NotHere,
}

/// A card of the marketplace, with what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it shows.
    pub offer: Offer,
    /// Its place among all cards when nothing is searched.
    pub place: usize,
    /// Whether what was asked for leaves it in sight.
    pub shown: bool,
    /// Category, regions and kind of sign-in, for [`Filter::fits`].
    pub tags: String,
    /// Other words it is found by, with `|` between them.
    pub aliases: String,
}

/// A category with the number of its cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// The word of addresses: `point-of-sale`.
    pub key: String,
    /// Its name on screen.
    pub label: String,
    /// How many providers stand on it.
    pub count: usize,
}

/// Everything that can be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Every card, those in sight first and in their order.
    pub cards: Vec<Card>,
    /// The categories that have cards.
    pub shelves: Vec<Shelf>,
    /// What a newcomer may begin with: providers that are ready.
    pub suggested: Vec<Provider>,
    /// The entry for services that have none of their own.
    pub any_api: Option<Provider>,
}

/// Something that was begun and waits for more answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What is being connected.
    pub provider: Provider,
    /// Where it goes on.
    pub link: String,
    /// When it was last worked on.
    pub at: Moment,
}

/// How many cards are shown before somebody asks for more.
pub const FIRST_CARDS: usize = 12;

/// What somebody looks for. Empty words ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Words for names, aliases and categories.
    pub q: String,
    /// The key of a [`Shelf`].
    pub category: String,
    /// `gb`, `us`, `eu`, or `global` for what serves everybody.
    pub region: String,
    /// The key of a kind of sign-in.
    pub sign_in: String,
    /// Whether all cards are shown although nothing is asked for.
    pub all: bool,
}

impl Filter {
    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.q.trim().is_empty() && !self.narrows()
    }

    /// Whether a category, region or kind of sign-in is asked for.
    pub fn narrows(&self) -> bool {
        [&self.category, &self.region, &self.sign_in]
            .iter()
            .any(|word| !word.is_empty())
    }

    /// Whether a card with these tags is asked for. What serves everybody
    /// serves each region, too.
    pub fn fits(&self, tags: &str) -> bool {
        let asked = |word: &str| word.is_empty() || tags.split(' ').any(|tag| tag == word);
        asked(&self.category)
            && asked(&self.sign_in)
            && (asked(&self.region) || self.region != "global" && asked("global"))
    }

    /// Whether the card at this place is in sight, if it answers to the words.
    pub fn shows(&self, place: usize, tags: &str) -> bool {
        match self.is_empty() && !self.all {
            true => place < FIRST_CARDS,
            false => self.fits(tags),
        }
    }

    /// What is asked for, by the names of the fields and parameters.
    pub fn asked(&self) -> [(&'static str, &str); 4] {
        [
            ("q", self.q.trim()),
            ("category", &self.category),
            ("region", &self.region),
            ("sign-in", &self.sign_in),
        ]
    }

    /// Asks for `value` in the field called `name`.
    pub fn ask(&mut self, name: &str, value: String) {
        let field = match name {
            "q" => &mut self.q,
            "category" => &mut self.category,
            "region" => &mut self.region,
            "sign-in" => &mut self.sign_in,
            _ => return,
        };
        *field = value;
    }

    /// The address of the hub with this asked for.
    pub fn address(&self) -> String {
        let all = ("show", if self.all { "all" } else { "" });
        let asked = self.asked().into_iter().chain([all]);
        let pairs: Vec<String> = asked
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        match pairs.is_empty() {
            true => "/".to_owned(),
            false => format!("/?{}", pairs.join("&")),
        }
    }
}

pub(crate) fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

/// What the hub page keeps up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// Linked accounts.
    pub connections: Vec<Connection>,
    /// Whether the person looking may connect, repair and disconnect.
    pub may_manage: bool,
}

/// How far an attempt is, as the server knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// The person is at the provider.
    Waiting,
    /// The provider sent the person back.
    Received,
    /// The code is exchanged and the account is being proven.
    Checking,
    /// Another account signed in than expected; the person decides.
    OtherAccount,
    /// The consent opened several organisations; the person chooses one.
    Choosing,
    /// Done: there is a working connection.
    Connected,
    /// Ended without a connection; the prompt says why.
    Failed,
    /// Given up here.
    Cancelled,
    /// Left alone for ten minutes.
    Expired,
}

/// One attempt to connect or repair: `GET /api/view/flow/{handle}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The flow's id.
    pub flow_id: String,
    /// How far it is.
    pub status: AttemptStatus,
    /// The connection it made or repaired.
    #[serde(default)]
    pub connection_id: Option<String>,
    /// Why it failed, and what to do.
    #[serde(default)]
    pub prompt: Option<Prompt>,
}

/// One permission asked of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it allows, in words: `See products and collections`.
    pub meaning: String,
    /// The provider's name for it: `read_products`.
    pub scope: String,
    /// Whether the provider granted it.
    pub granted: bool,
}

/// One line of a connection's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Moment,
    /// What happened, in words.
    pub what: String,
    /// Why, where something failed or ends.
    pub why: Option<String>,
    /// The failure code, where one stands for it.
    pub code: Option<&'static str>,
    /// How to mark it.
    pub tone: Tone,
}

/// The colour family of a line, always beside a word or an icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It is a plain fact.
    Neutral,
    /// It went wrong.
    Bad,
}

/// The page of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPage {
    /// What its key opens, where keys tell.
    pub environment: Option<String>,
    /// Whether there is data to look at, and how many columns have names.
    pub preview: Option<usize>,
    /// When this was read, in seconds since the epoch.
    pub now: i64,
    /// What support needs to know, when something is wrong; shown on demand.
    pub details: Option<Details>,
    /// When it was linked.
    pub connected_at: Moment,
    /// Who linked it.
    pub connected_by: Option<String>,
    /// What was asked for, granted or not.
    pub permissions: Vec<Permission>,
    /// It, as the hub shows it too, and how it is kept.
    pub control: Control,
    /// When it was last proven.
    pub last_proof: Option<Moment>,
    /// When its token ends.
    pub token_expires: Option<Moment>,
    /// When it ends although nothing is wrong with it, and what that is called.
    pub ends: Option<(String, Moment)>,
    /// Where the person ends our access themselves, once nobody here can: the
    /// connection has ended, and the provider did not say that it knows.
    pub left_there: Option<String>,
    /// How it is read.
    pub reading: Reading,
    /// What automations wait for it.
    pub runs: RunsSummary,
    /// What happened, newest first.
    pub history: Vec<HistoryEntry>,
    /// Whether the person looking may repair, rename and disconnect.
    pub may_manage: bool,
    /// What they can do besides, when something is wrong.
    pub help: Option<Help>,
}

/// What is sent to whoever can allow an app at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPage {
    /// The provider.
    pub provider: Provider,
    /// What it says.
    pub text: String,
    /// The same as a letter: `mailto:`.
    pub letter: String,
}

/// How a connection is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How often, as it is stored.
    pub frequency: String,
    /// How the last reading ended, in words, and when.
    pub last: Option<(String, Moment)>,
    /// When it is read next, if that is known.
    pub next: Option<Moment>,
    /// Whether that waits until the connection works again.
    pub paused: bool,
}

/// The page that names the consequences of disconnecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisconnectPage {
    /// The connection's id.
    pub id: String,
    /// What it is linked to.
    pub provider: Provider,
    /// The account's name.
    pub account: String,
    /// Whether the provider is told, or the person removes us there by hand.
    pub revocation: Revocation,
    /// Other connections that were granted to the same app and may end with it.
    pub ends_too: Vec<String>,
    /// How many runs wait for it already.
    pub paused_runs: i64,
}

/// What happens at the provider when a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// We withdraw the access there.
    AtProvider,
    /// The provider offers no way; the person removes us there.
    ByHand {
        /// Where, in the provider's own words: `Shopify admin > Settings > Apps`.
        place: String,
    },
}

/// The page a person reads before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectPage {
    /// The provider.
    pub provider: Provider,
    /// What it is, in one sentence.
    pub summary: String,
    /// Name and content of each plain fact: kind of sign-in, time, regions.
    pub facts: Vec<(String, String)>,
    /// The provider's own pages about it.
    pub docs: Vec<String>,
    /// The connection being repaired, when it is one.
    pub repairs: Option<(String, String)>,
    /// The account that is in use already, where one more is to be connected:
    /// its connection, name and status.
    pub in_use: Option<(String, String, Status)>,
    /// What we will do, from the permissions asked for.
    pub will: Vec<String>,
    /// What we will not do.
    pub will_not: Vec<String>,
    /// The permissions as the provider names them.
    pub permissions: Vec<Permission>,
    /// Permissions a person may add.
    pub optional: Vec<Permission>,
    /// What has to be typed first.
    pub fields: Vec<ConnectField>,
    /// How to end the access later.
    pub removal: String,
    /// How long it usually takes, in seconds, where that is known.
    pub usually_takes: Option<i64>,
    /// Whether it can start.
    pub readiness: Readiness,
    /// Whether an administrator there may allow it for everybody.
    pub admin_consent: bool,
    /// The handle of an attempt that is still open.
    pub attempt: Option<String>,
    /// Whom to ask.
    pub helpers: Vec<Helper>,
}

/// Somebody who can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Who it is.
    pub name: String,
    /// Where they are reached: `mailto:` or `https:`.
    pub href: String,
    /// The same, as it is read.
    pub shown: String,
}

/// What somebody who came by a link is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPage {
    /// Who asks.
    pub organisation: String,
    /// Where they go without connecting: the name of the place, and its address.
    pub leave: Option<(String, String)>,
    /// The providers to choose from, with one sentence about each.
    pub providers: Vec<(Provider, String)>,
}

/// The page a guest reads before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestConnectPage {
    /// What the link is for.
    pub guest: GuestPage,
    /// The provider.
    pub provider: Provider,
    /// Whether an account is connected again that was connected before.
    pub is_repair: bool,
    /// What we will do.
    pub will: Vec<String>,
    /// What we will not do.
    pub will_not: Vec<String>,
    /// What has to be typed first.
    pub fields: Vec<ConnectField>,
    /// How to end the access later.
    pub removal: String,
    /// Whether it can start.
    pub readiness: Readiness,
}

/// Whether a provider can be connected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Its provider app is there.
    Ready,
    /// It is connected with something a person enters.
    Enter(Box<Wizard>),
    /// There is no such connection yet, and why.
    NotYet(String),
    /// Its provider app is missing.
    NotSetUp {
        /// The provider app's id.
        app: String,
        /// Whether the person looking may set it up.
        may_set_up: bool,
        /// Who else may.
        admins: Vec<String>,
    },
}

/// The conversation that collects what a provider without one-click sign-in
/// needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wizard {
    /// What is said about this kind of sign-in.
    pub explained: String,
    /// Everything that is asked, in order.
    pub questions: Vec<Asked>,
    /// Where the conversation stands; none before it begins.
    pub step: Option<WizardStep>,
    /// Whether all questions are put at once.
    pub as_form: bool,
    /// What was said beside the answers.
    pub talk: Vec<Remark>,
    /// How the last test went.
    pub tested: Vec<TestStep>,
    /// What it failed with, and what to do about it.
    pub problem: Option<TestProblem>,
}

/// What a test failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestProblem {
    /// What to say.
    pub prompt: Prompt,
    /// The one button; none where only waiting helps.
    pub remedy: Option<Remedy>,
}

/// The turn that does something about a failed test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Verb and object: `Enter new credentials`.
    pub label: String,
    /// The question to go back to; none tests once more.
    pub question: Option<String>,
}

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WizardStep {
    /// What kind of sign-in this is.
    Explain,
    /// The question with this key.
    Ask(String),
    /// Everything is there.
    Test,
}

/// One question, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name its answer is posted under.
    pub key: String,
    /// What the provider calls it.
    pub label: String,
    /// Why it is needed.
    pub why: String,
    /// Where to find it.
    pub steps: Vec<String>,
    /// The page the steps begin on.
    pub link: Option<String>,
    /// A made-up answer.
    pub example: String,
    /// Whether it is hidden while it is typed.
    pub secret: bool,
    /// Whether it may stay empty.
    pub optional: bool,
    /// Whether it has several lines.
    pub multiline: bool,
    /// What follows the value: `.myshopify.com`.
    pub suffix: Option<String>,
    /// Each with its value and its label, where one is chosen.
    pub choices: Vec<(String, String)>,
    /// What is filled in already. Never a secret.
    pub value: String,
    /// The answer as far as it may be shown.
    pub answer: Option<String>,
}

/// A remark in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The question it was made at.
    pub at: String,
    /// What the person said.
    pub said: String,
    /// What they were told.
    pub told: String,
}

/// A line of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestStep {
    /// What was tried.
    pub label: String,
    /// How it went.
    pub went: Went,
    /// What is worth knowing about it.
    pub note: Option<String>,
}

/// How a line of a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// It is being tried.
    Pending,
    /// It works.
    Passed,
    /// It does not.
    Failed,
    /// An earlier line failed.
    NotReached,
    /// There is nothing to test.
    NotNeeded,
}

/// Something a provider needs to know before it can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectField {
    /// The name it is posted under.
    pub name: String,
    /// What it is called: `Shop address`.
    pub label: String,
    /// An example.
    pub placeholder: Option<String>,
    /// What follows the value: `.myshopify.com`.
    pub suffix: Option<String>,
    /// Where to find it.
    pub help: Option<String>,
    /// What is filled in already.
    pub value: String,
    /// Whether it is typed unseen.
    pub secret: bool,
    /// Whether it may stay empty.
    pub optional: bool,
}

/// Whether and how a provider app is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppState {
    /// Nobody entered it yet.
    NotSetUp,
    /// An admin entered it here.
    Entered {
        /// The public half.
        client_id: String,
        /// When.
        at: Moment,
    },
    /// The operator gave it through the environment; it cannot be changed here.
    Environment {
        /// The public half.
        client_id: String,
    },
}

/// One line of the list of provider apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAppRow {
    /// The provider app's id.
    pub id: String,
    /// Its name and icon.
    pub provider: Provider,
    /// What it serves, when that is more than one provider.
    pub serves: Vec<String>,
    /// How it is set up.
    pub state: AppState,
    /// When the certificate ends that its providers know it by, and whether that
    /// is soon.
    pub certificate: Option<(Moment, bool)>,
}

/// Something somebody missed in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishRow {
    /// What, in their words.
    pub text: String,
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Moment,
}

/// The page of one provider app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAppPage {
    /// The line of the list.
    pub app: ProviderAppRow,
    /// The address to register.
    pub redirect_uri: String,
    /// The address for the provider's messages, and which to subscribe to.
    pub messages: Option<(String, String)>,
    /// What to do at the provider, in order.
    pub steps: Vec<String>,
    /// Where apps are registered.
    pub console_url: Option<String>,
    /// What the provider demands of the address, and what it reviews.
    pub rules: Vec<String>,
    /// What the provider calls the two values.
    pub labels: (String, String),
    /// What else it gives.
    pub settings: Vec<ConnectField>,
    /// The environment variables that hold the two values instead.
    pub variables: (String, String),
}

/// One API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// The key's id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where its links may send people back to.
    pub return_origins: Vec<String>,
    /// The end of the key, to tell keys apart.
    pub last_four: String,
    /// When it was made.
    pub created: Moment,
    /// When it was last used.
    pub last_used: Option<Moment>,
}

/// The webhooks of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Each of them.
    pub rows: Vec<WebhookRow>,
    /// What one can be told of, with what that means.
    pub kinds: Vec<(String, String)>,
    /// The number of the newest event.
    pub newest: i64,
}

/// One webhook and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: String,
    /// Where messages are posted.
    pub url: String,
    /// What it is told of; none means everything.
    pub kinds: Vec<String>,
    /// When it was added.
    pub created: Moment,
    /// When it last took a message.
    pub last_ok: Option<Moment>,
    /// Why it does not take messages, in words.
    pub problem: Option<String>,
    /// Since when it does not.
    pub failed: Option<Moment>,
    /// Whether it said that it is gone for good.
    pub gone: bool,
    /// How many messages wait.
    pub waiting: u64,
    /// How many were given up.
    pub given_up: u64,
    /// Until when two secrets sign.
    pub both_until: Option<Moment>,
}

/// The person who is signed in, as far as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Their organisation.
    pub organisation: String,
    /// Whether they see the settings.
    pub admin: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_everybody_serves_each_region() {
        let region = |region: &str| Filter {
            region: region.to_owned(),
            ..Filter::default()
        };
        assert!(region("gb").fits("finance global one-click"));
        assert!(region("gb").fits("finance gb eu key"));
        assert!(!region("us").fits("finance gb eu key"));
        assert!(!region("global").fits("finance gb eu key"));
    }

    #[test]
    fn an_address_says_what_is_asked_for() {
        assert_eq!(Filter::default().address(), "/");
        let filter = Filter {
            q: " bücher & co ".to_owned(),
            sign_in: "key".to_owned(),
            ..Filter::default()
        };
        assert_eq!(filter.address(), "/?q=b%C3%BCcher%20%26%20co&sign-in=key");
    }
}

/// The first rows behind a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The connection's id.
    pub id: String,
    /// What is connected.
    pub provider: Provider,
    /// The account's name.
    pub account: String,
    /// What its key opens, where keys tell.
    pub environment: Option<String>,
    /// The table that is shown, where there are tables.
    pub table: Option<String>,
    /// What was read, or why nothing was.
    pub rows: Result<PreviewRows, Prompt>,
    /// Whether this person may name columns.
    pub may_name: bool,
}

/// Rows and what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewRows {
    /// What there is to choose from.
    pub tables: Vec<String>,
    /// The columns, in order.
    pub columns: Vec<PreviewColumn>,
    /// Each with a value per column; none has no value.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewColumn {
    /// Its name there.
    pub source: String,
    /// What automations call it, if not so.
    pub name: Option<String>,
    /// What its values are: `whole numbers`.
    pub kind: String,
    /// What is odd about it, each in a sentence.
    pub notes: Vec<String>,
}
