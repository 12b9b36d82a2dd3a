//! Servers that want to read our files, hang us or fill our memory (row 52).

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hub::outbound::{OutboundPolicy, Timeouts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::bench::{Authority, dialect_with, fields, names, peer, told, try_out};

/// A step of a script.
#[derive(Clone)]
enum Act {
    /// Reads so many bytes.
    Read(usize),
    /// Reads a length of four bytes, itself included, and what it announces;
    /// before it a tag, when there is one.
    ReadMessage {
        tagged: bool,
    },
    /// Reads a length of three bytes, a number and what is announced.
    ReadPacket,
    /// Reads a PostgreSQL message that begins a SCRAM sign-in, and answers with
    /// a challenge that continues its nonce and asks for so much hashing.
    Challenge(&'static str),
    Send(Vec<u8>),
    /// Sends this for as long as anybody takes it.
    SendForever(Vec<u8>),
    /// Sends this every now and then for ever, to look alive.
    Drip(Vec<u8>),
    Hang,
    HangUp,
}
use Act::{Challenge, Drip, Hang, HangUp, Read, ReadMessage, ReadPacket, Send, SendForever};

async fn play(mut stream: TcpStream, script: &[Act], heard: &Mutex<Vec<u8>>) -> io::Result<()> {
    let take = async |stream: &mut TcpStream, length: usize| {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await?;
        heard.lock().unwrap().extend(&bytes);
        io::Result::Ok(bytes)
    };
    for act in script {
        match act {
            Read(length) => drop(take(&mut stream, *length).await?),
            ReadMessage { tagged } => {
                take(&mut stream, usize::from(*tagged)).await?;
                let length = take(&mut stream, 4).await?.try_into().unwrap();
                take(&mut stream, u32::from_be_bytes(length) as usize - 4).await?;
            }
            ReadPacket => {
                let head = take(&mut stream, 4).await?;
                let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
                take(&mut stream, length as usize).await?;
            }
            Challenge(iterations) => {
                take(&mut stream, 1).await?;
                let length = take(&mut stream, 4).await?.try_into().unwrap();
                let first = take(&mut stream, u32::from_be_bytes(length) as usize - 4).await?;
                let first = String::from_utf8_lossy(&first);
                let (_, nonce) = first.split_once("r=").unwrap();
                let challenge = format!("r={nonce}x,s=c2FsdA==,i={iterations}");
                let challenge = authentication(11, challenge.as_bytes());
                stream.write_all(&challenge).await?;
            }
            Send(bytes) => stream.write_all(bytes).await?,
            SendForever(bytes) => loop {
                stream.write_all(bytes).await?;
            },
            Drip(bytes) => loop {
                stream.write_all(bytes).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
            Hang => std::future::pending().await,
            HangUp => return Ok(()),
        }
    }
    // Whatever else is said belongs to what was heard.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    heard.lock().unwrap().extend(rest);
    Ok(())
}

/// What became of a trial against a script, and what the script heard.
async fn against(service: &str, script: Vec<Act>, ca: Option<&str>) -> (String, Vec<u8>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    let script = Arc::new(script);
    let address = peer(move |stream| {
        let (script, hearing) = (script.clone(), hearing.clone());
        async move { play(stream, &script, &hearing).await }
    })
    .await;
    let dialect = dialect_with(OutboundPolicy {
        allow_exact: vec![address],
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            total: Duration::from_millis(1500),
        },
        names: names(),
        ..OutboundPolicy::default()
    });
    let entered = fields(
        address,
        &[("database", "0"), ("ca", ca.unwrap_or_default())],
    );
    let started = Instant::now();
    let trial = try_out(&dialect, service, &entered).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{service} hung");
    let heard = heard.lock().unwrap().clone();
    (told(&trial), heard)
}

/// A PostgreSQL message.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[tag], &length[..], body].concat()
}

fn authentication(kind: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes(), rest].concat())
}

/// A PostgreSQL server without TLS, up to the sign-in.
fn postgres(then: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let begin = [Read(8), Send(b"N".to_vec()), ReadMessage { tagged: false }];
    begin.into_iter().chain(then).collect()
}

/// The same, signed in and asked the first question.
fn signed_in(then: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let welcome = [authentication(0, &[]), message(b'Z', b"I")].concat();
    let begin = [Send(welcome), ReadMessage { tagged: true }];
    postgres(begin.into_iter().chain(then))
}

