//! The flag machinery of Cosign: variables for flags, old spellings, `--output-file`, and what must be said aloud.

use super::world::{SIGN, VERIFY, World};

fn world() -> Option<World> {
    let world = World::new()?;
    world.write("blob", "blob");
    Some(world)
}

#[test]
fn doing_without_a_log_must_be_said() {
    let Some(world) = world() else { return };
    let words = ["tuf-repo-cdn.sigstore.dev", "hint: name the services", "--tlog-upload=false"];
    world.refuse(&["sign-blob", "--key", "key.pem", "blob"], &words);
    world.refuse(&["sign-blob", "--key", "key.pem", "--tlog-upload=true", "blob"], &words);
    world.sign("blob");
    let verify = ["verify-blob", "--key", "key.pub", "blob"];
    world.refuse(&verify, &["tuf-repo-cdn.sigstore.dev", "hint: ", "--insecure-ignore-tlog"]);
    world.refuse(&[&verify[..], &["--insecure-ignore-tlog=false"]].concat(), &["--insecure-ignore-tlog"]);
    // A trusted root without logs: then none holds the signature.
    world.write("root.json", r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.2+json"}"#);
    let words =
        ["cannot verify blob", "log", "expected at least 1, found 0", "hint: pass --insecure-ignore-tlog"];
    world.refuse(&[&verify[..], &["--trusted-root", "root.json"]].concat(), &words);
    let ended = world.run(&[&VERIFY[..], &["--key", "key.pub", "blob"]].concat()).ok();
    ended.says(&["WARNING: the transparency log is not checked", "Verified OK"]);
}

#[test]
fn signing_configs_serve_when_they_name_no_service() {
    let Some(world) = world() else { return };
    let config = |services: &str| {
        format!(r#"{{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"{services}}}"#)
    };
    world.write("none.json", config(""));
    world.write("log.json", config(r#","rekorTlogUrls":[{"url":"https://log.example"}]"#));
    world.write("tsa.json", config(r#","tsaUrls":[{"url":"https://tsa.example"}]"#));
    world.write("unknown.json", config(r#","surprise":1"#));
    let sign = |name: &'static str| ["sign-blob", "--key", "key.pem", "--signing-config", name, "blob"];
    world
        .refuse(&sign("log.json"), &["log.json", "its transparency logs: 0 of 1 can be asked now", "hint: "]);
    world.refuse(&sign("tsa.json"), &["tsa.json", "its timestamp authorities: 0 of 1", "hint: "]);
    world.refuse(&sign("unknown.json"), &["unknown.json", "unknown field"]);
    world.refuse(&sign("blob"), &["cannot use the signing config blob"]);
    world.refuse(&sign("absent"), &["absent"]);
    world.run(&sign("none.json")).ok();
}

#[test]
fn every_flag_can_come_from_a_variable() {
    let Some(world) = world() else { return };
    let mut sign = world.command(&["sign-blob", "blob"]);
    sign.env("COSIGN_KEY", "key.pem").env("COSIGN_TLOG_UPLOAD", "false").env("COSIGN_BUNDLE", "b.json");
    world.end(&mut sign).ok();
    assert!(world.exists("b.json"));
    // The command line comes before the variable, and an empty variable is none.
    let mut sign = world.command(&[&SIGN[..], &["--key", "key.pem", "--bundle", "c.json", "blob"]].concat());
    sign.env("COSIGN_KEY", "absent").env("COSIGN_BUNDLE", "d.json").env("COSIGN_SIGNING_ALGORITHM", "");
    world.end(&mut sign).ok();
    assert!(world.exists("c.json") && !world.exists("d.json"));
    let mut wrong = world.command(&["sign-blob", "--key", "key.pem", "blob"]);
    world.refuse_command(
        wrong.env("COSIGN_TLOG_UPLOAD", "maybe"),
        &["--tlog-upload", "expected true or false"],
    );
    let mut generate = world.command(&["generate-key-pair"]);
    generate.env("COSIGN_OUTPUT_KEY_PREFIX", "made").env("COSIGN_PASSWORD", "");
    world.end(&mut generate).ok();
    assert!(world.exists("made.key") && world.exists("made.pub"));
    // What contradicts is not ignored when a variable asks for it.
    let mut verify =
        world.command(&[&VERIFY[..], &["--key", "key.pub", "--bundle", "b.json", "blob"]].concat());
    verify.env("COSIGN_CERTIFICATE_IDENTITY", "me@example.com");
    world.refuse_command(&mut verify, &["--certificate-identity", "each say who signed"]);
}

#[test]
fn a_variable_that_weakens_a_check_is_told_of_and_reported() {
    let Some(world) = world() else { return };
    world.sign("blob");
    let mut verify = world.command(&["verify-blob", "--key", "key.pub", "--report", "blob"]);
    let ended = world.end(verify.env("COSIGN_INSECURE_IGNORE_TLOG", "true")).ok();
    ended.says(&["WARNING: ", "COSIGN_INSECURE_IGNORE_TLOG is set", "unproven"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("the report is JSON");
    let lines =
        |place: &str| report.pointer(place).and_then(|list| list.as_array().cloned()).unwrap_or_default();
    let warnings = lines("/warnings");
    assert!(
        warnings
            .iter()
            .any(|line| line.as_str().is_some_and(|line| line.contains("COSIGN_INSECURE_IGNORE_TLOG"))),
        "{report}"
    );
    let not_proven = lines("/items/0/notProven");
    assert!(not_proven.iter().any(|line| line.as_str().is_some_and(|line| line.contains("log"))), "{report}");
}

/// E.2 20: what names an identity is never silently unused.
#[test]
fn identity_flags_are_never_silently_unused() {
    let Some(world) = world() else { return };
    world.sign("blob");
    let base = [&VERIFY[..], &["--key", "key.pub", "blob"]].concat();
    world.run(&base).ok();
    for flag in [
        "--certificate-identity=me@example.com",
        "--certificate-identity-regexp=.*",
        "--certificate-oidc-issuer=https://issuer.example",
        "--certificate-oidc-issuer-regexp=.*",
        "--certificate-github-workflow-ref=refs/heads/main",
        "--cert-identity=me@example.com",
        "--certificate-extension=buildSignerURI=x",
    ] {
        let name = flag.split('=').next().expect("a name").replace("--cert-", "--certificate-");
        world.refuse(&[&base[..], &[flag]].concat(), &[&name, "each say who signed"]);
    }
    for flag in
        ["--certificate=key.pub", "--certificate-chain=key.pub", "--ca-roots=key.pub", "--cert=key.pub"]
    {
        world.refuse(&[&base[..], &[flag]].concat(), &["key.pub", "PUBLIC KEY"]);
    }
    let both = ["--signature", "x", "--bundle", "blob.sigstore.json"];
    world.refuse(&[&base[..], &both].concat(), &["--signature", "--bundle"]);
    let two = ["--signing-algorithm", "ecdsa-sha2-256-nistp256", "--signature-digest-algorithm", "sha256"];
    world.refuse(&[&base[..], &two].concat(), &["--signing-algorithm", "--signature-digest-algorithm"]);
    world.refuse(
        &["verify-blob", "--insecure-ignore-tlog", "blob"],
        &["who should have signed", "hint: pass --key"],
    );
    world.refuse(&["sign-blob", "--tlog-upload=false", "blob"], &["signing needs a key", "hint: "]);
}

#[test]
fn old_spellings_are_taken_with_a_warning() {
    let Some(world) = world() else { return };
    let ended = world.run(&["sign-blob", "-key", "key.pem", "-tlog-upload=false", "blob"]).ok();
    ended.says(&["WARNING: -key is an old spelling: write --key", "write --tlog-upload=false"]);
    let ended = world.run(&["sign-blob", "-key", "key.pem", "-tlog-upload=false", "--y", "blob"]).ok();
    ended.says(&["--y is an old spelling: write -y"]);
    // A file of such a name is given after two dashes.
    world.write("-key", "a file");
    world
        .run(&[&SIGN[..], &["--key", "key.pem", "--bundle", "b", "--", "-key"]].concat())
        .ok()
        .says_nothing_of(&["old spelling"]);
}

#[test]
fn standard_output_can_go_to_a_file() {
    let Some(world) = world() else { return };
    let ended = world.run(&["public-key", "--key", "key.pem", "--output-file", "out.pem"]).ok();
    assert_eq!(ended.stdout, "");
    assert_eq!(world.read("out.pem"), world.read("key.pub"));
    let words = ["cannot create absent/out", "error during command execution: cannot create absent/out"];
    world.refuse(&["version", "--output-file", "absent/out"], &words);
    world.run(&["--output-file", "v.txt", "version"]).ok();
    assert!(world.read("v.txt").contains("GitVersion:"));
}

#[test]
fn wrong_usage_ends_with_both_lines_and_code_1() {
    let Some(world) = world() else { return };
    for (arguments, words) in [
        (
            &["sign-blob", "--nonsense", "blob"][..],
            &["unknown flag: --nonsense", "hint: see: countersign help"][..],
        ),
        (&["nonsense"], &["unknown command \"nonsense\" for \"countersign\""]),
        (&["sign-blob", "--timeout", "soon", "blob"], &["\"soon\" is no duration", "--timeout"]),
        (&["sign-blob", "--timeout", "0s", "blob"], &["leaves no time at all"]),
        (&["sign-blob", "--signing-algorithm", "rot13", "blob"], &["rot13"]),
        (&["verify-blob", "--max-workers", "0", "blob"], &["--max-workers"]),
        (&["verify-blob"], &["missing: ", "FILE"]),
        (&["help", "nonsense"], &["unknown command \"nonsense\""]),
        (&["completion", "csh"], &["csh"]),
        (&["public-key"], &["there is no key", "hint: name it with --key"]),
        (&["keys", "nonsense"], &["nonsense"]),
    ] {
        world.refuse(arguments, words);
    }
}

#[test]
fn verbose_says_more() {
    let Some(world) = world() else { return };
    world.write("more", "more");
    let quiet = world.run(&[&SIGN[..], &["--key", "key.pem", "-y", "blob", "more"]].concat()).ok();
    quiet.says_nothing_of(&["debug: "]);
    let loud = world.run(&[&SIGN[..], &["--key", "key.pem", "-y", "-d", "blob", "more"]].concat()).ok();
    loud.says(&["debug: Wrote bundle to file blob.sigstore.json"]);
}
