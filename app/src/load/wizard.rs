//! The conversation that collects keys and logins, as pages show it.

use hub::{
    Hub, Result,
    catalog::{Provider as Entry, Variables},
    connect,
    failure::{Failure, FailureCode},
    people::Member,
    store::draft::Skin,
};

use super::{drawn, moment, prompt_of_entering};
use crate::{
    model::{Asked, Begun, Remark, TestStep, Wizard, WizardStep},
    paths, words as say,
};

/// The conversation before it begins.
pub(super) fn before(entry: &Entry, known: &Variables) -> Wizard {
    let asked = |question: connect::Question<'_>| {
        let (suffix, choices, link) = match question {
            connect::Question::Variable(variable) => {
                let choices = variable.choices.iter();
                let choices = choices.map(|choice| (choice.value.clone(), choice.label.clone()));
                (variable.suffix.clone(), choices.collect(), None)
            }
            // One that needs an answer first is left out until there is one.
            connect::Question::Field(field) => {
                let link = field.link.as_ref();
                let link = link.and_then(|link| link.render(&entry.values(known)).ok());
                (None, Vec::new(), link)
            }
        };
        Asked {
            key: question.key(),
            label: question.label().to_owned(),
            why: question.why().to_owned(),
            steps: question.steps().to_vec(),
            link,
            example: question.example().to_owned(),
            secret: question.is_secret(),
            optional: question.unanswered().is_some(),
            multiline: question.is_multiline(),
            suffix,
            choices,
            value: question.unanswered().unwrap_or_default().to_owned(),
            answer: None,
        }
    };
    let questions = connect::questions(entry, known);
    Wizard {
        explained: say::sign_in_explained(entry.name(), entry.kind.as_str()),
        questions: questions.into_iter().map(asked).collect(),
        step: None,
        as_form: false,
        talk: Vec::new(),
        tested: Vec::new(),
        prompt: None,
    }
}

/// The conversation as far as it has come.
pub(super) fn so_far(hub: &Hub, mut wizard: Wizard, draft: connect::Draft) -> Wizard {
    for asked in &mut wizard.questions {
        asked.answer = draft.answers.get(&asked.key).map(|shown| match shown {
            connect::Shown::Plain(answer) => {
                asked.value.clone_from(answer);
                answer.clone()
            }
            connect::Shown::Secret(end) if end.is_empty() => "hidden".to_owned(),
            connect::Shown::Secret(end) => format!("ending in {end}"),
            connect::Shown::Nothing => "left out".to_owned(),
        });
    }
    Wizard {
        step: Some(match draft.step {
            connect::Step::Explain => WizardStep::Explain,
            connect::Step::Ask(key) => WizardStep::Ask(key),
            connect::Step::Test => WizardStep::Test,
        }),
        as_form: draft.skin == Skin::Form,
        talk: draft
            .talk
            .into_iter()
            .map(|line| Remark {
                at: line.at,
                said: line.said,
                told: line.told,
            })
            .collect(),
        tested: draft.failure.as_ref().map(tested).unwrap_or_default(),
        prompt: draft
            .failure
            .map(|failure| prompt_of_entering(hub, &draft.provider, &failure)),
        ..wizard
    }
}

/// The lines of a test that ended with this failure.
fn tested(failure: &Failure) -> Vec<TestStep> {
    let failed = match failure.code {
        FailureCode::NetworkOrTimeout if failure.detail.contains("certificate") => 1,
        FailureCode::NetworkOrTimeout => 0,
        FailureCode::PermissionMissing => 3,
        _ => 2,
    };
    (0..)
        .zip(say::TESTS)
        .map(|(at, label)| TestStep {
            label: label.to_owned(),
            passed: match at {
                at if at < failed => Some(true),
                at if at == failed => Some(false),
                _ => None,
            },
        })
        .collect()
}

/// What this person has begun to enter.
pub async fn drafts(hub: &Hub, member: &Member) -> Result<Vec<Begun>> {
    let drafts = hub.drafts(member).await?;
    Ok(drafts
        .into_iter()
        .filter_map(|draft| {
            let entry = hub.catalog.get(&draft.provider)?;
            Some(Begun {
                provider: drawn(entry),
                link: match draft.connection {
                    Some(id) => paths::reconnect(&draft.provider, &id.to_string()),
                    None => paths::connect(&draft.provider),
                },
                at: moment(draft.updated_at),
            })
        })
        .collect())
}
