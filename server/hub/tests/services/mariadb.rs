//! A real MariaDB.

use hub::dialect::{Kind, Note};

use crate::bench::{
    Authority, Directory, HOST, Server, are_there, dialect, fields, notes, run, sample, told,
    try_out, unprivileged,
};

const SETUP: &str = "CREATE DATABASE shop;
CREATE DATABASE empty;
CREATE TABLE shop.`odd ``name` (id int, born date, note text, none text, big longtext, raw blob);
CREATE TABLE shop.orders (id int, total decimal(8,2), placed datetime);
INSERT INTO shop.`odd ``name` SELECT seq, '2000-01-01' + INTERVAL seq DAY, 'ä', NULL, REPEAT('x', 300000), x'ff00' FROM shop.seq_1_to_30;
INSERT INTO shop.orders VALUES (1, 2.5, '2026-11-20 10:00:00'), (2, 3, '0000-00-00 00:00:00');
CREATE USER linkwell IDENTIFIED BY 'correct-horse-7-battery';
CREATE USER poor IDENTIFIED BY 'correct-horse-7-battery';
CREATE USER nopass;
GRANT SELECT ON shop.* TO linkwell;
GRANT SELECT ON `empty`.* TO linkwell;
GRANT SELECT ON shop.* TO nopass;
GRANT INSERT ON shop.orders TO poor;
";

#[tokio::test]
async fn a_database_is_tried_out_and_sampled() {
    if !are_there(&["mariadbd", "mariadb-install-db"]) {
        return;
    }
    let authority = Authority::new();
    let certified = authority.certify(HOST);
    let directory = Directory::new();
    let data = directory.path("data");
    run(
        unprivileged("mariadb-install-db")
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .arg(format!("--datadir={data}")),
        "",
    );
    let setup = directory.write("setup", SETUP);
    let log = directory.path("asked");
    let certificate = directory.write("certificate", &certified.certificate);
    let key = directory.write("key", &certified.key);
    let socket = directory.path("socket");
    let pid = directory.path("pid");
    let server = Server::start(directory, |port| {
        let mut command = unprivileged("mariadbd");
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--sql-mode="]);
        for (name, value) in [
            ("datadir", &data),
            ("port", &port.to_string()),
            ("socket", &socket),
            ("pid-file", &pid),
            ("init-file", &setup),
            ("ssl-cert", &certificate),
            ("ssl-key", &key),
            ("general-log-file", &log),
        ] {
            command.arg(format!("--{name}={value}"));
        }
        command.args(["--general-log=1", "--innodb-flush-log-at-trx-commit=0"]);
        command
    })
    .await;
    let dialect = dialect(&[server.address]);
    let ca = ("ca", authority.pem.as_str());
    let enter = |further: &[(&str, &str)]| fields(server.address, &[&[ca], further].concat());

    let trial = try_out(&dialect, "mariadb", &enter(&[])).await;
    assert_eq!(
        told(&trial),
        "reach, encryption, sign_in, permissions, sample"
    );
    assert_eq!(notes(&trial), ["May see 2 tables", "20 rows of odd `name"]);
    let account = trial.account.unwrap();
    assert_eq!(account.label, "shop at db.example.com");
    for (further, expected) in [
        (
            &[("password", "wrong")][..],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED 1045",
        ),
        (
            &[("user", "nopass"), ("password", "")],
            "reach, encryption, sign_in, permissions, sample",
        ),
        (
            &[("database", "nowhere")],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING 1044",
        ),
        (
            &[("user", "poor")],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING 1142",
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
    ] {
        let trial = try_out(&dialect, "mariadb", &enter(further)).await;
        assert_eq!(told(&trial), expected, "{further:?}");
    }

    let shown = sample(&dialect, "mysql", &enter(&[]), None).await.unwrap();
    assert_eq!(shown.tables, ["odd `name", "orders"]);
    assert_eq!(shown.rows.len(), 20);
    assert_eq!(shown.columns[1].kind, Kind::Date);
    assert_eq!(shown.columns[3].kind, Kind::Empty);
    let chosen = sample(&dialect, "mysql", &enter(&[]), Some("orders"))
        .await
        .unwrap();
    let kinds: Vec<_> = chosen.columns.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Integer, Kind::Number, Kind::Date]);
    assert_eq!(chosen.columns[2].notes, [Note::OddDates]);

    // Everything was asked in a transaction that reads only and not for long.
    let asked = std::fs::read_to_string(server.directory.path("asked")).unwrap();
    let times = |words: &str| asked.matches(words).count();
    assert!(times("SELECT table_name") > 2, "{asked}");
    assert_eq!(
        times("START TRANSACTION READ ONLY"),
        times("SELECT table_name")
    );
    assert_eq!(
        times("max_statement_time = 2.5"),
        times("SELECT table_name")
    );
}
