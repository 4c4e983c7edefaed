//! Any bundle is held against a log that has its name and another key: proofs and checkpoints are read, and nothing is proven.
#![no_main]

use std::sync::LazyLock;

use countersign::verify::{Evidence, Log, Material, Policy, Trust, Who, Window, plan};
use countersign_core::PublicKey;

static KEY: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_pem_or_der(include_bytes!("../seeds/public_key/spki.pem")).expect("a seed"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = countersign::bundle::parse(bytes) else { return };
    let Ok(material) = Material::from_bundle(&bundle) else { return };
    let log = |id: &[u8]| Log { id: id.to_vec(), key: KEY.clone(), window: Window::default(), name: "log".to_owned() };
    let logs = material.entries.iter().map(|entry| log(&entry.log_id)).collect();
    let trust = Trust { logs, ..Trust::default() };
    let evidence = Evidence { logs: 1, timestamps: 0, certificate_logs: 0 };
    let policy = Policy::new(Who::Key(&KEY, Window::default()), evidence, jiff::Timestamp::UNIX_EPOCH);
    // The log's private key is nobody's here.
    assert!(plan(&material, &policy, &trust).is_err());
});
