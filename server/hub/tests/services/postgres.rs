//! A real PostgreSQL, with and without a pooler before it.

use hub::dialect::{Kind, Note};

use crate::bench::{
    Authority, Certified, Directory, HOST, Server, are_there, dialect, fields, notes, run, sample,
    told, try_out, unprivileged,
};

const SETUP: &str = "CREATE ROLE linkwell LOGIN PASSWORD 'correct-horse-7-battery';
CREATE ROLE poor LOGIN PASSWORD 'correct-horse-7-battery';
CREATE ROLE old LOGIN;
CREATE ROLE busy LOGIN PASSWORD 'correct-horse-7-battery' CONNECTION LIMIT 0;
";
const TABLES: &str = r#"CREATE TABLE "odd ""name""" (id int, "a ""b""" text, born date, none text, big text);
INSERT INTO "odd ""name""" SELECT n, 'ä' || n, date '1899-01-01' + n, NULL, repeat('x', 300000) FROM generate_series(1, 30) n;
CREATE SCHEMA sales; CREATE TABLE sales.orders (id int, total numeric, paid boolean);
INSERT INTO sales.orders VALUES (1, 2.50, true), (1, 3, false);
CREATE TABLE secret (id int);
GRANT USAGE ON SCHEMA sales TO linkwell; GRANT SELECT ON "odd ""name""", sales.orders TO linkwell;
"#;

async fn server(certified: &Certified) -> Server {
    let directory = Directory::new();
    let data = directory.path("data");
    run(
        unprivileged("initdb")
            .args(["--pgdata", &data, "--username=admin", "--auth=trust"])
            .args(["--encoding=UTF8", "--no-locale", "--no-sync"]),
        "",
    );
    let single = |database: &str, statements: &str| {
        let mut command = unprivileged("postgres");
        command.args(["--single", "-j", "-D", &data, database]);
        // One statement ends with an empty line.
        run(&mut command, &statements.replace(";\n", ";\n\n"));
    };
    single("postgres", "CREATE DATABASE shop;\n");
    single("postgres", "CREATE DATABASE empty;\n");
    single("postgres", SETUP);
    single("shop", TABLES);
    single(
        "shop",
        "SET password_encryption = md5; ALTER ROLE old PASSWORD 'correct-horse-7-battery';\n",
    );
    let access = "host all old all md5\nhost all admin all trust\nhost all all all scram-sha-256\n";
    let access = directory.write("access", access);
    let certificate = directory.write("certificate", &certified.certificate);
    let key = directory.write("key", &certified.key);
    Server::start(directory, |port| {
        let mut command = unprivileged("postgres");
        command.args(["-D", &data, "-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in [
            "fsync=off",
            "unix_socket_directories=",
            "ssl=on",
            &format!("ssl_cert_file={certificate}"),
            &format!("ssl_key_file={key}"),
            &format!("hba_file={access}"),
            "log_statement=all",
        ] {
            command.args(["-c", setting]);
        }
        command
    })
    .await
}

#[tokio::test]
async fn a_database_is_tried_out_and_sampled() {
    if !are_there(&["initdb", "postgres"]) {
        return;
    }
    let authority = Authority::new();
    let server = server(&authority.certify(HOST)).await;
    let dialect = dialect(&[server.address]);
    let ca = ("ca", authority.pem.as_str());
    let enter = |further: &[(&str, &str)]| fields(server.address, &[&[ca], further].concat());
    let tried = async |further: &[(&str, &str)]| {
        told(&try_out(&dialect, "postgresql", &enter(further)).await)
    };

    let trial = try_out(&dialect, "postgresql", &enter(&[])).await;
    assert_eq!(
        told(&trial),
        "reach, encryption, sign_in, permissions, sample"
    );
    assert_eq!(
        notes(&trial),
        ["May read 2 tables", "20 rows of odd \"name\""]
    );
    let account = trial.account.unwrap();
    assert_eq!(account.label, "shop at db.example.com");
    let port = server.address.port();
    assert_eq!(account.id, format!("linkwell@db.example.com:{port}/shop"));

    // Each way to be wrong, at its own step.
    for (further, expected) in [
        (
            &[("user", "old")][..],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING no_readable_table",
        ),
        (
            &[("password", "wrong")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED 28P01",
        ),
        (
            &[("user", "old"), ("password", "wrong")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED 28P01",
        ),
        (
            &[("user", "nobody")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED 28P01",
        ),
        (
            &[("user", "poor")],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING no_readable_table",
        ),
        (
            &[("user", "busy")],
            "reach, encryption, sign_in: PROVIDER_LIMITED_OR_DOWN 53300",
        ),
        (
            &[("database", "nowhere")],
            "reach, encryption, sign_in: ACCOUNT_OR_TARGET_MISMATCH 3D000",
        ),
        (
            &[("database", "empty")],
            "reach, encryption, sign_in, permissions, (sample)",
        ),
        (
            &[("host", "other.example.com")],
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH certificate",
        ),
        (
            &[("ca", "")],
            "reach, encryption: NETWORK_OR_TIMEOUT certificate_untrusted",
        ),
        (
            &[(
                "ca",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            )],
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH ca_unreadable",
        ),
        (
            &[("host", "db.invalid")],
            "reach: ACCOUNT_OR_TARGET_MISMATCH host",
        ),
        (
            &[("port", "1")],
            "reach: ACCOUNT_OR_TARGET_MISMATCH address_not_allowed",
        ),
    ] {
        assert_eq!(tried(further).await, expected, "{further:?}");
    }

    let shown = sample(&dialect, "postgresql", &enter(&[]), None)
        .await
        .unwrap();
    assert_eq!(shown.tables, ["odd \"name\"", "sales.orders"]);
    assert_eq!(shown.table.as_deref(), Some("odd \"name\""));
    assert_eq!(shown.rows.len(), 20);
    let kinds: Vec<_> = shown.columns.iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Integer,
            Kind::Text,
            Kind::Date,
            Kind::Empty,
            Kind::Text
        ]
    );
    assert_eq!(shown.columns[1].name, "a \"b\"");
    assert_eq!(shown.columns[2].notes, [Note::OddDates]);
    assert_eq!(shown.columns[3].notes, [Note::Empty]);
    let right = enter(&[]);
    let chosen = sample(&dialect, "postgresql", &right, Some("sales.orders"));
    let chosen = chosen.await.unwrap();
    let kinds: Vec<_> = chosen.columns.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Integer, Kind::Number, Kind::YesNo]);
    assert_eq!(chosen.columns[0].notes, [Note::DuplicateKeys]);
    let refused = sample(&dialect, "postgresql", &enter(&[]), Some("secret")).await;
    assert_eq!(refused.err().unwrap().detail, "no_such_table");

    // Everything was asked in a transaction that reads only and not for long.
    let log = std::fs::read_to_string(server.directory.path("log")).unwrap();
    let asked = |words: &str| log.matches(words).count();
    assert!(asked("statement: SELECT") > 10, "{log}");
    assert!(asked("statement: BEGIN READ ONLY") > 0);
    assert_eq!(
        asked("statement: BEGIN READ ONLY"),
        asked("statement: SET LOCAL statement_timeout = 2500")
    );
    pooler(&server, &authority).await;
}

