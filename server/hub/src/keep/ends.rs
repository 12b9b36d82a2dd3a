//! When a connection ends although nothing is wrong with it, as a pure function.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    catalog::{Provider, RefreshMode, oauth::Refresh},
    certificate::{Certificate, Whose},
    store::{connection, credential},
};

/// How long before a known end it is told.
pub const WARN: TimeDelta = TimeDelta::days(7);
/// Two times that were written together may differ by this.
const SAME: TimeDelta = TimeDelta::minutes(1);

/// Why a connection ends at a time that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// Its token ends, and nothing renews it.
    Token,
    /// The approval lasts so long and no longer, however it is used.
    Approval,
    /// The app is in testing at the provider.
    Testing,
    /// The certificate that its server shows ends.
    ServerCertificate,
    /// The certificate of the authority that was entered ends.
    AuthorityCertificate,
    /// The certificate that the provider knows our app by ends.
    AppCertificate,
}

impl EndKind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::Token,
        Self::Approval,
        Self::Testing,
        Self::ServerCertificate,
        Self::AuthorityCertificate,
        Self::AppCertificate,
    ];

    /// As it is answered: `approval`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Approval => "approval",
            Self::Testing => "testing",
            Self::ServerCertificate => "server_certificate",
            Self::AuthorityCertificate => "authority_certificate",
            Self::AppCertificate => "app_certificate",
        }
    }

    /// Read from that word.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whose certificate it is that ends, where one does.
    pub fn certificate(self) -> Option<Whose> {
        match self {
            Self::Token | Self::Approval | Self::Testing => None,
            Self::ServerCertificate => Some(Whose::Server),
            Self::AuthorityCertificate => Some(Whose::Authority),
            Self::AppCertificate => Some(Whose::App),
        }
    }
}

/// A known end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEnd {
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub kind: EndKind,
}

impl KnownEnd {
    /// Whether it is near enough to be told.
    pub fn is_near(self, now: DateTime<Utc>) -> bool {
        self.at - now <= WARN
    }
}

/// When a connection with these credentials ends, if that is known and nothing
/// that the hub does by itself avoids it: a token that is renewed has no end,
/// an approval that use prolongs has none while it is used, and a server that
/// lives on short certificates has one once the next is late.
pub fn known_end(
    connection: &connection::Model,
    credentials: &[credential::Model],
    provider: &Provider,
    now: DateTime<Utc>,
) -> Option<KnownEnd> {
    let ends = credentials.iter().filter_map(|row| end_of(row, provider));
    let certificate = connection.certificate;
    ends.chain(certificate.and_then(|one| end_of_certificate(one, now)))
        .min_by_key(|end| end.at)
}

fn end_of_certificate(certificate: Certificate, now: DateTime<Utc>) -> Option<KnownEnd> {
    let at = certificate.ends_at;
    let kind = match certificate.whose {
        Whose::Server => EndKind::ServerCertificate,
        Whose::Authority => EndKind::AuthorityCertificate,
        Whose::App => EndKind::AppCertificate,
    };
    let is_late = at - now <= certificate.warning(WARN);
    let is_usual = certificate.warning(WARN) == WARN;
    (is_usual || is_late).then_some(KnownEnd { at, kind })
}

fn end_of(row: &credential::Model, provider: &Provider) -> Option<KnownEnd> {
    let policy = &provider.refresh;
    let at = |at, kind| Some(KnownEnd { at, kind });
    let is_renewed = match policy.mode {
        RefreshMode::None => false,
        RefreshMode::Exchange => row.next_refresh_at.is_some() || row.failure.is_some(),
        RefreshMode::RefreshToken | RefreshMode::Mint => row.refresh_sealed.is_some(),
    };
    if !is_renewed {
        return at(row.expires_at?, EndKind::Token);
    }
    let end = row.refresh_expires_at?;
    if is_in_testing(policy, row, end) {
        return at(end, EndKind::Testing);
    }
    let is_used_before = row.next_refresh_at.is_some_and(|next| next < end);
    match policy.refresh_absolute || !is_used_before {
        true => at(end, EndKind::Approval),
        false => None,
    }
}

fn is_in_testing(policy: &Refresh, row: &credential::Model, end: DateTime<Utc>) -> bool {
    let lifetime = policy.testing_lifetime;
    lifetime.is_some_and(|lifetime| end - row.obtained_at <= lifetime + SAME)
}

