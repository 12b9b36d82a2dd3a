//! Counters and times of this process, for whoever runs it: by provider, never
//! by tenant or account. They begin at nothing with every start.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    hub::Hub,
    store::{Reach, connection, credential, delivery, run, sync_run},
};

/// How far a person came who wanted to connect an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// They asked to.
    Opened,
    /// A window of its own was opened for it.
    Popup,
    /// They were sent to the provider.
    Consent,
    /// They came back.
    Callback,
    /// The account was proven and kept.
    Verified,
}

impl Reached {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Popup => "popup",
            Self::Consent => "consent",
            Self::Callback => "callback",
            Self::Verified => "verified",
        }
    }
}

/// How a renewal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// With a token.
    Renewed,
    /// With something that passes.
    Retrying,
    /// For good.
    Refused,
}

impl Renewed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Retrying => "retrying",
            Self::Refused => "refused",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    provider: String,
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

/// Everything that is counted.
pub struct Meters {
    registry: Registry,
    flows: Family<Flow, Counter>,
    refreshes: Family<Outcome, Counter>,
    checks: Family<Outcome, Counter>,
    runs: Family<Outcome, Counter>,
    check_lag: Histogram,
    proof_age: Histogram,
    lending: Histogram,
    queues: Family<Queue, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

impl Default for Meters {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("linkwell");
        let meters = Self {
            flows: Family::default(),
            refreshes: Family::default(),
            checks: Family::default(),
            runs: Family::default(),
            // From a second to three days.
            check_lag: Histogram::new(exponential_buckets(1.0, 4.0, 10)),
            // From a minute to a month.
            proof_age: Histogram::new(exponential_buckets(60.0, 4.0, 9)),
            // From half a millisecond to eight seconds.
            lending: Histogram::new(exponential_buckets(0.0005, 2.0, 15)),
            queues: Family::default(),
            registry: Registry::default(),
        };
        registry.register(
            "flow_steps",
            "How far people came who wanted to connect an account",
            meters.flows.clone(),
        );
        registry.register(
            "refreshes",
            "How renewals of tokens ended",
            meters.refreshes.clone(),
        );
        registry.register("checks", "How checks ended", meters.checks.clone());
        registry.register(
            "runs",
            "What became of automations that asked",
            meters.runs.clone(),
        );
        registry.register_with_unit(
            "check_lag",
            "How long after it was due a check was done",
            Unit::Seconds,
            meters.check_lag.clone(),
        );
        registry.register_with_unit(
            "proof_age",
            "How long ago a connection was proven last when it was checked",
            Unit::Seconds,
            meters.proof_age.clone(),
        );
        registry.register_with_unit(
            "lending",
            "How long lending a token took",
            Unit::Seconds,
            meters.lending.clone(),
        );
        registry.register_with_unit(
            "queue_age",
            "How long what is longest due has been due",
            Unit::Seconds,
            meters.queues.clone(),
        );
        Self { registry, ..meters }
    }
}

impl Meters {
    /// A person came this far.
    pub fn step(&self, provider: &str, step: Reached) {
        let labels = Flow {
            provider: provider.to_owned(),
            step: step.as_str(),
        };
        self.flows.get_or_create(&labels).inc();
    }

    /// A renewal ended.
    pub fn refreshed(&self, provider: &str, outcome: Renewed) {
        let labels = Outcome {
            provider: provider.to_owned(),
            outcome: outcome.as_str(),
        };
        self.refreshes.get_or_create(&labels).inc();
    }

    /// A check ended; its connection was last proven then.
    pub fn checked(&self, provider: &str, works: bool, proven: Option<chrono::TimeDelta>) {
        let labels = Outcome {
            provider: provider.to_owned(),
            outcome: match works {
                true => "works",
                false => "failed",
            },
        };
        self.checks.get_or_create(&labels).inc();
        if let Some(age) = proven {
            self.proof_age.observe(age.as_seconds_f64().max(0.0));
        }
    }

    /// A check that was due is done, so long after.
    pub fn check_lagged(&self, lag: chrono::TimeDelta) {
        self.check_lag.observe(lag.as_seconds_f64().max(0.0));
    }

    /// A run was moved on.
    pub fn ran(&self, provider: &str, status: run::Status) {
        let labels = Outcome {
            provider: provider.to_owned(),
            outcome: status.as_str(),
        };
        self.runs.get_or_create(&labels).inc();
    }

    /// A token was lent, or was not, since `began`.
    pub fn lent(&self, began: Instant) {
        let took: Duration = began.elapsed();
        self.lending.observe(took.as_secs_f64());
    }

    fn write(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

impl Hub {
    /// Everything that is counted, in the OpenMetrics text format.
    ///
    /// # Errors
    /// When the database does not say what is due.
    pub async fn metrics_page(&self) -> crate::Result<String> {
        let now = self.clock.now();
        for (queue, due) in Reach::every().around(self.longest_due(now)).await? {
            let age = due.map_or(0.0, |due| (now - due).as_seconds_f64().max(0.0));
            self.meters.queues.get_or_create(&Queue { queue }).set(age);
        }
        Ok(self.meters.write().unwrap_or_default())
    }

    async fn longest_due(
        &self,
        now: DateTime<Utc>,
    ) -> Result<[(&'static str, Option<DateTime<Utc>>); 5], DbErr> {
        let db = self.store.db();
        let refresh = credential::Entity::find()
            .select_only()
            .column(credential::Column::NextRefreshAt)
            .filter(credential::Column::NextRefreshAt.lte(now))
            .order_by_asc(credential::Column::NextRefreshAt)
            .limit(1)
            .into_tuple()
            .one(db)
            .await?;
        let check = connection::due(db, now, &BTreeSet::new(), 1).await?;
        let sync = sync_run::due(db, now, 1).await?;
        let webhook = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::NextTryAt)
            .filter(delivery::Column::State.eq(delivery::State::Waiting))
            .filter(delivery::Column::NextTryAt.lte(now))
            .order_by_asc(delivery::Column::NextTryAt)
            .limit(1)
            .into_tuple()
            .one(db)
            .await?;
        let run = run::Entity::find()
            .select_only()
            .column(run::Column::LookAt)
            .filter(run::Column::Status.eq(run::Status::Paused))
            .filter(run::Column::LookAt.lte(now))
            .order_by_asc(run::Column::LookAt)
            .limit(1)
            .into_tuple()
            .one(db)
            .await?;
        Ok([
            ("refresh", refresh),
            ("check", check.first().and_then(|row| row.next_check_at)),
            ("sync", sync.first().map(|run| run.due_at)),
            ("webhook", webhook),
            ("run", run),
        ])
    }
}
