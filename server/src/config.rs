//! Every setting, as a flag or a variable of the environment: the doc comments
//! below are what `linkwell serve --help` prints.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    num::NonZeroU32,
    path::PathBuf,
};

use clap::Args;
use hub::{
    Choices,
    catalog::Catalog,
    dialect::ProviderApp,
    notify::{MailSettings, MailSettingsError, Mailer},
    secret::Secret,
    vault::{MasterKey, MasterKeyError},
};
use ipnet::IpNet;
use url::Url;

/// Where the data is. Every command that touches data takes these.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Directory of the database, the master key and the spool
    #[arg(
        long,
        env = "LINKWELL_DATA",
        default_value = "data",
        value_name = "DIR"
    )]
    pub data: PathBuf,

    /// A postgres:// URL; without one, SQLite in the data directory
    #[arg(
        long,
        env = "LINKWELL_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database: Option<String>,

    /// The master key itself, 32 bytes in base64
    #[arg(
        long,
        env = "LINKWELL_MASTER_KEY",
        hide_env_values = true,
        value_name = "BASE64",
        conflicts_with = "master_key_file"
    )]
    pub master_key: Option<String>,

    /// File of the master key; without one, master.key in the data directory,
    /// made at the first start
    #[arg(long, env = "LINKWELL_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,

    /// Directory of the signed checkpoints of the audit ledger and of what was
    /// deleted; better on another disk or machine. Without one, audit in the
    /// data directory
    #[arg(long, env = "LINKWELL_AUDIT_CHECKPOINTS", value_name = "DIR")]
    pub audit_checkpoints: Option<PathBuf>,

    /// Directory of extra or overriding provider files
    #[arg(long, env = "LINKWELL_CATALOG", value_name = "DIR")]
    pub catalog: Option<PathBuf>,

    /// Directory of extra or overriding policies for automations, as .rego files
    #[arg(long, env = "LINKWELL_POLICIES", value_name = "DIR")]
    pub policies: Option<PathBuf>,
}

/// What a running hub needs to know.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened into the flags above")]
    pub place: Place,

    /// Address to listen on
    #[arg(
        long,
        env = "LINKWELL_LISTEN",
        default_value = "127.0.0.1:3000",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where people and providers reach this hub; without one, the address it
    /// listens on
    #[arg(long, env = "LINKWELL_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<Url>,

    /// Offer the sandbox shop, a provider to try things with
    #[arg(long, env = "LINKWELL_SANDBOX")]
    pub sandbox: bool,

    /// Address the sandbox shop listens on; without one, the port after the
    /// hub's on the loopback interface, or any free one
    #[arg(long, env = "LINKWELL_SANDBOX_LISTEN", value_name = "ADDRESS")]
    pub sandbox_listen: Option<SocketAddr>,

    /// Networks that outbound calls may reach although they are private
    #[arg(
        long,
        env = "LINKWELL_OUTBOUND_ALLOW",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub outbound_allow: Vec<IpNet>,

    /// HTTP proxy for calls to providers, where the hub has no other way out; it
    /// must refuse private addresses itself
    #[arg(long, env = "LINKWELL_OUTBOUND_PROXY", value_name = "URL", value_parser = outbound_proxy)]
    pub outbound_proxy: Option<Url>,

    /// Networks of the proxies in front of the hub; what they say in
    /// X-Forwarded-For about where a request comes from is believed
    #[arg(
        long,
        env = "LINKWELL_TRUSTED_PROXY",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub trusted_proxy: Vec<IpNet>,

    /// Let anybody sign up, not only the first owner
    #[arg(long, env = "LINKWELL_OPEN_SIGN_UP")]
    pub open_sign_up: bool,

    /// How many calls of the API a minute one key has; all keys of an
    /// organisation together have five times as many
    #[arg(
        long,
        env = "LINKWELL_RATE_LIMIT",
        default_value_t = Choices::default().rate_limit,
        value_name = "PER_MINUTE"
    )]
    pub rate_limit: NonZeroU32,

    /// Where whoever runs this hub is reached, an e-mail address or an https://
    /// page; shown where people can do no more by themselves
    #[arg(long, env = "LINKWELL_SUPPORT", value_name = "ADDRESS", value_parser = support)]
    pub support: Option<Url>,

    /// Address of its own on which /metrics is served, to whoever reaches it
    #[arg(long, env = "LINKWELL_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,

    /// Token that opens /metrics, 16 characters or more; without one it is closed
    /// on the hub's own address
    #[arg(
        long,
        env = "LINKWELL_METRICS_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_parser = metrics_token
    )]
    pub metrics_token: Option<String>,

    /// Mail server that people are told by, like
    /// smtps://user:password@mail.example.com or
    /// smtp://mail.example.com:587?tls=required; without one nothing is mailed
    #[arg(
        long,
        env = "LINKWELL_SMTP_URL",
        hide_env_values = true,
        value_name = "URL",
        requires = "mail_from"
    )]
    pub smtp_url: Option<String>,

    /// Who mails are from, like "Linkwell <linkwell@example.com>"
    #[arg(
        long,
        env = "LINKWELL_MAIL_FROM",
        value_name = "ADDRESS",
        requires = "smtp_url"
    )]
    pub mail_from: Option<String>,

    /// Write logs as JSON
    #[arg(long, env = "LINKWELL_LOG_JSON")]
    pub log_json: bool,
}

