//! `cargo xtask`: the one way to build, run and check Linkwell.

mod run;
mod site;
mod test;
mod tools;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, run and check Linkwell",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the site the binary carries (WASM, CSS, icons) into dist/.
    Site,
    /// Build the release binary, site included, at target/release/linkwell.
    Build,
    /// Build what is needed and serve it with the sandbox provider.
    Run(run::Options),
    /// Measure what lending, listing, a noisy neighbour, a step of the wizard and the catalog cost, as
    /// ratios from one run, and keep a hundred thousand connections.
    Bench,
    /// Lint and test: Rust on SQLite, Rust on PostgreSQL, browsers.
    Test(test::Options),
}

fn main() -> Result<()> {
    let task = Arguments::parse().task;
    let workspace = Workspace::find()?;
    match task {
        Task::Site => site::build(&workspace),
        Task::Build => run::build(&workspace),
        Task::Run(options) => run::run(&workspace, &options),
        Task::Bench => workspace::run(&mut workspace.cargo(&[
            "bench",
            "--package=linkwell",
            "--package=hub",
            "--bench=lending",
            "--bench=listing",
            "--bench=neighbours",
            "--bench=wizard",
            "--bench=herd",
            "--bench=catalog",
        ])),
        Task::Test(options) => test::test(&workspace, &options),
    }
}
