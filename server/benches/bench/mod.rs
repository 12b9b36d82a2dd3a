//! What the measurements share: a whole application on a file of its own, and
//! the load from outside.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::Router;
use hub::{
    catalog::Catalog,
    clock::Clock,
    keep::spool::Spool,
    outbound::OutboundPolicy,
    secret::Secret,
    store::{ConnectionId, Store},
    vault::MasterKey,
};
use linkwell::application::{Application, Ingredients, migrate};
use tokio::net::TcpListener;
use url::Url;

/// An application whose files go with it.
pub struct Ground {
    /// The application.
    pub application: Application,
    directory: PathBuf,
}

impl Ground {
    /// A new one, where a key may do so many calls a minute.
    pub async fn new(rate_limit: NonZeroU32) -> Self {
        let name = format!("linkwell-bench-{}", ConnectionId::new());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        Self {
            application: application(&directory, rate_limit).await,
            directory,
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn application(directory: &Path, rate_limit: NonZeroU32) -> Application {
    let database = format!("sqlite://{}?mode=rwc", directory.join("bench.db").display());
    let store = Store::open(&database).await.expect("a database");
    migrate(&store).await.expect("migrations");
    let key = Secret::new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    Application::new(Ingredients {
        store,
        clock: Clock::system(),
        wrapper: Arc::new(MasterKey::from_text(&key, "bench").expect("a key")),
        catalog: Catalog::embedded().expect("the catalog"),
        outbound: OutboundPolicy::default(),
        public_url: Url::parse("http://127.0.0.1/").expect("an address"),
        operator_apps: Default::default(),
        choices: hub::Choices {
            rate_limit,
            ..hub::Choices::default()
        },
        spool: Spool::open(&directory.join("spool")).expect("a spool"),
        witness: hub::record::Witness::open(&directory.join("audit")).expect("a directory"),
        policies: hub::runs::policies::Policies::shipped(),
    })
    .expect("an application")
}

/// Serves on a port of its own.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        axum::serve(
            listener,
            router.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .await
        .expect("serving");
    });
    address
}

/// Who sends the load.
#[expect(
    clippy::disallowed_methods,
    reason = "the load comes from outside the hub"
)]
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}