/// When the refresh token ends after it was used at `now`. `told` is what the
/// answer says; `replaced`, whether it brought another refresh token.
pub fn refresh_end(
    row: &credential::Model,
    policy: &Refresh,
    told: Option<DateTime<Utc>>,
    replaced: bool,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let before = row.refresh_expires_at;
    let lifetime = policy.refresh_lifetime.and_then(|span| span.known());
    match (told, lifetime) {
        (Some(told), _) => Some(told),
        (None, _) if policy.refresh_absolute => before,
        (None, Some(lifetime)) => {
            // The provider once said that this one ends sooner than usual, and
            // it is still the same.
            let sooner = before.filter(|end| *end < row.obtained_at + lifetime - SAME);
            sooner.filter(|_| !replaced).or(Some(now + lifetime))
        }
        (None, None) => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ConnectionId, TenantId};

    fn start() -> DateTime<Utc> {
        "2026-11-22T10:00:00Z".parse().expect("a time")
    }

    fn policy(more: &str) -> Refresh {
        let text =
            format!("mode = \"refresh_token\"\ntoken_lifetime = \"1h\"\nrefresh_lifetime = {more}");
        toml::from_str(&text).expect("a policy")
    }

    /// A token of an hour with a refresh token that ends when it is said.
    fn row(refresh_ends: Option<TimeDelta>) -> credential::Model {
        credential::Model {
            connection_id: ConnectionId::new(),
            slot: credential::MAIN.into(),
            tenant_id: TenantId::new(),
            access_sealed: String::new(),
            refresh_sealed: Some(String::new()),
            previous_refresh_sealed: None,
            token_type: "Bearer".into(),
            obtained_at: start(),
            expires_at: Some(start() + TimeDelta::hours(1)),
            refresh_expires_at: refresh_ends.map(|ends| start() + ends),
            version: 1,
            next_refresh_at: Some(start() + TimeDelta::minutes(45)),
            lease_owner: None,
            lease_until: None,
            fence: 0,
            failures: 0,
            failure: None,
            failed_at: None,
        }
    }

    fn end(row: &credential::Model, refresh: Refresh) -> Option<KnownEnd> {
        let catalog = crate::catalog::Catalog::embedded().expect("the catalog");
        let mut provider = catalog.get("google-gmail").expect("an entry").clone();
        provider.refresh = refresh;
        end_of(row, &provider)
    }

    #[test]
    fn use_prolongs_some_approvals_and_not_others() {
        let half_a_year = row(Some(TimeDelta::days(180)));
        assert_eq!(end(&half_a_year, policy("\"180d\"")), None, "it is used");
        let unused = credential::Model {
            next_refresh_at: None,
            ..half_a_year.clone()
        };
        let at = start() + TimeDelta::days(180);
        let kind = EndKind::Approval;
        assert_eq!(
            end(&unused, policy("\"180d\"")),
            Some(KnownEnd { at, kind })
        );
        let absolute = policy("\"180d\"\nrefresh_absolute = true");
        assert_eq!(end(&half_a_year, absolute), Some(KnownEnd { at, kind }));
        assert_eq!(end(&row(None), policy("\"endless\"")), None);
    }

    #[test]
    fn a_token_that_nothing_renews_has_an_end() {
        let only = credential::Model {
            refresh_sealed: None,
            next_refresh_at: None,
            ..row(None)
        };
        let at = start() + TimeDelta::hours(1);
        let kind = EndKind::Token;
        assert_eq!(end(&only, policy("\"180d\"")), Some(KnownEnd { at, kind }));
        let endless = credential::Model {
            expires_at: None,
            ..only
        };
        assert_eq!(end(&endless, policy("\"180d\"")), None);
    }

    #[test]
    fn an_app_in_testing_is_told_by_its_week() {
        let google = || policy("\"180d\"\ntesting_lifetime = \"7d\"\nkeepalive = \"90d\"");
        let week = row(Some(TimeDelta::days(7)));
        let at = start() + TimeDelta::days(7);
        let kind = EndKind::Testing;
        assert_eq!(end(&week, google()), Some(KnownEnd { at, kind }));
        assert_eq!(end(&row(Some(TimeDelta::days(180))), google()), None);
    }

    #[test]
    fn a_used_refresh_token_ends_later_unless_it_cannot() {
        let later = start() + TimeDelta::days(1);
        let after = |row: &credential::Model, policy: &Refresh, told, replaced| {
            refresh_end(row, policy, told, replaced, later).map(|end| end - later)
        };
        let (rolling, days) = (policy("\"60d\""), TimeDelta::days);
        let usual = row(Some(days(60)));
        assert_eq!(after(&usual, &rolling, None, false), Some(days(60)));
        let absolute = policy("\"60d\"\nrefresh_absolute = true");
        assert_eq!(after(&usual, &absolute, None, true), Some(days(59)));
        // What the provider says counts, also as long as it says no more.
        let told = Some(later + days(5));
        assert_eq!(after(&usual, &rolling, told, false), Some(days(5)));
        let sooner = row(Some(days(7)));
        assert_eq!(after(&sooner, &rolling, None, false), Some(days(6)));
        assert_eq!(after(&sooner, &rolling, None, true), Some(days(60)));
        assert_eq!(after(&row(None), &policy("\"unknown\""), None, true), None);
    }
}
