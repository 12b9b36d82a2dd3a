//! Checks the catalog with the crate's own schema and embeds it, so that a
//! provider file with a mistake does not become a program.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path, process::ExitCode};

#[expect(
    dead_code,
    reason = "the build needs the reading and checking, not the use"
)]
mod catalog {
    #[path = "../src/catalog/check.rs"]
    mod check;
    #[path = "../src/catalog/check_push.rs"]
    mod check_push;
    #[path = "../src/catalog/entry.rs"]
    pub mod entry;
    #[path = "../src/catalog/keys.rs"]
    pub mod keys;
    #[path = "../src/catalog/load.rs"]
    pub mod load;
    #[path = "../src/catalog/oauth.rs"]
    pub mod oauth;
    #[path = "../src/catalog/place.rs"]
    pub mod place;
    #[path = "../src/catalog/problem.rs"]
    pub mod problem;
    #[path = "../src/catalog/provider.rs"]
    pub mod provider;
    #[path = "../src/catalog/push.rs"]
    pub mod push;
    #[path = "../src/catalog/rank.rs"]
    mod rank;
    #[path = "../src/catalog/template.rs"]
    pub mod template;
    #[path = "../src/catalog/value.rs"]
    pub mod value;

    /// Stands in for the crate's own module: failures can be stored, and a build
    /// script that needs the database would double the build.
    pub mod errors {
        use std::collections::BTreeMap;

        use serde::{Deserialize, Deserializer, de::Error};

        /// The `[errors]` table, checked and forgotten.
        #[derive(Clone, Debug, Default)]
        pub struct ErrorTable;

        impl ErrorTable {
            pub fn extend(&mut self, _: &Self) {}
        }

        impl<'de> Deserialize<'de> for ErrorTable {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                BTreeMap::<super::place::Key, Code>::deserialize(deserializer).map(|_| Self)
            }
        }

        #[derive(Clone, Debug)]
        struct Code;

        impl<'de> Deserialize<'de> for Code {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let listed = format!("=> \"{text}\",");
                if text == "TOKEN_EXPIRED" || include_str!("src/failure.rs").contains(&listed) {
                    Ok(Self)
                } else {
                    Err(D::Error::custom(format!("`{text}` is not a failure code")))
                }
            }
        }
    }
}

use catalog::load::{Source, assemble};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=catalog");
    println!("cargo::rerun-if-changed=src/catalog");
    println!("cargo::rerun-if-changed=src/failure.rs");

    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script its directories this way"
    )]
    let directory = |name| env::var(name).expect("cargo sets it");
    let files = Path::new(&directory("CARGO_MANIFEST_DIR")).join("catalog");
    let mut sources = BTreeMap::new();
    let mut code = String::from("pub(super) const FILES: &[(&str, &str)] = &[\n");
    for item in fs::read_dir(files).expect("the catalog's directory") {
        let path = item.expect("a catalog file").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".toml") {
            continue;
        }
        let source = Source::new(
            &name,
            &fs::read_to_string(&path).expect("a catalog file in UTF-8"),
        );
        // By the crate's directory and not its address: a checkout that moves
        // with its build directory stays built.
        writeln!(
            code,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),",
            format!("/catalog/{name}"),
        )
        .expect("writing to memory");
        sources.insert(source.id().to_owned(), source);
    }
    code.push_str("];\n");
    fs::write(Path::new(&directory("OUT_DIR")).join("catalog.rs"), code)
        .expect("the build's directory");

    match assemble(&sources) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                println!("cargo::error=server/hub/catalog/{problem}");
            }
            ExitCode::FAILURE
        }
    }
}
