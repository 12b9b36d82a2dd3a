//! The conversation that collects what a connection needs: one question after
//! the other, or all at once, in any browser of the same person. What was
//! answered is kept from the first answer on, secrets sealed.
//!
//! A draft stores answers; where it stands is computed from them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use super::{
    Listed, Typed,
    question::{Question, questions},
    talk::{self, Meant},
};
use crate::{
    Error, FieldProblem, Hub, Result,
    catalog::{Provider, Variables},
    dialect::{Outcome, Tried, Watch},
    failure::Failure,
    people::{By, Member},
    secret::Secret,
    store::{
        ConnectionId, DraftId, Owner, connection,
        draft::{self, LIFETIME, Line, Model, Skin, Stage, Talk, TestLine, Went},
    },
    vault::Place,
};

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What kind of sign-in this is.
    Explain,
    /// The question with this key.
    Ask(String),
    /// Everything is there.
    Test,
}

/// What is kept of an answer, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The answer.
    Plain(String),
    /// The end of a secret; none of a short one.
    Secret(String),
    /// Nothing was entered, and nothing has to be.
    Nothing,
}

/// What a person has entered so far.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The provider's id.
    pub provider: String,
    /// The connection that gets new keys; none makes a new one.
    pub connection: Option<ConnectionId>,
    /// How the questions are put.
    pub skin: Skin,
    /// Where it stands.
    pub step: Step,
    /// What was answered, by the question's key.
    pub answers: BTreeMap<String, Shown>,
    /// What was said beside that.
    pub talk: Vec<Line>,
    /// How the last test ended, if not well.
    pub failure: Option<Failure>,
    /// The lines of that test.
    pub tested: Vec<TestLine>,
    /// When the last answer came.
    pub updated_at: DateTime<Utc>,
}

/// What a person does next.
pub enum Turn {
    /// Begins, or goes on.
    Begin(Skin),
    /// Has read what kind of sign-in this is.
    Understood,
    /// Answers a question.
    Answer {
        /// The question's key.
        key: String,
        /// What was typed.
        value: Secret,
    },
    /// Answers any number of questions, and wants the test when all are there.
    Answers(BTreeMap<String, Secret>),
    /// Types into the conversation.
    Say(Secret),
    /// Goes back to the question before.
    Back,
    /// Goes back to this question.
    Edit(String),
    /// Leaves the question out.
    Skip,
    /// Wants the same questions in another way.
    Show(Skin),
    /// Wants what was entered tested, and kept when it works.
    Test,
    /// Forgets everything that was entered.
    Discard,
}

/// What a turn led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The conversation goes on.
    GoesOn,
    /// Everything is there: [`Hub::test_draft`] is next.
    Test,
    /// Nothing is left of it.
    Discarded,
    /// There was nothing to test any more.
    Gone,
}

/// A draft's row, its answers in the open, and what it is about.
struct Open<'a> {
    provider: &'a Provider,
    questions: Vec<Question<'a>>,
    row: Model,
    secrets: BTreeMap<String, String>,
}

impl Hub {
    /// What somebody has entered for a provider, if anything.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a provider there is none of.
    pub async fn draft(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        connection: Option<ConnectionId>,
    ) -> Result<Option<Draft>> {
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        match self.draft_row(by.into(), provider, connection).await? {
            Some(row) => Ok(Some(self.open_draft(provider, row).await?.shown())),
            None => Ok(None),
        }
    }

