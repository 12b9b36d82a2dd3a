//! The conversation that collects keys and logins, as pages show it.

use hub::{
    Hub, Result,
    catalog::{Provider as Entry, Variables},
    connect,
    dialect::{Outcome, Tried},
    failure::{Failure, FailureCode},
    people::Member,
    store::draft::{self, Skin, TestLine},
};

use super::{drawn, moment, plain_prompt, prompt_of_entering};
use crate::{
    model::{Asked, Begun, Remark, Remedy, TestProblem, TestStep, Went, Wizard, WizardStep},
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
        problem: None,
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
        tested: draft.tested.into_iter().map(line).collect(),
        problem: draft
            .failure
            .map(|failure| problem(hub, &draft.provider, &failure)),
        ..wizard
    }
}

/// A step of a test that was just taken.
pub fn step(tried: &Tried) -> TestStep {
    let (went, note) = match &tried.outcome {
        Outcome::Passed { note } => (Went::Passed, note.clone()),
        Outcome::Failed(_) => (Went::Failed, None),
        Outcome::NotReached => (Went::NotReached, None),
        Outcome::NotNeeded => (Went::NotNeeded, None),
    };
    drawn_step(tried.step.as_str(), went, note)
}

/// A line of a test as it was kept.
fn line(kept: TestLine) -> TestStep {
    let went = match kept.went {
        draft::Went::Passed => Went::Passed,
        draft::Went::Failed => Went::Failed,
        draft::Went::NotReached => Went::NotReached,
        draft::Went::NotNeeded => Went::NotNeeded,
    };
    drawn_step(&kept.step, went, kept.note)
}

fn drawn_step(key: &str, went: Went, note: Option<String>) -> TestStep {
    let known = say::TESTS.iter().find(|(step, _)| *step == key);
    TestStep {
        label: known.map_or(key, |(_, label)| label).to_owned(),
        went,
        note,
    }
}

/// A test that was not begun, because there were too many.
pub fn too_many_tests(why: &str) -> TestProblem {
    TestProblem {
        prompt: plain_prompt(why, "Wait a moment and test again."),
        remedy: Some(again()),
    }
}

fn again() -> Remedy {
    Remedy {
        label: "Test again".to_owned(),
        question: None,
    }
}

/// What a test failed with, and the one thing to do about it: where a value is
/// wrong the way leads to its question, else the test is taken once more.
pub fn problem(hub: &Hub, provider: &str, failure: &Failure) -> TestProblem {
    let prompt = prompt_of_entering(hub, provider, failure);
    let mut questions = hub
        .catalog
        .get(provider)
        .map(|entry| connect::questions(entry, &Variables::new()))
        .unwrap_or_default()
        .into_iter();
    let wrong = match (failure.code, failure.detail.as_str()) {
        (FailureCode::CredentialsRejected, _) => questions
            .find(connect::Question::is_secret)
            .map(|one| one.key()),
        (FailureCode::AccountOrTargetMismatch, detail) => {
            let keys: Vec<String> = questions.map(|one| one.key()).collect();
            let named = match detail {
                "port" | "other_service" => "field.port",
                "ca_unreadable" => "field.ca",
                "no_such_folder" => "field.folder",
                "other_status" => "field.test_status",
                "not_in_answer" => "field.test_pointer",
                "header_not_allowed" => "field.headers",
                "3D000" | "1049" => "field.database",
                _ => "field.host",
            };
            let own = keys.iter().find(|key| *key == named);
            own.or(keys.first()).cloned()
        }
        _ => None,
    };
    let remedy = match (&prompt.action, wrong) {
        (Some(action), Some(question)) => Some(Remedy {
            label: action.label.clone(),
            question: Some(question),
        }),
        // Until then the answer would be the same, and asking could lock the account.
        (None, _) if failure.retry_at.is_some() => None,
        _ => Some(again()),
    };
    TestProblem { prompt, remedy }
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
