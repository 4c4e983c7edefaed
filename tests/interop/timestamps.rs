//! An authority of OpenSSL's that states fractions of a second, which few do and RFC 3161 allows: both tools take them.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::KeyType;

use super::rig::{self, ARTIFACT, Rig, SIGN, VERIFY};
use crate::support;

const CONFIGURATION: &str = "\
[req]
distinguished_name = none
[none]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = authority
[authority]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.2
digests = sha256
clock_precision_digits = 6
ess_cert_id_alg = sha256
";

/// The authority's certificate and root, in files of these names.
fn authority(rig: &Rig) {
    rig.write("tsa.conf", CONFIGURATION.as_bytes());
    rig.write("serial", b"01\n");
    let (root, signer) = (rig::plain(KeyType::P384), rig::plain(KeyType::P256));
    let made = |arguments: &[&str]| support::succeed(&mut rig.openssl(arguments));
    let common = ["-config", "tsa.conf", "-days", "2"];
    let own = [
        "req",
        "-x509",
        "-new",
        "-key",
        &root,
        "-subj",
        "/CN=root",
        "-extensions",
        "root",
        "-out",
        "root.pem",
    ];
    made(&[&own[..], &common].concat());
    made(&[
        "req",
        "-new",
        "-key",
        &signer,
        "-subj",
        "/CN=authority",
        "-config",
        "tsa.conf",
        "-out",
        "tsa.csr",
    ]);
    let issue = [
        "x509",
        "-req",
        "-in",
        "tsa.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        &root,
        "-CAcreateserial",
        "-days",
        "2",
    ];
    made(&[&issue[..], &["-extfile", "tsa.conf", "-extensions", "signer", "-out", "tsa.pem"]].concat());
    rig.write("chain.pem", &[rig.read("tsa.pem"), rig.read("root.pem")].concat());
}

#[test]
fn fractions_of_a_second_are_taken_as_cosign_takes_them() {
    let Some(rig) = Rig::new() else { return };
    authority(&rig);
    let (private, public) = (rig::plain(KeyType::P256), rig::public(KeyType::P256));
    let bare = ["--new-bundle-format=false", "--output-signature", "sig", "--key", &private, ARTIFACT];
    support::succeed(&mut rig.ours(&[&SIGN[..], &bare].concat()));
    // An authority signs what it is shown; the fraction is left out where it happens to be zero.
    let signature = STANDARD.decode(rig.read("sig").trim_ascii()).expect("base64");
    rig.write("raw", &signature);
    support::succeed(
        &mut rig.openssl(&["ts", "-query", "-data", "raw", "-sha256", "-cert", "-out", "query"]),
    );
    let reply = [
        "ts",
        "-reply",
        "-config",
        "tsa.conf",
        "-queryfile",
        "query",
        "-signer",
        "tsa.pem",
        "-inkey",
        &private,
    ];
    let stated = loop {
        support::succeed(&mut rig.openssl(&[&reply[..], &["-out", "reply"]].concat()));
        let text =
            support::stdout(&support::succeed(&mut rig.openssl(&["ts", "-reply", "-in", "reply", "-text"])));
        let stated = text.lines().find(|line| line.starts_with("Time stamp:")).expect("its time").to_owned();
        if stated.contains('.') {
            break stated;
        }
    };
    let response = STANDARD.encode(rig.read("reply"));
    let file = serde_json::json!({"SignedRFC3161Timestamp": response});
    fs::write(rig.path("stamp.json"), file.to_string()).expect("our own file");
    let given = [
        "--new-bundle-format=false",
        "--key",
        &public,
        "--signature",
        "sig",
        "--rfc3161-timestamp",
        "stamp.json",
    ];
    let given =
        [&given[..], &["--timestamp-certificate-chain", "chain.pem", "--use-signed-timestamps", ARTIFACT]]
            .concat();
    for (tool, mut command) in [
        ("countersign", rig.ours(&[&VERIFY[..], &given].concat())),
        ("cosign", rig.cosign(&[&VERIFY[..], &given].concat())),
    ] {
        let output = support::run(&mut command);
        assert!(output.status.success(), "{tool}, {stated}: {}", rig::said(&output));
    }
    // Over another signature it proves nothing, fraction or not.
    rig.write("raw", b"another");
    support::succeed(
        &mut rig.openssl(&["ts", "-query", "-data", "raw", "-sha256", "-cert", "-out", "query"]),
    );
    support::succeed(&mut rig.openssl(&[&reply[..], &["-out", "reply"]].concat()));
    let file = serde_json::json!({"SignedRFC3161Timestamp": STANDARD.encode(rig.read("reply"))});
    fs::write(rig.path("stamp.json"), file.to_string()).expect("our own file");
    let output = support::run(&mut rig.ours(&[&VERIFY[..], &given].concat()));
    assert!(support::stderr(&output).contains("over another signature"), "{}", rig::said(&output));
}
