//! Rows 40-42 of the security checks: nonces, binding, tampering.

use std::{collections::HashSet, sync::Arc};

use migrations::MigratorTrait;

use super::*;

async fn vault() -> Vault {
    let store = Store::open("sqlite::memory:").await.expect("a database");
    migrations::Migrator::up(store.db(), None)
        .await
        .expect("migrations");
    let master =
        MasterKey::from_text(&Secret::new(BASE64STD.encode([7u8; 32])), "test").expect("a key");
    Vault::new(store, Clock::system(), Arc::new(master))
}

use base64::engine::general_purpose::STANDARD as BASE64STD;

fn place(field: &str, version: i64) -> Place<'_> {
    Place {
        tenant: TenantId(Uuid::from_u128(1)),
        subject: Uuid::from_u128(2),
        field: field.into(),
        version,
    }
}

#[tokio::test]
async fn asvs_11_3_4_nonces_never_repeat() {
    let vault = vault().await;
    let plain = Secret::new("x");
    let mut nonces = HashSet::new();
    for _ in 0..50_000 {
        let sealed = vault.seal(place("access", 1), &plain).await.unwrap();
        assert!(nonces.insert(sealed.split('.').nth(3).unwrap().to_owned()));
    }
}

#[tokio::test]
async fn a_sealed_value_opens_only_in_its_place() {
    let vault = vault().await;
    let places = [
        place("access", 1),
        place("refresh", 1),
        place("access", 2),
        Place {
            subject: Uuid::from_u128(3),
            ..place("access", 1)
        },
        Place {
            tenant: TenantId(Uuid::from_u128(9)),
            ..place("access", 1)
        },
    ];
    for (i, sealed_for) in places.iter().enumerate() {
        let sealed = vault
            .seal(sealed_for.clone(), &Secret::new("token"))
            .await
            .unwrap();
        for (j, opened_as) in places.iter().enumerate() {
            let opened = vault.open(opened_as.clone(), &sealed).await;
            assert_eq!(opened.is_ok(), i == j, "sealed {i}, opened {j}");
        }
    }
}

#[tokio::test]
async fn two_places_never_share_associated_data() {
    // Without the lengths, ("ab", …) and ("a", "b…") would run together.
    let key = DataKeyId::new();
    assert_ne!(
        place("access", 1).associated_data(key),
        place("acces", 1).associated_data(key)
    );
}

#[tokio::test]
async fn every_flipped_bit_truncation_and_foreign_tag_is_refused() {
    let vault = vault().await;
    let sealed = vault
        .seal(place("access", 1), &Secret::new("a token"))
        .await
        .unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..sealed.len())
        .flat_map(|at| {
            (0..8).map({
                let bytes = sealed.clone().into_bytes();
                move |bit| {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    bytes
                }
            })
        })
        .collect();
    damaged.extend((0..sealed.len()).map(|len| sealed.as_bytes()[..len].to_vec()));
    damaged.push(sealed.replacen("v1.", "v2.", 1).into_bytes());
    damaged.push(sealed.replacen("a256gcm", "none", 1).into_bytes());
    for bytes in damaged {
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        // A hexadecimal digit of the key's id may be spelled in capitals.
        if text.eq_ignore_ascii_case(&sealed) && text.split('.').nth(2) != sealed.split('.').nth(2)
        {
            continue;
        }
        let error = vault.open(place("access", 1), &text).await.err();
        assert_eq!(
            error.expect("refused").to_string(),
            "a sealed value does not open"
        );
    }
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let first = vault().await;
    first
        .seal(place("access", 1), &Secret::new("x"))
        .await
        .unwrap();
    let other = MasterKey::from_text(&Secret::new(BASE64STD.encode([8u8; 32])), "test").unwrap();
    let second = Vault::new(first.0.store.clone(), Clock::system(), Arc::new(other));
    assert!(matches!(
        second.prove_master_key().await,
        Err(VaultError::WrongMasterKey)
    ));
    assert!(
        second
            .seal(place("access", 1), &Secret::new("x"))
            .await
            .is_err()
    );
}

#[test]
fn the_key_file_is_private_and_never_replaced() {
    let directory = std::env::temp_dir().join(format!("linkwell-key-{}", Uuid::now_v7()));
    std::fs::create_dir(&directory).unwrap();
    let path = directory.join("master.key");
    let first = MasterKey::create_file(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(MasterKey::create_file(&path).unwrap().id(), first.id());
    std::fs::remove_dir_all(&directory).unwrap();
}