    /// Everything this person has begun, the newest first.
    ///
    /// # Errors
    /// The database's and the vault's.
    pub async fn drafts(&self, member: &Member) -> Result<Vec<Draft>> {
        let (now, owner) = (self.clock.now(), Owner::Person(member.person()));
        let rows = draft::owned(self.store.db(), member.tenant(), owner, now).await?;
        let mut drafts = Vec::new();
        for row in rows {
            if let Some(provider) = self.catalog.get(&row.provider) {
                drafts.push(self.open_draft(provider, row).await?.shown());
            }
        }
        Ok(drafts)
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// [`Error::Invalid`] for answers that do not look right, by the keys of
    /// their questions; those that do are kept. [`Error::NotFound`] for a
    /// provider that is connected in another way.
    pub async fn turn(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        connection: Option<ConnectionId>,
        turn: Turn,
    ) -> Result<Turned> {
        let by = by.into();
        by.may_connect_to(provider, connection)?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        if provider.fields.is_empty() {
            return Err(Error::NotFound);
        }
        let row = match self.draft_row(by, provider, connection).await? {
            Some(row) => row,
            // A page that was loaded once more after it had led to a connection.
            None if matches!(turn, Turn::Test) => return Ok(Turned::Gone),
            None => self.new_draft(by, provider, connection).await?,
        };
        let mut open = self.open_draft(provider, row).await?;
        if matches!(turn, Turn::Discard) {
            open.row.into_active_model().delete(self.store.db()).await?;
            return Ok(Turned::Discarded);
        }
        let taken = open.take(turn);
        // What looks right is kept, whatever else does not.
        self.keep_draft(by, open).await?;
        match taken {
            Err(problems) => Err(Error::Invalid(problems)),
            Ok(Then::GoOn) => Ok(Turned::GoesOn),
            Ok(Then::Test) => Ok(Turned::Test),
        }
    }

    /// Tests what was entered, telling `watch` of every step, and makes the
    /// connection when it works. What failed is kept with the draft, for whoever
    /// left before the end.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the provider said; [`Error::NotFound`] where
    /// nothing was entered.
    pub async fn test_draft(
        &self,
        by: impl Into<By<'_>>,
        provider: &str,
        connection: Option<ConnectionId>,
        watch: Watch<'_>,
    ) -> Result<Listed> {
        let by = by.into();
        by.may_connect_to(provider, connection)?;
        let provider = self.catalog.get(provider).ok_or(Error::NotFound)?;
        let row = self.draft_row(by, provider, connection).await?;
        let open = self
            .open_draft(provider, row.ok_or(Error::NotFound)?)
            .await?;
        let (id, typed) = (open.row.id, open.typed());
        let lines = Mutex::new(Vec::new());
        let noting = |tried: &Tried| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line_of(tried));
            watch(tried);
        };
        let entered = self.enter_watched(by, &provider.id, typed, &noting);
        match entered.await {
            Ok(connection) => {
                draft::Entity::delete_by_id(id)
                    .exec(self.store.db())
                    .await?;
                self.one(by.tenant(), connection).await
            }
            Err(Error::Failed(failure)) => {
                let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
                let failed = draft::ActiveModel {
                    id: Set(id),
                    failure: Set(Some((*failure).clone())),
                    tested: Set(draft::Tested(lines)),
                    ..Default::default()
                };
                failed.update(self.store.db()).await?;
                Err(Error::Failed(failure))
            }
            Err(other) => Err(other),
        }
    }

    async fn draft_row(
        &self,
        by: By<'_>,
        provider: &Provider,
        connection: Option<ConnectionId>,
    ) -> Result<Option<Model>> {
        let now = self.clock.now();
        let rows = draft::owned(self.store.db(), by.tenant(), by.owner()?, now).await?;
        let same = |row: &Model| row.provider == provider.id && row.connection_id == connection;
        Ok(rows.into_iter().find(same))
    }

    async fn new_draft(
        &self,
        by: By<'_>,
        provider: &Provider,
        connection: Option<ConnectionId>,
    ) -> Result<Model> {
        self.existing(by, provider, connection).await?;
        let (now, owner) = (self.clock.now(), by.owner()?);
        let row = Model {
            id: DraftId::new(),
            tenant_id: by.tenant(),
            person_id: owner.person_id(),
            link_id: owner.link(),
            provider: provider.id.clone(),
            connection_id: connection,
            stage: Stage::Explaining,
            asking: None,
            skin: Skin::Chat,
            answers: connection::Variables::default(),
            secrets_sealed: None,
            version: 0,
            talk: Talk::default(),
            failure: None,
            tested: draft::Tested::default(),
            updated_at: now,
            expires_at: kept_until(by, now),
        };
        draft::Entity::insert(row.clone().into_active_model())
            .exec_without_returning(self.store.db())
            .await?;
        Ok(row)
    }

    async fn open_draft<'a>(&self, provider: &'a Provider, row: Model) -> Result<Open<'a>> {
        let secrets = match &row.secrets_sealed {
            Some(sealed) => {
                let plain = self.vault.open(place(&row), sealed).await?;
                // What is sealed was written by this very code.
                serde_json::from_str(plain.expose()).unwrap_or_default()
            }
            None => BTreeMap::new(),
        };
        let known = match row.connection_id {
            Some(id) => connection::of_tenant(self.store.db(), row.tenant_id, id)
                .await?
                .map(|connection| connection.variables.0)
                .unwrap_or_default(),
            None => Variables::new(),
        };
        Ok(Open {
            provider,
            questions: questions(provider, &known),
            row,
            secrets,
        })
    }

    async fn keep_draft(&self, by: By<'_>, open: Open<'_>) -> Result<()> {
        let Open {
            mut row, secrets, ..
        } = open;
        let now = self.clock.now();
        row.version += 1;
        row.updated_at = now;
        row.expires_at = kept_until(by, now);
        row.secrets_sealed = match secrets.is_empty() {
            true => None,
            false => {
                let plain = serde_json::to_string(&secrets).expect("strings are JSON");
                Some(self.vault.seal(place(&row), &Secret::new(plain)).await?)
            }
        };
        row.into_active_model()
            .reset_all()
            .update(self.store.db())
            .await?;
        Ok(())
    }
}

