//! The C types of `wintypes.h` and `winscard.h`. Their sizes differ between pcsc-lite, macOS and Windows.

use std::ffi::{c_char, c_void};

/// pcsc-lite: as wide as a pointer on 64-bit Unix.
#[cfg(not(any(windows, target_os = "macos")))]
mod integers {
    /// `LONG`: what every call returns.
    pub type LONG = std::ffi::c_long;
    /// `DWORD`: lengths, flags, states.
    pub type DWORD = std::ffi::c_ulong;
    /// `SCARDCONTEXT`: a connection to the service.
    pub type SCARDCONTEXT = LONG;
    /// `SCARDHANDLE`: a connection to a card.
    pub type SCARDHANDLE = LONG;
}

/// macOS: 32 bits everywhere.
#[cfg(target_os = "macos")]
mod integers {
    /// `LONG`: what every call returns.
    pub type LONG = i32;
    /// `DWORD`: lengths, flags, states.
    pub type DWORD = u32;
    /// `SCARDCONTEXT`: a connection to the service.
    pub type SCARDCONTEXT = LONG;
    /// `SCARDHANDLE`: a connection to a card.
    pub type SCARDHANDLE = LONG;
}

/// Windows: 32 bits, and handles as wide as a pointer.
#[cfg(windows)]
mod integers {
    /// `LONG`: what every call returns.
    pub type LONG = i32;
    /// `DWORD`: lengths, flags, states.
    pub type DWORD = u32;
    /// `SCARDCONTEXT`: a connection to the service.
    pub type SCARDCONTEXT = usize;
    /// `SCARDHANDLE`: a connection to a card.
    pub type SCARDHANDLE = usize;
}

pub use integers::*;

/// `MAX_ATR_SIZE`: the longest answer to reset (ISO/IEC 7816-3 8.2.1).
pub const MAX_ATR_SIZE: usize = 33;

/// The room for an answer to reset in [`SCARD_READERSTATE`].
#[cfg(not(windows))]
pub const ATR_BUFFER_SIZE: usize = MAX_ATR_SIZE;
/// The room for an answer to reset in [`SCARD_READERSTATE`].
#[cfg(windows)]
pub const ATR_BUFFER_SIZE: usize = 36;

/// `SCARD_READERSTATE`: a reader and what is known of it, for `SCardGetStatusChange`.
#[cfg_attr(target_os = "macos", repr(C, packed))]
#[cfg_attr(not(target_os = "macos"), repr(C))]
#[derive(Debug, Clone, Copy)]
pub struct SCARD_READERSTATE {
    /// The reader's name, ended by NUL.
    pub szReader: *const c_char,
    /// The caller's own.
    pub pvUserData: *mut c_void,
    /// The state the caller knows.
    pub dwCurrentState: DWORD,
    /// The state now.
    pub dwEventState: DWORD,
    /// How much of `rgbAtr` is filled.
    pub cbAtr: DWORD,
    /// The card's answer to reset.
    pub rgbAtr: [u8; ATR_BUFFER_SIZE],
}

/// `SCARD_IO_REQUEST`: which protocol an APDU goes by.
#[cfg_attr(target_os = "macos", repr(C, packed))]
#[cfg_attr(not(target_os = "macos"), repr(C))]
#[derive(Debug, Clone, Copy)]
pub struct SCARD_IO_REQUEST {
    /// One of `SCARD_PROTOCOL_…`.
    pub dwProtocol: DWORD,
    /// The size of this structure in bytes.
    pub cbPciLength: DWORD,
}

const fn pci(protocol: DWORD) -> SCARD_IO_REQUEST {
    SCARD_IO_REQUEST { dwProtocol: protocol, cbPciLength: size_of::<SCARD_IO_REQUEST>() as DWORD }
}

/// The header for T=0. Libraries read its two fields only, so ours is as good as theirs.
pub static g_rgSCardT0Pci: SCARD_IO_REQUEST = pci(crate::SCARD_PROTOCOL_T0);
/// The header for T=1.
pub static g_rgSCardT1Pci: SCARD_IO_REQUEST = pci(crate::SCARD_PROTOCOL_T1);
/// The header for the raw protocol.
pub static g_rgSCardRawPci: SCARD_IO_REQUEST = pci(crate::SCARD_PROTOCOL_RAW);
