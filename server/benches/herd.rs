//! A hundred thousand connections of twenty providers, half of whose tokens end
//! within the same minute, on a simulated clock: what is renewed in time, how
//! gently, and how fast the hub's page is meanwhile. Then a week in which every
//! twentieth call goes wrong.
//!
//! Counts are exact and have to be right; times are printed, as they depend on
//! the machine. `HERD=2000` takes a smaller herd.

#[path = "../tests/suite/herd/ground.rs"]
mod ground;
#[path = "bench/times.rs"]
mod times;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use hub::store::{
    connection,
    event::{self, Kind},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Query};

use ground::{Beast, EMAIL, Ground, PASSWORD, Plan};
use times::percentile;

const CONNECTIONS: usize = 100_000;
const PROVIDERS: usize = 20;
/// How many of them live through a week of faults.
const WEEK: usize = 200;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a measurement has no settings")]
async fn main() {
    let connections = std::env::var("HERD").ok();
    let connections = connections.and_then(|count| count.parse().ok());
    stampede(connections.unwrap_or(CONNECTIONS)).await;
    week().await;
}

fn beast(number: usize, start: DateTime<Utc>) -> Beast {
    let seconds = |many: usize| TimeDelta::seconds(i64::try_from(many).unwrap_or(0));
    let (overdue, ends) = match (number % PROVIDERS, number % 2) {
        (0, _) => (true, TimeDelta::minutes(6)),
        (_, 1) => (false, TimeDelta::minutes(50) + seconds(number % 60)),
        _ => (false, TimeDelta::minutes(20) + seconds(number * 37 % 3_600)),
    };
    Beast {
        ends: Some(start + ends),
        overdue,
    }
}

