//! The style sheet: a reset, the files of `style/`, and the utility classes
//! that the pages use, in this order so that each may override what is before it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use encre_css::{Config, Preflight};

use super::source::{Finding, Source};

/// Classes that mark an element for `group-hover:` and the like; they have no CSS of their own.
const MARKERS: [&str; 2] = ["group", "peer"];

/// Builds the style sheet.
///
/// # Errors
/// When a page uses a class for which there is no CSS, which is most often a
/// spelling mistake that would otherwise go unseen.
pub fn build(root: &Path, sources: &[Source]) -> Result<String> {
    let styles = Styles::read(&root.join("style"))?;
    let config = config(&styles);

    let unknown: Vec<String> = unknown(&config, &styles, sources)
        .iter()
        .map(Finding::to_string)
        .collect();
    if !unknown.is_empty() {
        bail!("no CSS for these classes: {}", unknown.join(", "));
    }

    // A class that style/ defines wins over a utility that happens to have its name.
    let words: BTreeSet<&str> = sources
        .iter()
        .flat_map(Source::words)
        .filter(|word| !styles.classes.contains(*word))
        .collect();
    let mut reset = Config::default();
    reset.preflight = Preflight::new_full();
    let reset = encre_css::generate([], &reset);
    Ok(minify(
        &[reset, styles.text, encre_css::generate(words, &config)].join("\n"),
    ))
}

/// What `style/*.css` says, in order of file name.
struct Styles {
    text: String,
    classes: BTreeSet<String>,
    colors: BTreeSet<String>,
}

impl Styles {
    fn read(directory: &Path) -> Result<Self> {
        let mut paths: Vec<PathBuf> = fs::read_dir(directory)
            .with_context(|| format!("reading {}", directory.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "css"));
        paths.sort();
        let texts: Vec<String> = paths
            .iter()
            .map(fs::read_to_string)
            .collect::<Result<_, _>>()?;
        Ok(Self::new(texts.join("\n")))
    }

    fn new(text: String) -> Self {
        let bare = minify(&text);
        Self {
            classes: names_after(&bare, ".")
                .filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()))
                .collect(),
            // As in Tailwind, a custom property named `--color-x` makes `bg-x`, `text-x` and so on.
            colors: names_after(&bare, "--color-").collect(),
            text,
        }
    }
}

/// The identifiers that follow each `prefix`.
fn names_after<'a>(css: &'a str, prefix: &'a str) -> impl Iterator<Item = String> + 'a {
    css.match_indices(prefix).filter_map(move |(at, _)| {
        let name: String = css[at + prefix.len()..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        (!name.is_empty()).then_some(name)
    })
}

fn config(styles: &Styles) -> Config {
    let mut config = Config::default();
    config.preflight = Preflight::new_none();
    for color in &styles.colors {
        config
            .theme
            .colors
            .add(color.clone(), format!("var(--color-{color})"));
    }
    config
}

/// The classes that neither `style/` nor the utilities know, once each.
fn unknown(config: &Config, styles: &Styles, sources: &[Source]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let is_unknown = |finding: &Finding| {
        let name = finding.name.as_str();
        let marker = name.split('/').next().unwrap_or_default();
        !MARKERS.contains(&marker)
            && !styles.classes.contains(name)
            && encre_css::generate([name], config).trim().is_empty()
    };
    let new = sources
        .iter()
        .flat_map(Source::classes)
        .filter(|finding| seen.insert(finding.name.clone()));
    new.filter(is_unknown).collect()
}

/// Removes comments and the white space that means nothing.
///
/// Deliberately modest: what a combinator or a `calc()` may need stays.
fn minify(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(next) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if next == '"' || next == '\'' {
            let end = end_of_string(rest);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if next.is_whitespace() {
            rest = rest.trim_start();
            let needless = |c: char| matches!(c, '{' | '}' | ';' | ',');
            if !out.is_empty()
                && !out.ends_with(|c| needless(c) || c == ' ')
                && !rest.starts_with(needless)
            {
                out.push(' ');
            }
        } else {
            if next == '}' && out.ends_with(';') {
                out.pop();
            }
            // A comment may have hidden that the space before was needless.
            if matches!(next, '{' | '}' | ';' | ',') && out.ends_with(' ') {
                out.pop();
            }
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out.trim_end().to_owned()
}

/// The length of the string literal that `css` begins with.
fn end_of_string(css: &str) -> usize {
    let quote = css.chars().next();
    let mut escaped = false;
    for (at, c) in css.char_indices().skip(1) {
        if !escaped && Some(c) == quote {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    css.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_in(style: &str, page: &str) -> Vec<String> {
        let styles = Styles::new(style.to_owned());
        let page = format!("view! {{ <p class=\"{page}\"/> }}");
        let source = Source::parse(Path::new("page.rs"), &page).unwrap();
        unknown(&config(&styles), &styles, &[source])
            .into_iter()
            .map(|finding| finding.name)
            .collect()
    }

    #[test]
    fn a_misspelt_class_is_named_and_the_others_are_not() {
        let style = ":root { --color-brand: #123; } .card { padding: .5rem } .card > .title:hover { margin: 0 }";
        let page = "mt-2 bg-brand bg-brnad hover:text-brand/50 card title group peer/name 5rem mt-2 bg-brnad";
        assert_eq!(unknown_in(style, page), ["bg-brnad", "5rem"]);
    }

    #[test]
    fn a_color_of_the_style_becomes_a_utility() {
        let config = config(&Styles::new(":root{--color-brand:#123}".into()));
        let css = minify(&encre_css::generate(["bg-brand"], &config));
        assert_eq!(css, ".bg-brand{background-color: var(--color-brand)}");
    }

    #[test]
    fn minifying_keeps_what_has_meaning() {
        let css = "a { /* note; */ margin : calc(1px + 2px) ; }\n\n.b > .c , d e:hover /* x */ { content: \"  ; \\\" }\" }";
        assert_eq!(
            minify(css),
            "a{margin : calc(1px + 2px)}.b > .c,d e:hover{content: \"  ; \\\" }\"}"
        );
    }
}
