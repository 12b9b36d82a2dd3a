//! The server: settings, HTTP, background, and the root where everything is
//! put together.

pub mod application;
pub mod assets;
pub mod backup;
pub mod cli;
pub mod config;
pub mod http;
pub mod jobs;
pub mod telemetry;