async fn stampede(connections: usize) {
    let plan = Plan {
        connections,
        providers: PROVIDERS,
        rotates: true,
        file: true,
    };
    let ground = Ground::new(&plan, beast).await;
    let (http, stop) = (client(), Arc::new(AtomicBool::new(false)));
    let base = format!("http://{}", ground.address);
    let cookie = sign_in(&http, &base).await;
    let quiet = pages(&http, &base, &cookie, 50).await;
    let reader = tokio::spawn({
        let (stop, http, base, cookie) = (stop.clone(), http.clone(), base.clone(), cookie);
        async move {
            let mut times = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                times.extend(pages(&http, &base, &cookie, 1).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            times
        }
    });
    let started = Instant::now();
    let mut ended = 0;
    while ground.clock.now() < ground.start + TimeDelta::minutes(60) {
        ground.tick().await;
        ended += ground.ended().await;
    }
    let took = started.elapsed();
    stop.store(true, Ordering::SeqCst);
    let busy = reader.await.expect("a reader");
    let providers = &ground.providers;
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let end = ground.start + TimeDelta::minutes(50);
    let ticks = providers.ticks(end - TimeDelta::minutes(17), end - TimeDelta::minutes(15));
    let most = ticks.iter().copied().max().unwrap_or(0);
    let mean = ticks.iter().sum::<u32>() / u32::try_from(ticks.len().max(1)).unwrap_or(1);
    println!("herd: {connections} connections of {PROVIDERS} providers, one simulated hour");
    println!("  renewed                {:>9}", count(&providers.renewed));
    println!("  checked                {:>9}", count(&providers.checked));
    println!("  ended unrenewed        {ended:>9}");
    println!("  renewed too late       {:>9}", count(&providers.late));
    println!(
        "  asked to slow down     {:>9}",
        count(&providers.slowed_down)
    );
    println!("  rotations lost         {:>9}", count(&providers.refused));
    println!(
        "  busiest second         {:>9} calls of one provider",
        providers.busiest_second()
    );
    println!(
        "  calls in 10 s          {most:>9} at most, {mean} on average: ratio {:.2}",
        f64::from(most) / f64::from(mean.max(1))
    );
    println!(
        "  the hub's page         p95 {:.1} ms quiet, {:.1} ms meanwhile: ratio {:.2} ({} times)",
        ms(percentile(95, quiet.clone())),
        ms(percentile(95, busy.clone())),
        ms(percentile(95, busy.clone())) / ms(percentile(95, quiet)),
        busy.len(),
    );
    println!(
        "  renewals a second      {:>9.0} in {:.0} s",
        count(&providers.renewed) as f64 / took.as_secs_f64(),
        took.as_secs_f64()
    );
    assert_eq!(ended, 0, "a token ended that could be saved");
    assert_eq!(count(&providers.late), 0);
    assert_eq!(count(&providers.slowed_down), 0);
    assert_eq!(count(&providers.refused), 0);
    assert!(count(&providers.renewed) >= connections as u64);
    assert!(providers.busiest_second() <= 31);
    assert!(most < 2 * mean.max(1), "{ticks:?}");
}

async fn week() {
    let plan = Plan {
        connections: WEEK,
        providers: PROVIDERS,
        rotates: false,
        file: false,
    };
    let ground = Ground::new(&plan, |number, start| Beast {
        ends: number
            .is_multiple_of(2)
            .then(|| start + TimeDelta::seconds(1_200 + 11 * number as i64)),
        overdue: false,
    })
    .await;
    let hub = &ground.application.hub;
    ground.providers.set_faults(50);
    let end = ground.start + TimeDelta::days(7);
    let down = ground.start + TimeDelta::days(3);
    while ground.clock.now() < end {
        let now = ground.clock.now();
        let is_down = now >= down && now < down + TimeDelta::hours(3);
        ground.providers.set_down(is_down.then_some(1));
        hub.refresh_due().await.expect("a round");
        hub.check_due().await.expect("a round");
        ground.to_next(end).await;
    }
    let told = async |kind: Kind| {
        let of = event::Entity::find().filter(event::Column::Kind.eq(kind));
        of.count(hub.store.db()).await.expect("a count")
    };
    // Of the provider that is down, what is told before it is clear that all its
    // connections fail is true.
    let others = Query::select()
        .column(connection::Column::Id)
        .from(connection::Entity)
        .and_where(connection::Column::Provider.ne("herd-1"))
        .to_owned();
    let alarms = [Kind::ConnectionDegraded, Kind::ConnectionActionRequired];
    let false_alarms = event::Entity::find()
        .filter(event::Column::Kind.is_in(alarms))
        .filter(event::Column::ConnectionId.in_subquery(others));
    let false_alarms = false_alarms.count(hub.store.db()).await.expect("a count");
    let troubles = told(Kind::ProviderDegraded).await;
    let withdrawn = told(Kind::ProviderHealed).await;
    println!("week: {WEEK} connections, every twentieth call goes wrong, one provider is down");
    println!("  calls                  {:>9}", ground.providers.calls());
    println!(
        "  hiccups that were seen {:>9}",
        told(Kind::ConnectionChanged).await
    );
    println!("  false alarms           {false_alarms:>9}");
    println!("  providers in trouble   {troubles:>9}, withdrawn {withdrawn}");
    assert_eq!(false_alarms, 0);
    // It has connections of two tenants: of one at least.
    assert!(troubles > 0 && troubles == withdrawn);
}

#[expect(clippy::disallowed_methods, reason = "the reader is outside the hub")]
fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    client.build().expect("a client")
}

async fn sign_in(http: &reqwest::Client, base: &str) -> String {
    let answer = http
        .post(format!("{base}/api/sign_in"))
        .header("origin", base)
        .form(&[("email", EMAIL), ("password", PASSWORD)])
        .send()
        .await
        .expect("an answer");
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = pairs.find(|pair| pair.starts_with("linkwell="));
    session.expect("a session").to_owned()
}

/// How long the hub's page took, so many times.
async fn pages(http: &reqwest::Client, base: &str, cookie: &str, times: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        let answer = http.get(format!("{base}/")).header("cookie", cookie);
        let answer = answer.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.bytes().await.expect("a page");
        took.push(started.elapsed());
    }
    took
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
