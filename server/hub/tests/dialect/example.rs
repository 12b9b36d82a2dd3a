//! Answers to the questions of an entry.

use hub::catalog::Variable;

/// A good answer to a question.
pub(crate) fn example(question: &Variable) -> String {
    match (question.choices.first(), &question.default) {
        (Some(choice), _) => choice.value.clone(),
        (None, Some(default)) if question.placeholder.is_empty() => default.clone(),
        (None, _) => question.placeholder.clone(),
    }
}
