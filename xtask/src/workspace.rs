//! Where things are, and how other programs are started.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The places every task works with.
pub struct Workspace {
    /// The root of the repository.
    pub root: PathBuf,
    /// Where Cargo puts what it builds; shared between clones when
    /// `CARGO_TARGET_DIR` says so.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks Cargo, which alone knows about configuration files and environment.
    pub fn find() -> Result<Self> {
        let mut metadata = Command::new("cargo");
        metadata.args(["metadata", "--no-deps", "--format-version=1", "--quiet"]);
        let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
        let path = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata has no {key}"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
        })
    }

    /// `cargo` with these words, at the root of the repository.
    pub fn cargo(&self, words: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(words).current_dir(&self.root);
        // Compiled into leptos when set, and then the pages ask for a WASM file
        // under another name than the one the site gives it.
        cargo.env_remove("LEPTOS_OUTPUT_NAME");
        // What the cargo that runs this tool says of it. Build scripts that look at
        // those (ring's) would run again, and with them all that stands on them,
        // whenever cargo is called by hand in between.
        for (name, _) in std::env::vars_os() {
            let said_of_us = |start| name.to_string_lossy().starts_with(start);
            if ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .into_iter()
                .any(said_of_us)
            {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// The server as Cargo leaves it for a profile's directory (`debug`, `release`).
    pub fn binary(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("linkwell")
    }

    /// A path as a person at the root of the repository would write it.
    pub fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// Prints a command, runs it with its output shown, and fails when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let words = words(command);
    println!("$ {words}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` failed: {status}");
    }
    Ok(())
}

/// Runs a command quietly and returns what it wrote to stdout.
pub fn output(command: &mut Command) -> Result<String> {
    let words = words(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{words}`"))?;
    if !output.status.success() {
        bail!(
            "`{words}` failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}
