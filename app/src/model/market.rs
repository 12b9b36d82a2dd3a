//! What can be connected, and how it is found.

use serde::{Deserialize, Serialize};

use super::{Moment, Provider};

/// One provider that can be connected, as far as its card shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The provider.
    pub provider: Provider,
    /// What it is, in one sentence.
    pub summary: String,
    /// What signing in takes, and how long: `One click · about 25 seconds`.
    pub takes: String,
    /// How connecting begins.
    pub start: Start,
    /// Whether an account of it is linked already.
    pub again: bool,
    /// The handle of an attempt to connect it that is still open.
    pub attempt: Option<String>,
}

/// How connecting a provider begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// One press starts the flow.
    Now,
    /// Something has to be typed first, such as the shop's address or a key.
    AfterDetails,
    /// The provider app is missing, and the person looking may set it up.
    SetUp,
    /// The provider app is missing, and somebody else has to set it up.
    AskAdmin,
    /// This kind of sign-in is not built yet.
    NotHere,
}

/// A card of the marketplace, with what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it shows.
    pub offer: Offer,
    /// Its place among all cards when nothing is searched.
    pub place: usize,
    /// Whether what was asked for leaves it in sight.
    pub shown: bool,
    /// Category, regions and kind of sign-in, for [`Filter::fits`].
    pub tags: String,
    /// Other words it is found by, with `|` between them.
    pub aliases: String,
}

/// A category with the number of its cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// The word of addresses: `point-of-sale`.
    pub key: String,
    /// Its name on screen.
    pub label: String,
    /// How many providers stand on it.
    pub count: usize,
}

/// Everything that can be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Every card, those in sight first and in their order.
    pub cards: Vec<Card>,
    /// The categories that have cards.
    pub shelves: Vec<Shelf>,
    /// What a newcomer may begin with: providers that are ready.
    pub suggested: Vec<Provider>,
    /// The entry for services that have none of their own.
    pub any_api: Option<Provider>,
}

/// Something that was begun and waits for more answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What is being connected.
    pub provider: Provider,
    /// Where it goes on.
    pub link: String,
    /// When it was last worked on.
    pub at: Moment,
}

/// How many cards are shown before somebody asks for more.
pub const FIRST_CARDS: usize = 12;

/// What somebody looks for. Empty words ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Words for names, aliases and categories.
    pub q: String,
    /// The key of a [`Shelf`].
    pub category: String,
    /// `gb`, `us`, `eu`, or `global` for what serves everybody.
    pub region: String,
    /// The key of a kind of sign-in.
    pub sign_in: String,
    /// Whether all cards are shown although nothing is asked for.
    pub all: bool,
}

impl Filter {
    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.q.trim().is_empty() && !self.narrows()
    }

    /// Whether a category, region or kind of sign-in is asked for.
    pub fn narrows(&self) -> bool {
        [&self.category, &self.region, &self.sign_in]
            .iter()
            .any(|word| !word.is_empty())
    }

    /// Whether a card with these tags is asked for. What serves everybody
    /// serves each region, too.
    pub fn fits(&self, tags: &str) -> bool {
        let asked = |word: &str| word.is_empty() || tags.split(' ').any(|tag| tag == word);
        asked(&self.category)
            && asked(&self.sign_in)
            && (asked(&self.region) || self.region != "global" && asked("global"))
    }

    /// Whether the card at this place is in sight, if it answers to the words.
    pub fn shows(&self, place: usize, tags: &str) -> bool {
        match self.is_empty() && !self.all {
            true => place < FIRST_CARDS,
            false => self.fits(tags),
        }
    }

    /// What is asked for, by the names of the fields and parameters.
    pub fn asked(&self) -> [(&'static str, &str); 4] {
        [
            ("q", self.q.trim()),
            ("category", &self.category),
            ("region", &self.region),
            ("sign-in", &self.sign_in),
        ]
    }

    /// Asks for `value` in the field called `name`.
    pub fn ask(&mut self, name: &str, value: String) {
        let field = match name {
            "q" => &mut self.q,
            "category" => &mut self.category,
            "region" => &mut self.region,
            "sign-in" => &mut self.sign_in,
            _ => return,
        };
        *field = value;
    }

    /// The address of the hub with this asked for.
    pub fn address(&self) -> String {
        let all = ("show", if self.all { "all" } else { "" });
        let asked = self.asked().into_iter().chain([all]);
        let pairs: Vec<String> = asked
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        match pairs.is_empty() {
            true => "/".to_owned(),
            false => format!("/?{}", pairs.join("&")),
        }
    }
}

pub(crate) fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_everybody_serves_each_region() {
        let region = |region: &str| Filter {
            region: region.to_owned(),
            ..Filter::default()
        };
        assert!(region("gb").fits("finance global one-click"));
        assert!(region("gb").fits("finance gb eu key"));
        assert!(!region("us").fits("finance gb eu key"));
        assert!(!region("global").fits("finance gb eu key"));
    }

    #[test]
    fn an_address_says_what_is_asked_for() {
        assert_eq!(Filter::default().address(), "/");
        let filter = Filter {
            q: " bücher & co ".to_owned(),
            sign_in: "key".to_owned(),
            ..Filter::default()
        };
        assert_eq!(filter.address(), "/?q=b%C3%BCcher%20%26%20co&sign-in=key");
    }
}
