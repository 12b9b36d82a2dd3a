//! What changed on the server, told to every open tab.
//!
//! HTTP/1.1 allows a browser six connections per host, so only one tab holds
//! the event stream: the one that holds a Web Lock. It passes every event on to
//! the others over a BroadcastChannel; when it closes, the next tab takes over.
//! Without Web Locks (plain HTTP on a name other than localhost) each tab
//! listens for itself.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::prelude::{IntervalHandle, document, on_cleanup, set_interval_with_handle, window};
use leptos::task::spawn_local;
use leptos::wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BroadcastChannel, EventSource, MessageEvent, VisibilityState};

use super::browser;
use crate::{paths, words};

const CHANNEL: &str = "linkwell-events";

/// After this many failures in a row the stream counts as down and is polled.
const FAILURES_BEFORE_POLLING: u32 = 2;

/// Something may have changed. It says what to read again, never what it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A connection, by its id.
    Connection(String),
    /// An attempt, by its handle.
    Attempt(String),
    /// Anything: events may have been missed.
    Anything,
}

impl Change {
    fn encode(&self) -> String {
        match self {
            Self::Connection(id) => format!("connection {id}"),
            Self::Attempt(handle) => format!("attempt {handle}"),
            Self::Anything => "anything".to_owned(),
        }
    }

    fn decode(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("connection", id)) => Self::Connection(id.to_owned()),
            Some(("attempt", handle)) => Self::Attempt(handle.to_owned()),
            _ => Self::Anything,
        }
    }
}

type Listener = Rc<dyn Fn(&Change)>;

thread_local! {
    static LISTENERS: RefCell<Vec<(u32, Listener)>> = const { RefCell::new(Vec::new()) };
    static LISTENED: Cell<u32> = const { Cell::new(0) };
}

/// Calls `listener` whenever something may have changed, until the component
/// that asked is gone. The first call opens the feed.
pub fn listen(listener: impl Fn(&Change) + 'static) {
    let number = LISTENED.replace(LISTENED.get() + 1);
    LISTENERS.with_borrow_mut(|listeners| listeners.push((number, Rc::new(listener))));
    on_cleanup(move || {
        LISTENERS.with_borrow_mut(|listeners| listeners.retain(|(other, _)| *other != number));
    });
    if number == 0 {
        open();
    }
}

fn tell(change: &Change) {
    if !matches!(change, Change::Attempt(_)) {
        spawn_local(browser::draw_bell());
    }
    let listeners = LISTENERS.with_borrow(Clone::clone);
    for (_, listener) in listeners {
        listener(change);
    }
}

fn open() {
    let channel = BroadcastChannel::new(CHANNEL).ok().map(Rc::new);
    if let Some(channel) = &channel {
        on(channel, "message", |event: MessageEvent| {
            tell(&Change::decode(
                &event.data().as_string().unwrap_or_default(),
            ));
        });
    }
    // The callback page says "ask the server now" on two ways; neither carries
    // an outcome, so a forged message costs one harmless read.
    if let Ok(hints) = BroadcastChannel::new(words::FLOW_CHANNEL) {
        on(&hints, "message", hint);
        std::mem::forget(hints);
    }
    on(&window(), "message", |event: MessageEvent| {
        if event.origin() == window().location().origin().unwrap_or_default() {
            hint(event);
        }
    });
    on(&document(), "visibilitychange", |_: JsValue| {
        if document().visibility_state() == VisibilityState::Visible {
            tell(&Change::Anything);
        }
    });

    let lead = move || follow_events(channel.clone());
    let locks = browser::property(&window().navigator(), "locks");
    let request = locks
        .as_ref()
        .and_then(|locks| browser::property(locks, "request"))
        .and_then(|request| request.dyn_into::<js_sys::Function>().ok());
    if let (Some(locks), Some(request)) = (locks, request) {
        // The lock is held for as long as the promise stays open: until the tab closes.
        let granted = Closure::once_into_js(move |_: JsValue| {
            lead();
            js_sys::Promise::new(&mut |_, _| {})
        });
        let _ = request.call2(&locks, &JsValue::from_str(CHANNEL), &granted);
    } else {
        lead();
    }
}

fn hint(event: MessageEvent) {
    if let Some(handle) = event.data().as_string() {
        tell(&Change::Attempt(handle));
    }
}

/// The event stream, held by one tab.
struct Stream {
    source: RefCell<Option<EventSource>>,
    failures: RefCell<u32>,
    polling: RefCell<Option<IntervalHandle>>,
    channel: Option<Rc<BroadcastChannel>>,
}

fn follow_events(channel: Option<Rc<BroadcastChannel>>) {
    Rc::new(Stream {
        source: RefCell::default(),
        failures: RefCell::default(),
        polling: RefCell::default(),
        channel,
    })
    .connect();
}

impl Stream {
    fn connect(self: Rc<Self>) {
        let Ok(source) = EventSource::new(paths::EVENTS) else {
            return;
        };
        for (name, key) in [("connection", "id"), ("flow", "handle")] {
            let stream = self.clone();
            on(&source, name, move |event: MessageEvent| {
                let id = event
                    .data()
                    .as_string()
                    .and_then(|text| js_sys::JSON::parse(&text).ok())
                    .and_then(|data| browser::property(&data, key)?.as_string());
                stream.pass_on(&match (name, id) {
                    ("connection", Some(id)) => Change::Connection(id),
                    ("flow", Some(handle)) => Change::Attempt(handle),
                    _ => Change::Anything,
                });
            });
        }
        let stream = self.clone();
        on(&source, "open", move |_: JsValue| {
            let missed = stream.failures.replace(0) > 0;
            if let Some(polling) = stream.polling.take() {
                polling.clear();
            }
            if missed {
                stream.pass_on(&Change::Anything);
            }
        });
        let stream = self.clone();
        on(&source, "error", move |_: JsValue| {
            *stream.failures.borrow_mut() += 1;
            if *stream.failures.borrow() >= FAILURES_BEFORE_POLLING {
                stream.poll();
            }
        });
        self.source.replace(Some(source));
    }

    /// Every ten seconds until the stream is back. An answer other than 200
    /// closes an EventSource for good, so it is opened anew here.
    fn poll(self: &Rc<Self>) {
        if self.polling.borrow().is_some() {
            return;
        }
        let stream = self.clone();
        let tick = move || {
            stream.pass_on(&Change::Anything);
            let closed = stream
                .source
                .borrow()
                .as_ref()
                .is_some_and(|source| source.ready_state() == EventSource::CLOSED);
            if closed {
                stream.clone().connect();
            }
        };
        self.polling
            .replace(set_interval_with_handle(tick, Duration::from_secs(10)).ok());
    }

    fn pass_on(&self, change: &Change) {
        if let Some(channel) = &self.channel {
            let _ = channel.post_message(&JsValue::from_str(&change.encode()));
        }
        tell(change);
    }
}

/// Listens for as long as the page lives.
fn on<E: leptos::wasm_bindgen::convert::FromWasmAbi + 'static>(
    target: &web_sys::EventTarget,
    name: &str,
    listener: impl FnMut(E) + 'static,
) {
    let listener = Closure::<dyn FnMut(E)>::new(listener);
    let _ = target.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
    listener.forget();
}
