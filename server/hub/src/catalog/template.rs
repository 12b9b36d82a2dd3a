//! Text with `{variables}` in it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de::Error};

/// Values for `{variables}`, by name.
pub type Variables = BTreeMap<String, String>;

/// Text in which `{name}` stands for a variable; `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    source: String,
    /// Byte offset in its file, so that a check can name the line.
    at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// A template names a variable nobody gave a value for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no value for {{{0}}}")]
pub struct MissingVariable(pub String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A sentence about a brace that is not closed or a name that is no name.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    text.push(c);
                }
                '}' => return Err("`}` without `{` (write `}}` for a brace)".into()),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                            _ => return Err("`{` is not followed by `name}`".into()),
                        }
                    }
                    if name.is_empty() {
                        return Err("`{}` names no variable".into());
                    }
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Name(name));
                }
                c => text.push(c),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self {
            parts,
            source: source.to_owned(),
            at: 0,
        })
    }

    /// Fills the template from `variables`.
    ///
    /// # Errors
    /// [`MissingVariable`] names the first variable without a value.
    pub fn render(&self, variables: &Variables) -> Result<String, MissingVariable> {
        self.fill(|name| variables.get(name).map(String::as_str))
    }

    /// Fills the template from a look-up, so that secrets need not be copied
    /// into a map first.
    ///
    /// # Errors
    /// [`MissingVariable`] names the first variable without a value.
    pub fn fill<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<String, MissingVariable> {
        let mut out = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => {
                    out.push_str(value(name).ok_or_else(|| MissingVariable(name.clone()))?);
                }
            }
        }
        Ok(out)
    }

    /// The variables named, in order of appearance.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text as it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<String>::deserialize(deserializer)?;
        let mut template = Self::parse(spanned.get_ref()).map_err(D::Error::custom)?;
        template.at = spanned.span().start;
        Ok(template)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A template that makes an `https` address (or one on a hub-given origin).
#[derive(Clone, Debug)]
pub struct UrlTemplate(Template);

impl UrlTemplate {
    /// The template behind the address.
    pub fn template(&self) -> &Template {
        &self.0
    }

    /// Fills the template from `variables`; see [`Template::render`].
    ///
    /// # Errors
    /// [`MissingVariable`] names the first variable without a value.
    pub fn render(&self, variables: &Variables) -> Result<String, MissingVariable> {
        self.0.render(variables)
    }
}

/// Whether `url` is plain http to this machine: nothing travels a network then.
fn is_loopback(url: &url::Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

impl<'de> Deserialize<'de> for UrlTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let template = Template::deserialize(deserializer)?;
        // A leading variable carries scheme and host: the check that its
        // pattern demands `https` is made where the variable is declared.
        let leading = matches!(template.parts.first(), Some(Part::Name(_)));
        let example = template.fill(|_| Some("x")).unwrap_or_default();
        let example = if leading {
            format!("https://{example}")
        } else {
            example
        };
        match url::Url::parse(&example) {
            Ok(url) if url.scheme() != "https" && !is_loopback(&url) => {
                Err("must begin with https://".to_owned())
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("must not carry a user name or password".to_owned())
            }
            Ok(_) => Ok(Self(template)),
            Err(error) => Err(format!("is not an address: {error}")),
        }
        .map_err(|why| D::Error::custom(format!("`{example}` {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Variables {
        [(name.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn renders_names_and_braces() {
        let template = Template::parse("{{shop}}: https://{shop}.example/{shop}").unwrap();
        assert_eq!(
            template.render(&one("shop", "a")).unwrap(),
            "{shop}: https://a.example/a"
        );
        assert_eq!(template.names().collect::<Vec<_>>(), ["shop", "shop"]);
    }

    #[test]
    fn a_missing_value_is_named() {
        let template = Template::parse("{a}{b}").unwrap();
        assert_eq!(
            template.render(&one("a", "1")).unwrap_err().to_string(),
            "no value for {b}"
        );
    }

    #[test]
    fn a_value_is_not_read_as_a_template() {
        let template = Template::parse("<{a}>").unwrap();
        assert_eq!(template.render(&one("a", "{b}")).unwrap(), "<{b}>");
    }

    #[test]
    fn broken_braces_are_refused() {
        for source in ["{", "}", "{}", "{a", "a}", "{a b}", "{a{b}}"] {
            assert!(Template::parse(source).is_err(), "{source}");
        }
    }
}
