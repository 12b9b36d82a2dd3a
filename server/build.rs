//! Has Cargo embed the site again when `cargo xtask site` has changed it.
//!
//! The embedding macro only notices changes to files it already knows; a site
//! built for the first time, or a file under a new name, would be missed.

fn main() {
    // A path that does not exist counts as changed, so this also holds while
    // there is no site yet.
    println!("cargo::rerun-if-changed=../dist");
}
