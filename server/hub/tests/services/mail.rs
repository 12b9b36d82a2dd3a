//! A real Dovecot, and a scripted server for what is sent.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::bench::{
    Authority, Directory, HOST, Server, are_there, dialect, fields, notes, peer, sample, told,
    try_out, unprivileged,
};

const LETTER: &str = "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Ana <ana@example.com>\r\n\
                      Subject: A long\r\n subject\r\n\r\nHello\r\n";

#[tokio::test]
async fn a_mailbox_is_tried_out_and_sampled() {
    if !are_there(&["dovecot"]) {
        return;
    }
    let authority = Authority::new();
    let certified = authority.certify(HOST);
    let directory = Directory::new();
    let certificate = directory.write("certificate", &certified.certificate);
    let key = directory.write("key", &certified.key);
    let users = directory.write("users", "linkwell:correct-horse-7-battery::::::\n");
    let mail = directory.write("mail", "");
    let inbox: String = (0..25)
        .map(|_| format!("From ana@example.com Fri Nov 20 10:00:00 2026\n{LETTER}\n"))
        .collect();
    std::fs::remove_file(&mail).unwrap();
    let inbox = directory.write("inbox", &inbox.replace('\r', ""));
    let at = directory.path("");
    let server = Server::start(directory, |port| {
        let settings = format!(
            "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {at}run\nstate_dir = {at}state\n\
             log_path = {at}dovecot.log\ndefault_internal_user = nobody\n\
             default_internal_group = nogroup\ndefault_login_user = nobody\n\
             service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = 0\n }}\n \
             inet_listener imaps {{\n port = {port}\n ssl = yes\n }}\n}}\n\
             ssl = required\nssl_cert = <{certificate}\nssl_key = <{key}\n\
             mail_location = mbox:{at}folders:INBOX={inbox}\nfirst_valid_uid = 1\n\
             passdb {{\n driver = passwd-file\n args = scheme=PLAIN {users}\n}}\n\
             userdb {{\n driver = static\n args = uid=65534 gid=65534 home={at}home\n}}\n"
        );
        std::fs::write(format!("{at}dovecot.conf"), settings).unwrap();
        let mut command = unprivileged("dovecot");
        command.args(["-F", "-c", &format!("{at}dovecot.conf")]);
        command
    })
    .await;
    let dialect = dialect(&[server.address]);
    let usual = [("ca", authority.pem.as_str()), ("mailbox", "INBOX")];
    let enter = |further: &[(&str, &str)]| fields(server.address, &[&usual[..], further].concat());
    let trial = try_out(&dialect, "imap", &enter(&[])).await;
    let log = std::fs::read_to_string(format!("{at}dovecot.log")).unwrap_or_default();
    let all = "reach, encryption, sign_in, permissions, sample";
    assert_eq!(told(&trial), all, "{log}");
    assert_eq!(notes(&trial), ["25 messages in INBOX"]);
    assert_eq!(trial.account.unwrap().label, "linkwell");
    for (further, expected) in [
        (
            &[("password", "wrong")][..],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED AUTHENTICATIONFAILED",
        ),
        (
            &[("mailbox", "Nowhere")],
            "reach, encryption, sign_in, permissions: ACCOUNT_OR_TARGET_MISMATCH no_such_folder",
        ),
        (
            &[("mailbox", "a\"b\\c")],
            "reach, encryption, sign_in, permissions: ACCOUNT_OR_TARGET_MISMATCH no_such_folder",
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
        let trial = try_out(&dialect, "imap", &enter(further)).await;
        assert_eq!(told(&trial), expected, "{further:?}");
    }
    let shown = sample(&dialect, "imap", &enter(&[]), None).await.unwrap();
    assert_eq!(shown.rows.len(), 20);
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown.rows[0],
        [
            cell("Fri, 20 Nov 2026 10:00:00 +0000"),
            cell("Ana <ana@example.com>"),
            cell("A long subject")
        ]
    );
}

