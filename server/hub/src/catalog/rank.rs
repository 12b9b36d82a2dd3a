//! What answers to the words somebody types, and how well.
//!
//! The browser's program is compiled from this very file, too: the hub page
//! orders its cards while somebody types, and must not find other ones, or in
//! another order, than the server does. So it knows nothing but text.

/// What a provider is found by, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    name: String,
    aliases: Vec<String>,
    shelf: String,
    id: String,
    summary: String,
}

impl Words {
    /// The words of a provider, all in lower case: each side has its own way to
    /// make them so, the browser's without tables in its program.
    pub fn new<'a>(
        name: &str,
        aliases: impl IntoIterator<Item = &'a str>,
        shelf: &str,
        id: &str,
        summary: &str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            shelf: shelf.to_owned(),
            id: id.to_owned(),
            summary: summary.to_owned(),
        }
    }

    /// How well this answers `query`, which is trimmed and in lower case: 0 is
    /// best, none is not at all.
    pub fn rank(&self, query: &str) -> Option<u8> {
        let words = || query.split(' ').filter(|word| !word.is_empty());
        // Several words may each be found elsewhere: `google books`.
        self.rank_of_phrase(query).or_else(|| {
            let several = words().nth(1).is_some();
            let mut ranks = words().map(|word| self.rank_of_phrase(word));
            let worst = ranks.try_fold(0, |worst: u8, rank| Some(worst.max(rank?)))?;
            several.then_some(worst + PHRASES)
        })
    }

    /// Few letters match beginnings of words only, or `ig` would find
    /// DigitalOcean before Instagram. Letters beyond ASCII continue a word.
    fn rank_of_phrase(&self, query: &str) -> Option<u8> {
        let begins = |text: &str| {
            let mut starts = text.match_indices(query).map(|(at, _)| at);
            starts.any(|at| !text[..at].ends_with(continues))
        };
        let inside = |text: &str| query.chars().count() >= 3 && text.contains(query);
        let aliases = &self.aliases;
        if self.name == query {
            Some(0)
        } else if self.name.starts_with(query) {
            Some(1)
        } else if begins(&self.name) || aliases.iter().any(|alias| alias == query) {
            Some(2)
        } else if aliases.iter().any(|alias| begins(alias)) {
            Some(3)
        } else if begins(&self.shelf) || begins(&self.id) {
            Some(4)
        } else if inside(&self.name) || aliases.iter().any(|alias| inside(alias)) {
            Some(5)
        } else if begins(&self.summary) {
            Some(6)
        } else {
            None
        }
    }
}

fn continues(letter: char) -> bool {
    !letter.is_ascii() || letter.is_ascii_alphanumeric()
}

/// One more than the worst rank of a phrase.
const PHRASES: u8 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_count_more_than_what_stands_inside() {
        let instagram = Words::new(
            "instagram",
            ["ig", "insta"],
            "social media",
            "instagram",
            "",
        );
        let ocean = Words::new(
            "digitalocean",
            ["droplets"],
            "development",
            "digitalocean",
            "",
        );
        assert_eq!(instagram.rank("ig"), Some(2));
        assert_eq!(ocean.rank("ig"), None);
        assert_eq!(ocean.rank("ocean"), Some(5));
        assert_eq!(instagram.rank("media"), Some(4));
    }

    #[test]
    fn several_words_may_be_found_in_several_places() {
        let sheets = Words::new(
            "google sheets",
            ["excel"],
            "productivity",
            "google-sheets",
            "",
        );
        assert_eq!(sheets.rank("google sh"), Some(1));
        assert_eq!(sheets.rank("sheets google"), Some(2 + PHRASES));
        assert_eq!(sheets.rank("google mail"), None);
        assert_eq!(sheets.rank("mail"), None);
    }
}
