//! The background: apalis ticks, and the work is the hub's.
//!
//! The tables are the queues (`credential.next_refresh_at`, `connection.next_check_at`,
//! `sync_run.due_at`, each with a lease), so a tick carries nothing and losing one
//! loses nothing. A provider's failure is an outcome that the hub stores; a job
//! fails only when our own database cannot be reached, and then the next tick tries
//! again.

use std::{future::Future, str::FromStr, time::Duration};

use apalis::prelude::*;
use apalis_cron::{CronScheduler, Tick};
use cron::Schedule;
use hub::{Hub, keep::Round, store::Reach};
use sea_orm::DatabaseBackend;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::application::Application;

/// How often due credentials are looked for. Seconds come first.
const KEEP_EVERY: &str = "*/10 * * * * *";
/// How often readings that are due are looked for: between the renewals.
const READ_EVERY: &str = "5/10 * * * * *";
/// How often connections are checked that are due: between both.
const CHECK_EVERY: &str = "8/10 * * * * *";
/// How long a round waits for the budget of a provider app to come back, and how
/// often: less than the time to the next round.
const BUDGET: (Duration, usize) = (Duration::from_secs(1), 8);
/// How often it is looked who is to be mailed, and mails are sent.
const MAIL_EVERY: &str = "8,23,38,53 * * * * *";
/// How often what has ended is swept away.
const SWEEP_EVERY: &str = "0 */10 * * * *";
/// How often the heads of the audit ledgers are signed.
const SIGN_EVERY: &str = "30 */5 * * * *";
/// How long reads of tokens are gathered before they are written.
const GATHER_READS: Duration = Duration::from_millis(500);
/// How often webhooks are looked after when nothing happens here.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long requests, jobs and refreshes have to end when the process stops.
const GRACE: Duration = Duration::from_secs(8);

/// The background of a serving hub.
pub struct Background {
    monitor: JoinHandle<()>,
    reads: JoinHandle<()>,
    figures: JoinHandle<()>,
    telling: JoinHandle<()>,
    resuming: JoinHandle<()>,
}

/// Starts the background; it ends when the application is stopping.
pub fn start(application: &Application) -> Background {
    let Application { hub, stopping, .. } = application.clone();
    // Another process may have the same name in its own memory: workers of a
    // cron backend are registered nowhere else.
    let (keeper, reader, sweeper) = (hub.clone(), hub.clone(), hub.clone());
    let checker = hub.clone();
    let signer = hub.clone();
    let writer = hub.clone();
    let stopped = stopping.clone();
    let monitor = tokio::spawn(async move {
        let monitor = Monitor::new()
            .register(move |_| {
                WorkerBuilder::new("keep")
                    .backend(CronScheduler::new(schedule(KEEP_EVERY)))
                    .data(keeper.clone())
                    .build(keep)
            })
            .register(move |_| {
                WorkerBuilder::new("read")
                    .backend(CronScheduler::new(schedule(READ_EVERY)))
                    .data(reader.clone())
                    .build(read)
            })
            .register(move |_| {
                WorkerBuilder::new("check")
                    .backend(CronScheduler::new(schedule(CHECK_EVERY)))
                    .data(checker.clone())
                    .build(check)
            })
            .register(move |_| {
                WorkerBuilder::new("mail")
                    .backend(CronScheduler::new(schedule(MAIL_EVERY)))
                    .data(writer.clone())
                    .build(mail)
            })
            .register(move |_| {
                WorkerBuilder::new("sweep")
                    .backend(CronScheduler::new(schedule(SWEEP_EVERY)))
                    .data(sweeper.clone())
                    .build(sweep)
            })
            .register(move |_| {
                WorkerBuilder::new("sign")
                    .backend(CronScheduler::new(schedule(SIGN_EVERY)))
                    .data(signer.clone())
                    .build(sign)
            })
            .shutdown_timeout(GRACE);
        let signal = stopped.clone();
        let ended = monitor
            .run_with_signal(async move {
                signal.cancelled().await;
                Ok(())
            })
            .await;
        // A monitor that ends early leaves tokens to die unseen.
        if !stopped.is_cancelled() {
            tracing::error!(?ended, "the background stopped; stopping the hub");
            stopped.cancel();
        }
    });
    let reads = tokio::spawn(async move {
        while stopping
            .run_until_cancelled(hub.reads.some())
            .await
            .is_some()
        {
            stopping
                .run_until_cancelled(tokio::time::sleep(GATHER_READS))
                .await;
            flush_reads(&hub).await;
        }
    });
    let figures = tokio::spawn(gather_figures(application.clone()));
    let telling = on_changes(application.clone(), "telling webhooks", |hub| async move {
        // Not waited for: a slow receiver keeps nobody from being told.
        hub.begin_telling().await
    });
    let resuming = on_changes(application.clone(), "resuming runs", |hub| async move {
        hub.resume_runs().await
    });
    let (telling, resuming) = (tokio::spawn(telling), tokio::spawn(resuming));
    Background {
        monitor,
        reads,
        figures,
        telling,
        resuming,
    }
}

