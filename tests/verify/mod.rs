//! The verification engine against bundles that others published.

mod documented;
mod policies;
mod vectors;
