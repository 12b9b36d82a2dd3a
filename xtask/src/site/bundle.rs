//! `dist/`: files under names that carry their content's hash, beside their
//! Brotli form, and a manifest that says which is which.
//!
//! ```text
//! dist/manifest.json          {"hydration": "linkwell-HASH", "files": {"site.css": "site-HASH.css", …}, "families": {"brand": "brand-HASH-"}}
//! dist/assets/site-HASH.css   and site-HASH.css.br
//! dist/assets/brand-HASH-xero.svg, one of a family: many small files under one hash
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The files of a site before they are written.
pub struct Bundle {
    directory: PathBuf,
    /// Content by name in `dist/assets`.
    assets: BTreeMap<String, Vec<u8>>,
    /// Name in `dist/assets` by the name the server asks for.
    names: BTreeMap<String, String>,
    /// What the names of a family's files begin with, by the family's name.
    families: BTreeMap<String, String>,
    /// The name that JavaScript and WASM share.
    hydration: Option<String>,
}

impl Bundle {
    /// An empty site that will live in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            assets: BTreeMap::new(),
            names: BTreeMap::new(),
            families: BTreeMap::new(),
            hydration: None,
        }
    }

    /// Adds a file that the server knows as `name`.
    pub fn add(&mut self, name: &str, content: Vec<u8>) {
        let hashed = hashed_name(name, &content);
        self.names.insert(name.to_owned(), hashed.clone());
        self.assets.insert(hashed, content);
    }

    /// Adds many small files that pages name often. They share the hash of all
    /// of them: 200 different ones in a page would weigh more than its words,
    /// and a list that translates them would have to reach the browser too.
    pub fn add_family(&mut self, family: &str, files: BTreeMap<String, String>) {
        let parts = files.iter().flat_map(|(name, content)| [name, content]);
        let prefix = format!("{family}-{}-", hash(parts.map(|part| part.as_bytes())));
        for (name, content) in files {
            self.assets
                .insert(format!("{prefix}{name}"), content.into_bytes());
        }
        self.families.insert(family.to_owned(), prefix);
    }

    /// Adds the browser's program. Leptos asks for `NAME.js` and `NAME_bg.wasm`,
    /// so the two share one hash.
    pub fn add_hydration(&mut self, js: Vec<u8>, wasm: Vec<u8>) {
        let name = format!("linkwell-{}", hash([&js[..], &wasm[..]]));
        self.assets.insert(format!("{name}.js"), js);
        self.assets.insert(format!("{name}_bg.wasm"), wasm);
        self.hydration = Some(name);
    }

    fn is_of_a_family(&self, name: &str) -> bool {
        let mut prefixes = self.families.values();
        prefixes.any(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Writes what is not there yet and removes what no longer belongs.
    pub fn write(&self) -> Result<()> {
        let assets = self.directory.join("assets");
        fs::create_dir_all(&assets)?;
        let mut expected = BTreeSet::new();
        for (name, content) in &self.assets {
            let compressed_name = format!("{name}.br");
            // A name stands for its content: what exists is right already.
            if !assets.join(name).exists() {
                let compressed = compress(content)?;
                if compressed.len() < content.len() {
                    write_whole(&assets.join(&compressed_name), &compressed)?;
                }
                write_whole(&assets.join(name), content)?;
                if !self.is_of_a_family(name) {
                    println!(
                        "site: {name}, {} B, {} B as Brotli",
                        content.len(),
                        compressed.len()
                    );
                }
            }
            expected.extend([name.clone(), compressed_name]);
        }
        for entry in fs::read_dir(&assets)? {
            let entry = entry?;
            if !expected.contains(&*entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        let manifest = serde_json::json!({
            "hydration": self.hydration,
            "files": self.names,
            "families": self.families,
        });
        let manifest = serde_json::to_vec_pretty(&manifest)?;
        let path = self.directory.join("manifest.json");
        if fs::read(&path).ok().as_ref() != Some(&manifest) {
            write_whole(&path, &manifest)?;
        }
        Ok(())
    }
}

/// Writes a file so that it is never seen half written: a name that exists is trusted.
fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    fs::write(&beside, content).with_context(|| format!("writing {}", path.display()))?;
    fs::rename(beside, path)?;
    Ok(())
}

/// `site.css` becomes `site-0123456789abcdef.css`.
fn hashed_name(name: &str, content: &[u8]) -> String {
    let hash = hash([content]);
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{hash}.{extension}"),
        None => format!("{name}-{hash}"),
    }
}

/// 64 bits of SHA-256 in hexadecimal: enough to tell a site's own versions apart.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // With the length before each part, moving bytes between parts shows.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Brotli at its highest quality: paid once per build, saved on every visit.
fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_its_content_and_keeps_its_kind() {
        let name = hashed_name("site.css", b"a{}");
        assert!(
            name.starts_with("site-") && name.ends_with(".css"),
            "{name}"
        );
        assert_eq!(name.len(), "site-.css".len() + 16);
        assert_eq!(name, hashed_name("site.css", b"a{}"));
        assert_ne!(name, hashed_name("site.css", b"b{}"));
    }

    #[test]
    fn a_family_shares_one_hash_of_all_its_files() {
        let prefix = |content: &str| {
            let mut bundle = Bundle::new(PathBuf::new());
            let file = |name: &str| (name.to_owned(), content.to_owned());
            bundle.add_family("brand", BTreeMap::from([file("a.svg"), file("b.svg")]));
            let prefix = bundle.families["brand"].clone();
            let names: Vec<_> = bundle.assets.into_keys().collect();
            assert_eq!(names, [format!("{prefix}a.svg"), format!("{prefix}b.svg")]);
            prefix
        };
        assert!(prefix("<svg/>").starts_with("brand-"));
        assert_eq!(prefix("<svg/>"), prefix("<svg/>"));
        assert_ne!(prefix("<svg/>"), prefix("<svg></svg>"));
    }

    #[test]
    fn a_hash_tells_apart_where_one_part_ends() {
        assert_ne!(hash([&b"ab"[..], b"c"]), hash([&b"a"[..], b"bc"]));
    }

    #[test]
    fn writing_again_keeps_what_is_there_and_drops_what_is_not_wanted() {
        let directory =
            std::env::temp_dir().join(format!("linkwell-bundle-{}", std::process::id()));
        let site = |css: &str| {
            let mut bundle = Bundle::new(directory.clone());
            bundle.add("site.css", css.repeat(100).into_bytes());
            bundle.add_hydration(b"js".to_vec(), b"wasm".to_vec());
            bundle.write().unwrap();
            let manifest = fs::read(directory.join("manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            manifest["files"]["site.css"].as_str().unwrap().to_owned()
        };
        let assets = directory.join("assets");
        let first = site("a{color:red}");
        let written = fs::metadata(assets.join(&first))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(first, site("a{color:red}"));
        assert_eq!(
            written,
            fs::metadata(assets.join(&first))
                .unwrap()
                .modified()
                .unwrap()
        );
        let second = site("b{color:red}");
        assert!(!assets.join(&first).exists() && !assets.join(format!("{first}.br")).exists());
        assert!(assets.join(&second).exists() && assets.join(format!("{second}.br")).exists());
        // The CSS twice; the tiny script and WASM once, Brotli would only lengthen them.
        assert_eq!(fs::read_dir(&assets).unwrap().count(), 4);
        fs::remove_dir_all(directory).unwrap();
    }
}
