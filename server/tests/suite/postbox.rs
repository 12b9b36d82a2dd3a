//! A mail server that keeps what it takes, and refuses when it is told to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hub::{
    notify::{MailSettings, Mailer},
    secret::Secret,
};
use mail_parser::MessageParser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What it answers to a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    NotNow,
    Never,
    /// Wants to be signed in to first.
    Closed,
}

#[derive(Clone)]
pub struct Postbox {
    pub address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    letters: Vec<Letter>,
    mood: Mood,
}

/// A letter as it came.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Whom the server was told to bring it to.
    pub to: Vec<String>,
    pub raw: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Letter {
    fn read(to: Vec<String>, raw: String) -> Self {
        let message = MessageParser::default().parse(&raw).expect("a letter");
        let body = |body: Option<std::borrow::Cow<'_, str>>| body.expect("a body").into_owned();
        Self {
            subject: message.subject().expect("a subject").to_owned(),
            text: body(message.body_text(0)),
            html: body(message.body_html(0)),
            to,
            raw: raw.clone(),
        }
    }

    /// The link behind the one button.
    pub fn link(&self) -> String {
        let (_, rest) = self.text.split_once("/link/").expect("a link");
        let secret = rest.split_whitespace().next().expect("a secret");
        assert!(self.html.contains(secret), "both parts say the same");
        format!("/link/{secret}")
    }
}

impl Postbox {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Mutex::new(Kept {
            letters: Vec::new(),
            mood: Mood::Takes,
        }));
        let postbox = Self { address, kept };
        let serving = postbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let postbox = serving.clone();
                tokio::spawn(async move { postbox.talk(stream).await });
            }
        });
        postbox
    }

    pub fn mailer(&self) -> Mailer {
        Mailer::new(&MailSettings {
            url: Secret::new(format!("smtp://{}", self.address)),
            from: "Linkwell <hub@example.com>".into(),
        })
        .expect("settings")
    }

    pub fn is(&self, mood: Mood) {
        self.kept.lock().unwrap().mood = mood;
    }

    /// Everything that came since the last look.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.kept.lock().unwrap().letters)
    }

    async fn talk(self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut to = Vec::new();
        write.write_all(b"220 postbox\r\n").await.ok()?;
        while let Some(line) = lines.next_line().await.ok()? {
            let word = line.split([' ', ':']).next()?.to_uppercase();
            let answer = match word.as_str() {
                "EHLO" | "HELO" => "250-postbox\r\n250 8BITMIME",
                "RCPT" => {
                    let mood = self.kept.lock().unwrap().mood;
                    match mood {
                        Mood::Takes => {
                            to.push(line.split(['<', '>']).nth(1)?.to_owned());
                            "250 ok"
                        }
                        Mood::NotNow => "451 not now",
                        Mood::Never => "550 never",
                        Mood::Closed => "530 sign in first",
                    }
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut raw = String::new();
                    while let Some(line) = lines.next_line().await.ok()? {
                        if line == "." {
                            break;
                        }
                        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                        raw.push_str("\r\n");
                    }
                    let letter = Letter::read(std::mem::take(&mut to), raw);
                    self.kept.lock().unwrap().letters.push(letter);
                    "250 kept"
                }
                "RSET" => {
                    to.clear();
                    "250 ok"
                }
                "QUIT" => {
                    write.write_all(b"221 bye\r\n").await.ok()?;
                    return None;
                }
                _ => "250 ok",
            };
            write
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .ok()?;
        }
        None
    }
}