/// PgBouncer in front of it is recognised, and gets no parameter it does not know.
async fn pooler(server: &Server, authority: &Authority) {
    if !are_there(&["pgbouncer"]) {
        return;
    }
    let certified = authority.certify(HOST);
    let directory = Directory::new();
    let users = directory.write("users", "\"linkwell\" \"correct-horse-7-battery\"\n");
    let certificate = directory.write("certificate", &certified.certificate);
    let key = directory.write("key", &certified.key);
    let database = server.address.port();
    let pooler = Server::start(directory, |port| {
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\n\
             pool_mode = transaction\nclient_tls_sslmode = require\n\
             client_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n"
        );
        let file = std::env::temp_dir().join(format!("linkwell-pgbouncer-{port}.ini"));
        std::fs::write(&file, settings).unwrap();
        let mut command = unprivileged("pgbouncer");
        command.arg(file);
        command
    })
    .await;
    let dialect = dialect(&[pooler.address]);
    let entered = fields(pooler.address, &[("ca", authority.pem.as_str())]);
    let trial = try_out(&dialect, "postgresql", &entered).await;
    assert_eq!(
        told(&trial),
        "reach, encryption, sign_in, permissions, sample"
    );
    assert_eq!(
        notes(&trial)[0],
        "Through a connection pooler, which is fine"
    );
    let _ = std::fs::remove_file(
        std::env::temp_dir().join(format!("linkwell-pgbouncer-{}.ini", pooler.address.port())),
    );
}

#[tokio::test]
async fn an_expired_certificate_is_named() {
    if !are_there(&["initdb", "postgres"]) {
        return;
    }
    let authority = Authority::new();
    let server = server(&authority.certify_until(HOST, 2020)).await;
    let dialect = dialect(&[server.address]);
    let entered = fields(server.address, &[("ca", authority.pem.as_str())]);
    assert_eq!(
        told(&try_out(&dialect, "postgresql", &entered).await),
        "reach, encryption: NETWORK_OR_TIMEOUT certificate_expired"
    );
}
