//! Many connections at once, on a clock that is moved: row 59 of the security
//! checks, and alarms over a week in which every twentieth call goes wrong. The
//! same with a hundred thousand is `cargo xtask bench`.

#[expect(dead_code, reason = "the measurement uses more of it")]
pub mod ground;

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use hub::store::{
    connection,
    event::{self, Kind},
};
use sea_orm::{EntityTrait, QueryOrder};

use ground::{Beast, Ground, Plan};

const PROVIDERS: usize = 20;

/// Half of them end within the same minute; those of the provider that takes 50
/// calls a second should have been renewed while the hub was not there.
fn stampede(number: usize, start: DateTime<Utc>) -> Beast {
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

#[tokio::test]
async fn row_59_what_ends_together_is_renewed_in_time_and_not_together() {
    let plan = Plan {
        connections: 2_000,
        providers: PROVIDERS,
        rotates: true,
        file: false,
    };
    let ground = Ground::new(&plan, stampede).await;
    while ground.clock.now() < ground.start + TimeDelta::minutes(60) {
        ground.tick().await;
        assert_eq!(ground.ended().await, 0, "a token ended that could be saved");
    }
    let providers = &ground.providers;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    assert_eq!(count(&providers.late), 0);
    assert_eq!(
        count(&providers.slowed_down),
        0,
        "nobody was asked to slow down"
    );
    assert_eq!(count(&providers.refused), 0, "no rotation was lost");
    assert!(count(&providers.renewed) >= 2_000);
    assert!(
        providers.busiest_second() <= 31,
        "{}",
        providers.busiest_second()
    );
    // Those that end in one minute are spread over three, a quarter of an hour
    // before.
    let end = ground.start + TimeDelta::minutes(50);
    let ticks = providers.ticks(end - TimeDelta::minutes(17), end - TimeDelta::minutes(15));
    let most = ticks.iter().copied().max().unwrap_or(0);
    let mean = ticks.iter().sum::<u32>() / u32::try_from(ticks.len()).unwrap_or(1);
    assert!(mean > 30 && most < 2 * mean, "{ticks:?}");
}

#[tokio::test]
async fn in_a_week_of_hiccups_nobody_is_alarmed_but_by_real_trouble() {
    let plan = Plan {
        connections: 30,
        providers: 10,
        rotates: false,
        file: false,
    };
    let ground = Ground::new(&plan, |number, start| Beast {
        ends: number
            .is_multiple_of(2)
            .then(|| start + TimeDelta::minutes(20 + number as i64)),
        overdue: false,
    })
    .await;
    let hub = &ground.application.hub;
    ground.providers.set_faults(50);
    let down = ground.start + TimeDelta::days(3);
    let up = down + TimeDelta::hours(3);
    let end = ground.start + TimeDelta::days(7);
    while ground.clock.now() < end {
        let now = ground.clock.now();
        let is_down = now >= down && now < up;
        ground.providers.set_down(is_down.then_some(1));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
        ground.to_next(end).await;
    }
    // What is failing just now heals.
    ground.providers.set_faults(0);
    for _ in 0..120 {
        ground.clock.advance(TimeDelta::minutes(1));
        hub.refresh_due().await.unwrap();
        hub.check_due().await.unwrap();
    }
    let rows = connection::Entity::find()
        .all(hub.store.db())
        .await
        .unwrap();
    let troubled: Vec<_> = rows.iter().filter(|row| row.provider == "herd-1").collect();
    let events = event::Entity::find()
        .order_by_asc(event::Column::At)
        .all(hub.store.db())
        .await
        .unwrap();
    let of = |kind: Kind| events.iter().filter(move |event| event.kind == kind);
    let faults = of(Kind::ConnectionChanged).count();
    assert!(faults > 100, "{faults} came and went");
    assert_eq!(of(Kind::ConnectionActionRequired).count(), 0);
    let raised: Vec<_> = of(Kind::ConnectionDegraded).collect();
    for alarm in &raised {
        let id = alarm.connection_id.unwrap();
        assert!(
            troubled.iter().any(|row| row.id == id),
            "a false alarm: {alarm:?}"
        );
        assert!(alarm.at >= down && alarm.at < up + TimeDelta::minutes(31));
    }
    assert_eq!(
        raised.len(),
        troubled.len(),
        "real trouble is told, once each"
    );
    let withdrawn: Vec<_> = of(Kind::ConnectionHealed).collect();
    assert_eq!(withdrawn.len(), raised.len(), "and withdrawn");
    for row in &rows {
        assert_eq!((row.alarm, &row.failure), (None, &None));
    }
}
