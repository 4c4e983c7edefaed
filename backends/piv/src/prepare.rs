//! From a digest or message to the bytes that a card's raw operation takes.

use std::borrow::Cow;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Algorithm, Digest, Input, KeyType, Scheme, encoding};

/// What YubiKeys take in one command is 3,072 bytes (`CB_BUF_MAX` of Yubico's tools); the message shares it with its wrapping.
pub(crate) const MAX_ED25519_MESSAGE_BYTES: usize = 3072 - 16;

/// The input of GENERAL AUTHENTICATE.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a message that no card takes, before any is asked.
pub(crate) fn prepare<'a>(algorithm: Algorithm, input: Input<'a>) -> Result<Cow<'a, [u8]>> {
    match (algorithm.scheme(), input.essence()) {
        (Scheme::Ecdsa, Input::Digest(digest)) => Ok(Cow::Owned(truncated(algorithm.key_type(), digest)?)),
        (Scheme::RsaPkcs1v15, Input::Digest(digest)) => {
            Ok(Cow::Owned(padded(algorithm.key_type(), &encoding::digest_info(digest))?))
        }
        (Scheme::Ed25519, Input::Message(message)) if message.len() > MAX_ED25519_MESSAGE_BYTES => {
            Err(Error::new(ErrorKind::Unsupported, format!("cannot use {algorithm} on a card"))
                .why(format!(
                    "the message has {} bytes, and a card takes {MAX_ED25519_MESSAGE_BYTES} at most",
                    message.len()
                ))
                .hint("Ed25519 signs the message itself: sign larger files with a P-256, P-384 or RSA key"))
        }
        (Scheme::Ed25519, Input::Message(message)) => Ok(Cow::Borrowed(message)),
        (Scheme::Ecdsa | Scheme::RsaPkcs1v15 | Scheme::Ed25519 | Scheme::RsaPss | Scheme::Ed25519ph, _) => {
            Err(Error::internal("an input that the core had to refuse"))
        }
    }
}

/// FIPS 186-5 6.4.1: the leftmost bits of a digest that is longer than the curve's order; the orders of P-256 and P-384 fill
/// whole bytes. A shorter one is a smaller number: the card wants it filled up on the left.
fn truncated(key_type: KeyType, digest: &Digest) -> Result<Vec<u8>> {
    let width = key_type.field_bytes().ok_or_else(|| Error::internal("ECDSA with a key without a curve"))?;
    let bytes = digest.bytes();
    let taken = &bytes[..bytes.len().min(width)];
    let mut number = vec![0; width - taken.len()];
    number.extend(taken);
    Ok(number)
}

/// RFC 8017 9.2: 00 01 FF … FF 00 and the DigestInfo, as long as the modulus.
fn padded(key_type: KeyType, digest_info: &[u8]) -> Result<Vec<u8>> {
    let size = key_type.rsa_bits().ok_or_else(|| Error::internal("PKCS#1 with a key without a modulus"))? / 8;
    let mut block = vec![0xff; size];
    let start = size - digest_info.len();
    block[..2].copy_from_slice(&[0, 1]);
    block[start - 1] = 0;
    block[start..].copy_from_slice(digest_info);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use countersign_core::HashAlgorithm;

    use super::*;

    fn digest_of(hash: HashAlgorithm) -> Digest {
        hash.digest(b"abc")
    }

    #[test]
    fn digests_fit_the_curve() {
        let long = digest_of(HashAlgorithm::Sha512);
        assert_eq!(truncated(KeyType::P256, &long).unwrap(), long.bytes()[..32]);
        assert_eq!(truncated(KeyType::P384, &long).unwrap(), long.bytes()[..48]);
        let short = digest_of(HashAlgorithm::Sha256);
        let number = truncated(KeyType::P384, &short).unwrap();
        assert_eq!((&number[..16], &number[16..]), (&[0; 16][..], short.bytes()));
    }

    #[test]
    fn padding_is_that_of_the_standard() {
        let info = encoding::digest_info(&digest_of(HashAlgorithm::Sha256));
        let block = padded(KeyType::Rsa2048, &info).unwrap();
        assert_eq!(block.len(), 256);
        assert_eq!(block[..2], [0, 1]);
        assert!(block[2..256 - info.len() - 1].iter().all(|byte| *byte == 0xff));
        assert_eq!(block[256 - info.len() - 1], 0);
        assert!(block.ends_with(&info));
    }

    #[test]
    fn a_message_that_no_card_takes_is_refused() {
        let algorithm = KeyType::Ed25519.default_algorithm();
        let most = vec![0; MAX_ED25519_MESSAGE_BYTES];
        assert_eq!(prepare(algorithm, Input::Message(&most)).unwrap().len(), most.len());
        let more = vec![0; MAX_ED25519_MESSAGE_BYTES + 1];
        let error = prepare(algorithm, Input::Message(&more)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
