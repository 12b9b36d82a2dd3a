//! Rows 21, 29, 30, 33 and 35 of the security checks, on a whole hub.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{TimeDelta, TimeZone, Utc};
use migrations::MigratorTrait;
use sea_orm::{ConnectionTrait, EntityTrait};
use uuid::Uuid;

use super::*;
use crate::{
    Error, Hub, Parts, Result,
    catalog::{Catalog, Variables},
    clock::Clock,
    connect::Rejections,
    dialect::{Dialect, ProviderApp},
    keep::{Keeper, spool::Spool},
    outbound::{Outbound, OutboundPolicy},
    record::{Changes, Ledgers, ReadLog, Witness},
    secret::Secret,
    store::{PersonId, Store, api_key, person, provider_app},
    vault::{MasterKey, Vault},
};

const PASSWORD: &str = "blue kettle sings";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

async fn hub() -> Hub {
    hub_with(|_| {}).await
}

async fn hub_with(change: impl FnOnce(&mut Parts)) -> Hub {
    let store = Store::open("sqlite::memory:").await.unwrap();
    migrations::Migrator::up(store.db(), None).await.unwrap();
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap());
    let key = Secret::new(BASE64.encode([7; 32]));
    let master = Arc::new(MasterKey::from_text(&key, "test").unwrap());
    let outbound = Outbound::new(OutboundPolicy::default()).unwrap();
    let spool = std::env::temp_dir().join(format!("linkwell-people-{}", Uuid::now_v7()));
    let mut parts = Parts {
        vault: Vault::new(store.clone(), clock.clone(), master),
        catalog: Catalog::embedded()
            .unwrap()
            .with_global("sandbox_origin", "http://127.0.0.1:1"),
        dialect: Dialect::new(outbound.clone(), clock.clone()),
        outbound,
        public_url: "https://hub.example.com".parse().unwrap(),
        operator_apps: BTreeMap::new(),
        choices: crate::Choices::default(),
        spool: Spool::open(&spool).unwrap(),
        keeper: Keeper::default(),
        teller: crate::tell::Teller::default(),
        changes: Changes::default(),
        reads: ReadLog::default(),
        ledgers: Ledgers::default(),
        witness: Witness::open(&spool.join("audit")).unwrap(),
        passwords: Passwords::new(clock.clone()),
        limits: Limits::new(std::num::NonZeroU32::MAX, clock.clone()),
        signing: Default::default(),
        rejections: Rejections::default(),
        store,
        clock,
        attempts: Default::default(),
        meters: Default::default(),
        policies: crate::runs::policies::Policies::shipped(),
    };
    // The file is open; nothing is left behind.
    std::fs::remove_dir_all(&spool).unwrap();
    change(&mut parts);
    Hub::new(parts)
}

fn owner() -> NewOwner {
    NewOwner {
        tenant: "Alder & Ash".into(),
        name: "Ana Moreno".into(),
        email: "ana@alder.example".into(),
        password: Secret::new(PASSWORD),
    }
}

async fn sign_in(hub: &Hub, email: &str, password: &str) -> Result<SignedIn> {
    hub.sign_in(email, Secret::new(password), HOME, None).await
}

