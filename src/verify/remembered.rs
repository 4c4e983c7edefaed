//! Signatures by a trusted root, remembered once they were found good: those over its few intermediates come again with every
//! bundle, and are the dearest of a bundle's signatures (P-384). Nothing but what verified with the same bytes is remembered, so no
//! verdict depends on it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use countersign_core::HashAlgorithm;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// Signatures remembered; a trusted root has a handful of certificates.
const MAX_REMEMBERED: usize = 64;

/// Signatures that were good, the oldest first: each by the hash of algorithm, key, message and signature.
#[derive(Debug)]
pub(super) struct Good(Mutex<VecDeque<Vec<u8>>>);

impl Good {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn has(&self, name: &[u8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == name)
    }

    fn remember(&self, name: Vec<u8>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == MAX_REMEMBERED {
            known.pop_front();
        }
        known.push_back(name);
    }
}

/// Another algorithm, with the root whose signatures are remembered: the bits of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembering<'a> {
    pub(super) algorithm: &'static dyn SignatureVerificationAlgorithm,
    pub(super) root: &'a [u8],
    pub(super) good: &'a Good,
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if public_key != self.root {
            return self.algorithm.verify_signature(public_key, message, signature);
        }
        let name = self.name(public_key, message, signature);
        if self.good.has(&name) {
            return Ok(());
        }
        self.algorithm.verify_signature(public_key, message, signature)?;
        self.good.remember(name);
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

impl Remembering<'_> {
    /// Every part with its length before it: no two sets of parts have one name.
    fn name(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Vec<u8> {
        let (key, signed) = (self.public_key_alg_id(), self.signature_alg_id());
        let mut all = Vec::new();
        for part in [key.as_ref(), signed.as_ref(), public_key, message, signature] {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
        HashAlgorithm::Sha256.digest(&all).bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    /// Takes signatures that are the message, and counts.
    #[derive(Debug)]
    struct Counting;

    impl SignatureVerificationAlgorithm for Counting {
        fn verify_signature(&self, _: &[u8], message: &[u8], given: &[u8]) -> Result<(), InvalidSignature> {
            ASKED.fetch_add(1, Ordering::SeqCst);
            if message == given { Ok(()) } else { Err(InvalidSignature) }
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(b"key")
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(b"signature")
        }
    }

    #[test]
    fn a_good_signature_of_the_root_is_verified_once_and_nothing_else_is_taken_for_it() {
        let good = Good::new();
        let one = Remembering { algorithm: &Counting, root: b"root", good: &good };
        let asked = |key: &[u8], message: &[u8], signature: &[u8]| {
            let before = ASKED.load(Ordering::SeqCst);
            let verdict = one.verify_signature(key, message, signature).is_ok();
            (verdict, ASKED.load(Ordering::SeqCst) - before)
        };
        assert_eq!(asked(b"root", b"ab", b"ab"), (true, 1));
        assert_eq!(asked(b"root", b"ab", b"ab"), (true, 0));
        // A bad one is never remembered, nor one by another key; the same bytes parted elsewhere are another.
        for _ in 0..2 {
            assert_eq!(asked(b"root", b"ab", b"ac"), (false, 1));
            assert_eq!(asked(b"other", b"ab", b"ab"), (true, 1));
            assert_eq!(asked(b"root", b"a", b"bab"), (false, 1));
        }
        // The oldest makes room.
        for number in 0..MAX_REMEMBERED as u64 {
            let message = number.to_be_bytes();
            assert_eq!(asked(b"root", &message, &message), (true, 1));
        }
        assert_eq!(asked(b"root", b"ab", b"ab"), (true, 1));
    }
}
