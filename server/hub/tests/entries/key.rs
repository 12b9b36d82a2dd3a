//! One entry whose keys a person enters: a good key, and everything that may be
//! wrong with one.

use hub::{
    catalog::{Provider, Variables},
    dialect::Identity,
    failure::Failure,
};

use crate::{
    bench::{Bench, answers, replay},
    facts::{Fact, Facts},
    player::Step,
};

/// What was found wrong with an entry's probe.
pub(crate) async fn probe(
    bench: &Bench,
    provider: &Provider,
    fact: &Fact,
    facts: &Facts,
) -> Vec<String> {
    match all(bench, provider, fact, facts).await {
        Ok(mut found) => {
            found.append(&mut bench.player.stage().deviations);
            found
        }
        Err(why) => vec![why],
    }
}

async fn all(
    bench: &Bench,
    provider: &Provider,
    fact: &Fact,
    facts: &Facts,
) -> Result<Vec<String>, String> {
    let variables = answers(provider, provider.questions())?;
    let entered = bench.entered(provider)?;
    let known = bench.known(provider, &variables, &entered);
    bench.player.begin(fact, known);
    bench.player.step(Step::Identify);
    let stored = entered.to_stored();
    let identify = async || -> Result<Identity, Failure> {
        let settings = Variables::new();
        bench
            .dialect
            .identify(provider, &settings, &variables, &stored, None)
            .await
    };
    let mut found = Vec::new();
    match identify().await {
        Ok(identity) => {
            let stage = bench.player.stage();
            let expected = [
                ("id", &identity.id, &fact.account_id_from, &stage.account_id),
                (
                    "label",
                    &identity.label,
                    &fact.account_label_from,
                    &stage.account_label,
                ),
            ];
            for (what, told, place, account) in expected {
                let place = place.as_deref().unwrap_or("hash:");
                let expected = match place.split_once(':') {
                    Some(("test" | "call" | "header" | "probe", _)) => account,
                    Some(("field" | "var", name)) => stage.known.get(name).unwrap_or(account),
                    // Nothing names the account but the key itself.
                    _ => told,
                };
                if told != expected {
                    found.push(format!("{what} is {told:?}, the account's is {expected:?}"));
                }
            }
        }
        Err(failure) => found.push(format!(
            "a good key: {} {}",
            failure.code.as_str(),
            failure.detail
        )),
    }
    let errors = facts.errors("api_key", fact);
    let call = async || identify().await.map(|_| ());
    found.extend(replay(bench, &errors, call).await);
    Ok(found)
}
