//! The PC/SC API as `winscard.h` declares it (PC/SC part 5; pcsc-lite 1.9; Windows' winscard), loaded at run time.
//!
//! Only the crate `pcsc` calls this, by these names. `types.rs` has the C types, `codes.rs` the constants, `functions.rs` the
//! calls and the loading. Written from the specification and the C headers.
//!
//! Where no PC/SC library can be loaded, every call returns [`LIBRARY_MISSING`]. `SCardEstablishContext` comes first in every
//! use, and no PC/SC library returns this code from it.

#![allow(non_snake_case, non_upper_case_globals, non_camel_case_types)]

mod codes;
mod functions;
mod types;

pub use codes::*;
pub use functions::*;
pub use types::*;

/// What every call returns where the library cannot be loaded: `SCARD_E_FILE_NOT_FOUND`.
pub const LIBRARY_MISSING: LONG = SCARD_E_FILE_NOT_FOUND;
