//! A scripted Redis: what a service is to the whole hub, as far as it is asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

/// The one password it takes.
pub const RIGHT: &str = "correct-horse-7-battery";

/// A listening one.
pub struct Redis {
    pub address: SocketAddr,
    script: Arc<Script>,
}

struct Script {
    keys: Vec<String>,
    /// How many wanted to sign in.
    asked: AtomicUsize,
    /// How many of them may have their answer.
    answers: Semaphore,
}

impl Redis {
    /// One that holds these keys, and answers at once.
    pub async fn holding(keys: &[&str]) -> Self {
        Self::start(keys, Semaphore::MAX_PERMITS).await
    }

    /// One that lets nobody in before [`Redis::answer_one`].
    pub async fn slow() -> Self {
        Self::start(&[], 0).await
    }

    /// One that is spoken to encrypted only, and shows what `tls` holds then.
    pub async fn encrypted(tls: Arc<Mutex<TlsAcceptor>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script {
            keys: Vec::new(),
            asked: AtomicUsize::new(0),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, script) = (tls.lock().unwrap().clone(), shared.clone());
                tokio::spawn(async move {
                    let stream = tls.accept(stream).await?;
                    answer(stream, script).await
                });
            }
        });
        Self { address, script }
    }

    async fn start(keys: &[&str], answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script {
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
            asked: AtomicUsize::new(0),
            answers: Semaphore::new(answers),
        });
        let shared = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, shared.clone()));
            }
        });
        Self { address, script }
    }

    /// How many wanted to sign in so far.
    pub fn asked(&self) -> usize {
        self.script.asked.load(Ordering::SeqCst)
    }

    /// Answers one who wants to sign in.
    pub fn answer_one(&self) {
        self.script.answers.add_permits(1);
    }

    /// What a person enters for it.
    pub fn form<'f>(&self, port: &'f str, password: &'f str) -> [(&'f str, &'f str); 4] {
        [
            ("field.host", "localhost"),
            ("field.port", port),
            ("field.user", "default"),
            ("field.password", password),
        ]
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Arc<Script>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut words = Vec::new();
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some(count) = line.trim().strip_prefix('*') else {
            return Ok(());
        };
        for _ in 0..count.parse().unwrap_or(0) {
            let mut length = String::new();
            stream.read_line(&mut length).await?;
            let mut word = String::new();
            stream.read_line(&mut word).await?;
            words.push(word.trim().to_owned());
        }
        let answer = match words[0].as_str() {
            "AUTH" => {
                script.asked.fetch_add(1, Ordering::SeqCst);
                script.answers.acquire().await.unwrap().forget();
                match words.last().is_some_and(|password| password == RIGHT) {
                    true => "+OK\r\n".to_owned(),
                    false => "-WRONGPASS invalid username-password pair\r\n".to_owned(),
                }
            }
            "SCAN" => {
                let keys = script.keys.iter();
                let keys: String = keys
                    .map(|key| format!("${}\r\n{key}\r\n", key.len()))
                    .collect();
                format!("*2\r\n$1\r\n0\r\n*{}\r\n{keys}", script.keys.len())
            }
            "TYPE" => "+string\r\n".to_owned(),
            _ => "+PONG\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}
