//! Rules for automations, in Rego: what stops a run, and why.
//!
//! Each file is one policy, evaluated by itself and within narrow bounds. It
//! says what it denies in a set, `deny`: of sentences, or of objects with a
//! failure `code` and a `detail`. Whatever else it answers, and every error and
//! overrun, denies too: a rule that cannot be read is not one that allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    num::NonZeroU32,
    ops::Range,
    path::Path,
    sync::Arc,
    time::Duration,
};

use regorus::{
    Engine, Value,
    unstable::{self, Lexer, Module, Ref, Rule, RuleHead, Token, TokenKind},
    utils::limits::ExecutionTimerConfig,
};
use serde::Deserialize;
use serde_json::json;

use super::{RULE, stop::POLICY_FAILED};
use crate::failure::{Failure, FailureCode};

/// What is shipped, by name.
const SHIPPED: [(&str, &str, &str); 2] = [
    (
        "no_run_on_unverified_account",
        "No run on an account that no check has proven",
        include_str!("../../policies/no_run_on_unverified_account.rego"),
    ),
    (
        "no_write_if_scope_missing",
        "No change at a provider without the permission for it",
        include_str!("../../policies/no_write_if_scope_missing.rego"),
    ),
];

/// How long one policy may take for one run. The shipped ones take a hundredth.
const LIMIT: Duration = Duration::from_millis(25);
/// After how many steps the time is looked at.
const STEPS: NonZeroU32 = NonZeroU32::new(64).expect("more than nothing");
/// The largest policy, in bytes.
const LARGEST: u64 = 64 * 1024;
/// What allocates as much as it is told, in one step that no limit sees: the
/// beginnings of their names.
const UNBOUNDED: [(&str, &str); 2] = [("numbers", "range"), ("rand", "")];

/// How deep rules may call rules. Beyond, the engine would use up its stack, which
/// is no error that denies but ends the process.
const DEEPEST: usize = 32;

/// Where a policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is shipped; a tenant may switch it off.
    Shipped,
    /// The operator added it; tenants cannot change that.
    Operator,
}

/// One policy.
pub struct Policy {
    /// Its name: its file's, and the end of its package.
    pub name: String,
    /// What it is for, in a line.
    pub title: String,
    /// Where it comes from.
    pub source: Source,
    engine: Engine,
}

/// Every policy there is, in the order of their names.
#[derive(Clone)]
pub struct Policies(Arc<Vec<Policy>>);

/// What is wrong with a policy, for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct BadPolicy {
    file: String,
    problem: String,
}

/// That a policy stops a run, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which one.
    pub policy: String,
    /// Why.
    pub failure: Failure,
}

/// One member of `deny`.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Denial {
    Reason(String),
    Coded {
        code: FailureCode,
        detail: Option<String>,
        reason: Option<String>,
    },
}

impl Denial {
    fn is_of_hub(&self) -> bool {
        matches!(self, Self::Coded { code, .. } if code.is_of_hub())
    }
}

impl Policy {
    fn load(name: &str, title: &str, source: Source, rego: &str) -> Result<Self, String> {
        let is_name = (1..=64).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name {
            return Err("call it by small letters, digits and _".into());
        }
        let words = words_of(name, rego)?;
        if let Some(word) = unbounded(&words) {
            return Err(format!("{word} may not be used"));
        }
        let mut engine = Engine::new();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: LIMIT,
            check_interval: STEPS,
        });
        engine.set_strict_builtin_errors(true);
        // What it prints is for nobody.
        engine.set_gather_prints(true);
        let package = engine
            .add_policy(format!("{name}.rego"), rego.to_owned())
            .map_err(|error| error.to_string())?;
        if package != format!("data.linkwell.{name}") {
            return Err(format!("its package has to be linkwell.{name}"));
        }
        bounded(name, engine.get_modules(), &words)?;
        let policy = Self {
            name: name.to_owned(),
            title: title.to_owned(),
            source,
            engine,
        };
        // What it says of a run as they are has to be a list of denials.
        policy.denials(&example()).map(|_| policy)
    }

    fn denials(&self, input: &serde_json::Value) -> Result<Vec<Denial>, String> {
        let mut engine = self.engine.clone();
        engine.set_input(Value::from(input.clone()));
        let said = engine
            .eval_rule(format!("data.linkwell.{}.deny", self.name))
            .map_err(|error| error.to_string())?;
        if !matches!(said, Value::Set(_)) {
            return Err("`deny` has to be a set: `deny contains \"why\" if { … }`".into());
        }
        let text = said.to_json_str().map_err(|error| error.to_string())?;
        let denials: Vec<Denial> = serde_json::from_str(&text).map_err(
            |_| "`deny` may have sentences, and objects with `code`, `detail` and `reason`",
        )?;
        match denials.iter().any(Denial::is_of_hub) {
            true => Err("AUTH_001 to AUTH_004 are about signing in to the hub".into()),
            false => Ok(denials),
        }
    }

    fn decide(&self, input: &serde_json::Value) -> Option<Failure> {
        let denials = match self.denials(input) {
            Ok(denials) => denials,
            Err(error) => {
                tracing::error!(policy = %self.name, %error, "a policy failed and denies");
                let code = FailureCode::AppConfigInvalid;
                return Some(Failure::told(code, POLICY_FAILED).with_text(&self.name));
            }
        };
        // A set has an order of its own: the same run is told the same.
        denials.into_iter().next().map(|denial| match denial {
            Denial::Reason(reason) => {
                Failure::told(FailureCode::AdminApprovalRequired, RULE).with_text(reason)
            }
            Denial::Coded {
                code,
                detail,
                reason,
            } => Failure::told(code, detail.unwrap_or_else(|| RULE.into()))
                .with_text(reason.unwrap_or_default()),
        })
    }
}