/// One that is not guessed.
fn metrics_token(text: &str) -> Result<String, String> {
    match text.len() >= 16 && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("use 16 visible characters or more".into()),
    }
}

/// Only an origin: pages, callbacks and cookies are made from it.
fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if is_origin {
        Ok(url)
    } else {
        Err("give scheme, host and port only, like https://hub.example.com".into())
    }
}

/// One of the two kinds that the client for outbound calls speaks to.
fn outbound_proxy(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match matches!(url.scheme(), "http" | "https") {
        true => Ok(url),
        false => Err("give a proxy that is spoken to by http:// or https://".into()),
    }
}

/// A page, or an address to write to.
fn support(text: &str) -> Result<Url, String> {
    let is_page = text.starts_with("https://");
    let text = match is_page || text.starts_with("mailto:") {
        true => text.to_owned(),
        false => format!("mailto:{text}"),
    };
    let url = Url::parse(&text).map_err(|error| error.to_string())?;
    if is_page || email_address::EmailAddress::is_valid(url.path()) && url.query().is_none() {
        Ok(url)
    } else {
        Err("give an e-mail address, or a page that begins with https://".into())
    }
}

impl Serve {
    /// What the operator decided.
    ///
    /// # Errors
    /// When the address of the mail server, or the sender, is none.
    pub fn choices(&self) -> Result<Choices, MailSettingsError> {
        let mailer = match (&self.smtp_url, &self.mail_from) {
            (Some(url), Some(from)) => Mailer::new(&MailSettings {
                url: Secret::new(url),
                from: from.clone(),
            })?,
            _ => Mailer::default(),
        };
        Ok(Choices {
            open_sign_up: self.open_sign_up,
            rate_limit: self.rate_limit,
            support: self.support.clone(),
            mailer,
        })
    }
}

impl Place {
    /// The address of the database.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| {
            format!(
                "sqlite://{}?mode=rwc",
                self.data.join("linkwell.db").display()
            )
        })
    }

    /// The directory of what stands outside of the database.
    pub fn audit_directory(&self) -> PathBuf {
        self.audit_checkpoints
            .clone()
            .unwrap_or_else(|| self.data.join("audit"))
    }

    /// The file the master key is expected in.
    pub fn master_key_path(&self) -> PathBuf {
        self.master_key_file
            .clone()
            .unwrap_or_else(|| self.data.join("master.key"))
    }

    /// Reads the master key; a missing file is made only while `may_create`,
    /// that is while nothing is sealed that another key would be needed for.
    pub fn master_key(&self, may_create: bool) -> Result<MasterKey, MasterKeyError> {
        if let Some(text) = &self.master_key {
            return MasterKey::from_text(&Secret::new(text), "LINKWELL_MASTER_KEY");
        }
        let path = self.master_key_path();
        match MasterKey::from_file(&path) {
            Err(MasterKeyError::Missing(_)) if may_create => MasterKey::create_file(&path),
            read => read,
        }
    }
}

/// The provider apps that the environment gives, by app id:
/// `LINKWELL_PROVIDER_<ID>_CLIENT_ID` and `…_CLIENT_SECRET`, the id in capitals
/// with `_` for `-`, and `…_<SETTING>` for whatever else an entry asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn operator_apps(catalog: &Catalog) -> BTreeMap<String, ProviderApp> {
    let apps = catalog.apps().into_iter();
    apps.filter_map(|(app, products)| {
        let read = |part: &str| {
            std::env::var(variable(app, part))
                .ok()
                .filter(|value| !value.is_empty())
        };
        let client_id = read("CLIENT_ID")?;
        let client_secret = Secret::new(read("CLIENT_SECRET").unwrap_or_default());
        let settings = products
            .iter()
            .flat_map(|provider| provider.settings())
            .filter_map(|setting| Some((setting.name.clone(), read(&setting.name.to_uppercase())?)))
            .collect();
        Some((
            app.to_owned(),
            ProviderApp {
                client_id,
                client_secret,
                settings,
            },
        ))
    })
    .collect()
}

/// The variables that name a provider app of which the catalog has none: a name that
/// was mistyped, or of a provider file that is not there.
pub fn unknown_apps(catalog: &Catalog) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (app, products) in catalog.apps() {
        known.insert(variable(app, "CLIENT_ID"));
        let settings = products.iter().flat_map(|provider| provider.settings());
        known.extend(settings.map(|setting| variable(app, &setting.name.to_uppercase())));
    }
    std::env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("LINKWELL_PROVIDER_") && name.ends_with("_CLIENT_ID"))
        .filter(|name| !known.contains(name))
        .collect()
}

/// The variable of an app's part.
fn variable(app: &str, part: &str) -> String {
    let app = app.to_uppercase().replace('-', "_");
    format!("LINKWELL_PROVIDER_{app}_{part}")
}
