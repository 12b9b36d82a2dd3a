//! The site: everything a browser fetches, built into `dist/` for the server to embed.
//!
//! There is one kind of site. Tests therefore judge the very bytes that ship,
//! and switching between `run`, `test` and `build` never re-embeds another set.

mod bundle;
mod css;
mod icons;
mod source;
mod wasm;

use std::{fs, time::Instant};

use anyhow::{Context, Result};

use crate::{tools, workspace::Workspace};

use bundle::Bundle;
use source::Source;

/// Builds `dist/`. Files whose content is unchanged are left alone, so that
/// Cargo embeds them again only when something is different.
pub fn build(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    let packages = tools::npm_packages(workspace, "site")?;
    let sources = Source::read_all(&workspace.root)?;
    let mut bundle = Bundle::new(workspace.root.join("dist"));

    // The quick checks first: a misspelt class should not wait for the compiler.
    bundle.add(
        "site.css",
        css::build(&workspace.root, &sources)?.into_bytes(),
    );
    let icons = icons::build(&workspace.root, &packages, &sources)?;
    bundle.add("icons.svg", icons.sprite.into_bytes());
    let files = icons.brands.into_iter();
    bundle.add_family(
        "brand",
        files
            .map(|(slug, svg)| (format!("{slug}.svg"), svg))
            .collect(),
    );
    bundle.add("NOTICE.txt", icons.notice.into_bytes());
    for entry in fs::read_dir(workspace.root.join("public")).context("reading public/")? {
        let entry = entry?;
        bundle.add(
            &entry.file_name().to_string_lossy(),
            fs::read(entry.path())?,
        );
    }
    let wasm = wasm::build(workspace, &packages)?;
    bundle.add_hydration(wasm.js, wasm.wasm);

    bundle.write()?;
    println!(
        "site: dist/ is ready ({:.1} s)",
        started.elapsed().as_secs_f32()
    );
    Ok(())
}
