//! Signing and verifying with OpenSSL's program, which knows bare signatures alone.

use std::process::Command;

use countersign_core::{Algorithm, HashAlgorithm, Scheme};

use super::rig::{self, Rig};
use crate::support;

/// The salt as long as the hash, as the registry's PSS rows have it.
const PSS: [&str; 4] = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
/// From OpenSSL 3.2 on.
const ED25519PH: [&str; 2] = ["-pkeyopt", "instance:Ed25519ph"];

/// Writes the raw signature to `signature`.
pub(super) fn sign(rig: &Rig, algorithm: Algorithm, artifact: &str, signature: &str) -> Command {
    let key = rig::plain(algorithm.key_type());
    rig.openssl(&match digest_flag(algorithm) {
        Some(hash) => {
            [&["dgst", hash], options(algorithm), &["-sign", &key, "-out", signature, artifact]].concat()
        }
        None => {
            let files = ["-inkey", &key, "-in", artifact, "-out", signature];
            [&["pkeyutl", "-sign", "-rawin"], options(algorithm), &files].concat()
        }
    })
}

/// Holds the raw signature against the artifact and the public key.
pub(super) fn verify(rig: &Rig, algorithm: Algorithm, key: &str, artifact: &str, signature: &str) -> Command {
    rig.openssl(&match digest_flag(algorithm) {
        Some(hash) => {
            [&["dgst", hash], options(algorithm), &["-verify", key, "-signature", signature, artifact]]
                .concat()
        }
        None => {
            let files = ["-pubin", "-inkey", key, "-in", artifact, "-sigfile", signature];
            [&["pkeyutl", "-verify", "-rawin"], options(algorithm), &files].concat()
        }
    })
}

/// Whether this OpenSSL has Ed25519ph.
pub(super) fn has_ed25519ph(rig: &Rig) -> bool {
    let version = support::stdout(&support::succeed(&mut rig.openssl(&["version"])));
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next(), parts.next()) >= (Some(3), Some(2))
}

/// `None` for both kinds of Ed25519, which `dgst` does not do.
fn digest_flag(algorithm: Algorithm) -> Option<&'static str> {
    match (algorithm.scheme(), algorithm.hash()) {
        (Scheme::Ed25519 | Scheme::Ed25519ph, _) | (_, None) => None,
        (_, Some(HashAlgorithm::Sha256)) => Some("-sha256"),
        (_, Some(HashAlgorithm::Sha384)) => Some("-sha384"),
        (_, Some(HashAlgorithm::Sha512)) => Some("-sha512"),
    }
}

fn options(algorithm: Algorithm) -> &'static [&'static str] {
    match algorithm.scheme() {
        Scheme::RsaPss => &PSS,
        Scheme::Ed25519ph => &ED25519PH,
        Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::Ed25519 => &[],
    }
}
