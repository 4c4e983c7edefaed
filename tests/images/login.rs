//! Who we are at registries, and to whom that is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::world::{SIGN, VERIFY, World, said};
use crate::support;
use crate::support::exchange::Message;
use crate::support::front::{Front, answer};
use crate::support::registry::Offers;

const PASSWORD: &str = "sesame-under-the-stone";

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("me:{PASSWORD}")))
}

/// A registry that wants a name and a password for everything.
fn with_basic(world: &World) -> Front {
    Front::new(world.registry.address(), |request, _| {
        let shown = request.header("authorization");
        let challenge = [("www-authenticate", r#"Basic realm="registry""#)];
        (shown != Some(&basic())).then(|| {
            answer(401, &challenge, br#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#)
        })
    })
}

/// A registry that sends to a giver of tokens, and takes only its tokens; the giver wants to see `shown`.
fn with_tokens(world: &World, shown: &'static (dyn Fn(&Message) -> bool + Sync)) -> (Front, Front) {
    let giver = Front::new("", move |request, _| {
        Some(match shown(request) {
            true => answer(200, &[("content-type", "application/json")], br#"{"token":"good"}"#),
            false => answer(401, &[], b"{}"),
        })
    });
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"registry\"", giver.address());
    let front = Front::new(world.registry.address(), move |request, _| {
        let is_good = request.header("authorization") == Some("Bearer good");
        (!is_good).then(|| answer(401, &[("www-authenticate", &realm)], b"{}"))
    });
    (front, giver)
}

fn docker_login(world: &World, host: &str, entry: serde_json::Value) {
    std::fs::create_dir_all(world.path(".docker")).unwrap();
    world.write(".docker/config.json", &json!({"auths": {host: entry}}).to_string());
}

fn image(world: &World, front: &Front) -> String {
    format!("{}/app@{}", front.address(), world.registry.image("app", "v1", "app"))
}

fn round(world: &World, name: &str, more: &[&str]) {
    world.succeed(&[&SIGN[..], &["--again", "--key", "key.pem"], more, &[name]].concat());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub"], more, &[name]].concat());
}

#[test]
fn a_name_and_a_password_open_a_registry() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let front = with_basic(&world);
    let name = image(&world, &front);
    let sign = [&SIGN[..], &["--key", "key.pem", &name]].concat();
    world.refuse(&sign, 1, "UNAUTHORIZED, who are you");
    let verify = [&VERIFY[..], &["--key", "key.pub", &name]].concat();
    world.refuse(&verify, 1, "docker login");
    round(&world, &name, &["--registry-username", "me", "--registry-password", PASSWORD]);
    let wrong = ["--registry-username", "me", "--registry-password", "wrong-and-secret"];
    let words = world.refuse(&[&VERIFY[..], &["--key", "key.pub"], &wrong, &[&name]].concat(), 1, "401");
    assert!(!words.contains("wrong-and-secret"));
    docker_login(&world, front.address(), json!({"auth": STANDARD.encode(format!("me:{PASSWORD}"))}));
    round(&world, &name, &[]);
    // Where nothing is asked nothing is shown.
    let plain = Front::new(world.registry.address(), |_, _| None);
    docker_login(&world, plain.address(), json!({"auth": STANDARD.encode(format!("me:{PASSWORD}"))}));
    round(&world, &image(&world, &plain), &[]);
    assert!(plain.take().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn tokens_are_fetched_with_what_was_logged_in_with_and_once() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    // Anonymous, by name and password, and by a refresh token, which is sent in a form.
    let (front, giver) = with_tokens(&world, &|request| request.header("authorization").is_none());
    let name = image(&world, &front);
    world.succeed(&[&SIGN[..], &["--key", "key.pem", &name]].concat());
    let asked = giver.asked();
    assert_eq!(asked.len(), 1, "one token does for all: {asked:?}");
    assert!(
        asked[0].contains("scope=repository%3Aapp%3Apull%2Cpush") && asked[0].contains("service=registry"),
        "{asked:?}"
    );
    let (front, _giver) = with_tokens(&world, &|request| request.header("authorization") == Some(&basic()));
    let name = image(&world, &front);
    world.refuse(&[&VERIFY[..], &["--key", "key.pub", &name]].concat(), 1, "docker login");
    round(&world, &name, &["--registry-username", "me", "--registry-password", PASSWORD]);
    let (front, _giver) = with_tokens(&world, &|request| {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        request.start.starts_with("POST")
            && form.contains("grant_type=refresh_token")
            && form.contains("refresh_token=%72%74")
    });
    docker_login(&world, front.address(), json!({"identitytoken": "rt"}));
    round(&world, &image(&world, &front), &[]);
    let (front, giver) = with_tokens(&world, &|_| false);
    round(&world, &image(&world, &front), &["--registry-token", "good"]);
    assert!(giver.take().is_empty(), "who brings a token needs none");
}

/// A token may end in the middle of the work.
#[test]
fn a_token_that_ends_is_fetched_again() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let giver = Front::new("", |_, number| {
        Some(answer(200, &[], format!(r#"{{"access_token":"t{number}"}}"#).as_bytes()))
    });
    let realm = format!("Bearer realm=\"http://{}/token\"", giver.address());
    let front = Front::new(world.registry.address(), move |request, number| {
        // Each token is good for three requests.
        let good = format!("Bearer t{}", number / 4);
        (request.header("authorization") != Some(&good))
            .then(|| answer(401, &[("www-authenticate", &realm)], b"{}"))
    });
    let output = world.run(&[&SIGN[..], &["--key", "key.pem", &image(&world, &front)]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert!(giver.take().len() > 1);
}

/// E.2 25: neither where a challenge nor where a redirect leads.
#[test]
fn credentials_go_nowhere_else() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    // Another host on this machine: it listens, and must hear nothing.
    let stranger = Front::new("", |_, _| Some(answer(200, &[], br#"{"token":"stolen"}"#)));
    let port = stranger.address().split(':').nth(1).unwrap().to_owned();
    let realm = format!("Bearer realm=\"http://localhost:{port}/token\"");
    let front = Front::new(world.registry.address(), move |_, _| {
        Some(answer(401, &[("www-authenticate", &realm)], b"{}"))
    });
    let name = image(&world, &front);
    let login = ["--registry-username", "me", "--registry-password", PASSWORD];
    let verify = [&VERIFY[..], &["--key", "key.pub"], &login, &[&name]].concat();
    world.refuse(&verify, 1, "which is no part of it");
    assert!(stranger.take().is_empty());
    // Who says so by name means it.
    let mut command = world.command(&verify);
    support::run(command.env("COUNTERSIGN_REGISTRY_REALMS", "localhost"));
    assert!(!stranger.take().is_empty());

    // A blob that is stored elsewhere is fetched there, without a word of who we are.
    let signed = world.signed("stored", &[]);
    let backend = world.registry.address().to_owned();
    let store = Front::new(&backend, |_, _| None);
    let elsewhere = format!("http://localhost:{}", store.address().split(':').nth(1).unwrap());
    let front = Front::new(&backend, move |request, _| {
        if request.header("authorization") != Some(&basic()) {
            return Some(answer(401, &[("www-authenticate", "Basic")], b"{}"));
        }
        let there = format!("{elsewhere}{}", request.path());
        (request.start.starts_with("GET") && request.path().contains("/blobs/"))
            .then(|| answer(307, &[("location", &there)], b""))
    });
    let name = format!("{}/stored@{}", front.address(), signed.split('@').nth(1).unwrap());
    world.succeed(&[&VERIFY[..], &["--key", "key.pub"], &login, &[&name]].concat());
    let asked = store.take();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").is_none());
}

#[cfg(unix)]
#[test]
fn a_helper_keeps_the_credentials() {
    use std::os::unix::fs::PermissionsExt;
    let Some(world) = World::new(Offers::Referrers) else { return };
    let front = with_basic(&world);
    let name = image(&world, &front);
    std::fs::create_dir_all(world.path(".docker")).unwrap();
    std::fs::create_dir_all(world.path("bin")).unwrap();
    let config = json!({"credHelpers": {front.address(): "test"}});
    world.write(".docker/config.json", &config.to_string());
    let script = |body: &str| {
        let path = world.path("bin/docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let bin = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let run = |no_commands: &str| {
        let mut command = world.command(&[&VERIFY[..], &["--key", "key.pub", &name]].concat());
        support::run(command.env("PATH", &bin).env("COUNTERSIGN_NO_COMMANDS", no_commands))
    };
    world.succeed(
        &[
            &SIGN[..],
            &["--key", "key.pem", "--registry-username", "me", "--registry-password", PASSWORD, &name],
        ]
        .concat(),
    );
    script(&format!(
        r#"read host; [ "$1" = get ] && [ "$host" = {} ] && echo '{{"ServerURL":"x","Username":"me","Secret":"{PASSWORD}"}}'"#,
        front.address()
    ));
    let output = run("");
    assert!(output.status.success(), "{}", said(&output));
    let output = run("1");
    assert!(said(&output).contains("forbids commands"), "{}", said(&output));
    for (body, words) in [
        ("echo 'credentials not found in native keychain'; exit 1", "docker login"),
        ("echo sesame; exit 3", "it ended with exit status: 3"),
        ("echo sesame-json", "no JSON"),
        ("yes sesame", "writes more than"),
    ] {
        script(body);
        let output = run("");
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words), "{body}: {said}");
        assert!(!said.contains("sesame"), "{body}: {said}");
    }
    std::fs::remove_file(world.path("bin/docker-credential-test")).unwrap();
    let output = run("");
    assert!(said(&output).contains("PATH has no such program"), "{}", said(&output));
}

#[test]
fn files_of_credentials_that_cannot_be_read_are_named_and_not_shown() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let front = with_basic(&world);
    let name = image(&world, &front);
    std::fs::create_dir_all(world.path(".docker")).unwrap();
    for content in ["{\"auths\": {\"x\": {\"auth\": \"sesame", "sesame", "[]"] {
        world.write(".docker/config.json", content);
        let said = world.refuse(&[&VERIFY[..], &["--key", "key.pub", &name]].concat(), 1, "config.json");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn login_keeps_what_the_registry_takes_and_nothing_else() {
    let Some(world) = World::new(Offers::Referrers) else { return };
    let front = with_basic(&world);
    let login = |password: &str| {
        let mut command = world.command(&["login", front.address(), "-u", "me", "--password-stdin"]);
        super::world::with_input(&mut command, password)
    };
    let output = login("wrong-and-secret\n");
    let words = said(&output);
    assert!(
        !output.status.success() && words.contains("401") && !words.contains("wrong-and-secret"),
        "{words}"
    );
    assert!(!world.path(".docker/config.json").exists(), "what was refused is not kept");
    std::fs::create_dir_all(world.path(".docker")).unwrap();
    world.write(".docker/config.json", r#"{"HttpHeaders":{"x":"y"},"auths":{"r.io":{"auth":"bTpw"}}}"#);
    let output = login(&format!("{PASSWORD}\n"));
    assert!(output.status.success() && !said(&output).contains(PASSWORD), "{}", said(&output));
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.path(".docker/config.json")).unwrap()).unwrap();
    assert_eq!((&kept["HttpHeaders"]["x"], &kept["auths"]["r.io"]["auth"]), (&json!("y"), &json!("bTpw")));
    round(&world, &image(&world, &front), &[]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(world.path(".docker/config.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else may read it");
    }
    assert!(!login("\n").status.success());
}
