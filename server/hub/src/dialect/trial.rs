//! Trying out what was entered: five steps in a fixed order, told as they are
//! taken, so that a person sees where it stops.

use super::{
    Caller, Dialect, Entered, Grant, Identity, ProviderApp, RefreshAnswer,
    entered_call::{NOT_IN_ANSWER, OTHER_STATUS},
    identity::Asked,
};
use crate::{
    catalog::{Provider, Variables},
    failure::{Failure, FailureCode},
};

/// What a trial tests, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The name has an address we may call, and somebody answers there.
    Reach,
    /// The connection is encrypted and the certificate is good.
    Encryption,
    /// What was entered is accepted.
    SignIn,
    /// It may do what it is connected for.
    Permissions,
    /// Something can be read.
    Sample,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 5] = [
        Self::Reach,
        Self::Encryption,
        Self::SignIn,
        Self::Permissions,
        Self::Sample,
    ];

    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Encryption => "encryption",
            Self::SignIn => "sign_in",
            Self::Permissions => "permissions",
            Self::Sample => "sample",
        }
    }
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Passed {
        /// What is worth knowing all the same: a sentence without its full stop.
        note: Option<String>,
    },
    /// It does not.
    Failed(Failure),
    /// An earlier step failed.
    NotReached,
    /// There is nothing to test.
    NotNeeded,
}

/// One step of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What was tested.
    pub step: Step,
    /// How it went.
    pub outcome: Outcome,
}

/// What trying out showed.
pub struct Trial {
    /// Each step once, in order.
    pub steps: Vec<Tried>,
    /// Whose account it is; told when no step failed.
    pub account: Option<Identity>,
    /// The environment the key belongs to, where keys tell: `test`, `live`.
    pub environment: Option<String>,
    /// The permissions it has, where the provider says.
    pub granted: Option<Vec<String>>,
    /// What calls will carry; there when no step failed.
    pub grant: Option<Grant>,
}

impl Trial {
    /// Why the first failed step failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.steps.iter().find_map(|tried| match &tried.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}

/// Who watches a trial.
pub type Watch<'w> = &'w (dyn Fn(&Tried) + Send + Sync);

/// The steps taken so far.
pub(super) struct Progress<'w> {
    steps: Vec<Tried>,
    watch: Watch<'w>,
}

impl<'w> Progress<'w> {
    pub fn new(watch: Watch<'w>) -> Self {
        let steps = Vec::with_capacity(Step::ALL.len());
        Self { steps, watch }
    }

    /// Where nobody watches.
    pub fn unseen() -> Progress<'static> {
        Progress::new(&|_| {})
    }

    /// The step that is next.
    fn next(&self) -> Step {
        let last = Step::ALL.len() - 1;
        Step::ALL[self.steps.len().min(last)]
    }

    fn tell(&mut self, outcome: Outcome) {
        if self.steps.len() < Step::ALL.len() {
            let step = self.next();
            self.steps.push(Tried { step, outcome });
            (self.watch)(self.steps.last().expect("one was added"));
        }
    }

    /// `step` works, and what comes before it.
    pub fn passed(&mut self, step: Step, note: Option<String>) {
        self.up_to(step);
        self.tell(Outcome::Passed { note });
    }

    /// There is nothing to test at `step`.
    pub fn not_needed(&mut self, step: Step) {
        self.up_to(step);
        self.tell(Outcome::NotNeeded);
    }

    fn up_to(&mut self, step: Step) {
        while self.next() < step {
            self.tell(Outcome::Passed { note: None });
        }
    }

    /// It ends at `step`, or at the next one when that was passed already.
    pub fn failed_at(&mut self, step: Step, failure: Failure) {
        self.up_to(step);
        self.tell(Outcome::Failed(failure));
        while self.steps.len() < Step::ALL.len() {
            self.tell(Outcome::NotReached);
        }
    }

    /// It ends where it is; a missing permission is named as what it is.
    pub fn failed(&mut self, failure: Failure) {
        let step = match failure.code {
            FailureCode::PermissionMissing if self.next() == Step::SignIn => Step::Permissions,
            _ => self.next(),
        };
        self.failed_at(step, failure);
    }
}