impl Policies {
    /// Those that are shipped.
    ///
    /// # Panics
    /// When a shipped one is broken, which a test would have told.
    pub fn shipped() -> Self {
        let load = |(name, title, rego)| {
            Policy::load(name, title, Source::Shipped, rego).expect("a shipped policy")
        };
        Self(Arc::new(SHIPPED.into_iter().map(load).collect()))
    }

    /// The same with every `.rego` file of a directory; one that is called like a
    /// shipped one takes its place.
    ///
    /// # Errors
    /// For the first file that is no policy: a rule that is not understood must
    /// not be missing silently.
    pub fn with_directory(directory: &Path) -> Result<Self, BadPolicy> {
        let bad = |path: &Path, problem: String| BadPolicy {
            file: path.display().to_string(),
            problem,
        };
        let mut all: BTreeMap<String, Policy> = BTreeMap::new();
        for (name, title, rego) in SHIPPED {
            let policy = Policy::load(name, title, Source::Shipped, rego);
            all.insert(name.into(), policy.expect("a shipped policy"));
        }
        let files = fs::read_dir(directory).map_err(|error| bad(directory, error.to_string()))?;
        for file in files {
            let path = file
                .map_err(|error| bad(directory, error.to_string()))?
                .path();
            if !is_policy(&path).map_err(|problem| bad(&path, problem))? {
                continue;
            }
            let policy = read(&path).map_err(|problem| bad(&path, problem))?;
            all.insert(policy.name.clone(), policy);
        }
        Ok(Self(Arc::new(all.into_values().collect())))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }

    /// A policy that a tenant may switch off, by its name.
    pub fn switchable(&self, name: &str) -> Option<&Policy> {
        self.iter()
            .find(|policy| policy.name == name && policy.source == Source::Shipped)
    }

    /// The first that stops a run, of those that are not `off`. Takes no longer
    /// than their number times 25 ms, and touches nothing outside.
    pub fn decide(&self, input: &serde_json::Value, off: &[String]) -> Option<Denied> {
        self.iter()
            .filter(|policy| policy.source == Source::Operator || !off.contains(&policy.name))
            .find_map(|policy| {
                Some(Denied {
                    policy: policy.name.clone(),
                    failure: policy.decide(input)?,
                })
            })
    }
}

/// A word of a policy, as the engine reads it: in a sentence or a comment it would
/// be none.
struct Word {
    kind: TokenKind,
    text: String,
    /// Where it stands, in bytes.
    at: u32,
}

fn words_of(name: &str, rego: &str) -> Result<Vec<Word>, String> {
    let source = unstable::Source::from_contents(format!("{name}.rego"), rego.to_owned());
    let source = source.map_err(|error| error.to_string())?;
    let mut lexer = Lexer::new(&source);
    let mut words = Vec::new();
    loop {
        let Token(kind, span) = lexer.next_token().map_err(|error| error.to_string())?;
        if kind == TokenKind::Eof {
            return Ok(words);
        }
        words.push(Word {
            kind,
            text: span.text().trim_matches('"').to_owned(),
            at: span.start,
        });
    }
}

fn text(words: &[Word], at: usize) -> &str {
    words.get(at).map_or("", |word| word.text.as_str())
}

