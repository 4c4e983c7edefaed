//! Plugins, by the sample in `tests/rigs/plugin`. Begin with `commands.rs`.

mod commands;
mod conformance;
mod faults;
mod interop;
mod program;

use super::world::World;
use crate::support::sample_plugin::SamplePlugin;

const KEY: &str = "sample://p256";

/// A world whose variables lead to the plugin.
fn world(plugin: &SamplePlugin) -> World {
    let mut world = World::new(&[]);
    for (name, value) in plugin.environment() {
        world.set(&name, &value);
    }
    world
}

/// A plugin with one key, and its world.
fn with_a_key() -> Option<(SamplePlugin, World)> {
    let plugin = SamplePlugin::with_keys(&["p256"])?;
    let world = world(&plugin);
    Some((plugin, world))
}
