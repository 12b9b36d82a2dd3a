//! Building the server and serving from the tree.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    site,
    workspace::{Workspace, run as run_command},
};

/// What `cargo xtask run` can be told.
#[derive(clap::Args)]
pub struct Options {
    /// Address to serve on.
    #[arg(long, env = "LINKWELL_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Directory for the database and the master key [default: data/ of the repository].
    #[arg(long, env = "LINKWELL_DATA")]
    data: Option<PathBuf>,
    /// More words for `linkwell serve`.
    #[arg(last = true)]
    more: Vec<OsString>,
}

/// Builds the release binary and leaves it at `target/release/linkwell` of the
/// repository, wherever Cargo builds.
pub fn build(workspace: &Workspace) -> Result<()> {
    site::build(workspace)?;
    run_command(&mut workspace.cargo(&["build", "--release", "--package=linkwell"]))?;
    let built = workspace.binary("release");
    let wanted = workspace.root.join("target/release/linkwell");
    if built != wanted {
        copy_program(&built, &wanted)?;
    }
    println!("{}", workspace.short(&wanted));
    Ok(())
}

/// A program that is running cannot be written to, but it can be replaced.
fn copy_program(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::create_dir_all(to.parent().context("a path without a directory")?)?;
    fs::copy(from, &beside).with_context(|| format!("copying {}", from.display()))?;
    fs::rename(beside, to)?;
    Ok(())
}

/// Builds what is missing and becomes the server.
///
/// The server is built with the `dev` profile: it shares every artifact with
/// `cargo xtask test`, recompiles in seconds after an edit, and still hashes
/// passwords quickly, because the workspace optimises dependencies in it.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    site::build(workspace)?;
    run_command(&mut workspace.cargo(&["build", "--package=linkwell"]))?;

    let data = options
        .data
        .clone()
        .unwrap_or_else(|| workspace.root.join("data"));
    fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
    println!(
        "\nLinkwell: http://{}   (data in {}, Ctrl-C stops it)\n",
        options.listen,
        workspace.short(&data)
    );

    // Replacing this process is what makes Ctrl-C and `kill` reach the server.
    let mut server = Command::new(workspace.binary("debug"));
    server.args([
        "serve",
        "--sandbox",
        "--listen",
        &options.listen.to_string(),
    ]);
    server.arg("--data").arg(&data).args(&options.more);
    Err(server.exec()).context("starting the server")
}
