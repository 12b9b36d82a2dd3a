//! Whose rows a request may reach, for its whole length: while it is handled, and
//! while its answer is still being written.
//!
//! A request begins without any; who finds out whose it is widens it for what comes
//! after. See [`hub::store::Reach`].

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use hub::{people::Host, store::Reach};

/// Middleware: nobody has shown yet who they are.
pub async fn nothing(request: Request, next: Next) -> Response {
    hand_on(Reach::nothing(), request, next).await
}

/// Goes on with a request whose caller is known.
pub async fn hand_on(reach: Reach, request: Request, next: Next) -> Response {
    let response = reach.clone().around(next.run(request)).await;
    response.map(|body| Body::new(Written { reach, body }))
}

/// That of a caller of the API.
pub fn of(host: &Host) -> Reach {
    Reach::of([host.tenant()])
}

/// A body whose parts are read on behalf of whoever asked for them.
struct Written {
    reach: Reach,
    body: Body,
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let Self { reach, body } = self.get_mut();
        reach.during(|| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
