//! The verification engine against bundles that others published.

mod documented;
mod parts;
mod policies;
mod vectors;
