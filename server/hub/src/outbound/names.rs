//! Turning names into addresses: the one place that asks the resolver.

use std::{io, net::SocketAddr, sync::Arc};

use futures::future::BoxFuture;

/// What looks names up: the operating system, or a test that plays a name
/// whose addresses change between two looks.
#[derive(Clone)]
pub struct Names(Arc<LookUp>);

type LookUp = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

impl Names {
    /// Names as `look_up` says.
    pub fn of(
        look_up: impl Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(look_up))
    }

    /// Every address of `host`, each with `port`.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (self.0)(host.to_owned(), port).await
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::of(|host, port| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host.as_str(), port)).await?;
                Ok(found.collect())
            })
        })
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

/// Whether a failed look-up says that there is no such name, rather than that
/// nobody could be asked. The system tells the two apart in words only.
pub(super) fn is_no_such_name(error: &io::Error) -> bool {
    let words = error.to_string();
    !["Temporary failure", "Try again", "System error"]
        .iter()
        .any(|temporary| words.contains(temporary))
}
