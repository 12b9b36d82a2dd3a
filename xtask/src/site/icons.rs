//! The icons: one sprite with a symbol for every icon of the pages (`ui-NAME`),
//! and one small file for every brand that a catalog entry names.
//!
//! Pages draw the sprite's icons in the colour of the text, on every visit.
//! Brands are many and keep their colours: as files of their own, only those
//! that come into sight are fetched. All are taken from npm packages; nothing
//! is drawn here.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::source::Source;

/// The icons and where they come from.
pub struct Icons {
    /// An SVG file of symbols.
    pub sprite: String,
    /// An SVG file for each brand, by the slug that entries name it by.
    pub brands: BTreeMap<String, String>,
    /// Names, versions and licences of the packages used, for people.
    pub notice: String,
}

/// What the catalog puts before a UI icon where no package has the brand:
/// `lucide-store`.
const UNBRANDED: &str = "lucide-";

/// Where a symbol is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Package {
    /// Brand marks in one colour. Some brands asked to be left out.
    SimpleIcons,
    /// Brand marks in their colours: for the brands that Simple Icons lacks.
    Logos,
    /// UI icons, which also stand for what has no brand.
    Lucide,
}

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::SimpleIcons => "simple-icons",
            Self::Logos => "@iconify-json/logos",
            Self::Lucide => "lucide-static",
        }
    }
}

/// What a mark without a readable colour of its own is drawn in: brands stand
/// on a white plate in both themes.
const INK: &str = "#24302f";

/// One icon.
struct Symbol {
    package: Package,
    /// Attributes and content of the `<symbol>` or `<svg>`.
    attributes: String,
    content: String,
}

impl Symbol {
    /// As a file of its own, where no text gives it a colour.
    fn file(&self) -> String {
        let Self {
            attributes,
            content,
            ..
        } = self;
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" {attributes}>{content}</svg>\n")
            .replace("currentColor", INK)
    }
}

/// Builds all icons that catalog and pages name.
///
/// # Errors
/// When an icon is in none of the packages.
pub fn build(root: &Path, packages: &Path, sources: &[Source]) -> Result<Icons> {
    let packages = Packages::open(packages)?;
    let (mut brand, mut symbols) = (BTreeMap::new(), BTreeMap::new());
    for (slug, file) in brands(&root.join("server/hub/catalog"))? {
        let symbol = packages
            .brand(&slug)
            .with_context(|| format!("icon of {}", file.display()))?;
        brand.insert(slug, symbol);
    }
    for icon in sources.iter().flat_map(Source::icons) {
        let symbol = packages
            .lucide(&icon.name)?
            .with_context(|| format!("Lucide has no icon {icon}"))?;
        symbols.insert(format!("ui-{}", icon.name), symbol);
    }
    let files = brand
        .iter()
        .map(|(slug, symbol)| (slug.clone(), symbol.file()));
    Ok(Icons {
        sprite: sprite(&symbols),
        brands: files.collect(),
        notice: packages.notice(brand.iter().chain(&symbols))?,
    })
}

/// The icons that catalog entries name, with one file that names them.
fn brands(catalog: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut brands = BTreeMap::new();
    for entry in fs::read_dir(catalog).with_context(|| format!("reading {}", catalog.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = fs::read_to_string(&path)?;
            let entry: toml::Table =
                toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
            let icon = entry
                .get("brand")
                .and_then(|brand| brand.get("icon"))
                .and_then(toml::Value::as_str);
            brands.extend(icon.map(|icon| (icon.to_owned(), path)));
        }
    }
    Ok(brands)
}

fn sprite(symbols: &BTreeMap<String, Symbol>) -> String {
    let mut sprite = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\">");
    for (
        id,
        Symbol {
            attributes,
            content,
            ..
        },
    ) in symbols
    {
        // Writing to a String cannot fail.
        let _ = write!(
            sprite,
            "\n<symbol id=\"{id}\" {attributes}>{content}</symbol>"
        );
    }
    sprite.push_str("\n</svg>\n");
    sprite
}

/// The installed icon packages.
struct Packages {
    directory: PathBuf,
    /// Brand colour (`RRGGBB`) by slug.
    colors: BTreeMap<String, String>,
    logos: Value,
}

