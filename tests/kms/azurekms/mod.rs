//! Azure Key Vault and Managed HSM, on a stand-in that Cosign accepts. Begin with `commands.rs`.

mod calls;
mod commands;
mod conformance;
mod credentials;
mod fault_table;
mod faults;
mod interop;
mod refusals;

use super::world::World;
use crate::support::azure::Azure;
use crate::support::fault_proxy::FaultProxy;

/// A world whose variables lead to the server.
fn world(server: &Azure) -> World {
    World::new(&server.variables())
}

/// The same by way of a proxy, which sees all requests in the clear.
fn at(server: &Azure, proxy: &FaultProxy) -> World {
    let mut world = world(server);
    world.set("HTTPS_PROXY", &server.by_way_of(proxy));
    world
}
