//! `initialize`, and trust from a TUF repository: what is asked and when, and every way in which a repository can be wrong
//! (number 27 of the attacks that the project must withstand).

use std::fs;
use std::process::Command;

use super::world::{Ended, World};
use crate::support::tuf::{Repository, Server};

/// A trusted root that names nobody.
const ROOT: &[u8] = br#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
const CONFIG: &[u8] = br#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#;

struct Scene {
    world: World,
    repository: Repository,
    server: Server,
}

impl Scene {
    fn new() -> Option<Self> {
        let world = World::new()?;
        let repository =
            Repository::new(&[("trusted_root.json", ROOT), ("signing_config.v0.2.json", CONFIG)])?;
        let server = Server::new(&repository.path());
        world.write("blob", "blob");
        world.sign("blob");
        Some(Self { world, repository, server })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("TUF_ROOT", "cache");
        command
    }

    fn initialize(&self) -> Ended {
        let root = self.repository.first_root().display().to_string();
        let arguments = ["initialize", "--mirror", self.server.address(), "--root", &root];
        self.world.end(&mut self.command(&arguments))
    }

    /// A verification that needs the trusted root; the bundle has no log entry, so it is refused once the root is there.
    fn verify(&self, flags: &[&str]) -> Ended {
        let arguments = [&["verify-blob", "--key", "key.pub"], flags, &["blob"]].concat();
        self.world.end(&mut self.command(&arguments))
    }

    /// The root was there, and said nothing of the bundle.
    fn finds_trust(&self, flags: &[&str]) {
        let ended = self.verify(flags);
        ended.says(&["log"]);
        ended.says_nothing_of(&["TUF"]);
    }

