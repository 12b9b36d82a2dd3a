//! What people type about themselves, and when it cannot be accepted.

use email_address::{EmailAddress, Options};

use crate::{Error, FieldProblem, Result, secret::Secret, text::is_deceptive};

/// Longest name of a person, a tenant or a key, in characters.
const MAX_NAME: usize = 80;

/// Longest e-mail address, in bytes (RFC 5321, erratum 1690).
const MAX_EMAIL: usize = 254;

/// Shortest new password, in characters.
const MIN_PASSWORD: usize = 12;

/// Longest password that is read at all, in bytes: hashing must not become a
/// way to keep us busy.
pub const MAX_PASSWORD: usize = 1024;

/// How many different characters must remain of a new password once the
/// obvious parts are taken out.
const MIN_VARIETY: usize = 5;

/// What guessers try first, longest first where one contains another. Not a
/// list of leaked passwords: length is what protects, this only catches the
/// ways in which length is feigned.
const OBVIOUS: [&str; 28] = [
    "correcthorsebatterystaple",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv",
    "12345678901234567890",
    "09876543210987654321",
    "administrator",
    "abcdefghijkl",
    "abcdefgh",
    "qwertzuiop",
    "qwertyuiop",
    "asdfghjkl",
    "1234567890",
    "0987654321",
    "123456789",
    "iloveyou",
    "password",
    "passwort",
    "linkwell",
    "changeme",
    "trustno1",
    "sunshine",
    "princess",
    "welcome",
    "letmein",
    "qwerty",
    "123456",
    "1234",
];

/// An e-mail address as it is stored and compared: trimmed, in lower case.
pub fn email(typed: &str) -> Result<String> {
    let email = typed.trim().to_lowercase();
    let plain = Options::default()
        .without_display_text()
        .without_domain_literal();
    if email.len() <= MAX_EMAIL && EmailAddress::parse_with_options(&email, plain).is_ok() {
        return Ok(email);
    }
    Err(Error::invalid(
        "email",
        "Enter an e-mail address, like ana@example.com",
    ))
}

/// A name of something, on one line.
pub fn name(field: &'static str, typed: &str) -> Result<String> {
    line(field, "Enter a name", MAX_NAME, typed)
}

/// One line of text that is not too long; `missing` is said of an empty one.
pub fn line(
    field: &'static str,
    missing: &'static str,
    longest: usize,
    typed: &str,
) -> Result<String> {
    let line = typed.trim();
    if line.is_empty() {
        return Err(Error::invalid(field, missing));
    }
    if line.chars().any(is_deceptive) || line.chars().count() > longest {
        return Err(Error::invalid(
            field,
            format!("Use one line of at most {longest} characters"),
        ));
    }
    Ok(line.to_owned())
}

/// Checks a new password: long, and not made of `own` words (the person's
/// address and names) or of what guessers try first. No rule about kinds of
/// characters: those make passwords harder to remember, not to guess.
pub fn new_password(field: &'static str, password: &Secret, own: &[&str]) -> Result<()> {
    let password = password.expose();
    if password.chars().count() < MIN_PASSWORD {
        return Err(Error::invalid(
            field,
            format!("Use at least {MIN_PASSWORD} characters; a few words in a row work well"),
        ));
    }
    if password.len() > MAX_PASSWORD {
        return Err(Error::invalid(
            field,
            format!("Use at most {MAX_PASSWORD} bytes"),
        ));
    }
    if variety(password, own) < MIN_VARIETY {
        return Err(Error::invalid(
            field,
            "Choose something harder to guess: not a name, a common word or a row of keys",
        ));
    }
    Ok(())
}

/// The number of different characters once own words and obvious ones are gone.
fn variety(password: &str, own: &[&str]) -> usize {
    let mut rest = zeroize::Zeroizing::new(password.to_lowercase());
    for word in own_words(own).iter().map(String::as_str).chain(OBVIOUS) {
        rest = zeroize::Zeroizing::new(rest.replace(word, ""));
    }
    let characters: std::collections::BTreeSet<char> = rest.chars().collect();
    characters.len()
}

/// Each text, and the words in it that are long enough to matter, longest first.
fn own_words(own: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = own
        .iter()
        .flat_map(|text| {
            let text = text.to_lowercase();
            let parts: Vec<String> = text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|part| part.chars().count() >= 4)
                .map(str::to_owned)
                .collect();
            parts.into_iter().chain([text])
        })
        .filter(|word| !word.is_empty())
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// Gathers the problems of several fields, so that a form shows them all at once.
#[derive(Default)]
pub struct Problems(Vec<FieldProblem>);

impl Problems {
    /// Keeps the value, or its problems and an empty value.
    ///
    /// # Errors
    /// Those that are not about a field.
    pub fn note<T: Default>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Err(Error::Invalid(problems)) => {
                self.0.extend(problems);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// # Errors
    /// [`Error::Invalid`] when any field had a problem.
    pub fn none(self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(password: &str) -> bool {
        let own = ["ana@alder-ash.example", "Ana Moreno", "Alder & Ash Ltd"];
        new_password("password", &Secret::new(password), &own).is_ok()
    }

    #[test]
    fn asvs_6_2_passwords_are_long_and_not_obvious() {
        for obvious in [
            "elevenchars",
            "aaaaaaaaaaaaaaaa",
            "abababababab",
            "password1234",
            "Password2026!",
            "Linkwell-Password",
            "qwertyuiop12",
            "123456789012",
            "ana@alder-ash.example",
            "AnaMoreno1234",
            "Alder & Ash Ltd",
        ] {
            assert!(!accepted(obvious), "{obvious}");
        }
        for good in [
            "blue kettle sings",
            "839201748362",
            "mein kleiner grüner kaktus",
            "áéíóúñçßøæþð",
        ] {
            assert!(accepted(good), "{good}");
        }
        assert!(accepted(&"long enough to be fine ".repeat(44)));
        assert!(!accepted(&"long enough to be fine ".repeat(45)));
    }

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(email(" Ana@Example.COM ").unwrap(), "ana@example.com");
        for wrong in [
            "",
            "ana",
            "ana@",
            "a b@example.com",
            "Ana <ana@example.com>",
        ] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
        assert!(email(&format!("{}@example.com", "a".repeat(250))).is_err());
    }

    #[test]
    fn a_form_names_every_problem_at_once() {
        let mut problems = Problems::default();
        problems.note(email("nobody")).unwrap();
        problems.note(name("name", " ")).unwrap();
        let Err(Error::Invalid(problems)) = problems.none() else {
            panic!("two problems were expected");
        };
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["email", "name"]);
    }
}
