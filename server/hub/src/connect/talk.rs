//! What a person means by what they type into the conversation. It is matched,
//! not guessed: the same words always mean the same.

use super::question::Question;
use crate::{catalog::Provider, secret::Secret};

/// What stands in the conversation in place of a secret.
pub const HIDDEN: &str = "(a secret, taken out)";
/// What is said to a secret that nobody asked for.
pub const NOT_A_FIELD: &str = "That looked like a key or password, so it is not kept. It does not look like what is asked for here.";

/// What was meant.
pub enum Meant {
    /// A secret, typed where everything can be read.
    Secret {
        /// The question it answers.
        key: String,
        /// It.
        value: Secret,
    },
    /// A secret that answers no question.
    UnknownSecret,
    /// The answer to the question that is asked.
    Answer(String),
    /// A question, and what is said to it.
    Asks(String),
    /// The question before.
    Back,
    /// Without this one.
    Skip,
    /// All questions at once.
    Form,
    /// On.
    Go,
}

/// Finds out what was meant.
pub fn understand(
    provider: &Provider,
    questions: &[Question<'_>],
    asked: Option<Question<'_>>,
    said: &str,
) -> Meant {
    if let Some(meant) = secret_in(questions, asked, said) {
        return meant;
    }
    let words: Vec<String> = said
        .to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let says = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let alone = |any: &[&str]| words.len() <= 3 && says(any);
    if alone(&["back", "previous", "undo"]) {
        Meant::Back
    } else if alone(&["skip", "later", "none"]) {
        Meant::Skip
    } else if says(&["form"]) && words.len() <= 6 {
        Meant::Form
    } else if alone(&[
        "ok", "okay", "yes", "go", "next", "continue", "start", "test", "ready",
    ]) {
        Meant::Go
    } else if says(&["where", "find", "how", "get", "link", "page"]) {
        Meant::Asks(help(asked))
    } else if says(&["why", "need", "what", "for", "mean", "means"]) {
        Meant::Asks(why(provider, asked))
    } else if says(&["safe", "secure", "stored", "store", "see", "keep", "who"]) {
        Meant::Asks(SAFE.to_owned())
    } else if says(&["example", "look", "looks", "format", "like"]) {
        Meant::Asks(example(asked))
    } else if let Some(question) = asked.filter(|question| !question.is_secret()) {
        match question.read(said) {
            Ok(_) => Meant::Answer(said.to_owned()),
            Err(problem) => Meant::Asks(problem.problem + "."),
        }
    } else {
        Meant::Asks(UNKNOWN.to_owned())
    }
}

const SAFE: &str = "It is sealed before it is stored, tested with the service itself, and never shown again: only its last four characters.";
const UNKNOWN: &str = "I understand: where do I find this? · why is it needed? · show an example · back · skip · show as form.";

/// Where to find what is asked for.
pub fn help(asked: Option<Question<'_>>) -> String {
    match asked.map(|question| (question, question.steps())) {
        Some((question, [])) => match question.why() {
            "" => example(asked),
            why => format!("{why} For example: {}", question.example()),
        },
        Some((_, steps)) => {
            let numbered = (1..).zip(steps);
            let lines: Vec<String> = numbered.map(|(n, step)| format!("{n}. {step}")).collect();
            lines.join(" ")
        }
        None => UNKNOWN.to_owned(),
    }
}

fn why(provider: &Provider, asked: Option<Question<'_>>) -> String {
    match asked.map(|question| question.why()).unwrap_or_default() {
        "" => format!("Without it, {} does not let us in.", provider.name()),
        why => why.to_owned(),
    }
}

fn example(asked: Option<Question<'_>>) -> String {
    match asked {
        Some(question) => format!("It looks like {}.", question.example()),
        None => UNKNOWN.to_owned(),
    }
}

/// What is said when a secret was moved to where it belongs.
pub fn moved(label: &str) -> String {
    format!("That is the {label}: it is in its field now, and gone from here.")
}

/// The end of a secret to recognise it by; none of one so short that its end
/// would tell too much.
pub fn end_of(secret: &str) -> String {
    const ENOUGH: usize = 12;
    let letters: Vec<char> = secret.trim_end().chars().collect();
    match letters.len() >= ENOUGH {
        true => letters[letters.len() - 4..].iter().collect(),
        false => String::new(),
    }
}

fn secret_in(questions: &[Question<'_>], asked: Option<Question<'_>>, said: &str) -> Option<Meant> {
    let pieces = std::iter::once(said.trim()).chain(said.split_whitespace());
    let looking: Vec<&str> = pieces.filter(|piece| looks_secret(piece)).collect();
    if looking.is_empty() {
        return None;
    }
    // The one that is asked for comes first: patterns may be alike.
    let secrets = asked.into_iter().chain(questions.iter().copied());
    let secrets: Vec<Question<'_>> = secrets.filter(Question::is_secret).collect();
    let found = looking.into_iter().find_map(|piece| {
        let of = secrets
            .iter()
            .find(|question| question.read(piece).is_ok())?;
        Some(Meant::Secret {
            key: of.key(),
            value: Secret::new(piece),
        })
    });
    Some(found.unwrap_or(Meant::UnknownSecret))
}

/// Long, without blanks, and of letters and digits, or written as no word of a
/// sentence is.
fn looks_secret(piece: &str) -> bool {
    const LONG: usize = 12;
    let is_block = piece.starts_with("-----BEGIN");
    let letters: Vec<char> = piece.chars().collect();
    let digits = letters.iter().any(char::is_ascii_digit);
    let humps = letters
        .windows(2)
        .any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    let mixed = letters.iter().any(|letter| letter.is_alphabetic())
        && (digits || humps || piece.contains('_'));
    let is_address = piece.contains("://") || piece.contains('@') && piece.contains('.');
    is_block
        || piece.chars().count() >= LONG
            && mixed
            && !is_address
            && !piece.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_words() {
        for secret in [
            "sk_live_51HabcDEF",
            "AKIA1234567890EXAMPLE",
            "sk_test_AlderAndAsh",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for word in [
            "where",
            "Restricted-API-keys",
            "https://dashboard.example/keys/1234",
            "mia12345@alder.example",
            "order number 12345678",
        ] {
            assert!(!looks_secret(word), "{word}");
        }
    }

    #[test]
    fn only_long_secrets_show_their_end() {
        assert_eq!(end_of("sk_live_51HabcDEF9F2c"), "9F2c");
        assert_eq!(end_of("hunter2"), "");
    }
}
