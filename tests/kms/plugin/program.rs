//! Which program is run, which never, and with what environment.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{KEY, with_a_key, world};
use crate::support::sample_plugin::SamplePlugin;

/// A directory `name` of the world with the plugin in it, and how many plugins run when `PATH` begins with `entry`.
fn runs_from(plugin: &SamplePlugin, name: &str, mode: u32, entry: &str, words: &[&str]) {
    let mut world = world(plugin);
    fs::remove_file(plugin.path("bin/sigstore-kms-sample")).ok();
    let directory = world.path(name);
    fs::create_dir_all(&directory).unwrap();
    symlink(SamplePlugin::source(), directory.join("sigstore-kms-sample")).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
    let outer = plugin.environment()[0].1.clone();
    world.set("PATH", &format!("{}:{outer}", entry.replace("HERE", world.path("").to_str().unwrap())));
    if words.is_empty() {
        world.sign(KEY, "b.json");
    } else {
        world.refuse_sign(KEY, words);
        assert!(plugin.methods().is_empty(), "{entry}: it ran");
    }
}

/// E.2 32: never from the current directory.
#[test]
fn only_safe_entries_of_path_count() {
    let Some(plugin) = SamplePlugin::with_keys(&["p256"]) else { return };
    let missing = "PATH has no plugin sigstore-kms-sample";
    runs_from(&plugin, "safe", 0o755, "HERE/safe", &[]);
    plugin.asked();
    for entry in ["", "."] {
        runs_from(&plugin, "", 0o755, entry, &[missing, "no absolute path"]);
    }
    runs_from(&plugin, "sub", 0o755, "sub", &[missing, "sub is skipped, as it is no absolute path"]);
    for mode in [0o777, 0o1777, 0o757] {
        runs_from(&plugin, "open", mode, "HERE/open", &[missing, "everybody may write its directory"]);
    }
}

#[test]
fn a_program_that_everybody_may_write_is_passed_over() {
    let Some(plugin) = SamplePlugin::with_keys(&["p256"]) else { return };
    let mut world = world(&plugin);
    fs::remove_file(plugin.path("bin/sigstore-kms-sample")).unwrap();
    let place = |name: &str, mode: u32| {
        let directory = world.path(name);
        fs::create_dir(&directory).unwrap();
        let program = directory.join("sigstore-kms-sample");
        fs::copy(SamplePlugin::source(), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        directory.to_str().unwrap().to_owned()
    };
    let (open, dull, far) = (place("open", 0o757), place("dull", 0o644), place("far", 0o755));
    fs::set_permissions(&far, Permissions::from_mode(0o777)).unwrap();
    let linked = world.path("linked");
    fs::create_dir(&linked).unwrap();
    symlink(format!("{far}/sigstore-kms-sample"), linked.join("sigstore-kms-sample")).unwrap();
    let outer = plugin.environment()[0].1.clone();
    world.set("PATH", &format!("{open}:{dull}:{}:{outer}", linked.display()));
    let words =
        ["open/sigstore-kms-sample is skipped", "everybody may write it", "it is not executable", "linked/"];
    world.refuse_sign(KEY, &words);
    // The next one that is safe is taken, and the doctor tells of the others.
    symlink(SamplePlugin::source(), plugin.path("bin/sigstore-kms-sample")).unwrap();
    world.sign(KEY, "b.json");
    let said = crate::support::stdout(&world.ok(&["keys", "doctor", KEY]));
    assert!(said.contains("open/sigstore-kms-sample is skipped"), "{said}");
}

#[test]
fn a_missing_plugin_is_an_unknown_scheme() {
    let Some((plugin, world)) = with_a_key() else { return };
    let words =
        ["no backend serves the scheme acme", "install sigstore-kms-acme in PATH", "this version serves: "];
    world.refuse_sign("acme://k", &words);
    world.refuse_verify("acme://k", "absent.json", &words[..1]);
    // Schemes that are to come are not a plugin's.
    symlink(SamplePlugin::source(), plugin.path("bin/sigstore-kms-https")).unwrap();
    world.refuse_sign("https://p256", &["not built yet"]);
    assert!(plugin.methods().is_empty());
}

#[test]
fn a_uri_with_a_secret_starts_nothing() {
    let Some((plugin, world)) = with_a_key() else { return };
    for uri in ["sample://me:hush@host/p256", "sample://p256?password=hush", "sample://p256;pin-value=hush"] {
        let said = world.refuse_sign(uri, &["it holds a secret", "***", "a variable of the plugin's own"]);
        assert!(!said.contains("hush"), "{said}");
    }
    assert!(plugin.methods().is_empty());
}

#[test]
fn a_plugin_inherits_its_own_secrets_and_not_ours() {
    let Some((plugin, mut world)) = with_a_key() else { return };
    let ours = ["COSIGN_PASSWORD", "VAULT_TOKEN", "BAO_TOKEN", "VAULT_SECRET_ID", "COSIGN_PKCS11_PIN"];
    for name in ours {
        world.set(name, "ours-alone");
    }
    world.set("ACME_CREDENTIAL", "the plugin's");
    world.set("SAMPLE_WATCH", &format!("{} ACME_CREDENTIAL", ours.join(" ")));
    world.sign(KEY, "b.json");
    let asked = plugin.asked();
    assert_eq!(asked.len(), 2);
    for one in asked {
        for name in ours {
            assert!(one["seen"][name].is_null(), "{name}: {one}");
        }
        assert_eq!(one["seen"]["ACME_CREDENTIAL"], "the plugin's");
    }
}
