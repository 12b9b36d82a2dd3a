//! PostgreSQL's own guard over rows of tenants: row 37 of the security checks. The
//! whole suite runs behind it; here it is looked at by itself.

use std::collections::BTreeSet;

use hub::store::{Reach, Store, TenantId};
use sea_orm::{ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement};

use crate::{harness::World, surface::neighbour};

/// Tables without a tenant: people and their sessions, who may be in several, and
/// what is the hub's own or a provider's.
const OF_NOBODY: [&str; 8] = [
    "node",
    "person",
    "provider_pace",
    "provider_trouble",
    "push_message",
    "seaql_migrations",
    "session",
    "signing_key",
];
/// Tables whose tenant is that of their connection.
const OF_CONNECTIONS: [&str; 2] = ["provider_fault", "refresh_attempt"];

async fn ask(db: &DatabaseConnection, question: &str) -> Vec<sea_orm::QueryResult> {
    let question = Statement::from_string(DatabaseBackend::Postgres, question);
    db.query_all_raw(question).await.expect("an answer")
}

async fn count(db: &DatabaseConnection, question: &str) -> i64 {
    let question = format!("SELECT count(*) FROM {question}");
    ask(db, &question).await[0].try_get_by_index(0).unwrap()
}

/// Every table that names a tenant, with the column that does.
async fn of_tenants(db: &DatabaseConnection) -> Vec<(String, &'static str)> {
    let columns = "SELECT table_name::text FROM information_schema.columns \
         WHERE table_schema = current_schema() AND column_name = 'tenant_id' ORDER BY 1";
    let mut tables: Vec<(String, &str)> = ask(db, columns)
        .await
        .iter()
        .map(|row| (row.try_get_by_index(0).unwrap(), "tenant_id"))
        .collect();
    tables.push(("tenant".into(), "id"));
    tables
}

#[tokio::test]
async fn row_37_every_table_of_tenants_is_guarded() {
    let world = World::new().await;
    if !world.is_postgres() {
        return;
    }
    let db = world.app.hub.store.db();
    // Whoever may pass by the guard proves nothing, here and in all other tests.
    assert!(!world.app.hub.store.is_unguarded().await.unwrap());

    let guarded = "SELECT c.relname::text, p.polname::text, \
             pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid) \
         FROM pg_class AS c JOIN pg_policy AS p ON p.polrelid = c.oid \
         WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.polpermissive \
             AND p.polcmd = '*' AND p.polroles = '{0}'";
    let mut guarded_tables = BTreeSet::new();
    for row in ask(db, guarded).await {
        let text = |at| row.try_get_by_index::<String>(at).unwrap();
        assert_eq!(text(1), "linkwell_tenant");
        for condition in [text(2), text(3)] {
            assert!(condition.contains("linkwell.tenant"), "{condition}");
        }
        assert!(guarded_tables.insert(text(0)), "{} has two", text(0));
    }
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
    let every: BTreeSet<String> = ask(db, tables)
        .await
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect();
    let with_column = of_tenants(db).await.into_iter().map(|(table, _)| table);
    let expected: BTreeSet<String> = with_column
        .chain(OF_CONNECTIONS.map(str::to_owned))
        .collect();
    let open: Vec<_> = expected.difference(&guarded_tables).collect();
    assert!(
        open.is_empty(),
        "row_security::guard() was not called for {open:?}"
    );
    let unknown: Vec<_> = every
        .difference(&guarded_tables)
        .filter(|table| !OF_NOBODY.contains(&table.as_str()))
        .collect();
    assert!(unknown.is_empty(), "whose are the rows of {unknown:?}?");
}

#[tokio::test]
async fn row_37_a_query_that_names_no_tenant_finds_only_what_is_in_reach() {
    let world = World::new().await;
    let Some(url) = world.database() else {
        return;
    };
    let (bo, ..) = neighbour(&world).await;
    let host = world.any_host().await;
    world.import_living(&host).await;
    let (ana, bo) = (world.member().tenant(), bo.tenant());

    let store = Store::open(url).await.expect("the same database");
    let (db, of_ana) = (store.db(), || Reach::of([ana]));
    let mut mixed = 0;
    for (table, column) in Reach::every().around(of_tenants(db)).await {
        let of = |tenant: TenantId| format!("{table} WHERE {column} = '{tenant}'");
        let every = Reach::every();
        let (all, anas, bos) = every
            .around(async {
                let all = count(db, &table).await;
                (all, count(db, &of(ana)).await, count(db, &of(bo)).await)
            })
            .await;
        mixed += usize::from(anas > 0 && bos > 0);

        assert_eq!(
            Reach::nothing().around(count(db, &table)).await,
            0,
            "{table}"
        );
        assert_eq!(of_ana().around(count(db, &table)).await, anas, "{table}");
        let both = Reach::of([ana, bo]).around(count(db, &table)).await;
        assert_eq!(both, anas + bos, "{table}");

        // Neither changed nor deleted, nor given away.
        let change = format!("UPDATE {table} SET {column} = {column} WHERE {column} = '{bo}'");
        let delete = format!("DELETE FROM {}", of(bo));
        for statement in [&change, &delete] {
            let done = of_ana().around(db.execute_unprepared(statement)).await;
            assert_eq!(done.unwrap().rows_affected(), 0, "{statement}");
        }
        if anas > 0 {
            let give = format!("UPDATE {table} SET {column} = '{bo}' WHERE {column} = '{ana}'");
            refused(of_ana().around(db.execute_unprepared(&give)).await, &give);
        }
        let left = Reach::every().around(count(db, &table)).await;
        assert_eq!(left, all, "{table}");
    }
    assert!(mixed >= 10, "{mixed} tables hold rows of both");

    for table in OF_CONNECTIONS {
        let all = Reach::every().around(count(db, table)).await;
        assert_eq!(
            Reach::nothing().around(count(db, table)).await,
            0,
            "{table}"
        );
        assert!(of_ana().around(count(db, table)).await <= all);
    }
    let wish = |tenant: TenantId| {
        format!(
            "INSERT INTO wish (tenant_id, person_id, text, at) \
             VALUES ('{tenant}', '{tenant}', 'a wish', now())"
        )
    };
    let (mine, theirs) = (wish(ana), wish(bo));
    refused(
        of_ana().around(db.execute_unprepared(&theirs)).await,
        &theirs,
    );
    refused(
        Reach::nothing().around(db.execute_unprepared(&mine)).await,
        &mine,
    );
    of_ana().around(db.execute_unprepared(&mine)).await.unwrap();

    // Work that was given no reach has none, and neither has whoever comes with
    // the hub's own role and never heard of the setting.
    assert_eq!(count(db, "connection").await, 0);
    let bare = Database::connect(url).await.unwrap();
    assert_eq!(count(&bare, "connection").await, 0);
    refused(bare.execute_unprepared(&theirs).await, &theirs);
}

fn refused<T>(done: Result<T, DbErr>, what: &str) {
    let error = done.err().expect(what).to_string();
    assert!(error.contains("row-level security"), "{what}: {error}");
}
