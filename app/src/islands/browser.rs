//! The few things islands ask of the browser.

use js_sys::Uint8Array;
use leptos::prelude::{document, window};
use leptos::wasm_bindgen::{JsCast, JsValue};
use leptos::web_sys::{Event, EventTarget, HtmlElement, HtmlFormElement};
use serde::de::DeserializeOwned;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomParser, FormData, RequestInit, Response, SupportedType, UrlSearchParams};

use crate::paths;

/// Seconds since the epoch by the browser's clock; only differences count.
pub fn seconds() -> i64 {
    (js_sys::Date::now() / 1_000.0) as i64
}

/// Reads JSON; nothing when the answer is anything but what was asked for.
/// A session that has ended reloads the page, which then asks to sign in.
pub async fn read<T: DeserializeOwned>(path: &str) -> Option<T> {
    serde_json::from_str(&fetch_text(path).await?).ok()
}

async fn fetch_text(path: &str) -> Option<String> {
    let answer = JsFuture::from(window().fetch_with_str(path)).await.ok()?;
    let answer: Response = answer.dyn_into().ok()?;
    if answer.status() == 401 {
        let _ = window().location().reload();
    }
    if !answer.ok() {
        return None;
    }
    let text = JsFuture::from(answer.text().ok()?).await.ok()?;
    text.as_string()
}

/// Posts a form's fields; whether the server accepted them.
pub async fn post(path: &str, fields: &[(&str, &str)]) -> bool {
    let Ok(body) = UrlSearchParams::new() else {
        return false;
    };
    for (name, value) in fields {
        body.append(name, value);
    }
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_body(&body);
    let answer = JsFuture::from(window().fetch_with_str_and_init(path, &request)).await;
    answer
        .ok()
        .and_then(|answer| answer.dyn_into::<Response>().ok())
        .is_some_and(|answer| answer.ok())
}

/// 128 random bits as unpadded base64url, or nothing when the browser has no
/// generator: the server then makes the handle.
pub fn random_handle() -> Option<String> {
    let bytes = Uint8Array::new_with_length(16);
    window()
        .crypto()
        .ok()?
        .get_random_values_with_array_buffer_view(&bytes)
        .ok()?;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = 0u32;
    let mut held = 0;
    let mut handle = String::with_capacity(22);
    for byte in bytes.to_vec() {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 6 {
            held -= 6;
            handle.push(ALPHABET[(bits >> held & 63) as usize] as char);
        }
    }
    handle.push(ALPHABET[(bits << (6 - held) & 63) as usize] as char);
    Some(handle)
}

/// Says something through the page's polite live region.
pub fn announce(text: &str) {
    if let Some(region) = document().get_element_by_id("announcer") {
        region.set_text_content(Some(text));
    }
}

/// The element that has the focus, unless that is the page itself.
pub fn focused() -> Option<HtmlElement> {
    let element = document().active_element()?;
    let element: HtmlElement = element.dyn_into().ok()?;
    (element.tag_name() != "BODY").then_some(element)
}

/// Gives the focus to the first link of the row with this id, without scrolling.
pub fn focus_row(id: &str) {
    let link = document()
        .get_element_by_id(id)
        .and_then(|row| row.query_selector("a, button").ok().flatten())
        .and_then(|link| link.dyn_into::<HtmlElement>().ok());
    if let Some(link) = link {
        let _ = link.focus();
    }
}

/// Gives the focus to a heading, and brings it into sight.
pub fn focus_and_show(element: &HtmlElement) {
    let _ = element.focus();
    element.scroll_into_view();
}

/// Gives the focus to the submit button of the form an event came from.
pub fn focus_submit(target: Option<EventTarget>) {
    let button = target
        .and_then(|target| target.dyn_into::<HtmlElement>().ok())
        .and_then(|element| element.closest("form").ok().flatten())
        .and_then(|form| form.query_selector("[type=submit]").ok().flatten());
    if let Some(button) = button {
        let _ = button.unchecked_into::<HtmlElement>().focus();
    }
}

/// Posts a form and takes over what the page it leads to has in one element;
/// goes to that page when it is another one or has no such element.
pub async fn take_turn(form: &HtmlFormElement, id: &str) {
    let posted = async {
        let data = FormData::new_with_form(form).ok()?;
        let body = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
        let request = RequestInit::new();
        request.set_method("POST");
        request.set_body(&body);
        let sent = window().fetch_with_str_and_init(&form.action(), &request);
        let answer: Response = JsFuture::from(sent).await.ok()?.dyn_into().ok()?;
        let html = JsFuture::from(answer.text().ok()?)
            .await
            .ok()?
            .as_string()?;
        Some((answer.url(), html))
    };
    let Some((address, html)) = posted.await else {
        // The form itself says what is wrong with the way there.
        let _ = form.submit();
        return;
    };
    let here = window().location().pathname().unwrap_or_default();
    let elsewhere = !address
        .split('?')
        .next()
        .unwrap_or_default()
        .ends_with(&here);
    if elsewhere || !take_over(&html, id) {
        let _ = window().location().set_href(&address);
        return;
    }
    let problem = document().query_selector("#wizard [aria-invalid]");
    let next = document().query_selector("#wizard .form input:not([type=hidden]), #wizard .form textarea, #wizard .form select, #wizard [data-focus]");
    if let Some(control) = problem.ok().flatten().or(next.ok().flatten()) {
        let _ = control.unchecked_into::<HtmlElement>().focus();
    }
}

/// Fetches this page again and takes over what it has in one element, so that
/// what the server draws is drawn in one place only.
pub async fn draw_again(id: &str) {
    let Ok(page) = window().location().href() else {
        return;
    };
    let Some(html) = fetch_text(&page).await else {
        return;
    };
    take_over(&html, id);
}

/// Reads anew how much is behind the bell.
pub async fn draw_bell() {
    if let Some(html) = fetch_text(paths::BELL_VIEW).await {
        take_over(&html, paths::BELL);
    }
}

/// Puts what a page has in one element into this one's; whether both have it.
fn take_over(html: &str, id: &str) -> bool {
    let fresh = DomParser::new()
        .and_then(|parser| parser.parse_from_string(html, SupportedType::TextHtml))
        .ok()
        .and_then(|fresh| fresh.get_element_by_id(id));
    let (Some(fresh), Some(shown)) = (fresh, document().get_element_by_id(id)) else {
        return false;
    };
    if fresh.inner_html() != shown.inner_html() {
        shown.set_inner_html(&fresh.inner_html());
    }
    true
}

/// Closes the menu an event came from.
pub fn close_menu(event: &Event) {
    let menu = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlElement>().ok())
        .and_then(|element| element.closest("[popover]").ok().flatten());
    if let Some(menu) = menu {
        let _ = menu.unchecked_into::<HtmlElement>().hide_popover();
    }
}

/// A property of a value the typed bindings do not know.
pub fn property(of: &JsValue, name: &str) -> Option<JsValue> {
    js_sys::Reflect::get(of, &JsValue::from_str(name))
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}
