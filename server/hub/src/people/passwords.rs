//! Hashing of passwords: Argon2id, beside the async threads, bounded.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use argon2::{
    ARGON2ID_IDENT, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, Salt},
    },
};
use tokio::{sync::Semaphore, task};

use super::throttle::Throttle;
use crate::{Error, Result, clock::Clock, secret::Secret};

/// 19 MiB, two passes, one lane: what OWASP recommends for Argon2id. Raising
/// these renews each stored hash when its owner next signs in.
const PARAMS: Params = Params::DEFAULT;
const _: () = assert!(PARAMS.m_cost() >= 19 * 1024 && PARAMS.t_cost() >= 2);

/// The most that a stored hash may ask of us: a row somebody tampered with must
/// not eat the machine's memory.
const MAX_MEMORY_KIB: u32 = 128 * 1024;
const MAX_PASSES: u32 = 8;
const MAX_LANES: u32 = 4;

/// How many may wait for a hash. Beyond that the hub answers "later" at once,
/// instead of letting a flood queue up.
pub(super) const MAX_WAITING: usize = 128;

/// When to come back while the queue is full: 128 hashes of about 20 ms.
const BUSY: Duration = Duration::from_secs(3);

/// Checks passwords, as many at a time as half the processor's threads (at
/// least one), and never more often than [`Throttle`] allows.
pub struct Passwords {
    workers: Arc<Semaphore>,
    pub(super) queue: Semaphore,
    pub(super) throttle: Throttle,
}

/// Every place in the queue is taken.
pub(super) struct Busy;

impl From<Busy> for Error {
    fn from(_: Busy) -> Self {
        Self::Throttled(BUSY)
    }
}

/// What a password turned out to be.
pub(super) enum Verdict {
    /// It is not the one.
    Wrong,
    /// It is the one. When its hash was made with weaker parameters than
    /// today's, here is a new one to store.
    Right { renewed: Option<String> },
}

impl Passwords {
    /// No attempts so far; how often one may try is measured with `clock`.
    pub fn new(clock: Clock) -> Self {
        let threads = available_parallelism().map_or(1, usize::from);
        Self {
            workers: Arc::new(Semaphore::new((threads / 2).max(1))),
            queue: Semaphore::new(MAX_WAITING),
            throttle: Throttle::new(clock),
        }
    }

    /// Hashes a new password, in PHC form.
    ///
    /// # Errors
    /// [`Busy`] when too many are waiting.
    pub(super) async fn hash(&self, password: Secret) -> Result<String, Busy> {
        self.work(move || hash(password.expose().as_bytes())).await
    }

    /// Compares a password with a stored hash. Without one, for an account that
    /// does not exist, the same work is done for nothing.
    ///
    /// # Errors
    /// [`Busy`] when too many are waiting.
    pub(super) async fn verify(
        &self,
        password: Secret,
        stored: Option<String>,
    ) -> Result<Verdict, Busy> {
        self.work(move || verify(password.expose().as_bytes(), stored.as_deref()))
            .await
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> password_hash::Result<T> + Send + 'static,
    ) -> Result<T, Busy> {
        let _place = self.queue.try_acquire().map_err(|_| Busy)?;
        let worker = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let done = task::spawn_blocking(move || {
            // Kept by the thread: a caller who goes away frees no worker.
            let _worker = worker;
            job()
        })
        .await
        .expect("hashing does not panic");
        // Out of memory is the one way in which known parameters fail.
        done.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Busy
        })
    }
}

fn hash(password: &[u8]) -> password_hash::Result<String> {
    Ok(Argon2::from(PARAMS).hash_password(password)?.to_string())
}

fn verify(password: &[u8], stored: Option<&str>) -> password_hash::Result<Verdict> {
    let stored = stored.and_then(acceptable);
    let decoy = stored.is_none();
    let hash_to_match = stored.map_or_else(unmatchable, Ok)?;
    match Argon2::from(PARAMS).verify_password(password, &hash_to_match) {
        Ok(()) if !decoy => Ok(Verdict::Right {
            renewed: is_outdated(&hash_to_match)
                .then(|| hash(password))
                .transpose()?,
        }),
        Ok(()) | Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(error),
    }
}

