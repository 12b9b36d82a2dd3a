//! The catalog files, as the build script found them.

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
