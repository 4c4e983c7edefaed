//! Cards: the binary against virtual YubiKeys, Yubico's own tool, OpenSC, and Cosign. Begin with `commands.rs`.

mod clients;
mod commands;
mod images;
mod refusals;
mod world;
