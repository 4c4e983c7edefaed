//! Flag groups that several commands share, and the machinery that makes our command line take Cosign's.

pub(crate) mod algorithm;
pub mod beside;
pub mod card;
pub mod certificate;
pub mod global;
pub mod identity;
pub mod key;
pub mod legacy;
pub mod not_built;
pub mod out;
pub mod pem;
pub(crate) mod predicate;
pub mod registry;
pub mod services;
pub(crate) mod signing;
pub mod switches;
pub mod trust;
