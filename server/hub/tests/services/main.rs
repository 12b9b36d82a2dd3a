//! Databases, mail servers and storage: real ones, and hostile ones.

#[path = "../addresses/mod.rs"]
mod addresses;
mod bench;
mod hostile;
mod mail;
mod mariadb;
mod postgres;
mod reach;
mod redis;
mod storage;
