//! The OAuth engine against a counterpart on loopback that answers whatever a
//! provider was seen to answer.

mod authorize;
mod bench;
mod callback;
mod checks;
mod example;
mod exchange;
mod hosts;
mod properties;
mod refresh;
