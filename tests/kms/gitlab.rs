//! Keys in GitLab's variables, on a stand-in that the real Cosign uses too.

use countersign::backends;
use countersign_core::KeyUri;
use countersign_core::conformance::{Rig, run_with};
use serde_json::{Value, json};

use super::world::World;
use crate::support::gitlab::{Gitlab, TOKEN};
use crate::support::{self, stderr, stdout};

const KEY: &str = "gitlab://acme/tools";
const VARIABLES: &str = "projects/acme%2Ftools";
const PASSWORD: &str = "correct-horse";

fn world(gitlab: &Gitlab) -> World {
    let mut world =
        World::new(&[("GITLAB_HOST", &format!("http://{}", gitlab.address())), ("GITLAB_TOKEN", TOKEN)]);
    world.set("HOME", world.path("").to_str().unwrap());
    world
}

/// Makes a key as a user would, with the password from a variable.
fn make(world: &World, uri: &str, flags: &[&str]) {
    let arguments = [&["generate-key-pair", uri], flags].concat();
    let mut command = world.prepare(support::countersign(), &arguments);
    let output = support::run(command.env("COSIGN_PASSWORD", PASSWORD));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains(PASSWORD) && !stdout(&output).contains(PASSWORD));
}

fn value(gitlab: &Gitlab, name: &str) -> Value {
    gitlab.variable(&format!("{VARIABLES}/{name}")).unwrap_or_default()
}

#[test]
fn the_way_of_a_user_and_its_calls() {
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    make(&world, KEY, &[]);
    let kept: Vec<_> = ["COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_PUBLIC_KEY"]
        .map(|name| {
            (value(&gitlab, name)["masked"].clone(), value(&gitlab, name)["environment_scope"].clone())
        })
        .into();
    assert_eq!(kept, [(json!(true), json!("*")), (json!(false), json!("*")), (json!(false), json!("*"))]);
    let saved = std::fs::read_to_string(world.path("cosign.pub")).unwrap();
    assert_eq!(value(&gitlab, "COSIGN_PUBLIC_KEY")["value"].as_str(), Some(saved.as_str()));
    gitlab.asked();

    world.sign(KEY, "b.json");
    let path = "GET /api/v4/projects/acme%2Ftools/variables";
    assert_eq!(gitlab.asked(), [format!("{path}/COSIGN_PRIVATE_KEY"), format!("{path}/COSIGN_PASSWORD")]);
    world.verify(KEY, "b.json");
    assert_eq!(gitlab.asked(), [format!("{path}/COSIGN_PUBLIC_KEY")]);
    world.verify("cosign.pub", "b.json");
    assert_eq!(stdout(&world.ok(&["public-key", "--key", KEY])), saved);
    assert!(stdout(&world.ok(&["keys", "list", KEY])).contains(KEY));
    let found = stdout(&world.ok(&["keys", "doctor", KEY]));
    assert!(found.contains("project acme/tools") && found.contains("password is there"), "{found}");

    std::fs::copy(world.path("changed"), world.path("blob")).unwrap();
    world.refuse_verify(KEY, "b.json", &["another artifact"]);
}

#[test]
fn projects_groups_and_numbers() {
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    let flags = |name: &'static str| ["--output-key-prefix", name];
    for (uri, place, prefix) in [
        ("gitlab://acme", "groups/acme", "a"),
        ("gitlab://acme/sub", "groups/acme%2Fsub", "b"),
        ("gitlab://acme/sub/tools", "projects/acme%2Fsub%2Ftools", "c"),
        // A project and a group have this number: the project is meant, as with Cosign.
        ("gitlab://7", "projects/7", "d"),
    ] {
        make(&world, uri, &flags(prefix));
        assert!(gitlab.variable(&format!("{place}/COSIGN_PRIVATE_KEY")).is_some(), "{uri}");
        world.sign(uri, "b.json");
        world.verify(uri, "b.json");
    }
    // The project's variable is gone; the group's of the same number must not take its place.
    gitlab.set("groups/7/COSIGN_PRIVATE_KEY", gitlab.variable("projects/7/COSIGN_PRIVATE_KEY").unwrap());
    gitlab.set("projects/7/COSIGN_PRIVATE_KEY", Value::Null);
    world.refuse_sign("gitlab://7", &["the project has no variable COSIGN_PRIVATE_KEY", "generate-key-pair"]);
}

#[test]
fn cosign_and_we_accept_each_other() {
    let Some(cosign) = support::cosign() else { return };
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    drop(cosign);
    let cosign = |arguments: &[&str]| {
        let mut command = world.prepare(support::cosign().unwrap(), arguments);
        let output = support::run(command.env("COSIGN_PASSWORD", PASSWORD));
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    };
    let sign = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false", "--key"];
    for (uri, ours) in [(KEY, true), ("gitlab://acme", false)] {
        if ours {
            make(&world, uri, &[]);
        } else {
            std::fs::remove_file(world.path("cosign.pub")).unwrap();
            cosign(&["generate-key-pair", uri]);
        }
        world.sign(uri, "ours.json");
        cosign(&["verify-blob", "--insecure-ignore-tlog", "--key", uri, "--bundle", "ours.json", "blob"]);
        cosign(&[&sign[..], &[uri, "--bundle", "theirs.json", "blob"]].concat());
        world.verify(uri, "theirs.json");
        world.verify("cosign.pub", "theirs.json");
    }
}