impl Packages {
    fn open(directory: &Path) -> Result<Self> {
        let json = |path: &str| -> Result<Value> {
            let text = fs::read_to_string(directory.join(path))
                .with_context(|| format!("reading {path}"))?;
            Ok(serde_json::from_str(&text)?)
        };
        let data = json("simple-icons/data/simple-icons.json")?;
        let color = |icon: &Value| {
            Some((
                icon["slug"].as_str()?.to_owned(),
                icon["hex"].as_str()?.to_owned(),
            ))
        };
        let colors = data
            .as_array()
            .context("simple-icons changed its data")?
            .iter()
            .filter_map(color)
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            colors,
            logos: json("@iconify-json/logos/icons.json")?,
        })
    }

    /// The mark for a catalog entry, from the first package that has it.
    fn brand(&self, slug: &str) -> Result<Symbol> {
        if let Some(name) = slug.strip_prefix(UNBRANDED) {
            return self
                .lucide(name)?
                .with_context(|| format!("Lucide has no icon `{name}`"));
        }
        if let Some(symbol) = self.simple_icon(slug)? {
            return Ok(symbol);
        }
        self.logo(slug)?.with_context(|| {
            let (first, second) = (Package::SimpleIcons.name(), Package::Logos.name());
            format!("neither {first} nor {second} has `{slug}`")
        })
    }

    fn simple_icon(&self, slug: &str) -> Result<Option<Symbol>> {
        let Some(color) = self.colors.get(slug) else {
            return Ok(None);
        };
        let svg = self
            .read(Package::SimpleIcons, slug)?
            .context("a slug without a file")?;
        let (_, path) = svg
            .split_once("</title>")
            .context("simple-icons changed its format")?;
        let fill = match is_readable(color)? {
            true => format!("#{color}"),
            false => INK.to_owned(),
        };
        Ok(Some(Symbol {
            package: Package::SimpleIcons,
            attributes: format!("viewBox=\"0 0 24 24\" fill=\"{fill}\""),
            content: path.trim_end().trim_end_matches("</svg>").to_owned(),
        }))
    }

    fn logo(&self, slug: &str) -> Result<Option<Symbol>> {
        // `slack` is the word mark; `slack-icon` is the mark alone, and that fits a row.
        let icons = &self.logos["icons"];
        let Some(icon) = icons
            .get(format!("{slug}-icon"))
            .or_else(|| icons.get(slug))
        else {
            return Ok(None);
        };
        let body = icon["body"].as_str().context("an icon without a body")?;
        let number = |key: &str, default: f64| {
            icon[key]
                .as_f64()
                .or_else(|| self.logos[key].as_f64())
                .unwrap_or(default)
        };
        let (left, top) = (number("left", 0.0), number("top", 0.0));
        let (width, height) = (number("width", 16.0), number("height", 16.0));
        Ok(Some(Symbol {
            package: Package::Logos,
            attributes: format!("viewBox=\"{left} {top} {width} {height}\""),
            content: body.to_owned(),
        }))
    }

    fn lucide(&self, name: &str) -> Result<Option<Symbol>> {
        let Some(svg) = self.read(Package::Lucide, name)? else {
            return Ok(None);
        };
        let content = svg
            .split_once("<svg")
            .and_then(|(_, svg)| svg.split_once('>'))
            .and_then(|(_, content)| content.split_once("</svg>"))
            .context("lucide changed its format")?
            .0;
        Ok(Some(Symbol {
            package: Package::Lucide,
            attributes:
                "viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" \
                         stroke-linecap=\"round\" stroke-linejoin=\"round\""
                    .to_owned(),
            content: content.lines().map(str::trim).collect(),
        }))
    }

    fn read(&self, package: Package, icon: &str) -> Result<Option<String>> {
        let path = self
            .directory
            .join(package.name())
            .join("icons")
            .join(icon)
            .with_extension("svg");
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(fs::read_to_string(path)?))
    }

    /// Says which symbols come from which package, under which licence.
    fn notice<'s>(
        &self,
        symbols: impl Iterator<Item = (&'s String, &'s Symbol)>,
    ) -> Result<String> {
        let mut by_package = BTreeMap::<Package, Vec<&str>>::new();
        for (id, symbol) in symbols {
            by_package.entry(symbol.package).or_default().push(id);
        }
        let mut notice = String::from(
            "Icons in this product\n\n\
             Brand marks are trademarks of their owners. They name the service that a\n\
             connection leads to and do not imply any endorsement.\n",
        );
        for (package, ids) in by_package {
            let directory = self.directory.join(package.name());
            let about: Value =
                serde_json::from_str(&fs::read_to_string(directory.join("package.json"))?)?;
            write!(
                notice,
                "\n{} {}, {}\n{}\n",
                package.name(),
                about["version"]
                    .as_str()
                    .context("a package without a version")?,
                about["license"]
                    .as_str()
                    .context("a package without a licence")?,
                ids.join(", "),
            )?;
            // CC0 asks for nothing; the ISC licence wants its text to travel along.
            if package == Package::Lucide {
                write!(
                    notice,
                    "\n{}",
                    fs::read_to_string(directory.join("LICENSE"))?
                )?;
            }
        }
        Ok(notice)
    }
}

