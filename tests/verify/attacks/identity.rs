//! Who signed is who was demanded, and nobody with a similar name (numbers 18 to 20).

use countersign::verify::{Check, Identity, Matcher};
use x509_cert::ext::pkix::name::GeneralName;

use crate::support::{countersign, run, stderr};
use crate::verify::forge::case::{By, identity};
use crate::verify::forge::certificates::{FULCIO, ISSUER, NAME, email, other_name, text, uri};
use crate::verify::forge::{Case, Leaf, Signer, WORLD};

/// A signature by somebody with these names.
fn named(names: Vec<GeneralName>) -> Case {
    Case::logged(&WORLD.certified(&Leaf { names, ..Leaf::default() }))
}

/// The same where this name is demanded.
fn demanding(case: &Case, name: Matcher) -> Case {
    case.by(By::Identity(Identity { name, ..identity() }))
}

fn exact(name: &str) -> Matcher {
    Matcher::Exact(name.to_owned())
}

#[test]
fn e2_18_a_pattern_is_for_the_whole_name() {
    let (org, evil) =
        (named(vec![uri("https://forge.example/org")]), named(vec![uri("https://forge.example/org-evil")]));
    let pattern = Matcher::pattern(r"https://forge\.example/org").unwrap();
    demanding(&org, pattern.clone()).accepted();
    demanding(&evil, pattern).refused(Check::Identity);
    // Alternatives do not slip out of the anchors.
    let either = Matcher::pattern(r"https://forge\.example/(org)|x").unwrap();
    demanding(&org, either.clone()).accepted();
    demanding(&evil, either).refused(Check::Identity);
    // Only Cosign's own flag searches anywhere.
    let anywhere = Matcher::search(r"https://forge\.example/org").unwrap();
    demanding(&org, anywhere.clone()).accepted();
    demanding(&evil, anywhere).accepted();
    let before = named(vec![uri("https://evil.example/?https://forge.example/org")]);
    demanding(&before, Matcher::pattern(r"https://forge\.example/org").unwrap()).refused(Check::Identity);
    // And issuers likewise.
    let issued = |pattern: &str| {
        let issuer = Some(Matcher::pattern(pattern).unwrap());
        org.by(By::Identity(Identity { name: exact("https://forge.example/org"), issuer, ..identity() }))
    };
    issued(r"https://token\.forge\.example").accepted();
    issued(r"https://token\.forge").refused(Check::Issuer);
}

#[test]
fn e2_18_an_empty_pattern_or_name_is_nobody_s() {
    for pattern in [Matcher::pattern(""), Matcher::search("")] {
        assert!(pattern.unwrap_err().contains("empty"));
    }
    demanding(&named(vec![uri(NAME)]), exact("")).refused(Check::Identity);
    let output = verify_blob(&["--certificate-identity-regexp", "", "--certificate-oidc-issuer", ISSUER]);
    assert!(output.contains("is no pattern to verify with"), "{output}");
    let output = verify_blob(&["--certificate-identity", "", "--certificate-oidc-issuer", ISSUER]);
    assert!(output.contains("--certificate-identity is empty"), "{output}");
}

#[test]
fn e2_18_a_fact_that_the_certificate_does_not_state() {
    named(vec![uri(NAME)]).accepted();
    named(Vec::new()).refused(Check::Identity);
    let any = Matcher::pattern(".*").unwrap();
    demanding(&named(Vec::new()), any.clone()).refused(Check::Identity);
    // Neither issuer extension, and one that every issuer would satisfy.
    let unissued = Case::logged(&WORLD.certified(&Leaf { facts: Vec::new(), ..Leaf::default() }));
    unissued.by(By::Identity(Identity { issuer: None, ..identity() })).accepted();
    unissued.refused(Check::Issuer);
    unissued.by(By::Identity(Identity { issuer: Some(any.clone()), ..identity() })).refused(Check::Issuer);
    let stating = |extension: &'static str| {
        let extensions = vec![(extension, any.clone())];
        named(vec![uri(NAME)]).by(By::Identity(Identity { extensions, ..identity() }))
    };
    stating("sourceRepositoryURI").accepted();
    stating("sourceRepositoryRef").refused(Check::Extension);
}

#[test]
fn e2_18_the_issuer_in_either_extension_and_in_two_that_differ() {
    let issued =
        |facts: Vec<(u32, Vec<u8>)>| Case::logged(&WORLD.certified(&Leaf { facts, ..Leaf::default() }));
    let (old, new) = ((1, ISSUER.as_bytes().to_vec()), (8, text(ISSUER)));
    issued(vec![old.clone(), new.clone()]).accepted();
    issued(vec![old.clone()]).accepted();
    issued(vec![new.clone()]).accepted();
    issued(vec![(1, b"https://evil.example".to_vec()), new.clone()]).refused(Check::Certificate);
    issued(vec![old.clone(), (8, text("https://evil.example"))]).refused(Check::Certificate);
    // Twice the same extension: one reader takes the first, another the last.
    issued(vec![new.clone(), (8, text("https://evil.example"))]).refused(Check::Certificate);
    issued(vec![old.clone(), old.clone()]).refused(Check::Certificate);
    // The new one as bare text, as only the old one is.
    issued(vec![(8, ISSUER.as_bytes().to_vec())]).refused(Check::Certificate);
    issued(vec![(1, text(ISSUER))]).refused(Check::Issuer);
}

