//! Hands a finished SHA-512 digest to `ed25519-dalek`, whose Ed25519ph functions want a hasher.

use sha2::digest::generic_array::GenericArray;
use sha2::digest::typenum::U64;
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

use crate::digest::Digest;

/// A hasher that was fed already: it only gives its digest back.
#[derive(Default)]
pub(crate) struct Prehashed(GenericArray<u8, U64>);

impl Prehashed {
    /// `None` when the digest is not 64 bytes long.
    pub(crate) fn new(digest: &Digest) -> Option<Self> {
        (digest.bytes().len() == 64).then(|| Self(GenericArray::clone_from_slice(digest.bytes())))
    }
}

impl HashMarker for Prehashed {}

impl OutputSizeUser for Prehashed {
    type OutputSize = U64;
}

impl Update for Prehashed {
    // The library's contract feeds nothing to a finished hash; ignoring input would sign something else.
    fn update(&mut self, _data: &[u8]) {
        unreachable!("a finished digest takes no more input")
    }
}

impl FixedOutput for Prehashed {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}
