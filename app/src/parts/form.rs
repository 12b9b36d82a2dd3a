//! Forms: a field with its help and its problem, and the summary that takes the
//! focus when something has to be put right. What was typed is kept.

use leptos::prelude::*;

use super::Icon;
use crate::{flash::Flash, model::ConnectField, site::Visit};

/// One field of a form.
#[component]
pub fn Field(
    /// The name it is posted under.
    #[prop(into)]
    name: String,
    /// What it is called.
    #[prop(into)]
    label: String,
    /// `text`, `email` or `password`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: &'static str,
    /// Where to find it, or what is expected.
    #[prop(optional, into)]
    help: Option<String>,
    /// What is filled in when nothing was typed yet.
    #[prop(optional, into)]
    value: Option<String>,
    /// An example.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// What follows the value.
    #[prop(optional, into)]
    suffix: Option<String>,
    /// The fewest characters.
    #[prop(optional)]
    minlength: Option<u32>,
    /// Whether it may stay empty.
    #[prop(optional)]
    may_be_empty: bool,
    /// Whether it holds something already that is not shown, and is kept when it
    /// stays empty.
    #[prop(optional)]
    kept: bool,
    /// Whether it has several lines.
    #[prop(optional)]
    multiline: bool,
) -> impl IntoView {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (help, placeholder, suffix) = (said(help), said(placeholder), said(suffix));
    let flash = Visit::current().flash;
    let problem = flash.problem(&name);
    let value = match kind {
        "password" => None,
        _ => flash.value(&name).or(value),
    };
    let (help_id, problem_id) = (format!("{name}-help"), format!("{name}-problem"));
    let described = [
        help.is_some().then(|| help_id.clone()),
        problem.is_some().then(|| problem_id.clone()),
    ];
    let described = described
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let wrong = problem.is_some();
    view! {
        <div class="field" data-wrong=wrong.then_some("true")>
            <label for=name.clone()>
                {label}
                {may_be_empty.then(|| view! { <span class="optional">" (optional)"</span> })}
            </label>
            {help.map(|help| view! { <p class="help" id=help_id>{help}</p> })}
            {problem.map(|problem| view! {
                <p class="problem" id=problem_id>
                    <Icon name="circle-alert"/>
                    {problem}
                </p>
            })}
            <div class="input">
                {multiline.then(|| view! {
                    <textarea
                        id=name.clone()
                        name=name.clone()
                        rows="4"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder=placeholder.clone()
                        required={!may_be_empty && !kept}
                        aria-describedby=(!described.is_empty()).then(|| described.clone())
                        aria-invalid=wrong.then_some("true")
                        inner_html=escaped(value.as_deref().unwrap_or_default())
                    ></textarea>
                })}
                {(!multiline).then(|| view! { <input
                    id=name.clone()
                    name=name
                    type=kind
                    value=value
                    autocomplete=(!autocomplete.is_empty()).then_some(autocomplete)
                    autocapitalize=(kind != "text").then_some("none")
                    placeholder=placeholder
                    minlength=minlength
                    required={!may_be_empty && !kept}
                    aria-describedby=(!described.is_empty()).then_some(described)
                    aria-invalid=wrong.then_some("true")
                /> })}
                {suffix.map(|suffix| view! { <span class="suffix">{suffix}</span> })}
            </div>
        </div>
    }
}

/// Text as it stands between tags. Drawn as a child it would bring the marks
/// that other elements do not show, and an empty one a blank.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The password once more, before something grave, unless its person signed in
/// a moment ago.
#[component]
pub fn StepUp(
    /// Why it is asked for.
    why: &'static str,
    /// Where two forms of one page ask for it, the second's own name.
    #[prop(default = "current")]
    name: &'static str,
) -> impl IntoView {
    (!Visit::current().recently).then(|| {
        view! {
            <Field
                name=name
                label="Your password"
                kind="password"
                help=why
                autocomplete="current-password"
            />
        }
    })
}

/// A field with a closed list of answers.
#[component]
pub fn Choose(
    /// The question.
    field: ConnectField,
    /// Each answer with its value and its label.
    choices: Vec<(String, String)>,
) -> impl IntoView {
    let ConnectField {
        name,
        label,
        help,
        value,
        ..
    } = field;
    let chosen = Visit::current().flash.value(&name).unwrap_or(value);
    let help_id = format!("{name}-help");
    view! {
        <div class="field">
            <label for=name.clone()>{label}</label>
            {help.clone().map(|help| view! { <p class="help" id=help_id.clone()>{help}</p> })}
            <div class="input">
                <select id=name.clone() name=name aria-describedby=help.map(|_| help_id)>
                    {choices
                        .into_iter()
                        .map(|(value, label)| {
                            let selected = value == chosen;
                            view! { <option value=value selected=selected>{label}</option> }
                        })
                        .collect_view()}
                </select>
            </div>
        </div>
    }
}

/// What has to be put right, at the top of the page and with the focus.
#[component]
pub fn ProblemSummary() -> impl IntoView {
    let flash = Visit::current().flash;
    (!flash.problems.is_empty()).then(|| {
        let lines = flash
            .problems
            .iter()
            .map(|(field, problem)| {
                let text = problem.clone();
                match field.is_empty() {
                    true => view! { <li>{text}</li> }.into_any(),
                    false => view! { <li><a href=format!("#{field}")>{text}</a></li> }.into_any(),
                }
            })
            .collect_view();
        view! {
            <div class="summary" role="alert" tabindex="-1" autofocus aria-labelledby="summary">
                <h2 id="summary">"There is a problem"</h2>
                <ul>{lines}</ul>
            </div>
        }
    })
}

/// What came of it, after a redirect.
#[component]
pub fn NoticeLine(
    /// What came back.
    flash: Flash,
) -> impl IntoView {
    flash.notice.map(|notice| {
        let (tone, icon) = match notice.is_good() {
            true => ("good", view! { <Icon name="circle-check"/> }),
            false => ("neutral", view! { <Icon name="circle-alert"/> }),
        };
        view! {
            <p class="notice" role="status" data-tone=tone>
                {icon}
                {notice.text()}
            </p>
        }
    })
}
