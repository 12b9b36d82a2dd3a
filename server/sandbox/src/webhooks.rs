//! Tells apps what happened, signed.

use std::time::Duration;

use serde_json::json;

use crate::{
    Sandbox, Webhook,
    secrets::{mint_id, sign},
    state::GrantView,
};

/// What an app may hear.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// The account's owner removed the app.
    AppUninstalled,
    /// The shop ended a grant.
    GrantRevoked,
}

/// Pauses before each attempt.
const ATTEMPTS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(5),
];

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox is the other side: the hub's guards are not its own"
)]
pub(crate) fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(5))
        .build()
}

impl Sandbox {
    /// Sends an event about a grant to its app, in the background. Nothing happens if it has no webhook.
    pub(crate) fn announce(&self, event: Event, grant: &GrantView) {
        let webhook = self
            .shop()
            .clients
            .get(&grant.client_id)
            .and_then(|client| client.webhook.clone());
        let Some(webhook) = webhook else { return };
        let body = json!({
            "id": mint_id("evt_"),
            "type": match event {
                Event::AppUninstalled => "app.uninstalled",
                Event::GrantRevoked => "grant.revoked",
            },
            "created_at": self.now(),
            "client_id": grant.client_id,
            "account_id": grant.account,
            "grant_id": grant.id,
        });
        tokio::spawn(deliver(self.clone(), webhook, body.to_string()));
    }
}

async fn deliver(shop: Sandbox, webhook: Webhook, body: String) {
    for pause in ATTEMPTS {
        tokio::time::sleep(pause).await;
        let time = shop.now().timestamp();
        let signature = format!(
            "t={time},v1={}",
            sign(&webhook.secret, &format!("{time}.{body}"))
        );
        let sent = (shop.shared.http.post(webhook.url.clone()))
            .header("content-type", "application/json")
            .header("sandbox-signature", signature)
            .body(body.clone())
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => {
                shop.shop().calls.webhooks_delivered += 1;
                return;
            }
            Ok(answer) => tracing::warn!(
                status = answer.status().as_u16(),
                "the app did not accept a webhook"
            ),
            Err(error) => tracing::warn!(%error, "the app could not be reached by webhook"),
        }
    }
    shop.shop().calls.webhooks_failed += 1;
}
