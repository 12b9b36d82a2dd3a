//! What a person is asked before a connection can be made, in one list: the
//! entry's variables and fields.

use crate::{
    FieldProblem,
    catalog::{Provider, Variable, Variables, keys::Field},
};

/// One question.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// No secret, and it may stand in addresses.
    Variable(&'a Variable),
    /// Sealed with the others.
    Field(&'a Field),
}

/// Everything an entry asks a person, in the order of asking. What `known`
/// answers already is not asked again.
pub fn questions<'a>(provider: &'a Provider, known: &Variables) -> Vec<Question<'a>> {
    let variables = provider
        .questions()
        .filter(|variable| !known.contains_key(&variable.name))
        .map(Question::Variable);
    variables
        .chain(provider.fields.iter().map(Question::Field))
        .collect()
}

impl<'a> Question<'a> {
    /// The name its answer travels under: `var.shop`, `field.api_key`.
    pub fn key(&self) -> String {
        match self {
            Self::Variable(variable) => format!("var.{}", variable.name),
            Self::Field(field) => format!("field.{}", field.name),
        }
    }

    /// What the provider calls it.
    pub fn label(&self) -> &'a str {
        match self {
            Self::Variable(variable) => &variable.label,
            Self::Field(field) => &field.label,
        }
    }

    /// Why it is needed, or what helps to answer.
    pub fn why(&self) -> &'a str {
        match self {
            Self::Variable(variable) => &variable.help,
            Self::Field(field) => &field.why,
        }
    }

    /// Where to find it, in at most three steps.
    pub fn steps(&self) -> &'a [String] {
        match self {
            Self::Variable(_) => &[],
            Self::Field(field) => &field.steps,
        }
    }

    /// What an answer looks like.
    pub fn example(&self) -> &'a str {
        match self {
            Self::Variable(variable) => &variable.placeholder,
            Self::Field(field) => &field.example,
        }
    }

    /// Whether the answer is never shown again.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Field(field) if field.secret)
    }

    /// Whether an answer may have several lines.
    pub fn is_multiline(&self) -> bool {
        matches!(self, Self::Field(field) if field.multiline)
    }

    /// What counts when nothing is answered, if nothing may be.
    pub fn unanswered(&self) -> Option<&'a str> {
        match self {
            Self::Variable(variable) => variable.default.as_deref(),
            Self::Field(field) => match &field.default {
                Some(default) => Some(default),
                None => field.optional.then_some(""),
            },
        }
    }

    /// Reads an answer; blanks around it are forgiven.
    ///
    /// # Errors
    /// What to do about it.
    pub fn read(&self, typed: &str) -> Result<String, FieldProblem> {
        let problem = |problem: String| FieldProblem {
            field: self.key(),
            problem,
        };
        if typed.trim().is_empty() {
            return match self.unanswered() {
                Some(default) => Ok(default.to_owned()),
                None => Err(problem(format!("Enter the {}", self.label()))),
            };
        }
        let read = match self {
            Self::Variable(variable) => variable.read(typed).ok(),
            Self::Field(field) => field.read(typed),
        };
        read.ok_or_else(|| {
            let example = self.example();
            problem(format!(
                "This does not look like it: it should look like {example}"
            ))
        })
    }
}
