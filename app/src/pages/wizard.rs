//! The conversation for what people enter where there is no one-click sign-in:
//! one question after the other, or all at once. Both are plain forms; the
//! script only spares the page in between.

mod checklist;

use leptos::prelude::*;

pub use checklist::{Checklist, Line, Remedy};

use crate::{
    islands::Turns,
    model::{Asked, ConnectField, Remark, Wizard, WizardStep},
    parts::{
        Icon,
        form::{Choose, Field},
    },
    paths, words,
};

/// The element that a turn draws again.
const WIZARD: &str = "wizard";

/// The conversation.
#[component]
pub fn WizardView(
    /// The provider's id.
    provider: String,
    /// The provider's name.
    name: String,
    /// The connection that gets new keys, if it is not a new one.
    connection: Option<String>,
    /// Where it stands.
    page: Wizard,
    /// How long it usually takes, in words.
    takes: Option<String>,
    /// Whether it is with somebody who came by a link.
    #[prop(optional)]
    guest: bool,
) -> impl IntoView {
    let at = Address::of(&provider, connection, guest);
    let inner = match (page.step.clone(), page.as_form) {
        (None, _) => view! { <Begin at name page takes/> }.into_any(),
        (Some(_), true) => view! { <AllAtOnce at name page/> }.into_any(),
        (Some(step), false) => view! { <OneByOne at name page step/> }.into_any(),
    };
    view! {
        <Turns of=WIZARD.to_owned()>
            <section id=WIZARD class="wizard" aria-label="Setting up">
                {inner}
            </section>
        </Turns>
    }
}

/// Where turns are posted.
#[derive(Clone)]
pub struct Address {
    /// Where turns go.
    pub action: String,
    /// The page itself.
    pub page: String,
    /// The connection that gets new keys, if it is not a new one.
    pub connection: Option<String>,
    /// What becomes of the answers, in words.
    pub kept: &'static str,
}

impl Address {
    /// Of a conversation with a member, or with somebody who came by a link.
    pub fn of(provider: &str, connection: Option<String>, guest: bool) -> Self {
        if guest {
            return Self {
                action: paths::guest_connect(provider),
                page: paths::guest_connect(provider),
                connection,
                kept: "What you entered is kept until this link ends.",
            };
        }
        Self {
            action: paths::connect(provider),
            page: match &connection {
                Some(id) => paths::reconnect(provider, id),
                None => paths::connect(provider),
            },
            connection,
            kept: "What you entered is kept for a week. Go on in any browser.",
        }
    }
}

/// A form that takes one turn.
#[component]
fn Turn(
    at: Address,
    /// The turn; without one, all answers at once.
    #[prop(optional, into)]
    turn: Option<String>,
    /// The question it is about.
    #[prop(optional, into)]
    key: Option<String>,
    #[prop(default = "inline-turn")] class: &'static str,
    /// Whether it leads to a test, which is a page of its own.
    #[prop(optional)]
    tests: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <form class=class method="post" action=at.action data-whole=tests.then_some("true")>
            {at.connection.map(|id| view! { <input type="hidden" name="connection" value=id/> })}
            {turn.map(|turn| view! { <input type="hidden" name="turn" value=turn/> })}
            {key.map(|key| view! { <input type="hidden" name="key" value=key/> })}
            {children()}
        </form>
    }
}

#[component]
fn Begin(at: Address, name: String, page: Wizard, takes: Option<String>) -> impl IntoView {
    let count = page.questions.len();
    let lead = match count {
        1 => "One question, then a test in front of you.".to_owned(),
        count => format!("{count} questions, then a test in front of you."),
    };
    view! {
        <div class="actions">
            <Turn at=at.clone() turn="begin">
                <button class="btn" data-kind="primary">{format!("Set up {name}")}</button>
            </Turn>
            <Turn at turn="form">
                <button class="btn" data-kind="plain">"Show as form"</button>
            </Turn>
            <p class="muted">{lead}" "{takes}</p>
        </div>
    }
}

