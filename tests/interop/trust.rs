//! Trust from a TUF repository of our own: each tool initialises from it, signs and verifies without naming a file, and finds
//! what the other one cached.

use std::path::Path;
use std::process::Command;

use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, CHANGED, Rig};
use crate::support::sigstore::Sigstore;
use crate::support::tuf::{Repository, Server};
use crate::support::{self, succeed};

struct World {
    rig: Rig,
    repository: Repository,
    server: Server,
    /// Kept alive: the log and the authority that the repository names.
    _services: std::sync::Arc<Sigstore>,
}

impl World {
    fn new() -> Option<Self> {
        let services = Sigstore::shared()?;
        let rig = Rig::new()?;
        support::cosign()?;
        let read = |path| std::fs::read(path).expect("a file of the rig");
        let repository = Repository::new(&[
            ("trusted_root.json", &read(services.trusted_root())),
            ("signing_config.v0.2.json", &read(services.signing_config())),
        ])?;
        let server = Server::new(&repository.path());
        Some(Self { rig, repository, server, _services: services })
    }

    /// One of the two tools with the cache of that name, and no other word of where trust comes from.
    fn tool(&self, ours: bool, cache: &str, arguments: &[&str]) -> Command {
        let mut command = if ours { self.rig.ours(arguments) } else { self.rig.cosign(arguments) };
        command.env("TUF_ROOT", self.rig.path(cache)).env_remove("TUF_MIRROR");
        command
    }

    fn initialize(&self, ours: bool, cache: &str) {
        let root = self.repository.first_root().display().to_string();
        let arguments = ["initialize", "--mirror", self.server.address(), "--root", &root];
        succeed(&mut self.tool(ours, cache, &arguments));
    }

    fn sign(&self, ours: bool, cache: &str, bundle: &str) {
        let key = rig::sealed_by_ours(KeyType::P256);
        let arguments = ["sign-blob", "-y", "--key", &key, "--bundle", bundle, ARTIFACT];
        succeed(&mut self.tool(ours, cache, &arguments));
    }

    fn verify(&self, ours: bool, cache: &str, bundle: &str, artifact: &str) -> std::process::Output {
        let key = rig::public(KeyType::P256);
        let arguments = ["verify-blob", "--key", &key, "--bundle", bundle, artifact];
        self.tool(ours, cache, &arguments).output().expect("it starts")
    }
}

#[test]
fn a_bare_sign_and_verify_take_services_and_trust_from_the_repository_and_from_either_cache() {
    let Some(world) = World::new() else { return };
    for by_us in [true, false] {
        let cache = format!("cache-{by_us}");
        world.initialize(by_us, &cache);
        for signed_by_us in [true, false] {
            let bundle = format!("{cache}-{signed_by_us}.bundle");
            world.sign(signed_by_us, &cache, &bundle);
            for verified_by_us in [true, false] {
                let said = format!("cache by us {by_us}, signed {signed_by_us}, verified {verified_by_us}");
                let answer = world.verify(verified_by_us, &cache, &bundle, ARTIFACT);
                assert!(answer.status.success(), "{said}: {}", rig::said(&answer));
                let refused = world.verify(verified_by_us, &cache, &bundle, CHANGED);
                assert!(!refused.status.success(), "{said}: accepts another file");
            }
        }
    }
}

#[test]
fn both_lay_the_cache_out_alike() {
    let Some(world) = World::new() else { return };
    let mut listed = Vec::new();
    for ours in [true, false] {
        let cache = format!("laid-out-{ours}");
        world.initialize(ours, &cache);
        let mut files = Vec::new();
        list(&world.rig.path(&cache), "", &mut files);
        // The way from the first root to the last is kept by us alone.
        files.retain(|name| !name.contains("root_history"));
        files.sort();
        listed.push(files);
    }
    assert_eq!(listed[0], listed[1]);
    assert!(listed[0].iter().any(|name| name.ends_with("/targets/trusted_root.json")), "{:?}", listed[0]);
}

fn list(at: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(at).expect("a directory").map_while(Result::ok) {
        let name = format!("{prefix}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            list(&entry.path(), &name, files);
        } else {
            files.push(name);
        }
    }
}
