//! Any bytes are TUF metadata of a role or refused, and never a root that vouches for itself by accident.
#![no_main]

use sigstore_tuf::{Metadata, Root, Snapshot, Targets, Timestamp, TrustedMetadataSet};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = TrustedMetadataSet::from_root(bytes);
    let _ = Metadata::<Root>::from_slice(bytes);
    let _ = Metadata::<Timestamp>::from_slice(bytes);
    let _ = Metadata::<Snapshot>::from_slice(bytes);
    let _ = Metadata::<Targets>::from_slice(bytes);
});
