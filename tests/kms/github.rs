//! Keys in the secrets of GitHub Actions, on a stand-in that the real Cosign uses too.

use countersign::backends;
use countersign_core::KeyUri;
use serde_json::{Value, json};

use super::world::World;
use crate::support::github::{Github, TOKEN};
use crate::support::{self, stderr, stdout};

const KEY: &str = "github://acme/tools";
const PASSWORD: &str = "correct-horse";
const NAMES: [&str; 3] = ["COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_PUBLIC_KEY"];

fn world(github: &Github) -> World {
    let mut world =
        World::new(&[("GITHUB_HOST", &format!("http://{}", github.address())), ("GITHUB_TOKEN", TOKEN)]);
    world.set("HOME", world.path("").to_str().unwrap());
    world
}

fn run_make(world: &World, uri: &str, flags: &[&str]) -> std::process::Output {
    let arguments = [&["generate-key-pair", uri], flags].concat();
    let output =
        support::run(world.prepare(support::countersign(), &arguments).env("COSIGN_PASSWORD", PASSWORD));
    for secret in [PASSWORD, TOKEN] {
        assert!(!stderr(&output).contains(secret) && !stdout(&output).contains(secret));
    }
    output
}

fn make(world: &World, uri: &str, flags: &[&str]) {
    let output = run_make(world, uri, flags);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn refuse_make(world: &World, uri: &str, flags: &[&str], words: &[&str]) {
    let output = run_make(world, uri, flags);
    assert!(!output.status.success());
    for word in words {
        assert!(stderr(&output).contains(word), "{word}: {}", stderr(&output));
    }
}

/// Signs as a workflow does, which gets the secrets as variables, and verifies with the saved public key.
fn sign_in_a_workflow(github: &Github, world: &World, owner: &str) {
    let secret = |name: &str| github.value(&format!("{owner}/{name}")).unwrap();
    assert_eq!(secret("COSIGN_PUBLIC_KEY"), std::fs::read_to_string(world.path("cosign.pub")).unwrap());
    for program in [support::countersign(), support::cosign().unwrap_or_else(support::countersign)] {
        let sign = ["sign-blob", "--yes", "--tlog-upload=false", "--use-signing-config=false", "--key"];
        let arguments = [&sign[..], &["env://COSIGN_PRIVATE_KEY", "--bundle", "b.json", "blob"]].concat();
        let mut command = world.prepare(program, &arguments);
        for name in ["COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY"] {
            command.env(name, secret(name));
        }
        let output = support::run(&mut command);
        assert!(output.status.success(), "{}", stderr(&output));
        world.verify("cosign.pub", "b.json");
        std::fs::remove_file(world.path("b.json")).unwrap();
    }
}

#[test]
fn the_way_of_a_user_and_its_calls() {
    let github = Github::new();
    let world = world(&github);
    make(&world, KEY, &[]);
    let path = "/api/v3/repos/acme/tools/actions/secrets";
    let mut expected = vec![format!("GET {path}/public-key")];
    expected.extend(["GET", "PUT"].iter().flat_map(|verb| NAMES.map(|name| format!("{verb} {path}/{name}"))));
    assert_eq!(github.asked(), expected);
    sign_in_a_workflow(&github, &world, "repos/acme/tools");
    assert!(stdout(&world.ok(&["keys", "list", KEY])).contains(KEY));
    let found = stdout(&world.ok(&["keys", "doctor", KEY]));
    assert!(
        found.contains("repository acme/tools") && found.contains("COSIGN_PRIVATE_KEY is there"),
        "{found}"
    );
    let found = stdout(&world.run(&["keys", "doctor", "github://acme/other"]));
    assert!(found.contains("no secret COSIGN_PRIVATE_KEY"), "{found}");
    assert_eq!(stdout(&world.ok(&["keys", "list", "github://acme/other"])).matches(KEY).count(), 0);
}

#[test]
fn organizations_say_who_sees_the_secrets() {
    let github = Github::new();
    let world = world(&github);
    make(&world, "github://acme", &["--signing-algorithm", "ed25519"]);
    assert_eq!(
        NAMES.map(|name| github.visibility(&format!("orgs/acme/{name}"))),
        [(); 3].map(|()| json!("private"))
    );
}

#[test]
fn cosign_makes_a_key_there_and_we_sign_with_it() {
    let Some(cosign) = support::cosign() else { return };
    let github = Github::new();
    let world = world(&github);
    let mut command = world.prepare(cosign, &["generate-key-pair", KEY]);
    let output = support::run(command.env("COSIGN_PASSWORD", PASSWORD));
    assert!(output.status.success(), "{}", stderr(&output));
    sign_in_a_workflow(&github, &world, "repos/acme/tools");
}

#[test]
fn nothing_is_lost_when_a_key_is_made() {
    let github = Github::new();
    let world = world(&github);
    let values = || NAMES.map(|name| github.value(&format!("repos/acme/tools/{name}")));
    github.refuse("PUT", "COSIGN_PUBLIC_KEY", 403, json!({}));
    refuse_make(&world, KEY, &[], &["cannot write the secret COSIGN_PUBLIC_KEY", "Secrets"]);
    assert_eq!((values(), world.path("cosign.pub").exists()), ([None, None, None], false));

    make(&world, KEY, &[]);
    let before = values();
    std::fs::remove_file(world.path("cosign.pub")).unwrap();
    refuse_make(&world, KEY, &[], &["there is a secret COSIGN_PASSWORD already", "-y"]);
    assert_eq!((values(), world.path("cosign.pub").exists()), (before.clone(), false));
    // Half of what was overwritten cannot come back: that is told.
    github.refuse("PUT", "COSIGN_PRIVATE_KEY", 403, json!({}));
    refuse_make(&world, KEY, &["-y"], &["COSIGN_PASSWORD, COSIGN_PRIVATE_KEY", "again with -y"]);
    make(&world, KEY, &["-y"]);
    assert!(values().iter().zip(&before).skip(1).all(|(now, before)| now != before));
    sign_in_a_workflow(&github, &world, "repos/acme/tools");
}

#[test]
fn every_refusal_says_what_to_do() {
    let github = Github::new();
    let mut world = world(&github);
    make(&world, KEY, &[]);
    world.refuse_sign(KEY, &["never gives the value", "--key env://COSIGN_PRIVATE_KEY"]);
    world.refuse(&["public-key", "--key", KEY], &["never gives the value", "env://COSIGN_PUBLIC_KEY"]);
    world.refuse_sign("github://acme/..", &["\"..\"", "github://OWNER/REPOSITORY"]);
    refuse_make(&world, "github://acme/nobody", &["-y"], &["no such repository", "Organization secrets"]);
    world.refuse(&["keys", "list", "github://nobody"], &["no such repository"]);
    for (status, word) in [(403, "may not see or change"), (418, "status 418")] {
        github.asked();
        github.refuse("GET", "public-key", status, json!({}));
        refuse_make(&world, KEY, &["-y"], &[word]);
        assert_eq!(github.asked().len(), 1, "{status} is not repeated");
    }
    // Trouble of the moment is.
    github.refuse("GET", "public-key", 502, json!({}));
    github.refuse("PUT", "COSIGN_PASSWORD", 429, json!({}));
    make(&world, KEY, &["-y"]);
    for key in [json!(["sesame"]), json!({ "key_id": "1", "key": "c2VzYW1l" }), Value::Null] {
        github.refuse("GET", "public-key", 200, key);
        refuse_make(&world, KEY, &["-y"], &["not that of a GitHub server"]);
    }
    world.set("GITHUB_TOKEN", "ghp_wrong");
    refuse_make(&world, KEY, &["-y"], &["does not know the token", "GITHUB_TOKEN"]);
    world.set("GITHUB_TOKEN", "");
    refuse_make(&world, KEY, &["-y"], &["GITHUB_TOKEN is not set"]);
    world.set("GITHUB_TOKEN", TOKEN);
    world.set("GITHUB_HOST", "http://github.example.com");
    refuse_make(&world, KEY, &["-y"], &["plain http"]);
}

#[test]
fn its_abilities_are_those_of_a_place_that_is_only_written() {
    let backend = backends::find(&KeyUri::parse(KEY).unwrap()).unwrap();
    let abilities: Vec<_> =
        backend.abilities().iter().map(|ability| format!("ability {}\n", ability.name())).collect();
    assert_eq!(
        abilities.concat(),
        include_str!("../../backends/github/capabilities.txt")
            .split_inclusive('\n')
            .skip(1)
            .collect::<String>()
    );
}
