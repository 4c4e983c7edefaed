//! Google Cloud KMS, on our stand-in, which the real Cosign accepts too. Begin with `commands.rs`.

mod calls;
mod commands;
mod conformance;
mod credentials;
mod fault_table;
mod faults;
mod interop;
mod refusals;

use super::world::World;
use crate::support::cloudkms::CloudKms;

/// A world whose variables lead to the server.
fn world(server: &CloudKms) -> World {
    World::new(&server.variables())
}

/// The same by way of another address.
fn at(server: &CloudKms, address: &str) -> World {
    let mut world = world(server);
    world.set("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", &format!("http://{address}"));
    world
}
