//! Conversations in lines of text: mail and Redis.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{broken, too_large, unreadable};
use crate::{failure::Failure, outbound::Connection};

/// The longest line that is read, in bytes.
const LONGEST: usize = 16 * 1024;

pub(super) struct Lines(BufReader<Connection>);

impl Lines {
    pub fn new(connection: Connection) -> Self {
        Self(BufReader::new(connection))
    }

    /// Sends a text as it is.
    pub async fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.0.write_all(text.as_bytes()).await.map_err(broken)?;
        self.0.flush().await.map_err(broken)
    }

    /// Reads a line, without its end.
    pub async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        loop {
            let chunk = self.0.fill_buf().await.map_err(broken)?;
            if chunk.is_empty() {
                return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let read = end.map_or(chunk.len(), |at| at + 1);
            line.extend_from_slice(&chunk[..read]);
            self.0.consume(read);
            if line.len() > LONGEST {
                return Err(too_large());
            }
            if end.is_some() {
                let text = String::from_utf8_lossy(&line);
                return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
            }
        }
    }

    /// Reads so many bytes, where `most` is what an honest answer may hold.
    pub async fn exactly(&mut self, length: usize, most: usize) -> Result<Vec<u8>, Failure> {
        if length > most {
            return Err(too_large());
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.map_err(broken)?;
        Ok(bytes)
    }

    /// The connection, to encrypt it. What was sent ahead in plain text could
    /// have been put there by anybody on the way.
    pub fn into_connection(self) -> Result<Connection, Failure> {
        match self.0.buffer().is_empty() {
            true => Ok(self.0.into_inner()),
            false => Err(unreadable()),
        }
    }

    pub fn connection(&self) -> &Connection {
        self.0.get_ref()
    }
}
