//! A conversation about what is entered by hand.

use super::Prompt;

/// The conversation that collects what a provider without one-click sign-in
/// needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wizard {
    /// What is said about this kind of sign-in.
    pub explained: String,
    /// Everything that is asked, in order.
    pub questions: Vec<Asked>,
    /// Where the conversation stands; none before it begins.
    pub step: Option<WizardStep>,
    /// Whether all questions are put at once.
    pub as_form: bool,
    /// What was said beside the answers.
    pub talk: Vec<Remark>,
    /// How the last test went.
    pub tested: Vec<TestStep>,
    /// What it failed with, and what to do about it.
    pub problem: Option<TestProblem>,
}

/// What a test failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestProblem {
    /// What to say.
    pub prompt: Prompt,
    /// The one button; none where only waiting helps.
    pub remedy: Option<Remedy>,
}

/// The turn that does something about a failed test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Verb and object: `Enter new credentials`.
    pub label: String,
    /// The question to go back to; none tests once more.
    pub question: Option<String>,
}

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WizardStep {
    /// What kind of sign-in this is.
    Explain,
    /// The question with this key.
    Ask(String),
    /// Everything is there.
    Test,
}

/// One question, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name its answer is posted under.
    pub key: String,
    /// What the provider calls it.
    pub label: String,
    /// Why it is needed.
    pub why: String,
    /// Where to find it.
    pub steps: Vec<String>,
    /// The page the steps begin on.
    pub link: Option<String>,
    /// A made-up answer.
    pub example: String,
    /// Whether it is hidden while it is typed.
    pub secret: bool,
    /// Whether it may stay empty.
    pub optional: bool,
    /// Whether it has several lines.
    pub multiline: bool,
    /// What follows the value: `.myshopify.com`.
    pub suffix: Option<String>,
    /// Each with its value and its label, where one is chosen.
    pub choices: Vec<(String, String)>,
    /// What is filled in already. Never a secret.
    pub value: String,
    /// The answer as far as it may be shown.
    pub answer: Option<String>,
}

/// A remark in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The question it was made at.
    pub at: String,
    /// What the person said.
    pub said: String,
    /// What they were told.
    pub told: String,
}

/// A line of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestStep {
    /// What was tried.
    pub label: String,
    /// How it went.
    pub went: Went,
    /// What is worth knowing about it.
    pub note: Option<String>,
}

/// How a line of a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// It is being tried.
    Pending,
    /// It works.
    Passed,
    /// It does not.
    Failed,
    /// An earlier line failed.
    NotReached,
    /// There is nothing to test.
    NotNeeded,
}

/// Something a provider needs to know before it can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectField {
    /// The name it is posted under.
    pub name: String,
    /// What it is called: `Shop address`.
    pub label: String,
    /// An example.
    pub placeholder: Option<String>,
    /// What follows the value: `.myshopify.com`.
    pub suffix: Option<String>,
    /// Where to find it.
    pub help: Option<String>,
    /// What is filled in already.
    pub value: String,
    /// Whether it is typed unseen.
    pub secret: bool,
    /// Whether it may stay empty.
    pub optional: bool,
}
