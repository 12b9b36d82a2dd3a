//! One attempt to connect or repair, as the page that started it sees it.
//!
//! The outcome always comes from the server. That the window reads as closed
//! proves nothing: a provider's page may cut the tie while it is still open.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{HtmlFormElement, HtmlInputElement, SubmitEvent, Window},
};

use super::{
    browser,
    feed::{self, Change},
};
use crate::{
    model::{Attempt, AttemptStatus, Prompt},
    paths, words,
};

/// What the page shows of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// None is open.
    Idle,
    /// The person is at the provider.
    Waiting,
    /// The window reads as closed, or the page was loaded anew meanwhile.
    Unsure,
    /// Nothing was heard for 45 seconds.
    Slow,
    /// The provider answered.
    Checking,
    /// Another account signed in than expected; the flow's id.
    Undecided(String),
    /// One of several organisations is to be chosen; the flow's id.
    Choosing(String),
    /// It worked; the connection's id.
    Connected(String),
    /// It did not work, and why.
    Failed(Option<Box<Prompt>>),
    /// Given up here.
    Cancelled,
    /// Left alone for ten minutes.
    Expired,
}

impl Phase {
    /// Whether an answer is still awaited.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Waiting
                | Self::Unsure
                | Self::Slow
                | Self::Checking
                | Self::Undecided(_)
                | Self::Choosing(_)
        )
    }

    /// The line that takes the place of the row's fact.
    pub fn line(&self, provider: &str) -> Option<String> {
        match self {
            Self::Waiting => Some(words::attempt::waiting(provider)),
            Self::Unsure => Some(words::attempt::still_waiting(provider)),
            Self::Slow => Some(words::attempt::SLOW.to_owned()),
            Self::Checking => Some(words::attempt::CHECKING.to_owned()),
            Self::Undecided(_) => Some(words::attempt::OTHER_ACCOUNT.to_owned()),
            Self::Choosing(_) => Some(words::attempt::CHOOSING.to_owned()),
            Self::Failed(Some(prompt)) => Some(format!("{} {}", prompt.what, prompt.why)),
            Self::Cancelled => Some(words::attempt::CANCELLED.to_owned()),
            Self::Expired => Some(words::attempt::EXPIRED.to_owned()),
            Self::Idle | Self::Connected(_) | Self::Failed(None) => None,
        }
    }
}

const LIFETIME_S: i64 = 600;
const SLOW_AFTER_S: i64 = 45;
const CLOSED_BEFORE_UNSURE: u32 = 8;
const WATCH_EVERY: Duration = Duration::from_millis(500);
const POLL_AFTER_S: [u64; 3] = [2, 5, 10];

/// The window size providers lay their consent pages out for.
const POPUP_SIZE: (i32, i32) = (600, 720);

thread_local! {
    /// There is one window, so there is one attempt: a newer one ends an older one.
    static CURRENT: Cell<Option<Tracker>> = const { Cell::new(None) };
    /// That window, with the handle of its attempt. It is not part of the
    /// tracker, because a tracker is also made on the server, where it moves
    /// between threads.
    static OPENED: RefCell<Option<(String, Window)>> = const { RefCell::new(None) };
}

/// Follows the attempts of one Connect control.
#[derive(Clone, Copy)]
pub struct Tracker {
    /// What to show.
    pub phase: RwSignal<Phase>,
    /// The provider's name.
    name: StoredValue<String>,
    handle: RwSignal<Option<String>>,
    started: StoredValue<i64>,
    on_end: StoredValue<Callback<Phase>>,
}

impl Tracker {
    /// A tracker of attempts to connect the provider called `name`. It goes on
    /// with `open`, an attempt the server knows to be open, when the page was
    /// loaded anew meanwhile. `on_end` is told how each attempt ends.
    pub fn new(name: String, open: Option<String>, on_end: Callback<Phase>) -> Self {
        let phase = if open.is_some() {
            Phase::Unsure
        } else {
            Phase::Idle
        };
        let tracker = Self {
            phase: RwSignal::new(phase),
            name: StoredValue::new(name),
            handle: RwSignal::new(open),
            started: StoredValue::new(0),
            on_end: StoredValue::new(on_end),
        };
        Effect::new(move || {
            feed::listen(move |change| tracker.heard(change));
            if let Some(handle) = tracker.handle.get_untracked() {
                tracker.started.set_value(browser::seconds());
                tracker.poll(handle, 0);
            }
        });
        tracker
    }