#[test]
fn nothing_is_lost_when_a_key_is_made() {
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    let make_with = |flags: &[&str]| {
        let arguments = [&["generate-key-pair", KEY], flags].concat();
        let mut command = world.prepare(support::countersign(), &arguments);
        support::run(command.env("COSIGN_PASSWORD", PASSWORD))
    };
    // The third variable is refused: the first two go again.
    gitlab.set(&format!("{VARIABLES}/COSIGN_PUBLIC_KEY"), Value::Null);
    gitlab.refuse("POST", "variables", 403);
    let output = make_with(&[]);
    assert!(stderr(&output).contains("role Maintainer"), "{}", stderr(&output));
    for name in ["COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_PUBLIC_KEY"] {
        assert_eq!(value(&gitlab, name), Value::Null, "{name}");
    }
    assert!(!world.path("cosign.pub").exists());

    make(&world, KEY, &[]);
    std::fs::remove_file(world.path("cosign.pub")).unwrap();
    let before = value(&gitlab, "COSIGN_PRIVATE_KEY");
    let output = make_with(&[]);
    assert!(stderr(&output).contains("has a variable COSIGN_PASSWORD already"), "{}", stderr(&output));
    // Overwriting fails half-way: what was there comes back, and signs.
    gitlab.refuse("PUT", "COSIGN_PUBLIC_KEY", 403);
    assert!(!make_with(&["-y"]).status.success());
    assert_eq!(value(&gitlab, "COSIGN_PRIVATE_KEY")["value"], before["value"]);
    world.sign(KEY, "b.json");
    world.verify(KEY, "b.json");
    make(&world, KEY, &["-y"]);
    assert_ne!(value(&gitlab, "COSIGN_PRIVATE_KEY")["value"], before["value"]);
}

#[test]
fn a_password_that_is_elsewhere_is_asked_for() {
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    make(&world, KEY, &[]);
    gitlab.set(&format!("{VARIABLES}/COSIGN_PASSWORD"), Value::Null);
    world.refuse_sign(KEY, &["password"]);
    let sign = ["sign-blob", "--tlog-upload=false", "--key", KEY, "--bundle", "b.json", "blob"];
    let mut command = world.prepare(support::countersign(), &sign);
    assert!(support::run(command.env("COSIGN_PASSWORD", PASSWORD)).status.success());
    world.verify(KEY, "b.json");
}

#[test]
fn every_refusal_says_what_to_do() {
    let gitlab = Gitlab::new();
    let mut world = world(&gitlab);
    world.refuse_sign("gitlab://nobody/x", &["neither a project nor a group", "GITLAB_HOST"]);
    world.refuse_sign("gitlab://a/../b", &["\"..\"", "gitlab://GROUP/PROJECT"]);
    make(&world, KEY, &[]);
    for (status, words) in [
        (403, ["may not see or change", "read_api"]),
        (409, ["several environments", "for the environment *"]),
        (418, ["status 418", "GITLAB_HOST"]),
    ] {
        gitlab.asked();
        gitlab.refuse("GET", "COSIGN_PRIVATE_KEY", status);
        world.refuse_sign(KEY, &words);
        assert_eq!(gitlab.asked().len(), 1, "{status} is not repeated");
    }
    // Trouble of the moment is.
    gitlab.refuse("GET", "COSIGN_PRIVATE_KEY", 502);
    gitlab.refuse("GET", "COSIGN_PASSWORD", 429);
    world.sign(KEY, "b.json");

    let place = format!("{VARIABLES}/COSIGN_PRIVATE_KEY");
    let kept = gitlab.variable(&place).unwrap();
    gitlab.set(&place, json!({ "key": "COSIGN_PRIVATE_KEY", "value": null, "hidden": true }));
    world.refuse_sign(KEY, &["hidden"]);
    gitlab.set(&place, json!({ "key": "OTHER", "value": "x" }));
    world.refuse_sign(KEY, &["another variable: OTHER"]);
    gitlab.set(&place, json!(["sesame"]));
    assert!(!world.refuse_sign(KEY, &["not that of a GitLab server"]).contains("sesame"));
    gitlab.set(&place, json!({ "key": "COSIGN_PRIVATE_KEY", "value": "sesame" }));
    assert!(!world.refuse_sign(KEY, &["COSIGN_PRIVATE_KEY of gitlab://acme/tools"]).contains("sesame"));
    gitlab.set(&place, kept);

    world.set("GITLAB_TOKEN", "glpat-wrong");
    world.refuse_sign(KEY, &["does not know the token", "GITLAB_TOKEN"]);
    world.set("GITLAB_TOKEN", "");
    world.refuse_sign(KEY, &["GITLAB_TOKEN is not set", "read_api"]);
    world.set("GITLAB_TOKEN", TOKEN);
    world.set("GITLAB_HOST", "http://gitlab.example.com");
    world.refuse_sign(KEY, &["plain http"]);
}

#[test]
fn gitlab_passes_the_conformance_suite() {
    let gitlab = Gitlab::new();
    let world = world(&gitlab);
    let mut keys = Vec::new();
    for (uri, algorithm) in [
        (KEY, "ecdsa-sha2-256-nistp256"),
        ("gitlab://acme/sub/tools", "ed25519"),
        ("gitlab://7", "ecdsa-sha2-384-nistp384"),
        ("gitlab://acme/sub", "ecdsa-sha2-512-nistp521"),
    ] {
        make(&world, uri, &["-y", "--signing-algorithm", algorithm]);
        keys.push(uri.to_owned());
    }
    let rig = Rig {
        backend: backends::find(&KeyUri::parse(KEY).unwrap()).unwrap(),
        keys,
        secret: Vec::new(),
        // A URI means one place for one key: there is no list of all.
        list: None,
        missing: "gitlab://nobody".to_owned(),
        ambiguous: None,
        locked: None,
        capabilities: include_str!("../../backends/gitlab/capabilities.txt"),
    };
    run_with(&rig, &[("GITLAB_HOST", &format!("http://{}", gitlab.address())), ("GITLAB_TOKEN", TOKEN)]);
}
