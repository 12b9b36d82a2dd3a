//! The site inside the binary: `dist/` as `cargo xtask site` left it.
//!
//! File names carry a hash of their content, so browsers may keep them for
//! good. Every file is embedded as it is and as Brotli.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use serde::Deserialize;

/// The directory under which hashed files are served, as leptos wants it: without slashes.
pub const DIRECTORY: &str = "assets";

/// Hashed names never change their content: a year is what caches call for ever.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// For the few files whose address is fixed by convention.
const A_DAY: &str = "public, max-age=86400";

#[derive(RustEmbed)]
#[folder = "../dist"]
#[allow_missing = true]
struct Site;

/// Which file carries which name.
#[derive(Debug, Default, Deserialize)]
pub struct Manifest {
    hydration: String,
    files: BTreeMap<String, String>,
    /// What the addresses of many small files begin with.
    #[serde(default)]
    families: BTreeMap<String, String>,
}

impl Manifest {
    /// The name shared by the browser's program and its glue: the `output_name`
    /// that leptos completes to `NAME.js` and `NAME_bg.wasm`.
    pub fn hydration(&self) -> &str {
        &self.hydration
    }

    /// The address of the style sheet.
    pub fn css(&self) -> String {
        self.url("site.css")
    }

    /// The address of the icon sprite, to which `#ui-…` is added.
    pub fn icons(&self) -> String {
        self.url("icons.svg")
    }

    /// What the address of a brand's mark begins with; `xero.svg` completes it.
    pub fn brands(&self) -> String {
        let prefix = self.families.get("brand").map_or("brand-", String::as_str);
        format!("/{DIRECTORY}/{prefix}")
    }

    /// The address of the product's own mark.
    pub fn favicon(&self) -> String {
        self.url("favicon.svg")
    }

    /// The address of a file of the site by its plain name, such as `NOTICE.txt`.
    ///
    /// A name that the site does not have is answered by an address that gives
    /// 404: pages stay readable without it.
    pub fn url(&self, name: &str) -> String {
        let file = self.files.get(name).map_or(name, String::as_str);
        format!("/{DIRECTORY}/{file}")
    }
}

/// The manifest of the embedded site; an empty one, with a warning, when the
/// binary was compiled without a site.
pub fn manifest() -> &'static Manifest {
    static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
        let file = Site::get("manifest.json");
        file.and_then(|file| serde_json::from_slice(&file.data).ok())
            .unwrap_or_else(|| {
                tracing::warn!(
                    "this binary carries no site; `cargo xtask build` makes one that does"
                );
                Manifest::default()
            })
    });
    &MANIFEST
}

/// Serves the site's files.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let named = |name: &'static str| {
        get(move |headers: HeaderMap| async move {
            let file = manifest().files.get(name).map_or(name, String::as_str);
            answer(file, &headers, A_DAY)
        })
    };
    Router::new()
        .route(
            &format!("/{DIRECTORY}/{{file}}"),
            get(|Path(file): Path<String>, headers: HeaderMap| async move {
                answer(&file, &headers, FOREVER)
            }),
        )
        // Browsers ask for this address unasked; they take the kind from the header.
        .route("/favicon.ico", named("favicon.svg"))
        .route("/robots.txt", named("robots.txt"))
}

fn answer(file: &str, headers: &HeaderMap, cache: &'static str) -> Response {
    let path = format!("{DIRECTORY}/{file}");
    // Only kinds the site has: the Brotli forms have no address of their own.
    let Some((kind, plain)) = content_type(file).zip(Site::get(&path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let compressed = accepts_brotli(headers)
        .then(|| Site::get(&format!("{path}.br")))
        .flatten();
    let encoding = compressed
        .is_some()
        .then_some([(header::CONTENT_ENCODING, "br")]);
    let content: Cow<'static, [u8]> = compressed.unwrap_or(plain).data;
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, cache),
            (header::VARY, "accept-encoding"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        encoding,
        content,
    )
        .into_response()
}

fn content_type(file: &str) -> Option<&'static str> {
    Some(match file.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => return None,
    })
}

/// Whether the browser takes Brotli: named, and not with a quality of zero.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("br"));
            let refused = parts
                .filter_map(|parameter| parameter.strip_prefix("q="))
                .any(|quality| quality.parse() == Ok(0.0_f32));
            named && !refused
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accepting(codings: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))])
    }

    #[test]
    fn brotli_is_sent_only_to_those_who_take_it() {
        assert!(accepts_brotli(&accepting("gzip, deflate, br, zstd")));
        assert!(accepts_brotli(&accepting("BR;q=0.5")));
        assert!(!accepts_brotli(&accepting("br;q=0, gzip")));
        assert!(!accepts_brotli(&accepting("br; q=0.000")));
        assert!(!accepts_brotli(&accepting("gzip, brotli")));
        assert!(!accepts_brotli(&HeaderMap::new()));
    }

    #[test]
    fn what_the_site_does_not_have_is_not_found() {
        for file in [
            "site.css",
            "../manifest.json",
            "missing.js",
            "site.css.br",
            "",
        ] {
            assert_eq!(
                answer(file, &HeaderMap::new(), FOREVER).status(),
                StatusCode::NOT_FOUND,
                "{file}"
            );
        }
    }

    /// Tests run through `cargo xtask test`, which builds the site first.
    #[test]
    fn every_file_of_the_site_is_served_with_its_kind_for_good() {
        let manifest = manifest();
        for url in [
            manifest.css(),
            manifest.icons(),
            manifest.favicon(),
            manifest.url("robots.txt"),
        ] {
            let file = url.strip_prefix("/assets/").unwrap();
            assert!(manifest.files.values().any(|known| known == file), "{url}");
        }
        let hydration = [
            format!("{}.js", manifest.hydration),
            format!("{}_bg.wasm", manifest.hydration),
        ];
        for file in manifest.files.values().chain(&hydration) {
            let plain = answer(file, &HeaderMap::new(), FOREVER);
            assert_eq!(plain.status(), StatusCode::OK, "{file}");
            assert_eq!(plain.headers()[header::CACHE_CONTROL], FOREVER);
            assert_eq!(plain.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        }
        let brand = format!("{}shopify.svg", manifest.brands());
        let brand = answer(
            brand.strip_prefix("/assets/").unwrap(),
            &HeaderMap::new(),
            FOREVER,
        );
        assert_eq!(brand.status(), StatusCode::OK);
        assert_eq!(brand.headers()[header::CONTENT_TYPE], "image/svg+xml");
        let wasm = answer(&hydration[1], &accepting("br"), FOREVER);
        assert_eq!(wasm.headers()[header::CONTENT_TYPE], "application/wasm");
        assert_eq!(wasm.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(wasm.headers()[header::VARY], "accept-encoding");
    }
}