    /// Handles the submit of a form that starts a flow. Nothing here waits: a
    /// window may only be opened while the click is being handled. The form
    /// then goes its own way, into the window or, without one, in this tab.
    pub fn submit(self, event: &SubmitEvent) {
        let Some(form) = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlFormElement>().ok())
        else {
            return;
        };
        // One attempt at a time, however often the button is pressed. Only where
        // the window seems lost does pressing it start another.
        let lost = matches!(self.phase.get_untracked(), Phase::Unsure | Phase::Slow);
        let open = self.phase.with_untracked(Phase::is_open);
        let focused = open && self.window().is_some_and(|window| window.focus().is_ok());
        if focused || open && !lost {
            event.prevent_default();
            return;
        }
        let handle = browser::random_handle();
        let opened = handle.as_ref().and_then(|_| open_window());
        form.set_target(if opened.is_some() {
            words::POPUP
        } else {
            "_self"
        });
        if let (Some(handle), Some(opened)) = (handle, opened) {
            fill(&form, "handle", &handle);
            fill(&form, "popup", "1");
            self.begin(handle, opened);
        }
    }

    fn begin(self, handle: String, opened: Window) {
        if let Some(other) = CURRENT.replace(Some(self)) {
            other.give_up();
        }
        OPENED.set(Some((handle.clone(), opened)));
        self.started.set_value(browser::seconds());
        self.handle.set(Some(handle.clone()));
        self.go(Phase::Waiting);
        self.watch(handle.clone(), 0);
        self.poll(handle, 0);
    }

    /// Ends the attempt on the server, so that a late answer changes nothing.
    pub fn cancel(self) {
        if let Some(opened) = self.window() {
            let _ = opened.close();
        }
        self.give_up();
    }

    fn give_up(self) {
        if let Some(handle) = self.handle.try_get_untracked().flatten() {
            self.end(Phase::Cancelled);
            spawn_local(async move {
                browser::post(&paths::cancel(&handle), &[]).await;
            });
        }
    }

    fn end(self, phase: Phase) {
        self.handle.set(None);
        self.go(phase.clone());
        self.on_end.get_value().run(phase);
    }

    /// Shows a phase, and says it to those who do not see it.
    fn go(self, phase: Phase) {
        if self.phase.with_untracked(|now| *now == phase) {
            return;
        }
        // Checking lasts a moment: what is said of it could come after the outcome.
        let spoken = phase != Phase::Checking;
        if let Some(line) = self.name.with_value(|name| phase.line(name))
            && spoken
        {
            browser::announce(&line);
        }
        self.phase.set(phase);
    }

    /// The attempt's window, unless it reads as closed.
    fn window(self) -> Option<Window> {
        OPENED.with_borrow(|opened| {
            let (handle, window) = opened.as_ref()?;
            let here = self.is_on(handle) && !window.closed().unwrap_or(true);
            here.then(|| window.clone())
        })
    }

    fn is_undecided(self) -> bool {
        self.phase
            .with_untracked(|phase| matches!(phase, Phase::Undecided(_)))
    }

    fn is_on(self, handle: &str) -> bool {
        self.handle
            .try_with_untracked(|now| now.as_deref() == Some(handle))
            .unwrap_or(false)
    }

    fn heard(self, change: &Change) {
        let Some(handle) = self.handle.get_untracked() else {
            return;
        };
        match change {
            Change::Attempt(other) if *other != handle => {}
            Change::Attempt(_) | Change::Anything => {
                spawn_local(async move { self.ask(&handle).await });
            }
            Change::Connection(_) => {}
        }
    }

    async fn ask(self, handle: &str) {
        let answer = browser::read::<Attempt>(&paths::attempt(handle)).await;
        if !self.is_on(handle) {
            return;
        }
        let age = browser::seconds() - self.started.get_value();
        match answer {
            Some(attempt) => match (attempt.status, attempt.connection_id) {
                // The person went back to the provider to choose another account.
                (AttemptStatus::Waiting, _) if self.is_undecided() => {
                    self.started.set_value(browser::seconds());
                    self.go(Phase::Waiting);
                }
                (AttemptStatus::Waiting, _) if age > LIFETIME_S => self.end(Phase::Expired),
                (AttemptStatus::Waiting, _) => {}
                (AttemptStatus::Received | AttemptStatus::Checking, _) => {
                    self.go(Phase::Checking);
                }
                (AttemptStatus::OtherAccount, _) => self.go(Phase::Undecided(attempt.flow_id)),
                (AttemptStatus::Choosing, _) => self.go(Phase::Choosing(attempt.flow_id)),
                (AttemptStatus::Connected, Some(id)) => self.end(Phase::Connected(id)),
                (AttemptStatus::Connected | AttemptStatus::Failed, _) => {
                    self.end(Phase::Failed(attempt.prompt.map(Box::new)));
                }
                (AttemptStatus::Cancelled, _) => self.end(Phase::Cancelled),
                (AttemptStatus::Expired, _) => self.end(Phase::Expired),
            },
            // The form may not have arrived yet, or the server is restarting.
            None if age > LIFETIME_S => self.end(Phase::Expired),
            None => {}
        }
    }

    /// Asks after 2, 5 and then every 10 seconds, whatever the feed says.
    fn poll(self, handle: String, turn: usize) {
        let after = POLL_AFTER_S[turn.min(POLL_AFTER_S.len() - 1)];
        set_timeout(
            move || {
                if self.is_on(&handle) {
                    spawn_local(async move {
                        self.ask(&handle).await;
                        if self.is_on(&handle) {
                            self.poll(handle, turn + 1);
                        }
                    });
                }
            },
            Duration::from_secs(after),
        );
    }

    /// Notices that the window reads as closed, and that it takes long.
    fn watch(self, handle: String, closed_for: u32) {
        set_timeout(
            move || {
                if !self.is_on(&handle) {
                    return;
                }
                let closed_for = match self.window() {
                    Some(_) => 0,
                    None => closed_for + 1,
                };
                let waiting = self.phase.with_untracked(|phase| *phase == Phase::Waiting);
                if waiting && closed_for >= CLOSED_BEFORE_UNSURE {
                    self.go(Phase::Unsure);
                } else if waiting && browser::seconds() - self.started.get_value() >= SLOW_AFTER_S {
                    self.go(Phase::Slow);
                }
                self.watch(handle, closed_for);
            },
            WATCH_EVERY,
        );
    }
}

fn fill(form: &HtmlFormElement, name: &str, value: &str) {
    if let Ok(Some(field)) = form.query_selector(&format!("input[name={name}]")) {
        field.unchecked_into::<HtmlInputElement>().set_value(value);
    }
}

/// Opens the window in the middle of this one, on whatever screen that is; none
/// on phones, where a full page is kinder, and none when the browser blocks it.
fn open_window() -> Option<Window> {
    let window = window();
    let small = window
        .match_media("(pointer: coarse), (max-width: 639px)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches());
    if small {
        return None;
    }
    let number = |name: &str| {
        browser::property(&window, name)
            .and_then(|value| value.as_f64())
            .unwrap_or_default() as i32
    };
    let screen = window.screen().ok()?;
    let width = POPUP_SIZE.0.min(screen.avail_width().ok()?);
    let height = POPUP_SIZE.1.min(screen.avail_height().ok()?);
    let left = number("screenX") + (number("outerWidth") - width) / 2;
    let top = number("screenY") + (number("outerHeight") - height) / 2;
    let features = format!("popup,width={width},height={height},left={left},top={top}");
    window
        .open_with_url_and_target_and_features("", words::POPUP, &features)
        .ok()
        .flatten()
}
