//! Tokens: the binary and the library against SoftHSM and a second module. Begin with `commands.rs`.

mod certificates;
mod commands;
mod conformance;
mod faults;
mod pins;
mod rigs;
mod signatures;
mod uri;