/// All questions at once.
#[component]
fn AllAtOnce(at: Address, name: String, page: Wizard) -> impl IntoView {
    let problem = page.problem.clone();
    let questions = page
        .questions
        .iter()
        .map(|asked| {
            view! {
                <div class="stack" data-gap="small">
                    <Control asked=asked.clone()/>
                    <Finding asked=asked.clone() name=name.clone()/>
                </div>
            }
        })
        .collect_view();
    view! {
        {problem.map(|problem| view! {
            <Checklist at=at.clone() steps=page.tested.clone() problem/>
        })}
        <Turn at=at.clone() class="form" tests=true>
            {questions}
            <div class="actions">
                <button class="btn" data-kind="primary">"Test and connect"</button>
            </div>
            <p class="help">{words::tested_before_kept(&name)}</p>
        </Turn>
        <div class="actions" data-tone="quiet">
            <Turn at=at.clone() turn="chat">
                <button class="btn" data-kind="quiet">"Ask me one by one"</button>
            </Turn>
            <Turn at turn="discard">
                <button class="btn" data-kind="quiet">"Discard"</button>
            </Turn>
        </div>
    }
}

/// The conversation, up to the question that is open.
#[component]
fn OneByOne(at: Address, name: String, page: Wizard, step: WizardStep) -> impl IntoView {
    let Wizard {
        explained,
        questions,
        talk,
        tested,
        problem,
        ..
    } = page;
    let total = questions.len();
    let open = match &step {
        WizardStep::Explain => Some(0),
        WizardStep::Ask(key) => questions.iter().position(|asked| asked.key == *key),
        WizardStep::Test => None,
    };
    let progress = match (&step, open) {
        (WizardStep::Ask(_), Some(at)) => format!("Question {} of {total}", at + 1),
        (WizardStep::Test, _) => "Ready to test".to_owned(),
        _ => "Before we begin".to_owned(),
    };
    let until = match &step {
        WizardStep::Explain => 0,
        WizardStep::Ask(_) => open.map_or(0, |at| at + 1),
        WizardStep::Test => total,
    };
    let turns = questions
        .iter()
        .take(until)
        .enumerate()
        .map(|(n, asked)| {
            let is_open = Some(n) == open;
            let remarks: Vec<Remark> = talk
                .iter()
                .filter(|remark| remark.at == asked.key)
                .cloned()
                .collect();
            view! { <Exchange at=at.clone() asked=asked.clone() remarks is_open/> }
        })
        .collect_view();
    let asides: Vec<Remark> = talk
        .iter()
        .filter(|remark| remark.at.is_empty())
        .cloned()
        .collect();
    let control = match step {
        WizardStep::Explain => view! {
            <div class="actions">
                <Turn at=at.clone() turn="understood">
                    <button class="btn" data-kind="primary" data-focus>"Understood, go on"</button>
                </Turn>
            </div>
        }
        .into_any(),
        WizardStep::Ask(_) => {
            let asked = open.and_then(|at| questions.get(at).cloned());
            asked
                .map(|asked| view! { <Answering at=at.clone() name=name.clone() asked/> })
                .into_any()
        }
        WizardStep::Test => {
            // The failed line has the button that helps.
            let test = problem.is_none().then(|| {
                view! {
                    <Turn at=at.clone() turn="test" tests=true>
                        <button class="btn" data-kind="primary" data-focus>"Test and connect"</button>
                    </Turn>
                }
            });
            view! {
                {problem.map(|problem| view! {
                    <Checklist at=at.clone() steps=tested problem/>
                })}
                <div class="actions">
                    {test}
                    <Turn at=at.clone() turn="back">
                        <button class="btn" data-kind="plain">"Back"</button>
                    </Turn>
                </div>
                <p class="help">{words::tested_before_kept(&name)}</p>
            }
            .into_any()
        }
    };
    view! {
        <div class="wizard-head">
            <h2>{progress}</h2>
            <Turn at=at.clone() turn="form">
                <button class="btn" data-kind="quiet">"Show as form"</button>
            </Turn>
        </div>
        <div role="log" aria-label="Conversation">
            <ol class="talk">
                <Said who="us">{explained}</Said>
                <Remarks remarks=asides/>
                {turns}
            </ol>
        </div>
        {control}
        <Asking at=at.clone()/>
        <div class="actions" data-tone="quiet">
            <p class="muted">{at.kept}</p>
            <Turn at turn="discard">
                <button class="btn" data-kind="quiet">"Discard"</button>
            </Turn>
        </div>
    }
}

#[component]
fn Said(
    /// `us` or `you`.
    who: &'static str,
    children: Children,
) -> impl IntoView {
    let speaker = if who == "us" { "Linkwell: " } else { "You: " };
    view! {
        <li data-who=who>
            <span class="visually-hidden">{speaker}</span>
            {children()}
        </li>
    }
}

#[component]
fn Remarks(remarks: Vec<Remark>) -> impl IntoView {
    remarks
        .into_iter()
        .map(|Remark { said, told, .. }| {
            view! {
                <Said who="you">{said}</Said>
                <Said who="us">{told}</Said>
            }
        })
        .collect_view()
}

