//! The functions that no rule changes: faults, sessions and the log, then straight on to the wrapped module.

use std::os::raw::c_void;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BYTE, CK_FLAGS, CK_INFO, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE,
    CK_SESSION_INFO, CK_SLOT_ID, CK_ULONG, CK_UTF8CHAR,
};

use crate::call::Call;
use crate::module::real;

/// Defines forwarders whose first parameter, not listed, is the session.
macro_rules! forward_in_session {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        pub(crate) unsafe extern "C" fn $name(session: CK_SESSION_HANDLE $(, $arg: $type)*) -> CK_RV {
            Call::new(stringify!($name)).run_in(session, |_, at| real!($name, at.real $(, $arg)*))
        }
    )*};
}

/// Defines forwarders without a session.
macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        pub(crate) unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            Call::new(stringify!($name)).run(|_| real!($name $(, $arg)*))
        }
    )*};
}

forward! {
    C_GetInfo(a: *mut CK_INFO);
    C_WaitForSlotEvent(a: CK_FLAGS, b: *mut CK_SLOT_ID, c: *mut c_void);
}

forward_in_session! {
    C_InitPIN(a: *mut CK_UTF8CHAR, b: CK_ULONG);
    C_SetPIN(a: *mut CK_UTF8CHAR, b: CK_ULONG, c: *mut CK_UTF8CHAR, d: CK_ULONG);
    C_GetSessionInfo(a: *mut CK_SESSION_INFO);
    C_GetOperationState(a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_SetOperationState(a: *mut CK_BYTE, b: CK_ULONG, c: CK_OBJECT_HANDLE, d: CK_OBJECT_HANDLE);
    C_CreateObject(a: *mut CK_ATTRIBUTE, b: CK_ULONG, c: *mut CK_OBJECT_HANDLE);
    C_CopyObject(a: CK_OBJECT_HANDLE, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_OBJECT_HANDLE);
    C_DestroyObject(a: CK_OBJECT_HANDLE);
    C_GetObjectSize(a: CK_OBJECT_HANDLE, b: *mut CK_ULONG);
    C_SetAttributeValue(a: CK_OBJECT_HANDLE, b: *mut CK_ATTRIBUTE, c: CK_ULONG);
    C_EncryptInit(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE);
    C_Encrypt(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_EncryptUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_EncryptFinal(a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_DecryptInit(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE);
    C_Decrypt(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptFinal(a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_DigestInit(a: *mut CK_MECHANISM);
    C_Digest(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DigestUpdate(a: *mut CK_BYTE, b: CK_ULONG);
    C_DigestKey(a: CK_OBJECT_HANDLE);
    C_DigestFinal(a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_SignRecoverInit(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE);
    C_SignRecover(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_VerifyInit(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE);
    C_Verify(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: CK_ULONG);
    C_VerifyUpdate(a: *mut CK_BYTE, b: CK_ULONG);
    C_VerifyFinal(a: *mut CK_BYTE, b: CK_ULONG);
    C_VerifyRecoverInit(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE);
    C_VerifyRecover(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DigestEncryptUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptDigestUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_SignEncryptUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptVerifyUpdate(a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_GenerateKey(a: *mut CK_MECHANISM, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_OBJECT_HANDLE);
    C_WrapKey(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE, c: CK_OBJECT_HANDLE, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_UnwrapKey(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE, c: *mut CK_BYTE, d: CK_ULONG, e: *mut CK_ATTRIBUTE, f: CK_ULONG, g: *mut CK_OBJECT_HANDLE);
    C_DeriveKey(a: *mut CK_MECHANISM, b: CK_OBJECT_HANDLE, c: *mut CK_ATTRIBUTE, d: CK_ULONG, e: *mut CK_OBJECT_HANDLE);
    C_SeedRandom(a: *mut CK_BYTE, b: CK_ULONG);
    C_GenerateRandom(a: *mut CK_BYTE, b: CK_ULONG);
    C_GetFunctionStatus();
    C_CancelFunction();
}
