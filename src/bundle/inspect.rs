//! Describes a bundle in words, without verifying anything.

use super::{Bundle, content_name, material_name};

/// The description, as indented lines.
pub fn describe(bundle: &Bundle) -> String {
    match bundle {
        Bundle::Sigstore(bundle) => format!("{} {}", content_name(bundle), material_name(bundle)),
        Bundle::Legacy(_) => String::new(),
    }
}
