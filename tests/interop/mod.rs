//! Other tools against ours, both ways: the real Cosign and OpenSSL, and keys and signatures that others published.
//!
//! Begin with `matrix.tsv`, the table of who verifies whose signatures: [`table`] reads it, [`matrix`] runs it. [`keys`] is
//! about key files, [`bytes`] about output that has to be Cosign's byte for byte, [`published`] about third parties' vectors.

mod artifacts;
mod attestations;
mod bundles;
mod bytes;
mod clients;
mod images;
mod instances;
mod keys;
mod matrix;
mod openssl;
mod published;
mod rig;
mod services;
mod services1;
mod table;
mod timestamps;
mod trust;
