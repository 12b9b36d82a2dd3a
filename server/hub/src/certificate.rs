//! When a certificate ends, read from the certificate itself.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// Whose certificate it is: that says who renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The server's, which shows it.
    Server,
    /// The authority's, which a person entered with their values.
    Authority,
    /// Ours, which the provider knows the app by.
    App,
}

/// A certificate that something stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Certificate {
    /// Whose it is.
    pub whose: Whose,
    /// Since when it is good.
    pub begins_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
}

impl Certificate {
    /// How long before its end a person should know. Servers that live on short
    /// certificates get a new one in the last third or so: they are late when a
    /// quarter is left.
    pub fn warning(self, usual: TimeDelta) -> TimeDelta {
        match self.whose {
            Whose::Server => usual.min((self.ends_at - self.begins_at) / 4),
            Whose::Authority | Whose::App => usual,
        }
    }
}

/// The one that ends first of what the encryption with a server stands on: the
/// certificate it `shown` first, and the authority (PEM) that a person entered.
/// What lies between them outlives the server's as a rule, and many servers send
/// along what ended long ago and nobody needs.
pub fn of_server(shown: &[CertificateDer<'_>], authority: Option<&str>) -> Option<Certificate> {
    let own = shown.first().and_then(|der| read(der, Whose::Server));
    let authority = authority.and_then(|pem| of_authority(shown, pem));
    own.into_iter()
        .chain(authority)
        .min_by_key(|one| one.ends_at)
}

/// The one that ends first of the certificates a provider app shows (PEM, with
/// its key).
pub fn of_app(pem: &str) -> Option<Certificate> {
    let all = certificates(pem);
    let all = all.iter().filter_map(|der| read(der, Whose::App));
    all.min_by_key(|one| one.ends_at)
}

/// Of a bundle, the last that stands behind what the server showed; a single
/// certificate is meant in any case.
fn of_authority(shown: &[CertificateDer<'_>], pem: &str) -> Option<Certificate> {
    let bundle = certificates(pem);
    if let [single] = bundle.as_slice() {
        return read(single, Whose::Authority);
    }
    let issuers: Vec<_> = shown
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, certificate)| certificate.issuer().as_raw().to_vec())
        .collect();
    let behind = bundle.iter().filter(|der| {
        X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
            let subject = certificate.subject().as_raw();
            issuers.iter().any(|issuer| issuer == subject)
        })
    });
    behind
        .filter_map(|der| read(der, Whose::Authority))
        .max_by_key(|one| one.ends_at)
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(Result::ok)
        .collect()
}

fn read(der: &[u8], whose: Whose) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let at = |seconds| DateTime::from_timestamp(seconds, 0);
    Some(Certificate {
        whose,
        begins_at: at(validity.not_before.timestamp())?,
        ends_at: at(validity.not_after.timestamp())?,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
    };

    use super::*;

    fn authority(name: &str, until: i32) -> (String, Issuer<'static, KeyPair>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(params, key))
    }

    fn server(issuer: &Issuer<'static, KeyPair>, until: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["db.example.com".into()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, issuer).unwrap().der().clone()
    }

    fn year(certificate: Option<Certificate>) -> Option<(Whose, String)> {
        certificate.map(|one| (one.whose, one.ends_at.format("%Y").to_string()))
    }

    #[test]
    fn what_ends_first_counts_and_of_a_bundle_what_is_used() {
        let (ours, issuer) = authority("ours", 2030);
        let (renewed, _) = authority("ours", 2035);
        let (others, _) = authority("others", 2021);
        let shown = [server(&issuer, 2028)];
        let of = |pem: &str| year(of_server(&shown, Some(pem)));
        assert_eq!(
            year(of_server(&shown, None)),
            Some((Whose::Server, "2028".into()))
        );
        assert_eq!(of(&ours), Some((Whose::Server, "2028".into())));
        let sooner = [server(&issuer, 2031)];
        let of = |pem: &str| year(of_server(&sooner, Some(pem)));
        assert_eq!(of(&ours), Some((Whose::Authority, "2030".into())));
        // Another's in the same bundle is of no concern, nor is one that has a
        // successor there.
        let bundle = format!("{others}{ours}");
        assert_eq!(of(&bundle), Some((Whose::Authority, "2030".into())));
        let bundle = format!("{ours}{renewed}");
        assert_eq!(of(&bundle), Some((Whose::Server, "2031".into())));
        assert_eq!(year(of_server(&[], None)), None);
        assert_eq!(of("no certificate"), Some((Whose::Server, "2031".into())));
    }

    #[test]
    fn an_apps_certificate_is_found_beside_its_key() {
        let mut params = CertificateParams::new(vec!["linkwell".into()]).unwrap();
        params.not_after = date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = format!(
            "{}{}",
            key.serialize_pem(),
            params.self_signed(&key).unwrap().pem()
        );
        assert_eq!(year(of_app(&pem)), Some((Whose::App, "2027".into())));
        assert_eq!(of_app(&key.serialize_pem()), None);
    }

    #[test]
    fn short_certificates_are_late_and_not_near() {
        let begins_at = DateTime::UNIX_EPOCH;
        let warning = |days, whose| {
            let ends_at = begins_at + TimeDelta::days(days);
            let certificate = Certificate {
                whose,
                begins_at,
                ends_at,
            };
            certificate.warning(TimeDelta::days(7))
        };
        assert_eq!(warning(90, Whose::Server), TimeDelta::days(7));
        assert_eq!(warning(6, Whose::Server), TimeDelta::hours(36));
        assert_eq!(warning(6, Whose::App), TimeDelta::days(7));
    }
}