/// What a guest entered goes with their link: nobody could go on with it.
fn kept_until(by: By<'_>, now: DateTime<Utc>) -> DateTime<Utc> {
    match by {
        By::Guest(guest) => guest.expires_at(),
        By::Member(_) | By::Host(_) => now + LIFETIME,
    }
}

/// A step as it is kept: why it failed stands beside all of them.
fn line_of(tried: &Tried) -> TestLine {
    let (went, note) = match &tried.outcome {
        Outcome::Passed { note } => (Went::Passed, note.clone()),
        Outcome::Failed(_) => (Went::Failed, None),
        Outcome::NotReached => (Went::NotReached, None),
        Outcome::NotNeeded => (Went::NotNeeded, None),
    };
    TestLine {
        step: tried.step.as_str().to_owned(),
        went,
        note,
    }
}

fn place(row: &Model) -> Place<'static> {
    Place {
        tenant: row.tenant_id,
        subject: row.id.0,
        field: "draft.secrets".into(),
        version: row.version,
    }
}

/// What follows a turn.
enum Then {
    GoOn,
    Test,
}

impl Open<'_> {
    fn step(&self) -> Step {
        if self.row.stage == Stage::Explaining {
            return Step::Explain;
        }
        let asked = |key: &String| self.questions.iter().any(|one| one.key() == *key);
        if let Some(key) = self.row.asking.clone().filter(asked) {
            return Step::Ask(key);
        }
        let open = self.questions.iter().map(Question::key);
        match open.into_iter().find(|key| !self.is_answered(key)) {
            Some(key) => Step::Ask(key),
            None => Step::Test,
        }
    }

    fn is_answered(&self, key: &str) -> bool {
        self.row.answers.0.contains_key(key) || self.secrets.contains_key(key)
    }

    fn question(&self, key: &str) -> Option<Question<'_>> {
        self.questions.iter().copied().find(|one| one.key() == key)
    }

    fn take(&mut self, turn: Turn) -> Result<Then, Vec<FieldProblem>> {
        match turn {
            Turn::Begin(skin) | Turn::Show(skin) => self.row.skin = skin,
            Turn::Understood => self.row.stage = Stage::Asking,
            Turn::Answer { key, value } => self.answer(&key, &value).map_err(|one| vec![one])?,
            Turn::Answers(values) => return self.answer_all(values),
            Turn::Say(said) => return self.say(&said),
            Turn::Back => self.back(),
            Turn::Edit(key) => {
                self.row.stage = Stage::Asking;
                self.row.asking = Some(key);
            }
            Turn::Skip => self.skip()?,
            Turn::Test => return self.ready(),
            Turn::Discard => {}
        }
        Ok(Then::GoOn)
    }

    /// Whether the test may run.
    fn ready(&mut self) -> Result<Then, Vec<FieldProblem>> {
        self.row.asking = None;
        let missing: Vec<FieldProblem> = self
            .questions
            .iter()
            .filter(|question| !self.is_answered(&question.key()))
            .filter_map(|question| question.read("").err())
            .collect();
        self.row.stage = Stage::Asking;
        match missing.is_empty() {
            true => Ok(Then::Test),
            false => Err(missing),
        }
    }

    fn answer(&mut self, key: &str, typed: &Secret) -> Result<(), FieldProblem> {
        let Some(question) = self.question(key) else {
            return Ok(());
        };
        let (secret, value) = (question.is_secret(), question.read(typed.expose())?);
        match secret {
            true => self.secrets.insert(key.to_owned(), value),
            false => self.row.answers.0.insert(key.to_owned(), value),
        };
        self.row.stage = Stage::Asking;
        self.row.asking = None;
        self.row.failure = None;
        self.row.tested = draft::Tested::default();
        Ok(())
    }

    fn answer_all(&mut self, values: BTreeMap<String, Secret>) -> Result<Then, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        self.row.skin = Skin::Form;
        for key in self.questions.iter().map(Question::key).collect::<Vec<_>>() {
            let typed = values.get(&key);
            let blank = typed.is_none_or(|typed| typed.expose().trim().is_empty());
            // A field that was left alone keeps what it holds.
            if blank && self.secrets.contains_key(&key) {
                continue;
            }
            let nothing = Secret::new("");
            if let Err(problem) = self.answer(&key, typed.unwrap_or(&nothing)) {
                problems.push(problem);
            }
        }
        match problems.is_empty() {
            true => self.ready(),
            false => Err(problems),
        }
    }

    fn back(&mut self) {
        let keys: Vec<String> = self.questions.iter().map(Question::key).collect();
        let at = match self.step() {
            Step::Explain => return,
            Step::Ask(key) => keys.iter().position(|other| *other == key).unwrap_or(0),
            Step::Test => keys.len(),
        };
        match at.checked_sub(1) {
            Some(before) => self.row.asking = keys.get(before).cloned(),
            None => {
                self.row.stage = Stage::Explaining;
                self.row.asking = None;
            }
        }
    }

    fn skip(&mut self) -> Result<(), Vec<FieldProblem>> {
        let Step::Ask(key) = self.step() else {
            self.row.stage = Stage::Asking;
            return Ok(());
        };
        // What was answered before stays.
        if self.is_answered(&key) {
            self.row.asking = None;
            return Ok(());
        }
        self.answer(&key, &Secret::new(""))
            .map_err(|problem| vec![problem])
    }

    /// Understands what was typed into the conversation. A secret is taken out
    /// of it before anything else happens.
    fn say(&mut self, said: &Secret) -> Result<Then, Vec<FieldProblem>> {
        let step = self.step();
        let at = match &step {
            Step::Ask(key) => key.clone(),
            _ => String::new(),
        };
        let asked = self.question(&at);
        let meant = talk::understand(self.provider, &self.questions, asked, said.expose());
        let told = match meant {
            Meant::Secret { key, value } => {
                let label = self
                    .question(&key)
                    .map(|one| one.label())
                    .unwrap_or_default();
                let told = talk::moved(label);
                self.remark(&at, talk::HIDDEN, told);
                self.answer(&key, &value).map_err(|problem| vec![problem])?;
                return Ok(Then::GoOn);
            }
            Meant::UnknownSecret => {
                self.remark(&at, talk::HIDDEN, talk::NOT_A_FIELD.to_owned());
                return Ok(Then::GoOn);
            }
            Meant::Answer(value) => {
                let value = Secret::new(value);
                return match self.answer(&at, &value) {
                    Ok(()) => Ok(Then::GoOn),
                    Err(problem) => Err(vec![problem]),
                };
            }
            Meant::Back => {
                self.back();
                return Ok(Then::GoOn);
            }
            Meant::Skip => return self.skip().map(|()| Then::GoOn),
            Meant::Form => {
                self.row.skin = Skin::Form;
                return Ok(Then::GoOn);
            }
            Meant::Go => match step {
                Step::Explain => {
                    self.row.stage = Stage::Asking;
                    return Ok(Then::GoOn);
                }
                Step::Test => return self.ready(),
                Step::Ask(_) => talk::help(asked),
            },
            Meant::Asks(told) => told,
        };
        self.remark(&at, said.expose(), told);
        Ok(Then::GoOn)
    }

    fn remark(&mut self, at: &str, said: &str, told: String) {
        const KEPT: usize = 12;
        const LONGEST: usize = 200;
        let talk = &mut self.row.talk.0;
        talk.push(Line {
            at: at.to_owned(),
            said: said.trim().chars().take(LONGEST).collect(),
            told,
        });
        let more = talk.len().saturating_sub(KEPT);
        talk.drain(..more);
    }

    /// When it was begun, which its id tells.
    fn begun_at(&self) -> Option<DateTime<Utc>> {
        let (seconds, nanos) = self.row.id.0.get_timestamp()?.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    }

    fn typed(&self) -> Typed {
        let mut typed = Typed {
            connection: self.row.connection_id,
            begun_at: self.begun_at(),
            ..Typed::default()
        };
        let answers = self.row.answers.0.iter().chain(&self.secrets);
        for (key, value) in answers {
            if let Some(name) = key.strip_prefix("var.") {
                typed.variables.insert(name.to_owned(), value.clone());
            } else if let Some(name) = key.strip_prefix("field.") {
                typed.fields.insert(name.to_owned(), Secret::new(value));
            }
        }
        typed
    }

    fn shown(&self) -> Draft {
        let plain = self.row.answers.0.iter().map(|(key, value)| {
            let shown = match value.is_empty() {
                true => Shown::Nothing,
                false => Shown::Plain(value.clone()),
            };
            (key.clone(), shown)
        });
        let secret = self.secrets.iter().map(|(key, value)| {
            let shown = match value.is_empty() {
                true => Shown::Nothing,
                false => Shown::Secret(talk::end_of(value)),
            };
            (key.clone(), shown)
        });
        Draft {
            provider: self.provider.id.clone(),
            connection: self.row.connection_id,
            skin: self.row.skin,
            step: self.step(),
            answers: plain.chain(secret).collect(),
            talk: self.row.talk.0.clone(),
            failure: self.row.failure.clone(),
            tested: self.row.tested.0.clone(),
            updated_at: self.row.updated_at,
        }
    }
}
