//! The shop, driven over HTTP on a real socket.

mod breaking;
mod consent;
mod support;
mod tokens;
