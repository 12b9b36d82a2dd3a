//! The WASM entry: wakes the islands of a page that the server rendered.
#![cfg(target_arch = "wasm32")]

// Nothing here names an island. The linker would drop the whole crate, and with
// it the exported functions that the page calls island by island.
use app as _;

/// Called by the page once the WASM is loaded.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
