//! A real Redis, with TLS and without.

use crate::bench::{
    Authority, Directory, HOST, Server, are_there, dialect, fields, notes, run, sample, told,
    try_out, unprivileged,
};

async fn server(authority: &Authority, encrypted: bool) -> Server {
    let certified = authority.certify(HOST);
    let directory = Directory::new();
    let ca = directory.write("ca", &authority.pem);
    let certificate = directory.write("certificate", &certified.certificate);
    let key = directory.write("key", &certified.key);
    let at = directory.path("");
    Server::start(directory, |port| {
        let mut command = unprivileged("redis-server");
        let (plain, tls) = if encrypted { (0, port) } else { (port, 0) };
        command.args(["--bind", "127.0.0.1", "--save", "", "--dir", &at]);
        command.args(["--port", &plain.to_string(), "--tls-port", &tls.to_string()]);
        if encrypted {
            command.args(["--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"]);
            command.args(["--tls-cert-file", &certificate, "--tls-key-file", &key]);
        }
        command.args(["--requirepass", "correct-horse-7-battery"]);
        command.args([
            "--user",
            "reader",
            "on",
            ">correct-horse-7-battery",
            "~*",
            "+@read",
        ]);
        command.args(["+@connection", "+scan", "+type"]);
        command.args([
            "--user",
            "poor",
            "on",
            ">correct-horse-7-battery",
            "~*",
            "+ping",
        ]);
        command
    })
    .await
}

#[tokio::test]
async fn a_server_is_tried_out_and_sampled() {
    if !are_there(&["redis-server", "redis-cli"]) {
        return;
    }
    let authority = Authority::new();
    let server = server(&authority, true).await;
    let dialect = dialect(&[server.address]);
    let ca = ("ca", authority.pem.as_str());
    let usual = [ca, ("database", "0"), ("user", "default")];
    let enter = |further: &[(&str, &str)]| fields(server.address, &[&usual[..], further].concat());

    let trial = try_out(&dialect, "redis", &enter(&[])).await;
    assert_eq!(
        told(&trial),
        "reach, encryption, sign_in, permissions, sample"
    );
    assert_eq!(notes(&trial), ["There are no keys yet"]);
    for (further, expected) in [
        (
            &[("password", "wrong")][..],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED WRONGPASS",
        ),
        (
            &[("password", "")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED NOAUTH",
        ),
        (
            &[("user", "reader")],
            "reach, encryption, sign_in, permissions, sample",
        ),
        (
            &[("user", "poor")],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING NOPERM",
        ),
        (
            &[("user", "reader"), ("password", "wrong")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED WRONGPASS",
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
        let trial = try_out(&dialect, "redis", &enter(further)).await;
        assert_eq!(told(&trial), expected, "{further:?}");
    }

    let cli = |words: &[&str]| {
        let mut command = unprivileged("redis-cli");
        command.args([
            "-p",
            &server.address.port().to_string(),
            "--tls",
            "--insecure",
        ]);
        command.args(["-a", "correct-horse-7-battery"]).args(words);
        run(&mut command, "");
    };
    cli(&["SET", "greeting", "hello"]);
    cli(&["LPUSH", "list", "one"]);
    let shown = sample(&dialect, "redis", &enter(&[]), None).await.unwrap();
    let mut rows = shown.rows;
    rows.sort();
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            [cell("greeting"), cell("string")],
            [cell("list"), cell("list")]
        ]
    );
}

#[tokio::test]
async fn without_tls_only_where_the_operator_allowed_it_and_no_authority_was_entered() {
    if !are_there(&["redis-server"]) {
        return;
    }
    let authority = Authority::new();
    let server = server(&authority, false).await;
    let dialect = dialect(&[server.address]);
    let usual = [("database", "0"), ("user", "default")];
    let allowed = try_out(&dialect, "redis", &fields(server.address, &usual)).await;
    assert_eq!(
        told(&allowed),
        "reach, (encryption), sign_in, permissions, sample"
    );
    let demanded = [&usual[..], &[("ca", authority.pem.as_str())]].concat();
    let demanded = try_out(&dialect, "redis", &fields(server.address, &demanded)).await;
    assert_eq!(told(&demanded), "reach, encryption: NETWORK_OR_TIMEOUT tls");
}
