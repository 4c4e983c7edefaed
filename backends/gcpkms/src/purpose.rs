//! Keys that are not for signing, told by the service's names of algorithms: what a key is for is settled when it is made.

use countersign_core::error::{Error, ErrorKind};

/// The purpose of a key of this algorithm ("CryptoKeyPurpose" and "CryptoKeyVersionAlgorithm" in the Cloud KMS API reference);
/// `None` for signing and for what is not known.
pub(crate) fn other_than_signing(algorithm: &str) -> Option<&'static str> {
    // Those for signing come first: EC_SIGN_…, PQ_SIGN_…, RSA_SIGN_….
    if algorithm.contains("_SIGN_") {
        return None;
    }
    match algorithm {
        "GOOGLE_SYMMETRIC_ENCRYPTION" | "EXTERNAL_SYMMETRIC_ENCRYPTION" => Some("ENCRYPT_DECRYPT"),
        _ if algorithm.starts_with("AES_") => Some("RAW_ENCRYPT_DECRYPT"),
        _ if algorithm.starts_with("HMAC_") => Some("MAC"),
        _ if algorithm.contains("_DECRYPT_") => Some("ASYMMETRIC_DECRYPT"),
        _ if algorithm.starts_with("ML_KEM_") || algorithm.starts_with("KEM_") => Some("KEY_ENCAPSULATION"),
        _ => None,
    }
}

/// Why nothing is signed with a key of this algorithm, and what to make in its place.
pub(crate) fn refusal(algorithm: &str, act: &str) -> Error {
    let error = Error::new(ErrorKind::Unsupported, format!("cannot {act}"));
    if let Some(purpose) = other_than_signing(algorithm) {
        return error.why(format!("the key's purpose is {purpose} ({algorithm}), not ASYMMETRIC_SIGN")).hint(
            "a key's purpose never changes: make one with the purpose asymmetric-signing, as with: countersign \
             generate-key-pair --kms gcpkms://projects/…/cryptoKeys/NAME",
        );
    }
    let error = error.why(format!(
        "the key is of algorithm {}, with which nothing is signed here{}",
        algorithm.escape_debug(),
        // protobuf-specs PublicKeyDetails.
        if algorithm == "RSA_SIGN_PSS_4096_SHA512" { ": Sigstore knows PSS with SHA-256 alone" } else { "" }
    ));
    if algorithm == "RSA_SIGN_PSS_4096_SHA512" {
        return error.hint("make a key of RSA_SIGN_PSS_4096_SHA256, as with: countersign generate-key-pair --kms gcpkms://projects/…/cryptoKeys/NAME --signing-algorithm rsa-sign-pss-4096-sha256");
    }
    error.hint(
        "make a key for signing, as with: countersign generate-key-pair --kms gcpkms://projects/…/cryptoKeys/NAME",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_told_by_the_algorithm() {
        for (algorithm, purpose) in [
            ("GOOGLE_SYMMETRIC_ENCRYPTION", Some("ENCRYPT_DECRYPT")),
            ("EXTERNAL_SYMMETRIC_ENCRYPTION", Some("ENCRYPT_DECRYPT")),
            ("AES_256_GCM", Some("RAW_ENCRYPT_DECRYPT")),
            ("HMAC_SHA256", Some("MAC")),
            ("RSA_DECRYPT_OAEP_2048_SHA256", Some("ASYMMETRIC_DECRYPT")),
            ("ML_KEM_768", Some("KEY_ENCAPSULATION")),
            ("EC_SIGN_P256_SHA256", None),
            ("RSA_SIGN_RAW_PKCS1_2048", None),
            ("PQ_SIGN_ML_DSA_65", None),
            ("unknown", None),
        ] {
            assert_eq!(other_than_signing(algorithm), purpose, "{algorithm}");
        }
    }
}