impl Dialect {
    /// Tries out what was entered and tells `watch` of every step. Nothing is
    /// stored. `caller` is the provider app, where there is one.
    pub async fn try_out<'a>(
        &self,
        provider: &Provider,
        caller: impl Into<Caller<'a>>,
        variables: &Variables,
        entered: &Entered,
        watch: Watch<'_>,
    ) -> Trial {
        let mut progress = Progress::new(watch);
        let found = match &provider.service {
            Some(_) => self.try_service(provider, entered, &mut progress).await,
            None => {
                self.try_http(provider, caller.into(), variables, entered, &mut progress)
                    .await
            }
        };
        let (account, grant) = found.unzip();
        let granted = grant
            .as_ref()
            .and_then(|grant: &Grant| grant.scopes.clone());
        Trial {
            steps: progress.steps,
            granted: granted.or_else(|| account.as_ref()?.granted_scopes.clone()),
            account,
            environment: environment(provider, entered),
            grant,
        }
    }

    async fn try_http(
        &self,
        provider: &Provider,
        caller: Caller<'_>,
        variables: &Variables,
        entered: &Entered,
        progress: &mut Progress<'_>,
    ) -> Option<(Identity, Grant)> {
        let is_plain = provider.identity.call.as_ref().is_some_and(|call| {
            let values = provider.values(variables);
            let url = call.url.render(&values).unwrap_or_default();
            url.starts_with("http:")
        });
        let answered = |progress: &mut Progress<'_>| {
            progress.passed(Step::Reach, None);
            match is_plain {
                true => progress.not_needed(Step::Encryption),
                false => progress.passed(Step::Encryption, None),
            }
        };
        let ended = |progress: &mut Progress<'_>, asked, failure| {
            let step = step_of(&failure, asked);
            if step > Step::Encryption {
                answered(progress);
            }
            progress.failed_at(step, failure);
        };
        let grant = match self.grant_of(provider, variables, entered).await {
            Ok(grant) => grant,
            Err(failure) => {
                ended(progress, Asked::Identity, failure);
                return None;
            }
        };
        let known = grant.account.as_ref();
        let token = &grant.access_token;
        let asked = self.ask_who(provider, caller, variables, token, known);
        let identity = match asked.await {
            Ok(identity) => identity,
            Err((asked, failure)) => {
                ended(progress, asked, failure);
                return None;
            }
        };
        answered(progress);
        let environment = environment(provider, entered);
        let environment = environment.map(|name| format!("This is a {name} key"));
        progress.passed(Step::SignIn, environment);
        let granted = grant.scopes.as_ref().or(identity.granted_scopes.as_ref());
        progress.passed(
            Step::Permissions,
            granted.and_then(|granted| missing(provider, granted)),
        );
        let is_described =
            (provider.identity.call.as_ref()).is_some_and(|call| call.entered.is_some());
        match &provider.probe {
            None if is_described => progress.passed(Step::Sample, None),
            Some(_) => progress.passed(Step::Sample, None),
            None => progress.not_needed(Step::Sample),
        }
        Some((identity, grant))
    }

    /// What calls will carry: what was entered, or a token made from it.
    async fn grant_of(
        &self,
        provider: &Provider,
        variables: &Variables,
        entered: &Entered,
    ) -> Result<Grant, Failure> {
        if provider.carries_fields() {
            return Ok(Grant::of_token(&entered.to_stored()));
        }
        let nobody = ProviderApp::none();
        match self.mint(provider, &nobody, variables, Some(entered)).await {
            RefreshAnswer::Renewed(grant) => Ok(Grant {
                // What the next token is made from.
                refresh_token: Some(entered.to_stored()),
                ..grant
            }),
            RefreshAnswer::Refused(failure)
            | RefreshAnswer::NotSent(failure)
            | RefreshAnswer::Unclear(failure)
            | RefreshAnswer::Later(failure) => Err(failure),
        }
    }
}

fn environment(provider: &Provider, entered: &Entered) -> Option<String> {
    provider.fields.iter().find_map(|field| {
        let value = entered.get(&field.name)?;
        field.environment(value).map(str::to_owned)
    })
}

/// What is missing of what we would like, in words.
fn missing(provider: &Provider, granted: &[String]) -> Option<String> {
    let missing = provider.missing_scopes(&provider.default_scopes(), granted);
    let meanings: Vec<&str> = missing
        .iter()
        .filter_map(|name| Some(provider.scope(name)?.meaning.as_str()))
        .collect();
    (!meanings.is_empty()).then(|| format!("Not allowed: {}", meanings.join(", ")))
}

/// Which step a call over HTTP failed at.
fn step_of(failure: &Failure, asked: Asked) -> Step {
    const UNREACHED: [&str; 6] = [
        "address_not_allowed",
        "https_required",
        "dns",
        "no_such_host",
        "host",
        "connect",
    ];
    const UNENCRYPTED: [&str; 5] = [
        "tls",
        "certificate",
        "certificate_name",
        "certificate_expired",
        "certificate_untrusted",
    ];
    match (failure.code, failure.detail.as_str(), asked) {
        (_, OTHER_STATUS | NOT_IN_ANSWER, _) => Step::Sample,
        (_, detail, _) if UNREACHED.contains(&detail) => Step::Reach,
        (_, detail, _) if UNENCRYPTED.contains(&detail) => Step::Encryption,
        (FailureCode::PermissionMissing, ..) => Step::Permissions,
        (FailureCode::CredentialsRejected, ..) | (.., Asked::Identity) => Step::SignIn,
        (.., Asked::Probe) => Step::Sample,
    }
}

/// A person typed the host: one that does not exist, or whose certificate is
/// another's, is most likely mistyped.
pub(super) fn of_typed_host(failure: Failure) -> Failure {
    let detail = match failure.detail.as_str() {
        "no_such_host" => "host",
        "certificate_name" => "certificate",
        _ => return failure,
    };
    Failure {
        code: FailureCode::AccountOrTargetMismatch,
        detail: detail.into(),
        ..failure
    }
}
