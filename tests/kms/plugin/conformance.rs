//! The suite that every backend passes.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};

use crate::support::child::in_child;
use crate::support::sample_plugin::{KEYS, SamplePlugin};

#[test]
fn the_sample_plugin_passes() {
    // The plugin inherits this process's environment; so it must be one of its own.
    let Some(plugin) = SamplePlugin::with_keys(&[]) else { return };
    let mut environment = plugin.environment();
    environment.retain(|(name, _)| name != "SAMPLE_LOG");
    if !in_child("kms::plugin::conformance::the_sample_plugin_passes", &environment) {
        return;
    }
    let Some(plugin) = SamplePlugin::with_keys(&KEYS) else { return };
    let keys = std::env::var("SAMPLE_KEYS").unwrap();
    for entry in std::fs::read_dir(plugin.path("keys")).unwrap().map(|entry| entry.unwrap()) {
        std::fs::copy(entry.path(), format!("{keys}/{}", entry.file_name().to_str().unwrap())).unwrap();
    }
    let uri = |key: &str| format!("sample://{key}");
    let rig = Rig {
        backend: backends::find(&KeyUri::parse("sample://x").unwrap()).unwrap(),
        keys: KEYS.iter().map(|key| uri(key)).collect(),
        secret: Vec::new(),
        // The protocol lists nothing, and one URI names one key.
        list: None,
        missing: uri("absent"),
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../../backends/plugin/capabilities.txt"),
    };
    run_with(&rig, &[("PATH", &std::env::var("PATH").unwrap())]);
}
