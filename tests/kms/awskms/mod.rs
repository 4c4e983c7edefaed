//! AWS KMS, on ministack. Begin with `commands.rs`.

mod calls;
mod commands;
mod conformance;
mod credentials;
mod fault_table;
mod faults;
mod images;
mod interop;
mod refusals;

use super::world::World;
use crate::support::ministack::Ministack;

/// A world whose variables lead to the server.
fn world(server: &Ministack) -> World {
    World::new(&server.variables())
}

/// The same by way of another address, without TLS.
fn at(server: &Ministack, address: &str) -> World {
    let mut world = world(server);
    world.set("AWS_ENDPOINT_URL", &format!("http://{address}"));
    world
}
