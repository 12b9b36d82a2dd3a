//! Icons: all of them come from one sprite.

use leptos::{either::Either, prelude::*};

use crate::model::Provider;

/// The sprite's address. The server knows it; the islands read it from the page.
#[cfg(feature = "ssr")]
fn sprite() -> String {
    use_context::<crate::Site>()
        .map(|site| site.icons)
        .unwrap_or_default()
}

#[cfg(not(feature = "ssr"))]
fn sprite() -> String {
    document()
        .document_element()
        .and_then(|html| html.get_attribute("data-icons"))
        .unwrap_or_default()
}

/// A drawn sign, always beside a word that says the same.
#[component]
pub fn Icon(
    /// The lucide name, as a literal: the sprite is made from these.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use_ href=format!("{}#ui-{name}", sprite())></use_>
        </svg>
    }
}

/// A provider's mark on a neutral plate, which keeps dark marks visible in both themes.
#[component]
pub fn BrandPlate(
    /// Whose mark.
    provider: Provider,
) -> impl IntoView {
    let mark = match provider.icon {
        Some(symbol) => Either::Left(view! {
            <svg class="brand" aria-hidden="true" focusable="false">
                <use_ href=format!("{}#{symbol}", sprite())></use_>
            </svg>
        }),
        None => {
            let letter: String = provider.name.chars().take(1).collect();
            Either::Right(view! { <span class="brand-letter" aria-hidden="true">{letter}</span> })
        }
    };
    view! { <span class="plate">{mark}</span> }
}