/// Does a piece of work as soon as something happened in this process, and every
/// few seconds for what did in another or is to be tried again. What goes wrong is
/// made good the next time.
async fn on_changes<T, W: Future<Output = hub::Result<T>>>(
    Application { hub, stopping, .. }: Application,
    what: &'static str,
    work: impl Fn(Hub) -> W,
) {
    let mut changes = hub.changes.watch();
    loop {
        // It is said already.
        let _ = round(what, work(hub.clone())).await;
        let something = async {
            let _ = tokio::time::timeout(LOOK_EVERY, changes.recv()).await;
        };
        if stopping.run_until_cancelled(something).await.is_none() {
            return;
        }
    }
}

fn schedule(expression: &str) -> Schedule {
    Schedule::from_str(expression).expect("our own schedules are well formed")
}

/// The background works for all tenants, in tasks of its own. What could not be
/// done, as when the database is away, is done by a later round.
async fn round<T>(
    what: &'static str,
    work: impl Future<Output = Result<T, hub::Error>>,
) -> Result<(), BoxDynError> {
    match Reach::every().around(work).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "{what} could not be done now");
            Err(error.into())
        }
    }
}

async fn keep(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    round("renewing", keep_all(&hub)).await
}

async fn keep_all(hub: &Hub) -> hub::Result<()> {
    if hub.store.db().get_database_backend() == DatabaseBackend::Postgres {
        hub.clock.follow(hub.store.time().await?);
    }
    if !hub.spool.is_empty() {
        hub.drain_spool().await?;
    }
    paced(|| hub.refresh_due()).await?;
    hub.finish_disconnects().await?;
    Ok(())
}

/// By itself, as checks wait for renewals and not the other way round.
async fn check(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    round("checking", paced(|| hub.check_due())).await
}

/// Goes on with a round while something waits for the budget of its provider app.
async fn paced<R: Future<Output = hub::Result<Round>>>(round: impl Fn() -> R) -> hub::Result<()> {
    let (pause, rounds) = BUDGET;
    for _ in 0..rounds {
        if !round().await?.held_back {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// By itself, so that a slow provider's data holds up no renewal.
async fn read(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    round("reading", hub.sync_due()).await
}

/// By itself, so that a slow mail server holds up nothing else.
async fn mail(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    round("writing mails", hub.write_due()).await?;
    round("sending mails", hub.send_mail()).await
}

async fn sweep(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    round("sweeping", hub.sweep()).await
}

async fn sign(_: Tick, hub: Data<Hub>) -> Result<(), BoxDynError> {
    // One never waits for the other: a deletion that was begun keeps its ledger from
    // being signed until it is repeated.
    let signed = round("signing checkpoints", hub.sign_checkpoints()).await;
    let repeated = round("repeating deletions", hub.repeat_deletions()).await;
    signed.and(repeated)
}

/// Writes down how attempts ended.
async fn gather_figures(Application { hub, stopping, .. }: Application) {
    let pause = || tokio::time::sleep(GATHER_READS);
    while stopping.run_until_cancelled(pause()).await.is_some() {
        flush_figures(&hub).await;
    }
}

async fn flush_figures(hub: &Hub) {
    if let Err(error) = hub.attempts.flush(&hub.store).await {
        tracing::error!(%error, "figures could not be written and stay in memory");
    }
}

async fn flush_reads(hub: &Hub) {
    if let Err(error) = hub.flush_reads().await {
        tracing::error!(%error, "token reads could not be written and stay in memory");
    }
}

impl Background {
    /// Waits for jobs and refreshes under way, and writes what is remembered.
    pub async fn finish(self, application: &Application) {
        let tasks = &application.hub.keeper.tasks;
        tasks.close();
        let ended = tokio::time::timeout(GRACE, async {
            // With a batch in hand; aborted, it would be lost.
            let _ = self.reads.await;
            let _ = self.figures.await;
            tasks.wait().await;
            let _ = self.monitor.await;
            let _ = self.telling.await;
            let _ = self.resuming.await;
        });
        if ended.await.is_err() {
            tracing::warn!("some work did not end in time; it is taken up at the next start");
        }
        flush_reads(&application.hub).await;
        flush_figures(&application.hub).await;
        // What is held in memory has its last chance.
        let hub = &application.hub;
        if !hub.spool.is_empty()
            && let Err(error) = Reach::every().around(hub.drain_spool()).await
        {
            tracing::error!(%error, "renewed tokens could not be written before the end");
        }
    }
}

/// Runs `serving` until it ends, or until [`GRACE`] after the process was asked
/// to stop.
pub async fn until_stopped(
    serving: impl Future<Output = std::io::Result<()>>,
    stopping: &CancellationToken,
) -> std::io::Result<()> {
    let patience = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served,
        () = patience => Ok(()),
    }
}

/// Asks everything to stop when the process is interrupted or terminated.
pub async fn stop_on_signal(stopping: CancellationToken) {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
    tracing::info!("stopping");
    stopping.cancel();
}
