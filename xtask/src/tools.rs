//! Programs from outside the workspace: npm and Python packages, and browsers.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, output, run};

/// The npm packages of `xtask/npm/NAME`, installed outside the sources.
///
/// Returns their `node_modules`. Their install scripts are not run: what they
/// would do is done by the task that needs it, in sight.
pub fn npm_packages(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let source = workspace.root.join("xtask/npm").join(name);
    let directory = workspace.target.join("npm").join(name);
    fs::create_dir_all(&directory)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), directory.join(file))
            .with_context(|| format!("xtask/npm/{name}/{file}"))?;
    }
    npm_ci(&directory)?;
    Ok(directory.join("node_modules"))
}

/// Installs exactly what the lock file in `directory` says, unless it is there.
pub fn npm_ci(directory: &Path) -> Result<()> {
    let lock = fs::read(directory.join("package-lock.json"))
        .with_context(|| format!("no package-lock.json in {}", directory.display()))?;
    let installed = directory.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if find("npm").is_none() {
        bail!("npm was not found: install Node.js 20 or newer");
    }
    run(Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(directory))?;
    // Written last, so that an interrupted installation is not mistaken for a whole one.
    fs::write(installed, lock)?;
    Ok(())
}

/// The Python packages of `xtask/python/NAME`, in a virtual environment of their
/// own. `requirements.txt` is what `pip-compile --generate-hashes` makes of
/// `requirements.in`.
///
/// Returns where their programs are.
pub fn python_packages(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let requirements = workspace
        .root
        .join("xtask/python")
        .join(name)
        .join("requirements.txt");
    let lock = fs::read(&requirements)
        .with_context(|| format!("no {}", workspace.short(&requirements)))?;
    let directory = workspace.target.join("python").join(name);
    let programs = directory.join("bin");
    let installed = directory.join("installed-requirements.txt");
    // The interpreter is a link to the system's, which may have been replaced.
    let runs = programs.join("python").exists();
    if runs && fs::read(&installed).is_ok_and(|installed| installed == lock) {
        println!("{name} is in {}", workspace.short(&programs));
        return Ok(programs);
    }
    println!("{name} is installed into {}", workspace.short(&programs));
    run(Command::new(python()?)
        .args(["-m", "venv", "--clear"])
        .arg(&directory))?;
    run(Command::new(programs.join("pip"))
        .args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--use-pep517",
        ])
        .args(["--require-hashes", "--requirement"])
        .arg(&requirements))?;
    // Written last, so that an interrupted installation is not mistaken for a whole one.
    fs::write(installed, lock)?;
    Ok(programs)
}

/// Finds a Python that makes virtual environments, which Debian packs apart.
fn python() -> Result<PathBuf> {
    let able = || {
        let python = find("python3")?;
        let able = Command::new(&python)
            .args(["-c", "import ensurepip, venv"])
            .stderr(Stdio::null())
            .status();
        able.is_ok_and(|status| status.success()).then_some(python)
    };
    if let Some(python) = able() {
        return Ok(python);
    }
    apt_install(&["python3-venv"])?;
    able().context(
        "the tests need Python 3.10 or newer with venv on the PATH \
         (Debian: apt-get install --no-install-recommends python3-venv)",
    )
}

/// Makes sure Rust can compile for the browser.
pub fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let libraries =
        output(Command::new("rustc").args(["--print=target-libdir", "--target", TARGET]))?;
    if Path::new(libraries.trim()).exists() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

/// The two browsers the end-to-end suite drives.
pub struct Browsers {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// Firefox; its extended support release is the one the suite is pinned to.
    pub firefox: PathBuf,
}

/// Finds the browsers, installing Debian's when they are missing and we may.
pub fn browsers() -> Result<Browsers> {
    if let Some(browsers) = installed_browsers() {
        return Ok(browsers);
    }
    apt_install(&["chromium", "firefox-esr"])?;
    installed_browsers().context(
        "the browser tests need Chromium and Firefox ESR 153 or newer on the PATH \
         (Debian: apt-get install --no-install-recommends chromium firefox-esr)",
    )
}

/// Makes sure of the servers that connections are tested against, installing
/// Debian's when they are missing and we may. PostgreSQL comes with the tests.
pub fn services() -> Result<()> {
    const SERVERS: [(&str, &str); 5] = [
        ("mariadbd", "mariadb-server"),
        ("redis-server", "redis-server"),
        ("dovecot", "dovecot-imapd"),
        ("pgbouncer", "pgbouncer"),
        // No server, but what makes certificates for them.
        ("openssl", "openssl"),
    ];
    // Debian keeps servers where only root looks.
    let is_there =
        |program: &str| find(program).is_some() || Path::new("/usr/sbin").join(program).exists();
    let missing = || SERVERS.iter().filter(|(program, _)| !is_there(program));
    let packages: Vec<&str> = missing().map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        apt_install(&packages)?;
    }
    match missing().next() {
        None => Ok(()),
        Some((program, package)) => bail!(
            "the tests of services need {program} \
             (Debian: apt-get install --no-install-recommends {package})"
        ),
    }
}

/// Installs Debian packages, where there are any and we may.
fn apt_install(packages: &[&str]) -> Result<()> {
    if !is_root() || find("apt-get").is_none() {
        return Ok(());
    }
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "--quiet", "--yes", "--no-install-recommends"])
        .args(packages))
}

fn installed_browsers() -> Option<Browsers> {
    let any = |names: &[&str]| names.iter().find_map(|name| find(name));
    Some(Browsers {
        chromium: any(&["chromium", "chromium-browser", "google-chrome"])?,
        firefox: any(&["firefox-esr", "firefox"]).filter(|path| can_be_driven(path))?,
    })
}

/// Whether a Firefox knows the commands Playwright begins with; the extended
/// support release before, 140, does not.
fn can_be_driven(firefox: &Path) -> bool {
    let version = output(Command::new(firefox).arg("--version")).unwrap_or_default();
    // Mozilla Firefox 153.7.0esr
    let major = version
        .split([' ', '.'])
        .find_map(|word| word.parse::<u32>().ok());
    major.is_some_and(|major| major >= 153)
}

/// Looks a program up on the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

/// Whether this process may do everything, as in a build container.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