/// A stored hash, when it is Argon2id and asks for no more than we give.
fn acceptable(stored: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let fits = hash.algorithm == ARGON2ID_IDENT
        && hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES;
    if !fits {
        tracing::error!("a stored password hash is not one of ours; it matches nothing");
    }
    fits.then_some(hash)
}

/// A hash that costs what a real one costs and that nothing is known to match.
fn unmatchable() -> password_hash::Result<PasswordHash> {
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&PARAMS)?,
        salt: Some(Salt::new(&[0; 16])?),
        hash: Some(Output::new(&[0; Params::DEFAULT_OUTPUT_LEN])?),
    })
}

fn is_outdated(hash: &PasswordHash) -> bool {
    Params::try_from(hash).map_or(true, |params| {
        params.m_cost() < PARAMS.m_cost()
            || params.t_cost() < PARAMS.t_cost()
            || params.p_cost() < PARAMS.p_cost()
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn weaker() -> String {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let hash = Argon2::from(params)
            .hash_password(b"blue kettle sings")
            .unwrap();
        hash.to_string()
    }

    #[test]
    fn asvs_11_4_2_stored_hashes_are_argon2id_with_at_least_the_recommended_cost() {
        let stored = hash(b"blue kettle sings").unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_ne!(stored, hash(b"blue kettle sings").unwrap(), "salted");
        let verdict = verify(b"blue kettle sings", Some(&stored)).unwrap();
        assert!(matches!(verdict, Verdict::Right { renewed: None }));
        let verdict = verify(b"blue kettle sang", Some(&stored)).unwrap();
        assert!(matches!(verdict, Verdict::Wrong));
    }

    #[test]
    fn a_hash_with_weaker_parameters_is_renewed_for_its_owner_only() {
        let Verdict::Right {
            renewed: Some(renewed),
        } = verify(b"blue kettle sings", Some(&weaker())).unwrap()
        else {
            panic!("a new hash was expected");
        };
        assert!(renewed.contains("m=19456,t=2,p=1"));
        let verdict = verify(b"blue kettle sang", Some(&weaker())).unwrap();
        assert!(matches!(verdict, Verdict::Wrong));
    }

    #[test]
    fn hostile_hashes_match_nothing_and_cost_no_more_than_ours() {
        let good = hash(b"blue kettle sings").unwrap();
        for hostile in [
            String::new(),
            "blue kettle sings".to_owned(),
            "$argon2id$v=19$m=19456,t=2,p=1".to_owned(),
            good.replace("argon2id", "argon2d"),
            good.replace("argon2id", "scrypt"),
            good.replace("m=19456", "m=4294967295"),
            good.replace("t=2", "t=4294967295"),
            good.replace("p=1", "p=255"),
            good.replace("v=19", "v=99999"),
            "$".repeat(10_000),
        ] {
            assert!(
                acceptable(&hostile).is_none() || hostile.contains("v=99999"),
                "{hostile}"
            );
            let verdict = verify(b"blue kettle sings", Some(&hostile));
            assert!(!matches!(verdict, Ok(Verdict::Right { .. })), "{hostile}");
        }
    }

    #[test]
    fn nothing_matches_the_hash_of_an_account_that_does_not_exist() {
        let decoy = unmatchable().unwrap();
        assert!(
            acceptable(&decoy.to_string()).is_some(),
            "it costs what a real one costs"
        );
        assert!(!is_outdated(&decoy));
        assert!(matches!(verify(b"", None), Ok(Verdict::Wrong)));
    }

    #[tokio::test]
    async fn a_flood_is_answered_with_later_instead_of_a_queue_without_end() {
        let passwords = Passwords::new(Clock::manual(DateTime::UNIX_EPOCH));
        let _everybody = passwords
            .queue
            .try_acquire_many(MAX_WAITING as u32)
            .unwrap();
        let answer = passwords.hash(Secret::new("blue kettle sings")).await;
        assert!(matches!(answer, Err(Busy)));
        assert!(matches!(Error::from(Busy), Error::Throttled(_)));
    }
}
