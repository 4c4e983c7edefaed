//! The calls of `winscard.h`. On Unix each is looked up in the library when it is first needed; on Windows the library is
//! part of the system and linked as usual.

use std::ffi::{c_char, c_void};

use crate::types::{DWORD, LONG, SCARD_IO_REQUEST, SCARD_READERSTATE, SCARDCONTEXT, SCARDHANDLE};

/// Declares each call once: its name here, its name in Windows' library, its parameters.
macro_rules! calls {
    ($($(#[$text:meta])* $name:ident = $windows:literal ($($parameter:ident: $kind:ty),* $(,)?);)*) => {
        #[cfg(not(windows))]
        mod loaded {
            use super::*;

            pub(super) struct Library {
                $(pub(super) $name: unsafe extern "C" fn($($kind),*) -> LONG,)*
                /// Keeps the code of the pointers above in memory.
                _library: libloading::Library,
            }

            impl Library {
                fn from(library: libloading::Library) -> Result<Self, libloading::Error> {
                    $(
                        // SAFETY: the symbol has this type by winscard.h; the library is kept as long as the pointer.
                        let $name = unsafe {
                            *library.get::<unsafe extern "C" fn($($kind),*) -> LONG>(
                                concat!(stringify!($name), "\0").as_bytes(),
                            )?
                        };
                    )*
                    Ok(Self { $($name,)* _library: library })
                }
            }

            pub(super) fn library() -> Option<&'static Library> {
                static LIBRARY: std::sync::OnceLock<Option<Library>> = std::sync::OnceLock::new();
                LIBRARY
                    .get_or_init(|| {
                        NAMES.iter().find_map(|name| {
                            // SAFETY: the system's PC/SC library runs no code at loading that could break ours.
                            let library = unsafe { libloading::Library::new(name) }.ok()?;
                            Library::from(library).ok()
                        })
                    })
                    .as_ref()
            }
        }

        $(
            $(#[$text])*
            ///
            /// # Safety
            /// Pointers and lengths must be as winscard.h asks.
            #[cfg(not(windows))]
            pub unsafe fn $name($($parameter: $kind),*) -> LONG {
                match loaded::library() {
                    // SAFETY: the caller keeps the contract of winscard.h.
                    Some(library) => unsafe { (library.$name)($($parameter),*) },
                    None => crate::LIBRARY_MISSING,
                }
            }
        )*

        #[cfg(windows)]
        #[link(name = "winscard")]
        unsafe extern "system" {
            $(
                $(#[$text])*
                #[link_name = $windows]
                pub fn $name($($parameter: $kind),*) -> LONG;
            )*
        }
    };
}

/// Where the library is looked for, by the system's own search path where no folder is named.
#[cfg(target_os = "macos")]
const NAMES: [&str; 1] = ["/System/Library/Frameworks/PCSC.framework/PCSC"];
#[cfg(not(any(windows, target_os = "macos")))]
const NAMES: [&str; 1] = ["libpcsclite.so.1"];

calls! {
    /// Opens a connection to the service.
    SCardEstablishContext = "SCardEstablishContext" (
        dwScope: DWORD, pvReserved1: *const c_void, pvReserved2: *const c_void, phContext: *mut SCARDCONTEXT,
    );
    /// Closes a connection to the service.
    SCardReleaseContext = "SCardReleaseContext" (hContext: SCARDCONTEXT);
    /// Whether a connection to the service still holds.
    SCardIsValidContext = "SCardIsValidContext" (hContext: SCARDCONTEXT);
    /// Ends a waiting call of another thread.
    SCardCancel = "SCardCancel" (hContext: SCARDCONTEXT);
    /// Lists the readers, as text with a NUL after each and one more at the end.
    SCardListReaders = "SCardListReadersA" (
        hContext: SCARDCONTEXT, mszGroups: *const c_char, mszReaders: *mut c_char, pcchReaders: *mut DWORD,
    );
    /// Waits until a reader's state is another than the caller knows.
    SCardGetStatusChange = "SCardGetStatusChangeA" (
        hContext: SCARDCONTEXT, dwTimeout: DWORD, rgReaderStates: *mut SCARD_READERSTATE, cReaders: DWORD,
    );
    /// Connects to the card in a reader.
    SCardConnect = "SCardConnectA" (
        hContext: SCARDCONTEXT, szReader: *const c_char, dwShareMode: DWORD, dwPreferredProtocols: DWORD,
        phCard: *mut SCARDHANDLE, pdwActiveProtocol: *mut DWORD,
    );
    /// Connects again after a reset.
    SCardReconnect = "SCardReconnect" (
        hCard: SCARDHANDLE, dwShareMode: DWORD, dwPreferredProtocols: DWORD, dwInitialization: DWORD,
        pdwActiveProtocol: *mut DWORD,
    );
    /// Closes a connection to a card.
    SCardDisconnect = "SCardDisconnect" (hCard: SCARDHANDLE, dwDisposition: DWORD);
    /// Keeps other programs off the card until the end of the transaction.
    SCardBeginTransaction = "SCardBeginTransaction" (hCard: SCARDHANDLE);
    /// Lets other programs at the card again.
    SCardEndTransaction = "SCardEndTransaction" (hCard: SCARDHANDLE, dwDisposition: DWORD);
    /// The state of a card.
    SCardStatus = "SCardStatusA" (
        hCard: SCARDHANDLE, mszReaderName: *mut c_char, pcchReaderLen: *mut DWORD, pdwState: *mut DWORD,
        pdwProtocol: *mut DWORD, pbAtr: *mut u8, pcbAtrLen: *mut DWORD,
    );
    /// Reads an attribute of a reader.
    SCardGetAttrib = "SCardGetAttrib" (hCard: SCARDHANDLE, dwAttrId: DWORD, pbAttr: *mut u8, pcbAttrLen: *mut DWORD);
    /// Sets an attribute of a reader.
    SCardSetAttrib = "SCardSetAttrib" (hCard: SCARDHANDLE, dwAttrId: DWORD, pbAttr: *const u8, cbAttrLen: DWORD);
    /// Sends an APDU and waits for the answer.
    SCardTransmit = "SCardTransmit" (
        hCard: SCARDHANDLE, pioSendPci: *const SCARD_IO_REQUEST, pbSendBuffer: *const u8, cbSendLength: DWORD,
        pioRecvPci: *mut SCARD_IO_REQUEST, pbRecvBuffer: *mut u8, pcbRecvLength: *mut DWORD,
    );
    /// Sends a command to the reader itself.
    SCardControl = "SCardControl" (
        hCard: SCARDHANDLE, dwControlCode: DWORD, pbSendBuffer: *const u8, cbSendLength: DWORD,
        pbRecvBuffer: *mut u8, cbRecvLength: DWORD, lpBytesReturned: *mut DWORD,
    );
}
