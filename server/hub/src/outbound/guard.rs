//! Which addresses a call may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::OutboundPolicy;

/// Never reached unless allowed: the IANA special-purpose registry (RFC 6890 and
/// successors), multicast, and what clouds answer metadata on.
const DENIED_V4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    // Azure's wire server has a public address.
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast, reserved and broadcast.
    v4([224, 0, 0, 0], 3),
];

/// Global unicast is `2000::/3`; everything else (unspecified, loopback, mapped,
/// compatible, NAT64, unique-local, link-local, multicast) is not reached.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

/// Parts of `2000::/3` that are not the internet.
const DENIED_V6: [Ipv6Net; 4] = [
    // Protocol assignments: Teredo, ORCHID, benchmarking and others.
    v6([0x2001, 0], 23),
    // Documentation.
    v6([0x2001, 0xdb8], 32),
    v6([0x3fff, 0], 20),
    // 6to4 wraps any IPv4 address.
    v6([0x2002, 0], 16),
];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(
        Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]),
        prefix,
    )
}

const fn v6(head: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], 0, 0, 0, 0, 0, 0), prefix)
}

/// Whether an address is on the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !DENIED_V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => GLOBAL_V6.contains(&ip) && !DENIED_V6.iter().any(|net| net.contains(&ip)),
    }
}

/// Whether an address is this machine's own, public as it may be: what listens
/// here is not for those who type addresses into the hub. Asks the routing
/// table; nothing is sent.
fn is_own(ip: IpAddr) -> bool {
    let anywhere: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((anywhere, 0)).and_then(|socket| {
        // Any port will do.
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == ip)
}

/// The rule of one client.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Networks reached although private.
    pub allow: Vec<IpNet>,
    /// Single addresses reached although private, at the port of this client.
    pub exact: Vec<IpAddr>,
    /// Plain http: only what is allowed by name, nothing public.
    pub allowed_only: bool,
}

impl Guard {
    /// The policy's rule for a port that `allow_exact` may speak of.
    pub fn at_port(policy: &OutboundPolicy, port: Option<u16>) -> Self {
        let exact = policy.allow_exact.iter();
        Self {
            allow: policy.allow.clone(),
            exact: exact
                .filter(|at| Some(at.port()) == port)
                .map(|at| at.ip().to_canonical())
                .collect(),
            allowed_only: false,
        }
    }

    pub fn admits(&self, ip: IpAddr) -> bool {
        self.names(ip) || (!self.allowed_only && is_public(ip) && !is_own(ip))
    }

    /// Whether the operator allowed this very address.
    pub fn names(&self, ip: IpAddr) -> bool {
        let plain = ip.to_canonical();
        self.exact.contains(&plain) || self.allow.iter().any(|net| net.contains(&plain))
    }

    /// Keeps the addresses that may be reached.
    pub fn filter(&self, addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        addresses
            .filter(|address| self.admits(address.ip()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_knows_itself() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own("198.41.0.4".parse().unwrap()));
        // The address it shows to the internet, when it has a way there.
        let way = UdpSocket::bind("0.0.0.0:0").unwrap();
        if way.connect("198.41.0.4:9").is_ok() {
            assert!(is_own(way.local_addr().unwrap().ip()));
        }
    }

    #[test]
    fn only_the_public_internet_is_public() {
        let private = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::8.8.8.8",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "1fff::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for ip in private {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1",
            "3ffe::1",
            "3fff:1000::1",
        ];
        for ip in public {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_name_keeps_only_its_admitted_addresses() {
        let guard = Guard {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            exact: Vec::new(),
            allowed_only: false,
        };
        let found = [
            "10.1.2.3:0",
            "10.2.0.1:0",
            "[::ffff:10.1.2.3]:0",
            "[::1]:0",
            "1.1.1.1:0",
        ];
        let kept = guard.filter(found.into_iter().map(|at| at.parse().unwrap()));
        let kept: Vec<_> = kept.iter().map(|at| at.ip().to_string()).collect();
        assert_eq!(kept, ["10.1.2.3", "::ffff:10.1.2.3", "1.1.1.1"]);

        let plain_http = Guard {
            allowed_only: true,
            ..guard
        };
        assert!(plain_http.admits("10.1.2.3".parse().unwrap()));
        assert!(!plain_http.admits("1.1.1.1".parse().unwrap()));
    }
}
