//! The command line: what each flag does, what is refused, what is printed.

mod artifacts;
mod attestations;
mod batches;
mod bundle_create;
mod bundles;
mod ended;
mod flags;
mod full_disk;
mod instances;
mod interruption;
mod key_files;
mod passwords;
mod policies;
pub(crate) mod reports;
pub(crate) mod schema;
mod services;
mod surface;
mod transcripts;
mod trust;
mod world;
