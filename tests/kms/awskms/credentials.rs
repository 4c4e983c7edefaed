//! Who we are: what is tried, in which order, and what a refusal says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{World, world};
use crate::support::ministack::Ministack;
use crate::support::stdout;

const KEY: &str = "awskms:///alias/p256";

/// A world without the owner's access key.
fn without_keys(server: &Ministack) -> World {
    let mut world = world(server);
    let home = world.path("").to_str().unwrap().to_owned();
    world.set("HOME", &home);
    world.set("AWS_ACCESS_KEY_ID", "");
    world.set("AWS_SECRET_ACCESS_KEY", "");
    world
}

#[test]
fn without_credentials_it_says_what_was_tried() {
    let Some(server) = Ministack::shared() else { return };
    let world = without_keys(&server);
    world
        .refuse_sign(KEY, &["no credentials; tried AWS_ACCESS_KEY_ID, the profile in ~/.aws", "AWS_PROFILE"]);
    world.refuse_sign("awskms:///alias/p256?profile=ci", &["no credentials; tried the profile ci"]);
}

#[test]
fn profiles_and_roles_sign() {
    let Some(server) = Ministack::shared() else { return };
    let mut world = without_keys(&server);
    fs::create_dir(world.path(".aws")).unwrap();
    let profile = "[ci]\naws_access_key_id = test\naws_secret_access_key = sesame\n";
    fs::write(world.path(".aws/credentials"), profile).unwrap();
    fs::write(world.path(".aws/config"), "[profile ci]\nregion = us-east-1\n").unwrap();
    world.sign("awskms:///alias/p256?profile=ci", "b.json");
    // The region is the profile's too.
    world.set("AWS_REGION", "");
    world.sign("awskms:///alias/p256?profile=ci", "b.json");
    let hint = "set AWS_REGION, or write the key's full ARN or ?region= into the URI";
    world.refuse_sign(KEY, &["neither the key URI nor AWS_REGION", hint]);
    world.set("AWS_PROFILE", "ci");
    world.sign(KEY, "b.json");
    let said = stdout(&world.ok(&[
        "keys",
        "doctor",
        "awskms:///alias/p256?profile=ci&role=arn:aws:iam::000000000000:role/signer",
    ]));
    assert!(
        said.contains("the role arn:aws:iam::000000000000:role/signer, assumed by the profile ci"),
        "{said}"
    );
}

#[test]
fn a_program_gives_credentials_unless_commands_are_forbidden() {
    let Some(server) = Ministack::shared() else { return };
    let mut world = without_keys(&server);
    fs::create_dir(world.path(".aws")).unwrap();
    let ran = world.path("ran");
    let answer = r#"{ "Version": 1, "AccessKeyId": "test", "SecretAccessKey": "sesame" }"#;
    let program = world.path("login");
    fs::write(&program, format!("#!/bin/sh\ntouch '{}'\necho '{answer}'\n", ran.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let role = "role_arn = arn:aws:iam::000000000000:role/signer";
    let config = format!(
        "[default]\ncredential_process = {0}\n[profile ci]\ncredential_process = {0}\n\
         [profile assumed]\n{role}\nsource_profile = between\n[profile between]\n{role}\nsource_profile = ci\n\
         [profile one]\n{role}\nsource_profile = two\n[profile two]\n{role}\nsource_profile = one\n\
         [profile plain]\naws_access_key_id = test\naws_secret_access_key = sesame\n",
        program.display()
    );
    fs::write(world.path(".aws/config"), config).unwrap();
    let of = |profile: &str| format!("{KEY}?profile={profile}");
    world.set("COUNTERSIGN_NO_COMMANDS", "1");
    let why = "its credential_process is a program, and COUNTERSIGN_NO_COMMANDS forbids commands";
    for (key, profile) in [(KEY.to_owned(), "default"), (of("ci"), "ci"), (of("assumed"), "ci")] {
        world
            .refuse_sign(&key, &[&format!("cannot use the profile {profile} in ~/.aws"), why, "AWS_PROFILE"]);
    }
    let said = stdout(&world.run(&["keys", "doctor", KEY]));
    assert!(said.contains(why), "{said}");
    assert!(!ran.exists(), "the program ran");
    // What runs no program is as it was: another profile, one that leads in a circle, an access key of the environment.
    world.sign(&of("plain"), "b.json");
    world.refuse_sign(&of("one"), &["no credentials; tried the profile one"]);
    world.set("AWS_ACCESS_KEY_ID", "test");
    world.set("AWS_SECRET_ACCESS_KEY", "sesame");
    world.sign(KEY, "b.json");
    assert!(!ran.exists(), "the program ran");
    world.set("AWS_ACCESS_KEY_ID", "");
    world.set("AWS_SECRET_ACCESS_KEY", "");
    world.set("COUNTERSIGN_NO_COMMANDS", "");
    world.sign(&of("ci"), "b.json");
    assert!(ran.exists(), "the program did not run");
}

#[test]
fn a_user_without_a_policy_is_told_which_one() {
    let Some(server) = Ministack::new("auth") else { return };
    let mut world = world(&server);
    world.sign(KEY, "b.json");
    server.iam("Action=CreateUser&UserName=signer&Version=2010-05-08");
    let made = server.iam("Action=CreateAccessKey&UserName=signer&Version=2010-05-08");
    let field = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        made.split(&open).nth(1).and_then(|rest| rest.split(&close).next()).unwrap().to_owned()
    };
    world.set("AWS_ACCESS_KEY_ID", &field("AccessKeyId"));
    world.set("AWS_SECRET_ACCESS_KEY", &field("SecretAccessKey"));
    world.refuse_sign(KEY, &["kms:GetPublicKey is not allowed", "allow kms:GetPublicKey on the key"]);
    world
        .refuse(&["generate-key-pair", "--kms", "awskms:///alias/new"], &["kms:GetPublicKey is not allowed"]);
    world.refuse(&["keys", "list", "awskms:///"], &["kms:ListAliases is not allowed"]);
    world.set("AWS_SECRET_ACCESS_KEY", "certainly-wrong");
    world.refuse_sign(KEY, &["are not accepted", "access key and secret belong together"]);
    world.set("AWS_ACCESS_KEY_ID", "AKIANOBODYKNOWSTHIS1");
    world.refuse_sign(KEY, &["are not accepted"]);
}
