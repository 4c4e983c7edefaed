//! Vault's transit engine, on OpenBao. Begin with `commands.rs`.

mod calls;
mod commands;
mod conformance;
mod credentials;
mod fault_table;
mod faults;
mod interop;
mod refusals;
mod tls;

use super::world::World;
use crate::support::openbao::OpenBao;

/// A world whose variables lead to the server, without TLS.
fn world(server: &OpenBao) -> World {
    at(server, server.address())
}

/// The same by way of another address.
fn at(server: &OpenBao, address: &str) -> World {
    World::new(&[("VAULT_ADDR", &format!("http://{address}")), ("VAULT_TOKEN", server.token())])
}

/// Makes a key for one test; another test may have the server too.
fn make_key(server: &OpenBao, name: &str) -> String {
    server.call("POST", &format!("transit/keys/{name}"), serde_json::json!({ "type": "ecdsa-p256" }));
    format!("hashivault://{name}")
}