    fn age(&self) {
        let name = self.server.address().trim_start_matches("http://").replace(':', "-");
        self.world.write(&format!("cache/{name}.json"), r#"{"lastTimestamp":"2020-01-01T00:00:00Z"}"#);
    }
}

#[test]
fn asks_once_a_day_and_offline_never() {
    let Some(mut scene) = Scene::new() else { return };
    scene.initialize().ok();
    assert!(scene.server.take().contains(&"timestamp.json".to_owned()));
    scene.finds_trust(&[]);
    scene.finds_trust(&["--offline"]);
    assert_eq!(scene.server.take(), [""; 0], "the cache is of today");
    scene.repository.publish_next();
    scene.age();
    scene.finds_trust(&["--offline"]);
    assert_eq!(scene.server.take(), [""; 0], "offline asks nobody");
    scene.finds_trust(&[]);
    let asked = scene.server.take();
    assert!(asked.contains(&"2.snapshot.json".to_owned()), "{asked:?}");
    scene.finds_trust(&[]);
    assert_eq!(scene.server.take(), [""; 0], "asked a moment ago");
}

#[test]
fn says_what_it_trusts_and_where_that_lies() {
    let Some(scene) = Scene::new() else { return };
    let ended = scene.initialize().ok();
    ended.says(&[scene.server.address(), "root version 1", "2099-01-01", "kept in cache"]);
    assert_eq!(
        scene.world.read("cache/remote.json"),
        format!(r#"{{"mirror":"{}"}}"#, scene.server.address())
    );
}

#[test]
fn follows_the_roots_one_by_one_and_remembers_the_way() {
    let Some(mut scene) = Scene::new() else { return };
    let first = scene.world.path("first.json");
    fs::copy(scene.repository.first_root(), &first).expect("a copy");
    // Both root keys change in two steps, each signed by the old keys and the new ones.
    scene.repository.root.version = 2;
    scene.repository.root.keys = vec![2, 3];
    scene.repository.root.signers = vec![0, 1, 2, 3];
    scene.repository.publish();
    let arguments = ["initialize", "--mirror", scene.server.address(), "--root", "first.json"];
    let ended = scene.world.end(&mut scene.command(&arguments)).ok();
    ended.says(&["root version 2"]);
    scene.finds_trust(&["--offline"]);
    // A third one that the second one's keys did not sign.
    scene.repository.root.version = 3;
    scene.repository.root.signers = vec![0, 1];
    scene.repository.publish();
    scene.age();
    let ended = scene.verify(&[]);
    ended.failed(&["root metadata has 0 valid signatures", "needs 2"]);
}

#[test]
fn refuses_a_repository_that_is_wrong_in_any_way() {
    type Spoil = fn(&mut Repository);
    let cases: &[(&str, Spoil, &[&str])] = &[
        (
            "expired timestamp",
            |it| it.timestamp.expires = "2020-01-01T00:00:00Z",
            &["timestamp metadata was valid until 2020", "clock"],
        ),
        (
            "expired snapshot",
            |it| it.snapshot.expires = "2020-01-01T00:00:00Z",
            &["snapshot metadata was valid until 2020"],
        ),
        (
            "expired targets",
            |it| it.targets.expires = "2020-01-01T00:00:00Z",
            &["targets metadata was valid until 2020"],
        ),
        (
            "expired root",
            |it| {
                it.root.version = 2;
                it.root.expires = "2020-01-01T00:00:00Z";
            },
            &["root metadata was valid until 2020"],
        ),
        (
            "timestamp by a stranger",
            |it| it.timestamp.signers = vec![0],
            &["timestamp metadata has 0 valid signatures"],
        ),
        (
            "targets by a stranger",
            |it| it.targets.signers = vec![2],
            &["targets metadata has 0 valid signatures"],
        ),
        (
            "root below its threshold",
            |it| {
                it.root.version = 2;
                it.root.signers = vec![0];
            },
            &["has 1 valid signatures", "needs 2"],
        ),
        (
            "one key twice for a threshold of two",
            |it| {
                it.root.version = 2;
                it.root.signers = vec![0, 0];
            },
            &["signed twice"],
        ),
        (
            "a root that skips a version",
            |it| {
                it.root.version = 3;
                it.publish();
                fs::rename(it.path().join("3.root.json"), it.path().join("2.root.json")).expect("a file");
            },
            &["after version 1", "version 3"],
        ),
        (
            "one key under two names",
            |it| {
                it.doubles = vec![("another", 2)];
                it.root.version = 2;
            },
            &["one key under two names"],
        ),
        (
            "no trusted root",
            |it| {
                it.files.remove("trusted_root.json");
            },
            &["has no trusted_root.json"],
        ),
        (
            "a trusted root that is none",
            |it| {
                it.files.insert("trusted_root.json".into(), b"{}".to_vec());
            },
            &["media type"],
        ),
    ];
    for (name, spoil, parts) in cases {
        let Some(mut scene) = Scene::new() else { return };
        spoil(&mut scene.repository);
        if !name.contains("skips") {
            scene.repository.publish();
        }
        let ended = scene.initialize();
        ended.failed(parts);
        let left = fs::read_dir(scene.world.path("cache")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{name}: something is left in the cache");
    }
}

#[test]
fn refuses_what_goes_back_or_was_changed_on_the_way() {
    let Some(mut scene) = Scene::new() else { return };
    scene.repository.publish_next();
    scene.initialize().ok();
    // An older timestamp, an older snapshot below a newer timestamp.
    scene.repository.timestamp.version = 1;
    scene.repository.publish();
    scene.age();
    scene.verify(&[]).failed(&["version 1 of its timestamp", "version 2 was seen before"]);
    scene.repository.timestamp.version = 3;
    scene.repository.snapshot.version = 1;
    scene.repository.publish();
    scene.verify(&[]).failed(&["went back", "snapshot"]);
    scene.repository.snapshot.version = 3;
    scene.repository.targets.version = 1;
    scene.repository.publish();
    scene.verify(&[]).failed(&["went back", "targets.json"]);
    // The attempts changed nothing for those who stay with what they have.
    scene.finds_trust(&["--offline"]);
    // A target with another content than was signed.
    scene.repository.targets.version = 3;
    scene.repository.timestamp.version = 4;
    scene.repository.snapshot.version = 4;
    scene.repository.files.insert("trusted_root.json".into(), [ROOT, b" "].concat());
    scene.repository.publish();
    let targets = scene.repository.path().join("targets");
    for entry in fs::read_dir(targets).expect("a directory").map_while(Result::ok) {
        fs::write(entry.path(), b"{}").expect("a file");
    }
    scene.verify(&[]).failed(&["trusted_root.json"]);
}

#[test]
fn a_cache_that_somebody_changed_or_that_is_out_of_date_is_not_believed() {
    let Some(mut scene) = Scene::new() else { return };
    scene.initialize().ok();
    let name = scene.server.address().trim_start_matches("http://").replace(':', "-");
    let place = format!("cache/{name}/targets/trusted_root.json");
    let good = scene.world.read(&place);
    scene.world.write(&place, good.replace("0.1", "0.2"));
    scene.verify(&["--offline"]).failed(&["trusted_root.json", "--offline"]);
    scene.finds_trust(&[]);
    assert_eq!(scene.world.read(&place), good, "it was fetched anew");
    scene.repository.timestamp.expires = "2020-01-01T00:00:00Z";
    scene.repository.timestamp.version = 2;
    scene.repository.publish();
    fs::copy(
        scene.repository.path().join("timestamp.json"),
        scene.world.path(&format!("cache/{name}/timestamp.json")),
    )
    .expect("a copy");
    scene.verify(&["--offline"]).failed(&["timestamp metadata was valid until 2020"]);
}

#[test]
fn without_the_network_says_what_else_can_be_done() {
    let Some(scene) = Scene::new() else { return };
    scene.verify(&[]).failed(&["tuf-repo-cdn.sigstore.dev", "--trusted-root", "--offline"]);
    let sign = ["sign-blob", "-y", "--key", "key.pem", "blob"];
    let ended = scene.world.end(&mut scene.command(&sign));
    ended.failed(&["tuf-repo-cdn.sigstore.dev", "--signing-config", "--tlog-upload=false"]);
    scene.verify(&["--offline"]).failed(&["cached", "tuf-repo-cdn.sigstore.dev", "run it once without"]);
    let staging = scene.world.end(&mut scene.command(&["initialize", "--staging"]));
    staging.failed(&["tuf-repo-cdn.sigstage.dev"]);
}

#[test]
fn another_repository_needs_a_root_of_its_own() {
    let Some(scene) = Scene::new() else { return };
    let mut command = scene.command(&["verify-blob", "--key", "key.pub", "blob"]);
    let ended = scene.world.end(command.env("TUF_MIRROR", scene.server.address()));
    ended.failed(&["no root of it is known", "initialize --mirror", "TUF_ROOT_JSON"]);
    let ended = scene.world.end(&mut scene.command(&["initialize", "--mirror", scene.server.address()]));
    ended.failed(&["no root of it is known"]);
    assert_eq!(scene.server.take(), [""; 0]);
    // Sigstore's own root does not vouch for it either.
    scene.world.write("other.json", "{}");
    let arguments = ["initialize", "--mirror", scene.server.address(), "--root", "other.json"];
    scene.world.end(&mut scene.command(&arguments)).failed(&["cannot use the TUF repository"]);
}

#[test]
fn initialize_reads_directories_and_holds_a_root_to_its_checksum() {
    let Some(scene) = Scene::new() else { return };
    let root = scene.repository.first_root();
    let content = fs::read(&root).expect("the root");
    let sha256 = countersign_core::HashAlgorithm::Sha256.digest(&content).hex();
    let sha512 = format!("sha512:{}", countersign_core::HashAlgorithm::Sha512.digest(&content).hex());
    let mirror = format!("file://{}", scene.repository.path().display());
    let served = format!("{}/1.root.json", scene.server.address());
    let initialize = |root: &str, more: &[&str]| {
        let arguments = [&["initialize", "--mirror", &mirror, "--root", root], more].concat();
        scene.world.end(&mut scene.command(&arguments))
    };
    let root = root.display().to_string();
    initialize(&root, &[]).ok();
    scene.finds_trust(&[]);
    for checksum in [&sha256, &sha512] {
        initialize(&root, &["--root-checksum", checksum]).ok();
        initialize(&served, &["--root-checksum", checksum]).ok();
    }
    let wrong = sha256.replace(|letter: char| letter.is_ascii_digit(), "0");
    initialize(&root, &["--root-checksum", &wrong]).failed(&["its digest is", &sha256]);
    initialize(&root, &["--root-checksum", "md5:00"]).failed(&["sha512:HEX"]);
    initialize(&served, &[]).failed(&["plain http", "--root-checksum"]);
    initialize(&format!("{served}.missing"), &["--root-checksum", &sha256]).failed(&["status 404"]);
    let unreachable = ["initialize", "--mirror", "file://relative", "--root", &root];
    scene.world.end(&mut scene.command(&unreachable)).failed(&["absolute path"]);
    // None of the refusals took what was there.
    scene.finds_trust(&["--offline"]);
}

#[test]
fn a_repository_without_a_signing_config_serves_verifiers() {
    let Some(mut scene) = Scene::new() else { return };
    scene.repository.files.remove("signing_config.v0.2.json");
    scene.repository.publish();
    let ended = scene.initialize().ok();
    ended.says(&["there is no signing_config.v0.2.json"]);
    scene.finds_trust(&[]);
    let ended = scene.world.end(&mut scene.command(&["sign-blob", "-y", "--key", "key.pem", "blob"]));
    ended.failed(&["it has no signing_config.v0.2.json", "--signing-config"]);
}

#[test]
fn a_damaged_note_of_the_mirror_is_told() {
    let Some(scene) = Scene::new() else { return };
    fs::create_dir(scene.world.path("cache")).expect("a directory");
    for note in ["", "[]", "{\"mirror\":1}"] {
        scene.world.write("cache/remote.json", note);
        scene.verify(&[]).failed(&["remote.json", "initialize"]);
    }
}