/// Whether a name begins here: `rand` of `rand.intn`, and not of `input.rand`.
fn begins(words: &[Word], at: usize) -> bool {
    words[at].kind == TokenKind::Ident && (at == 0 || text(words, at - 1) != ".")
}

/// What of [`UNBOUNDED`] a policy calls, if anything.
fn unbounded(words: &[Word]) -> Option<String> {
    let calls = |at: usize| {
        // `rand.intn` or `rand["intn"]`.
        let goes_on = matches!(text(words, at + 1), "." | "[");
        UNBOUNDED.iter().find_map(|(room, what)| {
            let is_it = begins(words, at)
                && goes_on
                && text(words, at) == *room
                && text(words, at + 2).starts_with(what);
            is_it.then(|| format!("{room}.{}", text(words, at + 2)))
        })
    };
    (0..words.len()).find_map(calls)
}

/// Refuses rules that call themselves or each other in a circle, or one another
/// deeper than [`DEEPEST`]. A name within a rule that is a rule's counts as a call,
/// whatever it means there.
fn bounded(name: &str, modules: &[Ref<Module>], words: &[Word]) -> Result<(), String> {
    let own = ["data", ".", "linkwell", ".", name, "."];
    let is_own = |at: usize| {
        (0..own.len()).all(|part| text(words, at + part) == own[part])
            && !matches!(text(words, at + own.len()), "" | "[")
    };
    let rules = modules.iter().flat_map(|module| module.policy.iter());
    let rules = rules.filter_map(|rule| match &**rule {
        Rule::Spec { span, head, .. } => {
            let (RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. }) = head;
            Some((refr.span().start, span.start..span.end))
        }
        Rule::Default { .. } => None,
    });
    let place = |start: u32| words.iter().position(|word| word.at == start);
    let rules: Vec<(&str, usize, Range<u32>)> = rules
        .filter_map(|(start, span)| {
            let head = place(start)?;
            Some((text(words, head), head, span))
        })
        .collect();
    let names: BTreeSet<&str> = rules.iter().map(|(name, ..)| *name).collect();
    let mut calls: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, word) in words.iter().enumerate() {
        let called = match begins(words, at) {
            true if word.text == "data" && !is_own(at) => {
                return Err(format!("of `data` only data.linkwell.{name}.… may be used"));
            }
            true if word.text == "data" => text(words, at + own.len()),
            true => word.text.as_str(),
            false => continue,
        };
        let within = rules
            .iter()
            .find(|(_, head, span)| *head != at && span.contains(&word.at));
        if let (Some((caller, ..)), Some(called)) = (within, names.get(called)) {
            calls.entry(caller).or_default().insert(called);
        }
    }
    // Whoever calls nobody, then who calls only those, and so on.
    let mut left = names;
    for _ in 0..DEEPEST {
        let rests = |name: &&&str| {
            let mut called = calls.get(**name).into_iter().flatten();
            called.all(|called| !left.contains(called))
        };
        let done: Vec<&str> = left.iter().filter(rests).copied().collect();
        done.iter().for_each(|name| {
            left.remove(name);
        });
        if left.is_empty() {
            return Ok(());
        }
    }
    let names: Vec<&str> = left.into_iter().take(3).collect();
    Err(format!(
        "rules may not call themselves, nor each other more than {DEEPEST} deep: {}",
        names.join(", ")
    ))
}

/// Whether what lies in the directory is a policy. What somebody may take for
/// one and is none is refused.
fn is_policy(path: &Path) -> Result<bool, String> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let is_hidden = name.is_some_and(|name| name.starts_with('.'));
    if path.is_dir() {
        // A directory that is mounted may keep its own things in hidden ones.
        let holds = !is_hidden && holds_policy(path).map_err(|error| error.to_string())?;
        return match holds || looks_like_policy(path) {
            true => Err("policies lie side by side in one directory, not in further ones".into()),
            false => Ok(false),
        };
    }
    match path.extension() {
        Some(ending) if ending == "rego" => Ok(true),
        _ if looks_like_policy(path) => Err("its name has to end in small letters: .rego".into()),
        _ => Ok(false),
    }
}

fn looks_like_policy(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("rego"))
}

fn holds_policy(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // Links are not followed: they may lead in a circle.
        let deeper = entry.file_type()?.is_dir();
        if looks_like_policy(&path) || (deeper && holds_policy(&path)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(path: &Path) -> Result<Policy, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err("it is larger than 64 kB".into());
    }
    let rego = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let name = name.ok_or("its name cannot be read")?;
    // Its first comment says what it is for.
    let title = rego.lines().find_map(|line| line.trim().strip_prefix('#'));
    let title = title.map(str::trim).filter(|title| !title.is_empty());
    let title: String = title.unwrap_or(name).chars().take(120).collect();
    Policy::load(name, &title, Source::Operator, &rego)
}

