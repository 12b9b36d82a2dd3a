//! Whether a failure means that the database is away, or takes nothing at present,
//! rather than that something is wrong with what was asked.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Beginnings of SQLSTATEs: no connection, no resources (a full disk, too many
/// connections), shutting down or starting up, read-only, trouble of its machine
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const POSTGRES: [&str; 5] = ["08", "53", "57P", "25006", "58"];
/// Busy, read-only, input or output, full, not to be opened
/// (<https://www.sqlite.org/rescode.html>).
const SQLITE: [i32; 5] = [5, 8, 10, 13, 14];

/// The SQLSTATE of a circle of transactions that wait for each other; SQLite has one
/// writer, and no circles.
const DEADLOCK: &str = "40P01";

/// Whether it is worth trying the same again later, once the database is back or
/// has room.
pub fn is_away(error: &DbErr) -> bool {
    let Some(told) = told(error) else {
        return matches!(error, DbErr::ConnectionAcquire(_));
    };
    match told {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_code(&code)),
        _ => false,
    }
}

/// Whether the database undid a transaction that waited for another in a circle: done
/// again, it works.
pub fn is_deadlock(error: &DbErr) -> bool {
    match told(error) {
        Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| code == DEADLOCK),
        _ => false,
    }
}

/// What the driver told.
fn told(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// SQLSTATEs have five characters; the codes of SQLite are numbers, in whose lowest
/// byte is the kind.
fn is_code(code: &str) -> bool {
    match code.len() {
        5 => POSTGRES.iter().any(|start| code.starts_with(start)),
        _ => code
            .parse::<i32>()
            .is_ok_and(|code| SQLITE.contains(&(code & 0xff))),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::store::Store;

    #[test]
    fn codes_tell_a_database_that_is_away_from_a_mistake() {
        // Shut down, starting up, disk full, read-only; input or output, full, busy.
        for code in ["57P01", "57P03", "53100", "25006", "778", "13", "5"] {
            assert!(is_code(code), "{code}");
        }
        // Unique, no such column, row-level security; constraint.
        for code in ["23505", "42703", "42501", "2067"] {
            assert!(!is_code(code), "{code}");
        }
    }

    #[tokio::test]
    async fn a_full_database_is_away_and_a_wrong_statement_is_not() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let full = "CREATE TABLE t (x); PRAGMA max_page_count = 4; \
            INSERT INTO t VALUES (zeroblob(100000))";
        let full = store.db().execute_unprepared(full).await.err().unwrap();
        assert!(is_away(&full), "{full:?}");
        let wrong = store.db().execute_unprepared("SELECT y FROM t").await;
        assert!(!is_away(&wrong.err().unwrap()));
    }
}
