//! What the site needs to know about the Rust sources of the pages: which
//! classes and icons they name.
//!
//! The files are lexed rather than searched, so comments and documentation do
//! not count and every finding has its line.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, LineColumn, Spacing, TokenStream, TokenTree};

/// One Rust file of `app/`.
pub struct Source {
    path: PathBuf,
    tokens: Vec<Token>,
}

/// Something a source names, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The class or icon.
    pub name: String,
    file: PathBuf,
    line: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ({}:{})",
            self.name,
            self.file.display(),
            self.line
        )
    }
}

/// A token with its groups flattened into opening and closing tokens.
struct Token {
    text: String,
    start: LineColumn,
    end: LineColumn,
}

impl Source {
    /// Every file of `app/src`, in order of path.
    pub fn read_all(root: &Path) -> Result<Vec<Self>> {
        let mut paths = Vec::new();
        rust_files(&root.join("app/src"), &mut paths)?;
        paths.sort();
        let read = |path: &PathBuf| {
            let path_here = path.strip_prefix(root).unwrap_or(path);
            Self::parse(path_here, &fs::read_to_string(path)?)
        };
        paths.iter().map(read).collect()
    }

    /// Lexes one file; `path` is what findings will name.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let stream =
            TokenStream::from_str(text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Ok(Self {
            path: path.to_owned(),
            tokens,
        })
    }

    /// The words of every string: whatever a page may ever use as a class.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.tokens
            .iter()
            .filter_map(Token::string)
            .flat_map(str::split_whitespace)
    }

    /// The words that are certainly meant as classes: those of `class="…"`,
    /// `class=("…", condition)` and `class:…=condition`.
    pub fn classes(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            if token.text != "class" {
                continue;
            }
            let rest = &self.tokens[index + 1..];
            let is = |at: usize, text: &str| rest.get(at).is_some_and(|token| token.text == text);
            if is(0, "=") {
                let literal = rest.get(if is(1, "(") { 2 } else { 1 });
                let words = literal
                    .and_then(Token::string)
                    .unwrap_or_default()
                    .split_whitespace();
                findings.extend(words.map(|word| self.finding(word, token)));
            } else if is(0, ":") && rest.get(1).is_some_and(|next| next.follows(&rest[0])) {
                findings.extend(directive(&rest[1..]).map(|word| self.finding(&word, token)));
            }
        }
        findings
    }

    /// The UI icons: the names in `<Icon name="…">`.
    pub fn icons(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, window) in self.tokens.windows(2).enumerate() {
            if window[0].text == "<" && window[1].text == "Icon" {
                let attributes = self.tokens[index + 2..]
                    .split(|token| token.text == ">")
                    .next();
                let name = attributes.and_then(|attributes| attribute(attributes, "name"));
                findings.extend(name.map(|name| self.finding(name, &window[1])));
            }
        }
        findings
    }

    fn finding(&self, name: &str, token: &Token) -> Finding {
        Finding {
            name: name.to_owned(),
            file: self.path.clone(),
            line: token.start.line,
        }
    }
}

impl Token {
    /// The content of a string literal, with its escapes as written.
    fn string(&self) -> Option<&str> {
        let text = self
            .text
            .strip_prefix('r')
            .unwrap_or(&self.text)
            .trim_matches('#');
        text.strip_prefix('"')?.strip_suffix('"')
    }

    /// Whether nothing, not even a space, is between `earlier` and this.
    fn follows(&self, earlier: &Token) -> bool {
        earlier.end == self.start
    }
}

/// The string in `key="…"` among the attributes of an element.
fn attribute<'a>(attributes: &'a [Token], key: &str) -> Option<&'a str> {
    attributes
        .windows(3)
        .find(|window| window[0].text == key && window[1].text == "=")
        .and_then(|window| window[2].string())
}

/// The class in `class:NAME=`, from `NAME` on: adjacent tokens up to the `=`.
fn directive(tokens: &[Token]) -> Option<String> {
    let mut name = String::new();
    for (index, token) in tokens.iter().enumerate() {
        if index > 0 && !token.follows(&tokens[index - 1]) {
            return None;
        }
        match token.text.as_str() {
            "=" => return Some(name),
            text => name.push_str(text),
        }
    }
    None
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut after_hash = false;
    for tree in stream {
        let span = tree.span();
        // Attributes, and with them documentation, are not part of a page.
        let is_hash = matches!(&tree, TokenTree::Punct(punct)
            if punct.as_char() == '#' || (after_hash && punct.as_char() == '!' && punct.spacing() == Spacing::Alone));
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Bracket if after_hash => {
                        after_hash = false;
                        continue;
                    }
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                let token = |text: &str, span: proc_macro2::Span| Token {
                    text: text.to_owned(),
                    start: span.start(),
                    end: span.end(),
                };
                tokens.push(token(open, group.span_open()));
                flatten(group.stream(), tokens);
                tokens.push(token(close, group.span_close()));
            }
            tree => tokens.push(Token {
                text: tree.to_string(),
                start: span.start(),
                end: span.end(),
            }),
        }
        after_hash = is_hash;
    }
}

fn rust_files(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse(Path::new("page.rs"), text).unwrap()
    }

    fn names(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.name).collect()
    }

    #[test]
    fn classes_are_found_in_every_form_and_nowhere_else() {
        let source = source(
            r##"
            // class="in-a-comment"
            /// class="in-documentation"
            #[doc(alias = "class=\"in-an-attribute\"")]
            struct Row { class: String }
            let view = view! {
                <p class="mt-2 text-sm/6" id="not-a-class">"Some text"</p>
                <p class=("font-bold", strong) class:md:hover:w-1/2=wide class:open=true class=move || name() />
            };
            "##,
        );
        assert_eq!(
            names(source.classes()),
            ["mt-2", "text-sm/6", "font-bold", "md:hover:w-1/2", "open"]
        );
    }

    #[test]
    fn words_come_from_strings_only() {
        let source = source(
            "/// documented\nlet flex = if wide { \"w-full p-2\" } else { r#\"w-4\"# }; // hidden",
        );
        assert_eq!(source.words().collect::<Vec<_>>(), ["w-full", "p-2", "w-4"]);
    }

    #[test]
    fn icons_are_found_by_the_name_of_their_element() {
        let source = source(
            r#"view! {
                <Icon name="check"/>
                <Icon class="size" name="x"/>
                <Icon/><Input name="email"/>
            }"#,
        );
        assert_eq!(names(source.icons()), ["check", "x"]);
    }

    #[test]
    fn a_finding_says_where() {
        let source = source("\n\nlet a = view! { <b class=\"odd\"/> };");
        assert_eq!(source.classes()[0].to_string(), "odd (page.rs:3)");
    }
}
