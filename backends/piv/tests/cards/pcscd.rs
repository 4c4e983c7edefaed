//! The production transport: the backend over the pcscd of the rig `tests/rigs/virtual-yubikey/up`.

#[cfg(target_os = "linux")]
mod tests;
