//! Values that somebody might give, made up by the dozen.

use proptest::{
    prelude::*,
    string::string_regex,
    test_runner::{Config, TestRunner},
};

/// Values somebody might give: what the pattern allows, the same spoilt a
/// little, and what was never near it.
pub(crate) fn told(pattern: &str) -> impl Strategy<Value = String> + use<> {
    let good = || string_regex(pattern).expect("a pattern that can be made");
    let spoilt =
        (good(), any::<prop::sample::Index>(), spoiler()).prop_map(|(good, at, spoiler)| {
            let mut letters: Vec<char> = good.chars().collect();
            let at = at.index(letters.len() + 1);
            letters.splice(at..at, spoiler.chars());
            letters.into_iter().collect::<String>()
        });
    prop_oneof![
        2 => good(),
        4 => spoilt,
        1 => prop::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

const HOSTILE: [&str; 12] = [
    "https://evil.example",
    "http://169.254.169.254/latest",
    "https://[::1]",
    "https://2130706433",
    "evil.example",
    "..",
    ".",
    "a.",
    "//evil.example",
    "\\\\evil.example",
    "xn--80ak6aa92e.com",
    "",
];

fn spoiler() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/",
        "\\",
        "?",
        "#",
        "@",
        ":",
        ":8443",
        "%",
        "%2F",
        "%2e%2e",
        "&",
        "=",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\0",
        "..",
        ".",
        ".evil.example",
        "@evil.example",
        "evil.example/",
        "https://evil.example/",
        "\u{3002}",
        "\u{ff0f}",
        "\u{ff20}",
        "\u{200b}",
        "\u{202e}",
        "é",
        "ⓔ",
        "{",
        "}",
        "{shop}",
        "\"",
        "'",
        "<",
        "|",
        "^",
        "`",
        "~",
        "*",
        "$",
        "(",
        ";",
        ",",
        "+",
    ])
}

/// Tries so many values.
pub(crate) fn check(cases: u32, strategy: impl Strategy<Value = String>, test: impl Fn(&str)) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let run = runner.run(&strategy, |value| {
        test(&value);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