#[test]
fn e2_18_names_of_several_kinds() {
    named(vec![uri(NAME)]).accepted();
    named(vec![uri("https://forge.example/else"), uri(NAME)]).accepted();
    named(vec![uri(NAME), email("somebody@forge.example")]).refused(Check::Identity);
    named(vec![email("somebody@forge.example"), uri(NAME)]).refused(Check::Identity);
    // A user name is a kind of its own, and other kinds of other names are none.
    let user = |kind: &str| demanding(&named(vec![other_name(kind, "user")]), exact("user"));
    user(&format!("{FULCIO}7")).accepted();
    user(&format!("{FULCIO}6")).refused(Check::Identity);
    user("1.3.6.1.4.1.311.20.2.3").refused(Check::Identity);
    let both = named(vec![other_name(&format!("{FULCIO}7"), "user"), email("user")]);
    demanding(&both, exact("user")).refused(Check::Identity);
}

#[test]
fn e2_18_a_name_is_compared_character_by_character() {
    let case = named(vec![email("somebody@forge.example")]);
    demanding(&case, exact("somebody@forge.example")).accepted();
    for name in [
        "Somebody@forge.example",
        "somebody@forge.example ",
        "somebody@forge.exampl",
        "somebody@forge.example\0",
        "@forge.example",
        "somebody@f\u{43e}rge.example",
    ] {
        demanding(&case, exact(name)).refused(Check::Identity);
    }
}

#[test]
fn e2_19_a_reusable_workflow_and_its_caller() {
    let case = named(vec![uri(NAME)]);
    let by = |builder: &str, caller: &str| {
        let extensions = vec![("buildSignerURI", exact(builder)), ("sourceRepositoryURI", exact(caller))];
        case.by(By::Identity(Identity { extensions, ..identity() }))
    };
    let builder = "https://forge.example/org/builder/.github/workflows/build.yml@refs/tags/v2";
    let caller = "https://forge.example/org/app";
    by(builder, caller).accepted();
    let refusal = by("https://forge.example/org/builder/.github/workflows/build.yml@refs/tags/v1", caller)
        .refused(Check::Extension);
    assert!(refusal.expected().starts_with("buildSignerURI"), "{refusal}");
    let refusal = by(builder, "https://forge.example/org/other").refused(Check::Extension);
    assert!(refusal.expected().starts_with("sourceRepositoryURI"), "{refusal}");
    by(caller, builder).refused(Check::Extension);
}

/// What `verify-blob` says to these flags, where it must not succeed.
fn verify_blob(flags: &[&str]) -> String {
    let (code, said) = verified(&Case::logged(&WORLD.signer()), flags);
    assert_ne!(code, Some(0), "{flags:?} accepted");
    said
}

/// The exit code, and what was said.
fn verified(case: &Case, flags: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: String| std::fs::write(directory.path().join(name), content).unwrap();
    let der = case.bundle.pointer("/verificationMaterial/certificate/rawBytes").unwrap().as_str().unwrap();
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    let key = countersign_core::PublicKey::from_pem_or_der(certificate.as_bytes()).unwrap();
    write("artifact", String::from_utf8(case.artifact.clone()).unwrap());
    write("bundle", case.bundle.to_string());
    write("root", case.trusted_root.to_string());
    write("key.pub", key.to_pem());
    write("certificate.pem", certificate);
    write("other.pem", WORLD.signer().certificate.unwrap().pem());
    write("policy.yaml", "version: 1\nsigners: {a: {key: key.pub}}\nrequire: a\n".to_owned());
    let mut command = countersign();
    command.current_dir(directory.path()).args([
        "verify-blob",
        "--bundle",
        "bundle",
        "--trusted-root",
        "root",
    ]);
    let output = run(command.args(flags).arg("artifact"));
    (output.status.code(), stderr(&output))
}

#[test]
fn e2_20_identity_flags_are_never_silently_unused() {
    let case = Case::logged(&WORLD.signer());
    let accepted = |flags: &[&str]| {
        let (code, said) = verified(&case, flags);
        assert_eq!(code, Some(0), "{flags:?}: {said}");
    };
    let identity = ["--certificate-identity", NAME, "--certificate-oidc-issuer", ISSUER];
    accepted(&identity);
    accepted(&["--key", "key.pub"]);
    accepted(&["--policy-file", "policy.yaml"]);
    for flag in [
        "certificate-identity",
        "certificate-identity-pattern",
        "certificate-identity-regexp",
        "certificate-oidc-issuer",
        "certificate-oidc-issuer-pattern",
        "certificate-oidc-issuer-regexp",
        "certificate-github-workflow-name",
        "certificate-github-workflow-ref",
        "certificate-github-workflow-repository",
        "certificate-github-workflow-sha",
        "certificate-github-workflow-trigger",
    ] {
        let flag = format!("--{flag}");
        let said = verify_blob(&["--key", "key.pub", &flag, "x"]);
        assert!(said.contains(&format!("a key and {flag} each say who signed")), "{said}");
    }
    let said = verify_blob(&["--key", "key.pub", "--certificate-extension", "buildTrigger=x"]);
    assert!(said.contains("a key and --certificate-extension each say who signed"), "{said}");
    let said = verify_blob(&[&identity[..], &["--policy-file", "policy.yaml"]].concat());
    assert!(said.contains("--certificate-identity says it again"), "{said}");
    // Half an identity is nobody, and a certificate beside the bundle must be the bundle's.
    let said = verify_blob(&identity[..2]);
    assert!(said.contains("an identity needs its issuer"), "{said}");
    let said = verify_blob(&identity[2..]);
    assert!(said.contains("an identity needs the signer's name"), "{said}");
    let with = |file: &'static str| [&identity[..], &["--certificate", file]].concat();
    accepted(&with("certificate.pem"));
    let said = verify_blob(&with("other.pem"));
    assert!(said.contains("the bundle has another certificate or key"), "{said}");
    // A key's bundle satisfies no identity.
    let bare = Case::logged(&Signer::bare());
    bare.accepted();
    bare.by(By::Identity(crate::verify::forge::case::identity())).refused(Check::Certificate);
}
