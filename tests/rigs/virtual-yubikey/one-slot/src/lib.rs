//! A driver for pcscd (IFD handler API 3.0) that is vpcd's but for one answer: it has one slot. vpcd's own always has two,
//! so pcscd shows two readers, and programs that take only exactly one refuse both. All calls go to the driver that
//! `VYK_DRIVER` names.

use std::ffi::{CStr, c_char, c_uchar, c_ulong, c_void};
use std::sync::LazyLock;

use libloading::Library;

type Dword = c_ulong;
type Code = isize;

/// ifdhandler.h
const TAG_SLOTS_NUMBER: Dword = 0x0fae;
const SUCCESS: Code = 0;
const COMMUNICATION_ERROR: Code = 612;

/// Protocol control information, opaque to us: it goes by value as two words.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IoHeader {
    protocol: Dword,
    length: Dword,
}

static VPCD: LazyLock<Option<Library>> = LazyLock::new(|| {
    let path = std::env::var_os("VYK_DRIVER")?;
    // SAFETY: the file is a driver for pcscd, whose loading pcscd itself would bring about.
    unsafe { Library::new(path) }.ok()
});

/// Defines an exported function that calls the one of the same name in vpcd's driver.
macro_rules! forward {
    ($($name:ident ( $($argument:ident : $type:ty),* );)*) => { $(
        /// Goes to vpcd's driver as it is.
        ///
        /// # Safety
        /// As ifdhandler.h has it; pcscd keeps to it.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "the names are ifdhandler.h's")]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> Code {
            type Function = unsafe extern "C" fn($($type),*) -> Code;
            let Some(library) = VPCD.as_ref() else { return COMMUNICATION_ERROR };
            let name = concat!(stringify!($name), "\0").as_bytes();
            // SAFETY: ifdhandler.h gives the function of this name this type.
            let Ok(function) = (unsafe { library.get::<Function>(name) }) else { return COMMUNICATION_ERROR };
            // SAFETY: the arguments are the caller's, who keeps to ifdhandler.h.
            unsafe { function($($argument),*) }
        }
    )* };
}

forward! {
    IFDHCreateChannel(lun: Dword, channel: Dword);
    IFDHCreateChannelByName(lun: Dword, name: *const c_char);
    IFDHCloseChannel(lun: Dword);
    IFDHSetCapabilities(lun: Dword, tag: Dword, length: Dword, value: *const c_uchar);
    IFDHSetProtocolParameters(lun: Dword, protocol: Dword, flags: c_uchar, pts1: c_uchar, pts2: c_uchar, pts3: c_uchar);
    IFDHPowerICC(lun: Dword, action: Dword, atr: *mut c_uchar, length: *mut Dword);
    IFDHTransmitToICC(
        lun: Dword, send: IoHeader, sent: *const c_uchar, sent_length: Dword,
        received: *mut c_uchar, received_length: *mut Dword, receive: *mut IoHeader
    );
    IFDHICCPresence(lun: Dword);
    IFDHControl(
        lun: Dword, code: Dword, sent: *const c_void, sent_length: Dword,
        received: *mut c_void, received_length: Dword, returned: *mut Dword
    );
}

/// One slot; all else is vpcd's answer.
///
/// # Safety
/// As ifdhandler.h has it: `value` has room for `*length` bytes.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name is ifdhandler.h's")]
pub unsafe extern "C" fn IFDHGetCapabilities(
    lun: Dword,
    tag: Dword,
    length: *mut Dword,
    value: *mut c_uchar,
) -> Code {
    type Function = unsafe extern "C" fn(Dword, Dword, *mut Dword, *mut c_uchar) -> Code;
    let Some(library) = VPCD.as_ref() else { return COMMUNICATION_ERROR };
    let name: &CStr = c"IFDHGetCapabilities";
    // SAFETY: ifdhandler.h gives the function of this name this type.
    let Ok(function) = (unsafe { library.get::<Function>(name.to_bytes_with_nul()) }) else {
        return COMMUNICATION_ERROR;
    };
    // SAFETY: the arguments are the caller's, who keeps to ifdhandler.h.
    let code = unsafe { function(lun, tag, length, value) };
    if tag == TAG_SLOTS_NUMBER && code == SUCCESS {
        // SAFETY: vpcd has just written its own number there, one byte.
        unsafe { *value = 1 };
    }
    code
}
