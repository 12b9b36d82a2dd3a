//! Every line of every shipped `[errors]`: an answer is made of it, and must be
//! read as it says. A line that no answer reaches is a mistake in the file.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use hub::{
    catalog::{Catalog, Provider, RefreshMode, oauth::Delivery, value::Pointer},
    dialect::{CallbackGrant, ProviderApp, TOKEN_EXPIRED},
    failure::{Failure, FailureCode as Code},
    secret::Secret,
};
use serde_json::{Value, json};

use crate::bench::*;

/// A line: where, which code, which text, and what it means.
struct Line {
    place: String,
    code: String,
    text: String,
    meaning: String,
}

fn lines(id: &str) -> Vec<Line> {
    let file = format!("{}/catalog/{id}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let file: toml::Table = text.parse().unwrap();
    let errors = file
        .get("errors")
        .and_then(|table| table.as_table())
        .cloned();
    let line = |(key, meaning): (String, toml::Value)| {
        let (place, rest) = key.split_once(':').unwrap();
        let (code, text) = rest.split_once('+').unwrap_or((rest, ""));
        Line {
            place: place.to_owned(),
            code: code.to_owned(),
            text: text.to_owned(),
            meaning: meaning.as_str().unwrap().to_owned(),
        }
    };
    errors.into_iter().flatten().map(line).collect()
}

/// Sets a value at a pointer, making what is missing on the way.
fn put(body: &mut Value, at: &str, value: Value) {
    let mut here = body;
    for step in at.split('/').skip(1) {
        here = match step.parse::<usize>() {
            Ok(_) => {
                if !here.is_array() {
                    *here = json!([{}]);
                }
                &mut here[0]
            }
            Err(_) => {
                if !here.is_object() {
                    *here = json!({});
                }
                &mut here[step.replace("~1", "/").replace("~0", "~").as_str()]
            }
        };
    }
    *here = value;
}

/// Its name and its value.
type Header = (String, String);

/// The answers in which a provider may say what a line is about.
fn answers(
    line: &Line,
    errors: &[Pointer],
    texts: &[Pointer],
) -> Vec<(StatusCode, Value, Option<Header>)> {
    let status = match line.code.as_str() {
        "5xx" => Some(500),
        code if code.len() == 3 => code.parse::<u16>().ok(),
        _ => None,
    };
    let header = line.text.starts_with("x-").then(|| {
        let (name, value) = line
            .text
            .split_once('=')
            .unwrap_or((&line.text, "required"));
        (name.to_lowercase(), value.to_owned())
    });
    let mut answers = Vec::new();
    let mut words = vec!["/message"];
    words.extend(texts.iter().map(Pointer::as_str));
    for word in words {
        let mut said = json!({});
        // A text that reads name=value is a field of that name.
        match line.text.split_once('=') {
            _ if line.text.is_empty() || header.is_some() => {}
            Some((name, value)) => put(&mut said, &format!("/{name}"), json!(value)),
            None => put(&mut said, word, json!(line.text)),
        }
        if let Some(status) = status.and_then(|code| StatusCode::from_u16(code).ok()) {
            answers.push((status, said.clone(), header.clone()));
        }
        for at in errors {
            let mut body = said.clone();
            put(&mut body, at.as_str(), json!(line.code));
            for status in [400, 200, 403] {
                let status = StatusCode::from_u16(status).unwrap();
                answers.push((status, body.clone(), header.clone()));
            }
        }
    }
    answers
}

/// What the engine makes of one answer.
async fn reading(bench: &Bench, catalog: &Catalog, provider: &Provider, place: &str) -> Failure {
    let values = bench.values(provider);
    let stored = entered(provider).to_stored();
    let app = ProviderApp {
        client_secret: Secret::new(KEY),
        settings: values.clone(),
        ..app()
    };
    let installs = provider
        .oauth
        .as_ref()
        .is_some_and(|oauth| oauth.callback.delivers == Delivery::Installation);
    match place {
        // What is exchanged there is the person's own code.
        "exchange" if installs => {
            let callback = CallbackGrant {
                code: Secret::new("the-code"),
                state: None,
                variables: values.clone(),
                account_hint: None,
                granted_scopes: None,
            };
            let proved = bench.dialect.prove(provider, &app, &values, &callback);
            failed(proved.await)
        }
        "exchange" => failed(bench.trade(catalog, &provider.id).await),
        "api" => {
            let token = match provider.carries_fields() {
                true => stored,
                false => Secret::new("tok"),
            };
            let asked = bench
                .dialect
                .identify(provider, &app, &values, &token, None);
            failed(asked.await)
        }
        _ if provider.refresh.mode == RefreshMode::Mint && installs => {
            failure_of(bench.dialect.mint(provider, &app, &values, None).await)
        }
        _ if provider.refresh.mode == RefreshMode::Mint => failure_of(
            bench
                .dialect
                .refresh(provider, &app, &values, &stored)
                .await,
        ),
        _ => failure_of(bench.renew(catalog, &provider.id).await),
    }
}

fn is_read(failure: &Failure, meaning: &str, is_key: bool) -> bool {
    match meaning {
        "TOKEN_EXPIRED" if is_key => failure.code == Code::CredentialsRejected,
        "TOKEN_EXPIRED" => failure.detail == TOKEN_EXPIRED,
        meaning => failure.code.as_str() == meaning && !failure.detail.starts_with("unmapped"),
    }
}

#[tokio::test]
async fn every_line_of_every_shipped_entry_is_reached() {
    let bench = Bench::start().await;
    let catalog = bench.shipped();
    let mut unreached = BTreeMap::new();
    let mut reached = 0;
    // What is not spoken to over HTTP has no reader yet: see the corpus.
    for provider in catalog.iter().filter(|provider| provider.service.is_none()) {
        let shared = (provider.app_id != provider.id).then_some(&provider.app_id);
        let own = lines(&provider.id);
        let inherited = shared.into_iter().flat_map(|app| lines(app));
        let inherited: Vec<_> = inherited
            .filter(|line| {
                !own.iter()
                    .any(|o| (&o.place, &o.code, &o.text) == (&line.place, &line.code, &line.text))
            })
            .collect();
        for line in own.iter().chain(&inherited) {
            let key = format!("{} {}:{}+{}", provider.id, line.place, line.code, line.text);
            if line.place == "callback" {
                let failure = returned(&bench, provider, line);
                match failure.is_some_and(|failure| is_read(&failure, &line.meaning, false)) {
                    true => reached += 1,
                    false => drop(unreached.insert(key, line.meaning.clone())),
                }
                continue;
            }
            let (errors, texts) = match line.place.as_str() {
                "api" => (&provider.api.errors, &provider.api.texts),
                _ => (&provider.answer.errors, &provider.answer.texts),
            };
            let mut is_reached = false;
            for (status, body, header) in answers(line, errors, texts) {
                let mut answer: Response = (status, body.to_string()).into_response();
                if let Some((name, value)) = header {
                    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                    answer
                        .headers_mut()
                        .insert(name, HeaderValue::from_str(&value).unwrap());
                }
                bench.forget_answers();
                bench.will_answer(answer);
                let place = match (line.place.as_str(), provider.token().is_some()) {
                    // Where there is nothing to refresh, a code is exchanged.
                    ("token", true) if provider.refresh.mode == RefreshMode::None => "exchange",
                    (place, _) => place,
                };
                let failure = reading(&bench, &catalog, provider, place).await;
                is_reached |= is_read(&failure, &line.meaning, provider.carries_fields());
                if is_reached {
                    break;
                }
            }
            match is_reached {
                true => reached += 1,
                false => drop(unreached.insert(key, line.meaning.clone())),
            }
        }
    }
    assert!(
        unreached.is_empty(),
        "{} of {reached} are not reached: {unreached:#?}",
        unreached.len()
    );
    assert!(reached > 1_000, "{reached}");
}

fn returned(bench: &Bench, provider: &Provider, line: &Line) -> Option<Failure> {
    let callback = &provider.oauth.as_ref()?.callback;
    let values = bench.values(provider);
    let mut query = vec![(callback.errors.first()?.clone(), line.code.clone())];
    if !line.text.is_empty() {
        query.push((callback.texts.first()?.clone(), line.text.clone()));
    }
    if let Some(issuer) = &callback.issuer {
        query.push(("iss".into(), issuer.render(&provider.values(&values)).ok()?));
    }
    Some(failed(bench.dialect.read_callback(
        provider,
        &app(),
        &values,
        &query,
    )))
}