/// Answers as a mail server would; keeps what it was told.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    said: Arc<Mutex<Vec<String>>>,
    offers_tls: bool,
    greets: bool,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 mail ESMTP\r\n").await?;
    }
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let told = line.trim_end().to_owned();
        line.clear();
        let right = "AUTH PLAIN AGxpbmt3ZWxsAGNvcnJlY3QtaG9yc2UtNy1iYXR0ZXJ5";
        let answer = match told.split(' ').next().unwrap_or_default() {
            "EHLO" if offers_tls => "250-mail\r\n250 STARTTLS\r\n",
            "EHLO" => "250-mail\r\n250-SIZE 1000\r\n250 AUTH LOGIN PLAIN\r\n",
            "STARTTLS" => "220 go\r\n",
            "AUTH" if told == right => "235 ok\r\n",
            "AUTH" => "535 5.7.8 wrong\r\n",
            "MAIL" if told.contains("<shop@example.com>") => "250 ok\r\n",
            "MAIL" => "553 5.7.1 not yours\r\n",
            "RSET" => "250 ok\r\n",
            _ => "221 bye\r\n",
        };
        let is_upgrade = told == "STARTTLS";
        said.lock().unwrap().push(told);
        stream.write_all(answer.as_bytes()).await?;
        if is_upgrade {
            return Ok(());
        }
    }
    Ok(())
}

#[tokio::test]
async fn sending_is_tried_out_and_nothing_is_sent() {
    let authority = Authority::new();
    let acceptor = authority.certify(HOST).acceptor();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let address = peer(move |mut stream| {
        let (acceptor, heard) = (acceptor.clone(), heard.clone());
        async move {
            serve(&mut stream, heard.clone(), true, true).await?;
            serve(acceptor.accept(stream).await?, heard, false, false).await
        }
    })
    .await;
    let dialect = dialect(&[address]);
    let usual = [("ca", authority.pem.as_str()), ("from", "shop@example.com")];
    let enter = |further: &[(&str, &str)]| fields(address, &[&usual[..], further].concat());
    for (further, expected) in [
        (&[][..], "reach, encryption, sign_in, permissions, (sample)"),
        (
            &[("from", "")],
            "reach, encryption, sign_in, (permissions), (sample)",
        ),
        (
            &[("password", "wrong")],
            "reach, encryption, sign_in: CREDENTIALS_REJECTED 535",
        ),
        (
            &[("from", "ana@example.com")],
            "reach, encryption, sign_in, permissions: PERMISSION_MISSING 553",
        ),
        (
            &[("host", "other.example.com")],
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH certificate",
        ),
    ] {
        let trial = try_out(&dialect, "smtp", &enter(further)).await;
        assert_eq!(told(&trial), expected, "{further:?}");
    }
    let said = said.lock().unwrap();
    let commands: Vec<_> = said
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(commands.contains(&"MAIL"));
    assert!(!commands.contains(&"RCPT") && !commands.contains(&"DATA"));
}

/// Somebody on the way takes the offer of encryption out, or adds to it.
#[tokio::test]
async fn encryption_cannot_be_talked_away() {
    let authority = Authority::new();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let stripped = peer(move |stream| serve(stream, heard.clone(), false, true)).await;
    let injected = peer(|stream| async move {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail\r\n").await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        stream.write_all(b"250 STARTTLS\r\n").await?;
        stream.read_line(&mut line).await?;
        stream.write_all(b"220 go\r\n250 AUTH PLAIN\r\n").await?;
        stream.read_line(&mut line).await.map(drop)
    })
    .await;
    let dialect = dialect(&[stripped, injected]);
    for (address, expected) in [
        (
            stripped,
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH encryption_not_offered",
        ),
        (
            injected,
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH other_service",
        ),
    ] {
        let entered = fields(address, &[("ca", authority.pem.as_str())]);
        let trial = try_out(&dialect, "smtp", &entered).await;
        assert_eq!(told(&trial), expected);
    }
    assert!(
        !said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with("AUTH"))
    );
}