/// A question with what was said about it.
#[component]
fn Exchange(at: Address, asked: Asked, remarks: Vec<Remark>, is_open: bool) -> impl IntoView {
    let Asked {
        key,
        label,
        why,
        secret,
        answer,
        ..
    } = asked;
    let answer = answer.filter(|_| !is_open).map(|answer| {
        let spoken = format!(" {label}");
        view! {
            <Said who="you">
                {secret.then(|| view! { <Icon name="lock"/> })}
                <span>{answer}</span>
                <Turn at turn="edit" key>
                    <button class="link-button">
                        "Edit"
                        <span class="visually-hidden">{spoken}</span>
                    </button>
                </Turn>
            </Said>
        }
    });
    view! {
        <Said who="us">
            <strong>{format!("{label}?")}</strong>
            " "
            {why}
        </Said>
        <Remarks remarks/>
        {answer}
    }
}

/// The control of the open question.
#[component]
fn Answering(at: Address, name: String, asked: Asked) -> impl IntoView {
    let (optional, key) = (asked.optional, asked.key.clone());
    let control = view! { <Control asked=asked.clone()/> };
    view! {
        <Turn at=at.clone() turn="answer" key class="form">
            {control}
            <div class="actions">
                <button class="btn" data-kind="primary">"Continue"</button>
            </div>
        </Turn>
        <Finding asked name/>
        <div class="actions" data-tone="quiet">
            <Turn at=at.clone() turn="back">
                <button class="btn" data-kind="plain">"Back"</button>
            </Turn>
            {optional.then(|| view! {
                <Turn at turn="skip">
                    <button class="btn" data-kind="plain">"Skip"</button>
                </Turn>
            })}
        </div>
    }
}

/// What the answer to one question is typed into.
#[component]
fn Control(asked: Asked) -> impl IntoView {
    let Asked {
        key,
        label,
        why,
        example,
        secret,
        optional,
        multiline,
        suffix,
        choices,
        value,
        answer,
        ..
    } = asked;
    if !choices.is_empty() {
        let field = ConnectField {
            name: key,
            label,
            placeholder: None,
            suffix: None,
            help: Some(why).filter(|why| !why.is_empty()),
            value,
            optional: false,
            secret: false,
        };
        return view! { <Choose field choices/> }.into_any();
    }
    let kept = secret && answer.is_some();
    let placeholder = match (kept, answer) {
        (true, Some(answer)) => format!("Kept, {answer}. Leave empty to keep it"),
        _ => example,
    };
    view! {
        <Field
            name=key
            label
            kind=if secret { "password" } else { "text" }
            autocomplete="off"
            help=why
            placeholder
            suffix=suffix.unwrap_or_default()
            value
            may_be_empty=optional
            kept
            multiline
        />
    }
    .into_any()
}

/// Where to find what is asked for.
#[component]
fn Finding(asked: Asked, name: String) -> impl IntoView {
    let Asked {
        label, steps, link, ..
    } = asked;
    (!steps.is_empty()).then(|| {
        view! {
            <details class="disclosure">
                <summary>
                    <Icon name="chevron-right"/>
                    {format!("Where to find the {label}")}
                </summary>
                <ol class="steps">
                    {steps.into_iter().map(|step| view! { <li>{step}</li> }).collect_view()}
                </ol>
                {link.map(|link| view! {
                    <a class="btn" data-kind="plain" href=link target="_blank" rel="noreferrer">
                        {format!("Open {name}")}
                        <Icon name="external-link"/>
                    </a>
                })}
            </details>
        }
    })
}

/// The line one may type into, and what people ask most.
#[component]
fn Asking(at: Address) -> impl IntoView {
    let quick = ["Where do I find this?", "Why is it needed?", "Is it safe?"]
        .map(|said| {
            view! {
                <Turn at=at.clone() turn="say">
                    <input type="hidden" name="value" value=said/>
                    <button class="btn" data-kind="plain">{said}</button>
                </Turn>
            }
        })
        .collect_view();
    view! {
        <div class="quick" role="group" aria-label="Ask">{quick}</div>
        <Turn at turn="say" class="ask">
            <label class="visually-hidden" for="say">"Ask, or answer here"</label>
            <input
                id="say"
                name="value"
                type="text"
                autocomplete="off"
                maxlength="4000"
                required
                placeholder="Ask, or answer here"
            />
            <button class="btn" data-kind="plain">"Send"</button>
        </Turn>
    }
}
