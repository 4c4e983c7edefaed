//! The verification engine against bundles that others published, and against bundles that were forged to fool it.

mod attacks;
mod documented;
mod forge;
mod honest;
mod inclusion;
mod mutations;
mod oracle;
mod parts;
mod paths;
mod policies;
mod sct;
mod timestamps;
mod vectors;
