//! The rigs themselves, without our library: OpenSC drives each module, OpenSSL judges the signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::child::in_child_with;
use crate::support::tokens::{Chaos, Control, Kryoptic, PIN, Rig, SoftHsm, Swtpm, TOKEN};
use crate::support::{openssl, pkcs11_tool, run, stderr, stdout, succeed};

/// What stands before the point in a public key of P-384 (RFC 5480 2).
const P384: &str = "3076301006072a8648ce3d020106052b81040022036200";
/// The same for P-256.
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// The `CKA_ID` of a key, the same in every rig.
fn id(label: &str) -> &'static str {
    let ids = [
        ("p256", "01"),
        ("p384", "02"),
        ("p521", "03"),
        ("rsa2048", "04"),
        ("rsa3072", "05"),
        ("rsa4096", "06"),
        ("ed25519", "07"),
    ];
    ids.into_iter().find(|(known, _)| *known == label).unwrap().1
}

/// OpenSC's tool on a rig, and a place for its files.
struct Opensc<'a> {
    rig: &'a dyn Rig,
    directory: TempDir,
}

impl<'a> Opensc<'a> {
    fn over(rig: &'a dyn Rig) -> Option<Self> {
        pkcs11_tool()?;
        openssl()?;
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("message"), "a message\n").unwrap();
        let opensc = Self { rig, directory };
        opensc.openssl(&["dgst", "-sha256", "-binary", "-out", "digest", "message"]);
        Some(opensc)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = pkcs11_tool().unwrap();
        command.arg("--module").arg(self.rig.module()).args(["--token-label", TOKEN]).args(arguments);
        run(command.envs(self.rig.environment()).current_dir(&self.directory))
    }

    fn openssl(&self, arguments: &[&str]) {
        succeed(openssl().unwrap().args(arguments).current_dir(&self.directory));
    }

    /// Lists what is there without a PIN: labels of public keys.
    fn public_labels(&self) -> Vec<String> {
        let output = self.run(&["--list-objects", "--type", "pubkey"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let listed = stdout(&output);
        let labels = listed.lines().filter_map(|line| line.trim().strip_prefix("label:"));
        let mut labels: Vec<_> = labels.map(|label| label.trim().to_owned()).collect();
        labels.sort();
        labels
    }

    /// Signs with the key of that label as its type wants it, and verifies with the public key in `public`.
    fn sign_and_verify(&self, label: &str, public: &Path) {
        let public = public.to_str().unwrap();
        let (mechanism, input): (&[&str], _) = match label {
            "ed25519" => (&["EDDSA"], "message"),
            _ if label.starts_with("rsa") => (&["SHA256-RSA-PKCS"], "message"),
            _ => (&["ECDSA", "--signature-format", "openssl"], "digest"),
        };
        // By the label it would take the first key there is.
        let key =
            ["--login", "--pin", PIN, "--sign", "--id", id(label), "-i", input, "-o", "signature", "-m"];
        let output = self.run(&[&key, mechanism].concat());
        assert!(output.status.success(), "{label}: {}", stderr(&output));
        let how: &[&str] = if label.starts_with("rsa") { &["-rawin", "-digest", "sha256"] } else { &[] };
        let how = if label == "ed25519" { &["-rawin"] } else { how };
        let verify =
            ["pkeyutl", "-verify", "-pubin", "-inkey", public, "-sigfile", "signature", "-in", input];
        self.openssl(&[&verify, how].concat());
    }

    /// The public key of an EC pair, from the point that the token tells: OpenSC 0.23 writes no P-384 key itself.
    fn read_public_key(&self, label: &str, before: &str) -> PathBuf {
        let listed = stdout(&self.run(&["--list-objects", "--type", "pubkey"]));
        let (its, _) = listed.split_once(&format!("label:      {label}\n")).unwrap();
        let point = its.rsplit_once("EC_POINT:").unwrap().1.lines().next().unwrap().trim();
        // In an octet string: its tag and length are the first two bytes.
        let key = format!("{before}{}", &point[4..]);
        let bytes: Vec<u8> =
            (0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
        fs::write(self.directory.path().join("public"), bytes).unwrap();
        self.openssl(&["pkey", "-pubin", "-inform", "DER", "-in", "public", "-out", "public.pem"]);
        self.directory.path().join("public.pem")
    }
}

#[test]
fn softhsm_signs_with_every_key_and_each_token_is_its_own() {
    let (Some(one), Some(other)) = (SoftHsm::new(), SoftHsm::new()) else { return };
    let Some(opensc) = Opensc::over(&one) else { return };
    let labels = ["ed25519", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"];
    assert_eq!(opensc.public_labels(), labels);
    for label in labels {
        opensc.sign_and_verify(label, &one.public_key(label));
    }
    let deleted =
        opensc.run(&["--login", "--pin", PIN, "--delete-object", "--type", "pubkey", "--label", "p256"]);
    assert!(deleted.status.success(), "{}", stderr(&deleted));
    assert_eq!(opensc.public_labels().len(), labels.len() - 1);
    assert_eq!(Opensc::over(&other).unwrap().public_labels(), labels);
}

#[test]
fn kryoptic_signs_with_its_keys_and_locks_after_ten_wrong_pins() {
    let Some(kryoptic) = Kryoptic::new() else { return };
    let Some(opensc) = Opensc::over(&kryoptic) else { return };
    let labels = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"];
    assert_eq!(opensc.public_labels(), labels);
    for label in labels {
        opensc.sign_and_verify(label, &kryoptic.public_key(label));
    }
    let log_in = |pin| stderr(&opensc.run(&["--login", "--pin", pin, "--list-objects", "--type", "privkey"]));
    for _ in 1..10 {
        let said = log_in("654321");
        assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
    }
    // The tenth is answered with the lock already.
    for pin in ["654321", PIN] {
        let said = log_in(pin);
        assert!(said.contains("CKR_PIN_LOCKED"), "{said}");
    }
}

#[test]
fn the_tpm_signs_with_its_keys_and_two_of_them_run_at_once() {
    let (Some(one), Some(other)) = (Swtpm::new(), Swtpm::new()) else { return };
    for tpm in [&one, &other] {
        let Some(opensc) = Opensc::over(tpm) else { return };
        assert_eq!(opensc.public_labels(), ["p256", "p384", "rsa2048"]);
        opensc.sign_and_verify("p256", &opensc.read_public_key("p256", P256));
        opensc.sign_and_verify("p384", &opensc.read_public_key("p384", P384));
        assert!(
            opensc
                .run(&["--read-object", "--type", "pubkey", "--label", "rsa2048", "-o", "der"])
                .status
                .success()
        );
        opensc.openssl(&["pkey", "-pubin", "-inform", "DER", "-in", "der", "-out", "rsa.pem"]);
        opensc.sign_and_verify("rsa2048", &opensc.directory.path().join("rsa.pem"));
    }
}

#[test]
fn a_child_has_the_environment_of_the_rig() {
    let test = "pkcs11::rigs::a_child_has_the_environment_of_the_rig";
    if !in_child_with(test, SoftHsm::new) {
        return;
    }
    let configuration = std::env::var_os("SOFTHSM2_CONF").unwrap();
    assert!(Path::new(&configuration).with_file_name("tokens").is_dir());
    assert!(Path::new(&std::env::var_os("COSIGN_PKCS11_MODULE_PATH").unwrap()).is_file());
}

#[test]
fn chaos_fails_the_call_that_its_rules_name_and_no_other() {
    let Some(chaos) = SoftHsm::new().and_then(Chaos::over) else { return };
    let Some(opensc) = Opensc::over(&chaos) else { return };
    let public = chaos.rig().public_key("p256");
    opensc.sign_and_verify("p256", &public);
    assert_eq!((chaos.count("C_Login"), chaos.count("C_Sign")), (1, 1), "{:?}", chaos.log());
    chaos.rules("C_Login 0xa3\n");
    let output = opensc.run(&["--login", "--pin", PIN, "--list-objects"]);
    assert!(stderr(&output).contains("CKR_PIN_EXPIRED"), "{}", stderr(&output));
    assert_eq!(chaos.count("C_Login"), 2);
    chaos.rules("");
    opensc.sign_and_verify("p256", &public);
}

#[test]
fn a_child_controls_the_chaos_of_its_parent() {
    let test = "pkcs11::rigs::a_child_controls_the_chaos_of_its_parent";
    if !in_child_with(test, || SoftHsm::new().and_then(Chaos::over)) {
        return;
    }
    let control = Control::of_this_process();
    control.rules("sessions max=1\n");
    assert_eq!(control.log(), Vec::<String>::new());
}
