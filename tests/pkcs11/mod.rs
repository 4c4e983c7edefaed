//! Tokens: the binary and the library against SoftHSM and a second module. Begin with `commands.rs`.

mod certificates;
mod commands;
mod conformance;
mod faults;
mod rigs;
mod uri;