/// Whether a colour (`RRGGBB`) stands out from the white plate.
///
/// By the contrast formula of WCAG 2.2. A mark is recognised at less contrast
/// than text needs: 2 keeps Shopify's green and drops Snapchat's yellow.
fn is_readable(color: &str) -> Result<bool> {
    const ENOUGH: f64 = 2.0;
    Ok(1.05 / (luminance(color)? + 0.05) >= ENOUGH)
}

/// Relative luminance, 0 for black to 1 for white.
fn luminance(color: &str) -> Result<f64> {
    let bits = u32::from_str_radix(color, 16).with_context(|| format!("`{color}` is no colour"))?;
    let channel = |shift: u32| {
        let value = f64::from((bits >> shift) & 0xff) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    Ok(0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_keeps_its_colour_only_where_it_can_be_seen() {
        assert!(is_readable("7AB55C").unwrap(), "Shopify");
        assert!(is_readable("635BFF").unwrap(), "Stripe");
        assert!(is_readable("181717").unwrap(), "GitHub");
        assert!(!is_readable("FFFC00").unwrap(), "Snapchat is lost on white");
        assert!(is_readable("green").is_err());
    }

    #[test]
    fn a_sprite_is_one_symbol_per_icon_in_a_fixed_order() {
        let symbol = |content: &str| Symbol {
            package: Package::Lucide,
            attributes: "viewBox=\"0 0 24 24\"".into(),
            content: content.into(),
        };
        let symbols = BTreeMap::from([
            ("ui-check".to_owned(), symbol("<path d=\"M20 6\"/>")),
            ("ui-x".to_owned(), symbol("<path d=\"M1 1\"/>")),
        ]);
        assert_eq!(
            sprite(&symbols),
            "<svg xmlns=\"http://www.w3.org/2000/svg\">\n\
             <symbol id=\"ui-check\" viewBox=\"0 0 24 24\"><path d=\"M20 6\"/></symbol>\n\
             <symbol id=\"ui-x\" viewBox=\"0 0 24 24\"><path d=\"M1 1\"/></symbol>\n\
             </svg>\n"
        );
    }

    #[test]
    fn a_mark_as_a_file_has_its_colour_in_it() {
        let mark = Symbol {
            package: Package::Lucide,
            attributes: "stroke=\"currentColor\"".into(),
            content: "<path fill=\"currentColor\"/>".into(),
        };
        let file = mark.file();
        assert!(!file.contains("currentColor"), "{file}");
        assert_eq!(file.matches(INK).count(), 2, "{file}");
    }

    #[test]
    fn brands_are_read_from_the_catalog() {
        let directory =
            std::env::temp_dir().join(format!("linkwell-catalog-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("shop.toml"), "[brand]\nicon = \"shopify\"").unwrap();
        fs::write(directory.join("plain.toml"), "id = \"plain\"").unwrap();
        fs::write(directory.join("README.md"), "icon").unwrap();
        let brands = brands(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(brands.into_keys().collect::<Vec<_>>(), ["shopify"]);
    }
}
