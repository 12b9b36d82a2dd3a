//! Serves the shop alone: `cargo run -p sandbox --example serve -- 127.0.0.1:3001`.
//!
//! Knows one app, `demo-app` with the secret `demo-secret`, which returns to `http://localhost:3000/callback`.

use std::sync::Arc;

use sandbox::{Client, Sandbox, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let port = listener.local_addr()?.port();
    let shop = Sandbox::open(Settings {
        public_url: format!("http://localhost:{port}").parse()?,
        state_file: None,
        clock: Arc::new(clock),
    })?;
    shop.register_client(Client {
        id: "demo-app".into(),
        secret: "demo-secret".into(),
        redirect_uris: vec!["http://localhost:3000/callback".into()],
        webhook: None,
    });
    println!("Sandbox Shop at http://localhost:{port}");
    axum::serve(listener, shop.router()).await?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example has no hub whose clock it could share"
)]
fn clock() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}
