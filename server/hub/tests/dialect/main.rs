//! The OAuth engine against a counterpart on loopback that answers whatever a
//! provider was seen to answer.

mod authorize;
mod bench;
mod callback;
mod checks;
mod corpus;
mod entry_errors;
mod example;
mod exchange;
mod fate;
mod final_commerce;
mod final_social;
mod final_work;
mod hostile;
mod hosts;
mod injection;
mod properties;
mod push;
mod refresh;
mod rows_c;
mod rows_d;
mod rows_e;
mod rows_f;
mod scopes;
mod trial;
