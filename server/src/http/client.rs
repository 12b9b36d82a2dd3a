//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The client's address: the peer's, or, when the peer is a proxy we trust,
/// the last one in `X-Forwarded-For` that is no such proxy. What stands before
/// it was written by whoever sent the request, and is worth nothing.
pub fn address(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut client = peer.ip();
    let told = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|part| part.trim().parse::<IpAddr>());
    for hop in told.collect::<Vec<_>>().into_iter().rev() {
        match hop {
            Ok(hop) if trusted(&client) => client = hop,
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(told: &str, proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", told.parse().unwrap());
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        address(([10, 0, 0, 1], 4000).into(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_wrote_counts() {
        assert_eq!(seen("1.2.3.4", &[]), "10.0.0.1");
        assert_eq!(seen("1.2.3.4", &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(seen("6.6.6.6, 1.2.3.4", &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(
            seen("6.6.6.6, 1.2.3.4, 10.0.0.9", &["10.0.0.0/8"]),
            "1.2.3.4"
        );
        assert_eq!(seen("6.6.6.6, nonsense", &["10.0.0.0/8"]), "10.0.0.1");
    }
}
