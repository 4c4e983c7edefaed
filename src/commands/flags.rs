//! Flag groups that several commands share, and the machinery that makes our command line take Cosign's.

pub mod card;
pub mod global;
pub mod key;
pub mod legacy;
pub mod not_built;
pub mod switches;
