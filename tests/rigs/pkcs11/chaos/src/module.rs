//! The wrapped module: finds it, loads it once, never unloads it.

use std::path::PathBuf;
use std::sync::OnceLock;

use cryptoki_sys::{CK_C_GetFunctionList, CK_FUNCTION_LIST, CKR_OK};
use libloading::Library;

/// Where distributions put SoftHSM, tried in this order when `CHAOS_MODULE` is not set.
const SOFTHSM_PATHS: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

static LIST: OnceLock<Option<CK_FUNCTION_LIST>> = OnceLock::new();

/// The function list of the wrapped module; `None` if it cannot be loaded (the reason is on stderr).
pub(crate) fn list() -> Option<&'static CK_FUNCTION_LIST> {
    LIST.get_or_init(|| load().map_err(|why| eprintln!("chaos: cannot load the wrapped module: {why}")).ok())
        .as_ref()
}

fn load() -> Result<CK_FUNCTION_LIST, String> {
    let path = match std::env::var_os("CHAOS_MODULE") {
        Some(path) => PathBuf::from(path),
        None => SOFTHSM_PATHS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or("CHAOS_MODULE is not set and SoftHSM is in none of its usual places")?,
    };
    // SAFETY: the test names a PKCS#11 module; its initialisers are as trustworthy as the module itself.
    let library = unsafe { Library::new(&path) }.map_err(|e| format!("{}: {e}", path.display()))?;
    // SAFETY: the standard fixes the type of this symbol.
    let get = unsafe { library.get::<CK_C_GetFunctionList>(b"C_GetFunctionList\0") }
        .map_err(|e| e.to_string())?
        .ok_or("C_GetFunctionList is null")?;
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` is valid for one write.
    let rv = unsafe { get(&mut list) };
    if rv != CKR_OK || list.is_null() {
        return Err(format!("C_GetFunctionList returned {rv:#x}"));
    }
    // The list points into the library: it must stay.
    std::mem::forget(library);
    // SAFETY: CKR_OK and not null: it points at a function list of the module, which is never unloaded.
    Ok(unsafe { *list })
}

/// Calls a function of the wrapped module; one that it lacks answers CKR_FUNCTION_NOT_SUPPORTED.
///
/// The macro holds the one `unsafe` block of all forwarders: each passes on the arguments of its own caller,
/// or pointers to locals that outlive the call.
macro_rules! real {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        match $crate::module::list().and_then(|list| list.$name) {
            // SAFETY: the pointers come from the caller, who owes them to the standard, or point to locals.
            Some(function) => unsafe { function($($arg),*) },
            None => cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}
pub(crate) use real;