/// A run as policies see one: what they are tried with when they are loaded.
pub fn example() -> serde_json::Value {
    json!({
        "run": {
            "action": "orders.update",
            "writes": true,
            "scopes_needed": ["write_orders"],
            "scopes_missing": [],
            "correlation_id": "order-42",
        },
        "connection": {
            "id": "0192f1c2-0000-7000-8000-000000000000",
            "provider": "shopify",
            "status": "connected",
            "verified": true,
            "environment": "live",
            "scopes_granted": ["read_orders", "write_orders"],
            "created_at": 1_790_000_000,
        },
        "tenant": "0192f1c2-0000-7000-8000-000000000001",
        "key": "0192f1c2-0000-7000-8000-000000000002",
        "now": { "unix": 1_795_000_000, "hour": 10, "weekday": "saturday" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rego: &str) -> Result<Policy, String> {
        let rego = format!("package linkwell.mine\n{rego}");
        Policy::load("mine", "Mine", Source::Operator, &rego)
    }

    fn changed(pointer: &str, value: serde_json::Value) -> serde_json::Value {
        let mut input = example();
        *input.pointer_mut(pointer).unwrap() = value;
        input
    }

    /// Both shipped policies over every kind of run, written out.
    #[test]
    fn shipped_policies_stop_what_they_are_called_after() {
        let all = Policies::shipped();
        let missing = json!(["write_orders"]);
        for (writes, missing, verified, stopped) in [
            (true, json!([]), true, None),
            (false, json!([]), true, None),
            (false, missing.clone(), true, None),
            (
                true,
                missing.clone(),
                true,
                Some("no_write_if_scope_missing"),
            ),
            (true, json!([]), false, Some("no_run_on_unverified_account")),
            (
                false,
                json!([]),
                false,
                Some("no_run_on_unverified_account"),
            ),
            (true, missing, false, Some("no_run_on_unverified_account")),
        ] {
            let mut input = changed("/run/writes", json!(writes));
            input["run"]["scopes_missing"] = missing;
            input["connection"]["verified"] = json!(verified);
            let denied = all.decide(&input, &[]);
            assert_eq!(
                denied.map(|denied| denied.policy).as_deref(),
                stopped,
                "{input}"
            );
        }
        let mut input = changed("/connection/verified", json!(false));
        input["run"]["scopes_missing"] = json!(["write_orders"]);
        let off = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            all.decide(&input, &names).map(|denied| denied.policy)
        };
        let second = off(&["no_run_on_unverified_account"]);
        assert_eq!(second.as_deref(), Some("no_write_if_scope_missing"));
        assert_eq!(
            off(&["no_run_on_unverified_account", "no_write_if_scope_missing"]),
            None
        );
    }

    #[test]
    fn a_policy_says_why_in_words_or_with_a_code() {
        let mine =
            policy("deny contains \"Not on Saturdays\" if input.now.weekday == \"saturday\"");
        let mine = mine.unwrap();
        let failure = mine.decide(&example()).unwrap();
        assert_eq!(failure.code, FailureCode::AdminApprovalRequired);
        assert_eq!(failure.provider_text.as_deref(), Some("Not on Saturdays"));
        assert!(
            mine.decide(&changed("/now/weekday", json!("monday")))
                .is_none()
        );
        let coded = policy(
            "deny contains {\"code\": \"REFUSED_BY_PROVIDER\", \"reason\": \"Frozen\"} if true",
        );
        let failure = coded.unwrap().decide(&example()).unwrap();
        assert_eq!(failure.code, FailureCode::RefusedByProvider);
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for rego in [
            "deny contains \"x\" if {",
            "allow := true",
            "deny := true",
            "deny contains 3 if true",
            "deny contains {\"code\": \"NO_SUCH_CODE\"} if true",
            "deny contains {\"cause\": \"x\"} if true",
            "deny contains {\"code\": \"AUTH_002\"} if true",
            "deny contains \"x\" if count(numbers.range(1, 1000000000000)) > 0",
            "deny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})",
            "deny contains \"x\" if opa.runtime().env.HOME",
        ] {
            assert!(policy(rego).is_err(), "{rego}");
        }
        for circle in [
            "f(x) := f(x + 1)\ndeny contains \"x\" if { input.run.action == \"y\"; f(1) > 0 }",
            "f(x) := g(x)\ng(x) := f(x)\ndeny contains \"x\" if { input.run.action == \"y\"; g(1) }",
            "f(x) := data.linkwell.mine.f(x)\ndeny contains \"x\" if { input.run.action == \"y\"; f(1) }",
            "a := b\nb := a\ndeny contains \"x\" if { input.run.action == \"y\"; a }",
        ] {
            let refused = policy(circle).err().expect("it is refused");
            assert!(refused.contains("may not call themselves"), "{refused}");
        }
        for data in [
            "data[\"linkwell\"].mine.deny",
            "data.linkwell[\"mine\"].deny",
            "data",
        ] {
            let rego = format!("deny contains \"x\" if {{ input.run.action == \"y\"; {data} }}");
            assert!(policy(&rego).is_err(), "{rego}");
        }
        for call in [
            "numbers.range_step(1, 9, 2)",
            "rand.intn(\"x\", 9)",
            "numbers[\"range\"](1, 9)",
        ] {
            // Also where what it is tried with does not come by.
            let rego = format!("deny contains \"x\" if {{ input.run.action == \"y\"; {call} }}");
            let refused = policy(&rego).err().expect("it is refused");
            assert!(refused.contains("may not be used"), "{refused}");
        }
        let elsewhere = "package elsewhere\ndeny contains \"x\" if true";
        assert!(Policy::load("mine", "", Source::Operator, elsewhere).is_err());
        assert!(Policy::load("../mine", "", Source::Operator, elsewhere).is_err());
    }

    #[test]
    fn words_that_are_no_calls_are_harmless() {
        for rego in [
            "deny contains \"only our brand.\" if false",
            "# numbers.range and rand. are not there\ndeny contains \"x\" if false",
            "deny contains `no rand.intn here` if false",
            "deny contains \"x\" if input.rand.numbers.range",
            "numbers := [1, 2]\ndeny contains \"x\" if numbers[0] == 2",
        ] {
            assert_eq!(policy(rego).err(), None, "{rego}");
        }
    }

    /// As deep as rules may call rules, each with brackets as deep as the engine
    /// reads them: it fits onto the stack of a thread.
    #[test]
    fn what_is_as_deep_as_may_be_is_computed() {
        let brackets = |inside: &str| format!("{}{inside}{}", "(".repeat(16), ")".repeat(16));
        let chain = |depth: usize| {
            let rules =
                (1..depth).map(|n| format!("f{n}(x) := {}\n", brackets(&format!("f{}(x)", n + 1))));
            let rules: String = rules.collect();
            format!("{rules}f{depth}(x) := x\ndeny contains \"x\" if f1(1) == 2")
        };
        let deepest = policy(&chain(DEEPEST - 1)).unwrap();
        assert!(deepest.decide(&example()).is_none());
        let deeper = policy(&chain(DEEPEST)).err().expect("it is refused");
        assert!(deeper.contains("32 deep"), "{deeper}");
        let shadow = policy("at := 1\nf(x) := x + at\ndeny contains \"x\" if input.run.at == f(1)");
        assert!(shadow.is_ok());
    }

    /// Ten nested loops over ten values: a century of work.
    const ENDLESS: &str = "
        ten := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        deny contains \"x\" if {
            input.run.action == \"loop\"
            some a in ten; some b in ten; some c in ten; some d in ten; some e in ten
            some f in ten; some g in ten; some h in ten; some i in ten; some j in ten
            a + b + c + d + e + f + g + h + i + j == 0
        }";

    #[test]
    fn a_policy_that_errs_or_takes_too_long_denies() {
        let endless = policy(ENDLESS).unwrap();
        assert!(endless.decide(&example()).is_none());
        let began = std::time::Instant::now();
        let failure = endless
            .decide(&changed("/run/action", json!("loop")))
            .unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(failure.detail, "policy_failed");
        let wrong = policy("deny contains \"x\" if to_number(input.run.action) > 1");
        // It errs with the example already, and is not even loaded.
        assert!(wrong.is_err());
        let later = policy(
            "deny contains \"x\" if { input.run.action != \"orders.update\"; to_number(input.run.action) > 1 }",
        );
        let failure = later
            .unwrap()
            .decide(&changed("/run/action", json!("y")))
            .unwrap();
        assert_eq!(
            (failure.code, &*failure.detail),
            (FailureCode::AppConfigInvalid, "policy_failed")
        );
    }
}
