//! The OAuth engine against a counterpart on loopback that answers whatever a
//! provider was seen to answer.

mod authorize;
mod bench;
mod checks;
mod exchange;
mod fate;
mod final_commerce;
mod final_social;
mod final_work;
mod refresh;
