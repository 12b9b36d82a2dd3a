//! The browser's program: compiled, bound to JavaScript, made small.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use super::bundle::hash;
use crate::{
    tools,
    workspace::{Workspace, run},
};

/// The two files that make islands work.
pub struct Hydration {
    /// The glue, an ES module whose default export loads the WASM it is given.
    pub js: Vec<u8>,
    /// The optimised program.
    pub wasm: Vec<u8>,
}

/// Compiles `frontend` and prepares it for the browser.
///
/// Cargo decides whether to compile; what follows is kept in the target
/// directory under the hash of what went in.
pub fn build(workspace: &Workspace, packages: &Path) -> Result<Hydration> {
    tools::wasm_target()?;
    run(&mut workspace.cargo(&[
        "build",
        "--package=frontend",
        "--target=wasm32-unknown-unknown",
        "--profile=wasm-release",
    ]))?;
    let compiled = workspace
        .target
        .join("wasm32-unknown-unknown/wasm-release/frontend.wasm");
    let compiled =
        fs::read(&compiled).with_context(|| format!("reading {}", compiled.display()))?;

    // The versions of wasm-bindgen and wasm-opt are in these.
    let versions = [
        fs::read(workspace.root.join("Cargo.lock"))?,
        fs::read(workspace.root.join("xtask/npm/site/package-lock.json"))?,
    ];
    let key = hash([&compiled[..], &versions[0], &versions[1]]);
    let cache = workspace.target.join("site");
    let (js_path, wasm_path) = (cache.join("frontend.js"), cache.join("frontend.wasm"));
    let key_path = cache.join("frontend.key");
    if fs::read_to_string(&key_path).is_ok_and(|kept| kept == key) {
        return Ok(Hydration {
            js: fs::read(js_path)?,
            wasm: fs::read(wasm_path)?,
        });
    }

    fs::create_dir_all(&cache)?;
    // Gone until both files are whole again.
    fs::remove_file(&key_path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let (js, bound) = bind(compiled)?;
    fs::write(&js_path, &js)?;
    fs::write(&wasm_path, bound)?;
    optimise(packages, &wasm_path)?;
    let wasm = fs::read(wasm_path)?;
    fs::write(key_path, key)?;
    Ok(Hydration { js, wasm })
}

/// Runs wasm-bindgen, in this process and without touching the disk.
fn bind(compiled: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut output = Bindgen::new()
        .input_bytes("frontend", compiled)
        .web(true)?
        // The page passes the WASM's address, which has a hash the glue cannot know.
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .context("wasm-bindgen")?;
    if let Some(name) = output
        .snippets()
        .iter()
        .find_map(|(name, files)| (!files.is_empty()).then_some(name))
    {
        bail!("{name} brings JavaScript files of its own, which the site would not serve");
    }
    let js = output.js().as_bytes().to_vec();
    Ok((js, output.wasm_mut().emit_wasm()))
}

/// Makes a WASM file smaller, in place.
fn optimise(packages: &Path, wasm: &Path) -> Result<()> {
    // No feature flags: with `--all-features` wasm-opt writes import kinds that
    // browsers refuse, and only a browser notices.
    run(Command::new("node")
        .arg(packages.join("binaryen/bin/wasm-opt"))
        .arg("-Oz")
        .arg(wasm)
        .arg("-o")
        .arg(wasm))
}