/// A hub with an owner, and one more member of each other role.
async fn people(hub: &Hub) -> [Member; 4] {
    let owner = hub.found(owner()).await.unwrap();
    let mut others = Vec::new();
    for role in [Role::Admin, Role::Member, Role::Viewer] {
        let email = format!("{}@alder.example", role.as_str());
        let member = hub
            .create_user("Alder & Ash", &email, "Somebody", Secret::new(PASSWORD))
            .await
            .unwrap();
        assert_eq!(member.role(), Role::Member);
        hub.store
            .db()
            .execute_unprepared(&format!(
                "UPDATE member SET role = '{}' WHERE person_id = x'{}'",
                role.as_str(),
                member.person().0.simple()
            ))
            .await
            .unwrap();
        others.push(
            hub.member(member.person(), member.tenant(), 0, hub.clock.now())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let [admin, member, viewer] = others.try_into().unwrap();
    [owner, admin, member, viewer]
}

#[tokio::test]
async fn the_first_visitor_makes_the_owner_and_then_it_is_closed() {
    let hub = hub().await;
    assert!(hub.needs_first_owner().await.unwrap());
    let ana = hub.found(owner()).await.unwrap();
    assert_eq!(
        (ana.role(), ana.email()),
        (Role::Owner, "ana@alder.example")
    );
    assert_eq!(ana.tenant_name(), "Alder & Ash");
    assert!(!hub.needs_first_owner().await.unwrap());
    let second = NewOwner {
        email: "eve@evil.example".into(),
        tenant: "Evil".into(),
        ..owner()
    };
    assert!(matches!(hub.found(second).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn of_twenty_first_visitors_one_becomes_the_owner() {
    let hub = hub().await;
    let visitors = (0..20).map(|n| {
        let visitor = NewOwner {
            tenant: format!("Tenant {n}"),
            email: format!("visitor{n}@example.com"),
            ..owner()
        };
        hub.found(visitor)
    });
    let answers = futures::future::join_all(visitors).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(
        person::Entity::find()
            .all(hub.store.db())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn an_open_hub_takes_further_tenants_but_no_address_twice() {
    let hub = hub_with(|parts| parts.choices.open_sign_up = true).await;
    hub.found(owner()).await.unwrap();
    let same_tenant = NewOwner {
        email: "bo@birch.example".into(),
        ..owner()
    };
    let same_address = NewOwner {
        tenant: "Birch".into(),
        ..owner()
    };
    for (visitor, field) in [(same_tenant, "tenant"), (same_address, "email")] {
        let Err(Error::Invalid(problems)) = hub.found(visitor).await else {
            panic!("{field} is taken");
        };
        assert_eq!(problems[0].field, field);
    }
    let birch = NewOwner {
        tenant: "Birch".into(),
        email: "bo@birch.example".into(),
        ..owner()
    };
    assert_eq!(hub.found(birch).await.unwrap().role(), Role::Owner);
}

#[tokio::test]
async fn the_command_line_adds_people_and_keeps_those_who_are_there() {
    let hub = hub().await;
    let add = |tenant, email| hub.create_user(tenant, email, "Ana", Secret::new(PASSWORD));
    let ana = add("Alder", "Ana@Example.com").await.unwrap();
    assert_eq!(ana.role(), Role::Owner);
    let bo = add("Alder", "bo@example.com").await.unwrap();
    assert_eq!(bo.role(), Role::Member);
    assert!(matches!(
        add("Alder", "ana@example.com").await,
        Err(Error::Conflict(_))
    ));
    let elsewhere = hub
        .create_user(
            "Birch",
            "ana@example.com",
            "Another Name",
            Secret::new("another password of hers"),
        )
        .await
        .unwrap();
    assert_eq!(
        (elsewhere.role(), elsewhere.person()),
        (Role::Owner, ana.person())
    );
    assert_eq!(elsewhere.name(), "Ana");
    // She signs in with the password she has, to the tenant she joined first.
    let signed_in = sign_in(&hub, "ana@example.com", PASSWORD).await.unwrap();
    assert_eq!(signed_in.member.tenant(), ana.tenant());
}

#[tokio::test]
async fn asvs_6_3_8_unknown_and_wrong_are_answered_alike() {
    let hub = hub().await;
    hub.found(owner()).await.unwrap();
    let long = "x".repeat(2_000);
    let attempts = [
        ("ana@alder.example", "not her password"),
        ("nobody@alder.example", PASSWORD),
        ("not an address", PASSWORD),
        ("ana@alder.example", &long),
        ("ana@alder.example", ""),
    ];
    for (email, password) in attempts {
        let answer = sign_in(&hub, email, password).await;
        assert!(matches!(answer, Err(Error::WrongCredentials)), "{email}");
    }
    let ana = sign_in(&hub, " ANA@alder.example", PASSWORD).await.unwrap();
    assert_eq!(ana.member.name(), "Ana Moreno");
}

#[tokio::test]
async fn asvs_6_3_8_unknown_accounts_are_throttled_like_known_ones() {
    let hub = hub().await;
    hub.found(owner()).await.unwrap();
    let mut waits = Vec::new();
    for email in ["ana@alder.example", "nobody@alder.example"] {
        for _ in 0..10 {
            let answer = sign_in(&hub, email, "not her password").await;
            assert!(matches!(answer, Err(Error::WrongCredentials)));
        }
        let Err(Error::Throttled(wait)) = sign_in(&hub, email, "not her password").await else {
            panic!("the eleventh try is one too many");
        };
        waits.push(wait);
    }
    assert_eq!(waits[0], waits[1]);
}

#[tokio::test]
async fn asvs_6_3_1_the_victim_of_guessing_still_gets_in() {
    let hub = hub().await;
    hub.found(owner()).await.unwrap();
    let cookie = sign_in(&hub, "ana@alder.example", PASSWORD)
        .await
        .unwrap()
        .device_cookie;
    // Guessers from everywhere, with and without cookies of their own making.
    let mut throttled = 0;
    for n in 0..200_u8 {
        let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, n));
        let guess = Secret::new("not her password");
        let answer = hub
            .sign_in("ana@alder.example", guess, address, Some("v1.forged"))
            .await;
        throttled += usize::from(matches!(answer, Err(Error::Throttled(_))));
    }
    assert!(throttled >= 150, "{throttled}");
    let right = || Secret::new(PASSWORD);
    let stranger = hub.sign_in("ana@alder.example", right(), HOME, None).await;
    assert!(matches!(stranger, Err(Error::Throttled(_))));
    let known = hub
        .sign_in("ana@alder.example", right(), HOME, Some(&cookie))
        .await;
    assert!(known.is_ok());
    // Somebody else's cookie is worth nothing at her account.
    hub.create_user("Alder & Ash", "bo@alder.example", "Bo", right())
        .await
        .unwrap();
    let bos = sign_in(&hub, "bo@alder.example", PASSWORD)
        .await
        .unwrap()
        .device_cookie;
    let with_bos = hub
        .sign_in("ana@alder.example", right(), HOME, Some(&bos))
        .await;
    assert!(matches!(with_bos, Err(Error::Throttled(_))));
    // A stolen cookie does not help to guess quickly either.
    let mut tries = 0;
    while !matches!(
        hub.sign_in(
            "ana@alder.example",
            Secret::new("guess"),
            HOME,
            Some(&cookie)
        )
        .await,
        Err(Error::Throttled(_))
    ) {
        tries += 1;
    }
    assert!(tries <= 10, "{tries}");
    hub.clock.advance(TimeDelta::hours(2));
    assert!(sign_in(&hub, "ana@alder.example", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_weak_hash_is_renewed_when_its_owner_signs_in() {
    use argon2::PasswordHasher;
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let params = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = argon2::Argon2::from(params)
        .hash_password(PASSWORD.as_bytes())
        .unwrap()
        .to_string();
    let stored = || async {
        let row = person::Entity::find_by_id(ana.person())
            .one(hub.store.db())
            .await;
        row.unwrap().unwrap().password_hash
    };
    person::replace_hash(hub.store.db(), ana.person(), &stored().await, &weak)
        .await
        .unwrap();
    assert_eq!(stored().await, weak);
    assert!(
        sign_in(&hub, ana.email(), "not her password")
            .await
            .is_err()
    );
    assert_eq!(stored().await, weak);
    sign_in(&hub, ana.email(), PASSWORD).await.unwrap();
    assert!(stored().await.contains("m=19456,t=2,p=1"));
    sign_in(&hub, ana.email(), PASSWORD).await.unwrap();
}

#[tokio::test]
async fn asvs_7_4_sessions_of_an_older_epoch_are_nobodys() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let who = |epoch| hub.member(ana.person(), ana.tenant(), epoch, hub.clock.now());
    assert_eq!(who(0).await.unwrap(), Some(ana.clone()));
    hub.end_all_sessions(&ana).await.unwrap();
    assert_eq!(who(0).await.unwrap(), None);
    assert_eq!(who(1).await.unwrap().unwrap().session_epoch(), 1);
    assert_eq!(who(2).await.unwrap(), None);
    let stranger = hub
        .member(PersonId::new(), ana.tenant(), 1, hub.clock.now())
        .await
        .unwrap();
    assert_eq!(stranger, None);
}

#[tokio::test]
async fn changing_the_password_takes_the_old_one_and_ends_other_sessions() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let change = |current: &str, new: &str| {
        let (current, new) = (Secret::new(current), Secret::new(new));
        let (hub, ana) = (hub.clone(), ana.clone());
        async move { hub.change_password(&ana, current, new).await }
    };
    const NEW: &str = "green teapot hums";
    for (current, new, field) in [("wrong", NEW, "current"), (PASSWORD, "short", "new")] {
        let Err(Error::Invalid(problems)) = change(current, new).await else {
            panic!("{field} cannot be accepted");
        };
        assert_eq!(problems[0].field, field);
    }
    let stays = change(PASSWORD, NEW).await.unwrap();
    assert_eq!(stays.session_epoch(), 1);
    assert_eq!(
        hub.member(ana.person(), ana.tenant(), 0, hub.clock.now())
            .await
            .unwrap(),
        None
    );
    assert!(sign_in(&hub, ana.email(), PASSWORD).await.is_err());
    assert!(sign_in(&hub, ana.email(), NEW).await.is_ok());
    // A session that was taken over does not help to guess the password.
    let mut tries = 0;
    while !matches!(change("guess", PASSWORD).await, Err(Error::Throttled(_))) {
        tries += 1;
    }
    assert!(tries <= 10, "{tries}");
}

#[tokio::test]
async fn asvs_7_5_1_another_address_needs_the_password_another_name_does_not() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let renamed = hub
        .change_profile(&ana, "Ana M.", ana.email(), None)
        .await
        .unwrap();
    assert_eq!(renamed.name(), "Ana M.");
    let address = "ana@birch.example";
    for current in [None, Some(Secret::new("wrong"))] {
        assert!(
            hub.change_profile(&ana, "Ana", address, current)
                .await
                .is_err()
        );
    }
    let current = Some(Secret::new(PASSWORD));
    let moved = hub
        .change_profile(&ana, "Ana", address, current)
        .await
        .unwrap();
    assert_eq!(moved.email(), address);
    assert!(sign_in(&hub, address, PASSWORD).await.is_ok());
    assert!(sign_in(&hub, ana.email(), PASSWORD).await.is_err());
    hub.create_user("Alder & Ash", "bo@example.com", "Bo", Secret::new(PASSWORD))
        .await
        .unwrap();
    let taken = hub
        .change_profile(&moved, "Ana", "bo@example.com", Some(Secret::new(PASSWORD)))
        .await;
    assert!(matches!(taken, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn asvs_11_5_1_keys_are_256_random_bits_and_stored_hashed() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let scopes = [Scope::TokensRead, Scope::CatalogRead];
    let (row, secret) = hub.create_api_key(&ana, "Till", &scopes, "").await.unwrap();
    let plain = secret.expose();
    assert!(
        plain.starts_with("lw_") && plain.len() == 46,
        "{}",
        plain.len()
    );
    assert!(plain.ends_with(&row.hint) && row.hint.len() == 4);
    let stored = api_key::Entity::find_by_id(row.id)
        .one(hub.store.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored, row);
    assert_eq!(stored.secret_hash, secret.digest());

    let host = hub.authenticate_key(plain).await.unwrap().unwrap();
    assert_eq!(
        (host.tenant(), host.authority()),
        (ana.tenant(), Authority::Key(row.id))
    );
    for scope in Scope::ALL {
        assert_eq!(
            host.may(scope).is_ok(),
            scopes.contains(&scope),
            "{scope:?}"
        );
    }
    for wrong in [
        "",
        "lw_",
        &plain[..45],
        &plain.to_lowercase(),
        &format!("{plain} "),
    ] {
        assert_eq!(hub.authenticate_key(wrong).await.unwrap(), None);
    }
    hub.revoke_api_key(&ana, row.id).await.unwrap();
    assert_eq!(hub.authenticate_key(plain).await.unwrap(), None);
    assert!(hub.api_keys(&ana).await.unwrap().is_empty());
    assert!(matches!(
        hub.revoke_api_key(&ana, row.id).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn keys_belong_to_one_tenant() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let bo = hub
        .create_user("Birch", "bo@birch.example", "Bo", Secret::new(PASSWORD))
        .await
        .unwrap();
    let (row, secret) = hub
        .create_api_key_for("Alder & Ash", "Till", &[Scope::TokensRead], "")
        .await
        .unwrap();
    assert_eq!(
        hub.api_keys(&ana).await.unwrap(),
        std::slice::from_ref(&row)
    );
    assert!(hub.api_keys(&bo).await.unwrap().is_empty());
    assert!(matches!(
        hub.revoke_api_key(&bo, row.id).await,
        Err(Error::NotFound)
    ));
    assert!(
        hub.authenticate_key(secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    let nowhere = hub
        .create_api_key_for("Cedar", "Till", &[Scope::TokensRead], "")
        .await;
    assert!(matches!(nowhere, Err(Error::NotFound)));
    let nothing = hub.create_api_key(&ana, "Till", &[], "").await;
    assert!(matches!(nothing, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn asvs_8_2_1_only_admins_manage_keys_and_provider_apps() {
    let hub = hub().await;
    for member in people(&hub).await {
        let allowed = [Role::Owner, Role::Admin].contains(&member.role());
        let secret = || Some(Secret::new("secret"));
        let outcomes = [
            hub.create_api_key(&member, "Till", &[Scope::TokensRead], "")
                .await
                .map(|_| ()),
            hub.api_keys(&member).await.map(|_| ()),
            hub.set_provider_app(&member, "sandbox", "id", secret(), &Default::default())
                .await,
            hub.remove_provider_app(&member, "sandbox").await,
        ];
        for outcome in outcomes {
            match outcome {
                Ok(()) => assert!(allowed, "{:?}", member.role()),
                Err(Error::Forbidden { needs }) => assert!(!allowed && needs == "admin"),
                Err(other) => panic!("{other}"),
            }
        }
        assert!(hub.provider_apps(&member).await.is_ok());
    }
}

#[tokio::test]
async fn a_tenants_own_provider_app_goes_before_the_operators() {
    let hub = hub_with(|parts| {
        let app = ProviderApp {
            client_id: "operators".into(),
            client_secret: Secret::new("operators secret"),
            settings: Default::default(),
        };
        parts.operator_apps.insert("sandbox".into(), app);
    })
    .await;
    let ana = hub.found(owner()).await.unwrap();
    let bo = hub
        .create_user("Birch", "bo@birch.example", "Bo", Secret::new(PASSWORD))
        .await
        .unwrap();
    let status = |member: Member| {
        let hub = hub.clone();
        async move {
            let apps = hub.provider_apps(&member).await.unwrap();
            apps.into_iter().find(|app| app.app == "sandbox").unwrap()
        }
    };
    let values = |member: Member| {
        let hub = hub.clone();
        async move {
            let app = hub
                .provider_app(member.tenant(), hub.catalog.get("sandbox").unwrap())
                .await
                .unwrap()
                .unwrap();
            (app.client_id, app.client_secret.expose().to_owned())
        }
    };
    let of = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
    assert_eq!(
        status(ana.clone()).await.source,
        ProviderAppSource::Environment
    );
    assert_eq!(
        values(ana.clone()).await,
        of("operators", "operators secret")
    );

    let settings = Variables::new();
    let set = |id: &'static str, secret: Option<&'static str>| {
        hub.set_provider_app(&ana, "sandbox", id, secret.map(Secret::new), &settings)
    };
    assert!(matches!(set("own", None).await, Err(Error::Invalid(_))));
    set(" own ", Some("own-secret")).await.unwrap();
    assert_eq!(values(ana.clone()).await, of("own", "own-secret"));
    set("own-2", None).await.unwrap();
    assert_eq!(values(ana.clone()).await, of("own-2", "own-secret"));
    set("own-3", Some("secret-3")).await.unwrap();
    assert_eq!(values(ana.clone()).await, of("own-3", "secret-3"));
    let seen = status(ana.clone()).await;
    assert_eq!(seen.source, ProviderAppSource::Tenant);
    assert_eq!(seen.client_id.as_deref(), Some("own-3"));
    assert!(seen.updated_at.is_some());

    // The other tenant has the operator's; nothing is stored in plain text.
    assert_eq!(
        values(bo.clone()).await,
        of("operators", "operators secret")
    );
    let rows = provider_app::of_tenant(hub.store.db(), ana.tenant())
        .await
        .unwrap();
    assert!(!rows[0].client_secret_sealed.contains("secret-3"));

    hub.remove_provider_app(&ana, "sandbox").await.unwrap();
    assert_eq!(
        values(ana.clone()).await,
        of("operators", "operators secret")
    );
    let again = hub.remove_provider_app(&ana, "sandbox").await;
    assert!(matches!(again, Err(Error::NotFound)));
    let unknown = hub
        .set_provider_app(
            &ana,
            "no-such-app",
            "id",
            Some(Secret::new("s")),
            &Default::default(),
        )
        .await;
    assert!(matches!(unknown, Err(Error::NotFound)));
}

#[tokio::test]
async fn of_two_who_enter_a_provider_app_at_the_same_time_one_is_told() {
    let hub = hub().await;
    let ana = hub.found(owner()).await.unwrap();
    let set = |n: usize| {
        let (hub, ana) = (hub.clone(), ana.clone());
        async move {
            let id = format!("id-{n}");
            hub.set_provider_app(
                &ana,
                "sandbox",
                &id,
                Some(Secret::new(format!("secret-{n}"))),
                &Default::default(),
            )
            .await
        }
    };
    let answers = futures::future::join_all((0..8).map(set)).await;
    assert!(answers.iter().any(Result::is_ok));
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(()) | Err(Error::Conflict(_))))
    );
    let app = hub
        .provider_app(ana.tenant(), hub.catalog.get("sandbox").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        app.client_id.strip_prefix("id-"),
        app.client_secret.expose().strip_prefix("secret-")
    );
}

/// Moves the clock each time that exactly so many seconds are waited for.
async fn moved(clock: &Clock, waits: &[i64]) {
    for wait in waits {
        let until = clock.now() + TimeDelta::seconds(*wait);
        while clock.waited_for() != Some(until) {
            tokio::task::yield_now().await;
        }
        clock.advance(TimeDelta::seconds(*wait));
    }
}

#[tokio::test]
async fn a_sign_in_that_finds_no_place_tries_again_and_then_says_so() {
    let hub = hub().await;
    hub.found(owner()).await.unwrap();
    let fill = || {
        let all = passwords::MAX_WAITING as u32;
        hub.passwords.queue.try_acquire_many(all).unwrap()
    };
    let sign_in = || hub.sign_in("ana@alder.example", Secret::new(PASSWORD), HOME, None);
    let everybody = fill();
    let (refused, ()) = tokio::join!(sign_in(), moved(&hub.clock, &[1, 3, 9]));
    match refused {
        Err(Error::Failed(failure)) => {
            assert_eq!(failure.code.as_str(), "AUTH_001");
            assert_eq!(failure.detail, "queue_full");
        }
        _ => panic!("AUTH_001 was expected"),
    }
    drop(everybody);
    // A place in time, and nobody notices; it was one try to the throttle.
    let everybody = fill();
    let freed = async {
        moved(&hub.clock, &[1, 3]).await;
        drop(everybody);
    };
    let (signed_in, ()) = tokio::join!(sign_in(), freed);
    assert!(signed_in.is_ok());
    for _ in 0..8 {
        assert!(sign_in().await.is_ok(), "ten tries are left but for two");
    }
    assert!(matches!(sign_in().await, Err(Error::Throttled(_))));
    // What is refused for good is not tried again.
    let wrong = hub.sign_in("bo@example.com", Secret::new("wrong"), HOME, None);
    assert!(matches!(wrong.await, Err(Error::WrongCredentials)));
    assert_eq!(hub.clock.waited_for(), None);
}
