//! Marks the library as never to be unloaded: a call that hangs in it may outlive the caller's handle, and
//! the wrapped module would forget nothing while this one forgot its sessions.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
