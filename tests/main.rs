//! Everything that runs the binary, as one test program: a module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a skipped test says so aloud")]
#![allow(clippy::disallowed_methods, reason = "tests find their rigs through the environment")]

mod architecture;
mod cli;
mod images;
mod interop;
mod kms;
mod piv;
mod pkcs11;
mod readme;
mod streaming;
mod support;
mod verify;
