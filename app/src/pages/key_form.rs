//! The form for what people enter where there is no one-click sign-in. Each
//! value says why it is needed and where to find it.

use leptos::prelude::*;

use crate::{
    model::{EnterField, EnterPage},
    parts::{
        Icon,
        form::{Choose, Field},
    },
    paths, words,
};

/// The form. It is tested with the provider when it is sent, and kept only
/// when it works.
#[component]
pub fn KeyForm(
    /// The provider's id.
    provider: String,
    /// The provider's name.
    name: String,
    /// The connection that gets new keys, if it is not a new one.
    connection: Option<String>,
    /// What is asked.
    page: EnterPage,
    /// How long it usually takes, in words.
    takes: Option<String>,
) -> impl IntoView {
    let EnterPage { questions, fields } = page;
    let questions = questions
        .into_iter()
        .map(|question| match question.choices.is_empty() {
            true => view! {
                <Field
                    name=question.field.name
                    label=question.field.label
                    placeholder=question.field.placeholder.unwrap_or_default()
                    suffix=question.field.suffix.unwrap_or_default()
                    help=question.field.help.unwrap_or_default()
                    value=question.field.value
                />
            }
            .into_any(),
            false => view! { <Choose field=question.field choices=question.choices/> }.into_any(),
        })
        .collect_view();
    let fields = fields
        .into_iter()
        .map(|field| view! { <Entered field name=name.clone()/> })
        .collect_view();
    view! {
        <form class="form" method="post" action=paths::connect(&provider)>
            {connection.map(|id| view! { <input type="hidden" name="connection" value=id/> })}
            {questions}
            {fields}
            <div class="actions">
                <button class="btn" data-kind="primary">"Test and connect"</button>
                {takes.map(|takes| view! { <span class="muted">{takes}</span> })}
            </div>
            <p class="help">{words::tested_before_kept(&name)}</p>
        </form>
    }
}

#[component]
fn Entered(field: EnterField, name: String) -> impl IntoView {
    let EnterField {
        name: id,
        label,
        why,
        steps,
        link,
        example,
        secret,
        optional,
        multiline,
        value,
    } = field;
    view! {
        <div class="stack" data-gap="small">
            <Field
                name=id
                label=label.clone()
                kind=if secret { "password" } else { "text" }
                autocomplete="off"
                help=why
                placeholder=example
                value=value
                may_be_empty=optional
                multiline=multiline
            />
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
        </div>
    }
}
