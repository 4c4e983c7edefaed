//! Kryoptic, the software token written in Rust, as the shared library that a PKCS#11 application loads. The token is
//! all in `kryoptic-lib`; here are the three symbols by which an application finds it (PKCS#11 v3.0 5.4).

#![allow(non_snake_case, reason = "the standard names the symbols")]
#![allow(unsafe_code, reason = "a symbol without mangling can clash with another of its name")]

use kryoptic_lib::fns::general;
use kryoptic_lib::pkcs11::{
    CK_FLAGS, CK_FUNCTION_LIST_PTR_PTR, CK_INTERFACE_PTR, CK_INTERFACE_PTR_PTR, CK_RV, CK_ULONG_PTR,
    CK_UTF8CHAR_PTR, CK_VERSION_PTR,
};

/// Hands out the functions of PKCS#11 2.40: what every application asks for.
// SAFETY: a library that a loader opens by name; nothing links to it, so the name meets no other.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    general::fn_get_function_list(list)
}

/// Lists the interfaces: 3.2, 3.0, 2.40.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterfaceList(list: CK_INTERFACE_PTR, count: CK_ULONG_PTR) -> CK_RV {
    general::fn_get_interface_list(list, count)
}

/// Hands out one interface by name and version.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterface(
    name: CK_UTF8CHAR_PTR,
    version: CK_VERSION_PTR,
    interface: CK_INTERFACE_PTR_PTR,
    flags: CK_FLAGS,
) -> CK_RV {
    general::fn_get_interface(name, version, interface, flags)
}
