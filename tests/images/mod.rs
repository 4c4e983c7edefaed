//! Images: what the commands do, how registries are spoken with, and what becomes of registries that lie.

mod beside;
mod commands;
mod consumers;
mod hostile;
mod local;
mod login;
mod reports;
mod requests;
mod tls;
mod world;
mod writers;
