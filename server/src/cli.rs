//! The commands.

use std::{
    io::{IsTerminal, Read, Write},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};
use hub::{
    Choices, Error, outbound::OutboundPolicy, people::Scope, secret::Secret, store::TenantId,
    vault::MasterKeyError,
};
use url::Url;

use crate::{
    application::{self, Application, StartError},
    backup::{self, BackupError},
    config::{self, Place, Serve},
};

/// How old an entry may be that no checkpoint has signed: two rounds of a running hub.
const UNSIGNED: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// Linkwell, a self-hosted hub for the accounts your business connects.
#[derive(Parser)]
#[command(name = "linkwell", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the hub
    Serve(Serve),
    /// Bring the database up to date
    Migrate(Place),
    /// Check settings, catalog, database and master key, and say what is wrong
    Check(Serve),
    /// Copy the database into a file, also while the hub is running
    Backup {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// The file to make
        file: PathBuf,
        /// The file to put its keys into, on another disk at best [default: FILE,
        /// ending in .keys]
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Put a backup in the place of the database; the hub must not be running
    Restore {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// The file that was made by `backup`
        file: PathBuf,
        /// The file of keys that was made with it or later [default: FILE, ending
        /// in .keys]
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Ask a running hub whether it is ready
    Healthcheck(Healthcheck),
    /// Look at the providers
    Catalog {
        /// What about them.
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Manage people
    User {
        /// What about them.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Prove the audit ledger
    Audit {
        /// What about it.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Manage the keys of host applications
    ApiKey {
        /// What about them.
        #[command(subcommand)]
        command: ApiKeyCommand,
    },
}

/// How a running hub is asked.
#[derive(Args)]
pub struct Healthcheck {
    /// Address the hub listens on
    #[arg(long, env = "LINKWELL_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: std::net::SocketAddr,
}

/// What about providers.
#[derive(Subcommand)]
pub enum CatalogCommand {
    /// List the providers
    List {
        /// Where extra provider files are.
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check every provider file, also the extra ones
    Check(Place),
}

/// What about people.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a person with the password given on standard input; the first
    /// one of a tenant is its owner
    Create {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// The tenant's name; it is made if there is none
        #[arg(long)]
        tenant: String,
        /// The person's e-mail address
        #[arg(long)]
        email: String,
        /// The person's name
        #[arg(long)]
        name: String,
    },
}

/// What about the audit ledger.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Recompute every entry, compare with the signed checkpoints, and name the
    /// first entry that is not what was written
    Verify {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// Only the ledger of the tenant with this name
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Print the public key by which anybody can check the checkpoints
    Key(Place),
    /// Say that a backup of a PostgreSQL database was put in its place, before the
    /// hub is started on it; `restore` says it by itself
    Restored {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// Delete the organisations whose data key is not in the database, for they
        /// were deleted since the backup
        #[arg(long)]
        delete_keyless: bool,
    },
}

/// What about keys.
#[derive(Subcommand)]
pub enum ApiKeyCommand {
    /// Create a key and print it once
    Create {
        /// Where the data is.
        #[command(flatten)]
        place: Place,
        /// The tenant's name
        #[arg(long)]
        tenant: String,
        /// What the key is for
        #[arg(long)]
        name: String,
        /// What it may do: connections:read, connections:write, tokens:read,
        /// catalog:read
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
        /// Where its connect links may send people back to, like
        /// https://app.example.com; without any, nowhere
        #[arg(long, default_value = "")]
        return_origins: String,
    },
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), StartError> {
    match command {
        Command::Serve(settings) => application::serve(settings).await,
        Command::Migrate(place) => {
            application::open_store(&place).await?;
            say("The database is up to date.");
            Ok(())
        }
        Command::Check(settings) => check(settings).await,
        Command::Backup { place, file, keys } => {
            let keys = keys.unwrap_or_else(|| backup::keys_of(&file));
            backup::write(&place, &file, &keys).await?;
            say(&format!(
                "{} holds the data, {} the keys to it. Keep them and the master key in three places, and the keys not as long as the data.",
                file.display(),
                keys.display()
            ));
            Ok(())
        }
        Command::Restore { place, file, keys } => {
            let keys = keys.unwrap_or_else(|| backup::keys_of(&file));
            let restored = backup::restore(&place, &file, &keys).await?;
            // Its keys are no older than its data: who has none was deleted since.
            say_restored(&place, true).await?;
            say(
                "Restored. Start the hub; what was renewed since the backup may have to be connected anew.",
            );
            say(
                "What was taken away since the backup is back: API keys that were revoked, people who were removed, roles, connect links. Look at them before you open the hub to others.",
            );
            if let Some(before) = restored.before {
                say(&format!(
                    "The database before it is kept as {}.",
                    before.display()
                ));
            }
            Ok(())
        }
        Command::Healthcheck(target) => healthcheck(target).await,
        Command::Catalog { command } => catalog(command),
        Command::Audit { command } => audit(command).await,
        Command::User {
            command:
                UserCommand::Create {
                    place,
                    tenant,
                    email,
                    name,
                },
        } => {
            let password = password_from_input()?;
            let application = open(&place).await?;
            let member = application
                .hub
                .create_user(&tenant, &email, &name, password)
                .await?;
            say(&format!(
                "{} <{}> is {} of {}.",
                member.name(),
                member.email(),
                member.role().as_str(),
                member.tenant_name()
            ));
            Ok(())
        }
        Command::ApiKey {
            command:
                ApiKeyCommand::Create {
                    place,
                    tenant,
                    name,
                    scopes,
                    return_origins,
                },
        } => {
            let application = open(&place).await?;
            let (_, key) = application
                .hub
                .create_api_key_for(&tenant, &name, &scopes, &return_origins)
                .await
                .map_err(|error| unnamed(error, &tenant))?;
            say(key.expose());
            Ok(())
        }
    }
}

async fn open(place: &Place) -> Result<Application, StartError> {
    application::open(
        place,
        application::open_catalog(place.catalog.as_deref())?,
        nowhere(),
        OutboundPolicy::default(),
        Default::default(),
        Choices::default(),
    )
    .await
}

/// Notes that an older database is in place now, then deletes again what was
/// deleted since: in this order, so that the ledgers go on from where they are.
async fn say_restored(place: &Place, delete_keyless: bool) -> Result<(), StartError> {
    let application = untouched(place).await?;
    let hub = &application.hub;
    let keyless = hub.keyless().await?;
    if !delete_keyless && !keyless.is_empty() {
        return Err(StartError::Keyless(keyless.into_values().collect()));
    }
    hub.record_restore(delete_keyless).await?;
    application.make_ready().await
}

/// Opens what `place` names and leaves it as it is.
async fn untouched(place: &Place) -> Result<Application, StartError> {
    let application = application::assemble(
        place,
        application::open_catalog(place.catalog.as_deref())?,
        nowhere(),
        OutboundPolicy::default(),
        Default::default(),
        Choices::default(),
    )
    .await?;
    application.hub.vault.prove_master_key().await?;
    Ok(application)
}

/// Where a command is reached: nowhere.
fn nowhere() -> Url {
    Url::parse("http://127.0.0.1:3000/").expect("a constant address")
}

async fn check(settings: Serve) -> Result<(), StartError> {
    settings.choices()?;
    let catalog = application::open_catalog(settings.place.catalog.as_deref())?;
    say(&format!(
        "Catalog: {} providers, no mistakes.",
        catalog.iter().count()
    ));
    application::open_policies(settings.place.policies.as_deref())?;
    check_data(&settings.place).await?;
    let configured: Vec<_> = config::operator_apps(&catalog).into_keys().collect();
    say(&match configured.as_slice() {
        [] => "Provider apps from the environment: none.".to_owned(),
        apps => format!("Provider apps from the environment: {}.", apps.join(", ")),
    });
    for name in config::unknown_apps(&catalog) {
        say(&format!(
            "{name}: not used, for the catalog has no such app."
        ));
    }
    if let Some(url) = &settings.public_url
        && url.scheme() == "http"
        && !matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
    {
        say(
            "Public address: plain http. Cookies and tokens travel unprotected; put https in front.",
        );
    }
    Ok(())
}

/// Looks at database and master key, and makes neither.
async fn check_data(place: &Place) -> Result<(), StartError> {
    let key = match place.master_key(false) {
        Err(MasterKeyError::Missing(_)) => None,
        key => Some(key?),
    };
    let no_key = || {
        let file = place.master_key_path();
        say(&format!(
            "Master key: none yet in {}; `linkwell serve` makes one.",
            file.display()
        ));
    };
    if !backup::is_there(place) {
        say(&format!(
            "Database: none yet in {}; `linkwell serve` makes one.",
            place.data.display()
        ));
        match key {
            Some(_) => say("Master key: can be read, and there is nothing to open yet."),
            None => no_key(),
        }
        return Ok(());
    }
    let store = application::open_store(place).await?;
    say("Database: up to date.");
    if store.is_unguarded().await? {
        say(&format!("Database: {}.", application::UNGUARDED));
    }
    if key.is_none() && application::is_nothing_sealed(&store).await? {
        no_key();
        return Ok(());
    }
    // Says which file is missing, too.
    place.master_key(false)?;
    open(place).await?;
    say("Master key: opens what is stored.");
    Ok(())
}

async fn healthcheck(target: Healthcheck) -> Result<(), StartError> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = target.listen;
    let unanswered = |error| StartError::NoAnswer { address, error };
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(unanswered)?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(unanswered)?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .map_err(unanswered)?;
    if answer.starts_with("HTTP/1.1 200") {
        say("ready");
        return Ok(());
    }
    let reason = answer
        .split("\r\n\r\n")
        .nth(1)
        .unwrap_or("no answer")
        .trim();
    Err(StartError::NotReady(reason.to_owned()))
}

/// What was not found is the organisation of this name.
fn unnamed(error: Error, name: &str) -> StartError {
    match error {
        Error::NotFound => StartError::NoOrganisation(name.to_owned()),
        error => error.into(),
    }
}

async fn audit(command: AuditCommand) -> Result<(), StartError> {
    let (AuditCommand::Verify { place, .. }
    | AuditCommand::Restored { place, .. }
    | AuditCommand::Key(place)) = &command;
    // Opening makes what is not there, and an empty ledger proves nothing.
    if !backup::is_there(place) {
        return Err(BackupError::Nothing(place.data.clone()).into());
    }
    place.master_key(false)?;
    let (place, tenant) = match command {
        AuditCommand::Restored {
            place,
            delete_keyless,
        } => {
            say_restored(&place, delete_keyless).await?;
            say("Noted. What was deleted since the backup is deleted again.");
            return Ok(());
        }
        AuditCommand::Key(place) => {
            let application = open(&place).await?;
            say(&application.hub.checkpoint_key().await?);
            return Ok(());
        }
        AuditCommand::Verify { place, tenant } => (place, tenant),
    };
    // What is to be proven is not changed before: not even by what a start takes up.
    let hub = untouched(&place).await?.hub;
    let late = hub.clock.now() - UNSIGNED;
    let only = match tenant {
        Some(name) => {
            let found = hub.tenant_named(&name).await;
            Some(found.map_err(|error| unnamed(error, &name))?)
        }
        None => None,
    };
    let (mut broken, mut unsigned) = (0, false);
    for report in hub.verify_ledgers(only).await? {
        let whose = match hub.tenant_name(report.tenant).await? {
            Some(name) => name,
            None if report.tenant == TenantId::HUB => "The hub itself".to_owned(),
            None => report.tenant.to_string(),
        };
        if report.lost_by_restore > 0 {
            say(&format!(
                "{whose}: {} entries were lost when a backup was restored.",
                report.lost_by_restore
            ));
        }
        match report.bad {
            Some(bad) => {
                broken += 1;
                say(&format!("{whose}: entry {} {}.", bad.seq, bad.why));
            }
            None => say(&format!(
                "{whose}: {} entries, all as written, compared with {} checkpoints.",
                report.entries, report.checkpoints
            )),
        }
        if report.wiped > 0 {
            say(&format!(
                "{whose}: {} entries say no more who it was, for persons were erased.",
                report.wiped
            ));
        }
        if let Some(since) = report.unsigned_since.filter(|since| *since < late) {
            unsigned = true;
            say(&format!(
                "{whose}: NOT SIGNED since {since}. What was written after that may have been cut off unseen. \
                 Does the hub run, and is its directory of checkpoints the one that is looked at here?"
            ));
        }
    }
    match (broken, unsigned) {
        (0, false) => Ok(()),
        (0, true) => Err(StartError::Unsigned),
        _ => Err(StartError::Ledger),
    }
}

fn catalog(command: CatalogCommand) -> Result<(), StartError> {
    match command {
        CatalogCommand::Check(place) => {
            let catalog = application::open_catalog(place.catalog.as_deref())?;
            say(&format!(
                "{} providers, no mistakes.",
                catalog.all().count()
            ));
        }
        CatalogCommand::List { place, json } => {
            let catalog = application::open_catalog(place.catalog.as_deref())?;
            if json {
                let list: Vec<_> = catalog.all().map(crate::http::api::catalog::line).collect();
                say(&serde_json::to_string_pretty(&list).expect("plain data is always JSON"));
            } else {
                for provider in catalog.all() {
                    say(&format!("{:<18} {}", provider.id, provider.name()));
                }
            }
        }
    }
    Ok(())
}

fn password_from_input() -> Result<Secret, StartError> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprint!("Password: ");
        let mut line = String::new();
        input.read_line(&mut line).map_err(StartError::Serving)?;
        return Ok(Secret::new(line.trim_end_matches(['\r', '\n'])));
    }
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .map_err(StartError::Serving)?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Answers on standard output; a reader that has gone away is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
