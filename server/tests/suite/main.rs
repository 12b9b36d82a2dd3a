//! The whole application, over HTTP, against the sandbox provider: on SQLite
//! in memory, and on PostgreSQL when `LINKWELL_TEST_DATABASE` names a server.
//!
//! No test sleeps: clocks are moved, and what is waited for is awaited.

mod harness;

mod api;
mod back;
mod calls;
mod canary;
mod certificates;
mod consent;
mod contract;
mod deeds;
mod defences;
mod deletion;
mod entered;
mod erasure;
mod events;
mod flow;
mod gate;
mod handover;
mod health;
mod herd;
mod history;
mod installations;
mod keeping;
mod ledger;
mod lending;
mod links;
mod metrics;
mod neighbours;
mod notices;
mod patience;
mod people;
mod postbox;
mod preview;
mod push;
mod reach;
mod redis;
mod refresh;
mod repair;
mod rights;
mod runs;
mod secrets;
mod services;
mod stepup;
mod surface;
mod sync;
mod tenancy;
mod tokens;
mod trial;
mod troubles;
mod ways;
mod webhooks;
mod wizard;
