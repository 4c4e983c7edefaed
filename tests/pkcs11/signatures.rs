//! What a token may return as a signature: of another key than its public half says, and with halves that begin with zeros.

use std::fs;
use std::process::Stdio;

use countersign::backends;
use countersign_core::{Algorithm, HashAlgorithm, Input, KeyType, KeyUri, conformance, encoding};

use super::commands::{World, openssl_verifies, refused_sign};
use crate::support::child::in_child_with;
use crate::support::tokens::{PIN, Rig, SoftHsm, TOKEN};
use crate::support::{openssl, pkcs11_tool, succeed};

/// One signature in 128 has such a half under P-256 and P-384; that none of so many has one does not happen.
const MOST: usize = 6000;

/// E.2 29: the private key of one pair, the public key of another, under one `CKA_ID`. The signature is good, and nobody
/// could verify it.
#[test]
fn a_signature_of_another_key_never_leaves() {
    let (Some(token), Some(_)) = (SoftHsm::new(), pkcs11_tool()) else { return };
    let world = World::new(&token);
    let opensc = |arguments: &[&str]| {
        let mut command = pkcs11_tool().unwrap();
        command.arg("--module").arg(token.module()).args(["--token-label", TOKEN, "--login", "--pin", PIN]);
        succeed(command.args(arguments).envs(token.environment()).current_dir(world.path("")));
    };
    for (label, id, key_type, made) in [
        ("p256", "01", KeyType::P256, ["EC", "ec_paramgen_curve:P-256"]),
        ("rsa2048", "04", KeyType::Rsa2048, ["RSA", "rsa_keygen_bits:2048"]),
    ] {
        let key = format!("pkcs11:token=countersign;object={label}");
        world.sign(&key, "before.json", Some(PIN));
        let run = |arguments: &[&str]| {
            succeed(openssl().unwrap().args(arguments).current_dir(world.path("")).stdin(Stdio::null()));
        };
        run(&["genpkey", "-algorithm", made[0], "-pkeyopt", made[1], "-out", "other.pem"]);
        run(&["pkey", "-in", "other.pem", "-pubout", "-outform", "DER", "-out", "other.der"]);
        opensc(&["--delete-object", "--type", "pubkey", "--id", id]);
        opensc(&["--write-object", "other.der", "--type", "pubkey", "--label", label, "--id", id]);
        world.refuse(&refused_sign(&key), Some(PIN), &["is withheld"]);
        // The key as it was is not refused for another reason.
        assert!(openssl_verifies(&world, key_type, &token.public_key(label), "before.json", "blob"));
    }
}

/// E.2 29: PKCS#11 v3.0 6.3.1 returns r and s as wide as the field, DER drops their zeros. Signs until the first byte of r
/// has been zero, and that of s, and OpenSSL verifies both. Under P-521 every other signature is of this kind.
#[test]
fn signatures_whose_halves_begin_with_zeros_verify() {
    if !in_child_with("pkcs11::signatures::signatures_whose_halves_begin_with_zeros_verify", SoftHsm::new) {
        return;
    }
    let module = std::env::var("COSIGN_PKCS11_MODULE_PATH").unwrap();
    let directory = tempfile::tempdir().unwrap();
    for key_type in [KeyType::P256, KeyType::P384, KeyType::P521] {
        let label = key_type.name().to_lowercase().replace('-', "");
        let uri = format!("pkcs11:token=countersign;object={label}?module-path={module}");
        let uri = KeyUri::parse(&uri).unwrap();
        let world = conformance::World::with_secret(PIN.as_bytes());
        let backend = backends::find(&uri).unwrap();
        let signer = backend.open_signer(&uri, &world.context()).unwrap();
        let public = fs::canonicalize(std::env::var("SOFTHSM2_CONF").unwrap()).unwrap();
        let public = public.with_file_name("public").join(format!("{label}.pem"));
        let algorithm = key_type.default_algorithm();
        let mut wanted = vec![0, key_type.field_bytes().unwrap()];
        for counter in 0..MOST {
            let message = format!("message {counter}");
            let digest = algorithm.hash().unwrap().digest(message.as_bytes());
            let signature = signer.sign(algorithm, Input::Digest(&digest)).unwrap();
            let halves = encoding::ecdsa_der_to_fixed(key_type, signature.bytes()).unwrap();
            let Some(found) = wanted.iter().position(|at| halves[*at] == 0) else { continue };
            wanted.remove(found);
            fs::write(directory.path().join("message"), &message).unwrap();
            fs::write(directory.path().join("signature"), signature.bytes()).unwrap();
            let mut verify = openssl().unwrap();
            verify.args(["dgst", digest_flag(algorithm), "-verify"]).arg(&public);
            verify.args(["-signature", "signature", "message"]);
            succeed(verify.current_dir(&directory));
            if wanted.is_empty() {
                break;
            }
        }
        assert!(wanted.is_empty(), "{key_type}: no zero at {wanted:?} in {MOST} signatures");
    }
}

fn digest_flag(algorithm: Algorithm) -> &'static str {
    match algorithm.hash().unwrap() {
        HashAlgorithm::Sha256 => "-sha256",
        HashAlgorithm::Sha384 => "-sha384",
        HashAlgorithm::Sha512 => "-sha512",
    }
}