fn scram(iterations: &'static str) -> Vec<Act> {
    postgres([
        Send(authentication(10, b"SCRAM-SHA-256\0\0")),
        Challenge(iterations),
    ])
}

const AT_SIGN_IN: &str = "reach, (encryption), sign_in: ";

#[tokio::test]
async fn a_hostile_postgresql_gains_nothing() {
    let too_large = "PROVIDER_LIMITED_OR_DOWN answer_too_large";
    let other = "ACCOUNT_OR_TARGET_MISMATCH other_service";
    let slow = "NETWORK_OR_TIMEOUT timeout_after_send";
    let ready = message(b'Z', b"I");
    // One column, and a row of one null.
    let names = message(b'T', &[&[0, 1, b'c', 0][..], &[0; 18]].concat());
    let row = message(b'D', &[0, 1, 0xff, 0xff, 0xff, 0xff]);
    for (what, script, expected) in [
        ("stalls at sign-in", postgres([Hang]), slow),
        ("stalls at a question", signed_in([Hang]), slow),
        ("looks alive", postgres([Drip(message(b'N', b"\0"))]), slow),
        (
            "a huge message",
            postgres([Send(b"R\x7f\xff\xff\xff".to_vec()), Hang]),
            too_large,
        ),
        (
            "a huge row",
            signed_in([
                Send([names.clone(), b"D\x7f\xff\xff\xff".to_vec()].concat()),
                Hang,
            ]),
            too_large,
        ),
        (
            "rows without end",
            signed_in([Send(names.clone()), SendForever(row.repeat(500))]),
            too_large,
        ),
        (
            "notices without end",
            signed_in([SendForever(message(b'N', &[0; 60_000]))]),
            too_large,
        ),
        ("garbage", postgres([Send(vec![0x01; 4096])]), other),
        (
            "a web server",
            vec![Read(8), Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
            other,
        ),
        (
            "a negative length",
            postgres([Send(b"R\xff\xff\xff\xff".to_vec()), Hang]),
            too_large,
        ),
        (
            "a length of zero",
            postgres([Send(b"R\0\0\0\0".to_vec()), Hang]),
            other,
        ),
        // What is asked for is done: then it is the server's turn.
        ("hashing as usual", scram("4096"), slow),
        ("hashing for seconds", scram("2000000"), other),
        ("hashing for years", scram("4294967295"), other),
        ("hashing for ever", scram("99999999999999999999"), other),
        (
            "proves nothing",
            postgres([Send(authentication(12, b"v=eA=="))]),
            other,
        ),
        (
            "wants a file (COPY FROM STDIN)",
            signed_in([Send(message(b'G', &[0, 0, 0])), Hang]),
            other,
        ),
        (
            "gives a file (COPY TO STDOUT)",
            signed_in([Send(message(b'H', &[0, 0, 0])), Hang]),
            other,
        ),
        (
            "columns that are not there",
            signed_in([Send([message(b'T', b"\xff\xff"), ready].concat())]),
            other,
        ),
        (
            "hangs up",
            postgres([Send(b"R\0".to_vec()), HangUp]),
            "NETWORK_OR_TIMEOUT cut_after_send",
        ),
    ] {
        let (told, _) = against("postgresql", script, None).await;
        let step = match what {
            "a web server" => "reach, encryption: ",
            _ => AT_SIGN_IN,
        };
        assert_eq!(told, format!("{step}{expected}"), "{what}");
    }
}

/// A MySQL greeting, with or without TLS.
fn greeting(tls: bool) -> Vec<u8> {
    let low: u16 = 0xa208 | if tls { 0x800 } else { 0 };
    let body = [
        b"\x0a8.4.0\0\x01\0\0\0saltsalt\0",
        &low.to_le_bytes()[..],
        &[45, 2, 0, 0x08, 0, 21],
        &[0; 10],
        b"saltsaltsalt\0",
        b"mysql_native_password\0",
    ]
    .concat();
    packet(0, &body)
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// A MySQL server without TLS that welcomes everybody and was asked something.
fn mysql(then: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let begin = [
        Send(greeting(false)),
        ReadPacket,
        Send(packet(2, &[0, 0, 0, 2, 0, 0, 0])),
        ReadPacket,
    ];
    begin.into_iter().chain(then).collect()
}

#[tokio::test]
async fn a_hostile_mysql_gains_nothing() {
    let signed_in = "reach, (encryption), sign_in, permissions: ";
    let too_large = "PROVIDER_LIMITED_OR_DOWN answer_too_large";
    let other = "ACCOUNT_OR_TARGET_MISMATCH other_service";
    let slow = "NETWORK_OR_TIMEOUT timeout_after_send";
    let at_sign_in = |then: Vec<u8>| vec![Send(greeting(false)), ReadPacket, Send(then), Hang];
    let column = [b"\x03def\0\0\0\x01c\0\x0c".as_slice(), &[0; 12]].concat();
    let columns = [
        packet(1, &[1]),
        packet(2, &column),
        packet(3, &[0xfe, 0, 0, 2, 0]),
    ]
    .concat();
    for (what, script, step, expected) in [
        (
            "stalls at the greeting",
            vec![Hang],
            "reach, encryption: ",
            slow,
        ),
        ("stalls at a question", mysql([Hang]), signed_in, slow),
        (
            "a huge greeting",
            vec![Send(vec![0xff, 0xff, 0xff, 0]), Hang],
            "reach, encryption: ",
            too_large,
        ),
        (
            "a huge row",
            mysql([
                Send([columns.clone(), vec![0xff, 0xff, 0xff, 4]].concat()),
                Hang,
            ]),
            signed_in,
            too_large,
        ),
        (
            "countless columns",
            mysql([
                Send(packet(
                    1,
                    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                )),
                Hang,
            ]),
            signed_in,
            too_large,
        ),
        (
            "a value longer than its row",
            mysql([
                Send(
                    [
                        columns,
                        packet(4, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
                    ]
                    .concat(),
                ),
                Hang,
            ]),
            signed_in,
            other,
        ),
        (
            "garbage",
            vec![Send(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), Hang],
            "reach, encryption: ",
            other,
        ),
        (
            "a short greeting",
            vec![Send(packet(0, b"\x0a8.4.0\0\x01")), Hang],
            "reach, encryption: ",
            other,
        ),
        (
            "wants a file",
            mysql([Send(packet(1, b"\xfb/etc/passwd"))]),
            signed_in,
            "ACCOUNT_OR_TARGET_MISMATCH asked_for_our_files",
        ),
        (
            "wants a file at sign-in",
            at_sign_in(packet(2, b"\xfb/etc/passwd")),
            AT_SIGN_IN,
            other,
        ),
        (
            "wants the password itself",
            at_sign_in(packet(2, b"\xfemysql_clear_password\0")),
            AT_SIGN_IN,
            "ACCOUNT_OR_TARGET_MISMATCH unknown_sign_in",
        ),
        (
            "wants it by another name",
            vec![
                Send(greeting(false)),
                ReadPacket,
                Send(packet(
                    2,
                    b"\xfecaching_sha2_password\0saltsaltsaltsaltsalt\0",
                )),
                ReadPacket,
                Send(packet(4, &[1, 4])),
                Hang,
            ],
            AT_SIGN_IN,
            "ACCOUNT_OR_TARGET_MISMATCH unknown_sign_in",
        ),
    ] {
        let (told, heard) = against("mysql", script, None).await;
        assert_eq!(told, format!("{step}{expected}"), "{what}");
        let has = |words: &[u8]| heard.windows(words.len()).any(|part| part == words);
        assert!(!has(b"root:") && !has(b"correct-horse"), "{what}");
        // The very first thing we say: that we hand over no files.
        assert!(heard.get(4).is_none_or(|low| low & 0x80 == 0), "{what}");
    }
}

/// What honest servers refuse with, at the sign-in.
#[tokio::test]
async fn refusals_are_read_by_the_entrys_table() {
    let rejected = "sign_in: CREDENTIALS_REJECTED";
    let limited = "sign_in: PROVIDER_LIMITED_OR_DOWN";
    for (code, words, expected) in [
        ("28P01", "", rejected),
        ("28000", "", rejected),
        (
            "28000",
            "no pg_hba.conf entry for host",
            "sign_in: REFUSED_BY_PROVIDER",
        ),
        ("42501", "", "sign_in, permissions: PERMISSION_MISSING"),
        ("3D000", "", "sign_in: ACCOUNT_OR_TARGET_MISMATCH"),
        ("53300", "", limited),
        ("57P03", "", limited),
    ] {
        let error = message(b'E', format!("SFATAL\0C{code}\0M{words}\0\0").as_bytes());
        let (told, _) = against("postgresql", postgres([Send(error), HangUp]), None).await;
        assert_eq!(told, format!("reach, (encryption), {expected} {code}"));
    }
    for (code, expected) in [
        (1045_u16, rejected),
        (1044, "sign_in, permissions: PERMISSION_MISSING"),
        (1142, "sign_in, permissions: PERMISSION_MISSING"),
        (1049, "sign_in: ACCOUNT_OR_TARGET_MISMATCH"),
        (1040, limited),
    ] {
        let error = [&[0xff], &code.to_le_bytes()[..], b"#28000No."].concat();
        let script = vec![
            Send(greeting(false)),
            ReadPacket,
            Send(packet(2, &error)),
            HangUp,
        ];
        let (told, _) = against("mysql", script, None).await;
        assert_eq!(told, format!("reach, (encryption), {expected} {code}"));
    }
}

#[tokio::test]
async fn a_downgrade_is_refused_before_anything_is_said() {
    let authority = Authority::new();
    let ca = Some(authority.pem.as_str());
    let (told, heard) = against("postgresql", vec![Read(8), Send(b"N".to_vec())], ca).await;
    let expected = "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH encryption_not_offered";
    assert_eq!(told, expected);
    assert_eq!(heard.len(), 8);
    let (told, heard) = against("mysql", vec![Send(greeting(false))], ca).await;
    assert_eq!(told, expected);
    assert!(heard.is_empty());
    // TLS with a certificate of nobody we know: not even the user is told.
    let acceptor = Authority::new().certify(crate::bench::HOST).acceptor();
    let address = peer(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            stream.read_exact(&mut [0; 8]).await?;
            stream.write_all(b"S").await?;
            acceptor.accept(stream).await.map(drop)
        }
    })
    .await;
    let dialect = crate::bench::dialect(&[address]);
    for ca in [authority.pem.as_str(), ""] {
        let trial = try_out(&dialect, "postgresql", &fields(address, &[("ca", ca)])).await;
        let expected = "reach, encryption: NETWORK_OR_TIMEOUT certificate_untrusted";
        assert_eq!(crate::bench::told(&trial), expected);
    }
}

#[tokio::test]
async fn hostile_lines_are_bounded() {
    let too_large = "PROVIDER_LIMITED_OR_DOWN answer_too_large";
    let hello = |more: &[u8]| [b"* OK hello\r\n".as_slice(), more].concat();
    for (service, what, script, expected) in [
        (
            "smtp",
            "a line without end",
            vec![SendForever(vec![b'2'; 4096])],
            format!("reach, encryption: {too_large}"),
        ),
        (
            "smtp",
            "a reply without end",
            vec![SendForever(b"220-hello\r\n".repeat(100))],
            format!("reach, encryption: {too_large}"),
        ),
        (
            "smtp",
            "no digits",
            vec![Send("äöü hello\r\n".into()), Hang],
            "reach, encryption: ACCOUNT_OR_TARGET_MISMATCH other_service".to_owned(),
        ),
    ] {
        let (told, _) = against(service, script, None).await;
        assert_eq!(told, expected, "{service}: {what}");
    }
    // These come behind TLS, which is tried first and falls back in the open:
    // the second connection is the one that counts.
    for (service, what, script, expected) in [
        (
            "imap",
            "a line without end",
            vec![SendForever(vec![b'*'; 4096])],
            too_large,
        ),
        (
            "imap",
            "a literal of 4 GB",
            vec![Send(hello(b"* X {4294967295}\r\n")), Hang],
            too_large,
        ),
        (
            "imap",
            "answers without end",
            vec![Send(hello(b"")), SendForever(b"* X\r\n".repeat(100))],
            too_large,
        ),
        (
            "redis",
            "a value of 1 TB",
            vec![Send(b"$1099511627776\r\n".to_vec()), Hang],
            too_large,
        ),
        (
            "redis",
            "a list of lists",
            vec![Send(b"*1\r\n".repeat(1000)), Hang],
            too_large,
        ),
        (
            "redis",
            "a long list",
            vec![Send(b"*2147483647\r\n".to_vec()), Hang],
            too_large,
        ),
        (
            "redis",
            "garbage",
            vec![Send(b"\xff\xfe\r\n".to_vec()), Hang],
            "ACCOUNT_OR_TARGET_MISMATCH other_service",
        ),
    ] {
        let (told, _) = against(service, script, None).await;
        assert_eq!(told, format!("{AT_SIGN_IN}{expected}"), "{service}: {what}");
    }
}
