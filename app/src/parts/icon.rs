//! Icons of the pages come from one sprite; the marks of brands are files of
//! their own, so that of many only those that come into sight are fetched.

use leptos::{either::Either, prelude::*};

use crate::model::Provider;

/// Where files are. The server knows it; the islands read it from the page.
#[cfg(feature = "ssr")]
fn addresses() -> (String, String) {
    use_context::<crate::Site>()
        .map(|site| (site.icons, site.brands))
        .unwrap_or_default()
}

#[cfg(not(feature = "ssr"))]
fn addresses() -> (String, String) {
    let html = document().document_element();
    let said = |name| html.as_ref().and_then(|html| html.get_attribute(name));
    (
        said("data-icons").unwrap_or_default(),
        said("data-brands").unwrap_or_default(),
    )
}

/// A drawn sign, always beside a word that says the same.
#[component]
pub fn Icon(
    /// The lucide name, as a literal: the sprite is made from these.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use_ href=format!("{}#ui-{name}", addresses().0)></use_>
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
        Some(slug) => Either::Left(view! {
            <img
                class="brand"
                src=format!("{}{slug}.svg", addresses().1)
                alt=""
                width="24"
                height="24"
                loading="lazy"
            />
        }),
        None => {
            let letter: String = provider.name.chars().take(1).collect();
            Either::Right(view! { <span class="brand-letter" aria-hidden="true">{letter}</span> })
        }
    };
    view! { <span class="plate">{mark}</span> }
}
