//! The HTML around every page.

use leptos::{hydration::HydrationScripts, prelude::*};
use leptos_meta::MetaTags;

use crate::site::{Site, Visit};

/// A whole document: the head with the site's files, and the page as its body.
#[component]
pub fn Document(
    /// Where the site's files are.
    site: Site,
    /// The page.
    children: Children,
) -> impl IntoView {
    let theme = Visit::current().theme;
    let Site {
        css,
        favicon,
        copy_js,
        icons,
        brands,
        options,
        ..
    } = site;
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.attribute() data-icons=icons data-brands=brands>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href=favicon/>
                <link rel="stylesheet" href=css/>
                <script src=copy_js defer></script>
                // Where scripts are off, the islands' program is not fetched ahead either.
                <HydrationScripts options islands=true attr:media="(scripting: enabled)"/>
                <MetaTags/>
            </head>
            <body>{children()}</body>
        </html>
    }
}
