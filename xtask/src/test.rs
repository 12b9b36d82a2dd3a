//! `cargo xtask test`: every check there is, one stage after the other.

mod api;
mod postgres;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Error, Result, anyhow};

use crate::{
    site, tools,
    workspace::{Workspace, run},
};
use postgres::{Postgres, Programs};

/// The crash tests kill the process at named points. Every stage builds with
/// them, so that one compilation serves all.
const FAILPOINTS: &str = "--features=linkwell/failpoints";

/// What `cargo xtask test` can be told.
#[derive(clap::Args)]
pub struct Options {
    /// Only this stage (and the site, when the stage needs it).
    #[arg(long)]
    only: Option<Stage>,
}

/// A part of the checks, in the order they run: what fails soonest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// The site builds: every class has its CSS, every icon exists.
    #[value(skip)]
    Site,
    /// Formatting and clippy, for this machine and for the browser.
    Lint,
    /// All Rust tests, on SQLite.
    Rust,
    /// The API as it describes itself, against the running program.
    Api,
    /// The whole-application tests again, on PostgreSQL, as an ordinary role.
    Postgres,
    /// Connections to real databases and mail servers, and the hub when its own
    /// database goes away.
    Services,
    /// The browser suite in end2end/.
    E2e,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Site,
        Self::Lint,
        Self::Rust,
        Self::Api,
        Self::Postgres,
        Self::Services,
        Self::E2e,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Lint => "lint",
            Self::Rust => "rust",
            Self::Api => "api",
            Self::Postgres => "postgres",
            Self::Services => "services",
            Self::E2e => "e2e",
        }
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Site => site::build(workspace),
            Self::Lint => lint(workspace),
            Self::Rust => run(&mut workspace.cargo(&["test", "--workspace", FAILPOINTS])),
            Self::Api => {
                build(workspace)?;
                api::check(workspace)
            }
            Self::Postgres => postgres(workspace),
            Self::Services => services(workspace),
            Self::E2e => e2e(workspace),
        }
    }
}

/// Runs the stages until one fails, and says at the end how each went.
pub fn test(workspace: &Workspace, options: &Options) -> Result<()> {
    let stages = Stage::ALL.into_iter().filter(|stage| match options.only {
        None => true,
        // Linting reads sources only; everything else runs the server with its site.
        Some(Stage::Lint) => *stage == Stage::Lint,
        Some(only) => *stage == only || *stage == Stage::Site,
    });
    let mut summary = Vec::new();
    let mut failure: Option<Error> = None;
    for stage in stages {
        if failure.is_some() {
            summary.push((stage, "not run", Duration::ZERO));
            continue;
        }
        println!("\n=== {} ===", stage.name());
        let started = Instant::now();
        failure = stage.run(workspace).err();
        let outcome = if failure.is_some() { "FAILED" } else { "ok" };
        summary.push((stage, outcome, started.elapsed()));
    }

    println!("\n=== summary ===");
    for (stage, outcome, time) in &summary {
        println!(
            "{:<10} {outcome:<8} {:>6.1} s",
            stage.name(),
            time.as_secs_f32()
        );
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn lint(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(&["fmt", "--all", "--", "--check"]))?;
    let host = ["clippy", "--workspace", "--all-targets", FAILPOINTS];
    run(workspace.cargo(&host).args(["--", "--deny=warnings"]))?;
    // The same sources once more as the browser runs them.
    tools::wasm_target()?;
    let browser = [
        "clippy",
        "--package=frontend",
        "--target=wasm32-unknown-unknown",
    ];
    run(workspace.cargo(&browser).args(["--", "--deny=warnings"]))
}

fn postgres(workspace: &Workspace) -> Result<()> {
    let postgres = Postgres::start(workspace)?;
    println!("LINKWELL_TEST_DATABASE={}", postgres.url());
    run(workspace
        .cargo(&["test", "--workspace", FAILPOINTS, "--test=suite"])
        .env("LINKWELL_TEST_DATABASE", postgres.url()))
}

fn services(workspace: &Workspace) -> Result<()> {
    tools::services()?;
    let postgres = Programs::install(workspace)?;
    // The second stops the server under a running hub.
    for tests in [
        &["--test=services"][..],
        &["--test=crash", "--", "row_37", "row_58"],
    ] {
        run(workspace
            .cargo(&["test", "--workspace", FAILPOINTS])
            .args(tests)
            .env("LINKWELL_TEST_SERVICES", postgres.directory()))?;
    }
    Ok(())
}

/// The program itself, as the stages run it that need a whole one.
fn build(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(&["build", "--workspace", FAILPOINTS, "--bin=linkwell"]))
}

fn e2e(workspace: &Workspace) -> Result<()> {
    let suite = workspace.root.join("end2end");
    if !suite.join("package-lock.json").exists() {
        return Err(anyhow!("end2end/ has no package-lock.json"));
    }
    let browsers = tools::browsers()?;
    build(workspace)?;
    tools::npm_ci(&suite)?;
    let mitmproxy = tools::python_packages(workspace, "mitmproxy")?;
    let services = tools::python_packages(workspace, "services")?;
    tools::services()?;
    let postgres = Programs::install(workspace)?;
    run(Command::new("npx")
        .args(["--no-install", "playwright", "test"])
        .current_dir(&suite)
        .env("LINKWELL_BIN", workspace.binary("debug"))
        .env("MITMDUMP", mitmproxy.join("mitmdump"))
        .env("SERVICES_PYTHON", services.join("python"))
        .env("LINKWELL_TEST_SERVICES", postgres.directory())
        .env("CHROMIUM", browsers.chromium)
        .env("FIREFOX", browsers.firefox))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_stage_but_the_site_can_be_asked_for_by_the_name_it_prints() {
        for stage in Stage::ALL {
            let asked = Stage::from_str(stage.name(), false).ok();
            assert_eq!(asked, (stage != Stage::Site).then_some(stage));
        }
    }
}
